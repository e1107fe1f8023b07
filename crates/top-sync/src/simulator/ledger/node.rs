//! The ledger of one node: its parts in the order of their sequence, set by set, and what is held because of them.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use prost::Message as _;
use waymark_api::toplevel::v1::{Acknowledgement, Complaint, Outcome, Part};
use waymark_catalog::Timestamp;

use super::entry::{Entry, identity};
use super::frames::{Frames, LedgerError, Opened, to_u64};
use super::held::{Held, Place};
use super::tellings::{PartOf, Tellings};
use crate::check::complaints::withdrawn;
use crate::check::json::Json;
use crate::check::key::is_gone;
use crate::check::part::{Keys, content, header, rows_in};
use crate::check::{Complaints, Key, Period, Set};
use crate::simulator::config::{AHEAD, HELD_ROWS, KEPT_COMPLAINTS};

/// One node's.
#[derive(Debug)]
pub(crate) struct NodeLedger {
    frames: Frames,
    pub(super) sets: BTreeMap<Set, SetLedger>,
    held: Held,
    tellings: Tellings,
    /// Bytes of a torn entry that were cut off when it was opened.
    pub(super) cut: u64,
}

/// What came of one set.
#[derive(Debug, Default)]
pub(super) struct SetLedger {
    /// Frame of each part, by its sequence from 1.
    frames: Vec<u64>,
    pub(super) refused: u64,
    /// Rows of the parts that were taken.
    pub(super) rows: u64,
    pub(super) last: Option<Timestamp>,
    pub(super) complaints: VecDeque<Told>,
}

/// Complaints about one part.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its sequence.
    pub sequence: u64,
    /// When it came.
    pub time: Timestamp,
    /// What is wrong with it.
    pub complaints: Vec<Complaint>,
}

/// Why a part is neither taken nor refused; it may come again as it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TakeError {
    /// By the clock here, what it tells of is not over.
    #[error("the period of the part is not over yet")]
    Early,
    /// Too much is held.
    #[error("no more rows can be held")]
    Full,
    /// The ledger.
    #[error("the ledger cannot be used")]
    Ledger(#[from] LedgerError),
}

impl SetLedger {
    /// The sequence up to which parts were taken or refused.
    pub(super) fn sequence(&self) -> u64 {
        to_u64(self.frames.len())
    }

    fn frame(&self, sequence: u64) -> Option<u64> {
        let at = usize::try_from(sequence.checked_sub(1)?).ok()?;
        self.frames.get(at).copied()
    }

    fn complain(&mut self, sequence: u64, time: Timestamp, complaints: Vec<Complaint>) {
        if self.complaints.len() == KEPT_COMPLAINTS {
            self.complaints.pop_front();
        }
        self.complaints.push_back(Told { sequence, time, complaints });
    }
}

impl NodeLedger {
    /// Opens the file of a node, or makes it.
    pub(super) fn open(path: &Path, secret: [u8; 16]) -> Result<Self, LedgerError> {
        let (mut sets, mut held, mut tellings) = (BTreeMap::new(), Held::new(secret), Tellings::default());
        let opened = Frames::open(path, &mut |frame, payload| {
            let entry = Entry::decode(payload).ok()?;
            replay(&mut sets, &mut held, &mut tellings, frame, entry)
        })?;
        let Opened { frames, cut } = opened;
        Ok(Self { frames, sets, held, tellings, cut })
    }

    /// Takes a part of this node, or says why not. When this returns an acknowledgement, what it says is durable.
    pub(crate) fn take(&mut self, set: Set, part: Part, now: Timestamp) -> Result<Acknowledgement, TakeError> {
        let known = self.sets.entry(set).or_default();
        let expected = known.sequence() + 1;
        if part.sequence == 0 {
            return Ok(refusal(&part, Complaints::of_part("sequence", "counts from 1").into_told()));
        }
        if part.sequence > expected {
            let outcome = Outcome::OutOfOrder.into();
            let Part { set, sequence, .. } = part;
            return Ok(Acknowledgement { set, sequence, outcome, expected, complaints: Vec::new() });
        }
        if let Some(frame) = known.frame(part.sequence) {
            return self.again(set, &part, frame, now);
        }
        let header = header(set, &part);
        let early = |period: &Period| period.end().0 > now.0.saturating_add(millis(AHEAD));
        if header.as_ref().is_ok_and(early) {
            return Err(TakeError::Early);
        }
        let placed = header.and_then(|period| self.placed(set, &part, period).map(|since| (period, since)));
        let has_place = placed.is_ok();
        let checked = match placed {
            Ok(_) if part.withdrawn => Err(withdrawn()),
            Ok((period, since)) => self.checked(set, &part, period, since)?,
            Err(complaints) => Err(complaints),
        };
        if checked.as_ref().is_ok_and(|keys| to_u64(self.held.len() + keys.len()) > HELD_ROWS) {
            return Err(TakeError::Full);
        }
        let complaints = checked.err().map(Complaints::into_told).unwrap_or_default();
        Ok(self.enter(part, complaints, has_place, now)?)
    }

    /// A part whose sequence is used: the same one as before, or another.
    fn again(&mut self, set: Set, part: &Part, frame: u64, now: Timestamp) -> Result<Acknowledgement, TakeError> {
        let entry = self.entry(frame)?;
        if entry.identity != identity(part) {
            let complaints = Complaints::of_part("sequence", "was used for another part").into_told();
            let known = self.sets.entry(set).or_default();
            known.complain(part.sequence, now, complaints.clone());
            return Ok(refusal(part, complaints));
        }
        if !entry.is_taken {
            return Ok(refusal(part, entry.complaints));
        }
        Ok(acknowledgement(part, Outcome::StoredBefore))
    }

    /// Where the telling began that a part goes on with.
    fn placed(&self, set: Set, part: &Part, period: Period) -> Result<Option<u64>, Complaints> {
        self.tellings.place(part_of(set, part, period)).map_err(|problem| Complaints::of_part("part", problem))
    }

    /// Checks the rows, by themselves and against what is held.
    fn checked(
        &self,
        set: Set,
        part: &Part,
        period: Period,
        since: Option<u64>,
    ) -> Result<Result<Keys, Complaints>, LedgerError> {
        let keys = match content(set, part, period) {
            Ok(keys) => keys,
            Err(complaints) => return Ok(Err(complaints)),
        };
        let mut complaints = Complaints::default();
        for (at, ((key, _), line)) in (1..).zip(keys.iter().zip(rows_in(&part.content))) {
            let Some(held) = self.held.get(set, key) else { continue };
            match set {
                Set::T9 if since.is_some_and(|since| held.frame >= since) && held.rank == period.rank() => {
                    complaints.add(at, "code".into(), "was told of in another part of this day".into());
                }
                Set::Incident if !is_same(self.row(held)?.as_deref(), line) => {
                    complaints.add(at, "event".into(), "was told of before, and otherwise".into());
                }
                _ => {}
            }
        }
        Ok(if complaints.is_empty() { Ok(keys) } else { Err(complaints) })
    }

    /// Writes a part down and counts it.
    fn enter(
        &mut self,
        part: Part,
        complaints: Vec<Complaint>,
        has_place: bool,
        now: Timestamp,
    ) -> Result<Acknowledgement, LedgerError> {
        let is_taken = complaints.is_empty();
        let outcome = if is_taken { Outcome::Stored } else { Outcome::Refused };
        let mut answer = acknowledgement(&part, outcome);
        answer.complaints.clone_from(&complaints);
        let identity = identity(&part);
        let noted = match (is_taken, has_place) {
            (true, _) => part,
            // What was refused is not kept: neither its rows nor texts that are no period or prefix.
            (false, true) => Part { content: Vec::new(), sha256: Vec::new(), ..part },
            (false, false) => Part { set: part.set, sequence: part.sequence, ..Part::default() },
        };
        let entry = Entry { received: now.0, is_taken, part: Some(noted), complaints, identity, has_place };
        let frame = self.frames.append(&entry.encode_to_vec())?;
        // What was just written is what a restart reads.
        replay(&mut self.sets, &mut self.held, &mut self.tellings, frame, entry)
            .ok_or_else(|| self.frames.damaged(frame))?;
        Ok(answer)
    }

    fn entry(&self, frame: u64) -> Result<Entry, LedgerError> {
        let payload = self.frames.read(frame)?;
        Entry::decode(payload.as_slice()).map_err(|_| self.frames.damaged(frame))
    }

    /// The line of a row that is held.
    fn row(&self, place: Place) -> Result<Option<Vec<u8>>, LedgerError> {
        let part = self.entry(place.frame)?.part.unwrap_or_default();
        let row = usize::try_from(place.row).unwrap_or(usize::MAX);
        Ok(rows_in(&part.content).nth(row).map(<[u8]>::to_vec))
    }

    /// A part that was taken, by its sequence; `None` where that was refused or is not there yet.
    pub(super) fn part(&self, set: Set, sequence: u64) -> Result<Option<(u64, Part)>, LedgerError> {
        let Some(frame) = self.sets.get(&set).and_then(|known| known.frame(sequence)) else { return Ok(None) };
        let entry = self.entry(frame)?;
        Ok(entry.part.filter(|_| entry.is_taken).map(|part| (frame, part)))
    }

    /// Whether a row is the one that holds of its key.
    pub(super) fn holds(&self, set: Set, key: &Key, frame: u64, row: usize) -> bool {
        let held = self.held.get(set, key);
        held.is_some_and(|held| held.frame == frame && u32::try_from(row) == Ok(held.row) && !held.is_gone)
    }

    /// Rows held of a set.
    pub(super) fn count(&self, set: Set) -> u64 {
        self.held.count(set)
    }
}

/// Counts an entry that is in the file; `None` where it cannot be one of ours.
fn replay(
    sets: &mut BTreeMap<Set, SetLedger>,
    held: &mut Held,
    tellings: &mut Tellings,
    frame: u64,
    entry: Entry,
) -> Option<()> {
    let part = entry.part?;
    let set: Set = part.set.parse().ok()?;
    let known = sets.entry(set).or_default();
    if part.sequence != known.sequence() + 1 {
        return None;
    }
    let received = Timestamp(entry.received);
    known.frames.push(frame);
    known.last = Some(received);
    if entry.is_taken || entry.has_place {
        let period = Period::read(set, &part.period).ok()?;
        tellings.note(part_of(set, &part, period), frame, entry.is_taken);
        if entry.is_taken {
            known.rows += part.rows;
            hold(held, set, &part, period, frame)?;
        }
    }
    if !entry.is_taken {
        known.refused += 1;
        known.complain(part.sequence, received, entry.complaints);
    }
    Some(())
}

/// Puts the rows of a part among what is held.
fn hold(held: &mut Held, set: Set, part: &Part, period: Period, frame: u64) -> Option<()> {
    for (row, line) in (0..).zip(rows_in(&part.content)) {
        let json = Json::read(line)?;
        let key = Key::of(set, &json)?;
        held.put(set, &key, Place { frame, row, rank: period.rank(), is_gone: is_gone(set, &json) });
    }
    Some(())
}

/// Whether two rows say the same, in whichever order.
fn is_same(before: Option<&[u8]>, line: &[u8]) -> bool {
    let read = |line| serde_json::from_slice::<serde_json::Value>(line).ok();
    before.is_some_and(|before| read(before) == read(line))
}

fn part_of(set: Set, part: &Part, period: Period) -> PartOf<'_> {
    PartOf { set, owner: &part.owner, period, part: part.part, parts: part.parts }
}

fn acknowledgement(part: &Part, outcome: Outcome) -> Acknowledgement {
    let outcome = outcome.into();
    Acknowledgement { set: part.set.clone(), sequence: part.sequence, outcome, expected: 0, complaints: Vec::new() }
}

/// The answer to a part that is not taken.
pub(crate) fn refusal(part: &Part, complaints: Vec<Complaint>) -> Acknowledgement {
    Acknowledgement { complaints, ..acknowledgement(part, Outcome::Refused) }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
