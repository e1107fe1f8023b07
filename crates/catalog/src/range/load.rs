//! Reading the table from the log at start.

use std::ops::ControlFlow;

use waymark_store::{EntryKind, Place, ReadError, Serial, Store};

use super::pieces::{Layer, Piece, PieceChange};
use super::stored::StoredRangeError;
use super::{Range, RangeName, Ranges};
use crate::reserved::{ReservedKey, is_reserved};

/// Why the table could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RangeLoadError {
    /// The keys cannot be read.
    #[error("keys cannot be read; waymark store rebuild remakes them from the log")]
    Keys(#[from] ReadError),
    /// A range, or something known of one, is not in a form this program knows. It is not passed over: withdrawn codes might resolve again.
    #[error(
        "package {name}, serial {serial}, has a form this program does not know; open the store with the version that wrote it"
    )]
    Form {
        /// Which range.
        name: String,
        /// Serial of the entry.
        serial: Serial,
        /// What is wrong.
        source: StoredRangeError,
    },
}

/// What was loaded.
#[derive(Debug, Default)]
pub(crate) struct LoadedRanges {
    pub(crate) ranges: Ranges,
    /// Ranges whose entries, or those of their pieces, the disk does not give. They are left out: their codes do not resolve.
    pub(crate) unreadable: Vec<String>,
}

/// Loads the ranges of a store.
///
/// # Errors
/// See [`RangeLoadError`].
pub(crate) fn load(store: &dyn Store) -> Result<LoadedRanges, RangeLoadError> {
    let mut loaded = LoadedRanges::default();
    let (ranges, pieces) = places(store)?;
    let mut buffer = Vec::new();
    let mut found: Vec<(RangeName, Range)> = Vec::new();
    for (name, place) in ranges {
        let Ok(entry) = store.read(place, &mut buffer) else {
            loaded.unreadable.push(name.to_string());
            continue;
        };
        let range = Range::from_body(name.clone(), entry.body, entry.serial);
        let range = range.map_err(|source| form_error(&name, entry.serial, source))?;
        found.push((name, range));
    }
    found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    for (name, layer, first, place) in pieces {
        let Ok(at) = found.binary_search_by(|(range, _)| range.cmp(&name)) else { continue };
        let Some((_, range)) = found.get_mut(at) else { continue };
        let Ok(entry) = store.read(place, &mut buffer) else {
            // Without one of its pieces a range might answer for what was withdrawn.
            loaded.unreadable.push(name.to_string());
            found.remove(at);
            continue;
        };
        let piece = Piece::from_body(range, layer, first, entry.body, entry.serial);
        range.pieces.apply(PieceChange::Put(piece.map_err(|source| form_error(&name, entry.serial, source))?));
    }
    found.into_iter().for_each(|(_, range)| loaded.ranges.put(range));
    Ok(loaded)
}

fn form_error(name: &RangeName, serial: Serial, source: StoredRangeError) -> RangeLoadError {
    RangeLoadError::Form { name: name.to_string(), serial, source }
}

type RangePlaces = Vec<(RangeName, Place)>;
type PiecePlaces = Vec<(RangeName, Layer, u64, Place)>;

/// Where the ranges and their pieces lie: reserved keys come first in key order.
fn places(store: &dyn Store) -> Result<(RangePlaces, PiecePlaces), ReadError> {
    let (mut ranges, mut pieces) = (Vec::new(), Vec::new());
    store.scan_latest(Serial::NONE, &mut |entry| {
        if !is_reserved(entry.key) {
            return ControlFlow::Break(());
        }
        match (entry.kind, ReservedKey::parse(entry.key)) {
            (EntryKind::PUT, Some(ReservedKey::Range(name))) => ranges.push((name, entry.place)),
            (EntryKind::PUT, Some(ReservedKey::Piece(name, layer, first))) => {
                pieces.push((name, layer, first, entry.place));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    Ok((ranges, pieces))
}
