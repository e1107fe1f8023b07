//! How the sets stand, for whoever looks.

use super::stored::State;
use super::{Cursor, Part, PartState};
use crate::sets::SetName;

/// What a report says of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetStatus {
    /// Which.
    pub set: SetName,
    /// Up to where it was told.
    pub cursor: Cursor,
    /// Whether the operator holds it back.
    pub is_paused: bool,
    /// Parts that wait.
    pub waiting: u64,
    /// Parts that were refused.
    pub refused: u64,
    /// The last sequence given.
    pub last_sequence: u64,
    /// When the oldest part that waits or was refused was made, in milliseconds since 1970.
    pub oldest: Option<u64>,
    /// When a part was acknowledged last, in milliseconds since 1970.
    pub acknowledged: Option<u64>,
    /// What went wrong with the part that is next, if it was tried.
    pub problem: String,
}

/// How a set stands.
pub(super) fn status_of(state: &State, set: SetName) -> SetStatus {
    let count = |wanted: PartState| state.of(set).filter(|part| part.state == wanted).count() as u64;
    let unsettled = |part: &&Part| matches!(part.state, PartState::Waiting | PartState::Refused);
    let next = state.of(set).find(unsettled);
    SetStatus {
        set,
        cursor: state.cursors.get(&set).cloned().unwrap_or_default(),
        is_paused: state.paused.contains(&set),
        waiting: count(PartState::Waiting),
        refused: count(PartState::Refused),
        last_sequence: state.last_sequence(set),
        oldest: next.map(|part| part.made),
        acknowledged: state.of(set).filter(|part| part.state == PartState::Acknowledged).map(|part| part.settled).max(),
        problem: next.map_or_else(String::new, |part| part.problem.clone()),
    }
}
