//! When a node is out of service: the rule of 51 %, without clock or network.
//!
//! A *probe* is one prober asking one node once in one family. It is *unavailable* where it finds resolution unavailable, or registration (requirement
//! PER-5). The node is to be taken over when of all probes within the window at least 51 in 100 are; probes of both families count together, since the
//! rule knows no families, and are shown apart, since who repairs a node wants to know. It ends when within a whole window of later probes at most 10 in
//! 100 are: a node that comes and goes does not change hands each time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use waymark_catalog::Timestamp;

use crate::simulator::config::PROBE_SAMPLES;

/// When a node is out of service, and when it is no more.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Over how long probes are counted.
    pub window: Duration,
    /// Fewer probes than this within the window say nothing.
    pub least: u64,
    /// Of 100 probes, how many are unavailable at least when a takeover is due.
    pub due_percent: u64,
    /// Of 100 probes, how many are unavailable at most when it is no more.
    pub ends_percent: u64,
}

impl Default for Rule {
    /// The share is the published one. Window, least count and end are our own: nothing is known of them.
    fn default() -> Self {
        Self { window: Duration::from_secs(300), least: 10, due_percent: 51, ends_percent: 10 }
    }
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// 4 or 6.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V4 => 4,
            Self::V6 => 6,
        }
    }
}

/// What one probe found. What the node told no address of is `None`, and counts for nothing.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When it ended.
    pub at: Timestamp,
    /// In which family.
    pub family: Family,
    /// Whether resolution was available.
    pub resolution: Option<bool>,
    /// Whether registration was available.
    pub registration: Option<bool>,
}

impl Sample {
    const fn is_unavailable(&self) -> bool {
        matches!(self.resolution, Some(false)) || matches!(self.registration, Some(false))
    }
}

/// How many probes found what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Probes.
    pub probes: u64,
    /// Those that found either unavailable.
    pub unavailable: u64,
    /// Those that found resolution unavailable.
    pub resolution: u64,
    /// Those that found registration unavailable.
    pub registration: u64,
}

impl Counts {
    /// The share of unavailable ones in percent with two places, cut off; `None` without probes.
    #[must_use]
    pub fn percent(&self) -> Option<String> {
        let hundredths = self.unavailable.saturating_mul(10_000).checked_div(self.probes)?;
        Some(format!("{}.{:02}", hundredths / 100, hundredths % 100))
    }

    const fn reaches(&self, percent: u64) -> bool {
        self.unavailable.saturating_mul(100) >= self.probes.saturating_mul(percent)
    }
}

/// The probes within the window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// By family; those without probes are left out.
    pub families: BTreeMap<Family, Counts>,
}

impl Share {
    /// Of both families.
    #[must_use]
    pub fn all(&self) -> Counts {
        self.families.values().fold(Counts::default(), |sum, counts| Counts {
            probes: sum.probes + counts.probes,
            unavailable: sum.unavailable + counts.unavailable,
            resolution: sum.resolution + counts.resolution,
            registration: sum.registration + counts.registration,
        })
    }
}

/// How a node stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Too few probes to say.
    #[default]
    Unknown,
    /// In service.
    InService,
    /// To be taken over.
    TakeoverDue,
}

impl State {
    /// The name as programs see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::InService => "in-service",
            Self::TakeoverDue => "takeover-due",
        }
    }
}

/// A judgement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How the node stands.
    pub state: State,
    /// Since when; `None` before the first probes.
    pub since: Option<Timestamp>,
    /// What that rests on.
    pub share: Share,
}

/// The probes of one node, and how it stands by them.
#[derive(Debug)]
pub struct Gauge {
    rule: Rule,
    samples: VecDeque<Sample>,
    state: State,
    since: Option<Timestamp>,
}

impl Gauge {
    /// No probes yet.
    #[must_use]
    pub const fn new(rule: Rule) -> Self {
        Self { rule, samples: VecDeque::new(), state: State::Unknown, since: None }
    }

    /// Takes a probe. One of a node that told nothing is none.
    pub fn note(&mut self, sample: Sample) {
        if sample.resolution.is_none() && sample.registration.is_none() {
            return;
        }
        if self.samples.len() >= PROBE_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
    }

    /// Says how the node stands now. Probes older than the window are forgotten.
    pub fn judge(&mut self, now: Timestamp) -> Standing {
        let window_ms = u64::try_from(self.rule.window.as_millis()).unwrap_or(u64::MAX);
        let from = now.0.saturating_sub(window_ms);
        self.samples.retain(|sample| sample.at.0 >= from);
        let share = self.share();
        let next = self.next(&share.all(), now, window_ms);
        if next != self.state {
            (self.state, self.since) = (next, Some(now));
        }
        Standing { state: self.state, since: self.since, share }
    }

    fn share(&self) -> Share {
        let mut share = Share::default();
        for sample in &self.samples {
            let counts = share.families.entry(sample.family).or_default();
            counts.probes += 1;
            counts.unavailable += u64::from(sample.is_unavailable());
            counts.resolution += u64::from(sample.resolution == Some(false));
            counts.registration += u64::from(sample.registration == Some(false));
        }
        share
    }

    fn next(&self, all: &Counts, now: Timestamp, window_ms: u64) -> State {
        if all.probes < self.rule.least.max(1) {
            // Silence of the probers says nothing of the node: what was due stays due.
            return self.state;
        }
        let is_due = all.reaches(self.rule.due_percent);
        match self.state {
            State::Unknown | State::InService if is_due => State::TakeoverDue,
            State::Unknown | State::InService => State::InService,
            State::TakeoverDue => {
                let later_only = self.since.is_some_and(|since| now.0 >= since.0.saturating_add(window_ms));
                let well = all.unavailable.saturating_mul(100) <= all.probes.saturating_mul(self.rule.ends_percent);
                if later_only && well { State::InService } else { State::TakeoverDue }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: u64 = 60_000;

    fn rule() -> Rule {
        Rule { window: Duration::from_millis(WINDOW), ..Rule::default() }
    }

    fn sample(at: u64, family: Family, resolution: Option<bool>, registration: Option<bool>) -> Sample {
        Sample { at: Timestamp(at), family, resolution, registration }
    }

    /// A gauge after probes of which some found resolution unavailable.
    fn after(probes: u64, unavailable: u64) -> Gauge {
        let mut gauge = Gauge::new(rule());
        (0..probes).for_each(|n| gauge.note(sample(0, Family::V4, Some(n >= unavailable), Some(true))));
        gauge
    }

    #[test]
    fn fifty_one_percent_are_enough_and_a_hair_less_is_not() {
        let state = |probes, unavailable| after(probes, unavailable).judge(Timestamp(1)).state;
        assert_eq!(state(100, 51), State::TakeoverDue);
        assert_eq!(state(100, 50), State::InService);
        assert_eq!(state(10_000, 5_100), State::TakeoverDue);
        assert_eq!(state(10_000, 5_099), State::InService, "50.99 %");
        assert_eq!(after(10_000, 5_099).judge(Timestamp(1)).share.all().percent().unwrap(), "50.99");
    }

    #[test]
    fn without_probes_and_with_few_nothing_is_said() {
        let mut gauge = Gauge::new(rule());
        let standing = gauge.judge(Timestamp(7));
        assert_eq!((standing.state, standing.since, standing.share.all().percent()), (State::Unknown, None, None));
        assert_eq!(after(9, 9).judge(Timestamp(1)).state, State::Unknown);
        assert_eq!(after(10, 10).judge(Timestamp(1)).state, State::TakeoverDue);
    }

    #[test]
    fn registration_alone_counts_as_resolution_does_and_both_at_once_count_once() {
        let mut gauge = Gauge::new(rule());
        (0..100).for_each(|n| gauge.note(sample(0, Family::V4, Some(true), Some(n >= 51))));
        assert_eq!(gauge.judge(Timestamp(1)).state, State::TakeoverDue);
        let mut gauge = Gauge::new(rule());
        (0..100).for_each(|n| gauge.note(sample(0, Family::V4, Some(n >= 26), Some(n >= 26))));
        let standing = gauge.judge(Timestamp(1));
        assert_eq!((standing.state, standing.share.all().unavailable), (State::InService, 26));
    }

    #[test]
    fn of_one_family_only_that_one_decides_and_of_two_both_together() {
        let mut gauge = Gauge::new(rule());
        (0..100).for_each(|_| gauge.note(sample(0, Family::V6, Some(false), None)));
        (0..100).for_each(|_| gauge.note(sample(0, Family::V4, None, None)));
        let standing = gauge.judge(Timestamp(1));
        assert_eq!(standing.state, State::TakeoverDue);
        assert_eq!(standing.share.families.keys().collect::<Vec<_>>(), [&Family::V6], "nothing told, nothing probed");
        let mut gauge = Gauge::new(rule());
        (0..100).for_each(|_| gauge.note(sample(0, Family::V6, Some(false), Some(false))));
        (0..100).for_each(|_| gauge.note(sample(0, Family::V4, Some(true), Some(true))));
        let standing = gauge.judge(Timestamp(1));
        assert_eq!(standing.state, State::InService, "half of all");
        assert_eq!(standing.share.families[&Family::V6].unavailable, 100, "and it shows which half");
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut gauge = after(100, 100);
        (0..100).for_each(|_| gauge.note(sample(WINDOW + 1, Family::V4, Some(true), Some(true))));
        let standing = gauge.judge(Timestamp(WINDOW + 1));
        assert_eq!((standing.state, standing.share.all().probes), (State::InService, 100));
    }

    #[test]
    fn it_ends_after_a_whole_window_of_service_and_not_before() {
        let mut gauge = after(100, 100);
        assert_eq!(gauge.judge(Timestamp(1)).state, State::TakeoverDue);
        (0..100).for_each(|_| gauge.note(sample(WINDOW, Family::V4, Some(true), Some(true))));
        assert_eq!(gauge.judge(Timestamp(WINDOW)).state, State::TakeoverDue, "half of them are old");
        assert_eq!(gauge.judge(Timestamp(WINDOW + 1)).state, State::InService);
        let mut flapping = after(100, 100);
        flapping.judge(Timestamp(1));
        (0..100).for_each(|n| flapping.note(sample(WINDOW, Family::V4, Some(n >= 11), Some(true))));
        assert_eq!(flapping.judge(Timestamp(WINDOW + 1)).state, State::TakeoverDue, "11 %");
    }

    #[test]
    fn probers_that_fall_silent_change_nothing() {
        let mut gauge = after(100, 100);
        assert_eq!(gauge.judge(Timestamp(1)).state, State::TakeoverDue);
        assert_eq!(gauge.judge(Timestamp(10 * WINDOW)).state, State::TakeoverDue);
    }

    #[test]
    fn memory_has_a_bound() {
        let mut gauge = Gauge::new(rule());
        (0..=PROBE_SAMPLES).for_each(|_| gauge.note(sample(0, Family::V4, Some(true), None)));
        assert_eq!(gauge.samples.len(), PROBE_SAMPLES);
    }
}
