//! `waymark.operator.v1.PrefixCases`: how prefixes become those of enterprises.
//!
//! Which steps may be taken is the writer's to decide. A case is shown to those who are shown its enterprise.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use waymark_api::operator::v1::{self, prefix_cases_server};
use waymark_catalog::Order;
use waymark_catalog::business::{Business, BusinessCommand, CaseState, PrefixCase, visible};

use crate::convert::answer::{Same, receipt};
use crate::convert::enterprise::read_id;
use crate::convert::page::{Question, size};
use crate::convert::prefix_case::{read_step, read_wish, show};
use crate::convert::request_id;
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::grpc::{answer, caller};
use crate::reasons::Reason;

/// The service over the edge.
pub(in crate::grpc) struct CaseService {
    edge: Arc<Edge>,
}

impl CaseService {
    pub(in crate::grpc) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }

    async fn apply(
        &self,
        caller: &Caller,
        request: v1::ApplyForPrefixRequest,
    ) -> Result<v1::PrefixCaseResponse, Failure> {
        let v1::ApplyForPrefixRequest { prefix, enterprise, wish, note, request_id } = request;
        let (enterprise, wish) = (read_id("enterprise", &enterprise)?, read_wish(&wish)?);
        let command = BusinessCommand::Apply { prefix: prefix.clone().into_bytes(), enterprise, wish, note };
        self.change(caller, &prefix, command, &request_id).await
    }

    async fn step(&self, caller: &Caller, request: v1::StepRequest) -> Result<v1::PrefixCaseResponse, Failure> {
        let v1::StepRequest { prefix, step, request_id } = request;
        let command = BusinessCommand::Step { prefix: prefix.clone().into_bytes(), step: read_step(step)? };
        let done = self.change(caller, &prefix, command, &request_id).await;
        done.map_err(|failure| failure.about("case of a prefix"))
    }

    async fn change(
        &self,
        caller: &Caller,
        prefix: &str,
        command: BusinessCommand,
        request_id: &str,
    ) -> Result<v1::PrefixCaseResponse, Failure> {
        let order = Order::from(command);
        let request = request_id::request(request_id, &order)?;
        let done = self.edge.apply(caller, order, request).await?;
        let business = self.edge.catalog.business();
        let case = find(&business, caller, prefix).map(|case| show(case));
        Ok(v1::PrefixCaseResponse { case, receipt: Some(receipt(&done, Same::Unchanged)) })
    }

    fn get(&self, caller: &Caller, prefix: &str) -> Result<v1::PrefixCase, Failure> {
        let business = self.edge.catalog.business();
        let case = find(&business, caller, prefix);
        // What there is not and what is another's are answered alike.
        case.map(|case| show(case)).ok_or_else(|| Failure::new(Reason::NotFound).with("what", "case of a prefix"))
    }

    fn list(
        &self,
        caller: &Caller,
        request: &v1::ListPrefixCasesRequest,
    ) -> Result<v1::ListPrefixCasesResponse, Failure> {
        let state = match &request.state[..] {
            "" => None,
            name => Some(
                CaseState::from_name(name)
                    .ok_or_else(|| Failure::invalid_field("state", "is none of the states of a case"))?,
            ),
        };
        let question = Question::of(&[b"cases", request.state.as_bytes()]);
        let after = question.cursor(&request.page_token)?;
        let business = self.edge.catalog.business();
        let mut seen = business.cases().filter(|case| {
            *case.prefix > *after && state.is_none_or(|state| case.state == state) && sees(&business, caller, case)
        });
        let page: Vec<_> = seen.by_ref().take(size(request.page_size)).collect();
        let last = page.last().filter(|_| seen.next().is_some());
        Ok(v1::ListPrefixCasesResponse {
            next_page_token: last.map_or_else(String::new, |last| question.token(&last.prefix)),
            cases: page.into_iter().map(|case| show(case)).collect(),
        })
    }
}

fn find<'a>(business: &'a Business, caller: &Caller, prefix: &str) -> Option<&'a Arc<PrefixCase>> {
    business.case(prefix.to_ascii_uppercase().as_bytes()).filter(|case| sees(business, caller, case))
}

fn sees(business: &Business, caller: &Caller, case: &PrefixCase) -> bool {
    business.enterprise(case.enterprise).is_some_and(|enterprise| visible(&caller.rights, enterprise))
}

#[tonic::async_trait]
impl prefix_cases_server::PrefixCases for CaseService {
    async fn apply(
        &self,
        request: Request<v1::ApplyForPrefixRequest>,
    ) -> Result<Response<v1::PrefixCaseResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::apply(self, &caller, request.into_inner())).await
    }

    async fn step(&self, request: Request<v1::StepRequest>) -> Result<Response<v1::PrefixCaseResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::step(self, &caller, request.into_inner())).await
    }

    async fn get(&self, request: Request<v1::GetPrefixCaseRequest>) -> Result<Response<v1::PrefixCase>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async { Self::get(self, &caller, &request.get_ref().prefix) }).await
    }

    async fn list(
        &self,
        request: Request<v1::ListPrefixCasesRequest>,
    ) -> Result<Response<v1::ListPrefixCasesResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async { Self::list(self, &caller, request.get_ref()) }).await
    }
}
