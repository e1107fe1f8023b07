//! What is known of parts of a range, in layers that lie over each other.
//!
//! Pieces of one layer do not overlap. Setting something for a part cuts what was there at its ends, takes out what lies within, and joins
//! neighbours that say the same; each piece that changes is an entry of the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use waymark_store::{Serial, Timestamp};

use super::pattern::Pattern;
use crate::values::ValueSet;

/// Consecutive serials, both ends among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first.
    pub first: u64,
    /// The last; not before the first.
    pub last: u64,
}

/// Something that pieces tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Values of their own.
    Bound,
    /// What became of the codes.
    State,
    /// Printed, or given out to be.
    Exported,
    /// In the hands of a printing station.
    Leased,
}

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CodeState {
    /// Ordered; it resolves.
    Issued,
    /// On a product; it resolves.
    Used,
    /// Destroyed before it was on a product; it does not resolve.
    Spoiled,
    /// Taken back before use; it does not resolve.
    Withdrawn,
}

/// A part of a range and what is known of it.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The part.
    pub span: Span,
    /// What is known.
    pub kind: PieceKind,
    /// Who said so.
    pub by: Arc<str>,
    /// When.
    pub since: Timestamp,
    /// Its entry of the log.
    pub serial: Serial,
}

/// What a piece says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PieceKind {
    /// Values that replace those of the range at the same index, and add to the others.
    Bound {
        /// These.
        values: ValueSet,
        /// Those of the range with these over them, ready to be answered from.
        merged: Arc<Pattern>,
    },
    /// What became of the codes.
    State {
        /// This.
        state: CodeState,
        /// For people.
        reason: String,
    },
    /// They were given out for printing.
    Exported {
        /// Codes of each roll.
        roll_codes: u64,
        /// How often.
        times: u32,
        /// Why again, the last time.
        reason: String,
    },
    /// A printing station has them.
    Leased {
        /// Which.
        station: String,
        /// When it should have reported.
        until: Timestamp,
    },
}

/// All pieces of a range.
#[derive(Clone, Debug, Default)]
pub struct Pieces([Arc<BTreeMap<u64, Arc<Piece>>>; 4]);

/// A change of one layer: an entry of the log.
#[derive(Clone, Debug)]
pub(crate) enum PieceChange {
    Put(Piece),
    Remove(Layer, u64),
}

impl Span {
    /// `first` to `last`; `None` when they stand the wrong way round.
    #[must_use]
    pub fn new(first: u64, last: u64) -> Option<Self> {
        (first <= last).then_some(Self { first, last })
    }

    /// How many serials; never 0.
    #[must_use]
    pub const fn count(&self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }

    /// Whether a serial is among them.
    #[must_use]
    pub const fn holds(&self, serial: u64) -> bool {
        self.first <= serial && serial <= self.last
    }

    /// Whether all of another are among them.
    #[must_use]
    pub const fn covers(&self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// Whether some serial is in both.
    #[must_use]
    pub const fn meets(&self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// What is in both.
    #[must_use]
    pub fn both(&self, other: Self) -> Option<Self> {
        Self::new(self.first.max(other.first), self.last.min(other.last))
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl Layer {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Bound, Self::State, Self::Exported, Self::Leased];
}

impl CodeState {
    /// Its name in messages and stored bytes; never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Used => "used",
            Self::Spoiled => "spoiled",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Issued, Self::Used, Self::Spoiled, Self::Withdrawn].into_iter().find(|state| state.as_str() == name)
    }

    /// Whether a code in this state resolves.
    #[must_use]
    pub const fn resolves(self) -> bool {
        matches!(self, Self::Issued | Self::Used)
    }

    /// Whether a code may go from this state to another.
    pub(crate) const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Issued, Self::Used | Self::Spoiled | Self::Withdrawn) | (Self::Used, Self::Spoiled)
        )
    }
}

impl PieceKind {
    /// The layer it lies in.
    #[must_use]
    pub const fn layer(&self) -> Layer {
        match self {
            Self::Bound { .. } => Layer::Bound,
            Self::State { .. } => Layer::State,
            Self::Exported { .. } => Layer::Exported,
            Self::Leased { .. } => Layer::Leased,
        }
    }

    /// Whether two neighbours that say this are one piece.
    fn joins(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::State { state, reason }, Self::State { state: other, reason: because }) => {
                state == other && reason == because
            }
            _ => false,
        }
    }
}

impl Pieces {
    fn layer(&self, layer: Layer) -> &BTreeMap<u64, Arc<Piece>> {
        let [bound, state, exported, leased] = &self.0;
        match layer {
            Layer::Bound => bound,
            Layer::State => state,
            Layer::Exported => exported,
            Layer::Leased => leased,
        }
    }

    fn layer_mut(&mut self, layer: Layer) -> &mut BTreeMap<u64, Arc<Piece>> {
        let [bound, state, exported, leased] = &mut self.0;
        Arc::make_mut(match layer {
            Layer::Bound => bound,
            Layer::State => state,
            Layer::Exported => exported,
            Layer::Leased => leased,
        })
    }

    /// The piece of a layer that a serial lies in.
    #[must_use]
    pub fn at(&self, layer: Layer, serial: u64) -> Option<&Piece> {
        let (_, piece) = self.layer(layer).range(..=serial).next_back()?;
        Some(&**piece).filter(|piece| piece.span.holds(serial))
    }

    /// The pieces of a layer that lie in a part, whole or partly, in order.
    pub fn within(&self, layer: Layer, span: Span) -> impl Iterator<Item = &Piece> {
        let from = self.at(layer, span.first).map_or(span.first, |piece| piece.span.first);
        self.layer(layer).range(from..=span.last).map(|(_, piece)| &**piece)
    }

    /// All pieces of a layer, in order.
    pub fn all(&self, layer: Layer) -> impl ExactSizeIterator<Item = &Piece> {
        self.layer(layer).values().map(|piece| &**piece)
    }

    /// Number of pieces of a layer.
    #[must_use]
    pub fn count(&self, layer: Layer) -> usize {
        self.layer(layer).len()
    }

    /// Takes in a change that an entry of the log says.
    pub(crate) fn apply(&mut self, change: PieceChange) {
        match change {
            PieceChange::Put(piece) => {
                self.layer_mut(piece.kind.layer()).insert(piece.span.first, Arc::new(piece));
            }
            PieceChange::Remove(layer, first) => {
                self.layer_mut(layer).remove(&first);
            }
        }
    }

    /// What has to change so that `new` holds for its part; what else its layer says of it no longer does.
    pub(crate) fn put(&self, new: Piece) -> Vec<PieceChange> {
        let layer = new.kind.layer();
        let mut changes = self.cut(layer, new.span);
        let mut new = new;
        let before = new.span.first.checked_sub(1).and_then(|serial| self.at(layer, serial));
        let behind = new.span.last.checked_add(1).and_then(|serial| self.at(layer, serial));
        // Pieces that reach into the part were cut; those that end at it stand whole.
        if let Some(before) = before.filter(|piece| piece.kind.joins(&new.kind)) {
            new.span.first = before.span.first;
            changes
                .retain(|change| !matches!(change, PieceChange::Put(piece) if piece.span.first == before.span.first));
        }
        if let Some(behind) = behind.filter(|piece| piece.kind.joins(&new.kind)) {
            changes.retain(|change| !matches!(change, PieceChange::Put(piece) if piece.span.last == behind.span.last));
            new.span.last = behind.span.last;
            let is_removed =
                |change: &PieceChange| matches!(change, PieceChange::Remove(_, first) if *first == behind.span.first);
            if behind.span.first > new.span.first && !changes.iter().any(is_removed) {
                changes.push(PieceChange::Remove(layer, behind.span.first));
            }
        }
        // The new piece takes the place of one that begins where it does.
        changes.retain(|change| !matches!(change, PieceChange::Remove(_, first) if *first == new.span.first));
        changes.push(PieceChange::Put(new));
        changes
    }

    /// What has to change so that a layer says nothing of a part.
    pub(crate) fn cut(&self, layer: Layer, span: Span) -> Vec<PieceChange> {
        let mut changes = Vec::new();
        for piece in self.within(layer, span) {
            let left = piece.span.first < span.first;
            if let Some(last) = span.first.checked_sub(1).filter(|_| left) {
                changes.push(PieceChange::Put(Piece { span: Span { last, ..piece.span }, ..piece.clone() }));
            } else {
                changes.push(PieceChange::Remove(layer, piece.span.first));
            }
            if let Some(first) = span.last.checked_add(1).filter(|first| *first <= piece.span.last) {
                changes.push(PieceChange::Put(Piece { span: Span { first, ..piece.span }, ..piece.clone() }));
            }
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn state(first: u64, last: u64, state: CodeState, reason: &str) -> Piece {
        Piece {
            span: Span::new(first, last).unwrap(),
            kind: PieceKind::State { state, reason: reason.into() },
            by: "p".into(),
            since: Timestamp(1),
            serial: Serial(1),
        }
    }

    fn shown(pieces: &Pieces) -> Vec<(u64, u64, CodeState)> {
        let shown = |piece: &Piece| match &piece.kind {
            PieceKind::State { state, .. } => (piece.span.first, piece.span.last, *state),
            _ => unreachable!(),
        };
        pieces.all(Layer::State).map(shown).collect()
    }

    fn put(pieces: &mut Pieces, piece: Piece) -> usize {
        let changes = pieces.put(piece);
        let count = changes.len();
        changes.into_iter().for_each(|change| pieces.apply(change));
        count
    }

    #[test]
    fn a_part_in_the_middle_cuts_and_neighbours_that_say_the_same_join() {
        use CodeState::{Used, Withdrawn};
        let mut pieces = Pieces::default();
        put(&mut pieces, state(0, 99, Used, ""));
        assert_eq!(put(&mut pieces, state(40, 59, Withdrawn, "")), 3);
        assert_eq!(shown(&pieces), [(0, 39, Used), (40, 59, Withdrawn), (60, 99, Used)]);
        put(&mut pieces, state(40, 59, Used, ""));
        assert_eq!(shown(&pieces), [(0, 99, Used)]);
        put(&mut pieces, state(100, 100, Used, "other"));
        assert_eq!(pieces.count(Layer::State), 2, "another reason is another piece");
    }

    #[test]
    fn reporting_one_by_one_keeps_one_piece() {
        let mut pieces = Pieces::default();
        for serial in 0..1_000 {
            assert_eq!(put(&mut pieces, state(serial, serial, CodeState::Used, "")), 1);
        }
        assert_eq!(shown(&pieces), [(0, 999, CodeState::Used)]);
    }

    #[test]
    fn only_what_is_not_over_can_change() {
        use CodeState::{Issued, Spoiled, Used, Withdrawn};
        let all = [Issued, Used, Spoiled, Withdrawn];
        let may: Vec<_> = all
            .into_iter()
            .flat_map(|from| all.into_iter().map(move |to| (from, to)))
            .filter(|(from, to)| from.may_become(*to))
            .collect();
        assert_eq!(may, [(Issued, Used), (Issued, Spoiled), (Issued, Withdrawn), (Used, Spoiled)]);
        assert!(all.into_iter().all(|state| CodeState::from_name(state.as_str()) == Some(state)));
    }

    proptest! {
        #[test]
        fn pieces_say_what_a_list_of_all_serials_says(
            steps in prop::collection::vec((0_u64..60, 0_u64..20, 0_usize..4, any::<bool>()), 1..40),
        ) {
            let states = [CodeState::Issued, CodeState::Used, CodeState::Spoiled, CodeState::Withdrawn];
            let mut plain: Vec<Option<(CodeState, bool)>> = vec![None; 80];
            let mut pieces = Pieces::default();
            for (first, more, which, flag) in steps {
                let last = first + more;
                let reason = if flag { "x" } else { "" };
                if which == 0 {
                    let cut = pieces.cut(Layer::State, Span { first, last });
                    cut.into_iter().for_each(|change| pieces.apply(change));
                    (first..=last).for_each(|serial| plain[usize::try_from(serial).unwrap()] = None);
                } else {
                    put(&mut pieces, state(first, last, states[which], reason));
                    (first..=last).for_each(|serial| plain[usize::try_from(serial).unwrap()] = Some((states[which], flag)));
                }
                for (serial, wanted) in plain.iter().enumerate() {
                    let found = pieces.at(Layer::State, serial as u64).map(|piece| match &piece.kind {
                        PieceKind::State { state, reason } => (*state, reason == "x"),
                        _ => unreachable!(),
                    });
                    prop_assert_eq!(found, *wanted, "serial {}", serial);
                }
                // No two neighbours that could be one.
                let all: Vec<&Piece> = pieces.all(Layer::State).collect();
                for pair in all.windows(2) {
                    prop_assert!(pair[0].span.last < pair[1].span.first);
                    prop_assert!(pair[0].span.last + 1 < pair[1].span.first || !pair[0].kind.joins(&pair[1].kind));
                }
            }
        }
    }
}
