//! What an answer means, and what its absence means.

use std::time::Duration;

use super::transaction::{Kind, Known, Record, Stage, Transaction, Trouble, TroubleKind};
use super::{Ask, Exchange, Finding, Journal, JournalError, Now, Step};
use crate::epp::message::{Answer, Code, Data, EntId, Message, MessageId, TransactionId};

/// What is said of a prefix that is registered already, by an earlier case of the same enterprise.
const APPROVED_BEFORE: &str = "approved in an earlier case, and still registered";

impl<J: Journal> Exchange<J> {
    /// Tells what came of a step. Gives back what is worth a line in the log: each trouble once, however often it comes again.
    ///
    /// # Errors
    /// The file cannot be written: what the answer said is as if it had not come.
    pub fn heard(
        &mut self,
        now: Now,
        step: &Step,
        answer: Result<Answer, Trouble>,
    ) -> Result<Option<Trouble>, JournalError> {
        let answer = answer.and_then(|answer| checked(step, answer));
        if let Ok(answer) = &answer
            && !answer.code.is_failure_of_the_server()
        {
            self.link.failures = 0;
            // A refusal says that the link works, and not that what was wrong with it is over: a poll may be refused for ever.
            if answer.code.is_success() {
                self.last_link_trouble = None;
            }
        }
        match answer {
            Err(trouble) => self.heard_nothing(now, step, trouble),
            Ok(answer) if answer.code.is_failure_of_the_server() => {
                let trouble = Trouble::new(TroubleKind::ServerFailed, said(&answer));
                self.heard_nothing(now, step, trouble)
            }
            Ok(answer) => match &step.ask {
                Ask::Poll => self.heard_queue(now, answer),
                Ask::Acknowledge(message) => self.heard_acknowledged(now, message, &answer),
                Ask::CheckEnterprise(_) | Ask::CheckPrefix(_) => self.heard_check(now, step, &answer),
                _ => self.heard_of_transaction(now, &step.id, &answer),
            },
        }
    }

    /// Tells that a command could not be made: something it has to say is not there. Nothing was sent.
    ///
    /// # Errors
    /// As [`heard`](Self::heard).
    pub fn not_sent(&mut self, now: Now, step: &Step, trouble: Trouble) -> Result<Option<Trouble>, JournalError> {
        match (&step.ask, &step.about) {
            (Ask::CheckEnterprise(enterprise), None) => Ok(self.is_unclear(now, *enterprise, trouble)),
            (_, Some(about)) => {
                let about = about.clone();
                self.fail(now, &about, trouble)
            }
            (_, None) => {
                let id = step.id.clone();
                self.fail(now, &id, trouble)
            }
        }
    }

    /// No answer, or none that can be believed: what became of the command is not known.
    fn heard_nothing(&mut self, now: Now, step: &Step, trouble: Trouble) -> Result<Option<Trouble>, JournalError> {
        let chance = (self.chance)();
        self.link.failed(&self.pace, now, chance);
        let mut is_new = self.last_link_trouble.as_ref() != Some(&trouble);
        self.last_link_trouble = Some(trouble.clone());
        if let Some(transaction) = self.transactions.get(&step.id) {
            let mut next = transaction.clone();
            // Polls and checks in between may have gone well.
            is_new &= next.trouble.as_ref() != Some(&trouble);
            if next.stage == Stage::Sent {
                self.finding.insert(step.id.clone(), Finding::Poll);
            }
            let wait = self.pace.after(next.attempts, chance);
            self.waits.insert(step.id.clone(), now.elapsed.saturating_add(wait));
            next.trouble = Some(trouble.clone());
            next.changed = now.wall.0;
            self.note(vec![Record::Transaction(Box::new(next))])?;
        }
        Ok(is_new.then_some(trouble))
    }

    /// The answer to a command that is a transaction.
    fn heard_of_transaction(
        &mut self,
        now: Now,
        id: &TransactionId,
        answer: &Answer,
    ) -> Result<Option<Trouble>, JournalError> {
        let Some(transaction) = self.transactions.get(id) else { return Ok(None) };
        // A message may have decided it while this answer was on its way.
        if !transaction.stage.is_open() {
            return Ok(None);
        }
        let mut next = transaction.clone();
        next.server = answer.server.clone().or(next.server);
        next.changed = now.wall.0;
        next.trouble = None;
        if let Data::Created { ent_id } = &answer.data {
            next.ent_id = Some(ent_id.clone());
        }
        match answer.code {
            Code::OK => self.carried_out(now, next, &answer.text),
            Code::PENDING => {
                next.stage = Stage::Pending;
                self.finding.remove(id);
                self.note(vec![Record::Transaction(Box::new(next))])?;
                Ok(None)
            }
            // It was passed for this enterprise before, and there is no command that takes that back.
            Code::EXISTS if self.was_approved(&next) => self.carried_out(now, next, APPROVED_BEFORE),
            Code::EXISTS if next.kind == Kind::CreatePrefix => {
                next.stage = Stage::Exists;
                let trouble = Trouble::new(TroubleKind::Refused, said(answer));
                let is_new = transaction_trouble_is_new(self.transactions.get(id), &trouble);
                next.trouble = Some(trouble.clone());
                self.finding.insert(id.clone(), Finding::Again);
                self.waits.insert(id.clone(), now.elapsed.saturating_add(self.pace.refused_wait));
                self.note(vec![Record::Transaction(Box::new(next))])?;
                Ok(is_new.then_some(trouble))
            }
            // It is known what it is called: the check says it.
            Code::EXISTS if next.kind == Kind::CreateEnterprise => {
                self.finding.insert(id.clone(), Finding::Check);
                self.note(vec![Record::Transaction(Box::new(next))])?;
                Ok(None)
            }
            code if code.is_success() => {
                let trouble = Trouble::new(TroubleKind::Unexpected, said(answer));
                self.fail(now, &id.clone(), trouble)
            }
            _ => {
                let trouble = Trouble::new(TroubleKind::Refused, said(answer));
                self.fail(now, &id.clone(), trouble)
            }
        }
    }

    /// Whether the prefix was passed for this enterprise in an earlier case.
    fn was_approved(&self, transaction: &Transaction) -> bool {
        transaction.kind == Kind::CreatePrefix
            && self.transactions.values().any(|each| {
                each.stage == Stage::Approved
                    && each.prefix == transaction.prefix
                    && each.enterprise == transaction.enterprise
            })
    }

    /// The command was carried out, and nothing is left to be decided.
    fn carried_out(&mut self, now: Now, mut next: Transaction, reason: &str) -> Result<Option<Trouble>, JournalError> {
        let id = next.id.clone();
        reason.clone_into(&mut next.reason);
        let Some(known) = self.known_after(&next, None) else {
            // Registered without saying under which name: the check says it.
            self.finding.insert(id, Finding::Check);
            let trouble = Trouble::new(TroubleKind::Unexpected, "entId");
            next.trouble = Some(trouble.clone());
            self.note(vec![Record::Transaction(Box::new(next))])?;
            return Ok(Some(trouble));
        };
        next.stage = Stage::Approved;
        next.changed = now.wall.0;
        self.finding.remove(&id);
        self.waits.remove(&id);
        self.note(known.into_iter().map(Record::Known).chain([Record::Transaction(Box::new(next))]).collect())?;
        Ok(None)
    }

    /// What the top-level node knows of an enterprise once a transaction was carried out: `Some(None)` where it is about a prefix, `None` where it
    /// did not say what it calls it.
    fn known_after(&self, transaction: &Transaction, given: Option<&EntId>) -> Option<Option<Known>> {
        if transaction.kind == Kind::CreatePrefix {
            return Some(None);
        }
        let before = self.known.get(&transaction.enterprise);
        let ent_id = before.map(|known| &known.ent_id).or(transaction.ent_id.as_ref()).or(given)?;
        let content = transaction.content;
        Some(Some(Known { enterprise: transaction.enterprise, ent_id: ent_id.clone(), content }))
    }

    /// A command that was refused. Sent once more later, since most refusals are about settings that people put right.
    fn fail(&mut self, now: Now, id: &TransactionId, trouble: Trouble) -> Result<Option<Trouble>, JournalError> {
        let Some(transaction) = self.transactions.get(id) else { return Ok(Some(trouble)) };
        let mut next = transaction.clone();
        let before = self.previous_trouble(&next);
        next.stage = Stage::Failed;
        next.changed = now.wall.0;
        next.trouble = Some(trouble.clone());
        self.finding.remove(id);
        self.waits.insert(id.clone(), now.elapsed.saturating_add(self.pace.refused_wait));
        self.note(vec![Record::Transaction(Box::new(next))])?;
        Ok((before.as_ref() != Some(&trouble)).then_some(trouble))
    }

    /// What went wrong with the transaction before this one about the same thing, or with this one.
    fn previous_trouble(&self, transaction: &Transaction) -> Option<Trouble> {
        let same = |each: &&Transaction| {
            (each.kind, each.enterprise, &each.prefix)
                == (transaction.kind, transaction.enterprise, &transaction.prefix)
        };
        let earlier = self.transactions.values().filter(same).filter(|each| each.trouble.is_some());
        earlier.max_by_key(|each| each.changed).and_then(|each| each.trouble.clone())
    }

    /// The answer to a check.
    fn heard_check(&mut self, now: Now, step: &Step, answer: &Answer) -> Result<Option<Trouble>, JournalError> {
        let Data::Checked { is_free, ent_id } = &answer.data else {
            let kind = if answer.code.is_success() { TroubleKind::Unexpected } else { TroubleKind::Refused };
            return self.not_sent(now, step, Trouble::new(kind, said(answer)));
        };
        match (&step.ask, &step.about) {
            (Ask::CheckEnterprise(enterprise), None) => {
                self.heard_of_enterprise(now, *enterprise, *is_free, ent_id.clone())
            }
            (Ask::CheckEnterprise(_), Some(about)) if !is_free => {
                let Some(transaction) = self.transactions.get(about) else { return Ok(None) };
                let mut next = transaction.clone();
                next.ent_id = ent_id.clone().or(next.ent_id);
                if next.ent_id.is_none() {
                    let trouble = Trouble::new(TroubleKind::Unexpected, "entId");
                    return self.fail(now, &about.clone(), trouble);
                }
                self.carried_out(now, next, &answer.text)
            }
            // Free: it was never carried out. Taken: it was, or is pending, and whoever knows the identifier says which.
            (_, Some(about)) => {
                self.finding.insert(about.clone(), Finding::Again);
                self.waits.remove(about);
                Ok(None)
            }
            (_, None) => Ok(None),
        }
    }

    /// The answer to a check of an enterprise that is to be registered.
    fn heard_of_enterprise(
        &mut self,
        now: Now,
        enterprise: u32,
        is_free: bool,
        ent_id: Option<EntId>,
    ) -> Result<Option<Trouble>, JournalError> {
        self.unclear.remove(&enterprise);
        match (is_free, ent_id) {
            (true, _) => {
                self.free.insert(enterprise, ());
                Ok(None)
            }
            // Registered by somebody else, or by this node before its file was lost. What is known of it is brought up to date.
            (false, Some(ent_id)) => {
                self.note(vec![Record::Known(Known { enterprise, ent_id, content: None })])?;
                Ok(None)
            }
            (false, None) => Ok(self.is_unclear(now, enterprise, Trouble::new(TroubleKind::Unexpected, "entId"))),
        }
    }

    fn is_unclear(&mut self, now: Now, enterprise: u32, trouble: Trouble) -> Option<Trouble> {
        let until = now.elapsed.saturating_add(self.pace.refused_wait);
        let before = self.unclear.insert(enterprise, (trouble.clone(), until));
        (before.map(|(before, _)| before).as_ref() != Some(&trouble)).then_some(trouble)
    }

    /// The answer to a poll: a message, or that there is none.
    fn heard_queue(&mut self, now: Now, answer: Answer) -> Result<Option<Trouble>, JournalError> {
        match (answer.code, answer.queue) {
            (Code::MESSAGE, Some(queue)) => self.received(now, queue.id, answer.data),
            (Code::NO_MESSAGES | Code::OK, _) => {
                self.poll_due = now.elapsed.saturating_add(self.pace.poll_every);
                for finding in self.finding.values_mut().filter(|finding| **finding == Finding::Poll) {
                    *finding = Finding::Check;
                }
                Ok(None)
            }
            (code, _) => {
                self.poll_due = now.elapsed.saturating_add(self.pace.poll_every);
                // Without a queue the object itself is all there is to ask.
                for finding in self.finding.values_mut().filter(|finding| **finding == Finding::Poll) {
                    *finding = Finding::Check;
                }
                let kind = if code.is_success() { TroubleKind::Unexpected } else { TroubleKind::Refused };
                let trouble = Trouble::new(kind, format!("poll: {code} {}", answer.text));
                let is_new = self.last_link_trouble.as_ref() != Some(&trouble);
                self.last_link_trouble = Some(trouble.clone());
                Ok(is_new.then_some(trouble))
            }
        }
    }

    /// A message: noted with what it says, all at once. One that came before says nothing new.
    fn received(&mut self, now: Now, id: MessageId, data: Data) -> Result<Option<Trouble>, JournalError> {
        // Asked for the next one as soon as this one is acknowledged.
        self.poll_due = Duration::ZERO;
        if self.received.contains(&id) {
            return Ok(None);
        }
        let mut batch = Vec::new();
        let mut trouble = None;
        if !self.acknowledged.contains(&id) {
            match data {
                Data::Message(message) => trouble = self.judged(now, &message, &mut batch),
                _ => trouble = Some(Trouble::new(TroubleKind::Unexpected, format!("message {id}"))),
            }
        }
        batch.push(Record::Received(id));
        self.note(batch)?;
        let before = std::mem::replace(&mut self.message_trouble, trouble.as_ref().map(|each| each.kind));
        Ok(trouble.filter(|trouble| before != Some(trouble.kind)))
    }

    /// What a message makes of the transaction it is about.
    fn judged(&mut self, now: Now, message: &Message, batch: &mut Vec<Record>) -> Option<Trouble> {
        let verdict = message.verdict.as_ref()?;
        let about = &message.about;
        let Some(transaction) = self.transactions.get(about) else {
            return Some(Trouble::new(TroubleKind::WrongTransaction, format!("message about {about}")));
        };
        let is_other = match (&message.prefix, &transaction.prefix) {
            (Some(theirs), Some(ours)) => !theirs.eq_ignore_ascii_case(ours),
            _ => false,
        };
        if is_other {
            return Some(Trouble::new(TroubleKind::WrongTransaction, format!("message about {about}: prefix")));
        }
        let stage = if verdict.passed { Stage::Approved } else { Stage::Refused };
        if matches!(transaction.stage, Stage::Approved | Stage::Refused) {
            // The first word counts: what rests on it cannot be taken back from here.
            let contradicts = transaction.stage != stage;
            return contradicts.then(|| Trouble::new(TroubleKind::Unexpected, format!("second verdict on {about}")));
        }
        let mut next = transaction.clone();
        next.changed = now.wall.0;
        next.server = message.server.clone().or(next.server);
        next.ent_id = message.ent_id.clone().or(next.ent_id);
        next.reason.clone_from(&verdict.reason);
        next.trouble = None;
        if verdict.passed {
            match self.known_after(&next, None) {
                Some(known) => batch.extend(known.map(Record::Known)),
                None => {
                    // Passed, and what it is called is still to be asked for.
                    next.stage = Stage::Sent;
                    self.finding.insert(about.clone(), Finding::Check);
                    batch.push(Record::Transaction(Box::new(next)));
                    return None;
                }
            }
        }
        next.stage = stage;
        self.finding.remove(about);
        self.waits.remove(about);
        batch.push(Record::Transaction(Box::new(next)));
        None
    }

    /// The answer to an acknowledgement. A message that is not there any more was acknowledged before.
    fn heard_acknowledged(
        &mut self,
        now: Now,
        message: &MessageId,
        answer: &Answer,
    ) -> Result<Option<Trouble>, JournalError> {
        if answer.code.is_success() || answer.code == Code::MISSING {
            self.note(vec![Record::Acknowledged(message.clone())])?;
            return Ok(None);
        }
        let chance = (self.chance)();
        self.link.failed(&self.pace, now, chance);
        let trouble = Trouble::new(TroubleKind::Refused, format!("acknowledgement: {}", said(answer)));
        let is_new = self.last_link_trouble.as_ref() != Some(&trouble);
        self.last_link_trouble = Some(trouble.clone());
        Ok(is_new.then_some(trouble))
    }
}

/// Whether an answer is to this step.
fn checked(step: &Step, answer: Answer) -> Result<Answer, Trouble> {
    match &answer.client {
        Some(client) if *client == step.id => Ok(answer),
        Some(client) => Err(Trouble::new(TroubleKind::WrongTransaction, client)),
        None => Err(Trouble::new(TroubleKind::WrongTransaction, "no clTRID")),
    }
}

/// A code and its words.
fn said(answer: &Answer) -> String {
    format!("{} {}", answer.code, answer.text).trim_end().to_owned()
}

fn transaction_trouble_is_new(transaction: Option<&Transaction>, trouble: &Trouble) -> bool {
    transaction.and_then(|each| each.trouble.as_ref()) != Some(trouble)
}
