//! What is sent next, and what an answer means. No socket, no clock, no catalog: wants, answers and moments come in, steps and settlements go out.
//!
//! ```text
//!                 1000 ────────────────────────────> approved ──> confirm
//! (noted) sent ── 1001 ──> pending ── message ──────> approved, or refused ──> refuse
//!          │  ^   2302 ──> exists  ── message ──────>   likewise
//!          │  │   another refusal ──> failed ──(wait)──> a new transaction
//!          │  └── the same command, same identifier ──┐
//!          └── no answer ──> poll until empty ──> check┘
//! ```
//!
//! A stage is noted before anything rests on it: `sent` before the command leaves, a verdict before its message is acknowledged. So whatever is
//! killed between two steps, opening the file again goes on from the one before.
//!
//! `exists` is only left by a message, or by the top-level node repeating its answer: the same command is put to it again under the same
//! identifier once in a while. An operator who was told another way may say what was decided ([`Exchange::mark`]).
//!
//! | file | holds |
//! |---|---|
//! | `transaction` | transactions, their stages, records of the file |
//! | `journal` | the file |
//! | `wants` | what the catalog wants |
//! | `plan` | what is sent next |
//! | `hear` | what an answer means |
//! | `show` | transactions for people |
//! | `wait` | waits after failures |

mod hear;
mod journal;
mod plan;
mod show;
#[cfg(test)]
mod tests;
mod transaction;
mod wait;
mod wants;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

pub use journal::{FileJournal, Journal, JournalError};
pub use show::{Shown, Status};
pub use transaction::{Content, ContentHash, Kind, Known, Record, Stage, Transaction, Trouble, TroubleKind};
pub use wait::{Now, Pace};
pub use wants::{EnterpriseWant, PrefixWant, Wants};

use crate::epp::config::{ACKNOWLEDGED_MESSAGES, ENDED_TRANSACTIONS};
use crate::epp::message::{EntId, MessageId, TransactionId};
use wait::Wait;

/// Gives 64 bits of chance: for identifiers, and for waits.
pub type Chance = Box<dyn FnMut() -> u64 + Send>;

/// The machine, over the file it notes everything in.
pub struct Exchange<J> {
    journal: J,
    pace: Pace,
    chance: Chance,
    wants: Wants,
    known: BTreeMap<u32, Known>,
    transactions: BTreeMap<TransactionId, Transaction>,
    /// The latest transaction of each enterprise, prefixes aside.
    of_enterprise: BTreeMap<u32, TransactionId>,
    /// The latest of each prefix.
    of_prefix: BTreeMap<Box<str>, TransactionId>,
    /// Messages that are noted and not acknowledged.
    received: VecDeque<MessageId>,
    /// Messages that were acknowledged, the latest last.
    acknowledged: VecDeque<MessageId>,
    // From here on in memory alone.
    finding: BTreeMap<TransactionId, Finding>,
    waits: BTreeMap<TransactionId, Duration>,
    /// Enterprises nobody above knows, as they said when they were asked for.
    free: BTreeMap<u32, ()>,
    /// Enterprises whose check did not give an answer that helps, and until when they are not asked for again.
    unclear: BTreeMap<u32, (Trouble, Duration)>,
    link: Wait,
    poll_due: Duration,
    settle: Wait,
    last_link_trouble: Option<Trouble>,
    /// What was wrong with the last message that could not be used: one line in the log for a row of them.
    message_trouble: Option<TroubleKind>,
}

/// How it is found out what became of a command without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    /// Messages first: one may tell.
    Poll,
    /// Then the object itself.
    Check,
    /// Then the same command again, under the same identifier.
    Again,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send a command, and tell what came of it.
    Send(Step),
    /// Take a step in the case of a prefix, and tell whether the catalog took it.
    Settle(Settlement),
    /// Nothing before this moment, counted like [`Now::elapsed`], unless the wants change.
    Idle(Duration),
}

/// A command to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The identifier it goes under.
    pub id: TransactionId,
    /// What it asks.
    pub ask: Ask,
    /// The transaction it is about, where it is not itself one that is noted.
    about: Option<TransactionId>,
}

/// What a command asks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ask {
    /// Is an enterprise known?
    CheckEnterprise(u32),
    /// Is a prefix free?
    CheckPrefix(Box<str>),
    /// Register an enterprise.
    CreateEnterprise(u32),
    /// Register a prefix.
    CreatePrefix {
        /// Whose it is.
        ent_id: EntId,
        /// The prefix.
        prefix: Box<str>,
    },
    /// Replace all of an enterprise.
    ReplaceEnterprise(u32, EntId),
    /// Change the small things of an enterprise.
    AmendEnterprise(u32, EntId),
    /// Is there a message?
    Poll,
    /// Take a message out.
    Acknowledge(MessageId),
}

/// A verdict for the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The prefix, folded.
    pub prefix: Box<str>,
    /// The serial of the case it is for.
    pub case: u64,
    /// Whether the top-level node approved.
    pub approved: bool,
    /// What it said; never empty for a refusal.
    pub reason: String,
}

/// What a refusal says when the top-level node said nothing.
const NO_REASON: &str = "refused by the top-level node, which gave no reason";

impl<J: Journal> Exchange<J> {
    /// Goes on from what was noted.
    ///
    /// # Errors
    /// See [`JournalError`].
    pub fn open(mut journal: J, pace: Pace, chance: Chance) -> Result<Self, JournalError> {
        let records = journal.load()?;
        let mut exchange = Self {
            journal,
            pace,
            chance,
            wants: Wants::default(),
            known: BTreeMap::new(),
            transactions: BTreeMap::new(),
            of_enterprise: BTreeMap::new(),
            of_prefix: BTreeMap::new(),
            received: VecDeque::new(),
            acknowledged: VecDeque::new(),
            finding: BTreeMap::new(),
            waits: BTreeMap::new(),
            free: BTreeMap::new(),
            unclear: BTreeMap::new(),
            link: Wait::default(),
            poll_due: Duration::ZERO,
            settle: Wait::default(),
            last_link_trouble: None,
            message_trouble: None,
        };
        records.into_iter().for_each(|record| exchange.take(record));
        // What became of these is not known: the answer may have been lost with the program.
        let lost = exchange.transactions.values().filter(|each| each.stage == Stage::Sent);
        exchange.finding = lost.map(|each| (each.id.clone(), Finding::Poll)).collect();
        exchange.forget_ended();
        exchange.write_anew()?;
        Ok(exchange)
    }

    /// Takes what the catalog wants now; replaces what it wanted before.
    pub fn want(&mut self, wants: Wants) {
        self.wants = wants;
    }

    /// Enterprises the top-level node knows, by this node's numbers: whose changes are wanted.
    pub fn known(&self) -> impl Iterator<Item = u32> {
        self.known.keys().copied()
    }

    /// Tells that the catalog took a settlement, or that the case was not as it was for it any more; `Err`: why it could not be taken now. Gives
    /// that back once for a row of failures.
    pub fn settled(&mut self, now: Now, outcome: Result<(), Trouble>) -> Option<Trouble> {
        let Err(trouble) = outcome else {
            self.settle = Wait::default();
            return None;
        };
        let chance = (self.chance)();
        self.settle.failed(&self.pace, now, chance);
        (self.settle.failures == 1).then_some(trouble)
    }

    /// Says for the top-level node what it decided on a prefix, where it cannot be heard: for operators who were told another way. `false` when no
    /// transaction about the prefix waits for a verdict.
    ///
    /// # Errors
    /// The file cannot be written: nothing is decided.
    pub fn mark(&mut self, now: Now, prefix: &str, approved: bool, reason: &str) -> Result<bool, JournalError> {
        let wanted = self.wants.prefixes.iter().find(|want| want.prefix.eq_ignore_ascii_case(prefix));
        let last =
            wanted.and_then(|want| self.latest_of_prefix(&want.prefix).filter(|last| last.case == Some(want.case)));
        let Some(last) = last.filter(|last| last.stage.is_open() || last.stage == Stage::Failed) else {
            return Ok(false);
        };
        let stage = if approved { Stage::Approved } else { Stage::Refused };
        let next = Transaction { stage, reason: reason.to_owned(), changed: now.wall.0, ..last.clone() };
        self.finding.remove(&next.id);
        self.waits.remove(&next.id);
        self.note(vec![Record::Transaction(Box::new(next))])?;
        Ok(true)
    }

    /// Ends all waits: whatever failed or was refused is tried at once.
    pub fn hurry(&mut self) {
        self.waits.clear();
        self.unclear.clear();
        self.link.until = Duration::ZERO;
        self.settle.until = Duration::ZERO;
        self.poll_due = Duration::ZERO;
    }

    /// Notes a batch, then believes it.
    fn note(&mut self, batch: Vec<Record>) -> Result<(), JournalError> {
        self.journal.append(&batch)?;
        batch.into_iter().for_each(|record| self.take(record));
        self.write_anew()
    }

    /// Writes the file anew when it is large, without what was replaced or has ended since.
    fn write_anew(&mut self) -> Result<(), JournalError> {
        if !self.journal.is_large() {
            return Ok(());
        }
        self.forget_ended();
        let all = self.records();
        self.journal.rewrite(&all)
    }

    /// Believes a record.
    fn take(&mut self, record: Record) {
        match record {
            Record::Transaction(transaction) => {
                let Transaction { id, enterprise, prefix, .. } = &*transaction;
                match prefix {
                    Some(prefix) => drop(self.of_prefix.insert(prefix.clone(), id.clone())),
                    None => drop(self.of_enterprise.insert(*enterprise, id.clone())),
                }
                self.transactions.insert(id.clone(), *transaction);
            }
            Record::Known(known) => drop(self.known.insert(known.enterprise, known)),
            Record::Received(id) => self.received.push_back(id),
            Record::Acknowledged(id) => {
                self.received.retain(|waiting| *waiting != id);
                self.acknowledged.push_back(id);
                if self.acknowledged.len() > ACKNOWLEDGED_MESSAGES {
                    self.acknowledged.pop_front();
                }
            }
        }
    }

    /// Everything that is known, for a file written anew.
    fn records(&self) -> Vec<Record> {
        let mut transactions: Vec<&Transaction> = self.transactions.values().collect();
        // The latest of a subject is told by its place.
        transactions.sort_by_key(|each| (each.since, each.changed));
        let transactions = transactions.into_iter().map(|each| Record::Transaction(Box::new(each.clone())));
        let known = self.known.values().map(|each| Record::Known(each.clone()));
        let acknowledged = self.acknowledged.iter().map(|id| Record::Acknowledged(id.clone()));
        let received = self.received.iter().map(|id| Record::Received(id.clone()));
        known.chain(transactions).chain(acknowledged).chain(received).collect()
    }

    /// Forgets transactions that are over, but for the latest that ended.
    fn forget_ended(&mut self) {
        let ended = |each: &&Transaction| !each.stage.is_open();
        let mut over: Vec<(u64, TransactionId)> =
            self.transactions.values().filter(ended).map(|each| (each.changed, each.id.clone())).collect();
        if over.len() <= ENDED_TRANSACTIONS {
            return;
        }
        over.sort();
        let surplus = over.len() - ENDED_TRANSACTIONS;
        for (_, id) in over.into_iter().take(surplus) {
            self.transactions.remove(&id);
        }
        let kept = &self.transactions;
        self.of_enterprise.retain(|_, id| kept.contains_key(id));
        self.of_prefix.retain(|_, id| kept.contains_key(id));
    }

    fn new_id(&mut self, now: Now) -> TransactionId {
        TransactionId::made(now.wall.0, (self.chance)())
    }

    fn latest_of_prefix(&self, prefix: &str) -> Option<&Transaction> {
        self.transactions.get(self.of_prefix.get(prefix)?)
    }

    fn latest_of_enterprise(&self, enterprise: u32) -> Option<&Transaction> {
        self.transactions.get(self.of_enterprise.get(&enterprise)?)
    }
}

impl<J> std::fmt::Debug for Exchange<J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("transactions", &self.transactions.len()).finish_non_exhaustive()
    }
}
