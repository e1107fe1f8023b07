//! `waymark.operator.v1.Enterprises`: who the enterprises are.
//!
//! What may be changed is the writer's to decide. What is shown is decided here, by [`visible`]: those who review or audit everywhere see all,
//! others the enterprise they act for. Personal data is sealed here, before it becomes part of a command, and opened here, behind the command that
//! notes who reads it.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use waymark_api::operator::v1::{self, enterprises_server};
use waymark_catalog::Receipt;
use waymark_catalog::access::Verb;
use waymark_catalog::business::{
    Business, BusinessCommand, Enterprise, EnterpriseId, FileFormat, FileKind, FreshFile, Owner, visible,
};
use waymark_catalog::vault::{Fresh, Vault};
use zeroize::Zeroizing;

use super::sealing::{Sealing, forget, off_loop, read_file, vault, write_sealed};
use crate::convert::answer::{Same, receipt};
use crate::convert::enterprise::{
    needed_id, read_id, read_personal, read_profile, real_name_result, show, show_personal,
};
use crate::convert::page::{Question, size};
use crate::convert::request_id;
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::grpc::{answer, caller};
use crate::reasons::Reason;

/// The service over the edge.
pub(in crate::grpc) struct EnterpriseService {
    edge: Arc<Edge>,
}

impl EnterpriseService {
    pub(in crate::grpc) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }

    async fn put(&self, caller: &Caller, request: v1::PutEnterpriseRequest) -> Result<v1::EnterpriseResponse, Failure> {
        let v1::PutEnterpriseRequest { id, profile, personal, principals, request_id } = request;
        let id = read_id("id", &id)?;
        let profile = profile.ok_or_else(|| Failure::invalid_field("profile", "is missing"))?;
        let profile = Box::new(read_profile(profile)?);
        let personal = personal.map(read_personal).transpose()?;
        if personal.is_some() {
            self.may_seal(caller)?;
        }
        let principals = principals.map(|given| given.names.into_iter().map(Arc::from).collect());
        let sealing = Sealing {
            owner: self.owner(caller, id),
            seal: personal.map(|personal| move |vault: &Vault, people| vault.seal(people, &personal)),
            order: move |personal| Ok(BusinessCommand::PutEnterprise { id, profile, personal, principals }.into()),
            request_id: request_id::read(&request_id)?,
        };
        let done = write_sealed(&self.edge, caller, sealing).await?;
        self.answer(caller, id, &done)
    }

    /// Whose record a call is about; that it is the caller's to write is the writer's to say.
    fn owner(&self, caller: &Caller, id: Option<EnterpriseId>) -> Option<Owner> {
        let business = self.edge.catalog.business();
        let own = || business.of_principal(&caller.rights.principal.name).map(|own| own.id);
        id.or_else(own).map(Owner::from)
    }

    /// Who may write no enterprise at all has nothing sealed, and no key drawn.
    fn may_seal(&self, caller: &Caller) -> Result<(), Failure> {
        if caller.rights.has(Verb::Apply) { Ok(()) } else { Err(self.edge.deny(caller, Verb::Apply, b"E")) }
    }

    /// The enterprise as it is after a command.
    fn answer(
        &self,
        caller: &Caller,
        id: Option<EnterpriseId>,
        done: &Receipt,
    ) -> Result<v1::EnterpriseResponse, Failure> {
        let business = self.edge.catalog.business();
        let written = || business.enterprises().rev().find(|each| each.serial == done.serial);
        // A repeated request leads to an entry that may have been replaced since.
        let enterprise = find(&business, caller, id).or_else(written);
        let enterprise = enterprise.map(|enterprise| show(enterprise, &business));
        Ok(v1::EnterpriseResponse { enterprise, receipt: Some(receipt(done, Same::Unchanged)) })
    }

    fn get(&self, caller: &Caller, id: &str) -> Result<v1::Enterprise, Failure> {
        let (id, business) = (read_id("id", id)?, self.edge.catalog.business());
        let found = find(&business, caller, id).ok_or_else(not_found)?;
        Ok(show(found, &business))
    }

    fn list(
        &self,
        caller: &Caller,
        request: &v1::ListEnterprisesRequest,
    ) -> Result<v1::ListEnterprisesResponse, Failure> {
        let question = Question::of(&[b"enterprises"]);
        let after = question.number(&request.page_token)?.unwrap_or(0);
        let business = self.edge.catalog.business();
        let mut seen =
            business.enterprises().filter(|each| u64::from(each.id.0) > after && visible(&caller.rights, each));
        let page: Vec<_> = seen.by_ref().take(size(request.page_size)).collect();
        let last = page.last().filter(|_| seen.next().is_some());
        Ok(v1::ListEnterprisesResponse {
            next_page_token: last.map_or_else(String::new, |last| question.token(&u64::from(last.id.0).to_be_bytes())),
            enterprises: page.into_iter().map(|each| show(each, &business)).collect(),
        })
    }

    async fn set_real_name(
        &self,
        caller: &Caller,
        request: v1::SetRealNameRequest,
    ) -> Result<v1::EnterpriseResponse, Failure> {
        let v1::SetRealNameRequest { id, result, source, reviewer } = request;
        let (id, result) = (needed_id(&id)?, real_name_result(&result)?);
        let command = BusinessCommand::SetRealName { id, result, source, reviewer };
        let done = self.edge.apply(caller, command.into(), None).await?;
        self.answer(caller, Some(id), &done)
    }

    async fn disclose(&self, caller: &Caller, request: v1::DiscloseRequest) -> Result<v1::PersonalData, Failure> {
        let v1::DiscloseRequest { id, purpose } = request;
        let (id, vault) = (needed_id(&id)?, vault(&self.edge)?);
        let command = BusinessCommand::Disclose { id, purpose };
        self.edge.apply(caller, command.into(), None).await?;
        let business = self.edge.catalog.business();
        let sealed = business.enterprise(id).and_then(|enterprise| enterprise.personal.clone());
        let sealed = sealed.ok_or_else(not_found)?;
        let opened = off_loop(move || vault.unseal(&sealed)).await?;
        opened.map(|personal| show_personal(&personal)).ok_or_else(not_found)
    }

    async fn put_image(
        &self,
        caller: &Caller,
        request: v1::PutImageRequest,
    ) -> Result<v1::EnterpriseResponse, Failure> {
        let v1::PutImageRequest { id, kind, data, request_id } = request;
        let (id, kind) = (read_id("id", &id)?, image_kind(&kind)?);
        self.may_seal(caller)?;
        if find(&self.edge.catalog.business(), caller, id).is_none() {
            return Err(not_found());
        }
        let owner = self.owner(caller, id);
        let format = if data.is_empty() { None } else { Some(self.format(owner, kind, &data)?) };
        let data = Zeroizing::new(data);
        let sealing = Sealing {
            owner,
            seal: format.map(|_| move |vault: &Vault, people| vault.seal_bytes(people, &data)),
            order: move |fresh: Option<Box<Fresh>>| {
                let image = format.zip(fresh).map(|(format, fresh)| Box::new(FreshFile { format, fresh: *fresh }));
                Ok(BusinessCommand::PutImage { id, kind, image }.into())
            },
            request_id: request_id::read(&request_id)?,
        };
        let done = write_sealed(&self.edge, caller, sealing).await?;
        self.answer(caller, id, &done)
    }

    /// What an image is, and that there is a key to seal it with.
    fn format(&self, owner: Option<Owner>, kind: FileKind, data: &[u8]) -> Result<FileFormat, Failure> {
        let format =
            FileFormat::of(kind, data).map_err(|problem| Failure::of_refusal(&problem.into(), self.edge.now()))?;
        let held = owner.and_then(|owner| self.edge.catalog.business().people(owner).held);
        held.map(|_| format).ok_or_else(|| Failure::invalid_field("id", "must have said who its people are before"))
    }

    async fn image(&self, caller: &Caller, request: v1::ImageRequest) -> Result<v1::ImageResponse, Failure> {
        let v1::ImageRequest { id, kind, purpose } = request;
        let (id, kind) = (needed_id(&id)?, image_kind(&kind)?);
        vault(&self.edge)?;
        let known = find(&self.edge.catalog.business(), caller, Some(id)).is_some();
        let command = BusinessCommand::Disclose { id, purpose };
        self.edge.apply(caller, command.into(), None).await?;
        if !known {
            return Err(Failure::new(Reason::NotFound).with("what", "image"));
        }
        let (format, data) = read_file(&self.edge, id.into(), kind, "image").await?;
        Ok(v1::ImageResponse { format: format.to_owned(), data })
    }

    async fn forget(&self, caller: &Caller, request: v1::ForgetRequest) -> Result<v1::EnterpriseResponse, Failure> {
        let v1::ForgetRequest { id, reason } = request;
        let id = needed_id(&id)?;
        let done = forget(&self.edge, caller, id.into(), BusinessCommand::Forget { id, reason }).await?;
        self.answer(caller, Some(id), &done)
    }
}

/// The enterprise of a name, or the one the caller acts for, if the caller may know of it.
fn find<'a>(business: &'a Business, caller: &Caller, id: Option<EnterpriseId>) -> Option<&'a Arc<Enterprise>> {
    let found = match id {
        Some(id) => business.enterprise(id),
        None => business.of_principal(&caller.rights.principal.name),
    };
    found.filter(|enterprise| visible(&caller.rights, enterprise))
}

/// Reads what an image shows.
fn image_kind(kind: &str) -> Result<FileKind, Failure> {
    FileKind::from_name(kind).filter(|kind| kind.is_image()).ok_or_else(|| {
        let names: Vec<&str> = FileKind::IMAGES.iter().map(|kind| kind.as_str()).collect();
        Failure::invalid_field("kind", format!("must be one of {}", names.join(", ")))
    })
}

/// What there is not and what is another's are answered alike.
fn not_found() -> Failure {
    Failure::new(Reason::NotFound).with("what", "enterprise")
}

#[tonic::async_trait]
impl enterprises_server::Enterprises for EnterpriseService {
    async fn put(
        &self,
        request: Request<v1::PutEnterpriseRequest>,
    ) -> Result<Response<v1::EnterpriseResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::put(self, &caller, request.into_inner())).await
    }

    async fn get(&self, request: Request<v1::GetEnterpriseRequest>) -> Result<Response<v1::Enterprise>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async { Self::get(self, &caller, &request.get_ref().id) }).await
    }

    async fn list(
        &self,
        request: Request<v1::ListEnterprisesRequest>,
    ) -> Result<Response<v1::ListEnterprisesResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async { Self::list(self, &caller, request.get_ref()) }).await
    }

    async fn set_real_name(
        &self,
        request: Request<v1::SetRealNameRequest>,
    ) -> Result<Response<v1::EnterpriseResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::set_real_name(self, &caller, request.into_inner())).await
    }

    async fn disclose(&self, request: Request<v1::DiscloseRequest>) -> Result<Response<v1::PersonalData>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::disclose(self, &caller, request.into_inner())).await
    }

    async fn put_image(
        &self,
        request: Request<v1::PutImageRequest>,
    ) -> Result<Response<v1::EnterpriseResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::put_image(self, &caller, request.into_inner())).await
    }

    async fn image(&self, request: Request<v1::ImageRequest>) -> Result<Response<v1::ImageResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::image(self, &caller, request.into_inner())).await
    }

    async fn forget(&self, request: Request<v1::ForgetRequest>) -> Result<Response<v1::EnterpriseResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::forget(self, &caller, request.into_inner())).await
    }
}
