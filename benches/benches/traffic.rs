//! Statistics of requests: nanoseconds to count an answer, while every source has a place and when none is left.
//!
//! One thread counts for all that answer, so a node answers no more than this in a second without losing records of its own statistics.
#![allow(missing_docs, clippy::unwrap_used, reason = "a bench ends where something fails")]

use std::{hint::black_box, net::Ipv4Addr};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use waymark_top_sync::{
    calendar::Day,
    traffic::{Accumulator, Answer, DayTally, KnownPrefixes, Limits},
};

/// Enterprises whose prefixes are asked for.
const ENTERPRISES: u32 = 1_000;
/// Answers of one round.
const ANSWERS: usize = 100_000;
/// A moment of the day that is counted.
const MOMENT: u32 = 1_795_900_000;

/// The prefixes of as many enterprises.
struct Known(std::collections::HashSet<Vec<u8>>);

impl KnownPrefixes for Known {
    fn knows(&self, prefix: &[u8]) -> bool {
        self.0.contains(prefix)
    }
}

fn count(criterion: &mut Criterion) {
    let known = Known((0..ENTERPRISES).map(|number| format!("88.100.{number}").into_bytes()).collect());
    let mut group = criterion.benchmark_group("traffic");
    group.throughput(Throughput::Elements(ANSWERS as u64));
    for (name, sources) in [("exact, 20,000 sources", 20_000), ("no place left, 5,000,000 sources", 5_000_000)] {
        let mut random = StdRng::seed_from_u64(7);
        let asked: Vec<(Ipv4Addr, String)> = (0..ANSWERS)
            .map(|_| {
                let handle = format!(
                    "88.100.{}/item-{:07}",
                    random.random_range(0..ENTERPRISES),
                    random.random_range(0..9_999_999)
                );
                (Ipv4Addr::from(random.random_range(0..sources)), handle)
            })
            .collect();
        // As full as it will be.
        let limits = Limits { prefix_sources: if sources > 20_000 { 64 } else { 4_096 }, ..Limits::default() };
        let mut accumulator = Accumulator::new(limits);
        accumulator.open(DayTally::new(Day::of(waymark_catalog::Timestamp(u64::from(MOMENT) * 1_000))));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for (number, (source, handle)) in (0_u32..).zip(&asked) {
                    let answer = Answer {
                        unix_seconds: MOMENT + number / 20_000,
                        source: (*source).into(),
                        op: 1,
                        response_code: 1,
                        took_micros: Some(number % 977),
                        handle: handle.as_bytes(),
                    };
                    accumulator.answered(black_box(&answer), &known).unwrap();
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, count);
criterion_main!(benches);
