//! Random sequences of commands about code packages and their codes against a model that keeps a line for each code: the same answers, the same values,
//! before and after restarts, crashes and the loss of the state, on both engines.
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

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use common::{Ending, add, create, data, delete, home, open_at, reopen, try_write};
use proptest::prelude::*;
use waymark_catalog::range::{CodeState, FormRequest, Layer, MacKey, Part, RangeCommand, RangeName, Span};
use waymark_catalog::{Catalog, Command, Inherited, ValueSet};
use waymark_ident::{Handle, MAX_KEY_BYTES};
use waymark_store::Engine;
use waymark_wire::ValueBuf;

/// What a test does next. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Allocate {
        stem: bool,
        count: u64,
    },
    Bind {
        range: usize,
        from: u64,
        more: u64,
        batch: Option<u8>,
    },
    /// `why` nothing ends a recall.
    Recall {
        range: usize,
        from: u64,
        more: u64,
        why: Option<u8>,
    },
    Mark {
        range: usize,
        from: u64,
        more: u64,
        state: usize,
    },
    Export {
        range: usize,
        from: Option<u64>,
        count: u64,
        again: bool,
    },
    Lease {
        range: usize,
        count: u64,
    },
    Reconcile {
        range: usize,
        lease: usize,
        spoiled: bool,
        all: bool,
    },
    Create {
        range: usize,
        serial: u64,
    },
    Add {
        range: usize,
        serial: u64,
    },
    Delete {
        range: usize,
        serial: u64,
    },
    Restart(Ending),
}

fn step() -> impl Strategy<Value = Step> {
    let range = || 0_usize..4;
    let serial = || 0_u64..30;
    prop_oneof![
        2 => (any::<bool>(), 1_u64..25).prop_map(|(stem, count)| Step::Allocate { stem, count }),
        3 => (range(), serial(), 0_u64..9, proptest::option::of(0_u8..4))
            .prop_map(|(range, from, more, batch)| Step::Bind { range, from, more, batch }),
        3 => (range(), serial(), 0_u64..9, proptest::option::weighted(0.6, 0_u8..2))
            .prop_map(|(range, from, more, why)| Step::Recall { range, from, more, why }),
        3 => (range(), serial(), 0_u64..9, 0_usize..3)
            .prop_map(|(range, from, more, state)| Step::Mark { range, from, more, state }),
        3 => (range(), proptest::option::of(serial()), 1_u64..9, any::<bool>())
            .prop_map(|(range, from, count, again)| Step::Export { range, from, count, again }),
        2 => (range(), 1_u64..12).prop_map(|(range, count)| Step::Lease { range, count }),
        2 => (range(), 0_usize..3, any::<bool>(), prop::bool::weighted(0.8))
            .prop_map(|(range, lease, spoiled, all)| Step::Reconcile { range, lease, spoiled, all }),
        2 => (range(), serial()).prop_map(|(range, serial)| Step::Create { range, serial }),
        2 => (range(), serial()).prop_map(|(range, serial)| Step::Add { range, serial }),
        1 => (range(), serial()).prop_map(|(range, serial)| Step::Delete { range, serial }),
        1 => prop::sample::select(&Ending::ALL[..]).prop_map(Step::Restart),
    ]
}

/// One code.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Line {
    batch: Option<u8>,
    recalled: Option<u8>,
    state: usize,
    exported: bool,
    lease: Option<u64>,
}

/// The states by number; 0 is issued.
const STATES: [CodeState; 4] = [CodeState::Issued, CodeState::Used, CodeState::Spoiled, CodeState::Withdrawn];

/// What the reason of a recall begins with.
const RECALLED: &str = "recalled ";

/// A package as a list of its codes.
#[derive(Clone, Debug)]
struct Package {
    stem: &'static str,
    first: u64,
    codes: Vec<Line>,
}

#[derive(Debug, Default)]
struct Model {
    packages: Vec<Package>,
    /// Own records of codes: what their values say, by name.
    own: BTreeMap<String, Vec<String>>,
    next: BTreeMap<&'static str, u64>,
}

impl Package {
    fn code(&self, at: u64) -> String {
        format!("88.1/{}{:06}", self.stem, self.first + at)
    }

    /// What a code without a record of its own is answered with.
    fn inherited(&self, at: u64) -> Vec<String> {
        let digits = format!("{:06}", self.first + at);
        let batch = self.codes[at as usize].batch;
        let second = batch.map_or_else(|| "none".to_owned(), |batch| format!("B{batch} {digits}"));
        let recalled = self.codes[at as usize].recalled.map(|why| format!("{RECALLED}{why}"));
        [format!("https://x/{}{digits}", self.stem), second].into_iter().chain(recalled).collect()
    }

    fn part(&mut self, from: u64, more: u64) -> Option<&mut [Line]> {
        self.codes.get_mut(from as usize..(from + more + 1) as usize)
    }

    fn span(&self, from: u64, more: u64) -> Span {
        Span::new(self.first + from, self.first + from + more).unwrap()
    }

    /// The first `count` codes in a row that are free.
    fn free(&self, count: u64) -> Option<u64> {
        let is_free = |line: &Line| line.state == 0 && !line.exported && line.lease.is_none();
        (0..self.codes.len() as u64).find(|from| {
            self.codes.get(*from as usize..(from + count) as usize).is_some_and(|part| part.iter().all(is_free))
        })
    }
}

fn values(pairs: &[(u32, &str)]) -> ValueSet {
    let bufs: Vec<ValueBuf> = pairs.iter().map(|(index, text)| ValueBuf::new(*index, b"T", text.as_bytes())).collect();
    ValueSet::from_bufs(&bufs).unwrap()
}

fn name(number: usize) -> RangeName {
    RangeName::new(b"88.1", number as u32 + 1).unwrap()
}

impl Model {
    /// The command a step comes to, and whether it must be carried out; the model is as it is afterwards. `None` when there is nothing to do it to.
    fn take(&mut self, step: &Step) -> Option<(Command, bool)> {
        match *step {
            Step::Allocate { stem, count } => {
                let stem = if stem { "A" } else { "Z." };
                let first = self.next.get(stem).copied().unwrap_or(0);
                self.next.insert(stem, first + count);
                self.packages.push(Package { stem, first, codes: vec![Line::default(); count as usize] });
                let command = RangeCommand::Allocate {
                    prefix: b"88.1".to_vec(),
                    stem: stem.into(),
                    width: 6,
                    form: FormRequest::Plain,
                    key: MacKey::new([0; 32]),
                    first: None,
                    count,
                    values: values(&[(1, "https://x/{code}"), (2, "none")]),
                    note: String::new(),
                };
                Some((command.into(), true))
            }
            Step::Bind { range, from, more, batch } => {
                let package = self.packages.get_mut(range)?;
                let span = package.span(from, more);
                let may = |line: &Line| line.state < 2 && line.recalled.is_none();
                let part = package.part(from, more).filter(|part| part.iter().all(may));
                let taken = part.map(|part| part.iter_mut().for_each(|line| line.batch = batch)).is_some();
                let text = batch.map(|batch| format!("B{batch} {{serial}}"));
                let values = text.map_or_else(ValueSet::default, |text| values(&[(2, &text)]));
                Some((RangeCommand::Bind { range: name(range), span, values }.into(), taken))
            }
            Step::Recall { range, from, more, why } => {
                let package = self.packages.get_mut(range)?;
                let (span, range) = (package.span(from, more), name(range));
                let part = package.part(from, more);
                let taken = part.map(|part| part.iter_mut().for_each(|line| line.recalled = why)).is_some();
                let command = match why {
                    Some(why) => RangeCommand::Recall { range, span, reason: format!("{RECALLED}{why}") },
                    None => RangeCommand::LiftRecall { range, span },
                };
                Some((command.into(), taken))
            }
            Step::Mark { range, from, more, state } => {
                let state = state + 1;
                let package = self.packages.get_mut(range)?;
                let span = package.span(from, more);
                let may = |line: &Line| {
                    let known = line.state;
                    line.lease.is_none() && (known == state || known == 0 || (known == 1 && state == 2))
                };
                let part = package.part(from, more).filter(|part| part.iter().all(may));
                let taken = part.map(|part| part.iter_mut().for_each(|line| line.state = state)).is_some();
                let (range, state) = (name(range), STATES[state]);
                Some((RangeCommand::Mark { range, span, state, reason: String::new() }.into(), taken))
            }
            Step::Export { range, from, count, again } => {
                let package = self.packages.get_mut(range)?;
                let (part, at) = match from {
                    Some(from) => (Part::These(package.span(from, count - 1)), Some(from)),
                    None => (Part::Next(count), package.free(count)),
                };
                let may = |line: &Line| line.state == 0 && line.lease.is_none() && (again || !line.exported);
                let part_of = at.and_then(|at| package.part(at, count - 1)).filter(|part| part.iter().all(may));
                let taken = part_of.map(|part| part.iter_mut().for_each(|line| line.exported = true)).is_some();
                let again = if again { "torn" } else { "" }.to_owned();
                Some((RangeCommand::Export { range: name(range), part, roll_codes: 3, again }.into(), taken))
            }
            Step::Lease { range, count } => {
                let package = self.packages.get_mut(range)?;
                let at = package.free(count);
                if let Some(at) = at {
                    package.part(at, count - 1).unwrap().iter_mut().for_each(|line| line.lease = Some(at));
                }
                let station = "s".to_owned();
                Some((
                    RangeCommand::Lease { range: name(range), station, count, lifetime_ms: 1_000 }.into(),
                    at.is_some(),
                ))
            }
            Step::Reconcile { range, lease, spoiled, all } => self.reconcile(range, lease, spoiled, all),
            Step::Create { range, serial } => {
                let package = self.packages.get(range)?;
                let code = package.code(serial);
                let line = package.codes.get(serial as usize);
                // A serial behind the last may belong to the next package of the stem: left to the model of single records.
                let line = line?;
                // A record of its own would hide that the code is recalled.
                let free = line.state < 2 && line.recalled.is_none() && !self.own.contains_key(&code);
                if free {
                    self.own.insert(code.clone(), vec!["own".into()]);
                }
                Some((create(&code, "own"), free))
            }
            Step::Add { range, serial } => {
                let package = self.packages.get(range)?;
                let line = package.codes.get(serial as usize)?;
                let code = package.code(serial);
                let inherited = package.inherited(serial);
                let is_over = line.state > 1;
                let known = self.own.get(&code).cloned();
                let taken = match &known {
                    Some(values) => !values.iter().any(|value| value == "added"),
                    None => !is_over,
                };
                if taken {
                    let mut values = known.unwrap_or(inherited);
                    // The notice has a greater index.
                    let notice = values.pop_if(|last| last.starts_with(RECALLED));
                    values.push("added".into());
                    values.extend(notice);
                    self.own.insert(code.clone(), values);
                }
                Some((add(&code, 9, "added"), taken))
            }
            Step::Delete { range, serial } => {
                let package = self.packages.get(range)?;
                package.codes.get(serial as usize)?;
                let code = package.code(serial);
                let is_recalled = |values: &Vec<String>| values.iter().any(|value| value.starts_with(RECALLED));
                let taken = self.own.get(&code).is_some_and(|values| !is_recalled(values));
                if taken {
                    self.own.remove(&code);
                }
                Some((delete(&code), taken))
            }
            Step::Restart(_) => None,
        }
    }

    fn reconcile(&mut self, range: usize, lease: usize, spoiled: bool, all: bool) -> Option<(Command, bool)> {
        let package = self.packages.get_mut(range)?;
        let mut leases: Vec<u64> = package.codes.iter().filter_map(|line| line.lease).collect();
        leases.dedup();
        let first = *leases.get(lease)?;
        let count = package.codes.iter().filter(|line| line.lease == Some(first)).count() as u64;
        // The first half is printed, one behind it perhaps spoiled, the rest blank.
        let printed = count / 2;
        let bad = u64::from(spoiled && printed < count);
        let spans = |from: u64, count: u64| -> Vec<Span> {
            if count == 0 { Vec::new() } else { vec![package.span(first + from, count - 1)] }
        };
        let blank = (count - printed - bad).saturating_sub(u64::from(!all));
        let command = RangeCommand::Reconcile {
            range: name(range),
            first: package.first + first,
            printed: spans(0, printed),
            spoiled: spans(printed, bad),
            blank: spans(printed + bad, blank),
        };
        let whole = printed + bad + blank == count;
        if whole {
            for at in 0..count {
                let line = &mut package.codes[(first + at) as usize];
                line.lease = None;
                line.state = if at < printed { 1 } else { 2 * usize::from(at < printed + bad) };
            }
        }
        Some((command.into(), whole))
    }

    /// Everything the catalog says of every code is what the model says.
    fn compare(&self, catalog: &Catalog) {
        let ranges = catalog.ranges();
        assert_eq!(ranges.len(), self.packages.len());
        for (number, package) in self.packages.iter().enumerate() {
            let range = ranges.get(&name(number)).unwrap();
            let codes: Vec<String> = (0..package.codes.len() as u64).map(|at| package.code(at)).collect();
            let own = codes.iter().filter(|code| self.own.contains_key(*code)).count() as u64;
            // The state is fed behind what is acknowledged.
            let counted = || catalog.cold().own_record_count(&name(number)).unwrap();
            let waits = (0..10_000).take_while(|_| counted() != own);
            waits.for_each(|_| std::thread::sleep(Duration::from_millis(1)));
            assert_eq!(counted(), own, "package {number}");
            for (at, line) in package.codes.iter().enumerate() {
                let code = package.code(at as u64);
                let serial = package.first + at as u64;
                assert_eq!(range.state(serial), STATES[line.state], "{code}");
                assert_eq!(range.pieces.at(Layer::Exported, serial).is_some(), line.exported, "{code}");
                assert_eq!(range.pieces.at(Layer::Leased, serial).is_some(), line.lease.is_some(), "{code}");
                assert_eq!(data(catalog, &code), self.own.get(&code).cloned(), "{code}");
                let told = inherited(catalog, &code);
                assert_eq!(told, (line.state < 2).then(|| package.inherited(at as u64)), "{code}");
            }
        }
    }
}

/// What a code has from its package; `None` for one that is over.
fn inherited(catalog: &Catalog, code: &str) -> Option<Vec<String>> {
    let handle = Handle::new(code.as_bytes()).unwrap();
    let mut reader = catalog.reader();
    let view = reader.pin();
    let mut room = [0; MAX_KEY_BYTES];
    match view.inherited(view.key(&handle, &mut room).bytes, handle.as_bytes()) {
        Inherited::Over => None,
        Inherited::Values(pattern, code) => {
            let mut wire = Vec::new();
            pattern.filled(code).for_each(|value| waymark_wire::EncodeValue::put_value(&value, &mut wire));
            let values = waymark_wire::Values::from_wire(pattern.count() as u32, &wire).unwrap();
            Some(values.iter().map(|value| String::from_utf8(value.data.to_vec()).unwrap()).collect())
        }
        other => panic!("{code}: {other:?}"),
    }
}

fn run(engine: Engine, steps: &[Step]) {
    let root = tempfile::tempdir().unwrap();
    let mut folder: PathBuf = root.path().join("0");
    let mut catalog = open_at(&folder, engine).catalog;
    home(&catalog, "88.1");
    let mut model = Model::default();
    for (number, step) in steps.iter().enumerate() {
        if let Step::Restart(ending) = step {
            let crashed = root.path().join((number + 1).to_string());
            catalog = reopen(catalog, *ending, &mut folder, crashed, engine);
            model.compare(&catalog);
            continue;
        }
        let Some((command, taken)) = model.take(step) else { continue };
        let result = try_write(&catalog, vec![command]).unwrap().remove(0);
        assert_eq!(result.is_ok(), taken, "step {number} {step:?}: {result:?}");
    }
    model.compare(&catalog);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn packages_are_what_the_model_says_on_the_log(steps in prop::collection::vec(step(), 1..40)) {
        run(Engine::Log, &steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn packages_are_what_the_model_says_on_sled(steps in prop::collection::vec(step(), 1..30)) {
        run(Engine::Sled, &steps);
    }
}
