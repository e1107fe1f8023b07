//! Whom to believe what.

use waymark_recursive_cache::knowledge::{Fact, Scope};
use waymark_recursive_cache::plan::Why;
use waymark_wire::types::{HS_SITE, HS_SITE_PREFIX};
use waymark_wire::{Permissions, ResponseCode, ValueBuf};

use super::{learned_services, say, three_levels, two_levels, url, why};
use crate::scene::{fact_of, found};
use crate::world::{ROOTS, Said, value};

/// "Values of HS_SITE count only from the record of that very prefix": in the record of an ordinary handle they are data like any other.
#[test]
fn sites_in_ordinary_records_mean_nothing() {
    let (mut scene, node) = two_levels();
    let sites = scene.world.site_values(node, HS_SITE, 1);
    scene.world.put(node, b"88.1/sites", sites.clone());
    assert_eq!(*found(&scene.ask("88.1/sites")), fact_of(&sites));
    assert_eq!(learned_services(&scene), [("88.1".into(), Scope::Handles)]);
}

/// A service for handles may not answer for prefix records, whatever its values say: its own prefix record in its own hands is not asked.
#[test]
fn a_service_for_handles_is_not_asked_for_prefix_records() {
    let (mut scene, node) = two_levels();
    scene.ask("88.1/a");
    scene.ask("88.1.1/a");
    assert!(scene.sent.iter().all(|sent| scene.world.place(sent.server).0 == ROOTS), "{node}");
}

/// "303 may only delegate prefixes derived from where that service was responsible": for an ordinary handle it makes no sense, wherever it
/// leads.
#[test]
fn a_prefix_referral_for_an_ordinary_handle_is_no_answer() {
    let (mut scene, node) = two_levels();
    let sites = scene.world.site_values(ROOTS, HS_SITE_PREFIX, 1);
    scene.all_do(node, |_, _| None);
    for server in scene.world.services[node].sites.concat() {
        let said = Said::Referral(ResponseCode::PREFIX_REFERRAL, Vec::new(), sites.clone());
        scene.behaviours.insert(server, Box::new(move |request, _| say(request, &said)));
    }
    assert_eq!(why(&scene.ask("88.1/a")), Why::WrongAnswer);
    assert_eq!(learned_services(&scene), [("88.1".into(), Scope::Handles)]);
}

/// The same for a prefix without ancestors: nobody stands between it and the roots.
#[test]
fn a_prefix_referral_for_a_prefix_without_ancestors_is_no_answer() {
    let (mut scene, node) = two_levels();
    let sites = scene.world.site_values(node, HS_SITE_PREFIX, 1);
    for server in scene.world.services[ROOTS].sites.concat() {
        let said = Said::Referral(ResponseCode::PREFIX_REFERRAL, Vec::new(), sites.clone());
        scene.behaviours.insert(server, Box::new(move |request, _| say(request, &said)));
    }
    assert_eq!(why(&scene.ask("88/a")), Why::WrongAnswer);
    assert_eq!(scene.learned, []);
}

/// "302 only the handle asked": who was named for one handle may not say who answers for derived prefixes.
#[test]
fn a_service_named_for_one_handle_delegates_nothing() {
    let (mut scene, middle, node) = three_levels();
    let to_node = scene.world.site_values(node, HS_SITE, 1);
    scene.world.services[middle].refers.insert(b"0.NA/88.1".to_vec(), to_node);
    let sites = scene.world.site_values(middle, HS_SITE_PREFIX, 1);
    let server = scene.server(node, 0, 0);
    let said = Said::Referral(ResponseCode::PREFIX_REFERRAL, Vec::new(), sites);
    scene.behaviours.insert(server, Box::new(move |request, _| say(request, &said)));
    assert_eq!(why(&scene.ask("88.1/a")), Why::WrongAnswer);
    assert_eq!(learned_services(&scene), [("88".into(), Scope::DerivedPrefixes)], "of the roots alone");
}

/// 303 speaks by HS_SITE.PREFIX and 302 by HS_SITE; either without such values, or with none that are public, is no answer.
#[test]
fn a_referral_without_values_of_its_kind_is_no_answer() {
    let (scene, node) = two_levels();
    let derived = scene.world.site_values(node, HS_SITE_PREFIX, 1);
    let sites = scene.world.site_values(node, HS_SITE, 1);
    let hide = |values: &[ValueBuf]| -> Vec<ValueBuf> {
        values.iter().cloned().map(|value| ValueBuf { permissions: Permissions::SECRET, ..value }).collect()
    };
    let (prefix, service) = (ResponseCode::PREFIX_REFERRAL, ResponseCode::SERVICE_REFERRAL);
    for (code, values) in [
        (prefix, sites.clone()),
        (service, derived.clone()),
        (prefix, hide(&derived)),
        (service, hide(&sites)),
        (prefix, vec![value(1, HS_SITE_PREFIX, b"garbage")]),
        (service, Vec::new()),
    ] {
        let (mut scene, _) = two_levels();
        for server in scene.world.services[ROOTS].sites.concat() {
            let handle = if values.is_empty() { &b""[..] } else { b"5/s" };
            let said = Said::Referral(code, handle.to_vec(), values.clone());
            scene.behaviours.insert(server, Box::new(move |request, _| say(request, &said)));
        }
        assert_eq!(why(&scene.ask("88.1/a")), Why::WrongAnswer);
        assert_eq!(scene.sent.len(), 2, "a handle in front of values that cannot be used is not followed");
    }
}

/// Keys of services are prefixes that handles can have: `0.NA/0.NA/88` is a record at the roots like any other, not that of a prefix `0.NA/88`.
#[test]
fn the_record_of_no_prefix_teaches_no_service() {
    let (mut scene, node) = two_levels();
    let sites = scene.world.site_values(node, HS_SITE, 1);
    scene.world.put(ROOTS, b"0.NA/0.NA/88", sites.clone());
    assert_eq!(*found(&scene.ask("0.NA/0.NA/88")), fact_of(&sites));
    assert_eq!(learned_services(&scene), []);
    assert_eq!(*found(&scene.ask("0.NA/0.NA/89")), Fact::Absent);
    assert_eq!(scene.handles_sent(), ["0.NA/0.NA/89"]);
    assert_eq!(scene.learned.len(), 1);
}

/// A handle in front of the values of a referral does not make other handles' services: what counts are the values, for the handle asked.
#[test]
fn a_handle_in_a_referral_with_values_is_not_followed() {
    let (mut scene, node) = two_levels();
    let other = scene.world.add(&[1]);
    scene.world.services[other].homed.insert(b"88.1".to_vec());
    scene.world.put(other, b"88.1/far", url("far"));
    let sites = scene.world.site_values(other, HS_SITE, 1);
    for server in scene.world.services[node].sites.concat() {
        let said = Said::Referral(ResponseCode::SERVICE_REFERRAL, b"0.NA/99".to_vec(), sites.clone());
        scene.behaviours.insert(server, Box::new(move |request, _| say(request, &said)));
    }
    assert_eq!(*found(&scene.ask("88.1/far")), fact_of(&url("far")));
    assert_eq!(scene.handles_sent(), ["0.NA/88.1", "88.1/far", "88.1/far"]);
}
