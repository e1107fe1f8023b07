//! How much a question may cost, and circles.

use std::time::Duration;

use waymark_recursive_cache::config::{CHAIN, PlanLimits, QUERIES, RECORD_BYTES, RECORD_VALUES, RECURSION, TIME};
use waymark_recursive_cache::knowledge::{Knowledge, Now, Scope, What};
use waymark_recursive_cache::plan::{Action, Asked, Conclusion, Event, Plan, Purpose, QueryId, Why};
use waymark_wire::types::{HS_SERV, HS_SITE};
use waymark_wire::{Message, ResponseCode, ValueBuf};

use super::{BUSY, learned_services, say, two_levels, url, why};
use crate::memory::Memory;
use crate::scene::{Scene, asked, fact_of, found};
use crate::world::{ROOTS, World, prefix_key, value};

/// "Count in header, limit 10 -> rc 6."
#[test]
fn a_question_that_passed_too_many_servers_is_refused() {
    let (mut scene, _) = two_levels();
    let passed = |recursion_count| Asked { recursion_count, ..asked("88.1/a") };
    found(&scene.resolve(passed(RECURSION.default - 1)));
    assert_eq!(scene.resolve(passed(RECURSION.default)), Conclusion::TooDeep);
    assert_eq!(scene.resolve(passed(u8::MAX)), Conclusion::TooDeep);
    scene.limits.recursion = 3;
    assert_eq!(scene.resolve(passed(3)), Conclusion::TooDeep);
}

/// A plan travels between threads with the task that drives it.
#[test]
fn a_plan_can_be_sent_to_another_thread() {
    fn is_send<T: Send + 'static>(_: &T) {}
    is_send(&Plan::new(asked("1/a"), World::new(&[1]).service(ROOTS), PlanLimits::default(), Now::default()));
}

/// Values outside their ranges are moved into them.
#[test]
fn limits_are_moved_into_their_ranges() {
    let nothing =
        PlanLimits { recursion: 0, chain: 0, queries: 0, time: Duration::ZERO, record_values: 0, record_bytes: 0 };
    let least = nothing.clamped();
    assert_eq!((least.recursion, least.chain, least.queries), (RECURSION.min, CHAIN.min, QUERIES.min));
    assert_eq!((least.time, least.record_values, least.record_bytes), (TIME.min, RECORD_VALUES.min, RECORD_BYTES.min));
    assert_eq!(PlanLimits::default().clamped(), PlanLimits::default());
    let plan = Plan::new(asked("1/a"), World::new(&[1]).service(ROOTS), nothing, Now::default());
    assert_eq!(plan.deadline(), TIME.min);
}

/// Services that each refer the handle to the next one.
fn chain_of_referrals(length: usize) -> Scene {
    let (mut scene, mut last) = two_levels();
    for _ in 0..length {
        let next = scene.world.add(&[1]);
        let sites = scene.world.site_values(next, HS_SITE, 1);
        scene.world.services[last].refers.insert(b"88.1/far".to_vec(), sites);
        last = next;
    }
    scene.world.services[last].homed.insert(b"88.1".to_vec());
    scene.world.put(last, b"88.1/far", url("far"));
    scene
}

/// "Chain length (referral steps)."
#[test]
fn a_chain_of_referrals_has_an_end() {
    found(&chain_of_referrals(usize::from(CHAIN.default)).ask("88.1/far"));
    let conclusion = chain_of_referrals(usize::from(CHAIN.default) + 1).ask("88.1/far");
    assert_eq!(why(&conclusion), Why::ChainTooLong);
}

/// "Number of upstream queries."
#[test]
fn a_question_asks_upstream_only_so_often() {
    let (mut scene, _) = two_levels();
    scene.limits.queries = 2;
    found(&scene.ask("88.1/a"));
    let (mut scene, _, _) = super::three_levels();
    scene.limits.queries = 2;
    match scene.ask("88.1/a") {
        Conclusion::Unreachable { step: Purpose::Question, key, why: Why::TooManyQueries } => {
            assert_eq!(*key, *b"88.1/a");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(scene.sent.len(), 2);
}

/// "Loops by (server, handle asked)": a referral back to a server that gave one is not followed.
#[test]
fn referrals_in_a_circle_are_noticed() {
    let (mut scene, node) = two_levels();
    let other = scene.world.add(&[1]);
    for (from, to) in [(node, other), (other, node)] {
        let sites = scene.world.site_values(to, HS_SITE, 1);
        scene.world.services[from].refers.insert(b"88.1/far".to_vec(), sites);
    }
    assert_eq!(why(&scene.ask("88.1/far")), Why::Loop);
    // The record of the prefix, both sites of the node (they are different servers) and the other, which are then all known.
    assert!(scene.sent.len() <= 5, "{:?}", scene.handles_sent());
}

/// "Loops by name (same record being looked for within one plan)": a service handle that lives where it is needed to get to.
#[test]
fn service_handles_in_a_circle_are_noticed() {
    let mut world = World::new(&[1]);
    let node = world.add(&[1]);
    world.delegate_by_handle(ROOTS, b"88.1", node, b"88.1/service");
    world.delegate_by_handle(ROOTS, b"88.2", node, b"88.3/service");
    world.delegate_by_handle(ROOTS, b"88.3", node, b"88.2/service");
    let mut scene = Scene::new(world);
    assert_eq!(why(&scene.ask("88.1/a")), Why::Loop);
    assert_eq!(scene.handles_sent(), ["0.NA/88.1"]);
    assert_eq!(why(&scene.ask("88.2/a")), Why::Loop);
    assert_eq!(scene.handles_sent(), ["0.NA/88.2", "0.NA/88.3"]);
    // The records are known now, and the circle goes through what is known.
    assert_eq!(why(&scene.ask("88.2/b")), Why::Loop);
    assert_eq!(scene.sent.len(), 0);
}

/// Service handles multiply: each of four names four more. The chain limit counts them all, not each branch by itself.
#[test]
fn a_tree_of_service_handles_is_bounded() {
    let mut world = World::new(&[1]);
    for level in 0..10 {
        for branch in 0..4 {
            let next = (0..4_u32).map(|n| value(n + 1, HS_SERV, format!("{}.{n}/s", level + 1).as_bytes())).collect();
            world.put(ROOTS, &prefix_key(format!("{level}.{branch}").as_bytes()), next);
        }
    }
    let mut scene = Scene::new(world);
    assert_eq!(why(&scene.ask("0.0/a")), Why::ChainTooLong);
    assert!(scene.sent.len() <= usize::from(QUERIES.default), "{}", scene.sent.len());
}

/// "Time per question": an answer that comes when the time is over does not count, nor does anything after the end.
#[test]
fn a_question_ends_with_its_time() {
    let (scene, _) = two_levels();
    let start = |actions: &mut Vec<Action>| {
        let mut plan = Plan::new(asked("88.1/a"), scene.world.service(ROOTS), scene.limits, scene.now);
        plan.start(scene.now, &Memory::default(), actions);
        plan
    };
    let mut actions = Vec::new();
    let mut plan = start(&mut actions);
    assert_eq!(plan.deadline(), scene.now.elapsed + TIME.default);
    let [Action::Ask(ask)] = &actions[..] else { panic!("{actions:?}") };
    let message = scene.world.answer(ask.candidates[0].ip, &ask.request);
    let event = Event::Answer { query: ask.query, candidate: 0, message: &message };
    let late = Now { elapsed: plan.deadline(), ..scene.now };
    let mut actions = Vec::new();
    plan.on(event, late, &Memory::default(), &mut actions);
    let [Action::Done(conclusion)] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(why(conclusion), Why::OutOfTime);
    plan.on(event, scene.now, &Memory::default(), &mut actions);
    plan.on(Event::Deadline, scene.now, &Memory::default(), &mut actions);
    plan.start(scene.now, &Memory::default(), &mut actions);
    assert_eq!(actions.len(), 1);
    let mut actions = Vec::new();
    let mut plan = start(&mut actions);
    plan.on(Event::Deadline, scene.now, &Memory::default(), &mut actions);
    assert!(matches!(&actions[1..], [Action::Done(Conclusion::Unreachable { why: Why::OutOfTime, .. })]));
}

/// Answers of queries that are over, of candidates that were not there, and failures of other queries change nothing.
#[test]
fn what_belongs_to_another_query_changes_nothing() {
    let (scene, _) = two_levels();
    let memory = Memory::default();
    let mut plan = Plan::new(asked("88.1/a"), scene.world.service(ROOTS), scene.limits, scene.now);
    let mut actions = Vec::new();
    plan.start(scene.now, &memory, &mut actions);
    let Some(Action::Ask(first)) = actions.pop() else { panic!() };
    let message = scene.world.answer(first.candidates[0].ip, &first.request);
    let answer = |query, candidate| Event::Answer { query, candidate, message: &message };
    plan.on(answer(QueryId(99), 0), scene.now, &memory, &mut actions);
    plan.on(answer(first.query, 2), scene.now, &memory, &mut actions);
    plan.on(Event::Failed { query: QueryId(0) }, scene.now, &memory, &mut actions);
    assert!(actions.is_empty());
    plan.on(answer(first.query, 0), scene.now, &memory, &mut actions);
    let before = actions.len();
    // The network delivers it twice, and the driver says that the rest failed.
    plan.on(answer(first.query, 0), scene.now, &memory, &mut actions);
    plan.on(answer(first.query, 1), scene.now, &memory, &mut actions);
    plan.on(Event::Failed { query: first.query }, scene.now, &memory, &mut actions);
    assert_eq!(actions.len(), before);
    assert!(matches!(actions.last(), Some(Action::Ask(_))));
}

/// "The answer exceeds the accepted bytes/values (then once more with the filters, not learned)."
#[test]
fn a_record_too_large_is_asked_for_with_the_filters() {
    let (mut scene, node) = two_levels();
    let many: Vec<ValueBuf> = (1..=40).map(|index| value(index, b"URL", &[b'x'; 200])).collect();
    scene.world.put(node, b"88.1/large", many);
    for limits in [
        PlanLimits { record_values: 39, ..PlanLimits::default() },
        PlanLimits { record_bytes: 5_000, ..PlanLimits::default() },
    ] {
        scene.limits = limits;
        let conclusion = scene.resolve(Asked { indexes: Box::new([3]), ..asked("88.1/large") });
        let Conclusion::Passed { message, .. } = conclusion else { panic!("{conclusion:?}") };
        assert!(Message::parse(&message).unwrap().body.len() < 400);
        assert_eq!(scene.sent.last().unwrap().indexes, [3]);
        assert!(
            !scene
                .learned
                .iter()
                .any(|learned| matches!(&learned.what, What::Fact { key, .. } if **key == *b"88.1/large"))
        );
        let nothing = scene.resolve(Asked { indexes: Box::new([77]), ..asked("88.1/large") });
        let Conclusion::Passed { message, .. } = nothing else { panic!("{nothing:?}") };
        assert_eq!(Message::parse(&message).unwrap().header.response_code, ResponseCode::VALUES_NOT_FOUND);
        // Without filters, or with those that choose as much, there is nothing smaller to ask for.
        assert_eq!(why(&scene.ask("88.1/large")), Why::TooLarge);
        let all = Asked { types: Box::new([Box::from(&b"URL"[..])]), ..asked("88.1/large") };
        assert_eq!(why(&scene.resolve(all)), Why::TooLarge);
    }
    scene.limits = PlanLimits { record_values: 40, ..PlanLimits::default() };
    found(&scene.ask("88.1/large"));
}

/// A prefix record too large to be taken whole is asked for what delegates.
#[test]
fn a_prefix_record_too_large_is_asked_for_its_delegations() {
    let (mut scene, _) = two_levels();
    let many = (100..140).map(|index| value(index, b"DESC", &[b'x'; 200])).collect();
    scene.world.put(ROOTS, &prefix_key(b"88.1"), many);
    scene.limits.record_bytes = RECORD_BYTES.min;
    assert_eq!(*found(&scene.ask("88.1/a")), fact_of(&url("a")));
    assert_eq!(scene.handles_sent(), ["0.NA/88.1", "0.NA/88.1", "88.1/a"]);
    assert_eq!(learned_services(&scene), [("88.1".into(), Scope::Handles)]);
    assert!(scene.memory.fact(b"0.NA/88.1", false, scene.now).is_none());
    // Filters of the client are no concern of the steps on the way.
    assert!(scene.sent[1].types.contains(&"HS_SITE".to_owned()));
}

/// Who answered badly is not asked the same again.
#[test]
fn servers_that_answer_badly_are_each_asked_once() {
    let (mut scene, node) = two_levels();
    scene.all_do(node, |request, _| say(request, &BUSY));
    scene.ask("88.1/a");
    let mut servers: Vec<_> = scene.sent.iter().map(|sent| sent.server).collect();
    servers.dedup();
    assert_eq!(servers.len(), scene.sent.len());
}
