//! Finding an entry by its serial or by a time.

use std::ops::ControlFlow;

use crate::by_time::first_at;
use crate::error::{Damage, FollowError};
use crate::log::Log;
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
        let place = self.place_of(serial)?;
        let entry = self.read(place, buffer).map_err(|error| FollowError::of_entry(serial, error))?;
        if entry.serial == serial { Ok(Some(entry)) } else { Err(self.disagrees(serial, place)) }
    }

    /// The first serial whose entry was made at or after `time`.
    pub(crate) fn serial_at(&self, time: Timestamp) -> Result<Serial, FollowError> {
        let end = self.last().serial.next();
        let oldest = self.segments().first().map_or(end, |segment| segment.first);
        let mut buffer = Vec::new();
        first_at(oldest, end, time, &mut |serial| {
            let entry = self.read_serial(serial, &mut buffer)?;
            Ok(entry.map_or(Timestamp::MAX, |entry| entry.time))
        })
    }

    /// Where the entry with this serial lies.
    fn place_of(&self, serial: Serial) -> Result<Place, FollowError> {
        let mut place = Place(0);
        self.follow(Serial(serial.0 - 1), &mut |entry| {
            place = entry.place;
            ControlFlow::Break(())
        })?;
        Ok(place)
    }

    fn disagrees(&self, serial: Serial, place: Place) -> FollowError {
        FollowError::of_entry(serial, self.misplaced(place, Damage::SerialOrder))
    }
}
