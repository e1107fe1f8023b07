//! Segment headers and the names of segment files.

use crate::bytes::{Cursor, put_u48};
use crate::error::Damage;
use crate::types::{Place, Serial, Timestamp};

/// First bytes of a segment.
pub(crate) const SEGMENT_MAGIC: [u8; 8] = *b"WMLOGSEG";
/// Version of segments this program writes, and the newest it reads.
pub(crate) const SEGMENT_VERSION: u32 = 1;
/// Bytes before the first group.
pub(crate) const SEGMENT_HEADER: usize = 64;
/// The same as a file offset.
pub(crate) const FIRST_GROUP: u64 = 64;
/// Longest header a later version may have.
pub(crate) const HEADER_MOST: usize = 4096;

/// What a segment says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// Store it belongs to.
    pub(crate) store_id: [u8; 16],
    /// Place of its first byte.
    pub(crate) base: u64,
    /// Length of the file.
    pub(crate) capacity: u64,
    /// Serial of its first entry.
    pub(crate) first: Serial,
    /// Time of the last entry before it.
    pub(crate) time: Timestamp,
}

impl SegmentHeader {
    /// The header's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = head(SEGMENT_MAGIC, SEGMENT_VERSION, SEGMENT_HEADER, &self.store_id);
        out.extend_from_slice(&self.base.to_le_bytes());
        out.extend_from_slice(&self.capacity.to_le_bytes());
        put_u48(&mut out, self.first.0);
        put_u48(&mut out, self.time.0);
        seal(&mut out);
        out
    }

    /// Reads a header from the front of a file's first [`HEADER_MOST`] bytes.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Versioned<Self>, Damage> {
        let (version, store_id, mut cursor) = open_head(bytes, SEGMENT_MAGIC)?;
        if version != SEGMENT_VERSION {
            return Ok(Versioned::Unknown(version));
        }
        let mut read = || {
            Some(Self {
                store_id,
                base: cursor.u64()?,
                capacity: cursor.u64()?,
                first: Serial(cursor.u48()?),
                time: Timestamp(cursor.u48()?),
            })
        };
        let header = read().ok_or(Damage::CutShort)?;
        let plausible = header.capacity >= FIRST_GROUP
            && header.base.checked_add(header.capacity).is_some_and(|end| end <= Place::END);
        if plausible { Ok(Versioned::Known(header)) } else { Err(Damage::Structure) }
    }

    /// Name of the segment's file: its base and first serial, so that they are known even where the header is damaged.
    pub(crate) fn file_name(&self) -> String {
        format!("segment-{:012x}-{:012x}.log", self.base, self.first.0)
    }
}

/// Something read from a file whose format has a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Versioned<T> {
    /// Of a version this program knows.
    Known(T),
    /// Of this other version.
    Unknown(u32),
}

/// Base and first serial from the name of a segment's file.
pub(crate) fn parse_segment_name(name: &str) -> Option<(u64, Serial)> {
    let (base, first) = name.strip_prefix("segment-")?.strip_suffix(".log")?.split_once('-')?;
    Some((hex(base)?, Serial(hex(first)?)))
}

/// A number of exactly 12 hexadecimal digits.
pub(crate) fn hex(digits: &str) -> Option<u64> {
    (digits.len() == 12 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')))
        .then(|| u64::from_str_radix(digits, 16).ok())?
}

/// Begins a header: magic, version, length of the header, store.
pub(crate) fn head(magic: [u8; 8], version: u32, length: usize, store_id: &[u8; 16]) -> Vec<u8> {
    let mut out = Vec::with_capacity(length);
    out.extend_from_slice(&magic);
    out.extend_from_slice(&version.to_le_bytes());
    out.extend_from_slice(&crate::bytes::length_u32(length).to_le_bytes());
    out.extend_from_slice(store_id);
    out
}

/// Ends a header with its checksum.
pub(crate) fn seal(out: &mut Vec<u8>) {
    let checksum = crc32c::crc32c(out);
    out.extend_from_slice(&checksum.to_le_bytes());
}

/// Checks a header begun by [`head`] and ended by [`seal`]; returns version, store and what follows them. The checksum's place follows from
/// the header's own length, so a header of a later version is told apart from a damaged one.
pub(crate) fn open_head(bytes: &[u8], magic: [u8; 8]) -> Result<(u32, [u8; 16], Cursor<'_>), Damage> {
    let mut cursor = Cursor::new(bytes);
    if cursor.array::<8>().ok_or(Damage::CutShort)? != magic {
        return Err(Damage::Magic);
    }
    let version = cursor.u32().ok_or(Damage::CutShort)?;
    let length = crate::bytes::memory(u64::from(cursor.u32().ok_or(Damage::CutShort)?));
    if !(32 + 4..=HEADER_MOST).contains(&length) {
        return Err(Damage::Checksum);
    }
    let header = bytes.get(..length).ok_or(Damage::Checksum)?;
    let (covered, checksum) = header.split_last_chunk::<4>().ok_or(Damage::CutShort)?;
    if crc32c::crc32c(covered) != u32::from_le_bytes(*checksum) {
        return Err(Damage::Checksum);
    }
    let mut cursor = Cursor::new(covered);
    cursor.take(16).ok_or(Damage::CutShort)?;
    let store_id = cursor.array().ok_or(Damage::CutShort)?;
    Ok((version, store_id, cursor))
}
