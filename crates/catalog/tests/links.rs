//! Links between identifiers by the one write path: held to their form, found again backwards, packed and taken out as one; the same after every kind
//! of start.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod common;
#[path = "common/linked.rs"]
mod linked;

use std::collections::BTreeSet;

use common::*;
use linked::{aggregate, disaggregate, sources, with_link};
use waymark_catalog::access::{Principal, Role, Scope};
use waymark_catalog::audit::Deed;
use waymark_catalog::link::{LinkCommand, LinkError, Relation};
use waymark_catalog::range::{FormRequest, MacKey, RangeCommand};
use waymark_catalog::{
    Actor, Catalog, Command, Door, Origin, Outcome, Proof, PutMode, Refusal, Request, Submission, Timestamps, ValueSet,
    Warm, command_digest, open, rebuild,
};
use waymark_store::Engine;
use waymark_wire::ValueBuf;

fn set_of(sources: &[(Relation, &str)]) -> BTreeSet<(Relation, String)> {
    sources.iter().map(|(relation, source)| (*relation, (*source).to_owned())).collect()
}

fn opened(engine: Engine) -> (tempfile::TempDir, Catalog) {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), engine).catalog;
    home(&catalog, "88.1");
    (dir, catalog)
}

fn items(catalog: &Catalog, names: &[&str]) {
    write(catalog, names.iter().map(|name| create(&format!("88.1/{name}"), "https://example.com")).collect());
}

fn refusal(catalog: &Catalog, command: impl Into<Command>) -> Refusal {
    try_write(catalog, vec![command.into()]).unwrap().remove(0).unwrap_err()
}

#[test]
fn links_are_found_backwards_and_follow_every_change_of_their_record() {
    for engine in ENGINES {
        let (_dir, catalog) = opened(engine);
        items(&catalog, &["a"]);
        write(&catalog, vec![with_link("88.1/b", "made-from 88.1/lot")]);
        assert_eq!(sources(&catalog, "88.1/LOT"), set_of(&[(Relation::MadeFrom, "88.1/B")]));
        let values = ValueSet::from_bufs(&[ValueBuf::new(9, b"WM_LINK", b"part-of 88.1/Lot")]).unwrap();
        let mode = waymark_catalog::AddMode::New;
        write(
            &catalog,
            vec![Command::AddValues { handle: b"88.1/A".to_vec(), values, timestamps: Timestamps::Now, mode }],
        );
        let both = set_of(&[(Relation::MadeFrom, "88.1/B"), (Relation::PartOf, "88.1/A")]);
        assert_eq!(sources(&catalog, "88.1/lot"), both);
        // In one group, so that the last of its changes counts.
        write(
            &catalog,
            vec![
                put("88.1/b", "no link", PutMode::Replace),
                delete("88.1/b"),
                with_link("88.1/b", "packed-in 88.1/lot"),
            ],
        );
        let both = set_of(&[(Relation::PackedIn, "88.1/B"), (Relation::PartOf, "88.1/A")]);
        assert_eq!(sources(&catalog, "88.1/lot"), both);
        write(&catalog, vec![Command::Suspend { handle: b"88.1/b".to_vec(), reason: "recall".into() }]);
        assert_eq!(sources(&catalog, "88.1/lot"), both, "what is suspended is linked still");
        write(&catalog, vec![Command::RemoveValues { handle: b"88.1/a".to_vec(), indexes: vec![9] }]);
        assert_eq!(sources(&catalog, "88.1/lot"), set_of(&[(Relation::PackedIn, "88.1/B")]));
        write(&catalog, vec![Command::Resume { handle: b"88.1/b".to_vec() }, delete("88.1/b")]);
        assert!(sources(&catalog, "88.1/lot").is_empty());
    }
}

#[test]
fn a_link_that_is_none_or_leads_to_itself_is_refused_by_every_command() {
    let (_dir, catalog) = opened(Engine::Log);
    items(&catalog, &["a"]);
    let values = |data: &str| ValueSet::from_bufs(&[ValueBuf::new(5, b"WM_LINK", data.as_bytes())]).unwrap();
    let (timestamps, handle) = (Timestamps::Now, || b"88.1/a".to_vec());
    for (data, problem) in [("in a box", LinkError::Relation), ("part-of 88.1/A", LinkError::ToItself)] {
        let mode = PutMode::Replace;
        let commands = [
            Command::Put { handle: handle(), values: values(data), timestamps, mode },
            Command::AddValues {
                handle: handle(),
                values: values(data),
                timestamps,
                mode: waymark_catalog::AddMode::New,
            },
            Command::ModifyValues { handle: handle(), values: values(data), timestamps },
        ];
        for command in commands {
            assert_eq!(refusal(&catalog, command), Refusal::InvalidLink { index: 5, problem });
        }
    }
    assert_eq!(data(&catalog, "88.1/a").unwrap().len(), 1);
}

#[test]
fn what_is_packed_is_the_same_after_every_kind_of_start() {
    for engine in ENGINES {
        let (dir, catalog) = opened(engine);
        items(&catalog, &["a", "b", "c"]);
        let receipt = write(&catalog, vec![aggregate("88.1/box", &["88.1/a", "88.1/b", "88.1/c", "88.1/A"])])[0];
        assert_eq!(receipt.outcome, Outcome::Aggregated);
        let receipt = write(&catalog, vec![disaggregate("88.1/BOX", &["88.1/b"])])[0];
        assert_eq!(receipt.outcome, Outcome::Disaggregated);
        let expected = set_of(&[(Relation::PackedIn, "88.1/A"), (Relation::PackedIn, "88.1/C")]);
        assert_eq!(data(&catalog, "88.1/a").unwrap()[1], "packed-in 88.1/box");
        assert_eq!(data(&catalog, "88.1/b").unwrap().len(), 1);
        let records = dump(&catalog);
        assert_eq!(sources(&catalog, "88.1/box"), expected);
        let crashed = tempfile::tempdir().unwrap();
        copy_folder(dir.path(), crashed.path());
        catalog.shutdown().unwrap();
        drop(catalog);
        for kind in ["restart", "state lost", "rebuilt"] {
            match kind {
                "state lost" => lose_state(dir.path()),
                "rebuilt" => drop(rebuild(&options(dir.path(), engine)).unwrap()),
                _ => {}
            }
            let catalog = open_at(dir.path(), engine).catalog;
            assert_eq!(sources(&catalog, "88.1/box"), expected, "{engine:?} {kind}");
            assert_eq!(dump(&catalog), records, "{engine:?} {kind}");
            catalog.shutdown().unwrap();
        }
        let catalog = open_at(crashed.path(), engine).catalog;
        assert_eq!(sources(&catalog, "88.1/box"), expected, "{engine:?} crashed");
    }
}

#[test]
fn a_page_of_sources_goes_on_where_the_one_before_ended() {
    for engine in ENGINES {
        let (_dir, catalog) = opened(engine);
        items(&catalog, &["a", "b", "c", "d", "e"]);
        write(&catalog, vec![with_link("88.1/f", "made-from 88.1/box"), with_link("88.1/g", "packed-in 88.1/boxes")]);
        write(&catalog, vec![aggregate("88.1/box", &["88.1/a", "88.1/b", "88.1/c", "88.1/d", "88.1/e"])]);
        linked::caught_up(&catalog);
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = linked::page(&catalog, "88.1/box", after.as_ref(), 2);
            if page.is_empty() {
                break;
            }
            assert!(page.len() <= 2);
            after = page.last().map(|(_, place)| place.clone());
            seen.extend(page.into_iter().map(|(source, _)| source));
        }
        // By relation, then by name.
        assert_eq!(seen, ["88.1/A", "88.1/B", "88.1/C", "88.1/D", "88.1/E", "88.1/F"], "{engine:?}");
    }
}

#[test]
fn packing_is_all_or_none_and_says_which_child_stands_against_it() {
    let (_dir, catalog) = opened(Engine::Log);
    items(&catalog, &["a", "b", "c", "gone", "other"]);
    write(&catalog, vec![delete("88.1/gone")]);
    write(&catalog, vec![aggregate("88.1/first", &["88.1/c"])]);
    let before = (catalog.serial(), dump(&catalog));
    let of_child =
        |child: &str, refusal| Refusal::OfChild { child: child.as_bytes().into(), refusal: Box::new(refusal) };
    let already = Refusal::AlreadyAggregated { child: b"88.1/C".as_slice().into(), parent: "88.1/first".into() };
    assert_eq!(refusal(&catalog, aggregate("88.1/box", &["88.1/a", "88.1/C"])), already);
    assert_eq!(already.to_string(), "88.1/C is packed in 88.1/first already");
    let refused = refusal(&catalog, aggregate("88.1/box", &["88.1/a", "88.1/gone"]));
    assert_eq!(refused, of_child("88.1/gone", Refusal::NotFound));
    let refused = refusal(&catalog, aggregate("88.1/box", &["88.1/a", "88.2/x"]));
    assert_eq!(refused, of_child("88.2/x", Refusal::NotServed { prefix: b"88.2".to_vec() }));
    let refused = refusal(&catalog, aggregate("88.1/A", &["88.1/b", "88.1/a"]));
    assert!(
        matches!(&refused, Refusal::OfChild { child, refusal } if **child == *b"88.1/a"
        && matches!(**refusal, Refusal::InvalidAggregation { field: "children", .. })),
        "{refused:?}"
    );
    let refused = refusal(&catalog, disaggregate("88.1/first", &["88.1/c", "88.1/a"]));
    let parent = "88.1/first".into();
    assert_eq!(refused, Refusal::NotAggregated { child: b"88.1/a".as_slice().into(), parent });
    let refused = refusal(&catalog, disaggregate("88.1/first", &["88.1/gone"]));
    assert_eq!(refused, of_child("88.1/gone", Refusal::NotFound));
    assert_eq!(dump(&catalog), before.1, "nothing of it was written");
    // What is in it already stays; where all is as asked, nothing is written.
    assert_eq!(write(&catalog, vec![aggregate("88.1/first", &["88.1/c"])])[0].outcome, Outcome::Same);
    assert_eq!(write(&catalog, vec![aggregate("88.1/FIRST", &["88.1/c", "88.1/b"])])[0].outcome, Outcome::Aggregated);
    assert_eq!(data(&catalog, "88.1/c").unwrap()[1], "packed-in 88.1/first");
    // The last child may be revoked, and the whole is refused because of it.
    write(&catalog, vec![Command::Revoke { handle: b"88.1/other".to_vec(), reason: String::new() }]);
    let refused = refusal(&catalog, aggregate("88.1/box", &["88.1/a", "88.1/other"]));
    assert_eq!(refused, of_child("88.1/other", Refusal::Withdrawn { revoked: true }));
}

#[test]
fn ten_thousand_children_are_one_commit() {
    for engine in ENGINES {
        let (_dir, catalog) = opened(engine);
        let names: Vec<String> = (0..10_000).map(|number| format!("88.1/i{number:05}")).collect();
        for some in names.chunks(1_000) {
            write(&catalog, some.iter().map(|name| create(name, "u")).collect());
        }
        let before = catalog.serial();
        let children: Vec<&str> = names.iter().map(String::as_str).collect();
        let receipt = write(&catalog, vec![aggregate("88.1/pallet", &children)])[0];
        assert_eq!(receipt.serial.0, before.0 + 10_000);
        assert_eq!(sources(&catalog, "88.1/pallet").len(), 10_000);
        linked::assert_audit_holds(&catalog);
    }
}

#[test]
fn the_audit_tells_of_every_child() {
    let (_dir, catalog) = opened(Engine::Log);
    items(&catalog, &["a", "b"]);
    write(&catalog, vec![aggregate("88.1/box", &["88.1/A", "88.1/b"])]);
    linked::assert_audit_holds(&catalog);
    let items = linked::audited(&catalog);
    let told: Vec<_> = items
        .iter()
        .map(|item| (String::from_utf8(item.key.clone()).unwrap(), item.verb.name(), item.deed.outcome()))
        .collect();
    let line = |key: &str| (key.to_owned(), "aggregate".into(), "aggregated".into());
    assert_eq!(told, [line("88.1/a"), line("88.1/b")]);
    for item in &items {
        assert!(matches!(item.deed, Deed::Done { before: Some(_), after: Some(_), .. }), "{item:?}");
    }
}

fn writer_of(catalog: &Catalog, name: &str, prefix: &str, daily_quota: Option<u64>) -> Actor {
    let principal = Principal {
        name: name.into(),
        role: Role::Writer,
        scope: Scope::parse([prefix]).unwrap(),
        disabled: false,
        rate_per_second: None,
        daily_quota,
        certificates: Vec::new(),
        note: String::new(),
    };
    write(catalog, vec![Command::PutPrincipal { principal }]);
    Actor::principal(name, Proof::Job, Origin { door: Door::Job, source: None })
}

fn submit(catalog: &Catalog, actor: &Actor, command: LinkCommand) -> Result<Outcome, Refusal> {
    let results = catalog.writer().submit(Submission::new(actor, [command])).unwrap().wait().unwrap();
    results[0].clone().map(|receipt| receipt.outcome)
}

fn link(command: Command) -> LinkCommand {
    let Command::Link(command) = command else { panic!("{command:?}") };
    *command
}

#[test]
fn who_may_not_write_one_child_packs_none() {
    let (_dir, catalog) = opened(Engine::Log);
    home(&catalog, "88.2");
    items(&catalog, &["a"]);
    write(&catalog, vec![create("88.2/x", "u")]);
    let actor = writer_of(&catalog, "acme", "88.1", None);
    let both = link(aggregate("88.2/box", &["88.1/a", "88.2/x"]));
    assert_eq!(submit(&catalog, &actor, both), Err(Refusal::NotPermitted));
    assert_eq!(data(&catalog, "88.1/a").unwrap().len(), 1);
    // The parent may be anybody's: the link is the child's.
    let own = link(aggregate("88.2/box", &["88.1/a"]));
    assert_eq!(submit(&catalog, &actor, own), Ok(Outcome::Aggregated));
}

#[test]
fn every_child_counts_for_the_quota_and_what_passes_it_is_refused_whole() {
    let (_dir, catalog) = opened(Engine::Log);
    items(&catalog, &["a", "b", "c"]);
    let actor = writer_of(&catalog, "acme", "88.1", Some(3));
    let pack = |parent: &str, children: &[&str]| submit(&catalog, &actor, link(aggregate(parent, children)));
    assert_eq!(pack("88.1/box", &["88.1/a", "88.1/b"]), Ok(Outcome::Aggregated));
    submit(&catalog, &actor, link(disaggregate("88.1/box", &["88.1/a"]))).unwrap();
    assert!(matches!(pack("88.1/box", &["88.1/a", "88.1/c"]), Err(Refusal::QuotaExceeded { quota: 3, .. })));
    assert_eq!(data(&catalog, "88.1/c").unwrap().len(), 1);
    assert_eq!(pack("88.1/box", &["88.1/b"]), Ok(Outcome::Same), "what writes nothing is not counted");
}

#[test]
fn a_repeated_request_is_told_what_became_of_it() {
    let (_dir, catalog) = opened(Engine::Log);
    items(&catalog, &["a"]);
    let submit = |command: LinkCommand| {
        let id = uuid::Builder::from_unix_timestamp_millis(1_800_000_000_000, &[7; 10]).into_uuid();
        let order = waymark_catalog::Order::from(command);
        let request = Request { id, digest: command_digest(&order) };
        let submission = Submission { request: Some(request), ..Submission::new(&Actor::operator(), [order]) };
        catalog.writer().submit(submission).unwrap().wait().unwrap().remove(0)
    };
    let pack = || link(aggregate("88.1/box", &["88.1/a"]));
    let first = submit(pack()).unwrap();
    let again = submit(pack()).unwrap();
    assert_eq!((again.serial, again.outcome, again.repeated), (first.serial, Outcome::Aggregated, true));
    assert_eq!(submit(link(aggregate("88.1/box2", &["88.1/a"]))), Err(Refusal::RequestReused));
    assert_eq!(submit(link(disaggregate("88.1/box", &["88.1/a"]))), Err(Refusal::RequestReused));
}

#[test]
fn codes_of_a_package_are_packed_one_by_one_and_none_inherits_a_link() {
    let (_dir, catalog) = opened(Engine::Log);
    let order = |values| RangeCommand::Allocate {
        prefix: b"88.1".to_vec(),
        stem: "R".into(),
        width: 4,
        form: FormRequest::Plain,
        key: MacKey::new([0; 32]),
        first: Some(1),
        count: 10,
        values,
        note: String::new(),
    };
    let link_value = ValueSet::from_bufs(&[ValueBuf::new(2, b"WM_LINK", b"made-from 88.1/lot")]).unwrap();
    let refused = refusal(&catalog, order(link_value));
    assert!(matches!(refused, Refusal::InvalidRange { field: "values", .. }), "{refused:?}");
    write(&catalog, vec![order(url("https://example.com/{serial}")).into()]);
    write(&catalog, vec![aggregate("88.1/box", &["88.1/R0001", "88.1/R0002"])]);
    assert_eq!(data(&catalog, "88.1/R0002").unwrap(), ["https://example.com/0002", "packed-in 88.1/box"]);
    assert_eq!(sources(&catalog, "88.1/box").len(), 2);
    let refused = refusal(&catalog, aggregate("88.1/box", &["88.1/R0003", "88.1/R0011"]));
    assert!(matches!(refused, Refusal::OfChild { .. }), "{refused:?}");
    assert_eq!(data(&catalog, "88.1/R0003"), None);
}

#[test]
fn a_cold_start_packs_what_lies_on_the_disk() {
    let (dir, catalog) = opened(Engine::Log);
    items(&catalog, &["a", "b"]);
    catalog.shutdown().unwrap();
    drop(catalog);
    let options = waymark_catalog::Options { warm: Warm::Off, ..options(dir.path(), Engine::Log) };
    let catalog = open(&options).unwrap().catalog;
    write(&catalog, vec![aggregate("88.1/box", &["88.1/a", "88.1/b"])]);
    assert_eq!(sources(&catalog, "88.1/box").len(), 2);
}
