//! Cutting a message into datagrams.

use std::ops::Range;

use super::config::CLASSIC_DATAGRAM_BYTES;
use crate::envelope::{Envelope, EnvelopeFlags};
use crate::error::DecodeError;

/// Whether the datagrams of a message of several carry the truncated bit. A message that fits one datagram never does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TruncatedBit {
    /// Requests: the server takes a datagram without the bit for a whole message.
    WhenSplit,
    /// Responses: clients go by the message length, and some take the bit for an error.
    Never,
}

/// One datagram of a message: send `envelope`, then the `payload` bytes of the message given to the splitter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Datagram {
    /// The envelope of this datagram: its sequence number, the length of the whole message.
    pub envelope: [u8; Envelope::LEN],
    /// Where this datagram's share lies in the message, counted from the start of the message's own envelope.
    pub payload: Range<usize>,
}

/// Cuts a finished message into datagrams. An iterator; it copies no message bytes and allocates nothing.
#[derive(Clone, Debug)]
pub struct DatagramSplitter {
    /// What all envelopes have in common.
    envelope: Envelope,
    /// Sequence number of the next datagram.
    sequence: u32,
    /// Message bytes that go into each datagram but the last.
    share: usize,
    /// What is left of the message.
    left: Range<usize>,
}

impl DatagramSplitter {
    /// A splitter of `message` (its envelope, then all it announces) into datagrams of at most `datagram_bytes`, envelope included;
    /// sizes below the classic 512 are raised to it.
    ///
    /// # Errors
    /// The message's own envelope does not parse, or announces another length than the message has.
    pub fn new(message: &[u8], datagram_bytes: usize, bit: TruncatedBit) -> Result<Self, SplitError> {
        let mut envelope = Envelope::parse(message).map_err(SplitError::Envelope)?;
        let payload_bytes = message.len().saturating_sub(Envelope::LEN);
        if usize::try_from(envelope.message_length).ok() != Some(payload_bytes) {
            return Err(SplitError::Length { announced: envelope.message_length, present: payload_bytes });
        }
        let share = datagram_bytes.max(CLASSIC_DATAGRAM_BYTES).saturating_sub(Envelope::LEN);
        envelope.flags = match bit {
            TruncatedBit::WhenSplit if payload_bytes > share => envelope.flags.with(EnvelopeFlags::TRUNCATED),
            _ => envelope.flags.without(EnvelopeFlags::TRUNCATED),
        };
        Ok(Self { envelope, sequence: 0, share, left: Envelope::LEN..message.len() })
    }
}

impl Iterator for DatagramSplitter {
    type Item = Datagram;

    fn next(&mut self) -> Option<Datagram> {
        if self.left.is_empty() {
            return None;
        }
        let end = self.left.end.min(self.left.start.saturating_add(self.share));
        let payload = self.left.start..end;
        let envelope = Envelope { sequence: self.sequence, ..self.envelope }.to_bytes();
        self.sequence = self.sequence.saturating_add(1);
        self.left.start = end;
        Some(Datagram { envelope, payload })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let datagrams = self.left.len().div_ceil(self.share);
        (datagrams, Some(datagrams))
    }
}

impl ExactSizeIterator for DatagramSplitter {}

/// Why a message cannot be cut. Always a fault of the caller, who made the message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// The message does not start with an envelope.
    #[error("no envelope")]
    Envelope(#[source] DecodeError),
    /// The envelope announces another length than the message has.
    #[error("the envelope announces {announced} bytes, {present} are present")]
    Length {
        /// Bytes the envelope announces.
        announced: u32,
        /// Bytes behind the envelope.
        present: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::sample::message;

    fn cut(message: &[u8], datagram_bytes: usize, bit: TruncatedBit) -> Vec<Vec<u8>> {
        DatagramSplitter::new(message, datagram_bytes, bit)
            .unwrap()
            .map(|datagram| [&datagram.envelope[..], &message[datagram.payload]].concat())
            .collect()
    }

    #[test]
    fn a_message_of_492_bytes_is_one_classic_datagram_and_493_are_two() {
        assert_eq!(cut(&message(1, 492), 512, TruncatedBit::WhenSplit), [message(1, 492)]);
        let two = cut(&message(1, 493), 512, TruncatedBit::WhenSplit);
        assert_eq!(two.iter().map(Vec::len).collect::<Vec<_>>(), [512, 21]);
    }

    #[test]
    fn every_datagram_repeats_the_envelope_with_its_own_sequence_number() {
        let whole = message(7, 3000);
        let own = Envelope::parse(&whole).unwrap();
        for (sequence, datagram) in cut(&whole, 1232, TruncatedBit::Never).iter().enumerate() {
            let expected = Envelope { sequence: u32::try_from(sequence).unwrap(), ..own };
            assert_eq!(Envelope::parse(datagram).unwrap(), expected);
        }
    }

    #[test]
    fn only_split_requests_carry_the_truncated_bit() {
        let truncated =
            |bytes, bit| Envelope::parse(&cut(&message(1, bytes), 512, bit)[0]).unwrap().flags.is_truncated();
        assert!(truncated(493, TruncatedBit::WhenSplit));
        assert!(!truncated(492, TruncatedBit::WhenSplit));
        assert!(!truncated(493, TruncatedBit::Never));
    }

    #[test]
    fn the_number_of_datagrams_is_known_beforehand() {
        for bytes in [24, 492, 493, 984, 985, 262_144] {
            let whole = message(1, bytes);
            let splitter = DatagramSplitter::new(&whole, 512, TruncatedBit::Never).unwrap();
            assert_eq!(splitter.len(), splitter.count());
        }
    }

    #[test]
    fn rejects_a_message_whose_envelope_lies_about_its_length() {
        let mut long = message(1, 100);
        long.push(0);
        let error = DatagramSplitter::new(&long, 512, TruncatedBit::Never).unwrap_err();
        assert_eq!(error, SplitError::Length { announced: 100, present: 101 });
        assert!(matches!(DatagramSplitter::new(&long[..19], 512, TruncatedBit::Never), Err(SplitError::Envelope(_))));
    }
}
