//! One part of a set: what it is, and how its delivery stands.

use serde::{Deserialize, Serialize};

use crate::sets::SetName;

/// How the delivery of a part stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartState {
    /// It is to be sent.
    Waiting,
    /// The node above has it for good.
    Acknowledged,
    /// The node above does not want it as it is.
    Refused,
    /// The operator said that it is settled otherwise.
    Marked,
}

impl PartState {
    /// Its name in messages; never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Acknowledged => "acknowledged",
            Self::Refused => "refused",
            Self::Marked => "marked",
        }
    }
}

/// A part, without its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Of which set.
    #[serde(with = "by_name")]
    pub set: SetName,
    /// Counts the parts of the set, from 1.
    pub sequence: u64,
    /// What its rows are about: a day, a month, or the moment up to which they tell what changed.
    pub period: String,
    /// Its place among the parts of the period, from 1.
    pub part: u32,
    /// How many there are of the period.
    pub parts: u32,
    /// Rows.
    pub rows: u64,
    /// Bytes of the rows as they are kept.
    pub bytes: u64,
    /// SHA-256 of these bytes, in hexadecimal.
    pub sha256: String,
    /// CRC-32C of them, by which damage on the disk is noticed before they are sent; none for parts made before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc32c: Option<u32>,
    /// When it was made, in milliseconds since 1970.
    pub made: u64,
    /// How its delivery stands.
    pub state: PartState,
    /// Times it was sent.
    pub attempts: u64,
    /// When that was last, in milliseconds since 1970; 0 before the first.
    pub tried: u64,
    /// What went wrong with the last attempt, in English; empty when nothing did.
    pub problem: String,
    /// The enterprise whose own report it is, by its prefix; empty for the node's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// The sequence the owner gave it; 0 for the node's own parts.
    #[serde(default, skip_serializing_if = "is_none")]
    pub origin: u64,
    /// Who sent it again or settled it by hand last; empty for nobody.
    #[serde(default)]
    pub by: String,
    /// When it was acknowledged, refused or marked, in milliseconds since 1970; 0 before.
    pub settled: u64,
}

/// Whether a number says that there is none.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_none(number: &u64) -> bool {
    *number == 0
}

/// Sets by their names.
mod by_name {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::sets::SetName;

    pub(super) fn serialize<S: Serializer>(set: &SetName, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(set.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SetName, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
