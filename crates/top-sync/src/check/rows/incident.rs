//! INCIDENT: a fault, or that it is over.

use super::Whole;
use crate::check::checker::Checker;
use crate::check::json::Json;

pub(super) fn check(checker: &mut Checker, json: &Json<'_>, whole: &Whole<'_>) {
    let names = ["event", "related", "state", "time", "cause", "type", "prefix"];
    let Some(row) = checker.object(json, &names) else { return };
    let event = checker.text(row.at("event"), 1, 64);
    let related = checker.text(row.at("related"), 0, 64);
    match (checker.word(row.at("state"), &["fault", "recovered"]), related) {
        (Some("fault"), Some(related)) if !related.is_empty() => {
            checker.complain(row.at("related"), "is filled in, though this is a fault");
        }
        (Some("recovered"), Some("")) => {
            checker.complain(row.at("related"), "is empty: which event is over?");
        }
        (Some("recovered"), Some(related)) if Some(related) == event => {
            checker.complain(row.at("related"), "is the event itself");
        }
        _ => {}
    }
    whole.time_within(checker, row.at("time"));
    checker.text(row.at("cause"), 0, 1_024);
    checker.between(row.at("type"), 1, 4);
    checker.prefix(row.at("prefix"));
}
