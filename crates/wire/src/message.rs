//! A whole message: envelope, header, body, credential (RFC 3652 section 2.2).
//!
//! ```text
//! | envelope 20 | header 24 | body (header.body_length) | u32 length | credential | ignored |
//!               |<------------------- envelope.message_length ------------------------->|
//!               |<---- signed bytes ---->|
//! ```
//! The credential's length word may be missing; bytes behind the credential are ignored, and so are bytes behind the
//! message (padding of a datagram).

use core::fmt;

use thiserror::Error;

use crate::codes::{OpCode, OpFlags};
use crate::envelope::{Envelope, EnvelopeFlags};
use crate::error::DecodeError;
use crate::header::Header;
use crate::primitives::{Reader, Sink, wire_length};
use crate::version::Version;

/// Envelope and header of a message: all that an answer is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The envelope.
    pub envelope: Envelope,
    /// The header.
    pub header: Header,
}

impl Head {
    /// Bytes of envelope and header.
    pub const LEN: usize = Envelope::LEN + Header::LEN;

    /// The head of a request in the newest version, outside any session, without known site information. The
    /// operation is set by whoever writes the body; the fields can be changed before that.
    #[must_use]
    pub const fn request(request_id: u32, flags: OpFlags, expiration: u32) -> Self {
        let envelope = Envelope {
            version: Version::CURRENT,
            flags: EnvelopeFlags::NONE,
            suggested: Version::CURRENT,
            session_id: 0,
            request_id,
            sequence: 0,
            message_length: 0,
        };
        Self { envelope, header: Header::request(OpCode::RESERVED, flags, expiration) }
    }

    /// The version whose formats the message uses.
    #[must_use]
    pub const fn formats(&self) -> Version {
        self.envelope.version.formats()
    }

    /// Reads the first 44 bytes of a message that is not encrypted, to refuse or route it before anything else is
    /// looked at.
    ///
    /// # Errors
    /// As [`Message::parse`], as far as 44 bytes tell.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseFailure> {
        let (envelope, content) = split_envelope(bytes)?;
        let header = Header::parse(content).map_err(|error| ParseFailure::new(error, Some(envelope), None))?;
        Ok(Self { envelope, header })
    }

    /// Tells whether this is the head of a request.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.header.response_code.0 == 0
    }
}

/// A decoded message, borrowing from the bytes it came in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// The envelope.
    pub envelope: Envelope,
    /// The header.
    pub header: Header,
    /// The body, not yet looked into.
    pub body: &'a [u8],
    /// The credential; `None` when it is empty or missing.
    pub credential: Option<&'a [u8]>,
    /// Header and body, the bytes that digests and signatures cover.
    pub signed: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a whole message with its envelope. Bytes behind the envelope's message length are padding.
    ///
    /// Unknown operations, codes, flags and versions pass; the compressed bit is ignored.
    ///
    /// # Errors
    /// With what could still be read, so that an answer can carry the request's own id. An encrypted message gives
    /// [`DecodeError::Encrypted`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseFailure> {
        let (envelope, content) = split_envelope(bytes)?;
        Self::parse_content(envelope, content)
    }

    /// Reads header, body and credential from `content`, which is all of them and nothing else. Used by
    /// [`parse`](Self::parse), and by itself for content that was decrypted or put together from datagrams.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_content(envelope: Envelope, content: &'a [u8]) -> Result<Self, ParseFailure> {
        let header = Header::parse(content).map_err(|error| ParseFailure::new(error, Some(envelope), None))?;
        let fail = |error| ParseFailure::new(error, Some(envelope), Some(header.op));
        let mut reader = Reader::new(content);
        reader.take(Header::LEN).map_err(fail)?;
        let body = reader.take(header.body_length as usize).map_err(fail)?;
        let signed = content.get(..Header::LEN + body.len()).unwrap_or_default();
        let credential = if reader.is_empty() { &[] } else { reader.bytes().map_err(fail)? };
        let credential = if credential.is_empty() { None } else { Some(credential) };
        Ok(Self { envelope, header, body, credential, signed })
    }

    /// Envelope and header.
    #[must_use]
    pub const fn head(&self) -> Head {
        Head { envelope: self.envelope, header: self.header }
    }

    /// Tells whether this is a request.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.head().is_request()
    }
}

impl fmt::Debug for Message<'_> {
    /// Of body and credential only the lengths: bodies may hold secret keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("envelope", &self.envelope)
            .field("header", &self.header)
            .field("credential_bytes", &self.credential.map(<[u8]>::len))
            .finish_non_exhaustive()
    }
}

/// The envelope and exactly the bytes it covers.
fn split_envelope(bytes: &[u8]) -> Result<(Envelope, &[u8]), ParseFailure> {
    let envelope = Envelope::parse(bytes).map_err(|error| ParseFailure::new(error, None, None))?;
    let content = content_of(&envelope, bytes).map_err(|error| {
        let op = bytes.get(Envelope::LEN..).and_then(|rest| Reader::new(rest).u32().ok());
        let op = if envelope.flags.is_encrypted() { None } else { op.map(OpCode) };
        ParseFailure::new(error, Some(envelope), op)
    })?;
    Ok((envelope, content))
}

/// The message of `envelope`, which starts `bytes`.
fn content_of<'a>(envelope: &Envelope, bytes: &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let length = envelope.checked_length()?;
    let content = Reader::new(bytes.get(Envelope::LEN..).unwrap_or_default()).take(length)?;
    if envelope.flags.is_encrypted() { Err(DecodeError::Encrypted) } else { Ok(content) }
}

/// A message that could not be decoded, and what of it could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{error}")]
pub struct ParseFailure {
    /// What is wrong.
    pub error: DecodeError,
    /// The envelope, when 20 bytes were there.
    pub envelope: Option<Envelope>,
    /// The operation, when it could be read.
    pub op: Option<OpCode>,
}

impl ParseFailure {
    /// A failure with what could be read before it.
    #[must_use]
    pub const fn new(error: DecodeError, envelope: Option<Envelope>, op: Option<OpCode>) -> Self {
        Self { error, envelope, op }
    }
}

/// Writes a whole message: `head`, what `body` writes, and an empty credential, or none at all when `has_credential`
/// is false. The lengths in `head` are replaced by the true ones.
pub(crate) fn write_message<S: Sink>(mut out: S, head: &Head, has_credential: bool, body: impl FnOnce(&mut S)) -> S {
    let start = out.position();
    out.put(&head.envelope.to_bytes());
    out.put(&head.header.to_bytes());
    let body_start = out.position();
    body(&mut out);
    let body_length = out.position() - body_start;
    if has_credential {
        out.put_length(0);
    }
    let message_length = out.position() - start - Envelope::LEN;
    out.patch_u32(start + MESSAGE_LENGTH_AT, wire_length(message_length));
    out.patch_u32(start + BODY_LENGTH_AT, wire_length(body_length));
    out
}

/// Where in a message the envelope's message length lies.
const MESSAGE_LENGTH_AT: usize = Envelope::LEN - 4;

/// Where in a message the header's body length lies.
const BODY_LENGTH_AT: usize = Head::LEN - 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn message(has_credential: bool) -> Vec<u8> {
        write_message(Vec::new(), &Head::request(7, OpFlags::USUAL, 9), has_credential, |out| out.put(b"body"))
    }

    #[test]
    fn reads_what_it_wrote() {
        let bytes = message(true);
        let parsed = Message::parse(&bytes).unwrap();
        assert_eq!((parsed.body, parsed.credential), (&b"body"[..], None));
        assert_eq!(parsed.signed, &bytes[20..48]);
        assert_eq!(parsed.envelope.message_length, 32);
        assert!(parsed.is_request());
    }

    #[test]
    fn accepts_a_missing_credential_and_padding() {
        let mut bytes = message(false);
        bytes.extend([0xff; 100]);
        assert_eq!(Message::parse(&bytes).unwrap().credential, None);
    }

    #[test]
    fn ignores_bytes_behind_the_credential() {
        let mut bytes = message(false);
        bytes.extend([0, 0, 0, 2, 8, 9, 1, 2, 3]);
        bytes[16..20].copy_from_slice(&37_u32.to_be_bytes());
        assert_eq!(Message::parse(&bytes).unwrap().credential, Some(&[8, 9][..]));
    }

    #[test]
    fn refuses_each_truncation_with_the_request_id() {
        let bytes = message(true);
        for end in 0..bytes.len() {
            let failure = Message::parse(&bytes[..end]).unwrap_err();
            assert_eq!(failure.envelope.map(|envelope| envelope.request_id), (end >= 20).then_some(7), "{end}");
            assert_eq!(failure.op.is_some(), end >= 24, "{end}");
        }
    }

    #[test]
    fn refuses_lengths_that_do_not_agree() {
        let change = |at: usize, value: u32| {
            let mut bytes = message(true);
            bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
            Message::parse(&bytes).map(|_| ()).map_err(|failure| failure.error)
        };
        assert_eq!(change(16, 23), Err(DecodeError::MessageTooShort { length: 23 }));
        assert_eq!(change(16, 262_145), Err(DecodeError::MessageTooLong { length: 262_145, limit: 262_144 }));
        assert_eq!(change(16, 33), Err(DecodeError::Truncated { needed: 33, left: 32 }));
        assert_eq!(change(16, 30), Err(DecodeError::Truncated { needed: 4, left: 2 }));
        assert_eq!(change(40, 9), Err(DecodeError::Truncated { needed: 9, left: 8 }));
        assert_eq!(change(40, u32::MAX), Err(DecodeError::Truncated { needed: u32::MAX as usize, left: 8 }));
        assert_eq!(change(48, 1), Err(DecodeError::Truncated { needed: 1, left: 0 }));
        assert_eq!(
            change(48, u32::MAX),
            Err(DecodeError::LengthTooBig { length: u32::MAX, limit: crate::limits::MAX_FIELD_LENGTH })
        );
    }

    #[test]
    fn leaves_encrypted_content_alone() {
        let mut bytes = message(true);
        bytes[2] |= 0x40;
        let failure = Message::parse(&bytes).unwrap_err();
        assert_eq!((failure.error, failure.op), (DecodeError::Encrypted, None));
        let envelope = failure.envelope.unwrap();
        assert!(Message::parse_content(envelope, &bytes[20..]).is_ok());
    }

    #[test]
    fn debug_output_never_shows_the_body() {
        let text = format!("{:?}", Message::parse(&message(true)).unwrap());
        assert!(text.contains("request_id: 7") && !text.contains("98"), "{text}");
    }

    #[test]
    fn ignores_the_compressed_bit() {
        let mut bytes = message(true);
        bytes[2] |= 0x80;
        assert!(Message::parse(&bytes).is_ok());
    }
}
