//! Whom to ask: prefix records, sites, service handles, referrals.

use waymark_recursive_cache::knowledge::{Fact, Scope};
use waymark_recursive_cache::plan::{Conclusion, Purpose, Why};
use waymark_wire::ResponseCode;
use waymark_wire::types::{HS_ALIAS, HS_NA_DELEGATE, HS_SERV, HS_SERV_PREFIX, HS_SITE};

use super::{learned_services, say, three_levels, two_levels, url, why};
use crate::scene::{Scene, fact_of, found};
use crate::world::{ROOTS, Said, World, prefix_key, value};

/// "Foreign name -> the configured roots -> prefix's HS_SITE -> the site's server by request hash -> answer."
#[test]
fn the_prefix_record_says_whom_to_ask() {
    let (mut scene, node) = two_levels();
    assert_eq!(*found(&scene.ask("88.1/a")), fact_of(&url("a")));
    assert_eq!(scene.handles_sent(), ["0.NA/88.1", "88.1/a"]);
    assert_eq!(scene.world.place(scene.sent[1].server), (node, 0));
}

/// "Hash bucket: position in the site's server list." A server of the wrong bucket answers 301 here, and the question would go to the other
/// site.
#[test]
fn each_handle_is_asked_of_the_server_its_hash_chooses() {
    let (mut scene, node) = two_levels();
    for n in 0..20 {
        scene.world.put(node, format!("88.1/{n}").as_bytes(), url("x"));
        found(&scene.ask(&format!("88.1/{n}")));
        assert_eq!(scene.world.place(scene.sent.last().unwrap().server), (node, 0));
    }
}

/// "Longest known delegation": what is known of the prefix saves its record, what is known of the handle saves everything.
#[test]
fn what_is_known_is_not_asked_for_again() {
    let (mut scene, node) = two_levels();
    scene.world.put(node, b"88.1/b", url("b"));
    scene.ask("88.1/a");
    assert_eq!(*found(&scene.ask("88.1/b")), fact_of(&url("b")));
    assert_eq!(scene.handles_sent(), ["88.1/b"]);
    match scene.ask("88.1/a") {
        Conclusion::Found { fact, lifetime_seconds: None, from: None, .. } => assert_eq!(*fact, fact_of(&url("a"))),
        other => panic!("{other:?}"),
    }
    assert_eq!((scene.sent.len(), scene.learned.len()), (0, 0));
}

/// A prefix record that is known serves even when what follows from it was dropped; nobody can say for how long any more, so that is not
/// learned again.
#[test]
fn a_known_prefix_record_says_whom_to_ask() {
    let (mut scene, _) = two_levels();
    scene.ask("88.1");
    scene.memory.forget_services();
    found(&scene.ask("88.1/a"));
    assert_eq!(scene.handles_sent(), ["88.1/a"]);
    assert_eq!(learned_services(&scene), []);
}

/// "Bare prefix and `0.NA/`, both understood": `0.NA/x` is asked first, and `x` when that gives 301.
#[test]
fn servers_that_know_prefix_records_in_one_form_are_asked_in_it() {
    for (question, forms) in [
        ("88.1/a", ["0.NA/88.1", "88.1"]),
        ("88.1", ["0.NA/88.1", "88.1"]),
        ("0.NA/88.1", ["0.NA/88.1", "88.1"]),
        ("0.na/88.1", ["0.na/88.1", "88.1"]),
    ] {
        let (mut scene, _) = two_levels();
        assert!(matches!(*found(&scene.ask(question)), Fact::Values(_)), "{question}");
        assert_eq!(scene.handles_sent()[0], forms[0]);
        let (mut scene, _) = two_levels();
        scene.world.services[ROOTS].only_bare = true;
        assert!(matches!(*found(&scene.ask(question)), Fact::Values(_)), "{question}");
        // Both sites of the roots are asked in the first form.
        assert_eq!(scene.handles_sent()[..3], [forms[0], forms[0], forms[1]], "{question}");
    }
}

/// The same for 100 and 102: an older server that does not know `0.NA/x` is asked for `x` before that is believed.
#[test]
fn an_absent_or_invalid_prefix_record_is_asked_for_in_the_other_form() {
    for refusal in [ResponseCode::HANDLE_NOT_FOUND, ResponseCode::INVALID_HANDLE] {
        let (mut scene, _) = two_levels();
        scene.all_do(ROOTS, move |request, honest| {
            let is_full = request.windows(5).any(|bytes| bytes == b"0.NA/");
            if is_full { say(request, &Said::Code(refusal)) } else { Some(honest) }
        });
        found(&scene.ask("88.1/a"));
        assert_eq!(scene.handles_sent(), ["0.NA/88.1", "88.1", "88.1/a"]);
    }
}

/// When neither form has an answer, the first word stands: absent, although the other form is not served.
#[test]
fn what_the_first_form_was_told_stands_when_the_other_tells_nothing() {
    let (mut scene, _) = two_levels();
    scene.world.services[ROOTS].only_full = true;
    let prefix = Box::from(&b"88.2"[..]);
    assert_eq!(scene.ask("88.2/a"), Conclusion::AbsentPrefix { prefix });
    assert_eq!(scene.handles_sent(), ["0.NA/88.2", "88.2", "88.2"]);
}

/// What one service said is not what the one it refers to says: absent in one form, referred in the other, and no answer there.
#[test]
fn what_was_said_before_a_referral_does_not_stand() {
    let (mut scene, middle, _) = three_levels();
    scene.all_do(ROOTS, |request, honest| {
        let is_full = request.windows(5).any(|bytes| bytes == b"0.NA/");
        if is_full { say(request, &Said::Code(ResponseCode::HANDLE_NOT_FOUND)) } else { Some(honest) }
    });
    scene.all_do(middle, |_, _| None);
    assert_eq!(why(&scene.ask("88.1/a")), Why::NoAnswer);
    assert_eq!(scene.handles_sent(), ["0.NA/88.1", "88.1", "0.NA/88.1"]);
}

/// "Prefix referral: resolution on an absent prefix record whose nearest existing ancestor has public HS_SITE.PREFIX values -> rc 303 with an
/// empty handle and those values." What follows from it is remembered for the parent of the prefix asked.
#[test]
fn a_prefix_referral_is_followed_and_remembered() {
    let (mut scene, middle, node) = three_levels();
    assert_eq!(*found(&scene.ask("88.1/a")), fact_of(&url("a")));
    assert_eq!(scene.handles_sent(), ["0.NA/88.1", "0.NA/88.1", "88.1/a"]);
    let expected = [("88".into(), Scope::DerivedPrefixes), ("88.1".into(), Scope::Handles)];
    assert_eq!(learned_services(&scene), expected);
    // The next prefix derived from 88 does not bother the roots.
    scene.world.delegate(middle, b"88.2", node);
    scene.world.put(node, b"88.2/a", url("b"));
    found(&scene.ask("88.2/a"));
    assert_eq!(scene.world.place(scene.sent[0].server).0, middle);
    assert_eq!(scene.handles_sent(), ["0.NA/88.2", "88.2/a"]);
}

/// "HS_SITE.PREFIX (legacy HS_NA_DELEGATE)."
#[test]
fn the_legacy_name_of_prefix_delegations_is_known() {
    let mut world = World::new(&[1]);
    let (middle, node) = (world.add(&[1]), world.add(&[1]));
    let values = world.site_values(middle, HS_NA_DELEGATE, 1);
    world.put(ROOTS, &prefix_key(b"88"), values);
    world.services[middle].derived.insert(b"88".to_vec());
    world.delegate(middle, b"88.1", node);
    world.put(node, b"88.1/a", url("a"));
    assert_eq!(*found(&Scene::new(world).ask("88.1/a")), fact_of(&url("a")));
}

/// A prefix record that itself delegates derived prefixes teaches both services at once.
#[test]
fn a_prefix_record_teaches_both_of_its_services() {
    let (mut scene, node) = two_levels();
    scene.world.delegate_derived(ROOTS, b"88.1", node);
    scene.ask("88.1/a");
    let expected = [("88.1".into(), Scope::Handles), ("88.1".into(), Scope::DerivedPrefixes)];
    assert_eq!(learned_services(&scene), expected);
    // Longest known delegation: the record of a prefix derived from it is looked for there, without a referral.
    scene.ask("88.1.5/a");
    assert_eq!(scene.world.place(scene.sent[0].server).0, node);
}

/// Roots; a home of service handles under 5; and a service for 88.1 that is named by the handle 5/s.
pub(super) fn by_service_handle() -> (Scene, usize, usize) {
    let mut world = World::new(&[1]);
    let (home, node) = (world.add(&[1]), world.add(&[1]));
    world.delegate(ROOTS, b"5", home);
    let sites = world.site_values(node, HS_SITE, 3);
    world.put(home, b"5/s", sites);
    world.delegate_by_handle(ROOTS, b"88.1", node, b"5/s");
    world.put(node, b"88.1/a", url("a"));
    (Scene::new(world), home, node)
}

/// "HS_SERV: the text of a service handle (whose HS_SITE values are to be used)." It is resolved by the same plan.
#[test]
fn a_service_handle_is_resolved_for_its_sites() {
    let (mut scene, _, _) = by_service_handle();
    assert_eq!(*found(&scene.ask("88.1/a")), fact_of(&url("a")));
    assert_eq!(scene.handles_sent(), ["0.NA/88.1", "0.NA/5", "5/s", "88.1/a"]);
    let expected = [("5".into(), Scope::Handles), ("88.1".into(), Scope::Handles)];
    assert_eq!(learned_services(&scene), expected);
}

/// Nobody can say for how long what was known may still be used, so what follows from it is not learned.
#[test]
fn a_service_that_follows_from_what_was_known_is_not_learned() {
    let (mut scene, _, _) = by_service_handle();
    scene.ask("5/s");
    assert_eq!(*found(&scene.ask("88.1/a")), fact_of(&url("a")));
    assert_eq!(learned_services(&scene), []);
    let (mut scene, _, _) = by_service_handle();
    scene.ask("88.1");
    assert_eq!(*found(&scene.ask("88.1/a")), fact_of(&url("a")));
    assert_eq!(learned_services(&scene), [("5".into(), Scope::Handles)]);
}

/// The service lives no longer than the shorter of the two records it comes from.
#[test]
fn a_service_found_by_handle_lives_as_long_as_both_records() {
    for (handle_seconds, site_seconds, expected) in [(7, 9, 7), (9, 7, 7)] {
        let (mut scene, home, _) = by_service_handle();
        let live = |values: &mut Vec<waymark_wire::ValueBuf>, seconds| {
            values.iter_mut().for_each(|value| value.ttl = waymark_wire::Ttl::Relative(seconds));
        };
        live(scene.world.services[ROOTS].records.get_mut(&prefix_key(b"88.1")[..]).unwrap(), handle_seconds);
        live(scene.world.services[home].records.get_mut(&b"5/s"[..]).unwrap(), site_seconds);
        scene.ask("88.1/a");
        let is_service = |learned: &&waymark_recursive_cache::knowledge::Learned| matches!(&learned.what, waymark_recursive_cache::knowledge::What::Service { prefix, .. } if **prefix == *b"88.1");
        let learned = scene.learned.iter().find(is_service).unwrap();
        assert_eq!(learned.lifetime_seconds, Some(expected));
    }
}

/// A service handle that leads nowhere is no reason to give up when there is another.
#[test]
fn the_next_service_handle_is_tried() {
    let (mut scene, _, _) = by_service_handle();
    let record = scene.world.services[ROOTS].records.get_mut(&prefix_key(b"88.1")[..]).unwrap();
    record.insert(0, value(1, HS_SERV, b"77/nowhere"));
    assert_eq!(*found(&scene.ask("88.1/a")), fact_of(&url("a")));
}

/// "HS_SERV.PREFIX", and a referral that holds the handle of a service alone ("string handle, then, only if bytes remain, list<value>").
#[test]
fn prefix_referrals_may_name_a_service_handle() {
    for by_value in [true, false] {
        let (mut scene, _, node) = by_service_handle();
        scene.world.services[node].derived.insert(b"88".to_vec());
        let site = scene.world.site_values(node, HS_SITE, 1);
        scene.world.put(node, &prefix_key(b"88.3"), site);
        scene.world.services[node].homed.insert(b"88.3".to_vec());
        scene.world.put(node, b"88.3/a", url("c"));
        scene.world.put(ROOTS, &prefix_key(b"88"), vec![value(1, HS_SERV_PREFIX, b"5/s")]);
        if !by_value {
            scene.all_do(ROOTS, |request, honest| {
                let is_ours = request.windows(9).any(|bytes| bytes == b"0.NA/88.3");
                let to = Said::ReferralTo(ResponseCode::PREFIX_REFERRAL, b"5/s".to_vec());
                if is_ours { say(request, &to) } else { Some(honest) }
            });
        }
        assert_eq!(*found(&scene.ask("88.3/a")), fact_of(&url("c")), "{by_value}");
        assert_eq!(scene.handles_sent(), ["0.NA/88.3", "0.NA/5", "5/s", "0.NA/88.3", "88.3/a"]);
        assert!(learned_services(&scene).contains(&("88".into(), Scope::DerivedPrefixes)));
    }
}

/// "Aliases left to the client": the record with the HS_ALIAS is the answer.
#[test]
fn aliases_are_left_to_the_client() {
    let (mut scene, node) = two_levels();
    let alias = vec![value(1, HS_ALIAS, b"88.1/a")];
    scene.world.put(node, b"88.1/other", alias.clone());
    assert_eq!(*found(&scene.ask("88.1/other")), fact_of(&alias));
    assert_eq!(scene.sent.last().unwrap().handle, "88.1/other");
}

/// "A handle of a prefix delegated to another site: rc 302 with that site's HS_SITE values." It speaks for the handle asked, and nothing is
/// remembered of it.
#[test]
fn a_service_referral_is_followed_for_the_handle_alone() {
    let (mut scene, node) = two_levels();
    let other = scene.world.add(&[1]);
    scene.world.services[other].homed.insert(b"88.1".to_vec());
    scene.world.put(other, b"88.1/far", url("far"));
    let sites = scene.world.site_values(other, HS_SITE, 1);
    scene.world.services[node].refers.insert(b"88.1/far".to_vec(), sites);
    assert_eq!(*found(&scene.ask("88.1/far")), fact_of(&url("far")));
    assert_eq!(scene.handles_sent(), ["0.NA/88.1", "88.1/far", "88.1/far"]);
    assert_eq!(learned_services(&scene), [("88.1".into(), Scope::Handles)]);
}

/// A prefix record without any word on where its handles live is the end.
#[test]
fn a_prefix_record_without_a_service_is_the_end() {
    let (mut scene, _) = two_levels();
    scene.world.put(ROOTS, &prefix_key(b"88.9"), url("no site"));
    match scene.ask("88.9/a") {
        Conclusion::Unreachable { step: Purpose::Prefix, key, why: Why::NoService } => assert_eq!(*key, *b"0.NA/88.9"),
        other => panic!("{other:?}"),
    }
}

/// The handle without a prefix, and the prefix of no characters, are held by no server, so that none is asked.
#[test]
fn nobody_is_asked_for_what_nobody_can_hold() {
    let (mut scene, _) = two_levels();
    for handle in ["", "0.NA/", "/a"] {
        assert_eq!(*found(&scene.ask(handle)), Fact::Absent, "{handle:?}");
    }
    let long = "x".repeat(3_000);
    assert_eq!(scene.ask(&long), Conclusion::Refused { code: ResponseCode::INVALID_HANDLE });
    assert!(scene.sent.is_empty());
}

/// A site the plan cannot use, of HTTP doors alone for instance, is passed over; with none left there is nobody to ask.
#[test]
fn a_service_without_usable_servers_is_the_end() {
    let (mut scene, _) = two_levels();
    let http = scene.world.http_site();
    scene.world.put(ROOTS, &prefix_key(b"88.8"), vec![value(1, HS_SITE, &http)]);
    scene.world.services[ROOTS].homed.clear();
    assert_eq!(why(&scene.ask("88.8/a")), Why::NoServer);
}
