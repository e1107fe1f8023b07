//! What changed nothing, counted: refusals of the writer and of the doors, and commands that found all as asked.
//!
//! A line of the ledger is one actor, verb and reason; it holds how often, when first, when last, and one key. There are at most as many lines as
//! configured; what would be one more is counted in a line of all others. The writer puts the ledger into a note at most once in the configured
//! interval, so that whoever asks a million times costs a few hundred bytes. What a crash loses is one interval's counts.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use waymark_store::Timestamp;

use crate::actor::{Actor, Door, Origin};
use crate::command::{Receipt, Refusal, Submission};
use crate::config::{AuditOptions, usize_of};

use super::subject::subject;
use super::words::{Done, Verb};

/// Something a door refused before it became a command.
#[derive(Clone, Copy, Debug)]
pub struct RefusalNote<'a> {
    /// Who asked; [`Actor::unknown`] when it was not found out.
    pub actor: &'a Actor,
    /// What for.
    pub verb: Verb,
    /// Why not: a stable name, the same as in answers; at most 64 bytes of it are kept.
    pub code: &'static str,
    /// What it was about, if anything; at most 128 bytes of it are kept.
    pub key: &'a [u8],
}

/// What is counted in one line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Line {
    pub(super) actor: Actor,
    pub(super) verb: Verb,
    pub(super) code: &'static str,
}

/// How often and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) count: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// Of the first time.
    pub(super) key: Vec<u8>,
}

/// The ledger. Shared by the writer and the doors.
pub(crate) struct Refusals {
    lines: Mutex<Lines>,
    most_lines: usize,
    interval: Duration,
    clock: crate::writer::Clock,
}

#[derive(Default)]
struct Lines {
    counts: HashMap<Line, Count>,
    /// When the oldest of them began.
    since: Option<Timestamp>,
}

impl Refusals {
    pub(crate) fn new(options: AuditOptions, clock: crate::writer::Clock) -> Self {
        let AuditOptions { refusal_lines, refusal_interval, .. } = options;
        let most_lines = usize_of(crate::config::REFUSAL_LINES.clamp(refusal_lines));
        Self { lines: Mutex::default(), most_lines, interval: refusal_interval, clock }
    }

    /// How long a line may wait.
    pub(crate) const fn interval(&self) -> Duration {
        self.interval
    }

    /// Counts one refusal; true when it is the first one waiting.
    pub(crate) fn add(&self, note: RefusalNote<'_>) -> bool {
        let RefusalNote { actor, verb, code, key } = note;
        let now = (self.clock)();
        let mut lines = self.lock();
        let first = lines.since.is_none();
        lines.add(Line { actor: actor.clone(), verb, code }, key, now, self.most_lines);
        first
    }

    /// Counts what changed nothing in a submission that was decided at `now`.
    pub(crate) fn add_results(&self, submission: &Submission, results: &[Result<Receipt, Refusal>], now: Timestamp) {
        let mut lines = None;
        for (order, result) in submission.orders.iter().zip(results) {
            let code = match result {
                Err(refusal) => refusal.code().as_str(),
                Ok(receipt) if receipt.repeated || Done::of(receipt.outcome).is_none() => SAME,
                Ok(_) => continue,
            };
            let line = Line { actor: submission.actor.clone(), verb: Verb::of(&order.command), code };
            lines.get_or_insert_with(|| self.lock()).add(line, &subject(&order.command), now, self.most_lines);
        }
    }

    /// Tells whether anything waits to be written.
    pub(crate) fn is_pending(&self) -> bool {
        self.lock().since.is_some()
    }

    /// Tells whether something has waited for the interval.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        let interval = u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX);
        self.lock().since.is_some_and(|since| now.0.saturating_sub(since.0) >= interval)
    }

    /// Takes all lines out.
    pub(super) fn take(&self) -> Vec<(Line, Count)> {
        std::mem::take(&mut *self.lock()).counts.into_iter().collect()
    }

    /// Puts lines back that could not be written.
    pub(super) fn put_back(&self, taken: Vec<(Line, Count)>) {
        let mut lines = self.lock();
        for (line, count) in taken {
            lines.merge(line, count, self.most_lines);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        // No method can panic half-way, so a poisoned lock holds whole lines.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn add(&mut self, line: Line, key: &[u8], now: Timestamp, most: usize) {
        if let Some(counted) = self.counts.get_mut(&line) {
            counted.count = counted.count.saturating_add(1);
            counted.last = counted.last.max(now);
            return;
        }
        let key = key.get(..KEY_BYTES).unwrap_or(key).to_vec();
        self.merge(line, Count { count: 1, first: now, last: now, key }, most);
    }

    fn merge(&mut self, line: Line, count: Count, most: usize) {
        self.since = Some(self.since.map_or(count.first, |since| since.min(count.first)));
        // The line of all others has its place kept free.
        let has_room = self.counts.len() < most.saturating_sub(1) || self.counts.contains_key(&line);
        let (line, count) = if has_room { (line, count) } else { (others(), Count { key: Vec::new(), ..count }) };
        match self.counts.get_mut(&line) {
            Some(counted) => {
                counted.count = counted.count.saturating_add(count.count);
                counted.first = counted.first.min(count.first);
                counted.last = counted.last.max(count.last);
            }
            None => {
                self.counts.insert(line, count);
            }
        }
    }
}

/// The line of everything that has no line of its own.
fn others() -> Line {
    Line { actor: Actor::unknown(Origin { door: Door::Local, source: None }), verb: Verb::ANY, code: OTHERS }
}

/// What commands that found all as asked are counted as.
pub(super) const SAME: &str = "same";

/// What everything beyond the most lines is counted as.
const OTHERS: &str = "others";

/// Bytes of a key that are kept.
const KEY_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::REFUSAL_LINES;

    fn ledger(lines: u64) -> Refusals {
        let options = AuditOptions { refusal_lines: lines, ..AuditOptions::DEFAULT };
        Refusals::new(options, || Timestamp(5_000))
    }

    fn stranger(last: u8) -> Actor {
        Actor::unknown(Origin { door: Door::Grpc, source: Some([192, 0, 2, last].into()) })
    }

    fn note<'a>(actor: &'a Actor, key: &'a [u8]) -> RefusalNote<'a> {
        RefusalNote { actor, verb: Verb::AUTHENTICATE, code: "unauthenticated", key }
    }

    #[test]
    fn a_million_of_a_kind_are_one_line() {
        let ledger = ledger(REFUSAL_LINES.default);
        let actor = stranger(1);
        for n in 0..1_000_000_u32 {
            assert_eq!(ledger.add(note(&actor, b"first")), n == 0);
        }
        let lines = ledger.take();
        assert_eq!(lines.len(), 1);
        let time = Timestamp(5_000);
        assert_eq!(lines[0].1, Count { count: 1_000_000, first: time, last: time, key: b"first".to_vec() });
        assert!(!ledger.is_pending());
    }

    #[test]
    fn what_has_no_line_of_its_own_is_counted_with_all_others() {
        let ledger = ledger(16);
        for last in 0..=255 {
            ledger.add(note(&stranger(last), &[b'k'; 1000]));
        }
        let lines = ledger.take();
        assert_eq!(lines.len(), 16);
        let others = lines.iter().find(|(line, _)| line.code == OTHERS).unwrap();
        assert_eq!((others.1.count, others.1.key.len()), (256 - 15, 0));
        assert!(lines.iter().all(|(_, count)| count.key.len() <= KEY_BYTES));
    }

    #[test]
    fn lines_put_back_join_those_that_came_meanwhile() {
        let ledger = ledger(16);
        ledger.add(note(&stranger(1), b"k"));
        let taken = ledger.take();
        ledger.add(note(&stranger(1), b"k"));
        ledger.put_back(taken);
        let lines = ledger.take();
        assert_eq!((lines.len(), lines[0].1.count), (1, 2));
    }

    #[test]
    fn lines_are_due_when_the_oldest_has_waited_for_the_interval() {
        let ledger = ledger(16);
        assert!(!ledger.is_due(Timestamp::MAX));
        ledger.add(note(&stranger(1), b"k"));
        assert!(!ledger.is_due(Timestamp(64_999)));
        assert!(ledger.is_due(Timestamp(65_000)));
    }
}
