//! Code packages in a group being formed, and records of codes that have none yet.

use std::ops::ControlFlow;
use std::sync::Arc;

use waymark_store::{EntryKind, Serial, Store};

use super::{ENTRY_FRAME_BYTES, Forming, Terms};
use crate::access::permit::Permit;
use crate::actor::Actor;
use crate::command::{Command, Order, Receipt, Refusal};
use crate::decide::{Current, Version};
use crate::overlay::Previous;
use crate::prefixes::prefix_of_key;
use crate::range::change::{PIECE_BYTES, RangeChange, RangeDecision, RangeFacts, decide_range, filled_bytes};
use crate::range::pieces::PieceChange;
use crate::range::{Coder, Finding, Part, RangeCommand, Span};
use crate::recall::NOTICE_BYTES;
use crate::record::OwnedRecord;
use crate::reserved::ReservedKey;

/// Names looked at to see whether codes to be ordered are registered already; past it the stem is refused.
const MOST_NAMES_LOOKED_AT: usize = 100_000;

impl Forming {
    /// Decides a command on code packages; commands behind it are decided by what it did.
    pub(super) fn change_ranges(
        &mut self,
        permit: Permit,
        command: &RangeCommand,
        actor: &Arc<str>,
        terms: Terms<'_>,
    ) -> Result<Receipt, Refusal> {
        let ranges = Arc::clone(&self.ranges);
        let prefixes = Arc::clone(&self.prefixes);
        let mut facts = RangeFacts {
            ranges: &ranges,
            limits: terms.ranges,
            records: terms.limits,
            now: self.time,
            actor,
            serves: &|name| prefixes.serves(name),
            registered: &mut |coder, span| self.registered(coder, span, terms.store),
        };
        match decide_range(permit, command, &mut facts)? {
            RangeDecision::Keep(serial, time) => {
                Ok(Receipt { time, ..self.plain_receipt(serial, crate::command::Outcome::Same) })
            }
            RangeDecision::Change { changes, main, outcome, warnings } => {
                let serials: Vec<Serial> = changes.into_iter().map(|change| self.draft_range(change, actor)).collect();
                let serial = serials.get(main).copied().unwrap_or(Serial::NONE);
                Ok(Receipt { warnings, ..self.plain_receipt(serial, outcome) })
            }
        }
    }

    pub(super) fn draft_range(&mut self, change: RangeChange, actor: &Arc<str>) -> Serial {
        self.ranges_changed = true;
        let serial = self.next_serial();
        match change {
            RangeChange::New(range) => {
                let key = ReservedKey::Range(range.name.clone()).to_bytes();
                self.draft(EntryKind::PUT, key, Serial::NONE, range.to_body(), actor);
                Arc::make_mut(&mut self.ranges).put(range.with_entry(serial));
            }
            RangeChange::Piece(name, change) => {
                let (kind, layer, first, body) = match &change {
                    PieceChange::Put(piece) => (EntryKind::PUT, piece.kind.layer(), piece.span.first, piece.to_body()),
                    PieceChange::Remove(layer, first) => (EntryKind::DELETE, *layer, *first, Vec::new()),
                };
                let previous: Previous = self.ranges.piece_entry(&name, layer, first).into();
                let key = ReservedKey::Piece(name.clone(), layer, first).to_bytes();
                self.draft(kind, key, previous, body, actor);
                let change = match change {
                    PieceChange::Put(piece) => PieceChange::Put(crate::range::Piece { serial, ..piece }),
                    removed @ PieceChange::Remove(..) => removed,
                };
                Arc::make_mut(&mut self.ranges).change_piece(&name, change);
            }
        }
        serial
    }

    /// A name that has a record and is one of the codes of `coder`.
    fn registered(&self, coder: &Coder, span: Span, store: &dyn Store) -> Result<Option<Vec<u8>>, Refusal> {
        let is_one = |key: &[u8]| coder.is_code_within(key, span);
        if let Some(key) = self.overlay.live_keys().find(|key| is_one(key)) {
            return Ok(Some(key.to_vec()));
        }
        let (mut after, mut upto) = (Vec::new(), Vec::new());
        coder.write_front(span.first, &mut after);
        coder.write_front(span.last, &mut upto);
        // The greatest key before the first code: its last byte less one, and the greatest byte behind.
        if let Some(last) = after.last_mut() {
            *last = last.saturating_sub(1);
        }
        after.push(u8::MAX);
        upto.push(u8::MAX);
        let (mut found, mut looked_at) = (None, 0_usize);
        let scanned = store.scan_keys(&after, coder.head(), &mut |met| {
            // A record that cannot be read is one all the same.
            let key = match &met {
                Ok(entry) => entry.key,
                Err(damaged) => damaged.key,
            };
            looked_at += 1;
            if key > &upto[..] || looked_at > MOST_NAMES_LOOKED_AT {
                return ControlFlow::Break(());
            }
            if is_one(key) && !self.overlay.is_deleted(key) {
                found = Some(key.to_vec());
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        scanned.map_err(|_| Refusal::Unreadable)?;
        if looked_at > MOST_NAMES_LOOKED_AT {
            let problem = "begins too many names that are registered already to look through; choose another one";
            return Err(Refusal::InvalidRange { field: "stem", problem });
        }
        Ok(found)
    }

    /// The record a name without one inherits, for commands that change what is there; refuses to register a code that was never made or is over.
    ///
    /// # Errors
    /// [`Refusal::NeverIssued`], [`Refusal::CodesNotUsable`].
    pub(super) fn inherited(&self, command: &Command, key: &[u8]) -> Result<Option<Version>, Refusal> {
        if self.ranges.is_empty() || !matches!(self.overlay.current(key), Current::Absent) {
            return Ok(None);
        }
        match self.ranges.find(key) {
            Finding::None => Ok(None),
            Finding::NeverIssued(_) => Err(Refusal::NeverIssued),
            Finding::Code(range, serial) => {
                let state = range.state(serial);
                if !state.resolves() {
                    let span = Span { first: serial, last: serial };
                    return Err(Refusal::CodesNotUsable { range: range.name.clone(), span, state });
                }
                let takes_what_is_there = matches!(
                    command,
                    Command::AddValues { .. }
                        | Command::ModifyValues { .. }
                        | Command::RemoveValues { .. }
                        | Command::Suspend { .. }
                        | Command::Revoke { .. }
                        | Command::Recall { .. }
                        | Command::LiftRecall { .. }
                );
                // A record of its own would stand over the notice.
                if !takes_what_is_there && range.recall(serial).is_some() {
                    return Err(Refusal::Recalled);
                }
                Ok(takes_what_is_there.then(|| {
                    let OwnedRecord { body, serial, time } = range.record(serial, key);
                    Version { serial, time, body }
                }))
            }
        }
    }

    /// The most bytes the record of `key` can take before `orders`: what it holds, or what it inherits.
    pub(super) fn most_body_bytes(&self, key: &[u8], orders: &[Order]) -> usize {
        let body = self.overlay.body_bytes(key);
        if body > 0 {
            return body;
        }
        let prefix = prefix_of_key(key);
        let allocated = orders.iter().map(|order| match &order.command {
            Command::Range(command) => brought_bytes(command),
            _ => 0,
        });
        let ordered: usize = allocated.sum();
        let inherited = self.ranges.most_inherited_bytes(prefix);
        if ordered + inherited == 0 { 0 } else { ordered + inherited + 2 * key.len() + ENTRY_FRAME_BYTES }
    }

    /// The most bytes the entries of a command on code packages can take. A change cuts at most the pieces at its two ends, whose values it copies.
    pub(super) fn most_range_bytes(&self, command: &RangeCommand, actor: &Actor) -> usize {
        let frame = ENTRY_FRAME_BYTES + actor.name().len() + command.prefix().len() + PIECE_BYTES;
        let copied = self.ranges.most_inherited_bytes(&command.folded_prefix());
        let touched = match command {
            RangeCommand::Recall { range, span, .. } | RangeCommand::LiftRecall { range, span } => {
                // Every part is written, with what was bound to it and the notice, and those at the ends are cut too.
                let parts = 2 * self.pieces_in(range, *span) + 3;
                return command.weight_bytes() + 2 * parts * (frame + copied + NOTICE_BYTES);
            }
            RangeCommand::Allocate { .. }
            | RangeCommand::Lease { .. }
            | RangeCommand::Export { part: Part::Next(_), .. } => 1,
            RangeCommand::Bind { range, span, .. }
            | RangeCommand::Mark { range, span, .. }
            | RangeCommand::Export { range, part: Part::These(span), .. } => self.pieces_in(range, *span),
            RangeCommand::Reconcile { range, printed, spoiled, blank, .. } => {
                let spans = printed.iter().chain(spoiled).chain(blank);
                spans.map(|span| self.pieces_in(range, *span)).sum::<usize>() + 1
            }
        };
        2 * command.weight_bytes() + (touched + 3) * frame + 4 * copied
    }

    /// Pieces of any layer that a part meets, and its neighbours.
    fn pieces_in(&self, range: &crate::range::RangeName, span: Span) -> usize {
        let Some(range) = self.ranges.get(range) else { return 0 };
        crate::range::Layer::ALL.into_iter().map(|layer| range.pieces.within(layer, span).count() + 2).sum()
    }
}

/// The most bytes of values a command brings for codes to inherit.
fn brought_bytes(command: &RangeCommand) -> usize {
    match command {
        RangeCommand::Allocate { values, .. } | RangeCommand::Bind { values, .. } => filled_bytes(values),
        RangeCommand::Recall { .. } => NOTICE_BYTES,
        _ => 0,
    }
}
