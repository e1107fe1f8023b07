//! Decides what is an incident and when it is over. Knows no clock and no disk.
//!
//! Each thing that is watched has a dog. It barks when its thing failed so many rounds in a row, and is quiet again once that was well for the hold
//! time: what comes and goes within it is one incident. The time of a fault is that of the first failure, the time of its end that of the first
//! success after the last failure. What a dog wants is carried out by the caller, and counts when that succeeded: what a full disk did not take is
//! wanted again in the next round, with the time it had.

use std::collections::BTreeMap;
use std::time::Duration;

use waymark_catalog::Timestamp;

use super::config::Settings;
use super::incident::Kind;
use super::target::{Pressure, Probed, Target, Trouble};

/// Name of the dog that watches how the node ends.
pub(super) const STOP: &str = "stop";

/// Name of the dog that watches how many requests are turned away.
pub(super) const FLOOD: &str = "flood";

/// How often the share of requests that were turned away is looked at.
const FLOOD_SPAN: Duration = Duration::from_secs(60);

/// A moment by both clocks: one that may be set, and one that only goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time.
    pub now: Timestamp,
    /// Time since some beginning.
    pub steady: Duration,
}

/// What is to be noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A fault.
    Fault { watched: String, time: Timestamp, cause: String, kind: Kind },
    /// The end of the fault of this event.
    Recovery { watched: String, event: String, time: Timestamp },
}

/// What watches one thing.
#[derive(Clone, Debug, Default)]
struct Dog {
    failures: u64,
    /// The first of them.
    failed: Option<(Timestamp, String, Kind)>,
    /// The first success after the last failure.
    well: Option<Moment>,
    /// The fault that was noted and is not over.
    event: Option<String>,
}

/// All dogs.
#[derive(Debug)]
pub(super) struct Sentinel {
    settings: Settings,
    dogs: BTreeMap<String, Dog>,
    /// What was counted when the share was looked at last.
    pressure: Option<(Duration, Pressure)>,
}

impl Sentinel {
    pub(super) const fn new(settings: Settings) -> Self {
        Self { settings, dogs: BTreeMap::new(), pressure: None }
    }

    /// A fault was noted, now or in a run before: it is over when its thing is well.
    pub(super) fn noted(&mut self, watched: &str, event: &str) {
        let dog = self.dogs.entry(watched.to_owned()).or_default();
        (dog.event, dog.well) = (Some(event.to_owned()), None);
    }

    /// A fault is over.
    pub(super) fn over(&mut self, event: &str) {
        for dog in self.dogs.values_mut().filter(|dog| dog.event.as_deref() == Some(event)) {
            *dog = Dog { well: dog.well, ..Dog::default() };
        }
    }

    /// Takes in a round; what is to be noted. During maintenance failures are no incidents.
    pub(super) fn round(&mut self, at: Moment, is_maintained: bool, probed: &[Probed]) -> Vec<Wanted> {
        let mut asked: BTreeMap<Target, Option<&Trouble>> = BTreeMap::new();
        for probe in probed {
            let trouble = probe.trouble.as_ref().filter(|trouble| !trouble.is_told_elsewhere);
            // Of several addresses of one kind, one that fails is a fault.
            let known = asked.entry(probe.target).or_default();
            *known = known.or(trouble);
        }
        let mut wanted = Vec::new();
        for (target, trouble) in &asked {
            wanted.extend(self.look(target.as_str(), at, is_maintained, *trouble, self.settings.failed_rounds));
        }
        wanted.extend(self.look(STOP, at, is_maintained, None, 1));
        // Doors that are not there any more: whatever was wrong with them is over.
        let is_asked = |watched: &str| asked.keys().any(|target| target.as_str() == watched);
        let gone: Vec<String> = self
            .dogs
            .keys()
            .filter(|watched| ![STOP, FLOOD].contains(&watched.as_str()) && !is_asked(watched))
            .cloned()
            .collect();
        for watched in gone {
            wanted.extend(self.look(&watched, at, is_maintained, None, 1));
        }
        wanted
    }

    /// Takes in what was counted since the start; what is to be noted. Looks once a minute.
    pub(super) fn pressure(&mut self, at: Moment, is_maintained: bool, pressure: Pressure) -> Option<Wanted> {
        let Some((then, before)) = self.pressure else {
            self.pressure = Some((at.steady, pressure));
            return None;
        };
        if at.steady.saturating_sub(then) < FLOOD_SPAN {
            return None;
        }
        self.pressure = Some((at.steady, pressure));
        let (asked, shed) = (pressure.asked.saturating_sub(before.asked), pressure.shed.saturating_sub(before.shed));
        let Settings { flood_percent: percent, flood_requests: least, .. } = self.settings;
        let is_flood = percent > 0 && shed >= least && shed.saturating_mul(100) >= asked.saturating_mul(percent);
        let trouble = Trouble {
            cause: format!("a flood: {shed} of {asked} requests of a minute were turned away"),
            kind: Kind::Attack,
            is_told_elsewhere: false,
        };
        self.look(FLOOD, at, is_maintained, is_flood.then_some(&trouble), 1)
    }

    fn look(
        &mut self,
        watched: &str,
        at: Moment,
        is_maintained: bool,
        trouble: Option<&Trouble>,
        rounds: u64,
    ) -> Option<Wanted> {
        let hold = self.settings.hold;
        let dog = self.dogs.entry(watched.to_owned()).or_default();
        let Some(trouble) = trouble else {
            if dog.event.is_none() && dog.failures < rounds {
                // Failures too few to be one, or none at all. Enough of them that the disk did not take are still owed.
                *dog = Dog { well: Some(dog.well.unwrap_or(at)), ..Dog::default() };
                return None;
            }
            let well = *dog.well.get_or_insert(at);
            let Some(event) = &dog.event else { return dog.fault(watched) };
            let is_held = at.steady.saturating_sub(well.steady) < hold;
            return (!is_held).then(|| Wanted::Recovery {
                watched: watched.to_owned(),
                event: event.clone(),
                time: well.now,
            });
        };
        dog.well = None;
        if dog.event.is_some() || is_maintained {
            return None;
        }
        dog.failures = dog.failures.saturating_add(1);
        dog.failed.get_or_insert_with(|| (at.now, trouble.cause.clone(), trouble.kind));
        if dog.failures < rounds { None } else { dog.fault(watched) }
    }
}

impl Dog {
    fn fault(&self, watched: &str) -> Option<Wanted> {
        let (time, cause, kind) = self.failed.clone()?;
        Some(Wanted::Fault { watched: watched.to_owned(), time, cause, kind })
    }
}
