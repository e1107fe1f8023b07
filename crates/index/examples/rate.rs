//! How fast the index is on this machine: `cargo run --release -p waymark-index --example rate -- [ENTRIES] [ROUNDS]`.
//!
//! Keys are 30 bytes, bodies 165. Every look-up makes its key, hashes it, finds it and copies the body out; keys are
//! chosen at random. Each figure is given as the lowest, middle and highest of the rounds, in million a second of one
//! thread's processor time.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a measurement: it may stop at the first surprise, and reads the clock"
)]

use std::hint::black_box;
use std::thread;
use std::time::Instant;

use waymark_index::{BATCH, Found, HashKey, Key, Options, Place, Reader, Shared, Writer};

const BODY_BYTES: usize = 165;
const LOOKUPS: u64 = 1_000_000;

/// The key of an entry, 30 bytes.
fn name(number: u64) -> [u8; 30] {
    let mut name = *b"88.1000.21/0000000000000000000";
    let mut rest = number;
    for digit in name.iter_mut().rev().take(19) {
        *digit = b'0' + u8::try_from(rest % 10).unwrap();
        rest /= 10;
    }
    name
}

/// Random numbers below `range` (splitmix64).
struct Random {
    state: u64,
    range: u64,
}

impl Random {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % self.range
    }
}

/// Seconds this thread has run on a processor, where Linux says so: on a shared machine that is far steadier than the
/// time that passed.
fn processor_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split(' ').next()?.parse::<f64>().ok()? / 1e9)
}

/// Million a processor second that `work` does, doing `count`.
fn rate(count: u64, work: impl FnOnce()) -> f64 {
    let (start, started) = (Instant::now(), processor_seconds());
    work();
    let seconds = match (started, processor_seconds()) {
        (Some(started), Some(ended)) => ended - started,
        _ => start.elapsed().as_secs_f64(),
    };
    count as f64 / seconds / 1e6
}

fn report(what: &str, mut rates: Vec<f64>) {
    rates.sort_by(f64::total_cmp);
    println!("{what:<44} {:6.2} {:6.2} {:6.2}", rates[0], rates[rates.len() / 2], rates[rates.len() - 1]);
}

/// Looks up in batches of `batch`, copying bodies out; gives back how many were resident.
fn look_up(reader: &mut Reader, hash_key: &HashKey, mut random: Random, batch: usize) -> u64 {
    let (mut out, mut resident) = ([0; BODY_BYTES], 0);
    for _ in 0..LOOKUPS / batch as u64 {
        let mut names = [[0; 30]; BATCH];
        names[..batch].fill_with(|| name(random.next()));
        let keys: [Key<'_>; BATCH] =
            std::array::from_fn(|n| if n < batch { hash_key.key(&names[n]) } else { Key { hash: 0, bytes: &[] } });
        let pin = reader.pin();
        let mut found = [Found::Absent; BATCH];
        if batch == 1 {
            found[0] = pin.find_one(keys[0]);
        } else {
            pin.find(&keys[..batch], &mut found);
        }
        for found in &found[..batch] {
            if let Found::Resident(record) = found {
                out.copy_from_slice(record.body());
                black_box(&out);
                resident += 1;
            }
        }
    }
    resident
}

fn fill(entries: u64, hash_key: &HashKey) -> (Writer, Shared) {
    let (mut writer, shared) = waymark_index::new(Options {
        hash_key: hash_key.clone(),
        resident_budget_bytes: 1 << 40,
        expected_entries: usize::try_from(entries).unwrap(),
    });
    let put = rate(entries, || {
        for number in 0..entries {
            let name = name(number);
            let body = [u8::try_from(number % 251).unwrap(); BODY_BYTES];
            writer.put(hash_key.key(&name), &body, Place::new(number).unwrap(), None).unwrap();
        }
    });
    report("put, new, table made for them", vec![put]);
    (writer, shared)
}

fn measure_readers(shared: &Shared, hash_key: &HashKey, entries: u64, rounds: u64) {
    for (what, batch, threads) in [
        ("find_one, 1 thread", 1, 1),
        ("find, batch of 32, 1 thread", BATCH, 1),
        ("find_one, each of 2 threads", 1, 2),
        ("find, batch of 32, each of 2 threads", BATCH, 2),
    ] {
        let rates = (0..rounds)
            .flat_map(|round| {
                thread::scope(|scope| {
                    let threads: Vec<_> = (0..threads)
                        .map(|thread| {
                            let mut reader = shared.reader();
                            let random = Random { state: round * 7 + thread, range: entries };
                            scope.spawn(move || {
                                let lookups = LOOKUPS / batch as u64 * batch as u64;
                                rate(lookups, || {
                                    assert_eq!(look_up(&mut reader, hash_key, random, batch), lookups);
                                })
                            })
                        })
                        .collect();
                    threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
                })
            })
            .collect();
        report(what, rates);
    }
}

fn measure_writer(writer: &mut Writer, hash_key: &HashKey, entries: u64) {
    let mut random = Random { state: 99, range: entries };
    let replace = rate(LOOKUPS, || {
        for number in 0..LOOKUPS {
            let name = name(random.next());
            writer.put(hash_key.key(&name), &[1; BODY_BYTES], Place::new(entries + number).unwrap(), None).unwrap();
        }
    });
    report("put, next version of a resident one", vec![replace]);

    let empty =
        || waymark_index::new(Options { hash_key: hash_key.clone(), resident_budget_bytes: 0, expected_entries: 0 });
    let (mut grown, shared) = empty();
    let mut longest = 0.0_f64;
    let growing = rate(entries, || {
        let mut rebuilt = 0;
        let mut start = Instant::now();
        for number in 0..entries {
            grown.put_cold(hash_key.hash(&name(number)), Place::new(number).unwrap()).unwrap();
            if number % 1024 == 0 {
                let now_rebuilt = shared.statistics().rebuilt_total;
                if now_rebuilt > rebuilt {
                    longest = longest.max(start.elapsed().as_secs_f64());
                    rebuilt = now_rebuilt;
                }
                start = Instant::now();
            }
        }
    });
    report("put_cold, random order, growing from nothing", vec![growing]);
    println!("  {} rebuilds, the longest {:.0} ms", shared.statistics().rebuilt_total, longest * 1e3);
    let (mut loaded, _shared) = empty();
    let loading = rate(entries, || grown.for_each_place(|hash, place| loaded.put_cold(hash, place).unwrap()));
    report("put_cold, snapshot order, growing", vec![loading]);
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>().unwrap());
    let entries = arguments.next().unwrap_or(1_000_000);
    let rounds = arguments.next().unwrap_or(5);
    let hash_key = HashKey::new([42; 16]);
    println!("{entries} entries; million a processor second of a thread: lowest, middle, highest");
    let (mut writer, shared) = fill(entries, &hash_key);
    let figures = shared.statistics();
    println!(
        "  {:.1} bytes of table and {:.1} of record an entry",
        figures.table_bytes as f64 / entries as f64,
        figures.arena_bytes as f64 / entries as f64
    );
    measure_readers(&shared, &hash_key, entries, rounds);
    measure_writer(&mut writer, &hash_key, entries);
}
