//! The monthly report: a month of the watch, with what else the node knows of it (TLN-GUIDE, clause 12 and annex 3).
//!
//! What was not measured is `None`, never zero.

use std::sync::Arc;

use serde::Serialize;
use waymark_catalog::Timestamp;
use waymark_catalog::business::{Business, PrefixCase, StepKind};

use super::incident::Incident;
use super::{MonthFigures, Watch, WatchError};
use crate::calendar::{Day, Month, moment, working_days_after};
use crate::figures::Figures;
use crate::traffic::ReadError;

/// Working days after the end of a month by which its report is owed.
pub const OWED_WORKING_DAYS: u32 = 10;

/// Maintenances and incidents of a month told upward at most.
pub const LISTED: usize = 1_000;

/// Why a report cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The watch.
    #[error("the watch")]
    Watch(#[from] WatchError),
    /// The figures of requests.
    #[error("the figures of requests")]
    Figures(#[from] ReadError),
}

/// How long something took on average, as the statistics of requests have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mean {
    /// How many times were taken.
    pub count: u64,
    /// Their sum in microseconds.
    pub sum_micros: u64,
}

impl Mean {
    /// The average in microseconds; `None` without a time.
    #[must_use]
    pub const fn micros(&self) -> Option<u64> {
        self.sum_micros.checked_div(self.count)
    }
}

/// How long prefixes of enterprises took from the last approval to being answered for, of those that first were in the month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effective {
    /// Each prefix, and its milliseconds.
    pub prefixes: Vec<(String, u64)>,
}

impl Effective {
    /// The average in milliseconds; `None` where no prefix began.
    #[must_use]
    pub fn mean_ms(&self) -> Option<u64> {
        let sum: u128 = self.prefixes.iter().map(|(_, ms)| u128::from(*ms)).sum();
        u64::try_from(sum.checked_div(self.prefixes.len() as u128)?).ok()
    }

    /// The longest in milliseconds.
    #[must_use]
    pub fn longest_ms(&self) -> Option<u64> {
        self.prefixes.iter().map(|(_, ms)| *ms).max()
    }
}

/// The report of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthReport {
    /// The node's prefix.
    pub prefix: String,
    /// Whether the month is over.
    pub is_over: bool,
    /// The last day it is on time. Public holidays are not known here, so that with some it is later.
    pub owed_by: Day,
    /// What the watch knows.
    pub figures: MonthFigures,
    /// How long resolutions took.
    pub resolution: Mean,
    /// How long registrations took.
    pub registration: Mean,
    /// Days of the month with figures of requests, and days of it that are over or under way.
    pub days_counted: u32,
    /// See above.
    pub days: u32,
    /// Effective time of prefixes.
    pub effective: Effective,
    /// Incidents that began or lasted in it.
    pub incidents: Vec<Incident>,
}

/// Makes the report of a month, as it stands.
///
/// # Errors
/// Files of probes or of requests cannot be read.
pub fn make(
    watch: &Watch,
    figures: Option<&Arc<dyn Figures>>,
    business: &Business,
    month: Month,
    now: Timestamp,
) -> Result<MonthReport, ReportError> {
    let (mut resolution, mut registration) = (Mean::default(), Mean::default());
    let (mut days, mut days_counted) = (0, 0);
    for day in month.days().filter(|day| day.start() < now) {
        days += 1;
        let Some(figures) = figures else { continue };
        let Some(tally) = figures.day(day)? else { continue };
        days_counted += 1;
        for (mean, latency) in
            [(&mut resolution, tally.node().latency()), (&mut registration, tally.node().registrations())]
        {
            mean.count = mean.count.saturating_add(latency.count);
            mean.sum_micros = mean.sum_micros.saturating_add(latency.sum_micros);
        }
    }
    Ok(MonthReport {
        prefix: watch.prefix().to_owned(),
        is_over: month.is_over(now),
        owed_by: working_days_after(month.last(), OWED_WORKING_DAYS),
        figures: watch.month(month, now)?,
        resolution,
        registration,
        days_counted,
        days,
        effective: effective(business, month),
        incidents: watch.incidents(Some(month)),
    })
}

fn effective(business: &Business, month: Month) -> Effective {
    let of = |case: &Arc<PrefixCase>| {
        let ms = effective_in(case, month)?;
        Some((String::from_utf8_lossy(&case.prefix).into_owned(), ms))
    };
    Effective { prefixes: business.cases().filter_map(of).collect() }
}

/// Milliseconds from the last approval to the prefix being answered for the first time since, where that was in the month.
fn effective_in(case: &PrefixCase, month: Month) -> Option<u64> {
    let mut approved = None;
    let mut found = None;
    for step in &case.steps {
        match step.kind {
            StepKind::Confirm => approved = Some(step.time),
            StepKind::Host | StepKind::Delegate => {
                if let Some(approved) = approved.take()
                    && Month::of(step.time) == month
                {
                    found = Some(step.time.0.saturating_sub(approved.0));
                }
            }
            _ => {}
        }
    }
    found
}

/// REPORT: a month, as `SETS.md` has it.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct ReportRow<'a> {
    pub prefix: &'a str,
    pub month: String,
    pub service_level_ppm: Option<u64>,
    pub resolution: FunctionRow,
    pub registration: FunctionRow,
    pub effective_prefixes: u64,
    pub effective_average_s: Option<u64>,
    pub effective_longest_s: Option<u64>,
    pub operating_s: Option<u64>,
    pub measured_s: u64,
    pub maintenance: Vec<MaintenanceRow<'a>>,
    pub emergencies: Vec<EmergencyRow<'a>>,
}

/// Availability and times of a function.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct FunctionRow {
    pub availability_ppm: Option<u64>,
    pub ipv4_ppm: Option<u64>,
    pub ipv6_ppm: Option<u64>,
    pub average_us: Option<u64>,
}

/// A maintenance.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct MaintenanceRow<'a> {
    pub from: String,
    pub until: Option<String>,
    pub reason: &'a str,
}

/// An incident.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "fields are those of SETS.md")]
pub struct EmergencyRow<'a> {
    pub event: &'a str,
    pub from: String,
    pub until: Option<String>,
    #[serde(rename = "type")]
    pub kind: u8,
    pub cause: &'a str,
    pub remedy: &'a str,
    pub prefix: &'a str,
}

impl<'a> ReportRow<'a> {
    /// The row of a report.
    #[must_use]
    pub fn new(report: &'a MonthReport) -> Self {
        let figures = &report.figures;
        let function = |shares: &super::FunctionShares, mean: &Mean| FunctionRow {
            availability_ppm: shares.together.ppm(),
            ipv4_ppm: shares.ipv4.ppm(),
            ipv6_ppm: shares.ipv6.ppm(),
            average_us: mean.micros(),
        };
        let at = |time: u64| moment(Timestamp(time));
        let maintenance = figures.maintenances.iter().take(LISTED).map(|each| MaintenanceRow {
            from: at(each.from),
            until: each.end().map(at),
            reason: &each.reason,
        });
        let emergencies = report.incidents.iter().take(LISTED).map(|each| EmergencyRow {
            event: &each.fault.id,
            from: at(each.fault.time),
            until: each.recovery.as_ref().map(|end| at(end.time)),
            kind: each.fault.kind.number(),
            cause: &each.fault.cause,
            remedy: each.recovery.as_ref().map_or("", |end| &end.remedy),
            prefix: &each.fault.prefix,
        });
        Self {
            prefix: &report.prefix,
            month: figures.month.to_string(),
            service_level_ppm: figures.whole.ppm(),
            resolution: function(&figures.resolution, &report.resolution),
            registration: function(&figures.registration, &report.registration),
            effective_prefixes: report.effective.prefixes.len() as u64,
            effective_average_s: report.effective.mean_ms().map(|ms| ms / 1_000),
            effective_longest_s: report.effective.longest_ms().map(|ms| ms / 1_000),
            operating_s: (figures.measured_seconds > 0).then_some(figures.operating_seconds),
            measured_s: figures.measured_seconds,
            maintenance: maintenance.collect(),
            emergencies: emergencies.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use waymark_catalog::Serial;
    use waymark_catalog::business::{CaseState, EnterpriseId, Placement, Step, Wish};

    use super::*;

    /// A case whose steps were taken at these hours of a day of China.
    fn case(steps: &[(StepKind, &str, u64)]) -> PrefixCase {
        let step = |(kind, day, hour): &(StepKind, &str, u64)| Step {
            kind: *kind,
            time: Timestamp(day.parse::<Day>().unwrap().start().0 + hour * 3_600_000),
            by: "operator".into(),
            reason: String::new(),
        };
        PrefixCase {
            prefix: b"88.990.1".as_slice().into(),
            enterprise: EnterpriseId(1),
            state: CaseState::Active,
            wish: Wish::Hosted,
            placement: Placement::Here,
            steps: steps.iter().map(step).collect(),
            serial: Serial(1),
        }
    }

    #[test]
    fn effective_time_runs_from_the_last_approval_to_the_first_answer_since() {
        let of = |steps: &[(StepKind, &str, u64)], month: &str| effective_in(&case(steps), month.parse().unwrap());
        let first = [
            (StepKind::Apply, "2026-10-30", 8),
            (StepKind::Approve, "2026-10-30", 9),
            (StepKind::Confirm, "2026-10-31", 23),
            (StepKind::Host, "2026-11-01", 1),
            // Moved later: it had been answered for already.
            (StepKind::Delegate, "2026-11-20", 1),
        ];
        assert_eq!((of(&first, "2026-11"), of(&first, "2026-10")), (Some(2 * 3_600_000), None));
        let again = [&first[..], &[(StepKind::Confirm, "2026-12-01", 8), (StepKind::Host, "2026-12-01", 9)]].concat();
        assert_eq!((of(&again, "2026-12"), of(&again, "2026-11")), (Some(3_600_000), Some(2 * 3_600_000)));
        assert_eq!(of(&first[..3], "2026-11"), None, "nobody answers for it yet");
    }
}
