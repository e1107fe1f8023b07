//! Transactions for people.

use super::transaction::{Kind, Stage, Transaction, Trouble};
use super::{Exchange, Journal};
use crate::epp::message::TransactionId;

/// How the exchange stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// What is open, oldest first, then what has ended, latest first.
    pub transactions: Vec<Shown>,
    /// Enterprises the top-level node knows.
    pub known_enterprises: usize,
    /// Messages that are noted and not acknowledged.
    pub unacknowledged: usize,
    /// When the oldest of what is not decided was made, in milliseconds since 1970.
    pub oldest_undecided: Option<u64>,
    /// What is wrong with the link, while something is.
    pub link: Option<Trouble>,
}

/// A transaction, or what waits for one: a prefix, or an update of an enterprise that something is missing for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The identifier; `None` while nothing was sent.
    pub id: Option<TransactionId>,
    /// What it does.
    pub kind: Kind,
    /// By this node's number.
    pub enterprise: u32,
    /// The prefix it is about.
    pub prefix: Option<Box<str>>,
    /// Where it stands; `None` while nothing was sent.
    pub stage: Option<Stage>,
    /// How often it was sent.
    pub attempts: u32,
    /// What went wrong last.
    pub trouble: Option<Trouble>,
    /// When it was made, in milliseconds since 1970; of what was not sent, when this node approved, or the enterprise was changed.
    pub since: u64,
}

impl<J: Journal> Exchange<J> {
    /// How it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        let (mut open, mut ended): (Vec<&Transaction>, Vec<&Transaction>) =
            self.transactions.values().partition(|each| each.stage.is_open());
        open.sort_by_key(|each| each.since);
        ended.sort_by_key(|each| std::cmp::Reverse(each.changed));
        let waiting = self.wants.prefixes.iter().filter(|want| {
            let last = self.latest_of_prefix(&want.prefix).filter(|last| last.case == Some(want.case));
            last.is_none_or(|last| last.stage == Stage::Replaced)
        });
        let mut transactions: Vec<Shown> = waiting
            .map(|want| Shown {
                id: None,
                kind: Kind::CreatePrefix,
                enterprise: want.enterprise,
                prefix: Some(want.prefix.clone()),
                stage: None,
                attempts: 0,
                trouble: self.held_by(want),
                since: want.since,
            })
            .collect();
        let held = self.held_updates().map(|(kind, enterprise, since, trouble)| Shown {
            id: None,
            kind,
            enterprise,
            prefix: None,
            stage: None,
            attempts: 0,
            trouble: Some(trouble),
            since,
        });
        transactions.extend(held);
        let undecided = open.iter().map(|each| each.since).chain(transactions.iter().map(|each| each.since));
        let failed = ended.iter().filter(|each| each.stage == Stage::Failed && self.is_wanted(each));
        let oldest_undecided = undecided.chain(failed.map(|each| each.since)).min();
        transactions.extend(open.into_iter().chain(ended).map(shown));
        Status {
            transactions,
            known_enterprises: self.known.len(),
            unacknowledged: self.received.len(),
            oldest_undecided,
            link: self.last_link_trouble.clone(),
        }
    }

    /// Whether a transaction is the last word on something that is still wanted.
    fn is_wanted(&self, transaction: &Transaction) -> bool {
        match &transaction.prefix {
            Some(prefix) => {
                self.of_prefix.get(prefix) == Some(&transaction.id)
                    && self.wants.prefixes.iter().any(|want| Some(want.case) == transaction.case)
            }
            None => self.of_enterprise.get(&transaction.enterprise) == Some(&transaction.id),
        }
    }
}

fn shown(transaction: &Transaction) -> Shown {
    Shown {
        id: Some(transaction.id.clone()),
        kind: transaction.kind,
        enterprise: transaction.enterprise,
        prefix: transaction.prefix.clone(),
        stage: Some(transaction.stage),
        attempts: transaction.attempts,
        trouble: transaction.trouble.clone(),
        since: transaction.since,
    }
}
