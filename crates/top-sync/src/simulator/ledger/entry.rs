//! What is noted of one part: all of it where it was taken, why not where it was refused.

use prost::Message;
use sha2::{Digest as _, Sha256};
use waymark_api::toplevel::v1::{Complaint, Part};

use super::frames::to_u64;

/// One entry of a ledger, as a protobuf message.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Entry {
    /// When it came, in milliseconds since 1970.
    #[prost(uint64, tag = "1")]
    pub(super) received: u64,
    /// Whether it was taken.
    #[prost(bool, tag = "2")]
    pub(super) is_taken: bool,
    /// The part; of one that was refused without what it holds.
    #[prost(message, optional, tag = "3")]
    pub(super) part: Option<Part>,
    /// Why it was refused.
    #[prost(message, repeated, tag = "4")]
    pub(super) complaints: Vec<Complaint>,
    /// Tells it from other parts: see [`identity`].
    #[prost(bytes = "vec", tag = "5")]
    pub(super) identity: Vec<u8>,
    /// Whether a refused part had its place among those of its period.
    #[prost(bool, tag = "6")]
    pub(super) has_place: bool,
}

/// Digest of everything a part says. The hash it names is included, and that of its content too: it may name a wrong one.
pub(super) fn identity(part: &Part) -> Vec<u8> {
    let Part { node: _, set, sequence, owner, period, part: place, parts, rows, content, sha256, withdrawn } = part;
    let mut digest = Sha256::new();
    for bytes in [set.as_bytes(), owner.as_bytes(), period.as_bytes(), sha256, Sha256::digest(content).as_slice()] {
        digest.update(to_u64(bytes.len()).to_le_bytes());
        digest.update(bytes);
    }
    for number in [*sequence, u64::from(*place), u64::from(*parts), *rows] {
        digest.update(number.to_le_bytes());
    }
    // Only where it is so: ledgers of before know of no such parts.
    if *withdrawn {
        digest.update([1]);
    }
    digest.finalize().to_vec()
}
