//! The rows of a spreadsheet as items of a stream.
//!
//! Items are numbered by the rows that hold an identifier without problems, in order. Which those are depends on the file and the template alone,
//! and both are part of the stream's name, so the numbers are the same in every run. What the server refuses keeps its number.

use std::{
    io,
    sync::{Arc, Mutex, mpsc::Receiver},
};

use waymark_api::registration::v1::{self, change::Action};
use waymark_sheet::{BadRow, Cell, Item, Language, Problem, ReadError, Row};

use super::reading::Next;
use crate::cli::server::{
    failed_rows::Reason,
    rows::{self, Kind, Open, lock},
};

/// Rows that wait, among them those that are kept back so that they are listed in order; further ones of these are listed at once. More than a window
/// of the stream holds.
const KEPT_ROWS: usize = 12_288;

/// Remarks about a file that are kept to be shown.
const REMARKS: usize = 10;

/// The rows of a file as changes, from an item number on.
pub(super) struct Changes {
    /// The file.
    pub(super) rows: Receiver<Next>,
    /// Handle of the template they are made from.
    pub(super) template: String,
    /// Whether identifiers that exist are replaced.
    pub(super) replace: bool,
    /// Language of reasons.
    pub(super) language: Language,
    /// Number of the last item read.
    pub(super) number: u64,
    /// Number of the first item to send.
    pub(super) first: u64,
    /// Where rows wait for their outcome.
    pub(super) open: Arc<Mutex<Open>>,
    /// What is said of the file besides.
    pub(super) remarks: Arc<Mutex<Remarks>>,
}

/// What is said of a file without keeping a row of it back.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    /// The first few.
    pub(super) first: Vec<String>,
    /// How many there are.
    pub(super) count: u64,
}

impl Changes {
    fn next_change(&mut self) -> Result<Option<v1::Change>, ReadError> {
        loop {
            match self.rows.recv() {
                Ok(Next::Item(end, Item::Row(row))) => {
                    self.number += 1;
                    if self.number < self.first {
                        continue;
                    }
                    let waiting = rows::Row {
                        line: u64::from(row.number),
                        end,
                        text: None,
                        handle: Some(row.handle.clone()),
                        is: Kind::Sent(self.number),
                    };
                    lock(&self.open).pending.push_back(waiting);
                    return Ok(Some(self.change(row)));
                }
                Ok(Next::Item(end, Item::Bad(row))) => self.keep_back(&row, end)?,
                Ok(Next::Item(_, Item::Remark(problem))) => self.remark(&problem),
                // Kinds that are not known yet keep no row back.
                Ok(Next::Item(..)) => {}
                Ok(Next::Failed(error)) => return Err(error),
                Ok(Next::End) => return Ok(None),
                Err(_) => return Err(ReadError::Io(io::Error::other("the thread that reads it has gone"))),
            }
        }
    }

    fn change(&self, row: Row) -> v1::Change {
        let field = |(index, text)| v1::TemplateField { index, r#type: String::new(), text };
        let fields = row.values.into_iter().map(field).collect();
        let made = v1::FromTemplate { template: self.template.clone(), fields, replace: self.replace };
        v1::Change { handle: row.handle, action: Some(Action::FromTemplate(made)), expect: None }
    }

    fn keep_back(&self, row: &BadRow, end: u64) -> Result<(), ReadError> {
        let line = u64::from(row.number);
        let handle = match &row.cells.handle {
            Some(Cell::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let reasons = row.problems.iter().map(|problem| self.reason(line, handle.as_deref(), problem)).collect();
        let kept = rows::Row { line, end, text: None, handle, is: Kind::Bad(reasons) };
        lock(&self.open).keep_back(kept, KEPT_ROWS).map_err(ReadError::Io)
    }

    fn reason(&self, line: u64, handle: Option<&str>, problem: &Problem) -> Reason {
        Reason {
            line,
            item: None,
            handle: handle.map(str::to_owned),
            field: problem.place().map(|place| place.title.clone()).unwrap_or_default(),
            code: problem.code().explanation().name.to_owned(),
            cause: problem.cause(self.language),
            remedy: problem.remedy(self.language),
            said: Some(problem.text(self.language)),
        }
    }

    fn remark(&self, problem: &Problem) {
        let mut remarks = self.remarks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        remarks.count += 1;
        if remarks.first.len() < REMARKS {
            remarks.first.push(problem.text(self.language));
        }
    }
}

impl Iterator for Changes {
    type Item = Result<v1::Change, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_change().transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use waymark_catalog::template::Definition;

    use super::{
        super::{layout::layout, reading::Reading},
        *,
    };
    use crate::{cli::server::failed_rows::FailedRows, texts::Texts};

    const TEMPLATE: &str = r#"{"code":"T","version":"1","title":"t","object_type":2,"industry":{"category":"C"},
        "columns":[{"index":2000,"name":"名称","type":"name","data":"string","required":true,"max":9}]}"#;

    const FILE: &str = "标识,名称\n88.1/a,A\n88.1/b,\n88.1/c,C\n\n\n88.1/d,D\n88.1/a,E\n";

    /// Reads the file's rows from an item on; gives their handles, what waits for outcomes, and remarks.
    async fn changes(first: u64, folder: &std::path::Path) -> (Vec<String>, Arc<Mutex<Open>>, u64) {
        let path = folder.join("input.csv");
        std::fs::write(&path, FILE).unwrap();
        let texts = Texts::new(crate::texts::Language::English);
        let layout = Arc::new(layout(&Definition::from_json(TEMPLATE).unwrap(), &texts).unwrap());
        let reading = Reading::open(File::open(&path).unwrap(), layout).await.unwrap();
        let failed = FailedRows::new(folder.join("rows"), folder.join("reasons"));
        let open = Arc::new(Mutex::new(Open::new(failed)));
        let remarks = Arc::new(Mutex::new(Remarks::default()));
        let changes = Changes {
            rows: reading.rows,
            template: "88.1/META_T-1".to_owned(),
            replace: false,
            language: Language::English,
            number: 0,
            first,
            open: Arc::clone(&open),
            remarks: Arc::clone(&remarks),
        };
        let handles = changes.map(|change| change.unwrap().handle).collect();
        let count = remarks.lock().unwrap().count;
        (handles, open, count)
    }

    #[tokio::test]
    async fn only_good_rows_are_numbered_and_numbers_do_not_depend_on_where_a_run_begins() {
        let folder = tempfile::tempdir().unwrap();
        let (handles, open, remarks) = changes(1, folder.path()).await;
        assert_eq!((handles, remarks), (vec!["88.1/a".to_owned(), "88.1/c".to_owned(), "88.1/d".to_owned()], 1));
        let waiting: Vec<_> = lock(&open)
            .pending
            .iter()
            .map(|row| match row.is {
                Kind::Sent(number) => (row.line, Some(number)),
                Kind::Bad(_) => (row.line, None),
            })
            .collect();
        assert_eq!(waiting, [(2, Some(1)), (3, None), (4, Some(2)), (7, Some(3)), (8, None)]);
        let (handles, open, _) = changes(3, folder.path()).await;
        assert_eq!(handles, ["88.1/d"]);
        {
            let open = lock(&open);
            let numbers: Vec<_> = open.pending.iter().map(|row| row.line).collect();
            assert_eq!(numbers, [7, 8], "what nothing waits before is listed at once");
            assert_eq!((open.failed.count(), open.last_line), (1, 3));
        }
        assert_eq!(changes(4, folder.path()).await.0, [""; 0]);
    }

    #[tokio::test]
    async fn a_reader_that_is_gone_is_no_end_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (sender, rows) = std::sync::mpsc::sync_channel(1);
        drop(sender);
        let failed = FailedRows::new(folder.path().join("rows"), folder.path().join("reasons"));
        let mut changes = Changes {
            rows,
            template: String::new(),
            replace: false,
            language: Language::English,
            number: 0,
            first: 1,
            open: Arc::new(Mutex::new(Open::new(failed))),
            remarks: Arc::default(),
        };
        assert!(matches!(changes.next(), Some(Err(ReadError::Io(_)))));
    }
}
