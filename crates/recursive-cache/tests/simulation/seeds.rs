//! Thousands of worlds, each with faults of its own: whatever happens, a question ends in time and is never answered with what is not so.
//!
//! `WAYMARK_SIMULATION_SEEDS` says how many seeds are played, `WAYMARK_SIMULATION_FIRST` which one is the first; a failure names its seed.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use waymark_ident::Handle;
use waymark_recursive_cache::config::PlanLimits;
use waymark_recursive_cache::knowledge::{Fact, Scope};
use waymark_recursive_cache::plan::{Asked, Conclusion};
use waymark_wire::request::RequestWriter;
use waymark_wire::types::{HS_SERV_PREFIX, HS_SITE, Site};
use waymark_wire::{Head, Message, OpFlags, Permissions, ResponseCode, Ttl, ValueBuf};

use crate::network::{Faults, Network, Outcome};
use crate::prng::Prng;
use crate::scene::fact_of;
use crate::world::{ROOTS, ServiceId, World, key_of, prefix_key, value};

/// Handles that are asked for.
const HANDLES: &[&str] = &[
    "88.1/a",
    "88.1/b",
    "88.1/hidden",
    "88.1/none",
    "88.1",
    "0.NA/88.1",
    "88.2/a",
    "88.2/far",
    "0.na/88.2",
    "99/a",
    "99/B",
    "99/b",
    "99",
    "77/a",
    "77/b",
    "77/none",
    "0.NA/77",
    "88.9/a",
    "88.9",
    "55.5/a",
    "88.1.1/a",
    "88.3.4/a",
    "88.3.4/b",
    "88.3",
    "70/a",
    "71/a",
    "72/a",
    "88",
    "88/a",
    "5/service",
    "66/a",
    "66.1/a",
    "0.NA/66.1",
    "66/service",
];

/// Prefixes in the hands of the service that lies.
const EVIL: &[u8] = b"66";

/// A world with each kind of delegation in it, and in which services are of different sizes.
fn world(rng: &mut Prng) -> (World, ServiceId) {
    let sizes = |rng: &mut Prng| -> Vec<usize> { (0..=rng.index(2)).map(|_| 1 + rng.index(3)).collect() };
    let mut world = World::new(&sizes(rng));
    let services: Vec<ServiceId> = (0..7).map(|_| world.add(&sizes(rng))).collect();
    let [derived, one, two, home, named, deep, evil] = services[..] else { unreachable!() };
    world.delegate_derived(ROOTS, b"88", derived);
    world.delegate(derived, b"88.1", one);
    world.delegate(derived, b"88.2", two);
    world.delegate(ROOTS, b"99", two);
    world.delegate(ROOTS, b"5", home);
    let sites = world.site_values(named, HS_SITE, 3);
    world.put(home, b"5/service", sites);
    world.delegate_by_handle(ROOTS, b"77", named, b"5/service");
    // A service for derived prefixes that is named by a handle, itself found by a referral.
    world.put(derived, &prefix_key(b"88.3"), vec![value(9, HS_SERV_PREFIX, b"5/service")]);
    world.services[named].derived.insert(b"88.3".to_vec());
    world.delegate(named, b"88.3.4", deep);
    // Circles: a service handle that needs itself, two that need each other.
    world.delegate_by_handle(ROOTS, b"70", one, b"70/service");
    world.delegate_by_handle(ROOTS, b"71", one, b"72/service");
    world.delegate_by_handle(ROOTS, b"72", one, b"71/service");
    world.delegate(ROOTS, EVIL, evil);
    world.delegate_derived(ROOTS, EVIL, evil);
    for (service, handle) in [
        (one, "88.1/a"),
        (one, "88.1/b"),
        (two, "88.2/a"),
        (two, "99/a"),
        (two, "99/B"),
        (two, "99/b"),
        (named, "77/a"),
        (named, "77/b"),
        (deep, "88.3.4/a"),
        (evil, "66/a"),
    ] {
        let values = record(rng, handle);
        world.put(service, handle.as_bytes(), values);
    }
    world.put(one, b"88.1/hidden", vec![ValueBuf { permissions: Permissions::SECRET, ..value(1, b"X", b"x") }]);
    // One handle of 88.2 lives elsewhere; one of 88.1 is sent in a circle.
    let far = world.site_values(deep, HS_SITE, 1);
    world.services[two].refers.insert(b"88.2/far".to_vec(), far);
    world.services[deep].homed.insert(b"88.2".to_vec());
    let values = record(rng, "88.2/far");
    world.put(deep, b"88.2/far", values);
    let back = world.site_values(one, HS_SITE, 1);
    world.services[one].refers.insert(b"88.1/circle".to_vec(), back);
    for service in [ROOTS, derived, named] {
        match rng.below(6) {
            0 => world.services[service].only_bare = true,
            1 => world.services[service].only_full = true,
            _ => {}
        }
    }
    (world, evil)
}

/// Values that no other handle has.
fn record(rng: &mut Prng, handle: &str) -> Vec<ValueBuf> {
    let ttl = |rng: &mut Prng| match rng.below(5) {
        0 => Ttl::Absolute(i32::try_from(1_750_000_000 + rng.below(100_000_000)).unwrap()),
        1 => Ttl::Relative(0),
        _ => Ttl::Relative(i32::try_from(rng.below(100_000)).unwrap()),
    };
    let one = |rng: &mut Prng, index: u32| {
        let data = format!("{handle} {index} {}", rng.next());
        ValueBuf { ttl: ttl(rng), ..value(index, b"URL", data.as_bytes()) }
    };
    let mut values: Vec<ValueBuf> =
        (1..=1 + u32::try_from(rng.below(30)).unwrap()).map(|index| one(rng, index)).collect();
    values.reverse();
    values.push(ValueBuf { permissions: Permissions::SECRET, ..value(300, b"HS_SECKEY", b"secret") });
    values
}

/// Every eighth seed has no faults but the service that lies: there each honest question must be answered.
fn faults(rng: &mut Prng, world: &World, is_calm: bool) -> Faults {
    if is_calm {
        return Faults::default();
    }
    let servers: Vec<IpAddr> = world.services.iter().flat_map(|service| service.sites.concat()).collect();
    let mut faults = Faults {
        loss: *rng.pick(&[0, 0, 5, 30, 70]),
        duplication: *rng.pick(&[0, 20, 100]),
        delay: *rng.pick(&[5, 200, 3_000]),
        uncertified: *rng.pick(&[0, 20, 60]),
        clock_jumps: *rng.pick(&[0, 0, 20]),
        ..Faults::default()
    };
    for server in servers {
        match rng.below(10) {
            0 => drop(faults.dead.insert(server)),
            1 => drop(faults.flapping.insert(server, 200 + rng.below(3_000))),
            2 => drop(faults.nonsense.insert(server, *rng.pick(&[20, 60, 100]))),
            _ => {}
        }
    }
    faults
}

fn question(rng: &mut Prng) -> Asked {
    let handle = *rng.pick(HANDLES);
    let filters = rng.percent(30);
    Asked {
        handle: handle.as_bytes().into(),
        indexes: if filters { Box::new([1, 3]) } else { Box::default() },
        authority: rng.percent(15),
        certified: rng.percent(25),
        anew: rng.percent(15),
        no_referral: rng.percent(15),
        public_only: rng.percent(50),
        identity: rng.percent(10).then(|| Box::from(&b"token"[..])),
        types: Box::default(),
        recursion_count: 0,
    }
}

/// What is so of a handle, wherever it lives.
enum Truth {
    Fact(Fact),
    AbsentPrefix,
    /// The service that lies may say what it likes.
    Anything,
}

fn is_evil(prefix: &[u8]) -> bool {
    prefix == EVIL || prefix.starts_with(b"66.")
}

/// The values of a record, in whichever honest service it is.
fn record_of<'w>(network: &'w Network, key: &[u8]) -> Option<&'w [ValueBuf]> {
    let honest = network.world.services.iter().enumerate().filter(|(service, _)| *service != network.evil);
    honest.into_iter().find_map(|(_, service)| service.records.get(key)).map(Vec::as_slice)
}

fn truth(network: &Network, handle: &[u8]) -> Truth {
    let handle = Handle::new(handle).unwrap();
    let key = key_of(handle.as_bytes());
    let target = handle.prefix_record_target();
    if is_evil(target.unwrap_or_else(|| handle.prefix())) && target != Some(EVIL) {
        return Truth::Anything;
    }
    match record_of(network, &key) {
        Some(values) => Truth::Fact(fact_of(values)),
        None if target.is_none() && record_of(network, &prefix_key(handle.prefix())).is_none() => Truth::AbsentPrefix,
        None => Truth::Fact(Fact::Absent),
    }
}

/// The promises, after one question.
fn check(network: &Network, asked: &Asked, outcome: &Outcome, at: &str) {
    assert!(outcome.took <= network.limits.time, "{at}: took {:?}", outcome.took);
    assert!(outcome.queries <= usize::from(network.limits.queries), "{at}: {} queries", outcome.queries);
    if asked.certified {
        assert!(outcome.learned.iter().all(|learned| learned.certified), "{at}");
    }
    let truth = truth(network, &asked.handle);
    match (&outcome.conclusion, truth) {
        (Conclusion::Unreachable { .. }, _) | (_, Truth::Anything) => {}
        (Conclusion::Found { fact, certified, .. }, Truth::Fact(truth)) => {
            assert_eq!(**fact, truth, "{at}");
            assert_eq!(*certified, asked.certified, "{at}");
        }
        (Conclusion::AbsentPrefix { .. }, Truth::AbsentPrefix) => {}
        (Conclusion::Refused { code: ResponseCode(100 | 301) }, _) if asked.no_referral => {}
        (Conclusion::Passed { message, from }, _) => {
            let honest = honest_answer(network, asked, *from, message);
            assert!(Message::parse(message).unwrap().body == Message::parse(&honest).unwrap().body, "{at}");
        }
        (conclusion, _) => panic!("{at}: {conclusion:?}"),
    }
    for (prefix, scope, service) in network.memory.services() {
        if !is_evil(prefix) {
            let known: BTreeSet<IpAddr> = servers(service.sites.iter().map(AsRef::as_ref));
            let evil: BTreeSet<IpAddr> = network.world.services[network.evil].sites.concat().into_iter().collect();
            assert!(known.is_disjoint(&evil), "{at}: {} {scope:?}", crate::scene::text(prefix));
            let own = network.world.services.iter().filter(|service| match scope {
                Scope::Handles => service.homed.contains(prefix),
                Scope::DerivedPrefixes => service.derived.iter().any(|derived| prefix.starts_with(derived)),
            });
            let own: BTreeSet<IpAddr> = own.flat_map(|service| service.sites.concat()).collect();
            let is_circle = [&b"70"[..], b"71", b"72"].contains(&prefix);
            assert!(is_circle || known.is_subset(&own), "{at}: {} {scope:?}", crate::scene::text(prefix));
        }
    }
}

fn servers<'a>(sites: impl Iterator<Item = &'a [u8]>) -> BTreeSet<IpAddr> {
    let of_site =
        |data| Site::parse(data).unwrap().servers.iter().map(|server| server.address.ip()).collect::<Vec<_>>();
    sites.flat_map(of_site).collect()
}

/// What the server that a passed answer came from says honestly to the same question.
fn honest_answer(network: &Network, asked: &Asked, from: IpAddr, passed: &[u8]) -> Vec<u8> {
    let flags = Message::parse(passed).unwrap().header.flags.only(OpFlags::COPIED_TO_RESPONSE).without(OpFlags::CERT);
    let head = Head::request(0, flags.without(OpFlags::RRDG), 0);
    let request = RequestWriter::new(Vec::new(), head).resolution(&asked.handle, &asked.indexes, &[], None);
    let mut honest = network.world.answer(from, &request);
    if flags.has(OpFlags::RRDG) {
        // The digest is of the request as it was sent; everything behind it must be the same.
        let body = Message::parse(passed).unwrap().body;
        let said = Message::parse(&honest).unwrap().body;
        assert_eq!(&body[33..], said);
        honest = passed.to_vec();
    }
    honest
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[test]
fn no_question_hangs_and_none_is_answered_with_what_is_not_so() {
    let first = setting("WAYMARK_SIMULATION_FIRST", 0);
    let seeds = setting("WAYMARK_SIMULATION_SEEDS", 2_000);
    let (mut answered, mut unreachable) = (0_u64, 0_u64);
    for seed in first..first + seeds {
        let mut rng = Prng::new(seed);
        let (world, evil) = world(&mut rng);
        let is_calm = seed % 8 == 0;
        let faults = faults(&mut rng, &world, is_calm);
        let mut network = Network::new(world, evil, faults, rng.clone());
        network.limits = PlanLimits {
            chain: *rng.pick(&[2, 8]),
            queries: *rng.pick(&[4, 24]),
            record_values: *rng.pick(&[16, 2_048]),
            ..PlanLimits::default()
        };
        if is_calm {
            network.limits = PlanLimits::default();
        }
        for number in 0..8 {
            let asked = question(&mut rng);
            let outcome = network.resolve(asked.clone());
            let at = format!("seed {seed}, question {number}, {}, {asked:?}", crate::scene::text(&asked.handle));
            check(&network, &asked, &outcome, &at);
            let is_definite = !matches!(outcome.conclusion, Conclusion::Unreachable { .. });
            let leads_nowhere =
                ["70/a", "71/a", "72/a", "88/a", "88.3"].iter().any(|handle| handle.as_bytes() == &*asked.handle);
            let is_evil = matches!(truth(&network, &asked.handle), Truth::Anything);
            // With an identity a prefix record is asked for in one form, which the server need not know.
            let may_fail = leads_nowhere || is_evil || asked.identity.is_some();
            assert!(!is_calm || is_definite || may_fail, "{at}: {:?}", outcome.conclusion);
            if is_definite {
                answered += 1
            } else {
                unreachable += 1
            }
            network.elapsed += Duration::from_secs(*rng.pick(&[0, 1, 60, 5_000, 200_000]));
        }
    }
    // Neither all nor none: the faults bite, and they do not bite everything.
    assert!(answered > seeds && unreachable > seeds / 4, "{answered} answered, {unreachable} not");
}
