//! A record of every identifier that was registered, for whoever keeps figures of that: how long it took, and under which name.
//!
//! Calls and streams put records into one bounded queue and never wait: a full queue loses records, counted. Somebody else takes them out.
//! There is one for each identifier that is new, whichever door it came by; changes of identifiers, code packages and what was done before under
//! the same request have none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use tokio::time::Instant;
use waymark_catalog::{Command, Order, Outcome, Receipt, Timestamp};

/// One registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationRecord {
    /// When it was durable and visible.
    pub time: Timestamp,
    /// How long it took from having been understood to having been durable and visible; of an item of a stream, waiting for its turn included.
    pub took: Duration,
    /// Name of the identifier.
    pub handle: Box<[u8]>,
}

/// Where records wait to be taken.
#[derive(Debug)]
pub struct RegistrationTap {
    queue: ArrayQueue<RegistrationRecord>,
    lost: AtomicU64,
}

impl RegistrationTap {
    /// A queue of so many records (at least 1), some 100 bytes each.
    #[must_use]
    pub fn new(records: usize) -> Self {
        Self { queue: ArrayQueue::new(records.max(1)), lost: AtomicU64::new(0) }
    }

    /// The oldest record.
    #[must_use]
    pub fn take(&self) -> Option<RegistrationRecord> {
        self.queue.pop()
    }

    /// Records lost since the queue was full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn put(&self, record: RegistrationRecord) {
        if self.queue.push(record).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A registration under way.
#[derive(Debug)]
pub(crate) struct Registering {
    tap: Arc<RegistrationTap>,
    since: Instant,
    handle: Box<[u8]>,
}

impl Registering {
    /// That of an order that writes a whole record, where somebody wants to know.
    pub(crate) fn of(order: &Order, tap: Option<&Arc<RegistrationTap>>) -> Option<Self> {
        let tap = tap?;
        match &order.command {
            Command::Put { handle, .. }
            | Command::PutWithdrawn { handle, .. }
            | Command::PutFromTemplate { handle, .. } => {
                Some(Self { tap: Arc::clone(tap), since: Instant::now(), handle: handle.as_slice().into() })
            }
            _ => None,
        }
    }

    /// It is done, as a receipt says: a record that is new makes a registration.
    pub(crate) fn done(self, receipt: &Receipt) {
        if receipt.outcome == Outcome::Created && !receipt.repeated {
            let took = self.since.elapsed();
            self.tap.put(RegistrationRecord { time: receipt.time, took, handle: self.handle });
        }
    }
}

#[cfg(test)]
mod tests {
    use waymark_catalog::{ContentHash, PutMode, Serial, Timestamps, ValueSet, Warnings};

    use super::*;

    fn put(handle: &[u8]) -> Order {
        let handle = handle.to_vec();
        Command::Put { handle, values: ValueSet::default(), timestamps: Timestamps::Now, mode: PutMode::Create }.into()
    }

    fn receipt(outcome: Outcome, repeated: bool) -> Receipt {
        let (serial, time) = (Serial(1), Timestamp(5_000));
        Receipt { serial, time, content: ContentHash([0; 32]), outcome, warnings: Warnings::default(), repeated }
    }

    #[test]
    fn only_what_is_new_is_recorded() {
        let tap = Arc::new(RegistrationTap::new(8));
        for (outcome, repeated) in [(Outcome::Created, false), (Outcome::Created, true), (Outcome::Replaced, false)] {
            Registering::of(&put(b"88.1/x"), Some(&tap)).unwrap().done(&receipt(outcome, repeated));
        }
        let record = tap.take().unwrap();
        assert_eq!((record.time, &*record.handle), (Timestamp(5_000), &b"88.1/x"[..]));
        assert_eq!(tap.take(), None);
        let deletion = Command::Delete { handle: b"88.1/x".to_vec() }.into();
        assert!(Registering::of(&deletion, Some(&tap)).is_none() && Registering::of(&put(b"88.1/x"), None).is_none());
    }

    #[test]
    fn a_full_queue_loses_and_counts() {
        let tap = Arc::new(RegistrationTap::new(2));
        for _ in 0..5 {
            Registering::of(&put(b"88.1/x"), Some(&tap)).unwrap().done(&receipt(Outcome::Created, false));
        }
        assert_eq!((tap.lost(), std::iter::from_fn(|| tap.take()).count()), (3, 2));
    }
}
