//! Finding an entry by its serial or by a time.
//!
//! A segment tells where its groups lie only to whoever goes through it. So a look for a serial halves the part of the segment it can be in:
//! whole group headers are found by their first bytes and their checksum, from any offset. What is met on the way is kept as [`Marks`], so that
//! the next look begins near its end. Damage is none of this file's business: whatever does not fit ends the quick look, and going through the
//! segment group by group then tells what is wrong, or finds the entry all the same.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::by_time::first_at;
use crate::bytes::offset;
use crate::config::{MARK_BYTES, SEEK_READ_BYTES};
use crate::error::{Damage, FollowError, ReadError};
use crate::format::frame;
use crate::format::segment::FIRST_GROUP;
use crate::log::Log;
use crate::log::marks::Mark;
use crate::log::segment::Segment;
use crate::log::window::Window;
use crate::types::{Entry, Place, Serial, Timestamp};

impl Log {
    /// The entry with this serial; `None` behind the end.
    pub(crate) fn read_serial<'b>(
        &self,
        serial: Serial,
        buffer: &'b mut Vec<u8>,
    ) -> Result<Option<Entry<'b>>, FollowError> {
        if !serial.is_some() || serial > self.last().serial {
            return Ok(None);
        }
        let (segment, end) = self.segment_with(serial)?;
        let place = match self.quick_look(&segment, end, serial, buffer)? {
            Some(place) => place,
            None => self.place_by_following(serial)?,
        };
        let entry = self.read(place, buffer).map_err(|error| FollowError::of_entry(serial, error))?;
        if entry.serial == serial {
            Ok(Some(entry))
        } else {
            Err(FollowError::of_entry(serial, self.misplaced(place, Damage::SerialOrder)))
        }
    }

    /// The first serial whose entry was made at or after `time`: first by the times segments begin with, then within one.
    pub(crate) fn serial_at(&self, time: Timestamp) -> Result<Serial, FollowError> {
        let end = self.last().serial.next();
        let segments = self.segments();
        let oldest = segments.first().map_or(end, |segment| segment.first);
        let begun: Vec<_> = segments.iter().filter_map(|segment| Some((segment.after?, segment.first))).collect();
        let late = begun.partition_point(|(after, _)| *after < time);
        let first = |index: usize| begun.get(index).map(|(_, first)| *first);
        let low = late.checked_sub(1).and_then(first).unwrap_or(oldest);
        let high = first(late).map_or(end, |first| first.min(end).max(low));
        let mut buffer = Vec::new();
        first_at(low, high, time, &mut |serial| {
            let entry = self.read_serial(serial, &mut buffer)?;
            Ok(entry.map_or(Timestamp::MAX, |entry| entry.time))
        })
    }

    /// The segment that holds `serial`, and the serial its entries end before.
    fn segment_with(&self, serial: Serial) -> Result<(Arc<Segment>, Serial), FollowError> {
        let segments = self.segments.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let after = segments.partition_point(|segment| segment.first <= serial);
        let found = after.checked_sub(1).and_then(|index| segments.get(index));
        let next = segments.get(after).map(|segment| segment.first);
        match (found, next) {
            (Some(segment), next) => Ok((Arc::clone(segment), next.unwrap_or_else(|| self.last().serial.next()))),
            (None, next) => Err(FollowError::Compacted { oldest: next.unwrap_or(Serial(1)) }),
        }
    }

    /// Place of the entry with this serial, where the quick way leads to it and it is sound.
    fn quick_look(
        &self,
        segment: &Arc<Segment>,
        end: Serial,
        serial: Serial,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<Place>, FollowError> {
        let mut met = Vec::new();
        let mut window = self.window(segment, segment.readable())?.reading(SEEK_READ_BYTES);
        let Some(near) = self.near(&mut window, segment, end, serial, &mut met)? else { return Ok(None) };
        let Some(found) = walk(&mut window, near, serial, &mut met)? else { return Ok(None) };
        let place = Place(window.place(found.at));
        match self.read(place, buffer) {
            Ok(entry) if entry.serial == serial => {}
            Ok(_) | Err(ReadError::Damaged { .. }) => return Ok(None),
            Err(other) => return Err(other.into()),
        }
        // Only now is it known that the way was right.
        self.marks.add(segment.base, met);
        Ok(Some(place))
    }

    /// File offset and first serial of a group of the segment at or shortly before `serial`, where the quick way leads to one.
    pub(crate) fn group_near(
        &self,
        segment: &Arc<Segment>,
        end: Serial,
        serial: Serial,
    ) -> Result<Option<(u64, Serial)>, ReadError> {
        let mut met = Vec::new();
        let mut window = self.window(segment, segment.readable())?.reading(SEEK_READ_BYTES);
        let near = self.near(&mut window, segment, end, serial, &mut met)?;
        self.marks.add(segment.base, met);
        Ok(near.map(|mark| (mark.group_at, mark.group_first)))
    }

    /// A mark at or before `serial`, in its group or not far from it, by the marks known and by halving what lies between them.
    fn near(
        &self,
        window: &mut Window,
        segment: &Segment,
        end: Serial,
        serial: Serial,
        met: &mut Vec<Mark>,
    ) -> Result<Option<Mark>, ReadError> {
        let (known, behind) = self.marks.around(segment.base, serial);
        let low = match known {
            Some(mark) => Some(mark),
            None => window.group_header(FIRST_GROUP)?.ok().map(|header| Mark::of_group(FIRST_GROUP, &header)),
        };
        let Some(mut low) = low.filter(|mark| mark.serial <= serial) else { return Ok(None) };
        let mut high = behind.map_or_else(|| window.end(), |mark| mark.at);
        while serial >= low.group_next && high > low.group_end + 2 * MARK_BYTES {
            let middle = low.group_end + (high - low.group_end) / 2;
            let found = window.next_header(middle, high)?;
            let found = found.filter(|(_, header)| header.first >= low.group_next && header.first < end);
            let mark = found.map(|(at, header)| Mark::of_group(at, &header));
            met.extend(mark);
            match mark {
                Some(mark) if mark.serial <= serial => low = mark,
                // No group begins between the middle and the one found, if any.
                _ => high = middle,
            }
        }
        Ok(Some(low))
    }

    /// Place of the entry with this serial, by going through its segment with everything verified.
    fn place_by_following(&self, serial: Serial) -> Result<Place, FollowError> {
        let mut place = None;
        self.follow(Serial(serial.0 - 1), &mut |entry| {
            place = (entry.serial == serial).then_some(entry.place);
            ControlFlow::Break(())
        })?;
        place.ok_or_else(|| FollowError::of_entry(serial, ReadError::damaged(&self.dir, 0, Damage::Missing)))
    }
}

/// Goes on from `mark` to the entry with this serial, by the lengths of groups and entries; `None` where they lead nowhere.
fn walk(window: &mut Window, mut mark: Mark, serial: Serial, met: &mut Vec<Mark>) -> Result<Option<Mark>, ReadError> {
    let mut last = mark.at;
    while mark.serial < serial {
        if serial >= mark.group_next {
            let Ok(header) = window.group_header(mark.group_end)? else { return Ok(None) };
            if header.first != mark.group_next {
                return Ok(None);
            }
            mark = Mark::of_group(mark.group_end, &header);
        } else {
            let Some(length) = frame::entry_length(window.bytes(mark.at, 4)?) else { return Ok(None) };
            mark = mark.after(offset(length));
        }
        if mark.at >= last + MARK_BYTES {
            met.push(mark);
            last = mark.at;
        }
    }
    Ok((mark.at < mark.group_end).then_some(mark))
}
