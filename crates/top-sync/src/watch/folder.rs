//! Files of probes: each round of a day as it is made, and the day as a whole once it is over.
//!
//! ```text
//! DIR/2026-11-29.rounds   rounds, appended and flushed one by one
//! DIR/2026-11-29.probes   the day by minute and target, written whole and renamed
//!
//! .rounds   8 bytes "WMROUNDS", version 1 (4)
//!           then of each round: length (4), crc32c of the content (4), content
//! .probes   8 bytes "WMPROBES", version 1 (4), crc32c of the content (4), content
//! ```
//! Numbers are little-endian, contents in postcard's form. Rounds behind a damaged one cannot be found again: the file is moved aside for whoever
//! wants to look into it, and the good ones before go on in its place. A day that cannot be read is moved aside; it counts as not measured.
//! What a `.probes` was made of stands in it, so that rounds are not counted twice when a kill comes between writing the one and removing the other.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::config::{FILE_BYTES, ROUND_BYTES};
use super::day::{DayProbes, Round};
use crate::calendar::Day;
use crate::private_files::{self, Found};

/// A file that was moved aside since not all of it can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Where it is now.
    pub path: PathBuf,
    /// What is wrong with it.
    pub cause: &'static str,
}

/// The rounds of a day that are good.
#[derive(Debug, Default)]
struct Rounds {
    rounds: Vec<Round>,
    /// Bytes of the file up to the end of the last good one.
    good_bytes: usize,
    /// What is wrong with what follows.
    problem: Option<&'static str>,
    whole: Merged,
}

/// Length and checksum of a file of rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Merged {
    bytes: u64,
    crc: u32,
}

/// What a `.probes` holds.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    probes: DayProbes,
    /// The file of rounds it took up last.
    merged: Merged,
}

/// The files of a day read together.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) probes: DayProbes,
    /// Times of the rounds that were read one by one.
    pub(super) times: Vec<u64>,
    pub(super) set_aside: Vec<SetAside>,
}

/// Where the files lie.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder where there is none.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn file(&self, day: Day, ending: &str) -> PathBuf {
        self.0.join(format!("{day}.{ending}"))
    }

    /// Days whose rounds are not taken up yet.
    pub(super) fn open_days(&self) -> io::Result<Vec<Day>> {
        private_files::days(&self.0, ROUNDS)
    }

    /// A file rounds of a day are appended to.
    pub(super) fn append_to(&self, day: Day) -> io::Result<RoundFile> {
        let path = self.file(day, ROUNDS);
        // Where rounds came from and went to is nobody else's business.
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        if file.metadata()?.len() < HEADER_BYTES as u64 {
            file.set_len(0)?;
            file.write_all(&header(ROUNDS_MAGIC))?;
            file.sync_all()?;
            File::open(&self.0)?.sync_all()?;
        }
        let end = file.metadata()?.len();
        Ok(RoundFile { file, end })
    }

    /// Everything that is known of a day. Files that cannot be read are moved aside.
    pub(super) fn read(&self, day: Day, now_seconds: u64) -> io::Result<Read> {
        let (probes, merged, mut set_aside) = self.read_probes(day, now_seconds)?;
        let mut read = Read { probes, ..Read::default() };
        if let Some(rounds) = self.read_rounds(day)? {
            if let Some(cause) = rounds.problem {
                set_aside.push(self.repair(day, &rounds, cause, now_seconds)?);
            }
            let is_taken_up = merged.is_some_and(|merged| merged == rounds.whole);
            for round in &rounds.rounds {
                read.times.push(round.time);
                if !is_taken_up {
                    read.probes.add(day, round);
                }
            }
        }
        read.set_aside = set_aside;
        Ok(read)
    }

    fn read_probes(&self, day: Day, now_seconds: u64) -> io::Result<(DayProbes, Option<Merged>, Vec<SetAside>)> {
        let path = self.file(day, PROBES);
        let decoded = match private_files::read(&path, FILE_BYTES)? {
            Found::Nothing => return Ok((DayProbes::default(), None, Vec::new())),
            Found::TooLarge => Err(TOO_LARGE),
            Found::Bytes(bytes) => decode_probes(&bytes),
        };
        match decoded {
            Ok(Content { probes, merged }) => Ok((probes, Some(merged), Vec::new())),
            Err(cause) => {
                let path = private_files::move_aside(&path, now_seconds)?;
                Ok((DayProbes::default(), None, vec![SetAside { path, cause }]))
            }
        }
    }

    fn read_rounds(&self, day: Day) -> io::Result<Option<Rounds>> {
        Ok(match private_files::read(&self.file(day, ROUNDS), FILE_BYTES)? {
            Found::Nothing => None,
            Found::TooLarge => Some(Rounds { problem: Some(TOO_LARGE), ..Rounds::default() }),
            Found::Bytes(bytes) => Some(decode_rounds(day, &bytes)),
        })
    }

    /// Moves a file of rounds aside and puts the good ones of it in its place.
    fn repair(&self, day: Day, rounds: &Rounds, cause: &'static str, now_seconds: u64) -> io::Result<SetAside> {
        let path = self.file(day, ROUNDS);
        let aside = private_files::move_aside(&path, now_seconds)?;
        let mut bytes = header(ROUNDS_MAGIC).to_vec();
        if rounds.good_bytes > HEADER_BYTES {
            bytes.clear();
            File::open(&aside)?.take(rounds.good_bytes as u64).read_to_end(&mut bytes)?;
        }
        private_files::replace(&path, &bytes)?;
        Ok(SetAside { path: aside, cause })
    }

    /// Takes up the rounds of a day that is over into its probes.
    pub(super) fn take_up(&self, day: Day, now_seconds: u64) -> io::Result<Vec<SetAside>> {
        let Read { probes, set_aside, .. } = self.read(day, now_seconds)?;
        let merged = self.read_rounds(day)?.map(|rounds| rounds.whole).unwrap_or_default();
        let content = postcard::to_extend(&Content { probes, merged }, Vec::new()).map_err(io::Error::other)?;
        let mut bytes = header(PROBES_MAGIC).to_vec();
        bytes.extend_from_slice(&crc32c::crc32c(&content).to_le_bytes());
        bytes.extend_from_slice(&content);
        private_files::replace(&self.file(day, PROBES), &bytes)?;
        fs::remove_file(self.file(day, ROUNDS))?;
        Ok(set_aside)
    }

    /// Removes the oldest days beyond so many.
    pub(super) fn prune(&self, kept: u64) -> io::Result<()> {
        let days = private_files::days(&self.0, PROBES)?;
        let too_many = days.len().saturating_sub(usize::try_from(kept).unwrap_or(usize::MAX));
        days.into_iter().take(too_many).try_for_each(|day| fs::remove_file(self.file(day, PROBES)))
    }
}

/// A file rounds are appended to.
#[derive(Debug)]
pub(super) struct RoundFile {
    file: File,
    /// Where the last whole round ends.
    end: u64,
}

impl RoundFile {
    /// Appends a round, durable on return.
    pub(super) fn append(&mut self, round: &Round) -> io::Result<()> {
        let content = postcard::to_extend(round, Vec::new()).map_err(io::Error::other)?;
        let length = u32::try_from(content.len()).ok().filter(|_| content.len() <= ROUND_BYTES);
        let length = length.ok_or_else(|| io::Error::other("a round is longer than one may be"))?;
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend_from_slice(&crc32c::crc32c(&content).to_le_bytes());
        bytes.extend_from_slice(&content);
        let written = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        match written {
            Ok(()) => self.end = self.end.saturating_add(bytes.len() as u64),
            // What was begun must not stand before the next round.
            Err(_) => self.file.set_len(self.end)?,
        }
        written
    }
}

fn header(magic: &[u8; 8]) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    let (name, version) = header.split_at_mut(magic.len());
    name.copy_from_slice(magic);
    version.copy_from_slice(&VERSION.to_le_bytes());
    header
}

/// What follows a header of this version.
fn behind_header<'b>(bytes: &'b [u8], magic: &[u8; 8]) -> Result<&'b [u8], &'static str> {
    let (name, rest) = bytes.split_at_checked(magic.len()).ok_or("is cut short")?;
    let (version, rest) = rest.split_at_checked(4).ok_or("is cut short")?;
    if name != magic {
        return Err("is no such file");
    }
    if version == VERSION.to_le_bytes() { Ok(rest) } else { Err("has a format version this program does not know") }
}

fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_at_checked(4)?;
    Some((u32::from_le_bytes(word.try_into().ok()?), rest))
}

fn decode_probes(bytes: &[u8]) -> Result<Content, &'static str> {
    let rest = behind_header(bytes, PROBES_MAGIC)?;
    let (crc, content) = word(rest).ok_or("is cut short")?;
    if crc32c::crc32c(content) != crc {
        return Err("does not match its checksum");
    }
    postcard::from_bytes(content).map_err(|_| "holds no probes")
}

fn decode_rounds(day: Day, bytes: &[u8]) -> Rounds {
    let whole = Merged { bytes: bytes.len() as u64, crc: crc32c::crc32c(bytes) };
    let mut read = Rounds { whole, ..Rounds::default() };
    // A file that was begun and not written has nothing to lose.
    if bytes.is_empty() {
        return read;
    }
    let mut rest = match behind_header(bytes, ROUNDS_MAGIC) {
        Ok(rest) => rest,
        Err(problem) => return Rounds { problem: Some(problem), ..read },
    };
    read.good_bytes = HEADER_BYTES;
    while !rest.is_empty() {
        match decode_round(rest) {
            Ok((round, behind)) if Day::of(waymark_catalog::Timestamp(round.time)) == day => {
                read.good_bytes = bytes.len().saturating_sub(behind.len());
                read.rounds.push(round);
                rest = behind;
            }
            Ok(_) => return Rounds { problem: Some("holds a round of another day"), ..read },
            Err(problem) => return Rounds { problem: Some(problem), ..read },
        }
    }
    read
}

fn decode_round(bytes: &[u8]) -> Result<(Round, &[u8]), &'static str> {
    let (length, rest) = word(bytes).ok_or("ends within a round")?;
    let (crc, rest) = word(rest).ok_or("ends within a round")?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > ROUND_BYTES {
        return Err("holds a round longer than one may be");
    }
    let (content, rest) = rest.split_at_checked(length).ok_or("ends within a round")?;
    if crc32c::crc32c(content) != crc {
        return Err("holds a round that does not match its checksum");
    }
    let round = postcard::from_bytes(content).map_err(|_| "holds something that is no round")?;
    Ok((round, rest))
}

/// Why a file is not read.
const TOO_LARGE: &str = "is larger than any such file";
/// What names of files of rounds end with.
const ROUNDS: &str = "rounds";
/// What names of files of days that are over end with.
const PROBES: &str = "probes";
const ROUNDS_MAGIC: &[u8; 8] = b"WMROUNDS";
const PROBES_MAGIC: &[u8; 8] = b"WMPROBES";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 12;
