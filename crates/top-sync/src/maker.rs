//! Which sets are due, and their parts.
//!
//! Called again and again; each call makes what has become due since the last one and is over in order: rows are written, then the outbox takes
//! them together with the cursor. A call that fails is made again by the next one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use waymark_catalog::access::prefix_of;
use waymark_catalog::business::{Business, PrefixCase, StepKind};
use waymark_catalog::{Catalog, FollowError, Serial, Timestamp};

use crate::calendar::{Day, Month, moment};
use crate::check::forms::is_handle;
use crate::collect::owners::{is_away, was_active, was_here, was_reported};
use crate::config::{AHEAD_DAYS, DAY_GRACE_MS};
use crate::figures::{Figures, Requests};
use crate::outbox::{Cursor, Draft, Outbox, OutboxError, Total};
use crate::sets::business::{self, Span, Take};
use crate::sets::master::{self, Counts, WalkError};
use crate::sets::rows::{IdentifiersCounted, IncidentRow, MonitoringRow, PrefixesCounted, Route, StatisticsRow};
use crate::sets::{Schedule, SetName};
use crate::traffic::{DayTally, ReadError};
use crate::watch::Watch;
use crate::watch::report::{self, ReportError, ReportRow};

/// Milliseconds of an hour.
const HOUR_MS: u64 = 60 * 60 * 1000;

/// Why a set could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MakeError {
    /// The outbox.
    #[error("the outbox")]
    Outbox(#[from] OutboxError),
    /// Rows could not be written.
    #[error("rows of {set} could not be kept")]
    Rows {
        /// Of which set.
        set: SetName,
        /// What the system says.
        source: io::Error,
    },
    /// A day of the change log could not be told.
    #[error("{day} could not be told")]
    Day {
        /// Which.
        day: Day,
        /// Why not.
        source: WalkError,
    },
    /// The change log could not be read.
    #[error("the change log")]
    Follow(#[from] FollowError),
    /// The figures of requests could not be read.
    #[error("the figures of requests")]
    Figures(#[from] ReadError),
    /// The report of a month could not be made.
    #[error("the report of {month}")]
    Report {
        /// Which.
        month: Month,
        /// Why not.
        source: ReportError,
    },
}

/// Whose sets are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Those of a secondary node, for the top-level node.
    #[default]
    Node,
    /// Those of an enterprise to which the prefix was given, for the node that gave it.
    Enterprise,
}

/// Makes parts. One for each outbox.
#[derive(Debug)]
pub struct Maker {
    role: Role,
    catalog: Catalog,
    outbox: Arc<Outbox>,
    /// The node's prefix, folded.
    prefix: String,
    routes: Vec<Route>,
    figures: Option<Arc<dyn Figures>>,
    watch: Option<Arc<Watch>>,
    memory: Mutex<Memory>,
}

/// What need not outlive the process.
#[derive(Debug, Default)]
struct Memory {
    /// The hour of each hourly set that was made last.
    hours: BTreeMap<SetName, u64>,
    /// What the last day told counted.
    counted: Option<(Day, Counts)>,
}

impl Maker {
    /// A maker for the node of a prefix, answered for at these addresses. Without figures there are no statistics to tell.
    #[must_use]
    pub fn new(
        catalog: &Catalog,
        outbox: Arc<Outbox>,
        prefix: &str,
        routes: Vec<Route>,
        figures: Option<Arc<dyn Figures>>,
    ) -> Self {
        let (catalog, prefix) = (catalog.clone(), prefix.to_ascii_uppercase());
        let (role, watch, memory) = (Role::default(), None, Mutex::default());
        Self { role, catalog, outbox, prefix, routes, figures, watch, memory }
    }

    /// The same for another role.
    #[must_use]
    pub fn with_role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// The same for a node that watches itself: without a watch there are no incidents to tell, and no reports.
    #[must_use]
    pub fn watched(self, watch: Option<Arc<Watch>>) -> Self {
        Self { watch, ..self }
    }

    /// Whether a set is made here.
    #[must_use]
    pub fn makes(&self, set: SetName) -> bool {
        let is_owed = match self.role {
            Role::Node => true,
            // Who the enterprise is, the node above it knows.
            Role::Enterprise => set > SetName::T6 && set != SetName::Report,
        };
        let is_known = self.watch.is_some() || !set.needs_watch();
        is_owed && is_known && (self.figures.is_some() || !set.needs_figures())
    }

    /// Whether what a prefix has is told as an enterprise's.
    fn tells_of(&self, prefix: &[u8]) -> bool {
        match self.role {
            Role::Node => prefix != self.prefix.as_bytes(),
            Role::Enterprise => {
                let is_own = |rest: &[u8]| rest.is_empty() || rest.starts_with(b".");
                prefix.strip_prefix(self.prefix.as_bytes()).is_some_and(is_own)
            }
        }
    }

    /// Makes a set if it is due; tells whether parts were made. Reads the disk: where waiting is allowed.
    ///
    /// # Errors
    /// See [`MakeError`]. The set is as it was.
    pub fn make_due(&self, set: SetName, now: Timestamp) -> Result<bool, MakeError> {
        if !self.makes(set) {
            return Ok(false);
        }
        match set.schedule() {
            Schedule::RealTime if set == SetName::Incident => self.make_incidents(now),
            Schedule::RealTime => self.make_changed(set, now),
            Schedule::Hourly => {
                let hour = now.0 / HOUR_MS;
                if self.lock().hours.get(&set) == Some(&hour) {
                    return Ok(false);
                }
                let made = self.make_changed(set, now)?;
                self.lock().hours.insert(set, hour);
                Ok(made)
            }
            Schedule::Daily => self.make_days(set, now),
            Schedule::Monthly => self.make_month(set, now),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets of what changed since they were told last.
    fn make_changed(&self, set: SetName, now: Timestamp) -> Result<bool, MakeError> {
        let cursor = self.outbox.cursor(set);
        // Before the tables are read: they are at least as new, and what is newer is told the next time.
        let upto = self.catalog.serial();
        let business = self.catalog.business();
        let digest = match set {
            SetName::T1 => business::operator_state(&business),
            SetName::T2 | SetName::T7 => self.routes_digest(),
            _ => String::new(),
        };
        let is_new = digest != cursor.digest;
        if cursor.serial == upto.0 && !is_new {
            return Ok(false);
        }
        // Prefixes that are hosted are answered for where the node is.
        let after = if set == SetName::T7 && is_new { Serial::NONE } else { Serial(cursor.serial) };
        let span = Span { after, upto };
        let mut draft = self.outbox.draft(set);
        let templates = self.catalog.templates();
        let written = match set {
            SetName::T1 if is_new => business::operator(&business, &self.prefix, &mut draft),
            SetName::T2 if is_new => draft.take(&business::node_routes(&self.prefix, &self.routes), None),
            SetName::T6 => business::enterprises(&business, span, &mut draft),
            SetName::T7 if self.role == Role::Node => {
                business::enterprise_routes(&business, &self.routes, span, &mut draft)
            }
            SetName::T7 if is_new => draft.take(&business::node_routes(&self.prefix, &self.routes), None),
            SetName::T11 => {
                business::enterprise_templates(&templates, &|prefix| self.tells_of(prefix), span, &mut draft)
            }
            _ => Ok(()),
        };
        written.map_err(|source| MakeError::Rows { set, source })?;
        if draft.is_empty() {
            // The cursor may stay: looking through the tables again costs little, writing at each change would not.
            return Ok(false);
        }
        let period = moment(now);
        self.outbox.add(draft, &period, &Cursor { serial: upto.0, period: period.clone(), digest }, now)?;
        Ok(true)
    }

    /// Events of incidents that were not told yet, by their own numbers.
    fn make_incidents(&self, now: Timestamp) -> Result<bool, MakeError> {
        let Some(watch) = &self.watch else { return Ok(false) };
        let set = SetName::Incident;
        let told = self.outbox.cursor(set).serial;
        let (mut events, last) = watch.events_behind(told);
        if last < told {
            // The watch was begun anew, and its numbers with it.
            events = watch.events_behind(0).0;
        }
        let Some(upto) = events.last().map(|event| event.number) else { return Ok(false) };
        let mut draft = self.outbox.draft(set);
        for event in &events {
            draft.take(&IncidentRow::new(event), None).map_err(|source| MakeError::Rows { set, source })?;
        }
        // Events of a clock that was set back since are still to come.
        let latest = events.iter().map(|event| event.time).max().unwrap_or(now.0);
        let period = moment(now.max(Timestamp(latest)));
        let cursor = Cursor { serial: upto, period: period.clone(), digest: String::new() };
        self.outbox.add(draft, &period, &cursor, now)?;
        Ok(true)
    }

    fn routes_digest(&self) -> String {
        let routes = serde_json::to_vec(&self.routes).unwrap_or_default();
        hex::encode(Sha256::digest(routes))
    }

    /// Sets of days that are over: one day after the other, none left out.
    fn make_days(&self, set: SetName, now: Timestamp) -> Result<bool, MakeError> {
        let over = Day::of(Timestamp(now.0.saturating_sub(DAY_GRACE_MS))).previous();
        let cursor = self.outbox.cursor(set);
        let day = match cursor.period.parse::<Day>() {
            Ok(told) if told.date().days() > over.date().days().saturating_add(AHEAD_DAYS) => {
                // The clock was far ahead when that was told, and nothing would be for as long as it takes to come there.
                tracing::warn!(%set, %told, "a day was told that is still to come; the set goes on with the day that is over");
                over
            }
            Ok(told) => told.next(),
            Err(_) => self.first_day(set, over)?,
        };
        // What is told of a node's templates is how they are now: of days before there is nothing to know.
        let day = if set == SetName::T4 { day.max(over) } else { day };
        if day > over {
            return Ok(false);
        }
        let upto = Serial(self.catalog.store().serial_at(day.end())?.0.saturating_sub(1));
        let upto = upto.max(Serial(cursor.serial));
        let told = Cursor { serial: upto.0, period: day.to_string(), digest: String::new() };
        let mut draft = self.outbox.draft(set);
        let rows = |source| MakeError::Rows { set, source };
        let mut totals = Vec::new();
        match set {
            SetName::T3 => {
                let tally = self.counted_requests(day)?;
                self.node_statistics(day, tally.as_ref(), &mut draft).map_err(rows)?;
            }
            SetName::T4 => {
                let templates = self.catalog.templates();
                business::node_templates(&templates, self.prefix.as_bytes(), &mut draft).map_err(rows)?;
            }
            SetName::Monitoring => {
                if let Some(tally) = self.counted_requests(day)? {
                    self.monitoring(day, &tally, &mut draft).map_err(rows)?;
                }
            }
            SetName::T8 => {
                let counts = self.counts(day, Serial(cursor.serial), upto)?;
                totals = self.new_totals(&counts);
                let tally = self.counted_requests(day)?;
                self.enterprise_statistics(day, (&counts, &totals), tally.as_ref(), &mut draft).map_err(rows)?;
            }
            _ => {
                let mut left_out = 0_u64;
                let counts = self.tell(day, Serial(cursor.serial), upto, &mut |row| {
                    // A node tells of every identifier, those of its own prefix too.
                    if self.role == Role::Enterprise && !self.tells_of(&prefix_of(row.code.as_bytes())) {
                        return Ok(());
                    }
                    // A part with a name that the form of the sets does not hold would be refused with all its other rows.
                    if !is_handle(&row.code) {
                        left_out += 1;
                        return Ok(());
                    }
                    draft.take(row, None)
                })?;
                if left_out > 0 {
                    tracing::warn!(%set, %day, left_out, "identifiers with names that the set cannot hold are not told");
                }
                self.lock().counted = Some((day, counts));
            }
        }
        self.outbox.add_with_totals(draft, &told.period, &told, &totals, now)?;
        Ok(true)
    }

    /// The day a set of days begins with: that of the first entry of the log, and of the node's own figures the last one that is over.
    fn first_day(&self, set: SetName, over: Day) -> Result<Day, MakeError> {
        if matches!(set, SetName::T3 | SetName::T4 | SetName::Monitoring) {
            return Ok(over);
        }
        let store = self.catalog.store();
        let first = store.serial_at(Timestamp(0))?;
        let mut buffer = Vec::new();
        let day = store.read_serial(first, &mut buffer)?.map(|entry| Day::of(entry.time));
        Ok(day.unwrap_or(over))
    }

    fn tell(&self, day: Day, after: Serial, upto: Serial, take: &mut master::Taker<'_>) -> Result<Counts, MakeError> {
        master::tell_day(&self.catalog, day, after, upto, take).map_err(|source| MakeError::Day { day, source })
    }

    /// What a day counted: as it was found out for the master data, if that was a moment ago.
    fn counts(&self, day: Day, after: Serial, upto: Serial) -> Result<Counts, MakeError> {
        let known = self.lock().counted.as_ref().filter(|(of, _)| *of == day).map(|(_, counts)| counts.clone());
        match known {
            Some(counts) => Ok(counts),
            None => self.tell(day, after, upto, &mut |_| Ok(())),
        }
    }

    /// Identifiers of the prefixes a day changed, at its end.
    fn new_totals(&self, counts: &Counts) -> Vec<Total> {
        let mut totals = Vec::with_capacity(counts.len());
        for (prefix, count) in counts {
            let total = self.outbox.total(prefix).saturating_add(count.created).saturating_sub(count.deleted);
            totals.push((prefix.clone(), total));
        }
        totals
    }

    /// The figures of requests of a day, where that was counted.
    fn counted_requests(&self, day: Day) -> Result<Option<DayTally>, MakeError> {
        match &self.figures {
            Some(figures) => Ok(figures.day(day)?),
            None => Ok(None),
        }
    }

    fn monitoring(&self, of: Day, tally: &DayTally, draft: &mut Draft) -> io::Result<()> {
        let (day, business, nothing) = (of.to_string(), self.catalog.business(), DayTally::new(of));
        let own = match self.role {
            Role::Node => tally.node(),
            Role::Enterprise => tally.prefix(self.prefix.as_bytes()).unwrap_or_else(|| nothing.node()),
        };
        draft.take(&MonitoringRow::new(Cow::Borrowed(&self.prefix), day.clone(), own), None)?;
        for (prefix, figures) in tally.prefixes() {
            let is_own = prefix == self.prefix.as_bytes();
            if is_own || !self.tells_of(prefix) || was_reported(&business, prefix, of.end()) {
                continue;
            }
            draft.take(&MonitoringRow::new(String::from_utf8_lossy(prefix), day.clone(), figures), None)?;
        }
        Ok(())
    }

    fn node_statistics(&self, day: Day, tally: Option<&DayTally>, draft: &mut Draft) -> io::Result<()> {
        let requests = tally.map_or_else(Requests::not_counted, |day| Requests::of(Some(day.node()), day.losses()));
        let business = self.catalog.business();
        let became = |case: &&Arc<PrefixCase>| {
            let confirmed =
                |step: &waymark_catalog::business::Step| step.kind == StepKind::Confirm && Day::of(step.time) == day;
            case.steps.iter().any(confirmed)
        };
        let counted = PrefixesCounted {
            new_prefixes: business.cases().filter(became).count() as u64,
            total_prefixes: business.cases().filter(|case| was_active(case, day.end())).count() as u64,
        };
        draft.take(&StatisticsRow::new(Cow::Borrowed(&self.prefix), day.to_string(), counted, requests), None)
    }

    fn enterprise_statistics(
        &self,
        day: Day,
        (counts, totals): (&Counts, &[Total]),
        tally: Option<&DayTally>,
        draft: &mut Draft,
    ) -> io::Result<()> {
        let business = self.catalog.business();
        let mut prefixes: BTreeSet<Box<[u8]>> = hosted(&business, day).map(|case| case.prefix.clone()).collect();
        prefixes.extend(counts.keys().cloned());
        if self.role == Role::Enterprise {
            prefixes.insert(self.prefix.as_bytes().into());
        }
        prefixes.retain(|prefix| self.tells_of(prefix));
        // Of these their owners tell.
        prefixes.retain(|prefix| !was_reported(&business, prefix, day.end()));
        let totals: BTreeMap<&[u8], u64> = totals.iter().map(|(prefix, total)| (&**prefix, *total)).collect();
        for prefix in prefixes {
            let total = totals.get(&*prefix).copied().unwrap_or_else(|| self.outbox.total(&prefix));
            let new = counts.get(&prefix).map_or(0, |count| count.created);
            let counted = IdentifiersCounted { new_identifiers: new, total_identifiers: total };
            let requests =
                tally.map_or_else(Requests::not_counted, |day| Requests::of(day.prefix(&prefix), day.losses()));
            let row = StatisticsRow::new(String::from_utf8_lossy(&prefix), day.to_string(), counted, requests);
            draft.take(&row, None)?;
        }
        Ok(())
    }

    /// Sets of the last month that is over.
    fn make_month(&self, set: SetName, now: Timestamp) -> Result<bool, MakeError> {
        let over = Day::of(Timestamp(now.0.saturating_sub(DAY_GRACE_MS))).month();
        let month = over.first().previous().month();
        let cursor = self.outbox.cursor(set);
        let month = match cursor.period.parse::<Month>() {
            Ok(told) if told > month.next() => month,
            Ok(told) if told >= month => return Ok(false),
            Ok(told) => told.next(),
            Err(_) => month,
        };
        let mut draft = self.outbox.draft(set);
        let business = self.catalog.business();
        let rows = |source| MakeError::Rows { set, source };
        if set == SetName::Report {
            let Some(watch) = &self.watch else { return Ok(false) };
            // Of months before the first that was watched there is nothing to tell.
            if watch.first_month().is_none_or(|first| month < first) {
                return Ok(false);
            }
            let made = report::make(watch, self.figures.as_ref(), &business, month, now);
            let made = made.map_err(|source| MakeError::Report { month, source })?;
            draft.take(&ReportRow::new(&made), None).map_err(rows)?;
        } else {
            let of_node = set == SetName::T5 || self.role == Role::Enterprise;
            // Of those who report their applications themselves, nobody else does.
            let reports = |case: &PrefixCase| {
                let prefix = String::from_utf8_lossy(&case.prefix);
                is_away(case) && !self.outbox.told(SetName::T10, &prefix).period.is_empty()
            };
            business::applications(&business, (&self.prefix, of_node), month, &reports, &mut draft).map_err(rows)?;
        }
        let told = Cursor { serial: self.catalog.serial().0, period: month.to_string(), digest: String::new() };
        self.outbox.add(draft, &told.period, &told, now)?;
        Ok(true)
    }
}

/// Cases of prefixes that this node answered for at the end of a day.
fn hosted(business: &Business, day: Day) -> impl Iterator<Item = &Arc<PrefixCase>> {
    business.cases().filter(move |case| was_here(case, day.end()))
}
