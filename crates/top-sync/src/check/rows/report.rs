//! REPORT: a month of the node.

use super::Whole;
use crate::check::checker::{Checker, Field, Fields};
use crate::check::json::Json;

/// Of so many.
const MILLION: u64 = 1_000_000;

/// Most maintenances and emergencies.
const LISTED: usize = 1_000;

pub(super) fn check(checker: &mut Checker, json: &Json<'_>, whole: &Whole<'_>) {
    let names = [
        "prefix",
        "month",
        "service_level_ppm",
        "resolution",
        "registration",
        "effective_prefixes",
        "effective_average_s",
        "effective_longest_s",
        "operating_s",
        "measured_s",
        "maintenance",
        "emergencies",
    ];
    let Some(row) = checker.object(json, &names) else { return };
    whole.prefix(checker, row.at("prefix"));
    let month = row.at("month");
    if month.value.is_some() && month.value.and_then(Json::as_text) != Some(whole.period.to_string().as_str()) {
        checker.complain(month, "is not the month of the part");
    }
    share(checker, row.at("service_level_ppm"));
    for name in ["resolution", "registration"] {
        let fields = ["availability_ppm", "ipv4_ppm", "ipv6_ppm", "average_us"];
        checker.within(row.at(name), &fields, |checker, of| {
            for name in ["availability_ppm", "ipv4_ppm", "ipv6_ppm"] {
                share(checker, of.at(name));
            }
            checker.number_or_null(of.at("average_us"));
        });
    }
    effective(checker, &row);
    operating(checker, &row);
    checker.list(row.at("maintenance"), LISTED, |checker, item| {
        checker.within(item, &["from", "until", "reason"], |checker, of| {
            lasted(checker, whole, &of);
            checker.text(of.at("reason"), 0, 1_024);
        });
    });
    checker.list(row.at("emergencies"), LISTED, |checker, item| {
        let names = ["event", "from", "until", "type", "cause", "remedy", "prefix"];
        checker.within(item, &names, |checker, of| {
            checker.text(of.at("event"), 1, 64);
            lasted(checker, whole, &of);
            checker.between(of.at("type"), 1, 4);
            checker.text(of.at("cause"), 0, 1_024);
            checker.text(of.at("remedy"), 0, 1_024);
            checker.prefix(of.at("prefix"));
        });
    });
}

/// Parts of a million, or `null`.
fn share(checker: &mut Checker, field: Field<'_>) {
    if let Some(field) = Checker::unless_null(field) {
        checker.between(field, 0, MILLION);
    }
}

/// Times of prefixes: there exactly where there are prefixes.
fn effective(checker: &mut Checker, row: &Fields<'_>) {
    let count = checker.number(row.at("effective_prefixes"));
    let average = checker.number_or_null(row.at("effective_average_s"));
    let longest = checker.number_or_null(row.at("effective_longest_s"));
    for name in ["effective_average_s", "effective_longest_s"] {
        let field = row.at(name);
        let is_null = field.value.map(|value| *value == Json::Null);
        if count.zip(is_null).is_some_and(|(count, is_null)| (count == 0) != is_null) {
            checker.complain(field, "and effective_prefixes do not say the same");
        }
    }
    if average.zip(longest).is_some_and(|(average, longest)| average > longest) {
        checker.complain(row.at("effective_average_s"), "is more than effective_longest_s");
    }
}

/// What was not measured is `null`; the node ran for no longer than that was looked at.
fn operating(checker: &mut Checker, row: &Fields<'_>) {
    let measured = checker.number(row.at("measured_s"));
    let ran = checker.number_or_null(row.at("operating_s"));
    if measured.zip(ran).is_some_and(|(measured, ran)| ran > measured) {
        checker.complain(row.at("operating_s"), "is more than measured_s");
    }
    for name in ["operating_s", "service_level_ppm"] {
        let field = row.at(name);
        if measured == Some(0) && field.value.is_some_and(|value| *value != Json::Null) {
            checker.complain(field, "is given, though nothing was measured");
        }
    }
    if measured.is_some_and(|measured| measured > 0) && row.at("operating_s").value == Some(&Json::Null) {
        checker.complain(row.at("operating_s"), "is null, though something was measured");
    }
}

/// A time that began before the end of the month and did not end before its beginning.
fn lasted(checker: &mut Checker, whole: &Whole<'_>, of: &Fields<'_>) {
    let from = checker.time(of.at("from"));
    let until = Checker::unless_null(of.at("until")).and_then(|field| checker.time(field));
    if from.is_some_and(|from| from >= whole.period.end().0) {
        checker.complain(of.at("from"), "is after the month");
    }
    if until.is_some_and(|until| until < whole.period.start().0) {
        checker.complain(of.at("until"), "is before the month");
    }
    if from.zip(until).is_some_and(|(from, until)| until < from) {
        checker.complain(of.at("until"), "is before from");
    }
}
