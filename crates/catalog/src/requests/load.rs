//! Loading what was remembered, and making it anew from the log when the small state is lost.

use std::ops::ControlFlow;

use waymark_store::{Entry, FollowError, Serial, StateError, Store, Timestamp};

use super::{FUTURE_MS, HORIZONS, REQUESTS, Requests, note, raise_floor};
use crate::config::RequestLimits;
use crate::projection::Projector;
use crate::reserved::ReservedKey;

/// Loads what is remembered from a state that is up to the log, and brings the state to what the limits allow.
///
/// # Errors
/// The state cannot be read or written.
pub(crate) fn load(store: &dyn Store, limits: RequestLimits) -> Result<Requests, StateError> {
    let (state, now) = (store.state(), store.last().time);
    let mut requests = Requests::new(limits);
    let mut forgotten = Projector::default();
    state.scan(HORIZONS, b"", &mut |key, value| {
        requests.load_horizon(key, value);
        ControlFlow::Continue(())
    })?;
    state.scan(REQUESTS, b"", &mut |place, body| {
        take(&mut requests, now, place, body, &mut forgotten);
        ControlFlow::Continue(())
    })?;
    forgotten.apply(state, state.applied())?;
    Ok(requests)
}

impl Requests {
    fn load_horizon(&mut self, key: &[u8], value: &[u8]) {
        // A horizon that cannot be read is taken for the latest: nothing unknown passes as new.
        let horizon = value.try_into().map_or(Timestamp::MAX, |bytes| Timestamp(u64::from_be_bytes(bytes)));
        match key.split_first() {
            Some((b'P', name)) => {
                let name = String::from_utf8_lossy(name);
                self.principals.entry(name.as_ref().into()).or_default().horizon = horizon;
            }
            _ => self.floor = self.floor.max(horizon),
        }
    }
}

/// Notes put into the state in one step.
const STEP: usize = 4_096;

/// Puts the notes of every request that is still remembered into a state that was made anew. Its applied serial stays as it is.
///
/// Reads the log from the configured time back. Where it cannot be read, requests may be missing: then all that are not found count as too old.
///
/// # Errors
/// The state cannot be written.
pub(crate) fn replay(store: &dyn Store, limits: RequestLimits) -> Result<(), StateError> {
    let (state, now) = (store.state(), store.last().time);
    let mut replay = Replay { requests: Requests::new(limits), changes: Projector::default(), count: 0 };
    let past = replay.requests.past(now);
    let whole = replay.run(store, past)?;
    let floor = if whole { past } else { Timestamp(now.0.saturating_add(FUTURE_MS)) };
    raise_floor(&mut replay.requests.floor, floor, &mut replay.changes);
    replay.changes.apply(state, state.applied())
}

/// The memory as the notes read so far make it.
struct Replay {
    requests: Requests,
    changes: Projector,
    count: usize,
}

impl Replay {
    /// Reads the notes of everything made after `past`; tells whether none can be missing.
    fn run(&mut self, store: &dyn Store, past: Timestamp) -> Result<bool, StateError> {
        // A note is older than its request by no more than that.
        let since = Timestamp(past.0.saturating_sub(FUTURE_MS));
        let Ok(first) = store.serial_at(since) else { return Ok(false) };
        let mut from = Serial(first.0.saturating_sub(1));
        let mut whole = !from.is_some() || store.read_serial(from, &mut Vec::new()).is_ok();
        loop {
            let outcome = store.follow(from, &mut |entry| {
                self.note(entry);
                from = entry.serial;
                if self.count >= STEP { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            let more = std::mem::take(&mut self.count) >= STEP;
            self.changes.apply(store.state(), store.state().applied())?;
            match outcome {
                Ok(_) if more => {}
                Ok(_) => return Ok(whole),
                Err(FollowError::Damaged { resume_after, .. }) if resume_after > from => {
                    (whole, from) = (false, resume_after);
                }
                Err(_) => return Ok(false),
            }
        }
    }

    fn note(&mut self, entry: &Entry<'_>) {
        let Some(ReservedKey::Request(place)) = ReservedKey::parse(entry.key) else { return };
        self.changes.note(entry.kind, entry.serial, entry.previous, entry.key, entry.body);
        take(&mut self.requests, entry.time, &place, entry.body, &mut self.changes);
        self.count += 1;
    }
}

/// Takes in a note as it is kept.
fn take(requests: &mut Requests, now: Timestamp, place: &[u8], body: &[u8], state: &mut Projector) {
    match (note::parse_place(place), note::parse_body(body)) {
        (Some((id, principal)), Some(what)) => requests.remember(now, principal, id, what, state),
        (Some((id, principal)), None) => requests.lose(principal, id, state),
        (None, _) => {}
    }
}
