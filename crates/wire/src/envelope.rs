//! The envelope: 20 bytes in front of every message, and of every datagram of a message.
//!
//! ```text
//!  0        1        2        3
//! +--------+--------+--------+--------+
//! | major  | minor  |CET|sugg| sugg   |   C compressed, E encrypted, T truncated;
//! |        |        |   |maj | minor  |   the low 5 bits are the suggested major version
//! +--------+--------+--------+--------+  4
//! | session id                        |
//! +-----------------------------------+  8
//! | request id                        |
//! +-----------------------------------+ 12
//! | sequence number                   |
//! +-----------------------------------+ 16
//! | message length                    |
//! +-----------------------------------+ 20
//! ```
//! RFC 3652 section 2.1.1; the suggested version is an addition of version 2.11.

use crate::error::DecodeError;
use crate::header::Header;
use crate::limits::MAX_MESSAGE_BYTES;
use crate::primitives::Reader;
use crate::version::Version;

/// The envelope of a message or of one datagram of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Version whose formats the message uses.
    pub version: Version,
    /// The three bits beside the suggested major version.
    pub flags: EnvelopeFlags,
    /// Highest version the sender speaks, as sent: major 0 means that nothing is suggested.
    /// [`Self::suggestion`] resolves that. Majors above 31 do not fit.
    pub suggested: Version,
    /// Session or pending challenge; 0 for none.
    pub session_id: u32,
    /// Chosen by the client, repeated in each part of the response.
    pub request_id: u32,
    /// Number of the datagram in its message, from 0.
    pub sequence: u32,
    /// Bytes of the whole message without envelopes, as it travels (so after encryption).
    pub message_length: u32,
}

impl Envelope {
    /// Bytes of an envelope.
    pub const LEN: usize = 20;

    /// The request id that stands for "could not be read" in answers of the reference.
    pub const UNREADABLE_REQUEST_ID: u32 = u32::MAX;

    /// Reads the first 20 bytes. Nothing is checked but that they are there: versions and lengths are for the caller.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when there are fewer.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let [major, minor, packed, suggested_minor, numbers @ ..] = Reader::new(bytes).array::<{ Self::LEN }>()?;
        let mut numbers = Reader::new(&numbers);
        Ok(Self {
            version: Version::new(major, minor),
            flags: EnvelopeFlags(packed & EnvelopeFlags::ALL),
            suggested: Version::new(packed & !EnvelopeFlags::ALL, suggested_minor),
            session_id: numbers.u32()?,
            request_id: numbers.u32()?,
            sequence: numbers.u32()?,
            message_length: numbers.u32()?,
        })
    }

    /// The 20 bytes.
    #[must_use]
    pub const fn to_bytes(&self) -> [u8; Self::LEN] {
        let [s0, s1, s2, s3] = self.session_id.to_be_bytes();
        let [r0, r1, r2, r3] = self.request_id.to_be_bytes();
        let [q0, q1, q2, q3] = self.sequence.to_be_bytes();
        let [l0, l1, l2, l3] = self.message_length.to_be_bytes();
        let packed = (self.flags.0 & EnvelopeFlags::ALL) | (self.suggested.major & !EnvelopeFlags::ALL);
        let (major, minor) = (self.version.major, self.version.minor);
        let suggested = self.suggested.minor;
        [major, minor, packed, suggested, s0, s1, s2, s3, r0, r1, r2, r3, q0, q1, q2, q3, l0, l1, l2, l3]
    }

    /// The version the sender suggests: its own when it suggests none.
    #[must_use]
    pub const fn suggestion(&self) -> Version {
        if self.suggested.major == 0 { self.version } else { self.suggested }
    }

    /// The message length as a number of bytes, when it is one a message can have.
    ///
    /// # Errors
    /// [`DecodeError::MessageTooShort`] below a header's 24 bytes, [`DecodeError::MessageTooLong`] past the protocol's
    /// limit.
    pub fn checked_length(&self) -> Result<usize, DecodeError> {
        let length = self.message_length;
        if length > MAX_MESSAGE_BYTES {
            return Err(DecodeError::MessageTooLong { length, limit: MAX_MESSAGE_BYTES });
        }
        let bytes = length as usize;
        if bytes < Header::LEN { Err(DecodeError::MessageTooShort { length }) } else { Ok(bytes) }
    }
}

/// The three bits of an envelope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EnvelopeFlags(u8);

impl EnvelopeFlags {
    /// No bit set.
    pub const NONE: Self = Self(0);
    /// The message is compressed. No known program does that; readers ignore the bit.
    pub const COMPRESSED: Self = Self(0x80);
    /// The message is encrypted with the session's key.
    pub const ENCRYPTED: Self = Self(0x40);
    /// The datagram is one of several.
    pub const TRUNCATED: Self = Self(0x20);

    /// The bits that are flags.
    const ALL: u8 = 0xe0;

    /// Tells whether all of `flags` are set.
    #[must_use]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These flags and `flags`.
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    /// These flags but `flags`.
    #[must_use]
    pub const fn without(self, flags: Self) -> Self {
        Self(self.0 & !flags.0)
    }

    /// Tells whether the compressed bit is set.
    #[must_use]
    pub const fn is_compressed(self) -> bool {
        self.has(Self::COMPRESSED)
    }

    /// Tells whether the encrypted bit is set.
    #[must_use]
    pub const fn is_encrypted(self) -> bool {
        self.has(Self::ENCRYPTED)
    }

    /// Tells whether the truncated bit is set.
    #[must_use]
    pub const fn is_truncated(self) -> bool {
        self.has(Self::TRUNCATED)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_each_truncation() {
        let bytes = [7; Envelope::LEN];
        for length in 0..Envelope::LEN {
            let expected = DecodeError::Truncated { needed: Envelope::LEN, left: length };
            assert_eq!(Envelope::parse(&bytes[..length]), Err(expected));
        }
        assert!(Envelope::parse(&bytes).is_ok());
    }

    #[test]
    fn no_suggestion_means_the_own_version() {
        let mut bytes = [0; Envelope::LEN];
        bytes[..4].copy_from_slice(&[2, 3, 0x80, 9]);
        let envelope = Envelope::parse(&bytes).unwrap();
        assert_eq!(envelope.suggestion(), Version::new(2, 3));
        assert!(envelope.flags.is_compressed() && !envelope.flags.is_encrypted());
    }

    #[test]
    fn length_is_between_a_header_and_the_limit() {
        let mut envelope = Envelope::parse(&[0; Envelope::LEN]).unwrap();
        for (length, ok) in [(0, false), (23, false), (24, true), (262_144, true), (262_145, false), (u32::MAX, false)]
        {
            envelope.message_length = length;
            assert_eq!(envelope.checked_length().is_ok(), ok, "{length}");
        }
    }

    proptest! {
        #[test]
        fn any_twenty_bytes_come_back(bytes: [u8; Envelope::LEN]) {
            prop_assert_eq!(Envelope::parse(&bytes).unwrap().to_bytes(), bytes);
        }
    }
}
