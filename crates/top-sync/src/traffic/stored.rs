//! The form in which days are kept: versioned and checksummed.
//!
//! ```text
//! +----------+---------+------+---------+----------------+---------+
//! | magic 8  | version | kind | length  | content        | CRC-32C |
//! |          | 4       | 4    | 8       | length bytes   | 4       |
//! +----------+---------+------+---------+----------------+---------+
//! ```
//! Numbers are little-endian; the checksum covers everything before it. The content is in postcard's form. Kind 1 holds one day that is over,
//! kind 2 what is being counted, with the place in the record of every answer up to which it counts.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use waymark_catalog::Timestamp;

use super::day::{DayTally, Losses};
use super::place::Place;
use super::tally::Tally;
use crate::calendar::Day;

/// Why bytes are no figures.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The file is none of ours, or not of this kind.
    #[error("not a file of request statistics")]
    NotOurs,
    /// A later program wrote it.
    #[error("version {0} of the statistics is not known to this program")]
    Version(u32),
    /// Bytes are missing, or some are too many.
    #[error("the file is cut short, or longer than it says")]
    Length,
    /// Bytes have changed.
    #[error("the checksum does not match")]
    Checksum,
    /// The content is none.
    #[error("the content cannot be read")]
    Content(#[source] postcard::Error),
}

/// What is being counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Current {
    /// The place in the record of every answer up to which the days count; none while no such record is kept.
    pub(super) place: Option<Place>,
    /// When it was saved, in seconds since 1970.
    pub(super) saved_at: u32,
    /// Whether the node stopped in order afterwards.
    pub(super) is_clean: bool,
    pub(super) days: Vec<DayTally>,
}

/// A day, borrowed, in a fixed order.
#[derive(Serialize)]
struct DayOut<'a> {
    start_ms: u64,
    node: &'a Tally,
    prefixes: Vec<(&'a [u8], &'a Tally)>,
    losses: &'a Losses,
}

/// The same, owned.
#[derive(Deserialize)]
struct DayIn {
    start_ms: u64,
    node: Tally,
    prefixes: Vec<(Box<[u8]>, Tally)>,
    losses: Losses,
}

/// What is being counted, without its days.
#[derive(Serialize, Deserialize)]
struct Head {
    place: Option<Place>,
    saved_at: u32,
    is_clean: bool,
}

impl<'a> From<&'a DayTally> for DayOut<'a> {
    fn from(day: &'a DayTally) -> Self {
        Self { start_ms: day.day().start().0, node: day.node(), prefixes: day.prefixes(), losses: day.losses() }
    }
}

impl From<DayIn> for DayTally {
    fn from(day: DayIn) -> Self {
        let prefixes: HashMap<Box<[u8]>, Tally> = day.prefixes.into_iter().collect();
        Self::of_parts(Day::of(Timestamp(day.start_ms)), day.node, prefixes, day.losses)
    }
}

/// The bytes of a day that is over.
pub(super) fn encode_day(day: &DayTally) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_extend(&DayOut::from(day), Vec::new()).map(|content| seal(DAY, &[&content]))
}

/// A day that is over, from its bytes.
pub(super) fn decode_day(bytes: &[u8]) -> Result<DayTally, FormatError> {
    content(open(DAY, bytes)?).map(|day: DayIn| day.into())
}

/// The days being counted, to be [sealed](seal_current) once the place is known up to which they count.
pub(super) fn encode_days<'a>(days: impl Iterator<Item = &'a DayTally>) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_extend(&days.map(DayOut::from).collect::<Vec<_>>(), Vec::new())
}

/// The bytes of what is being counted.
pub(super) fn seal_current(
    place: Option<Place>,
    saved_at: u32,
    is_clean: bool,
    days: &[u8],
) -> Result<Vec<u8>, postcard::Error> {
    postcard::to_extend(&Head { place, saved_at, is_clean }, Vec::new()).map(|head| seal(CURRENT, &[&head, days]))
}

/// What is being counted, from its bytes.
pub(super) fn decode_current(bytes: &[u8]) -> Result<Current, FormatError> {
    let (head, days): (Head, Vec<DayIn>) = content(open(CURRENT, bytes)?)?;
    let days = days.into_iter().map(DayTally::from).collect();
    Ok(Current { place: head.place, saved_at: head.saved_at, is_clean: head.is_clean, days })
}

fn content<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FormatError> {
    let (value, rest) = postcard::take_from_bytes(bytes).map_err(FormatError::Content)?;
    if rest.is_empty() { Ok(value) } else { Err(FormatError::Length) }
}

fn seal(kind: u32, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = Vec::with_capacity(length.saturating_add(HEAD_BYTES).saturating_add(4));
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&kind.to_le_bytes());
    bytes.extend_from_slice(&u64::try_from(length).unwrap_or(u64::MAX).to_le_bytes());
    for part in parts {
        bytes.extend_from_slice(part);
    }
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

fn open(kind: u32, bytes: &[u8]) -> Result<&[u8], FormatError> {
    let (magic, rest) = bytes.split_first_chunk::<8>().ok_or(FormatError::Length)?;
    let (version, rest) = rest.split_first_chunk::<4>().ok_or(FormatError::Length)?;
    if *magic != MAGIC {
        return Err(FormatError::NotOurs);
    }
    let version = u32::from_le_bytes(*version);
    if version != VERSION {
        return Err(FormatError::Version(version));
    }
    let (covered, checksum) = bytes.split_last_chunk::<4>().ok_or(FormatError::Length)?;
    let (found, rest) = rest.split_first_chunk::<4>().ok_or(FormatError::Length)?;
    let (length, rest) = rest.split_first_chunk::<8>().ok_or(FormatError::Length)?;
    let (content, _) = rest.split_last_chunk::<4>().ok_or(FormatError::Length)?;
    if usize::try_from(u64::from_le_bytes(*length)) != Ok(content.len()) {
        return Err(FormatError::Length);
    }
    if crc32c::crc32c(covered) != u32::from_le_bytes(*checksum) {
        return Err(FormatError::Checksum);
    }
    if u32::from_le_bytes(*found) == kind { Ok(content) } else { Err(FormatError::NotOurs) }
}

/// First bytes of every file.
const MAGIC: [u8; 8] = *b"WMTRAFIC";
/// The version this program writes, and the only one it reads.
const VERSION: u32 = 1;
/// Bytes before the content.
const HEAD_BYTES: usize = 24;
/// A day that is over.
const DAY: u32 = 1;
/// What is being counted.
const CURRENT: u32 = 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::traffic::config::Limits;
    use crate::traffic::day::{Answer, Gap, Lost, Missing, Registered};
    use crate::traffic::prefixes::KnownPrefixes;

    struct All;

    impl KnownPrefixes for All {
        fn knows(&self, _prefix: &[u8]) -> bool {
            true
        }
    }

    fn day() -> impl Strategy<Value = DayTally> {
        let answer = (0..60_u32, any::<u16>(), 0..4_u8, proptest::option::of(0..9_999_u32));
        (proptest::collection::vec(answer, 0..80), 0..3_u64).prop_map(|(answers, losses)| {
            let mut day = DayTally::new("2026-11-29".parse().unwrap());
            let limits = Limits { node_sources: 40, prefix_sources: 16, ..Limits::default() };
            for (second, source, prefix, took_micros) in answers {
                let [high, low] = source.to_be_bytes();
                let handle = format!("88.{prefix}/x");
                let handle = handle.as_bytes();
                let unix_seconds = 1_795_881_600 + second;
                let source = [192, 0, high, low].into();
                let answer = Answer { unix_seconds, source, op: 1, response_code: 1, took_micros, handle };
                day.answered(&answer, &All, &limits);
                day.registered(&Registered { unix_seconds, took_micros: second, handle }, &All, &limits);
            }
            day.lose(Lost::Answers(losses));
            for from in 0..u32::try_from(losses).unwrap() {
                day.lose(Lost::Gap(Gap { from, until: 9, missing: Missing::Registrations }));
            }
            day
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(day in day(), saved_at: u32, is_clean: bool) {
            prop_assert_eq!(&decode_day(&encode_day(&day).unwrap()).unwrap(), &day);
            let days = encode_days([&day, &day].into_iter()).unwrap();
            let read = decode_current(&seal_current(None, saved_at, is_clean, &days).unwrap()).unwrap();
            prop_assert_eq!(read, Current { place: None, saved_at, is_clean, days: vec![day.clone(), day] });
        }

        #[test]
        fn a_changed_byte_is_noticed(day in day(), at: prop::sample::Index, change in 1..=u8::MAX) {
            let mut bytes = encode_day(&day).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= change;
            prop_assert!(decode_day(&bytes).is_err());
        }

        /// Whoever can write the file can also make its checksum.
        #[test]
        fn hostile_content_is_refused_or_read_and_never_panics(
            day in day(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            noise in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut content = postcard::to_extend(&DayOut::from(&day), Vec::new()).unwrap();
            for (at, byte) in changes {
                let at = at.index(content.len());
                content[at] = byte;
            }
            for content in [&content, &noise] {
                let _any = decode_day(&seal(DAY, &[content]));
                let _any = decode_current(&seal(CURRENT, &[content]));
            }
        }
    }

    #[test]
    fn a_file_of_the_other_kind_is_none_of_this() {
        let day = encode_day(&DayTally::new("2026-11-29".parse().unwrap())).unwrap();
        assert!(matches!(decode_current(&day), Err(FormatError::NotOurs)));
        assert!(matches!(decode_day(b"WMIDENTY00000000000000000000"), Err(FormatError::NotOurs)));
        assert!(matches!(decode_day(b""), Err(FormatError::Length)));
    }
}
