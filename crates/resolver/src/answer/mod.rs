//! From request bytes to answer bytes: one synchronous function for all doors.
//!
//! [`Answerer::answer_batch`] goes over its questions in passes, so that the latency of memory is paid once for many: understand all
//! requests, make all keys, find all records under one pin, decide and write all answers. It allocates nothing, takes no lock, waits for
//! nothing and formats nothing; what would need any of that leaves as [`Action::Continue`] and comes back through
//! [`Answerer::answer_slowly`].
//!
//! | file | holds |
//! |---|---|
//! | `understand` | what the request alone decides |
//! | `resolve` | which record, and what of it |
//! | `foreign` | names that live elsewhere, from what is known of them |
//! | `select` | index and type lists, permissions |
//! | `site_values` | our sites in the records of served prefixes |
//! | `runs` | the given values as bytes to copy |
//! | `reply` | the answer as data, and its bytes |
//! | `texts` | what errors say |

pub(crate) mod foreign;
pub(crate) mod reply;
pub(crate) mod resolve;
mod runs;
mod select;
mod site_values;
pub(crate) mod texts;
pub(crate) mod understand;

use std::sync::Arc;
use std::time::Duration;

use arrayvec::ArrayVec;
use rand::rngs::StdRng;
use waymark_catalog::{Catalog, ColdReader, Lookup, Reader};
use waymark_ident::MAX_KEY_BYTES;
use waymark_wire::{Envelope, NoRoom, ResponseCode};

use self::reply::{Frame, Reply, Written, write_reply};
use self::resolve::{Data, Resolution, Stop, resolve};
use self::understand::{Asked, Understood, understand};
use crate::config::FAST_COMPARISONS;
use crate::counters::{OpClass, ThreadCounters};
use crate::question::{Action, Now, Origin, Question, SlowReason};
use crate::settings::Settings;
use crate::tap::{AnswerRecord, AnswerTap};

/// Questions that go through the passes together; longer batches are cut. Their keys take 128 KiB, within a second-level cache.
const PASS: usize = 64;

/// Answers requests: one per thread.
#[derive(Debug)]
pub struct Answerer {
    pub(crate) reader: Reader,
    pub(crate) cold: ColdReader,
    pub(crate) settings: Arc<Settings>,
    counters: Arc<ThreadCounters>,
    pub(crate) random: StdRng,
    keys: Box<[[u8; MAX_KEY_BYTES]]>,
    /// Room of the key of a name that lives elsewhere: it may fold otherwise than ours.
    foreign_key: Box<[u8; MAX_KEY_BYTES]>,
    tap: Option<Arc<AnswerTap>>,
}

impl Answerer {
    /// An answerer over this data. Seeds its random numbers from the operating system.
    #[must_use]
    pub fn new(catalog: &Catalog, settings: Arc<Settings>, counters: Arc<ThreadCounters>) -> Self {
        Self {
            reader: catalog.reader(),
            cold: catalog.cold(),
            settings,
            counters,
            random: rand::make_rng(),
            keys: vec![[0; MAX_KEY_BYTES]; PASS].into_boxed_slice(),
            foreign_key: Box::new([0; MAX_KEY_BYTES]),
            tap: None,
        }
    }

    /// Puts the records of [`Self::record`] into `tap` from now on.
    #[must_use]
    pub fn with_tap(mut self, tap: Option<Arc<AnswerTap>>) -> Self {
        self.tap = tap;
        self
    }

    /// Puts a record of an answer that was handed over into the tap, if there is one. The door that sent it says so, and how long it took:
    /// only there it is known what went out.
    pub(crate) fn record(&self, now: Now, took: Duration, origin: &Origin, request: &[u8], answer: &[u8]) {
        if let Some(tap) = &self.tap {
            tap.put(record_of(now, took, origin, request, answer));
        }
    }

    /// As [`Self::record`], of a "too busy" in place of an answer.
    pub(crate) fn record_busy(&self, now: Now, took: Duration, origin: &Origin, request: &[u8]) {
        if let Some(tap) = &self.tap {
            let mut record = record_of(now, took, origin, request, &[]);
            record.response_code = ResponseCode::SERVER_TOO_BUSY.0;
            tap.put(record);
        }
    }

    /// Answers every question in place: none is [`Action::Pending`] afterwards. Allocates nothing, waits for nothing.
    pub fn answer_batch(&mut self, now: Now, questions: &mut [Question<'_>]) {
        let frame = Frame::new(&self.settings, now.unix_seconds);
        for questions in questions.chunks_mut(PASS) {
            self.answer_pass(now, &frame, questions);
        }
    }

    /// The passes over at most [`PASS`] questions.
    fn answer_pass(&mut self, now: Now, frame: &Frame, questions: &mut [Question<'_>]) {
        let settings = &*self.settings;
        let steps: ArrayVec<Understood<'_>, PASS> =
            questions.iter().map(|question| understand(question.request, &question.origin, settings)).collect();
        let view = self.reader.pin();
        let keys: ArrayVec<_, PASS> = steps
            .iter()
            .zip(self.keys.iter_mut())
            .filter_map(|(step, room)| match step {
                Understood::Resolve(asked, handle, _) if !asked.is_certified() => Some(view.key(handle, room)),
                _ => None,
            })
            .collect();
        let mut found = [Lookup::Absent; PASS];
        view.find(&keys, &mut found);
        let data = Data { view: &view, fetched: &[], settings, comparisons: FAST_COMPARISONS };
        let mut lookups = keys.iter().zip(found);
        let mut elsewhere: ArrayVec<_, PASS> = ArrayVec::new();
        for (question, step) in questions.iter_mut().zip(&steps) {
            let (asked, decided) = match step {
                Understood::Drop(reason) => {
                    self.counters.dropped(question.origin.transport, *reason);
                    question.action = Action::Drop(*reason);
                    continue;
                }
                Understood::Reply(asked, _) | Understood::Resolve(asked, ..) if asked.is_certified() => {
                    (asked, Err(SlowReason::Sign))
                }
                Understood::Reply(asked, reply) => (asked, Ok(*reply)),
                Understood::Resolve(asked, handle, body) => {
                    // One look-up was made for each resolution that is not certified, in the same order.
                    let Some((key, found)) = lookups.next() else { continue };
                    let (key, source) = (key.bytes, question.origin.peer.ip());
                    let resolution = Resolution { asked, handle: *handle, body, key, found, source };
                    match resolve(&data, &resolution) {
                        Err(Stop::Foreign) => {
                            elsewhere.push((question, foreign::Question { asked, handle: *handle, body }));
                            continue;
                        }
                        decided => (asked, decided.map_err(|stop| slow_reason(&stop))),
                    }
                }
            };
            question.action = match decided {
                Ok(reply) => finish(&reply, asked, frame, &mut self.random, &self.counters, question),
                Err(reason) => {
                    self.counters.continued(question.origin.transport, reason);
                    Action::Continue(reason)
                }
            };
        }
        // All look-ups before the first answer: each is short and waits for memory, and answers between them would push it out again.
        let found: ArrayVec<_, PASS> =
            elsewhere.iter().map(|(_, foreign)| foreign.look_up(settings, now, &mut self.foreign_key)).collect();
        for ((question, foreign), found) in elsewhere.into_iter().zip(&found) {
            let room = &mut *question.room;
            let known = found.as_ref().and_then(|found| foreign.answer(found, now, frame, &mut self.random, room));
            question.action = match known {
                Some(written) => count(written, foreign.asked, &self.counters, &question.origin),
                None => {
                    self.counters.continued(question.origin.transport, SlowReason::Foreign);
                    Action::Continue(SlowReason::Foreign)
                }
            };
        }
    }

    /// The counters this answerer adds to. Only who holds the answerer may add.
    #[must_use]
    pub fn counters(&self) -> &Arc<ThreadCounters> {
        &self.counters
    }

    /// The settings it answers by.
    #[must_use]
    pub const fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }
}

/// Writes the answer into the room of its question and counts it.
fn finish(
    reply: &Reply<'_>,
    asked: &Asked<'_>,
    frame: &Frame,
    random: &mut StdRng,
    counters: &ThreadCounters,
    question: &mut Question<'_>,
) -> Action {
    count(write_reply(reply, asked, frame, random, question.room), asked, counters, &question.origin)
}

/// Counts an answer that was written, or for which there was too little room.
fn count(written: Result<Written, NoRoom>, asked: &Asked<'_>, counters: &ThreadCounters, origin: &Origin) -> Action {
    match written {
        Ok(written) => {
            counters.answered(origin.transport, OpClass::of(asked.head.header.op), written.outcome);
            Action::Reply { length: written.length, keep_open: asked.keep_open }
        }
        Err(NoRoom { needed }) => {
            counters.needed_room(origin.transport);
            Action::NeedsRoom(needed)
        }
    }
}

/// The record of an answer.
fn record_of(now: Now, took: Duration, origin: &Origin, request: &[u8], answer: &[u8]) -> AnswerRecord {
    let word = |bytes: &[u8], at: usize| {
        bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u32::from_be_bytes(*word))
    };
    let bytes = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let mut record = AnswerRecord::new(now.unix_seconds, took, origin.transport, origin.peer);
    record.op = word(request, Envelope::LEN);
    record.response_code = word(answer, Envelope::LEN + 4);
    record.request_bytes = bytes(request);
    record.answer_bytes = bytes(answer);
    record.with_handle_of(request)
}

/// Where a resolution that stops goes on.
const fn slow_reason(stop: &Stop<'_>) -> SlowReason {
    match stop {
        Stop::Cold(_) => SlowReason::Cold,
        Stop::LongFilter => SlowReason::LongFilter,
        Stop::Foreign => SlowReason::Foreign,
    }
}
