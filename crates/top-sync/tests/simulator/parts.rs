//! Rules of a part as a whole.

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use waymark_api::toplevel::v1::Part;
use waymark_top_sync::check::Set;

use crate::golden::{complaints, lines, part, rows, text, whole};

fn assert_refused(set: Set, sent: &Part, row: u64, field: &str, problem: &str) {
    let told = complaints(set, sent);
    let is_told = told.iter().any(|told| told.row == row && told.field == field && told.problem.contains(problem));
    assert!(is_told, "{set} {field}: {problem:?} is not in {told:?}");
}

#[test]
fn what_is_around_the_rows_fits_them() {
    let good = whole(Set::T8, 1);
    assert_refused(Set::T8, &Part { rows: 3, ..good.clone() }, 0, "rows", "number of lines");
    assert_refused(Set::T8, &Part { sha256: vec![0; 32], ..good.clone() }, 0, "sha256", "that of the content");
    assert_refused(Set::T8, &Part { sha256: Vec::new(), ..good.clone() }, 0, "sha256", "that of the content");
    for (part, parts) in [(0, 1), (2, 1), (1, 0), (0, 0)] {
        assert_refused(Set::T8, &Part { part, parts, ..good.clone() }, 0, "part", "from 1 to how many");
    }
    for period in ["2026-11", "2026-11-31", "2026-11-29T00:00:00.000Z", ""] {
        assert_refused(Set::T8, &Part { period: period.into(), ..good.clone() }, 0, "period", "no day");
    }
    assert_refused(Set::T5, &Part { period: "2026-11-01".into(), ..whole(Set::T5, 1) }, 0, "period", "no month");
    assert_refused(Set::T7, &Part { period: "2026-11-29".into(), ..whole(Set::T7, 1) }, 0, "period", "no time");
}

#[test]
fn owners_are_enterprises_with_a_report_of_their_own() {
    let of = |set, owner: &str| Part { owner: owner.into(), ..whole(set, 1) };
    for set in [Set::T8, Set::T9, Set::T10, Set::T11, Set::Monitoring, Set::Incident] {
        assert_eq!(complaints(set, &of(set, "88.990.10001")), []);
        assert_refused(set, &of(set, "88.990"), 0, "owner", "is the node");
        assert_refused(set, &of(set, "88/1"), 0, "owner", "no prefix");
    }
    for set in [Set::T1, Set::T2, Set::T3, Set::T4, Set::T5, Set::Report] {
        assert_refused(set, &of(set, "88.990.10001"), 0, "owner", "the node's own");
    }
}

#[test]
fn rows_stand_in_lines() {
    let good = text(Set::T8);
    assert_refused(Set::T8, &part(Set::T8, 1, good.trim_end()), 0, "content", "end with a line feed");
    assert_refused(Set::T8, &part(Set::T8, 1, &format!("{good}\n")), 3, "", "no JSON object");
    assert_refused(Set::T8, &part(Set::T8, 1, &format!("{good}[]\n")), 3, "", "no object");
    assert_refused(Set::T8, &part(Set::T8, 1, &format!("\u{feff}{good}")), 1, "", "no JSON object");
    assert_refused(Set::T8, &part(Set::T8, 1, &good.replace('\n', " ")), 0, "content", "end with a line feed");
    assert_refused(Set::T8, &part(Set::T8, 1, &good.replacen('\n', "", 1)), 1, "", "no JSON object");
    let mut bytes = part(Set::T8, 1, &good);
    let at = bytes.content.iter().position(|byte| *byte == b'8').unwrap();
    bytes.content[at] = 0xff;
    bytes.sha256 = Sha256::digest(&bytes.content).to_vec();
    assert_refused(Set::T8, &bytes, 1, "", "no JSON object");
}

#[test]
fn a_part_may_have_no_rows_where_it_is_the_only_one() {
    let empty = part(Set::T9, 1, "");
    assert_eq!(complaints(Set::T9, &empty), []);
    assert_refused(Set::T9, &Part { parts: 2, ..empty }, 0, "rows", "other parts");
}

#[test]
fn a_part_has_four_mebibytes_and_one_large_file_more() {
    let mut row = rows(Set::T9).remove(0);
    let mut content = String::new();
    let mut count = 0;
    while content.len() <= 4 << 20 {
        row["code"] = format!("88.990.10001/{count}").into();
        content.push_str(&lines(&[row.clone()]));
        count += 1;
    }
    assert_refused(Set::T9, &part(Set::T9, 1, &content), 0, "content", "4194304 bytes");
    let cut = content[..content.len() - 1].rfind('\n').unwrap();
    assert_eq!(complaints(Set::T9, &part(Set::T9, 1, &content[..=cut])), []);

    let pdf = [b"%PDF-".as_slice(), &vec![b' '; (5 << 20) - 5]].concat();
    let mut file = rows(Set::T1).remove(2);
    file["bytes"] = pdf.len().into();
    file["sha256"] = format!("{:x}", Sha256::digest(&pdf)).into();
    file["content"] = <base64ct::Base64 as base64ct::Encoding>::encode_string(&pdf).into();
    let large = Part { part: 2, parts: 2, ..part(Set::T1, 1, &lines(&[file.clone()])) };
    assert_eq!(complaints(Set::T1, &large), []);
    let two = Part { part: 2, parts: 2, ..part(Set::T1, 1, &lines(&[file, rows(Set::T1).remove(1)])) };
    assert_refused(Set::T1, &two, 0, "content", "4194304 bytes");
}

#[test]
fn the_first_thirty_two_complaints_are_told() {
    let content = "{}\n".repeat(1000);
    let told = complaints(Set::T9, &part(Set::T9, 1, &content));
    assert_eq!(told.len(), 32);
    assert_eq!((told[0].row, told[0].field.as_str()), (1, "code"));
}

proptest! {
    /// Bytes changed anywhere in good rows are taken or complained of, in bounded words, and never more than that.
    #[test]
    fn no_bytes_are_too_strange_to_be_judged(
        set in prop::sample::select(Set::ALL.to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut content = text(set).into_bytes();
        for (at, byte) in changes {
            let at = at.index(content.len());
            content[at] = byte;
        }
        content.truncate(cut.index(content.len() * 2));
        let rows = content.iter().filter(|byte| **byte == b'\n').count() as u64;
        let sha256 = Sha256::digest(&content).to_vec();
        let told = complaints(set, &Part { content, rows, sha256, ..part(set, 1, "") });
        prop_assert!(told.len() <= 32);
        for complaint in told {
            prop_assert!(complaint.field.len() < 64 && complaint.problem.len() < 128, "{complaint:?}");
        }
    }
}
