//! A month of probes: what was asked, what succeeded, what a time without the node cost, and how long the node ran.

use waymark_catalog::Timestamp;

use super::book::Book;
use super::day::{DayProbes, MINUTE_MS, Rounds};
use super::incident::{Gap, Maintenance};
use super::target::{Family, Function, Target};
use crate::calendar::{Day, Month};

/// Of so many what succeeded is told, to have no fractions.
const MILLION: u128 = 1_000_000;

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;

/// Probes that were made, those that were missed since the node did not run, and those that succeeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Made.
    pub tried: u64,
    /// Of these, answered as they should be.
    pub succeeded: u64,
    /// Not made since the node did not run: they count as failed.
    pub missed: u64,
    /// Microseconds those that succeeded took together.
    pub sum_micros: u64,
}

impl Share {
    /// Of a million, how many succeeded, rounded down; `None` where nothing was measured.
    #[must_use]
    pub fn ppm(&self) -> Option<u64> {
        let all = u128::from(self.tried) + u128::from(self.missed);
        u64::try_from((u128::from(self.succeeded) * MILLION).checked_div(all)?).ok()
    }

    /// Microseconds a probe that succeeded took on average; `None` where none did.
    #[must_use]
    pub const fn mean_micros(&self) -> Option<u64> {
        self.sum_micros.checked_div(self.succeeded)
    }

    const fn add(&mut self, other: Self) {
        self.tried = self.tried.saturating_add(other.tried);
        self.succeeded = self.succeeded.saturating_add(other.succeeded);
        self.sum_micros = self.sum_micros.saturating_add(other.sum_micros);
    }
}

/// Probes of a function, by family and all together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FunctionShares {
    /// Over IPv4.
    pub ipv4: Share,
    /// Over IPv6.
    pub ipv6: Share,
    /// All that were asked over a network: of the families together. The look at the store is part of it only where registration had no door to ask,
    /// since a look never fails for the network's sake and would make a door that is dead half alive. A door tells of a store that takes no writes.
    pub together: Share,
}

/// What is known of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthFigures {
    /// Which.
    pub month: Month,
    /// Probes of resolution.
    pub resolution: FunctionShares,
    /// Probes of registration.
    pub registration: FunctionShares,
    /// Rounds, and those in which both functions were there.
    pub whole: Share,
    /// Seconds the node ran.
    pub operating_seconds: u64,
    /// Seconds of which is known whether it ran.
    pub measured_seconds: u64,
    /// Seconds of the month that are over.
    pub over_seconds: u64,
    /// Seconds of these that were declared maintenance.
    pub maintenance_seconds: u64,
    /// Maintenances that began or lasted in it; what was cancelled never began.
    pub maintenances: Vec<Maintenance>,
}

/// Puts a month together, day by day.
#[derive(Debug)]
pub(super) struct Gatherer {
    figures: MonthFigures,
    until: u64,
    gaps: Vec<Gap>,
    /// Missed milliseconds, in rounds of so many.
    missed: Vec<(u64, u64)>,
    operating_ms: u64,
    measured_ms: u64,
    maintenance_ms: u64,
}

/// Milliseconds two spans have in common.
const fn overlap(one: (u64, u64), other: (u64, u64)) -> u64 {
    let from = if one.0 > other.0 { one.0 } else { other.0 };
    let until = if one.1 < other.1 { one.1 } else { other.1 };
    until.saturating_sub(from)
}

/// The span of a maintenance.
fn span(maintenance: &Maintenance) -> (u64, u64) {
    (maintenance.from, maintenance.end().unwrap_or(u64::MAX))
}

impl Gatherer {
    pub(super) fn new(month: Month, now: Timestamp, book: &Book) -> Self {
        let (first, until) = (month.first().start().0, month.last().end().0.min(now.0));
        let within = (first, until);
        let maintenances: Vec<Maintenance> = book
            .maintenances()
            .filter(|each| !each.is_cancelled())
            .filter(|each| overlap(span(each), within) > 0 || (each.from >= first && each.from < until))
            .cloned()
            .collect();
        let gaps = book.gaps().copied().filter(|gap| overlap((gap.from, gap.until), within) > 0).collect();
        let figures = MonthFigures {
            month,
            resolution: FunctionShares::default(),
            registration: FunctionShares::default(),
            whole: Share::default(),
            operating_seconds: 0,
            measured_seconds: 0,
            over_seconds: until.saturating_sub(first) / 1_000,
            maintenance_seconds: 0,
            maintenances,
        };
        Self { figures, until, gaps, missed: Vec::new(), operating_ms: 0, measured_ms: 0, maintenance_ms: 0 }
    }

    /// Takes in a day.
    pub(super) fn day(&mut self, day: Day, probes: &DayProbes) {
        for (minute, target, cell) in probes.cells() {
            let share = Share {
                tried: cell.tried.into(),
                succeeded: cell.succeeded.into(),
                missed: 0,
                sum_micros: cell.sum_micros,
            };
            let of = match target.function() {
                Function::Resolution => &mut self.figures.resolution,
                Function::Registration => &mut self.figures.registration,
            };
            match target.family() {
                Some(Family::V4) => of.ipv4.add(share),
                Some(Family::V6) => of.ipv6.add(share),
                None if probes.has_registration_door(minute) => continue,
                None => debug_assert_eq!(target, Target::Store),
            }
            of.together.add(share);
        }
        for (_, Rounds { counted, whole, .. }) in probes.rounds() {
            self.figures.whole.add(Share { tried: counted.into(), succeeded: whole.into(), ..Share::default() });
        }
        let (start, end) = (day.start().0, day.end().0.min(self.until));
        let day_gaps: Vec<Gap> =
            self.gaps.iter().copied().filter(|gap| overlap((gap.from, gap.until), (start, end)) > 0).collect();
        let maintained: Vec<(u64, u64)> =
            self.figures.maintenances.iter().map(span).filter(|each| overlap(*each, (start, end)) > 0).collect();
        for minute in 0..DAY_MINUTES {
            let from = start.saturating_add(u64::from(minute) * MINUTE_MS);
            let minute_span = (from, (from + MINUTE_MS).min(end));
            if minute_span.1 <= minute_span.0 {
                break;
            }
            self.minute(minute_span, probes.rounds_of(minute), &day_gaps, &maintained);
        }
    }

    fn minute(&mut self, minute: (u64, u64), rounds: Rounds, gaps: &[Gap], maintained: &[(u64, u64)]) {
        let length = minute.1.saturating_sub(minute.0);
        let in_maintenance = maintained.iter().map(|each| overlap(*each, minute)).sum::<u64>().min(length);
        self.maintenance_ms += in_maintenance;
        let without: u64 = gaps.iter().map(|gap| overlap((gap.from, gap.until), minute)).sum::<u64>().min(length);
        let made = u64::from(rounds.counted) + u64::from(rounds.maintained);
        let interval = gaps.first().map_or(1, |gap| gap.interval);
        // What rounds were made in was no gap, whatever the clock said at some start.
        let without = if made == 0 { without } else { without.min(length.saturating_sub(length.min(made * interval))) };
        let ran = if made == 0 { 0 } else { length.saturating_sub(without) };
        self.operating_ms += ran;
        self.measured_ms += ran + without;
        for gap in gaps {
            let share = overlap((gap.from, gap.until), minute).min(without);
            let planned: u64 = maintained
                .iter()
                .map(|each| overlap((each.0.max(gap.from), each.1.min(gap.until)), minute))
                .sum::<u64>()
                .min(share);
            if share > planned {
                self.missed.push((share - planned, gap.interval));
            }
        }
    }

    /// The month.
    pub(super) fn end(self) -> MonthFigures {
        let Self { mut figures, missed, operating_ms, measured_ms, maintenance_ms, .. } = self;
        figures.operating_seconds = operating_ms / 1_000;
        figures.measured_seconds = measured_ms / 1_000;
        figures.maintenance_seconds = maintenance_ms / 1_000;
        // Half a round and more is one: a restart of seconds costs none where rounds are minutes apart.
        let mut by_interval: std::collections::BTreeMap<u64, u64> = std::collections::BTreeMap::new();
        for (milliseconds, interval) in missed {
            *by_interval.entry(interval.max(1)).or_default() += milliseconds;
        }
        let rounds: u64 =
            by_interval.iter().map(|(interval, missed)| missed.saturating_add(interval / 2) / interval).sum();
        figures.whole.missed = rounds;
        let made = figures.whole.tried;
        for of in [&mut figures.resolution, &mut figures.registration] {
            for share in [&mut of.ipv4, &mut of.ipv6, &mut of.together] {
                let would = u128::from(rounds) * u128::from(share.tried);
                share.missed =
                    would.checked_div(u128::from(made)).map_or(0, |missed| u64::try_from(missed).unwrap_or(u64::MAX));
            }
            if made == 0 {
                of.together.missed = rounds;
            }
        }
        figures
    }
}
