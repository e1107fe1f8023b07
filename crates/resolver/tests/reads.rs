//! The rules of answering, one test each, with the rule quoted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

mod support;

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use support::{
    Ending, REQUEST_ID, Said, Shelf, answerer, ask, ask_slowly, hear, old_value, origin, request, resolution,
    resolution_with, said, settings, site_at, value_for,
};
use waymark_resolver::{Answerer, DropReason, Origin, SlowReason, Transport};
use waymark_wire::crypto::request_digest;
use waymark_wire::crypto::signed_message::verify_certified;
use waymark_wire::limits::ResponseLimits;
use waymark_wire::message::Head;
use waymark_wire::request::RequestWriter;
use waymark_wire::response::{Response, ResponseBody};
use waymark_wire::{Message, OpFlags, Permissions, Ttl, Version};

const NOT_HERE: &str = "That prefix doesn't live here";

fn v4_site() -> Vec<u8> {
    site_at(IpAddr::from([192, 0, 2, 1]), 7, true)
}

fn v6_site() -> Vec<u8> {
    site_at("2001:db8::1".parse().unwrap(), 7, true)
}

/// A node that serves `88.111.1` and the prefix records derived from `88.111`.
fn node() -> (Shelf, Answerer) {
    let shelf = Shelf::empty();
    shelf.home("88.111.1");
    shelf.home("0.NA/0.NA/88.111");
    let values = [
        old_value(3, "URL.ALT", b"https://alt.example.org/"),
        old_value(1, "URL", b"https://example.org/"),
        old_value(2, "EMAIL", b"a@example.org"),
        value_for(0x0c, 7, "SECRET.NOTE", b"only administrators"),
    ];
    shelf.put("88.111.1/Mixed", &values);
    shelf.put("88.111.1/nobody", &[old_value(1, "URL", b"x"), value_for(0x04, 8, "NOBODY", b"x")]);
    shelf.put("88.111.1/both", &[value_for(0x0c, 1, "SECRET", b"x"), value_for(0x04, 2, "NOBODY", b"x")]);
    shelf.put("88.111.1/empty", &[]);
    let answerer = answerer(&shelf.catalog, settings(vec![v6_site(), v4_site()]));
    (shelf, answerer)
}

/// A resolution by index and type, of values the public may read.
fn filtered(handle: &str, indexes: &[u32], types: &[&[u8]]) -> Vec<u8> {
    request(OpFlags::USUAL).resolution(handle.as_bytes(), indexes, types, None)
}

/// "resolve: handle absent: 100."
#[test]
fn an_absent_handle_of_a_prefix_of_ours_is_not_found() {
    let (_shelf, mut node) = node();
    assert_eq!(hear(&mut node, &resolution("88.111.1/none")), Said::code(100));
    assert_eq!(
        hear(&mut node, &request(OpFlags::USUAL).resolution(b"88.111.1/\xff\0", &[], &[], None)),
        Said::code(100)
    );
}

/// "resolve: handle exists, no value matches / none visible under PUBL / record has zero values: 200."
#[test]
fn a_handle_without_a_value_to_give_says_values_not_found() {
    let (_shelf, mut node) = node();
    assert_eq!(hear(&mut node, &filtered("88.111.1/mixed", &[55], &[b"NOPE"])), Said::code(200));
    assert_eq!(hear(&mut node, &filtered("88.111.1/mixed", &[7], &[])), Said::code(200));
    assert_eq!(hear(&mut node, &filtered("88.111.1/mixed", &[0], &[])), Said::code(200));
    assert_eq!(hear(&mut node, &filtered("88.111.1/mixed", &[], &[b"", b"."])), Said::code(200));
    assert_eq!(hear(&mut node, &resolution("88.111.1/empty")), Said::code(200));
    assert_eq!(hear(&mut node, &resolution_with(OpFlags::NONE, "88.111.1/empty")), Said::code(200));
}

/// "resolve: prefix not homed here: 301", also for what is stored of it, and for prefix records no marker covers.
#[test]
fn a_foreign_prefix_does_not_live_here() {
    let (shelf, mut node) = node();
    for handle in ["10.1000/1", "99.9", "0.NA/99.9", "0.NA/88.111", "hello", "", "/", "0", "88.111.5/x"] {
        assert_eq!(hear(&mut node, &resolution(handle)), Said::Code(301, NOT_HERE.into()), "{handle}");
    }
    shelf.home("20.500.1");
    shelf.put("20.500.1/x", &[old_value(1, "URL", b"x")]);
    assert_eq!(hear(&mut node, &resolution("20.500.1/x")), Said::values("20.500.1/x", &[(1, "URL")]));
    shelf
        .write(vec![waymark_catalog::Command::Unhome { name: waymark_catalog::HomeName::parse(b"20.500.1").unwrap() }]);
    assert_eq!(hear(&mut node, &resolution("20.500.1/x")), Said::Code(301, NOT_HERE.into()), "stored, and not told");
}

/// "resolve without PUBL, a selected value is admin-readable only: 402"; the body starts with the digest of the request whether or not
/// RRDG was set, the session id is one of the server's.
#[test]
fn a_restricted_value_draws_a_challenge() {
    let (_shelf, mut node) = node();
    let asked = resolution_with(OpFlags::RECU, "88.111.1/mixed");
    let mut nonces = Vec::new();
    for transport in Transport::ALL {
        let answer = ask(&mut node, origin(transport), &asked).answer();
        let response = Response::parse(&answer, ResponseLimits::REFERENCE).unwrap();
        let ResponseBody::Challenge { nonce } = response.body else { panic!("{response:?}") };
        assert_eq!(nonce.len(), 16);
        let digest = request_digest(Version::CURRENT, Message::parse(&asked).unwrap().signed);
        assert_eq!(response.digest, Some(digest));
        assert!(response.message.header.flags.has(OpFlags::RRDG));
        assert!((0x4000_0000..=0x7fff_ffff).contains(&response.message.envelope.session_id));
        nonces.push((nonce.to_vec(), response.message.envelope.session_id));
    }
    nonces.dedup();
    assert_eq!(nonces.len(), 3, "no challenge is like another");
    let public_only = request(OpFlags::RECU).resolution(b"88.111.1/mixed", &[1, 2], &[], None);
    assert_eq!(
        hear(&mut node, &public_only),
        Said::values("88.111.1/mixed", &[(1, "URL"), (2, "EMAIL")]),
        "no restricted value is selected: no authentication is asked for"
    );
}

/// "resolve without PUBL, a selected value is readable by nobody: 401": proving who one is would not help.
#[test]
fn a_value_for_nobody_is_denied_even_beside_a_restricted_one() {
    let (_shelf, mut node) = node();
    assert_eq!(hear(&mut node, &resolution_with(OpFlags::RECU, "88.111.1/nobody")), Said::code(401));
    assert_eq!(hear(&mut node, &resolution_with(OpFlags::RECU, "88.111.1/both")), Said::code(401));
    assert_eq!(hear(&mut node, &resolution("88.111.1/nobody")), Said::values("88.111.1/nobody", &[(1, "URL")]));
}

/// "resolve `0.SITE/status` (monitoring off): 200"; without PUBL 402. No other record of `0.SITE` is known.
#[test]
fn the_status_record_has_nothing_for_the_public() {
    let (_shelf, mut node) = node();
    assert_eq!(hear(&mut node, &resolution("0.site/STATUS")), Said::code(200));
    assert_eq!(hear(&mut node, &resolution_with(OpFlags::RECU, "0.SITE/status")), Said::Challenge);
    assert_eq!(hear(&mut node, &resolution("0.SITE/DB_STATUS")), Said::Code(301, NOT_HERE.into()));
}

/// "wrong server of a multi-server site: 301 Request was hashed incorrectly."
#[test]
fn each_server_of_a_site_answers_for_its_share_only() {
    let (shelf, _) = node();
    let mut site = v4_site();
    let server = site.split_off(20);
    site[19] = 2;
    let site = [site, server.clone(), server].concat();
    let mut said_by = Vec::new();
    for own_position in 0..2 {
        let mut both = settings(vec![v4_site()]);
        both.sites = waymark_resolver::SiteSet::new(waymark_resolver::SiteSetOptions {
            sites: vec![site.clone()],
            own_position,
            ttl: Ttl::DAY,
            timestamp: 0,
        })
        .unwrap();
        said_by.push(hear(&mut answerer(&shelf.catalog, both), &filtered("88.111.1/mixed", &[1], &[])));
    }
    said_by.sort_by_key(|said| matches!(said, Said::Code(..)));
    let other = Said::Code(301, "Request was hashed incorrectly".into());
    assert_eq!(said_by, [Said::values("88.111.1/mixed", &[(1, "URL")]), other]);
}

/// "Index and type filters are a union"; values in ascending order of index; a type with a final dot means its sub-types too.
#[test]
fn indexes_and_types_select_together_in_ascending_order() {
    let (_shelf, mut node) = node();
    let mut select = |indexes: &[u32], types: &[&[u8]]| hear(&mut node, &filtered("88.111.1/mixed", indexes, types));
    let all = [(1, "URL"), (2, "EMAIL"), (3, "URL.ALT")];
    assert_eq!(select(&[], &[]), Said::values("88.111.1/mixed", &all));
    assert_eq!(select(&[3, 1, 1], &[b"email"]), Said::values("88.111.1/mixed", &all));
    assert_eq!(select(&[], &[b"url."]), Said::values("88.111.1/mixed", &[(1, "URL"), (3, "URL.ALT")]));
    assert_eq!(select(&[], &[b"URL"]), Said::values("88.111.1/mixed", &[(1, "URL")]));
}

/// Values given here and there in a record come whole and in order, however many gaps there are between them.
#[test]
fn values_between_restricted_ones_are_all_given() {
    let (shelf, mut node) = node();
    for gaps in 0..10 {
        let permissions = |index: u32| if index.is_multiple_of(2) && index <= 2 * gaps { 0x0c } else { 0x0e };
        let values: Vec<_> = (1..=21).map(|index| value_for(permissions(index), index, "T", &[7; 3])).collect();
        shelf.put("88.111.1/gaps", &values);
        let given: Vec<_> = (1..=21).filter(|index| permissions(*index) == 0x0e).map(|index| (index, "T")).collect();
        assert_eq!(hear(&mut node, &resolution("88.111.1/gaps")), Said::values("88.111.1/gaps", &given), "{gaps}");
    }
}

/// "A case-insensitive server folds the whole handle, echoes what was asked."
#[test]
fn case_of_ascii_letters_does_not_matter_and_is_echoed() {
    let (_shelf, mut node) = node();
    for handle in ["88.111.1/MIXED", "88.111.1/mixed", "88.111.1/Mixed"] {
        assert_eq!(hear(&mut node, &filtered(handle, &[1], &[])), Said::values(handle, &[(1, "URL")]));
    }
}

/// "Prefix referral: resolution on an absent prefix record whose nearest existing ancestor has public HS_SITE.PREFIX / HS_SERV.PREFIX
/// values: 303 with an empty handle and those values, unless DNRF (then 100)."
#[test]
fn an_absent_prefix_is_referred_to_where_its_nearest_ancestor_says() {
    let (shelf, mut node) = node();
    let delegates = |kind: &str| {
        [old_value(1, kind, b"site"), old_value(2, "URL", b"x"), value_for(0x0c, 3, "HS_SITE.PREFIX", b"restricted")]
    };
    shelf.put("0.NA/88.111.6", &delegates("HS_SITE.PREFIX"));
    shelf.put("0.NA/88.111.7", &delegates("HS_SERV.PREFIX"));
    shelf.put("0.NA/88.111.8", &delegates("hs_na_delegate"));
    shelf.put("0.NA/88.111.6.1", &[old_value(1, "DESC", b"an ancestor that delegates nothing")]);
    let referred = |kind: &str| Said::referral(303, &[(1, kind)]);
    assert_eq!(hear(&mut node, &resolution("0.NA/88.111.6.5")), referred("HS_SITE.PREFIX"));
    assert_eq!(hear(&mut node, &resolution("88.111.6.5.4.3")), referred("HS_SITE.PREFIX"), "bare, and far below");
    assert_eq!(hear(&mut node, &resolution("0.na/88.111.7.5")), referred("HS_SERV.PREFIX"));
    assert_eq!(hear(&mut node, &resolution("0.NA/88.111.8.5")), referred("hs_na_delegate"));
    assert_eq!(hear(&mut node, &resolution("0.NA/88.111.6.1.1")), Said::code(100), "the nearest ancestor decides");
    let unwelcome = OpFlags::USUAL.with(OpFlags::DNRF);
    assert_eq!(hear(&mut node, &resolution_with(unwelcome, "0.NA/88.111.6.5")), Said::code(100));
    assert_eq!(hear(&mut node, &resolution("0.NA/88.111.9")), Said::code(100), "no ancestor is stored");
    assert_eq!(hear(&mut node, &resolution("0.NA/88.111.6.5/x")), Said::code(100), "no prefix at all");
}

/// "Clients suggesting < 2.10 get the referral followed on their behalf or an error 2"; the suggestion counts, not the version, and a
/// client without a suggestion suggests its version.
#[test]
fn a_client_too_old_for_prefix_referrals_gets_an_error() {
    let (shelf, mut node) = node();
    shelf.put("0.NA/88.111.6", &[old_value(1, "HS_SITE.PREFIX", b"site")]);
    let mut ask = |version: (u8, u8), suggested: (u8, u8)| {
        let mut head = Head::request(REQUEST_ID, OpFlags::USUAL, 0);
        head.envelope.version = Version::new(version.0, version.1);
        head.envelope.suggested = Version::new(suggested.0, suggested.1);
        hear(&mut node, &RequestWriter::new(Vec::new(), head).resolution(b"0.NA/88.111.6.5", &[], &[], None))
    };
    let referral = Said::referral(303, &[(1, "HS_SITE.PREFIX")]);
    assert_eq!(ask((2, 3), (2, 11)), referral);
    assert_eq!(ask((2, 10), (0, 0)), referral);
    assert!(matches!(ask((2, 9), (2, 9)), Said::Code(2, _)));
    assert!(matches!(ask((2, 3), (0, 0)), Said::Code(2, _)));
}

/// "A handle of a prefix delegated to another site: 302 with that site's HS_SITE values; 301 when DNRF is set."
#[test]
fn a_handle_of_a_delegated_prefix_is_referred_to_its_site() {
    let (shelf, mut node) = node();
    let elsewhere = site_at(IpAddr::from([198, 51, 100, 1]), 1, true);
    let values = [
        old_value(1, "HS_SITE", &elsewhere),
        old_value(2, "HS_SITE", &v4_site()),
        old_value(3, "HS_SERV", b"0.SERV/x"),
        value_for(0x0c, 4, "HS_SITE", &elsewhere),
        old_value(100, "HS_ADMIN", b"x"),
    ];
    shelf.put("0.NA/88.111.5", &values);
    let expected = Said::referral(302, &[(1, "HS_SITE"), (3, "HS_SERV")]);
    assert_eq!(hear(&mut node, &resolution("88.111.5/x")), expected, "public, and not ourselves");
    let unwelcome = OpFlags::USUAL.with(OpFlags::DNRF);
    let not_here = Said::Code(301, NOT_HERE.into());
    assert_eq!(hear(&mut node, &resolution_with(unwelcome, "88.111.5/x")), not_here);
    shelf.put("0.NA/88.111.5", &[old_value(2, "HS_SITE", &v4_site())]);
    assert_eq!(hear(&mut node, &resolution("88.111.5/x")), not_here, "a referral to ourselves would go in circles");
    shelf.put("0.NA/88.111.5", &[old_value(1, "URL", b"x")]);
    assert_eq!(hear(&mut node, &resolution("88.111.5/x")), not_here, "delegated to nobody");
}

/// The record of a homed prefix tells our sites where it tells none: at free indexes from 1 up, IPv4 first, merged in ascending order.
#[test]
fn the_record_of_a_homed_prefix_tells_our_sites_when_it_tells_none() {
    let (shelf, mut node) = node();
    let sites = [(1, "HS_SITE"), (2, "HS_SITE")];
    assert_eq!(hear(&mut node, &resolution("0.NA/88.111.1")), Said::values("0.NA/88.111.1", &sites), "no record");
    assert_eq!(hear(&mut node, &resolution("88.111.1")), Said::values("88.111.1", &sites), "bare");
    shelf.put("0.NA/88.111.1", &[old_value(1, "DESC", b"x"), old_value(3, "HS_ADMIN", b"x")]);
    let merged = [(1, "DESC"), (2, "HS_SITE"), (3, "HS_ADMIN"), (4, "HS_SITE")];
    assert_eq!(hear(&mut node, &resolution("88.111.1")), Said::values("88.111.1", &merged));
    assert_eq!(
        hear(&mut node, &filtered("88.111.1", &[4], &[b"DESC"])),
        Said::values("88.111.1", &[merged[0], merged[3]])
    );
    assert_eq!(
        hear(&mut node, &filtered("88.111.1", &[], &[b"HS_SITE"])),
        Said::values("88.111.1", &[merged[1], merged[3]])
    );

    let answer = ask(&mut node, origin(Transport::Tcp), &resolution("88.111.1")).answer();
    let response = Response::parse(&answer, ResponseLimits::REFERENCE).unwrap();
    let ResponseBody::Resolution { values, .. } = response.body else { panic!("{response:?}") };
    let told: Vec<_> = values.iter().filter(|value| value.kind == b"HS_SITE").collect();
    assert_eq!([told[0].data, told[1].data], [&v4_site()[..], &v6_site()[..]]);
    assert!(told.iter().all(|value| value.permissions == Permissions::USUAL && value.ttl == Ttl::DAY));

    shelf.put("0.NA/88.111.1", &[old_value(9, "HS_SITE", b"its own")]);
    assert_eq!(
        hear(&mut node, &resolution("88.111.1")),
        Said::values("88.111.1", &[(9, "HS_SITE")]),
        "stored ones replace ours"
    );
    shelf.put("0.NA/88.111.2", &[old_value(1, "DESC", b"x")]);
    assert_eq!(
        hear(&mut node, &resolution("88.111.2")),
        Said::values("88.111.2", &[(1, "DESC")]),
        "not homed: not told"
    );
}

/// "get site info: raw HS_SITE bytes", those of the asker's address family; an empty string or a missing body are accepted.
#[test]
fn site_information_is_that_of_the_askers_address_family() {
    let (_shelf, mut node) = node();
    let full = request(OpFlags::USUAL).site_info();
    let mut empty = full.clone();
    empty.truncate(44);
    empty[19] = 24;
    empty[43] = 0;
    let six = Origin { peer: SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 2], 5)), ..origin(Transport::Udp) };
    for asked in [full, empty] {
        for (from, site) in [(origin(Transport::Udp), v4_site()), (six, v6_site())] {
            let answer = ask(&mut node, from, &asked).answer();
            let message = Message::parse(&answer).unwrap();
            assert_eq!((message.body, message.header.site_serial), (&site[..], 7));
        }
    }
}

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
        assert_eq!(verify_certified(&message, support::test_key().public_key()), Ok(()), "{code}");
    }
    for minor in [1, 5, 6, 7, 8, 11] {
        let mut head = Head::request(REQUEST_ID, certified, 0);
        head.envelope.version = Version::new(2, minor);
        head.envelope.suggested = Version::new(2, minor);
        let asked = RequestWriter::new(Vec::new(), head).resolution(b"88.111.1/mixed", &[1], &[], None);
        let answer = ask(&mut node, origin(Transport::Tcp), &asked).answer();
        let message = Message::parse(&answer).unwrap();
        assert_eq!(verify_certified(&message, support::test_key().public_key()), Ok(()), "version 2.{minor}");
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

/// An answer that no message can hold becomes an error that says what to do, signed when asked; single values can still be had.
#[test]
fn an_answer_longer_than_a_message_is_refused_with_advice() {
    let (shelf, _) = node();
    let mut site = v4_site();
    let key = vec![0x4b; 30_000];
    site.splice(40..44, [&30_000_u32.to_be_bytes()[..], &key].concat());
    let mut node = answerer(&shelf.catalog, settings(vec![site]));
    let values = |bytes: usize| [old_value(1, "BLOB", &vec![0x61; bytes]), old_value(2, "U", b"x")];
    let most = 262_144 - 30_060 - 24 - 4 - (4 + 8 + 4) - (26 + 4) - (26 + 2) - (26 + 7);
    shelf.put("0.NA/88.111.1", &values(most));
    let told = [(1, "BLOB"), (2, "U"), (3, "HS_SITE")];
    assert_eq!(hear(&mut node, &resolution("88.111.1")), Said::values("88.111.1", &told), "this just fits");
    let certified = OpFlags::USUAL.with(OpFlags::CERT);
    let too_long = |said: Said| assert!(matches!(&said, Said::Code(2, text) if text.contains("262144")), "{said:?}");
    let answer = ask(&mut node, origin(Transport::Tcp), &resolution_with(certified, "88.111.1")).answer();
    too_long(said(&answer));
    let message = Message::parse(&answer).unwrap();
    assert_eq!(verify_certified(&message, support::test_key().public_key()), Ok(()), "the signature made it too long");
    shelf.put("0.NA/88.111.1", &values(most + 1));
    too_long(hear(&mut node, &resolution("88.111.1")));
    assert_eq!(hear(&mut node, &filtered("88.111.1", &[2], &[])), Said::values("88.111.1", &[(2, "U")]));
}

/// Index and type lists of any length are answered, slowly when they are long, up to a bound on the work.
#[test]
fn long_filters_are_answered_slowly_and_endless_ones_refused() {
    let (shelf, mut node) = node();
    let many: Vec<_> = (1..=1_000).map(|index| old_value(index, "T", b"")).collect();
    shelf.put("88.111.1/many", &many);
    let indexes = |count: u32| (0..count).map(|number| 500 + number).collect::<Vec<u32>>();
    let mut select = |count: u32| hear(&mut node, &filtered("88.111.1/many", &indexes(count), &[]));
    assert!(matches!(select(60), Said::Values(_, values) if values.len() == 60));
    assert!(matches!(select(2_000), Said::Values(_, values) if values.len() == 501));
    assert!(matches!(select(40_000), Said::Code(4, text) if text.contains("Too many")));
    assert_eq!(node.counters().snapshot().continued(Transport::Tcp, SlowReason::LongFilter), 2);
}

/// "Keep open when the request has KPAL, or is version 2.10, or carries the extra resolution field, or op 2001; otherwise close."
#[test]
fn connections_stay_open_for_those_who_need_it() {
    let (_shelf, mut node) = node();
    let mut keeps = |asked: &[u8]| match ask(&mut node, origin(Transport::Tcp), asked) {
        Ending::Answer { keep_open, .. } => keep_open,
        Ending::Dropped(reason) => panic!("{reason:?}"),
    };
    let mut of_dialect = resolution("0");
    of_dialect[1] = 10;
    assert!(!keeps(&resolution("88.111.1/mixed")));
    assert!(keeps(&resolution_with(OpFlags::USUAL.with(OpFlags::KPAL), "88.111.1/mixed")));
    assert!(keeps(&of_dialect), "the heart-beat of the dialect's clients");
    assert!(keeps(&request(OpFlags::USUAL).resolution(b"88.111.1/mixed", &[], &[], Some(b""))));
    let certified = resolution_with(OpFlags::USUAL.with(OpFlags::KPAL).with(OpFlags::CERT), "88.111.1/mixed");
    assert!(keeps(&certified), "slow answers too");
}

/// Each question is counted once where it ends: as an answer or as a drop.
#[test]
fn every_exit_is_counted_exactly_once() {
    let (_shelf, mut node) = node();
    let asked = [
        resolution("88.111.1/mixed"),
        resolution("88.111.1/none"),
        resolution("10.1000/1"),
        resolution_with(OpFlags::CERT, "88.111.1/mixed"),
        resolution_with(OpFlags::RECU, "88.111.1/mixed"),
        request(OpFlags::USUAL).site_info(),
        resolution("x")[..50].to_vec(),
        resolution("x")[..10].to_vec(),
    ];
    for request in &asked {
        ask(&mut node, origin(Transport::Quic), request);
    }
    let seen = node.counters().snapshot();
    let dropped: u64 = DropReason::ALL.iter().map(|reason| seen.dropped(Transport::Quic, *reason)).sum();
    assert_eq!((seen.answered_in_all(Transport::Quic), dropped), (7, 1));
    assert_eq!(seen.answered_in_all(Transport::Udp) + seen.answered_in_all(Transport::Tcp), 0);
}

/// Whatever bytes come in: no panic, nothing left pending, answers are whole responses with the request's own id that fit their room.
#[test]
fn no_bytes_upset_the_answerer() {
    let (_shelf, mut node) = node();
    let seeds = [
        resolution("88.111.1/mixed"),
        filtered("88.111.1/mixed", &[1, 2], &[b"URL.", b"EMAIL"]),
        resolution_with(OpFlags::RRDG.with(OpFlags::CERT), "0.NA/88.111.1"),
        request(OpFlags::USUAL).site_info(),
        request(OpFlags::USUAL).resolution(b"88.111.6.5", &[], &[], Some(b"token")),
    ];
    // Edits are an offset and a byte; the offset may lie behind the end, and then lengthens the request.
    let edits = prop::collection::vec((0..140_usize, any::<u8>()), 0..6);
    let mut runner = TestRunner::new(ProptestConfig { cases: 4_000, ..ProptestConfig::default() });
    let asked = (0..seeds.len(), edits, 0..200_usize);
    let node = std::cell::RefCell::new(&mut node);
    let outcome = runner.run(&asked, |(seed, edits, length)| {
        let mut bytes = seeds[seed].clone();
        for (at, byte) in edits {
            bytes.resize(bytes.len().max(at + 1), 0);
            bytes[at] = byte;
        }
        bytes.truncate(length);
        match ask(&mut node.borrow_mut(), origin(Transport::Udp), &bytes) {
            Ending::Dropped(_) => {
                prop_assert!(bytes.len() < 20 || bytes.get(24..28).is_some_and(|code| code != [0; 4]))
            }
            Ending::Answer { bytes: answer, .. } => {
                let message = Message::parse(&answer).unwrap();
                prop_assert!(!message.is_request());
                prop_assert_eq!(&answer[8..12], &bytes[8..12]);
                Response::parse(&answer, ResponseLimits::WHOLE_MESSAGE).unwrap();
            }
        }
        Ok(())
    });
    outcome.unwrap();
}

/// Questions of a batch do not touch each other, whatever its length and mixture.
#[test]
fn a_long_mixed_batch_is_answered_like_single_questions() {
    let (_shelf, mut node) = node();
    let kinds = [
        resolution("88.111.1/mixed"),
        resolution("88.111.1/none"),
        resolution("88.111.1/mixed")[..30].to_vec(),
        resolution_with(OpFlags::USUAL.with(OpFlags::CERT), "88.111.1/mixed"),
        resolution("0.NA/88.111.1"),
        resolution("x")[..10].to_vec(),
        filtered("88.111.1/nobody", &[1], &[]),
    ];
    let mut rooms = vec![vec![0; 1_024]; 301];
    let mut batch: Vec<_> = rooms
        .iter_mut()
        .enumerate()
        .map(|(at, room)| waymark_resolver::Question::new(origin(Transport::Udp), &kinds[at % kinds.len()], room))
        .collect();
    node.answer_batch(support::NOW, &mut batch);
    let actions: Vec<_> = batch.iter().map(|question| question.action).collect();
    for (at, (action, room)) in actions.into_iter().zip(&rooms).enumerate() {
        let alone = match action {
            waymark_resolver::Action::Continue(_) => continue,
            waymark_resolver::Action::Reply { length, .. } => room[..length].to_vec(),
            waymark_resolver::Action::Drop(_) => {
                assert_eq!(at % kinds.len(), 5);
                continue;
            }
            other => panic!("{other:?}"),
        };
        let expected = ask(&mut node, origin(Transport::Udp), &kinds[at % kinds.len()]).answer();
        assert_eq!(alone, expected, "question {at}");
        assert_eq!(ask_slowly(&mut node, origin(Transport::Udp), &kinds[at % kinds.len()]).answer(), expected);
    }
}
