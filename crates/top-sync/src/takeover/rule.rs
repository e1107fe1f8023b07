//! What is done where an identifier changed on both sides.
//!
//! **The later acknowledged write holds.** Both writes were promised to somebody. Had there been one node, the later would have been decided last, by
//! somebody who may have known of the earlier one; so both sides end as one node would have. Of two at the same millisecond the node's own holds. Which is
//! later is told by two clocks that are set by two operators; both contents are kept in the report for whoever has to look.
//!
//! **A revocation holds against anything.** It is for good on one node, so it is for good on two: what it took out of resolution does not come back by a
//! write that did not know of it.
//!
//! Nothing is merged: a record is what one registrant declared at one moment, and half of each was declared by nobody.

use waymark_catalog::ContentHash;

use super::file::{Change, Status};

/// An identifier as the node has it: its latest version, a deletion included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Here {
    /// Its serial here.
    pub serial: u64,
    /// When it was acknowledged, in milliseconds since 1970.
    pub time_ms: u64,
    /// Whether it is resolved.
    pub status: Status,
    /// The hash of its values without their timestamps.
    pub content: ContentHash,
}

/// The same as the change of the other side left it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct There {
    /// When it was acknowledged, in milliseconds since 1970.
    pub time_ms: u64,
    /// Whether it is resolved.
    pub status: Status,
    /// The hash of its values without their timestamps.
    pub content: ContentHash,
}

/// What is done with a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: both sides have it so.
    Same,
    /// It is registered: the node did not change the identifier since the watermark.
    Apply,
    /// Both sides changed it.
    Conflict(Conflict),
}

/// Both sides changed an identifier, and otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// How.
    pub kind: Kind,
    /// Whose change holds.
    pub winner: Winner,
    /// Why.
    pub why: Why,
}

/// How both sides changed an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Both wrote it.
    BothChanged,
    /// It was not there at the watermark, and both registered it.
    BothRegistered,
    /// The node deleted what was changed during the takeover.
    DeletedHere,
    /// The node changed what was deleted during the takeover.
    DeletedThere,
    /// One side revoked it.
    Revoked,
}

/// Whose change holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Winner {
    /// That of the takeover.
    Takeover,
    /// The node's own.
    Node,
}

/// Why it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was acknowledged later.
    Later,
    /// Both were acknowledged at the same time.
    SameTime,
    /// It is for good.
    ForGood,
}

impl Kind {
    /// The name as programs see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BothChanged => "both-changed",
            Self::BothRegistered => "both-registered",
            Self::DeletedHere => "deleted-here",
            Self::DeletedThere => "deleted-there",
            Self::Revoked => "revoked",
        }
    }
}

impl Winner {
    /// The name as programs see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Takeover => "takeover",
            Self::Node => "node",
        }
    }
}

impl Why {
    /// The name as programs see it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Later => "later",
            Self::SameTime => "same-time",
            Self::ForGood => "for-good",
        }
    }
}

impl From<&Change> for There {
    fn from(change: &Change) -> Self {
        Self { time_ms: change.time_ms, status: change.status, content: change.content() }
    }
}

/// Decides a change made during a takeover. `here` is `None` for an identifier the node never had; `was_there` says whether it had it at the
/// watermark.
#[must_use]
pub fn decide(watermark: u64, here: Option<&Here>, there: &There, was_there: bool) -> Decision {
    let Some(here) = here else {
        return if there.status == Status::Deleted { Decision::Same } else { Decision::Apply };
    };
    let both_gone = here.status == Status::Deleted && there.status == Status::Deleted;
    if both_gone || (here.status == there.status && here.content == there.content) {
        return Decision::Same;
    }
    if here.serial <= watermark {
        return Decision::Apply;
    }
    let (winner, why) = winner(here, there);
    Decision::Conflict(Conflict { kind: kind(here, there, was_there), winner, why })
}

fn winner(here: &Here, there: &There) -> (Winner, Why) {
    match (here.status == Status::Revoked, there.status == Status::Revoked) {
        // Revoked on both sides, with other values: nothing can be written any more, and nothing is resolved.
        (true, _) => (Winner::Node, Why::ForGood),
        (false, true) => (Winner::Takeover, Why::ForGood),
        (false, false) if there.time_ms > here.time_ms => (Winner::Takeover, Why::Later),
        (false, false) if there.time_ms == here.time_ms => (Winner::Node, Why::SameTime),
        (false, false) => (Winner::Node, Why::Later),
    }
}

fn kind(here: &Here, there: &There, was_there: bool) -> Kind {
    match (here.status, there.status) {
        (Status::Revoked, _) | (_, Status::Revoked) => Kind::Revoked,
        (Status::Deleted, _) => Kind::DeletedHere,
        (_, Status::Deleted) => Kind::DeletedThere,
        _ if was_there => Kind::BothChanged,
        _ => Kind::BothRegistered,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WATERMARK: u64 = 100;

    fn here(serial: u64, time_ms: u64, status: Status, content: u8) -> Here {
        Here { serial, time_ms, status, content: ContentHash([content; 32]) }
    }

    fn there(time_ms: u64, status: Status, content: u8) -> There {
        There { time_ms, status, content: ContentHash([content; 32]) }
    }

    fn conflict(here: &Here, there: &There, was_there: bool) -> (Kind, Winner, Why) {
        match decide(WATERMARK, Some(here), there, was_there) {
            Decision::Conflict(Conflict { kind, winner, why }) => (kind, winner, why),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_the_node_did_not_touch_since_the_watermark_is_taken() {
        let other = there(5, Status::Active, 2);
        assert_eq!(decide(WATERMARK, Some(&here(100, 9, Status::Active, 1)), &other, true), Decision::Apply);
        assert_eq!(decide(WATERMARK, None, &other, false), Decision::Apply);
        assert_eq!(decide(WATERMARK, Some(&here(40, 9, Status::Deleted, 0)), &other, false), Decision::Apply);
        let gone = there(5, Status::Deleted, 0);
        assert_eq!(decide(WATERMARK, Some(&here(100, 9, Status::Active, 1)), &gone, true), Decision::Apply);
    }

    #[test]
    fn what_both_sides_have_alike_is_no_conflict_whenever_it_came() {
        for status in [Status::Active, Status::Suspended, Status::Revoked] {
            let same = decide(WATERMARK, Some(&here(200, 9, status, 1)), &there(5, status, 1), true);
            assert_eq!(same, Decision::Same);
        }
        let gone = there(5, Status::Deleted, 0);
        assert_eq!(decide(WATERMARK, Some(&here(200, 9, Status::Deleted, 7)), &gone, true), Decision::Same);
        assert_eq!(decide(WATERMARK, None, &gone, false), Decision::Same);
    }

    #[test]
    fn the_later_acknowledged_write_holds_and_of_two_at_once_the_nodes() {
        let own = here(101, 50, Status::Active, 1);
        let of = |time| conflict(&own, &there(time, Status::Active, 2), true);
        assert_eq!(of(51), (Kind::BothChanged, Winner::Takeover, Why::Later));
        assert_eq!(of(49), (Kind::BothChanged, Winner::Node, Why::Later));
        assert_eq!(of(50), (Kind::BothChanged, Winner::Node, Why::SameTime));
        assert_eq!(conflict(&own, &there(51, Status::Active, 2), false).0, Kind::BothRegistered);
    }

    #[test]
    fn a_deletion_is_a_write_like_any_other() {
        let gone = here(101, 50, Status::Deleted, 0);
        assert_eq!(
            conflict(&gone, &there(60, Status::Active, 2), true),
            (Kind::DeletedHere, Winner::Takeover, Why::Later)
        );
        assert_eq!(conflict(&gone, &there(40, Status::Active, 2), true), (Kind::DeletedHere, Winner::Node, Why::Later));
        let own = here(101, 50, Status::Active, 1);
        let deleted = |time| conflict(&own, &there(time, Status::Deleted, 0), true);
        assert_eq!(deleted(60), (Kind::DeletedThere, Winner::Takeover, Why::Later));
        assert_eq!(deleted(40), (Kind::DeletedThere, Winner::Node, Why::Later));
    }

    #[test]
    fn a_revocation_holds_however_early_it_was() {
        let revoked = here(101, 1, Status::Revoked, 1);
        let of = conflict(&revoked, &there(99, Status::Active, 2), true);
        assert_eq!(of, (Kind::Revoked, Winner::Node, Why::ForGood));
        let own = here(101, 99, Status::Active, 1);
        let of = conflict(&own, &there(1, Status::Revoked, 1), true);
        assert_eq!(of, (Kind::Revoked, Winner::Takeover, Why::ForGood));
    }

    #[test]
    fn another_status_of_the_same_values_is_a_conflict() {
        let own = here(101, 50, Status::Active, 1);
        let of = conflict(&own, &there(60, Status::Suspended, 1), true);
        assert_eq!(of, (Kind::BothChanged, Winner::Takeover, Why::Later));
    }
}
