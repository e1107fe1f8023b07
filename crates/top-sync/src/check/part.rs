//! A part as a whole: its frame, its lines, and each row of it.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};
use waymark_api::toplevel::v1::Part;

use super::checker::Checker;
use super::complaints::Complaints;
use super::forms::is_prefix;
use super::json::Json;
use super::key::{Key, is_gone};
use super::rows::{self, Whole};
use super::{FILE_PART_BYTES, PART_BYTES, Period, Set};

/// What each row of a part is about, and whether it says that this is gone.
pub(crate) type Keys = Vec<(Key, bool)>;

/// Checks everything a part says for itself. That it follows those before it is not known here.
///
/// # Errors
/// What is wrong.
pub fn check(set: Set, part: &Part) -> Result<(Period, Vec<Key>), Complaints> {
    let period = header(set, part)?;
    let keys = content(set, part, period)?;
    Ok((period, keys.into_iter().map(|(key, _)| key).collect()))
}

/// Checks what is around the rows; what they are about.
///
/// # Errors
/// What is wrong.
pub(crate) fn header(set: Set, part: &Part) -> Result<Period, Complaints> {
    let mut complaints = Complaints::default();
    if !part.owner.is_empty() {
        if !is_prefix(&part.owner) {
            complaints.add_of_part("owner", "is no prefix such as 88.990.10001");
        } else if part.owner == part.node {
            complaints.add_of_part("owner", "is the node, whose own reports have none");
        } else if set.is_of_node() {
            complaints.add_of_part("owner", "is given, but this set is the node's own");
        }
    }
    if part.parts == 0 || part.part == 0 || part.part > part.parts {
        complaints.add_of_part("part", "is not one from 1 to how many there are");
    }
    match Period::read(set, &part.period) {
        Ok(period) if complaints.is_empty() => return Ok(period),
        Ok(_) => {}
        Err(problem) => complaints.add_of_part("period", problem),
    }
    Err(complaints)
}

/// Checks the rows; what they are about.
///
/// # Errors
/// What is wrong.
pub(crate) fn content(set: Set, part: &Part, period: Period) -> Result<Keys, Complaints> {
    let mut checker = Checker::default();
    let count = lines(set, part, &mut checker.complaints);
    let (Some(count), true) = (count, checker.complaints.is_empty()) else {
        return Err(checker.complaints);
    };
    let whole = Whole { set, node: &part.node, period, part: part.part };
    let mut keys = Keys::with_capacity(count);
    let mut rows_of: HashMap<Key, u64> = HashMap::with_capacity(count);
    for (row, line) in (1..).zip(rows_in(&part.content)) {
        if checker.complaints.is_full() {
            break;
        }
        checker.begin_row(row);
        let Some(json) = Json::read(line) else {
            checker.complain_here("is no JSON object in a line");
            continue;
        };
        rows::check(&mut checker, &whole, row, &json);
        let Some(key) = Key::of(set, &json) else { continue };
        if let Some(before) = rows_of.insert(key.clone(), row) {
            checker.complain_here(format!("is about what row {before} is about"));
        }
        keys.push((key, is_gone(set, &json)));
    }
    if checker.complaints.is_empty() { Ok(keys) } else { Err(checker.complaints) }
}

/// The lines of a content, without their ends.
pub(crate) fn rows_in(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    content.split_inclusive(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}

/// Size, hash and lines of the content; how many rows there are.
fn lines(set: Set, part: &Part, complaints: &mut Complaints) -> Option<usize> {
    let content = part.content.as_slice();
    let count = rows_in(content).count();
    let most = if set == Set::T1 && count == 1 { FILE_PART_BYTES } else { PART_BYTES };
    if content.len() > most {
        complaints.add_of_part("content", format!("has more than {most} bytes"));
        return None;
    }
    if Sha256::digest(content).as_slice() != part.sha256 {
        complaints.add_of_part("sha256", "is not that of the content");
    }
    if !content.is_empty() && !content.ends_with(b"\n") {
        complaints.add_of_part("content", "does not end with a line feed");
    }
    if u64::try_from(count) != Ok(part.rows) {
        complaints.add_of_part("rows", "is not the number of lines");
    }
    if count == 0 && part.parts > 1 {
        complaints.add_of_part("rows", "is 0, though there are other parts");
    }
    Some(count)
}
