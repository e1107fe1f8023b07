//! Tests of responses: heads, each body there and back, each truncation refused.

use proptest::prelude::*;

use super::*;
use crate::codes::{OpCode, OpFlags, ResponseCode};
use crate::crypto::digest::{DigestAlgorithm, request_digest};
use crate::envelope::EnvelopeFlags;
use crate::error::{DecodeError, NoRoom};
use crate::limits::ResponseLimits;
use crate::message::{Head, Message};
use crate::request::RequestWriter;
use crate::value::ValueBuf;
use crate::version::Version;

const OWN: OwnIdentity = OwnIdentity { version: Version::CURRENT, site_serial: 1, primary: true };

/// Writes a response of one kind.
type Write = fn(ResponseWriter<'_>) -> Result<usize, NoRoom>;

/// The head of a request in version 2.`minor` with this operation and these flags.
fn request(minor: u8, op: OpCode, flags: u32) -> Head {
    let mut head = Head::request(7, OpFlags(flags), 9);
    head.envelope.version = Version::new(2, minor);
    head.envelope.suggested = head.envelope.version;
    head.header.op = op;
    head
}

/// Answers `op` with `code` in version 2.`minor`, writes the body with `write` and hands the parsed one to `check`.
fn round_trip(
    (minor, op, code): (u8, OpCode, ResponseCode),
    write: impl Fn(ResponseWriter<'_>) -> Result<usize, NoRoom>,
    check: impl FnOnce(&Response<'_>),
) -> Vec<u8> {
    let head = respond_to(&request(minor, op, 0x0080_0000), &OWN, code, 100);
    let mut room = [0; 2000];
    let length = write(ResponseWriter::answer(&mut room, &head, b"signed request")).unwrap();
    let bytes = room[..length].to_vec();
    let response = Response::parse(&bytes, ResponseLimits::REFERENCE).unwrap();
    assert_eq!(response.digest, digest_for(&head, b"signed request"));
    check(&response);
    bytes
}

/// Cuts the body at each length and asserts that no shorter one is accepted.
fn refuses_each_shorter_body(bytes: &[u8]) {
    let message = Message::parse(bytes).unwrap();
    for end in 0..message.body.len() {
        let cut = Message { body: &message.body[..end], ..message };
        assert!(Response::of_message(cut, ResponseLimits::REFERENCE).is_err(), "op {} {end} bytes", cut.header.op);
    }
}

fn values() -> [ValueBuf; 2] {
    [ValueBuf::new(1, b"URL", b"https://example.org/"), ValueBuf::new(2, b"EMAIL", b"a@example.org")]
}

#[test]
fn copies_the_flags_a_response_may_have() {
    let flags = |op, flags| respond_to(&request(11, op, flags), &OWN, ResponseCode::SUCCESS, 0).header.flags.0;
    assert_eq!(flags(OpCode::RESOLUTION, 0), 0x9000_0000);
    assert_eq!(flags(OpCode::RESOLUTION, 0xfff0_0000), 0xf990_0000);
    assert_eq!(flags(OpCode::RESOLUTION, 0x000f_ffff), 0x9000_0000);
    assert_eq!(flags(OpCode::CREATE_HANDLE, 0x1920_0000), 0x9920_0000);
    let mirror = OwnIdentity { primary: false, ..OWN };
    let head = respond_to(&request(11, OpCode::RESOLUTION, 0x8000_0000), &mirror, ResponseCode::SUCCESS, 0);
    assert_eq!(head.header.flags, OpFlags::RECU);
}

#[test]
fn copies_ids_and_recursion_count() {
    let mut asked = request(11, OpCode::RESOLUTION, 0);
    asked.envelope.session_id = 0x0102_0304;
    asked.envelope.sequence = 3;
    asked.envelope.flags = EnvelopeFlags::COMPRESSED.with(EnvelopeFlags::TRUNCATED);
    asked.header.recursion_count = 5;
    asked.header.reserved = 6;
    let head = respond_to(&asked, &OWN, ResponseCode::SUCCESS, 100);
    assert_eq!((head.envelope.session_id, head.envelope.request_id), (0x0102_0304, 7));
    assert_eq!((head.envelope.sequence, head.envelope.flags), (0, EnvelopeFlags::NONE));
    assert_eq!((head.header.recursion_count, head.header.reserved), (5, 0));
    assert_eq!((head.header.site_serial, head.header.expiration), (1, 100));
}

#[test]
fn answers_in_the_negotiated_version() {
    let answered = |version: (u8, u8), suggested: (u8, u8)| {
        let mut asked = request(11, OpCode::RESOLUTION, 0);
        asked.envelope.version = Version::new(version.0, version.1);
        asked.envelope.suggested = Version::new(suggested.0, suggested.1);
        let envelope = respond_to(&asked, &OWN, ResponseCode::SUCCESS, 0).envelope;
        assert_eq!(envelope.suggested, Version::CURRENT);
        (envelope.version.major, envelope.version.minor)
    };
    assert_eq!(answered((2, 3), (2, 3)), (2, 3));
    assert_eq!(answered((2, 1), (2, 11)), (2, 11));
    assert_eq!(answered((2, 1), (0, 0)), (2, 1));
    assert_eq!(answered((2, 10), (2, 10)), (2, 10));
    assert_eq!(answered((3, 0), (3, 0)), (2, 11));
    assert_eq!(answered((2, 11), (3, 0)), (2, 11));
    assert_eq!(answered((5, 0), (0, 0)), (5, 0));
    assert_eq!(answered((0, 0), (2, 11)), (2, 11));
    assert_eq!(answered((9, 9), (2, 11)), (2, 11));
}

#[test]
fn old_clients_get_old_codes() {
    let code = |minor, code| respond_to(&request(minor, OpCode::RESOLUTION, 0), &OWN, code, 0).header.response_code;
    assert_eq!(code(4, ResponseCode::SERVER_READ_ONLY), ResponseCode(303));
    assert_eq!(code(4, ResponseCode::INVALID_VALUE), ResponseCode(201));
    assert_eq!(code(5, ResponseCode::SERVER_READ_ONLY), ResponseCode(7));
}

#[test]
fn a_client_before_2_5_reads_303_as_read_only() {
    let expect = |response: &Response<'_>| {
        assert_eq!(response.code, ResponseCode::SERVER_READ_ONLY);
        assert_eq!(response.body, ResponseBody::Error { message: b"backup" });
    };
    let kind = (4, OpCode::ADD_VALUES, ResponseCode::SERVER_READ_ONLY);
    round_trip(kind, |writer| writer.error(b"backup"), expect);
}

#[test]
fn unreadable_requests_are_answered_with_their_own_id() {
    let bytes = RequestWriter::new(Vec::new(), request(3, OpCode::RESERVED, 0)).resolution(b"1/a", &[], &[], None);
    let answer = |end| {
        let failure = Message::parse(&bytes[..end]).unwrap_err();
        respond_to_unreadable(&failure, &OWN, ResponseCode::PROTOCOL_ERROR, 0)
    };
    assert_eq!(answer(19), None);
    let head = answer(21).unwrap();
    assert_eq!((head.envelope.request_id, head.header.op), (7, OpCode::RESERVED));
    let head = answer(30).unwrap();
    assert_eq!((head.envelope.request_id, head.header.op), (7, OpCode::RESOLUTION));
    assert_eq!((head.envelope.version, head.header.response_code), (Version::new(2, 3), ResponseCode(4)));
}

#[test]
fn digest_follows_version_and_flag() {
    let digest =
        |minor, code, flags| digest_for(&respond_to(&request(minor, OpCode::RESOLUTION, flags), &OWN, code, 0), b"x");
    let algorithm = |minor, code, flags| digest(minor, code, flags).map(|digest| digest.algorithm());
    let rrdg = 0x0080_0000;
    assert_eq!(digest(11, ResponseCode::SUCCESS, 0), None);
    assert_eq!(algorithm(11, ResponseCode::SUCCESS, rrdg), Some(DigestAlgorithm::Sha256));
    assert_eq!(algorithm(6, ResponseCode::ERROR, rrdg), Some(DigestAlgorithm::Sha1));
    assert_eq!(algorithm(0, ResponseCode::SUCCESS, rrdg), None);
    assert_eq!(algorithm(0, ResponseCode::AUTHENTICATION_NEEDED, 0), Some(DigestAlgorithm::Md5));
    assert_eq!(algorithm(7, ResponseCode::AUTHENTICATION_NEEDED, 0), Some(DigestAlgorithm::Sha256));
}

#[test]
fn version_five_digests_like_version_two() {
    let mut asked = request(0, OpCode::RESOLUTION, 0);
    asked.envelope.version = Version::LEGACY_FIVE;
    let head = respond_to(&asked, &OWN, ResponseCode::AUTHENTICATION_NEEDED, 0);
    assert_eq!(head.envelope.version, Version::LEGACY_FIVE);
    assert_eq!(digest_for(&head, b"x").unwrap().algorithm(), DigestAlgorithm::Md5);
}

#[test]
fn each_success_body_comes_back() {
    const OK: ResponseCode = ResponseCode::SUCCESS;
    let cases: [(OpCode, Write, ResponseBody<'static>); 7] = [
        (OpCode::CREATE_HANDLE, |w| w.created(b"1/a"), ResponseBody::Created { handle: Some(b"1/a") }),
        (OpCode::DELETE_HANDLE, |w| w.done(), ResponseBody::Done),
        (OpCode::GET_SITE_INFO, |w| w.site_info(b"site"), ResponseBody::SiteInfo { site: b"site" }),
        (OpCode::VERIFY_ANSWER, |w| w.verified(true), ResponseBody::Verified { valid: true }),
        (OpCode::SESSION_SETUP, |w| w.session_setup(4, b"dh"), ResponseBody::SessionSetup { mode: 4, data: b"dh" }),
        (OpCode::GET_NEXT_TRANSACTION_ID, |w| w.transaction_id(-5), ResponseBody::TransactionId { id: -5 }),
        (OpCode::DUMP_HANDLES, |w| w.raw(b"any"), ResponseBody::Other { body: b"any" }),
    ];
    for (op, write, expected) in cases {
        for minor in [0, 1, 7, 11] {
            round_trip((minor, op, OK), write, |response| assert_eq!(response.body, expected, "{op} 2.{minor}"));
        }
    }
    let bytes = round_trip((11, OpCode::SESSION_SETUP, OK), |w| w.session_setup(4, b"dh"), |_| ());
    assert!(Message::parse(&bytes).unwrap().body.ends_with(&[0, 0]));
}

#[test]
fn old_servers_do_not_say_what_they_created() {
    let kind = (11, OpCode::CREATE_HANDLE, ResponseCode::SUCCESS);
    round_trip(
        kind,
        |writer| writer.done(),
        |response| {
            assert_eq!(response.body, ResponseBody::Created { handle: None });
        },
    );
}

#[test]
fn resolutions_and_listings_come_back() {
    let kind = (11, OpCode::RESOLUTION, ResponseCode::SUCCESS);
    let bytes = round_trip(
        kind,
        |writer| writer.resolution(b"1/a", values()),
        |response| {
            let ResponseBody::Resolution { handle: b"1/a", values: list } = response.body else {
                panic!("{response:?}")
            };
            assert_eq!(list.iter().map(ValueBuf::from).collect::<Vec<_>>(), values());
            let mut room = [0; 2000];
            let head = response.message.head();
            let length = ResponseWriter::begin(&mut room, &head, response.digest).whole_record(b"1/a", &list).unwrap();
            assert_eq!(Message::parse(&room[..length]).unwrap().body, response.message.body);
        },
    );
    refuses_each_shorter_body(&bytes);
    for op in [OpCode::LIST_HANDLES, OpCode::LIST_DERIVED_PREFIXES, OpCode::LIST_HOMED_PREFIXES] {
        let names: [&[u8]; 2] = [b"1/A", b"1/B"];
        let bytes = round_trip(
            (11, op, ResponseCode::SUCCESS),
            |writer| writer.listing(names),
            |response| {
                let ResponseBody::Listing { names: list } = response.body else { panic!("{response:?}") };
                assert!(list.iter().eq(names));
            },
        );
        refuses_each_shorter_body(&bytes);
    }
}

#[test]
fn referrals_come_back_with_and_without_values() {
    for code in [ResponseCode::SERVICE_REFERRAL, ResponseCode::PREFIX_REFERRAL] {
        let kind = (11, OpCode::RESOLUTION, code);
        round_trip(
            kind,
            |writer| writer.referral_to(b"0.NA/1"),
            |response| {
                assert_eq!(response.body, ResponseBody::Referral { handle: b"0.NA/1", values: None });
            },
        );
        round_trip(
            kind,
            |writer| writer.referral(b"", values()),
            |response| {
                let ResponseBody::Referral { handle: b"", values: Some(list) } = response.body else { panic!() };
                assert_eq!(list.len(), 2);
            },
        );
    }
}

#[test]
fn challenges_carry_the_digest_where_their_version_has_it() {
    for minor in [0, 1, 6, 7, 11] {
        let kind = (minor, OpCode::DELETE_HANDLE, ResponseCode::AUTHENTICATION_NEEDED);
        let bytes = round_trip(
            kind,
            |writer| writer.challenge(b"sixteen nonce by"),
            |response| {
                assert_eq!(response.body, ResponseBody::Challenge { nonce: b"sixteen nonce by" });
                assert_eq!(response.digest, Some(request_digest(Version::new(2, minor), b"signed request")));
                assert_eq!(response.message.header.flags.has(OpFlags::RRDG), minor > 0);
            },
        );
        refuses_each_shorter_body(&bytes);
        assert_eq!(Message::parse(&bytes).unwrap().body.starts_with(&[0, 0, 0, 16]), minor == 0);
    }
}

#[test]
fn errors_may_have_a_text_an_empty_one_or_none() {
    let kind = (11, OpCode::RESOLUTION, ResponseCode::SERVER_NOT_RESPONSIBLE);
    for (write, text) in [
        ((|w| w.error(b"not here")) as Write, &b"not here"[..]),
        (|w| w.error(b""), b""),
        (|w| w.done(), b""),
        (|w| w.raw(&[0, 0, 0, 1, b'x', 0, 0, 0, 1, 0, 0, 0, 7]), b"x"),
    ] {
        round_trip(kind, write, |response| {
            assert_eq!(response.body, ResponseBody::Error { message: text });
        });
    }
    let unknown = (11, OpCode::RESOLUTION, ResponseCode(999));
    round_trip(
        unknown,
        |w| w.error(b"new"),
        |r| assert_eq!((r.code, r.body), (ResponseCode(999), ResponseBody::Error { message: b"new" })),
    );
}

#[test]
fn limits_are_those_of_the_caller() {
    let head = respond_to(&request(11, OpCode::RESOLUTION, 0), &OWN, ResponseCode::SUCCESS, 0);
    let limit = ResponseLimits { handle_bytes: 3, values: 2 };
    let parse = |handle: &[u8], count: usize, limits| {
        let mut room = [0; 1000];
        let list = vec![ValueBuf::new(1, b"T", b""); count];
        let length = ResponseWriter::begin(&mut room, &head, None).resolution(handle, list).unwrap();
        Response::parse(&room[..length], limits).map(|_| ()).map_err(|failure| failure.error)
    };
    assert_eq!(parse(b"1/a", 2, limit), Ok(()));
    assert_eq!(parse(b"1/ab", 2, limit), Err(DecodeError::HandleTooLong { length: 4, limit: 3 }));
    assert_eq!(parse(b"1/a", 3, limit), Err(DecodeError::CountTooBig { count: 3, room: 2 }));
    assert_eq!(parse(b"1/ab", 3, ResponseLimits::WHOLE_MESSAGE), Ok(()));
}

#[test]
fn refuses_requests_and_unknown_digests() {
    let bytes = RequestWriter::new(Vec::new(), request(11, OpCode::RESERVED, 0)).site_info();
    let failure = Response::parse(&bytes, ResponseLimits::REFERENCE).unwrap_err();
    assert_eq!(failure.error, DecodeError::BadField { field: "response code", value: 0 });
    let kind = (11, OpCode::DELETE_HANDLE, ResponseCode::SUCCESS);
    let mut bytes = round_trip(kind, |writer| writer.done(), |_| ());
    bytes[44] = 9;
    let failure = Response::parse(&bytes, ResponseLimits::REFERENCE).unwrap_err();
    assert_eq!(failure.error, DecodeError::UnknownDigestAlgorithm(9));
}

#[test]
fn a_flag_without_a_digest_is_not_sent() {
    let head = respond_to(&request(11, OpCode::DELETE_HANDLE, 0x0080_0000), &OWN, ResponseCode::SUCCESS, 0);
    let mut room = [0; 100];
    let length = ResponseWriter::begin(&mut room, &head, None).done().unwrap();
    assert!(!Message::parse(&room[..length]).unwrap().header.flags.has(OpFlags::RRDG));
}

#[test]
fn every_smaller_room_tells_the_need() {
    let head = respond_to(&request(11, OpCode::RESOLUTION, 0x0080_0000), &OWN, ResponseCode::SUCCESS, 0);
    let write = |room: &mut [u8]| ResponseWriter::answer(room, &head, b"signed").resolution(b"1/a", values());
    let needed = write(&mut [0; 1000]).unwrap();
    for room in 0..needed {
        assert_eq!(write(&mut vec![0; room]), Err(NoRoom { needed }));
    }
    assert_eq!(write(&mut vec![0; needed]), Ok(needed));
}

proptest! {
    #[test]
    fn arbitrary_bodies_never_panic(op in 0u32..2002, code in 1u32..1000, flags: u32, minor in 0u8..12, body: Vec<u8>) {
        let mut head = request(minor, OpCode(op), flags);
        head.header.response_code = ResponseCode(code);
        let bytes = RequestWriter::new(Vec::new(), head).raw(OpCode(op), &body);
        let _ = Response::parse(&bytes, ResponseLimits::REFERENCE);
    }

    #[test]
    fn any_listing_comes_back(names: Vec<Vec<u8>>) {
        let head = respond_to(&request(11, OpCode::LIST_HANDLES, 0), &OWN, ResponseCode::SUCCESS, 0);
        let mut room = vec![0; 100_000];
        let length = ResponseWriter::begin(&mut room, &head, None).listing(names.iter().map(Vec::as_slice)).unwrap();
        let response = Response::parse(&room[..length], ResponseLimits::REFERENCE).unwrap();
        let ResponseBody::Listing { names: list } = response.body else { panic!("no listing") };
        prop_assert!(list.iter().eq(names.iter().map(Vec::as_slice)));
    }
}
