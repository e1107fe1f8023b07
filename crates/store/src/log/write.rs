//! Appending groups: one write and one flush each.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use crate::bytes::offset;
use crate::config::{MARK_BYTES, SEALED_BACKLOG};
use crate::error::{CommitError, is_disk_full};
use crate::format::end::LogEnd;
use crate::format::frame::{
    GROUP_HEADER, GROUP_OVERHEAD, GroupHeader, encode_entry, encode_group_header, encode_group_trailer, entry_bytes,
};
use crate::format::segment::{FIRST_GROUP, SegmentHeader};
use crate::log::files::write_end;
use crate::log::marks::Mark;
use crate::log::segment::{CreateError, Segment, create_segment};
use crate::log::tail::Tail;
use crate::log::{KeySources, Log, Older, Sealed, lock};
use crate::medium::MediumFile;
use crate::types::{Committed, Group, Health, Place, Position, Serial, Timestamp};

/// The end of the log; whoever holds it may append.
#[derive(Debug)]
pub(crate) struct Writer {
    /// Segment appended to.
    pub(crate) segment: Arc<Segment>,
    /// Its file.
    pub(crate) file: Arc<dyn MediumFile>,
    /// File offset of the next group.
    pub(crate) at: u64,
    /// Serial of the next entry.
    pub(crate) next: Serial,
    /// Time of the last entry.
    pub(crate) time: Timestamp,
    /// The file was cut at `at` to take back a write that failed, and lacks its reserved room.
    pub(crate) cut: bool,
    /// No more commits.
    pub(crate) closed: bool,
    /// The frame being written; its memory is used again.
    pub(crate) frame: Vec<u8>,
}

impl Log {
    /// Refuses commits from now on.
    pub(crate) fn stop_writing(&self) {
        lock(&self.writer).closed = true;
    }

    /// Notes on the disk where the log ends, so that the next start can tell damage there from a write that was cut short.
    pub(crate) fn mark_end(&self) {
        let writer = lock(&self.writer);
        let Position { serial, time } = self.last();
        if serial.0 <= self.marked_end.load(Ordering::Acquire) || self.health() == Health::Poisoned {
            return;
        }
        let end = LogEnd { serial, place: writer.segment.end(), time };
        // Best effort: without the mark a damaged end is taken for one that was not finished, as after a crash.
        if write_end(&*self.medium, &self.dir, &self.identity.store_id, &end).is_ok() {
            self.marked_end.store(serial.0, Ordering::Release);
        }
    }

    /// Commits a group. The order matters: write, flush, let readers read, make keys findable, move the end.
    pub(crate) fn commit(&self, now: Timestamp, group: &Group) -> Result<Committed, CommitError> {
        let mut writer = lock(&self.writer);
        let writer = &mut *writer;
        if self.health() == Health::Poisoned {
            return Err(CommitError::Poisoned);
        }
        if writer.closed {
            return Err(CommitError::Closed);
        }
        if group.is_empty() {
            return Err(CommitError::EmptyGroup);
        }
        let count = offset(group.len());
        if writer.next.0 + count > Serial::MAX.0 {
            return Err(CommitError::Exhausted);
        }
        self.make_room(writer, offset(group.bytes() + GROUP_OVERHEAD))?;
        let time = now.max(writer.time).min(Timestamp::MAX);
        let places = encode(self, writer, time, group);
        self.put(writer)?;
        Ok(self.publish(writer, time, group, places))
    }

    /// Makes sure that `bytes` fit behind the last group.
    fn make_room(&self, writer: &mut Writer, bytes: u64) -> Result<(), CommitError> {
        if writer.cut {
            writer.file.allocate(writer.segment.capacity).map_err(|error| self.refused(error))?;
            writer.cut = false;
        }
        if writer.at + bytes > writer.segment.capacity { self.begin_segment(writer, bytes) } else { Ok(()) }
    }

    /// Seals the segment and begins the next one, large enough for a group of `bytes`.
    fn begin_segment(&self, writer: &mut Writer, bytes: u64) -> Result<(), CommitError> {
        while self.sources().sealed().count() >= SEALED_BACKLOG {
            self.make_oldest_run().map_err(|error| self.refused(error))?;
        }
        let header = SegmentHeader {
            store_id: self.identity.store_id,
            base: writer.segment.end(),
            capacity: self.segment_bytes.max((FIRST_GROUP + bytes).next_multiple_of(4096)),
            first: writer.next,
            time: writer.time,
        };
        if header.base + header.capacity > Place::END {
            return Err(CommitError::Exhausted);
        }
        let file = create_segment(&*self.medium, &self.dir, &header).map_err(|error| match error {
            CreateError::Refused(error) => self.refused(error),
            CreateError::Flush => self.poison(),
        })?;
        let segment = Arc::new(Segment::new(&self.dir, &header, FIRST_GROUP));
        self.open.exchange(&segment, &file);
        self.seal(writer.segment.first, writer.next);
        self.segments.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&segment));
        writer.segment = segment;
        writer.file = file;
        writer.at = FIRST_GROUP;
        self.upkeep.wake(self);
        Ok(())
    }

    /// Hands the keys of the full segment over to be made into a run.
    fn seal(&self, first: Serial, next: Serial) {
        let _changing = self.upkeep.changing();
        let mut sources = KeySources::clone(&self.sources());
        let tail = std::mem::replace(&mut sources.active, Arc::new(Tail::default()));
        // A segment no group fitted into has no serials, and needs no run.
        if first < next {
            sources.older.insert(0, Older::Sealed(Sealed { tail, first, last: Serial(next.0 - 1) }));
        }
        self.set_sources(sources);
    }

    /// Writes the encoded frame and flushes it.
    fn put(&self, writer: &mut Writer) -> Result<(), CommitError> {
        if let Err(error) = writer.file.write_at(&writer.frame, writer.at) {
            return Err(self.take_back(writer, error));
        }
        writer.file.sync().map_err(|_| self.poison())
    }

    /// Takes back a write that failed, so that no part of it is ever found: cuts the file, which needs no room, and flushes the cut. The room
    /// is reserved again by the next commit.
    fn take_back(&self, writer: &mut Writer, error: std::io::Error) -> CommitError {
        writer.cut = true;
        let cut = writer.file.set_len(writer.at).and_then(|()| writer.file.sync());
        if cut.is_ok() { self.refused(error) } else { self.poison() }
    }

    /// Lets the group be seen.
    fn publish(&self, writer: &mut Writer, time: Timestamp, group: &Group, places: Vec<Place>) -> Committed {
        let first = writer.next;
        let last = Serial(first.0 + offset(group.len()) - 1);
        self.mark(writer, last.next(), &places);
        writer.at += offset(writer.frame.len());
        writer.next = last.next();
        writer.time = time;
        writer.segment.set_readable(writer.at);
        let numbered = (first.0..).map(Serial).zip(&places);
        let keys =
            group.entries().zip(numbered).map(|(draft, (serial, place))| (draft.key, serial, draft.kind, *place));
        self.sources().active.extend(keys);
        *self.position.write().unwrap_or_else(PoisonError::into_inner) = Position { serial: last, time };
        self.set_health(Health::Writable);
        Committed { first, last, places, time }
    }

    /// Remembers where some of the group's entries lie.
    fn mark(&self, writer: &Writer, group_next: Serial, places: &[Place]) {
        let base = writer.segment.base;
        let (group_first, group_at) = (writer.next, writer.at);
        let group_end = group_at + offset(writer.frame.len());
        let mut free_from = 0;
        let far = (group_first.0..).map(Serial).zip(places).filter_map(|(serial, place)| {
            let at = place.0.saturating_sub(base);
            (at >= free_from).then(|| {
                free_from = at + MARK_BYTES;
                Mark { serial, at, group_first, group_at, group_next, group_end }
            })
        });
        self.marks.add(base, far);
    }

    /// What a refusing disk means for the commit under way.
    fn refused(&self, error: std::io::Error) -> CommitError {
        if is_disk_full(&error) {
            self.set_health(Health::DiskFull);
            CommitError::DiskFull
        } else {
            CommitError::Io(error)
        }
    }

    /// Ends all writing for good.
    fn poison(&self) -> CommitError {
        self.set_health(Health::Poisoned);
        CommitError::Poisoned
    }
}

/// Encodes the group into the writer's frame; returns the place of each entry.
fn encode(log: &Log, writer: &mut Writer, time: Timestamp, group: &Group) -> Vec<Place> {
    let start = writer.segment.base + writer.at;
    let mut places = Vec::with_capacity(group.len());
    let frame = &mut writer.frame;
    frame.clear();
    frame.reserve(group.bytes() + GROUP_OVERHEAD);
    let header = GroupHeader { length: group.bytes() + GROUP_OVERHEAD, first: writer.next, count: offset(group.len()) };
    let mut sum = encode_group_header(frame, log.seed, start, &header);
    debug_assert_eq!(frame.len(), GROUP_HEADER);
    let mut serial = writer.next;
    for draft in group.entries() {
        let place = Place(start + offset(frame.len()));
        sum.add(encode_entry(frame, log.seed, place, serial, time, &draft));
        debug_assert_eq!(
            place.0 + offset(entry_bytes(draft.actor.len(), draft.key.len(), draft.body.len(), draft.previous)),
            start + offset(frame.len())
        );
        places.push(place);
        serial = serial.next();
    }
    encode_group_trailer(frame, sum);
    places
}
