//! Going through the sequence from any serial on.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::bytes::offset;
use crate::config::FOLLOW_HINTS;
use crate::error::{Damage, FollowError, ReadError};
use crate::format::frame::{Entries, GROUP_HEADER, GroupHeader};
use crate::format::segment::FIRST_GROUP;
use crate::log::segment::Segment;
use crate::log::window::Window;
use crate::log::{Log, lock};
use crate::types::{Entry, Serial};

/// A group boundary some follower stopped at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hint {
    first: Serial,
    base: u64,
    at: u64,
}

impl Log {
    /// Visits all entries after serial `after` until the visitor breaks.
    pub(crate) fn follow(
        &self,
        after: Serial,
        visit: &mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) -> Result<Serial, FollowError> {
        let last = self.last().serial;
        let segments = self.segments();
        let target = after.next();
        let oldest = segments.first().map_or(Serial(1), |segment| segment.first);
        if target < oldest {
            return Err(FollowError::Compacted { oldest });
        }
        let start = segments.partition_point(|segment| segment.first <= target).saturating_sub(1);
        let mut done = after;
        for (index, segment) in segments.iter().enumerate().skip(start) {
            if done >= last {
                break;
            }
            let following = segments.get(index + 1).map(|segment| segment.first);
            let flow = self.follow_segment(segment, following.unwrap_or_else(|| last.next()), &mut done, visit)?;
            if flow.is_break() {
                break;
            }
        }
        Ok(done)
    }

    /// Where to begin looking for the group of `target` in a segment whose entries end before `end`: the boundary some follower stopped at,
    /// or one not far before.
    fn begin_at(&self, segment: &Arc<Segment>, end: Serial, target: Serial) -> Result<(u64, Serial), ReadError> {
        let start = (FIRST_GROUP, segment.first);
        if target <= segment.first {
            return Ok(start);
        }
        let hinted = {
            let hints = lock(&self.hints);
            let near = hints.iter().filter(|hint| hint.base == segment.base && hint.first <= target);
            near.max_by_key(|hint| hint.first).map_or(start, |hint| (hint.at, hint.first))
        };
        if hinted.1 == target {
            return Ok(hinted);
        }
        let near = self.group_near(segment, end, target)?.unwrap_or(start);
        Ok(if near.1 > hinted.1 { near } else { hinted })
    }

    fn remember(&self, hint: Hint) {
        let mut hints = lock(&self.hints);
        hints.retain(|known| known.first != hint.first);
        if hints.len() >= FOLLOW_HINTS {
            hints.remove(0);
        }
        hints.push(hint);
    }

    /// Visits what follows `done` in one segment, whose entries end before serial `end`.
    fn follow_segment(
        &self,
        segment: &Arc<Segment>,
        end: Serial,
        done: &mut Serial,
        visit: &mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, FollowError> {
        let (mut at, mut expected) = self.begin_at(segment, end, done.next())?;
        let mut window = self.window(segment, segment.readable())?;
        let mut search_from = at;
        while expected < end {
            let wanted = Wanted { expected, target: done.next(), end, search_from };
            let header = expect_group(&mut window, &mut at, wanted)?;
            // The length of a group that is passed over by its header alone may be wrong.
            search_from = at + 1;
            if header.next() > done.next() {
                let flow = self.follow_group(&mut window, at, &header, done, visit)?;
                if flow.is_break() {
                    self.remember(Hint { first: header.first, base: segment.base, at });
                    return Ok(ControlFlow::Break(()));
                }
                search_from = at + offset(header.length);
            }
            at += offset(header.length);
            expected = header.next();
        }
        self.remember(Hint { first: expected, base: segment.base, at });
        Ok(ControlFlow::Continue(()))
    }

    /// Visits what follows `done` in the group at `at`.
    fn follow_group(
        &self,
        window: &mut Window,
        at: u64,
        header: &GroupHeader,
        done: &mut Serial,
        visit: &mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, FollowError> {
        let path = window.path.clone();
        let (base, start) = (window.place(0), window.place(at) + offset(GROUP_HEADER));
        let damaged = |at, what| FollowError::Damaged {
            resume_after: Serial(header.next().0 - 1),
            source: ReadError::damaged(&path, at, what),
        };
        let (header, entries) = window.group(at)?.map_err(|what| damaged(at, what))?;
        for entry in Entries::new(entries, start, &header) {
            let entry = entry.map_err(|(place, what)| damaged(place - base, what))?;
            if entry.serial > *done {
                *done = entry.serial;
                if visit(&entry).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// The group a follower comes to next.
#[derive(Clone, Copy)]
struct Wanted {
    /// Serial it should begin with.
    expected: Serial,
    /// Serial the caller asks for next.
    target: Serial,
    /// Serial the entries of the segment end before.
    end: Serial,
    /// File offset behind which it lies, whatever the headers before it say.
    search_from: u64,
}

/// Header of the group at `at`. Where it is damaged, `at` moves on to the next whole group, if that one begins at or before the serial that is
/// asked for: then nothing is missing, or the caller has been told, and asks for what lies behind the damage.
fn expect_group(window: &mut Window, at: &mut u64, wanted: Wanted) -> Result<GroupHeader, FollowError> {
    let Wanted { expected, target, end, search_from } = wanted;
    let what = match window.group_header(*at)? {
        Ok(header) if header.first == expected => return Ok(header),
        Ok(_) => Damage::SerialOrder,
        Err(what) => what,
    };
    let source = ReadError::damaged(&window.path, *at, what);
    match next_group(window, search_from, expected)? {
        Some((found, header)) if header.first <= target => {
            *at = found;
            Ok(header)
        }
        found => {
            let next = found.map_or(end, |(_, header)| header.first.min(end));
            Err(FollowError::Damaged { resume_after: Serial(next.0 - 1), source })
        }
    }
}

/// The first whole group at or behind `at` that begins with `expected` or later.
fn next_group(window: &mut Window, mut at: u64, expected: Serial) -> Result<Option<(u64, GroupHeader)>, ReadError> {
    while let Some(found) = window.next_group(at)? {
        match window.group_header(found)? {
            Ok(header) if header.first >= expected => return Ok(Some((found, header))),
            _ => at = found + 1,
        }
    }
    Ok(None)
}
