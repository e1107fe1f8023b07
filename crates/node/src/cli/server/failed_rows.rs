//! What a streamed import could not bring in: the rows, as they stand in the input, and beside them the reasons.
//!
//! The file of rows is an input like the one it came from, to be mended and sent again. The file of reasons has a JSON object for each thing
//! that is wrong: line in the input, handle, field, code, cause and remedy, and the number of the item where it was sent. Both are made with the
//! first failure. The rows of a spreadsheet become a workbook at the end, which is made from the reasons.

use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use waymark_catalog::form::line::LineError;
use waymark_client::registration::ServerError;

/// Why a row failed.
#[derive(Debug)]
pub(crate) struct Reason {
    /// Line or row of the input, from 1.
    pub(crate) line: u64,
    /// Number of the item, where it was sent.
    pub(crate) item: Option<u64>,
    /// The handle, as far as it could be read.
    pub(crate) handle: Option<String>,
    /// Path of the field; empty for the whole row.
    pub(crate) field: String,
    /// Stable name of the cause.
    pub(crate) code: String,
    /// What is wrong.
    pub(crate) cause: String,
    /// What to do about it; may be empty.
    pub(crate) remedy: String,
    /// All of it for people, where that says more.
    pub(crate) said: Option<String>,
}

impl Reason {
    /// A row that was not sent.
    pub(crate) fn of_line(line: u64, error: &LineError) -> Self {
        Self {
            line,
            item: None,
            handle: error.handle.clone(),
            field: error.field.clone(),
            code: error.cause.code().to_owned(),
            cause: error.cause.to_string(),
            remedy: String::new(),
            said: None,
        }
    }

    /// A row the server refused.
    pub(crate) fn of_server(line: u64, item: u64, handle: String, error: ServerError) -> Self {
        let field = error.violations.first().map(|(field, _)| field.clone());
        let listed = error.violations.iter().map(|(field, what)| format!("; {field}: {what}"));
        Self {
            line,
            item: Some(item),
            handle: Some(handle),
            field: field.unwrap_or_default(),
            code: error.reason,
            cause: std::iter::once(error.cause).chain(listed).collect(),
            remedy: error.remedy,
            said: None,
        }
    }

    fn json(&self) -> Value {
        json!({
            "line": self.line, "handle": self.handle, "field": self.field, "code": self.code, "cause": self.cause,
            "remedy": self.remedy, "item": self.item,
        })
    }
}

/// The two files.
#[derive(Debug)]
pub(crate) struct FailedRows {
    rows: Place,
    reasons: Place,
    /// Lines an earlier run has listed.
    listed: BTreeSet<u64>,
    count: u64,
    first: Vec<Reason>,
}

/// Reasons kept to be shown.
const SHOWN: usize = 10;

impl FailedRows {
    /// Files beside the input, or where the caller wants them.
    pub(crate) fn new(rows: PathBuf, reasons: PathBuf) -> Self {
        let (rows, reasons) = (Place::new(rows), Place::new(reasons));
        Self { rows, reasons, listed: BTreeSet::new(), count: 0, first: Vec::new() }
    }

    /// Goes on with the files of an earlier run of the same input: what it listed is not listed twice.
    pub(crate) fn continue_earlier(&mut self) -> io::Result<()> {
        let file = match File::open(&self.reasons.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        for line in BufReader::new(file).split(b'\n') {
            // The last one may be cut short, within a character too.
            let reason: Option<Value> = serde_json::from_slice(&line?).ok();
            self.listed.extend(reason.as_ref().and_then(|reason| reason.get("line")).and_then(Value::as_u64));
        }
        self.rows.appends = true;
        self.reasons.appends = true;
        Ok(())
    }

    /// Lists a row with its reasons; `row` is its text in the input where that is known. It is on its way to the disk when this returns, so that
    /// a run that is killed leaves a list that fits what it was answered.
    pub(crate) fn add(&mut self, reasons: Vec<Reason>, row: Option<&[u8]>) -> io::Result<()> {
        self.count += 1;
        if reasons.iter().any(|reason| self.listed.contains(&reason.line)) {
            return Ok(());
        }
        if let Some(row) = row {
            self.rows.write(&[row, b"\n"].concat())?;
        }
        let lines: String = reasons.iter().map(|reason| format!("{}\n", reason.json())).collect();
        self.reasons.write(lines.as_bytes())?;
        let room = SHOWN.saturating_sub(self.first.len());
        self.first.extend(reasons.into_iter().take(room));
        Ok(())
    }

    /// Rows that failed in this run.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// The first reasons.
    pub(crate) fn first(&self) -> &[Reason] {
        &self.first
    }

    /// Where the rows are.
    pub(crate) fn rows(&self) -> &Path {
        &self.rows.path
    }

    /// Whether the file of reasons is of this run, or goes on from the run that this one continues; not one of something else.
    pub(crate) const fn has_reasons(&self) -> bool {
        self.reasons.appends || self.reasons.file.is_some()
    }

    /// Where the reasons are.
    pub(crate) fn reasons(&self) -> &Path {
        &self.reasons.path
    }
}

/// A file that is made when something is first written.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    appends: bool,
    file: Option<File>,
}

impl Place {
    const fn new(path: PathBuf) -> Self {
        Self { path, appends: false, file: None }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let mut options = OpenOptions::new();
                options.create(true).append(self.appends).read(true).write(true).truncate(!self.appends);
                let mut file = options.open(&self.path)?;
                if self.appends {
                    end_line(&mut file)?;
                }
                self.file.insert(file)
            }
        };
        file.write_all(bytes)
    }
}

/// Ends the last line, where it was cut short when a run was killed or the disk was full: what follows is another one.
fn end_line(file: &mut File) -> io::Result<()> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(line: u64) -> Vec<Reason> {
        let error = ServerError {
            code: tonic::Code::FailedPrecondition,
            reason: "NOT_SERVED".to_owned(),
            cause: "c".into(),
            remedy: "r".into(),
            violations: Vec::new(),
            retry_after: None,
            retry_at: None,
            current_serial: None,
        };
        vec![Reason::of_server(line, line, "88.1/x".into(), error)]
    }

    #[test]
    fn rows_come_out_as_they_went_in_and_a_clean_run_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let (rows, reasons) = (folder.path().join("rows"), folder.path().join("reasons"));
        let mut failed = FailedRows::new(rows.clone(), reasons.clone());
        assert!(!rows.exists() && !reasons.exists());
        failed.add(reason(2), Some(br#"{ "handle": "88.1/x" }"#)).unwrap();
        failed.add(reason(9), None).unwrap();
        assert_eq!(std::fs::read_to_string(&rows).unwrap(), "{ \"handle\": \"88.1/x\" }\n");
        let lines: Vec<Value> = std::fs::read_to_string(&reasons)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!((lines.len(), &lines[0]["line"], &lines[1]["code"]), (2, &json!(2), &json!("NOT_SERVED")));

        let mut again = FailedRows::new(rows.clone(), reasons.clone());
        again.continue_earlier().unwrap();
        again.add(reason(2), Some(b"listed already")).unwrap();
        again.add(reason(11), Some(b"new")).unwrap();
        assert_eq!(again.count(), 2);
        assert_eq!(std::fs::read_to_string(&rows).unwrap(), "{ \"handle\": \"88.1/x\" }\nnew\n");

        // A run that was killed may leave a line cut short, within a character too.
        let whole = std::fs::read(&reasons).unwrap();
        std::fs::write(&reasons, [&whole[..], b"{\"line\":12,\"cause\":\"\xe6\xa0"].concat()).unwrap();
        let mut torn = FailedRows::new(rows.clone(), reasons.clone());
        torn.continue_earlier().unwrap();
        torn.add(reason(11), None).unwrap();
        torn.add(reason(12), None).unwrap();
        let list = std::fs::read(&reasons).unwrap();
        let last = list.split(|byte| *byte == b'\n').rev().nth(1).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(last).unwrap()["line"], 12);

        let mut anew = FailedRows::new(rows.clone(), reasons);
        assert!(again.has_reasons() && !anew.has_reasons(), "those of an earlier run are none of this one");
        anew.add(reason(1), Some(b"anew")).unwrap();
        assert!(anew.has_reasons());
        assert_eq!(std::fs::read_to_string(&rows).unwrap(), "anew\n");
    }
}
