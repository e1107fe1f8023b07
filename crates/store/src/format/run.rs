//! Key runs as bytes: header, blocks of keys, sparse index, footer.

use crate::bytes::{Cursor, length_u32, put_u48};
use crate::error::Damage;
use crate::format::frame::Seed;
use crate::format::segment::{Versioned, head, hex, open_head, seal};
use crate::types::{EntryKind, Place, Serial};

/// First bytes of a run.
pub(crate) const RUN_MAGIC: [u8; 8] = *b"WMKEYRUN";
/// Version of runs this program writes, and the newest it reads.
pub(crate) const RUN_VERSION: u32 = 1;
/// Bytes before the first block.
pub(crate) const RUN_HEADER: usize = 64;
/// Bytes of the footer.
pub(crate) const RUN_FOOTER: usize = 40;
/// Last bytes of a run.
const RUN_END: [u8; 4] = *b"nuRW";
/// Bytes of a block before its payload.
pub(crate) const BLOCK_HEADER: usize = 8;
/// Bytes of a block around its payload.
pub(crate) const BLOCK_OVERHEAD: usize = BLOCK_HEADER + 4;

/// Latest entry of a key, as a run or the tail knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyAt {
    /// Serial of the entry.
    pub(crate) serial: Serial,
    /// Put or delete.
    pub(crate) kind: EntryKind,
    /// Where it lies.
    pub(crate) place: Place,
}

/// What a run says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunHeader {
    /// Store it belongs to.
    pub(crate) store_id: [u8; 16],
    /// First serial of the segments it covers.
    pub(crate) first: Serial,
    /// Last serial of the segments it covers.
    pub(crate) last: Serial,
    /// How often its keys have been merged.
    pub(crate) level: u32,
}

impl RunHeader {
    /// The header's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = head(RUN_MAGIC, RUN_VERSION, RUN_HEADER, &self.store_id);
        out.extend_from_slice(&self.first.0.to_le_bytes());
        out.extend_from_slice(&self.last.0.to_le_bytes());
        out.extend_from_slice(&self.level.to_le_bytes());
        out.extend_from_slice(&[0; 8]);
        seal(&mut out);
        out
    }

    /// Reads a header from the front of a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Versioned<Self>, Damage> {
        let (version, store_id, mut cursor) = open_head(bytes, RUN_MAGIC)?;
        if version != RUN_VERSION {
            return Ok(Versioned::Unknown(version));
        }
        let mut read = || {
            let (first, last) = (Serial(cursor.u64()?), Serial(cursor.u64()?));
            Some(Self { store_id, first, last, level: cursor.u32()? })
        };
        let header = read().ok_or(Damage::CutShort)?;
        if header.first <= header.last { Ok(Versioned::Known(header)) } else { Err(Damage::Structure) }
    }

    /// Name of the run's file.
    pub(crate) fn file_name(&self) -> String {
        format!("run-{:012x}-{:012x}.run", self.first.0, self.last.0)
    }
}

/// First and last serial from the name of a run's file.
pub(crate) fn parse_run_name(name: &str) -> Option<(Serial, Serial)> {
    let (first, last) = name.strip_prefix("run-")?.strip_suffix(".run")?.split_once('-')?;
    Some((Serial(hex(first)?), Serial(hex(last)?)))
}

/// The end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunFooter {
    /// Offset of the sparse index.
    pub(crate) index_at: u64,
    /// Length of the sparse index with its frame.
    pub(crate) index_bytes: u64,
    /// Keys in the run.
    pub(crate) keys: u64,
    /// Blocks in the run.
    pub(crate) blocks: u64,
}

impl RunFooter {
    /// The footer's bytes when it lies at `at`.
    pub(crate) fn encode(&self, seed: Seed, at: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(RUN_FOOTER);
        for number in [self.index_at, self.index_bytes, self.keys, self.blocks] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        let checksum = seed.checksum(at, &out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out.extend_from_slice(&RUN_END);
        out
    }

    /// Reads the footer that lies at `at`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn decode(bytes: &[u8], seed: Seed, at: u64) -> Result<Self, Damage> {
        let (rest, end) = bytes.split_last_chunk::<4>().ok_or(Damage::CutShort)?;
        let (covered, checksum) = rest.split_last_chunk::<4>().ok_or(Damage::CutShort)?;
        if *end != RUN_END || seed.checksum(at, covered) != u32::from_le_bytes(*checksum) {
            return Err(Damage::Checksum);
        }
        let mut cursor = Cursor::new(covered);
        let mut read = || {
            Some(Self {
                index_at: cursor.u64()?,
                index_bytes: cursor.u64()?,
                keys: cursor.u64()?,
                blocks: cursor.u64()?,
            })
        };
        let footer = read().ok_or(Damage::CutShort)?;
        if footer.index_at.checked_add(footer.index_bytes) == Some(at) { Ok(footer) } else { Err(Damage::Structure) }
    }
}

/// Puts a frame of length, count and checksum around the payload in `block`, which begins with [`BLOCK_HEADER`] free bytes and will lie at
/// file offset `at`.
pub(crate) fn close_block(block: &mut Vec<u8>, count: usize, seed: Seed, at: u64) {
    let payload = length_u32(block.len().saturating_sub(BLOCK_HEADER));
    let head = [payload.to_le_bytes(), length_u32(count).to_le_bytes()].concat();
    if let Some(room) = block.get_mut(..BLOCK_HEADER) {
        room.copy_from_slice(&head);
    }
    let checksum = seed.checksum(at, block);
    block.extend_from_slice(&checksum.to_le_bytes());
}

/// Checks a block that lies at file offset `at`; returns its count and payload.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn open_block(bytes: &[u8], seed: Seed, at: u64) -> Result<(u32, &[u8]), Damage> {
    let (covered, checksum) = bytes.split_last_chunk::<4>().ok_or(Damage::CutShort)?;
    if seed.checksum(at, covered) != u32::from_le_bytes(*checksum) {
        return Err(Damage::Checksum);
    }
    let mut cursor = Cursor::new(covered);
    let (length, count) = (cursor.u32().ok_or(Damage::CutShort)?, cursor.u32().ok_or(Damage::CutShort)?);
    let payload = cursor.rest();
    if length_u32(payload.len()) == length { Ok((count, payload)) } else { Err(Damage::Structure) }
}

/// Appends one key to a block; `former` is the key before it in the same block.
pub(crate) fn encode_key(block: &mut Vec<u8>, former: &[u8], key: &[u8], at: &KeyAt) {
    let shared = former.iter().zip(key).take_while(|(a, b)| a == b).count();
    let rest = key.get(shared..).unwrap_or_default();
    for length in [shared, rest.len()] {
        block.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
    }
    block.push(at.kind.number());
    put_u48(block, at.serial.0);
    put_u48(block, at.place.0);
    block.extend_from_slice(rest);
}

/// Reads one key from a block's payload; `key` holds the key before it, where it is not the first of the block, and afterwards this one, which is
/// the greater one.
pub(crate) fn decode_key(payload: &mut Cursor<'_>, key: &mut Vec<u8>, is_first: bool) -> Result<KeyAt, Damage> {
    let mut read = || {
        let shared = usize::from(payload.u16()?);
        let rest = usize::from(payload.u16()?);
        let kind = EntryKind::new(payload.u8()?)?;
        let serial = Serial(payload.u48()?);
        let place = Place(payload.u48()?);
        let rest = payload.take(rest)?;
        // Merging relies on the order, so it is not believed.
        let ascends = key.get(shared..).is_some_and(|former| is_first || former < rest);
        ascends.then_some((shared, rest, KeyAt { serial, kind, place }))
    };
    let (shared, rest, at) = read().ok_or(Damage::Structure)?;
    key.truncate(shared);
    key.extend_from_slice(rest);
    Ok(at)
}

/// Where a block lies and which key it begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockAt {
    /// First key in the block.
    pub(crate) first: Box<[u8]>,
    /// File offset.
    pub(crate) offset: u64,
    /// Length with its frame.
    pub(crate) bytes: u32,
}

/// Appends one line of the sparse index.
pub(crate) fn encode_index_line(out: &mut Vec<u8>, line: &BlockAt) {
    out.extend_from_slice(&line.offset.to_le_bytes());
    out.extend_from_slice(&line.bytes.to_le_bytes());
    out.extend_from_slice(&u16::try_from(line.first.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(&line.first);
}

/// Reads one line of the sparse index.
pub(crate) fn decode_index_line(payload: &mut Cursor<'_>) -> Option<BlockAt> {
    let (offset, bytes, length) = (payload.u64()?, payload.u32()?, usize::from(payload.u16()?));
    Some(BlockAt { first: payload.take(length)?.into(), offset, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::frame::Seed;

    fn at(serial: u64) -> KeyAt {
        KeyAt { serial: Serial(serial), kind: EntryKind::PUT, place: Place(serial * 100) }
    }

    #[test]
    fn reads_back_keys_that_share_their_beginnings() {
        let keys: [&[u8]; 5] = [b"", b"20.1/A", b"20.1/AB", b"20.1/B", b"3"];
        let mut block = vec![0; BLOCK_HEADER];
        let mut former: &[u8] = b"";
        for (serial, key) in (1..).zip(keys) {
            encode_key(&mut block, former, key, &at(serial));
            former = key;
        }
        let seed = Seed::of_store(&[3; 16]);
        close_block(&mut block, keys.len(), seed, 4096);
        let (count, payload) = open_block(&block, seed, 4096).unwrap();
        assert_eq!(count, 5);
        let mut cursor = Cursor::new(payload);
        let mut key = Vec::new();
        for (serial, expected) in (1..).zip(keys) {
            assert_eq!(decode_key(&mut cursor, &mut key, serial == 1), Ok(at(serial)));
            assert_eq!(key, expected);
        }
        assert_eq!(decode_key(&mut cursor, &mut key, false), Err(Damage::Structure));
        assert_eq!(open_block(&block, seed, 4097), Err(Damage::Checksum));
        for length in 0..block.len() {
            assert!(open_block(&block[..length], seed, 4096).is_err());
        }
    }

    #[test]
    fn refuses_a_key_that_shares_more_than_there_is() {
        let mut block = Vec::new();
        encode_key(&mut block, b"abcdef", b"abcdef", &at(1));
        let mut key = b"abc".to_vec();
        assert_eq!(decode_key(&mut Cursor::new(&block), &mut key, false), Err(Damage::Structure));
    }

    #[test]
    fn refuses_keys_that_do_not_ascend() {
        let decoded = |former: &[u8], key: &[u8]| {
            let mut block = Vec::new();
            encode_key(&mut block, former, key, &at(1));
            decode_key(&mut Cursor::new(&block), &mut former.to_vec(), false)
        };
        assert_eq!(decoded(b"abc", b"abd"), Ok(at(1)));
        assert_eq!(decoded(b"abc", b"abca"), Ok(at(1)));
        for key in [&b"abc"[..], b"abb", b"ab", b""] {
            assert_eq!(decoded(b"abc", key), Err(Damage::Structure));
        }
        assert_eq!(decoded(b"", b""), Err(Damage::Structure));
    }

    #[test]
    fn names_runs_so_that_their_range_can_be_told() {
        let header = RunHeader { store_id: [0; 16], first: Serial(1), last: Serial(0xabc), level: 2 };
        assert_eq!(parse_run_name(&header.file_name()), Some((Serial(1), Serial(0xabc))));
        for name in ["run-1-2.run", "run-00000000000A-00000000000b.run", "run-000000000001.run", "x"] {
            assert_eq!(parse_run_name(name), None);
        }
    }
}
