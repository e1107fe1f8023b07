//! Golden rows of each set, written by hand, and parts made of rows.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use waymark_api::toplevel::v1::{Complaint, Part};
use waymark_top_sync::check::{Set, check};

pub(crate) const NODE: &str = "88.990";

/// The golden file of a set.
pub(crate) fn text(set: Set) -> String {
    let path = format!("{}/tests/sets/{set}.jsonl", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// Its rows.
pub(crate) fn rows(set: Set) -> Vec<Value> {
    text(set).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Rows as they travel.
pub(crate) fn lines(rows: &[Value]) -> String {
    rows.iter().map(|row| format!("{row}\n")).collect()
}

/// What golden rows of a set are about.
pub(crate) fn period(set: Set) -> &'static str {
    match set {
        Set::T5 | Set::T10 | Set::Report => "2026-11",
        Set::T3 | Set::T4 | Set::T8 | Set::T9 | Set::Monitoring => "2026-11-29",
        _ => "2026-11-29T08:00:00.000Z",
    }
}

/// The only part of a period.
pub(crate) fn part(set: Set, sequence: u64, content: &str) -> Part {
    Part {
        node: NODE.into(),
        set: set.to_string(),
        sequence,
        owner: String::new(),
        period: period(set).into(),
        part: 1,
        parts: 1,
        rows: content.lines().count() as u64,
        sha256: Sha256::digest(content).to_vec(),
        content: content.into(),
        withdrawn: false,
    }
}

/// The golden part of a set.
pub(crate) fn whole(set: Set, sequence: u64) -> Part {
    part(set, sequence, &text(set))
}

/// What is said against a part.
pub(crate) fn complaints(set: Set, part: &Part) -> Vec<Complaint> {
    check(set, part).err().map(|complaints| complaints.told().to_vec()).unwrap_or_default()
}

#[test]
fn golden_rows_are_good() {
    for set in Set::ALL {
        assert_eq!(complaints(set, &whole(set, 1)), [], "{set}");
    }
}
