//! The store beside a raw append log and sled, in turns, in one run, on one disk: groups of many records, and single durable writes.
//!
//! `cargo run --release -p waymark-benches --bin store-side-by-side`; `--help` lists the rest.
#![forbid(unsafe_code)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::{Value, json};
use waymark_benches::durable::{Keeper, log::LogStore, raw::RawLog, records::Records, sled::Sled};
use waymark_benches::side_by_side::spread::Spread;

/// Measures the store against a raw append log and sled.
#[derive(Debug, Parser)]
struct Arguments {
    /// Folder on the disk to measure; what is written goes into a new folder in it and is removed (default: the system's temporary folder).
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Bytes of a record, key and body; several sizes are measured one after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [637, 200])]
    record_bytes: Vec<usize>,
    /// Records of a group.
    #[arg(long, default_value_t = 1_024)]
    group: usize,
    /// Groups of a turn.
    #[arg(long, default_value_t = 50)]
    groups: u32,
    /// Records each holds before groups are measured.
    #[arg(long, default_value_t = 1_000_000)]
    loaded: usize,
    /// Seconds after which loading ends, whatever is held.
    #[arg(long, default_value_t = 40)]
    load_seconds: u64,
    /// Milliseconds before each turn: disks that are rented slow down once a budget is used up.
    #[arg(long, default_value_t = 1_000)]
    pause: u64,
    /// Single writes of a turn.
    #[arg(long, default_value_t = 300)]
    singles: u32,
    /// Turns of each; the first warms up and is not counted.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Seconds after which a turn ends, whatever is left of it.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

/// One figure of each turn, by keeper.
struct Figures {
    title: String,
    unit: &'static str,
    keepers: Vec<(&'static str, Vec<f64>)>,
    /// Ratio of two keepers' figures, by their index, and what the issue asks of it.
    ratios: Vec<(usize, usize, &'static str)>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let scratch = match &arguments.folder {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let mut all = Vec::new();
    for bytes in &arguments.record_bytes {
        all.push(groups(&arguments, *bytes, scratch.path())?);
        all.push(singles(&arguments, *bytes, scratch.path())?);
    }
    if arguments.json {
        println!("{}", Value::Array(all.iter().map(Figures::json).collect()));
    } else {
        all.iter().for_each(Figures::print);
    }
    Ok(())
}

/// Records a second of each keeper, committed in groups.
fn groups(arguments: &Arguments, bytes: usize, scratch: &Path) -> Result<Figures, Box<dyn Error>> {
    let dir = tempfile::tempdir_in(scratch)?;
    let mut keepers: Vec<Box<dyn Keeper>> = vec![
        Box::new(LogStore::create(dir.path())?),
        Box::new(RawLog::create(dir.path())?),
        Box::new(Sled::create(dir.path())?),
    ];
    let mut records = Records::of(bytes);
    for keeper in &mut keepers {
        load(arguments, &mut **keeper, &mut records)?;
    }
    let mut rates: Vec<_> = keepers.iter().map(|keeper| (keeper.name(), Vec::new())).collect();
    for round in 0..=arguments.rounds {
        // sled by itself: it writes several times what it is given, and would use up what the disk gives the others.
        let mut times = Vec::new();
        for together in keepers.chunks_mut(2) {
            std::thread::sleep(Duration::from_millis(arguments.pause));
            times.extend(turn(arguments, together, &mut records, arguments.groups, arguments.group)?);
        }
        if round > 0 {
            for ((_, rates), times) in rates.iter_mut().zip(times) {
                #[expect(clippy::cast_precision_loss, reason = "figures for people")]
                rates.push((times.len() * arguments.group) as f64 / times.iter().sum::<f64>());
            }
        }
    }
    Ok(Figures {
        title: format!("groups of {} records of {bytes} bytes", arguments.group),
        unit: "records/s",
        keepers: rates,
        ratios: vec![(0, 1, "at least 0.4"), (0, 2, "at least 15"), (1, 2, "nothing, it is what the disk allows")],
    })
}

/// Gives the keeper something to hold.
fn load(arguments: &Arguments, keeper: &mut dyn Keeper, records: &mut Records) -> Result<(), Box<dyn Error>> {
    let start = now();
    let mut loaded = 0;
    while loaded < arguments.loaded && start.elapsed() < Duration::from_secs(arguments.load_seconds) {
        keeper.load(&records.group(arguments.group))?;
        loaded += arguments.group;
    }
    keeper.settle()
}

/// Median time of single durable writes of each keeper.
fn singles(arguments: &Arguments, bytes: usize, scratch: &Path) -> Result<Figures, Box<dyn Error>> {
    let dir = tempfile::tempdir_in(scratch)?;
    let mut keepers: Vec<Box<dyn Keeper>> =
        vec![Box::new(LogStore::create(dir.path())?), Box::new(RawLog::create(dir.path())?)];
    let mut records = Records::of(bytes);
    let mut medians: Vec<_> = keepers.iter().map(|keeper| (keeper.name(), Vec::new())).collect();
    for round in 0..=arguments.rounds {
        let times = turn(arguments, &mut keepers, &mut records, arguments.singles, 1)?;
        if round > 0 {
            for ((_, medians), times) in medians.iter_mut().zip(&times) {
                medians.push(Spread::of(times).median * 1e6);
            }
        }
    }
    Ok(Figures {
        title: format!("single durable write of {bytes} bytes, median of a turn"),
        unit: "microseconds",
        keepers: medians,
        ratios: vec![(0, 1, "at most 1.3")],
    })
}

/// Seconds each group took each keeper: one group of each after the other, so that whatever else uses the disk meets all alike.
fn turn(
    arguments: &Arguments,
    keepers: &mut [Box<dyn Keeper>],
    records: &mut Records,
    groups: u32,
    group: usize,
) -> Result<Vec<Vec<f64>>, Box<dyn Error>> {
    let mut times = vec![Vec::new(); keepers.len()];
    let start = now();
    for _ in 0..groups {
        for (keeper, times) in keepers.iter_mut().zip(&mut times) {
            let group = records.group(group);
            let start = now();
            keeper.keep(&group)?;
            times.push(start.elapsed().as_secs_f64());
        }
        if start.elapsed() >= Duration::from_secs(arguments.seconds) {
            break;
        }
    }
    keepers.iter_mut().try_for_each(|keeper| keeper.settle())?;
    Ok(times)
}

#[expect(clippy::disallowed_methods, reason = "what is measured here is time")]
fn now() -> Instant {
    Instant::now()
}

impl Figures {
    fn ratio(&self, of: usize, to: usize) -> Option<(&str, &str, Spread)> {
        let (name, figures) = self.keepers.get(of)?;
        let (other, others) = self.keepers.get(to)?;
        let ratios: Vec<_> = figures.iter().zip(others).map(|(figure, other)| figure / other).collect();
        Some((name, other, Spread::of(&ratios)))
    }

    fn print(&self) {
        println!("{}: {}, min / median / max", self.title, self.unit);
        for (name, figures) in &self.keepers {
            println!("  {name:<20} {}", Spread::of(figures).text(0));
        }
        for (of, to, bar) in &self.ratios {
            if let Some((name, other, spread)) = self.ratio(*of, *to) {
                println!("  {name} / {other}: {} (asked for: {bar})", spread.text(2));
            }
        }
    }

    fn json(&self) -> Value {
        let spread = |spread: Spread| json!({ "min": spread.min, "median": spread.median, "max": spread.max });
        let keepers = self.keepers.iter().map(|(name, figures)| ((*name).to_owned(), spread(Spread::of(figures))));
        let ratios = self.ratios.iter().filter_map(|(of, to, bar)| {
            let (name, other, found) = self.ratio(*of, *to)?;
            Some(json!({ "of": name, "to": other, "found": spread(found), "asked": bar }))
        });
        json!({
            "what": self.title,
            "unit": self.unit,
            "keepers": keepers.collect::<serde_json::Map<_, _>>(),
            "ratios": ratios.collect::<Vec<_>>(),
        })
    }
}
