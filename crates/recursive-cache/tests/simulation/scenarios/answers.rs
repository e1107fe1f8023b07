//! What answers say, and what is learned from them.

use std::sync::Arc;

use waymark_recursive_cache::knowledge::{Fact, Learned, What};
use waymark_recursive_cache::plan::{Conclusion, Why};
use waymark_wire::{Permissions, ResponseCode, Ttl, ValueBuf};

use super::{BUSY, say, two_levels, url, why};
use crate::scene::{Scene, fact_of, found};
use crate::world::{ROOTS, Said, value};

fn facts(scene: &Scene) -> Vec<(&[u8], &Fact)> {
    let fact = |learned: &'_ Learned| matches!(learned.what, What::Fact { .. });
    let facts = scene.learned.iter().filter(|learned| fact(learned));
    facts
        .map(|learned| if let What::Fact { key, fact } = &learned.what { (&**key, &**fact) } else { unreachable!() })
        .collect()
}

/// "Ask for the whole public record (no filters)", so that the next question for other values of it is known.
#[test]
fn the_whole_record_is_asked_for_and_learned() {
    let (mut scene, node) = two_levels();
    let values: Vec<ValueBuf> = (1..5).rev().map(|index| value(index, b"URL", b"x")).collect();
    scene.world.put(node, b"88.1/m", values.clone());
    let mut asked = crate::scene::asked("88.1/m");
    asked.indexes = Box::new([2]);
    asked.types = Box::new([Box::from(&b"EMAIL"[..])]);
    assert_eq!(*found(&scene.resolve(asked)), fact_of(&values));
    let sent = scene.sent.last().unwrap();
    assert_eq!((sent.indexes.len(), sent.types.len()), (0, 0));
    assert_eq!(facts(&scene)[1], (&b"88.1/m"[..], &fact_of(&values)));
}

/// "Only publicly readable values are kept", also when a server shows others.
#[test]
fn values_without_the_public_read_bit_are_passed_over() {
    let (mut scene, node) = two_levels();
    let secret = ValueBuf { permissions: Permissions::SECRET, ..value(2, b"HS_SECKEY", b"secret") };
    scene.all_do(node, |request, _| {
        let secret = ValueBuf { permissions: Permissions::SECRET, ..value(2, b"HS_SECKEY", b"secret") };
        say(request, &Said::Values(b"88.1/a".to_vec(), vec![secret, value(1, b"URL", b"a")]))
    });
    assert_eq!(*found(&scene.ask("88.1/a")), fact_of(&url("a")));
    scene.memory = crate::memory::Memory::default();
    scene.all_do(node, |request, _| {
        let secret = ValueBuf { permissions: Permissions::SECRET, ..value(2, b"HS_SECKEY", b"secret") };
        say(request, &Said::Values(b"88.1/a".to_vec(), vec![secret]))
    });
    assert_eq!(*found(&scene.ask("88.1/a")), Fact::NoValues);
    assert_eq!(fact_of(&[secret]), Fact::NoValues);
}

/// "Smallest TTL of the values is the lifetime": relative as it is, absolute minus now, negative and unknown 0.
#[test]
fn the_smallest_time_to_live_of_the_values_is_the_lifetime() {
    let (scene, _) = two_levels();
    let now = i32::try_from(scene.now.unix_seconds).unwrap();
    for (ttls, expected) in [
        ([Ttl::Relative(50), Ttl::Relative(40)], 40),
        ([Ttl::Relative(50), Ttl::Absolute(now + 7)], 7),
        ([Ttl::Relative(50), Ttl::Absolute(now - 7)], 0),
        ([Ttl::Relative(50), Ttl::Relative(-1)], 0),
        ([Ttl::Relative(50), Ttl::Other { kind: 3, value: 9 }], 0),
    ] {
        let (mut scene, node) = two_levels();
        let values = (1..).zip(ttls).map(|(index, ttl)| ValueBuf { ttl, ..value(index, b"URL", b"x") }).collect();
        scene.world.put(node, b"88.1/t", values);
        match scene.ask("88.1/t") {
            Conclusion::Found { lifetime_seconds, .. } => assert_eq!(lifetime_seconds, Some(expected), "{ttls:?}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(scene.learned.last().unwrap().lifetime_seconds, Some(expected));
    }
}

/// "Values not found (200) differs from handle not found (100)."
#[test]
fn a_record_without_public_values_exists() {
    let (mut scene, node) = two_levels();
    scene.world.put(node, b"88.1/hidden", vec![ValueBuf { permissions: Permissions::SECRET, ..value(1, b"X", b"x") }]);
    assert_eq!(*found(&scene.ask("88.1/hidden")), Fact::NoValues);
    assert_eq!(*facts(&scene)[1].1, Fact::NoValues);
    assert_eq!(*found(&scene.ask("88.1/nothing")), Fact::Absent);
    assert_eq!(facts(&scene), [(&b"88.1/nothing"[..], &Fact::Absent)]);
    assert_eq!(scene.learned[0].lifetime_seconds, None);
}

/// "100 on a prefix record -> AbsentPrefix learned and concluded", and nothing beneath it is asked for while that is known.
#[test]
fn an_absent_prefix_is_learned() {
    let (mut scene, _) = two_levels();
    let absent = Conclusion::AbsentPrefix { prefix: Box::from(&b"88.7"[..]) };
    assert_eq!(scene.ask("88.7/a"), absent);
    assert!(scene.learned.iter().any(|learned| learned.what == What::AbsentPrefix { prefix: Box::from(&b"88.7"[..]) }));
    assert_eq!(scene.ask("88.7/b"), absent);
    assert_eq!(*found(&scene.ask("88.7")), Fact::Absent);
    assert_eq!(scene.sent.len(), 0);
}

/// Absence of a prefix is known even when the record as such is not.
#[test]
fn a_prefix_known_to_be_absent_is_not_asked_for() {
    let (mut scene, _) = two_levels();
    let what = What::AbsentPrefix { prefix: Box::from(&b"88.1"[..]) };
    scene.memory.learn(Learned { what, certified: false, lifetime_seconds: None }, scene.now);
    assert_eq!(scene.ask("88.1/a"), Conclusion::AbsentPrefix { prefix: Box::from(&b"88.1"[..]) });
    assert_eq!(scene.sent.len(), 0);
}

/// "Codes 2, 3, 4, 5, 6, 7: next candidate"; "401/402 under PUBL count as odd answers", as does any code that makes no sense.
#[test]
fn a_server_that_cannot_answer_is_passed_over() {
    for code in [2, 3, 4, 5, 6, 7, 101, 201, 202, 300, 400, 401, 402, 403, 405, 500, 603, 900, 4711] {
        let (mut scene, node) = two_levels();
        let lame = scene.world.services[node].sites[0].clone();
        for server in lame {
            let said = Said::Code(ResponseCode(code));
            scene.behaviours.insert(server, Box::new(move |request, _| say(request, &said)));
        }
        assert_eq!(*found(&scene.ask("88.1/a")), fact_of(&url("a")), "{code}");
        assert_eq!(scene.sent.len(), 3, "{code}");
        scene.memory = crate::memory::Memory::default();
        scene.all_do(node, move |request, _| say(request, &Said::Code(ResponseCode(code))));
        assert_eq!(why(&scene.ask("88.1/a")), Why::Unable, "{code}");
    }
}

/// "Answers must answer: operation, response flag, handle echoed equal to what was asked, values decodable, otherwise the candidate is
/// excluded and the others are asked."
#[test]
fn what_does_not_answer_is_passed_over() {
    type Spoil = fn(&[u8], Vec<u8>) -> Vec<u8>;
    let spoilt: [Spoil; 10] = [
        |request, _| say(request, &Said::Values(b"88.1/b".to_vec(), url("b"))).unwrap(),
        |request, _| say(request, &Said::Values(b"88.1/A".to_vec(), url("b"))).unwrap(),
        |request, _| request.to_vec(),
        |_, mut honest| {
            honest[20..24].copy_from_slice(&2_u32.to_be_bytes());
            honest
        },
        |request, _| {
            let mut absent = say(request, &Said::Code(ResponseCode::HANDLE_NOT_FOUND)).unwrap();
            absent[20..24].copy_from_slice(&2_u32.to_be_bytes());
            absent
        },
        |_, honest| honest[..honest.len() - 5].to_vec(),
        |_, _| Vec::new(),
        |_, mut honest| {
            honest[2] |= 0x40;
            honest
        },
        |_, mut honest| {
            // The type of the only value claims to be longer than the message.
            let at = honest.windows(3).position(|bytes| bytes == b"URL").unwrap() - 4;
            honest[at] = 0x7f;
            honest
        },
        |request, _| {
            let twice = vec![value(1, b"URL", b"one"), value(1, b"URL", b"other")];
            say(request, &Said::Values(b"88.1/a".to_vec(), twice)).unwrap()
        },
    ];
    for (at, spoil) in spoilt.into_iter().enumerate() {
        let (mut scene, node) = two_levels();
        for server in scene.world.services[node].sites[0].clone() {
            scene.behaviours.insert(server, Box::new(move |request, honest| Some(spoil(request, honest))));
        }
        assert_eq!(*found(&scene.ask("88.1/a")), fact_of(&url("a")), "{at}");
        assert_eq!(scene.sent.len(), 3, "{at}");
        scene.memory = crate::memory::Memory::default();
        scene.all_do(node, move |request, honest| Some(spoil(request, honest)));
        assert_eq!(why(&scene.ask("88.1/a")), Why::WrongAnswer, "{at}");
    }
}

/// A server that answered badly is not asked the same again, also when the others do not answer at all.
#[test]
fn silence_of_all_is_the_end() {
    let (mut scene, node) = two_levels();
    scene.all_do(node, |_, _| None);
    assert_eq!(why(&scene.ask("88.1/a")), Why::NoAnswer);
    assert_eq!(scene.handles_sent(), ["0.NA/88.1", "88.1/a", "88.1/a"]);
    scene.all_do(ROOTS, |request, _| say(request, &BUSY));
    assert_eq!(why(&scene.ask("88.2/a")), Why::Unable);
    assert_eq!(scene.sent.len(), 2);
}

/// "301 besides means a lame service: emit Lame for a service that came from knowledge and go one step up once."
#[test]
fn a_service_that_is_not_responsible_any_more_is_forgotten() {
    let (mut scene, node) = two_levels();
    scene.ask("88.1/a");
    let heir = scene.world.add(&[1]);
    scene.world.services[node].homed.clear();
    scene.world.services[ROOTS].records.clear();
    scene.world.delegate(ROOTS, b"88.1", heir);
    scene.world.put(heir, b"88.1/b", url("b"));
    assert_eq!(*found(&scene.ask("88.1/b")), fact_of(&url("b")));
    let lame =
        What::Lame { prefix: Box::from(&b"88.1"[..]), scope: waymark_recursive_cache::knowledge::Scope::Handles };
    assert_eq!(scene.learned[0].what, lame);
    // Both sites of the old service, the roots, the new one.
    assert_eq!(scene.handles_sent(), ["88.1/b", "88.1/b", "0.NA/88.1", "88.1/b"]);
    // A second time within one question nothing is left to go up to.
    scene.world.services[heir].homed.clear();
    assert_eq!(why(&scene.ask("88.1/c")), Why::NotResponsible);
    assert_eq!(scene.handles_sent(), ["88.1/c", "0.NA/88.1"]);
}

/// The same one level higher: a service for derived prefixes that gave them up.
#[test]
fn a_known_ancestor_that_is_not_responsible_any_more_is_forgotten() {
    let (mut scene, middle, node) = super::three_levels();
    scene.ask("88.1/a");
    scene.world.services[middle].derived.clear();
    scene.world.services[ROOTS].records.clear();
    scene.world.delegate(ROOTS, b"88.2", node);
    scene.world.put(node, b"88.2/a", url("b"));
    assert_eq!(*found(&scene.ask("88.2/a")), fact_of(&url("b")));
    let scope = waymark_recursive_cache::knowledge::Scope::DerivedPrefixes;
    assert_eq!(scene.learned[0].what, What::Lame { prefix: Box::from(&b"88"[..]), scope });
    assert_eq!(scene.handles_sent(), ["0.NA/88.2", "88.2", "0.NA/88.2", "88.2/a"]);
}

/// The same when it is only the prefix record that is remembered, or the record of the service handle in it.
#[test]
fn a_known_record_that_leads_to_the_wrong_service_is_read_anew() {
    let (mut scene, node) = two_levels();
    scene.ask("88.1");
    scene.memory.forget_services();
    let heir = scene.world.add(&[1]);
    scene.world.services[node].homed.clear();
    scene.world.services[ROOTS].records.clear();
    scene.world.delegate(ROOTS, b"88.1", heir);
    scene.world.put(heir, b"88.1/b", url("b"));
    assert_eq!(*found(&scene.ask("88.1/b")), fact_of(&url("b")));
    assert_eq!(scene.handles_sent(), ["88.1/b", "88.1/b", "0.NA/88.1", "88.1/b"]);

    let (mut scene, home, node) = super::walk::by_service_handle();
    scene.ask("88.1/a");
    scene.memory.forget_services();
    let heir = scene.world.add(&[1]);
    scene.world.services[node].homed.clear();
    scene.world.services[heir].homed.insert(b"88.1".to_vec());
    scene.world.put(heir, b"88.1/b", url("b"));
    let sites = scene.world.site_values(heir, waymark_wire::types::HS_SITE, 1);
    scene.world.services[home].records.insert(b"5/s".to_vec(), sites);
    assert_eq!(*found(&scene.ask("88.1/b")), fact_of(&url("b")));
    assert_eq!(scene.handles_sent(), ["88.1/b", "0.NA/88.1", "0.NA/5", "5/s", "88.1/b"]);
}

/// Once: when the service above is not responsible any more either, the question ends, and the next one goes on from there.
#[test]
fn only_one_step_up_is_taken() {
    let (mut scene, middle, node) = super::three_levels();
    scene.ask("88.1/a");
    let heir = scene.world.add(&[1]);
    scene.world.services[node].homed.clear();
    scene.world.services[middle].derived.clear();
    scene.world.services[ROOTS].records.clear();
    scene.world.delegate(ROOTS, b"88.1", heir);
    scene.world.put(heir, b"88.1/b", url("b"));
    assert_eq!(why(&scene.ask("88.1/b")), Why::NotResponsible);
    assert_eq!(scene.handles_sent(), ["88.1/b", "0.NA/88.1", "88.1"]);
    assert_eq!(*found(&scene.ask("88.1/b")), fact_of(&url("b")));
}

/// A service that this very question found is not lame but wrong: its 301 is the end, and nothing is forgotten.
#[test]
fn a_service_just_found_is_not_left_for_what_is_above_it() {
    let (mut scene, node) = two_levels();
    scene.world.services[node].homed.clear();
    assert_eq!(why(&scene.ask("88.1/a")), Why::NotResponsible);
    assert_eq!(scene.sent.len(), 3);
    assert!(!scene.learned.iter().any(|learned| matches!(learned.what, What::Lame { .. })));
}

/// "102 invalid handle": the authority's definite word on the handle asked.
#[test]
fn an_invalid_handle_is_refused_as_the_authority_does() {
    let (mut scene, node) = two_levels();
    scene.all_do(node, |request, _| say(request, &Said::Code(ResponseCode::INVALID_HANDLE)));
    assert_eq!(scene.ask("88.1/a"), Conclusion::Refused { code: ResponseCode::INVALID_HANDLE });
}

/// Servers tell cases apart or do not, so only prefixes fold in keys: another spelling of a suffix is another question.
#[test]
fn another_spelling_of_the_suffix_is_asked_for_anew() {
    let (mut scene, node) = two_levels();
    scene.ask("88.1/a");
    scene.world.put(node, b"88.1/A", url("large"));
    assert_eq!(*found(&scene.ask("88.1/A")), fact_of(&url("large")));
    assert_eq!(*found(&scene.ask("88.1/a")), fact_of(&url("a")));
    let shared: Arc<Fact> = found(&scene.ask("88.1/a"));
    assert_eq!(*shared, fact_of(&url("a")));
}
