//! Whether the rows of a part are about what the enterprise that reports them has.

use super::json::Json;
use super::part::rows_in;
use super::{Complaints, Set};

/// Checks that rows that are good by themselves are about the owner's prefix and those derived from it.
///
/// # Errors
/// What is wrong.
pub(crate) fn owned(set: Set, content: &[u8], owner: &str) -> Result<(), Complaints> {
    // An identifier may be made by a template of the node above.
    let names: &[&str] = match set {
        Set::T9 => &["code"],
        Set::T11 => &["prefix", "template"],
        _ => &["prefix"],
    };
    let mut complaints = Complaints::default();
    for (row, line) in (1..).zip(rows_in(content)) {
        let Some(json) = Json::read(line) else { continue };
        for name in names {
            let Some(text) = json.field(name).and_then(Json::as_text) else { continue };
            if !is_within(text.split('/').next().unwrap_or_default(), owner) {
                complaints.add(
                    row,
                    (*name).to_owned(),
                    "is not of the owner's prefix, nor of one derived from it".into(),
                );
            }
        }
    }
    if complaints.is_empty() { Ok(()) } else { Err(complaints) }
}

/// Whether enterprises with a node of their own report a set through the node above them. Who they are (T6) that node knows and tells by itself.
pub(crate) const fn is_reported(set: Set) -> bool {
    !set.is_of_node() && !matches!(set, Set::T6)
}

/// Whether a prefix is another, or derived from it; case does not count.
pub(crate) fn is_within(prefix: &str, other: &str) -> bool {
    let (Some(start), Some(rest)) = (prefix.get(..other.len()), prefix.get(other.len()..)) else { return false };
    start.eq_ignore_ascii_case(other) && (rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_prefixes_are_within_and_neighbours_are_not() {
        assert!(is_within("88.990.aB", "88.990.Ab") && is_within("88.990.AB.1", "88.990.AB"));
        for outside in ["88.990.ABC", "88.990", "88.990.A", "88.990.A\u{e9}", ""] {
            assert!(!is_within(outside, "88.990.AB"), "{outside}");
        }
    }

    #[test]
    fn every_row_about_somebody_else_is_complained_of() {
        let told = |set, rows: &str| {
            let complaints = owned(set, rows.as_bytes(), "88.1.7").err().map(Complaints::into_told).unwrap_or_default();
            complaints.into_iter().map(|told| (told.row, told.field)).collect::<Vec<_>>()
        };
        let master = r#"{"code":"88.1.7/x","template":"88.1/t"}"#.to_owned() + "\n{\"code\":\"88.1.8/x\"}\n";
        assert_eq!(told(Set::T9, &master), [(2, "code".to_owned())]);
        let template = "{\"prefix\":\"88.1.7\",\"template\":\"88.1/t\"}\n";
        assert_eq!(told(Set::T11, template), [(1, "template".to_owned())]);
        assert_eq!(told(Set::T8, "{\"prefix\":\"88.1.7.2\"}\n"), []);
    }
}
