//! Putting the datagrams of a message together again.
//!
//! Whoever can send datagrams can send parts of messages and never the rest. So everything is bounded: the memory in all, the
//! memory of one source, the time a message may stay incomplete, its size, its number of parts. Memory is charged for what
//! arrived, never for what a datagram announces. When room runs out the oldest incomplete messages go first: an honest sender's
//! parts follow each other closely, so under a flood they still meet, which they would not if newcomers were refused.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Duration;

use super::config::{
    MAX_MESSAGE_BYTES, REASSEMBLY_MESSAGE_BYTES, REASSEMBLY_PARTS, REASSEMBLY_SOURCE_BYTES, REASSEMBLY_TIME,
    REASSEMBLY_TOTAL_BYTES,
};
use super::parts::{Added, Parts};
use crate::envelope::Envelope;
use crate::error::DecodeError;

/// Whether a request datagram is one part of several: its truncated bit says so. Without the bit a datagram is a whole message.
#[must_use]
pub fn is_part_of_request(envelope: &Envelope) -> bool {
    envelope.flags.is_truncated()
}

/// Whether a response datagram of `datagram_bytes` is one part of several: it is not the first, or does not hold all its envelope
/// announces. Servers do not set the truncated bit.
#[must_use]
pub fn is_part_of_response(envelope: &Envelope, datagram_bytes: usize) -> bool {
    let payload_bytes = datagram_bytes.saturating_sub(Envelope::LEN);
    envelope.sequence != 0 || usize::try_from(envelope.message_length).map_or(true, |length| length > payload_bytes)
}

/// Bounds of a [`Reassembly`]; sizes in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReassemblyLimits {
    /// Time a message may stay incomplete, from its first part.
    pub time: Duration,
    /// Largest message, without envelope.
    pub message_bytes: usize,
    /// Most parts of a message.
    pub parts: usize,
    /// Memory for the incomplete messages of one source.
    pub source_bytes: usize,
    /// Memory for all incomplete messages.
    pub total_bytes: usize,
}

impl ReassemblyLimits {
    /// Limits for responses: the largest message the protocol knows, and memory for a handful of them.
    #[must_use]
    pub fn for_responses() -> Self {
        Self { message_bytes: MAX_MESSAGE_BYTES, source_bytes: 2 * MAX_MESSAGE_BYTES, ..Self::default() }
    }

    /// These limits, each moved into its permitted range.
    fn in_range(self) -> Self {
        Self {
            time: REASSEMBLY_TIME.clamp(self.time),
            message_bytes: REASSEMBLY_MESSAGE_BYTES.clamp(self.message_bytes),
            parts: REASSEMBLY_PARTS.clamp(self.parts),
            source_bytes: REASSEMBLY_SOURCE_BYTES.clamp(self.source_bytes),
            total_bytes: REASSEMBLY_TOTAL_BYTES.clamp(self.total_bytes),
        }
    }
}

impl Default for ReassemblyLimits {
    fn default() -> Self {
        Self {
            time: REASSEMBLY_TIME.default,
            message_bytes: REASSEMBLY_MESSAGE_BYTES.default,
            parts: REASSEMBLY_PARTS.default,
            source_bytes: REASSEMBLY_SOURCE_BYTES.default,
            total_bytes: REASSEMBLY_TOTAL_BYTES.default,
        }
    }
}

/// Who sent a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Peer {
    /// The source that is charged for it, for instance the address's network; any number, but the same for the same address.
    pub source: u64,
    /// The address, which together with the request id tells messages apart.
    pub address: SocketAddr,
}

/// What a datagram led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome<'r> {
    /// Parts are still missing.
    Pending,
    /// The message is whole.
    Complete(Whole<'r>),
    /// The datagram is of no use; whatever was kept of its message before still is.
    Refused(Refusal),
}

/// A message put together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Whole<'r> {
    /// Its envelope (sequence 0, truncated bit clear), then all the envelope announces; without padding.
    pub message: &'r [u8],
    /// Size of its largest datagram in bytes, padding included: the room its sender has shown.
    pub largest_datagram: usize,
    /// Size of all its datagrams in bytes, padding and repetitions included.
    pub received_bytes: usize,
}

/// Why a datagram is of no use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The datagram does not start with an envelope.
    #[error("no envelope")]
    NoEnvelope,
    /// No message bytes behind the envelope.
    #[error("a part without content")]
    Empty,
    /// The announced message is shorter than a header.
    #[error("message too short")]
    Undersized,
    /// The announced message is larger than allowed.
    #[error("message too large")]
    Oversized,
    /// The sequence number is beyond the parts allowed.
    #[error("too many parts")]
    TooManyParts,
    /// It contradicts what is there of the message: another length, version or session, or a part of another size.
    #[error("contradicts the parts before it")]
    Conflict,
    /// The parts together are longer than the message.
    #[error("parts longer than their message")]
    Overrun,
    /// The message does not fit the memory of one source, even with all others of the source gone.
    #[error("no room for the message")]
    NoRoom,
}

impl Refusal {
    /// Every reason, in the order of [`Counts`].
    pub const ALL: [Self; 8] = [
        Self::NoEnvelope,
        Self::Empty,
        Self::Undersized,
        Self::Oversized,
        Self::TooManyParts,
        Self::Conflict,
        Self::Overrun,
        Self::NoRoom,
    ];
}

/// What happened since the start, by outcome.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counts {
    /// Messages put together.
    pub completed: u64,
    /// Parts that were there already.
    pub duplicates: u64,
    /// Messages given up for their age.
    pub expired: u64,
    /// Messages given up for the room of newer ones.
    pub displaced: u64,
    /// Datagrams refused, in the order of [`Refusal::ALL`].
    refused: [u64; Refusal::ALL.len()],
}

impl Counts {
    /// Datagrams refused for this reason.
    #[must_use]
    pub fn refused(&self, reason: Refusal) -> u64 {
        Refusal::ALL.iter().zip(self.refused).find_map(|(each, count)| (*each == reason).then_some(count)).unwrap_or(0)
    }

    /// One more refusal.
    fn refuse(&mut self, reason: Refusal) -> Refusal {
        for (each, count) in Refusal::ALL.iter().zip(&mut self.refused) {
            if *each == reason {
                *count = count.wrapping_add(1);
            }
        }
        reason
    }
}

/// Collects the parts of messages, out of order and repeated as they come, until a message is whole.
///
/// For one thread. The memory in use never exceeds the limit for all, besides one buffer of the size of the largest message.
#[derive(Debug)]
pub struct Reassembly {
    limits: ReassemblyLimits,
    /// The incomplete messages.
    messages: HashMap<Key, Incomplete>,
    /// The same by age.
    by_age: BTreeMap<u64, Key>,
    /// The same by source, then by age.
    by_source: BTreeMap<(u64, u64), Key>,
    /// Memory charged to each source that has incomplete messages.
    sources: HashMap<u64, usize>,
    /// Memory charged in all.
    total_bytes: usize,
    /// Age given to the next message; smaller is older.
    next_age: u64,
    /// The last message put together.
    whole: Vec<u8>,
    counts: Counts,
}

/// What tells messages apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Key {
    address: SocketAddr,
    request_id: u32,
}

/// An incomplete message.
#[derive(Debug)]
struct Incomplete {
    parts: Parts,
    started: Duration,
    age: u64,
    source: u64,
    /// Memory charged for it.
    cost: usize,
}

impl Reassembly {
    /// Nothing received yet. Limits out of their range are moved into it.
    #[must_use]
    pub fn new(limits: ReassemblyLimits) -> Self {
        Self {
            limits: limits.in_range(),
            messages: HashMap::new(),
            by_age: BTreeMap::new(),
            by_source: BTreeMap::new(),
            sources: HashMap::new(),
            total_bytes: 0,
            next_age: 0,
            whole: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// Takes in one part. `now` is the time since any fixed moment; it must not go backwards (if it does, messages only live
    /// longer).
    ///
    /// Ask [`is_part_of_request`] or [`is_part_of_response`] first: whole messages need none of this.
    pub fn push(&mut self, now: Duration, peer: Peer, datagram: &[u8]) -> Outcome<'_> {
        self.expire(now);
        match self.take(now, peer, datagram) {
            Ok(None) => Outcome::Pending,
            Ok(Some(parts)) => {
                self.counts.completed = self.counts.completed.wrapping_add(1);
                parts.write(&mut self.whole);
                Outcome::Complete(Whole {
                    message: &self.whole,
                    largest_datagram: parts.largest_datagram(),
                    received_bytes: parts.received_bytes(),
                })
            }
            Err(reason) => Outcome::Refused(self.counts.refuse(reason)),
        }
    }

    /// Gives up the messages that have been incomplete for too long. [`Self::push`] does so by itself; for quiet times.
    pub fn expire(&mut self, now: Duration) {
        while let Some(oldest) = self.by_age.first_entry() {
            let young = |message: &Incomplete| now.saturating_sub(message.started) < self.limits.time;
            if self.messages.get(oldest.get()).is_some_and(young) {
                break;
            }
            let key = oldest.remove();
            self.remove(key);
            self.counts.expired = self.counts.expired.wrapping_add(1);
        }
    }

    /// When the oldest message expires, if there is one.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Duration> {
        let (_, key) = self.by_age.first_key_value()?;
        self.messages.get(key).map(|message| message.started.saturating_add(self.limits.time))
    }

    /// Number of incomplete messages.
    #[must_use]
    pub fn incomplete(&self) -> usize {
        self.messages.len()
    }

    /// Memory charged for incomplete messages, in bytes; never above the limit.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.total_bytes
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &ReassemblyLimits {
        &self.limits
    }

    /// What happened since the start.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Files a part; gives back the parts of the message if it was the last one missing.
    fn take(&mut self, now: Duration, peer: Peer, datagram: &[u8]) -> Result<Option<Parts>, Refusal> {
        let envelope = Envelope::parse(datagram).map_err(|_| Refusal::NoEnvelope)?;
        let payload = datagram.get(Envelope::LEN..).unwrap_or_default();
        let payload = Parts::useful(&envelope, payload);
        self.check_envelope(&envelope, payload)?;
        let key = Key { address: peer.address, request_id: envelope.request_id };
        let sequence = envelope.sequence;

        let known = match self.messages.get(&key) {
            Some(message) if !message.parts.belongs(&envelope) => return Err(Refusal::Conflict),
            Some(message) => Some(message.parts.check(sequence, payload)?),
            None => None,
        };
        let cost = match known {
            Some(Added::Duplicate) => 0,
            Some(Added::New) => part_cost(payload),
            None => part_cost(payload).saturating_add(MESSAGE_COST),
        };
        self.make_room(key, peer.source, cost)?;
        if known == Some(Added::Duplicate) {
            self.counts.duplicates = self.counts.duplicates.wrapping_add(1);
        }
        if known.is_none() {
            self.begin(now, key, peer.source, &envelope);
        }
        self.charge(key, cost);
        let Some(message) = self.messages.get_mut(&key) else { return Err(Refusal::NoRoom) };
        message.parts.add(sequence, payload, datagram.len());
        let complete = message.parts.is_complete();
        Ok(if complete { self.remove(key) } else { None })
    }

    /// Refuses what cannot be part of any message.
    fn check_envelope(&self, envelope: &Envelope, payload: &[u8]) -> Result<(), Refusal> {
        match envelope.checked_length() {
            Err(DecodeError::MessageTooShort { .. }) => return Err(Refusal::Undersized),
            Ok(length) if length <= self.limits.message_bytes => {}
            _ => return Err(Refusal::Oversized),
        }
        if payload.is_empty() {
            return Err(Refusal::Empty);
        }
        if usize::try_from(envelope.sequence).map_or(true, |sequence| sequence >= self.limits.parts) {
            return Err(Refusal::TooManyParts);
        }
        Ok(())
    }

    /// Gives up older messages until `cost` more bytes may be charged to the message `key` of `source`; never that message.
    fn make_room(&mut self, key: Key, source: u64, cost: usize) -> Result<(), Refusal> {
        let own = self.messages.get(&key).map_or(0, |message| message.cost);
        let needed = own.saturating_add(cost);
        if cost == 0 {
            return Ok(());
        }
        if needed > self.limits.source_bytes || needed > self.limits.total_bytes {
            return Err(Refusal::NoRoom);
        }
        while self.source_bytes(source).saturating_add(cost) > self.limits.source_bytes {
            let oldest =
                self.by_source.range((source, 0)..=(source, u64::MAX)).map(|(_, each)| *each).find(|each| *each != key);
            self.displace(oldest)?;
        }
        while self.total_bytes.saturating_add(cost) > self.limits.total_bytes {
            let oldest = self.by_age.values().copied().find(|each| *each != key);
            self.displace(oldest)?;
        }
        Ok(())
    }

    /// Gives up a message for the room of another.
    fn displace(&mut self, key: Option<Key>) -> Result<(), Refusal> {
        // There is always one: the message that needs the room fits the limits by itself.
        key.and_then(|key| self.remove(key)).ok_or(Refusal::NoRoom)?;
        self.counts.displaced = self.counts.displaced.wrapping_add(1);
        Ok(())
    }

    /// Memory charged to a source.
    fn source_bytes(&self, source: u64) -> usize {
        self.sources.get(&source).copied().unwrap_or(0)
    }

    /// Makes the entry of a message none of whose parts is there.
    fn begin(&mut self, now: Duration, key: Key, source: u64, envelope: &Envelope) {
        let age = self.next_age;
        self.next_age = self.next_age.wrapping_add(1);
        self.by_age.insert(age, key);
        self.by_source.insert((source, age), key);
        self.messages.insert(key, Incomplete { parts: Parts::new(envelope), started: now, age, source, cost: 0 });
    }

    /// Charges `cost` bytes for a message.
    fn charge(&mut self, key: Key, cost: usize) {
        if let Some(message) = self.messages.get_mut(&key) {
            message.cost = message.cost.saturating_add(cost);
            let source = self.sources.entry(message.source).or_insert(0);
            *source = source.saturating_add(cost);
            self.total_bytes = self.total_bytes.saturating_add(cost);
        }
    }

    /// Takes a message out, and its charge back.
    fn remove(&mut self, key: Key) -> Option<Parts> {
        let message = self.messages.remove(&key)?;
        self.by_age.remove(&message.age);
        self.by_source.remove(&(message.source, message.age));
        let left = self.source_bytes(message.source).saturating_sub(message.cost);
        if left == 0 {
            self.sources.remove(&message.source);
        } else {
            self.sources.insert(message.source, left);
        }
        self.total_bytes = self.total_bytes.saturating_sub(message.cost);
        Some(message.parts)
    }
}

/// Memory charged for a part: its bytes, its place in the list (twice, since lists grow by doubling), the allocator's share.
fn part_cost(payload: &[u8]) -> usize {
    payload.len().saturating_add(64)
}

/// Memory charged for a message besides its parts: its places in the four tables, which grow by doubling as well, and for a moment
/// hold both sizes. A test with a counting allocator holds the sum of all charges above what is really in use.
const MESSAGE_COST: usize = 1024;
