//! T1: the operator's own record, and its files behind it.

use super::{Whole, file, profile};
use crate::check::checker::Checker;
use crate::check::json::Json;

pub(super) fn check(checker: &mut Checker, whole: &Whole<'_>, row: u64, json: &Json<'_>) {
    let is_first = whole.part == 1 && row == 1;
    let is_file = json.field("file").is_some();
    match (is_first, is_file) {
        (true, true) => checker.complain_here("is a file, with no record before it"),
        (false, false) => checker.complain_here("is a record, but only files stand behind the first row of all"),
        _ => {}
    }
    if is_file { file::check(checker, whole, json) } else { record(checker, whole, json) }
}

fn record(checker: &mut Checker, whole: &Whole<'_>, json: &Json<'_>) {
    let Some(row) = checker.object(json, &["prefix", "profile", "node", "personal"]) else { return };
    whole.prefix(checker, row.at("prefix"));
    profile::check(checker, row.at("profile"));
    let names = ["verification", "data_hosting_domestic", "service_hosting_domestic"];
    checker.within(row.at("node"), &names, |checker, node| {
        profile::check_operation(checker, node.at("verification"));
        checker.flag(node.at("data_hosting_domestic"));
        checker.flag(node.at("service_hosting_domestic"));
    });
    let Some(personal) = Checker::unless_null(row.at("personal")) else { return };
    checker.within(personal, &["people", "representative"], |checker, personal| {
        profile::check_people(checker, personal.at("people"));
        checker.within(personal.at("representative"), &["phone", "email", "fax"], |checker, representative| {
            checker.text(representative.at("phone"), 1, 32);
            checker.text(representative.at("email"), 1, 128);
            checker.text(representative.at("fax"), 0, 32);
        });
    });
}
