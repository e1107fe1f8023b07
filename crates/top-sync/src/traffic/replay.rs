//! Reading the record of every answer again.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::config::LINE_BYTES;
use super::line::AnswerLine;
use super::place::{Found, Place};

/// The files of the record, the older one first, each with where to begin.
pub(super) type Rest = Vec<(File, u64)>;

/// The files behind a place; `None` when it is in none of them.
pub(super) fn behind(place: Place, log: &Path) -> io::Result<Option<Rest>> {
    let (newer, older) = (open(log)?, open(&older_of(log))?);
    let find = |file: &Option<File>| file.as_ref().map_or(Ok(Found::Elsewhere), |file| place.find_in(file));
    let in_older = find(&older)? == Found::Here;
    let is_older_itself = in_older && older.as_ref().map_or(Ok(false), |older| place.was_made_in(older))?;
    match find(&newer)? {
        Found::Here if !is_older_itself => return Ok(newer.map(|newer| vec![(newer, place.offset)])),
        Found::BehindTheEnd if !in_older => return Ok(Some(Vec::new())),
        _ if in_older => {}
        _ => return Ok(None),
    }
    let rest = older.map(|older| (older, place.offset)).into_iter().chain(newer.map(|newer| (newer, 0)));
    Ok(Some(rest.collect()))
}

/// Everything there is.
pub(super) fn everything(log: &Path) -> io::Result<Rest> {
    let files = [open(&older_of(log))?, open(log)?];
    Ok(files.into_iter().flatten().map(|file| (file, 0)).collect())
}

/// Goes through the lines of a file from a place to its end. A last line without an end is none.
pub(super) fn lines(file: File, from: u64, mut each: impl FnMut(Option<&AnswerLine<'_>>)) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 18, file);
    reader.seek(SeekFrom::Start(from))?;
    let mut line = Vec::new();
    let most = u64::try_from(LINE_BYTES).unwrap_or(u64::MAX);
    loop {
        line.clear();
        reader.by_ref().take(most).read_until(b'\n', &mut line)?;
        match line.last() {
            Some(b'\n') => each(AnswerLine::read(&line).ok().as_ref()),
            Some(_) if line.len() >= LINE_BYTES => {
                if !skip_line(&mut reader)? {
                    return Ok(());
                }
                each(None);
            }
            _ => return Ok(()),
        }
    }
}

/// Passes over the rest of a line; `false` when it has no end.
fn skip_line(reader: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let there = reader.fill_buf()?;
        if there.is_empty() {
            return Ok(false);
        }
        let end = there.iter().position(|byte| *byte == b'\n');
        let passed = end.map_or(there.len(), |end| end.saturating_add(1));
        reader.consume(passed);
        if end.is_some() {
            return Ok(true);
        }
    }
}

/// Where the record goes when it is turned over.
fn older_of(log: &Path) -> PathBuf {
    let mut older = log.as_os_str().to_owned();
    older.push(".1");
    older.into()
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(cause),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(content: &[u8], from: u64) -> Vec<Option<u32>> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        let mut times = Vec::new();
        lines(file, from, |line| times.push(line.map(|line| line.answer().unix_seconds))).unwrap();
        times
    }

    fn line(time: u32) -> Vec<u8> {
        format!("{{\"time\":{time},\"from\":\"127.0.0.1:5\",\"op\":1,\"code\":1,\"handle\":\"88/x\"}}\n").into_bytes()
    }

    #[test]
    fn whole_lines_are_read_and_broken_ones_told() {
        let long = [&b"x".repeat(LINE_BYTES * 3)[..], b"\n"].concat();
        let content = [&line(1)[..], b"broken\n", &line(2), b"\n", &long, &line(3), &line(4)[..20]].concat();
        assert_eq!(read(&content, 0), [Some(1), None, Some(2), None, None, Some(3)]);
        assert_eq!(read(&content, line(1).len() as u64 + 7), [Some(2), None, None, Some(3)]);
        assert_eq!(read(&b"x".repeat(LINE_BYTES * 3), 0), []);
        assert_eq!(read(&content, 1 << 40), []);
    }

    #[test]
    fn the_rest_behind_a_place_begins_in_the_older_file_once_the_record_was_turned_over() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("answers.log");
        let place_after = |path: &Path, lines: usize| {
            let offset = (0..lines).map(|time| line(u32::try_from(time).unwrap()).len() as u64).sum();
            Place::of(&File::open(path).unwrap(), offset).unwrap()
        };
        let times = |place: Place| -> Option<Vec<u32>> {
            let mut times = Vec::new();
            for (file, from) in behind(place, &log).unwrap()? {
                lines(file, from, |line| times.push(line.unwrap().answer().unix_seconds)).unwrap();
            }
            Some(times)
        };
        std::fs::write(&log, (0..30).flat_map(line).collect::<Vec<u8>>()).unwrap();
        let place = place_after(&log, 20);
        assert_eq!(times(place), Some((20..30).collect()));
        std::fs::rename(&log, older_of(&log)).unwrap();
        assert_eq!(times(place), Some((20..30).collect()));
        std::fs::write(&log, (30..40).flat_map(line).collect::<Vec<u8>>()).unwrap();
        assert_eq!(times(place), Some((20..40).collect()));
        std::fs::rename(&log, older_of(&log)).unwrap();
        assert_eq!(times(place), None, "turned over twice");
    }
}
