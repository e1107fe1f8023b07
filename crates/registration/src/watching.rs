//! What operators ask of a node that watches itself: incidents, maintenance, the monthly report. The node that has the watch says how; this crate says
//! who may.

use waymark_api::operator::v1;

/// Why something could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchingProblem {
    /// There is no such thing: an incident, a maintenance.
    Nothing(&'static str),
    /// A field says what cannot be: which, and why not.
    Field(&'static str, String),
    /// The watch could not be read or written: what the disk says.
    Failed(String),
}

/// What is asked of a node that watches itself. Reads and writes the disk: where waiting is allowed. Lengths of texts were checked.
pub trait Watching: Send + Sync {
    /// Incidents, oldest first.
    ///
    /// # Errors
    /// The month is none.
    fn incidents(&self, request: &v1::ListIncidentsRequest) -> Result<v1::ListIncidentsResponse, WatchingProblem>;

    /// Notes a fault people report.
    ///
    /// # Errors
    /// It is not noted.
    fn report(&self, request: &v1::ReportIncidentRequest, by: &str) -> Result<v1::IncidentEvent, WatchingProblem>;

    /// Notes that a fault is over.
    ///
    /// # Errors
    /// It is not noted.
    fn recover(&self, request: &v1::RecoverIncidentRequest, by: &str) -> Result<v1::IncidentEvent, WatchingProblem>;

    /// Declares a maintenance.
    ///
    /// # Errors
    /// It is not noted.
    fn begin_maintenance(
        &self,
        request: &v1::BeginMaintenanceRequest,
        by: &str,
    ) -> Result<v1::PlannedMaintenance, WatchingProblem>;

    /// Ends the maintenance under way or planned.
    ///
    /// # Errors
    /// There is none, or it is not noted.
    fn end_maintenance(&self) -> Result<v1::PlannedMaintenance, WatchingProblem>;

    /// Maintenances, oldest first.
    fn maintenances(&self) -> v1::ListMaintenanceResponse;

    /// The report of a month.
    ///
    /// # Errors
    /// The month is none, has not begun, or its figures cannot be read.
    fn month(&self, request: &v1::MonthReportRequest) -> Result<v1::MonthReport, WatchingProblem>;
}
