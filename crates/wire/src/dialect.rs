//! The dialect of Teleinfo's (IDIS) clients: same encodings, a few additions.
//!
//! - resolutions carry one more string behind the types: empty, or an identity token (then flag 0x4 is set);
//! - operation 2001 logs a connection in, without any credential field;
//! - session ids are chosen by the client, before any agreement with the server;
//! - the codes 601 to 605.
//!
//! The additions are part of the ordinary types; here is only how to tell who is talking.

use crate::codes::{OpCode, OpFlags};
use crate::message::Message;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Head;
    use crate::request::RequestWriter;

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
}
