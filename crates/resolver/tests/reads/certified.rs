//! Signed answers.

use waymark_resolver::{SlowReason, Transport};
use waymark_wire::crypto::signed_message::verify_certified;
use waymark_wire::message::Head;
use waymark_wire::request::RequestWriter;
use waymark_wire::{Message, OpFlags, Version};

use crate::support::{REQUEST_ID, answerer, ask, old_value, origin, request, resolution_with, settings, test_key};
use crate::{node, v4_site};

/// "A server signs whenever CERT is asked, for errors too."
#[test]
fn certified_answers_are_signed_errors_too() {
    let (_shelf, mut node) = node();
    let certified = OpFlags::USUAL.with(OpFlags::CERT);
    let create = request(certified).create(b"88.111.1/new", [old_value(1, "URL", b"x")].iter());
    let requests = [
        (1, resolution_with(certified, "88.111.1/mixed")),
        (100, resolution_with(certified, "88.111.1/none")),
        (301, resolution_with(certified, "10.1000/1")),
        (1, request(certified).site_info()),
        (5, create),
    ];
    for (code, asked) in requests {
        let answer = ask(&mut node, origin(Transport::Tcp), &asked).answer();
        let message = Message::parse(&answer).unwrap();
        assert_eq!(message.header.response_code.0, code);
        assert!(message.header.flags.has(OpFlags::CERT));
        assert_eq!(verify_certified(&message, test_key().public_key()), Ok(()), "{code}");
    }
    for minor in [1, 5, 6, 7, 8, 11] {
        let mut head = Head::request(REQUEST_ID, certified, 0);
        head.envelope.version = Version::new(2, minor);
        head.envelope.suggested = Version::new(2, minor);
        let asked = RequestWriter::new(Vec::new(), head).resolution(b"88.111.1/mixed", &[1], &[], None);
        let answer = ask(&mut node, origin(Transport::Tcp), &asked).answer();
        let message = Message::parse(&answer).unwrap();
        assert_eq!(verify_certified(&message, test_key().public_key()), Ok(()), "version 2.{minor}");
    }
    assert_eq!(node.counters().snapshot().continued(Transport::Tcp, SlowReason::Sign), 11);
}

/// A node without a key says so instead of setting CERT on an answer without a signature.
#[test]
fn a_node_without_a_key_certifies_nothing() {
    let (shelf, _) = node();
    let mut keyless = settings(vec![v4_site()]);
    keyless.node_key = None;
    let mut node = answerer(&shelf.catalog, keyless);
    let asked = resolution_with(OpFlags::USUAL.with(OpFlags::CERT), "88.111.1/mixed");
    let answer = ask(&mut node, origin(Transport::Tcp), &asked).answer();
    let message = Message::parse(&answer).unwrap();
    assert_eq!(message.header.response_code.0, 5);
    assert!(!message.header.flags.has(OpFlags::CERT) && message.credential.is_none());
}
