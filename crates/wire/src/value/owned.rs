//! Handle values that own their parts, for those who build or keep them.

use core::fmt;

use super::{EncodeValue, Permissions, Ttl, ValueRef};
use crate::lists::Reference;
use crate::primitives::Sink;

/// A handle value that owns its parts.
#[derive(Clone, PartialEq, Eq)]
pub struct ValueBuf {
    /// Number of the value in its handle.
    pub index: u32,
    /// When it last changed, in seconds since 1970; servers overwrite it.
    pub timestamp: u32,
    /// How long it may be cached.
    pub ttl: Ttl,
    /// Who may read and write it.
    pub permissions: Permissions,
    /// The type.
    pub kind: Vec<u8>,
    /// The data, in the format of the type.
    pub data: Vec<u8>,
    /// References to values of other handles.
    pub references: Vec<ReferenceBuf>,
}

impl ValueBuf {
    /// A value of this index, type and data with usual permissions and a day to live.
    #[must_use]
    pub fn new(index: u32, kind: &[u8], data: &[u8]) -> Self {
        Self { index, kind: kind.to_vec(), data: data.to_vec(), ..Self::default() }
    }

    /// Appends the wire form.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        self.put_value(out);
    }

    /// Bytes of the wire form.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let references: usize = self.references.iter().map(|reference| 8 + reference.handle.len()).sum();
        ValueRef::MIN_LEN + self.kind.len() + self.data.len() + references
    }
}

impl Default for ValueBuf {
    /// Index 0 (which no server takes), usual permissions, a day to live, everything else empty.
    fn default() -> Self {
        Self {
            index: 0,
            timestamp: 0,
            ttl: Ttl::DAY,
            permissions: Permissions::USUAL,
            kind: Vec::new(),
            data: Vec::new(),
            references: Vec::new(),
        }
    }
}

impl fmt::Debug for ValueBuf {
    /// Everything but the data, of which only the length is shown: it may be a secret key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueBuf")
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

impl EncodeValue for ValueBuf {
    fn put_value(&self, out: &mut (impl Sink + ?Sized)) {
        let (ttl_kind, ttl) = self.ttl.to_wire();
        out.put_u32(self.index);
        out.put_u32(self.timestamp);
        out.put_u8(ttl_kind);
        out.put_i32(ttl);
        out.put_u8(self.permissions.0);
        out.put_bytes(&self.kind);
        out.put_bytes(&self.data);
        out.put_length(self.references.len());
        for reference in &self.references {
            out.put_bytes(&reference.handle);
            out.put_u32(reference.index);
        }
    }
}

impl From<ValueRef<'_>> for ValueBuf {
    fn from(value: ValueRef<'_>) -> Self {
        Self {
            index: value.index,
            timestamp: value.timestamp,
            ttl: value.ttl,
            permissions: value.permissions,
            kind: value.kind.to_vec(),
            data: value.data.to_vec(),
            references: value.references.iter().map(ReferenceBuf::from).collect(),
        }
    }
}

/// A reference that owns its handle.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReferenceBuf {
    /// The handle, any bytes.
    pub handle: Vec<u8>,
    /// Index of the value.
    pub index: u32,
}

impl From<Reference<'_>> for ReferenceBuf {
    fn from(reference: Reference<'_>) -> Self {
        Self { handle: reference.handle.to_vec(), index: reference.index }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::primitives::Reader;

    prop_compose! {
        fn any_reference()(handle in prop::collection::vec(any::<u8>(), 0..20), index: u32) -> ReferenceBuf {
            ReferenceBuf { handle, index }
        }
    }

    prop_compose! {
        fn any_value()(
            index: u32, timestamp: u32, ttl_kind: u8, ttl: i32, permissions: u8,
            kind in prop::collection::vec(any::<u8>(), 0..20),
            data in prop::collection::vec(any::<u8>(), 0..200),
            references in prop::collection::vec(any_reference(), 0..4),
        ) -> ValueBuf {
            let ttl = Ttl::from_wire(ttl_kind, ttl);
            ValueBuf { index, timestamp, ttl, permissions: Permissions(permissions), kind, data, references }
        }
    }

    proptest! {
        #[test]
        fn comes_back_from_its_wire_form(value in any_value()) {
            let mut bytes = Vec::new();
            value.encode_into(&mut bytes);
            prop_assert_eq!(bytes.len(), value.encoded_len());
            let mut reader = Reader::new(&bytes);
            let parsed = ValueRef::parse(&mut reader).unwrap();
            prop_assert!(reader.is_empty());
            prop_assert_eq!(parsed.wire, &bytes[..]);
            prop_assert_eq!(ValueBuf::from(parsed), value);
        }

        #[test]
        fn arbitrary_bytes_decode_to_themselves_or_not_at_all(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            if let Ok(value) = ValueRef::parse(&mut reader) {
                let mut again = Vec::new();
                ValueBuf::from(value).encode_into(&mut again);
                prop_assert_eq!(&again[..], value.wire);
            }
        }
    }
}
