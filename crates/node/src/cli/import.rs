//! `waymark import`: brings identifiers from a file into a data folder.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::{sync::watch, time::Instant};
use waymark_catalog::{
    Catalog, PutMode,
    import::{self, Format, ImportOptions, Problem as Rejected, Progress, Summary},
};
use waymark_client::registration::Stop;

use super::{
    FileForm, Import,
    present::safe,
    run::folder_config,
    sheet::is_spreadsheet,
    store::{self, data_failed, open},
    terminal::{self, grouped},
};
use crate::{
    config::Config,
    daemon::{NO_STORE, Signals, chain, close, stop_asked},
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

/// Bytes of the beginning of a file that tell its form.
const BEGINNING: usize = 4_096;

/// Imports, shows progress, lists what was refused. The first signal finishes what is under way, the second ends at once; a later run
/// continues.
pub(crate) async fn run(arguments: &Import, texts: &Texts) -> Result<Exit, Problems> {
    let config = folder_config(&arguments.folder)?;
    let data = config.data();
    let unreadable = |path: &Path, cause: &dyn std::fmt::Display| {
        Problem::new("file-unreadable", Exit::Usage).with("path", path.display()).with("cause", cause)
    };
    let mut file = File::open(&arguments.file).map_err(|cause| unreadable(&arguments.file, &cause))?;
    let length = file.metadata().map_err(|cause| unreadable(&arguments.file, &cause))?.len();
    let is_unnamed = arguments.form == FileForm::Auto;
    if is_unnamed && is_spreadsheet(&arguments.file, &mut file).map_err(|cause| unreadable(&arguments.file, &cause))? {
        let problem = Problem::new("sheet-without-template", Exit::Usage);
        return Err(problem.with("path", arguments.file.display()).into());
    }
    let mut options =
        ImportOptions::new(form(arguments.form, &mut file).map_err(|cause| unreadable(&arguments.file, &cause))?);
    options.home = arguments.home;
    if arguments.replace {
        options.existing = PutMode::Replace;
    }
    options.dry_run = arguments.dry_run;
    options.files.clone_from(&arguments.files_from);
    if !arguments.from_start {
        let stream = import::stream_id(&mut file, &options).map_err(|cause| unreadable(&arguments.file, &cause))?;
        options.stream = Some(stream);
    }
    let rejects = arguments.rejects.clone().unwrap_or_else(|| beside(&arguments.file, ".rejects.jsonl"));
    let folder = if arguments.dry_run { store::Folder::MustExist } else { store::Folder::MayBeMade };
    let (catalog, damaged) = match open(&config, &data, folder, texts).await {
        Err(problem) if arguments.dry_run && problem.code() == NO_STORE => (nothing_yet(&config, &data)?, false),
        opened => opened?,
    };
    let shown = Display { json: arguments.json, bar: bar(length, arguments.json), started: Instant::now() };
    let stop = stop_on_signal()?;
    let mut cut_off = stop.clone();
    let importing = tokio::task::spawn_blocking(move || {
        let summary = import_file(&catalog, file, &options, &rejects, &shown, &stop);
        (catalog, summary.map(|summary| (summary, rejects)), shown)
    });
    let imported = tokio::select! {
        imported = importing => imported,
        Ok(_) = cut_off.wait_for(|stop| *stop == Stop::Now) => {
            return Err(Problem::new("import-cut-off", Exit::Unknown).into());
        }
    };
    let (catalog, summary, shown) = imported.map_err(|cause| data_failed(&data, &cause.to_string()))?;
    shown.bar.finish_and_clear();
    let closed = close(catalog).await;
    let (summary, rejects) = summary?;
    show(&summary, &rejects, &shown, arguments.dry_run, texts);
    closed?;
    Ok(match (damaged, summary.is_clean()) {
        (true, _) => Exit::Damaged,
        (false, true) => Exit::Done,
        (false, false) => Exit::Partly,
    })
}

/// What a dry run checks against where there is no store: an empty one in memory, so that nothing is written.
fn nothing_yet(config: &Config, data: &Path) -> Result<Catalog, Problem> {
    let options = config.catalog(data);
    let failed = |cause: &dyn std::error::Error| data_failed(data, &chain(cause));
    let identity =
        waymark_store::Identity::random(options.store.engine, options.store.now).map_err(|cause| failed(&cause))?;
    let store = Arc::new(waymark_store::MemoryStore::new(identity));
    let opened = waymark_catalog::open_over(store, waymark_store::Recovery::default(), &options);
    Ok(opened.map_err(|cause| failed(&cause))?.catalog)
}

fn import_file(
    catalog: &Catalog,
    file: File,
    options: &ImportOptions,
    rejects: &Path,
    shown: &Display,
    stop: &watch::Receiver<Stop>,
) -> Result<Summary, Problem> {
    let mut list = RejectList { path: rejects.to_owned(), file: None };
    let input = BufReader::with_capacity(1 << 20, file);
    let mut progress = |progress: &Progress| {
        shown.progress(progress);
        if *stop.borrow() == Stop::No { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let summary = import::run(catalog, input, options, Some(&mut list), &mut progress);
    let flushed = list.flush();
    let summary = summary.map_err(|error| Problem::new("import-failed", Exit::Failed).with("cause", chain(&error)))?;
    flushed.map_err(|cause| {
        Problem::new("file-not-written", Exit::Failed).with("path", rejects.display()).with("cause", cause)
    })?;
    Ok(summary)
}

/// The reject file, made with the first reject: a clean import leaves none.
struct RejectList {
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

impl std::io::Write for RejectList {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(BufWriter::new(File::create(&self.path)?)),
        };
        file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.as_mut().map_or(Ok(()), std::io::Write::flush)
    }
}

/// A file beside another: the same name with an ending more.
pub(crate) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The form asked for, or the one the file's beginning shows; leaves the file at its start.
pub(crate) fn form(asked: FileForm, file: &mut File) -> std::io::Result<Format> {
    match asked {
        FileForm::Jsonl => Ok(Format::JsonLines),
        FileForm::Batch => Ok(Format::Batch),
        FileForm::Auto => {
            let mut beginning = Vec::new();
            file.take(BEGINNING as u64).read_to_end(&mut beginning)?;
            file.seek(SeekFrom::Start(0))?;
            Ok(Format::detect(&beginning))
        }
    }
}

/// Turns the first SIGINT or SIGTERM into a request to finish what is under way, the second into one to end at once.
pub(crate) fn stop_on_signal() -> Result<watch::Receiver<Stop>, Problem> {
    let (stop, asked) = watch::channel(Stop::No);
    let mut signals = Signals::take().map_err(|cause| Problem::new("signals", Exit::Failed).with("cause", cause))?;
    tokio::spawn(async move {
        for next in [Stop::Finish, Stop::Now] {
            stop_asked(&mut signals).await;
            stop.send_replace(next);
        }
    });
    Ok(asked)
}

/// How an import shows itself while it runs.
pub(crate) struct Display {
    pub(crate) json: bool,
    pub(crate) bar: ProgressBar,
    pub(crate) started: Instant,
}

impl Display {
    fn progress(&self, progress: &Progress) {
        if self.json {
            let line = json!({
                "event": "progress", "line": progress.lines, "bytes": progress.bytes,
                "acknowledged": progress.done, "refused": progress.failed,
            });
            terminal::line(line);
        }
        self.bar.set_position(progress.bytes);
        self.tell(progress.done);
    }

    /// Shows how many are done beside the bar.
    pub(crate) fn tell(&self, done: u64) {
        self.bar.set_message(format!("{} ({} / s)", grouped(done), grouped(self.rate(done))));
    }

    /// How many a second, so far.
    pub(crate) fn rate(&self, done: u64) -> u64 {
        let milliseconds = self.started.elapsed().as_millis().max(1);
        u64::try_from(u128::from(done) * 1_000 / milliseconds).unwrap_or(u64::MAX)
    }
}

/// A bar on a terminal, nothing elsewhere.
pub(crate) fn bar(length: u64, json: bool) -> ProgressBar {
    if json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}  {eta}");
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn show(summary: &Summary, rejects: &Path, shown: &Display, dry_run: bool, texts: &Texts) {
    let progress = &summary.progress;
    if shown.json {
        let warnings: BTreeMap<&str, u64> =
            summary.warnings.iter().map(|(warning, count)| (warning.as_str(), *count)).collect();
        let line = json!({
            "event": "done", "dry_run": dry_run, "stopped": summary.stopped, "lines": progress.lines, "acknowledged": progress.done,
            "created": summary.created, "replaced": summary.replaced, "changed": summary.changed,
            "deleted": summary.deleted, "same": summary.same, "homed": summary.homed, "unhomed": summary.unhomed,
            "warnings": warnings, "refused": progress.failed, "not_served": summary.not_served,
            "resumed_at_line": summary.resumed.map(|(_, line)| line),
            "notices": summary.notices.iter().map(|notice| notice.code()).collect::<Vec<_>>(),
            "rejects": (progress.failed > 0).then(|| rejects.display().to_string()),
            "per_second": shown.rate(progress.done),
        });
        terminal::line(line);
        return;
    }
    if let Some((_, line)) = summary.resumed {
        terminal::line(texts.text("import-resumed", &[("line", grouped(line).into())]));
    }
    for notice in &summary.notices {
        terminal::line(texts.text(&format!("notice-{}", notice.code()), &[]));
    }
    let code = if dry_run { "import-checked" } else { "import-done" };
    let values = [
        ("lines", grouped(progress.lines).into()),
        ("done", grouped(progress.done).into()),
        ("rate", grouped(shown.rate(progress.done)).into()),
        ("created", grouped(summary.created).into()),
        ("changed", grouped(summary.replaced + summary.changed + summary.deleted).into()),
        ("same", grouped(summary.same).into()),
        ("homed", grouped(summary.homed).into()),
        ("refused", grouped(progress.failed).into()),
    ];
    terminal::line(texts.text(code, &values));
    for (warning, count) in &summary.warnings {
        terminal::line(
            texts.text("import-warned", &[("count", grouped(*count).into()), ("warning", warning.as_str().into())]),
        );
    }
    if summary.stopped {
        terminal::line(texts.text("import-stopped", &[]));
    }
    show_refused(summary, rejects, texts);
}

fn show_refused(summary: &Summary, rejects: &Path, texts: &Texts) {
    for problem in &summary.problems {
        terminal::line(format_args!("  {}", safe(&described(problem, texts))));
    }
    if !summary.not_served.is_empty() {
        terminal::line(texts.text("import-not-served", &[]));
        for (prefix, count) in &summary.not_served {
            terminal::line(format_args!("  {} ({})", safe(prefix), grouped(*count)));
        }
    }
    if summary.progress.failed > 0 {
        terminal::line(texts.text("import-rejects", &[("path", rejects.display().to_string().into())]));
    }
}

/// What a cause means in the user's language, and the cause itself where that says more.
pub(crate) fn cause(code: &str, cause: &str, texts: &Texts) -> String {
    match texts.find(&format!("cause-{code}"), &[]) {
        Some(meaning) if !cause.starts_with(&meaning) => format!("{meaning}: {cause}"),
        _ => cause.to_owned(),
    }
}

/// A refused line in the user's language: line, handle, field, cause with its code.
fn described(problem: &Rejected, texts: &Texts) -> String {
    let code = problem.cause.code();
    texts.text(
        "import-problem",
        &[
            ("line", problem.line.to_string().into()),
            ("handle", problem.subject.as_deref().unwrap_or("-").into()),
            ("field", if problem.field.is_empty() { "-" } else { &problem.field }.into()),
            ("code", code.into()),
            ("cause", cause(code, &problem.cause.to_string(), texts).into()),
        ],
    )
}
