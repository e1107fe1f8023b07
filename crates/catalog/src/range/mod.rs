//! Code packages: up to billions of identifiers ordered at once, stored as one record.
//!
//! A *range* holds the codes of consecutive serials under one stem. Each of them resolves by inheritance: the values of the range, with the serial
//! put in where they say so. What is known of a part of them lies in *pieces* over the range, each an entry of its own, so that a change costs
//! what it says and not what the range holds.
//!
//! ```text
//! 88.990.10001/XE26.00004711K7QM9A
//! prefix      / stem serial  check     form mac: six characters nobody can make without the range's key
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `name` | how a range is called: `88.990.10001#3` |
//! | `coder` | from a serial to a code and back, with its check characters |
//! | `pattern` | values with places for the serial |
//! | `pieces` | what is known of parts of a range: values bound, states, exports, leases |
//! | `table` | all ranges, and which one a name belongs to |
//! | `change` | what a command means for the table: changes, nothing, or a refusal |
//! | `stored` | ranges and pieces as they stand in the log |
//! | `load` | reading them at start |
//!
//! Codes that are recalled have the notice of it among the values bound to them, so that whoever asks is told.
//!
//! A name that has a record of its own is answered by that record; ranges are asked about names without one. Recalling a part of a range says
//! nothing of such records: they are recalled by their names. A range is never deleted, and its
//! form never changes, so that what was printed stays what it was.

pub(crate) mod change;
mod coder;
pub(crate) mod load;
mod name;
pub(crate) mod pattern;
pub(crate) mod pieces;
pub(crate) mod stored;
mod table;

use std::sync::Arc;

use waymark_store::{Serial, Timestamp};

pub use change::{Part, RangeCommand};
pub use coder::{Coder, Form, FormRequest, MAC_ALPHABET, MacKey};
pub use load::RangeLoadError;
pub use name::{RangeName, RangeNameError};
pub use pattern::{Code, Filled, Pattern};
pub use pieces::{CodeState, Layer, Piece, PieceKind, Pieces, Span};
pub use stored::StoredRangeError;
pub use table::{Finding, Ranges};

use crate::recall::{Recall, recall_in};
use crate::record::{OwnedRecord, encode};
use crate::status::Withdrawal;
use crate::values::ValueSet;

/// One code package.
#[derive(Clone, Debug)]
pub struct Range {
    /// What it is called.
    pub name: RangeName,
    /// From serials to codes and back.
    pub coder: Coder,
    /// All serials of it.
    pub span: Span,
    /// What every code inherits, with places for the serial.
    pub values: ValueSet,
    /// When it was ordered.
    pub created: Timestamp,
    /// By whom.
    pub by: Arc<str>,
    /// For people.
    pub note: String,
    /// Its entry of the log.
    pub serial: Serial,
    /// What is known of parts of it.
    pub pieces: Pieces,
    /// `values`, ready to be answered from.
    pattern: Arc<Pattern>,
}

impl Range {
    /// Number of its codes.
    #[must_use]
    pub const fn issued(&self) -> u64 {
        self.span.count()
    }

    /// What the code of a serial is answered with: the values bound to the part it lies in, over those of the range.
    #[must_use]
    pub fn pattern(&self, serial: u64) -> &Pattern {
        match self.pieces.at(Layer::Bound, serial).map(|piece| &piece.kind) {
            Some(PieceKind::Bound { merged, .. }) => merged,
            _ => &self.pattern,
        }
    }

    /// The record that the code of a serial stands for, under its canonical key: what it inherits, revoked where the code is over.
    #[must_use]
    pub fn record(&self, serial: u64, key: &[u8]) -> OwnedRecord {
        let values = self.pattern(serial).values_of(Ranges::code(self, key));
        let over = self.pieces.at(Layer::State, serial).and_then(|piece| match &piece.kind {
            PieceKind::State { state, reason } if !state.resolves() => {
                let since_seconds = u32::try_from(piece.since.0 / 1000).unwrap_or(u32::MAX);
                Some(Withdrawal { revoked: true, since_seconds, reason })
            }
            _ => None,
        });
        OwnedRecord { body: encode(key, over, &values), serial: self.serial, time: self.created }
    }

    /// The notice that the code of a serial is recalled, if it is.
    #[must_use]
    pub fn recall(&self, serial: u64) -> Option<Recall<'_>> {
        match self.pieces.at(Layer::Bound, serial).map(|piece| &piece.kind) {
            Some(PieceKind::Bound { values, .. }) => recall_in(values.values()),
            _ => None,
        }
    }

    /// What became of the code of a serial.
    #[must_use]
    pub fn state(&self, serial: u64) -> CodeState {
        match self.pieces.at(Layer::State, serial).map(|piece| &piece.kind) {
            Some(PieceKind::State { state, .. }) => *state,
            _ => CodeState::Issued,
        }
    }
}
