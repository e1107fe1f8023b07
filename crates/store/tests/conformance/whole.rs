//! All of it together: many commits, a killed process, readers beside a writer.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use proptest::prelude::{Strategy as _, any};
use proptest::strategy::ValueTree as _;
use waymark_store::{Engine, EntryKind, Group, Options, Serial, Timestamp, open};

use crate::common::{Subject, body_of, live, puts, sequence, small_options};

suite!(agrees_with_a_plain_map_over_many_commits, serves_readers_while_committing,);

/// Commits what the numbers say and compares with a map at the end and after reopening.
fn agrees_with_a_plain_map_over_many_commits(mut subject: Subject) {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = proptest::collection::vec((0..40_u8, 0..10_u8, 0..300_usize, any::<bool>()), 600);
    let commands = strategy.new_tree(&mut runner).unwrap().current();
    let mut map: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut group = Group::new();
    let mut count = 0;
    for (key, kind, body, ends_group) in commands {
        let key = format!("key {key}").into_bytes();
        let body = vec![kind; body];
        if kind == 0 {
            group.push(EntryKind::DELETE, &key, b"d", Serial(1), b"").unwrap();
            map.remove(&key);
        } else {
            group.push(EntryKind::PUT, &key, b"p", Serial::NONE, &body).unwrap();
            map.insert(key, body);
        }
        count += 1;
        if ends_group {
            subject.store.commit(Timestamp(count), &group).unwrap();
            group.clear();
        }
        if count % 200 == 0 {
            subject.reopen();
        }
    }
    if !group.is_empty() {
        subject.store.commit(Timestamp(count), &group).unwrap();
    }
    for _ in 0..2 {
        let expected: Vec<_> = map.clone().into_iter().collect();
        assert_eq!(live(&*subject.store), expected);
        for number in 0..40 {
            let key = format!("key {number}").into_bytes();
            assert_eq!(body_of(&*subject.store, &key), map.get(&key).cloned());
        }
        assert_eq!(sequence(&*subject.store).len() as u64, count);
        subject.reopen();
    }
}

/// Copies a folder as it is while the store is open: what a process that is killed leaves, since the system keeps what it wrote.
fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn loses_nothing_acknowledged_when_its_process_is_killed() {
    for engine in [Engine::Log, Engine::Sled] {
        let dir = tempfile::tempdir().unwrap();
        let options = |name: &str| Options { engine, ..small_options(&dir.path().join(name)) };
        let (store, _) = open(&options("live")).unwrap();
        for round in 0..40_u64 {
            let body = "b".repeat(usize::try_from(round * 31 % 700).unwrap());
            let committed = store.commit(Timestamp(round), &puts(&[("same", &body), (&format!("own {round}"), "own")]));
            assert_eq!(committed.unwrap().last, Serial(2 * round + 2));
            if round % 4 == 0 {
                copy_folder(&dir.path().join("live"), &dir.path().join("copy"));
                let (copy, recovery) = open(&options("copy")).unwrap();
                assert!(recovery.damage.is_empty() && recovery.torn.is_none());
                assert_eq!(sequence(&*copy), sequence(&*store));
                assert_eq!(live(&*copy), live(&*store));
                drop(copy);
                std::fs::remove_dir_all(dir.path().join("copy")).unwrap();
            }
        }
    }
}

fn serves_readers_while_committing(subject: Subject) {
    let store = &*subject.store;
    let rounds = 60_u64;
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for round in 0..rounds {
                store.commit(Timestamp(round), &puts(&[("same", &"x".repeat(200)), ("other", "y")])).unwrap();
            }
        });
        for _ in 0..2 {
            scope.spawn(move || {
                let mut known = 0;
                let mut buffer = Vec::new();
                while known < rounds * 2 {
                    // What is announced can be read, and never goes back.
                    let last = store.last().serial;
                    assert!(last.0 >= known);
                    known = last.0;
                    if let Some(place) = store.find(b"same").unwrap() {
                        let entry = store.read(place, &mut buffer).unwrap();
                        assert_eq!(entry.body, [b'x'; 200]);
                        assert!(entry.serial.0 + 1 >= known, "{} after {known}", entry.serial);
                    }
                    let from = Serial(known.saturating_sub(4));
                    let mut expected = from;
                    store
                        .follow(from, &mut |entry| {
                            expected = expected.next();
                            assert_eq!(entry.serial, expected);
                            ControlFlow::Continue(())
                        })
                        .unwrap();
                    assert!(expected >= last);
                }
            });
        }
        writer.join().unwrap();
    });
}
