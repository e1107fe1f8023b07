//! Looking things up in the audit, and taking it out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::ops::ControlFlow;

use common::*;
use waymark_catalog::audit::{Cursor, Filter, RefusalNote, Verb, export, search};
use waymark_catalog::{Actor, Catalog, Door, FeedLimits, Origin, PutMode, Receipt, Submission};
use waymark_store::Engine;

/// A catalog with changes by two actors and something refused; the receipts of the changes of records.
fn filled(dir: &std::path::Path, engine: Engine) -> (Catalog, Vec<Receipt>) {
    let catalog = open_at(dir, engine).catalog;
    home(&catalog, "88.1");
    let import = |commands| {
        let results = catalog.writer().submit(Submission::new(&Actor::import(), commands)).unwrap().wait().unwrap();
        results.into_iter().map(|result| result.unwrap())
    };
    let mut receipts: Vec<Receipt> =
        import(vec![create("88.1/a", "1"), create("88.1/b", "1"), create("88.1/ab", "1")]).collect();
    receipts.extend(write(&catalog, vec![put("88.1/A", "2", PutMode::Replace), delete("88.1/b")]));
    let origin = Origin { door: Door::Grpc, source: "192.0.2.9".parse().ok() };
    let actor = Actor::unknown(origin);
    let note = RefusalNote { actor: &actor, verb: Verb::AUTHENTICATE, code: "unauthenticated", key: b"" };
    catalog.writer().note_refusal(note);
    catalog.shutdown().unwrap();
    drop(catalog);
    (open_at(dir, engine).catalog, receipts)
}

/// Verb, key and outcome of everything found, in pages of these limits and items.
fn pages(catalog: &Catalog, filter: &Filter, limits: FeedLimits, items: usize) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), Some(Cursor::default()));
    while let Some(from) = cursor {
        let mut left = items;
        cursor = search(catalog.store().as_ref(), filter, from, limits, &mut |told| {
            let key = String::from_utf8_lossy(&told.item.key).into_owned();
            found.push(format!("{} {key} {}", told.item.verb, told.item.deed.outcome()));
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
        assert!(cursor.is_none_or(|next| next != from), "every page goes on");
    }
    found
}

fn all(catalog: &Catalog, filter: &Filter) -> Vec<String> {
    let all = pages(catalog, filter, FeedLimits::DEFAULT, usize::MAX);
    for items in [1, 2, 3] {
        assert_eq!(pages(catalog, filter, FeedLimits::DEFAULT, items), all);
        assert_eq!(pages(catalog, filter, FeedLimits { entries: 1, ..FeedLimits::DEFAULT }, items), all);
        assert_eq!(pages(catalog, filter, FeedLimits { bytes: 1, ..FeedLimits::DEFAULT }, items), all);
    }
    all
}

#[test]
fn everything_is_found_in_order_however_it_is_paged() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let (catalog, _) = filled(dir.path(), engine);
        assert_eq!(
            all(&catalog, &Filter::default()),
            [
                "home 0.NA/88.1 homed",
                "create 88.1/a created",
                "create 88.1/b created",
                "create 88.1/ab created",
                "replace 88.1/A replaced",
                "delete 88.1/b deleted",
                "authenticate  unauthenticated",
            ]
        );
    }
}

#[test]
fn each_filter_lets_through_what_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let (catalog, receipts) = filled(dir.path(), Engine::Log);
    let text = |text: &str| Some(text.to_owned());
    let with = |filter: Filter| all(&catalog, &filter);
    assert_eq!(with(Filter { actor: text("import"), ..Filter::default() }).len(), 3);
    assert_eq!(with(Filter { actor: text("nobody"), ..Filter::default() }).len(), 0);
    let key = Filter { key: b"88.1/A".to_vec(), ..Filter::default() };
    assert_eq!(with(key), ["create 88.1/a created", "create 88.1/ab created", "replace 88.1/A replaced"]);
    assert_eq!(with(Filter { verb: text("delete"), ..Filter::default() }), ["delete 88.1/b deleted"]);
    assert_eq!(with(Filter { outcome: text("replaced"), ..Filter::default() }), ["replace 88.1/A replaced"]);
    let source = Filter { source: "192.0.2.9".parse().ok(), ..Filter::default() };
    assert_eq!(with(source), ["authenticate  unauthenticated"]);
    let (first, last) = (receipts[0].time, receipts[4].time);
    let span = Filter { from: Some(first), until: Some(last), ..Filter::default() };
    assert_eq!(with(span).len(), 3);
    assert_eq!(with(Filter { from: Some(last), ..Filter::default() }).len(), 3);
    assert_eq!(with(Filter { until: Some(first), ..Filter::default() }), ["home 0.NA/88.1 homed"]);
}

#[test]
fn an_export_has_a_line_of_json_for_each_item() {
    let dir = tempfile::tempdir().unwrap();
    let (catalog, receipts) = filled(dir.path(), Engine::Log);
    let mut out = Vec::new();
    let lines = export(catalog.store().as_ref(), &Filter::default(), &mut out).unwrap();
    let read: Vec<serde_json::Value> =
        String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines, read.len()), (7, 7));
    let replaced = &read[4];
    assert_eq!(replaced["note"], 3);
    assert_eq!((&replaced["actor"], &replaced["verb"]), (&"operator".into(), &"replace".into()));
    assert_eq!(replaced["serial"], receipts[3].serial.0);
    assert_eq!(replaced["before"], receipts[0].content.to_string());
    assert_eq!(replaced["after"], receipts[3].content.to_string());
    assert_eq!((&read[6]["source"], &read[6]["count"]), (&"192.0.2.9".into(), &1.into()));
}
