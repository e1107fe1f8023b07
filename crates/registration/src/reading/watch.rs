//! The change feed for watchers: from a serial, in order, until the watcher leaves or the door stops.

use std::ops::ControlFlow;
use std::sync::Arc;

use futures_util::stream::BoxStream;
use waymark_api::registration::v1::{self, watch_response::Message};
use waymark_catalog::access::{Rights, Verb, rights_of};
use waymark_catalog::{FeedLimits, FollowError, ReadError, Serial};

use super::feed::{self, Source};
use super::{KeyFilter, Serials, shown_of};
use crate::convert::identifier::Wanted;
use crate::counters::Event;
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::Failure;
use crate::reasons::Reason;

/// Opens a watch. The result is the changes, then a failure or nothing.
pub(crate) fn open(
    edge: &Arc<Edge>,
    caller: &Arc<Caller>,
    request: v1::WatchRequest,
) -> Result<BoxStream<'static, Result<v1::WatchResponse, Failure>>, Failure> {
    let v1::WatchRequest { after_serial, from_now, prefix, with_values, until_now } = request;
    let filter = KeyFilter::new(edge, caller, Verb::Watch, &prefix)?;
    let now = edge.catalog.serial();
    let watch =
        Watch { edge: Arc::clone(edge), caller: Arc::clone(caller), filter, wanted: Wanted::values(with_values) };
    let after = if from_now { now } else { Serial(after_serial) };
    feed::open(edge, watch, after, until_now.then_some(now))
}

struct Watch {
    edge: Arc<Edge>,
    caller: Arc<Caller>,
    filter: KeyFilter,
    wanted: Wanted,
}

impl Source for Watch {
    type Message = v1::WatchResponse;

    async fn read(&mut self, after: Serial) -> Result<(Vec<v1::WatchResponse>, Serial), Failure> {
        let rights = rights_of(&self.caller.actor, &self.edge.catalog.access(), self.edge.catalog.now());
        let rights = rights.ok_or_else(|| Failure::new(Reason::Unauthenticated))?;
        let catalog = self.edge.catalog.clone();
        let (filter, wanted, most) = (self.filter.clone(), self.wanted.clone(), self.edge.limits.watch_batch);
        let batch = self.edge.reading.read(move |_| Batch::read(&catalog, after, &filter, &rights, &wanted, most));
        let Batch { seen, upto } = batch.await?;
        self.edge.counters.add(Event::ChangesWatched, seen.len());
        let message = |each: Result<_, _>| each.map_or_else(Message::Damaged, Message::Change);
        let messages = seen.into_iter().map(|each| v1::WatchResponse { message: Some(message(each)) });
        Ok((messages.collect(), upto))
    }

    fn progress(&self, upto: Serial) -> v1::WatchResponse {
        v1::WatchResponse { message: Some(Message::Progress(upto.0)) }
    }
}

/// Some changes, and up to where everything was looked at.
struct Batch {
    seen: Vec<Result<v1::Identifier, v1::Damage>>,
    upto: Serial,
}

impl Batch {
    fn read(
        catalog: &waymark_catalog::Catalog,
        after: Serial,
        filter: &KeyFilter,
        rights: &Rights,
        wanted: &Wanted,
        most: usize,
    ) -> Result<Self, Failure> {
        let mut all = Vec::new();
        let upto = catalog.changes(after, &filter.prefix, FeedLimits::default(), &mut |seen| {
            all.extend(shown_of(seen, filter, rights, wanted));
            if all.len() >= most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let upto = upto.map_err(|error| of_follow(&error))?;
        Ok(Self { seen: all, upto })
    }
}

/// Why the log cannot be followed.
pub(crate) fn of_follow(error: &FollowError) -> Failure {
    match error {
        FollowError::Compacted { oldest } => Failure::new(Reason::Compacted).with("oldest", oldest.0),
        FollowError::Damaged { resume_after, .. } => {
            Failure::unreadable(format_args!("at or before {}", Serials(*resume_after)))
        }
        // Where the folder lies is nobody's business.
        FollowError::Read(ReadError::Damaged { file, offset, .. }) => {
            let file = file.file_name().unwrap_or_default().display();
            Failure::unreadable(format_args!("{file} at byte {offset}"))
        }
        _ => Failure::unreadable("the disk refuses"),
    }
}
