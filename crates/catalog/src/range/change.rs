//! What a command about ranges means for the table: changes, nothing, or a refusal. Pure: no IO, no clock, no randomness.

mod lease;
mod recall;

use std::sync::Arc;

use waymark_ident::fold_in_place;
use waymark_store::{Serial, Timestamp};

use super::coder::{Coder, Form, FormRequest, MacKey};
use super::pattern::{Pattern, places_in};
use super::pieces::{CodeState, Layer, Piece, PieceChange, PieceKind, Span};
use super::{Range, RangeName, Ranges};
use crate::access::permit::Permit;
use crate::command::{Outcome, Refusal};
use crate::config::{ACCESS_NOTE_BYTES, REASON_BYTES, RangeLimits, RecordLimits};
use crate::limits::{check_handle, check_record, check_values};
use crate::link::is_link;
use crate::recall::NOTICE_BYTES;
use crate::values::ValueSet;
use crate::warnings::Warnings;

/// One change of ranges.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RangeCommand {
    /// Orders codes.
    Allocate {
        /// In any case.
        prefix: Vec<u8>,
        /// What stands between the slash and the serial.
        stem: String,
        /// Digits of the serial.
        width: u8,
        /// What stands behind it.
        form: FormRequest,
        /// The secret, should the form need one; drawn by the door, and no part of what a repeated request is compared by.
        key: MacKey,
        /// The first serial; `None` for the one behind the last range of the same stem.
        first: Option<u64>,
        /// How many.
        count: u64,
        /// What every code inherits, with places for the serial.
        values: ValueSet,
        /// For people.
        note: String,
    },
    /// Binds values to codes: they replace those of the range at the same index. No value takes what was bound away.
    Bind {
        /// Which range.
        range: RangeName,
        /// Which codes of it.
        span: Span,
        /// The values, with places for the serial.
        values: ValueSet,
    },
    /// Says of codes that what carries them is called back; they resolve as before, with a notice of it.
    Recall {
        /// Which range.
        range: RangeName,
        /// Which codes of it.
        span: Span,
        /// For everybody.
        reason: String,
    },
    /// Says that no more.
    LiftRecall {
        /// Which range.
        range: RangeName,
        /// Which codes of it.
        span: Span,
    },
    /// Says what became of codes.
    Mark {
        /// Which range.
        range: RangeName,
        /// Which codes of it.
        span: Span,
        /// What became of them.
        state: CodeState,
        /// For people.
        reason: String,
    },
    /// Gives codes out for printing, in rolls of the same size.
    Export {
        /// Which range.
        range: RangeName,
        /// Which codes of it.
        part: Part,
        /// Codes of a roll; the last may have fewer.
        roll_codes: u64,
        /// Why codes that were given out are given out again; empty to refuse that.
        again: String,
    },
    /// Gives codes to a printing station, which reports later what it did with them.
    Lease {
        /// Which range.
        range: RangeName,
        /// Which station.
        station: String,
        /// How many, in one piece.
        count: u64,
        /// Milliseconds until it should have reported.
        lifetime_ms: u64,
    },
    /// Ends a lease by saying what became of each of its codes.
    Reconcile {
        /// Which range.
        range: RangeName,
        /// The first serial of the lease.
        first: u64,
        /// Those that are on products.
        printed: Vec<Span>,
        /// Those that were destroyed.
        spoiled: Vec<Span>,
        /// Those that were not printed, and can be given out again.
        blank: Vec<Span>,
    },
}

/// A part of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// These.
    These(Span),
    /// The first so many that stand together, are not over, and were given to nobody.
    Next(u64),
}

/// One change of the table, and one entry of the log.
#[derive(Clone, Debug)]
pub(crate) enum RangeChange {
    New(Box<Range>),
    Piece(RangeName, PieceChange),
}

/// What becomes of a command.
#[derive(Debug)]
pub(crate) enum RangeDecision {
    /// All is as asked, by this entry.
    Keep(Serial, Timestamp),
    /// The changes in order; the entry of the one at this place is the command's.
    Change { changes: Vec<RangeChange>, main: usize, outcome: Outcome, warnings: Warnings },
}

/// Looks for a name that is registered among the codes of a coder.
pub(crate) type Registered<'a> = dyn FnMut(&Coder, Span) -> Result<Option<Vec<u8>>, Refusal> + 'a;

/// What decisions rest on.
pub(crate) struct RangeFacts<'a> {
    pub(crate) ranges: &'a Ranges,
    pub(crate) limits: &'a RangeLimits,
    pub(crate) records: &'a RecordLimits,
    pub(crate) now: Timestamp,
    pub(crate) actor: &'a Arc<str>,
    /// Whether this node answers for names under a prefix, folded.
    pub(crate) serves: &'a dyn Fn(&[u8]) -> bool,
    /// A name that is registered among the codes of a coder, if there is one.
    pub(crate) registered: &'a mut Registered<'a>,
}

impl RangeCommand {
    /// The prefix it is about, as it was given.
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        match self {
            Self::Allocate { prefix, .. } => prefix,
            Self::Bind { range, .. }
            | Self::Recall { range, .. }
            | Self::LiftRecall { range, .. }
            | Self::Mark { range, .. }
            | Self::Export { range, .. }
            | Self::Lease { range, .. }
            | Self::Reconcile { range, .. } => range.prefix(),
        }
    }

    /// The prefix folded: what rights are looked up by.
    #[must_use]
    pub fn folded_prefix(&self) -> Vec<u8> {
        let mut prefix = self.prefix().to_vec();
        fold_in_place(&mut prefix);
        prefix
    }

    /// What it weighs in queue and group limits, in bytes: no less than its entries, but for pieces it cuts.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        let payload = match self {
            Self::Allocate { prefix, stem, values, note, .. } => {
                prefix.len() + stem.len() + 2 * values.wire().len() + 2 * note.len()
            }
            Self::Bind { range, values, .. } => range.prefix().len() + 2 * values.wire().len(),
            Self::Recall { range, reason, .. } => range.prefix().len() + 2 * (reason.len() + NOTICE_BYTES),
            Self::LiftRecall { range, .. } => range.prefix().len(),
            Self::Mark { range, reason, .. } => range.prefix().len() + 2 * reason.len(),
            Self::Export { range, again, .. } => range.prefix().len() + 2 * again.len(),
            Self::Lease { range, station, .. } => range.prefix().len() + 2 * station.len(),
            Self::Reconcile { range, printed, spoiled, blank, .. } => {
                let spans = printed.len() + spoiled.len() + blank.len();
                range.prefix().len() + spans * PIECE_BYTES
            }
        };
        payload + PIECE_BYTES
    }
}

/// What the entry of a piece takes beside its texts and values, generously.
pub(crate) const PIECE_BYTES: usize = 512;

/// Decides about a command on ranges.
///
/// # Errors
/// The first reason against it.
pub(crate) fn decide_range(
    _permit: Permit,
    command: &RangeCommand,
    facts: &mut RangeFacts<'_>,
) -> Result<RangeDecision, Refusal> {
    match command {
        RangeCommand::Allocate { .. } => allocate(command, facts),
        RangeCommand::Bind { range, span, values } => bind(range, *span, values, facts),
        RangeCommand::Recall { range, span, reason } => recall::recall(range, *span, reason, facts),
        RangeCommand::LiftRecall { range, span } => recall::lift(range, *span, facts),
        RangeCommand::Mark { range, span, state, reason } => mark(range, *span, *state, reason, facts),
        RangeCommand::Export { range, part, roll_codes, again } => export(range, *part, *roll_codes, again, facts),
        RangeCommand::Lease { range, station, count, lifetime_ms } => {
            lease::lease(range, station, *count, *lifetime_ms, facts)
        }
        RangeCommand::Reconcile { range, first, printed, spoiled, blank } => {
            lease::reconcile(range, *first, [printed, spoiled, blank], facts)
        }
    }
}

fn allocate(command: &RangeCommand, facts: &mut RangeFacts<'_>) -> Result<RangeDecision, Refusal> {
    let RangeCommand::Allocate { prefix, stem, width, form, key, first, count, values, note } = command else {
        return Err(Refusal::NotFound);
    };
    let name = RangeName::new(prefix, 1).map_err(|_| invalid("prefix", "is no prefix"))?;
    let form = match *form {
        FormRequest::Plain => Form::Plain,
        FormRequest::Mod10 => Form::Mod10,
        FormRequest::Mod37 => Form::Mod37,
        FormRequest::Mac { chars } => Form::Mac { chars, key: key.clone() },
    };
    let coder = Coder::new(name.prefix(), stem, *width, form).map_err(|(field, problem)| invalid(field, problem))?;
    let first = first.unwrap_or_else(|| facts.ranges.next_serial(name.prefix(), &coder));
    let span = span_of(first, *count, &coder, facts.limits)?;
    if !(facts.serves)(&[name.prefix(), b"/"].concat()) {
        return Err(Refusal::NotServed { prefix: name.prefix().to_vec() });
    }
    recall::check_none(values)?;
    let warnings = check_inherited(&coder, values, facts)?;
    check_text("note", note, ACCESS_NOTE_BYTES)?;
    if facts.ranges.of_prefix(name.prefix()).count() >= facts.limits.per_prefix {
        return Err(invalid("prefix", "has as many packages as it may"));
    }
    if let Some(range) = facts.ranges.in_the_way(name.prefix(), &coder, span) {
        return Err(Refusal::RangeOverlaps { range: range.clone() });
    }
    if let Some(handle) = (facts.registered)(&coder, span)? {
        return Err(Refusal::RangeHoldsHandle { handle });
    }
    let number = facts.ranges.next_number(name.prefix());
    let name = RangeName::new(name.prefix(), number).map_err(|_| invalid("prefix", "is no prefix"))?;
    let by = Arc::clone(facts.actor);
    let range = Range::new(name, coder, span, stamped(values, facts.now), facts.now, by, note.clone());
    Ok(change(vec![RangeChange::New(Box::new(range))], Outcome::Allocated, warnings))
}

fn span_of(first: u64, count: u64, coder: &Coder, limits: &RangeLimits) -> Result<Span, Refusal> {
    if count == 0 {
        return Err(invalid("count", "is 0"));
    }
    if count > limits.codes {
        return Err(invalid("count", "is more than one package may hold"));
    }
    let last = first.checked_add(count - 1).filter(|last| *last <= coder.last_serial());
    let last = last.ok_or(invalid("width", "has too few digits for the last serial"))?;
    Span::new(first, last).ok_or(invalid("count", "is 0"))
}

/// The values codes inherit are within the limits of a record, with the places filled.
fn check_inherited(coder: &Coder, values: &ValueSet, facts: &RangeFacts<'_>) -> Result<Warnings, Refusal> {
    let mut sample = Vec::new();
    coder.write(coder.last_serial(), &mut sample);
    let of_handle = check_handle(&sample, facts.records)?;
    let of_values = check_values(values.values(), facts.records)?;
    // What leads back from a batch names identifiers; it cannot name ten billion codes that are not registered one by one.
    if values.values().iter().any(|value| is_link(&value)) {
        return Err(invalid(
            "values",
            "holds a link (WM_LINK), which codes cannot inherit; give it to each code instead",
        ));
    }
    let filled = filled_bytes(values);
    if filled > facts.limits.values_bytes {
        return Err(Refusal::RecordTooLarge { bytes: filled, limit: facts.limits.values_bytes });
    }
    Ok(of_handle.and(of_values).and(check_record(values, facts.records)?))
}

/// The most bytes values take with every place filled.
pub(crate) fn filled_bytes(values: &ValueSet) -> usize {
    values.wire().len() + places_in(values) * waymark_ident::MAX_HANDLE_BYTES.min(MOST_CODE_BYTES)
}

/// The longest code: prefix, stem, serial and check characters, generously.
const MOST_CODE_BYTES: usize = 512;

fn bind(name: &RangeName, span: Span, values: &ValueSet, facts: &mut RangeFacts<'_>) -> Result<RangeDecision, Refusal> {
    let range = range_with(name, span, facts)?;
    if let Some(over) = range.pieces.within(Layer::State, span).find(|piece| !state_of(piece).resolves()) {
        return Err(not_usable(range, over, span));
    }
    recall::check_none(values)?;
    recall::check_not_recalled(range, span)?;
    if values.is_empty() {
        let cut = range.pieces.cut(Layer::Bound, span);
        return Ok(pieces(name, cut, Outcome::Changed, Warnings::NONE, range));
    }
    let merged = merge(&range.values, &stamped(values, facts.now));
    let warnings = check_inherited(&range.coder, &merged, facts)?;
    let values = stamped(values, facts.now);
    let kind = PieceKind::Bound { merged: Arc::new(Pattern::of(&merged)), values };
    let piece = piece(span, kind, facts);
    check_room(range, Layer::Bound, facts)?;
    Ok(pieces(name, range.pieces.put(piece), Outcome::Changed, warnings, range))
}

fn mark(
    name: &RangeName,
    span: Span,
    state: CodeState,
    reason: &str,
    facts: &mut RangeFacts<'_>,
) -> Result<RangeDecision, Refusal> {
    let range = range_with(name, span, facts)?;
    check_text("reason", reason, REASON_BYTES)?;
    if state == CodeState::Issued {
        return Err(invalid("state", "is what codes are by being ordered; nothing becomes it again"));
    }
    if let Some(lease) = range.pieces.within(Layer::Leased, span).next() {
        return Err(leased(range, lease));
    }
    let decided = mark_piece(range, span, state, reason, facts)?;
    match decided {
        None => Ok(RangeDecision::Keep(range.serial, range.created)),
        Some(changes) => Ok(pieces(name, changes, Outcome::Changed, Warnings::NONE, range)),
    }
}

/// The changes that make codes `state`; `None` when they all are.
fn mark_piece(
    range: &Range,
    span: Span,
    state: CodeState,
    reason: &str,
    facts: &RangeFacts<'_>,
) -> Result<Option<Vec<PieceChange>>, Refusal> {
    let mut same = 0;
    for known in range.pieces.within(Layer::State, span) {
        if state_of(known) == state {
            same += known.span.both(span).map_or(0, |span| span.count());
        } else if !state_of(known).may_become(state) {
            return Err(not_usable(range, known, span));
        }
    }
    if same == span.count() {
        return Ok(None);
    }
    check_room(range, Layer::State, facts)?;
    let kind = PieceKind::State { state, reason: reason.to_owned() };
    Ok(Some(range.pieces.put(piece(span, kind, facts))))
}

fn export(
    name: &RangeName,
    part: Part,
    roll_codes: u64,
    again: &str,
    facts: &mut RangeFacts<'_>,
) -> Result<RangeDecision, Refusal> {
    let span = match part {
        Part::These(span) => span,
        Part::Next(count) => lease::free(facts.ranges.get(name).ok_or(Refusal::NotFound)?, count)?,
    };
    let range = range_with(name, span, facts)?;
    check_text("again", again, REASON_BYTES)?;
    if roll_codes == 0 {
        return Err(invalid("roll_codes", "is 0"));
    }
    if let Some(known) = range.pieces.within(Layer::State, span).find(|piece| state_of(piece) != CodeState::Issued) {
        return Err(not_usable(range, known, span));
    }
    if let Some(lease) = range.pieces.within(Layer::Leased, span).next() {
        return Err(leased(range, lease));
    }
    let former = range.pieces.within(Layer::Exported, span).max_by_key(|piece| times_of(piece));
    if let Some(former) = former.filter(|_| again.is_empty()) {
        return Err(Refusal::AlreadyExported {
            span: former.span,
            by: Arc::clone(&former.by),
            time: former.since,
            times: times_of(former),
        });
    }
    check_room(range, Layer::Exported, facts)?;
    let times = former.map_or(0, times_of).saturating_add(1);
    let kind = PieceKind::Exported { roll_codes, times, reason: again.to_owned() };
    let piece = piece(span, kind, facts);
    Ok(pieces(name, range.pieces.put(piece), Outcome::Exported, Warnings::NONE, range))
}

/// The range of a name, if all of `span` is in it.
fn range_with<'a>(name: &RangeName, span: Span, facts: &RangeFacts<'a>) -> Result<&'a Range, Refusal> {
    let range: &'a Ranges = facts.ranges;
    let range = range.get(name).ok_or(Refusal::NotFound)?;
    if range.span.covers(span) { Ok(range) } else { Err(invalid("serials", "are not all in the package")) }
}

/// Refuses one more piece where there are as many as may be. One change adds two at most.
fn check_room(range: &Range, layer: Layer, facts: &RangeFacts<'_>) -> Result<(), Refusal> {
    if range.pieces.count(layer) + 2 > facts.limits.pieces {
        return Err(invalid("serials", "would split the package into more parts than it may have; say more at once"));
    }
    Ok(())
}

fn piece(span: Span, kind: PieceKind, facts: &RangeFacts<'_>) -> Piece {
    Piece { span, kind, by: Arc::clone(facts.actor), since: facts.now, serial: Serial::NONE }
}

/// A decision of changes to pieces. The command's entry is the last one, which says what it was asked for.
fn pieces(
    name: &RangeName,
    changes: Vec<PieceChange>,
    outcome: Outcome,
    warnings: Warnings,
    range: &Range,
) -> RangeDecision {
    if changes.is_empty() {
        return RangeDecision::Keep(range.serial, range.created);
    }
    change(changes.into_iter().map(|change| RangeChange::Piece(name.clone(), change)).collect(), outcome, warnings)
}

fn change(changes: Vec<RangeChange>, outcome: Outcome, warnings: Warnings) -> RangeDecision {
    RangeDecision::Change { main: changes.len().saturating_sub(1), changes, outcome, warnings }
}

fn state_of(piece: &Piece) -> CodeState {
    match piece.kind {
        PieceKind::State { state, .. } => state,
        _ => CodeState::Issued,
    }
}

fn times_of(piece: &Piece) -> u32 {
    match piece.kind {
        PieceKind::Exported { times, .. } => times,
        _ => 0,
    }
}

fn not_usable(range: &Range, piece: &Piece, span: Span) -> Refusal {
    let span = piece.span.both(span).unwrap_or(piece.span);
    Refusal::CodesNotUsable { range: range.name.clone(), span, state: state_of(piece) }
}

fn leased(range: &Range, lease: &Piece) -> Refusal {
    let station = match &lease.kind {
        PieceKind::Leased { station, .. } => station.clone(),
        _ => String::new(),
    };
    Refusal::CodesLeased { range: range.name.clone(), span: lease.span, station }
}

fn check_text(field: &'static str, text: &str, most_bytes: usize) -> Result<(), Refusal> {
    if text.len() > most_bytes {
        return Err(invalid(field, "is too long"));
    }
    if text.chars().any(char::is_control) {
        return Err(invalid(field, "holds a control character"));
    }
    Ok(())
}

const fn invalid(field: &'static str, problem: &'static str) -> Refusal {
    Refusal::InvalidRange { field, problem }
}

/// Values with the time of the commit as their timestamps.
fn stamped(values: &ValueSet, now: Timestamp) -> ValueSet {
    let seconds = u32::try_from(now.0 / 1000).unwrap_or(u32::MAX);
    let mut set = ValueSet::default();
    values.values().iter().for_each(|value| set.push_stamped(value.wire, seconds));
    set
}

/// The values of a range with others over them.
pub(crate) fn merge(under: &ValueSet, over: &ValueSet) -> ValueSet {
    let kept = under.values().iter().filter(|value| !over.values().iter().any(|other| other.index == value.index));
    // Cannot fail: both were sets, and no index is in both parts.
    ValueSet::new(kept.chain(over.values().iter())).unwrap_or_default()
}

impl Range {
    /// A range without pieces.
    pub(crate) fn new(
        name: RangeName,
        coder: Coder,
        span: Span,
        values: ValueSet,
        created: Timestamp,
        by: Arc<str>,
        note: String,
    ) -> Self {
        let pattern = Arc::new(Pattern::of(&values));
        let pieces = super::Pieces::default();
        Self { name, coder, span, values, created, by, note, serial: Serial::NONE, pieces, pattern }
    }

    /// The same, as this entry of the log says.
    pub(crate) fn with_entry(self, serial: Serial) -> Self {
        Self { serial, ..self }
    }
}
