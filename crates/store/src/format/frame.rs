//! Group frames and entries, as bytes.

use crate::bytes::{Cursor, length_u32, put_u48};
use crate::config::{MAX_GROUP_BYTES, MAX_GROUP_ENTRIES};
use crate::error::Damage;
use crate::types::{DraftEntry, Entry, EntryKind, Place, Serial, Timestamp};

/// First bytes of every group.
pub(crate) const GROUP_MAGIC: [u8; 4] = *b"WMgr";
/// Last bytes of every group.
pub(crate) const GROUP_END: [u8; 4] = *b"rgMW";
/// Bytes of a group before its first entry.
pub(crate) const GROUP_HEADER: usize = 32;
/// Bytes of a group after its last entry: checksum and end mark.
pub(crate) const GROUP_TRAILER: usize = 8;
/// Bytes of a group around its entries.
pub(crate) const GROUP_OVERHEAD: usize = GROUP_HEADER + GROUP_TRAILER;
/// Bytes of an entry before its actor, without the previous serial.
const ENTRY_HEADER: usize = 20;
/// Bytes of the previous serial, where there is one.
const PREVIOUS_BYTES: usize = 6;
/// Bytes of an entry's checksum.
const CHECKSUM_BYTES: usize = 4;
/// Smallest entry.
pub(crate) const ENTRY_LEAST: usize = ENTRY_HEADER + CHECKSUM_BYTES;
/// Bit in the kind byte that says that a previous serial follows.
const HAS_PREVIOUS: u8 = 0x80;

/// Start value of the checksums of one store, so that bytes copied from another one are not taken for its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seed(u32);

impl Seed {
    /// The seed of the store with this id.
    pub(crate) fn of_store(store_id: &[u8; 16]) -> Self {
        Self(crc32c::crc32c(store_id))
    }

    /// Checksum of `bytes` that lie at `place`: bytes that a disk wrote to or read from a wrong place do not match.
    pub(crate) fn checksum(self, place: u64, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(self.0, &place.to_le_bytes()), bytes)
    }
}

/// Bytes an entry takes in the log.
pub(crate) fn entry_bytes(actor: usize, key: usize, body: usize, previous: Serial) -> usize {
    let previous = if previous.is_some() { PREVIOUS_BYTES } else { 0 };
    ENTRY_HEADER + previous + actor + key + body + CHECKSUM_BYTES
}

/// Appends one entry that will lie at `place`.
pub(crate) fn encode_entry(
    out: &mut Vec<u8>,
    seed: Seed,
    place: Place,
    serial: Serial,
    time: Timestamp,
    draft: &DraftEntry<'_>,
) {
    let start = out.len();
    let length = entry_bytes(draft.actor.len(), draft.key.len(), draft.body.len(), draft.previous);
    let flag = if draft.previous.is_some() { HAS_PREVIOUS } else { 0 };
    out.extend_from_slice(&length_u32(length).to_le_bytes());
    out.push(draft.kind.number() | flag);
    out.push(u8::try_from(draft.actor.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(&u16::try_from(draft.key.len()).unwrap_or(u16::MAX).to_le_bytes());
    put_u48(out, serial.0);
    put_u48(out, time.0);
    if draft.previous.is_some() {
        put_u48(out, draft.previous.0);
    }
    out.extend_from_slice(draft.actor);
    out.extend_from_slice(draft.key);
    out.extend_from_slice(draft.body);
    let checksum = seed.checksum(place.0, out.get(start..).unwrap_or_default());
    out.extend_from_slice(&checksum.to_le_bytes());
}

/// Length of the entry that begins with `bytes`, when it can be one; `None` when more bytes are needed or no entry begins so.
pub(crate) fn entry_length(bytes: &[u8]) -> Option<usize> {
    let length = usize::try_from(Cursor::new(bytes).u32()?).ok()?;
    (ENTRY_LEAST..=MAX_GROUP_BYTES).contains(&length).then_some(length)
}

/// Reads the entry that is exactly `bytes` and lies at `place`.
///
/// # Errors
/// What is wrong with it; the checksum is looked at first.
pub(crate) fn parse_entry(bytes: &[u8], seed: Seed, place: Place) -> Result<Entry<'_>, Damage> {
    let (covered, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(Damage::CutShort)?;
    if seed.checksum(place.0, covered) != u32::from_le_bytes(*checksum) {
        return Err(Damage::Checksum);
    }
    read_entry(covered, place).filter(|_| entry_length(bytes) == Some(bytes.len())).ok_or(Damage::Structure)
}

fn read_entry(covered: &[u8], place: Place) -> Option<Entry<'_>> {
    let mut cursor = Cursor::new(covered);
    cursor.u32()?;
    let kind = cursor.u8()?;
    let actor = usize::from(cursor.u8()?);
    let key = usize::from(cursor.u16()?);
    let serial = Serial(cursor.u48()?);
    let time = Timestamp(cursor.u48()?);
    let previous = if kind & HAS_PREVIOUS == 0 { Serial::NONE } else { Serial(cursor.u48()?) };
    let kind = EntryKind::new(kind & !HAS_PREVIOUS)?;
    let actor = cursor.take(actor)?;
    let key = cursor.take(key)?;
    Some(Entry { serial, time, kind, place, previous, actor, key, body: cursor.rest() })
}

/// What a group says about itself before its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupHeader {
    /// Bytes of the whole frame, with header and trailer.
    pub(crate) length: usize,
    /// Serial of its first entry.
    pub(crate) first: Serial,
    /// Number of entries.
    pub(crate) count: u64,
}

impl GroupHeader {
    /// Serial after its last entry.
    pub(crate) const fn next(&self) -> Serial {
        Serial(self.first.0.saturating_add(self.count))
    }
}

/// Appends the header of a group that will lie at `place`; `length` counts the whole frame.
pub(crate) fn encode_group_header(out: &mut Vec<u8>, seed: Seed, place: u64, header: &GroupHeader) {
    let start = out.len();
    out.extend_from_slice(&GROUP_MAGIC);
    out.extend_from_slice(&length_u32(header.length).to_le_bytes());
    out.extend_from_slice(&header.first.0.to_le_bytes());
    out.extend_from_slice(&u32::try_from(header.count).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    let checksum = seed.checksum(place, out.get(start..).unwrap_or_default());
    out.extend_from_slice(&checksum.to_le_bytes());
}

/// Appends the trailer of the group that begins at `start` in `out` and will lie at `place`.
pub(crate) fn encode_group_trailer(out: &mut Vec<u8>, seed: Seed, place: u64, start: usize) {
    let checksum = seed.checksum(place, out.get(start..).unwrap_or_default());
    out.extend_from_slice(&checksum.to_le_bytes());
    out.extend_from_slice(&GROUP_END);
}

/// Reads the header of a group at `place` from the front of `bytes`.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse_group_header(bytes: &[u8], seed: Seed, place: u64) -> Result<GroupHeader, Damage> {
    let mut cursor = Cursor::new(bytes);
    let covered = Cursor::new(bytes).take(GROUP_HEADER - CHECKSUM_BYTES).ok_or(Damage::CutShort)?;
    let mut read = || {
        let magic = cursor.array::<4>()?;
        let length = cursor.u32()?;
        let first = cursor.u64()?;
        let count = cursor.u32()?;
        cursor.take(8)?;
        Some((magic, length, first, count, cursor.u32()?))
    };
    let (magic, length, first, count, checksum) = read().ok_or(Damage::CutShort)?;
    if magic != GROUP_MAGIC {
        return Err(Damage::Magic);
    }
    if seed.checksum(place, covered) != checksum {
        return Err(Damage::Checksum);
    }
    let header = GroupHeader {
        length: usize::try_from(length).map_err(|_| Damage::Structure)?,
        first: Serial(first),
        count: u64::from(count),
    };
    let plausible = header.count >= 1
        && header.count <= crate::bytes::offset(MAX_GROUP_ENTRIES)
        && header.length <= MAX_GROUP_BYTES
        && header.length >= GROUP_OVERHEAD + ENTRY_LEAST
        && header.first.is_some()
        && header.next() <= Serial::MAX.next();
    if plausible { Ok(header) } else { Err(Damage::Structure) }
}

/// Checks a whole frame at `place` and returns the bytes of its entries.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_group<'a>(frame: &'a [u8], seed: Seed, place: u64) -> Result<(GroupHeader, &'a [u8]), Damage> {
    let header = parse_group_header(frame, seed, place)?;
    let frame = Cursor::new(frame).take(header.length).ok_or(Damage::CutShort)?;
    let (rest, end) = frame.split_last_chunk::<4>().ok_or(Damage::CutShort)?;
    let (covered, checksum) = rest.split_last_chunk::<4>().ok_or(Damage::CutShort)?;
    if *end != GROUP_END {
        return Err(Damage::EndMark);
    }
    if seed.checksum(place, covered) != u32::from_le_bytes(*checksum) {
        return Err(Damage::Checksum);
    }
    Ok((header, covered.get(GROUP_HEADER..).ok_or(Damage::CutShort)?))
}

/// The entries of a group, one after the other; ends after the first damage.
#[derive(Debug)]
pub(crate) struct Entries<'a> {
    rest: &'a [u8],
    seed: Seed,
    place: u64,
    next: Serial,
    end: Serial,
}

impl<'a> Entries<'a> {
    /// Entries in `bytes`, the first of which lies at `place`, of the group with `header`.
    pub(crate) const fn new(bytes: &'a [u8], seed: Seed, place: u64, header: &GroupHeader) -> Self {
        Self { rest: bytes, seed, place, next: header.first, end: header.next() }
    }

    fn step(&mut self) -> Result<Entry<'a>, Damage> {
        let length = entry_length(self.rest).ok_or(Damage::Structure)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Damage::CutShort)?;
        let entry = parse_entry(bytes, self.seed, Place(self.place))?;
        if entry.serial != self.next {
            return Err(Damage::SerialOrder);
        }
        self.rest = rest;
        self.place += crate::bytes::offset(length);
        self.next = self.next.next();
        Ok(entry)
    }
}

impl<'a> Iterator for Entries<'a> {
    /// An entry, or the place and kind of damage.
    type Item = Result<Entry<'a>, (u64, Damage)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.end && self.rest.is_empty() {
            return None;
        }
        let item = if self.next == self.end { Err(Damage::Structure) } else { self.step() };
        Some(item.map_err(|what| {
            let place = self.place;
            self.rest = &[];
            self.next = self.end;
            (place, what)
        }))
    }
}
