//! A place in the record of every answer, and finding it again after the file was turned over, copied, or cut.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

use serde::{Deserialize, Serialize};

/// Bytes at the beginning of the file and before the place that its file is known by.
const KNOWN_BYTES: u64 = 512;
/// Room for them.
const ROOM_BYTES: usize = 512;

/// A place in a file that only grows. The file is known by what is in it, not by its name: it is renamed when it is turned over, and may come back
/// from a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Bytes before it.
    pub offset: u64,
    /// Checksum (CRC-32C) of the first bytes of the file.
    begin: u32,
    /// Checksum of the bytes before the place.
    before: u32,
    /// Number of the file on its disk. Decides between files that look the same, as all do at their beginning, and nothing else.
    number: u64,
}

/// What a file says about a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It is in this file.
    Here,
    /// The file begins as it should and ends before: its end was lost with the power. All that is left was counted.
    BehindTheEnd,
    /// It is another file.
    Elsewhere,
}

impl Place {
    /// The place so many bytes into a file.
    ///
    /// # Errors
    /// The file cannot be read, or is shorter.
    pub fn of(file: &File, offset: u64) -> io::Result<Self> {
        let known = offset.min(KNOWN_BYTES);
        let begin = checksum(file, 0, known)?;
        let before = checksum(file, offset.saturating_sub(known), known)?;
        Ok(Self { offset, begin, before, number: file.metadata()?.ino() })
    }

    /// Whether it was made in this very file, and not in a copy.
    pub(super) fn was_made_in(self, file: &File) -> io::Result<bool> {
        Ok(file.metadata()?.ino() == self.number)
    }

    /// Whether it is in a file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn find_in(self, file: &File) -> io::Result<Found> {
        let length = file.metadata()?.len();
        let known = self.offset.min(KNOWN_BYTES);
        if length < known || checksum(file, 0, known)? != self.begin {
            return Ok(Found::Elsewhere);
        }
        if length < self.offset {
            return Ok(Found::BehindTheEnd);
        }
        let is_here = checksum(file, self.offset.saturating_sub(known), known)? == self.before;
        Ok(if is_here { Found::Here } else { Found::Elsewhere })
    }
}

fn checksum(file: &File, offset: u64, bytes: u64) -> io::Result<u32> {
    let mut room = [0; ROOM_BYTES];
    let room = room.get_mut(..usize::try_from(bytes).unwrap_or(ROOM_BYTES)).unwrap_or_default();
    file.read_exact_at(room, offset)?;
    Ok(crc32c::crc32c(room))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    #[test]
    fn a_place_is_found_in_its_file_and_in_no_other() {
        let content: Vec<u8> = (0..5_000_u32).flat_map(|number| format!("line {number}\n").into_bytes()).collect();
        let place = Place::of(&file(&content), 3_000).unwrap();
        assert_eq!(place.find_in(&file(&content[..3_000])).unwrap(), Found::Here);
        assert_eq!(place.find_in(&file(&content)).unwrap(), Found::Here);
        assert_eq!(place.find_in(&file(&content[..2_999])).unwrap(), Found::BehindTheEnd);
        assert_eq!(place.find_in(&file(&content[1..])).unwrap(), Found::Elsewhere);
        assert_eq!(place.find_in(&file(b"")).unwrap(), Found::Elsewhere);
        let mut other = content;
        other[2_900] ^= 1;
        assert_eq!(place.find_in(&file(&other)).unwrap(), Found::Elsewhere);
    }

    #[test]
    fn the_beginning_of_a_file_is_a_place_in_any() {
        let place = Place::of(&file(b""), 0).unwrap();
        assert_eq!(place.find_in(&file(b"anything")).unwrap(), Found::Here);
        assert!(Place::of(&file(b"ab"), 3).is_err());
    }
}
