//! Upstream bytes nobody thought of: arbitrary ones, good answers with bytes changed, and well-formed messages that say arbitrary things.

use std::time::Duration;

use proptest::prelude::*;
use waymark_recursive_cache::config::PlanLimits;
use waymark_recursive_cache::knowledge::{Fact, Learned, Now, What};
use waymark_recursive_cache::plan::{Action, Asked, Conclusion, Event, Plan, QueryId};
use waymark_wire::types::{HS_NA_DELEGATE, HS_SERV, HS_SERV_PREFIX, HS_SITE, HS_SITE_6, HS_SITE_PREFIX, Site};
use waymark_wire::{Permissions, ResponseCode, Ttl, ValueBuf, Values};

use crate::lies::handle_of;
use crate::memory::Memory;
use crate::scene::fact_of;
use crate::world::{ROOTS, Said, Signer, World, value, write};

/// How an answer comes to be.
#[derive(Clone, Debug)]
enum Upstream {
    /// As it should.
    Honest,
    /// Bytes.
    Bytes(Vec<u8>),
    /// An honest answer with these bytes changed, then cut to this share of 255 parts.
    Changed(Vec<(u16, u8)>, u8),
    /// A message that says this; the handle is that asked when there is none.
    Says { code: u32, handle: Option<Vec<u8>>, values: Vec<ValueBuf>, is_signed: bool },
    /// No answer.
    Silence,
}

fn world() -> World {
    let mut world = World::new(&[1, 2]);
    let (derived, node, home) = (world.add(&[1]), world.add(&[2, 1]), world.add(&[1]));
    world.delegate_derived(ROOTS, b"88", derived);
    world.delegate(derived, b"88.1", node);
    world.delegate(ROOTS, b"5", home);
    let sites = world.site_values(node, HS_SITE, 1);
    world.put(home, b"5/s", sites);
    world.delegate_by_handle(ROOTS, b"77", node, b"5/s");
    for handle in ["88.1/a", "77/a"] {
        world.put(node, handle.as_bytes(), vec![value(1, b"URL", handle.as_bytes()), value(9, b"EMAIL", b"x")]);
    }
    world
}

fn any_handle() -> impl Strategy<Value = Vec<u8>> {
    let known = ["88.1/a", "77/a", "88.1", "0.NA/88.1", "0.na/77", "5/s", "88.2/a", "0.NA/0.NA/88", "/", "", "0.NA"];
    prop_oneof![
        6 => prop::sample::select(known.to_vec()).prop_map(|handle| handle.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => "[0-9a-zA-Z./]{0,60}".prop_map(String::into_bytes),
        1 => prop::collection::vec(prop::sample::select(&b"./0NAx"[..]), 0..2_100),
    ]
}

prop_compose! {
    fn any_asked()(
        handle in any_handle(), indexes in prop::collection::vec(any::<u32>(), 0..3), authority: bool, certified: bool,
        anew: bool, no_referral: bool, public_only: bool, identity in prop::option::weighted(0.2, Just(Box::from(&b"token"[..]))),
        recursion_count in 0..12_u8,
    ) -> Asked {
        let (handle, indexes) = (handle.into(), indexes.into());
        Asked { handle, indexes, types: Box::default(), authority, certified, anew, no_referral, public_only, identity, recursion_count }
    }
}

fn any_value() -> impl Strategy<Value = ValueBuf> {
    let kinds = [HS_SITE, HS_SITE_6, HS_SERV, HS_SITE_PREFIX, HS_SERV_PREFIX, HS_NA_DELEGATE, b"URL"];
    let sites: Vec<Vec<u8>> = (0..4).flat_map(|service| world().sites(service)).collect();
    let handles = ["5/s", "77/a", "88.1/a", "0.NA/88.1", "77", ""].map(|handle| handle.as_bytes().to_vec());
    let data = prop_oneof![
        4 => prop::sample::select(sites),
        3 => prop::sample::select(handles.to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..60),
    ];
    let ttl = (any::<u8>(), any::<i32>()).prop_map(|(kind, value)| Ttl::from_wire(kind % 3, value));
    (any::<u32>(), prop::sample::select(kinds.to_vec()), data, ttl, any::<u8>()).prop_map(
        |(index, kind, data, ttl, permissions)| ValueBuf {
            ttl,
            permissions: Permissions(permissions | 2),
            ..value(index, kind, &data)
        },
    )
}

fn any_upstream() -> impl Strategy<Value = Upstream> {
    let codes = prop_oneof![
        3 => prop::sample::select(vec![1_u32, 302, 303]),
        2 => prop::sample::select(vec![2_u32, 3, 6, 100, 102, 200, 301, 401, 402]),
        1 => 1..=u32::MAX,
    ];
    let says =
        (codes, prop::option::weighted(0.3, any_handle()), prop::collection::vec(any_value(), 0..5), any::<bool>());
    prop_oneof![
        4 => Just(Upstream::Honest),
        1 => prop::collection::vec(any::<u8>(), 0..300).prop_map(Upstream::Bytes),
        3 => (prop::collection::vec((any::<u16>(), any::<u8>()), 0..4), prop_oneof![3 => Just(255_u8), 1 => any::<u8>()])
            .prop_map(|(changes, share)| Upstream::Changed(changes, share)),
        6 => says.prop_map(|(code, handle, values, is_signed)| Upstream::Says { code, handle, values, is_signed }),
        1 => Just(Upstream::Silence),
    ]
}

/// What came of a question.
struct Played {
    conclusion: Conclusion,
    learned: Vec<Learned>,
    queries: u16,
}

fn answer(world: &World, upstream: &Upstream, server: std::net::IpAddr, request: &[u8]) -> Option<Vec<u8>> {
    // A changed byte can send the plan where no server is.
    let key = world.services[world.find(server)?.0].key;
    match upstream {
        Upstream::Honest => Some(world.answer(server, request)),
        Upstream::Bytes(bytes) => Some(bytes.clone()),
        Upstream::Changed(changes, share) => {
            let mut message = world.answer(server, request);
            for (at, byte) in changes {
                let at = usize::from(*at) % message.len();
                message[at] = *byte;
            }
            message.truncate(message.len() * usize::from(*share) / 255);
            Some(message)
        }
        Upstream::Says { code, handle, values, is_signed } => {
            let handle = handle.clone().unwrap_or_else(|| handle_of(request));
            let said = match code {
                1 => Said::Values(handle, values.clone()),
                302 | 303 if values.is_empty() => Said::ReferralTo(ResponseCode(*code), handle),
                302 | 303 => Said::Referral(ResponseCode(*code), handle, values.clone()),
                code => Said::Code(ResponseCode(*code)),
            };
            Some(write(request, &said, true, &Signer(is_signed.then_some(key))))
        }
        Upstream::Silence => None,
    }
}

/// Plays a question in which the answers come to be as given, then over again.
fn play(asked: Asked, upstream: &[Upstream], limits: PlanLimits, memory: &mut Memory) -> Played {
    let world = world();
    let now = Now { elapsed: Duration::from_secs(9), unix_seconds: 1_800_000_000 };
    let mut plan = Plan::new(asked, world.service(ROOTS), limits, now);
    let (mut actions, mut learned, mut queries) = (Vec::new(), Vec::new(), 0);
    plan.start(now, memory, &mut actions);
    for upstream in upstream.iter().cycle() {
        let mut asks = Vec::new();
        for action in actions.drain(..) {
            match action {
                Action::Ask(ask) => asks.push(ask),
                Action::Done(conclusion) => return Played { conclusion, learned, queries },
                Action::Learn(what) => {
                    learned.push(what.clone());
                    memory.learn(what, now);
                }
            }
        }
        let [ask] = &asks[..] else { panic!("{} queries at once", asks.len()) };
        queries += 1;
        let event = answer(&world, upstream, ask.candidates[0].ip, &ask.request);
        match &event {
            Some(message) => {
                let event = Event::Answer { query: ask.query, candidate: 0, message };
                plan.on(event, now, memory, &mut actions);
                // The network delivers it twice.
                let after = actions.len();
                plan.on(event, now, memory, &mut actions);
                assert_eq!(actions.len(), after);
            }
            None => plan.on(Event::Failed { query: QueryId(ask.query.0) }, now, memory, &mut actions),
        }
    }
    unreachable!("an endless loop")
}

/// What is learned can be used without looking at it again.
fn check(learned: &Learned) {
    match &learned.what {
        What::Fact { key, fact } => {
            assert!(key.contains(&b'/'));
            if let Fact::Values(record) = &**fact {
                let values = Values::from_wire(record.count, &record.wire).unwrap();
                assert!(record.count > 0);
                assert!(values.iter().all(|value| value.permissions.is_public_read()));
                assert!(values.iter().map(|value| value.index).is_sorted_by(|one, next| one < next));
            }
        }
        What::Service { prefix, service, .. } => {
            assert!(!prefix.is_empty() && !prefix.contains(&b'/') && !service.sites.is_empty());
            assert!(service.sites.iter().all(|site| !Site::parse(site).unwrap().servers.is_empty()));
            assert!(learned.lifetime_seconds.is_some());
        }
        What::AbsentPrefix { prefix } | What::Lame { prefix, .. } => {
            assert!(!prefix.is_empty() && !prefix.contains(&b'/'));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes, a question costs no more than its limits, and what it teaches is well-formed.
    #[test]
    fn whatever_comes_is_bounded_and_what_is_learned_well_formed(
        questions in prop::collection::vec(any_asked(), 1..3),
        upstream in prop::collection::vec(any_upstream(), 1..12),
        chain in 1..9_u16,
        queries in 2..30_u16,
    ) {
        let limits = PlanLimits { chain, queries, record_values: 16, record_bytes: 4_096, ..PlanLimits::default() };
        let mut memory = Memory::default();
        for asked in questions {
            let played = play(asked, &upstream, limits, &mut memory);
            prop_assert!(played.queries <= queries);
            played.learned.iter().for_each(check);
        }
    }

    /// A good answer with bytes changed answers a certified question only if it still says the same.
    #[test]
    fn no_changed_byte_gets_into_a_certified_answer(
        upstream in prop::collection::vec(any_upstream(), 1..12),
        handle in prop::sample::select(vec!["88.1/a", "77/a"]),
    ) {
        let changed = |upstream: Upstream| match upstream {
            Upstream::Says { code, handle, values, .. } => Upstream::Says { code, handle, values, is_signed: false },
            other => other,
        };
        let upstream: Vec<Upstream> = upstream.into_iter().map(changed).collect();
        let asked = Asked { certified: true, handle: handle.as_bytes().into(), ..Asked::default() };
        let played = play(asked, &upstream, PlanLimits::default(), &mut Memory::default());
        prop_assert!(played.learned.iter().all(|learned| learned.certified));
        match played.conclusion {
            Conclusion::Unreachable { .. } => {}
            Conclusion::Found { fact, certified: true, .. } => {
                let values = [value(1, b"URL", handle.as_bytes()), value(9, b"EMAIL", b"x")];
                prop_assert_eq!(&*fact, &fact_of(&values));
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
