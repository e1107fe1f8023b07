//! Which objects are of a prefix.

use std::collections::BTreeSet;

use super::kind::ObjectName;
use super::object::Object;
use crate::access::{Principal, Scope};
use crate::business::{Application, EnterpriseId, Owner, PrefixCase};
use crate::reserved::ReservedKey;
use waymark_store::Serial;

/// The enterprises a prefix has to do with, at a moment.
#[derive(Debug, Default)]
pub(super) struct Enterprises {
    /// They have a case within the prefix.
    within: BTreeSet<EnterpriseId>,
    /// They have one elsewhere.
    elsewhere: BTreeSet<EnterpriseId>,
    /// They have a case within the prefix that changed since the moment before: they may have been of another prefix until then.
    moved: BTreeSet<EnterpriseId>,
    /// The principals of those within.
    pub(super) principals: BTreeSet<Box<str>>,
}

impl Enterprises {
    /// Notes a case.
    pub(super) fn note(&mut self, case: &PrefixCase, is_within: bool, is_new: bool) {
        let set = if is_within { &mut self.within } else { &mut self.elsewhere };
        set.insert(case.enterprise);
        if is_within && is_new {
            self.moved.insert(case.enterprise);
        }
    }

    /// Whether an enterprise is of the prefix: it has a case within it, or none anywhere.
    pub(super) fn has(&self, id: EnterpriseId) -> bool {
        self.within.contains(&id) || !self.elsewhere.contains(&id)
    }

    /// Whether what belongs to an enterprise is to be told even where it did not change.
    pub(super) fn is_moved(&self, id: EnterpriseId) -> bool {
        self.moved.contains(&id)
    }
}

/// Whether a prefix is another one or derived from it; both folded.
pub(super) fn is_within(prefix: &[u8], root: &[u8]) -> bool {
    prefix.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'.'))
}

/// Whether the record of a canonical key is of a prefix: an identifier under it or a derived one, or the prefix record of one of these.
pub(super) fn is_record_within(key: &[u8], root: &[u8]) -> bool {
    let end = key.iter().position(|byte| *byte == b'/').unwrap_or(key.len());
    let (prefix, suffix) = key.split_at_checked(end).unwrap_or((key, b""));
    if prefix == b"0.NA" {
        let target = suffix.strip_prefix(b"/").unwrap_or_default();
        return !target.contains(&b'/') && is_within(target, root);
    }
    is_within(prefix, root)
}

/// Whose an object is, where it is an enterprise's.
pub(super) fn enterprise_of(name: &ObjectName, object: Option<&Object>) -> Option<EnterpriseId> {
    match name.key() {
        ReservedKey::Enterprise(id) | ReservedKey::File(Owner::Enterprise(id), _) => Some(*id),
        ReservedKey::Application(id) => {
            let application = Application::from_body(*id, object?.text().as_bytes(), Serial::NONE).ok()?;
            match application.owner {
                Owner::Enterprise(id) => Some(id),
                Owner::Node => None,
            }
        }
        _ => None,
    }
}

/// Whether an object is of a prefix. Of a principal that is gone nothing is known but its name.
pub(super) fn is_of(name: &ObjectName, object: Option<&Object>, root: &[u8], enterprises: &Enterprises) -> bool {
    match name.key() {
        ReservedKey::Home(home) => is_within(home.prefix(), root),
        ReservedKey::Case(prefix) => is_within(prefix, root),
        ReservedKey::Template(_, template) => is_within(template.prefix(), root),
        ReservedKey::Range(range) | ReservedKey::Piece(range, ..) => is_within(range.prefix(), root),
        ReservedKey::Principal(name) => {
            let principal = object.and_then(|object| Principal::from_body(name, object.text().as_bytes()).ok());
            principal.is_none_or(|(principal, _)| works_within(&principal, root))
                || enterprises.principals.contains(name)
        }
        _ => enterprise_of(name, object).is_none_or(|id| enterprises.has(id)),
    }
}

/// Whether a principal works within a prefix and nowhere else.
fn works_within(principal: &Principal, root: &[u8]) -> bool {
    match &principal.scope {
        Scope::All => false,
        Scope::Prefixes(prefixes) => {
            !prefixes.is_empty() && prefixes.iter().all(|prefix| is_within(&prefix.to_ascii_uppercase(), root))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_holds_itself_and_what_is_derived_from_it() {
        for (key, within) in [
            (&b"88.990/X"[..], true),
            (b"88.990.1/X/Y", true),
            (b"88.9901/X", false),
            (b"88.99/X", false),
            (b"0.NA/88.990", true),
            (b"0.NA/88.990.1", true),
            (b"0.NA/88.990/1", false),
            (b"0.NA/88", false),
        ] {
            assert_eq!(is_record_within(key, b"88.990"), within, "{}", String::from_utf8_lossy(key));
        }
    }
}
