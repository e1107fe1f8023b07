use std::ops::ControlFlow;

use waymark_ident::CaseRule;
use waymark_store::{MemoryStore, Serial, Store as _};

use super::change::{FIRST_INDEX, Packing};
use super::index::{LINKS, note_links};
use super::*;
use crate::command::Command;
use crate::config::AGGREGATED;
use crate::projection::Projector;
use crate::testing::value;
use crate::values::ValueSet;

#[test]
fn what_is_read_is_written_again() {
    for text in ["packed-in 88.1/BOX-1", "part-of 88.1/车 架 1", "made-from 0.NA/88.1", "made-from 88.1/a/b c"] {
        assert_eq!(Link::parse(text.as_bytes()).unwrap().to_string(), text);
    }
    let link = Link::parse(b"packed-in 88.1/Box").unwrap();
    assert_eq!((link.relation, &*link.target), (Relation::PackedIn, "88.1/Box"));
    assert_eq!(link.target_key(CaseRule::Insensitive), b"88.1/BOX");
}

#[test]
fn hostile_data_is_refused_for_what_is_wrong_with_it() {
    let long = [b"part-of 88.1/".to_vec(), vec![b'x'; 3000]].concat();
    let cases: [(&[u8], &str); 14] = [
        (b"", "is not a relation, a space"),
        (b"packed-in", "is not a relation, a space"),
        (b"packed-in ", "is not a relation, a space"),
        (b"packed-in  88.1/x", "is not a relation, a space"),
        (b"packed-in 88.1/x ", "is not a relation, a space"),
        (" packed-in 88.1/x".as_bytes(), "begins with no relation"),
        (b"Packed-In 88.1/x", "begins with no relation"),
        (b"eaten-by 88.1/x", "begins with no relation"),
        (b"packed-in\t88.1/x", "is not a relation, a space"),
        (b"packed-in 88.1", "leads to what cannot be an identifier"),
        (b"packed-in /x", "leads to what cannot be an identifier"),
        (b"packed-in 88.1/\0P88.1/y", "leads to what cannot be an identifier"),
        (b"packed-in 88.1/\xff", "is not UTF-8"),
        (&long, "leads to what cannot be an identifier"),
    ];
    for (data, problem) in cases {
        let error = Link::parse(data).unwrap_err().to_string();
        assert!(error.starts_with(problem), "{:?}: {error}", String::from_utf8_lossy(data));
    }
}

#[test]
fn a_key_of_the_index_has_golden_bytes() {
    let store = MemoryStore::for_tests();
    let mut projector = Projector::default();
    let link = Link::parse(b"packed-in 88.1/Box").unwrap();
    let body = crate::record::encode(b"88.1/item", None, &set(&[(9, "WM_LINK", "made-from 88.1/lot")]));
    let noted = note_links(&mut projector, CaseRule::Insensitive, b"88.1/ITEM", std::slice::from_ref(&link), b"");
    assert_eq!(noted, 1);
    assert_eq!(note_links(&mut projector, CaseRule::Insensitive, b"88.1/ITEM", &[link], &body), 2);
    assert_eq!(note_links(&mut projector, CaseRule::Insensitive, b"\0HP88.1", &[], &body), 0, "no record");
    projector.apply(store.state(), Serial(1)).unwrap();
    let mut keys = Vec::new();
    let visit = &mut |key: &[u8], value: &[u8]| {
        keys.push((key.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    };
    store.state().scan(LINKS, b"", visit).unwrap();
    assert_eq!(keys, [(b"88.1/LOT\0M88.1/ITEM".to_vec(), Vec::new())]);
}

fn set(values: &[(u32, &str, &str)]) -> ValueSet {
    let values: Vec<_> = values.iter().map(|(index, kind, data)| value(*index, kind, data.as_bytes())).collect();
    ValueSet::from_bufs(&values).unwrap()
}

#[test]
fn only_values_of_the_type_are_held_to_the_form_and_in_any_case() {
    let check = |values: &ValueSet| check_links(values.values(), b"88.1/X", CaseRule::Insensitive);
    assert_eq!(check(&set(&[(1, "WM_LINKS", "?"), (2, "WM_LINK", "part-of 88.1/y")])), Ok(()));
    let refused = |index, problem| Err(Refusal::InvalidLink { index, problem });
    assert_eq!(check(&set(&[(1, "URL", "?"), (7, "wm_link", "?")])), refused(7, LinkError::NoTarget));
    assert_eq!(check(&set(&[(3, "WM_LINK", "made-from 88.1/x")])), refused(3, LinkError::ToItself));
}

fn aggregate(parent: &str, children: usize) -> LinkCommand {
    LinkCommand::Aggregate { parent: parent.into(), children: vec![b"88.1/c".to_vec(); children] }
}

#[test]
fn packing_is_held_to_its_limits() {
    let refused = |command: &LinkCommand| match Packing::new(command, CaseRule::Insensitive) {
        Err(Refusal::InvalidAggregation { field, .. }) => field,
        other => panic!("{:?}", other.err()),
    };
    assert!(Packing::new(&aggregate("88.1/p", AGGREGATED), CaseRule::Insensitive).is_ok());
    assert_eq!(refused(&aggregate("88.1/p", AGGREGATED + 1)), "children");
    assert_eq!(refused(&aggregate("88.1/p", 0)), "children");
    for parent in ["", "88.1", "/p", "88.1/p ", "88.1/\n"] {
        assert_eq!(refused(&aggregate(parent, 1)), "parent", "{parent:?}");
    }
}

#[test]
fn the_lowest_free_index_is_taken() {
    let command = aggregate("88.1/P", 1);
    let packing = Packing::new(&command, CaseRule::Insensitive).unwrap();
    let index_for = |values: &[(u32, &str, &str)]| {
        let values = set(values);
        let change = packing.of_child(b"88.1/c", b"88.1/C", Some(values.values()), CaseRule::Insensitive).unwrap();
        let Some(Command::AddValues { values, .. }) = change else { panic!("{change:?}") };
        values.values().iter().next().unwrap().index
    };
    assert_eq!(index_for(&[]), FIRST_INDEX);
    assert_eq!(index_for(&[(1, "URL", ""), (FIRST_INDEX + 1, "X", "")]), FIRST_INDEX);
    assert_eq!(index_for(&[(FIRST_INDEX, "X", ""), (FIRST_INDEX + 1, "X", "")]), FIRST_INDEX + 2);
}
