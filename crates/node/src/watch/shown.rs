//! The watch as operators see it.

use std::sync::Arc;

use waymark_api::operator::v1;
use waymark_catalog::{Catalog, Timestamp};
use waymark_registration::watching::{Watching, WatchingProblem};
use waymark_top_sync::{
    calendar::Month,
    figures::Figures,
    watch::{
        FunctionShares, Said, SayError, Share, Watch,
        incident::{Event, Incident, Kind, Maintenance},
        report::{self, Mean, MonthReport},
    },
};

use crate::daemon::chain;

/// What is asked of a watch.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) watch: Arc<Watch>,
    pub(super) catalog: Catalog,
    pub(super) figures: Option<Arc<dyn Figures>>,
}

impl Watching for Shown {
    fn incidents(&self, request: &v1::ListIncidentsRequest) -> Result<v1::ListIncidentsResponse, WatchingProblem> {
        let month = Some(request.month.as_str()).filter(|month| !month.is_empty()).map(month).transpose()?;
        let incidents = self.watch.incidents(month);
        Ok(v1::ListIncidentsResponse { incidents: incidents.into_iter().map(incident).collect() })
    }

    fn report(&self, request: &v1::ReportIncidentRequest, by: &str) -> Result<v1::IncidentEvent, WatchingProblem> {
        let kind = Kind::from_name(&request.r#type)
            .ok_or_else(|| WatchingProblem::Field("type", "must be network, system, attack or other".to_owned()))?;
        let prefix = request.prefix.clone();
        if !prefix.is_empty() && (prefix.contains('/') || waymark_catalog::HomeName::parse(prefix.as_bytes()).is_err())
        {
            return Err(WatchingProblem::Field("prefix", "must be a prefix such as 88.990".to_owned()));
        }
        let at = request.at.as_ref().map(|at| moment("at", at)).transpose()?;
        let said = Said { kind, cause: request.cause.trim().to_owned(), prefix, at, by: by.to_owned() };
        self.watch.report(said, self.catalog.now()).map(event).map_err(|error| refused("at", &error))
    }

    fn recover(&self, request: &v1::RecoverIncidentRequest, by: &str) -> Result<v1::IncidentEvent, WatchingProblem> {
        let recovered = self.watch.recovered(&request.event, request.remedy.trim(), by, self.catalog.now());
        recovered.map(event).map_err(|error| refused("event", &error))
    }

    fn begin_maintenance(
        &self,
        request: &v1::BeginMaintenanceRequest,
        by: &str,
    ) -> Result<v1::PlannedMaintenance, WatchingProblem> {
        let from = request.from.as_ref().map(|at| moment("from", at)).transpose()?;
        let until = request.until.as_ref().map(|at| moment("until", at)).transpose()?;
        let begun = self.watch.begin_maintenance(from, until, request.reason.trim(), by, self.catalog.now());
        begun.map(maintenance).map_err(|error| refused("until", &error))
    }

    fn end_maintenance(&self) -> Result<v1::PlannedMaintenance, WatchingProblem> {
        self.watch.end_maintenance(self.catalog.now()).map(maintenance).map_err(|error| refused("event", &error))
    }

    fn maintenances(&self) -> v1::ListMaintenanceResponse {
        let maintenances = self.watch.maintenances();
        v1::ListMaintenanceResponse { maintenances: maintenances.into_iter().map(maintenance).collect() }
    }

    fn month(&self, request: &v1::MonthReportRequest) -> Result<v1::MonthReport, WatchingProblem> {
        let (month, now) = (month(&request.month)?, self.catalog.now());
        if month.first().start() > now {
            return Err(WatchingProblem::Field("month", "must have begun".to_owned()));
        }
        let made = report::make(&self.watch, self.figures.as_ref(), &self.catalog.business(), month, now);
        made.map(|made| month_report(made, now)).map_err(|error| WatchingProblem::Failed(chain(&error)))
    }
}

fn month(text: &str) -> Result<Month, WatchingProblem> {
    text.parse().map_err(|_| WatchingProblem::Field("month", "must be a month such as 2026-11".to_owned()))
}

fn moment(field: &'static str, time: &prost_types::Timestamp) -> Result<Timestamp, WatchingProblem> {
    let seconds = u64::try_from(time.seconds).ok().and_then(|seconds| seconds.checked_mul(1_000));
    let milliseconds = u64::try_from(time.nanos / 1_000_000).unwrap_or(0);
    let time = seconds.and_then(|seconds| seconds.checked_add(milliseconds)).filter(|time| *time < LATEST);
    time.map(Timestamp).ok_or_else(|| WatchingProblem::Field(field, "must be between 1970 and 9999".to_owned()))
}

/// The first moment of the year 10000, in milliseconds since 1970.
const LATEST: u64 = 253_402_300_800_000;

fn refused(field: &'static str, error: &SayError) -> WatchingProblem {
    match error {
        SayError::NoFault(_) => WatchingProblem::Nothing("incident"),
        SayError::NoMaintenance => WatchingProblem::Nothing("maintenance"),
        SayError::Over(_) => WatchingProblem::Field("event", "is over already; a remedy may still be told".to_owned()),
        SayError::Under => WatchingProblem::Field("from", "a maintenance is under way or planned already".to_owned()),
        SayError::Time(problem) => WatchingProblem::Field(field, (*problem).to_owned()),
        error => WatchingProblem::Failed(chain(error)),
    }
}

/// A time as the interface gives it.
fn timestamp(milliseconds: u64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: i64::try_from(milliseconds / 1_000).unwrap_or(i64::MAX),
        nanos: i32::try_from(milliseconds % 1_000 * 1_000_000).unwrap_or(0),
    }
}

fn event(event: Event) -> v1::IncidentEvent {
    v1::IncidentEvent {
        event: event.id,
        related: event.related,
        time: Some(timestamp(event.time)),
        cause: event.cause,
        r#type: event.kind.as_str().to_owned(),
        prefix: event.prefix,
        remedy: event.remedy,
        by: event.by,
        watched: event.watched,
    }
}

fn incident(incident: Incident) -> v1::NodeIncident {
    v1::NodeIncident { fault: Some(event(incident.fault)), recovery: incident.recovery.map(event) }
}

fn maintenance(maintenance: Maintenance) -> v1::PlannedMaintenance {
    v1::PlannedMaintenance {
        number: maintenance.number,
        from: Some(timestamp(maintenance.from)),
        until: maintenance.end().map(timestamp),
        cancelled: maintenance.is_cancelled(),
        reason: maintenance.reason,
        by: maintenance.by,
    }
}

fn share(share: &Share) -> v1::ProbeShare {
    v1::ProbeShare { tried: share.tried, succeeded: share.succeeded, missed: share.missed, ppm: share.ppm() }
}

fn function(shares: &FunctionShares, mean: &Mean) -> v1::FunctionReport {
    // The store is looked at and not asked: its probes take no time.
    let families = Share {
        succeeded: shares.ipv4.succeeded.saturating_add(shares.ipv6.succeeded),
        sum_micros: shares.ipv4.sum_micros.saturating_add(shares.ipv6.sum_micros),
        ..Share::default()
    };
    v1::FunctionReport {
        together: Some(share(&shares.together)),
        ipv4: Some(share(&shares.ipv4)),
        ipv6: Some(share(&shares.ipv6)),
        request_average_us: mean.micros(),
        requests_timed: mean.count,
        probe_average_us: families.mean_micros(),
    }
}

fn month_report(made: MonthReport, now: Timestamp) -> v1::MonthReport {
    let figures = made.figures;
    let effective = made.effective.prefixes.iter();
    v1::MonthReport {
        prefix: made.prefix,
        month: figures.month.to_string(),
        over: made.is_over,
        owed_by: made.owed_by.to_string(),
        made: Some(timestamp(now.0)),
        service_level: Some(share(&figures.whole)),
        resolution: Some(function(&figures.resolution, &made.resolution)),
        registration: Some(function(&figures.registration, &made.registration)),
        days_counted: made.days_counted,
        days: made.days,
        effective_average_seconds: made.effective.mean_ms().map(|ms| ms / 1_000),
        effective_longest_seconds: made.effective.longest_ms().map(|ms| ms / 1_000),
        effective: effective
            .map(|(prefix, ms)| v1::EffectivePrefix { prefix: prefix.clone(), seconds: ms / 1_000 })
            .collect(),
        operating_seconds: (figures.measured_seconds > 0).then_some(figures.operating_seconds),
        measured_seconds: figures.measured_seconds,
        over_seconds: figures.over_seconds,
        maintenance_seconds: figures.maintenance_seconds,
        maintenances: figures.maintenances.into_iter().map(maintenance).collect(),
        incidents: made.incidents.into_iter().map(incident).collect(),
    }
}
