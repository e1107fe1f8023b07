//! Which prefixes live on this node, as an immutable table that readers load once per batch.
//!
//! A prefix `88.111.1` is *homed* when the node answers for handles under it; the protocol names that by the prefix
//! record, `0.NA/88.111.1`. The *marker* `0.NA/0.NA/88.111` says that the prefix records of everything derived from
//! `88.111` (`0.NA/88.111.1`, `0.NA/88.111.1.5`, not `0.NA/88.111` itself) live here. Both kinds are entries of this
//! table, are written by [`Command::Home`](crate::Command::Home), and are part of the log like every record.

use std::collections::HashMap;
use std::fmt;

use waymark_ident::{CaseRule, Handle, HandleError, MAX_KEY_BYTES, PREFIX_RECORDS, fold_in_place, parent_prefix};
use waymark_store::Serial;

/// What can be homed, folded to upper case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HomeName {
    /// Handles under this prefix live here.
    Prefix(Box<[u8]>),
    /// Prefix records of prefixes derived from this one live here.
    DerivedFrom(Box<[u8]>),
}

impl HomeName {
    /// Reads a prefix (`88.111.1`), a prefix handle (`0.NA/88.111.1`) or a marker (`0.NA/0.NA/88.111`), in any case.
    ///
    /// # Errors
    /// [`HomeNameError`] for what names no prefix.
    pub fn parse(bytes: &[u8]) -> Result<Self, HomeNameError> {
        let handle = Handle::new(bytes)?;
        let name = handle.prefix_record_target().ok_or(HomeNameError::NotAPrefix)?;
        match name.get(..PREFIX_RECORDS.len()) {
            Some(lead) if lead.eq_ignore_ascii_case(PREFIX_RECORDS) => {
                let rest = name.get(PREFIX_RECORDS.len()..).unwrap_or_default();
                Ok(Self::DerivedFrom(checked(rest)?))
            }
            _ => Ok(Self::Prefix(checked(name)?)),
        }
    }

    /// The prefix itself, or the one whose derived prefixes are meant; folded.
    #[must_use]
    pub fn prefix(&self) -> &[u8] {
        match self {
            Self::Prefix(prefix) | Self::DerivedFrom(prefix) => prefix,
        }
    }

    /// The handle that names this entry in the protocol: `0.NA/88.111.1` or `0.NA/0.NA/88.111`.
    #[must_use]
    pub fn handle(&self) -> Vec<u8> {
        let lead: &[u8] = match self {
            Self::Prefix(_) => PREFIX_RECORDS,
            Self::DerivedFrom(_) => b"0.NA/0.NA/",
        };
        [lead, self.prefix()].concat()
    }
}

/// Prints the handle of the entry.
impl fmt::Display for HomeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.handle()))
    }
}

/// Why bytes name nothing that can be homed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HomeNameError {
    /// A handle under a prefix, not a prefix.
    #[error("not a prefix and not the handle of a prefix record")]
    NotAPrefix,
    /// No bytes where the prefix should stand.
    #[error("the prefix is empty")]
    Empty,
    /// A slash inside the prefix.
    #[error("the prefix holds a slash")]
    Slash,
    /// Not a handle at all.
    #[error("not a handle")]
    Handle(#[from] HandleError),
}

/// The prefixes of this node at one serial. Never changed once published.
#[derive(Clone, Debug, Default)]
pub struct Prefixes {
    homed: HashMap<Box<[u8]>, Serial>,
    derived: HashMap<Box<[u8]>, Serial>,
    /// Bytes of the longest prefix in `derived`, or more after one was removed.
    longest_derived: usize,
}

impl Prefixes {
    /// Tells whether handles under `prefix`, folded to upper case, live here.
    #[must_use]
    pub fn is_homed(&self, prefix: &[u8]) -> bool {
        self.homed.contains_key(prefix)
    }

    /// Tells whether the node answers for the record under the canonical key `key`.
    ///
    /// True when the key's prefix is homed; for a prefix record also when a marker names one of its ancestors. Costs one
    /// look-up, and for a prefix record one more per dot that a marker is long enough to reach: a name of a thousand
    /// dots costs no more than the longest marker allows.
    #[must_use]
    pub fn serves(&self, key: &[u8]) -> bool {
        let prefix_end = key.iter().position(|&b| b == b'/').unwrap_or(key.len());
        if key.get(..prefix_end).is_some_and(|prefix| self.is_homed(prefix)) {
            return true;
        }
        if self.derived.is_empty() {
            return false;
        }
        let Some(name) = key.strip_prefix(PREFIX_RECORDS) else { return false };
        // An ancestor ends before a dot; with this cut the last dot it can end before is still inside.
        let mut name = name.get(..=self.longest_derived).unwrap_or(name);
        while let Some(parent) = parent_prefix(name) {
            if self.derived.contains_key(parent) {
                return true;
            }
            name = parent;
        }
        false
    }

    /// The serial of the entry that homed `name`; `None` when it is not homed.
    #[must_use]
    pub fn homed_at(&self, name: &HomeName) -> Option<Serial> {
        match name {
            HomeName::Prefix(prefix) => self.homed.get(prefix).copied(),
            HomeName::DerivedFrom(prefix) => self.derived.get(prefix).copied(),
        }
    }

    /// All entries, in no order.
    pub fn iter(&self) -> impl Iterator<Item = HomeName> + '_ {
        let homed = self.homed.keys().map(|prefix| HomeName::Prefix(prefix.clone()));
        homed.chain(self.derived.keys().map(|prefix| HomeName::DerivedFrom(prefix.clone())))
    }

    /// Number of entries, markers included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.homed.len() + self.derived.len()
    }

    /// Tells whether nothing is homed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an entry written at `serial`.
    pub(crate) fn insert(&mut self, name: HomeName, serial: Serial) {
        match name {
            HomeName::Prefix(prefix) => self.homed.insert(prefix, serial),
            HomeName::DerivedFrom(prefix) => {
                self.longest_derived = self.longest_derived.max(prefix.len());
                self.derived.insert(prefix, serial)
            }
        };
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, name: &HomeName) {
        match name {
            HomeName::Prefix(prefix) => self.homed.remove(prefix),
            HomeName::DerivedFrom(prefix) => self.derived.remove(prefix),
        };
    }
}

/// The prefix of a canonical key: what stands before its first slash.
pub(crate) fn prefix_of_key(key: &[u8]) -> &[u8] {
    let end = key.iter().position(|&b| b == b'/').unwrap_or(key.len());
    key.get(..end).unwrap_or_default()
}

/// A prefix folded and checked: not empty, no slash.
fn checked(prefix: &[u8]) -> Result<Box<[u8]>, HomeNameError> {
    if prefix.is_empty() {
        return Err(HomeNameError::Empty);
    }
    if prefix.contains(&b'/') {
        return Err(HomeNameError::Slash);
    }
    let mut folded: Box<[u8]> = prefix.into();
    fold_in_place(&mut folded);
    Ok(folded)
}

/// The canonical key of a handle, on the heap; for paths that are not hot.
pub(crate) fn key_of(handle: &Handle<'_>, rule: CaseRule) -> Vec<u8> {
    let mut room = [0; MAX_KEY_BYTES];
    handle.to_key(rule, &mut room).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(names: &[&[u8]]) -> Prefixes {
        let mut prefixes = Prefixes::default();
        for name in names {
            prefixes.insert(HomeName::parse(name).unwrap(), Serial(1));
        }
        prefixes
    }

    fn serves(prefixes: &Prefixes, handle: &[u8]) -> bool {
        prefixes.serves(&key_of(&Handle::new(handle).unwrap(), CaseRule::Insensitive))
    }

    #[test]
    fn serves_handles_under_a_homed_prefix_in_any_case() {
        let prefixes = table(&[b"88.ab.1"]);
        assert!(serves(&prefixes, b"88.AB.1/x"));
        assert!(serves(&prefixes, b"88.ab.1/"));
        assert!(!serves(&prefixes, b"88.ab.10/x"));
        assert!(!serves(&prefixes, b"88.ab/x"));
        assert!(!serves(&prefixes, b"88.ab.1"), "its prefix record lives elsewhere");
    }

    #[test]
    fn a_marker_serves_records_of_derived_prefixes_only() {
        let prefixes = table(&[b"0.NA/0.na/88.111"]);
        assert!(serves(&prefixes, b"0.NA/88.111.1"));
        assert!(serves(&prefixes, b"88.111.5.6"), "a bare prefix is its record");
        assert!(!serves(&prefixes, b"0.NA/88.111"));
        assert!(!serves(&prefixes, b"0.NA/88.1110"));
        assert!(!serves(&prefixes, b"88.111.1/x"));
    }

    #[test]
    fn an_ancestor_is_found_under_a_name_of_any_depth() {
        let prefixes = table(&[b"0.NA/0.NA/88", b"0.NA/0.NA/99.111.22"]);
        let deep = |start: &str| [b"0.NA/", start.as_bytes(), &b".1".repeat(1_000)].concat();
        assert!(serves(&prefixes, &deep("88")));
        assert!(serves(&prefixes, &deep("99.111.22")));
        assert!(!serves(&prefixes, &deep("99.111.2")));
        assert!(!serves(&prefixes, &deep("99.111.222")));
        assert!(serves(&prefixes, b"0.NA/99.111.22.3") && !serves(&prefixes, b"0.NA/99.111.22"));
    }

    #[test]
    fn homing_the_prefix_of_prefixes_serves_all_prefix_records() {
        let prefixes = table(&[b"0.NA"]);
        assert!(serves(&prefixes, b"0.NA/99"));
        assert!(serves(&prefixes, b"99.1"));
        assert!(!serves(&prefixes, b"99/x"));
    }

    #[test]
    fn reads_all_three_spellings_and_refuses_others() {
        let bare = HomeName::parse(b"88.a").unwrap();
        assert_eq!(bare, HomeName::parse(b"0.na/88.A").unwrap());
        assert_eq!(bare.handle(), b"0.NA/88.A");
        assert_eq!(HomeName::parse(b"0.NA/0.NA/88").unwrap().to_string(), "0.NA/0.NA/88");
        assert_eq!(HomeName::parse(b"88.1/x"), Err(HomeNameError::NotAPrefix));
        assert_eq!(HomeName::parse(b""), Err(HomeNameError::Empty));
        assert_eq!(HomeName::parse(b"0.NA/0.NA/"), Err(HomeNameError::Empty));
        assert_eq!(HomeName::parse(b"0.NA/88/x"), Err(HomeNameError::Slash));
    }

    #[test]
    fn what_is_removed_is_no_longer_served() {
        let mut prefixes = table(&[b"88.1", b"0.NA/0.NA/88"]);
        assert_eq!(prefixes.len(), 2);
        prefixes.remove(&HomeName::parse(b"88.1").unwrap());
        prefixes.remove(&HomeName::parse(b"0.NA/0.NA/88").unwrap());
        assert!(prefixes.is_empty() && !serves(&prefixes, b"88.1/x") && !serves(&prefixes, b"0.NA/88.1"));
    }
}
