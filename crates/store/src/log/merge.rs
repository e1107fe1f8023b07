//! Several sorted sources of keys as one, the newest entry of each key winning.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::ops::Bound;
use std::sync::Arc;

use crate::config::TAIL_PIECE;
use crate::error::ReadError;
use crate::format::run::KeyAt;
use crate::log::run::{Run, RunCursor};
use crate::log::tail::Tail;

/// A source of keys in order.
#[derive(Debug)]
enum Source {
    Run(RunCursor),
    Tail { tail: Arc<Tail>, from: Bound<Box<[u8]>>, held: Vec<(Box<[u8]>, KeyAt)> },
}

impl Source {
    fn next(&mut self, key: &mut Vec<u8>) -> Result<Option<KeyAt>, ReadError> {
        match self {
            Self::Run(cursor) => cursor.next(key),
            Self::Tail { tail, from, held } => {
                if held.is_empty() {
                    tail.copy(from.as_ref().map(AsRef::as_ref), TAIL_PIECE, held);
                    held.reverse();
                }
                let Some((found, at)) = held.pop() else { return Ok(None) };
                key.clear();
                key.extend_from_slice(&found);
                *from = Bound::Excluded(found);
                Ok(Some(at))
            }
        }
    }
}

/// The next key of one source.
#[derive(Debug)]
struct Head {
    key: Vec<u8>,
    at: KeyAt,
    source: usize,
}

impl Ord for Head {
    /// The smallest key is the greatest head, and of one key the newest entry.
    fn cmp(&self, other: &Self) -> Ordering {
        Reverse(&self.key).cmp(&Reverse(&other.key)).then(self.at.serial.cmp(&other.at.serial))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

/// The sources as one.
#[derive(Debug)]
pub(crate) struct Merged {
    sources: Vec<Source>,
    heads: BinaryHeap<Head>,
    /// The key handed out last.
    current: Vec<u8>,
    /// Memory of keys used before.
    spare: Vec<Vec<u8>>,
    begun: bool,
    from: Bound<Box<[u8]>>,
}

impl Merged {
    /// No sources yet; keys before `from` will be left out.
    pub(crate) fn new(from: Bound<&[u8]>) -> Self {
        Self {
            sources: Vec::new(),
            heads: BinaryHeap::new(),
            current: Vec::new(),
            spare: Vec::new(),
            begun: false,
            from: from.map(Box::<[u8]>::from),
        }
    }

    /// Adds the keys of a tail. Before the first [`Merged::next`].
    pub(crate) fn add_tail(&mut self, tail: Arc<Tail>) {
        self.sources.push(Source::Tail { tail, from: self.from.clone(), held: Vec::new() });
    }

    /// Adds the keys of a run. Before the first [`Merged::next`].
    pub(crate) fn add_run(&mut self, run: Arc<Run>) {
        let cursor = RunCursor::new(run, self.from.as_ref().map(AsRef::as_ref));
        self.sources.push(Source::Run(cursor));
    }

    /// The next key with its newest entry, `None` after the last.
    ///
    /// # Errors
    /// Damage or a refusing disk.
    pub(crate) fn next(&mut self) -> Result<Option<(&[u8], KeyAt)>, ReadError> {
        if !self.begun {
            self.begun = true;
            for source in 0..self.sources.len() {
                self.refill(source)?;
            }
        }
        loop {
            let Some(head) = self.heads.pop() else { return Ok(None) };
            let key = std::mem::replace(&mut self.current, head.key);
            self.spare.push(key);
            self.refill(head.source)?;
            // Older entries of the same key, in other sources.
            while self.heads.peek().is_some_and(|other| other.key == self.current) {
                let Some(older) = self.heads.pop() else { break };
                self.spare.push(older.key);
                self.refill(older.source)?;
            }
            if self.is_wanted() {
                return Ok(Some((&self.current, head.at)));
            }
        }
    }

    /// Whether the current key lies within the bound; a run's first block begins before it.
    fn is_wanted(&self) -> bool {
        match &self.from {
            Bound::Unbounded => true,
            Bound::Included(from) => *self.current >= **from,
            Bound::Excluded(from) => *self.current > **from,
        }
    }

    fn refill(&mut self, source: usize) -> Result<(), ReadError> {
        let mut key = self.spare.pop().unwrap_or_default();
        let Some(from) = self.sources.get_mut(source) else { return Ok(()) };
        match from.next(&mut key)? {
            Some(at) => self.heads.push(Head { key, at, source }),
            None => self.spare.push(key),
        }
        Ok(())
    }
}
