//! What an answer, or that none comes, means for the search it was for.

use std::sync::Arc;

use waymark_wire::{ResponseCode, Values};

use super::delegation::{Delegation, delegation};
use super::read::{Certified, Expected, NotTaken, Reading, check, fact, read};
use super::search::{By, Search, Wanted};
use super::walk::{Found, Served, Step, Turn};
use super::{Candidate, Conclusion, Plan, QueryId, Why};
use crate::knowledge::{Fact, Now, Scope, What};

impl Plan {
    /// No candidate of the query answered.
    pub(super) fn failed(&mut self, query: QueryId) -> Step {
        let is_current = |search: &Search| search.round.as_ref().is_some_and(|round| round.query == query);
        if self.stack.last().is_some_and(is_current) { self.exhausted(Why::NoAnswer) } else { Step::Wait }
    }

    /// A candidate of the query answered.
    pub(super) fn answer(&mut self, query: QueryId, candidate: usize, message: &[u8], turn: &mut Turn<'_>) -> Step {
        let Some(search) = self.stack.last_mut() else { return Step::Wait };
        let Some(round) = search.round.as_ref().filter(|round| round.query == query) else { return Step::Wait };
        let candidates = Arc::clone(&round.candidates);
        let Some(server) = candidates.get(candidate) else { return Step::Wait };
        let certified = round.request.as_deref();
        let certified = certified.map(|request| Certified { public_key: &server.public_key, request });
        let reading = read(message, Expected { name: search.name(), certified }, turn.now);
        let passes = search.is_question() && self.asked.identity.is_some();
        match reading {
            Reading::Values(values) => return self.values(values, message, server, turn),
            Reading::NoValues if search.is_question() && search.wanted == Wanted::Filtered => {
                return pass(message, server);
            }
            Reading::NoValues | Reading::Absent | Reading::Invalid | Reading::Denied if passes => {
                return pass(message, server);
            }
            Reading::NoValues => {
                return Step::Settle(Found {
                    fact: Arc::new(Fact::NoValues),
                    lifetime_seconds: None,
                    from: Some(server.ip),
                });
            }
            Reading::Absent | Reading::Invalid => {
                match reading {
                    Reading::Absent => search.said.absent = Some(server.ip),
                    _ => search.said.invalid = true,
                }
                return if search.take_other_form() { Step::Ask } else { self.exhausted(Why::NoAnswer) };
            }
            Reading::Referral { code, handle, values } => {
                return self.referral(Told { code, handle, values }, server, turn);
            }
            Reading::NotResponsible => search.said.not_responsible = true,
            Reading::Denied | Reading::Unable => search.said.unable = true,
            Reading::Wrong => search.said.wrong = true,
            Reading::Uncertified => search.said.uncertified = true,
        }
        self.pass_over(server)
    }

    /// Asks the others: this server's answer was no use.
    fn pass_over(&mut self, server: &Candidate) -> Step {
        if let Some(search) = self.stack.last() {
            self.answered.push((server.place(), search.name().into()));
        }
        Step::Ask
    }

    /// The values of the record, or as much of them as was asked for.
    fn values(&mut self, values: Values<'_>, message: &[u8], server: &Candidate, turn: &Turn<'_>) -> Step {
        let Some(search) = self.stack.last_mut() else { return Step::Wait };
        let (is_question, is_whole) = (search.is_question(), search.wanted == Wanted::Whole);
        let has_identity = is_question && self.asked.identity.is_some();
        let has_filter = !is_question || !self.asked.indexes.is_empty() || !self.asked.types.is_empty();
        match check(&values, &self.limits) {
            Ok(()) if has_identity || (is_question && !is_whole) => return pass(message, server),
            Ok(()) => {
                let (fact, lifetime_seconds) = fact(&values, turn.now);
                return Step::Settle(Found { fact: Arc::new(fact), lifetime_seconds, from: Some(server.ip) });
            }
            Err(NotTaken::TooLarge) if is_whole && has_filter && !has_identity => {
                search.wanted = Wanted::Filtered;
                return Step::Ask;
            }
            Err(NotTaken::TooLarge) => search.said.too_large = true,
            Err(NotTaken::Ambiguous) => search.said.wrong = true,
        }
        self.pass_over(server)
    }

    /// A referral: 303 speaks for the prefixes derived from an ancestor of the prefix asked, 302 for the handle asked alone.
    fn referral(&mut self, told: Told<'_>, server: &Candidate, turn: &mut Turn<'_>) -> Step {
        let Some(search) = self.stack.last_mut() else { return Step::Wait };
        let is_prefix_referral = told.code == ResponseCode::PREFIX_REFERRAL;
        let speaks_for_ancestor = search.ancestors().next().is_some()
            && search.origin.as_ref().is_some_and(|origin| origin.by.speaks_for_derived_prefixes());
        let (scope, by) = match is_prefix_referral {
            true => (Scope::DerivedPrefixes, By::PrefixReferral),
            false => (Scope::Handles, By::ServiceReferral),
        };
        let delegation = told.delegation(scope, turn.now);
        let Some((delegation, seconds)) = delegation.filter(|_| !is_prefix_referral || speaks_for_ancestor) else {
            search.said.wrong = true;
            return self.pass_over(server);
        };
        if search.is_question() && self.asked.no_referral {
            let code =
                if is_prefix_referral { ResponseCode::HANDLE_NOT_FOUND } else { ResponseCode::SERVER_NOT_RESPONSIBLE };
            return Step::Done(Conclusion::Refused { code });
        }
        self.answered.push((server.place(), search.name().into()));
        match delegation {
            Delegation::Sites(service) => {
                if !self.hop() {
                    return Step::Abandon(Why::ChainTooLong);
                }
                self.turn_to(Served { service, lifetime_seconds: Some(seconds) }, by, turn)
            }
            Delegation::Handles(handles) => self.wait_for(&handles, Some(seconds), by),
        }
    }

    /// The servers of the service are exhausted: another form of the handle, what was said so far, or another service.
    pub(super) fn exhausted(&mut self, why: Why) -> Step {
        let Some(search) = self.stack.last_mut() else { return Step::Wait };
        search.round = None;
        let said = search.said;
        if said.not_responsible && said.absent.is_none() && search.take_other_form() {
            return Step::Ask;
        }
        if said.absent.is_some() {
            return Step::Settle(Found { fact: Arc::new(Fact::Absent), lifetime_seconds: None, from: said.absent });
        }
        if said.invalid && search.is_question() {
            return Step::Done(Conclusion::Refused { code: ResponseCode::INVALID_HANDLE });
        }
        if said.not_responsible {
            return self.lame();
        }
        Step::Abandon(match (said.reason(), why) {
            (Some(said), _) => said,
            // What was found above leads to the servers that had just said so.
            (None, Why::Loop) if self.stepped_up => Why::NotResponsible,
            (None, why) => why,
        })
    }

    /// The service says that the handle does not live there. When that it does was only remembered, it is forgotten, and what is above is
    /// asked anew: once, so that services that disagree do not keep us running. The next question goes on from what was forgotten.
    fn lame(&mut self) -> Step {
        let Some(search) = self.stack.last_mut() else { return Step::Wait };
        let by = search.origin.as_ref().map(|origin| origin.by);
        let (prefix, scope) = match by {
            Some(By::KnownPrefix) => (search.prefix().into(), Scope::Handles),
            Some(By::KnownAncestor(at)) => {
                (search.ancestors().nth(at).unwrap_or_default().into(), Scope::DerivedPrefixes)
            }
            _ => return Step::Abandon(Why::NotResponsible),
        };
        match by {
            Some(By::KnownAncestor(at)) => search.doubted_ancestors = at.saturating_add(1),
            _ => search.doubts_knowledge = true,
        }
        let is_first = !std::mem::replace(&mut self.stepped_up, true);
        let asks_anew = is_first && self.hop();
        Step::Forget { what: What::Lame { prefix, scope }, asks_anew }
    }
}

/// A referral as it was told.
#[derive(Clone, Copy)]
struct Told<'a> {
    code: ResponseCode,
    handle: &'a [u8],
    values: Values<'a>,
}

impl Told<'_> {
    /// Whom it names: by its values or, without any that can be used, by the service handle in front of them.
    fn delegation(&self, scope: Scope, now: Now) -> Option<(Delegation, u32)> {
        let by_handle = || {
            let handles = Delegation::Handles(Box::new([self.handle.into()]));
            (!self.handle.is_empty() && self.values.is_empty()).then_some((handles, u32::MAX))
        };
        delegation(&self.values, scope, now).or_else(by_handle)
    }
}

/// The answer is for this client alone.
fn pass(message: &[u8], server: &Candidate) -> Step {
    Step::Done(Conclusion::Passed { message: message.into(), from: server.ip })
}
