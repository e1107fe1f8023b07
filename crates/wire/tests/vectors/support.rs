//! What the vector modules share: the outcome of an entry, and access to its facts.

use serde_json::Value;
use waymark_wire::ValueBuf;
use waymark_wire::value::{Permissions, ReferenceBuf, Ttl};

/// Which directions of an entry ran. A check that does not hold panics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// The bytes were decoded and compared with the facts of the entry.
    pub decoded: bool,
    /// The facts were encoded and compared with the bytes of the entry.
    pub encoded: bool,
}

/// The bytes of a field of hexadecimal digits.
pub fn bytes_of(field: &Value) -> Vec<u8> {
    hex::decode(field.as_str().unwrap_or_else(|| panic!("no text: {field}"))).unwrap()
}

/// The text of a field.
pub fn text_of(field: &Value) -> &str {
    field.as_str().unwrap_or_else(|| panic!("no text: {field}"))
}

/// The number of a field, of any width we read.
pub fn number_of<T: TryFrom<i64>>(field: &Value) -> T {
    let number = field.as_i64().unwrap_or_else(|| panic!("no number: {field}"));
    T::try_from(number).unwrap_or_else(|_| panic!("out of range: {number}"))
}

/// A u32 that the facts may give as a negative number.
pub fn u32_of(field: &Value) -> u32 {
    let number = field.as_i64().unwrap_or_else(|| panic!("no number: {field}"));
    u32::try_from(number & 0xffff_ffff).unwrap()
}

/// A handle value as the facts describe it.
pub fn value_of(facts: &Value) -> ValueBuf {
    let references = facts["references"].as_array().map(Vec::as_slice).unwrap_or_default();
    ValueBuf {
        index: u32_of(&facts["index"]),
        timestamp: u32_of(&facts["timestamp"]),
        ttl: Ttl::from_wire(number_of(&facts["ttl_type"]), number_of(&facts["ttl"])),
        permissions: Permissions(number_of(&facts["perm_bits"])),
        kind: text_of(&facts["type"]).as_bytes().to_vec(),
        data: bytes_of(&facts["data_hex"]),
        references: references
            .iter()
            .map(|r| ReferenceBuf { handle: text_of(&r["handle"]).as_bytes().to_vec(), index: u32_of(&r["index"]) })
            .collect(),
    }
}

/// Tells whether the content of a message is encrypted.
pub fn is_encrypted(entry: &Value) -> bool {
    entry["decoded"]["envelope"]["encrypted"] == true
}
