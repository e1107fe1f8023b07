//! The memory of making and checking a deposit does not grow with what there is.
//!
//! A binary of its own with a single test: the counts are those of the whole process.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "an allocator cannot be written without; tests fail by panicking"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use waymark_catalog::{
    Actor, Command, HomeName, Options, PutMode, Submission, Timestamp, Timestamps, ValueSet, Warm, open,
};
use waymark_store::Upkeep;
use waymark_top_sync::deposit::{
    Delivery, Files, Held, Table, Wanted,
    config::{GROUP_BYTES, PART_BYTES},
    make, parse_date, verify, watermark,
};
use waymark_wire::ValueBuf;
use waymark_wire::crypto::{OsRng, PrivateKey};

/// Bytes allocated and not freed, and the most there ever were.
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted.
struct Counting;

// SAFETY: every call is handed to the system's allocator as it came; counting touches no memory of the caller.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller keeps the promises of this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the promises of this function.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that `work` had at a time, beyond what was there before.
fn peak(work: impl FnOnce()) -> usize {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    work();
    PEAK.load(Ordering::Relaxed) - before
}

static CLOCK: AtomicU64 = AtomicU64::new(0);

fn clock() -> Timestamp {
    Timestamp(CLOCK.fetch_add(1, Ordering::Relaxed))
}

/// The most that making and checking a deposit of so many identifiers holds, and its bytes.
fn held(identifiers: usize) -> (usize, usize, u64) {
    let folder = tempfile::tempdir().unwrap();
    let date = parse_date("2026-11-22").unwrap();
    CLOCK.store(watermark(date).0 - 86_400_000, Ordering::Relaxed);
    let mut store = waymark_store::Options::new(folder.path().join("data"));
    (store.now, store.segment_bytes, store.upkeep) = (clock(), 1 << 20, Upkeep::Inline);
    let options = Options { warm: Warm::Off, clock, resident_budget_bytes: 0, ..Options::new(store) };
    let catalog = open(&options).unwrap().catalog;
    let write = |commands: Vec<Command>| {
        let submission = Submission::new(&Actor::operator(), commands);
        catalog.writer().submit(submission).unwrap().wait().unwrap();
    };
    write(vec![Command::Home { name: HomeName::parse(b"88.990").unwrap() }]);
    for batch in 0..identifiers / 1_000 {
        let put = |n: usize| {
            let data = format!("https://example.cn/{}/{n:x}", (batch * 1_000 + n) * 2_654_435_761 % 4_294_967_291);
            let values = ValueSet::from_bufs(&[ValueBuf::new(1, b"URL", data.repeat(3).as_bytes())]).unwrap();
            let handle = format!("88.990/{batch}.{n}").into_bytes();
            Command::Put { handle, values, timestamps: Timestamps::Keep, mode: PutMode::Create }
        };
        write((0..1_000).map(put).collect());
    }
    let now = Timestamp(watermark(date).0 + 3_600_000);
    CLOCK.store(now.0, Ordering::Relaxed);
    // What the writer still holds of the records is let go of.
    write(Vec::new());
    let (own, platform) = (PrivateKey::generate_sm2(&mut OsRng), PrivateKey::generate_sm2(&mut OsRng));
    let mut paths = Vec::new();
    let mut bytes = 0;
    let making = peak(|| {
        let wanted = Wanted {
            prefix: "88.990",
            extent: None,
            date: Some(date),
            folder: folder.path(),
            platform: &platform.public_key(),
            own: &own,
            part_bytes: PART_BYTES.default,
            group_bytes: GROUP_BYTES.default,
            delivery: Delivery::Hand,
            halt: None,
        };
        let made = make(&catalog, &mut Table::open(folder.path()).unwrap(), &wanted, now).unwrap();
        assert_eq!(made.counts.identifiers, u64::try_from(identifiers).unwrap());
        paths.extend(made.parts.iter().map(|part| folder.path().join(part.name.to_string())));
        bytes = made.parts.iter().map(|part| part.bytes).sum();
    });
    let checking = peak(|| {
        let held = Held { node: &own.public_key(), platform: Some(&platform), prefix: None, now };
        let verified = verify(&Files::of(&paths).unwrap(), &held).unwrap();
        assert!(verified.opened && verified.counts.identifiers == u64::try_from(identifiers).unwrap());
    });
    (making, checking, bytes)
}

#[test]
fn four_times_as_much_takes_no_more_memory() {
    held(1_000);
    let (making, checking, bytes) = held(10_000);
    let (making_more, checking_more, more_bytes) = held(40_000);
    let told = format!(
        "making {making} and {making_more}, checking {checking} and {checking_more} of {bytes} and {more_bytes} bytes"
    );
    assert!(more_bytes > 7 * bytes / 2, "{told}");
    assert!(making_more < making + SLACK && checking_more < checking + SLACK, "{told}");
    assert!(making_more.max(checking_more) < MOST, "{told}");
}

/// What threads of the store hold for a while, less than a tenth of the document of the larger deposit.
const SLACK: usize = 512 << 10;

/// Buffers of every stage, generously.
const MOST: usize = 4 << 20;
