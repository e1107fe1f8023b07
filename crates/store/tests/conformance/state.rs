//! State and blobs over the log.

use std::ops::ControlFlow;

use waymark_store::{Serial, StateError, StateOp, Timestamp, Tree};

use crate::common::{Subject, puts};

suite!(
    applies_state_with_its_serial_in_one_step,
    refuses_state_that_goes_backwards,
    scans_state_by_tree_and_prefix,
    goes_on_behind_a_key_of_the_state,
    clears_state,
    replaces_blobs_whole,
);

const NAMES: Tree = Tree(3);
const MARKS: Tree = Tree(4);

fn put<'a>(tree: Tree, key: &'a [u8], value: &'a [u8]) -> StateOp<'a> {
    StateOp::Put { tree, key, value }
}

fn applies_state_with_its_serial_in_one_step(mut subject: Subject) {
    subject.store.commit(Timestamp(1), &puts(&[("a", "1"), ("b", "2"), ("c", "3")])).unwrap();
    let state = subject.store.state();
    assert_eq!(state.applied(), Serial::NONE);
    assert_eq!(subject.store.statistics().state_lag, 3);
    state.apply(Serial(2), &[put(NAMES, b"x", b"1"), put(NAMES, b"y", b""), put(NAMES, b"x", b"2")]).unwrap();
    state.apply(Serial(3), &[StateOp::Remove { tree: NAMES, key: b"y" }, put(MARKS, b"x", b"m")]).unwrap();
    assert_eq!(subject.store.statistics().state_lag, 0);
    subject.reopen();
    let state = subject.store.state();
    assert_eq!(state.applied(), Serial(3));
    assert_eq!(state.get(NAMES, b"x").unwrap().unwrap(), b"2");
    assert_eq!(state.get(NAMES, b"y").unwrap(), None);
    assert_eq!(state.get(MARKS, b"x").unwrap().unwrap(), b"m");
}

fn refuses_state_that_goes_backwards(subject: Subject) {
    subject.store.commit(Timestamp(1), &puts(&[("a", "1"), ("b", "2")])).unwrap();
    let state = subject.store.state();
    state.apply(Serial(2), &[put(NAMES, b"x", b"1")]).unwrap();
    let refused = state.apply(Serial(1), &[put(NAMES, b"x", b"0")]);
    assert!(matches!(refused, Err(StateError::Backwards { upto: Serial(1), applied: Serial(2) })));
    assert_eq!(state.get(NAMES, b"x").unwrap().unwrap(), b"1");
}

fn scans_state_by_tree_and_prefix(subject: Subject) {
    let state = subject.store.state();
    let ops: Vec<_> = [(NAMES, "a/1"), (NAMES, "a/2"), (NAMES, "b/1"), (MARKS, "a/9"), (Tree(255), "z")]
        .into_iter()
        .map(|(tree, key)| put(tree, key.as_bytes(), b"v"))
        .collect();
    state.apply(Serial::NONE, &ops).unwrap();
    let scan = |tree, prefix: &str, most: usize| {
        let mut seen = Vec::new();
        state
            .scan(tree, prefix.as_bytes(), &mut |key, value| {
                assert_eq!(value, b"v");
                seen.push(String::from_utf8(key.to_vec()).unwrap());
                if seen.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })
            .unwrap();
        seen
    };
    assert_eq!(scan(NAMES, "a/", 9), ["a/1", "a/2"]);
    assert_eq!(scan(NAMES, "", 9), ["a/1", "a/2", "b/1"]);
    assert_eq!(scan(NAMES, "", 1), ["a/1"]);
    assert_eq!(scan(Tree(255), "", 9), ["z"]);
    assert!(scan(Tree(5), "", 9).is_empty());
}

fn goes_on_behind_a_key_of_the_state(subject: Subject) {
    let state = subject.store.state();
    let ops: Vec<_> = [(NAMES, "a"), (NAMES, "a/1"), (NAMES, "a/2"), (NAMES, "a/3"), (NAMES, "b/1"), (Tree(255), "z")]
        .into_iter()
        .map(|(tree, key)| put(tree, key.as_bytes(), b"v"))
        .collect();
    state.apply(Serial::NONE, &ops).unwrap();
    let scan = |prefix: &str, after: &str| {
        let mut seen = Vec::new();
        state
            .scan_after(NAMES, prefix.as_bytes(), after.as_bytes(), &mut |key, _| {
                seen.push(String::from_utf8(key.to_vec()).unwrap());
                ControlFlow::Continue(())
            })
            .unwrap();
        seen
    };
    assert_eq!(scan("a", ""), ["a", "a/1", "a/2", "a/3"]);
    assert_eq!(scan("a/", "a/1"), ["a/2", "a/3"]);
    assert_eq!(scan("a/", "a/11"), ["a/2", "a/3"], "what is not there");
    assert_eq!(scan("a/", "A"), ["a/1", "a/2", "a/3"], "before all of them");
    assert!(scan("a/", "a/3").is_empty());
    assert!(scan("a/", "b").is_empty(), "behind all of them");
    assert_eq!(scan("", "a/3"), ["b/1"], "of this tree alone");
}

fn clears_state(mut subject: Subject) {
    subject.store.commit(Timestamp(1), &puts(&[("a", "1")])).unwrap();
    subject.store.state().apply(Serial(1), &[put(NAMES, b"x", b"1")]).unwrap();
    subject.store.state().clear().unwrap();
    subject.reopen();
    assert_eq!(subject.store.state().applied(), Serial::NONE);
    assert_eq!(subject.store.state().get(NAMES, b"x").unwrap(), None);
}

fn replaces_blobs_whole(mut subject: Subject) {
    let content: Vec<u8> = (0..700_000_u32).map(|n| (n % 253) as u8).collect();
    let blobs = subject.store.blobs();
    assert_eq!(blobs.read_verified("index").unwrap(), None);
    blobs.write_atomically("index", 1, b"old").unwrap();
    blobs.write_atomically("empty", 9, b"").unwrap();
    blobs.write_atomically("index", 2, &content).unwrap();
    // Given up half-way: the one before stays.
    let mut unfinished = blobs.create("index", 3).unwrap();
    std::io::Write::write_all(&mut unfinished, &content).unwrap();
    drop(unfinished);
    subject.reopen();
    let blobs = subject.store.blobs();
    assert_eq!(blobs.read_verified("index").unwrap(), Some((2, content)));
    assert_eq!(blobs.read_verified("empty").unwrap(), Some((9, Vec::new())));
    blobs.remove("index").unwrap();
    blobs.remove("index").unwrap();
    assert_eq!(blobs.read_verified("index").unwrap(), None);
}
