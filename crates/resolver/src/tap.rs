//! A compact record of every answer, for whoever keeps such records.
//!
//! Answering threads put fixed-size records into one bounded queue and never wait: a full queue loses records, counted. Somebody else
//! takes them out and writes them where they belong. A record is made when the answer has been handed over, so that it says what went out
//! and how long that took; the time is read once for all answers of a batch. One request has one record at most. None has what gets no
//! answer at all, and a stream that is cut between two messages.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;

use crate::question::Transport;

/// Bytes of a handle that a record keeps; longer ones are cut.
pub const HANDLE_BYTES: usize = 128;

/// Where a request's handle begins: behind envelope, header and its own length.
const HANDLE_AT: usize = 48;

/// One answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AnswerRecord {
    /// When, in seconds since 1970.
    pub unix_seconds: u32,
    /// How long it took from having the request to having handed over the answer, in microseconds; an hour and more is as much as there is
    /// room for. Of answers made together it is the time of all.
    pub took_micros: u32,
    /// How it came.
    pub transport: Transport,
    /// Who asked.
    pub peer: SocketAddr,
    /// Operation of the request.
    pub op: u32,
    /// Response code of the answer.
    pub response_code: u32,
    /// Bytes of the request, envelope included.
    pub request_bytes: u32,
    /// Bytes of the answer, envelope included.
    pub answer_bytes: u32,
    handle: [u8; HANDLE_BYTES],
    handle_bytes: u8,
}

impl AnswerRecord {
    /// The handle asked for, cut at [`HANDLE_BYTES`]; empty for requests without one.
    #[must_use]
    pub fn handle(&self) -> &[u8] {
        self.handle.get(..usize::from(self.handle_bytes)).unwrap_or_default()
    }

    /// Whether the handle was longer than a record keeps.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.handle_bytes as usize == HANDLE_BYTES
    }

    /// Keeps the handle of `request`, which every body begins with.
    #[must_use]
    pub(crate) fn with_handle_of(mut self, request: &[u8]) -> Self {
        let length =
            request.get(HANDLE_AT - 4..HANDLE_AT).and_then(|word| word.try_into().ok()).map(u32::from_be_bytes);
        let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let whole = request.get(HANDLE_AT..).and_then(|rest| rest.get(..length)).unwrap_or_default();
        let kept = whole.get(..HANDLE_BYTES).unwrap_or(whole);
        for (to, from) in self.handle.iter_mut().zip(kept) {
            *to = *from;
        }
        self.handle_bytes = u8::try_from(kept.len()).unwrap_or(u8::MAX);
        self
    }

    /// A record without its handle.
    pub(crate) fn new(unix_seconds: u32, took: Duration, transport: Transport, peer: SocketAddr) -> Self {
        Self {
            unix_seconds,
            took_micros: u32::try_from(took.as_micros()).unwrap_or(u32::MAX),
            transport,
            peer,
            op: 0,
            response_code: 0,
            request_bytes: 0,
            answer_bytes: 0,
            handle: [0; HANDLE_BYTES],
            handle_bytes: 0,
        }
    }
}

/// Where records wait to be taken.
#[derive(Debug)]
pub struct AnswerTap {
    queue: ArrayQueue<AnswerRecord>,
    lost: AtomicU64,
}

impl AnswerTap {
    /// A queue of so many records (at least 1), about 200 bytes each.
    #[must_use]
    pub fn new(records: usize) -> Self {
        Self { queue: ArrayQueue::new(records.max(1)), lost: AtomicU64::new(0) }
    }

    /// The oldest record.
    #[must_use]
    pub fn take(&self) -> Option<AnswerRecord> {
        self.queue.pop()
    }

    /// Records lost since the queue was full.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub(crate) fn put(&self, record: AnswerRecord) {
        if self.queue.push(record).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> AnswerRecord {
        AnswerRecord::new(7, Duration::from_micros(9), Transport::Udp, SocketAddr::from(([127, 0, 0, 1], 5)))
    }

    fn request(handle: &[u8]) -> Vec<u8> {
        let mut request = vec![0; 44];
        request.extend(u32::try_from(handle.len()).unwrap().to_be_bytes());
        request.extend_from_slice(handle);
        request
    }

    #[test]
    fn keeps_the_handle_of_the_request() {
        assert_eq!(record().with_handle_of(&request(b"88.1/x")).handle(), b"88.1/x");
        let long = record().with_handle_of(&request(&[b'y'; 500]));
        assert_eq!(long.handle().len(), HANDLE_BYTES);
        assert!(long.is_cut());
    }

    #[test]
    fn a_request_that_lies_about_its_handle_has_none() {
        let mut short = request(b"88.1/x");
        short.pop();
        assert_eq!(record().with_handle_of(&short).handle(), b"");
        assert_eq!(record().with_handle_of(&[]).handle(), b"");
    }

    #[test]
    fn a_time_beyond_the_room_of_a_record_is_the_longest_there_is() {
        let of = |took| AnswerRecord::new(7, took, Transport::Udp, SocketAddr::from(([127, 0, 0, 1], 5))).took_micros;
        assert_eq!(of(Duration::from_nanos(1_999)), 1);
        assert_eq!(of(Duration::from_secs(5_000)), u32::MAX);
    }

    #[test]
    fn a_full_queue_loses_and_counts() {
        let tap = AnswerTap::new(2);
        for _ in 0..5 {
            tap.put(record());
        }
        assert_eq!(tap.lost(), 3);
        assert_eq!(std::iter::from_fn(|| tap.take()).count(), 2);
    }
}
