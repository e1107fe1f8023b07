//! The dialect of Teleinfo's (IDIS) clients: same encodings, a few additions.
//!
//! - resolutions carry one more string behind the types: empty, or an identity token (then flag 0x4 is set);
//! - operation 2001 logs a connection in, without any credential field;
//! - session ids are chosen by the client, before any agreement with the server;
//! - the codes 601 to 605.
//!
//! And one of our own: the [`Age`] of answers from a cache.
//!
//! The additions are part of the ordinary types; here is only how to tell who is talking.

use crate::codes::{OpCode, OpFlags};
use crate::message::Message;
use crate::primitives::Sink;
use crate::request::RequestBody;
use crate::version::Version;

/// Tells whether a request shows a mark of the dialect: version 2.10 (not the suggested one), a login, the token
/// flag, or the additional field of a resolution.
///
/// Version 2.10 alone is a guess: a genuine client of that version differs only in closing its connections itself.
#[must_use]
pub fn is_teleinfo(message: &Message<'_>, body: &RequestBody<'_>) -> bool {
    message.envelope.version == Version::TELEINFO
        || message.header.op == OpCode::LOGIN
        || message.header.flags.has(OpFlags::IDENTITY_TOKEN)
        || matches!(body, RequestBody::Resolution(resolution) if resolution.extra.is_some())
}

/// How old an answer from a cache is: behind the values of a resolution whose request and response have the flag [`OpFlags::AGED`].
///
/// ```text
/// u32 seconds since the authority said so | u8 bits, 1: past the time its values may be used, the authority does not answer
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Age {
    /// Seconds since the authority said so.
    pub seconds: u32,
    /// Whether it is past the time its values may be used.
    pub is_stale: bool,
}

impl Age {
    /// Bytes it takes.
    pub const LEN: usize = 5;

    /// Writes it.
    pub fn write(self, out: &mut (impl Sink + ?Sized)) {
        out.put_u32(self.seconds);
        out.put_u8(u8::from(self.is_stale));
    }

    /// Reads the age of a response, where it tells one: the last bytes of its body.
    #[must_use]
    pub fn of_response(message: &Message<'_>) -> Option<Self> {
        if message.is_request() || !message.header.flags.has(OpFlags::AGED) {
            return None;
        }
        let [.., a, b, c, d, bits] = *message.body else { return None };
        Some(Self { seconds: u32::from_be_bytes([a, b, c, d]), is_stale: bits & 1 != 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::ResponseCode;
    use crate::limits::ResponseLimits;
    use crate::message::Head;
    use crate::request::RequestWriter;
    use crate::response::{Response, ResponseBody, ResponseWriter};

    fn is_dialect(version: Version, flags: OpFlags, extra: Option<&[u8]>) -> bool {
        let mut head = Head::request(1, flags, 0);
        head.envelope.version = version;
        let bytes = RequestWriter::new(Vec::new(), head).resolution(b"1/a", &[], &[], extra);
        let message = Message::parse(&bytes).unwrap();
        is_teleinfo(&message, &RequestBody::parse(&message).unwrap())
    }

    #[test]
    fn each_mark_is_enough() {
        assert!(!is_dialect(Version::CURRENT, OpFlags::USUAL, None));
        assert!(is_dialect(Version::TELEINFO, OpFlags::USUAL, None));
        assert!(is_dialect(Version::CURRENT, OpFlags::IDENTITY_TOKEN, None));
        assert!(is_dialect(Version::CURRENT, OpFlags::USUAL, Some(b"")));
    }

    #[test]
    fn an_age_stands_behind_the_values_where_the_flag_says_so() {
        let mut head = Head::request(1, OpFlags::NONE, 0);
        head.header.op = OpCode::RESOLUTION;
        head.header.response_code = ResponseCode::SUCCESS;
        let age = Age { seconds: 5_400, is_stale: true };
        let mut room = [0; 200];
        let none: [crate::ValueBuf; 0] = [];
        let length = ResponseWriter::begin(&mut room, &head, None).resolution_aged(b"1/a", &none, age).unwrap();
        let response = Response::parse(&room[..length], ResponseLimits::REFERENCE).unwrap();
        assert_eq!(Age::of_response(&response.message), Some(age));
        assert!(matches!(response.body, ResponseBody::Resolution { handle: b"1/a", .. }));
        let length = ResponseWriter::begin(&mut room, &head, None).resolution(b"1/a", &none).unwrap();
        assert_eq!(Age::of_response(&Message::parse(&room[..length]).unwrap()), None);
    }
}
