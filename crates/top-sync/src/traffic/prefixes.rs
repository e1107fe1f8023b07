//! Whose a request is: the longest prefix of the handle that the node serves or has given to an enterprise.

use std::net::IpAddr;
use std::sync::Arc;

use waymark_catalog::Prefixes;
use waymark_catalog::business::Business;
use waymark_ident::{Handle, fold_in_place, parent_prefix};

use super::day::Answer;

/// Longest prefix that is looked for, in bytes; what a record of an answer keeps of a handle. Longer ones count by their ancestors.
const PREFIX_BYTES: usize = 128;

/// Room for a folded prefix.
#[derive(Clone, Debug)]
pub(super) struct PrefixRoom([u8; PREFIX_BYTES]);

impl Default for PrefixRoom {
    fn default() -> Self {
        Self([0; PREFIX_BYTES])
    }
}

/// Says which prefixes have figures of their own.
pub trait KnownPrefixes {
    /// Whether a prefix, folded to upper case, has.
    fn knows(&self, prefix: &[u8]) -> bool;

    /// Whether an answer was to a question the node asked itself, to see whether its doors answer: those are no requests of anybody.
    fn is_own(&self, _answer: &Answer<'_>) -> bool {
        false
    }
}

/// How the node asks its own doors.
#[derive(Clone, Debug)]
pub struct OwnProbes {
    /// The name it asks for.
    pub name: Arc<[u8]>,
    /// The addresses it asks from.
    pub sources: Arc<[IpAddr]>,
}

impl OwnProbes {
    fn asked(&self, answer: &Answer<'_>) -> bool {
        let kept = self.name.get(..PREFIX_BYTES).unwrap_or(&self.name);
        let asked = answer.handle.get(..PREFIX_BYTES).unwrap_or(answer.handle);
        asked.eq_ignore_ascii_case(kept) && self.sources.contains(&answer.source.to_canonical())
    }
}

/// The prefixes that a catalog serves, and those its enterprises have or had, wherever they live.
#[derive(Clone, Debug)]
pub struct CatalogPrefixes {
    /// Those it serves.
    pub prefixes: Arc<Prefixes>,
    /// The cases of enterprises' prefixes.
    pub business: Arc<Business>,
    /// How the node asks itself, where it does.
    pub own: Option<OwnProbes>,
}

impl KnownPrefixes for CatalogPrefixes {
    fn knows(&self, prefix: &[u8]) -> bool {
        self.prefixes.is_homed(prefix) || self.business.case(prefix).is_some()
    }

    fn is_own(&self, answer: &Answer<'_>) -> bool {
        self.own.as_ref().is_some_and(|own| own.asked(answer))
    }
}

/// The longest known prefix of a handle, folded, or of the one whose record the handle names; `None` when it has none.
pub(super) fn longest_known<'r>(
    handle: &[u8],
    known: &impl KnownPrefixes,
    room: &'r mut PrefixRoom,
) -> Option<&'r [u8]> {
    let handle = Handle::new(handle).ok()?;
    let prefix = match handle.prefix_record_target() {
        // The record of a prefix, or what stands for the records of those derived from one.
        Some(target) => Handle::new(target).ok()?.prefix_record_target().unwrap_or(target),
        None => handle.prefix(),
    };
    let prefix = prefix.split(|byte| *byte == b'/').next().unwrap_or_default();
    let kept = match prefix.get(..PREFIX_BYTES) {
        // What is cut in the middle of a part is no prefix; its ancestors are.
        Some(start) if start.len() < prefix.len() => parent_prefix(start)?,
        _ => prefix,
    };
    let room = room.0.get_mut(..kept.len())?;
    room.copy_from_slice(kept);
    fold_in_place(room);
    let mut prefix: &'r [u8] = room;
    loop {
        if !prefix.is_empty() && known.knows(prefix) {
            return Some(prefix);
        }
        prefix = parent_prefix(prefix)?;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    struct These(BTreeSet<&'static [u8]>);

    impl KnownPrefixes for These {
        fn knows(&self, prefix: &[u8]) -> bool {
            self.0.contains(prefix)
        }
    }

    fn of(handle: &[u8]) -> Option<Vec<u8>> {
        let known = These([&b"88.100"[..], b"88.100.AB", b"88.100.AB.7"].into());
        longest_known(handle, &known, &mut PrefixRoom::default()).map(<[u8]>::to_vec)
    }

    #[test]
    fn a_handle_counts_for_the_longest_prefix_that_is_known() {
        for (handle, prefix) in [
            ("88.100/x", "88.100"),
            ("88.100.ab/x", "88.100.AB"),
            ("88.100.Ab/88.100.ab.7/y", "88.100.AB"),
            ("88.100.AB.7/x", "88.100.AB.7"),
            ("88.100.AB.8.9/x", "88.100.AB"),
            ("88.100.ABC/x", "88.100"),
            // The record of a prefix, in each of its forms.
            ("88.100.ab", "88.100.AB"),
            ("0.NA/88.100.ab", "88.100.AB"),
            ("0.na/0.NA/88.100.ab", "88.100.AB"),
        ] {
            assert_eq!(of(handle.as_bytes()), Some(prefix.as_bytes().to_vec()), "{handle}");
        }
    }

    #[test]
    fn what_the_node_asks_itself_is_told_from_what_others_ask() {
        let own = OwnProbes { name: b"0.NA/88.100.AB"[..].into(), sources: [IpAddr::from([127, 0, 0, 1])].into() };
        let asked = |source: &str, handle: &[u8]| {
            let source = source.parse().unwrap();
            own.asked(&Answer { unix_seconds: 1, source, op: 1, response_code: 1, took_micros: None, handle })
        };
        assert!(asked("127.0.0.1", b"0.na/88.100.ab") && asked("::ffff:127.0.0.1", b"0.NA/88.100.AB"));
        assert!(!asked("127.0.0.2", b"0.NA/88.100.AB") && !asked("127.0.0.1", b"88.100.AB/x"));
    }

    #[test]
    fn a_handle_of_no_known_prefix_counts_for_none() {
        for handle in [&b"88.1000/x"[..], b"88/x", b"", b"/x", b"10.1/88.100", b"0.NA/0.NA", b".", b"\xff\xfe/x"] {
            assert_eq!(of(handle), None, "{handle:?}");
        }
    }

    #[test]
    fn a_prefix_longer_than_is_kept_counts_by_its_ancestors() {
        let long = [b"88.100.ab.", &b"9".repeat(500)[..], b"/x"].concat();
        assert_eq!(of(&long), Some(b"88.100.AB".to_vec()));
        assert_eq!(of(&long[..128]), Some(b"88.100.AB".to_vec()), "as a record keeps it");
        assert_eq!(of(&b"8".repeat(500)), None);
    }
}
