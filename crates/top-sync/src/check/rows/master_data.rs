//! T9: identifiers that were added, deleted or modified on a day.

use super::{Whole, short_texts};
use crate::check::checker::{Checker, Fields};
use crate::check::json::Json;

/// The operation of an identifier that is gone.
const DELETE: u64 = 2;

/// Texts of every identifier.
const TEXTS: [&str; 6] = ["product_type", "brand", "name", "maker", "produced", "expires"];

/// Texts of active carriers.
const CARRIER: [&str; 7] = ["terminal_type", "owner", "use", "imei", "licence", "mark_code", "mark_serial"];

pub(super) fn check(checker: &mut Checker, whole: &Whole<'_>, json: &Json<'_>) {
    let names = [
        "code",
        "created",
        "template",
        "operation",
        "product_type",
        "brand",
        "name",
        "maker",
        "produced",
        "expires",
        "carrier",
    ];
    let Some(row) = checker.object(json, &names) else { return };
    checker.handle(row.at("code"));
    let created = checker.day(row.at("created"));
    if created.zip(whole.period.date()).is_some_and(|(created, day)| created > day) {
        checker.complain(row.at("created"), "is behind the day of the part");
    }
    if row.at("template").value.and_then(Json::as_text) != Some("") {
        checker.handle(row.at("template"));
    }
    let operation = checker.between(row.at("operation"), 1, 3);
    short_texts(checker, &row, &TEXTS);
    if let Some(carrier) = Checker::unless_null(row.at("carrier")) {
        checker.within(carrier, &CARRIER, |checker, carrier| short_texts(checker, &carrier, &CARRIER));
    }
    if operation == Some(DELETE) {
        bare(checker, &row);
    }
}

/// Nothing is said of an identifier that was deleted.
fn bare(checker: &mut Checker, row: &Fields<'_>) {
    for name in ["template"].into_iter().chain(TEXTS) {
        if row.at(name).value.and_then(Json::as_text).is_some_and(|text| !text.is_empty()) {
            checker.complain(row.at(name), "is filled in, though the identifier was deleted");
        }
    }
    if Checker::unless_null(row.at("carrier")).is_some() {
        checker.complain(row.at("carrier"), "is filled in, though the identifier was deleted");
    }
}
