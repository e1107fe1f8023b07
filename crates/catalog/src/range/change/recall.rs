//! Recalling codes: the notice goes among the values bound to them, piece by piece, and out again.

use std::sync::Arc;

use super::{RangeDecision, RangeFacts, check_room, check_text, invalid, merge, piece, pieces, range_with};
use crate::command::{InvalidValue, Outcome, Refusal};
use crate::config::{RANGE_RECALL_PIECES, REASON_BYTES};
use crate::range::pattern::Pattern;
use crate::range::pieces::{Layer, PieceChange, PieceKind, Span};
use crate::range::{Range, RangeName};
use crate::recall::{RECALL_INDEX, RECALL_TYPE, notice_in, recall_in, recalled, without_notice};
use crate::values::ValueSet;
use crate::warnings::Warnings;

/// Recalls codes. Those that are recalled already keep the time of that, and take the new reason.
pub(super) fn recall(
    name: &RangeName,
    span: Span,
    reason: &str,
    facts: &RangeFacts<'_>,
) -> Result<RangeDecision, Refusal> {
    let range = range_with(name, span, facts)?;
    check_text("reason", reason, REASON_BYTES)?;
    if range.values.values().iter().any(|value| value.index == RECALL_INDEX) {
        return Err(Refusal::IndexConflict { index: RECALL_INDEX });
    }
    let now = u32::try_from(facts.now.0 / 1000).unwrap_or(u32::MAX);
    let parts = parts(range, span)?;
    let changed = parts.into_iter().map(|(part, values)| {
        if recall_in(values.values()).is_some_and(|known| known.reason == reason) {
            return Ok(None);
        }
        Ok(Some((part, recalled(values.values(), reason, now)?)))
    });
    let changed: Vec<_> = changed.filter_map(Result::transpose).collect::<Result<_, Refusal>>()?;
    rebind(range, name, changed, Outcome::Recalled, facts)
}

/// Ends that.
pub(super) fn lift(name: &RangeName, span: Span, facts: &RangeFacts<'_>) -> Result<RangeDecision, Refusal> {
    let range = range_with(name, span, facts)?;
    let recalled = parts(range, span)?.into_iter().filter(|(_, values)| notice_in(values.values()).is_some());
    let changed = recalled.map(|(part, values)| (part, without_notice(values.values()))).collect();
    rebind(range, name, changed, Outcome::RecallLifted, facts)
}

/// Refuses values that would say so without a recall.
pub(super) fn check_none(values: &ValueSet) -> Result<(), Refusal> {
    match values.values().iter().find(|value| value.kind == RECALL_TYPE.as_bytes()) {
        Some(value) => Err(Refusal::InvalidValue(InvalidValue::Notice { index: value.index })),
        None => Ok(()),
    }
}

/// Refuses to bind other values to codes that are recalled: the notice would be gone.
pub(super) fn check_not_recalled(range: &Range, span: Span) -> Result<(), Refusal> {
    let recalled = range.pieces.within(Layer::Bound, span).any(|piece| match &piece.kind {
        PieceKind::Bound { values, .. } => notice_in(values.values()).is_some(),
        _ => false,
    });
    if recalled { Err(Refusal::Recalled) } else { Ok(()) }
}

/// What is bound to `span`, part by part, without a gap; nothing where nothing is.
fn parts(range: &Range, span: Span) -> Result<Vec<(Span, ValueSet)>, Refusal> {
    let mut parts = Vec::new();
    let mut next = span.first;
    for piece in range.pieces.within(Layer::Bound, span) {
        let (PieceKind::Bound { values, .. }, Some(both)) = (&piece.kind, piece.span.both(span)) else { continue };
        if let Some(gap) = both.first.checked_sub(1).and_then(|last| Span::new(next, last)) {
            parts.push((gap, ValueSet::default()));
        }
        parts.push((both, values.clone()));
        next = both.last.saturating_add(1);
        if parts.len() > RANGE_RECALL_PIECES {
            let problem = "hold too many parts with values of their own; name fewer at once";
            return Err(invalid("serials", problem));
        }
    }
    if let Some(rest) = Span::new(next, span.last) {
        parts.push((rest, ValueSet::default()));
    }
    Ok(parts)
}

/// Binds each part its values, those of the parts before it bound already.
fn rebind(
    range: &Range,
    name: &RangeName,
    parts: Vec<(Span, ValueSet)>,
    outcome: Outcome,
    facts: &RangeFacts<'_>,
) -> Result<RangeDecision, Refusal> {
    let mut after = Range::clone(range);
    let mut changes: Vec<PieceChange> = Vec::new();
    for (part, values) in parts {
        let of_part = if values.is_empty() {
            after.pieces.cut(Layer::Bound, part)
        } else {
            check_room(&after, Layer::Bound, facts)?;
            let merged = Arc::new(Pattern::of(&merge(&range.values, &values)));
            after.pieces.put(piece(part, PieceKind::Bound { values, merged }, facts))
        };
        for change in of_part {
            after.pieces.apply(change.clone());
            changes.push(change);
        }
    }
    Ok(pieces(name, changes, outcome, Warnings::NONE, range))
}
