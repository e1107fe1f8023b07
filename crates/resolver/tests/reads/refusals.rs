//! What is refused, and what is dropped.

use std::net::IpAddr;

use waymark_resolver::{DropReason, Transport};
use waymark_wire::message::Head;
use waymark_wire::request::RequestWriter;
use waymark_wire::{Message, OpFlags, Version};

use crate::support::{
    Ending, REQUEST_ID, Said, answerer, ask, hear, old_value, origin, request, resolution, said, settings, site_at,
};
use crate::{filtered, node};

/// "admin op on an interface that is query-only: 4"; on others "operation not supported" until it is; on a mirror 301.
#[test]
fn administration_is_refused_by_door_role_and_for_now() {
    let (shelf, mut node) = node();
    let create = request(OpFlags::USUAL).create(b"88.111.1/new", [old_value(1, "URL", b"x")].iter());
    let list = request(OpFlags::USUAL).list_handles(b"0.NA/88.111.1");
    for asked in [&create, &list] {
        let over_udp = said(&ask(&mut node, origin(Transport::Udp), asked).answer());
        assert_eq!(over_udp, Said::Code(4, "Received admin request on non-admin interface".into()));
        assert!(matches!(hear(&mut node, asked), Said::Code(5, _)));
    }
    let mut mirror = answerer(&shelf.catalog, settings(vec![site_at(IpAddr::from([192, 0, 2, 1]), 1, false)]));
    assert_eq!(hear(&mut mirror, &create), Said::Code(301, "Not a primary server".into()));
    let answer = ask(&mut mirror, origin(Transport::Tcp), &resolution("88.111.1/mixed")).answer();
    assert!(!Message::parse(&answer).unwrap().header.flags.has(OpFlags::AUTH), "AUTH is set by a primary only");
}

/// "answer with session id 0 / unknown challenge id: 405 / 500"; a session id nobody knows is 500, whatever is asked.
#[test]
fn unknown_sessions_and_challenges_are_refused() {
    let (_shelf, mut node) = node();
    let of_operation = |operation: u32, session: u32, version: Version, flags: OpFlags| {
        let mut head = Head::request(REQUEST_ID, flags, 0);
        head.envelope.session_id = session;
        head.envelope.version = version;
        let mut bytes = RequestWriter::new(Vec::new(), head).resolution(b"88.111.1/mixed", &[1], &[], None);
        bytes[20..24].copy_from_slice(&operation.to_be_bytes());
        bytes
    };
    let current = Version::CURRENT;
    let unknown = "Invalid session id or session time out. Please try again.";
    let mut code =
        |operation, session, version, flags| match hear(&mut node, &of_operation(operation, session, version, flags)) {
            Said::Code(code, text) => (code, text == unknown),
            Said::Values(..) => (1, false),
            other => panic!("{other:?}"),
        };
    assert_eq!(code(200, 0, current, OpFlags::USUAL), (405, false));
    assert_eq!(code(200, 9, current, OpFlags::USUAL), (500, true));
    assert_eq!(code(1, 9, current, OpFlags::USUAL), (500, true));
    assert_eq!(code(401, 0, current, OpFlags::USUAL), (500, false));
    assert_eq!(code(402, 0, current, OpFlags::USUAL), (500, false));
    assert_eq!(code(400, 0, current, OpFlags::USUAL), (5, false));
    assert_eq!(code(1, 10_001, Version::TELEINFO, OpFlags::USUAL), (1, false), "the dialect's clients choose ids");
    assert_eq!(code(1, 10_001, current, OpFlags::USUAL.with(OpFlags::IDENTITY_TOKEN)), (1, false));
    assert_eq!(code(1, 0x4000_0000, Version::TELEINFO, OpFlags::USUAL), (500, true), "this one could be ours");
    let echoed = of_operation(1, 10_001, Version::TELEINFO, OpFlags::USUAL);
    let answer = ask(&mut node, origin(Transport::Tcp), &echoed).answer();
    assert_eq!(Message::parse(&answer).unwrap().envelope.session_id, 10_001);
}

/// "Strict bounds, code 4 with the request's own request id when the envelope could be read, and no reply at all to packets shorter than
/// an envelope."
#[test]
fn every_truncation_is_answered_with_its_own_request_id() {
    let (_shelf, mut node) = node();
    let whole = filtered("88.111.1/mixed", &[1], &[b"URL"]);
    for transport in Transport::ALL {
        for length in 0..whole.len() - 4 {
            match ask(&mut node, origin(transport), &whole[..length]) {
                Ending::Dropped(reason) => assert!(reason == DropReason::TooShort && length < 20, "{length}"),
                Ending::Answer { bytes, .. } => {
                    let message = Message::parse(&bytes).unwrap();
                    assert_eq!(message.envelope.request_id, REQUEST_ID, "{length}");
                    assert!(matches!(said(&bytes), Said::Code(4, text) if !text.is_empty()), "{length}");
                    assert!(length >= 20);
                }
            }
        }
    }
}

/// A count or length of more than there is costs nothing and is refused.
#[test]
fn claims_of_more_than_there_is_are_refused() {
    let (_shelf, mut node) = node();
    let whole = filtered("88.111.1/mixed", &[1], &[b"URL"]);
    let body = 44;
    let counts = body + 4 + "88.111.1/mixed".len();
    for at in [body, counts, counts + 8] {
        for claim in [0x7fff_ffff_u32, 0xffff_ffff, 1_048_577, 100_000] {
            let mut bytes = whole.clone();
            bytes[at..at + 4].copy_from_slice(&claim.to_be_bytes());
            assert!(matches!(hear(&mut node, &bytes), Said::Code(4, _)), "{claim} at {at}");
        }
    }
}

/// Nothing that is, or may be, a response is ever answered: two servers could go on for ever.
#[test]
fn responses_are_dropped_whole_or_in_pieces() {
    let (_shelf, mut node) = node();
    let answer = ask(&mut node, origin(Transport::Udp), &resolution("88.111.1/mixed")).answer();
    for length in 28..answer.len() {
        let ending = ask(&mut node, origin(Transport::Udp), &answer[..length]);
        assert_eq!(ending, Ending::Dropped(DropReason::Response), "{length}");
    }
}

/// "Encrypted bit set without session: 501"; in a session nobody knows: 500.
#[test]
fn encrypted_messages_are_refused() {
    let (_shelf, mut node) = node();
    let mut asked = resolution("88.111.1/mixed");
    asked[2] |= 0x40;
    assert!(matches!(hear(&mut node, &asked), Said::Code(501, _)));
    asked[7] = 5;
    assert!(matches!(hear(&mut node, &asked), Said::Code(500, _)));
}
