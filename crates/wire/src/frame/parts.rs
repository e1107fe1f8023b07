//! The parts of one message, until it is whole.

use super::Refusal;
use crate::envelope::{Envelope, EnvelopeFlags};

/// The parts received of one message, in order of their sequence numbers.
///
/// Nothing in a part says where it belongs but its sequence number, and senders cut at sizes of their own. A part has its place
/// only once all before it are there; until then the sum of the lengths is the one thing to hold against the announced length.
#[derive(Debug)]
pub(super) struct Parts {
    /// The envelope of the whole message: sequence 0, truncated bit clear.
    envelope: Envelope,
    /// By ascending sequence number, each number once, none empty.
    parts: Vec<Part>,
    /// Sum of the payload lengths.
    bytes: usize,
    /// Largest datagram seen, padding included.
    largest_datagram: usize,
    /// All bytes seen, envelopes, duplicates and padding included.
    received_bytes: usize,
}

/// One part.
#[derive(Debug)]
struct Part {
    sequence: u32,
    payload: Box<[u8]>,
}

/// What became of a part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Added {
    /// It was missing.
    New,
    /// It was there already.
    Duplicate,
}

impl Parts {
    /// No parts yet of the message that `envelope`, taken from any of its datagrams, announces.
    pub(super) fn new(envelope: &Envelope) -> Self {
        Self { envelope: common(envelope), parts: Vec::new(), bytes: 0, largest_datagram: 0, received_bytes: 0 }
    }

    /// Whether a datagram with this envelope belongs to the message.
    pub(super) fn belongs(&self, envelope: &Envelope) -> bool {
        self.envelope == common(envelope)
    }

    /// The bytes to keep of a datagram's payload: more than the whole message can only be padding.
    pub(super) fn useful<'d>(envelope: &Envelope, payload: &'d [u8]) -> &'d [u8] {
        payload.get(..message_bytes(envelope)).unwrap_or(payload)
    }

    /// Whether a part would be new, is there already, or contradicts the others. Changes nothing.
    ///
    /// A part at a known place with other bytes of the same length is a repetition too: a sender in a session signs each attempt
    /// anew.
    pub(super) fn check(&self, sequence: u32, payload: &[u8]) -> Result<Added, Refusal> {
        match self.place(sequence) {
            Ok(at) => match self.parts.get(at) {
                Some(known) if known.payload.len() == payload.len() => Ok(Added::Duplicate),
                _ => Err(Refusal::Conflict),
            },
            Err(at) => {
                // Only the last part may reach past the end of the message, into padding. Of the parts held, all but the one
                // with the highest number are certain not to be the last.
                let last = if at == self.parts.len() { payload.len() } else { self.last_bytes() };
                let before_last = self.bytes.saturating_add(payload.len()).saturating_sub(last);
                if before_last >= message_bytes(&self.envelope) { Err(Refusal::Overrun) } else { Ok(Added::New) }
            }
        }
    }

    /// Takes a part in that [`Self::check`] let pass; of a repetition the newer bytes stay.
    pub(super) fn add(&mut self, sequence: u32, payload: &[u8], datagram_bytes: usize) {
        self.largest_datagram = self.largest_datagram.max(datagram_bytes);
        self.received_bytes = self.received_bytes.saturating_add(datagram_bytes);
        match self.place(sequence) {
            Ok(at) => {
                if let Some(known) = self.parts.get_mut(at).filter(|known| known.payload.len() == payload.len()) {
                    known.payload.copy_from_slice(payload);
                }
            }
            Err(at) => {
                self.bytes = self.bytes.saturating_add(payload.len());
                self.parts.insert(at, Part { sequence, payload: payload.into() });
            }
        }
    }

    /// Whether nothing is missing.
    pub(super) fn is_complete(&self) -> bool {
        // Sequence numbers are distinct: as many parts as the highest one says means none is missing between.
        let gapless =
            self.parts.last().is_some_and(|last| usize::try_from(last.sequence).is_ok_and(|n| n < self.parts.len()));
        gapless && self.bytes >= message_bytes(&self.envelope)
    }

    /// Writes the whole message, envelope first, over `whole`; padding stays behind. For complete messages.
    pub(super) fn write(&self, whole: &mut Vec<u8>) {
        let length = Envelope::LEN.saturating_add(message_bytes(&self.envelope));
        whole.clear();
        whole.reserve_exact(Envelope::LEN.saturating_add(self.bytes));
        whole.extend_from_slice(&self.envelope.to_bytes());
        for part in &self.parts {
            whole.extend_from_slice(&part.payload);
        }
        whole.truncate(length);
    }

    /// Largest datagram seen, padding included.
    pub(super) fn largest_datagram(&self) -> usize {
        self.largest_datagram
    }

    /// All bytes seen, envelopes, duplicates and padding included.
    pub(super) fn received_bytes(&self) -> usize {
        self.received_bytes
    }

    /// Where the part with this number is, or would be.
    fn place(&self, sequence: u32) -> Result<usize, usize> {
        self.parts.binary_search_by_key(&sequence, |part| part.sequence)
    }

    /// Length of the part with the highest number.
    fn last_bytes(&self) -> usize {
        self.parts.last().map_or(0, |part| part.payload.len())
    }
}

/// What the envelopes of all parts of a message share.
fn common(envelope: &Envelope) -> Envelope {
    Envelope { sequence: 0, flags: envelope.flags.without(EnvelopeFlags::TRUNCATED), ..*envelope }
}

/// The announced length; larger than any memory where it does not fit.
fn message_bytes(envelope: &Envelope) -> usize {
    usize::try_from(envelope.message_length).unwrap_or(usize::MAX)
}
