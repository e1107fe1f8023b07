//! Handle values: index, time, permissions, type and data (RFC 3651 section 3.1).
//!
//! ```text
//! value := u32 index | u32 timestamp | u8 ttl type | i32 ttl | u8 permissions | string type | bytes data | list<ref>
//! ```
//! [`ValueRef`] borrows from a message or a stored record, [`Values`] is a checked list of them, [`ValueBuf`] owns its
//! parts. Whether an index is positive or a type known is for those who store values: 0 must decode, so that it can be
//! refused with its own code.

mod list;
mod matching;
mod owned;

pub use list::{Values, put_values};
pub use matching::{is_admin_type, type_matches};
pub use owned::{ReferenceBuf, ValueBuf};

use core::fmt;

use crate::error::DecodeError;
use crate::lists::References;
use crate::primitives::{Reader, Sink};

/// A handle value, borrowing from the bytes it was read from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ValueRef<'a> {
    /// Number of the value in its handle; 1 to 2^31-1 in a stored record.
    pub index: u32,
    /// When it last changed, in seconds since 1970.
    pub timestamp: u32,
    /// How long it may be cached.
    pub ttl: Ttl,
    /// Who may read and write it.
    pub permissions: Permissions,
    /// The type, such as `URL`.
    pub kind: &'a [u8],
    /// The data, in the format of the type.
    pub data: &'a [u8],
    /// References to values of other handles; hardly used.
    pub references: References<'a>,
    /// The exact bytes of the value as they travel and are stored.
    pub wire: &'a [u8],
}

impl<'a> ValueRef<'a> {
    /// Fewest bytes a value takes.
    pub const MIN_LEN: usize = 26;

    /// Reads one value.
    ///
    /// # Errors
    /// That of the first field that is not all there.
    pub fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let start = reader.peek();
        let index = reader.u32()?;
        let timestamp = reader.u32()?;
        let ttl = Ttl::from_wire(reader.u8()?, reader.i32()?);
        let permissions = Permissions(reader.u8()?);
        let kind = reader.bytes()?;
        let data = reader.bytes()?;
        let references = References::parse(reader)?;
        let wire = start.get(..start.len() - reader.remaining()).unwrap_or_default();
        Ok(Self { index, timestamp, ttl, permissions, kind, data, references, wire })
    }

    /// Tells whether this is an admin value: type `HS_ADMIN` or a sub-type of it.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        is_admin_type(self.kind)
    }
}

impl fmt::Debug for ValueRef<'_> {
    /// Everything but the data, of which only the length is shown: it may be a secret key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueRef")
            .field("index", &self.index)
            .field("timestamp", &self.timestamp)
            .field("ttl", &self.ttl)
            .field("permissions", &self.permissions)
            .field("kind", &format_args!("{}", self.kind.escape_ascii()))
            .field("data_bytes", &self.data.len())
            .field("references", &self.references)
            .finish_non_exhaustive()
    }
}

/// Something that can be written as a handle value.
pub trait EncodeValue {
    /// Writes the value in wire form.
    fn put_value(&self, out: &mut (impl Sink + ?Sized));
}

impl EncodeValue for ValueRef<'_> {
    fn put_value(&self, out: &mut (impl Sink + ?Sized)) {
        out.put(self.wire);
    }
}

impl<T: EncodeValue + ?Sized> EncodeValue for &T {
    fn put_value(&self, out: &mut (impl Sink + ?Sized)) {
        (**self).put_value(out);
    }
}

/// How long a value may be cached. A time to live of 0 means: not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ttl {
    /// Seconds from the moment of the answer; wire type 0.
    Relative(i32),
    /// Until this time in seconds since 1970, as the protocol's signed number; wire type 1.
    Absolute(i32),
    /// A type the protocol does not define, carried through untouched.
    Other {
        /// The wire type, 2 or higher.
        kind: u8,
        /// The number behind it.
        value: i32,
    },
}

impl Ttl {
    /// The usual time to live: one day.
    pub const DAY: Self = Self::Relative(86_400);

    /// From the two fields of a value.
    #[must_use]
    pub const fn from_wire(kind: u8, value: i32) -> Self {
        match kind {
            0 => Self::Relative(value),
            1 => Self::Absolute(value),
            kind => Self::Other { kind, value },
        }
    }

    /// The two fields of a value: type and number.
    #[must_use]
    pub const fn to_wire(self) -> (u8, i32) {
        match self {
            Self::Relative(value) => (0, value),
            Self::Absolute(value) => (1, value),
            Self::Other { kind, value } => (kind, value),
        }
    }
}

/// Who may read and write a value. Bits without a name survive and mean nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Permissions(pub u8);

impl Permissions {
    /// Nobody may do anything: the value is never shown.
    pub const NONE: Self = Self(0);
    /// Everybody may write.
    pub const PUBLIC_WRITE: Self = Self(0x01);
    /// Everybody may read.
    pub const PUBLIC_READ: Self = Self(0x02);
    /// Administrators may write.
    pub const ADMIN_WRITE: Self = Self(0x04);
    /// Administrators may read.
    pub const ADMIN_READ: Self = Self(0x08);
    /// The usual: everybody reads, administrators write.
    pub const USUAL: Self = Self(0x0e);
    /// The usual for secrets: administrators only.
    pub const SECRET: Self = Self(0x0c);

    /// Tells whether all of `permissions` are given.
    #[must_use]
    pub const fn has(self, permissions: Self) -> bool {
        self.0 & permissions.0 == permissions.0
    }

    /// Tells whether everybody may read.
    #[must_use]
    pub const fn is_public_read(self) -> bool {
        self.has(Self::PUBLIC_READ)
    }

    /// Tells whether administrators may read.
    #[must_use]
    pub const fn is_admin_read(self) -> bool {
        self.has(Self::ADMIN_READ)
    }
}

impl fmt::Debug for Permissions {
    /// The four letters of the field: admin read and write, public read and write.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |flag, letter| if self.has(flag) { letter } else { '-' };
        let admin = (letter(Self::ADMIN_READ, 'r'), letter(Self::ADMIN_WRITE, 'w'));
        let public = (letter(Self::PUBLIC_READ, 'r'), letter(Self::PUBLIC_WRITE, 'w'));
        write!(f, "{}{}{}{}", admin.0, admin.1, public.0, public.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_takes_at_least_its_minimum() {
        let empty = ValueBuf { index: 1, ..ValueBuf::default() };
        let mut bytes = Vec::new();
        empty.encode_into(&mut bytes);
        assert_eq!(bytes.len(), ValueRef::MIN_LEN);
        for end in 0..bytes.len() {
            assert!(ValueRef::parse(&mut Reader::new(&bytes[..end])).is_err(), "{end}");
        }
        let parsed = ValueRef::parse(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(parsed.wire, bytes);
    }

    #[test]
    fn debug_output_never_shows_data() {
        let secret = ValueBuf { data: b"hunter2".to_vec(), kind: b"HS_SECKEY".to_vec(), ..ValueBuf::default() };
        let mut bytes = Vec::new();
        secret.encode_into(&mut bytes);
        let parsed = ValueRef::parse(&mut Reader::new(&bytes)).unwrap();
        for text in [format!("{parsed:?}"), format!("{secret:?}")] {
            assert!(text.contains("HS_SECKEY") && !text.contains("hunter2"), "{text}");
            assert!(!text.contains("104"), "{text}");
        }
    }

    #[test]
    fn unknown_ttl_types_and_permission_bits_survive() {
        assert_eq!(Ttl::from_wire(7, -1).to_wire(), (7, -1));
        let permissions = Permissions(0xfe);
        assert!(permissions.is_public_read() && permissions.is_admin_read());
        assert_eq!(format!("{permissions:?}"), "rwr-");
    }
}
