//! What it takes to tell a day of registrations upward: from the change log into the outbox, and over gRPC to a top-level node in a process of its own,
//! in processor time of the node beside that of serialising the rows alone. What cannot be left out is measured by itself too: reading the log, the
//! digest, and rows on the disk.
//!
//! `cargo run --release -p waymark-benches --bin sync-day` after `cargo build --release`; `--help` lists the rest.
#![forbid(unsafe_code)]

use std::{
    collections::BTreeMap,
    error::Error,
    fs::File,
    io::Write as _,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clap::Parser;
use nix::time::{ClockId, clock_gettime};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use waymark_benches::{
    running::{self, Server, first_line},
    side_by_side::spread::Spread,
};
use waymark_catalog::{
    Actor, Catalog, Command as Write, FeedLimits, HomeName, PutMode, Serial, Submission, Timestamp, Timestamps,
    ValueSet, Warm,
};
use waymark_client::registration::Endpoint;
use waymark_top_sync::{
    calendar::Day,
    desk::Desk,
    maker::Maker,
    outbox::Outbox,
    sets::{SetName, master::tell_day, rows::MasterRow},
    transport::{Transport as _, grpc::GrpcTransport},
};
use waymark_wire::ValueBuf;

/// Measures the telling of a day.
#[derive(Debug, Parser)]
struct Arguments {
    /// Identifiers registered on the day.
    #[arg(long, default_value_t = 1_500_000)]
    identifiers: u64,
    /// Turns of everything.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Folder for the data, on the disk to measure (default: the system's folder for such).
    #[arg(long)]
    scratch: Option<PathBuf>,
    /// Folder of the built `waymark` (default: where this program is).
    #[arg(long)]
    binaries: Option<PathBuf>,
}

/// A day that is over wherever this runs: the top-level node takes no other.
const DAY: &str = "2026-01-05";

/// The time of the catalog.
static CLOCK: AtomicU64 = AtomicU64::new(0);

fn clock() -> Timestamp {
    Timestamp(CLOCK.load(Ordering::Relaxed))
}

/// Processor time of this process.
fn processor() -> Result<Duration, nix::Error> {
    Ok(clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)?.into())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let binaries = running::binaries(arguments.binaries.as_deref())?;
    let scratch = match &arguments.scratch {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let day: Day = DAY.parse()?;
    CLOCK.store(day.start().0 + 3_600_000, Ordering::Relaxed);
    let store = waymark_store::Options::new(scratch.path().join("data"));
    let options = waymark_catalog::Options { warm: Warm::Off, clock, ..waymark_catalog::Options::new(store) };
    let catalog = waymark_catalog::open(&options)?.catalog;
    register(&catalog, arguments.identifiers)?;
    CLOCK.store(day.end().0 + 3_600_000, Ordering::Relaxed);
    until_idle()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;

    let (mut making, mut carrying, mut alone, mut seconds) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..arguments.rounds {
        let folder = scratch.path().join(format!("round-{round}"));
        let outbox = Arc::new(Outbox::open(&folder, 40, clock())?);
        let maker = Maker::new(&catalog, Arc::clone(&outbox), "88.990", Vec::new(), None);
        let (wall, began) = (clock_gettime(ClockId::CLOCK_MONOTONIC)?, processor()?);
        maker.make_due(SetName::T9, clock())?;
        let made = processor()?;
        let mut top = Command::new(binaries.join("waymark"));
        top.args(["top-node", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"]).arg(folder.join("top"));
        let mut child = top.stdout(Stdio::piped()).spawn()?;
        let line = first_line(&mut child)?;
        let url = line.split(' ').nth(1).ok_or("the top-level node says where it listens")?.to_owned();
        let top = Server { child, url, token: None };
        let desk = Desk::new(&catalog, Arc::clone(&outbox), "88.990");
        let before = processor()?;
        let carried = runtime.block_on(async {
            let transport = GrpcTransport::new(&Endpoint::new(top.url.parse()?))?;
            Ok::<u64, Box<dyn Error>>(transport.carry(&desk).await?)
        })?;
        let ended = processor()?;
        let all: Duration = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC)?) - Duration::from(wall);
        assert_eq!(carried, outbox.newest(SetName::T9, u64::MAX, usize::MAX).len() as u64);
        making.push((made - began).as_secs_f64());
        carrying.push((ended - before).as_secs_f64());
        alone.push(Alone::of(&catalog, &outbox, &folder)?);
        seconds.push(all.as_secs_f64());
    }
    let each = |of: fn(&Alone) -> Duration| alone.iter().map(|one| of(one).as_secs_f64()).collect::<Vec<f64>>();
    let rows = each(|alone| alone.serialising);
    let ratios: Vec<f64> =
        making.iter().zip(&carrying).zip(&rows).map(|((making, carrying), rows)| (making + carrying) / rows).collect();
    let from_log = each(|alone| alone.rows);
    let ratios_from_log: Vec<f64> = making
        .iter()
        .zip(&carrying)
        .zip(&from_log)
        .map(|((making, carrying), rows)| (making + carrying) / rows)
        .collect();
    println!("{} identifiers, min / median / max of {}", arguments.identifiers, arguments.rounds);
    for (what, figures) in [
        ("s, making parts, processor time", &making),
        ("s, carrying them, processor time of the node", &carrying),
        ("s, serialising rows that are in memory, alone", &rows),
        ("s, serialising the rows of the records in the log, alone", &from_log),
        ("s, reading the log once, alone", &each(|alone| alone.reading)),
        ("s, the digest of the rows, alone", &each(|alone| alone.digest)),
        ("s, writing the rows to the disk and reading them again, alone", &each(|alone| alone.disk)),
        ("times that of serialising rows that are in memory", &ratios),
        ("times that of serialising the rows of the records in the log", &ratios_from_log),
        ("s from the end of the day's telling to the last acknowledgement", &seconds),
    ] {
        println!("{}  {what}", Spread::of(figures).text(2));
    }
    Ok(())
}

/// Waits until what registering left to do in the background is done: it is no part of telling.
fn until_idle() -> Result<(), Box<dyn Error>> {
    for _ in 0..600 {
        let before = processor()?;
        std::thread::sleep(Duration::from_millis(100));
        if processor()? - before < Duration::from_millis(5) {
            return Ok(());
        }
    }
    Err("the store is not idle a minute after the last registration".into())
}

/// Processor time of parts of the work, each by itself.
#[derive(Default)]
struct Alone {
    serialising: Duration,
    rows: Duration,
    reading: Duration,
    digest: Duration,
    disk: Duration,
}

impl Alone {
    fn of(catalog: &Catalog, outbox: &Outbox, folder: &Path) -> Result<Self, Box<dyn Error>> {
        let mut alone = Self { serialising: serialising(outbox)?, ..Self::default() };
        let (mut line, mut bytes, began) = (Vec::new(), 0, processor()?);
        let day: Day = DAY.parse()?;
        tell_day(catalog, day, Serial::NONE, catalog.serial(), &mut |row| {
            line.clear();
            serde_json::to_writer(&mut line, row)?;
            bytes += line.len() as u64 + 1;
            Ok(())
        })?;
        alone.rows = processor()? - began;
        let told: u64 = outbox.newest(SetName::T9, u64::MAX, usize::MAX).iter().map(|part| part.bytes).sum();
        assert_eq!(bytes, told, "the rows are those that were told");
        let limits = FeedLimits { entries: usize::MAX, bytes: usize::MAX };
        let (mut seen, began) = (0_u64, processor()?);
        catalog.changes(Serial::NONE, b"", limits, &mut |_| {
            seen += 1;
            ControlFlow::Continue(())
        })?;
        alone.reading = processor()? - began;
        assert!(seen > 0, "there is a log");
        for part in outbox.newest(SetName::T9, u64::MAX, usize::MAX) {
            let (content, path) = (outbox.rows(&part)?, folder.join("alone"));
            let began = processor()?;
            let digest = format!("{:x}", Sha256::digest(&content));
            alone.digest += processor()? - began;
            assert_eq!(digest, part.sha256, "it is the digest that was sent");
            let began = processor()?;
            let mut file = File::create(&path)?;
            file.write_all(&content)?;
            file.sync_all()?;
            let read = std::fs::read(&path)?;
            alone.disk += processor()? - began;
            assert_eq!(read.len(), content.len(), "what was written is read");
        }
        Ok(alone)
    }
}

/// Registers so many identifiers, of the size of the samples.
fn register(catalog: &Catalog, identifiers: u64) -> Result<(), Box<dyn Error>> {
    const BATCH: u64 = 2_000;
    let home = Write::Home { name: HomeName::parse(b"88.990.10001")? };
    catalog.writer().submit(Submission::new(&Actor::operator(), [home]))?.wait()?;
    for first in (0..identifiers).step_by(usize::try_from(BATCH)?) {
        let commands = (first..identifiers.min(first + BATCH)).map(|number| {
            let values = [
                (2000, "productName", "压力变送器".to_owned()),
                (2001, "brand", "Waymark".to_owned()),
                (2002, "model", format!("PT-{}", number % 97)),
                (2003, "maker", "杭州样例仪表有限公司".to_owned()),
                (2004, "productionDate", "2026-01-05".to_owned()),
                (2005, "serialNo", format!("SN{number:012}")),
            ];
            let bufs: Vec<ValueBuf> = values
                .iter()
                .map(|(index, kind, data)| ValueBuf::new(*index, kind.as_bytes(), data.as_bytes()))
                .collect();
            Ok(Write::Put {
                handle: format!("88.990.10001/ITEM-{number:012}").into_bytes(),
                values: ValueSet::from_bufs(&bufs)?,
                timestamps: Timestamps::Now,
                mode: PutMode::Create,
            })
        });
        let commands = commands.collect::<Result<Vec<_>, Box<dyn Error>>>()?;
        for done in catalog.writer().submit(Submission::new(&Actor::operator(), commands))?.wait()? {
            done?;
        }
    }
    Ok(())
}

/// Processor time of writing the same rows as JSON and nothing else.
fn serialising(outbox: &Outbox) -> Result<Duration, Box<dyn Error>> {
    let (mut taken, mut out) = (Duration::ZERO, Vec::new());
    for part in outbox.newest(SetName::T9, u64::MAX, usize::MAX) {
        let content = outbox.rows(&part)?;
        let mut rows = Vec::new();
        for line in content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            rows.push(serde_json::from_slice::<BTreeMap<String, Value>>(line)?);
        }
        let text = |row: &BTreeMap<String, Value>, name: &str| {
            row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let rows: Vec<MasterRow<'_>> = rows
            .iter()
            .map(|row| MasterRow {
                code: text(row, "code").into(),
                created: text(row, "created").into(),
                template: text(row, "template"),
                operation: 1,
                product_type: text(row, "product_type").into(),
                brand: text(row, "brand").into(),
                name: text(row, "name").into(),
                maker: text(row, "maker").into(),
                produced: text(row, "produced").into(),
                expires: text(row, "expires").into(),
                carrier: None,
            })
            .collect();
        out.clear();
        let began = processor()?;
        for row in &rows {
            serde_json::to_writer(&mut out, row)?;
            out.push(b'\n');
        }
        taken += processor()? - began;
        assert_eq!(out, content, "the rows are those that were told");
    }
    Ok(taken)
}
