//! From records of answers and registrations to the statistics. Everything here runs on the one thread that takes the records.

use std::{fs::File, sync::Arc};

use waymark_catalog::Timestamp;
use waymark_registration::RegistrationRecord;
use waymark_resolver::AnswerRecord;
use waymark_top_sync::traffic::{Answer, Lost, Registered};

use super::{NodeTraffic, known};

/// Registrations counted before readers get a turn.
const PIECE: usize = 1_024;

/// Counts what is recorded.
#[derive(Debug)]
pub(crate) struct Feed {
    of: NodeTraffic,
    /// Records lost so far that are noted.
    lost_answers: u64,
    lost_registrations: u64,
}

impl Feed {
    pub(super) const fn new(of: NodeTraffic) -> Self {
        Self { of, lost_answers: 0, lost_registrations: 0 }
    }

    /// Counts answers that have been handed to their record, which stands at `log` now.
    pub(crate) fn answered(&self, records: &[AnswerRecord], log: Option<(Arc<File>, u64)>) {
        let known = known(&self.of.catalog, self.of.own.clone());
        let mut counting = self.of.traffic.count();
        for record in records {
            let answer = Answer {
                unix_seconds: record.unix_seconds,
                source: record.peer.ip(),
                op: record.op,
                response_code: record.response_code,
                took_micros: Some(record.took_micros),
                handle: record.handle(),
            };
            counting.answered(&answer, &known);
        }
        counting.logged(log);
    }

    /// Counts registrations that wait, notes what was lost, and saves when it is time to. `lost_answers` is counted since the start.
    pub(crate) fn tick(&mut self, lost_answers: u64) {
        let now = waymark_catalog::machine_time();
        while self.registered() == PIECE {}
        let lost_registrations = self.of.registrations.lost();
        let mut counting = self.of.traffic.count();
        if lost_answers > self.lost_answers {
            counting.lost(now, Lost::Answers(lost_answers - self.lost_answers));
        }
        if lost_registrations > self.lost_registrations {
            counting.lost(now, Lost::Registrations(lost_registrations - self.lost_registrations));
        }
        counting.tick(now);
        drop(counting);
        (self.lost_answers, self.lost_registrations) = (lost_answers, lost_registrations);
    }

    /// Saves for the last time.
    pub(crate) fn stop(&self) {
        if let Err(error) = self.of.traffic.stop(waymark_catalog::machine_time()) {
            tracing::error!(%error, "figures of requests were not saved at the end");
        }
    }

    /// Counts some registrations; gives how many.
    fn registered(&self) -> usize {
        let records: Vec<RegistrationRecord> =
            std::iter::from_fn(|| self.of.registrations.take()).take(PIECE).collect();
        if records.is_empty() {
            return 0;
        }
        let known = known(&self.of.catalog, self.of.own.clone());
        let mut counting = self.of.traffic.count();
        for record in &records {
            let registered = Registered {
                unix_seconds: seconds(record.time),
                took_micros: u32::try_from(record.took.as_micros()).unwrap_or(u32::MAX),
                handle: &record.handle,
            };
            counting.registered(&registered, &known);
        }
        records.len()
    }
}

fn seconds(time: Timestamp) -> u32 {
    u32::try_from(time.0 / 1_000).unwrap_or(u32::MAX)
}
