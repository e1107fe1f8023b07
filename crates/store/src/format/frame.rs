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

/// Appends one entry that will lie at `place`; returns its checksum.
pub(crate) fn encode_entry(
    out: &mut Vec<u8>,
    seed: Seed,
    place: Place,
    serial: Serial,
    time: Timestamp,
    draft: &DraftEntry<'_>,
) -> u32 {
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
    checksum
}

/// Replaces the body of the entry `bytes` begin with, which lies at `place`, by one of the same length, and its checksum.
pub(crate) fn exchange_body(bytes: &mut [u8], seed: Seed, place: Place, body: &[u8]) {
    let Some(entry) = entry_length(bytes).and_then(|length| bytes.get_mut(..length)) else { return };
    let Some((covered, checksum)) = entry.split_last_chunk_mut::<CHECKSUM_BYTES>() else { return };
    let body_at = covered.len().saturating_sub(body.len());
    if let Some(room) = covered.get_mut(body_at..).filter(|room| room.len() == body.len()) {
        room.copy_from_slice(body);
    }
    *checksum = seed.checksum(place.0, covered).to_le_bytes();
}

/// Length of the entry that begins with `bytes`, when it can be one; `None` when more bytes are needed or no entry begins so.
pub(crate) fn entry_length(bytes: &[u8]) -> Option<usize> {
    let length = usize::try_from(Cursor::new(bytes).u32()?).ok()?;
    (ENTRY_LEAST..=MAX_GROUP_BYTES).contains(&length).then_some(length)
}

/// Verifies the checksum of the entry that is exactly `bytes` and lies at `place`; returns the bytes it covers and itself.
fn verify_entry(bytes: &[u8], seed: Seed, place: u64) -> Result<(&[u8], u32), Damage> {
    let (covered, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(Damage::CutShort)?;
    let checksum = u32::from_le_bytes(*checksum);
    if seed.checksum(place, covered) == checksum { Ok((covered, checksum)) } else { Err(Damage::Checksum) }
}

/// Reads the entry that is exactly `bytes` and lies at `place`.
///
/// # Errors
/// What is wrong with it; the checksum is looked at first.
pub(crate) fn parse_entry(bytes: &[u8], seed: Seed, place: Place) -> Result<Entry<'_>, Damage> {
    let (covered, _) = verify_entry(bytes, seed, place.0)?;
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

/// Checksum of a group: over its header and the checksums of its entries, not over the entries themselves. Those are verified one by one, and
/// over bytes that end with their own checksum every checksum of this kind is the same, so it would not notice an entry exchanged for another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupSum(u32);

impl GroupSum {
    /// Of a group at `place` with these header bytes and no entries yet.
    fn of_header(seed: Seed, place: u64, header: &[u8]) -> Self {
        Self(seed.checksum(place, header))
    }

    /// Takes in the checksum of the next entry.
    pub(crate) fn add(&mut self, checksum: u32) {
        self.0 = crc32c::crc32c_append(self.0, &checksum.to_le_bytes());
    }
}

/// Appends the header of a group that will lie at `place`; `length` counts the whole frame.
pub(crate) fn encode_group_header(out: &mut Vec<u8>, seed: Seed, place: u64, header: &GroupHeader) -> GroupSum {
    let start = out.len();
    out.extend_from_slice(&GROUP_MAGIC);
    out.extend_from_slice(&length_u32(header.length).to_le_bytes());
    out.extend_from_slice(&header.first.0.to_le_bytes());
    out.extend_from_slice(&u32::try_from(header.count).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    let covered = out.get(start..).unwrap_or_default();
    let (checksum, sum) = (seed.checksum(place, covered), GroupSum::of_header(seed, place, covered));
    out.extend_from_slice(&checksum.to_le_bytes());
    sum
}

/// Appends the trailer of the group whose entries `sum` has taken in.
pub(crate) fn encode_group_trailer(out: &mut Vec<u8>, sum: GroupSum) {
    out.extend_from_slice(&sum.0.to_le_bytes());
    out.extend_from_slice(&GROUP_END);
}

/// Writes the trailer of the group `frame` at `place` anew after entries of it were exchanged.
pub(crate) fn close_group_again(frame: &mut [u8], seed: Seed, place: u64) {
    let Some((head, rest)) = frame.split_at_mut_checked(GROUP_HEADER) else { return };
    let mut sum = GroupSum::of_header(seed, place, head.get(..GROUP_HEADER - CHECKSUM_BYTES).unwrap_or_default());
    let Some((entries, trailer)) = rest.split_last_chunk_mut::<GROUP_TRAILER>() else { return };
    let mut entries = &*entries;
    while let Some((entry, behind)) = entry_length(entries).and_then(|length| entries.split_at_checked(length)) {
        let checksum = entry.last_chunk::<CHECKSUM_BYTES>().copied().unwrap_or_default();
        sum.add(u32::from_le_bytes(checksum));
        entries = behind;
    }
    if let Some(checksum) = trailer.first_chunk_mut::<CHECKSUM_BYTES>() {
        *checksum = sum.0.to_le_bytes();
    }
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

/// Checks a whole frame at `place`, entries included, and returns the bytes of the entries.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_group(frame: &[u8], seed: Seed, place: u64) -> Result<(GroupHeader, &[u8]), Damage> {
    let header = parse_group_header(frame, seed, place)?;
    let frame = Cursor::new(frame).take(header.length).ok_or(Damage::CutShort)?;
    let (rest, end) = frame.split_last_chunk::<4>().ok_or(Damage::CutShort)?;
    let (covered, checksum) = rest.split_last_chunk::<4>().ok_or(Damage::CutShort)?;
    if *end != GROUP_END {
        return Err(Damage::EndMark);
    }
    let (head, entries) = covered.split_at_checked(GROUP_HEADER).ok_or(Damage::CutShort)?;
    let head = head.get(..GROUP_HEADER - CHECKSUM_BYTES).unwrap_or_default();
    let mut sum = GroupSum::of_header(seed, place, head);
    let (mut rest, mut at) = (entries, place + crate::bytes::offset(GROUP_HEADER));
    for _ in 0..header.count {
        let length = entry_length(rest).ok_or(Damage::Structure)?;
        let (entry, behind) = rest.split_at_checked(length).ok_or(Damage::CutShort)?;
        let (_, checksum) = verify_entry(entry, seed, at)?;
        sum.add(checksum);
        rest = behind;
        at += crate::bytes::offset(length);
    }
    if rest.is_empty() && sum.0 == u32::from_le_bytes(*checksum) {
        Ok((header, entries))
    } else {
        Err(Damage::Checksum)
    }
}

/// The entries of a group whose checksums have been verified, one after the other; ends after the first that makes no sense all the same.
#[derive(Debug)]
pub(crate) struct Entries<'a> {
    rest: &'a [u8],
    place: u64,
    next: Serial,
    end: Serial,
}

impl<'a> Entries<'a> {
    /// Entries in `bytes`, the first of which lies at `place`, of the group with `header`.
    pub(crate) const fn new(bytes: &'a [u8], place: u64, header: &GroupHeader) -> Self {
        Self { rest: bytes, place, next: header.first, end: header.next() }
    }

    fn step(&mut self) -> Result<Entry<'a>, Damage> {
        let length = entry_length(self.rest).ok_or(Damage::Structure)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Damage::CutShort)?;
        let (covered, _) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(Damage::CutShort)?;
        let entry = read_entry(covered, Place(self.place)).ok_or(Damage::Structure)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::offset;

    const SEED: Seed = Seed(0x1234_5678);
    const PLACE: u64 = 0x4000;

    fn draft<'d>(previous: Serial, actor: &'d [u8], key: &'d [u8], body: &'d [u8]) -> DraftEntry<'d> {
        DraftEntry { kind: EntryKind::PUT, previous, actor, key, body }
    }

    /// A group of two entries, as it lies at [`PLACE`].
    fn group() -> Vec<u8> {
        group_of(b"body")
    }

    fn group_of(body: &[u8]) -> Vec<u8> {
        let drafts = [draft(Serial::NONE, b"a", b"key", body), draft(Serial(3), b"", b"k", b"")];
        let length: usize =
            drafts.iter().map(|d| entry_bytes(d.actor.len(), d.key.len(), d.body.len(), d.previous)).sum();
        let header = GroupHeader { length: length + GROUP_OVERHEAD, first: Serial(9), count: 2 };
        let mut out = Vec::new();
        let mut sum = encode_group_header(&mut out, SEED, PLACE, &header);
        for (serial, draft) in (9..).map(Serial).zip(&drafts) {
            let place = Place(PLACE + offset(out.len()));
            sum.add(encode_entry(&mut out, SEED, place, serial, Timestamp(77), draft));
        }
        encode_group_trailer(&mut out, sum);
        assert_eq!(out.len(), header.length);
        out
    }

    #[test]
    fn lays_an_entry_out_as_documented() {
        let mut out = Vec::new();
        let entry = draft(Serial(0x0102), b"ab", b"key", b"body!");
        encode_entry(&mut out, SEED, Place(PLACE), Serial(0x0304), Timestamp(0x0506_0708_090a), &entry);
        let expected = [
            &[40, 0, 0, 0, 0x81, 2, 3, 0][..],
            &[4, 3, 0, 0, 0, 0],
            &[0x0a, 9, 8, 7, 6, 5],
            &[2, 1, 0, 0, 0, 0],
            b"abkeybody!",
        ]
        .concat();
        assert_eq!(out[..36], expected);
        assert_eq!(out[36..], SEED.checksum(PLACE, &expected).to_le_bytes());
        let read = parse_entry(&out, SEED, Place(PLACE)).unwrap();
        assert_eq!(
            (read.serial, read.time, read.previous),
            (Serial(0x0304), Timestamp(0x0506_0708_090a), Serial(0x0102))
        );
        assert_eq!((read.actor, read.key, read.body), (&b"ab"[..], &b"key"[..], &b"body!"[..]));
    }

    #[test]
    fn leaves_out_a_previous_serial_that_is_none() {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        encode_entry(&mut with, SEED, Place(1), Serial(2), Timestamp(0), &draft(Serial(1), b"", b"k", b""));
        encode_entry(&mut without, SEED, Place(1), Serial(2), Timestamp(0), &draft(Serial::NONE, b"", b"k", b""));
        assert_eq!(with.len() - without.len(), PREVIOUS_BYTES);
        assert_eq!(parse_entry(&without, SEED, Place(1)).unwrap().previous, Serial::NONE);
    }

    #[test]
    fn reads_back_a_group() {
        let frame = group();
        let (header, entries) = check_group(&frame, SEED, PLACE).unwrap();
        assert_eq!((header.first, header.next()), (Serial(9), Serial(11)));
        let start = PLACE + offset(GROUP_HEADER);
        let entries: Vec<_> = Entries::new(entries, start, &header).map(Result::unwrap).collect();
        let read: Vec<_> = entries.iter().map(|entry| (entry.serial.0, entry.key, entry.previous.0)).collect();
        assert_eq!(read, [(9, &b"key"[..], 0), (10, &b"k"[..], 3)]);
        assert_eq!(entries[0].place, Place(start));
    }

    #[test]
    fn refuses_every_truncation_and_every_flipped_bit() {
        let frame = group();
        for length in 0..frame.len() {
            assert!(check_group(&frame[..length], SEED, PLACE).is_err(), "{length} bytes");
        }
        for at in 0..frame.len() {
            for bit in 0..8 {
                let mut damaged = frame.clone();
                damaged[at] ^= 1 << bit;
                assert!(check_group(&damaged, SEED, PLACE).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn refuses_an_entry_exchanged_for_another_sound_one_of_the_same_place() {
        let (mut frame, other) = (group_of(b"body"), group_of(b"BODY"));
        let entry = GROUP_HEADER..GROUP_HEADER + entry_bytes(1, 3, 4, Serial::NONE);
        frame[entry.clone()].copy_from_slice(&other[entry.clone()]);
        let place = Place(PLACE + offset(GROUP_HEADER));
        assert_eq!(parse_entry(&frame[entry], SEED, place).unwrap().body, b"BODY");
        assert_eq!(check_group(&frame, SEED, PLACE), Err(Damage::Checksum));
    }

    #[test]
    fn refuses_bytes_at_another_place_or_of_another_store() {
        let frame = group();
        assert_eq!(check_group(&frame, SEED, PLACE + 1), Err(Damage::Checksum));
        assert_eq!(check_group(&frame, Seed(1), PLACE), Err(Damage::Checksum));
        let mut entry = Vec::new();
        encode_entry(&mut entry, SEED, Place(5), Serial(1), Timestamp(0), &draft(Serial::NONE, b"", b"k", b"b"));
        assert!(parse_entry(&entry, SEED, Place(5)).is_ok());
        assert_eq!(parse_entry(&entry, SEED, Place(6)), Err(Damage::Checksum));
    }

    #[test]
    fn refuses_group_headers_out_of_range_although_their_checksum_is_right() {
        let good = GroupHeader { length: 100, first: Serial(1), count: 1 };
        let bad = [
            GroupHeader { count: 0, ..good },
            GroupHeader { count: offset(MAX_GROUP_ENTRIES) + 1, ..good },
            GroupHeader { length: GROUP_OVERHEAD + ENTRY_LEAST - 1, ..good },
            GroupHeader { length: MAX_GROUP_BYTES + 1, ..good },
            GroupHeader { first: Serial::NONE, ..good },
            GroupHeader { first: Serial(u64::MAX), ..good },
        ];
        for (header, sound) in bad.into_iter().map(|header| (header, false)).chain([(good, true)]) {
            let mut out = Vec::new();
            encode_group_header(&mut out, SEED, PLACE, &header);
            let expected = if sound { Ok(header) } else { Err(Damage::Structure) };
            assert_eq!(parse_group_header(&out, SEED, PLACE), expected);
        }
    }

    #[test]
    fn refuses_entry_lengths_that_no_entry_has() {
        for length in [0, offset(ENTRY_LEAST) - 1, offset(MAX_GROUP_BYTES) + 1, u64::from(u32::MAX)] {
            assert_eq!(entry_length(&u32::try_from(length).unwrap().to_le_bytes()), None);
        }
        assert_eq!(entry_length(&[1, 2, 3]), None);
    }

    #[test]
    fn refuses_entries_whose_parts_are_longer_than_they_are() {
        let mut entry = Vec::new();
        encode_entry(&mut entry, SEED, Place(5), Serial(1), Timestamp(0), &draft(Serial::NONE, b"", b"k", b"b"));
        for (at, value) in [(0, 99), (4, 0), (5, 200), (6, 200)] {
            let mut wrong = entry[..entry.len() - 4].to_vec();
            wrong[at] = value;
            let checksum = SEED.checksum(5, &wrong);
            wrong.extend_from_slice(&checksum.to_le_bytes());
            assert_eq!(parse_entry(&wrong, SEED, Place(5)), Err(Damage::Structure), "byte {at}");
        }
    }
}
