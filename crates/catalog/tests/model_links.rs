//! Random packing and unpacking, of records that are written, replaced and deleted meanwhile, against a map from child to parent: the same answers and
//! the same ways back, before and after restarts, crashes and the loss of the state, on both engines.
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

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use common::{Ending, create, data, delete, home, open_at, put, reopen, try_write};
use linked::{aggregate, disaggregate, sources, with_link};
use proptest::prelude::*;
use waymark_catalog::link::Relation;
use waymark_catalog::{Catalog, Command, PutMode};
use waymark_store::Engine;

/// What a test does next. Identifiers are numbers; any may be packed in any.
#[derive(Clone, Debug)]
enum Step {
    Create(u8),
    /// Written as one that is packed, whatever it is.
    CreateIn(u8, u8),
    /// Written anew, without links.
    Replace(u8),
    Delete(u8),
    Pack(u8, Vec<u8>),
    Unpack(u8, Vec<u8>),
    Restart(Ending),
}

const NAMES: u8 = 8;

fn step() -> impl Strategy<Value = Step> {
    let name = || 0..NAMES;
    let several = || prop::collection::vec(0..NAMES, 0..4);
    prop_oneof![
        4 => name().prop_map(Step::Create),
        1 => (name(), name()).prop_map(|(child, parent)| Step::CreateIn(child, parent)),
        1 => name().prop_map(Step::Replace),
        1 => name().prop_map(Step::Delete),
        6 => (name(), several()).prop_map(|(parent, children)| Step::Pack(parent, children)),
        4 => (name(), several()).prop_map(|(parent, children)| Step::Unpack(parent, children)),
        1 => prop::sample::select(&Ending::ALL[..]).prop_map(Step::Restart),
    ]
}

fn handle(number: u8) -> String {
    format!("88.1/n{number}")
}

/// What each record is packed in.
#[derive(Default)]
struct Model(BTreeMap<u8, Option<u8>>);

impl Model {
    /// Whether it is taken, and what comes of it then.
    fn take(&mut self, step: &Step) -> (Command, bool) {
        match step {
            Step::Create(name) => {
                let new = !self.0.contains_key(name);
                self.0.entry(*name).or_default();
                (create(&handle(*name), "u"), new)
            }
            Step::CreateIn(name, parent) => {
                let new = !self.0.contains_key(name) && name != parent;
                if new {
                    self.0.insert(*name, Some(*parent));
                }
                (with_link(&handle(*name), &format!("packed-in {}", handle(*parent))), new)
            }
            Step::Replace(name) => {
                self.0.insert(*name, None);
                (put(&handle(*name), "u", PutMode::Replace), true)
            }
            Step::Delete(name) => (delete(&handle(*name)), self.0.remove(name).is_some()),
            Step::Pack(parent, children) => {
                let may = |child: &u8| {
                    child != parent && self.0.get(child).is_some_and(|held| held.is_none_or(|held| held == *parent))
                };
                let taken = !children.is_empty() && children.iter().all(may);
                if taken {
                    self.0.extend(children.iter().map(|child| (*child, Some(*parent))));
                }
                (packed(aggregate, *parent, children), taken)
            }
            Step::Unpack(parent, children) => {
                let may = |child: &u8| child != parent && self.0.get(child) == Some(&Some(*parent));
                let taken = !children.is_empty() && children.iter().all(may);
                if taken {
                    self.0.extend(children.iter().map(|child| (*child, None)));
                }
                (packed(disaggregate, *parent, children), taken)
            }
            Step::Restart(_) => unreachable!("no command"),
        }
    }

    fn compare(&self, catalog: &Catalog) {
        for number in 0..NAMES {
            let held = data(catalog, &handle(number)).map(|data| data.last().cloned().unwrap());
            let expected = self.0.get(&number).map(|parent| match parent {
                Some(parent) => format!("packed-in {}", handle(*parent)),
                None => "u".to_owned(),
            });
            assert_eq!(held, expected, "{number}");
            let children = self.0.iter().filter(|(_, parent)| **parent == Some(number));
            let back: BTreeSet<_> =
                children.map(|(child, _)| (Relation::PackedIn, handle(*child).to_ascii_uppercase())).collect();
            assert_eq!(sources(catalog, &handle(number)), back, "{number}");
        }
    }
}

fn packed(command: fn(&str, &[&str]) -> Command, parent: u8, children: &[u8]) -> Command {
    let names: Vec<String> = children.iter().map(|child| handle(*child)).collect();
    command(&handle(parent), &names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn run(engine: Engine, steps: &[Step]) {
    let root = tempfile::tempdir().unwrap();
    let mut folder: PathBuf = root.path().join("0");
    let mut catalog = open_at(&folder, engine).catalog;
    home(&catalog, "88.1");
    let mut model = Model::default();
    for (number, step) in steps.iter().enumerate() {
        let Step::Restart(ending) = step else {
            let (command, taken) = model.take(step);
            let result = try_write(&catalog, vec![command]).unwrap().remove(0);
            assert_eq!(result.is_ok(), taken, "step {number}, {step:?}: {result:?}");
            continue;
        };
        let crashed = root.path().join((number + 1).to_string());
        catalog = reopen(catalog, *ending, &mut folder, crashed, engine);
        model.compare(&catalog);
    }
    model.compare(&catalog);
    linked::assert_audit_holds(&catalog);
    catalog.shutdown().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn packing_over_a_log_is_what_the_model_says(steps in prop::collection::vec(step(), 1..60)) {
        run(Engine::Log, &steps);
    }

    #[test]
    fn packing_over_sled_is_what_the_model_says(steps in prop::collection::vec(step(), 1..40)) {
        run(Engine::Sled, &steps);
    }
}
