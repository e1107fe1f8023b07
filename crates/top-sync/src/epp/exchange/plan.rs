//! What is sent next. One command at a time: first what others rest on (verdicts, messages), then what is not known, then what is new.

use std::time::Duration;

use super::transaction::{Content, ContentHash, Kind, Record, Stage, Transaction, Trouble, TroubleKind};
use super::wants::{EnterpriseWant, PrefixWant};
use super::{Ask, Exchange, Finding, Journal, JournalError, NO_REASON, Next, Now, Settlement, Step};
use crate::epp::config::OPEN_TRANSACTIONS;
use crate::epp::message::{EntId, TransactionId};

impl<J: Journal> Exchange<J> {
    /// What is to be done at this moment. A command of a transaction is noted as sent when this returns.
    ///
    /// # Errors
    /// The file cannot be written: nothing is to be sent.
    pub fn next(&mut self, now: Now) -> Result<Next, JournalError> {
        let mut due = Due(Duration::MAX);
        if due.is_now(self.settle.until, now)
            && let Some(settlement) = self.settlement()
        {
            return Ok(Next::Settle(settlement));
        }
        if self.link.until > now.elapsed {
            return Ok(Next::Idle(due.0.min(self.link.until)));
        }
        due.0 = Duration::MAX;
        if let Some(message) = self.received.front().cloned() {
            return Ok(self.ask(now, Ask::Acknowledge(message), None));
        }
        let is_asking = self.finding.values().any(|finding| *finding == Finding::Poll);
        if is_asking || due.is_now(self.poll_due, now) {
            return Ok(self.ask(now, Ask::Poll, None));
        }
        if let Some(step) = self.next_of_old(now, &mut due)? {
            return Ok(Next::Send(step));
        }
        let open = self.transactions.values().filter(|each| each.stage.is_open()).count();
        if open < OPEN_TRANSACTIONS
            && let Some(step) = self.next_new(now, &mut due)?
        {
            return Ok(Next::Send(step));
        }
        // A settlement that could not be taken is tried again too.
        if self.settle.until > now.elapsed {
            due.is_now(self.settle.until, now);
        }
        Ok(Next::Idle(due.0))
    }

    /// A command that changes nothing above: nothing about it is noted.
    fn ask(&mut self, now: Now, ask: Ask, about: Option<TransactionId>) -> Next {
        Next::Send(Step { id: self.new_id(now), ask, about })
    }

    /// A verdict the catalog has not taken. That it has is seen by the case: one that is settled is wanted no more.
    fn settlement(&self) -> Option<Settlement> {
        self.wants.prefixes.iter().find_map(|want| {
            let (approved, reason) = self.verdict_on(want)?;
            let reason = if reason.is_empty() && !approved { NO_REASON.to_owned() } else { reason.to_owned() };
            Some(Settlement { prefix: want.prefix.clone(), case: want.case, approved, reason })
        })
    }

    /// What was decided on a case. Where an enterprise itself was refused, so are the prefixes that were approved for it here before.
    fn verdict_on(&self, want: &PrefixWant) -> Option<(bool, &str)> {
        let own = self.latest_of_prefix(&want.prefix).filter(|last| last.case == Some(want.case));
        let own = own.filter(|last| matches!(last.stage, Stage::Approved | Stage::Refused));
        let decided = own.or_else(|| {
            let of_enterprise = self.latest_of_enterprise(want.enterprise)?;
            (self.refuses(of_enterprise) && want.since <= of_enterprise.changed).then_some(of_enterprise)
        })?;
        Some((decided.stage == Stage::Approved, &decided.reason))
    }

    /// Whether a transaction means that an enterprise may have no prefix.
    fn refuses(&self, last: &Transaction) -> bool {
        last.kind == Kind::CreateEnterprise
            && last.stage == Stage::Refused
            && !self.known.contains_key(&last.enterprise)
    }

    /// The next step of a transaction that was begun.
    fn next_of_old(&mut self, now: Now, due: &mut Due) -> Result<Option<Step>, JournalError> {
        let open = self.transactions.values().filter(|each| matches!(each.stage, Stage::Sent | Stage::Exists));
        let candidates: Vec<TransactionId> = open.map(|each| each.id.clone()).collect();
        for id in candidates {
            let until = self.waits.get(&id).copied().unwrap_or_default();
            if !due.is_now(until, now) {
                continue;
            }
            let Some(transaction) = self.transactions.get(&id) else { continue };
            let finding = self.finding.get(&id).copied().unwrap_or(Finding::Again);
            let is_update = matches!(transaction.kind, Kind::ReplaceEnterprise | Kind::AmendEnterprise);
            if finding == Finding::Check && !is_update {
                let ask = match &transaction.prefix {
                    Some(prefix) => Ask::CheckPrefix(prefix.clone()),
                    None => Ask::CheckEnterprise(transaction.enterprise),
                };
                return Ok(Some(Step { id: self.new_id(now), ask, about: Some(id) }));
            }
            if let Some(step) = self.again(now, &id)? {
                return Ok(Some(step));
            }
        }
        Ok(None)
    }

    /// The same command under the same identifier; `None` when what it was to say has changed, and it is given up for one that says that.
    fn again(&mut self, now: Now, id: &TransactionId) -> Result<Option<Step>, JournalError> {
        let Some(transaction) = self.transactions.get(id) else { return Ok(None) };
        let mut next = transaction.clone();
        next.changed = now.wall.0;
        let content = self.wants.enterprises.get(&next.enterprise).map(|want| want.content);
        let is_same = next.content.is_none() || next.content == content;
        let ask = if is_same { self.ask_of(&next) } else { None };
        let Some(ask) = ask else {
            next.stage = Stage::Replaced;
            self.finding.remove(id);
            self.note(vec![Record::Transaction(Box::new(next))])?;
            return Ok(None);
        };
        next.attempts = next.attempts.saturating_add(1);
        let id = id.clone();
        self.note(vec![Record::Transaction(Box::new(next))])?;
        Ok(Some(Step { id, ask, about: None }))
    }

    fn ask_of(&self, transaction: &Transaction) -> Option<Ask> {
        let ent_id = self.known.get(&transaction.enterprise).map(|known| known.ent_id.clone());
        Some(match (transaction.kind, &transaction.prefix, ent_id) {
            (Kind::CreateEnterprise, ..) => Ask::CreateEnterprise(transaction.enterprise),
            (Kind::CreatePrefix, Some(prefix), Some(ent_id)) => Ask::CreatePrefix { ent_id, prefix: prefix.clone() },
            (Kind::ReplaceEnterprise, _, Some(ent_id)) => Ask::ReplaceEnterprise(transaction.enterprise, ent_id),
            (Kind::AmendEnterprise, _, Some(ent_id)) => Ask::AmendEnterprise(transaction.enterprise, ent_id),
            _ => return None,
        })
    }

    /// The first step of something new: an enterprise that is needed, a prefix, a change.
    fn next_new(&mut self, now: Now, due: &mut Due) -> Result<Option<Step>, JournalError> {
        for at in 0..self.wants.prefixes.len() {
            let Some(want) = self.wants.prefixes.get(at).cloned() else { continue };
            if !want.is_beneath {
                continue;
            }
            let step = match self.known.get(&want.enterprise).map(|known| known.ent_id.clone()) {
                Some(ent_id) => self.new_prefix(now, due, &want, ent_id)?,
                None => self.new_enterprise(now, due, &want)?,
            };
            if step.is_some() {
                return Ok(step);
            }
        }
        let all = self.wants.enterprises.keys().copied();
        let changed: Vec<u32> = all.filter(|id| self.update_of(*id).is_some()).collect();
        for enterprise in changed {
            if let Some(step) = self.new_change(now, due, enterprise)? {
                return Ok(Some(step));
            }
        }
        Ok(None)
    }

    fn new_prefix(
        &mut self,
        now: Now,
        due: &mut Due,
        want: &PrefixWant,
        ent_id: EntId,
    ) -> Result<Option<Step>, JournalError> {
        let last = self.latest_of_prefix(&want.prefix).filter(|last| last.case == Some(want.case));
        if !self.may_begin(now, due, last) || self.verdict_on(want).is_some() {
            return Ok(None);
        }
        let parts = [want.prefix.as_bytes(), ent_id.as_str().as_bytes()];
        let request = ContentHash::of([Kind::CreatePrefix.as_str().as_bytes()].into_iter().chain(parts));
        let subject = (want.enterprise, Some((want.prefix.clone(), want.case)));
        let ask = Ask::CreatePrefix { ent_id, prefix: want.prefix.clone() };
        self.begin(now, Kind::CreatePrefix, subject, (request, None), ask).map(Some)
    }

    fn new_enterprise(&mut self, now: Now, due: &mut Due, want: &PrefixWant) -> Result<Option<Step>, JournalError> {
        let enterprise = want.enterprise;
        let Some(EnterpriseWant { content, missing: None, .. }) = self.wants.enterprises.get(&enterprise).copied()
        else {
            return Ok(None);
        };
        let last = self.latest_of_enterprise(enterprise).filter(|last| last.stage != Stage::Refused);
        if !self.may_begin(now, due, last) || self.verdict_on(want).is_some() {
            return Ok(None);
        }
        if let Some((_, until)) = self.unclear.get(&enterprise)
            && !due.is_now(*until, now)
        {
            return Ok(None);
        }
        if self.free.remove(&enterprise).is_none() {
            return Ok(Some(Step { id: self.new_id(now), ask: Ask::CheckEnterprise(enterprise), about: None }));
        }
        let request = request_of(Kind::CreateEnterprise, enterprise, content);
        let said = (request, Some(content));
        self.begin(now, Kind::CreateEnterprise, (enterprise, None), said, Ask::CreateEnterprise(enterprise)).map(Some)
    }

    fn new_change(&mut self, now: Now, due: &mut Due, enterprise: u32) -> Result<Option<Step>, JournalError> {
        let Some((kind, want)) = self.update_of(enterprise).filter(|(kind, want)| held_update(*kind, want).is_none())
        else {
            return Ok(None);
        };
        let Some(ent_id) = self.known.get(&enterprise).map(|known| known.ent_id.clone()) else { return Ok(None) };
        let request = request_of(kind, enterprise, want.content);
        let last = self.latest_of_enterprise(enterprise);
        // What the audit did not pass is not sent once more until it says something else.
        let was_refused = last.is_some_and(|last| last.stage == Stage::Refused && last.request == request);
        // What failed is sent at once where it says something else now.
        let same = last.filter(|last| last.stage.is_open() || last.request == request);
        if was_refused || !self.may_begin(now, due, same) {
            return Ok(None);
        }
        let ask = match kind {
            Kind::AmendEnterprise => Ask::AmendEnterprise(enterprise, ent_id),
            _ => Ask::ReplaceEnterprise(enterprise, ent_id),
        };
        self.begin(now, kind, (enterprise, None), (request, Some(want.content)), ask).map(Some)
    }

    /// The update by which the top-level node would know an enterprise as it is now; `None` where it does, or does not know it at all.
    fn update_of(&self, enterprise: u32) -> Option<(Kind, EnterpriseWant)> {
        let want = self.wants.enterprises.get(&enterprise).copied()?;
        let told = self.known.get(&enterprise)?.content;
        let is_small = told.is_some_and(|content| content.significant == want.content.significant);
        let kind = if is_small { Kind::AmendEnterprise } else { Kind::ReplaceEnterprise };
        (told != Some(want.content)).then_some((kind, want))
    }

    /// Updates that are not sent, since something is missing: what they do, of which enterprise, since when, and why.
    pub(super) fn held_updates(&self) -> impl Iterator<Item = (Kind, u32, u64, Trouble)> {
        self.wants.enterprises.keys().filter_map(|id| {
            let (kind, want) = self.update_of(*id)?;
            Some((kind, *id, want.since, held_update(kind, &want)?))
        })
    }

    /// Whether another transaction may follow the latest about something.
    fn may_begin(&self, now: Now, due: &mut Due, last: Option<&Transaction>) -> bool {
        match last {
            None => true,
            Some(last) if last.stage == Stage::Failed => {
                due.is_now(self.waits.get(&last.id).copied().unwrap_or_default(), now)
            }
            Some(last) => !last.stage.is_open() && last.prefix.is_none() || last.stage == Stage::Replaced,
        }
    }

    /// Notes a new transaction as sent.
    fn begin(
        &mut self,
        now: Now,
        kind: Kind,
        (enterprise, prefix): (u32, Option<(Box<str>, u64)>),
        (request, content): (ContentHash, Option<Content>),
        ask: Ask,
    ) -> Result<Step, JournalError> {
        let id = self.new_id(now);
        let (prefix, case) = prefix.unzip();
        let transaction = Transaction {
            id: id.clone(),
            kind,
            enterprise,
            prefix,
            case,
            request,
            content,
            stage: Stage::Sent,
            attempts: 1,
            trouble: None,
            server: None,
            ent_id: None,
            reason: String::new(),
            since: now.wall.0,
            changed: now.wall.0,
        };
        self.note(vec![Record::Transaction(Box::new(transaction))])?;
        Ok(Step { id, ask, about: None })
    }

    /// Why a want has no transaction, where something is missing or unclear.
    pub(super) fn held_by(&self, want: &PrefixWant) -> Option<Trouble> {
        if !want.is_beneath {
            return Some(Trouble::new(TroubleKind::NotSendable, "docking.prefix"));
        }
        if self.known.contains_key(&want.enterprise) {
            return None;
        }
        let missing = self.wants.enterprises.get(&want.enterprise).and_then(|each| each.missing);
        let missing = missing.map(|field| Trouble::new(TroubleKind::NotSendable, field));
        missing.or_else(|| self.unclear.get(&want.enterprise).map(|(trouble, _)| trouble.clone()))
    }
}

/// Why an update is not sent: a full one needs everything, another one only what it says.
fn held_update(kind: Kind, want: &EnterpriseWant) -> Option<Trouble> {
    let missing = want.missing.filter(|_| kind == Kind::ReplaceEnterprise);
    missing.map(|field| Trouble::new(TroubleKind::NotSendable, field))
}

fn request_of(kind: Kind, enterprise: u32, content: Content) -> ContentHash {
    let Content { significant, small } = content;
    ContentHash::of([kind.as_str().as_bytes(), &enterprise.to_be_bytes()[..], significant.as_bytes(), small.as_bytes()])
}

/// The earliest of the moments that were asked about and are still to come.
struct Due(Duration);

impl Due {
    /// Whether a moment has come; notes it where it has not.
    fn is_now(&mut self, moment: Duration, now: Now) -> bool {
        let has_come = moment <= now.elapsed;
        if !has_come {
            self.0 = self.0.min(moment);
        }
        has_come
    }
}
