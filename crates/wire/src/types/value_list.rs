//! HS_VLIST.

use crate::error::DecodeError;
use crate::lists::{Reference, References};
use crate::primitives::{Reader, Sink};

/// A list of references, such as the members of a group of administrators: the data of an HS_VLIST value (RFC 3651 section 3.2.7).
///
/// ```text
/// list<string handle, u32 index>
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ValueList<'a> {
    /// The references, in the order they stand.
    pub references: References<'a>,
}

impl<'a> ValueList<'a> {
    /// Reads the data of a value.
    ///
    /// # Errors
    /// A reference reaches behind the end, the count exceeds what the bytes left can hold, or bytes are left behind the last one.
    pub fn parse(data: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data);
        let references = References::parse(&mut reader)?;
        reader.expect_end()?;
        Ok(Self { references })
    }

    /// Writes the data of a value: the bytes it was parsed from.
    pub fn encode(&self, sink: &mut impl Sink) {
        Self::encode_references(self.references.iter(), self.references.len(), sink);
    }

    /// Writes the data of a value that lists these references.
    pub fn encode_list(references: &[Reference<'_>], sink: &mut impl Sink) {
        Self::encode_references(references.iter().copied(), references.len(), sink);
    }

    fn encode_references<'r>(references: impl Iterator<Item = Reference<'r>>, count: usize, sink: &mut impl Sink) {
        sink.put_length(count);
        for reference in references {
            reference.write(sink);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_survive_and_end_at_their_last_reference() {
        let members = [Reference { handle: b"0.NA/88.111.1", index: 300 }, Reference { handle: b"", index: 0 }];
        let mut data = Vec::new();
        ValueList::encode_list(&members, &mut data);
        let list = ValueList::parse(&data).unwrap();
        assert_eq!(list.references.iter().collect::<Vec<_>>(), members);
        let mut again = Vec::new();
        list.encode(&mut again);
        assert_eq!(again, data);
        for end in 0..data.len() {
            assert!(ValueList::parse(&data[..end]).is_err(), "{end}");
        }
        data.push(0);
        assert_eq!(ValueList::parse(&data), Err(DecodeError::TrailingBytes { count: 1 }));
    }
}
