//! A large deposit made, checked and restored once, with figures: run by hand, in release.
//!
//! `WAYMARK_LARGE=10000000 cargo test --release -p waymark-top-sync --test deposit_large -- --ignored --nocapture`
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "measures time; a test may fail by panicking"
)]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use waymark_catalog::{
    Actor, Catalog, Command, HomeName, Options, PutMode, Submission, Timestamp, Timestamps, ValueSet, Warm, open,
};
use waymark_top_sync::deposit::{
    Delivery, Files, Held, Table, Wanted,
    config::{GROUP_BYTES, PART_BYTES},
    make, parse_date, restore, verify, watermark,
};
use waymark_wire::ValueBuf;
use waymark_wire::crypto::{OsRng, PrivateKey};

static CLOCK: AtomicU64 = AtomicU64::new(0);

fn clock() -> Timestamp {
    Timestamp(CLOCK.fetch_add(1, Ordering::Relaxed))
}

fn opened(data: &Path) -> Catalog {
    let mut store = waymark_store::Options::new(data);
    store.now = clock();
    open(&Options { warm: Warm::Off, clock, resident_budget_bytes: 64 << 20, ..Options::new(store) }).unwrap().catalog
}

/// Five values as a registration from a template has them, some 600 bytes in XML.
fn record(n: u64) -> Command {
    let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let texts = [
        (1, "URL", format!("https://id.example.cn/88.990.10001/{n:012}")),
        (2000, "productName", format!("液压挖掘机 XE{}", mixed % 900)),
        (2001, "serialNo", format!("{mixed:016x}")),
        (2003, "madeDate", format!("2026-{:02}-{:02}", mixed % 12 + 1, mixed % 28 + 1)),
        (2005, "batch", format!("B{}", n / 1_000)),
    ];
    let values: Vec<_> =
        texts.iter().map(|(index, kind, text)| ValueBuf::new(*index, kind.as_bytes(), text.as_bytes())).collect();
    let values = ValueSet::from_bufs(&values).unwrap();
    let handle = format!("88.990.10001/EX{n:012}").into_bytes();
    Command::Put { handle, values, timestamps: Timestamps::Keep, mode: PutMode::Create }
}

fn fill(catalog: &Catalog, count: u64) {
    let mut waiting = VecDeque::new();
    let home = |name: &[u8]| Command::Home { name: HomeName::parse(name).unwrap() };
    let homes = Submission::new(&Actor::operator(), [home(b"88.990"), home(b"88.990.10001")]);
    waiting.push_back(catalog.writer().submit_when_room(homes).unwrap());
    for first in (0..count).step_by(500) {
        let submission = Submission::new(&Actor::operator(), (first..count.min(first + 500)).map(record));
        waiting.push_back(catalog.writer().submit_when_room(submission).unwrap());
        if waiting.len() > 8 {
            assert!(waiting.pop_front().unwrap().wait().unwrap().iter().all(Result::is_ok));
        }
    }
    for ticket in waiting {
        ticket.wait().unwrap();
    }
}

/// The most memory this process ever had in its hands, in MiB.
fn most_resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1_024
}

#[test]
#[ignore = "takes minutes; for figures"]
fn a_large_deposit_with_figures() {
    let count: u64 = std::env::var("WAYMARK_LARGE").map_or(1_000_000, |count| count.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let date = parse_date("2026-11-22").unwrap();
    CLOCK.store(watermark(date).0 - 2 * 86_400_000, Ordering::Relaxed);
    let catalog = opened(&folder.path().join("data"));
    let told = |what: &str, since: Instant| {
        println!("{what}: {:.1} s, most resident {} MiB", since.elapsed().as_secs_f64(), most_resident_mib());
    };
    let start = Instant::now();
    fill(&catalog, count);
    told("filled", start);
    let now = Timestamp(watermark(date).0 + 3_600_000);
    CLOCK.store(now.0, Ordering::Relaxed);
    let (own, platform) = (PrivateKey::generate_sm2(&mut OsRng), PrivateKey::generate_sm2(&mut OsRng));
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
    let start = Instant::now();
    // Registration goes on while the deposit is made.
    let writing = catalog.clone();
    let writer = std::thread::spawn(move || {
        for n in 0..20_000 {
            let submission = Submission::new(&Actor::operator(), [record(u64::MAX - n)]);
            writing.writer().submit_when_room(submission).unwrap().wait().unwrap();
        }
    });
    let made = make(&catalog, &mut Table::open(folder.path()).unwrap(), &wanted, now).unwrap();
    told("made", start);
    writer.join().unwrap();
    assert_eq!(made.counts.identifiers, count, "of its moment, whatever is registered meanwhile");
    let bytes: u64 = made.parts.iter().map(|part| part.bytes).sum();
    println!("{} parts, {bytes} bytes, {} values", made.parts.len(), made.counts.values);
    let paths: Vec<_> = made.parts.iter().map(|part| folder.path().join(part.name.to_string())).collect();
    let files = Files::of(&paths).unwrap();
    let held = Held { node: &own.public_key(), platform: Some(&platform), prefix: None, now };
    let start = Instant::now();
    let verified = verify(&files, &held).unwrap();
    assert!(verified.opened && verified.counts.identifiers == count);
    told("checked", start);
    let again = opened(&folder.path().join("again"));
    let start = Instant::now();
    restore(&again, &[files], &held).unwrap();
    told("restored", start);
    assert_eq!(again.statistics().index.entries, count);
}
