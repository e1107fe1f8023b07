//! Calls for running a node: who may do what, which prefixes it serves, what was done.

use tonic::{Streaming, transport::Channel};
use uuid::Uuid;
use waymark_api::operator::v1::{
    self, access_client::AccessClient, applications_client::ApplicationsClient, audit_client::AuditClient,
    deposits_client::DepositsClient, docking_client::DockingClient, enterprises_client::EnterprisesClient,
    incidents_client::IncidentsClient, own_record_client::OwnRecordClient, prefix_cases_client::PrefixCasesClient,
    prefixes_client::PrefixesClient, recursion_client::RecursionClient, reports_client::ReportsClient,
    sync_client::SyncClient, traffic_client::TrafficClient,
};

use super::{attempts::Repeat, call::CallError, registrar::Registrar};
use crate::config::ANSWER_BYTES;

/// Rows of a part of a set: 4 MiB, what was sealed of them twice as long, and what is around them.
const PART_ROWS_BYTES: usize = 12 << 20;

/// Writes a call: its documentation, name, request, response, service, and what repeating it does.
macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident($request:ty) -> $response:ty, $service:ident.$method:ident, $repeat:ident;)*) => {
        impl Registrar {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// A refusal, or no definite answer in time.
                pub async fn $name(&self, request: &$request) -> Result<$response, CallError> {
                    self.repeat(request, Repeat::$repeat, |request| async move { self.$service().$method(request).await }).await
                }
            )*
        }
    };
}

pub(super) use calls;

calls! {
    /// Makes or changes a principal.
    put_principal(v1::PutPrincipalRequest) -> v1::PrincipalResponse, access.put_principal, Harmless;
    /// One principal.
    principal(v1::GetPrincipalRequest) -> v1::Principal, access.get_principal, Harmless;
    /// One page of principals.
    principals(v1::ListPrincipalsRequest) -> v1::ListPrincipalsResponse, access.list_principals, Harmless;
    /// Removes a principal and all its tokens.
    remove_principal(v1::RemovePrincipalRequest) -> v1::PrincipalResponse, access.remove_principal, Twice;
    /// Makes a token; its text is in the answer and nowhere else.
    issue_token(v1::IssueTokenRequest) -> v1::IssueTokenResponse, access.issue_token, Twice;
    /// One page of tokens.
    tokens(v1::ListTokensRequest) -> v1::ListTokensResponse, access.list_tokens, Harmless;
    /// Revokes a token; in force when this returns.
    revoke_token(v1::RevokeTokenRequest) -> v1::RevokeTokenResponse, access.revoke_token, Harmless;
    /// Serves a prefix from now on.
    home(v1::HomeRequest) -> v1::PrefixResponse, prefixes.home, Harmless;
    /// Stops serving a prefix.
    unhome(v1::UnhomeRequest) -> v1::PrefixResponse, prefixes.unhome, Harmless;
    /// One page of the prefixes served.
    prefixes_served(v1::ListPrefixesRequest) -> v1::ListPrefixesResponse, prefixes.list, Harmless;
    /// One enterprise; without a name the one the caller acts for.
    enterprise(v1::GetEnterpriseRequest) -> v1::Enterprise, enterprises.get, Harmless;
    /// One page of enterprises.
    enterprises_known(v1::ListEnterprisesRequest) -> v1::ListEnterprisesResponse, enterprises.list, Harmless;
    /// Notes what verifying an enterprise came to.
    set_real_name(v1::SetRealNameRequest) -> v1::EnterpriseResponse, enterprises.set_real_name, Harmless;
    /// What an enterprise said of its people; each attempt stands in the audit.
    disclose(v1::DiscloseRequest) -> v1::PersonalData, enterprises.disclose, Harmless;
    /// An image of a document of an enterprise.
    enterprise_image(v1::ImageRequest) -> v1::ImageResponse, enterprises.image, Harmless;
    /// Forgets what an enterprise said of its people.
    forget(v1::ForgetRequest) -> v1::EnterpriseResponse, enterprises.forget, Harmless;
    /// What the node says of itself.
    operator_record(v1::GetOperatorRecordRequest) -> v1::OperatorRecord, own_record.get, Harmless;
    /// What it says of people; each attempt stands in the audit.
    disclose_operator(v1::DiscloseOperatorRequest) -> v1::OperatorPersonalData, own_record.disclose, Harmless;
    /// A file of it; each attempt stands in the audit.
    operator_file(v1::OperatorFileRequest) -> v1::OperatorFileResponse, own_record.file, Harmless;
    /// Forgets what it says of people, with every file.
    forget_operator(v1::ForgetOperatorRequest) -> v1::OperatorRecordResponse, own_record.forget, Harmless;
    /// One application.
    application(v1::GetApplicationRequest) -> v1::Application, applications.get, Harmless;
    /// One page of applications.
    applications_known(v1::ListApplicationsRequest) -> v1::ListApplicationsResponse, applications.list, Harmless;
    /// The case of one prefix.
    prefix_case(v1::GetPrefixCaseRequest) -> v1::PrefixCase, cases.get, Harmless;
    /// One page of the cases of prefixes.
    prefix_cases(v1::ListPrefixCasesRequest) -> v1::ListPrefixCasesResponse, cases.list, Harmless;
    /// What the cache of names that live elsewhere holds, and what was counted.
    recursion_stats(v1::RecursionStatsRequest) -> v1::RecursionStats, recursion.stats, Harmless;
    /// Forgets what the cache knows of a name, a prefix, or everything.
    flush_cache(v1::FlushCacheRequest) -> v1::FlushCacheResponse, recursion.flush, Harmless;
    /// Resolves a name on the node and tells each step.
    trace_name(v1::TraceNameRequest) -> v1::TraceNameResponse, recursion.trace, Harmless;
    /// How what is owed to the top-level node stands.
    sync_status(v1::SyncStatusRequest) -> v1::SyncStatus, sync.status, Harmless;
    /// Parts of a set owed to it.
    sync_parts(v1::ListPartsRequest) -> v1::ListPartsResponse, sync.parts, Harmless;
    /// The rows of such a part.
    sync_rows(v1::PartRowsRequest) -> v1::PartRowsResponse, sync.rows, Harmless;
    /// Lets such parts be sent again.
    sync_resend(v1::ResendRequest) -> v1::SyncChanged, sync.resend, Harmless;
    /// Says of such parts that they are settled otherwise.
    sync_mark(v1::MarkRequest) -> v1::SyncChanged, sync.mark, Harmless;
    /// Holds sets back, or lets them go on.
    sync_pause(v1::PauseRequest) -> v1::SyncChanged, sync.pause, Harmless;
    /// How the exchange with the top-level node stands.
    docking_status(v1::DockingStatusRequest) -> v1::DockingStatus, docking.status, Harmless;
    /// Says for the top-level node what it decided on a prefix.
    mark_docking(v1::MarkDockingRequest) -> v1::MarkDockingResponse, docking.mark, Twice;
    /// Has whatever failed or was refused by the top-level node sent at once.
    hurry_docking(v1::HurryDockingRequest) -> v1::HurryDockingResponse, docking.hurry, Harmless;
    /// How the prefixes stand whose deposits the node brings to the platform.
    deposit_status(v1::DepositStatusRequest) -> v1::DepositStatus, deposits.status, Harmless;
    /// Has deposits made and brought at once.
    send_deposit(v1::SendDepositRequest) -> v1::SendDepositResponse, deposits.send, Harmless;
    /// The days there are figures of requests of.
    traffic_days(v1::ListTrafficDaysRequest) -> v1::ListTrafficDaysResponse, traffic.list_days, Harmless;
    /// Incidents of the node.
    incidents(v1::ListIncidentsRequest) -> v1::ListIncidentsResponse, incidents_client.list, Harmless;
    /// Reports a fault.
    report_incident(v1::ReportIncidentRequest) -> v1::IncidentEvent, incidents_client.report, Twice;
    /// Says that a fault is over.
    recover_incident(v1::RecoverIncidentRequest) -> v1::IncidentEvent, incidents_client.recover, Twice;
    /// Declares a maintenance.
    begin_maintenance(v1::BeginMaintenanceRequest) -> v1::PlannedMaintenance, incidents_client.begin_maintenance, Twice;
    /// Ends the maintenance under way.
    end_maintenance(v1::EndMaintenanceRequest) -> v1::PlannedMaintenance, incidents_client.end_maintenance, Twice;
    /// Maintenances of the node.
    maintenances(v1::ListMaintenanceRequest) -> v1::ListMaintenanceResponse, incidents_client.list_maintenance, Harmless;
    /// The report of a month.
    month_report(v1::MonthReportRequest) -> v1::MonthReport, reports.month, Harmless;
    /// What is planned for a year.
    plan(v1::GetPlanRequest) -> v1::GetPlanResponse, reports.get_plan, Harmless;
    /// The end of the audit chain.
    audit_head(v1::AuditHeadRequest) -> v1::AuditHead, audit.head, Harmless;
    /// Goes through the whole audit chain.
    verify_audit(v1::VerifyAuditRequest) -> v1::VerifyAuditResponse, audit.verify, Harmless;
}

/// Writes a call that goes under a request id: the one it comes with, or a new one.
macro_rules! calls_under_id {
    ($($(#[$doc:meta])* $name:ident($request:ty) -> $response:ty, $service:ident.$method:ident;)*) => {
        impl Registrar {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// A refusal, or [`CallError::Unknown`] with the request id when no definite answer came in time.
                pub async fn $name(&self, mut request: $request) -> Result<$response, CallError> {
                    let id = Uuid::try_parse(&request.request_id).unwrap_or_else(|_| Uuid::now_v7());
                    if request.request_id.is_empty() {
                        request.request_id = id.to_string();
                    }
                    let call = |request| async move { self.$service().$method(request).await };
                    self.repeat(&request, Repeat::UnderId(id), call).await
                }
            )*
        }
    };
}

calls_under_id! {
    /// Writes an enterprise.
    put_enterprise(v1::PutEnterpriseRequest) -> v1::EnterpriseResponse, enterprises.put;
    /// Keeps an image of a document of an enterprise, or takes it away.
    put_enterprise_image(v1::PutImageRequest) -> v1::EnterpriseResponse, enterprises.put_image;
    /// Writes what the node says of itself.
    set_operator_record(v1::SetOperatorRecordRequest) -> v1::OperatorRecordResponse, own_record.set;
    /// Keeps a file of it, or takes it away.
    put_operator_file(v1::PutOperatorFileRequest) -> v1::OperatorRecordResponse, own_record.put_file;
    /// Writes an application.
    put_application(v1::PutApplicationRequest) -> v1::ApplicationResponse, applications.put;
    /// Says how many people used an application in a month.
    count_users(v1::CountUsersRequest) -> v1::ApplicationResponse, applications.count_users;
    /// Takes an application away.
    delete_application(v1::DeleteApplicationRequest) -> v1::DeleteApplicationResponse, applications.delete;
    /// Writes what is planned for a year.
    put_plan(v1::PutPlanRequest) -> v1::PutPlanResponse, reports.put_plan;
    /// Asks for a prefix.
    apply_for_prefix(v1::ApplyForPrefixRequest) -> v1::PrefixCaseResponse, cases.apply;
    /// Takes a step in the case of a prefix.
    step(v1::StepRequest) -> v1::PrefixCaseResponse, cases.step;
}

impl Registrar {
    /// Entries of the audit trail.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn search_audit(&self, request: &v1::SearchAuditRequest) -> Result<Streaming<v1::AuditEntry>, CallError> {
        self.repeat_opening(request, |request| async move { self.audit().search(request).await }).await
    }

    /// Everything the cache of names that live elsewhere holds.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn dump_cache(&self, request: &v1::DumpCacheRequest) -> Result<Streaming<v1::CacheEntry>, CallError> {
        self.repeat_opening(request, |request| async move { self.recursion().dump(request).await }).await
    }

    /// Every transaction with the top-level node.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn docking_transactions(
        &self,
        request: &v1::ListDockingTransactionsRequest,
    ) -> Result<Streaming<v1::DockingTransaction>, CallError> {
        self.repeat_opening(request, |request| async move { self.docking().transactions(request).await }).await
    }

    fn docking(&self) -> DockingClient<Channel> {
        DockingClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES)
    }

    /// Has the node make a deposit and send its files.
    ///
    /// # Errors
    /// A refusal, or no answer in time. A deposit that could not be made is told in the stream.
    pub async fn make_deposit(
        &self,
        request: &v1::MakeDepositRequest,
    ) -> Result<Streaming<v1::MakeDepositResponse>, CallError> {
        let send = |request| async move { self.deposits().make(request).await };
        self.repeat_change_opening(request, Repeat::Twice, send).await
    }

    fn deposits(&self) -> DepositsClient<Channel> {
        DepositsClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES)
    }

    /// The figures of requests of a day: those of the day and the node, then each prefix.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn traffic_day(&self, request: &v1::TrafficDayRequest) -> Result<Streaming<v1::TrafficPart>, CallError> {
        self.repeat_opening(request, |request| async move { self.traffic().day(request).await }).await
    }

    fn traffic(&self) -> TrafficClient<Channel> {
        TrafficClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES)
    }

    fn incidents_client(&self) -> IncidentsClient<Channel> {
        IncidentsClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES)
    }

    fn reports(&self) -> ReportsClient<Channel> {
        ReportsClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES)
    }

    fn recursion(&self) -> RecursionClient<Channel> {
        RecursionClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES)
    }

    fn sync(&self) -> SyncClient<Channel> {
        SyncClient::new(self.channel()).max_decoding_message_size(PART_ROWS_BYTES)
    }

    fn access(&self) -> AccessClient<Channel> {
        AccessClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES)
    }

    fn prefixes(&self) -> PrefixesClient<Channel> {
        PrefixesClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES)
    }

    fn enterprises(&self) -> EnterprisesClient<Channel> {
        EnterprisesClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES)
    }

    fn own_record(&self) -> OwnRecordClient<Channel> {
        OwnRecordClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES)
    }

    fn applications(&self) -> ApplicationsClient<Channel> {
        ApplicationsClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES)
    }

    fn cases(&self) -> PrefixCasesClient<Channel> {
        PrefixCasesClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES)
    }

    fn audit(&self) -> AuditClient<Channel> {
        AuditClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES)
    }
}
