//! `waymark.operator.v1.OwnRecord`: what the node says of itself.
//!
//! What may be changed is the writer's to decide; what is shown is decided here, by [`visible_operator`]. Personal data and files are sealed here,
//! before they become part of a command, and opened here, behind the command that notes who reads them.
//!
//! A document of full size is more than other messages may be. It goes as one message and one entry of the log, so that it is kept whole or not at
//! all; this service takes messages of that size whatever `registration.message_mib` says, see [`message_bytes`].

use std::sync::Arc;

use tonic::{Request, Response, Status};
use waymark_api::operator::v1::{self, own_record_server};
use waymark_catalog::access::Verb;
use waymark_catalog::business::{FileFormat, FileKind, FreshFile, OperatorCommand, Owner, visible_operator};
use waymark_catalog::vault::{Fresh, Vault};
use waymark_catalog::{Order, Receipt};
use zeroize::Zeroizing;

use super::sealing::{Sealing, forget, off_loop, read_file, vault, write_sealed};
use crate::config::FILE_MESSAGE_BYTES;
use crate::convert::answer::{Same, receipt};
use crate::convert::enterprise::read_profile;
use crate::convert::operator_record::{
    file_kind, read_node_items, read_operator_personal, show, show_operator_personal,
};
use crate::convert::request_id;
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::grpc::{answer, caller};
use crate::reasons::Reason;

/// Bytes of one message of this service, where others may have `usual`.
pub(in crate::grpc) fn message_bytes(usual: usize) -> usize {
    usual.max(FILE_MESSAGE_BYTES)
}

/// The service over the edge.
pub(in crate::grpc) struct OwnRecordService {
    edge: Arc<Edge>,
}

impl OwnRecordService {
    pub(in crate::grpc) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }

    async fn set(
        &self,
        caller: &Caller,
        request: v1::SetOperatorRecordRequest,
    ) -> Result<v1::OperatorRecordResponse, Failure> {
        let v1::SetOperatorRecordRequest { profile, node, personal, request_id } = request;
        self.may_write(caller)?;
        let missing = |field: &'static str| Failure::invalid_field(field, "is missing");
        let profile = Box::new(read_profile(profile.ok_or_else(|| missing("profile"))?)?);
        let node = Box::new(read_node_items(node.ok_or_else(|| missing("node"))?)?);
        let personal = personal.map(read_operator_personal).transpose()?;
        let sealing = Sealing {
            owner: Some(Owner::Node),
            seal: personal.map(|personal| move |vault: &Vault, people| vault.seal(people, &personal)),
            order: |personal| Ok(OperatorCommand::Put { profile, node, personal }.into()),
            request_id: request_id::read(&request_id)?,
        };
        let done = write_sealed(&self.edge, caller, sealing).await?;
        Ok(self.answer(&done))
    }

    /// Who may not write has nothing sealed, and no key drawn.
    fn may_write(&self, caller: &Caller) -> Result<(), Failure> {
        if caller.rights.has_everywhere(Verb::Home) { Ok(()) } else { Err(self.edge.deny(caller, Verb::Home, NODE)) }
    }

    fn may_read(&self, caller: &Caller) -> Result<(), Failure> {
        if visible_operator(&caller.rights) { Ok(()) } else { Err(self.edge.deny(caller, Verb::Read, NODE)) }
    }

    /// The record as it is after a command.
    fn answer(&self, done: &Receipt) -> v1::OperatorRecordResponse {
        let business = self.edge.catalog.business();
        let record = business.operator().map(|record| show(record, &business));
        v1::OperatorRecordResponse { record, receipt: Some(receipt(done, Same::Unchanged)) }
    }

    fn get(&self, caller: &Caller) -> Result<v1::OperatorRecord, Failure> {
        self.may_read(caller)?;
        let business = self.edge.catalog.business();
        business.operator().map(|record| show(record, &business)).ok_or_else(not_found)
    }

    async fn disclose(
        &self,
        caller: &Caller,
        request: v1::DiscloseOperatorRequest,
    ) -> Result<v1::OperatorPersonalData, Failure> {
        let vault = vault(&self.edge)?;
        let command = OperatorCommand::Disclose { purpose: request.purpose };
        self.edge.apply(caller, command.into(), None).await?;
        let business = self.edge.catalog.business();
        let sealed = business.operator().and_then(|record| record.personal.clone()).ok_or_else(not_found)?;
        let opened = off_loop(move || vault.unseal_as(&sealed)).await?;
        opened.map(|personal| show_operator_personal(&personal)).ok_or_else(not_found)
    }

    async fn put_file(
        &self,
        caller: &Caller,
        request: v1::PutOperatorFileRequest,
    ) -> Result<v1::OperatorRecordResponse, Failure> {
        let v1::PutOperatorFileRequest { kind, data, request_id } = request;
        self.may_write(caller)?;
        let kind = file_kind(&kind)?;
        let format = if data.is_empty() { None } else { Some(self.format(kind, &data)?) };
        let (data, edge) = (Zeroizing::new(data), Arc::clone(&self.edge));
        let sealing = Sealing {
            owner: Some(Owner::Node),
            seal: format.map(|_| move |vault: &Vault, people| vault.seal_bytes(people, &data)),
            order: move |fresh: Option<Box<Fresh>>| {
                let file = format.zip(fresh).map(|(format, fresh)| Box::new(FreshFile { format, fresh: *fresh }));
                let order = OperatorCommand::PutFile { kind, file }.into();
                fits(&edge, &order).map(|()| order)
            },
            request_id: request_id::read(&request_id)?,
        };
        let done = write_sealed(&self.edge, caller, sealing).await?;
        Ok(self.answer(&done))
    }

    /// What a file is, and that there is a key to seal it with.
    fn format(&self, kind: FileKind, data: &[u8]) -> Result<FileFormat, Failure> {
        let format =
            FileFormat::of(kind, data).map_err(|problem| Failure::of_refusal(&problem.into(), self.edge.now()))?;
        let business = self.edge.catalog.business();
        business.operator().ok_or_else(not_found)?;
        let forgotten = "belongs to people who were forgotten: say who they are first";
        let held = business.people(Owner::Node).held;
        held.map(|_| format).ok_or_else(|| Failure::invalid_field("data", forgotten))
    }

    async fn file(
        &self,
        caller: &Caller,
        request: v1::OperatorFileRequest,
    ) -> Result<v1::OperatorFileResponse, Failure> {
        let v1::OperatorFileRequest { kind, purpose } = request;
        let kind = file_kind(&kind)?;
        vault(&self.edge)?;
        self.edge.apply(caller, OperatorCommand::Disclose { purpose }.into(), None).await?;
        let (format, data) = read_file(&self.edge, Owner::Node, kind, "file").await?;
        Ok(v1::OperatorFileResponse { format: format.to_owned(), data })
    }

    async fn forget(
        &self,
        caller: &Caller,
        request: v1::ForgetOperatorRequest,
    ) -> Result<v1::OperatorRecordResponse, Failure> {
        let command = OperatorCommand::Forget { reason: request.reason };
        let done = forget(&self.edge, caller, Owner::Node, command).await?;
        Ok(self.answer(&done))
    }
}

/// A file is one write. Where less is written at a time than it takes, that is what to change.
fn fits(edge: &Edge, order: &Order) -> Result<(), Failure> {
    let ((limit, _), bytes) = (edge.catalog.writer().submission_limits(), order.command.weight_bytes());
    if bytes <= limit {
        return Ok(());
    }
    let what = format!("takes a write of {bytes} bytes, more than the {limit} this node makes; raise write.group_mib");
    Err(Failure::invalid_field("data", what))
}

/// What the record is called in the audit.
const NODE: &[u8] = b"node";

fn not_found() -> Failure {
    Failure::new(Reason::NotFound).with("what", "operator record")
}

#[tonic::async_trait]
impl own_record_server::OwnRecord for OwnRecordService {
    async fn set(
        &self,
        request: Request<v1::SetOperatorRecordRequest>,
    ) -> Result<Response<v1::OperatorRecordResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::set(self, &caller, request.into_inner())).await
    }

    async fn get(
        &self,
        request: Request<v1::GetOperatorRecordRequest>,
    ) -> Result<Response<v1::OperatorRecord>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async { Self::get(self, &caller) }).await
    }

    async fn disclose(
        &self,
        request: Request<v1::DiscloseOperatorRequest>,
    ) -> Result<Response<v1::OperatorPersonalData>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::disclose(self, &caller, request.into_inner())).await
    }

    async fn put_file(
        &self,
        request: Request<v1::PutOperatorFileRequest>,
    ) -> Result<Response<v1::OperatorRecordResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::put_file(self, &caller, request.into_inner())).await
    }

    async fn file(
        &self,
        request: Request<v1::OperatorFileRequest>,
    ) -> Result<Response<v1::OperatorFileResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::file(self, &caller, request.into_inner())).await
    }

    async fn forget(
        &self,
        request: Request<v1::ForgetOperatorRequest>,
    ) -> Result<Response<v1::OperatorRecordResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::forget(self, &caller, request.into_inner())).await
    }
}
