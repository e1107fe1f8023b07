//! Parts of data sets, as any enterprise or node may send them.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use waymark_api::toplevel::v1::Part;
use waymark_top_sync::check::{COMPLAINTS, Set, check};

/// Names of the sets, as they travel.
pub(crate) const SETS: [&str; 14] =
    ["T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9", "T10", "T11", "MONITORING", "INCIDENT", "REPORT"];

/// The first byte says which set, the first line is the period, the rest the rows; digest and number of rows are put right.
///
/// What is taken is one JSON object in each line. What is not taken is complained of in so many bounded texts, each about a row that is there.
pub fn set_part(input: &[u8]) {
    let Some((set, rest)) = input.split_first() else { return };
    let Some(name) = SETS.get(usize::from(*set) % SETS.len()) else { return };
    let mut halves = rest.splitn(2, |byte| *byte == b'\n');
    let (period, content) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let rows = content.split_inclusive(|byte| *byte == b'\n').count() as u64;
    let part = Part {
        node: "88.1".into(),
        set: (*name).into(),
        sequence: 1,
        owner: String::new(),
        period: String::from_utf8_lossy(period).into_owned(),
        part: 1,
        parts: 1,
        rows,
        content: content.to_vec(),
        sha256: Sha256::digest(content).to_vec(),
        withdrawn: false,
    };
    let set: Set = name.parse().expect("a set of the reference");
    match check(set, &part) {
        Ok((_, keys)) => {
            assert_eq!(keys.len() as u64, rows);
            for line in content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let read = serde_json::from_slice::<Map<String, Value>>(line);
                assert!(read.is_ok(), "a row that is taken is a JSON object");
            }
        }
        Err(complaints) => {
            let told = complaints.into_told();
            assert!((1..=COMPLAINTS).contains(&told.len()));
            for complaint in told {
                assert!(complaint.row <= rows);
                assert!(!complaint.problem.is_empty() && complaint.problem.len() + complaint.field.len() <= 1_024);
            }
        }
    }
}
