//! Which values an answer gives.

use waymark_resolver::Transport;
use waymark_wire::crypto::request_digest;
use waymark_wire::limits::ResponseLimits;
use waymark_wire::response::{Response, ResponseBody};
use waymark_wire::{Message, OpFlags, Ttl, Version};

use crate::support::{
    Said, answerer, ask, hear, old_value, origin, request, resolution, resolution_with, settings, value_for,
};
use crate::{NOT_HERE, filtered, node, v4_site};

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
