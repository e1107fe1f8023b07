//! Rights of an administrator, and the two ways people write them.

use std::ops::{BitAnd, BitOr};

use thiserror::Error;

/// The rights an HS_ADMIN value gives (RFC 3651 section 3.2.1). Unknown bits survive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct AdminPermissions(pub u16);

impl AdminPermissions {
    /// Create handles under the prefix.
    pub const ADD_HANDLE: Self = Self(0x0001);
    /// Delete the handle.
    pub const DELETE_HANDLE: Self = Self(0x0002);
    /// Create prefixes derived from the prefix.
    pub const ADD_DERIVED_PREFIX: Self = Self(0x0004);
    /// Delete prefixes derived from the prefix.
    pub const DELETE_DERIVED_PREFIX: Self = Self(0x0008);
    /// Change values that are not administrators.
    pub const MODIFY_VALUE: Self = Self(0x0010);
    /// Remove values that are not administrators.
    pub const REMOVE_VALUE: Self = Self(0x0020);
    /// Add values that are not administrators.
    pub const ADD_VALUE: Self = Self(0x0040);
    /// Change administrators.
    pub const MODIFY_ADMIN: Self = Self(0x0080);
    /// Remove administrators.
    pub const REMOVE_ADMIN: Self = Self(0x0100);
    /// Add administrators.
    pub const ADD_ADMIN: Self = Self(0x0200);
    /// Read values the public may not read.
    pub const READ_VALUE: Self = Self(0x0400);
    /// List the handles of the prefix.
    pub const LIST_HANDLES: Self = Self(0x0800);
    /// List the prefixes derived from the prefix (DO-IRP 3.0 only).
    pub const LIST_DERIVED_PREFIXES: Self = Self(0x1000);
    /// Every right version 2 knows: the twelve the text forms can express.
    pub const ALL: Self = Self(0x0fff);

    /// Whether all of `rights` are given.
    #[must_use]
    pub const fn has(self, rights: Self) -> bool {
        self.0 & rights.0 == rights.0
    }

    /// The names of the rights given, lowest bit first; bits without a name are left out.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().filter(move |(right, _)| self.has(*right)).map(|(_, name)| *name)
    }

    /// The twelve characters of the JSON form: leftmost the highest bit (list handles), rightmost the lowest (add handle).
    /// `None` when other bits are set, which the text cannot express.
    #[must_use]
    pub fn to_json_text(self) -> Option<[u8; 12]> {
        let mut text = self.to_batch_text()?;
        text.reverse();
        Some(text)
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// The text is not twelve characters `0` or `1`.
    pub fn from_json_text(text: &[u8]) -> Result<Self, PermissionTextError> {
        let mut text = twelve(text)?;
        text.reverse();
        Self::from_batch_text(&text).map_err(|error| match error {
            PermissionTextError::Character { at, byte } => {
                PermissionTextError::Character { at: 11_usize.abs_diff(at), byte }
            }
            other => other,
        })
    }

    /// The twelve characters of the Handle.Net batch form, which runs the other way: leftmost the lowest bit (add handle),
    /// rightmost the highest (list handles). `None` when other bits are set.
    #[must_use]
    pub fn to_batch_text(self) -> Option<[u8; 12]> {
        if !Self::ALL.has(self) {
            return None;
        }
        let mut left = self.0;
        Some([(); 12].map(|()| {
            let bit = if left & 1 == 1 { b'1' } else { b'0' };
            left >>= 1;
            bit
        }))
    }

    /// Reads the Handle.Net batch form.
    ///
    /// # Errors
    /// The text is not twelve characters `0` or `1`.
    pub fn from_batch_text(text: &[u8]) -> Result<Self, PermissionTextError> {
        let mut bits = 0;
        for (at, character) in twelve(text)?.into_iter().enumerate().rev() {
            bits <<= 1;
            match character {
                b'0' => {}
                b'1' => bits |= 1,
                byte => return Err(PermissionTextError::Character { at, byte }),
            }
        }
        Ok(Self(bits))
    }
}

impl BitOr for AdminPermissions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for AdminPermissions {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// Why a text is no set of rights.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum PermissionTextError {
    /// Not twelve characters.
    #[error("{0} characters where 12 are needed")]
    Length(usize),
    /// A character that is neither `0` nor `1`.
    #[error("byte {byte:#04x} at position {at} is neither 0 nor 1")]
    Character {
        /// Where, counted from 0 at the left.
        at: usize,
        /// The byte found.
        byte: u8,
    },
}

/// The text as an array.
fn twelve(text: &[u8]) -> Result<[u8; 12], PermissionTextError> {
    text.try_into().map_err(|_| PermissionTextError::Length(text.len()))
}

/// The names of the rights, lowest bit first.
const NAMES: [(AdminPermissions, &str); 13] = [
    (AdminPermissions::ADD_HANDLE, "ADD_HANDLE"),
    (AdminPermissions::DELETE_HANDLE, "DELETE_HANDLE"),
    (AdminPermissions::ADD_DERIVED_PREFIX, "ADD_DERIVED_PREFIX"),
    (AdminPermissions::DELETE_DERIVED_PREFIX, "DELETE_DERIVED_PREFIX"),
    (AdminPermissions::MODIFY_VALUE, "MODIFY_VALUE"),
    (AdminPermissions::REMOVE_VALUE, "REMOVE_VALUE"),
    (AdminPermissions::ADD_VALUE, "ADD_VALUE"),
    (AdminPermissions::MODIFY_ADMIN, "MODIFY_ADMIN"),
    (AdminPermissions::REMOVE_ADMIN, "REMOVE_ADMIN"),
    (AdminPermissions::ADD_ADMIN, "ADD_ADMIN"),
    (AdminPermissions::READ_VALUE, "READ_VALUE"),
    (AdminPermissions::LIST_HANDLES, "LIST_HANDLES"),
    (AdminPermissions::LIST_DERIVED_PREFIXES, "LIST_DERIVED_PREFIXES"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_text_forms_run_in_opposite_directions() {
        let rights = AdminPermissions::ADD_HANDLE | AdminPermissions::READ_VALUE;
        assert_eq!(rights.to_json_text().as_ref(), Some(b"010000000001"));
        assert_eq!(rights.to_batch_text().as_ref(), Some(b"100000000010"));
        assert_eq!(AdminPermissions::LIST_HANDLES.to_json_text().as_ref(), Some(b"100000000000"));
        assert_eq!(AdminPermissions::LIST_HANDLES.to_batch_text().as_ref(), Some(b"000000000001"));
    }

    #[test]
    fn every_set_of_the_twelve_rights_survives_both_text_forms() {
        for bits in 0..=AdminPermissions::ALL.0 {
            let rights = AdminPermissions(bits);
            assert_eq!(AdminPermissions::from_json_text(&rights.to_json_text().unwrap()), Ok(rights));
            assert_eq!(AdminPermissions::from_batch_text(&rights.to_batch_text().unwrap()), Ok(rights));
        }
    }

    #[test]
    fn rights_the_text_cannot_express_are_not_dropped_in_silence() {
        assert_eq!(AdminPermissions::LIST_DERIVED_PREFIXES.to_json_text(), None);
        assert_eq!(AdminPermissions(0x8001).to_batch_text(), None);
    }

    #[test]
    fn rejects_text_of_another_length_or_with_other_characters() {
        assert_eq!(AdminPermissions::from_json_text(b"01111"), Err(PermissionTextError::Length(5)));
        assert_eq!(AdminPermissions::from_batch_text(b"0111101111111"), Err(PermissionTextError::Length(13)));
        let error = PermissionTextError::Character { at: 1, byte: b'x' };
        assert_eq!(AdminPermissions::from_batch_text(b"0x0000000000"), Err(error));
        assert_eq!(AdminPermissions::from_json_text(b"0x0000000000"), Err(error));
    }

    #[test]
    fn names_follow_the_bits() {
        let names: Vec<_> = AdminPermissions(0x1801).names().collect();
        assert_eq!(names, ["ADD_HANDLE", "LIST_HANDLES", "LIST_DERIVED_PREFIXES"]);
        assert_eq!(AdminPermissions(0x8000).names().count(), 0);
    }
}
