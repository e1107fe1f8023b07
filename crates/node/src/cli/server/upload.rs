//! `waymark import FILE --server …`: a file of JSON lines as a stream that continues where it was.

use std::{
    collections::BTreeSet,
    error::Error,
    fs::File,
    io::{self, BufReader},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;
use waymark_api::registration::v1::{self, item_outcome};
use waymark_catalog::import::{self, Format, ImportOptions, Lines};
use waymark_client::{
    config::WINDOW_ITEMS,
    registration::{CallError, Counts, Event, Exchange, ExchangeError, ServerError, Start, Stop},
};

use super::{
    answer,
    failed_rows::{FailedRows, Reason},
    rows::{Kind, Open, Rows, lock},
    under_way::UnderWay,
};
use crate::{
    cli::{
        FileForm, Import,
        import::{self as local, Display, bar, beside, stop_on_signal},
        present::safe,
        sheet::is_spreadsheet,
        terminal::{self, grouped},
    },
    daemon::chain,
    problem::{Exit, Problem},
    texts::Texts,
};

/// Time between two lines of progress.
const TICK: Duration = Duration::from_millis(500);

/// Streams the file and shows what became of it.
pub(crate) async fn run(arguments: &Import, texts: &Texts) -> Result<Exit, Problem> {
    let unreadable = |cause: &dyn std::fmt::Display| {
        Problem::new("file-unreadable", Exit::Usage).with("path", arguments.file.display()).with("cause", cause)
    };
    refuse_local(arguments)?;
    let mut file = File::open(&arguments.file).map_err(|cause| unreadable(&cause))?;
    let length = file.metadata().map_err(|cause| unreadable(&cause))?.len();
    if arguments.form == FileForm::Auto
        && is_spreadsheet(&arguments.file, &mut file).map_err(|cause| unreadable(&cause))?
    {
        return Err(Problem::new("sheet-without-template", Exit::Usage).with("path", arguments.file.display()));
    }
    let format = local::form(arguments.form, &mut file).map_err(|cause| unreadable(&cause))?;
    if format != Format::JsonLines {
        return Err(Problem::new("stream-jsonl-only", Exit::Usage).with("path", arguments.file.display()));
    }
    let mut options = ImportOptions::new(format);
    if arguments.replace {
        options.existing = waymark_catalog::PutMode::Replace;
    }
    let derived = import::stream_id(&mut file, &options).map_err(|cause| unreadable(&cause))?;
    let mut stream = arguments.stream.clone().unwrap_or_else(|| format!("import:{}", hex::encode(derived)));
    if arguments.from_start {
        // Under the old name, what was decided would stay so.
        stream = format!("{stream}:{}", Uuid::now_v7());
    }
    let mut exchange = Exchange::new(stream.clone());
    // An earlier run may have been stopped between an answer and its place in the list of failed rows: those are answered again.
    exchange.start = Start::BeforeMark(WINDOW_ITEMS.default as u64);
    let registrar = arguments.connection.open(texts)?;
    let failed = failed_rows(arguments, [".failed.jsonl", ".rejects.jsonl"])?;
    exchange.stop = stop_on_signal()?;
    exchange.finish = Duration::from_secs(arguments.stop_seconds);
    let shown = Display { json: arguments.json, bar: bar(length, arguments.json), started: Instant::now() };
    let open = Arc::new(Mutex::new(Open::new(failed)));
    let mut upload = Upload::new(Arc::clone(&open), stream, shown, texts);
    let (replace, line_bytes) = (arguments.replace, options.line_bytes);
    let source = move |first| Rows {
        lines: Lines::new(BufReader::with_capacity(1 << 20, file), line_bytes),
        line_bytes,
        number: 0,
        first,
        replace,
        open,
    };
    let (counts, ended) = exchange.run(&registrar, source, &mut |event| upload.take(event)).await;
    upload.settle_rest();
    upload.conclude(&counts, ended, *exchange.stop.borrow() != Stop::No)
}

/// Refuses options that only mean something on a data folder.
pub(crate) fn refuse_local(arguments: &Import) -> Result<(), Problem> {
    // The rows of a spreadsheet can be checked without a server's answer.
    let local = [
        (arguments.dry_run && arguments.template.is_none(), "--dry-run"),
        (arguments.home, "--home"),
        (arguments.files_from.is_some(), "--files-from"),
    ];
    match local.into_iter().find(|(given, _)| *given) {
        Some((_, option)) => Err(Problem::new("local-only", Exit::Usage).with("option", option)),
        None => Ok(()),
    }
}

/// Where failed rows and their reasons go: as the caller wants, or beside the input; never over it.
pub(crate) fn failed_rows(arguments: &Import, endings: [&str; 2]) -> Result<FailedRows, Problem> {
    let place = |given: &Option<PathBuf>, ending| given.clone().unwrap_or_else(|| beside(&arguments.file, ending));
    let [rows, reasons] = endings;
    let (rows, reasons) = (place(&arguments.failed, rows), place(&arguments.rejects, reasons));
    if same_file(&rows, &arguments.file) || same_file(&reasons, &arguments.file) || rows == reasons {
        return Err(Problem::new("failed-over-input", Exit::Usage).with("path", arguments.file.display()));
    }
    Ok(FailedRows::new(rows, reasons))
}

fn same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// What puts a refusal into other words.
type Words<'a> = Box<dyn Fn(&mut ServerError) + Send + 'a>;

/// What an upload shows and notes on the way.
pub(crate) struct Upload<'a> {
    open: Arc<Mutex<Open>>,
    not_written: Option<io::Error>,
    stream: String,
    shown: Display,
    /// Item behind which it continued.
    resumed: Option<u64>,
    answered: u64,
    told: Instant,
    /// Rows of the workbook of failed rows, for spreadsheets.
    workbook: Option<u32>,
    /// Puts what the server said of a row into other words.
    words: Option<Words<'a>>,
    texts: &'a Texts,
}

impl<'a> Upload<'a> {
    pub(crate) fn new(open: Arc<Mutex<Open>>, stream: String, shown: Display, texts: &'a Texts) -> Self {
        Self {
            open,
            not_written: None,
            stream,
            shown,
            resumed: None,
            answered: 0,
            told: Instant::now(),
            workbook: None,
            words: None,
            texts,
        }
    }

    /// Has refusals put into other words before they are noted.
    pub(crate) fn say_in(&mut self, words: impl Fn(&mut ServerError) + Send + 'a) {
        self.words = Some(Box::new(words));
    }

    /// Notes what happens.
    pub(crate) fn take(&mut self, event: Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Opened { mark, first } => {
                self.resumed = (mark > 0).then_some(mark);
                if first > 1 {
                    self.not_written = lock(&self.open).failed.continue_earlier().err();
                }
            }
            Event::Outcome(outcome) => self.settle(outcome),
            Event::Interrupted { cause, wait } => {
                let wait = format!("{:.1}", wait.as_secs_f64());
                let cause = cause.message().to_owned();
                let said = self.texts.text("upload-interrupted", &[("cause", cause.into()), ("wait", wait.into())]);
                self.shown.bar.suspend(|| terminal::remark(said));
            }
            Event::Stopping { under_way, finish } => self.tell_stopping(under_way, finish),
            _ => {}
        }
        if self.not_written.is_some() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn settle(&mut self, outcome: v1::ItemOutcome) {
        self.answered += 1;
        let mut refusal = match outcome.outcome {
            Some(item_outcome::Outcome::Refusal(refusal)) => Some(ServerError::of_refusal(refusal)),
            _ => None,
        };
        if let (Some(words), Some(error)) = (&self.words, &mut refusal) {
            words(error);
        }
        self.settle_up_to(Some(outcome.number), refusal);
        if self.told.elapsed() >= TICK {
            self.told = Instant::now();
            self.tell();
        }
    }

    fn tell(&self) {
        let (refused, line) = {
            let open = lock(&self.open);
            (open.failed.count(), open.last_line)
        };
        if self.shown.json {
            let done = self.answered;
            terminal::line(json!({ "event": "progress", "line": line, "answered": done, "refused": refused }));
        }
        self.shown.tell(self.answered);
    }

    fn tell_stopping(&self, count: u64, finish: Duration) {
        let Some(under_way) = UnderWay::of(&lock(&self.open), count) else { return };
        if self.shown.json {
            let (rows, seconds) = (under_way.json(), finish.as_secs());
            terminal::line(
                json!({ "event": "stopping", "stream": self.stream, "under_way": rows, "seconds": seconds }),
            );
        }
        let said = under_way.stopping(&self.stream, finish, self.texts);
        self.shown.bar.suspend(|| terminal::remark(said));
    }

    /// Takes out the rows up to an item, or the bad rows up to the next item; lists those that failed.
    fn settle_up_to(&mut self, number: Option<u64>, mut refusal: Option<ServerError>) {
        let open = Arc::clone(&self.open);
        let mut open = lock(&open);
        while let Some(row) = open.pending.pop_front_if(|row| row.is_settled_with(number)) {
            self.shown.bar.set_position(row.end);
            open.last_line = row.line;
            let failed = match row.is {
                Kind::Bad(_) => open.failed.add_row(row),
                Kind::Sent(sent) if Some(sent) == number => match refusal.take() {
                    Some(error) => {
                        let reason = Reason::of_server(row.line, sent, row.handle(), error);
                        open.failed.add(vec![reason], row.text.as_deref())
                    }
                    None => Ok(()),
                },
                Kind::Sent(_) => Ok(()),
            };
            if let Err(error) = failed {
                self.not_written = Some(error);
            }
        }
    }

    /// Takes out the bad rows behind the last answered one.
    pub(crate) fn settle_rest(&mut self) {
        self.settle_up_to(None, None);
        self.shown.bar.finish_and_clear();
    }

    /// Notes how many rows the workbook of failed rows has.
    pub(crate) fn has_workbook(&mut self, rows: u32) {
        self.workbook = Some(rows);
    }

    /// Shows what became of it, once the rest is settled.
    pub(crate) fn conclude<E: Error + 'static>(
        self,
        counts: &Counts,
        ended: Result<(), ExchangeError<E>>,
        is_stopped: bool,
    ) -> Result<Exit, Problem> {
        let open = lock(&self.open);
        let under_way = UnderWay::of(&open, counts.under_way());
        self.show(counts, &open, under_way.as_ref(), is_stopped);
        if let Some(cause) = self.not_written {
            let path = open.failed.rows().display();
            return Err(Problem::new("file-not-written", Exit::Failed).with("path", path).with("cause", cause));
        }
        let problem = match ended {
            Ok(()) => return Ok(if self.has_failed(&open.failed) { Exit::Partly } else { Exit::Done }),
            Err(ExchangeError::Stopped { at_once: true }) => Problem::new("upload-cut-off", Exit::Unknown),
            Err(ExchangeError::Stopped { at_once: false }) => Problem::new("upload-no-outcome", Exit::Unknown),
            Err(ExchangeError::Call(error @ CallError::Unreachable { .. })) if under_way.is_some() => {
                answer::problem(&error, self.shown.json).exiting(Exit::Unknown)
            }
            Err(ExchangeError::Call(error)) => answer::problem(&error, self.shown.json),
            Err(error) => Problem::new("upload-failed", Exit::Failed).with("cause", chain(&error)),
        };
        Err(match under_way {
            Some(under_way) => problem.note(under_way.unknown(&self.stream)),
            None => problem,
        })
    }

    /// Whether there are failed rows: in this run, or in the workbook, which has those of earlier ones too.
    fn has_failed(&self, failed: &FailedRows) -> bool {
        self.workbook.map_or_else(|| failed.count() > 0, |rows| rows > 0)
    }

    fn show(&self, counts: &Counts, open: &Open, under_way: Option<&UnderWay>, is_stopped: bool) {
        let (texts, failed) = (self.texts, &open.failed);
        let path = |path: &Path| self.has_failed(failed).then(|| path.display().to_string());
        if self.shown.json {
            terminal::line(json!({
                "event": "done", "stream": self.stream, "stopped": is_stopped, "resumed_behind_item": self.resumed,
                "lines": open.last_line, "answered": counts.answered(), "created": counts.created,
                "changed": counts.changed, "same": counts.unchanged, "refused": failed.count(),
                "repeated": counts.repeated, "interruptions": counts.interruptions, "last_item": counts.last,
                "under_way": under_way.map(UnderWay::json),
                "failed": path(failed.rows()), "rejects": path(failed.reasons()),
                "per_second": self.shown.rate(counts.answered()),
            }));
            return;
        }
        if let Some(mark) = self.resumed {
            terminal::line(texts.text("upload-resumed", &[("item", grouped(mark).into())]));
        }
        let values = [
            ("done", grouped(counts.answered()).into()),
            ("rate", grouped(self.shown.rate(counts.answered())).into()),
            ("lines", grouped(open.last_line).into()),
            ("created", grouped(counts.created).into()),
            ("changed", grouped(counts.changed).into()),
            ("same", grouped(counts.unchanged).into()),
            ("refused", grouped(failed.count()).into()),
            ("repeated", grouped(counts.repeated).into()),
        ];
        terminal::line(texts.text("upload-done", &values));
        if counts.repeated > 0 && counts.repeated == counts.answered() {
            terminal::line(texts.text("upload-nothing-new", &[]));
        }
        if is_stopped && under_way.is_none() {
            terminal::line(texts.text("upload-stopped", &[("stream", self.stream.as_str().into())]));
        }
        for reason in failed.first() {
            terminal::line(format_args!("  {}", safe(&described(reason, self.workbook.is_some(), texts))));
        }
        // One for all of a kind.
        let hints: BTreeSet<_> = failed.first().iter().filter_map(|reason| answer::hint(&reason.code)).collect();
        hints.into_iter().for_each(|hint| terminal::line(texts.text(hint, &[])));
        if self.has_failed(failed) {
            let places = [
                ("rows", failed.rows().display().to_string().into()),
                ("reasons", failed.reasons().display().to_string().into()),
            ];
            terminal::line(texts.text("upload-failed-rows", &places));
            if counts.repeated > 0 {
                terminal::line(texts.text("upload-decide-anew", &[]));
            }
        }
    }
}

/// A failed row in one line, with what to do about it where that is wanted.
fn described(reason: &Reason, with_remedy: bool, texts: &Texts) -> String {
    if let Some(said) = &reason.said {
        return said.clone();
    }
    let code = reason.code.to_ascii_lowercase().replace('_', "-");
    let mut cause = local::cause(&code, &reason.cause, texts);
    if with_remedy && !reason.remedy.is_empty() {
        let values = [("cause", cause.into()), ("remedy", reason.remedy.as_str().into())];
        cause = texts.text("cause-and-remedy", &values);
    }
    texts.text(
        "import-problem",
        &[
            ("line", reason.line.to_string().into()),
            ("handle", reason.handle.as_deref().unwrap_or("-").into()),
            ("field", if reason.field.is_empty() { "-" } else { &reason.field }.into()),
            ("code", reason.code.as_str().into()),
            ("cause", cause.into()),
        ],
    )
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::cli::server::rows::tests::read;

    fn upload(open: Arc<Mutex<Open>>, texts: &Texts) -> Upload<'_> {
        let shown = Display { json: true, bar: bar(0, true), started: Instant::now() };
        Upload::new(open, "s".to_owned(), shown, texts)
    }

    #[test]
    fn failed_rows_are_listed_in_the_order_of_the_file() {
        let texts = Texts::new(crate::texts::Language::English);
        let folder = tempfile::tempdir().unwrap();
        let mut upload = upload(read(1, folder.path()).1, &texts);
        let refused =
            item_outcome::Outcome::Refusal(v1::Refusal { reason: "NOT_SERVED".into(), ..v1::Refusal::default() });
        let done = item_outcome::Outcome::Receipt(v1::Receipt::default());
        for (number, outcome) in [(1, done.clone()), (2, refused), (3, done)] {
            upload.settle(v1::ItemOutcome { number, outcome: Some(outcome) });
        }
        upload.settle_rest();
        let exit = upload.conclude::<io::Error>(&Counts::default(), Ok(()), false).unwrap();
        assert_eq!(exit, Exit::Partly);
        let rows = std::fs::read_to_string(folder.path().join("rows")).unwrap();
        assert_eq!(rows, "no record\n{\"handle\":\"88.1/b\",\"values\":[]}\nnot this either\n");
        let reasons = std::fs::read_to_string(folder.path().join("reasons")).unwrap();
        let lines: Vec<Value> = reasons.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let told: Vec<_> =
            lines.iter().map(|line| (line["line"].as_u64().unwrap(), line["code"].as_str().unwrap())).collect();
        assert_eq!(told, [(3, "not-json"), (4, "NOT_SERVED"), (6, "not-json")]);
        assert_eq!(lines[1]["handle"], "88.1/b");
    }

    #[test]
    fn what_was_not_answered_is_not_listed_as_failed() {
        let texts = Texts::new(crate::texts::Language::English);
        let folder = tempfile::tempdir().unwrap();
        let mut upload = upload(read(1, folder.path()).1, &texts);
        upload.settle_rest();
        assert_eq!(upload.conclude::<io::Error>(&Counts::default(), Ok(()), false).unwrap(), Exit::Done);
        assert!(!folder.path().join("rows").exists());
    }
}
