//! What was forgotten lately, so that an answer that was on its way meanwhile does not bring back what was forgotten.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use waymark_ident::PREFIX_RECORDS;

use super::Flush;
use crate::knowledge::{Learned, What};

/// Flushes remembered. An answer whose question is older than all of them is not kept: it is asked for again.
const REMEMBERED: usize = 1_024;

/// How often something was forgotten. Taken before a question is sent, given with what its answer teaches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Epoch(u64);

/// What was forgotten lately.
#[derive(Debug, Default)]
pub(super) struct Flushes {
    epoch: AtomicU64,
    recent: Mutex<VecDeque<(u64, Forgotten)>>,
}

#[derive(Debug)]
enum Forgotten {
    Name(Box<[u8]>),
    Prefix(Box<[u8]>),
    All,
}

impl Flushes {
    pub(super) fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// Notes that something is about to be forgotten.
    pub(super) fn note(&self, flush: Flush<'_>) {
        let forgotten = match flush {
            Flush::Name(key) => Forgotten::Name(key.into()),
            Flush::Prefix(prefix) => Forgotten::Prefix(prefix.into()),
            Flush::All => Forgotten::All,
        };
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = self.epoch.fetch_add(1, Ordering::AcqRel) + 1;
        recent.push_back((epoch, forgotten));
        if recent.len() > REMEMBERED {
            recent.pop_front();
        }
    }

    /// Whether what a question of that epoch taught was forgotten since.
    pub(super) fn cover(&self, learned: &Learned, since: Epoch) -> bool {
        if self.epoch() == since {
            return false;
        }
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let all_known = recent.front().is_none_or(|(first, _)| *first <= since.0 + 1);
        !all_known
            || recent.iter().rev().take_while(|(epoch, _)| *epoch > since.0).any(|(_, what)| what.covers(learned))
    }
}

impl Forgotten {
    fn covers(&self, learned: &Learned) -> bool {
        let (name, named) = match &learned.what {
            What::Fact { key, .. } => (Some(key), key.strip_prefix(PREFIX_RECORDS).unwrap_or(key)),
            What::Service { prefix, .. } | What::AbsentPrefix { prefix } | What::Lame { prefix, .. } => {
                (None, &**prefix)
            }
        };
        match self {
            Self::All => true,
            Self::Name(key) => name.is_some_and(|name| name.eq_ignore_ascii_case(key)),
            Self::Prefix(prefix) => is_within(named, prefix),
        }
    }
}

/// Whether a key or prefix is of a prefix or one derived from it.
pub(super) fn is_within(named: &[u8], prefix: &[u8]) -> bool {
    named.strip_prefix(prefix).is_some_and(|behind| matches!(behind.first(), None | Some(b'/' | b'.')))
}
