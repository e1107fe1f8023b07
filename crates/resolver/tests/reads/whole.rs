//! Large answers and filters, open connections, counting; anything at all, alone and in batches.

use proptest::prelude::{any, prop};
use proptest::test_runner::{Config, TestRunner};
use proptest::{prop_assert, prop_assert_eq};
use waymark_resolver::{DropReason, SlowReason, Transport};
use waymark_wire::crypto::signed_message::verify_certified;
use waymark_wire::limits::ResponseLimits;
use waymark_wire::response::Response;
use waymark_wire::{Message, OpFlags};

use crate::support::{
    Ending, NOW, Said, answerer, ask, ask_slowly, hear, old_value, origin, request, resolution, resolution_with, said,
    settings, test_key,
};
use crate::{filtered, node, v4_site};

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
    assert_eq!(verify_certified(&message, test_key().public_key()), Ok(()), "the signature made it too long");
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
    let mut runner = TestRunner::new(Config { cases: 4_000, ..Config::default() });
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
    node.answer_batch(NOW, &mut batch);
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
