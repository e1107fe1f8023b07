//! Prefixes: referrals, delegation, the sites of this node.

use std::net::{IpAddr, SocketAddr};

use waymark_resolver::{Origin, Transport};
use waymark_wire::limits::ResponseLimits;
use waymark_wire::message::Head;
use waymark_wire::request::RequestWriter;
use waymark_wire::response::{Response, ResponseBody};
use waymark_wire::{Message, OpFlags, Permissions, Ttl, Version};

use crate::support::{
    REQUEST_ID, Said, ask, hear, old_value, origin, request, resolution, resolution_with, site_at, value_for,
};
use crate::{NOT_HERE, filtered, node, v4_site, v6_site};

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
