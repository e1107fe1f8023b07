//! A spreadsheet read on a thread of its own: its rows borrow the layout, and reading a large one blocks.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use serde_json::json;
use tokio::sync::oneshot;
use waymark_sheet::{About, Item, Layout, Options, ReadError, read};

use super::language;
use crate::{
    cli::{present::safe, terminal},
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

/// Rows that are read ahead, each of a MiB at most.
const AHEAD_ROWS: usize = 64;

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    /// Something of the file, and how many of its bytes were read until then.
    Item(u64, Item),
    /// The file is not read further.
    Failed(ReadError),
    /// The file ends here.
    End,
}

/// A file that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    /// What is known of it.
    pub(super) about: About,
    /// Its rows.
    pub(super) rows: Receiver<Next>,
}

impl Reading {
    /// Opens a spreadsheet. The whole of it was verified when this returns.
    pub(super) async fn open(file: File, layout: Arc<Layout>) -> Result<Self, ReadError> {
        let (opened, about) = oneshot::channel();
        let (sender, rows) = sync_channel(AHEAD_ROWS);
        let gone = || ReadError::Io(io::Error::other("the thread that reads it has gone"));
        let reader = thread::Builder::new().name("sheet".to_owned());
        reader.spawn(move || read_all(file, &layout, opened, &sender)).map_err(ReadError::Io)?;
        let about = about.await.map_err(|_| gone())??;
        Ok(Self { about, rows })
    }
}

fn read_all(file: File, layout: &Layout, opened: oneshot::Sender<Result<About, ReadError>>, sender: &SyncSender<Next>) {
    let position = Arc::new(AtomicU64::new(0));
    let file = Watched { file, position: Arc::clone(&position) };
    let rows = match read(file, layout, &Options::default()) {
        Ok(rows) => rows,
        Err(error) => {
            // Whoever gave up waiting needs no answer.
            let _gone = opened.send(Err(error));
            return;
        }
    };
    if opened.send(Ok(rows.about().clone())).is_err() {
        return;
    }
    for item in rows {
        let next = match item {
            Ok(item) => Next::Item(position.load(Ordering::Relaxed), item),
            Err(error) => Next::Failed(error),
        };
        let is_last = matches!(next, Next::Failed(_));
        if sender.send(next).is_err() || is_last {
            return;
        }
    }
    let _gone = sender.send(Next::End);
}

/// A file, and where it is read.
struct Watched {
    file: File,
    position: Arc<AtomicU64>,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.position.fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
        Ok(count)
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = self.file.seek(to)?;
        self.position.store(position, Ordering::Relaxed);
        Ok(position)
    }
}

/// Says how a file is read: encoding and separator, or the sheet, and what of it is not.
pub(super) fn show(about: &About, path: &Path, json: bool, texts: &Texts) {
    let encoding = about.encoding.map(waymark_sheet::Encoding::name);
    if json {
        terminal::line(json!({
            "event": "opened", "encoding": encoding, "separator": about.separator, "sheet": about.sheet,
            "other_sheets": about.other_sheets, "absent_columns": about.absent, "heading_row": about.heading_row,
        }));
        return;
    }
    let path = ("path", path.display().to_string().into());
    match (encoding, &about.sheet) {
        (Some(encoding), _) => {
            let separator = match about.separator {
                Some('\t') => texts.text("sheet-tab", &[]),
                other => other.map(String::from).unwrap_or_default(),
            };
            let values = [path, ("encoding", encoding.into()), ("separator", separator.into())];
            terminal::line(texts.text("sheet-csv", &values));
        }
        (None, sheet) => {
            let sheet = safe(sheet.as_deref().unwrap_or_default()).to_string();
            terminal::line(texts.text("sheet-workbook", &[path, ("sheet", sheet.into())]));
        }
    }
    for (code, names) in [("sheet-other-sheets", &about.other_sheets), ("sheet-absent-columns", &about.absent)] {
        if !names.is_empty() {
            let names = safe(&names.join(", ")).to_string();
            terminal::line(texts.text(code, &[("names", names.into())]));
        }
    }
}

/// The problems of a file that is not read, or not further.
pub(super) fn problems(error: &ReadError, path: &Path, exit: Exit, texts: &Texts) -> Problems {
    let problem = |code: &str, text: String| {
        let problem = Problem::new("sheet-unreadable", exit).with("path", path.display());
        problem.with("code", code).with("text", safe(&text))
    };
    let language = language(texts);
    match error.problems() {
        [] => problem("IO", error.text(language)).into(),
        found => {
            let of = |found: &waymark_sheet::Problem| problem(found.code().explanation().name, found.text(language));
            found.iter().map(of).collect::<Vec<_>>().into()
        }
    }
}
