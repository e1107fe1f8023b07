//! Going through a whole segment: every group, every damage, and what lies after the last group.

use crate::bytes::offset;
use crate::check::Part;
use crate::error::{Damage, ReadError};
use crate::format::frame::{self, ENTRY_LEAST, Entries, GROUP_HEADER};
use crate::format::segment::FIRST_GROUP;
use crate::log::window::Window;
use crate::types::{Entry, Place, Serial};

/// Something met in a segment.
#[derive(Debug)]
pub(crate) enum Met<'a> {
    /// A sound entry.
    Entry(&'a Entry<'a>),
    /// Damage at this file offset.
    Damage {
        /// Where it begins.
        at: u64,
        /// Which part failed.
        part: Part,
        /// How.
        what: Damage,
        /// The entry concerned, where known.
        serial: Option<Serial>,
    },
}

/// How a segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentEnd {
    /// File offset after the last group.
    pub(crate) at: u64,
    /// Serial after the last entry.
    pub(crate) next: Serial,
    /// What lies behind: nothing but zeros, or a torn group.
    pub(crate) torn: bool,
}

/// Goes through the segment in `window`, whose first entry has serial `first`. `following` is the first serial of the segment after it,
/// `None` for the newest one: only there an unfinished group is no damage but a torn tail.
///
/// Where a group is damaged, its entries that are sound by their own checksums are still met.
///
/// # Errors
/// A refusing disk.
pub(crate) fn scan(
    window: &mut Window,
    first: Serial,
    following: Option<Serial>,
    met: &mut dyn FnMut(Met<'_>),
) -> Result<SegmentEnd, ReadError> {
    let (mut at, mut next) = (FIRST_GROUP, first);
    loop {
        let what = match meet_group(window, at, next, met)? {
            Ok(after) => {
                (at, next) = after;
                continue;
            }
            Err(what) => what,
        };
        let Some(found) = window.next_group(at + 1)? else { break };
        met(Met::Damage { at, part: Part::Group, what, serial: Some(next) });
        salvage(window, at, found, met)?;
        at = found;
        // The hole has been reported; the sequence goes on with the group found.
        next = window.group_header(at)?.map_or(next, |header| header.first);
    }
    let torn = window.first_not_zero(at)?.is_some();
    let end = SegmentEnd { at, next, torn };
    let Some(following) = following else { return Ok(end) };
    report_end(window, end, following, met)?;
    Ok(SegmentEnd { next: following, torn: false, ..end })
}

/// Meets the entries of the group at `at`, which should begin with serial `next`; returns where the next group begins and with which serial.
fn meet_group(
    window: &mut Window,
    at: u64,
    next: Serial,
    met: &mut dyn FnMut(Met<'_>),
) -> Result<Result<(u64, Serial), Damage>, ReadError> {
    let start = window.place(at) + offset(GROUP_HEADER);
    let (header, entries) = match window.group(at)? {
        Ok(group) => group,
        Err(what) => return Ok(Err(what)),
    };
    if header.first != next {
        met(Met::Damage { at, part: Part::Sequence, what: Damage::SerialOrder, serial: Some(next) });
    }
    for entry in Entries::new(entries, start, &header) {
        match entry {
            Ok(entry) => met(Met::Entry(&entry)),
            Err((place, what)) => {
                let at = at + offset(GROUP_HEADER) + (place - start);
                met(Met::Damage { at, part: Part::Entry, what, serial: None });
            }
        }
    }
    Ok(Ok((at + offset(header.length), header.next())))
}

/// Reports what is wrong with the end of a segment that is not the newest.
fn report_end(
    window: &mut Window,
    end: SegmentEnd,
    following: Serial,
    met: &mut dyn FnMut(Met<'_>),
) -> Result<(), ReadError> {
    if end.next != following {
        let what = if end.torn { Damage::Checksum } else { Damage::Missing };
        met(Met::Damage { at: end.at, part: Part::Group, what, serial: Some(end.next) });
        salvage(window, end.at, window.end(), met)?;
    } else if let Some(at) = window.first_not_zero(end.at)? {
        met(Met::Damage { at, part: Part::UnusedRoom, what: Damage::NotZero, serial: None });
    }
    Ok(())
}

/// Meets the entries of the damaged group at `at` that are sound by themselves; the next group, or the end, is at `until`.
fn salvage(window: &mut Window, at: u64, until: u64, met: &mut dyn FnMut(Met<'_>)) -> Result<(), ReadError> {
    let mut at = at + offset(GROUP_HEADER);
    while at + offset(ENTRY_LEAST) < until {
        let (seed, place) = (window.seed(), Place(window.place(at)));
        let Some(length) = frame::entry_length(window.bytes(at, 4)?) else { break };
        if at + offset(length) > until {
            break;
        }
        match frame::parse_entry(window.bytes(at, length)?, seed, place) {
            Ok(entry) => met(Met::Entry(&entry)),
            Err(what) => met(Met::Damage { at, part: Part::Entry, what, serial: None }),
        }
        at += offset(length);
    }
    Ok(())
}
