//! A data folder with days long past, written while no node runs: what deposits are made of.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use waymark_catalog::{
    Actor, Catalog, Command, Options, PutMode, Submission, Timestamp, Timestamps, ValueSet, Warm, open,
};
use waymark_top_sync::deposit::{parse_date, watermark};
use waymark_wire::ValueBuf;

/// A Sunday, long over whenever this runs.
pub const SUNDAY: &str = "2024-11-24";

/// The day behind it.
pub const MONDAY: &str = "2024-11-25";

static CLOCK: AtomicU64 = AtomicU64::new(0);

fn clock() -> Timestamp {
    Timestamp(CLOCK.fetch_add(1_000, Ordering::Relaxed))
}

/// Opens a data folder at noon of a day.
pub fn opened(data: &Path, day: &str) -> Catalog {
    let now = Timestamp(watermark(parse_date(day).unwrap()).0 + 12 * 3_600_000);
    CLOCK.store(now.0, Ordering::Relaxed);
    let mut store = waymark_store::Options::new(data);
    (store.now, store.segment_bytes) = (now, 1 << 20);
    open(&Options { warm: Warm::Off, clock, ..Options::new(store) }).unwrap().catalog
}

/// Carries out commands as the operator, each of which has to succeed.
pub fn write(catalog: &Catalog, commands: impl IntoIterator<Item = Command>) {
    let submission = Submission::new(&Actor::operator(), commands);
    assert!(catalog.writer().submit(submission).unwrap().wait().unwrap().iter().all(Result::is_ok));
}

/// Writes an identifier of the prefix 88.990 with one value.
pub fn put(name: &str, kind: &str, data: &[u8]) -> Command {
    let values = ValueSet::from_bufs(&[ValueBuf::new(1, kind.as_bytes(), data)]).unwrap();
    let handle = format!("88.990/{name}").into_bytes();
    Command::Put { handle, values, timestamps: Timestamps::Keep, mode: PutMode::Replace }
}
