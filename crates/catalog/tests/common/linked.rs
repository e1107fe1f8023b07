//! Who links to whom, as a catalog tells it.
#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use waymark_catalog::audit::{Cursor, Filter, Item, Verb, search, verify};
use waymark_catalog::link::{LinkCommand, Relation, SourceAt};
use waymark_catalog::{Catalog, Command, FeedLimits, PutMode, Timestamps, ValueSet};
use waymark_ident::Handle;
use waymark_wire::ValueBuf;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits until the state holds everything that is visible.
pub(crate) fn caught_up(catalog: &Catalog) {
    let (serial, mut fed) = (catalog.serial(), catalog.fed());
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut waiting = std::pin::pin!(fed.wait_for(|fed| *fed >= serial));
    loop {
        match waiting.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => break drop(outcome.unwrap()),
            Poll::Pending => thread::park(),
        }
    }
}

/// Who links to a target, by canonical key.
pub(crate) fn sources(catalog: &Catalog, target: &str) -> BTreeSet<(Relation, String)> {
    caught_up(catalog);
    let mut all = BTreeSet::new();
    let visit = &mut |relation, source: &[u8], _| {
        assert!(all.insert((relation, String::from_utf8(source.to_vec()).unwrap())), "told twice");
        ControlFlow::Continue(())
    };
    catalog.cold().linked_to(&Handle::new(target.as_bytes()).unwrap(), None, visit).unwrap();
    all
}

/// The first sources behind a place.
pub(crate) fn page(catalog: &Catalog, target: &str, after: Option<&SourceAt>, most: usize) -> Vec<(String, SourceAt)> {
    let mut page = Vec::new();
    let visit = &mut |_, source: &[u8], place| {
        page.push((String::from_utf8(source.to_vec()).unwrap(), place));
        if page.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    catalog.cold().linked_to(&Handle::new(target.as_bytes()).unwrap(), after, visit).unwrap();
    page
}

/// A record that holds a link.
pub(crate) fn with_link(handle: &str, link: &str) -> Command {
    let values = [ValueBuf::new(1, b"URL", b"u"), ValueBuf::new(800, b"WM_LINK", link.as_bytes())];
    let values = ValueSet::from_bufs(&values).unwrap();
    Command::Put { handle: handle.into(), values, timestamps: Timestamps::Now, mode: PutMode::Create }
}

pub(crate) fn aggregate(parent: &str, children: &[&str]) -> Command {
    LinkCommand::Aggregate { parent: parent.into(), children: bytes_of(children) }.into()
}

pub(crate) fn disaggregate(parent: &str, children: &[&str]) -> Command {
    LinkCommand::Disaggregate { parent: parent.into(), children: bytes_of(children) }.into()
}

fn bytes_of(children: &[&str]) -> Vec<Vec<u8>> {
    children.iter().map(|child| child.as_bytes().to_vec()).collect()
}

/// What the audit tells of packing.
pub(crate) fn audited(catalog: &Catalog) -> Vec<Item> {
    let mut found = Vec::new();
    let visit = &mut |told: &waymark_catalog::audit::Told<'_>| {
        if told.item.verb == Verb::AGGREGATE {
            found.push(told.item.clone());
        }
        ControlFlow::Continue(())
    };
    search(catalog.store().as_ref(), &Filter::default(), Cursor::default(), FeedLimits::DEFAULT, visit).unwrap();
    found
}

/// Nothing in the log is other than the audit says.
pub(crate) fn assert_audit_holds(catalog: &Catalog) {
    let mut first = None;
    let verified = verify(catalog.store().as_ref(), &[], None, &mut |problem| {
        first = Some(problem);
        ControlFlow::Break(())
    });
    assert_eq!((verified.unwrap().problems, first), (0, None));
}
