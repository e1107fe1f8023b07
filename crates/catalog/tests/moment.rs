//! What there was at a moment, whatever came after it; and putting objects back, which is for whoever may open the data folder.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "tests"
)]

mod common;
mod enterprise;

use std::ops::ControlFlow;

use common::{ENGINES, home, open_at, url, write};
use waymark_catalog::business::FileKind;
use waymark_catalog::moment::{Gone, Item, Kind, Object, ObjectName, Restore};
use waymark_catalog::vault::People;
use waymark_catalog::{Catalog, Command, Order, PutMode, Refusal, Serial, Timestamps};
use waymark_store::Engine;

use enterprise::Node;

fn put(handle: &str, data: &str) -> Command {
    let (timestamps, mode) = (Timestamps::Now, PutMode::Replace);
    Command::Put { handle: handle.as_bytes().to_vec(), values: url(data), timestamps, mode }
}

fn delete(handle: &str) -> Command {
    Command::Delete { handle: handle.as_bytes().to_vec() }
}

/// Identifiers of 88.1 at a serial that changed after another one, each with its URL; and those that are gone.
fn told(catalog: &Catalog, since: Serial, at: Serial) -> (Vec<String>, Vec<String>) {
    let moment = catalog.moment(b"88.1", since, at).unwrap();
    let (mut there, mut gone) = (Vec::new(), Vec::new());
    let records = moment.records(&mut |item| {
        if let Item::Record(stored) = item {
            let values = stored.values().unwrap();
            let data = values.iter().map(|value| String::from_utf8_lossy(value.data).into_owned()).collect::<String>();
            there.push(format!("{}={data}", String::from_utf8_lossy(stored.handle())));
        }
        ControlFlow::Continue(())
    });
    records.unwrap();
    let went = moment.gone(&mut |went| {
        gone.push(match went {
            Gone::Record(key) => String::from_utf8_lossy(key).into_owned(),
            Gone::Object(name) => format!("{} {name}", name.kind().as_str()),
        });
        ControlFlow::Continue(())
    });
    went.unwrap();
    (there, gone)
}

#[test]
fn a_moment_is_what_it_was_whatever_came_after_it() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        home(&catalog, "88.1");
        home(&catalog, "88.10");
        write(&catalog, vec![put("88.1/a", "1"), put("88.1/b", "1"), put("88.1/c", "1"), put("88.10/a", "1")]);
        let first = catalog.serial();
        write(&catalog, vec![put("88.1/a", "2"), delete("88.1/b"), put("88.1/d", "2"), put("88.1/e", "2")]);
        write(&catalog, vec![delete("88.1/e")]);
        let second = catalog.serial();
        for n in 0..50 {
            write(&catalog, vec![put("88.1/a", &n.to_string()), put("88.1/b", "3"), delete("88.1/b")]);
        }
        write(&catalog, vec![delete("88.1/a"), delete("88.1/c"), put("88.1/f", "3")]);
        let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        assert_eq!(told(&catalog, Serial::NONE, first), (strings(&["88.1/a=1", "88.1/b=1", "88.1/c=1"]), vec![]));
        assert_eq!(told(&catalog, Serial::NONE, second), (strings(&["88.1/a=2", "88.1/c=1", "88.1/d=2"]), vec![]));
        let changed = (strings(&["88.1/a=2", "88.1/d=2"]), strings(&["88.1/B"]));
        assert_eq!(told(&catalog, first, second), changed, "what came and went between is not told");
        let now = (strings(&["88.1/f=3"]), strings(&["88.1/A", "88.1/C"]));
        assert_eq!(told(&catalog, second, Serial::MAX), now);
    }
}

fn object(kind: Kind, name: &str, text: &str) -> Object {
    Object::new(ObjectName::parse(kind, name).unwrap(), text.to_owned(), None).unwrap()
}

#[test]
fn only_whoever_may_open_the_data_folder_puts_back() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    let restore = || Order::from(Restore::Put(object(Kind::Home, "0.NA/88.2", "")));
    for name in ["op", "rev", "acme", "nobody"] {
        assert_eq!(node.by(name, restore()).unwrap_err(), Refusal::NotPermitted, "{name}");
    }
    write(&node.catalog, vec![restore().command]);
    assert!(node.catalog.prefixes().is_homed(b"88.2"));
    let removed = Restore::Remove(ObjectName::parse(Kind::Home, "0.NA/88.2").unwrap());
    let again = removed.clone();
    write(&node.catalog, vec![Order::from(removed).command, Order::from(again).command]);
    assert!(!node.catalog.prefixes().is_homed(b"88.2"), "what is gone already is gone");
}

#[test]
fn what_would_not_be_whole_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::begun(dir.path(), Engine::Log);
    node.done("acme", node.put("D1"));
    let put = |object: Object| {
        common::try_write(&node.catalog, vec![Order::from(Restore::Put(object)).command]).unwrap().remove(0)
    };
    let case = r#"{"v":1,"enterprise":9,"state":"active","wish":"hosted","placement":"here","steps":[]}"#;
    assert_eq!(put(object(Kind::Case, "88.1.5", case)).unwrap_err(), Refusal::NotFound, "of nobody");
    let piece = r#"{"v":1,"last":9,"by":"a","since":1,"station":"s","until":2}"#;
    assert_eq!(put(object(Kind::Piece, "88.1#3 leased 0", piece)).unwrap_err(), Refusal::NotFound, "of no package");
    let sealed = node.vault.seal_bytes(People::default(), b"of somebody else").unwrap().sealed;
    let name = ObjectName::parse(Kind::File, "E1 document").unwrap();
    let file = Object::new(name.clone(), "png".into(), Some(sealed)).unwrap();
    assert!(matches!(put(file), Err(Refusal::InvalidBusiness { field: "file", .. })));
    assert!(
        !node
            .business()
            .files(waymark_catalog::business::EnterpriseId(1).into())
            .any(|kind| kind == FileKind::Document)
    );

    assert!(Object::new(name, "png".into(), None).is_err(), "a file without bytes");
    let wrong = [
        (Kind::Home, "0.NA/88.1", "text"),
        (Kind::Case, "88.1", "{}"),
        (Kind::Enterprise, "E1", r#"{"v":2}"#),
        (Kind::Template, "88.1/META_A-1", r#"{"v":1}"#),
        (Kind::Piece, "88.1#1 bound 0", "[]"),
    ];
    for (kind, name, text) in wrong {
        let name = ObjectName::parse(kind, name).unwrap();
        assert!(Object::new(name.clone(), text.to_owned(), None).is_err(), "{name}");
    }
}
