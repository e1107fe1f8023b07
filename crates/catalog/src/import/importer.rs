//! The import itself: from steps of a parser to submissions, and from receipts to the summary.

use std::collections::VecDeque;
use std::io::{BufRead, Write};
use std::ops::ControlFlow;

use waymark_ident::{Handle, parent_prefix};

use super::batch::Batch;
use super::batch_value::Files;
use super::dry_run::DryRun;
use super::jsonl::JsonLines;
use super::lines::Lines;
use super::options::{Format, ImportOptions};
use super::problem::Problem;
use super::step::{Source, Step};
use super::summary::{ImportError, Progress, Summary};
use crate::actor::Actor;
use crate::catalog::Catalog;
use crate::command::{Command, Refusal, StreamStep, Submission};
use crate::form::cause::Cause;
use crate::prefixes::{HomeName, Prefixes, key_of, prefix_of_key};
use crate::queue::{Results, Ticket, WriteError, WriterHandle};

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
    let marked = match stream {
        Some(stream) => catalog.cold().mark(stream).map_err(ImportError::Mark)?.unwrap_or(0),
        None => 0,
    };
    if marked > 0 {
        lines.skip_to(marked).map_err(ImportError::Input)?;
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
        most_commands: options.submission.min(limit_commands).max(1),
        most_bytes: limit_bytes,
        in_flight: options.in_flight.max(1),
        kept_problems: options.kept_problems,
        actor: Actor::import(),
        batch: Vec::new(),
        origins: Vec::new(),
        batch_bytes: 0,
        mark: None,
        marked,
        waiting: VecDeque::new(),
        rejects,
        summary,
    };
    import.run(progress)
}

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
    /// Where the stream is once everything sent is done.
    marked: u64,
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
        let step = self.step();
        let commands = std::mem::take(&mut self.batch);
        let origins = std::mem::take(&mut self.origins);
        self.batch_bytes = 0;
        if commands.is_empty() && step.is_none() {
            return Ok(ControlFlow::Continue(()));
        }
        let submission = Submission { stream: step, ..Submission::new(&self.actor, commands) };
        match &mut self.target {
            Target::Writer(writer) => {
                let ticket = writer.submit_when_room(submission).map_err(ImportError::Submit)?;
                self.waiting.push_back((ticket, origins));
            }
            Target::DryRun(dry_run) => {
                let results = dry_run.decide(&submission);
                let Some(results) = results else { return Err(self.write_failed(WriteError::TooLarge)) };
                self.account(results, origins)?;
                return Ok(progress(&self.summary.progress));
            }
        }
        if self.waiting.len() >= self.in_flight { self.collect(progress) } else { Ok(ControlFlow::Continue(())) }
    }

    /// The step of the stream that is sent with the batch.
    fn step(&mut self) -> Option<StreamStep> {
        let (stream, position) = (self.stream?, self.mark.take()?);
        let after = std::mem::replace(&mut self.marked, position);
        Some(StreamStep { stream, after, position, counts_orders: false })
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

    #[test]
    fn the_least_is_homed() {
        let home = |key: &[u8]| least_home(key).map(|name| name.to_string());
        assert_eq!(home(b"88.1/X").as_deref(), Some("0.NA/88.1"));
        assert_eq!(home(b"0.NA/88.1.5").as_deref(), Some("0.NA/0.NA/88.1"));
        assert_eq!(home(b"0.NA/88").as_deref(), Some("0.NA/0.NA"));
        assert_eq!(home(b"/X"), None);
    }
}
