//! Codes in the hands of a printing station: it takes a piece of a package, works whether or not it reaches the node, and reports in the end what
//! became of each code: printed, spoiled or blank, and nothing left over.

use waymark_store::Timestamp;

use super::{RangeChange, RangeDecision, RangeFacts, check_room, check_text, invalid, mark_piece, piece, pieces};
use crate::command::{Outcome, Refusal};
use crate::config::{LEASE_MS, STATION_BYTES};
use crate::range::pieces::{CodeState, Layer, PieceChange, PieceKind, Span};
use crate::range::{Range, RangeName};
use crate::warnings::Warnings;

/// Gives out the first piece of enough codes that are neither given out, nor over.
pub(super) fn lease(
    name: &RangeName,
    station: &str,
    count: u64,
    lifetime_ms: u64,
    facts: &mut RangeFacts<'_>,
) -> Result<RangeDecision, Refusal> {
    let range = facts.ranges.get(name).ok_or(Refusal::NotFound)?;
    check_text("station", station, STATION_BYTES)?;
    if station.is_empty() {
        return Err(invalid("station", "is empty"));
    }
    if !(1..=LEASE_MS).contains(&lifetime_ms) {
        return Err(invalid("lifetime", "is not between a moment and 400 days"));
    }
    let until = Timestamp(facts.now.0.saturating_add(lifetime_ms)).min(Timestamp::MAX);
    check_room(range, Layer::Leased, facts)?;
    let span = free(range, count)?;
    let kind = PieceKind::Leased { station: station.to_owned(), until };
    Ok(pieces(name, range.pieces.put(piece(span, kind, facts)), Outcome::Leased, Warnings::NONE, range))
}

/// The first `count` consecutive codes that may be printed.
pub(super) fn free(range: &Range, count: u64) -> Result<Span, Refusal> {
    if count == 0 {
        return Err(invalid("count", "is 0"));
    }
    let mut taken: Vec<Span> = [Layer::State, Layer::Exported, Layer::Leased]
        .into_iter()
        .flat_map(|layer| range.pieces.all(layer).map(|piece| piece.span))
        .collect();
    taken.sort_unstable_by_key(|span| span.first);
    let mut from = range.span.first;
    let mut largest = 0;
    for span in taken {
        let room = span.first.saturating_sub(from);
        if room >= count {
            break;
        }
        largest = largest.max(room);
        from = from.max(span.last.saturating_add(1));
    }
    let room = range.span.last.saturating_add(1).saturating_sub(from);
    let last = from.checked_add(count - 1).filter(|_| room >= count);
    last.and_then(|last| Span::new(from, last)).ok_or_else(|| Refusal::TooFewCodes { free: largest.max(room) })
}

/// Ends a lease; `told` are the printed, the spoiled and the blank codes, which must be all of it, each once.
pub(super) fn reconcile(
    name: &RangeName,
    first: u64,
    told: [&Vec<Span>; 3],
    facts: &mut RangeFacts<'_>,
) -> Result<RangeDecision, Refusal> {
    let range = facts.ranges.get(name).ok_or(Refusal::NotFound)?;
    let lease = range.pieces.at(Layer::Leased, first).filter(|piece| piece.span.first == first);
    let lease = lease.ok_or(Refusal::NotFound)?;
    let mut spans: Vec<Span> = told.into_iter().flatten().copied().collect();
    spans.sort_unstable_by_key(|span| span.first);
    let mut next = lease.span.first;
    let mut whole = true;
    for span in &spans {
        whole = whole && span.first == next;
        next = span.last.saturating_add(1);
    }
    if !whole || next != lease.span.last.saturating_add(1) {
        let sum = spans.iter().fold(0_u64, |sum, span| sum.saturating_add(span.count()));
        return Err(Refusal::NotReconciled { leased: lease.span, told: sum });
    }
    // Each part is decided over what those before it did.
    let mut after = Range::clone(range);
    let mut changes = Vec::new();
    let [printed, spoiled, _] = told;
    for (spans, state) in [(printed, CodeState::Used), (spoiled, CodeState::Spoiled)] {
        for span in spans {
            let marked = mark_piece(&after, *span, state, "", facts)?.unwrap_or_default();
            for change in marked {
                after.pieces.apply(change.clone());
                changes.push(change);
            }
        }
    }
    changes.push(PieceChange::Remove(Layer::Leased, first));
    let changes: Vec<_> = changes.into_iter().map(|change| RangeChange::Piece(name.clone(), change)).collect();
    Ok(super::change(changes, Outcome::Reconciled, Warnings::NONE))
}
