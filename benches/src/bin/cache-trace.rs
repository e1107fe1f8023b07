//! Hit ratios on traces of questions: the cache of foreign answers, moka, quick_cache by itself and an ideal LRU, with the same bytes, and the best that
//! a cache could do that knew how popular each name is and never changed what it holds.
//!
//! `cargo run --release -p waymark-benches --bin cache-trace`; `--help` lists the rest.
#![forbid(unsafe_code)]

use std::{error::Error, sync::Arc, time::Duration};

use clap::{Parser, ValueEnum};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rand_distr::{Distribution as _, Zipf};
use waymark_benches::{
    recursion::{lru::Lru, record},
    side_by_side::spread::Spread,
};
use waymark_recursive_cache::{
    cache::{Cache, CacheLimits, Found},
    knowledge::{Fact, Learned, Now},
};

/// Measures hit ratios.
#[derive(Debug, Parser)]
struct Arguments {
    /// Names there are.
    #[arg(long, default_value_t = 1_000_000)]
    names: u64,
    /// Questions of a trace; those of the first half fill the caches and are not counted.
    #[arg(long, default_value_t = 6_000_000)]
    questions: usize,
    /// Exponents of the popularity (Zipf).
    #[arg(long, value_delimiter = ',', default_value = "0.9,0.99,1.1")]
    exponents: Vec<f64>,
    /// Budgets, in percent of the bytes of all names.
    #[arg(long, value_delimiter = ',', default_value = "1,5,10")]
    budgets: Vec<f64>,
    /// Bytes of the values of a name: from 5 sixths to 7 sixths of this.
    #[arg(long, default_value_t = 600)]
    value_bytes: usize,
    /// Questions in a hundred for names nobody asks for again.
    #[arg(long, value_delimiter = ',', default_value = "0,10,30")]
    once_percent: Vec<u32>,
    /// What names nobody asks for again have.
    #[arg(long, default_value = "nothing")]
    once: Once,
    /// Traces of each kind.
    #[arg(long, default_value_t = 3)]
    rounds: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Once {
    /// They do not exist: small answers.
    Nothing,
    /// Values as the others have.
    Values,
}

/// The moment of all questions.
const NOW: Now = Now { elapsed: Duration::from_secs(9), unix_seconds: 1_800_000_000 };

/// Numbers from here on are names that are asked for once.
const ONCE: u64 = 1 << 40;

/// What a name has: its record, and what the cache counts for it. All caches are told the same.
struct Answers {
    facts: Vec<(Arc<Fact>, u64)>,
    absent: (Arc<Fact>, u64),
    once: Once,
}

impl Answers {
    fn new(value_bytes: usize, once: Once) -> Self {
        let sixth = value_bytes / 6;
        let sizes = (5 * sixth..=7 * sixth).step_by(8);
        let weighed = |fact: Arc<Fact>| {
            let alone = Cache::new(CacheLimits { budget_bytes: 1 << 20, ..CacheLimits::default() });
            alone.learn(&record::learned(&key(0), &fact), NOW);
            (fact, alone.stats().bytes)
        };
        let facts = sizes.map(|bytes| weighed(record::fact(&record::values(bytes)))).collect();
        Self { facts, absent: weighed(Arc::new(Fact::Absent)), once }
    }

    fn of(&self, name: u64) -> &(Arc<Fact>, u64) {
        if name >= ONCE && self.once == Once::Nothing {
            return &self.absent;
        }
        // Sizes have nothing to do with popularity.
        let at = usize::try_from(name.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40).unwrap_or(0);
        self.facts.get(at % self.facts.len()).unwrap_or(&self.absent)
    }

    fn weight(&self, name: u64) -> u64 {
        self.of(name).1
    }
}

/// The canonical key of a name.
fn key(name: u64) -> Vec<u8> {
    format!("88.111.1/ITEM-{name:016}").into_bytes()
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let answers = Answers::new(arguments.value_bytes, arguments.once);
    let all: u64 = (0..arguments.names).map(|name| answers.weight(name)).sum();
    println!(
        "{} names, {all} bytes; hit ratios in percent, min / median / max of {}",
        arguments.names, arguments.rounds
    );
    println!(
        "zipf  once  budget  ours                   moka                   quick_cache            LRU                    static optimum         ours - best      ours / optimum"
    );
    for exponent in &arguments.exponents {
        for once_percent in &arguments.once_percent {
            let traces: Vec<Vec<u64>> = (0..arguments.rounds)
                .map(|seed| trace(&arguments, *exponent, *once_percent, seed))
                .collect::<Result<_, _>>()?;
            for percent in &arguments.budgets {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    clippy::cast_precision_loss,
                    reason = "a share of some gigabytes"
                )]
                let budget = (all as f64 * percent / 100.0) as u64;
                let rows: Vec<Ratios> = traces.iter().map(|trace| measure(trace, budget, &answers)).collect();
                println!("{exponent:<5} {once_percent:>3}%  {percent:>5}%  {}", report(&rows));
            }
        }
    }
    Ok(())
}

/// Questions, by the number of the name: 0 is the most popular.
fn trace(arguments: &Arguments, exponent: f64, once_percent: u32, seed: u64) -> Result<Vec<u64>, Box<dyn Error>> {
    let mut random = StdRng::seed_from_u64(seed);
    #[expect(clippy::cast_precision_loss, reason = "some millions")]
    let popularity = Zipf::new(arguments.names as f64, exponent)?;
    let mut once = ONCE;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to the number of names")]
    let questions = (0..arguments.questions).map(|_| {
        if random.random_range(0..100) < once_percent {
            once += 1;
            return once;
        }
        popularity.sample(&mut random) as u64 - 1
    });
    Ok(questions.collect())
}

/// Hit ratios in percent.
struct Ratios {
    ours: f64,
    moka: f64,
    quick: f64,
    lru: f64,
    optimum: f64,
}

fn measure(trace: &[u64], budget: u64, answers: &Answers) -> Ratios {
    Ratios {
        ours: ours(trace, budget, answers),
        moka: moka(trace, budget, answers),
        quick: quick(trace, budget, answers),
        lru: lru(trace, budget, answers),
        optimum: optimum(trace, budget, answers),
    }
}

/// Plays a trace; the hits of its second half in percent.
fn hits(trace: &[u64], mut is_hit: impl FnMut(u64) -> bool) -> f64 {
    let (fill, count) = trace.split_at(trace.len() / 2);
    for name in fill {
        is_hit(*name);
    }
    let hits = count.iter().filter(|name| is_hit(**name)).count();
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let ratio = 100.0 * hits as f64 / count.len() as f64;
    ratio
}

fn ours(trace: &[u64], budget_bytes: u64, answers: &Answers) -> f64 {
    let cache = Cache::new(CacheLimits { budget_bytes, ..CacheLimits::default() });
    hits(trace, |name| {
        let key = key(name);
        if matches!(cache.find(&key, false, NOW), Found::Fresh(_)) {
            return true;
        }
        let learned: Learned = record::learned(&key, &answers.of(name).0);
        cache.learn(&learned, NOW);
        false
    })
}

fn moka(trace: &[u64], budget: u64, answers: &Answers) -> f64 {
    let weigh = |_: &u64, weight: &u64| u32::try_from(*weight).unwrap_or(u32::MAX);
    let cache: moka::sync::Cache<u64, u64> = moka::sync::Cache::builder().max_capacity(budget).weigher(weigh).build();
    hits(trace, |name| {
        let found = cache.get(&name).is_some();
        if !found {
            cache.insert(name, answers.weight(name));
        }
        found
    })
}

/// Weighs an entry by what it says.
#[derive(Clone)]
struct AsSaid;

impl quick_cache::Weighter<u64, u64> for AsSaid {
    fn weight(&self, _: &u64, weight: &u64) -> u64 {
        *weight
    }
}

fn quick(trace: &[u64], budget: u64, answers: &Answers) -> f64 {
    let entries = usize::try_from(budget / answers.weight(0)).unwrap_or(usize::MAX);
    let cache = quick_cache::sync::Cache::with_weighter(entries, budget, AsSaid);
    hits(trace, |name| {
        let found = cache.get(&name).is_some();
        if !found {
            cache.insert(name, answers.weight(name));
        }
        found
    })
}

fn lru(trace: &[u64], budget: u64, answers: &Answers) -> f64 {
    let mut cache = Lru::new(budget);
    hits(trace, |name| {
        let found = cache.find(name);
        if !found {
            cache.insert(name, answers.weight(name));
        }
        found
    })
}

/// The most popular names that fit, from the beginning.
fn optimum(trace: &[u64], budget: u64, answers: &Answers) -> f64 {
    let mut left = budget;
    let fits = |name: &u64| {
        let weight = answers.weight(*name);
        left.checked_sub(weight).inspect(|rest| left = *rest).is_some()
    };
    let end = (0..ONCE).take_while(fits).count() as u64;
    hits(trace, |name| name < end)
}

fn report(rows: &[Ratios]) -> String {
    let spread =
        |of: &dyn Fn(&Ratios) -> f64, decimals| Spread::of(&rows.iter().map(of).collect::<Vec<_>>()).text(decimals);
    let columns: [&dyn Fn(&Ratios) -> f64; 5] =
        [&|row| row.ours, &|row| row.moka, &|row| row.quick, &|row| row.lru, &|row| row.optimum];
    let columns = columns.map(|of| format!("{:<22} ", spread(of, 2))).concat();
    let ahead = spread(&|row| row.ours - row.moka.max(row.quick).max(row.lru), 2);
    let share = spread(&|row| row.ours / row.optimum, 3);
    format!("{columns}{ahead}   {share}")
}
