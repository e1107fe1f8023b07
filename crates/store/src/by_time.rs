//! Finding the first entry of a time by bisection, over whatever way an engine has of reading one entry.

use crate::error::FollowError;
use crate::types::{Serial, Timestamp};

/// The first serial from `from` on whose entry was made at or after `time`; `end` when none before it was. `time_of` tells an entry's time;
/// times never go back. Entries that are damaged count as late when the next one that can be read is, so that following from the answer
/// misses nothing.
///
/// # Errors
/// What `time_of` says, damage excepted.
pub(crate) fn first_at(
    from: Serial,
    end: Serial,
    time: Timestamp,
    time_of: &mut dyn FnMut(Serial) -> Result<Timestamp, FollowError>,
) -> Result<Serial, FollowError> {
    let (mut low, mut high) = (from, end);
    while low < high {
        let middle = Serial(low.0 + (high.0 - low.0) / 2);
        match next_readable(middle, high, time_of)? {
            Some((serial, found)) if found < time => low = serial.next(),
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The first entry from `at` on, before `end`, that can be read, with its time.
fn next_readable(
    mut at: Serial,
    end: Serial,
    time_of: &mut dyn FnMut(Serial) -> Result<Timestamp, FollowError>,
) -> Result<Option<(Serial, Timestamp)>, FollowError> {
    while at < end {
        match time_of(at) {
            Ok(time) => return Ok(Some((at, time))),
            Err(FollowError::Damaged { resume_after, .. }) => at = resume_after.max(at).next(),
            Err(other) => return Err(other),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::error::{Damage, ReadError};

    /// The answer over these times of the serials 1, 2, ...; `None` is a damaged entry.
    fn find(times: &[Option<u64>], time: u64) -> u64 {
        let mut time_of = |serial: Serial| {
            let index = usize::try_from(serial.0 - 1).unwrap();
            times[index].map(Timestamp).ok_or_else(|| FollowError::Damaged {
                resume_after: serial,
                source: ReadError::damaged(Path::new("log"), 0, Damage::Checksum),
            })
        };
        let end = Serial(times.len() as u64 + 1);
        first_at(Serial(1), end, Timestamp(time), &mut time_of).unwrap().0
    }

    #[test]
    fn finds_what_a_look_through_all_finds() {
        let times = [3, 3, 4, 7, 7, 7, 7, 9, 20].map(Some);
        for time in 0..25 {
            let plain = times.iter().position(|found| found.unwrap() >= time).unwrap_or(times.len());
            assert_eq!(find(&times, time), plain as u64 + 1, "time {time}");
        }
        assert_eq!(find(&[], 5), 1);
    }

    #[test]
    fn counts_a_damaged_entry_with_the_one_behind_it() {
        let times = [Some(1), None, None, Some(5), None, Some(9), None];
        assert_eq!((find(&times, 1), find(&times, 2), find(&times, 5)), (1, 2, 2));
        assert_eq!((find(&times, 6), find(&times, 9), find(&times, 10)), (5, 5, 7));
        assert_eq!(find(&[None, None], 3), 1);
    }
}
