//! The plan of one question: whom to ask next, and what the answers say. No sockets, no clock: events and `now` come in, actions go out.
//!
//! ```text
//! prefix/suffix - known? - service of the prefix - known? - prefix record 0.NA/prefix - known? - longest known delegation, else the roots
//!                                    |                            |
//!                 HS_SITE, or HS_SERV: a service handle,     303: ask on at HS_SITE.PREFIX (HS_NA_DELEGATE) or HS_SERV.PREFIX
//!                 resolved the same way                           |
//!                                    |                       302: ask on there, for this handle alone
//!                 in each site the server that the hash of the handle chooses - answer
//! ```
//! A plan is a stack of searches for records: the question lies at the bottom, and each search above finds out whom to ask for the one
//! below. What it does is bounded by [`PlanLimits`]; what it remembers, by what it asked.
//!
//! Nobody is believed upward: a service speaks only of the handles it was named for by the record above it or by a referral for them.
//! HS_SITE values of any other record mean nothing here, and aliases are left to the client.
//!
//! | part | does |
//! |---|---|
//! | `walk` | what follows from what: the next search, the next query, the end |
//! | `hear` | what an answer means for the search it was for |
//! | `learn` | what a search tells the cache |
//! | `read` | whether a message answers, and what it says |
//! | `delegation` | what values say of where handles live |
//! | `candidates` | which servers of a service can be asked |
//! | `request` | the question as it is sent |
//! | `search` | one record being looked for |

mod candidates;
mod delegation;
mod hear;
mod learn;
mod read;
mod request;
mod search;
mod walk;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use waymark_ident::HandleError;
use waymark_wire::ResponseCode;

pub(crate) use candidates::doors;
pub use candidates::{Candidate, QuicDoor};
pub use search::Purpose;

use candidates::Place;
use search::Search;
use walk::{Step, Turn};

use crate::config::PlanLimits;
use crate::knowledge::{Fact, Knowledge, Learned, Now, Service};

/// A question of a client, for a handle that lives elsewhere.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Asked {
    /// The handle as the client wrote it.
    pub handle: Box<[u8]>,
    /// Indexes asked for. Whole records are asked for upstream all the same, as far as they are not too large.
    pub indexes: Box<[u32]>,
    /// Types asked for, likewise.
    pub types: Box<[Box<[u8]>]>,
    /// AUTH: the answer must come from a primary, now.
    pub authority: bool,
    /// CERT: each step must be certified and verified.
    pub certified: bool,
    /// The authority is asked though the answer is known: it is fetched ahead of its end.
    pub anew: bool,
    /// DNRF: a referral for the handle itself ends the question.
    pub no_referral: bool,
    /// PUBL. Only of meaning with an identity; without one, public values alone are asked for.
    pub public_only: bool,
    /// The end user's token, when the client asks for it to be passed on (dialect). It reaches the server of the handle and nobody on
    /// the way there.
    pub identity: Option<Box<[u8]>>,
    /// Servers the question has passed before us.
    pub recursion_count: u8,
}

/// Names a query of one plan.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct QueryId(pub u32);

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event<'a> {
    /// A candidate answered.
    Answer {
        /// The query.
        query: QueryId,
        /// Which of its candidates, counted from 0.
        candidate: usize,
        /// The whole message.
        message: &'a [u8],
    },
    /// No candidate of the query answered, or none may be asked.
    Failed {
        /// The query.
        query: QueryId,
    },
    /// The [deadline](Plan::deadline) is there.
    Deadline,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Ask upstream. Queries before this one are over; their answers need not be handed in any more.
    Ask(Ask),
    /// Remember.
    Learn(Learned),
    /// Answer the client. Nothing comes after it.
    Done(Conclusion),
}

/// A query for one of several servers, any of which can answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// Its name.
    pub query: QueryId,
    /// The whole message. Whoever sends it sets the request id and nothing else: certified answers carry its digest.
    pub request: Vec<u8>,
    /// Whom to ask, one server of each site; at least one.
    pub candidates: Arc<[Candidate]>,
}

/// How a question ended.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Conclusion {
    /// This is so.
    Found {
        /// What is so.
        fact: Arc<Fact>,
        /// Seconds it may be used, as its values say; `None` for absences, and for what was known.
        lifetime_seconds: Option<u32>,
        /// The server that said so; `None` for what was known.
        from: Option<IpAddr>,
        /// Whether every step was certified and verified.
        certified: bool,
    },
    /// The handle does not exist, as its prefix has no record.
    AbsentPrefix {
        /// The prefix, folded.
        prefix: Box<[u8]>,
    },
    /// The server's answer, for this client alone: it depends on the identity passed on, or holds what was asked for of a record too
    /// large to be taken whole.
    Passed {
        /// The whole message.
        message: Vec<u8>,
        /// The server.
        from: IpAddr,
    },
    /// The question passed too many servers: code 6.
    TooDeep,
    /// A definite word that is the answer.
    Refused {
        /// The code to answer with: 102 of the authority; 301 and 100 where it gave a referral and the client wants none.
        code: ResponseCode,
    },
    /// Nobody answered as they should.
    Unreachable {
        /// On which step.
        step: Purpose,
        /// Canonical key of the record that was being looked for.
        key: Box<[u8]>,
        /// Why.
        why: Why,
    },
}

/// Why a record could not be had.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Why {
    /// No server answered.
    NoAnswer,
    /// The service has no server that can be asked for this handle.
    NoServer,
    /// The service has no primary, or none that can be asked.
    NoPrimary,
    /// The record does not say where its handles live, or does not exist.
    NoService,
    /// Each server says that the handle lives elsewhere, and not where (301).
    NotResponsible,
    /// Servers answered with codes that are no answer.
    Unable,
    /// Servers answered something else than what they were asked.
    WrongAnswer,
    /// Answers were not certified by the servers asked.
    Uncertified,
    /// The record is larger than accepted.
    TooLarge,
    /// Delegations lead in a circle.
    Loop,
    /// Too many referrals and service handles.
    ChainTooLong,
    /// Too many queries.
    TooManyQueries,
    /// The time is over.
    OutOfTime,
}

/// The plan of one question.
#[derive(Debug)]
pub struct Plan {
    asked: Asked,
    roots: Arc<Service>,
    limits: PlanLimits,
    deadline: Duration,
    state: State,
    stack: Vec<Search>,
    /// Servers that gave an answer that was no use, and what they were asked: none is asked the same again.
    answered: Vec<(Place, Box<[u8]>)>,
    queries: u16,
    /// Referrals and service handles followed, and steps back up.
    hops: u16,
    /// Whether a service that turned out not to be responsible was left for what is above it.
    stepped_up: bool,
    /// What could not be had, should this become the end.
    blame: Option<(Purpose, Box<[u8]>)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    New,
    UnderWay,
    Over,
}

/// Request id of the messages made here, for whoever sends them to replace.
const REQUEST_ID: u32 = 0;

impl Plan {
    /// The plan of a question that comes in `now`.
    #[must_use]
    pub fn new(asked: Asked, roots: Arc<Service>, limits: PlanLimits, now: Now) -> Self {
        let limits = limits.clamped();
        Self {
            asked,
            roots,
            deadline: now.elapsed.saturating_add(limits.time),
            limits,
            state: State::New,
            stack: Vec::new(),
            answered: Vec::new(),
            queries: 0,
            hops: 0,
            stepped_up: false,
            blame: None,
        }
    }

    /// When the question is over at the latest, in [`Now::elapsed`].
    #[must_use]
    pub const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Begins. Actions are appended. Does nothing when called again.
    pub fn start(&mut self, now: Now, knowledge: &dyn Knowledge, actions: &mut Vec<Action>) {
        if self.state != State::New {
            return;
        }
        self.state = State::UnderWay;
        let step = self.first_step(now);
        self.run(step, &mut Turn { now, knowledge, actions });
    }

    /// Goes on. Actions are appended. Events of queries that are over change nothing, and nothing does after [`Action::Done`].
    pub fn on(&mut self, event: Event<'_>, now: Now, knowledge: &dyn Knowledge, actions: &mut Vec<Action>) {
        if self.state != State::UnderWay {
            return;
        }
        let mut turn = Turn { now, knowledge, actions };
        let step = match event {
            _ if now.elapsed >= self.deadline => self.give_up(Why::OutOfTime),
            Event::Deadline => self.give_up(Why::OutOfTime),
            Event::Answer { query, candidate, message } => self.answer(query, candidate, message, &mut turn),
            Event::Failed { query } => self.failed(query),
        };
        self.run(step, &mut turn);
    }

    /// What a new question begins with.
    fn first_step(&mut self, now: Now) -> Step {
        if self.asked.recursion_count >= self.limits.recursion {
            return Step::Done(Conclusion::TooDeep);
        }
        match self.search() {
            Ok(search) => self.stack.push(search),
            Err(_) => return Step::Done(Conclusion::Refused { code: ResponseCode::INVALID_HANDLE }),
        }
        if now.elapsed >= self.deadline { self.give_up(Why::OutOfTime) } else { Step::Begin }
    }

    /// The search for the handle asked.
    fn search(&self) -> Result<Search, HandleError> {
        match self.asked.identity {
            Some(_) => Search::as_asked(&self.asked.handle, Purpose::Question),
            None => Search::new(&self.asked.handle, Purpose::Question),
        }
    }
}
