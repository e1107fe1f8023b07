//! What enterprises with nodes of their own report: checked, kept in the outbox with who reported it, and passed on from there like the node's own sets.
//!
//! ```text
//! stream, dropped files ── whose is it ── check: every field ── place among what came before ── outbox ── acknowledged ── the node above
//! ```
//! | file | holds |
//! |---|---|
//! | `owners` | which prefixes are given to nodes of their own, and were |
//! | `drop` | folders where parts are dropped as files |
//! | `late` | who has not reported what, and since when |
//!
//! An owner counts the parts of each of its sets, from wherever it begins and without gaps: what is left out is asked for. What was taken before is
//! acknowledged again and kept once; a period may be told again with other rows, which take the place of the former ones in the node above.

pub mod drop;
mod late;
pub mod owners;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use waymark_api::toplevel::v1::watermarks_response::Watermark;
use waymark_api::toplevel::v1::{Acknowledgement, Complaint, Outcome, Part};
use waymark_catalog::{Catalog, Timestamp};

pub use self::late::{EXPECTED, Expected};
use crate::check::complaints::withdrawn;
use crate::check::owned::{is_reported, owned};
use crate::check::part::{content, header};
use crate::check::{Complaints, Set};
use crate::config::{AHEAD_MS, MOST_SEQUENCE};
use crate::outbox::{Collected, Open, Outbox, OutboxError, Told};
use crate::sets::SetName;

/// Why a part is neither taken nor refused; it may come again as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TakeError {
    /// The prefix is not given to a node of its own.
    #[error("the prefix is not active and delegated to a node of the enterprise's own here")]
    NotDelegated,
    /// By the clock here, what it tells of is not over.
    #[error("the period of the part is not over yet")]
    Early,
    /// As many of the owner's parts wait as may.
    #[error("as much of this enterprise waits for the node above as may be kept")]
    Full,
    /// The outbox.
    #[error("the part cannot be kept")]
    Outbox(#[from] OutboxError),
}

/// What a node collects by.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Bytes of the parts of one owner that are kept at most.
    pub owner_bytes: u64,
    /// Hours behind the end of a period after which it is late.
    pub late_hours: u64,
}

/// Takes what owners report. One for each outbox.
#[derive(Debug)]
pub struct Collector {
    catalog: Catalog,
    outbox: Arc<Outbox>,
    /// The node's prefix, folded.
    node: String,
    settings: Settings,
    /// One part at a time finds its place.
    turn: Mutex<()>,
}

impl Collector {
    /// A collector of the node of a prefix.
    #[must_use]
    pub fn new(catalog: &Catalog, outbox: Arc<Outbox>, node: &str, settings: Settings) -> Self {
        let (catalog, node) = (catalog.clone(), node.to_ascii_uppercase());
        Self { catalog, outbox, node, settings, turn: Mutex::default() }
    }

    /// Takes a part that the node of an enterprise sent under its own prefix, or says why not. What is acknowledged is durable. Blocks.
    ///
    /// # Errors
    /// The part is neither taken nor refused.
    pub fn take(&self, part: Part) -> Result<Acknowledgement, TakeError> {
        let owner = part.node.to_ascii_uppercase();
        if !owners::is_delegated(&self.catalog.business(), &owner) {
            return Err(TakeError::NotDelegated);
        }
        let (name, set) = match self.named(&part, &owner) {
            Ok(set) => set,
            Err(complaints) => return Ok(refused(&part, complaints.into_told())),
        };
        // As the node above will be given it.
        let sent = Part { node: self.node.clone(), owner, ..part };
        let now = self.catalog.now();
        let checked = header(set, &sent);
        if checked.as_ref().is_ok_and(|period| period.end().0 > now.0.saturating_add(AHEAD_MS)) {
            return Err(TakeError::Early);
        }
        let checked = checked.and_then(|period| {
            if sent.withdrawn {
                return Err(withdrawn());
            }
            content(set, &sent, period)?;
            owned(set, &sent.content, &sent.owner)
        });
        let _turn = self.turn();
        self.place(name, &sent, checked, now)
    }

    /// The set of a part, of those owners report.
    fn named(&self, part: &Part, owner: &str) -> Result<(SetName, Set), Complaints> {
        let set: Set = part.set.parse().map_err(|_| Complaints::of_part("set", "is none there is"))?;
        let name: SetName = part.set.parse().map_err(|_| Complaints::of_part("set", "is none there is"))?;
        if !is_reported(set) {
            return Err(Complaints::of_part(
                "set",
                "is none that an enterprise reports: T7 to T11, MONITORING and INCIDENT are",
            ));
        }
        if !part.owner.is_empty() {
            return Err(Complaints::of_part("owner", "is given, but an enterprise reports for itself alone"));
        }
        if owner == self.node {
            return Err(Complaints::of_part("node", "is the node that collects"));
        }
        if part.sequence == 0 {
            return Err(Complaints::of_part("sequence", "counts from 1"));
        }
        // One that was noted could not be followed by another.
        if part.sequence > MOST_SEQUENCE {
            return Err(Complaints::of_part("sequence", "is too large: it counts from 1 and without gaps"));
        }
        Ok((name, set))
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds the place of a part among those that came before, and keeps it there.
    fn place(
        &self,
        set: SetName,
        sent: &Part,
        checked: Result<(), Complaints>,
        now: Timestamp,
    ) -> Result<Acknowledgement, TakeError> {
        let told = self.outbox.told(set, &sent.owner);
        // Where an owner begins is its own affair: what it told elsewhere before it may not have any more.
        if told.sequence > 0 && sent.sequence > told.sequence + 1 {
            let expected = told.sequence + 1;
            return Ok(Acknowledgement { expected, ..acknowledgement(sent, Outcome::OutOfOrder) });
        }
        let sequence = told.sequence.max(sent.sequence);
        if checked.is_ok() && self.has(set, sent) {
            if sequence > told.sequence {
                self.outbox.note_told(set, &sent.owner, Told { sequence, ..told }, now)?;
            }
            return Ok(acknowledgement(sent, Outcome::StoredBefore));
        }
        let placed = checked.and_then(|()| follows(&told, sent));
        let open = match placed {
            Ok(open) => open,
            Err(complaints) => {
                let complaints = complaints.into_told();
                let problem = complaints.first().map(line).unwrap_or_default();
                let told = Told { sequence, refused: told.refused + 1, problem, ..told };
                self.outbox.note_told(set, &sent.owner, told, now)?;
                return Ok(refused(sent, complaints));
            }
        };
        if !self.outbox.make_room(&sent.owner, self.settings.owner_bytes, now)? {
            return Err(TakeError::Full);
        }
        let period = match &open {
            None => told.period.max(sent.period.clone()),
            Some(_) => told.period,
        };
        let told = Told { sequence, period, open, taken: now.0, refused: told.refused, problem: String::new() };
        let collected = Collected {
            set,
            owner: &sent.owner,
            origin: sent.sequence,
            period: &sent.period,
            place: (sent.part, sent.parts),
            rows: sent.rows,
            content: &sent.content,
        };
        self.outbox.collect(collected, told, now)?;
        Ok(acknowledgement(sent, Outcome::Stored))
    }

    /// Whether a part is kept already: the same one, or, where it is the only one of its period, the last one told of that.
    fn has(&self, set: SetName, sent: &Part) -> bool {
        let sha256 = hex::encode(&sent.sha256);
        self.outbox.look_through(set, &sent.owner, |kept| {
            let mut of_period = kept.filter(|part| part.period == sent.period).enumerate();
            of_period.any(|(at, part)| {
                let is_named = part.origin == sent.sequence || at == 0 && part.parts == 1;
                is_named && (part.part, part.parts) == (sent.part, sent.parts) && part.sha256 == sha256
            })
        })
    }

    /// Up to where each set of an owner was taken or refused.
    #[must_use]
    pub fn watermarks(&self, owner: &str) -> Vec<Watermark> {
        let owner = owner.to_ascii_uppercase();
        let all = SetName::ALL.into_iter().map(|set| (set, self.outbox.told(set, &owner).sequence));
        let known = all.filter(|(_, sequence)| *sequence > 0);
        known.map(|(set, sequence)| Watermark { set: set.to_string(), sequence }).collect()
    }

    /// The catalog whose prefixes are given away.
    pub(crate) const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// How every delegated prefix stands with each set that is told by day or month.
    #[must_use]
    pub fn expected(&self, now: Timestamp) -> Vec<Expected> {
        late::expected(&self.catalog.business(), &self.outbox, self.settings.late_hours, now)
    }
}

/// What of a telling is still to come behind a part that follows what came before it.
fn follows(told: &Told, sent: &Part) -> Result<Option<Open>, Complaints> {
    let goes_on = told
        .open
        .as_ref()
        .is_some_and(|open| open.period == sent.period && open.parts == sent.parts && open.next == sent.part);
    if sent.part != 1 && !goes_on {
        return Err(Complaints::of_part(
            "part",
            "does not follow the parts of this period that were taken; tell it again from part 1",
        ));
    }
    let next = sent.part.saturating_add(1);
    Ok((next <= sent.parts).then(|| Open { period: sent.period.clone(), parts: sent.parts, next }))
}

/// A complaint in one line.
fn line(complaint: &Complaint) -> String {
    let Complaint { row, field, problem } = complaint;
    let field = if field.is_empty() { String::new() } else { format!(" {field}") };
    if *row == 0 { format!("part{field}: {problem}") } else { format!("row {row}{field}: {problem}") }
}

fn acknowledgement(part: &Part, outcome: Outcome) -> Acknowledgement {
    let outcome = outcome.into();
    Acknowledgement { set: part.set.clone(), sequence: part.sequence, outcome, expected: 0, complaints: Vec::new() }
}

fn refused(part: &Part, complaints: Vec<Complaint>) -> Acknowledgement {
    Acknowledgement { complaints, ..acknowledgement(part, Outcome::Refused) }
}
