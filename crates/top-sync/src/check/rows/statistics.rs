//! T3 and T8: what was registered and asked for on a day.

use std::collections::HashSet;

use super::Whole;
use crate::check::Set;
use crate::check::checker::{Checker, Fields};
use crate::check::json::Json;

pub(super) fn check(checker: &mut Checker, whole: &Whole<'_>, json: &Json<'_>) {
    let (new, total) = match whole.set {
        Set::T3 => ("new_prefixes", "total_prefixes"),
        _ => ("new_identifiers", "total_identifiers"),
    };
    let names = ["prefix", "day", new, total, "requests", "successes", "sources", "other_sources", "exact", "error"];
    let Some(row) = checker.object(json, &names) else { return };
    whole.prefix(checker, row.at("prefix"));
    whole.day(checker, row.at("day"));
    checker.number(row.at(new));
    checker.number(row.at(total));
    let requests = checker.number(row.at("requests"));
    let successes = checker.number(row.at("successes"));
    if requests.zip(successes).is_some_and(|(requests, successes)| successes > requests) {
        checker.complain(row.at("successes"), "is more than requests");
    }
    let listed = sources(checker, &row);
    let others = checker.number(row.at("other_sources"));
    let exact = checker.flag(row.at("exact"));
    let error = checker.number(row.at("error"));
    if exact == Some(true) {
        if error.is_some_and(|error| error > 0) {
            checker.complain(row.at("error"), "is not 0, though every count is exact");
        }
        let sum = listed.zip(others).and_then(|(listed, others)| listed.checked_add(others));
        if sum.is_some() && requests.is_some() && sum != requests {
            checker.complain(row.at("sources"), "do not sum up to requests with other_sources");
        }
    }
}

/// Checks the list of sources; the sum of their counts, where each is one.
fn sources(checker: &mut Checker, row: &Fields<'_>) -> Option<u64> {
    let mut sum = Some(0_u64);
    let mut before = u64::MAX;
    let mut seen = HashSet::new();
    checker.list(row.at("sources"), usize::MAX, |checker, source| {
        checker.within(source, &["ip", "count"], |checker, source| {
            if let Some(address) = checker.address(source.at("ip"))
                && !seen.insert(address)
            {
                checker.complain(source.at("ip"), "stands before too");
            }
            let count = checker.number(source.at("count"));
            sum = sum.zip(count).and_then(|(sum, count)| sum.checked_add(count));
            if let Some(count) = count {
                if count > before {
                    checker.complain(source.at("count"), "is more than that before it");
                }
                before = count;
            }
        });
    })?;
    sum
}
