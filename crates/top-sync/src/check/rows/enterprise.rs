//! T6: enterprises, and whether they are who they say.

use super::Whole;
use super::profile;
use crate::check::checker::Checker;
use crate::check::json::Json;

pub(super) fn check(checker: &mut Checker, whole: &Whole<'_>, json: &Json<'_>) {
    let names = ["enterprise", "prefixes", "profile", "personal", "real_name"];
    let Some(row) = checker.object(json, &names) else { return };
    let number = row.at("enterprise");
    if number.value.is_some() && !number.value.and_then(Json::as_text).is_some_and(is_enterprise) {
        checker.complain(number, "is no enterprise such as E7");
    }
    checker.list(row.at("prefixes"), usize::MAX, |checker, prefix| whole.prefix(checker, prefix));
    profile::check(checker, row.at("profile"));
    if let Some(personal) = Checker::unless_null(row.at("personal")) {
        profile::check_people(checker, personal);
    }
    if let Some(real_name) = Checker::unless_null(row.at("real_name")) {
        checker.within(real_name, &["result", "source", "time"], |checker, real_name| {
            checker.word(real_name.at("result"), &["verified", "failed"]);
            checker.text(real_name.at("source"), 0, 255);
            whole.time_within(checker, real_name.at("time"));
        });
    }
}

/// Whether a text is an E and a number without leading zeros.
fn is_enterprise(text: &str) -> bool {
    text.strip_prefix('E').is_some_and(|number| {
        !number.starts_with('0') && number.bytes().all(|byte| byte.is_ascii_digit()) && number.parse::<u64>().is_ok()
    })
}
