//! `waymark.operator.v1.Applications`: applications of identifiers, of the node and of its enterprises.
//!
//! What may be changed is the writer's to decide. What is shown is decided here, by [`visible_applications`].

use std::iter;
use std::sync::Arc;

use tonic::{Request, Response, Status};
use waymark_api::operator::v1::{self, applications_server};
use waymark_catalog::Receipt;
use waymark_catalog::business::{
    Application, ApplicationCommand, ApplicationId, Business, Owner, visible_applications,
};

use crate::convert::answer::{Same, receipt};
use crate::convert::application::{needed_id, read_id, read_owner, read_profile, read_users, show};
use crate::convert::page::{Question, size};
use crate::convert::request_id;
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::grpc::{answer, caller};
use crate::reasons::Reason;

/// The service over the edge.
pub(in crate::grpc) struct ApplicationService {
    edge: Arc<Edge>,
}

impl ApplicationService {
    pub(in crate::grpc) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }

    async fn put(
        &self,
        caller: &Caller,
        request: v1::PutApplicationRequest,
    ) -> Result<v1::ApplicationResponse, Failure> {
        let v1::PutApplicationRequest { id, owner, profile, users, request_id } = request;
        let profile = profile.ok_or_else(|| Failure::invalid_field("profile", "is missing"))?;
        let (id, owner) = (read_id(&id)?, read_owner(&owner)?);
        let command = ApplicationCommand::Put {
            id,
            owner,
            profile: Box::new(read_profile(profile)?),
            users: users.map(read_users),
        };
        let done = self.apply(caller, command, &request_id).await?;
        Ok(self.answer(caller, &done, id, owner))
    }

    async fn count_users(
        &self,
        caller: &Caller,
        request: v1::CountUsersRequest,
    ) -> Result<v1::ApplicationResponse, Failure> {
        let v1::CountUsersRequest { id, users, request_id } = request;
        let users = users.ok_or_else(|| Failure::invalid_field("users", "is missing"))?;
        let id = needed_id(&id)?;
        let command = ApplicationCommand::CountUsers { id, users: read_users(users) };
        let done = self.apply(caller, command, &request_id).await?;
        Ok(self.answer(caller, &done, Some(id), None))
    }

    async fn delete(
        &self,
        caller: &Caller,
        request: v1::DeleteApplicationRequest,
    ) -> Result<v1::DeleteApplicationResponse, Failure> {
        let command = ApplicationCommand::Delete { id: needed_id(&request.id)? };
        let done = self.apply(caller, command, &request.request_id).await?;
        Ok(v1::DeleteApplicationResponse { receipt: Some(receipt(&done, Same::Unchanged)) })
    }

    async fn apply(&self, caller: &Caller, command: ApplicationCommand, request_id: &str) -> Result<Receipt, Failure> {
        let order = command.into();
        let request = request_id::request(request_id, &order)?;
        self.edge.apply(caller, order, request).await
    }

    /// The application as a command left it, told by its number, or as one of the owner that was named or meant; absent when it was changed or
    /// deleted since.
    fn answer(
        &self,
        caller: &Caller,
        done: &Receipt,
        id: Option<ApplicationId>,
        owner: Option<Owner>,
    ) -> v1::ApplicationResponse {
        let business = self.edge.catalog.business();
        let owner = || owner.or_else(|| own(caller, &business)).unwrap_or(Owner::Node);
        let written = |each: &&Arc<Application>| each.serial == done.serial;
        let known = match id {
            Some(id) => business.application(id).filter(written),
            None => business.applications_of(owner(), ApplicationId(0)).find(written),
        };
        let application = known.filter(|each| is_visible(caller, each, &business)).map(|each| show(each));
        v1::ApplicationResponse { application, receipt: Some(receipt(done, Same::Unchanged)) }
    }

    fn get(&self, caller: &Caller, id: &str) -> Result<v1::Application, Failure> {
        let (id, business) = (needed_id(id)?, self.edge.catalog.business());
        let found = business.application(id).filter(|each| is_visible(caller, each, &business));
        // What there is not and what is another's are answered alike.
        found.map(|each| show(each)).ok_or_else(|| Failure::new(Reason::NotFound).with("what", "application"))
    }

    fn list(
        &self,
        caller: &Caller,
        request: &v1::ListApplicationsRequest,
    ) -> Result<v1::ListApplicationsResponse, Failure> {
        let owner = read_owner(&request.owner)?;
        let question = Question::of(&[b"applications", request.owner.as_bytes()]);
        let after = question.number(&request.page_token)?.unwrap_or(0);
        let business = self.edge.catalog.business();
        // Others than those who are shown everything, as the node's own are, have their own alone.
        let sees_all = visible_applications(&caller.rights, Owner::Node, &business);
        let owner = owner.or_else(|| own(caller, &business).filter(|_| !sees_all));
        let after = ApplicationId(after);
        let found: Box<dyn Iterator<Item = &Arc<Application>>> = match owner {
            Some(owner) => Box::new(business.applications_of(owner, after)),
            None if sees_all => Box::new(business.applications_after(after)),
            None => Box::new(iter::empty()),
        };
        let mut seen = found.filter(|each| is_visible(caller, each, &business));
        let page: Vec<_> = seen.by_ref().take(size(request.page_size)).collect();
        let last = page.last().filter(|_| seen.next().is_some());
        Ok(v1::ListApplicationsResponse {
            next_page_token: last.map_or_else(String::new, |last| question.token(&last.id.0.to_be_bytes())),
            applications: page.into_iter().map(|each| show(each)).collect(),
        })
    }
}

/// The enterprise a caller acts for.
fn own(caller: &Caller, business: &Business) -> Option<Owner> {
    business.of_principal(&caller.rights.principal.name).map(|own| own.id.into())
}

fn is_visible(caller: &Caller, application: &Application, business: &Business) -> bool {
    visible_applications(&caller.rights, application.owner, business)
}

#[tonic::async_trait]
impl applications_server::Applications for ApplicationService {
    async fn put(
        &self,
        request: Request<v1::PutApplicationRequest>,
    ) -> Result<Response<v1::ApplicationResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::put(self, &caller, request.into_inner())).await
    }

    async fn count_users(
        &self,
        request: Request<v1::CountUsersRequest>,
    ) -> Result<Response<v1::ApplicationResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::count_users(self, &caller, request.into_inner())).await
    }

    async fn get(&self, request: Request<v1::GetApplicationRequest>) -> Result<Response<v1::Application>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async { Self::get(self, &caller, &request.get_ref().id) }).await
    }

    async fn list(
        &self,
        request: Request<v1::ListApplicationsRequest>,
    ) -> Result<Response<v1::ListApplicationsResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async { Self::list(self, &caller, request.get_ref()) }).await
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteApplicationRequest>,
    ) -> Result<Response<v1::DeleteApplicationResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::delete(self, &caller, request.into_inner())).await
    }
}
