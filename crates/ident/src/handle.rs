//! A handle as it was asked for, and the key it is stored under.

use core::fmt;

use thiserror::Error;

use crate::fold::{fold_eq, fold_in_place};

/// Longest handle of the protocol, in bytes; clients refuse longer ones in responses.
pub const MAX_HANDLE_BYTES: usize = 2048;

/// Longest canonical key in bytes: a bare prefix gets `0.NA/` in front.
pub const MAX_KEY_BYTES: usize = MAX_HANDLE_BYTES + PREFIX_RECORDS.len();

/// What the handle, and the key, of every prefix record begins with; behind it comes the prefix (RFC 3651 section 2).
pub const PREFIX_RECORDS: &[u8] = b"0.NA/";

/// The prefix of all prefix records.
const PREFIX_OF_PREFIXES: &[u8] = b"0.NA";

/// A handle of any bytes, borrowed; at most [`MAX_HANDLE_BYTES`] long, otherwise unchecked.
///
/// Equality compares exact bytes; two spellings of one record are equal in their [keys](Self::to_key).
/// `Display` and `Debug` escape control characters and bytes that are not UTF-8, so a handle can be logged.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle<'a> {
    bytes: &'a [u8],
    slash: Option<usize>,
}

impl<'a> Handle<'a> {
    /// Takes the bytes of a handle as they came.
    ///
    /// The empty handle is legal here: it is the bare prefix of no characters, which no server holds.
    ///
    /// # Errors
    /// [`HandleError::TooLong`] past [`MAX_HANDLE_BYTES`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, HandleError> {
        if bytes.len() > MAX_HANDLE_BYTES {
            return Err(HandleError::TooLong { length: bytes.len(), limit: MAX_HANDLE_BYTES });
        }
        Ok(Self { bytes, slash: bytes.iter().position(|&b| b == b'/') })
    }

    /// The bytes exactly as asked, never folded.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The part before the first slash; the whole handle when there is none.
    #[must_use]
    pub fn prefix(&self) -> &'a [u8] {
        match self.slash {
            Some(at) => self.bytes.get(..at).unwrap_or_default(),
            None => self.bytes,
        }
    }

    /// The part behind the first slash, which may hold further slashes; `None` without a slash.
    #[must_use]
    pub fn suffix(&self) -> Option<&'a [u8]> {
        self.slash.and_then(|at| self.bytes.get(at + 1..))
    }

    /// Tells whether there is no slash, so that the handle means the prefix record `0.NA/<itself>`.
    #[must_use]
    pub const fn is_bare(&self) -> bool {
        self.slash.is_none()
    }

    /// The prefix whose record this handle names: `x` of `0.NA/x` (in any case) and of the bare handle `x`.
    ///
    /// `None` for handles of any other prefix.
    #[must_use]
    pub fn prefix_record_target(&self) -> Option<&'a [u8]> {
        match self.suffix() {
            None => Some(self.bytes),
            Some(suffix) if fold_eq(self.prefix(), PREFIX_OF_PREFIXES) => Some(suffix),
            Some(_) => None,
        }
    }

    /// Writes the canonical key into `out` and returns it: bare prefixes get `0.NA/` in front, and ASCII letters
    /// become upper case as far as `rule` says. Equal keys are the same record.
    pub fn to_key<'k>(&self, rule: CaseRule, out: &'k mut [u8; MAX_KEY_BYTES]) -> &'k [u8] {
        let lead = if self.is_bare() { PREFIX_RECORDS } else { &[] };
        let length = lead.len() + self.bytes.len();
        let Some(key) = out.get_mut(..length) else {
            return &[]; // not reached: `new` bounds the handle and the array has room for the lead
        };
        let (front, back) = key.split_at_mut(lead.len());
        front.copy_from_slice(lead);
        back.copy_from_slice(self.bytes);
        let folded = self.folded_part(rule, length);
        if let Some(part) = key.get_mut(..folded) {
            fold_in_place(part);
        }
        key
    }

    /// How many bytes of a key of `length` bytes fold under `rule`.
    fn folded_part(&self, rule: CaseRule, length: usize) -> usize {
        match (rule, self.slash) {
            (CaseRule::Insensitive, _) | (CaseRule::SuffixSensitive, None) => length,
            (CaseRule::SuffixSensitive, Some(_)) if self.bytes.starts_with(b"0.") => length,
            (CaseRule::SuffixSensitive, Some(slash)) => slash,
        }
    }

    /// The handle as text.
    ///
    /// # Errors
    /// [`HandleError::NotUtf8`], naming the first bad byte.
    pub fn to_utf8(&self) -> Result<&'a str, HandleError> {
        core::str::from_utf8(self.bytes).map_err(|error| HandleError::NotUtf8 { at: error.valid_up_to() })
    }
}

impl fmt::Display for Handle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() { write!(f, "{}", c.escape_default())? } else { fmt::Write::write_char(f, c)? }
            }
            for b in chunk.invalid() {
                write!(f, "\\x{b:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Handle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({self})")
    }
}

/// How far the spelling of a handle matters to a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CaseRule {
    /// The whole handle folds, as on a reference server with default settings.
    #[default]
    Insensitive,
    /// Only the prefix folds, and the whole of a handle that begins with `0.`.
    SuffixSensitive,
}

/// The prefix one level up: `88.111` of `88.111.1`; `None` for a prefix without a dot.
#[must_use]
pub fn parent_prefix(prefix: &[u8]) -> Option<&[u8]> {
    let dot = prefix.iter().rposition(|&b| b == b'.')?;
    prefix.get(..dot)
}

/// Why bytes are no handle, or no handle that may be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandleError {
    /// Longer than allowed.
    #[error("handle of {length} bytes is longer than {limit}")]
    TooLong {
        /// Bytes of the handle.
        length: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not UTF-8.
    #[error("handle is not UTF-8 from byte {at}")]
    NotUtf8 {
        /// Offset of the first byte that does not belong to a character.
        at: usize,
    },
    /// No slash, so no suffix.
    #[error("handle has no slash")]
    NoSlash,
    /// Nothing before the slash.
    #[error("handle has an empty prefix")]
    EmptyPrefix,
    /// A control character inside.
    #[error("handle has a control character at byte {at}")]
    ControlCharacter {
        /// Offset of its first byte.
        at: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(handle: &[u8], rule: CaseRule) -> Vec<u8> {
        let mut room = [0; MAX_KEY_BYTES];
        Handle::new(handle).unwrap().to_key(rule, &mut room).to_vec()
    }

    #[test]
    fn splits_at_the_first_slash() {
        let handle = Handle::new(b"88.111.1/a/b").unwrap();
        assert_eq!(handle.prefix(), b"88.111.1");
        assert_eq!(handle.suffix(), Some(&b"a/b"[..]));
        assert!(!handle.is_bare());
    }

    #[test]
    fn keeps_an_empty_suffix_apart_from_none() {
        assert_eq!(Handle::new(b"88.111.1/").unwrap().suffix(), Some(&b""[..]));
        assert_eq!(Handle::new(b"88.111.1").unwrap().suffix(), None);
        assert_eq!(Handle::new(b"/").unwrap().prefix(), b"");
    }

    #[test]
    fn folds_the_whole_handle_by_default() {
        assert_eq!(key(b"10.ab/xyZ-1", CaseRule::default()), b"10.AB/XYZ-1");
    }

    #[test]
    fn keeps_the_suffix_when_it_is_case_sensitive() {
        assert_eq!(key(b"10.ab/xyZ", CaseRule::SuffixSensitive), b"10.AB/xyZ");
        assert_eq!(key(b"0.na/10.ab", CaseRule::SuffixSensitive), b"0.NA/10.AB");
        assert_eq!(key(b"0.type/x", CaseRule::SuffixSensitive), b"0.TYPE/X");
        assert_eq!(key(b"10.ab", CaseRule::SuffixSensitive), b"0.NA/10.AB");
    }

    #[test]
    fn bare_prefix_is_its_prefix_record() {
        for rule in [CaseRule::Insensitive, CaseRule::SuffixSensitive] {
            assert_eq!(key(b"88.111.1", rule), key(b"0.NA/88.111.1", rule));
            assert_eq!(key(b"88.ab", rule), key(b"0.na/88.AB", rule));
        }
        assert_eq!(key(b"", CaseRule::Insensitive), b"0.NA/");
    }

    #[test]
    fn names_the_target_of_prefix_records_in_any_case() {
        let target = |handle: &'static [u8]| Handle::new(handle).unwrap().prefix_record_target();
        assert_eq!(target(b"0.NA/88.111"), Some(&b"88.111"[..]));
        assert_eq!(target(b"0.na/88.111"), Some(&b"88.111"[..]));
        assert_eq!(target(b"88.111"), Some(&b"88.111"[..]));
        assert_eq!(target(b"0.NA"), Some(&b"0.NA"[..]));
        assert_eq!(target(b"0.NA/0.NA/88"), Some(&b"0.NA/88"[..]));
        assert_eq!(target(b"88.111/x"), None);
        assert_eq!(target(b"0.NAX/x"), None);
    }

    #[test]
    fn does_not_fold_letters_beyond_ascii() {
        assert_ne!(key("1/é".as_bytes(), CaseRule::Insensitive), key("1/É".as_bytes(), CaseRule::Insensitive));
    }

    #[test]
    fn refuses_handles_over_the_limit() {
        let longest = vec![b'a'; MAX_HANDLE_BYTES];
        assert_eq!(key(&longest, CaseRule::Insensitive).len(), MAX_KEY_BYTES);
        let longer = vec![b'a'; MAX_HANDLE_BYTES + 1];
        assert_eq!(Handle::new(&longer), Err(HandleError::TooLong { length: 2049, limit: 2048 }));
    }

    #[test]
    fn prints_control_and_foreign_bytes_escaped() {
        let handle = Handle::new(b"1/\xe4\xba\xa7a\n\x00\xff\xfe\x80").unwrap();
        assert_eq!(handle.to_string(), "1/产a\\n\\u{0}\\xff\\xfe\\x80");
        assert_eq!(handle.to_utf8(), Err(HandleError::NotUtf8 { at: 8 }));
    }

    #[test]
    fn walks_up_the_prefix_tree() {
        assert_eq!(parent_prefix(b"88.111.1"), Some(&b"88.111"[..]));
        assert_eq!(parent_prefix(b"88.111"), Some(&b"88"[..]));
        assert_eq!(parent_prefix(b"88"), None);
        assert_eq!(parent_prefix(b""), None);
    }
}
