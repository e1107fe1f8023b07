//! Writing sealed segments anew with the bodies of some notes replaced.
//!
//! The new file has every entry at the offset it had, so places, key runs, marks and indexes stay right. It is made beside the old one, flushed,
//! and then takes its name, so that at any moment one of them is there whole; whoever reads the old one goes on reading it.

use std::path::PathBuf;
use std::sync::Arc;

use crate::bytes::{memory, offset};
use crate::config::{HOLE_BYTES, WINDOW_BYTES};
use crate::error::{ReadError, RedactError};
use crate::format::frame::{self, Entries, GROUP_HEADER};
use crate::format::segment::FIRST_GROUP;
use crate::log::segment::Segment;
use crate::log::window::Window;
use crate::log::{Log, lock};
use crate::medium::MediumFile;
use crate::redact::{Redacted, Replace, padded};
use crate::types::{EntryKind, Health, Serial};

/// The file a segment is written anew to.
#[derive(Debug)]
struct Fresh {
    file: Arc<dyn MediumFile>,
    path: PathBuf,
    /// Offset up to which it is written.
    written: u64,
}

impl Log {
    /// Goes through the sealed segments with entries after `after` and none after `upto`.
    pub(crate) fn redact(
        &self,
        after: Serial,
        upto: Serial,
        replace: &mut Replace<'_>,
    ) -> Result<Redacted, RedactError> {
        let _turn = lock(&self.redacting);
        if self.health() == Health::Poisoned {
            return Err(RedactError::Poisoned);
        }
        if lock(&self.writer).closed {
            return Err(RedactError::Closed);
        }
        let mut redacted = Redacted { upto: after, ..Redacted::default() };
        let segments = self.segments();
        for pair in segments.windows(2) {
            let [segment, following] = pair else { continue };
            let last = Serial(following.first.0.saturating_sub(1));
            if last > upto {
                break;
            }
            if last > after {
                self.redact_segment(segment, after, last, replace, &mut redacted)?;
            }
            redacted.upto = redacted.upto.max(last);
        }
        Ok(redacted)
    }

    fn redact_segment(
        &self,
        segment: &Arc<Segment>,
        after: Serial,
        last: Serial,
        replace: &mut Replace<'_>,
        redacted: &mut Redacted,
    ) -> Result<(), RedactError> {
        let mut fresh = None;
        let done = self.write_anew(segment, after, last, replace, redacted, &mut fresh);
        let Some(fresh) = fresh else { return done };
        let done = done.and_then(|()| self.put_in_place(segment, &fresh));
        if done.is_err() {
            // Best effort: the next start removes what is left.
            let _ = self.medium.remove(&fresh.path);
        }
        done
    }

    /// Goes through the segment group by group; what changes, and from then on everything, is written to `fresh`.
    fn write_anew(
        &self,
        segment: &Arc<Segment>,
        after: Serial,
        last: Serial,
        replace: &mut Replace<'_>,
        redacted: &mut Redacted,
        fresh: &mut Option<Fresh>,
    ) -> Result<(), RedactError> {
        let mut window = self.window(segment, segment.readable())?;
        let (mut at, mut next) = (FIRST_GROUP, segment.first);
        while next <= last {
            let Ok(header) = window.group(at)?.map(|(header, _)| header) else {
                redacted.damaged += 1;
                let Some(found) = window.next_group(at + 1)? else { break };
                at = found;
                continue;
            };
            if let Some(changed) = changed_group(&mut window, at, after, replace, redacted)? {
                let fresh = match fresh {
                    Some(fresh) => fresh,
                    None => fresh.insert(self.begin_anew(segment)?),
                };
                fresh.copy(&mut window, at)?;
                fresh.write(&changed).map_err(|error| RedactError::io(&fresh.path, error))?;
            }
            at += offset(header.length);
            next = header.next();
        }
        match fresh {
            Some(fresh) => fresh.copy(&mut window, segment.readable()),
            None => Ok(()),
        }
    }

    /// The file for a segment's new form, empty, of the old one's length.
    fn begin_anew(&self, segment: &Arc<Segment>) -> Result<Fresh, RedactError> {
        let path = segment.path.with_extension("new");
        let make = || {
            let length = self.open.file(segment)?.len()?;
            let file = self.medium.create(&path)?;
            file.set_len(length)?;
            Ok(file)
        };
        let file = make().map_err(|error| {
            // Best effort: the next start removes what is left.
            let _ = self.medium.remove(&path);
            RedactError::io(&path, error)
        })?;
        Ok(Fresh { file, path, written: 0 })
    }

    /// Gives the new file the name of the old one. Before that every byte of it is durable.
    fn put_in_place(&self, segment: &Arc<Segment>, fresh: &Fresh) -> Result<(), RedactError> {
        let refused = |error| RedactError::io(&fresh.path, error);
        fresh.file.sync().map_err(refused)?;
        self.medium.rename(&fresh.path, &segment.path).map_err(refused)?;
        self.open.exchange(segment, &fresh.file);
        self.medium.sync_dir(&self.dir).map_err(refused)
    }
}

/// The group at `at` with the bodies replaced that `replace` gives new ones for; `None` when there are none.
fn changed_group(
    window: &mut Window,
    at: u64,
    after: Serial,
    replace: &mut Replace<'_>,
    redacted: &mut Redacted,
) -> Result<Option<Vec<u8>>, RedactError> {
    let (seed, place) = (window.seed(), window.place(at));
    let Ok((header, entries)) = window.group(at)? else { return Ok(None) };
    let start = place + offset(GROUP_HEADER);
    let mut changes = Vec::new();
    for entry in Entries::new(entries, start, &header) {
        let Ok(entry) = entry else {
            redacted.damaged += 1;
            return Ok(None);
        };
        if entry.kind != EntryKind::NOTE || entry.serial <= after {
            continue;
        }
        if let Some(body) = replace(&entry) {
            changes.push((entry.place, padded(body, entry.body.len(), entry.serial)?));
        }
    }
    if changes.is_empty() {
        return Ok(None);
    }
    let mut group = window.bytes(at, header.length)?.to_vec();
    for (at, body) in changes {
        redacted.count(body.len());
        let from = memory(at.0 - place);
        frame::exchange_body(group.get_mut(from..).unwrap_or_default(), seed, at, &body);
    }
    frame::close_group_again(&mut group, seed, place);
    Ok(Some(group))
}

impl Fresh {
    /// Copies what is not written yet up to offset `until` from the old file.
    fn copy(&mut self, window: &mut Window, until: u64) -> Result<(), RedactError> {
        while self.written < until {
            let count = memory(until - self.written).min(WINDOW_BYTES);
            let bytes = window.bytes(self.written, count)?;
            if bytes.is_empty() {
                break;
            }
            self.write(bytes).map_err(|error| RedactError::io(&self.path, error))?;
        }
        Ok(())
    }

    /// Writes `bytes` behind what is written. Blocks of zeros are left out: they are holes of the new file and take no room.
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(solid(rest, self.written));
            if !piece.is_empty() {
                self.file.write_at(piece, self.written)?;
            }
            let (hole, behind) = behind.split_at(hollow(behind, self.written + offset(piece.len())));
            self.written += offset(piece.len() + hole.len());
            rest = behind;
        }
        Ok(())
    }
}

/// How many of `bytes`, which lie at file offset `at`, come before the first whole block of zeros.
fn solid(bytes: &[u8], at: u64) -> usize {
    blocks(bytes, at).find(|(_, block)| is_hole(block)).map_or(bytes.len(), |(from, _)| from)
}

/// How many of `bytes`, which lie at file offset `at`, are whole blocks of zeros before anything else.
fn hollow(bytes: &[u8], at: u64) -> usize {
    blocks(bytes, at).find(|(_, block)| !is_hole(block)).map_or(bytes.len(), |(from, _)| from)
}

fn is_hole(block: &[u8]) -> bool {
    block.len() == HOLE_BYTES && block.iter().all(|byte| *byte == 0)
}

/// Cuts `bytes`, which lie at file offset `at`, where blocks of the file begin; each piece with where it begins in `bytes`.
fn blocks(bytes: &[u8], at: u64) -> impl Iterator<Item = (usize, &[u8])> {
    let first = (HOLE_BYTES - memory(at % offset(HOLE_BYTES))).min(bytes.len());
    let (head, rest) = bytes.split_at(first);
    let whole = rest.chunks(HOLE_BYTES).enumerate().map(move |(index, block)| (first + index * HOLE_BYTES, block));
    std::iter::once((0, head)).chain(whole)
}

impl From<ReadError> for RedactError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io { file, source } => Self::io(&file, source),
            other => Self::io(std::path::Path::new(""), std::io::Error::new(std::io::ErrorKind::InvalidData, other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_out_whole_blocks_of_zeros_and_nothing_else() {
        let mut bytes = vec![0; 5 * HOLE_BYTES];
        bytes[HOLE_BYTES - 1] = 1;
        bytes[3 * HOLE_BYTES] = 1;
        assert_eq!(solid(&bytes, 0), HOLE_BYTES);
        assert_eq!(hollow(&bytes[HOLE_BYTES..], offset(HOLE_BYTES)), 2 * HOLE_BYTES);
        assert_eq!(hollow(&bytes, 0), 0);
        // The same bytes elsewhere are cut elsewhere: from 10 on, blocks end 10 bytes earlier.
        assert_eq!(solid(&bytes, 10), 2 * HOLE_BYTES - 10);
        assert_eq!(solid(&bytes[..9], 3), 9);
        assert_eq!(hollow(&[], 0), 0);
    }
}
