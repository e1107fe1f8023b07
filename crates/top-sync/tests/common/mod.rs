//! What the tests of this crate build with: a catalog in a folder whose clock stands where the test puts it, and its outbox.
#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod business;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use waymark_catalog::{
    Actor, Catalog, Command, HomeName, Options, PutMode, Receipt, Refusal, Submission, Timestamp, Timestamps, ValueSet,
    Warm, open,
};
use waymark_store::Upkeep;
use waymark_top_sync::outbox::{Outbox, Part};
use waymark_top_sync::sets::SetName;
use waymark_wire::ValueBuf;

/// The clock of the process: tests that move it take turns.
static CLOCK: AtomicU64 = AtomicU64::new(0);
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Reads it; each reading is a millisecond later.
pub(crate) fn clock() -> Timestamp {
    Timestamp(CLOCK.fetch_add(1, Ordering::Relaxed))
}

/// A node of the prefix 88.1 in a folder of its own.
pub(crate) struct Node {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) catalog: Catalog,
    pub(crate) outbox: Arc<Outbox>,
    _turn: Option<std::sync::MutexGuard<'static, ()>>,
}

fn options(dir: &Path) -> Options {
    let mut store = waymark_store::Options::new(dir.join("data"));
    store.upkeep = Upkeep::Inline;
    store.segment_bytes = 64 << 10;
    Options {
        warm: Warm::Off,
        clock,
        expected_entries: 0,
        personal_keys: Some(dir.join("personal.keys")),
        ..Options::new(store)
    }
}

/// A moment of UTC: `2026-11-29T08:00`.
pub(crate) fn at(text: &str) -> Timestamp {
    let (day, time) = text.split_once('T').unwrap();
    let day: waymark_top_sync::calendar::Day = day.parse().unwrap();
    let (hours, minutes) = time.split_once(':').unwrap();
    let minutes: u64 = hours.parse::<u64>().unwrap() * 60 + minutes.parse::<u64>().unwrap();
    Timestamp(day.start().0 + 8 * 3_600_000 + minutes * 60_000)
}

impl Node {
    /// Begun at a moment of UTC, with 88.1.701 and 88.1.702 homed.
    pub(crate) fn begun(moment: &str) -> Self {
        let turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        set_clock(moment);
        Self::of(&["88.1", "0.NA/0.NA/88.1", "88.1.701", "88.1.702"], Some(turn))
    }

    /// Another node of these prefixes, under the clock of one that was begun.
    pub(crate) fn beside(prefixes: &[&str]) -> Self {
        Self::of(prefixes, None)
    }

    fn of(prefixes: &[&str], turn: Option<std::sync::MutexGuard<'static, ()>>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open(&options(dir.path())).unwrap().catalog;
        let outbox = Arc::new(Outbox::open(&dir.path().join("sync"), 40, clock()).unwrap());
        let node = Self { dir, catalog, outbox, _turn: turn };
        for prefix in prefixes {
            node.write(Command::Home { name: HomeName::parse(prefix.as_bytes()).unwrap() });
        }
        node
    }

    pub(crate) fn try_write(&self, command: impl Into<waymark_catalog::Order>) -> Result<Receipt, Refusal> {
        let submission = Submission::new(&Actor::operator(), [command.into()]);
        self.catalog.writer().submit(submission).unwrap().wait().unwrap().remove(0)
    }

    pub(crate) fn write(&self, command: impl Into<waymark_catalog::Order>) -> Receipt {
        self.try_write(command).unwrap()
    }

    /// Writes an identifier with these values: index, type, data.
    pub(crate) fn put(&self, handle: &str, values: &[(u32, &str, &str)]) {
        let bufs: Vec<ValueBuf> =
            values.iter().map(|(index, kind, data)| ValueBuf::new(*index, kind.as_bytes(), data.as_bytes())).collect();
        let values = ValueSet::from_bufs(&bufs).unwrap();
        let put =
            |mode| Command::Put { handle: handle.into(), values: values.clone(), timestamps: Timestamps::Now, mode };
        if self.try_write(put(PutMode::Create)).is_err() {
            self.write(put(PutMode::Replace));
        }
    }

    pub(crate) fn delete(&self, handle: &str) {
        self.write(Command::Delete { handle: handle.into() });
    }

    /// The rows of every part of a set that waits, by part.
    pub(crate) fn waiting(&self, set: SetName) -> Vec<(Part, Vec<Value>)> {
        let parts = self.outbox.waiting(set, 0, usize::MAX);
        parts
            .into_iter()
            .map(|part| {
                let rows = self.outbox.rows(&part).unwrap();
                let rows = String::from_utf8(rows).unwrap();
                let rows = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
                (part, rows)
            })
            .collect()
    }

    /// Opens the outbox anew, as after a kill.
    pub(crate) fn reopen_outbox(&mut self) {
        let nothing = tempfile::tempdir().unwrap();
        self.outbox = Arc::new(Outbox::open(nothing.path(), 40, clock()).unwrap());
        self.outbox = Arc::new(Outbox::open(&self.dir.path().join("sync"), 40, clock()).unwrap());
    }
}

/// Puts the clock to a moment of UTC. Stored times never go back: those of a catalog stay at its latest.
pub(crate) fn set_clock(moment: &str) {
    CLOCK.store(at(moment).0, Ordering::Relaxed);
}

/// Code and operation of each row of master data.
pub(crate) fn operations(rows: &[Value]) -> BTreeMap<String, u64> {
    let told = Cell::new(0);
    let all = rows.iter().map(|row| {
        told.set(told.get() + 1);
        (row["code"].as_str().unwrap().to_owned(), row["operation"].as_u64().unwrap())
    });
    let all: BTreeMap<String, u64> = all.collect();
    assert_eq!(all.len(), told.get(), "an identifier is told twice");
    all
}
