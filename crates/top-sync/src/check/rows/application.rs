//! T5 and T10: applications of identifiers, and how many used them in a month.

use super::{Whole, short_texts};
use crate::check::checker::Checker;
use crate::check::json::Json;

pub(super) fn check(checker: &mut Checker, whole: &Whole<'_>, json: &Json<'_>) {
    let names = ["prefix", "month", "name", "type", "description", "users", "recursive_node", "developer"];
    let Some(row) = checker.object(json, &names) else { return };
    whole.prefix(checker, row.at("prefix"));
    let month = row.at("month");
    if month.value.is_some() && month.value.and_then(Json::as_text) != Some(whole.period.to_string().as_str()) {
        checker.complain(month, "is not the month of the part");
    }
    checker.text(row.at("name"), 1, 255);
    checker.between(row.at("type"), 1, 5);
    checker.description(row.at("description"), 1_024);
    checker.number_or_null(row.at("users"));
    short_texts(checker, &row, &["recursive_node", "developer"]);
}
