//! Parts of data sets: those of the golden files, and parts that are wrong in one place.

use super::Seed;

/// What a node sends, by set: a line with the period, then the rows.
const MADE: [(u8, &str, &str); 14] = [
    (0, "T1", include_str!("../../../crates/top-sync/tests/made/T1.jsonl")),
    (1, "T2", include_str!("../../../crates/top-sync/tests/made/T2.jsonl")),
    (2, "T3", include_str!("../../../crates/top-sync/tests/made/T3.jsonl")),
    (3, "T4", include_str!("../../../crates/top-sync/tests/made/T4.jsonl")),
    (4, "T5", include_str!("../../../crates/top-sync/tests/made/T5.jsonl")),
    (5, "T6", include_str!("../../../crates/top-sync/tests/made/T6.jsonl")),
    (6, "T7", include_str!("../../../crates/top-sync/tests/made/T7.jsonl")),
    (7, "T8", include_str!("../../../crates/top-sync/tests/made/T8.jsonl")),
    (8, "T9", include_str!("../../../crates/top-sync/tests/made/T9.jsonl")),
    (9, "T10", include_str!("../../../crates/top-sync/tests/made/T10.jsonl")),
    (10, "T11", include_str!("../../../crates/top-sync/tests/made/T11.jsonl")),
    (11, "MONITORING", include_str!("../../../crates/top-sync/tests/made/MONITORING.jsonl")),
    (12, "INCIDENT", include_str!("../../../crates/top-sync/tests/made/INCIDENT.jsonl")),
    (13, "REPORT", include_str!("../../../crates/top-sync/tests/made/REPORT.jsonl")),
];

pub(super) fn seeds() -> Vec<Seed> {
    let mut all = Vec::new();
    for (set, name, made) in MADE {
        let text = first_part(made);
        all.push(seed(set, name, &text));
        // The last field of the first row has another name.
        if let Some((before, after)) = text.split_once("\",\"").or_else(|| text.split_once(",\"")) {
            all.push(seed(set, &format!("{name}_other_field"), &format!("{before}\",\"x{after}")));
        }
    }
    let deep = format!("2026-11-27\n{}{}\n", "[".repeat(400), "]".repeat(400));
    let twice = "2026-11-27\n{\"code\":\"88.1/a\",\"code\":\"88.1/b\"}\n";
    all.push(seed(8, "deep", &deep));
    all.push(seed(8, "named_twice", twice));
    all.push(seed(8, "empty", "2026-11-27\n"));
    all
}

fn seed(set: u8, name: &str, text: &str) -> Seed {
    ("set_part", name.to_owned(), [&[set], text.as_bytes()].concat())
}

/// The first part of a golden file: its period in a line of its own, and its rows. Times there are cut to their day, and moments have none.
fn first_part(made: &str) -> String {
    let mut lines = made.lines();
    let period = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let period = if period == "moment" { "2026-12-01T01:00:00.000Z" } else { period };
    let rows = lines.take_while(|line| !line.starts_with('#'));
    let mut text = format!("{period}\n");
    for row in rows {
        let (before, rest) = row.split_once("\"time\":\"").unwrap_or((row, ""));
        let whole = |rest: &str| {
            format!("\"time\":\"{}T00:00:00.000Z{}", rest.get(..10).unwrap_or(""), rest.get(10..).unwrap_or(""))
        };
        let rest = if rest.is_empty() { String::new() } else { whole(rest) };
        text.push_str(&format!("{before}{rest}\n"));
    }
    text
}
