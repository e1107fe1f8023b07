//! Memory of the cache of foreign answers: what the allocator gave and what the system counts, for each byte of answers kept, and beside what the cache
//! itself counts.
//!
//! `cargo run --release -p waymark-benches --bin cache-memory`; `--help` lists the rest.
#![expect(unsafe_code, reason = "counting allocations takes an allocator, which cannot be written without")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    error::Error,
    fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clap::Parser;
use waymark_benches::{recursion::record, side_by_side::spread::Spread};
use waymark_recursive_cache::{
    cache::{Cache, CacheLimits, Found},
    knowledge::{Fact, Now},
};

/// Bytes that are given out, as the usual allocator rounds them.
static GIVEN: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: every call is handed on to the system's allocator as it came; counting touches nothing but a number.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        GIVEN.fetch_add(rounded(layout.size()), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is that of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        GIVEN.fetch_sub(rounded(layout.size()), Ordering::Relaxed);
        // SAFETY: `pointer` came from `System`, as all memory of this allocator does.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        GIVEN.fetch_add(rounded(size), Ordering::Relaxed);
        GIVEN.fetch_sub(rounded(layout.size()), Ordering::Relaxed);
        // SAFETY: as for `dealloc` and `alloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// A size word before each piece, pieces in steps of 16.
fn rounded(bytes: usize) -> u64 {
    (bytes + size_of::<usize>()).next_multiple_of(16).max(32) as u64
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Measures the memory of a full cache.
#[derive(Debug, Parser)]
struct Arguments {
    /// Budgets in MiB.
    #[arg(long, value_delimiter = ',', default_value = "16,64,256,1000")]
    budgets: Vec<u64>,
    /// Bytes of values of each name.
    #[arg(long, default_value_t = 600)]
    value_bytes: usize,
    /// Names learned, in times of what the cache holds.
    #[arg(long, default_value_t = 4)]
    turns: u64,
    /// Processes of each budget.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Values of a quarter up to seven quarters of the bytes instead of the same for all.
    #[arg(long)]
    mixed: bool,
    /// Be the process that is measured, with this budget.
    #[arg(long, hide = true)]
    one: Option<u64>,
}

/// The moment of all questions.
const NOW: Now = Now { elapsed: Duration::from_secs(9), unix_seconds: 1_800_000_000 };

/// What a process measures, in the order it prints it.
struct Figures {
    entries: f64,
    /// Bytes of values.
    values: f64,
    /// What the cache counts.
    counted: f64,
    /// What the allocator gave.
    given: f64,
    /// What the system counts as in memory.
    resident: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if let Some(mebibytes) = arguments.one {
        return be_one(&arguments, mebibytes << 20);
    }
    println!("min / median / max of {}", arguments.rounds);
    println!(
        "MiB    answers   given / values         resident / values      counted / given        counted / resident     bytes an answer: given, counted, tables"
    );
    for mebibytes in &arguments.budgets {
        let rounds: Vec<Figures> =
            (0..arguments.rounds).map(|_| measure(&arguments, *mebibytes)).collect::<Result<_, _>>()?;
        let spread = |of: &dyn Fn(&Figures) -> f64, decimals| {
            Spread::of(&rounds.iter().map(of).collect::<Vec<_>>()).text(decimals)
        };
        println!(
            "{mebibytes:<6} {:<9} {:<22} {:<22} {:<22} {:<22} {:.0}, {:.0}",
            Spread::of(&rounds.iter().map(|round| round.entries).collect::<Vec<_>>()).median,
            spread(&|round| round.given / round.values, 3),
            spread(&|round| round.resident / round.values, 3),
            spread(&|round| round.counted / round.given, 3),
            spread(&|round| round.counted / round.resident, 3),
            Spread::of(&rounds.iter().map(|round| round.given / round.entries).collect::<Vec<_>>()).median,
            Spread::of(&rounds.iter().map(|round| round.counted / round.entries).collect::<Vec<_>>()).median,
        );
    }
    Ok(())
}

/// Has a new process measure, whose memory nothing else used before.
fn measure(arguments: &Arguments, mebibytes: u64) -> Result<Figures, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--one", &mebibytes.to_string(), "--value-bytes", &arguments.value_bytes.to_string()]);
    command.args(["--turns", &arguments.turns.to_string()]);
    if arguments.mixed {
        command.arg("--mixed");
    }
    let output = command.output()?;
    let text = String::from_utf8(output.stdout)?;
    let words: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [entries, values, counted, given, resident] = words[..] else {
        return Err(format!("said {text:?} and {:?}", String::from_utf8_lossy(&output.stderr)).into());
    };
    Ok(Figures { entries, values, counted, given, resident })
}

fn be_one(arguments: &Arguments, budget_bytes: u64) -> Result<(), Box<dyn Error>> {
    let bytes = arguments.value_bytes;
    let sizes = if arguments.mixed { (bytes / 4..bytes * 7 / 4).step_by(8).collect() } else { vec![bytes] };
    let facts: Vec<Arc<Fact>> = sizes.into_iter().map(|bytes| record::fact(&record::values(bytes))).collect();
    let names = budget_bytes / (bytes as u64 + 100) * arguments.turns;
    // Whatever the first use of anything takes is there before.
    fill(&Cache::new(CacheLimits { budget_bytes: 1 << 20, ..CacheLimits::default() }), &facts, 2_000);
    let (given_before, resident_before) = (GIVEN.load(Ordering::Relaxed), resident()?);
    let cache = Cache::new(CacheLimits { budget_bytes, ..CacheLimits::default() });
    fill(&cache, &facts, names);
    let (given, resident) = (GIVEN.load(Ordering::Relaxed) - given_before, resident()? - resident_before);
    let stats = cache.stats();
    let values: u64 = cache
        .entries()
        .iter()
        .map(|entry| match entry.known() {
            Some(waymark_recursive_cache::cache::Known::Values(values)) => values.wire().len() as u64,
            _ => 0,
        })
        .sum();
    println!("{} {values} {} {given} {resident}", stats.entries, stats.bytes);
    Ok(())
}

/// Learns names, each third of them asked for again, so that all parts of the cache are in use.
fn fill(cache: &Cache, facts: &[Arc<Fact>], names: u64) {
    let key = |name: u64| format!("88.111.1/ITEM-{name:010}").into_bytes();
    for (name, fact) in (0..names).zip(facts.iter().cycle()) {
        cache.learn(&record::learned(&key(name), fact), NOW);
        let again = key(name - name % 3);
        if let Found::Missing = cache.find(&again, false, NOW) {
            cache.learn(&record::learned(&again, fact), NOW);
        }
        let old = key(name.wrapping_mul(0x9e37_79b9) % (name + 1));
        if let Found::Missing = cache.find(&old, false, NOW) {
            cache.learn(&record::learned(&old, fact), NOW);
        }
    }
}

/// Bytes of this process in memory.
fn resident() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kibibytes * 1_024)
}
