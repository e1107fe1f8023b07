//! The probes of one day, by minute and target.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use waymark_catalog::Timestamp;

use super::target::{Function, Probed, Target};
use crate::calendar::Day;

/// Milliseconds of a minute.
pub(super) const MINUTE_MS: u64 = 60_000;

/// Probes of one target in a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cell {
    /// Made.
    pub(super) tried: u32,
    /// Of these, answered as they should be.
    pub(super) succeeded: u32,
    /// Microseconds all of the latter took together.
    pub(super) sum_micros: u64,
}

/// Rounds of a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rounds {
    /// Made outside maintenance.
    pub(super) counted: u32,
    /// Of these, those in which each function was there by one way at least.
    pub(super) whole: u32,
    /// Made during maintenance: their probes do not count.
    pub(super) maintained: u32,
}

/// A round as it is kept until its day is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Round {
    /// When, in milliseconds since 1970.
    pub(super) time: u64,
    /// Whether it was during maintenance.
    pub(super) is_maintained: bool,
    /// Each target, and the microseconds it took where it succeeded.
    pub(super) results: Vec<(Target, Option<u32>)>,
}

impl Round {
    pub(super) fn new(now: Timestamp, is_maintained: bool, probed: &[Probed]) -> Self {
        let result = |probed: &Probed| (probed.target, probed.trouble.is_none().then_some(probed.took_micros));
        Self { time: now.0, is_maintained, results: probed.iter().map(result).collect() }
    }

    /// Whether each function that was asked was there by one way at least. Registration needs the store besides a door, as far as both were asked.
    fn is_whole(&self) -> bool {
        let any = |wanted: fn(Target) -> bool| {
            let mut asked = self.results.iter().filter(|(target, _)| wanted(*target)).peekable();
            asked.peek().is_none() || asked.any(|(_, took)| took.is_some())
        };
        any(|target| target.function() == Function::Resolution)
            && any(|target| target.function() == Function::Registration && target != Target::Store)
            && any(|target| target == Target::Store)
    }
}

/// The probes of a day of China Standard Time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DayProbes {
    /// By minute of the day and target.
    pub(super) cells: BTreeMap<(u16, Target), Cell>,
    /// By minute of the day.
    pub(super) rounds: BTreeMap<u16, Rounds>,
}

/// The minute of a day a moment is in.
fn minute(day: Day, time: u64) -> u16 {
    u16::try_from(time.saturating_sub(day.start().0) / MINUTE_MS).unwrap_or(u16::MAX)
}

impl DayProbes {
    /// Adds a round of this day.
    pub(super) fn add(&mut self, day: Day, round: &Round) {
        let minute = minute(day, round.time);
        let rounds = self.rounds.entry(minute).or_default();
        if round.is_maintained {
            rounds.maintained = rounds.maintained.saturating_add(1);
            return;
        }
        rounds.counted = rounds.counted.saturating_add(1);
        rounds.whole = rounds.whole.saturating_add(u32::from(round.is_whole()));
        for (target, took) in &round.results {
            let cell = self.cells.entry((minute, *target)).or_default();
            cell.tried = cell.tried.saturating_add(1);
            if let Some(micros) = took {
                cell.succeeded = cell.succeeded.saturating_add(1);
                cell.sum_micros = cell.sum_micros.saturating_add(u64::from(*micros));
            }
        }
    }

    /// Each target and minute.
    pub(super) fn cells(&self) -> impl Iterator<Item = (u16, Target, Cell)> + '_ {
        self.cells.iter().map(|((minute, target), cell)| (*minute, *target, *cell))
    }

    /// Whether a door of registration was asked in a minute. Doors are those of a run, so the rounds of a minute differ in it only around a restart.
    pub(super) fn has_registration_door(&self, minute: u16) -> bool {
        [Target::RegistrationV4, Target::RegistrationV6].iter().any(|door| self.cells.contains_key(&(minute, *door)))
    }

    /// The rounds of each minute that has any.
    pub(super) fn rounds(&self) -> impl Iterator<Item = (u16, Rounds)> + '_ {
        self.rounds.iter().map(|(minute, rounds)| (*minute, *rounds))
    }

    /// The rounds of a minute.
    #[must_use]
    pub(super) fn rounds_of(&self, minute: u16) -> Rounds {
        self.rounds.get(&minute).copied().unwrap_or_default()
    }
}
