//! What the integration tests of this crate build with.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use waymark_catalog::{
    Actor, AddMode, Catalog, Command, HomeName, Lookup, Opened, Options, OwnedRecord, PutMode, Receipt, Recovery,
    Refusal, Submission, Timestamps, ValueSet, Warm, WriteError, open, open_over,
};
use waymark_ident::{Handle, MAX_KEY_BYTES};
use waymark_store::fault::MemoryMedium;
use waymark_store::{Engine, Timestamp, Upkeep, open_on};
use waymark_wire::ValueBuf;

/// A clock that goes on by a second whenever it is read.
pub(crate) fn ticking() -> Timestamp {
    static TICKS: AtomicU64 = AtomicU64::new(1_800_000_000);
    Timestamp(TICKS.fetch_add(1, Ordering::Relaxed) * 1000)
}

/// Options over a folder, without warming and with the test clock.
pub(crate) fn options(dir: &Path, engine: Engine) -> Options {
    let mut store = waymark_store::Options::new(dir);
    store.engine = engine;
    store.upkeep = Upkeep::Inline;
    store.segment_bytes = 64 << 10;
    Options { warm: Warm::Off, clock: ticking, expected_entries: 0, ..Options::new(store) }
}

/// Opens, or panics.
pub(crate) fn open_at(dir: &Path, engine: Engine) -> Opened {
    open(&options(dir, engine)).unwrap()
}

/// Opens over a medium, for faults.
pub(crate) fn open_medium(medium: Arc<dyn waymark_store::medium::Medium>) -> Opened {
    let options = options(Path::new("/data"), Engine::Log);
    let (store, found) = open_on(medium, &options.store).unwrap();
    open_over(store, found, &options).unwrap()
}

/// Opens what a power loss left of a medium.
pub(crate) fn open_after_loss(medium: &MemoryMedium) -> Opened {
    open_medium(Arc::new(medium.after_power_loss(waymark_store::fault::Survives::Nothing)))
}

/// Copies a data folder as a crash would leave it: what the files hold now, the lock not held.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
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

/// Takes the small state away. Moved before it is removed: a thread of sled may still be closing a file in it.
pub(crate) fn lose_state(dir: &Path) {
    let gone = tempfile::tempdir_in(dir).unwrap();
    std::fs::rename(dir.join("state"), gone.path().join("state")).unwrap();
}

/// How a catalog ends before it is opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By a crash.
    Crash,
    /// In order, and its small state is lost then.
    StateLost,
    /// In order, and it is rebuilt then.
    Rebuilt,
    /// In order.
    Order,
}

impl Ending {
    pub(crate) const ALL: [Self; 4] = [Self::Crash, Self::StateLost, Self::Rebuilt, Self::Order];
}

/// Ends a catalog in `folder` and opens it again; after a crash `folder` is `crashed`, a copy of what was there.
pub(crate) fn reopen(
    catalog: Catalog,
    ending: Ending,
    folder: &mut PathBuf,
    crashed: PathBuf,
    engine: Engine,
) -> Catalog {
    if ending == Ending::Crash {
        copy_folder(folder, &crashed);
    }
    catalog.shutdown().unwrap();
    drop(catalog);
    match ending {
        Ending::Crash => *folder = crashed,
        Ending::StateLost => lose_state(folder),
        Ending::Rebuilt => drop(waymark_catalog::rebuild(&options(folder, engine)).unwrap()),
        Ending::Order => {}
    }
    open_at(folder, engine).catalog
}

/// What every file of a folder holds, one behind the other.
pub(crate) fn bytes_of(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        bytes.extend(if path.is_dir() { bytes_of(&path) } else { std::fs::read(path).unwrap() });
    }
    bytes
}

/// Submits as the operator and waits.
pub(crate) fn try_write(
    catalog: &Catalog,
    commands: Vec<Command>,
) -> Result<Vec<Result<Receipt, Refusal>>, WriteError> {
    catalog.writer().submit(Submission::new(&Actor::operator(), commands)).unwrap().wait()
}

/// Submits, waits, and wants every command done.
pub(crate) fn write(catalog: &Catalog, commands: Vec<Command>) -> Vec<Receipt> {
    try_write(catalog, commands).unwrap().into_iter().map(|result| result.unwrap()).collect()
}

/// Homes a prefix.
pub(crate) fn home(catalog: &Catalog, prefix: &str) -> Receipt {
    write(catalog, vec![Command::Home { name: HomeName::parse(prefix.as_bytes()).unwrap() }])[0]
}

/// One URL value.
pub(crate) fn url(data: &str) -> ValueSet {
    ValueSet::from_bufs(&[ValueBuf::new(1, b"URL", data.as_bytes())]).unwrap()
}

pub(crate) fn create(handle: &str, data: &str) -> Command {
    put(handle, data, PutMode::Create)
}

pub(crate) fn put(handle: &str, data: &str, mode: PutMode) -> Command {
    Command::Put { handle: handle.into(), values: url(data), timestamps: Timestamps::Now, mode }
}

pub(crate) fn add(handle: &str, index: u32, data: &str) -> Command {
    let values = ValueSet::from_bufs(&[ValueBuf::new(index, b"DESC", data.as_bytes())]).unwrap();
    Command::AddValues { handle: handle.into(), values, timestamps: Timestamps::Now, mode: AddMode::New }
}

pub(crate) fn delete(handle: &str) -> Command {
    Command::Delete { handle: handle.into() }
}

/// The record of a handle as the fast path sees it, through the slow path when it is cold.
pub(crate) fn fetch(catalog: &Catalog, handle: &str) -> Option<OwnedRecord> {
    let handle = Handle::new(handle.as_bytes()).unwrap();
    let record = catalog.cold().fetch(&handle).unwrap();
    let mut reader = catalog.reader();
    let view = reader.pin();
    let mut room = [0; MAX_KEY_BYTES];
    match view.find_one(view.key(&handle, &mut room)) {
        Lookup::Absent => assert!(record.is_none(), "{handle} is on disk and absent from the index"),
        Lookup::Record(stored) => assert_eq!(Some(stored), record.as_ref().map(|record| record.stored().unwrap())),
        Lookup::Cold => {}
    }
    record
}

/// Data of the values of a handle, in order of index; `None` when there is no record.
pub(crate) fn data(catalog: &Catalog, handle: &str) -> Option<Vec<String>> {
    let record = fetch(catalog, handle)?;
    let values = record.stored().unwrap().values().unwrap();
    Some(values.iter().map(|value| String::from_utf8_lossy(value.data).into_owned()).collect())
}

/// Every record's key and body, in order.
pub(crate) fn dump(catalog: &Catalog) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    catalog
        .cold()
        .scan(b"", b"", &mut |key, stored| {
            let handle = Handle::new(key).unwrap();
            let record = catalog.cold().fetch(&handle).unwrap().unwrap();
            assert_eq!(record.stored().unwrap(), stored);
            all.push((key.to_vec(), record.body().to_vec()));
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    all
}

/// Number of records under a prefix by the small state.
pub(crate) fn count(catalog: &Catalog, prefix: &str) -> u64 {
    catalog.cold().record_count(prefix.as_bytes()).unwrap()
}

/// The sample identifiers of the project.
pub(crate) fn samples() -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../tests/data/identifiers.jsonl"].iter().collect();
    std::fs::read_to_string(path).unwrap()
}

/// Both engines.
pub(crate) const ENGINES: [Engine; 2] = [Engine::Log, Engine::Sled];

/// Nothing lost: what opening says about a sound store.
pub(crate) fn assert_sound(recovery: &Recovery) {
    assert!(recovery.store.damage.is_empty(), "{recovery:?}");
    assert!(recovery.snapshot_problem.is_none(), "{recovery:?}");
}
