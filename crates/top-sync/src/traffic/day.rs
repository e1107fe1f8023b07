//! The figures of one day: the node's, those of each prefix, and what is missing from them.

use std::collections::HashMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::config::{GAPS, Limits};
use super::prefixes::{KnownPrefixes, PrefixRoom, longest_known};
use super::tally::Tally;
use crate::calendar::Day;

/// One answer, as the record of every answer tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// When, in seconds since 1970.
    pub unix_seconds: u32,
    /// Who asked.
    pub source: IpAddr,
    /// Operation of the request.
    pub op: u32,
    /// Response code of the answer.
    pub response_code: u32,
    /// How long it took; records of older versions do not say.
    pub took_micros: Option<u32>,
    /// The handle asked for, or its first bytes.
    pub handle: &'a [u8],
}

/// One identifier that was registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered<'a> {
    /// When it was done, in seconds since 1970.
    pub unix_seconds: u32,
    /// How long it took.
    pub took_micros: u32,
    /// The handle.
    pub handle: &'a [u8],
}

/// What figures may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Missing {
    /// Answers and registrations.
    Everything,
    /// Registrations alone: answers were counted again from their records.
    Registrations,
}

/// A time of which figures may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// From this second on.
    pub from: u32,
    /// Up to this second.
    pub until: u32,
    /// What may be missing.
    pub missing: Missing,
}

/// What is missing from the figures of a day. All of it empty: they are exact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Losses {
    /// Answers that were given and never counted: their records found no room.
    pub answers: u64,
    /// Registrations likewise.
    pub registrations: u64,
    /// Lines of the record of every answer that could not be read.
    pub lines: u64,
    /// Requests and registrations that count for the node and not for their prefix: there were too many prefixes.
    pub unplaced: u64,
    /// Times of which figures may be missing.
    pub gaps: Vec<Gap>,
}

impl Losses {
    /// Whether nothing is missing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn add_gap(&mut self, gap: Gap) {
        if self.gaps.len() < GAPS {
            self.gaps.push(gap);
        } else if let Some(last) = self.gaps.last_mut() {
            last.from = last.from.min(gap.from);
            last.until = last.until.max(gap.until);
            last.missing = last.missing.min(gap.missing);
        }
    }
}

/// The figures of one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayTally {
    day: Day,
    node: Tally,
    prefixes: HashMap<Box<[u8]>, Tally>,
    losses: Losses,
    /// Sources that all prefixes tell apart together.
    named: usize,
}

impl DayTally {
    /// A day of which nothing is known yet.
    #[must_use]
    pub fn new(day: Day) -> Self {
        Self::of_parts(day, Tally::default(), HashMap::new(), Losses::default())
    }

    pub(super) fn of_parts(day: Day, node: Tally, prefixes: HashMap<Box<[u8]>, Tally>, losses: Losses) -> Self {
        let named = prefixes.values().map(|tally| tally.sources().len()).sum();
        Self { day, node, prefixes, losses, named }
    }

    /// The day.
    #[must_use]
    pub const fn day(&self) -> Day {
        self.day
    }

    /// Figures of the whole node: every resolution, whatever its name.
    #[must_use]
    pub const fn node(&self) -> &Tally {
        &self.node
    }

    /// Figures of one prefix, folded to upper case.
    #[must_use]
    pub fn prefix(&self, prefix: &[u8]) -> Option<&Tally> {
        self.prefixes.get(prefix)
    }

    /// Figures of every prefix that has any, in order of the prefixes.
    #[must_use]
    pub fn prefixes(&self) -> Vec<(&[u8], &Tally)> {
        let mut all: Vec<(&[u8], &Tally)> = self.prefixes.iter().map(|(prefix, tally)| (&**prefix, tally)).collect();
        all.sort_unstable_by_key(|(prefix, _)| *prefix);
        all
    }

    /// Number of prefixes that have figures.
    #[must_use]
    pub fn prefix_count(&self) -> usize {
        self.prefixes.len()
    }

    /// Sources that all prefixes tell apart together.
    #[must_use]
    pub const fn prefix_sources(&self) -> usize {
        self.named
    }

    /// What is missing.
    #[must_use]
    pub const fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Whether nothing is missing and every source is told with its exact count.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.losses.is_empty()
            && std::iter::once(&self.node).chain(self.prefixes.values()).all(|of| of.sources().is_exact())
    }

    /// Counts an answer, if it is one to a resolution.
    pub(super) fn answered(&mut self, answer: &Answer<'_>, known: &impl KnownPrefixes, limits: &Limits) {
        if answer.op != RESOLUTION || known.is_own(answer) {
            return;
        }
        let is_success = answer.response_code == SUCCESS;
        self.node.answered(answer.unix_seconds, is_success, answer.took_micros);
        let mut places = limits.node_sources;
        self.node.sources_mut().count(answer.source, limits.node_sources, &mut places);
        let mut room = PrefixRoom::default();
        let Some(prefix) = longest_known(answer.handle, known, &mut room) else { return };
        let mut places = limits.all_sources.saturating_sub(self.named);
        let before = places;
        if let Some(tally) = self.tally_of(prefix, limits) {
            tally.answered(answer.unix_seconds, is_success, answer.took_micros);
            tally.sources_mut().count(answer.source, limits.prefix_sources, &mut places);
        }
        self.named = self.named.saturating_add(before.saturating_sub(places));
    }

    /// Counts a registration.
    pub(super) fn registered(&mut self, registered: &Registered<'_>, known: &impl KnownPrefixes, limits: &Limits) {
        let Registered { unix_seconds, took_micros, handle } = *registered;
        self.node.registered(unix_seconds, took_micros);
        let mut room = PrefixRoom::default();
        let Some(prefix) = longest_known(handle, known, &mut room) else { return };
        if let Some(tally) = self.tally_of(prefix, limits) {
            tally.registered(unix_seconds, took_micros);
        }
    }

    /// The figures of a prefix, new ones where it has none; `None`, counted, when there is no room for more.
    fn tally_of(&mut self, prefix: &[u8], limits: &Limits) -> Option<&mut Tally> {
        if !self.prefixes.contains_key(prefix) {
            if self.prefixes.len() >= limits.prefixes {
                self.losses.unplaced = self.losses.unplaced.saturating_add(1);
                return None;
            }
            self.prefixes.insert(prefix.into(), Tally::default());
        }
        self.prefixes.get_mut(prefix)
    }

    pub(super) fn lose(&mut self, lost: Lost) {
        let (counter, count) = match lost {
            Lost::Answers(count) => (&mut self.losses.answers, count),
            Lost::Registrations(count) => (&mut self.losses.registrations, count),
            Lost::Lines(count) => (&mut self.losses.lines, count),
            Lost::Gap(gap) => return self.losses.add_gap(gap),
        };
        *counter = counter.saturating_add(count);
    }
}

/// Something that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// So many answers.
    Answers(u64),
    /// So many registrations.
    Registrations(u64),
    /// So many lines that cannot be read.
    Lines(u64),
    /// A time.
    Gap(Gap),
}

/// Operation of a resolution.
const RESOLUTION: u32 = 1;
/// Response code of success.
const SUCCESS: u32 = 1;
