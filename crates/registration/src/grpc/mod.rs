//! The gRPC services: registration and operation, with health, reflection and compression.

mod admission;
mod followers;
mod health;
mod jobs;
pub(crate) mod operator;
mod packages;
mod registration;
mod sets;
pub(crate) mod stream;
mod templates;
mod traces;
mod verdicts;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic::{Request, Response, Status};
use waymark_api::operator::v1::access_server::AccessServer;
use waymark_api::operator::v1::applications_server::ApplicationsServer;
use waymark_api::operator::v1::audit_server::AuditServer;
use waymark_api::operator::v1::deposits_server::DepositsServer;
use waymark_api::operator::v1::docking_server::DockingServer;
use waymark_api::operator::v1::enterprises_server::EnterprisesServer;
use waymark_api::operator::v1::incidents_server::IncidentsServer;
use waymark_api::operator::v1::own_record_server::OwnRecordServer;
use waymark_api::operator::v1::prefix_cases_server::PrefixCasesServer;
use waymark_api::operator::v1::prefixes_server::PrefixesServer;
use waymark_api::operator::v1::recursion_server::RecursionServer;
use waymark_api::operator::v1::reports_server::ReportsServer;
use waymark_api::operator::v1::sync_server::SyncServer;
use waymark_api::operator::v1::traffic_server::TrafficServer;
use waymark_api::registration::v1::followers_server::FollowersServer;
use waymark_api::registration::v1::jobs_server::JobsServer;
use waymark_api::registration::v1::packages_server::PackagesServer;
use waymark_api::registration::v1::registration_server::RegistrationServer;
use waymark_api::registration::v1::templates_server::TemplatesServer;
use waymark_api::registration::v1::traces_server::TracesServer;
use waymark_api::registration::v1::verdicts_server::VerdictsServer;
use waymark_api::toplevel::v1::sets_server::SetsServer;

use crate::config::COLLECTED_MESSAGE_BYTES;
use crate::counters::Event;
use crate::door::Incoming;
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::reasons::{Language, Reason};

/// The application protocol of gRPC.
pub(crate) const ALPN: &[u8] = b"h2";

/// Bytes of a message to the services that answer everybody: names of services and symbols.
const STRANGERS_BYTES: usize = 16 << 10;

/// Sets up one service the way all of them are: message limits and compression.
macro_rules! service {
    ($server:ident, $service:expr, $limits:expr) => {
        service!($server, $service, bytes: $limits.message_bytes)
    };
    ($server:ident, $service:expr, bytes: $bytes:expr) => {
        $server::new($service)
            .max_decoding_message_size($bytes)
            .max_encoding_message_size($bytes)
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Zstd)
            .send_compressed(CompressionEncoding::Gzip)
            .send_compressed(CompressionEncoding::Zstd)
    };
}

/// The future that serves all gRPC services until the door stops and every call has ended.
pub(crate) fn serve(
    edge: &Arc<Edge>,
    jobs: Option<Arc<crate::jobs::Jobs>>,
    connections: Incoming,
    tasks: &mut JoinSet<()>,
) -> Result<impl Future<Output = ()> + Send + use<>, tonic_reflection::server::Error> {
    let limits = edge.limits;
    let (health, reporting) = health::service(edge);
    tasks.spawn(reporting);
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(waymark_api::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?
        .max_decoding_message_size(STRANGERS_BYTES);
    let keepalive_answer = limits.keepalive.checked_div(3).unwrap_or(Duration::from_secs(1));
    let router = Server::builder()
        .layer(admission::Admission::new(edge))
        .max_concurrent_streams(limits.calls_per_connection)
        .http2_max_header_list_size(limits.header_bytes)
        .http2_keepalive_interval(Some(limits.keepalive))
        .http2_keepalive_timeout(Some(keepalive_answer))
        .add_service(health.max_decoding_message_size(STRANGERS_BYTES))
        .add_service(reflection)
        .add_service(service!(RegistrationServer, registration::Registration::new(edge), limits))
        .add_service(service!(TemplatesServer, templates::TemplateService::new(edge), limits))
        .add_service(service!(JobsServer, jobs::Jobs::new(edge, jobs), limits))
        .add_service(service!(PackagesServer, packages::Packages::new(edge), limits))
        .add_service(service!(VerdictsServer, verdicts::VerdictService::new(edge), limits))
        .add_service(service!(TracesServer, traces::Traces::new(edge), limits))
        .add_service(service!(FollowersServer, followers::FollowerService::new(edge), limits))
        .add_service(service!(SetsServer, sets::SetService::new(edge), bytes: COLLECTED_MESSAGE_BYTES))
        .add_service(service!(AccessServer, operator::access::AccessService::new(edge), limits))
        .add_service(service!(PrefixesServer, operator::prefixes::PrefixService::new(edge), limits))
        .add_service(service!(EnterprisesServer, operator::enterprises::EnterpriseService::new(edge), limits))
        .add_service(service!(
            OwnRecordServer,
            operator::own_record::OwnRecordService::new(edge),
            bytes: operator::own_record::message_bytes(limits.message_bytes)
        ))
        .add_service(service!(ApplicationsServer, operator::applications::ApplicationService::new(edge), limits))
        .add_service(service!(PrefixCasesServer, operator::cases::CaseService::new(edge), limits))
        .add_service(service!(RecursionServer, operator::recursion::RecursionService::new(edge), limits))
        .add_service(service!(SyncServer, operator::sync::SyncService::new(edge), limits))
        .add_service(service!(DockingServer, operator::docking::DockingService::new(edge), limits))
        .add_service(service!(DepositsServer, operator::deposits::DepositService::new(edge), limits))
        .add_service(service!(TrafficServer, operator::traffic::TrafficService::new(edge), limits))
        .add_service(service!(IncidentsServer, operator::incidents::IncidentService::new(edge), limits))
        .add_service(service!(ReportsServer, operator::reports::ReportService::new(edge), limits))
        .add_service(service!(AuditServer, operator::audit::AuditService::new(edge), limits));
    let mut stopping = edge.stopping.clone();
    let stop = async move { stopping.begun().await };
    Ok(router.serve_with_incoming_shutdown(connections, stop).map(|ended| {
        if let Err(error) = ended {
            tracing::error!(%error, "the gRPC service has ended");
        }
    }))
}

/// Who makes a call, as the [`admission`] found out.
pub(crate) async fn caller<T>(edge: &Edge, request: &Request<T>) -> Result<Caller, Status> {
    let caller = request.extensions().get::<Caller>().cloned();
    caller.ok_or_else(|| failed(edge, &Failure::new(Reason::Unauthenticated), Language::default()))
}

/// Runs a unary call to its end, within the time any call may take.
pub(crate) async fn answer<T>(
    edge: &Edge,
    caller: &Caller,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<Response<T>, Status> {
    let ended = tokio::time::timeout(edge.limits.call_time, work).await;
    let ended = ended.unwrap_or_else(|_| Err(Failure::new(Reason::DeadlineExceeded)));
    ended.map(Response::new).map_err(|failure| failed(edge, &failure, caller.language))
}

/// The end of a call that failed.
pub(crate) fn failed(edge: &Edge, failure: &Failure, language: Language) -> Status {
    edge.counters.add(Event::CallsFailed, 1);
    failure.status(language)
}
