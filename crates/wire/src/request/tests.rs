//! Tests of request bodies: each operation there and back, each truncation refused.

use proptest::prelude::*;

use super::*;
use crate::codes::OpFlags;
use crate::crypto::digest::{DigestAlgorithm, RequestDigest};
use crate::message::Head;
use crate::primitives::{Sink, Writer};
use crate::value::ValueBuf;

/// Writes a request of one operation.
type Write = fn(RequestWriter<Vec<u8>>) -> Vec<u8>;

/// Writes one request with `write` and hands the parsed one to `check`.
fn round_trip(write: impl FnOnce(RequestWriter<Vec<u8>>) -> Vec<u8>, check: impl FnOnce(RequestBody<'_>)) -> Vec<u8> {
    let bytes = write(RequestWriter::new(Vec::new(), Head::request(5, OpFlags::USUAL, 6)));
    check(Request::parse(&bytes).unwrap().body);
    bytes
}

/// Cuts the body at each length, with lengths corrected, and asserts that none of the shorter bodies is accepted.
fn refuses_each_shorter_body(bytes: &[u8]) {
    let message = Message::parse(bytes).unwrap();
    for end in 0..message.body.len() {
        let result = RequestBody::parse_body(message.header.op, &message.body[..end]);
        assert!(result.is_err(), "op {} with {end} bytes", message.header.op);
    }
}

fn values() -> [ValueBuf; 2] {
    [ValueBuf::new(1, b"URL", b"https://example.org/"), ValueBuf::new(2, b"EMAIL", b"a@example.org")]
}

#[test]
fn resolution_keeps_lists_and_extra_field() {
    let types: [&[u8]; 2] = [b"URL", b"HS_SITE."];
    for extra in [None, Some(&b""[..]), Some(b"token")] {
        round_trip(
            |writer| writer.resolution(b"1/a", &[3, 0, u32::MAX], &types, extra),
            |body| {
                let RequestBody::Resolution(body) = body else { panic!("{body:?}") };
                assert_eq!(body.handle, b"1/a");
                assert_eq!(body.indexes.iter().collect::<Vec<_>>(), [3, 0, u32::MAX]);
                assert_eq!(body.types.iter().collect::<Vec<_>>(), types);
                assert_eq!(body.extra, extra);
            },
        );
    }
    let bytes = round_trip(|writer| writer.resolution(b"1/a", &[3], &types, None), |_| ());
    refuses_each_shorter_body(&bytes);
}

#[test]
fn resolution_ignores_what_is_no_extra_field() {
    for extra in [&[1][..], &[0, 0, 0, 9, 1], &[0xff, 0xff, 0xff, 0xff]] {
        let mut body = vec![0, 0, 0, 1, b'a', 0, 0, 0, 0, 0, 0, 0, 0];
        body.extend(extra);
        assert_eq!(ResolutionBody::parse(&body).unwrap().extra, None);
    }
}

#[test]
fn site_info_needs_no_handle() {
    let parse = |body| RequestBody::parse_body(OpCode::GET_SITE_INFO, body);
    assert_eq!(parse(&[]), Ok(RequestBody::SiteInfo { handle: b"" }));
    assert_eq!(parse(&[0, 0, 0, 0]), Ok(RequestBody::SiteInfo { handle: b"" }));
    assert_eq!(parse(&[0, 0, 0, 1, b'/']), Ok(RequestBody::SiteInfo { handle: b"/" }));
    assert_eq!(parse(&[0, 0, 0, 1]), Err(DecodeError::Truncated { needed: 1, left: 0 }));
}

#[test]
fn operations_on_values_come_back() {
    let writers: [Write; 3] = [
        |writer| writer.create(b"1/a", values()),
        |writer| writer.add_values(b"1/a", values()),
        |writer| writer.modify_values(b"1/a", values()),
    ];
    for write in writers {
        let bytes = round_trip(write, |body| {
            let (RequestBody::Create { handle, values: list }
            | RequestBody::AddValues { handle, values: list }
            | RequestBody::ModifyValues { handle, values: list }) = body
            else {
                panic!("{body:?}")
            };
            assert_eq!(handle, b"1/a");
            assert_eq!(list.iter().map(ValueBuf::from).collect::<Vec<_>>(), values());
        });
        refuses_each_shorter_body(&bytes);
    }
    let bytes = round_trip(
        |writer| writer.remove_values(b"1/a", &[7, 8]),
        |body| {
            let RequestBody::RemoveValues { handle: b"1/a", indexes } = body else { panic!("{body:?}") };
            assert_eq!(indexes.iter().collect::<Vec<_>>(), [7, 8]);
        },
    );
    refuses_each_shorter_body(&bytes);
}

#[test]
fn operations_with_a_handle_alone_come_back() {
    let cases: [(Write, RequestBody<'static>); 10] = [
        (|w| w.delete(b"1/a"), RequestBody::Delete { handle: b"1/a" }),
        (|w| w.list_handles(b"0.NA/1"), RequestBody::ListHandles { prefix: b"0.NA/1" }),
        (|w| w.list_derived_prefixes(b"0.NA/1"), RequestBody::ListDerivedPrefixes { prefix: b"0.NA/1" }),
        (|w| w.home_prefix(b"0.NA/1"), RequestBody::HomePrefix { prefix: b"0.NA/1" }),
        (|w| w.unhome_prefix(b"0.NA/1"), RequestBody::UnhomePrefix { prefix: b"0.NA/1" }),
        (|w| w.list_homed_prefixes(), RequestBody::ListHomedPrefixes { handle: b"/" }),
        (|w| w.session_terminate(), RequestBody::SessionTerminate { handle: b"/" }),
        (|w| w.exchange_key(b"key"), RequestBody::ExchangeKey { encrypted_key: b"key" }),
        (|w| w.next_transaction_id(b"1/a"), RequestBody::NextTransactionId { handle: b"1/a" }),
        (|w| w.backup_server(), RequestBody::BackupServer { handle: b"/" }),
    ];
    for (write, expected) in cases {
        let bytes = round_trip(write, |body| assert_eq!(body, expected));
        refuses_each_shorter_body(&bytes);
    }
}

#[test]
fn answers_and_their_verification_come_back() {
    let user = Reference { handle: b"0.NA/1", index: 300 };
    let answer = ChallengeAnswer { auth_type: b"HS_SECKEY", user, signed_response: b"mac" };
    let bytes = round_trip(
        |writer| writer.challenge_answer(&answer),
        |body| assert_eq!(body, RequestBody::ChallengeAnswer(answer)),
    );
    refuses_each_shorter_body(&bytes);
    let typed = RequestDigest::new(DigestAlgorithm::Sha1, &[9; 20]).unwrap();
    for digest in [DigestField::Typed(typed), DigestField::Untyped(&[9; 16])] {
        let verify = VerifyAnswer { user, nonce: b"nonce", digest, signed_response: b"mac" };
        let bytes = round_trip(
            |writer| writer.verify_answer(&verify),
            |body| assert_eq!(body, RequestBody::VerifyAnswer(verify)),
        );
        refuses_each_shorter_body(&bytes);
    }
}

#[test]
fn unknown_digest_algorithm_is_refused() {
    let body = [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 9];
    let result = RequestBody::parse_body(OpCode::VERIFY_ANSWER, &body);
    assert_eq!(result, Err(DecodeError::UnknownDigestAlgorithm(9)));
}

#[test]
fn each_way_to_set_up_a_session_comes_back() {
    let key = Reference { handle: b"1/key", index: 2 };
    for exchange in [
        KeyExchange::ClientKey(b"rsa"),
        KeyExchange::ServerKey,
        KeyExchange::HandleValue(key),
        KeyExchange::DiffieHellman(b"dh"),
        KeyExchange::Unknown { mode: 9, rest: b"rest" },
    ] {
        let identity = Reference { handle: b"", index: SessionSetup::ANONYMOUS_INDEX };
        let setup = SessionSetup { exchange, timeout_seconds: 86_400, identity };
        round_trip(|writer| writer.session_setup(&setup), |body| assert_eq!(body, RequestBody::SessionSetup(setup)));
    }
}

#[test]
fn login_has_no_credential_field() {
    let user = Reference { handle: b"1/app", index: 300 };
    let bytes = round_trip(|writer| writer.login(user), |body| assert_eq!(body, RequestBody::Login { user }));
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.signed.len(), bytes.len() - 20);
}

#[test]
fn other_operations_keep_their_bodies() {
    for op in [OpCode::RETRIEVE_TRANSACTIONS, OpCode::DUMP_HANDLES] {
        round_trip(|writer| writer.raw(op, b"x"), |body| assert_eq!(body, RequestBody::Replication { body: b"x" }));
    }
    for op in [OpCode::RESERVED, OpCode(9999)] {
        round_trip(|writer| writer.raw(op, b"x"), |body| assert_eq!(body, RequestBody::Unknown { body: b"x" }));
    }
}

#[test]
fn rejects_responses() {
    let mut bytes = RequestWriter::new(Vec::new(), Head::request(5, OpFlags::USUAL, 6)).site_info();
    bytes[27] = 1;
    let failure = Request::parse(&bytes).unwrap_err();
    assert_eq!(failure.error, DecodeError::NotARequest(crate::ResponseCode::SUCCESS));
    assert_eq!(failure.op, Some(OpCode::GET_SITE_INFO));
    assert_eq!(failure.envelope.unwrap().request_id, 5);
}

#[test]
fn a_small_slice_tells_the_need() {
    let head = Head::request(5, OpFlags::USUAL, 6);
    let whole = RequestWriter::new(Vec::new(), head).delete(b"1/a");
    for room in 0..=whole.len() {
        let mut slice = vec![0; room];
        let result = RequestWriter::new(Writer::new(&mut slice), head).delete(b"1/a").finish();
        match result {
            Ok(length) => assert_eq!((room, &slice[..length]), (whole.len(), &whole[..])),
            Err(error) => assert_eq!(error.needed, whole.len()),
        }
    }
}

#[test]
fn a_request_can_follow_others_in_one_buffer() {
    let mut bytes = b"before".to_vec();
    RequestWriter::new(&mut bytes, Head::request(5, OpFlags::USUAL, 6)).delete(b"1/a");
    assert!(Request::parse(&bytes[6..]).is_ok());
}

proptest! {
    #[test]
    fn any_resolution_comes_back(
        handle: Vec<u8>, indexes: Vec<u32>, types: Vec<Vec<u8>>, extra: Option<Vec<u8>>,
    ) {
        let types: Vec<&[u8]> = types.iter().map(Vec::as_slice).collect();
        let bytes = RequestWriter::new(Vec::new(), Head::request(1, OpFlags::NONE, 0))
            .resolution(&handle, &indexes, &types, extra.as_deref());
        let request = Request::parse(&bytes).unwrap();
        let RequestBody::Resolution(body) = request.body else { panic!("not a resolution") };
        prop_assert_eq!(body.handle, &handle[..]);
        prop_assert!(body.indexes.iter().eq(indexes.iter().copied()));
        prop_assert!(body.types.iter().eq(types.iter().copied()));
        prop_assert_eq!(body.extra, extra.as_deref());
    }

    #[test]
    fn arbitrary_bodies_never_panic(op in 0u32..2002, body: Vec<u8>) {
        let _ = RequestBody::parse_body(OpCode(op), &body);
    }

    #[test]
    fn arbitrary_changes_never_panic(at in 0usize..80, value: u8) {
        let mut bytes = RequestWriter::new(Vec::new(), Head::request(1, OpFlags::NONE, 0)).create(b"1/a", values());
        let mut patched = bytes.clone();
        patched.patch_u32(at, u32::from(value));
        let _ = Request::parse(&patched);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = value;
        }
        let _ = Request::parse(&bytes);
    }
}
