//! Answers that need the disk, a signature or long work. For capped pools, never for an answering thread.
//!
//! The decision is the same code as on the fast path. It runs again each time a record it asked for has been read from the disk, so
//! that nothing is pinned while the disk works and no lock is held; a question asks for its own record and at most for those of the
//! ancestors of a prefix.

use std::net::IpAddr;
use std::sync::Arc;

use waymark_ident::{Handle, MAX_KEY_BYTES};
use waymark_recursive_cache::recursor::Resolved;
use waymark_wire::crypto::signed_message::CertifyError;
use waymark_wire::request::ResolutionBody;
use waymark_wire::{NoRoom, OpFlags, ResponseCode};

use crate::answer::foreign;
use crate::answer::reply::{Frame, Reply, Written, write_reply};
use crate::answer::resolve::{Data, Fetched, MAX_ANCESTORS, Resolution, Stop, resolve};
use crate::answer::texts;
use crate::answer::understand::{Asked, Understood, understand};
use crate::config::{ROOM_BYTES, SLOW_COMPARISONS};
use crate::counters::{OpClass, Outcome};
use crate::question::{Action, Now, OwnedQuestion, SlowReason};
use crate::{Answerer, NodeKey};

impl Answerer {
    /// Answers a question that left the fast path, into `room`, which grows as needed. Reads the disk and signs: blocks. Never leaves
    /// [`Action::NeedsRoom`], and [`Action::Continue`] only for names that live elsewhere.
    pub fn answer_slowly(&mut self, now: Now, question: &OwnedQuestion, room: &mut Vec<u8>) -> Action {
        let settings = Arc::clone(&self.settings);
        let frame = Frame::new(&settings, now.unix_seconds);
        let transport = question.origin.transport;
        let (mut asked, outcome) = match understand(&question.request, &question.origin, &settings) {
            Understood::Drop(reason) => {
                self.counters().dropped(transport, reason);
                return Action::Drop(reason);
            }
            Understood::Reply(asked, reply) => (asked, self.write(&reply, &asked, &frame, room)),
            Understood::Resolve(asked, handle, body) => {
                match self.resolve(&frame, &asked, handle, &body, question.origin.peer.ip(), room) {
                    Some(outcome) => (asked, outcome),
                    None => {
                        self.counters().continued(transport, SlowReason::Foreign);
                        return Action::Continue(SlowReason::Foreign);
                    }
                }
            }
        };
        let outcome = self.certify_if_asked(&mut asked, &frame, outcome, room);
        self.counters().answered(transport, OpClass::of(asked.head.header.op), outcome);
        Action::Reply { length: room.len(), keep_open: asked.keep_open }
    }

    /// Writes what a question about a name that lives elsewhere came to. Signs, and so may take its time.
    pub fn answer_resolved(
        &mut self,
        now: Now,
        question: &OwnedQuestion,
        resolved: &Resolved,
        room: &mut Vec<u8>,
    ) -> Action {
        let settings = Arc::clone(&self.settings);
        let transport = question.origin.transport;
        let (Understood::Resolve(mut asked, handle, body), Some(recursion)) =
            (understand(&question.request, &question.origin, &settings), &settings.recursion)
        else {
            return Action::Pending; // not reached: only resolutions are resolved
        };
        let frame = Frame::new(&settings, now.unix_seconds).without_authority();
        let stale_ttl_seconds = recursion.recursor.cache().limits().stale_ttl_seconds;
        let outcome = {
            let foreign = foreign::Question { asked: &asked, handle, body: &body };
            let reply = foreign::of_resolved(&foreign, resolved, now, stale_ttl_seconds, SLOW_COMPARISONS);
            self.write(&reply, &asked, &frame, room)
        };
        let outcome = self.certify_if_asked(&mut asked, &frame, outcome, room);
        self.counters().answered(transport, OpClass::of(asked.head.header.op), outcome);
        Action::Reply { length: room.len(), keep_open: asked.keep_open }
    }

    /// Signs the answer in `room` where that was asked for; what it then counts as.
    fn certify_if_asked(
        &mut self,
        asked: &mut Asked<'_>,
        frame: &Frame,
        outcome: Outcome,
        room: &mut Vec<u8>,
    ) -> Outcome {
        let settings = Arc::clone(&self.settings);
        match settings.node_key.as_deref().filter(|_| asked.is_certified()) {
            Some(key) => self.certify(key, asked, frame, room).unwrap_or(outcome),
            None => outcome,
        }
    }

    /// A resolution, with every record it needs read from the disk; `None` when the name lives elsewhere and is to be resolved.
    fn resolve(
        &mut self,
        frame: &Frame,
        asked: &Asked<'_>,
        handle: Handle<'_>,
        body: &ResolutionBody<'_>,
        source: IpAddr,
        room: &mut Vec<u8>,
    ) -> Option<Outcome> {
        let settings = Arc::clone(&self.settings);
        let mut fetched = Vec::new();
        // One round for the record itself, one for each ancestor, and the one that answers.
        for _ in 0..MAX_ANCESTORS + 2 {
            let view = self.reader.pin();
            let data = Data { view: &view, fetched: &fetched, settings: &settings, comparisons: SLOW_COMPARISONS };
            let mut key_room = [0; MAX_KEY_BYTES];
            let key = view.key(&handle, &mut key_room);
            let found = view.find_one(key);
            let name = match resolve(&data, &Resolution { asked, handle, body, key: key.bytes, found, source }) {
                Ok(reply) => return Some(write(&reply, asked, frame, &mut self.random, room)),
                Err(Stop::Foreign) => return None,
                Err(Stop::LongFilter) => {
                    let reply = Reply::error(ResponseCode::PROTOCOL_ERROR, texts::FILTER_TOO_LONG);
                    return Some(write(&reply, asked, frame, &mut self.random, room));
                }
                Err(Stop::Cold(name)) => name.to_vec(),
            };
            drop(view);
            let record = Handle::new(&name).ok().map(|handle| self.cold.fetch(&handle)).transpose();
            match record {
                Ok(record) => fetched.push(Fetched { name, record: record.flatten() }),
                Err(error) => {
                    tracing::debug!(%error, handle = %handle, "a record cannot be read");
                    break;
                }
            }
        }
        Some(self.write(&Reply::error(ResponseCode::ERROR, texts::DAMAGED), asked, frame, room))
    }

    fn write(&mut self, reply: &Reply<'_>, asked: &Asked<'_>, frame: &Frame, room: &mut Vec<u8>) -> Outcome {
        write(reply, asked, frame, &mut self.random, room)
    }

    /// Signs the answer in `room`. One that its signature makes too long becomes an error, signed; one that cannot be signed becomes an
    /// error that is not, and then it counts as another than before.
    fn certify(&mut self, key: &NodeKey, asked: &mut Asked<'_>, frame: &Frame, room: &mut Vec<u8>) -> Option<Outcome> {
        let mut outcome = None;
        let mut signed = key.certify(room);
        if let Err(CertifyError::NotAMessage(_)) = signed {
            let too_long = Reply::error(ResponseCode::ERROR, texts::ANSWER_TOO_LONG);
            outcome = Some(self.write(&too_long, asked, frame, room));
            signed = key.certify(room);
        }
        if let Err(error) = signed {
            tracing::warn!(%error, "the node's key signs nothing");
            asked.head.header.flags = asked.head.header.flags.without(OpFlags::CERT);
            outcome = Some(self.write(&Reply::error(ResponseCode::ERROR, texts::NOT_SIGNED), asked, frame, room));
        }
        outcome
    }
}

/// Writes a reply into a vector of exactly its length.
fn write(
    reply: &Reply<'_>,
    asked: &Asked<'_>,
    frame: &Frame,
    random: &mut rand::rngs::StdRng,
    room: &mut Vec<u8>,
) -> Outcome {
    room.resize(ROOM_BYTES.default.max(room.len()), 0);
    let written = write_reply(reply, asked, frame, random, room).or_else(|NoRoom { needed }| {
        room.resize(needed, 0);
        write_reply(reply, asked, frame, random, room)
    });
    // The room has just been made as large as needed, and every answer is as long the second time.
    let Written { length, outcome } = written.unwrap_or(Written { length: 0, outcome: Outcome::Failure });
    room.truncate(length);
    outcome
}
