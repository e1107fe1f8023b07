//! Request ids: what was carried out under each, so that a repetition is answered with the first receipt and never done again.
//!
//! An id is a UUID of version 7, so it says when it was made. What is *accepted* is remembered for each principal, until it is older than the
//! configured time or the principal, or all together, have more than the configured number. An unknown id that was made after everything
//! forgotten is new; one made before is too old to tell, and refused. Refusals are not remembered: nothing was written, so asking again decides
//! anew.
//!
//! The memory is exact at every serial. It is fed by notes in the log, of the same group as what they remember, and kept in two trees of the
//! small state, from which it is loaded at a start. When the state is lost, the notes are read again ([`load`]).

pub(crate) mod digest;
pub(crate) mod load;
pub(crate) mod note;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use waymark_store::{Timestamp, Tree};

use crate::command::{Receipt, Refusal, Request};
use crate::config::{REQUEST_FUTURE_SECONDS, RequestLimits};
use crate::projection::Projector;

/// Accepted requests: the part of the note's key behind `00 'I'`, and the note's body.
pub(crate) const REQUESTS: Tree = Tree(10);
/// What is forgotten: `'P' principal` or `'F'` for all, and milliseconds since 1970 (u64, big-endian): unknown ids made then or before are too old.
pub(crate) const HORIZONS: Tree = Tree(11);

/// An accepted request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    /// Hash of what was asked.
    pub(crate) digest: [u8; 32],
    /// What was answered.
    pub(crate) receipt: Receipt,
}

impl Remembered {
    /// The answer to a repetition.
    ///
    /// # Errors
    /// [`Refusal::RequestReused`] when something else was asked.
    pub(crate) fn repeat(&self, request: &Request) -> Result<Receipt, Refusal> {
        if self.digest != request.digest {
            return Err(Refusal::RequestReused);
        }
        Ok(Receipt { repeated: true, ..self.receipt })
    }
}

/// The memory of accepted requests.
pub(crate) struct Requests {
    principals: HashMap<Arc<str>, OfPrincipal>,
    /// How many each principal has; who has most gives way when there are too many together.
    sizes: BTreeSet<(usize, Arc<str>)>,
    total: usize,
    /// Ids made then or before may have been forgotten, whoever's they are.
    floor: Timestamp,
    /// When everything too old was last looked for.
    swept: Timestamp,
    limits: RequestLimits,
}

#[derive(Default)]
struct OfPrincipal {
    /// By the id as a number: the order in which they were made.
    known: BTreeMap<u128, Remembered>,
    /// Ids made then or before may have been forgotten.
    horizon: Timestamp,
}

impl Requests {
    /// Nothing is remembered and nothing forgotten.
    pub(crate) fn new(limits: RequestLimits) -> Self {
        Self {
            principals: HashMap::new(),
            sizes: BTreeSet::new(),
            total: 0,
            floor: Timestamp(0),
            swept: Timestamp(0),
            limits,
        }
    }

    /// What was answered to a request; `None` when it is new.
    ///
    /// # Errors
    /// [`Refusal::RequestReused`], [`Refusal::RequestExpired`] or [`Refusal::RequestFromFuture`].
    pub(crate) fn recall(
        &self,
        principal: &str,
        request: &Request,
        now: Timestamp,
    ) -> Result<Option<Receipt>, Refusal> {
        let made = made_at(number(request.id));
        if made <= self.past(now) {
            return Err(Refusal::RequestExpired);
        }
        let of_principal = self.principals.get(principal);
        if let Some(remembered) = of_principal.and_then(|all| all.known.get(&number(request.id))) {
            return remembered.repeat(request).map(Some);
        }
        if made.0 > now.0.saturating_add(FUTURE_MS) {
            return Err(Refusal::RequestFromFuture);
        }
        if made <= self.floor || of_principal.is_some_and(|all| made <= all.horizon) {
            return Err(Refusal::RequestExpired);
        }
        Ok(None)
    }

    /// Remembers a request accepted at `now`, forgets what is too much or too old by then, and notes for the state what was forgotten.
    pub(crate) fn remember(
        &mut self,
        now: Timestamp,
        principal: &str,
        id: u128,
        what: Remembered,
        state: &mut Projector,
    ) {
        let past = self.past(now);
        let name = self.name(principal);
        let all = self.principals.entry(Arc::clone(&name)).or_default();
        let before = all.known.len();
        all.known.insert(id, what);
        while all.first_made().is_some_and(|made| made <= past) {
            all.forget_first(&name, state);
            raise_floor(&mut self.floor, past, state);
        }
        while all.known.len() > self.limits.per_principal {
            all.evict(&name, state);
        }
        let after = all.known.len();
        self.resize(&name, before, after);
        if now.0.saturating_sub(self.swept.0) >= SWEEP_MS {
            self.sweep(now, state);
        }
        while self.total > self.limits.total {
            let Some((size, name)) = self.sizes.last().cloned() else { break };
            if let Some(all) = self.principals.get_mut(&name) {
                all.evict(&name, state);
            }
            self.resize(&name, size, size - 1);
        }
    }

    /// Notes that a request of a principal was accepted, of which nothing more can be read.
    fn lose(&mut self, principal: &str, id: u128, state: &mut Projector) {
        let name = self.name(principal);
        self.principals.entry(Arc::clone(&name)).or_default().raise(made_at(id), &name, state);
    }

    /// Forgets everything too old at `now`.
    fn sweep(&mut self, now: Timestamp, state: &mut Projector) {
        self.swept = now;
        let past = self.past(now);
        let mut sizes = Vec::new();
        let floor = &mut self.floor;
        self.principals.retain(|name, all| {
            let before = all.known.len();
            while all.first_made().is_some_and(|made| made <= past) {
                all.forget_first(name, state);
                raise_floor(floor, past, state);
            }
            sizes.push((Arc::clone(name), before, all.known.len()));
            if all.horizon > Timestamp(0) && all.horizon <= past {
                // The horizon of all is behind it from now on, however long is remembered later.
                raise_floor(floor, past, state);
                all.horizon = Timestamp(0);
                state.set(HORIZONS, horizon_key(name), None);
            }
            !all.known.is_empty() || all.horizon > Timestamp(0)
        });
        for (name, before, after) in sizes {
            self.resize(&name, before, after);
        }
    }

    /// Ids made then or before are too old at `now`, remembered or not.
    fn past(&self, now: Timestamp) -> Timestamp {
        Timestamp(now.0.saturating_sub(self.limits.keep_ms()))
    }

    fn name(&self, principal: &str) -> Arc<str> {
        self.principals.get_key_value(principal).map_or_else(|| principal.into(), |(name, _)| Arc::clone(name))
    }

    fn resize(&mut self, name: &Arc<str>, before: usize, after: usize) {
        self.sizes.remove(&(before, Arc::clone(name)));
        if after > 0 {
            self.sizes.insert((after, Arc::clone(name)));
        }
        self.total = self.total.saturating_sub(before) + after;
    }

    /// Number of requests remembered.
    #[cfg(test)]
    pub(crate) const fn len(&self) -> usize {
        self.total
    }
}

impl OfPrincipal {
    fn first_made(&self) -> Option<Timestamp> {
        self.known.first_key_value().map(|(id, _)| made_at(*id))
    }

    fn forget_first(&mut self, name: &str, state: &mut Projector) -> Option<u128> {
        let (id, _) = self.known.pop_first()?;
        state.set(REQUESTS, note::place_of(name, id), None);
        Some(id)
    }

    /// Forgets the oldest, since there are too many.
    fn evict(&mut self, name: &str, state: &mut Projector) {
        if let Some(id) = self.forget_first(name, state) {
            self.raise(made_at(id), name, state);
        }
    }

    fn raise(&mut self, horizon: Timestamp, name: &str, state: &mut Projector) {
        if horizon > self.horizon {
            self.horizon = horizon;
            state.set(HORIZONS, horizon_key(name), Some(horizon.0.to_be_bytes().to_vec()));
        }
    }
}

fn raise_floor(floor: &mut Timestamp, to: Timestamp, state: &mut Projector) {
    if to > *floor {
        *floor = to;
        state.set(HORIZONS, FLOOR_KEY.to_vec(), Some(to.0.to_be_bytes().to_vec()));
    }
}

/// Key of the horizon of all principals.
const FLOOR_KEY: &[u8] = b"F";

/// Key of the horizon of one principal.
fn horizon_key(principal: &str) -> Vec<u8> {
    [b"P", principal.as_bytes()].concat()
}

/// An id as a number, in whose order they were made.
pub(crate) const fn number(id: uuid::Uuid) -> u128 {
    id.as_u128()
}

/// When an id was made, by itself: the first 48 bits of a UUID of version 7 are milliseconds since 1970.
pub(crate) fn made_at(id: u128) -> Timestamp {
    Timestamp(u64::try_from(id >> (u128::BITS - 48)).unwrap_or(u64::MAX))
}

/// How far an id may be ahead of the node's clock.
const FUTURE_MS: u64 = REQUEST_FUTURE_SECONDS * 1000;

/// Everything too old is looked for no more often than this.
const SWEEP_MS: u64 = 60_000;

#[cfg(test)]
mod tests;
