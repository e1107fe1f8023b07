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

/// Reads one key from a block's payload; `key` holds the key before it and afterwards this one.
pub(crate) fn decode_key(payload: &mut Cursor<'_>, key: &mut Vec<u8>) -> Result<KeyAt, Damage> {
    let mut read = || {
        let shared = usize::from(payload.u16()?);
        let rest = usize::from(payload.u16()?);
        let kind = EntryKind::new(payload.u8()?)?;
        let serial = Serial(payload.u48()?);
        let place = Place(payload.u48()?);
        let rest = payload.take(rest)?;
        (shared <= key.len()).then_some((shared, rest, KeyAt { serial, kind, place }))
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
