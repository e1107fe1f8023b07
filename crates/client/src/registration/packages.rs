//! Calls about code packages, verdicts on codes, and caches that follow. What changes something goes under a request id, made here where the caller has none.

use tonic::{Streaming, transport::Channel};
use uuid::Uuid;
use waymark_api::registration::v1::{
    self, followers_client::FollowersClient, packages_client::PackagesClient, verdicts_client::VerdictsClient,
};

use super::{attempts::Repeat, call::CallError, registrar::Registrar};
use crate::config::ANSWER_BYTES;

/// Writes calls under a request id: documentation, name, request, response, method, and whether the answer is a stream.
macro_rules! changes {
    ($($(#[$doc:meta])* $name:ident($request:ty) -> $response:ty, $method:ident, $attempt:ident;)*) => {
        impl Registrar {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// A refusal, or no definite answer in time; then the error says under which id to ask again.
                pub async fn $name(&self, mut request: $request) -> Result<$response, CallError> {
                    let id = Uuid::try_parse(&request.request_id).unwrap_or_else(|_| Uuid::now_v7());
                    request.request_id = id.to_string();
                    let send = |request| async move { self.packages_service().$method(request).await };
                    self.$attempt(&request, Repeat::UnderId(id), send).await
                }
            )*
        }
    };
}

changes! {
    /// Orders codes.
    allocate(v1::AllocateRequest) -> v1::PackageResponse, allocate, repeat;
    /// Binds values to codes.
    bind_codes(v1::BindCodesRequest) -> v1::PackageResponse, bind, repeat;
    /// Says what became of codes.
    mark_codes(v1::MarkCodesRequest) -> v1::PackageResponse, mark, repeat;
    /// Recalls codes, or ends that.
    recall_codes(v1::RecallCodesRequest) -> v1::PackageResponse, recall, repeat;
    /// Ends a lease.
    reconcile_codes(v1::ReconcileCodesRequest) -> v1::PackageResponse, reconcile, repeat;
    /// Has codes given out for printing. Once the stream has begun it is not repeated here: ask again under the same id for all of it.
    export_codes(v1::ExportCodesRequest) -> Streaming<v1::CodeLines>, export, repeat_change_opening;
    /// Has codes given to a printing station; as [`export_codes`](Self::export_codes).
    lease_codes(v1::LeaseCodesRequest) -> Streaming<v1::CodeLines>, lease, repeat_change_opening;
}

impl Registrar {
    /// One package.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn package(&self, request: &v1::GetPackageRequest) -> Result<v1::Package, CallError> {
        let send = |request| async move { self.packages_service().get(request).await };
        self.repeat(request, Repeat::Harmless, send).await
    }

    /// One page of packages.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn packages(&self, request: &v1::ListPackagesRequest) -> Result<v1::ListPackagesResponse, CallError> {
        let send = |request| async move { self.packages_service().list(request).await };
        self.repeat(request, Repeat::Harmless, send).await
    }

    /// The verdicts on codes, in their order.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn judge(&self, request: &v1::JudgeRequest) -> Result<v1::JudgeResponse, CallError> {
        let send = |request| async move {
            VerdictsClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES).judge(request).await
        };
        self.repeat(request, Repeat::Harmless, send).await
    }

    /// What changes make a cache forget, from a serial on, as they happen.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn follow(&self, request: &v1::FollowRequest) -> Result<Streaming<v1::FollowResponse>, CallError> {
        self.repeat_opening(request, |request| async move { self.followers_service().follow(request).await }).await
    }

    /// Says that everything up to a serial is forgotten.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn confirm_forgotten(&self, request: &v1::ConfirmRequest) -> Result<v1::ConfirmResponse, CallError> {
        let send = |request| async move { self.followers_service().confirm(request).await };
        self.repeat(request, Repeat::Harmless, send).await
    }

    /// Who follows the changes of the node.
    ///
    /// # Errors
    /// A refusal, or no answer in time.
    pub async fn followers(&self, request: &v1::ListFollowersRequest) -> Result<v1::ListFollowersResponse, CallError> {
        let send = |request| async move { self.followers_service().list(request).await };
        self.repeat(request, Repeat::Harmless, send).await
    }

    fn followers_service(&self) -> FollowersClient<Channel> {
        FollowersClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES)
    }

    fn packages_service(&self) -> PackagesClient<Channel> {
        PackagesClient::new(self.channel()).max_decoding_message_size(ANSWER_BYTES)
    }
}
