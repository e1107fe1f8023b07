//! T4 and T11: templates, which say what identifiers say.

use super::Whole;
use crate::check::Set;
use crate::check::checker::{Checker, Field};
use crate::check::forms::has_digits;
use crate::check::json::Json;

/// Most items of a template.
const ITEMS: usize = 1_000;

pub(super) fn check(checker: &mut Checker, whole: &Whole<'_>, json: &Json<'_>) {
    let names = ["prefix", "template", "code", "version", "title", "industry", "active_carrier", "items"];
    let Some(row) = checker.object(json, &names) else { return };
    whole.prefix(checker, row.at("prefix"));
    checker.handle(row.at("template"));
    checker.text(row.at("code"), 1, 64);
    checker.text(row.at("version"), 1, 32);
    checker.text(row.at("title"), 0, 255);
    match whole.set {
        Set::T4 => levels(checker, row.at("industry")),
        _ => finest(checker, row.at("industry")),
    }
    checker.flag(row.at("active_carrier"));
    checker.list(row.at("items"), ITEMS, |checker, item| {
        checker.within(item, &["name", "alias", "type", "length"], |checker, item| {
            checker.text(item.at("name"), 1, 128);
            checker.text(item.at("alias"), 1, 128);
            checker.text(item.at("type"), 1, 32);
            checker.number(item.at("length"));
        });
    });
}

/// Section, division, group and class of GB/T 4754, from the first on, each beginning with the one above it.
fn levels(checker: &mut Checker, field: Field<'_>) {
    let mut above = String::new();
    let mut level = 0;
    checker.list(field, 4, |checker, item| {
        level += 1;
        let code = item.value.and_then(Json::as_text);
        let is_good = code.is_some_and(|code| match level {
            1 => is_section(code),
            2 => has_digits(code, 2),
            _ => has_digits(code, level) && code.starts_with(&above),
        });
        if !is_good {
            checker.complain(item, "is no code of this level below the one before it");
        }
        code.unwrap_or_default().clone_into(&mut above);
    });
}

/// The section and the finest level given, in one text; or none.
fn finest(checker: &mut Checker, field: Field<'_>) {
    let Some(text) = checker.text(field, 0, 5) else { return };
    let is_good = text.is_empty()
        || text.split_at_checked(1).is_some_and(|(section, rest)| {
            is_section(section) && (rest.is_empty() || (2..=4).any(|digits| has_digits(rest, digits)))
        });
    if !is_good {
        checker.complain(field, "is no section and finest level such as C1514");
    }
}

/// Whether a text is a section of GB/T 4754.
pub(super) fn is_section(text: &str) -> bool {
    matches!(text.as_bytes(), [b'A'..=b'Z'])
}
