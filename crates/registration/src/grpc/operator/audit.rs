//! `waymark.operator.v1.Audit`: what was done, by whom, with what outcome.

use std::ops::ControlFlow;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use tonic::{Request, Response, Status};
use waymark_api::operator::v1::{self, audit_server};
use waymark_catalog::FeedLimits;
use waymark_catalog::access::Verb;
use waymark_catalog::audit::{self, AuditHead, Cursor, Deed, Filter, Told};

use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::{Failure, proto_time};
use crate::grpc::{answer, caller, failed};
use crate::reading::catalog_time;
use crate::reasons::Reason;

/// Entries told when the caller does not say, and problems told at most.
const MOST: usize = 1_000;

/// The service over the edge.
pub(in crate::grpc) struct AuditService {
    edge: Arc<Edge>,
}

impl AuditService {
    pub(in crate::grpc) fn new(edge: &Arc<Edge>) -> Self {
        Self { edge: Arc::clone(edge) }
    }

    /// The audit is about everybody: whoever reads it must be allowed to everywhere.
    fn admit(&self, caller: &Caller) -> Result<(), Failure> {
        if caller.rights.has(Verb::Audit) && caller.rights.is_everywhere() {
            return Ok(());
        }
        Err(self.edge.deny(caller, Verb::Audit, b""))
    }

    async fn verify(&self) -> Result<v1::VerifyAuditResponse, Failure> {
        let catalog = self.edge.catalog.clone();
        let read = self.edge.reading.read(move |_| {
            let mut problems = Vec::new();
            let verified = audit::verify(catalog.store().as_ref(), &[], None, &mut |problem| {
                problems.push(v1::AuditProblem {
                    note: problem.note,
                    serial: problem.serial.0,
                    what: problem.what.to_string(),
                });
                if problems.len() < MOST { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            let verified = verified.map_err(|_| Failure::new(Reason::Unreadable))?;
            let (notes, entries) = (verified.notes, verified.entries);
            Ok(v1::VerifyAuditResponse { notes, entries, head: Some(show_head(&verified.head)), problems })
        });
        read.await
    }
}

/// One page of a search after the other, each read when the one before was sent.
struct Search {
    edge: Arc<Edge>,
    filter: Filter,
    from: Option<Cursor>,
    left: usize,
}

impl Search {
    async fn next(mut self) -> Result<Option<(Vec<v1::AuditEntry>, Self)>, Failure> {
        let Some(from) = self.from.filter(|_| self.left > 0) else { return Ok(None) };
        let (catalog, filter, left) = (self.edge.catalog.clone(), self.filter.clone(), self.left);
        let read = self.edge.reading.read(move |_| {
            let mut found = Vec::new();
            let next = audit::search(catalog.store().as_ref(), &filter, from, FeedLimits::default(), &mut |told| {
                found.push(show(told));
                if found.len() < left { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            Ok((found, next.map_err(|_| Failure::new(Reason::Unreadable))?))
        });
        let (found, next) = read.await?;
        self.left = self.left.saturating_sub(found.len());
        self.from = next;
        Ok(Some((found, self)))
    }
}

fn filter(request: v1::SearchAuditRequest) -> Result<Filter, Failure> {
    let text = |text: String| Some(text).filter(|text| !text.is_empty());
    let v1::SearchAuditRequest { from, until, actor, key, verb, outcome, .. } = request;
    Ok(Filter {
        from: from.map(|time| catalog_time(&time, "from")).transpose()?,
        until: until.map(|time| catalog_time(&time, "until")).transpose()?,
        actor: text(actor),
        key: key.into_bytes(),
        verb: text(verb),
        outcome: text(outcome),
        source: None,
    })
}

fn show(told: &Told<'_>) -> v1::AuditEntry {
    let (actor, origin) = (&told.item.actor, told.item.actor.origin());
    let entry = v1::AuditEntry {
        note: told.note,
        time: Some(proto_time(told.time)),
        actor: actor.name().to_owned(),
        credential: actor.proof().to_string(),
        door: origin.door.as_str().to_owned(),
        source: origin.source.map_or_else(String::new, |source| source.to_string()),
        verb: told.item.verb.name().into_owned(),
        key: String::from_utf8_lossy(&told.item.key).into_owned(),
        outcome: told.item.deed.outcome().into_owned(),
        ..v1::AuditEntry::default()
    };
    match &told.item.deed {
        Deed::Done { serial, before, after, .. } => v1::AuditEntry {
            serial: serial.0,
            before: before.map_or_else(Vec::new, |hash| hash.0.to_vec()),
            after: after.map_or_else(Vec::new, |hash| hash.0.to_vec()),
            ..entry
        },
        Deed::Counted { count, first, last, .. } => {
            v1::AuditEntry { count: *count, first: Some(proto_time(*first)), last: Some(proto_time(*last)), ..entry }
        }
        Deed::Pruned { upto, .. } => v1::AuditEntry { serial: upto.0, ..entry },
        _ => entry,
    }
}

fn show_head(head: &AuditHead) -> v1::AuditHead {
    v1::AuditHead {
        note: head.note,
        serial: head.serial.0,
        time: Some(proto_time(head.time)),
        algorithm: head.algorithm.as_str().to_owned(),
        chain: head.chain.0.to_vec(),
    }
}

#[tonic::async_trait]
impl audit_server::Audit for AuditService {
    type SearchStream = BoxStream<'static, Result<v1::AuditEntry, Status>>;

    async fn search(&self, request: Request<v1::SearchAuditRequest>) -> Result<Response<Self::SearchStream>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let language = caller.language;
        let request = request.into_inner();
        let left = usize::try_from(request.limit).ok().filter(|limit| *limit > 0).unwrap_or(MOST);
        let edge = Arc::clone(&self.edge);
        let fail = move |failure: Failure| failed(&edge, &failure, language);
        let begin = self.admit(&caller).and_then(|()| filter(request)).map_err(&fail)?;
        let search = Search { edge: Arc::clone(&self.edge), filter: begin, from: Some(Cursor::default()), left };
        let pages = stream::try_unfold(search, Search::next);
        let entries = pages.flat_map(move |page| {
            stream::iter(match page {
                Ok(found) => found.into_iter().map(Ok).collect(),
                Err(failure) => vec![Err(fail(failure))],
            })
        });
        Ok(Response::new(entries.boxed()))
    }

    async fn head(&self, request: Request<v1::AuditHeadRequest>) -> Result<Response<v1::AuditHead>, Status> {
        let caller = caller(&self.edge, &request).await?;
        answer(&self.edge, &caller, async {
            self.admit(&caller)?;
            Ok(show_head(&self.edge.catalog.audit_head()))
        })
        .await
    }

    async fn verify(
        &self,
        request: Request<v1::VerifyAuditRequest>,
    ) -> Result<Response<v1::VerifyAuditResponse>, Status> {
        let caller = caller(&self.edge, &request).await?;
        let language = caller.language;
        let verified = async {
            self.admit(&caller)?;
            // As long as the log is long: the caller's deadline counts, not that of other calls.
            Self::verify(self).await
        };
        verified.await.map(Response::new).map_err(|failure| failed(&self.edge, &failure, language))
    }
}
