//! Faults on demand: what goes wrong with which part, decided by a seed, so that a run that failed can be made again.
//!
//! Whether a part meets a fault depends on the seed, the node, the set, and how many parts of that set of that node came since the faults were set; on
//! nothing else. Faults by script name the part themselves.

use std::collections::BTreeMap;
use std::hash::Hasher as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use siphasher::sip::SipHasher24;
use waymark_catalog::Timestamp;

use super::config::{DELAY_MAX_MS, NODES, SCRIPT_STEPS, SKEW_MAX_SECONDS};
use crate::check::Set;

/// What can go wrong with a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// It is lost: neither taken nor answered.
    DropPart,
    /// It is taken, and nobody is told.
    DropAcknowledgement,
    /// It waits before it is looked at, and those behind it on the stream too.
    Delay,
    /// It is acknowledged twice.
    DuplicateAcknowledgement,
    /// Its acknowledgement is overtaken by the next one.
    ReorderAcknowledgement,
    /// It is taken, and the stream ends without a word.
    Close,
    /// It is not taken, and the stream ends with UNAVAILABLE.
    Unavailable,
}

impl Fault {
    const ALL: [Self; 7] = [
        Self::DropPart,
        Self::DropAcknowledgement,
        Self::Delay,
        Self::DuplicateAcknowledgement,
        Self::ReorderAcknowledgement,
        Self::Close,
        Self::Unavailable,
    ];
}

/// One step of a script: what happens to one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The set, such as `T9`.
    pub set: String,
    /// Which part of the set of a node since the faults were set, from 1.
    pub nth: u64,
    /// What happens to it.
    pub fault: Fault,
}

/// The faults wanted, as a program writes them. Nothing goes wrong by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// Decides which parts are met.
    pub seed: u64,
    /// Of a thousand parts, how many meet a fault.
    pub per_thousand: BTreeMap<Fault, u16>,
    /// How long a delayed part waits, in milliseconds.
    pub delay_ms: u64,
    /// How far the clock is ahead; behind, where negative.
    pub clock_skew_seconds: i64,
    /// What happens to single parts.
    pub script: Vec<Step>,
}

/// Why faults are not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// They are not what a plan looks like.
    #[error("the faults are no JSON of this form")]
    Form(#[from] serde_json::Error),
    /// A share beyond all.
    #[error("per_thousand is at most 1000")]
    Share,
    /// A delay nobody waits for.
    #[error("delay_ms is at most {DELAY_MAX_MS}")]
    Delay,
    /// A clock too far off.
    #[error("clock_skew_seconds is at most {SKEW_MAX_SECONDS}, either way")]
    Skew,
    /// A script that is too long, or that names no set.
    #[error("script has at most {SCRIPT_STEPS} steps, each of a set there is, nth from 1")]
    Script,
}

impl Plan {
    /// Reads a plan from JSON.
    ///
    /// # Errors
    /// It is none, or asks for what cannot be.
    pub fn read(bytes: &[u8]) -> Result<Self, PlanError> {
        let plan: Self = serde_json::from_slice(bytes)?;
        plan.check()?;
        Ok(plan)
    }

    fn check(&self) -> Result<(), PlanError> {
        if self.per_thousand.values().any(|share| *share > 1000) {
            return Err(PlanError::Share);
        }
        if self.delay_ms > DELAY_MAX_MS {
            return Err(PlanError::Delay);
        }
        if self.clock_skew_seconds.unsigned_abs() > SKEW_MAX_SECONDS.unsigned_abs() {
            return Err(PlanError::Skew);
        }
        let is_good = |step: &Step| step.nth > 0 && step.set.parse::<Set>().is_ok();
        if self.script.len() > SCRIPT_STEPS || !self.script.iter().all(is_good) {
            return Err(PlanError::Script);
        }
        Ok(())
    }
}

/// The faults in use, replaceable while parts come.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    plan: Plan,
    /// Parts that came since the plan was set, by node and set.
    came: BTreeMap<(String, Set), u64>,
    done: BTreeMap<Fault, u64>,
}

/// What a part is to meet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    faults: Vec<Fault>,
    pub(crate) delay: Duration,
}

impl Fate {
    /// Whether it meets this.
    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }
}

impl Faults {
    /// Faults of a plan.
    ///
    /// # Errors
    /// It asks for what cannot be.
    pub fn new(plan: Plan) -> Result<Self, PlanError> {
        let faults = Self::default();
        faults.set(plan)?;
        Ok(faults)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another plan from now on; counting begins anew.
    ///
    /// # Errors
    /// It asks for what cannot be; the old one stays.
    pub fn set(&self, plan: Plan) -> Result<(), PlanError> {
        plan.check()?;
        *self.lock() = State { plan, ..State::default() };
        Ok(())
    }

    /// The plan in use, and how often each fault happened since it was set.
    #[must_use]
    pub fn get(&self) -> (Plan, BTreeMap<Fault, u64>) {
        let state = self.lock();
        (state.plan.clone(), state.done.clone())
    }

    /// What the next part of a set of a node is to meet.
    pub(crate) fn next(&self, node: &str, set: Set) -> Fate {
        let mut state = self.lock();
        if state.came.len() >= NODES * Set::ALL.len() {
            // Names come from whoever connects; those of real nodes are fewer.
            state.came.clear();
        }
        let came = state.came.entry((node.to_owned(), set)).or_default();
        *came += 1;
        let nth = *came;
        let State { plan, done, .. } = &mut *state;
        let is_scripted =
            |fault| plan.script.iter().any(|step| step.fault == fault && step.nth == nth && step.set == set.name());
        let share = |fault| plan.per_thousand.get(&fault).copied().unwrap_or(0);
        let is_met = |fault| is_scripted(fault) || drawn(plan.seed, node, set, nth, fault) < share(fault);
        let faults: Vec<Fault> = Fault::ALL.into_iter().filter(|fault| is_met(*fault)).collect();
        for fault in &faults {
            *done.entry(*fault).or_default() += 1;
        }
        let is_late = faults.contains(&Fault::Delay);
        let delay = if is_late { Duration::from_millis(plan.delay_ms) } else { Duration::ZERO };
        Fate { faults, delay }
    }

    /// Whether everything is answered with UNAVAILABLE.
    pub(crate) fn is_away(&self) -> bool {
        self.lock().plan.per_thousand.get(&Fault::Unavailable) == Some(&1000)
    }

    /// The time by a clock that is off as wanted.
    pub(crate) fn skewed(&self, now: Timestamp) -> Timestamp {
        let skew = self.lock().plan.clock_skew_seconds.saturating_mul(1000);
        Timestamp(now.0.saturating_add_signed(skew))
    }
}

/// A number from 0 to 999 for a part and a fault.
fn drawn(seed: u64, node: &str, set: Set, nth: u64, fault: Fault) -> u16 {
    let mut hasher = SipHasher24::new_with_keys(seed, 0);
    hasher.write(node.as_bytes());
    hasher.write(set.name().as_bytes());
    hasher.write_u64(nth);
    hasher.write(format!("{fault:?}").as_bytes());
    u16::try_from(hasher.finish() % 1000).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_each_part_the_same_fate() {
        let plan = Plan::read(br#"{"seed": 7, "per_thousand": {"drop-part": 300, "close": 100}}"#).unwrap();
        let fates = |plan: &Plan| {
            let faults = Faults::new(plan.clone()).unwrap();
            (0..1000).map(|_| faults.next("88.990", Set::T9)).collect::<Vec<_>>()
        };
        let first = fates(&plan);
        assert_eq!(first, fates(&plan));
        let lost = first.iter().filter(|fate| fate.has(Fault::DropPart)).count();
        assert!((240..=360).contains(&lost), "{lost}");
        assert_ne!(first, fates(&Plan { seed: 8, ..plan }));
    }

    #[test]
    fn a_script_names_the_part_and_nothing_else_is_met() {
        let plan = Plan::read(br#"{"script": [{"set": "T9", "nth": 2, "fault": "delay"}], "delay_ms": 5}"#).unwrap();
        let faults = Faults::new(plan).unwrap();
        assert_eq!(faults.next("88.990", Set::T9), Fate::default());
        assert_eq!(faults.next("88.990", Set::T8), Fate::default());
        let fate = faults.next("88.990", Set::T9);
        assert!(fate.has(Fault::Delay) && fate.delay == Duration::from_millis(5));
        assert_eq!(faults.get().1, BTreeMap::from([(Fault::Delay, 1)]));
        faults.set(Plan::default()).unwrap();
        assert_eq!(faults.next("88.990", Set::T9), Fate::default());
    }

    #[test]
    fn plans_that_cannot_be_are_refused() {
        for wrong in [
            "7",
            r#"{"sed": 1}"#,
            r#"{"per_thousand": {"close": 1001}}"#,
            r#"{"per_thousand": {"explode": 1}}"#,
            r#"{"delay_ms": 600001}"#,
            r#"{"clock_skew_seconds": -9223372036854775808}"#,
            r#"{"script": [{"set": "T12", "nth": 1, "fault": "close"}]}"#,
            r#"{"script": [{"set": "T9", "nth": 0, "fault": "close"}]}"#,
        ] {
            assert!(Plan::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_clock_is_off_as_wanted() {
        let faults = Faults::new(Plan { clock_skew_seconds: -2, ..Plan::default() }).unwrap();
        assert_eq!(faults.skewed(Timestamp(5_000)), Timestamp(3_000));
    }
}
