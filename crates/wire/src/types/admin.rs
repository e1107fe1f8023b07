//! HS_ADMIN.

use super::AdminPermissions;
use crate::error::DecodeError;
use crate::primitives::{Reader, Sink};

/// An administrator of a handle and what it may do: the data of an HS_ADMIN value (RFC 3651 section 3.2.1).
///
/// ```text
/// u16 rights | string handle | u32 index | [two bytes of a legacy writer]
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AdminRecord<'a> {
    /// What the administrator may do.
    pub permissions: AdminPermissions,
    /// The handle that holds the administrator's key or group.
    pub handle: &'a [u8],
    /// The index of the key or group there; 0 stands for any.
    pub index: u32,
    /// Two bytes a legacy writer leaves behind the index. They mean nothing and are kept.
    pub legacy_tail: Option<[u8; 2]>,
}

impl<'a> AdminRecord<'a> {
    /// Reads the data of a value.
    ///
    /// # Errors
    /// A field reaches behind the end, or anything but exactly two bytes is left behind the index.
    pub fn parse(data: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data);
        let permissions = AdminPermissions(reader.u16()?);
        let handle = reader.bytes()?;
        let index = reader.u32()?;
        let legacy_tail = if reader.remaining() == 2 { Some(reader.array()?) } else { None };
        reader.expect_end()?;
        Ok(Self { permissions, handle, index, legacy_tail })
    }

    /// Writes the data of a value.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.put_u16(self.permissions.0);
        sink.put_bytes(self.handle);
        sink.put_u32(self.index);
        sink.put(self.legacy_tail.as_ref().map_or(&[], |tail| tail));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exactly_two_bytes_may_follow_the_index() {
        let mut data = Vec::new();
        let plain =
            AdminRecord { permissions: AdminPermissions(0x0473), handle: b"0.NA/1", index: 1, legacy_tail: None };
        plain.encode(&mut data);
        assert_eq!(AdminRecord::parse(&data), Ok(plain));
        for extra in 1..6 {
            let mut longer = data.clone();
            longer.extend([7, 8, 9, 10, 11].iter().take(extra));
            let expected = match extra {
                2 => Ok(AdminRecord { legacy_tail: Some([7, 8]), ..plain }),
                count => Err(DecodeError::TrailingBytes { count }),
            };
            assert_eq!(AdminRecord::parse(&longer), expected);
        }
    }

    #[test]
    fn rejects_every_truncation() {
        let mut data = Vec::new();
        AdminRecord { permissions: AdminPermissions::ALL, handle: b"a/b", index: 3, legacy_tail: None }
            .encode(&mut data);
        for end in 0..data.len() {
            assert!(AdminRecord::parse(&data[..end]).is_err(), "{end}");
        }
    }
}
