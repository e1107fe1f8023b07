//! What a load run counts, and how it is shown.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longest latency kept apart, in microseconds; longer ones count as this.
const LONGEST_MICROSECONDS: u64 = 120_000_000;

/// Counts and latencies of one worker, or of all together.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Questions sent.
    pub asked: u64,
    /// Answers with values.
    pub found: u64,
    /// Answers "no such handle" or "no such values".
    pub absent: u64,
    /// Answers "too busy".
    pub busy: u64,
    /// Other refusals.
    pub refused: u64,
    /// Questions without an answer in time.
    pub lost: u64,
    /// Answers that say something else than the name deserves (a present one absent, an absent one found).
    pub wrong: u64,
    /// Bytes of whole answers, envelopes included.
    pub bytes: u64,
    /// Datagrams received (UDP).
    pub packets: u64,
    /// Open loop only: questions not sent since too many were under way.
    pub skipped: u64,
    latency: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        let latency = Histogram::new_with_bounds(1, LONGEST_MICROSECONDS, 3);
        Self {
            asked: 0,
            found: 0,
            absent: 0,
            busy: 0,
            refused: 0,
            lost: 0,
            wrong: 0,
            bytes: 0,
            packets: 0,
            skipped: 0,
            #[expect(clippy::expect_used, reason = "the bounds are constants the histogram takes")]
            latency: latency.expect("1 <= low, 2 * low <= high, 0..=5 digits"),
        }
    }
}

impl Tally {
    /// Counts a whole answer to a question for a name that exists or does not.
    pub fn answered(&mut self, response_code: u32, exists: bool, bytes: usize, latency: Duration) {
        match response_code {
            1 => self.found += 1,
            100 | 200 => self.absent += 1,
            3 => self.busy += 1,
            _ => self.refused += 1,
        }
        self.wrong += u64::from(matches!((response_code, exists), (1, false) | (100, true)));
        self.bytes += bytes as u64;
        let microseconds = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency.saturating_record(microseconds.max(1));
    }

    /// Answers of any kind.
    pub fn answers(&self) -> u64 {
        self.found + self.absent + self.busy + self.refused
    }

    /// Adds another worker's numbers.
    pub fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        self.found += other.found;
        self.absent += other.absent;
        self.busy += other.busy;
        self.refused += other.refused;
        self.lost += other.lost;
        self.wrong += other.wrong;
        self.bytes += other.bytes;
        self.packets += other.packets;
        self.skipped += other.skipped;
        // Both have the same bounds, so everything fits.
        let _added = self.latency.add(&other.latency);
    }

    /// The latency below which this share of answers lies, in microseconds; 0 without answers.
    pub fn quantile(&self, quantile: f64) -> u64 {
        if self.latency.is_empty() { 0 } else { self.latency.value_at_quantile(quantile) }
    }

    /// The numbers for programs and people.
    pub fn report(&self, transport: &'static str, elapsed: Duration) -> Report {
        let seconds = elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        Report {
            transport,
            seconds,
            asked: self.asked,
            answered: self.answers(),
            answered_per_second: rate(self.answers()),
            found: self.found,
            absent: self.absent,
            busy: self.busy,
            refused: self.refused,
            lost: self.lost,
            wrong: self.wrong,
            skipped: self.skipped,
            bytes: self.bytes,
            packets: self.packets,
            latency_us: Latency {
                min: if self.latency.is_empty() { 0 } else { self.latency.min() },
                p50: self.quantile(0.5),
                p90: self.quantile(0.9),
                p99: self.quantile(0.99),
                p999: self.quantile(0.999),
                max: self.latency.max(),
            },
        }
    }
}

/// The result of a load run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// `udp`, `tcp` or `quic`.
    pub transport: &'static str,
    /// Length of the run.
    pub seconds: f64,
    /// Questions sent.
    pub asked: u64,
    /// Answers of any kind.
    pub answered: u64,
    /// Their rate.
    pub answered_per_second: f64,
    /// Answers with values.
    pub found: u64,
    /// Answers "no such handle" or "no such values".
    pub absent: u64,
    /// Answers "too busy".
    pub busy: u64,
    /// Other refusals.
    pub refused: u64,
    /// Questions without an answer in time.
    pub lost: u64,
    /// Answers that contradict what the name deserves.
    pub wrong: u64,
    /// Questions not sent since too many were under way (open loop).
    pub skipped: u64,
    /// Bytes of answers.
    pub bytes: u64,
    /// Datagrams of answers (UDP).
    pub packets: u64,
    /// Latency in microseconds.
    pub latency_us: Latency,
}

/// Percentiles of latency in microseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Latency {
    /// Smallest.
    pub min: u64,
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
    /// Largest.
    pub max: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_outcomes_apart() {
        let mut tally = Tally::default();
        for (code, exists) in [(1, true), (1, false), (100, false), (100, true), (200, true), (3, true), (301, true)] {
            tally.answered(code, exists, 10, Duration::from_micros(5));
        }
        assert_eq!((tally.found, tally.absent, tally.busy, tally.refused, tally.wrong), (2, 3, 1, 1, 2));
        assert_eq!(tally.answers(), 7);
        assert_eq!(tally.bytes, 70);
    }

    #[test]
    fn sums_workers() {
        let (mut one, mut two) = (Tally::default(), Tally::default());
        one.answered(1, true, 1, Duration::from_micros(10));
        two.answered(1, true, 1, Duration::from_micros(1_000));
        one.add(&two);
        let report = one.report("udp", Duration::from_secs(2));
        assert_eq!((report.answered, report.latency_us.min), (2, 10));
        assert!((report.answered_per_second - 1.0).abs() < 1e-9);
        assert!(report.latency_us.max >= 1_000);
    }

    #[test]
    fn no_answers_is_no_crash() {
        assert_eq!(Tally::default().report("udp", Duration::ZERO).latency_us.p99, 0);
    }
}
