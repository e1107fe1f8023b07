//! The two buckets of a source, each packed into one atomic word.
//!
//! A word holds a level and the time it was last brought up to date, so that a change is one compare-and-swap and a bucket nobody
//! touches costs nothing. Times are the low 32 bits of a [`Moment`] in milliseconds: they go round after 49 days, and a bucket left
//! alone for longer is taken for younger than it is, which at worst refills it later.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Moment, Verdict};
use crate::config;

/// A difference of this many milliseconds below zero is another thread's slightly later clock, anything else a long time.
const CLOCK_SKEW_MILLISECONDS: u32 = 10_000;

/// Milliseconds between two of the 32-bit times.
fn elapsed(since: u32, now: u32) -> u32 {
    let elapsed = now.wrapping_sub(since);
    if elapsed > u32::MAX - CLOCK_SKEW_MILLISECONDS { 0 } else { elapsed }
}

#[expect(clippy::cast_possible_truncation, reason = "the low 32 bits are meant; `elapsed` undoes the wrap")]
const fn low(moment: Moment) -> u32 {
    moment.milliseconds() as u32
}

/// The upper and lower half of a word.
#[expect(clippy::cast_possible_truncation, reason = "each half is 32 bits wide")]
const fn halves(word: u64) -> (u32, u32) {
    ((word >> 32) as u32, word as u32)
}

const fn word(upper: u32, lower: u32) -> u64 {
    ((upper as u64) << 32) | lower as u64
}

/// How many queries a second a source may ask, and twice as many at once.
///
/// ```text
/// 63            32 31            0
/// | time, ms      | used, 1/1000 |      used: queries taken and not yet worn off; 0 is a fresh source
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueryRate {
    /// Queries a second, which is thousandths of a query a millisecond.
    per_second: u32,
}

impl QueryRate {
    /// A rate moved into [`config::SOURCE_QUERIES_PER_SECOND`].
    #[must_use]
    pub fn new(queries_per_second: u32) -> Self {
        Self { per_second: config::SOURCE_QUERIES_PER_SECOND.clamp(queries_per_second) }
    }

    /// Takes one query. `false` when there is none left; nothing is taken then.
    pub fn take(self, bucket: &AtomicU64, now: Moment) -> bool {
        let now = low(now);
        bucket
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |old| {
                let used = self.worn(old, now).saturating_add(1000);
                (used <= self.burst()).then_some(word(now, used))
            })
            .is_ok()
    }

    /// Whether the bucket is as good as a new one.
    pub fn is_whole(self, bucket: &AtomicU64, now: Moment) -> bool {
        self.worn(bucket.load(Ordering::Relaxed), low(now)) == 0
    }

    const fn burst(self) -> u32 {
        self.per_second.saturating_mul(2000)
    }

    /// What is still counted of the queries taken.
    fn worn(self, old: u64, now: u32) -> u32 {
        let (time, used) = halves(old);
        used.saturating_sub(elapsed(time, now).saturating_mul(self.per_second))
    }
}

/// How many bytes beyond its requests a source may receive.
///
/// ```text
/// 63            32 31   30            0
/// | time, ms      | held | owed, bytes |      owed: excess not yet worn off; 0 is a fresh source
/// ```
///
/// While the bucket is not **held**, an answer's excess over its request is added to what is owed, and owing more than the capacity
/// is not possible: the first answer that would pass it is refused, and the bucket is held. A held bucket owes at least so much
/// that wearing off down to half the capacity takes the hold time; every answer asked for, sent or not, is still added, so it
/// comes free only when the demand has fallen below the refill for that long. Held, an answer is sent only if it is at most 1.5
/// times its own request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByteBudget {
    capacity: u32,
    per_second: u32,
    /// Owed at the moment a bucket becomes held, and the most that can be owed.
    held_at: u32,
}

/// Set in the lower half while the bucket is held.
const HELD: u32 = 1 << 31;

impl ByteBudget {
    /// A budget of values moved into their limits.
    #[must_use]
    pub fn new(capacity_bytes: u32, refill_bytes_per_second: u32, hold: Duration) -> Self {
        let capacity = config::SOURCE_BUDGET_BYTES.clamp(capacity_bytes);
        let per_second = config::SOURCE_REFILL_BYTES_PER_SECOND.clamp(refill_bytes_per_second);
        let hold_seconds = u32::try_from(config::SOURCE_HOLD.clamp(hold).as_secs()).unwrap_or(u32::MAX);
        let held_at = capacity.saturating_add(per_second.saturating_mul(hold_seconds)).saturating_sub(capacity / 2);
        Self { capacity, per_second, held_at: held_at.max(capacity).min(HELD - 1) }
    }

    /// Charges an answer and decides on it.
    pub fn charge(self, bucket: &AtomicU64, now: Moment, request_bytes: u32, answer_bytes: u32) -> Verdict {
        let excess = answer_bytes.saturating_sub(request_bytes);
        if excess == 0 {
            return Verdict::Send;
        }
        let mut held = false;
        let now = low(now);
        let update = |old| {
            let (owed, was_held) = self.worn(old, now);
            let after = owed.saturating_add(excess);
            held = was_held || after > self.capacity;
            let next = match (was_held, held) {
                (_, false) => after,
                (false, true) => self.held_at | HELD,
                (true, true) => after.min(self.held_at) | HELD,
            };
            Some(word(now, next))
        };
        // Never fails: the closure always gives a new word.
        let _ = bucket.fetch_update(Ordering::Relaxed, Ordering::Relaxed, update);
        if !held || excess <= request_bytes / 2 { Verdict::Send } else { Verdict::Busy }
    }

    /// Whether the bucket is as good as a new one.
    pub fn is_whole(self, bucket: &AtomicU64, now: Moment) -> bool {
        self.worn(bucket.load(Ordering::Relaxed), low(now)) == (0, false)
    }

    /// What is owed now, and whether the bucket is still held.
    fn worn(self, old: u64, now: u32) -> (u32, bool) {
        let (time, lower) = halves(old);
        let refill = u64::from(elapsed(time, now)).saturating_mul(u64::from(self.per_second)) / 1000;
        let owed = (lower & !HELD).saturating_sub(u32::try_from(refill).unwrap_or(u32::MAX));
        (owed, lower & HELD != 0 && owed > self.capacity / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Moment {
        Moment::after(Duration::from_millis(milliseconds))
    }

    /// 64 KiB at once, 16 KiB a second, held for a minute at least.
    fn small() -> ByteBudget {
        ByteBudget::new(64 * 1024, 16 * 1024, Duration::from_secs(60))
    }

    fn spend(budget: ByteBudget, bucket: &AtomicU64, now: Moment) {
        while budget.charge(bucket, now, 70, 650) == Verdict::Send {}
    }

    #[test]
    fn an_answer_no_larger_than_its_request_is_free() {
        let bucket = AtomicU64::new(0);
        assert_eq!(small().charge(&bucket, at(5), 650, 650), Verdict::Send);
        assert_eq!(bucket.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_whole_capacity_can_be_spent_at_once() {
        let bucket = AtomicU64::new(0);
        let sent = (0..1000).take_while(|_| small().charge(&bucket, at(0), 100, 1124) == Verdict::Send).count();
        assert_eq!(sent, 64);
    }

    #[test]
    fn a_held_source_gets_answers_up_to_one_and_a_half_times_the_request() {
        let bucket = AtomicU64::new(0);
        spend(small(), &bucket, at(0));
        assert_eq!(small().charge(&bucket, at(1), 100, 150), Verdict::Send);
        assert_eq!(small().charge(&bucket, at(1), 100, 151), Verdict::Busy);
        assert_eq!(small().charge(&bucket, at(1), 101, 152), Verdict::Busy);
    }

    #[test]
    fn a_source_is_held_for_the_hold_time_and_then_comes_free() {
        let bucket = AtomicU64::new(0);
        spend(small(), &bucket, at(0));
        assert!(small().worn(bucket.load(Ordering::Relaxed), 59_999).1);
        assert!(!small().worn(bucket.load(Ordering::Relaxed), 60_001).1);
        assert_eq!(small().charge(&bucket, at(60_001), 70, 650), Verdict::Send);
    }

    #[test]
    fn demand_above_the_refill_keeps_a_source_held() {
        let bucket = AtomicU64::new(0);
        spend(small(), &bucket, at(0));
        for tick in 0..600_u64 {
            for _ in 0..3 {
                // 3 x 580 bytes every 100 ms are more than 16 KiB a second.
                assert_eq!(small().charge(&bucket, at(tick * 100), 70, 650), Verdict::Busy);
            }
        }
    }

    #[test]
    fn demand_below_the_refill_lets_a_source_come_free() {
        let bucket = AtomicU64::new(0);
        spend(small(), &bucket, at(0));
        let freed = (0..3000_u64).find(|tick| small().charge(&bucket, at(tick * 100), 70, 650) == Verdict::Send);
        assert!(freed.is_some_and(|tick| tick >= 600), "{freed:?}");
    }

    #[test]
    fn a_bucket_is_whole_again_when_everything_wore_off() {
        let bucket = AtomicU64::new(0);
        assert!(small().is_whole(&bucket, at(0)));
        let _ = small().charge(&bucket, at(0), 0, 16 * 1024);
        assert!(!small().is_whole(&bucket, at(999)));
        assert!(small().is_whole(&bucket, at(1000)));
    }

    #[test]
    fn a_slightly_earlier_clock_of_another_thread_gives_nothing_back() {
        let bucket = AtomicU64::new(0);
        spend(small(), &bucket, at(20_000));
        assert_eq!(small().charge(&bucket, at(19_995), 70, 650), Verdict::Busy);
    }

    #[test]
    fn a_month_of_silence_makes_a_source_whole() {
        let bucket = AtomicU64::new(0);
        spend(small(), &bucket, at(0));
        assert!(small().is_whole(&bucket, at(30 * 24 * 3600 * 1000)));
    }

    #[test]
    fn the_query_rate_holds_over_a_minute_after_its_burst() {
        let rate = QueryRate::new(100);
        let bucket = AtomicU64::new(0);
        let taken = (0..60_000_u64).filter(|millisecond| rate.take(&bucket, at(*millisecond))).count();
        assert!((6000..=6200).contains(&taken), "{taken}");
        assert!(!rate.is_whole(&bucket, at(60_000)));
        assert!(rate.is_whole(&bucket, at(62_000)));
    }
}
