//! `waymark.operator.v1.Audit`: what was done, by whom, with what outcome.

use std::ops::ControlFlow;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use prost::Message as _;
use tokio::time::{Instant, timeout_at};
use tonic::{Request, Response, Status};
use waymark_api::operator::v1::{self, audit_server};
use waymark_catalog::access::Verb;
use waymark_catalog::audit::{self, AuditHead, Cursor, Deed, Filter, Told, Verification, Verified};
use waymark_catalog::{FeedLimits, Serial};

use crate::convert::page::Question;
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::{Failure, proto_time};
use crate::grpc::stream::deadline;
use crate::grpc::{answer, caller, failed};
use crate::reading::catalog_time;
use crate::reading::watch::of_follow;
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
        if caller.rights.has_everywhere(Verb::Audit) {
            return Ok(());
        }
        Err(self.edge.deny(caller, Verb::Audit, b""))
    }

    /// Until when a call may go on that its caller gives until `asked`.
    fn deadline(&self, asked: Option<Instant>) -> Instant {
        let most = Instant::now() + self.edge.limits.audit_time;
        asked.map_or(most, |asked| asked.min(most))
    }

    async fn verify(&self, deadline: Instant) -> Result<v1::VerifyAuditResponse, Failure> {
        let turn = self.edge.verifications.try_acquire().map_err(|_| Failure::new(Reason::Busy))?;
        let store = Arc::clone(self.edge.catalog.store());
        let mut state =
            Verifying { verification: Verification::begin(store.as_ref(), &[], None), problems: Vec::new() };
        let verified = loop {
            if self.edge.stopping.has_begun() {
                return Err(Failure::new(Reason::Stopping));
            }
            let unfinished = state.unfinished();
            if Instant::now() >= deadline {
                return Err(unfinished);
            }
            // A part at a time: a caller that has given up is not worked for any more.
            let part = state.advance(&self.edge);
            let (after, flow) = timeout_at(deadline, part).await.map_err(|_| unfinished)??;
            state = after;
            if let ControlFlow::Break(verified) = flow {
                break verified;
            }
        };
        drop(turn);
        let Verified { notes, entries, head, .. } = verified;
        Ok(v1::VerifyAuditResponse { notes, entries, head: Some(show_head(&head)), problems: state.problems })
    }
}

/// A verification under way.
struct Verifying {
    verification: Verification,
    problems: Vec<v1::AuditProblem>,
}

impl Verifying {
    /// Looks at the next part of the log.
    async fn advance(mut self, edge: &Edge) -> Result<(Self, ControlFlow<Verified>), Failure> {
        let store = Arc::clone(edge.catalog.store());
        let read = edge.auditing.read(move |_| {
            let Self { verification, problems } = &mut self;
            let flow = verification.advance(store.as_ref(), FeedLimits::default(), &mut |problem| {
                problems.push(v1::AuditProblem {
                    note: problem.note,
                    serial: problem.serial.0,
                    what: problem.what.to_string(),
                });
                if problems.len() < MOST { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            let flow = flow.map_err(|error| of_follow(&error))?;
            Ok((self, flow))
        });
        read.await
    }

    /// What is said when there is no time for more.
    fn unfinished(&self) -> Failure {
        let failure = Failure::new(Reason::AuditUnfinished).with("serial", self.verification.upto());
        failure.with("count", self.problems.len())
    }
}

/// One page of a search after the other, each read when the one before was sent.
struct Search {
    edge: Arc<Edge>,
    question: Question,
    filter: Filter,
    from: Option<Cursor>,
    left: usize,
    deadline: Instant,
    /// Something was read by this call.
    begun: bool,
}

impl Search {
    async fn next(mut self) -> Result<Option<(Vec<v1::AuditEntry>, Self)>, Failure> {
        let Some(from) = self.from.filter(|_| self.left > 0) else { return Ok(None) };
        if self.edge.stopping.has_begun() {
            return Err(Failure::new(Reason::Stopping));
        }
        // At least one page for each call, so that a search comes to its end.
        if self.begun && Instant::now() >= self.deadline {
            self.from = None;
            return Ok(Some((vec![self.goes_on(from)], self)));
        }
        let (catalog, filter, left) = (self.edge.catalog.clone(), self.filter.clone(), self.left);
        let read = self.edge.auditing.read(move |_| {
            let mut found = Vec::new();
            let next = audit::search(catalog.store().as_ref(), &filter, from, FeedLimits::default(), &mut |told| {
                found.push(show(told));
                if found.len() < left { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            Ok((found, next.map_err(|error| of_follow(&error))?))
        });
        let (found, next) = read.await?;
        self.left = self.left.saturating_sub(found.len());
        (self.from, self.begun) = (next, true);
        Ok(Some((found, self)))
    }

    /// The message that says where the search goes on.
    fn goes_on(&self, from: Cursor) -> v1::AuditEntry {
        let items = u64::try_from(from.items).unwrap_or(u64::MAX);
        let cursor = [from.serial.0.to_be_bytes(), items.to_be_bytes()].concat();
        v1::AuditEntry { next_page_token: self.question.token(&cursor), ..v1::AuditEntry::default() }
    }
}

/// The search that pages belong to, and where a page begins.
fn place(request: &v1::SearchAuditRequest) -> Result<(Question, Cursor), Failure> {
    let wanted = v1::SearchAuditRequest { limit: 0, page_token: String::new(), ..request.clone() };
    let question = Question::of(&[b"audit", &wanted.encode_to_vec()]);
    let cursor = question.cursor(&request.page_token)?;
    if cursor.is_empty() {
        return Ok((question, Cursor::default()));
    }
    let (serial, items) = cursor.split_first_chunk().ok_or_else(|| Failure::new(Reason::PageTokenInvalid))?;
    let items: &[u8; 8] = items.try_into().map_err(|_| Failure::new(Reason::PageTokenInvalid))?;
    let items = usize::try_from(u64::from_be_bytes(*items)).unwrap_or(usize::MAX);
    Ok((question, Cursor { serial: Serial(u64::from_be_bytes(*serial)), items }))
}

/// Reads what is searched for.
pub(crate) fn filter(request: v1::SearchAuditRequest) -> Result<Filter, Failure> {
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
        let deadline = self.deadline(deadline(request.metadata()));
        let request = request.into_inner();
        let left = usize::try_from(request.limit).ok().filter(|limit| *limit > 0).unwrap_or(MOST);
        let edge = Arc::clone(&self.edge);
        let fail = move |failure: Failure| failed(&edge, &failure, language);
        let begin = self.admit(&caller).and_then(|()| Ok((place(&request)?, filter(request)?)));
        let ((question, from), filter) = begin.map_err(&fail)?;
        let edge = Arc::clone(&self.edge);
        let search = Search { edge, question, filter, from: Some(from), left, deadline, begun: false };
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
        let (language, deadline) = (caller.language, self.deadline(deadline(request.metadata())));
        let verified = async {
            self.admit(&caller)?;
            // As long as the log is long: not within the time of other calls.
            Self::verify(self, deadline).await
        };
        verified.await.map(Response::new).map_err(|failure| failed(&self.edge, &failure, language))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use waymark_catalog::{Options, Warm, machine_time, open_over};
    use waymark_store::{MemoryStore, Recovery};

    use super::*;
    use crate::config::Limits;
    use crate::counters::Counters;
    use crate::door::{Settings, Stopping};

    #[tokio::test]
    async fn a_verification_waits_for_its_own_places_and_not_past_its_deadline() {
        let options = Options { warm: Warm::Off, ..Options::new(waymark_store::Options::new("unused")) };
        let catalog = open_over(Arc::new(MemoryStore::for_tests()), Recovery::default(), &options).unwrap().catalog;
        let (_open, stopping) = Stopping::for_tests();
        let limits = Limits { reads: 1, audit_reads: 1, ..Limits::default() };
        let settings = Settings::alone(machine_time);
        let edge = Edge::new(&catalog, limits, Arc::new(Counters::default()), settings, stopping);
        let service = AuditService::new(&edge);
        let soon = || Instant::now() + Duration::from_millis(50);
        let later = || Instant::now() + Duration::from_secs(60);
        // One verification is under way.
        let turn = Arc::clone(&edge.verifications).try_acquire_owned().unwrap();
        assert_eq!(service.verify(later()).await.unwrap_err().reason(), Reason::Busy);
        drop(turn);
        // All places for reading the audit are taken, and the others are free.
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (taken, begun) = tokio::sync::oneshot::channel();
        let reading = Arc::clone(&edge);
        let holder = tokio::spawn(async move {
            let read = reading.auditing.read(move |_| {
                let _ = taken.send(());
                let _ = held.recv();
                Ok(())
            });
            read.await
        });
        begun.await.unwrap();
        assert_eq!(service.verify(soon()).await.unwrap_err().reason(), Reason::AuditUnfinished);
        assert_eq!(edge.reading.read(|_| Ok(7)).await.unwrap(), 7);
        drop(release);
        holder.await.unwrap().unwrap();
        assert!(service.verify(later()).await.unwrap().problems.is_empty());
        // And the places of the others are not needed.
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (taken, begun) = tokio::sync::oneshot::channel();
        let reading = Arc::clone(&edge);
        let holder = tokio::spawn(async move {
            let read = reading.reading.read(move |_| {
                let _ = taken.send(());
                let _ = held.recv();
                Ok(())
            });
            read.await
        });
        begun.await.unwrap();
        assert!(service.verify(later()).await.unwrap().problems.is_empty());
        drop(release);
        holder.await.unwrap().unwrap();
    }
}
