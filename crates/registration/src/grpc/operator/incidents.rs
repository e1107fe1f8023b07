//! `waymark.operator.v1.Incidents`: what failed, and what is planned.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use waymark_api::operator::v1::{self, incidents_server};
use waymark_catalog::access::Verb;
use waymark_catalog::business::Deed;

use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::grpc::{answer, caller};
use crate::reasons::Reason;
use crate::watching::{Watching, WatchingProblem};

/// Characters of a cause, a remedy and a reason at most: what the set of incidents takes.
const TEXT_CHARS: usize = 1_024;

/// Bytes of a prefix at most.
const PREFIX_BYTES: usize = 255;

/// The service over the edge.
pub(in crate::grpc) struct IncidentService {
    edge: Arc<Edge>,
}

/// The watch, for a caller who may look at all of the node (`Audit`) or runs it (`Home`).
pub(super) fn admit(edge: &Edge, caller: &Caller, verb: Verb) -> Result<Arc<dyn Watching>, Failure> {
    if !(caller.rights.has(verb) && caller.rights.is_everywhere()) {
        return Err(edge.deny(caller, verb, b""));
    }
    let none =
        || Failure::new(Reason::Unimplemented).with("detail", "the watch (watch.prefix and sync.prefix are empty)");
    edge.watching.clone().ok_or_else(none)
}

/// Does something that waits for the disk.
pub(super) async fn wait<R: Send + 'static>(
    watching: Arc<dyn Watching>,
    work: impl FnOnce(&dyn Watching) -> Result<R, WatchingProblem> + Send + 'static,
) -> Result<R, Failure> {
    let done = tokio::task::spawn_blocking(move || work(&*watching)).await;
    let done = done.map_err(|cause| Failure::new(Reason::Internal).with("detail", cause))?;
    done.map_err(|problem| match problem {
        WatchingProblem::Nothing(what) => Failure::new(Reason::NotFound).with("what", what),
        WatchingProblem::Field(field, problem) => Failure::invalid_field(field, problem),
        WatchingProblem::Failed(cause) => {
            tracing::error!(%cause, "the watch could not be read or written");
            Failure::new(Reason::Internal)
        }
    })
}

/// Checks one line of text.
fn check_text(field: &'static str, text: &str, least: usize) -> Result<(), Failure> {
    let characters = text.trim().chars().count();
    if characters < least || characters > TEXT_CHARS || text.chars().any(char::is_control) {
        let problem = format!("must have {least} to {TEXT_CHARS} characters, and no control characters");
        return Err(Failure::invalid_field(field, problem));
    }
    Ok(())
}

impl IncidentService {
    pub(in crate::grpc) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }

    /// Notes in the audit what was done. A store that takes no writes is itself an incident: it keeps nobody from reporting one.
    async fn note(&self, caller: &Caller, deed: Deed, about: String) {
        if self.edge.note_deed(caller, deed, about, "").await.is_err() {
            tracing::warn!(by = caller.actor.name(), ?deed, "the audit does not tell of it: the store takes no writes");
        }
    }

    async fn report(&self, caller: &Caller, request: v1::ReportIncidentRequest) -> Result<v1::IncidentEvent, Failure> {
        let watching = admit(&self.edge, caller, Verb::Home)?;
        check_text("cause", &request.cause, 1)?;
        if request.prefix.len() > PREFIX_BYTES {
            return Err(Failure::invalid_field("prefix", format!("must have at most {PREFIX_BYTES} bytes")));
        }
        let by = caller.actor.name().to_owned();
        let event = wait(watching, move |watching| watching.report(&request, &by)).await?;
        tracing::info!(by = caller.actor.name(), event = event.event, kind = event.r#type, "a fault was reported");
        self.note(caller, Deed::IncidentReport, event.event.clone()).await;
        Ok(event)
    }

    async fn recover(
        &self,
        caller: &Caller,
        request: v1::RecoverIncidentRequest,
    ) -> Result<v1::IncidentEvent, Failure> {
        let watching = admit(&self.edge, caller, Verb::Home)?;
        check_text("remedy", &request.remedy, 0)?;
        let by = caller.actor.name().to_owned();
        let event = wait(watching, move |watching| watching.recover(&request, &by)).await?;
        tracing::info!(
            by = caller.actor.name(),
            event = event.event,
            of = event.related,
            "a fault was said to be over"
        );
        self.note(caller, Deed::IncidentRecover, event.related.clone()).await;
        Ok(event)
    }

    async fn begin(
        &self,
        caller: &Caller,
        request: v1::BeginMaintenanceRequest,
    ) -> Result<v1::PlannedMaintenance, Failure> {
        let watching = admit(&self.edge, caller, Verb::Home)?;
        check_text("reason", &request.reason, 1)?;
        let by = caller.actor.name().to_owned();
        let begun = wait(watching, move |watching| watching.begin_maintenance(&request, &by)).await?;
        tracing::info!(by = caller.actor.name(), number = begun.number, "a maintenance was declared");
        self.note(caller, Deed::MaintenanceBegin, format!("maintenance {}", begun.number)).await;
        Ok(begun)
    }

    async fn end(&self, caller: &Caller) -> Result<v1::PlannedMaintenance, Failure> {
        let watching = admit(&self.edge, caller, Verb::Home)?;
        let ended = wait(watching, |watching| watching.end_maintenance()).await?;
        tracing::info!(by = caller.actor.name(), number = ended.number, "a maintenance was ended");
        self.note(caller, Deed::MaintenanceEnd, format!("maintenance {}", ended.number)).await;
        Ok(ended)
    }
}

#[tonic::async_trait]
impl incidents_server::Incidents for IncidentService {
    async fn list(
        &self,
        request: Request<v1::ListIncidentsRequest>,
    ) -> Result<Response<v1::ListIncidentsResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let asked = async {
            let (watching, request) = (admit(&self.edge, &caller, Verb::Audit)?, request.into_inner());
            wait(watching, move |watching| watching.incidents(&request)).await
        };
        answer(&self.edge, &caller, asked).await
    }

    async fn report(&self, request: Request<v1::ReportIncidentRequest>) -> Result<Response<v1::IncidentEvent>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::report(self, &caller, request.into_inner())).await
    }

    async fn recover(
        &self,
        request: Request<v1::RecoverIncidentRequest>,
    ) -> Result<Response<v1::IncidentEvent>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::recover(self, &caller, request.into_inner())).await
    }

    async fn begin_maintenance(
        &self,
        request: Request<v1::BeginMaintenanceRequest>,
    ) -> Result<Response<v1::PlannedMaintenance>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::begin(self, &caller, request.into_inner())).await
    }

    async fn end_maintenance(
        &self,
        request: Request<v1::EndMaintenanceRequest>,
    ) -> Result<Response<v1::PlannedMaintenance>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::end(self, &caller)).await
    }

    async fn list_maintenance(
        &self,
        request: Request<v1::ListMaintenanceRequest>,
    ) -> Result<Response<v1::ListMaintenanceResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let asked = async {
            let watching = admit(&self.edge, &caller, Verb::Audit)?;
            wait(watching, |watching| Ok(watching.maintenances())).await
        };
        answer(&self.edge, &caller, asked).await
    }
}
