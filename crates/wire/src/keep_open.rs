//! Whether a stream connection stays open after an answer.
//!
//! Two kinds of clients that cannot be told apart for certain want opposite things: the reference client, like other older ones,
//! sends one request per connection, and some of them read until the server closes; Teleinfo's clients keep and pool their
//! connections, never say so, and hang when the server closes one.

use crate::codes::OpFlags;
use crate::dialect::is_teleinfo;
use crate::message::Message;
use crate::request::RequestBody;

/// Whether to keep the connection open after the answer to `message`.
///
/// Open when the request asks for it (KPAL), when it shows a mark of Teleinfo's dialect (version 2.10, a login, an identity token,
/// the additional field of a resolution: such clients never ask), or when bytes of another message are `more_waiting`. Otherwise the
/// server closes, as the reference does.
///
/// `body` is `None` when the body did not parse; the rest of the message then decides.
#[must_use]
pub fn keeps_connection(message: &Message<'_>, body: Option<&RequestBody<'_>>, more_waiting: bool) -> bool {
    let unread = RequestBody::Unknown { body: message.body };
    more_waiting || message.header.flags.has(OpFlags::KPAL) || is_teleinfo(message, body.unwrap_or(&unread))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Head;
    use crate::request::RequestWriter;
    use crate::version::Version;

    fn keeps(flags: OpFlags, version: Version, extra: Option<&[u8]>, more_waiting: bool) -> bool {
        let mut head = Head::request(1, flags, 0);
        head.envelope.version = version;
        let bytes = RequestWriter::new(Vec::new(), head).resolution(b"1/a", &[], &[], extra);
        let message = Message::parse(&bytes).unwrap();
        keeps_connection(&message, RequestBody::parse(&message).ok().as_ref(), more_waiting)
    }

    #[test]
    fn an_ordinary_request_is_answered_and_the_connection_closed() {
        assert!(!keeps(OpFlags::USUAL, Version::CURRENT, None, false));
        assert!(!keeps(OpFlags::USUAL, Version::FIRST_CONTACT, None, false));
    }

    #[test]
    fn each_reason_is_enough_to_keep_the_connection() {
        assert!(keeps(OpFlags::USUAL.with(OpFlags::KPAL), Version::CURRENT, None, false));
        assert!(keeps(OpFlags::USUAL, Version::TELEINFO, None, false));
        assert!(keeps(OpFlags::USUAL, Version::CURRENT, Some(b""), false));
        assert!(keeps(OpFlags::USUAL, Version::CURRENT, None, true));
    }

    #[test]
    fn a_suggested_version_is_no_mark() {
        let mut head = Head::request(1, OpFlags::USUAL, 0);
        head.envelope.suggested = Version::TELEINFO;
        let bytes = RequestWriter::new(Vec::new(), head).site_info();
        let message = Message::parse(&bytes).unwrap();
        assert!(!keeps_connection(&message, RequestBody::parse(&message).ok().as_ref(), false));
    }

    #[test]
    fn a_login_keeps_the_connection_even_when_its_body_does_not_parse() {
        let user = crate::lists::Reference { handle: b"1/user", index: 300 };
        let bytes = RequestWriter::new(Vec::new(), Head::request(1, OpFlags::RECU, 0)).login(user);
        let message = Message::parse(&bytes).unwrap();
        assert!(keeps_connection(&message, RequestBody::parse(&message).ok().as_ref(), false));
        assert!(keeps_connection(&message, None, false));
    }
}
