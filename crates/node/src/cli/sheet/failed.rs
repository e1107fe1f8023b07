//! The workbook of failed rows: the file read once more, what is wrong with it by itself, and what the server said of the rest.
//!
//! A run that was interrupted leaves no workbook, only the list of reasons, which grows as answers come. So the workbook is made from that list at
//! the end, whole each time, with the rows of earlier runs of the same file.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, ErrorKind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::sync::watch;
use waymark_client::registration::Stop;
use waymark_sheet::{FailedRows, Item, Language, Layout, Options, ReadError, WriteError, read};

use super::file::{not_written, write_whole};
use crate::{
    cli::server::rows::{Open, lock},
    problem::{Exit, Problem},
};

/// A workbook of failed rows that is to be made.
#[derive(Debug)]
pub(super) struct Workbook {
    /// The file whose rows they are.
    pub(super) file: File,
    /// Columns.
    pub(super) layout: Arc<Layout>,
    /// Language of the headings.
    pub(super) headings: Language,
    /// Language of what is said.
    pub(super) language: Language,
    /// The list of reasons.
    pub(super) list: PathBuf,
    /// Where it goes.
    pub(super) path: PathBuf,
}

impl Workbook {
    /// Makes it with the rows that are settled, on a thread that may block; gives up when told to end at once.
    pub(super) async fn make(self, open: &Mutex<Open>, mut stop: watch::Receiver<Stop>) -> Result<Made, Problem> {
        let (up_to, has_reasons) = {
            let open = lock(open);
            (open.last_line, open.failed.has_reasons())
        };
        if !has_reasons {
            return Ok(Made::default());
        }
        let making = tokio::task::spawn_blocking(move || {
            let Self { file, layout, headings, language, list, path } = self;
            Failed { layout: &layout, headings, language, reasons: &list, up_to }.write(file, &path)
        });
        tokio::select! {
            made = making => made.unwrap_or_else(|cause| {
                let cause = Problem::new("runtime", Exit::Failed).with("cause", cause);
                Err(Problem::new("sheet-no-failed", Exit::Failed).note(cause))
            }),
            Ok(_) = stop.wait_for(|stop| *stop == Stop::Now) => Err(Problem::new("sheet-no-failed", Exit::Failed)),
        }
    }
}

/// What it is made from.
struct Failed<'a> {
    layout: &'a Layout,
    headings: Language,
    language: Language,
    reasons: &'a Path,
    /// Last row that is settled; later ones have not failed yet.
    up_to: u64,
}

/// A workbook that was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Made {
    /// Its rows; 0 where no row failed, and there is none.
    pub(super) rows: u32,
    /// Whether it is full and more rows failed.
    pub(super) is_full: bool,
}

impl Failed<'_> {
    /// Writes it, if any row failed.
    fn write(&self, file: File, path: &Path) -> Result<Made, Problem> {
        let written = write_whole(path, true, |out| {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let failed = |error: &WriteError| not_written(path, &error.text(self.language));
            let mut rows =
                FailedRows::new(self.layout, self.headings, self.language, folder).map_err(|error| failed(&error))?;
            let is_full = self.collect(file, &mut rows, path)?;
            if rows.count() == 0 {
                return Ok(None);
            }
            let count = rows.finish(out).map_err(|error| failed(&error))?;
            Ok(Some(Made { rows: count, is_full }))
        });
        Ok(written?.unwrap_or_default())
    }

    /// Collects the failed rows; whether there are more than fit.
    fn collect(&self, file: File, rows: &mut FailedRows<'_>, path: &Path) -> Result<bool, Problem> {
        let unreadable = |error: &ReadError| not_written(path, &error.text(self.language));
        let mut refused = Refused::open(self.reasons).map_err(|cause| not_written(path, &cause))?;
        let mut seen = 0;
        for item in read(file, self.layout, &Options::default()).map_err(|error| unreadable(&error))? {
            let item = match item {
                Ok(item) => item,
                // Where it ended before, too.
                Err(_) if seen >= self.up_to => break,
                Err(error) => return Err(unreadable(&error)),
            };
            let Some(number) = number_of(&item) else { continue };
            if number > self.up_to {
                break;
            }
            seen = number;
            let pushed = match item {
                Item::Bad(row) => rows.push(&row),
                Item::Row(row) => {
                    let reason = refused.reason(number, self.language).map_err(|cause| not_written(path, &cause))?;
                    reason.map_or(Ok(()), |reason| rows.push_refused(&row, &reason))
                }
                _ => Ok(()),
            };
            match pushed {
                Ok(()) => {}
                Err(WriteError::Full) => return Ok(true),
                Err(error) => return Err(not_written(path, &error.text(self.language))),
            }
        }
        Ok(false)
    }
}

/// Row of an item; `None` for what is none.
fn number_of(item: &Item) -> Option<u64> {
    match item {
        Item::Row(row) => Some(u64::from(row.number)),
        Item::Bad(row) => Some(u64::from(row.number)),
        _ => None,
    }
}

/// What the server refused, in the order of rows, from the list of reasons.
struct Refused {
    list: Option<BufReader<File>>,
    next: Option<(u64, Value)>,
}

impl Refused {
    fn open(path: &Path) -> io::Result<Self> {
        let list = match File::open(path) {
            Ok(file) => Some(BufReader::new(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Self { list, next: None })
    }

    /// Why a row was refused; `None` if it was not. Rows have to be asked for in order.
    fn reason(&mut self, row: u64, language: Language) -> io::Result<Option<String>> {
        while self.next.as_ref().is_none_or(|(line, _)| *line < row) {
            match self.read_next()? {
                Some(next) => self.next = Some(next),
                None => return Ok(None),
            }
        }
        let reason = self.next.as_ref().filter(|(line, _)| *line == row).map(|(_, reason)| said(reason, language));
        Ok(reason)
    }

    /// The next reason of an item that was sent; a line that was cut short when a run was killed is none.
    fn read_next(&mut self) -> io::Result<Option<(u64, Value)>> {
        let Some(list) = &mut self.list else { return Ok(None) };
        let mut text = Vec::new();
        loop {
            text.clear();
            if list.read_until(b'\n', &mut text)? == 0 {
                self.list = None;
                return Ok(None);
            }
            let Ok(reason) = serde_json::from_slice::<Value>(&text) else { continue };
            if reason.get("item").is_some_and(Value::is_u64)
                && let Some(line) = reason.get("line").and_then(Value::as_u64)
            {
                return Ok(Some((line, reason)));
            }
        }
    }
}

/// Cause and remedy of a refusal.
fn said(reason: &Value, language: Language) -> String {
    let of = |name: &str| reason.get(name).and_then(Value::as_str).unwrap_or_default();
    match (of("cause"), of("remedy"), language) {
        (cause, "", _) => cause.to_owned(),
        (cause, remedy, Language::English) => format!("{cause}; {remedy}"),
        (cause, remedy, Language::Chinese) => format!("{cause}；{remedy}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_found_by_row_and_all_else_in_the_list_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reasons");
        let list = [
            r#"{"line":2,"cause":"of the file","remedy":"r","item":null}"#,
            r#"{"line":5,"cause":"refused","remedy":"read it","item":3}"#,
            r#"{"line":9,"cause":"of the file, listed early","remedy":"r"}"#,
            r#"{"line":6,"cause":"refus{"line":6,"cause":"torn and written behind","item":4}"#,
            r#"{"line":7,"cause":"again","remedy":"","item":5}"#,
            r#"{"line":8,"cau"#,
        ];
        std::fs::write(&path, list.join("\n")).unwrap();
        let mut refused = Refused::open(&path).unwrap();
        let mut reason = |row| refused.reason(row, Language::English).unwrap();
        assert_eq!((reason(2), reason(4)), (None, None));
        assert_eq!(reason(5).as_deref(), Some("refused; read it"));
        assert_eq!((reason(6), reason(7).as_deref(), reason(8)), (None, Some("again"), None));
        let mut none = Refused::open(&folder.path().join("none")).unwrap();
        assert_eq!(none.reason(1, Language::Chinese).unwrap(), None);
    }
}
