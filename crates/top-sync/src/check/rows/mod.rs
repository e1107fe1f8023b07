//! Rows, set by set.

use waymark_catalog::Timestamp;

use super::checker::{Checker, Field, Fields};
use super::json::Json;
use super::{Period, Set};

mod application;
mod enterprise;
mod file;
mod incident;
mod master_data;
mod metadata;
mod monitoring;
mod profile;
mod record;
mod report;
mod route;
mod statistics;

/// What of a part its rows are checked against.
pub(super) struct Whole<'p> {
    pub(super) set: Set,
    pub(super) node: &'p str,
    pub(super) period: Period,
    pub(super) part: u32,
}

/// Checks one row.
pub(super) fn check(checker: &mut Checker, whole: &Whole<'_>, row: u64, json: &Json<'_>) {
    match whole.set {
        Set::T1 => record::check(checker, whole, row, json),
        Set::T2 | Set::T7 => route::check(checker, whole, json),
        Set::T3 | Set::T8 => statistics::check(checker, whole, json),
        Set::T4 | Set::T11 => metadata::check(checker, whole, json),
        Set::T5 | Set::T10 => application::check(checker, whole, json),
        Set::T6 => enterprise::check(checker, whole, json),
        Set::T9 => master_data::check(checker, whole, json),
        Set::Monitoring => monitoring::check(checker, whole, json),
        Set::Incident => incident::check(checker, json, whole),
        Set::Report => report::check(checker, json, whole),
    }
}

impl Whole<'_> {
    /// A prefix: the node's own of a set about it, and another of one about enterprises.
    fn prefix(&self, checker: &mut Checker, field: Field<'_>) {
        let Some(prefix) = checker.prefix(field) else { return };
        match (self.set.is_of_node(), prefix == self.node) {
            (true, false) => checker.complain(field, "is not the node's"),
            (false, true) => checker.complain(field, "is the node's, not that of an enterprise"),
            _ => {}
        }
    }

    /// The day of the part.
    fn day(&self, checker: &mut Checker, field: Field<'_>) {
        if checker.day(field).is_some_and(|day| Some(day) != self.period.date()) {
            checker.complain(field, "is not the day of the part");
        }
    }

    /// A moment within the period of the part.
    fn time_within(&self, checker: &mut Checker, field: Field<'_>) -> Option<u64> {
        let time = checker.time(field)?;
        if !self.period.covers(Timestamp(time)) {
            checker.complain(field, "is not within the period of the part");
        }
        Some(time)
    }
}

/// Checks texts that may be empty, each of at most 255 characters.
fn short_texts(checker: &mut Checker, fields: &Fields<'_>, names: &[&'static str]) {
    for name in names {
        checker.text(fields.at(name), 0, 255);
    }
}
