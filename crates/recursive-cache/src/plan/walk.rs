//! What follows from what: the next search, the next query, the end. What answers say is in `hear`.

use std::net::IpAddr;
use std::sync::Arc;

use waymark_ident::parent_prefix;
use waymark_wire::Values;

use super::candidates::{Need, candidates};
use super::delegation::{Delegation, delegation};
use super::learn::{learn, learn_service};
use super::request::request;
use super::search::{By, Pending, Purpose, Round, Search};
use super::{Action, Ask, Asked, Candidate, Conclusion, Plan, QueryId, State, Why};
use crate::knowledge::{Fact, Knowledge, Learned, Now, Scope, Service, What};

/// What a plan works with while it handles one event.
pub(super) struct Turn<'a> {
    pub(super) now: Now,
    pub(super) knowledge: &'a dyn Knowledge,
    pub(super) actions: &'a mut Vec<Action>,
}

/// What to do next. "The search" is the one on top of the stack.
#[derive(Debug)]
pub(super) enum Step {
    /// See what is known of the record of the search.
    Begin,
    /// Find out whom to ask.
    Locate,
    /// Ask the service of the search.
    Ask,
    /// The record of the search is found.
    Settle(Found),
    /// The search found the service that the one below it needs.
    Serve(Served),
    /// The search cannot find its record.
    Abandon(Why),
    /// What the search waited for cannot be had: the next service handle, or none.
    Next(Why),
    /// A service that was known is not responsible any more: find out anew whom to ask, or give the search up.
    Forget { what: What, asks_anew: bool },
    /// Nothing until the next event.
    Wait,
    /// The end.
    Done(Conclusion),
}

/// What is so of a record.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) fact: Arc<Fact>,
    pub(super) lifetime_seconds: Option<u32>,
    /// Who said so; `None` when it was known.
    pub(super) from: Option<IpAddr>,
}

/// A service, with the seconds it may be used; `None` when something that led to it was known, so that nobody can say.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) service: Arc<Service>,
    pub(super) lifetime_seconds: Option<u32>,
}

impl Plan {
    /// Does step after step until there is something to wait for. Each step asks, ends, or makes the stack of searches larger or smaller;
    /// that it grows is counted.
    pub(super) fn run(&mut self, mut step: Step, turn: &mut Turn<'_>) {
        loop {
            step = match step {
                Step::Begin => self.begin(turn),
                Step::Locate => self.locate(turn),
                Step::Ask => self.ask(turn),
                Step::Settle(found) => self.settle(found, turn),
                Step::Serve(served) => self.serve(served, turn),
                Step::Abandon(why) => self.abandon(why),
                Step::Next(why) => self.next(why),
                Step::Forget { what, asks_anew } => {
                    let certified = self.asked.certified;
                    turn.actions.push(Action::Learn(Learned { what, certified, lifetime_seconds: None }));
                    if asks_anew { Step::Locate } else { Step::Abandon(Why::NotResponsible) }
                }
                Step::Wait => return,
                Step::Done(conclusion) => {
                    self.state = State::Over;
                    self.stack.clear();
                    self.answered.clear();
                    turn.actions.push(Action::Done(conclusion));
                    return;
                }
            };
        }
    }

    /// Looks for the record in what is known. The question itself is not answered from there when authority is asked for, when the answer
    /// depends on who asks, or when it is fetched anew.
    fn begin(&mut self, turn: &Turn<'_>) -> Step {
        let Some(search) = self.stack.last() else { return Step::Wait };
        let known = |fact| Step::Settle(Found { fact, lifetime_seconds: None, from: None });
        if search.prefix().is_empty() || search.target().is_some_and(<[u8]>::is_empty) {
            // Nobody can register it, so nobody needs to be asked.
            return known(Arc::new(Fact::Absent));
        }
        let Asked { authority, anew, identity, .. } = &self.asked;
        let is_direct = search.is_question() && (*authority || *anew || identity.is_some());
        if is_direct || search.doubts_knowledge {
            return Step::Locate;
        }
        let trusts_absence = !self.asked.authority;
        match turn.knowledge.fact(&search.key, self.asked.certified, turn.now) {
            Some(fact) if trusts_absence || matches!(*fact, Fact::Values(_)) => return known(fact),
            _ => {}
        }
        let is_absent = |prefix| turn.knowledge.is_absent_prefix(prefix, self.asked.certified, turn.now);
        if trusts_absence && search.prefix_target().is_some_and(is_absent) {
            return known(Arc::new(Fact::Absent));
        }
        Step::Locate
    }

    /// Finds out whom to ask: for a prefix record the longest known delegation, else the roots; for any other handle the service of its
    /// prefix, whose record is looked for first when need be.
    fn locate(&mut self, turn: &Turn<'_>) -> Step {
        let certified = self.asked.certified;
        let Some(search) = self.stack.last_mut() else { return Step::Wait };
        let known = |prefix: &[u8], scope| turn.knowledge.service(prefix, scope, certified, turn.now);
        if search.target().is_some() {
            let found = {
                let mut ancestors = search.ancestors().enumerate().skip(search.doubted_ancestors);
                ancestors.find_map(|(at, prefix)| Some((at, known(prefix, Scope::DerivedPrefixes)?)))
            };
            match found {
                Some((at, service)) => search.turn_to(service, By::KnownAncestor(at)),
                None => search.turn_to(Arc::clone(&self.roots), By::Roots),
            }
            return Step::Ask;
        }
        let doubts = search.doubts_knowledge;
        if !doubts && let Some(service) = known(search.prefix(), Scope::Handles) {
            search.turn_to(service, By::KnownPrefix);
            return Step::Ask;
        }
        match Search::of_prefix(search.prefix()) {
            Ok(mut prefix) => {
                prefix.doubts_knowledge = doubts;
                self.descend(prefix)
            }
            Err(_) => Step::Abandon(Why::NoService),
        }
    }

    /// Looks for another record first, unless it is being looked for already.
    fn descend(&mut self, search: Search) -> Step {
        if self.stack.iter().any(|below| below.key == search.key) {
            self.blame();
            return Step::Next(Why::Loop);
        }
        if let Some(below) = self.stack.last_mut() {
            below.round = None;
        }
        self.stack.push(search);
        Step::Begin
    }

    /// Asks the service of the search: those of its servers that have not answered this before.
    fn ask(&mut self, turn: &mut Turn<'_>) -> Step {
        let (asked, answered) = (&self.asked, &self.answered);
        let Some(search) = self.stack.last_mut() else { return Step::Wait };
        search.round = None;
        let Some(origin) = &search.origin else { return Step::Abandon(Why::NoServer) };
        let need = Need { primary: asked.authority && search.is_question(), key: asked.certified };
        let mut found = candidates(&origin.service, search.name(), need);
        let none = match found.is_empty() {
            false => Why::Loop,
            true if need.primary => Why::NoPrimary,
            true => Why::NoServer,
        };
        let has_answered = |candidate: &Candidate| {
            answered.iter().any(|(place, name)| *place == candidate.place() && **name == *search.name())
        };
        found.retain(|candidate| !has_answered(candidate));
        if found.is_empty() {
            return self.exhausted(none);
        }
        if self.queries >= self.limits.queries {
            return self.exhausted(Why::TooManyQueries);
        }
        self.queries += 1;
        let (query, candidates) = (QueryId(u32::from(self.queries)), Arc::from(found));
        let request = request(asked, search, turn.now);
        let kept = asked.certified.then(|| request.as_slice().into());
        search.round = Some(Round { query, candidates: Arc::clone(&candidates), request: kept });
        turn.actions.push(Action::Ask(Ask { query, request, candidates }));
        Step::Wait
    }

    /// Lets the search ask a service it was referred to.
    pub(super) fn turn_to(&mut self, served: Served, by: By, turn: &mut Turn<'_>) -> Step {
        let certified = self.asked.certified;
        let Some(search) = self.stack.last_mut() else { return Step::Wait };
        let parent = search.prefix_target().and_then(parent_prefix);
        if let (By::PrefixReferral, Some(prefix)) = (by, parent) {
            learn_service(prefix, Scope::DerivedPrefixes, &served, certified, turn.actions);
        }
        search.turn_to(served.service, by);
        Step::Ask
    }

    /// Lets the search wait for the sites of one of these service handles.
    pub(super) fn wait_for(&mut self, handles: &[Box<[u8]>], lifetime_seconds: Option<u32>, by: By) -> Step {
        if let Some(search) = self.stack.last_mut() {
            let handles = handles.iter().rev().cloned().collect();
            search.pending = Some(Pending { handles, lifetime_seconds, by });
        }
        Step::Next(Why::NoService)
    }

    /// The record of the search is found: it is the answer, or says whom to ask for the search below.
    fn settle(&mut self, found: Found, turn: &mut Turn<'_>) -> Step {
        let certified = self.asked.certified;
        let Some(search) = self.stack.last_mut() else { return Step::Wait };
        learn(search, &found, certified, turn);
        if search.is_question() {
            let Found { fact, lifetime_seconds, from } = found;
            return Step::Done(Conclusion::Found { fact, lifetime_seconds, from, certified });
        }
        let record = match &*found.fact {
            Fact::Values(record) => record,
            Fact::Absent if search.purpose == Purpose::Prefix && self.stack.len() == 2 => {
                let prefix = self.stack.last().and_then(Search::target).unwrap_or_default().into();
                return Step::Done(Conclusion::AbsentPrefix { prefix });
            }
            Fact::Absent | Fact::NoValues => return Step::Abandon(Why::NoService),
        };
        let values = Values::from_wire(record.count, &record.wire).unwrap_or_default();
        let is_known = found.from.is_none();
        let lifetime = |seconds| if is_known { None } else { Some(seconds) };
        match (delegation(&values, Scope::Handles, turn.now), search.purpose) {
            (Some((Delegation::Sites(service), seconds)), _) => {
                Step::Serve(Served { service, lifetime_seconds: lifetime(seconds) })
            }
            (Some((Delegation::Handles(handles), seconds)), Purpose::Prefix) => {
                self.wait_for(&handles, lifetime(seconds), By::PrefixRecord)
            }
            _ => Step::Abandon(Why::NoService),
        }
    }

    /// Gives the service found to the search below.
    fn serve(&mut self, served: Served, turn: &mut Turn<'_>) -> Step {
        let certified = self.asked.certified;
        self.stack.pop();
        let Some(search) = self.stack.last_mut() else { return Step::Wait };
        let Some(pending) = search.pending.take() else {
            let is_known = served.lifetime_seconds.is_none();
            search.turn_to(served.service, if is_known { By::KnownPrefix } else { By::PrefixRecord });
            return Step::Ask;
        };
        let both = served.lifetime_seconds.zip(pending.lifetime_seconds);
        let served = Served { lifetime_seconds: both.map(|(one, other)| one.min(other)), ..served };
        match (pending.by, search.prefix_target()) {
            (By::PrefixRecord, target) => {
                learn_service(target.unwrap_or_default(), Scope::Handles, &served, certified, turn.actions);
                Step::Serve(served)
            }
            (by, _) => self.turn_to(served, by, turn),
        }
    }

    /// Gives the search up, which is to blame should this be the end.
    fn abandon(&mut self, why: Why) -> Step {
        self.blame();
        self.stack.pop();
        Step::Next(why)
    }

    /// What the search waited for cannot be had: tries the next service handle, or gives the search up as well.
    fn next(&mut self, why: Why) -> Step {
        let Some(search) = self.stack.last_mut() else { return self.unreachable(why) };
        let Some(handle) = search.pending.as_mut().and_then(|pending| pending.handles.pop()) else {
            self.stack.pop();
            return Step::Next(why);
        };
        let doubts = search.doubts_knowledge;
        if !self.hop() {
            return Step::Abandon(Why::ChainTooLong);
        }
        match Search::new(&handle, Purpose::ServiceHandle) {
            Ok(mut search) => {
                search.doubts_knowledge = doubts;
                self.descend(search)
            }
            Err(_) => Step::Next(why),
        }
    }

    /// Ends the question for want of something it may use no more of.
    pub(super) fn give_up(&mut self, why: Why) -> Step {
        self.blame();
        self.unreachable(why)
    }

    /// The end, for want of the record that is to blame.
    fn unreachable(&mut self, why: Why) -> Step {
        let (step, key) = self.blame.take().unwrap_or_else(|| (Purpose::Question, Box::default()));
        Step::Done(Conclusion::Unreachable { step, key, why })
    }

    /// Notes that it is the search on top that cannot go on.
    fn blame(&mut self) {
        if let Some(search) = self.stack.last() {
            self.blame = Some((search.purpose, search.key.clone()));
        }
    }

    /// Counts a referral, service handle or step up; `false` when there were too many.
    pub(super) fn hop(&mut self) -> bool {
        self.hops = self.hops.saturating_add(1);
        self.hops <= self.limits.chain
    }
}
