//! Feeding the small state from the log, and reading from it what the writer decides by.

use std::ops::ControlFlow;
use std::sync::Arc;

use waymark_ident::CaseRule;
use waymark_store::{Entry, EntryKind, FollowError, Serial, Store};

use super::{OpenError, Recovery};
use crate::config::RequestLimits;
use crate::link::Link;
use crate::link::index::{links_in, note_links};
use crate::projection::Projector;
use crate::range::Ranges;
use crate::requests::{self, Requests};
use crate::reserved::is_reserved;
use crate::usage::{Day, Usage, counts_for};

/// Entries or keys, and links in them, fed to the state in one step: bounds the memory of a long catching-up.
const STATE_STEP: usize = 65_536;

/// A store that was just begun holds this much: its state is new, not rebuilt.
const JUST_BEGUN: Serial = Serial(1);

/// What entries are told by beside themselves.
#[derive(Clone, Copy)]
pub(super) struct ToldBy<'a> {
    /// The packages whose codes records may be.
    pub(super) ranges: &'a Arc<Ranges>,
    /// How the targets of links fold.
    pub(super) rule: CaseRule,
}

/// Brings the small state up to the log; makes it anew when it is empty, damaged, or the entries it lacks cannot be read.
pub(super) fn feed_state(
    store: &dyn Store,
    requests: &RequestLimits,
    told_by: ToldBy<'_>,
    recovery: &mut Recovery,
) -> Result<(), OpenError> {
    let (applied, last) = (store.state().applied(), store.last().serial);
    if !applied.is_some() || follow_into_state(store, told_by).is_err() {
        remake_state(store, requests, told_by)?;
        recovery.state_rebuilt = last > JUST_BEGUN;
    }
    recovery.state_fed = if recovery.state_rebuilt { last.0 } else { last.0.saturating_sub(applied.0) };
    Ok(())
}

/// Reads what the writer decides by and the state holds: what was written on the day of the last entry, and the accepted requests; from a state made
/// anew when this one does not give it.
pub(super) fn load_from_state(
    store: &dyn Store,
    limits: RequestLimits,
    told_by: ToldBy<'_>,
    recovery: &mut Recovery,
) -> Result<(Usage, Requests), OpenError> {
    let read = || {
        let usage = Usage::load(store.state(), Day::of(store.last().time))?;
        Ok((usage, requests::load::load(store, limits)?))
    };
    if let Ok(loaded) = read() {
        return Ok(loaded);
    }
    remake_state(store, &limits, told_by)?;
    (recovery.state_rebuilt, recovery.state_fed) = (true, store.last().serial.0);
    read().map_err(OpenError::State)
}

/// The state was not fed; it is somewhere between.
struct NotFed;

/// Feeds the entries the state lacks.
fn follow_into_state(store: &dyn Store, ToldBy { ranges, rule }: ToldBy<'_>) -> Result<(), NotFed> {
    let state = store.state();
    loop {
        let from = state.applied();
        let mut projector = Projector::default();
        projector.know(ranges);
        let mut left = STATE_STEP;
        let mut unknown = false;
        let mut buffer = Vec::new();
        let outcome = store.follow(from, &mut |entry| {
            let Ok(Replaced { serial, links }) = replaced(store, entry, &mut buffer) else {
                unknown = true;
                return ControlFlow::Break(());
            };
            projector.note(entry.kind, entry.serial, serial, entry.key, entry.body);
            let noted = note_links(&mut projector, rule, entry.key, &links, entry.body);
            if let Some((day, principal)) = counts_for(entry) {
                projector.note_writes(day, principal, 1);
            }
            left = left.saturating_sub(1 + noted);
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let upto = outcome.map_err(|_| NotFed)?;
        if unknown {
            return Err(NotFed);
        }
        if upto == from {
            return Ok(());
        }
        projector.apply(state, upto).map_err(|_| NotFed)?;
    }
}

/// The live entry that an entry takes the place of.
#[derive(Default)]
struct Replaced {
    /// None when the one before it is a deletion.
    serial: Serial,
    links: Vec<Link>,
}

/// What an entry takes the place of.
fn replaced(store: &dyn Store, entry: &Entry<'_>, buffer: &mut Vec<u8>) -> Result<Replaced, NotFed> {
    if !entry.previous.is_some() || is_reserved(entry.key) || !entry.kind.is_of_key() {
        return Ok(Replaced { serial: entry.previous, links: Vec::new() });
    }
    let before = store.read_serial(entry.previous, buffer).map_err(|_| NotFed)?.ok_or(NotFed)?;
    if before.kind == EntryKind::DELETE {
        return Ok(Replaced::default());
    }
    Ok(Replaced { serial: before.serial, links: links_in(before.body) })
}

/// Makes the state from nothing, out of the live keys: what it holds is a function of them, so damaged or compacted
/// entries do not matter. Only links, request ids and the usage of the last day come from entries; the usage of days before it is lost. Its applied serial
/// stays none until it is whole, so that a crash meanwhile begins again.
fn remake_state(
    store: &dyn Store,
    requests: &RequestLimits,
    ToldBy { ranges, rule }: ToldBy<'_>,
) -> Result<(), OpenError> {
    let (state, last) = (store.state(), store.last().serial);
    state.clear().map_err(OpenError::State)?;
    let mut projector = Projector::default();
    projector.know(ranges);
    let mut failed = None;
    let mut body = Vec::new();
    let mut left = STATE_STEP;
    store.scan_latest(Serial::NONE, &mut |entry| {
        if entry.kind == EntryKind::PUT {
            // Only marks are told by their bodies. One that cannot be read makes an import begin anew.
            let read = is_reserved(entry.key).then(|| store.read(entry.place, &mut body));
            let body = read.and_then(Result::ok).map_or(&[][..], |entry| entry.body);
            projector.note(entry.kind, entry.serial, Serial::NONE, entry.key, body);
            left -= 1;
        }
        if left == 0 {
            left = STATE_STEP;
            if let Err(error) = projector.apply(state, Serial::NONE) {
                failed = Some(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    if let Some(error) = failed {
        return Err(OpenError::State(error));
    }
    note_all_links(store, rule, &mut projector)?;
    note_last_day(store, &mut projector)?;
    requests::load::replay(store, *requests).map_err(OpenError::State)?;
    projector.apply(state, last).map_err(OpenError::State)
}

/// Notes the links of all records, entry by entry in the order of the log: reading them by key would jump over the disk for each. An entry that cannot be
/// read is passed over; where it took links away, the index names a source that does not hold them, which whoever asks the index finds out.
fn note_all_links(store: &dyn Store, rule: CaseRule, projector: &mut Projector) -> Result<(), OpenError> {
    let mut from = Serial::NONE;
    let mut buffer = Vec::new();
    loop {
        let mut left = STATE_STEP;
        let outcome = store.follow(from, &mut |entry| {
            from = entry.serial;
            if entry.kind.is_of_key() {
                let before = replaced(store, entry, &mut buffer).unwrap_or_default();
                let noted = note_links(projector, rule, entry.key, &before.links, entry.body);
                left = left.saturating_sub(noted);
            }
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match outcome {
            Ok(_) if left == 0 => projector.apply(store.state(), Serial::NONE).map_err(OpenError::State)?,
            Err(FollowError::Damaged { resume_after, .. }) if resume_after > from => from = resume_after,
            Err(FollowError::Compacted { oldest }) if oldest.0 > from.0 + 1 => from = Serial(oldest.0 - 1),
            Err(FollowError::Read(error)) => return Err(OpenError::Keys(error)),
            _ => return Ok(()),
        }
    }
}

/// Notes the writes of the day of the last entry. What cannot be read is not counted, to the good of whoever wrote it.
fn note_last_day(store: &dyn Store, projector: &mut Projector) -> Result<(), OpenError> {
    let first = match store.serial_at(Day::of(store.last().time).start()) {
        Ok(first) => first,
        Err(FollowError::Read(error)) => return Err(OpenError::Keys(error)),
        Err(_) => return Ok(()),
    };
    let mut from = Serial(first.0.saturating_sub(1));
    loop {
        let outcome = store.follow(from, &mut |entry| {
            if let Some((day, principal)) = counts_for(entry) {
                projector.note_writes(day, principal, 1);
            }
            from = entry.serial;
            ControlFlow::Continue(())
        });
        match outcome {
            Err(FollowError::Damaged { resume_after, .. }) if resume_after > from => from = resume_after,
            Err(FollowError::Compacted { oldest }) if oldest.0 > from.0 + 1 => from = Serial(oldest.0 - 1),
            Err(FollowError::Read(error)) => return Err(OpenError::Keys(error)),
            _ => return Ok(()),
        }
    }
}
