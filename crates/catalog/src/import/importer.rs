//! The import itself: from steps of a parser to submissions, and from receipts to the summary.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use waymark_ident::{Handle, parent_prefix};
use waymark_store::ReadError;

use super::batch::Batch;
use super::batch_value::Files;
use super::dry_run::DryRun;
use super::jsonl::JsonLines;
use super::lines::Lines;
use super::problem::Problem;
use super::step::{Notice, Source, Step};
use crate::catalog::Catalog;
use crate::command::{Actor, Command, Outcome, PutMode, Receipt, Refusal};
use crate::config::{IMPORT_IN_FLIGHT, IMPORT_KEPT_PROBLEMS, IMPORT_LINE_BYTES, IMPORT_SUBMISSION, usize_of};
use crate::form::cause::Cause;
use crate::prefixes::{HomeName, Prefixes, key_of, prefix_of_key};
use crate::queue::{Results, SubmitError, Ticket, WriteError, WriterHandle};

/// The form an input is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    JsonLines,
    /// The batch format of Handle.Net servers.
    Batch,
}

impl Format {
    /// Tells the format by how an input begins: JSON lines begin with `{`.
    #[must_use]
    pub fn detect(beginning: &[u8]) -> Self {
        let beginning = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(beginning);
        if beginning.trim_ascii_start().first() == Some(&b'{') { Self::JsonLines } else { Self::Batch }
    }
}

/// What an import is to do.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The form of the input.
    pub format: Format,
    /// Home prefixes that are not served, as far as the records need it. Without it such records are refused, and the
    /// summary lists their prefixes.
    pub home: bool,
    /// Check everything, write nothing.
    pub dry_run: bool,
    /// What happens to handles that exist.
    pub existing: PutMode,
    /// Names the input, see [`stream_id`]; without it an interrupted import begins anew.
    pub stream: Option<[u8; 16]>,
    /// Folder that `FILE` values of the batch format may be read from.
    pub files: Option<PathBuf>,
    /// Longest line in bytes, see [`IMPORT_LINE_BYTES`].
    pub line_bytes: usize,
    /// Commands in one submission, see [`IMPORT_SUBMISSION`].
    pub submission: usize,
    /// Submissions under way, see [`IMPORT_IN_FLIGHT`].
    pub in_flight: usize,
    /// Problems kept for the summary, see [`IMPORT_KEPT_PROBLEMS`].
    pub kept_problems: usize,
}

impl ImportOptions {
    /// Defaults for a format.
    #[must_use]
    pub const fn new(format: Format) -> Self {
        Self {
            format,
            home: false,
            dry_run: false,
            existing: PutMode::CreateOrSame,
            stream: None,
            files: None,
            line_bytes: usize_of(IMPORT_LINE_BYTES.default),
            submission: usize_of(IMPORT_SUBMISSION.default),
            in_flight: usize_of(IMPORT_IN_FLIGHT.default),
            kept_problems: usize_of(IMPORT_KEPT_PROBLEMS.default),
        }
    }
}

/// Names an input: by its format, by what is to be done with it, its length and its first 64 KiB. Leaves the input at its
/// start.
///
/// # Errors
/// The input cannot be read or sought.
pub fn stream_id(input: &mut (impl Read + Seek), options: &ImportOptions) -> io::Result<[u8; 16]> {
    const BEGINNING_BYTES: u64 = 64 << 10;
    let length = input.seek(SeekFrom::End(0))?;
    input.seek(SeekFrom::Start(0))?;
    let mut beginning = Vec::new();
    input.by_ref().take(BEGINNING_BYTES).read_to_end(&mut beginning)?;
    input.seek(SeekFrom::Start(0))?;
    let mut hasher = Sha256::new();
    hasher.update([options.format as u8, u8::from(options.home), options.existing as u8]);
    hasher.update(length.to_be_bytes());
    hasher.update(&beginning);
    let hash: [u8; 32] = hasher.finalize().into();
    Ok(hash.first_chunk().copied().unwrap_or_default())
}

/// How far an import is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input read.
    pub bytes: u64,
    /// Lines of the input read.
    pub lines: u64,
    /// Operations acknowledged as done or found done.
    pub done: u64,
    /// Lines and operations that failed.
    pub failed: u64,
}

/// What an import did.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// How far it came.
    pub progress: Progress,
    /// Offset and line it continued from, after an interrupted import of the same input.
    pub resumed: Option<(u64, u64)>,
    /// It was stopped by the progress callback; the rest was not read.
    pub stopped: bool,
    /// New records.
    pub created: u64,
    /// Records replaced whole.
    pub replaced: u64,
    /// Records whose values changed.
    pub changed: u64,
    /// Records deleted.
    pub deleted: u64,
    /// Records, and prefixes, that were already as the input says.
    pub same: u64,
    /// Prefixes homed, by the input or on demand.
    pub homed: u64,
    /// Prefixes given up.
    pub unhomed: u64,
    /// Handles longer than configured, taken with a warning.
    pub long_handles: u64,
    /// The first problems; `progress.failed` counts all.
    pub problems: Vec<Problem>,
    /// Prefixes that are not served here, with the number of operations refused for it. At most
    /// [`LISTED_PREFIXES`](Self::LISTED_PREFIXES) of them.
    pub not_served: BTreeMap<String, u64>,
    /// What the import left out or did otherwise.
    pub notices: BTreeSet<Notice>,
}

impl Summary {
    /// Prefixes listed in [`not_served`](Self::not_served) at most.
    pub const LISTED_PREFIXES: usize = 1_000;

    /// Tells whether everything in the input was taken.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.progress.failed == 0 && !self.stopped
    }

    fn count(&mut self, receipt: &Receipt) {
        let counter = match receipt.outcome {
            Outcome::Created => &mut self.created,
            Outcome::Replaced => &mut self.replaced,
            Outcome::Changed => &mut self.changed,
            Outcome::Deleted => &mut self.deleted,
            Outcome::Same => &mut self.same,
            Outcome::Homed => &mut self.homed,
            Outcome::Unhomed => &mut self.unhomed,
            Outcome::Marked => return,
        };
        *counter += 1;
        self.long_handles += u64::from(receipt.long_handle);
    }
}

/// Why an import ended before the end of its input. What was acknowledged stays; with a stream id the next run continues.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The input cannot be read.
    #[error("the input cannot be read")]
    Input(#[source] io::Error),
    /// The reject writer failed.
    #[error("the list of rejects cannot be written")]
    Rejects(#[source] io::Error),
    /// The mark of an earlier run cannot be read.
    #[error("the mark of an earlier run cannot be read")]
    Mark(#[source] ReadError),
    /// The writer does not take more.
    #[error("the writer took no more")]
    Submit(#[source] SubmitError),
    /// The writer failed.
    #[error("writing failed after {} operations", summary.progress.done)]
    Write {
        /// Why.
        #[source]
        error: WriteError,
        /// What was done until then.
        summary: Box<Summary>,
    },
}

/// Runs an import to the end of its input.
///
/// `rejects` gets every problem as a line of JSON; `progress` is called after each submission that was answered and may
/// stop the import, which then finishes what is under way.
///
/// # Errors
/// See [`ImportError`]. A line that cannot be taken is no error: it is listed in the summary.
pub fn run<'a>(
    catalog: &Catalog,
    input: impl BufRead + 'a,
    options: &ImportOptions,
    rejects: Option<&'a mut dyn Write>,
    progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Summary, ImportError> {
    let mut lines = Lines::new(input, options.line_bytes);
    let mut summary = Summary::default();
    let stream = options.stream.filter(|_| !options.dry_run);
    if let Some(stream) = stream
        && let Some(position) = catalog.cold().mark(stream).map_err(ImportError::Mark)?
        && position > 0
    {
        lines.skip_to(position).map_err(ImportError::Input)?;
        summary.resumed = Some((lines.offset(), lines.number()));
    }
    let source: Box<dyn Source + 'a> = match options.format {
        Format::JsonLines => Box::new(JsonLines::new(lines, options.line_bytes, options.existing)),
        Format::Batch => {
            let files = Files::within(options.files.clone());
            Box::new(Batch::new(lines, options.line_bytes, options.existing, files))
        }
    };
    let target =
        if options.dry_run { Target::DryRun(Box::new(DryRun::new(catalog))) } else { Target::Writer(catalog.writer()) };
    let (limit_bytes, limit_commands) = catalog.writer().submission_limits();
    let import = Import {
        source,
        target,
        rule: catalog.case_rule(),
        homes: options.home.then(|| (*catalog.prefixes()).clone()),
        stream,
        // Room for the mark at the end of a submission.
        most_commands: options.submission.min(limit_commands.saturating_sub(1)).max(1),
        most_bytes: limit_bytes.saturating_sub(MARK_ROOM_BYTES),
        in_flight: options.in_flight.max(1),
        kept_problems: options.kept_problems,
        actor: Actor::import(),
        batch: Vec::new(),
        origins: Vec::new(),
        batch_bytes: 0,
        mark: None,
        waiting: VecDeque::new(),
        rejects,
        summary,
    };
    import.run(progress)
}

/// Weight left free in every submission for its mark.
const MARK_ROOM_BYTES: usize = 256;

/// Where commands go.
enum Target {
    Writer(WriterHandle),
    DryRun(Box<DryRun>),
}

/// Where a command came from.
struct Origin {
    line: u64,
    subject: Option<String>,
}

struct Import<'a> {
    source: Box<dyn Source + 'a>,
    target: Target,
    rule: waymark_ident::CaseRule,
    /// Prefixes served, with those homed on demand; `None` when none shall be.
    homes: Option<Prefixes>,
    stream: Option<[u8; 16]>,
    most_commands: usize,
    most_bytes: usize,
    in_flight: usize,
    kept_problems: usize,
    actor: Actor,
    batch: Vec<Command>,
    /// One for each command of the batch; `None` for those the import added by itself.
    origins: Vec<Option<Origin>>,
    batch_bytes: usize,
    /// Where reading can begin again when everything in the batch is done.
    mark: Option<u64>,
    waiting: VecDeque<(Ticket, Vec<Option<Origin>>)>,
    rejects: Option<&'a mut dyn Write>,
    summary: Summary,
}

impl Import<'_> {
    fn run(mut self, progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>) -> Result<Summary, ImportError> {
        while let Some(step) = self.source.next().map_err(ImportError::Input)? {
            let flow = self.take(step, progress)?;
            self.note_place();
            if flow.is_break() {
                self.summary.stopped = true;
                break;
            }
        }
        self.note_place();
        if !self.summary.stopped {
            // The end of the input: nothing to continue from.
            self.mark = Some(0);
        }
        if self.send(progress)?.is_break() {
            self.summary.stopped = true;
        }
        while !self.waiting.is_empty() {
            if self.collect(progress)?.is_break() {
                self.summary.stopped = true;
            }
        }
        Ok(self.summary)
    }

    fn note_place(&mut self) {
        self.summary.progress.bytes = self.source.offset();
        self.summary.progress.lines = self.source.lines();
        self.summary.notices.extend(self.source.take_notices());
    }

    /// Takes one step into the batch, sending the batch on when it is full.
    fn take(
        &mut self,
        step: Step,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ImportError> {
        let Step { line, subject, outcome, resume_at } = step;
        let mut flow = ControlFlow::Continue(());
        match outcome {
            Err(rejected) => self.fail(Problem::of_input(subject, rejected))?,
            Ok(command) if command.weight_bytes() > self.most_bytes => {
                let cause = Cause::TooLong { limit: self.most_bytes };
                self.fail(Problem { line, subject, field: String::new(), cause })?;
            }
            Ok(command) => {
                // Two: the command, and a prefix that is homed for it.
                let full = self.batch.len() + 2 > self.most_commands
                    || self.batch_bytes + command.weight_bytes() > self.most_bytes;
                if full && !self.batch.is_empty() {
                    flow = self.send(progress)?;
                }
                self.home_for(&command);
                self.push(command, Some(Origin { line, subject }));
            }
        }
        self.mark = resume_at.or(self.mark);
        Ok(flow)
    }

    fn push(&mut self, command: Command, origin: Option<Origin>) {
        self.batch_bytes += command.weight_bytes();
        self.batch.push(command);
        self.origins.push(origin);
    }

    /// Homes what a new record needs to be served, when that is wanted and not so yet.
    fn home_for(&mut self, command: &Command) {
        let Some(homes) = &mut self.homes else { return };
        let Command::Put { handle, .. } = command else { return };
        let Ok(handle) = Handle::new(handle) else { return };
        let key = key_of(&handle, self.rule);
        if homes.serves(&key) {
            return;
        }
        let Some(name) = least_home(&key) else { return };
        homes.insert(name.clone(), waymark_store::Serial::NONE);
        self.push(Command::Home { name }, None);
    }

    /// Sends the batch on, with its mark, and collects answers while as many submissions as may are under way.
    fn send(&mut self, progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>) -> Result<ControlFlow<()>, ImportError> {
        if let (Some(stream), Some(position)) = (self.stream, self.mark.take()) {
            self.push(Command::Mark { stream, position }, None);
        }
        let commands = std::mem::take(&mut self.batch);
        let origins = std::mem::take(&mut self.origins);
        self.batch_bytes = 0;
        if commands.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        match &mut self.target {
            Target::Writer(writer) => {
                let ticket = writer.submit_when_room(&self.actor, commands).map_err(ImportError::Submit)?;
                self.waiting.push_back((ticket, origins));
            }
            Target::DryRun(dry_run) => {
                let results = dry_run.decide(&self.actor, &commands);
                let Some(results) = results else { return Err(self.write_failed(WriteError::TooLarge)) };
                self.account(results, origins)?;
                return Ok(progress(&self.summary.progress));
            }
        }
        if self.waiting.len() >= self.in_flight { self.collect(progress) } else { Ok(ControlFlow::Continue(())) }
    }

    /// Waits for the oldest submission.
    fn collect(
        &mut self,
        progress: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ImportError> {
        let Some((ticket, origins)) = self.waiting.pop_front() else { return Ok(ControlFlow::Continue(())) };
        match ticket.wait() {
            Ok(results) => self.account(results, origins)?,
            Err(error) => return Err(self.write_failed(error)),
        }
        Ok(progress(&self.summary.progress))
    }

    fn write_failed(&mut self, error: WriteError) -> ImportError {
        ImportError::Write { error, summary: Box::new(std::mem::take(&mut self.summary)) }
    }

    fn account(&mut self, results: Results, origins: Vec<Option<Origin>>) -> Result<(), ImportError> {
        for (result, origin) in results.into_iter().zip(origins) {
            match result {
                Ok(receipt) => {
                    self.summary.count(&receipt);
                    self.summary.progress.done += u64::from(origin.is_some());
                }
                Err(refusal) => {
                    self.note_not_served(&refusal);
                    let Origin { line, subject } = origin.unwrap_or(Origin { line: 0, subject: None });
                    self.fail(Problem { line, subject, field: String::new(), cause: refusal.into() })?;
                }
            }
        }
        Ok(())
    }

    fn note_not_served(&mut self, refusal: &Refusal) {
        let Refusal::NotServed { prefix } = refusal else { return };
        let prefix = String::from_utf8_lossy(prefix).into_owned();
        let listed = &mut self.summary.not_served;
        if listed.len() < Summary::LISTED_PREFIXES || listed.contains_key(&prefix) {
            *listed.entry(prefix).or_default() += 1;
        }
    }

    fn fail(&mut self, problem: Problem) -> Result<(), ImportError> {
        self.summary.progress.failed += 1;
        if let Some(rejects) = &mut self.rejects {
            problem.write(rejects).map_err(ImportError::Rejects)?;
        }
        if self.summary.problems.len() < self.kept_problems {
            self.summary.problems.push(problem);
        }
        Ok(())
    }
}

/// The least that has to be homed for a key to be served: its prefix; for the record of a derived prefix the marker of the
/// prefix above, so that the node does not claim all prefix records there are.
fn least_home(key: &[u8]) -> Option<HomeName> {
    let handle = Handle::new(key).ok()?;
    let above = handle.prefix_record_target().and_then(parent_prefix).filter(|above| !above.is_empty());
    match above {
        Some(above) => HomeName::parse(&[b"0.NA/0.NA/", above].concat()).ok(),
        None => HomeName::parse(prefix_of_key(key)).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn formats_are_told_by_their_beginning() {
        assert_eq!(Format::detect(b"\xef\xbb\xbf\n {\"handle\""), Format::JsonLines);
        assert_eq!(Format::detect(b"CREATE 88.1/x\n"), Format::Batch);
    }

    #[test]
    fn the_least_is_homed() {
        let home = |key: &[u8]| least_home(key).map(|name| name.to_string());
        assert_eq!(home(b"88.1/X").as_deref(), Some("0.NA/88.1"));
        assert_eq!(home(b"0.NA/88.1.5").as_deref(), Some("0.NA/0.NA/88.1"));
        assert_eq!(home(b"0.NA/88").as_deref(), Some("0.NA/0.NA"));
        assert_eq!(home(b"/X"), None);
    }

    #[test]
    fn streams_differ_by_content_length_and_purpose() {
        let id = |content: &[u8], home: bool| {
            let options = ImportOptions { home, ..ImportOptions::new(Format::JsonLines) };
            let mut input = Cursor::new(content.to_vec());
            let id = stream_id(&mut input, &options).unwrap();
            assert_eq!(input.position(), 0);
            id
        };
        let long = vec![b'x'; 100_000];
        assert_eq!(id(&long, false), id(&long, false));
        assert_ne!(id(&long, false), id(&long, true));
        assert_ne!(id(&long, false), id(&long[..99_999], false));
        assert_ne!(id(b"a", false), id(b"b", false));
    }
}
