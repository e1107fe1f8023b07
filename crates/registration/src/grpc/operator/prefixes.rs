//! `waymark.operator.v1.Prefixes`: which prefixes this node answers for.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use waymark_api::operator::v1::{self, prefixes_server};
use waymark_catalog::access::{Rights, Verb};
use waymark_catalog::{Command, HomeName};

use crate::convert::answer::{Same, receipt};
use crate::convert::page::{Question, size};
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::grpc::{answer, caller};

/// The service over the edge.
pub(in crate::grpc) struct PrefixService {
    edge: Arc<Edge>,
}

impl PrefixService {
    pub(in crate::grpc) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }

    async fn change(&self, caller: &Caller, command: Command) -> Result<v1::PrefixResponse, Failure> {
        let done = self.edge.apply(caller, command.into(), None).await;
        let done = done.map_err(|failure| failure.about("prefix"))?;
        Ok(v1::PrefixResponse { receipt: Some(receipt(&done, Same::Unchanged)) })
    }

    /// Prefixes in order of their handles. Who works under some prefixes only is shown those.
    async fn list(
        &self,
        caller: &Caller,
        request: v1::ListPrefixesRequest,
    ) -> Result<v1::ListPrefixesResponse, Failure> {
        let question = Question::of(&[b"prefixes"]);
        let after = question.cursor(&request.page_token)?;
        let prefixes = self.edge.catalog.prefixes();
        let seen = |name: &HomeName| may_see(&caller.rights, name);
        let mut names: Vec<(Vec<u8>, HomeName)> =
            prefixes.iter().filter(seen).map(|name| (name.handle(), name)).filter(|(key, _)| *key > after).collect();
        names.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let most = size(request.page_size);
        let more = names.len() > most;
        names.truncate(most);
        let last = names.last().filter(|_| more);
        let next_page_token = last.map_or_else(String::new, |(key, _)| question.token(key));
        let shown = self.edge.reading.read(move |cold| {
            let unreadable = |_| Failure::unreadable("the number of identifiers of a prefix");
            let shown = names.into_iter().map(|(handle, name)| {
                let identifiers = match name {
                    HomeName::Prefix(ref prefix) => cold.record_count(prefix).map_err(unreadable)?,
                    HomeName::DerivedFrom(_) => 0,
                };
                let serial = prefixes.homed_at(&name).unwrap_or_default().0;
                Ok(v1::HomedPrefix { handle: String::from_utf8_lossy(&handle).into_owned(), serial, identifiers })
            });
            shown.collect::<Result<Vec<_>, Failure>>()
        });
        Ok(v1::ListPrefixesResponse { prefixes: shown.await?, next_page_token })
    }
}

fn may_see(rights: &Rights, name: &HomeName) -> bool {
    rights.allows(Verb::List, name.prefix())
}

/// Reads what is to be homed or given up.
pub(crate) fn parse(prefix: &str) -> Result<HomeName, Failure> {
    HomeName::parse(prefix.as_bytes()).map_err(|error| Failure::invalid_field("prefix", error.to_string()))
}

#[tonic::async_trait]
impl prefixes_server::Prefixes for PrefixService {
    async fn home(&self, request: Request<v1::HomeRequest>) -> Result<Response<v1::PrefixResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async {
            self.change(&caller, Command::Home { name: parse(&request.get_ref().prefix)? }).await
        })
        .await
    }

    async fn unhome(&self, request: Request<v1::UnhomeRequest>) -> Result<Response<v1::PrefixResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async {
            self.change(&caller, Command::Unhome { name: parse(&request.get_ref().prefix)? }).await
        })
        .await
    }

    async fn list(
        &self,
        request: Request<v1::ListPrefixesRequest>,
    ) -> Result<Response<v1::ListPrefixesResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, Self::list(self, &caller, request.into_inner())).await
    }
}
