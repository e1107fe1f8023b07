//! The few answers a door gives itself: it has no room, no time, or no whole message to hand on.
//!
//! They are made from the first 44 bytes of a request and carry its own request id, so that the client can match them. They hold no
//! digest and no signature, whatever was asked, and say so in their flags.

use waymark_wire::message::{Head, ParseFailure};
use waymark_wire::response::{OwnIdentity, ResponseWriter, respond_to, respond_to_unreadable};
use waymark_wire::{DecodeError, Envelope, EnvelopeFlags, Header, OpCode, OpFlags, ResponseCode, Version};

use crate::question::Now;
use crate::settings::Settings;

/// A code and a text. The text is left out where it does not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Refusal<'t> {
    pub(crate) code: ResponseCode,
    pub(crate) text: &'t str,
}

/// Past a limit over UDP. Every client that knows UDP knows TCP, where these limits do not hold.
pub(crate) const BUSY_USE_TCP: Refusal<'static> =
    Refusal { code: ResponseCode::SERVER_TOO_BUSY, text: "too busy, use TCP" };

/// The slow pool or the memory for messages is full.
pub(crate) const BUSY: Refusal<'static> = Refusal { code: ResponseCode::SERVER_TOO_BUSY, text: "too busy" };

/// The answer to a question in a QUIC datagram is larger than one.
pub(crate) const USE_A_STREAM: Refusal<'static> =
    Refusal { code: ResponseCode::SERVER_TOO_BUSY, text: "answer does not fit a datagram, use a stream" };

/// The client did not go on in time. In the words of the reference.
pub(crate) const READ_TIMED_OUT: Refusal<'static> =
    Refusal { code: ResponseCode::PROTOCOL_ERROR, text: "Read timed out" };

/// The announced length is below a header's or above the largest message's. In the words of the reference.
pub(crate) const BAD_LENGTH: Refusal<'static> =
    Refusal { code: ResponseCode::PROTOCOL_ERROR, text: "Invalid message length" };

/// What every answer says about this node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own {
    identity: OwnIdentity,
    lifetime_seconds: u32,
}

impl Own {
    pub(crate) fn of(settings: &Settings) -> Self {
        let identity = OwnIdentity {
            version: Version::CURRENT,
            site_serial: settings.sites.serial(),
            primary: settings.sites.is_primary(),
        };
        Self { identity, lifetime_seconds: settings.answer_lifetime_seconds }
    }

    /// Writes a refusal of the request that starts with `request` into `room`, in at most `limit` bytes. `None` when there is nobody
    /// to answer: no envelope, or a response; or when not even a refusal without text fits.
    pub(crate) fn refuse(
        &self,
        now: Now,
        request: &[u8],
        refusal: Refusal<'_>,
        room: &mut [u8],
        limit: usize,
    ) -> Option<usize> {
        let head = self.head(now, request, refusal.code)?;
        let limit = limit.min(room.len());
        let room = room.get_mut(..limit)?;
        ResponseWriter::begin(room, &head, None)
            .error(refusal.text.as_bytes())
            .or_else(|_| ResponseWriter::begin(room, &head, None).error(b""))
            .ok()
    }

    /// A refusal for a stream, where the answer has all the room it needs and even a peer that sent less than an envelope is told.
    pub(crate) fn refuse_stream(&self, now: Now, request: &[u8], refusal: Refusal<'_>) -> Vec<u8> {
        let mut room = vec![0; 256];
        let length = match self.refuse(now, request, refusal, &mut room, usize::MAX) {
            Some(length) => Some(length),
            None if request.len() < Envelope::LEN => {
                ResponseWriter::begin(&mut room, &self.head_for_nobody(now, refusal.code), None)
                    .error(refusal.text.as_bytes())
                    .ok()
            }
            None => None,
        };
        room.truncate(length.unwrap_or_default());
        room
    }

    fn head(&self, now: Now, request: &[u8], code: ResponseCode) -> Option<Head> {
        let expiration = now.unix_seconds.saturating_add(self.lifetime_seconds);
        let mut head = match readable_head(request) {
            Ok(head) if !head.is_request() => return None,
            Ok(head) => respond_to(&head, &self.identity, code, expiration),
            Err(failure) => respond_to_unreadable(&failure, &self.identity, code, expiration)?,
        };
        head.header.flags = head.header.flags.without(OpFlags::CERT);
        Some(head)
    }

    /// As the reference answers when it knows nothing about the asker.
    fn head_for_nobody(&self, now: Now, code: ResponseCode) -> Head {
        let envelope = Envelope {
            version: Version::FIRST_CONTACT,
            flags: EnvelopeFlags::NONE,
            suggested: Version::new(0, 0),
            session_id: 0,
            request_id: Envelope::UNREADABLE_REQUEST_ID,
            sequence: 0,
            message_length: 0,
        };
        let request = Head { envelope, header: Header::request(OpCode::RESERVED, OpFlags::NONE, 0) };
        respond_to(&request, &self.identity, code, now.unix_seconds.saturating_add(self.lifetime_seconds))
    }
}

/// The operation a request names, 0 when it does not come that far.
pub(crate) fn op_of(request: &[u8]) -> OpCode {
    readable_head(request).map_or(OpCode::RESERVED, |head| head.header.op)
}

/// The head of a request of which perhaps only the first bytes are there: what matters is envelope and header, not the rest.
fn readable_head(request: &[u8]) -> Result<Head, ParseFailure> {
    let fail = |error, envelope| ParseFailure::new(error, envelope, None);
    let envelope = Envelope::parse(request).map_err(|error| fail(error, None))?;
    if envelope.flags.is_encrypted() {
        return Err(fail(DecodeError::Encrypted, Some(envelope)));
    }
    let header = request.get(Envelope::LEN..).unwrap_or_default();
    let header = Header::parse(header).map_err(|error| fail(error, Some(envelope)))?;
    Ok(Head { envelope, header })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use waymark_wire::Message;
    use waymark_wire::request::RequestWriter;

    use super::*;

    fn own() -> Own {
        let identity = OwnIdentity { version: Version::CURRENT, site_serial: 7, primary: true };
        Own { identity, lifetime_seconds: 60 }
    }

    fn request(handle: &[u8]) -> Vec<u8> {
        RequestWriter::new(Vec::new(), Head::request(0x1234, OpFlags::USUAL.with(OpFlags::CERT).with(OpFlags::RRDG), 0))
            .resolution(handle, &[], &[], None)
    }

    fn refuse(request: &[u8], limit: usize) -> Option<Vec<u8>> {
        let mut room = [0; 256];
        let length =
            own().refuse(Now { unix_seconds: 1, uptime: Duration::ZERO }, request, BUSY_USE_TCP, &mut room, limit)?;
        Some(room[..length].to_vec())
    }

    #[test]
    fn a_refusal_carries_the_own_request_id_and_says_that_it_holds_no_digest_and_no_signature() {
        let refusal = refuse(&request(b"88.111.1/x"), 512).unwrap();
        let message = Message::parse(&refusal).unwrap();
        assert_eq!(message.envelope.request_id, 0x1234);
        assert_eq!(message.header.op, OpCode::RESOLUTION);
        assert_eq!(message.header.response_code, ResponseCode::SERVER_TOO_BUSY);
        assert!(!message.header.flags.has(OpFlags::RRDG) && !message.header.flags.has(OpFlags::CERT));
        assert_eq!(&message.body[4..], b"too busy, use TCP");
    }

    #[test]
    fn a_refusal_is_never_larger_than_its_limit_and_every_resolution_has_room_for_one() {
        let shortest = request(b"");
        for request in [shortest, request(b"1/a"), request(b"88.111.1/some-longer-name")] {
            let refusal = refuse(&request, request.len()).unwrap();
            assert!(refusal.len() <= request.len(), "{} for {}", refusal.len(), request.len());
            assert!(Message::parse(&refusal).is_ok());
        }
        assert_eq!(refuse(&request(b"1/a"), 51), None);
    }

    #[test]
    fn responses_and_datagrams_without_an_envelope_are_not_refused() {
        let refusal = refuse(&request(b"1/a"), 512).unwrap();
        assert_eq!(refuse(&refusal, 512), None);
        assert_eq!(refuse(&[0; 19], 512), None);
    }

    #[test]
    fn a_request_cut_inside_its_header_is_refused_by_its_envelope() {
        let refusal = refuse(&request(b"1/a")[..43], 512).unwrap();
        let message = Message::parse(&refusal).unwrap();
        assert_eq!((message.envelope.request_id, message.header.op), (0x1234, OpCode::RESERVED));
    }

    #[test]
    fn a_stream_that_ends_inside_an_envelope_is_told_so() {
        let refusal = own().refuse_stream(Now { unix_seconds: 1, uptime: Duration::ZERO }, &[2, 11], READ_TIMED_OUT);
        let message = Message::parse(&refusal).unwrap();
        assert_eq!(message.envelope.request_id, Envelope::UNREADABLE_REQUEST_ID);
        assert_eq!(&message.body[4..], b"Read timed out");
    }
}
