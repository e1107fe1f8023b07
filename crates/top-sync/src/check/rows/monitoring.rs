//! MONITORING: how quick a day was, and how busy.

use super::Whole;
use crate::check::checker::{Checker, Field, Fields};
use crate::check::json::Json;

/// Figures of both.
const TIMES: [&str; 5] = ["average_us", "maximum_us", "minimum_us", "maximum_at", "minimum_at"];

/// Figures of resolution.
const RESOLUTION: [&str; 7] =
    ["average_us", "maximum_us", "minimum_us", "maximum_at", "minimum_at", "peak_per_second", "peak_at"];

pub(super) fn check(checker: &mut Checker, whole: &Whole<'_>, json: &Json<'_>) {
    let Some(row) = checker.object(json, &["prefix", "day", "resolution", "registration"]) else { return };
    checker.prefix(row.at("prefix"));
    whole.day(checker, row.at("day"));
    checker.within(row.at("resolution"), &RESOLUTION, |checker, figures| {
        times(checker, whole, &figures);
        let peak = checker.number(figures.at("peak_per_second"));
        let at = moment(checker, whole, figures.at("peak_at"));
        if peak.zip(at).is_some_and(|(peak, is_given)| (peak > 0) != is_given) {
            checker.complain(figures.at("peak_at"), "and peak_per_second do not say the same");
        }
    });
    checker.within(row.at("registration"), &TIMES, |checker, figures| times(checker, whole, &figures));
}

/// Average, extremes and when they were: all of them, or none where nothing was asked.
fn times(checker: &mut Checker, whole: &Whole<'_>, figures: &Fields<'_>) {
    let [average, most, least, most_at, least_at] = TIMES.map(|name| figures.at(name));
    let numbers = [average, most, least].map(|field| checker.number_or_null(field));
    for at in [most_at, least_at] {
        moment(checker, whole, at);
    }
    let are_null = [average, most, least, most_at, least_at].map(|field| field.value == Some(&Json::Null));
    if are_null.contains(&true) && are_null.contains(&false) {
        checker.complain_here("gives some figures and leaves out others");
    }
    if let [Some(average_us), Some(most_us), Some(least_us)] = numbers
        && !(least_us <= average_us && average_us <= most_us)
    {
        checker.complain(average, "is not between minimum_us and maximum_us");
    }
}

/// A time of the day or `null`; whether there is one, where it is either.
fn moment(checker: &mut Checker, whole: &Whole<'_>, field: Field<'_>) -> Option<bool> {
    match field.value? {
        Json::Null => Some(false),
        _ => whole.time_within(checker, field).map(|_| true),
    }
}
