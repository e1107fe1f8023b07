//! `waymark.operator.v1.Access`: principals and their tokens.
//!
//! What may be changed is the writer's to decide. What is shown is decided here, by the same rule: operators and auditors see all, enterprise
//! administrators whoever works within their own prefixes, everybody themselves.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use waymark_api::operator::v1::{self, access_server};
use waymark_catalog::Command;
use waymark_catalog::access::{Access, Principal, Role, TokenId, TokenText, Verb};

use crate::convert::answer::{Same, receipt};
use crate::convert::page::{Question, size};
use crate::convert::principal;
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::grpc::{answer, caller};
use crate::reasons::Reason;

/// The service over the edge.
pub(in crate::grpc) struct AccessService {
    edge: Arc<Edge>,
}

impl AccessService {
    pub(in crate::grpc) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }

    fn show(&self, principal: &Principal) -> v1::Principal {
        let disabler = self.edge.catalog.access().disabler(&principal.name);
        principal::show(principal, disabler, self.edge.catalog.usage(&principal.name))
    }

    async fn put(&self, caller: &Caller, request: v1::PutPrincipalRequest) -> Result<v1::PrincipalResponse, Failure> {
        let principal = request.principal.ok_or_else(|| Failure::invalid_field("principal", "is missing"))?;
        let principal = principal::read(principal)?;
        let command = Command::PutPrincipal { principal: principal.clone() };
        let done = self.edge.apply(caller, command.into(), None).await?;
        Ok(v1::PrincipalResponse {
            principal: Some(self.show(&principal)),
            receipt: Some(receipt(&done, Same::Unchanged)),
        })
    }

    fn get(&self, caller: &Caller, name: &str) -> Result<v1::Principal, Failure> {
        let access = self.edge.catalog.access();
        let principal = access.principal(name).filter(|principal| sees(caller, principal));
        principal.map(|principal| self.show(principal)).ok_or_else(|| not_found("principal"))
    }

    fn list(
        &self,
        caller: &Caller,
        request: &v1::ListPrincipalsRequest,
    ) -> Result<v1::ListPrincipalsResponse, Failure> {
        let question = Question::of(&[b"principals"]);
        let after = question.cursor(&request.page_token)?;
        let access = self.edge.catalog.access();
        let most = size(request.page_size);
        let mut seen = access
            .principals()
            .filter(|principal| principal.name.as_bytes() > after.as_slice() && sees(caller, principal));
        let page: Vec<_> = seen.by_ref().take(most).collect();
        let last = page.last().filter(|_| seen.next().is_some());
        Ok(v1::ListPrincipalsResponse {
            next_page_token: last.map_or_else(String::new, |last| question.token(last.name.as_bytes())),
            principals: page.into_iter().map(|principal| self.show(principal)).collect(),
        })
    }

    async fn remove(&self, caller: &Caller, name: String) -> Result<v1::PrincipalResponse, Failure> {
        let former = self.edge.catalog.access().principal(&name).map(|principal| self.show(principal));
        let done = self.edge.apply(caller, Command::RemovePrincipal { name }.into(), None).await;
        let done = done.map_err(|failure| failure.about("principal"))?;
        Ok(v1::PrincipalResponse { principal: former, receipt: Some(receipt(&done, Same::Unchanged)) })
    }

    async fn issue(&self, caller: &Caller, request: v1::IssueTokenRequest) -> Result<v1::IssueTokenResponse, Failure> {
        let random = |_| Failure::new(Reason::Internal).with("detail", "no random bytes");
        let text = TokenText::generate().map_err(random)?;
        let token = principal::token(request, &text, self.edge.catalog.now())?;
        let shown = principal::show_token(&token);
        self.edge.apply(caller, Command::IssueToken { token }.into(), None).await?;
        Ok(v1::IssueTokenResponse { token: Some(shown), text: text.reveal().to_string() })
    }

    fn tokens(&self, caller: &Caller, request: &v1::ListTokensRequest) -> Result<v1::ListTokensResponse, Failure> {
        let question = Question::of(&[b"tokens", request.principal.as_bytes()]);
        let after = question.cursor(&request.page_token)?;
        let access = self.edge.catalog.access();
        let most = size(request.page_size);
        let mut seen = access
            .tokens()
            .filter(|token| request.principal.is_empty() || *token.principal == *request.principal)
            .map(|token| ([token.principal.as_bytes(), &[0], &token.id.0].concat(), token))
            .filter(|(place, token)| *place > after && sees_tokens_of(caller, &access, &token.principal));
        let page: Vec<_> = seen.by_ref().take(most).collect();
        let last = page.last().filter(|_| seen.next().is_some());
        Ok(v1::ListTokensResponse {
            next_page_token: last.map_or_else(String::new, |(place, _)| question.token(place)),
            tokens: page.iter().map(|(_, token)| principal::show_token(token)).collect(),
        })
    }

    async fn revoke(
        &self,
        caller: &Caller,
        request: v1::RevokeTokenRequest,
    ) -> Result<v1::RevokeTokenResponse, Failure> {
        let v1::RevokeTokenRequest { id, reason } = request;
        let wrong = |_| Failure::invalid_field("id", "must be the 16 hexadecimal digits of a token's id");
        let id: TokenId = id.parse().map_err(wrong)?;
        let done = self.edge.apply(caller, Command::RevokeToken { id, reason }.into(), None).await;
        let done = done.map_err(|failure| failure.about("token"))?;
        let token = self.edge.catalog.access().token(id).map(|token| principal::show_token(token));
        Ok(v1::RevokeTokenResponse { token, receipt: Some(receipt(&done, Same::Unchanged)) })
    }
}

/// Whether a caller is shown a principal.
fn sees(caller: &Caller, principal: &Principal) -> bool {
    let rights = &caller.rights;
    let everybody = rights.has_everywhere(Verb::ManageAccess) || rights.has_everywhere(Verb::Audit);
    // An empty scope lies within everybody's: whoever has one is nobody's but the operators'.
    let own = matches!(principal.role, Role::Writer | Role::Reader)
        && !principal.scope.is_empty()
        && rights.covers_all_of(&principal.scope);
    everybody || principal.name == rights.principal.name || (rights.has(Verb::ManageAccess) && own)
}

/// Whether a caller is shown the tokens of a principal, which may have been removed.
fn sees_tokens_of(caller: &Caller, access: &Access, name: &str) -> bool {
    match access.principal(name) {
        Some(principal) => sees(caller, principal),
        None => caller.rights.has_everywhere(Verb::ManageAccess),
    }
}

fn not_found(what: &str) -> Failure {
    Failure::new(Reason::NotFound).with("what", what)
}

#[tonic::async_trait]
impl access_server::Access for AccessService {
    async fn put_principal(
        &self,
        request: Request<v1::PutPrincipalRequest>,
    ) -> Result<Response<v1::PrincipalResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, self.put(&caller, request.into_inner())).await
    }

    async fn get_principal(
        &self,
        request: Request<v1::GetPrincipalRequest>,
    ) -> Result<Response<v1::Principal>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async { self.get(&caller, &request.get_ref().name) }).await
    }

    async fn list_principals(
        &self,
        request: Request<v1::ListPrincipalsRequest>,
    ) -> Result<Response<v1::ListPrincipalsResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async { self.list(&caller, request.get_ref()) }).await
    }

    async fn remove_principal(
        &self,
        request: Request<v1::RemovePrincipalRequest>,
    ) -> Result<Response<v1::PrincipalResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, self.remove(&caller, request.into_inner().name)).await
    }

    async fn issue_token(
        &self,
        request: Request<v1::IssueTokenRequest>,
    ) -> Result<Response<v1::IssueTokenResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, self.issue(&caller, request.into_inner())).await
    }

    async fn list_tokens(
        &self,
        request: Request<v1::ListTokensRequest>,
    ) -> Result<Response<v1::ListTokensResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async { self.tokens(&caller, request.get_ref()) }).await
    }

    async fn revoke_token(
        &self,
        request: Request<v1::RevokeTokenRequest>,
    ) -> Result<Response<v1::RevokeTokenResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, self.revoke(&caller, request.into_inner())).await
    }
}
