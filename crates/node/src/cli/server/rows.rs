//! The rows of a file as items of a stream.
//!
//! Items are numbered by the lines that hold a record, in order. What is no record is not sent and has no number; since that only depends
//! on the file, the numbers are the same in every run.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, BufReader},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use waymark_api::registration::v1::{self, change::Action};
use waymark_catalog::{
    form::line::{self, LineError},
    import::{Cause, Lines},
};

use super::{
    failed_rows::{FailedRows, Reason},
    form,
};

/// What reader and receiver of an upload share.
#[derive(Debug)]
pub(crate) struct Open {
    /// Rows that were read and have no outcome yet, in order.
    pub(crate) pending: VecDeque<Row>,
    /// What failed.
    pub(crate) failed: FailedRows,
    /// Line of the last row that is settled, with all rows before it.
    pub(crate) last_line: u64,
}

impl Open {
    /// Nothing read yet.
    pub(crate) const fn new(failed: FailedRows) -> Self {
        Self { pending: VecDeque::new(), failed, last_line: 0 }
    }

    /// Settles every row that waits: those that were sent are as good as answered.
    pub(crate) fn settle_all(&mut self) -> io::Result<()> {
        while let Some(row) = self.pending.pop_front() {
            self.last_line = row.line;
            self.failed.add_row(row)?;
        }
        Ok(())
    }

    /// Takes a row in that is not sent, behind those that wait: at once where none does, or where so many are kept already.
    pub(crate) fn keep_back(&mut self, row: Row, most: usize) -> io::Result<()> {
        if self.pending.is_empty() {
            self.last_line = row.line;
        }
        if self.pending.is_empty() || self.pending.len() >= most {
            return self.failed.add_row(row);
        }
        self.pending.push_back(row);
        Ok(())
    }
}

/// Bad rows kept until the rows before them are settled, so that failed rows are listed in order; further ones are listed at once.
const KEPT_ROWS: usize = 100_000;

/// A row of the input.
#[derive(Debug)]
pub(crate) struct Row {
    /// Its line, from 1.
    pub(crate) line: u64,
    /// Bytes of the input up to its end.
    pub(crate) end: u64,
    /// Its text; `None` where it was too long to be kept, or is no line of a text.
    pub(crate) text: Option<Vec<u8>>,
    /// Its handle, where that is not told by its text.
    pub(crate) handle: Option<String>,
    /// Whether it was sent.
    pub(crate) is: Kind,
}

/// Whether a row was sent.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Sent under this number.
    Sent(u64),
    /// No record; not sent, for these reasons.
    Bad(Vec<Reason>),
}

/// The rows of the file as changes, from an item number on.
pub(super) struct Rows {
    /// The input.
    pub(super) lines: Lines<BufReader<File>>,
    /// Longest line taken.
    pub(super) line_bytes: usize,
    /// Number of the last item read.
    pub(super) number: u64,
    /// Number of the first item to send.
    pub(super) first: u64,
    /// Whether identifiers that exist are replaced.
    pub(super) replace: bool,
    /// Where rows wait for their outcome.
    pub(super) open: Arc<Mutex<Open>>,
}

impl Row {
    /// Whether its fate is known once item `number` is answered; `None` for no answer more.
    pub(super) fn is_settled_with(&self, number: Option<u64>) -> bool {
        match self.is {
            Kind::Sent(own) => number.is_some_and(|number| own <= number),
            Kind::Bad(_) => true,
        }
    }

    /// Its handle; empty where it is no record.
    pub(super) fn handle(&self) -> String {
        let told = || self.text.as_deref().and_then(|text| line::read(text).ok()).map(|line| line.handle);
        self.handle.clone().or_else(told).unwrap_or_default()
    }
}

impl FailedRows {
    /// Lists a row that was not sent.
    pub(super) fn add_row(&mut self, row: Row) -> io::Result<()> {
        match row.is {
            Kind::Bad(reasons) => self.add(reasons, row.text.as_deref()),
            Kind::Sent(_) => Ok(()),
        }
    }
}

impl Rows {
    fn next_change(&mut self) -> io::Result<Option<v1::Change>> {
        while let Some(head) = self.lines.next_head()? {
            let text = self.lines.text();
            if !head.too_long && text.trim_ascii().is_empty() {
                continue;
            }
            let read = match head.too_long {
                true => Err(too_long(self.line_bytes)),
                false => change(text, self.replace),
            };
            if read.is_ok() {
                self.number += 1;
                if self.number < self.first {
                    continue;
                }
            }
            let text = (!head.too_long).then(|| text.to_vec());
            let row = |is| Row { line: head.number, end: head.end, text, handle: None, is };
            let mut open = lock(&self.open);
            match read {
                Ok(change) => {
                    open.pending.push_back(row(Kind::Sent(self.number)));
                    return Ok(Some(change));
                }
                Err(error) => {
                    let reasons = vec![Reason::of_line(head.number, &error)];
                    open.keep_back(row(Kind::Bad(reasons)), KEPT_ROWS)?;
                }
            }
        }
        Ok(None)
    }
}

impl Iterator for Rows {
    type Item = io::Result<v1::Change>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_change().transpose()
    }
}

fn too_long(limit: usize) -> LineError {
    LineError { handle: None, field: String::new(), cause: Cause::TooLong { limit } }
}

fn change(text: &[u8], replace: bool) -> Result<v1::Change, LineError> {
    let line::Line { handle, values, status, .. } = line::read(text)?;
    if status.is_some() {
        return Err(LineError { handle: Some(handle), field: "status".to_owned(), cause: Cause::StatusApart });
    }
    let values = match form::to_interface(&values) {
        Ok(values) => values,
        Err(form::NotSayable { field, .. }) => {
            return Err(LineError {
                handle: Some(handle),
                field,
                cause: Cause::OutOfRange { min: 0, max: i64::from(i32::MAX) },
            });
        }
    };
    let keep_timestamps = true;
    let action = if replace {
        Action::Replace(v1::Replace { values, keep_timestamps })
    } else {
        Action::Create(v1::Create { values, keep_timestamps })
    };
    Ok(v1::Change { handle, action: Some(action), expect: None })
}

/// The shared part; a thread that panicked leaves it usable.
pub(crate) fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use super::*;

    const FILE: &str = "{\"handle\":\"88.1/a\",\"values\":[]}\n\nno record\n{\"handle\":\"88.1/b\",\"values\":[]}\n\
                        {\"handle\":\"88.1/c\",\"values\":[]}\nnot this either\n";

    /// Reads the file's records from an item on; gives their handles and what waits for outcomes.
    pub(crate) fn read(first: u64, folder: &Path) -> (Vec<String>, Arc<Mutex<Open>>) {
        let path = folder.join("input.jsonl");
        std::fs::write(&path, FILE).unwrap();
        let failed = FailedRows::new(folder.join("rows"), folder.join("reasons"));
        let open = Arc::new(Mutex::new(Open::new(failed)));
        let lines = Lines::new(BufReader::new(File::open(path).unwrap()), 400);
        let rows = Rows { lines, line_bytes: 400, number: 0, first, replace: false, open: Arc::clone(&open) };
        (rows.map(|change| change.unwrap().handle).collect(), open)
    }

    #[test]
    fn only_records_are_numbered_and_numbers_do_not_depend_on_where_a_run_begins() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(1, folder.path()).0, ["88.1/a", "88.1/b", "88.1/c"]);
        assert_eq!(read(2, folder.path()).0, ["88.1/b", "88.1/c"]);
        assert_eq!(read(4, folder.path()).0, [""; 0]);
    }
}
