//! The import itself: from steps of a parser to submissions, and from receipts to the summary.

use std::collections::VecDeque;
use std::io::{BufRead, Seek, SeekFrom, Write};
use std::ops::ControlFlow;

use waymark_ident::{Handle, parent_prefix};

use super::batch::Batch;
use super::batch_value::Files;
use super::dry_run::DryRun;
use super::jsonl::JsonLines;
use super::lines::Lines;
use super::options::{Format, ImportOptions};
use super::problem::Problem;
use super::recorder::{Place, Recorder, ToFile};
use super::step::{Source, Step};
use super::summary::{ImportError, Progress, Summary};
use crate::catalog::Catalog;
use crate::command::{Command, Refusal, StepPlace, StreamId, StreamStep, Submission};
use crate::form::cause::Cause;
use crate::prefixes::{HomeName, Prefixes, key_of, prefix_of_key};
use crate::queue::{Results, Ticket, WriteError, WriterHandle};
use crate::streams::ItemOutcome;

/// Runs an import to the end of its input.
///
/// `rejects` gets every problem as a line of JSON, in the order of the input; `progress` is called after each submission that was answered and
/// may stop the import, which then finishes what is under way.
///
/// # Errors
/// See [`ImportError`]. A line that cannot be taken is no error: it is listed in the summary.
pub fn run<'a>(
    catalog: &Catalog,
    input: impl BufRead + 'a,
    options: &ImportOptions,
    rejects: Option<&'a mut dyn Write>,
    progress: &'a mut dyn FnMut(&Progress) -> ControlFlow<()>,
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
    let marking = stream.map_or(Marking::None, Marking::Bytes);
    let mut recorder = ToFile { rejects, progress };
    let mut import = Import::new(catalog, lines, options, marking, &mut recorder);
    import.marked = marked;
    import.summary = summary;
    import.run()
}

/// Runs an import whose stream counts operations, from a place that `recorder` was told before, or from the beginning.
///
/// What was decided behind that place before an interruption is not done again: what became of it is read from the log and told to `recorder` as
/// if it happened now. So counts and lists that are kept together with their place are exact, whenever the import was cut off. Prefixes are not
/// homed, whatever the options say, and the stream is not forgotten at the end.
///
/// # Errors
/// See [`ImportError`].
pub fn run_counted<'a>(
    catalog: &Catalog,
    mut input: impl BufRead + Seek + 'a,
    options: &ImportOptions,
    stream: StreamId,
    from: Place,
    recorder: &'a mut dyn Recorder,
) -> Result<Summary, ImportError> {
    let cold = catalog.cold();
    let marked = cold.mark(stream).map_err(ImportError::Mark)?.unwrap_or(0);
    let Some(decided) = marked.checked_sub(from.orders) else {
        return Err(ImportError::Behind { kept: from.orders, found: marked });
    };
    let mut outcomes = VecDeque::new();
    let mut keep = |_, outcome| {
        outcomes.push_back(outcome);
        ControlFlow::Continue(())
    };
    cold.stream_outcomes(stream, from.orders.saturating_add(1), decided, &mut keep).map_err(ImportError::Decided)?;
    input.seek(SeekFrom::Start(from.offset)).map_err(ImportError::Input)?;
    let mut lines = Lines::new(input, options.line_bytes);
    lines.begin_at(from.offset, from.lines);
    let options = ImportOptions { home: false, dry_run: false, ..options.clone() };
    let mut import = Import::new(catalog, lines, &options, Marking::Orders(stream), recorder);
    import.marked = marked;
    import.orders = from.orders;
    import.decided = outcomes;
    import.run()
}

/// What the stream of an import counts.
#[derive(Clone, Copy)]
enum Marking {
    /// There is none.
    None,
    /// Bytes of the input; at its end it is forgotten.
    Bytes(StreamId),
    /// Operations.
    Orders(StreamId),
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

/// Something that is told when its turn comes.
enum Item {
    /// A command of the input.
    Order(Origin),
    /// A command the import added by itself.
    Added,
    /// A command that was decided before an interruption.
    Decided(Origin, ItemOutcome),
    /// A line that could not be taken.
    Failed(Box<Problem>),
}

/// What is gathered for one submission.
#[derive(Default)]
struct Load {
    commands: Vec<Command>,
    items: Vec<Item>,
    bytes: usize,
    /// Where reading can begin again between the commands.
    places: Vec<StepPlace>,
}

/// A load under way; without a ticket when nothing of it is for the writer.
struct Sent {
    ticket: Option<Ticket>,
    items: Vec<Item>,
    place: Option<Place>,
}

struct Import<'a> {
    source: Box<dyn Source + 'a>,
    target: Target,
    rule: waymark_ident::CaseRule,
    /// Prefixes served, with those homed on demand; `None` when none shall be.
    homes: Option<Prefixes>,
    marking: Marking,
    options: ImportOptions,
    most_commands: usize,
    most_bytes: usize,
    load: Load,
    /// Offset from which reading can begin again when everything in the load is done.
    mark: Option<u64>,
    /// The place behind the last step taken, if reading can begin again there.
    place: Option<Place>,
    /// Commands of the input taken so far, in all runs.
    orders: u64,
    /// What became of the next commands, before an interruption.
    decided: VecDeque<ItemOutcome>,
    /// Where the stream is once everything sent is done.
    marked: u64,
    waiting: VecDeque<Sent>,
    recorder: &'a mut dyn Recorder,
    summary: Summary,
}

impl<'a> Import<'a> {
    fn new(
        catalog: &Catalog,
        lines: Lines<impl BufRead + 'a>,
        options: &ImportOptions,
        marking: Marking,
        recorder: &'a mut dyn Recorder,
    ) -> Self {
        let source: Box<dyn Source + 'a> = match options.format {
            Format::JsonLines => Box::new(JsonLines::new(lines, options.line_bytes, options.existing)),
            Format::Batch => {
                let files = Files::within(options.files.clone());
                Box::new(Batch::new(lines, options.line_bytes, options.existing, files))
            }
        };
        let target = if options.dry_run {
            Target::DryRun(Box::new(DryRun::new(catalog)))
        } else {
            Target::Writer(catalog.writer())
        };
        let (most_bytes, limit_commands) = catalog.writer().submission_limits();
        Self {
            source,
            target,
            rule: catalog.case_rule(),
            homes: options.home.then(|| (*catalog.prefixes()).clone()),
            marking,
            options: options.clone(),
            most_commands: options.submission.min(limit_commands).max(1),
            most_bytes,
            load: Load::default(),
            mark: None,
            place: None,
            orders: 0,
            decided: VecDeque::new(),
            marked: 0,
            waiting: VecDeque::new(),
            recorder,
            summary: Summary::default(),
        }
    }

    fn run(mut self) -> Result<Summary, ImportError> {
        while let Some(step) = self.source.next().map_err(ImportError::Input)? {
            let flow = self.take(step)?;
            self.note_progress();
            if flow.is_break() {
                self.summary.stopped = true;
                break;
            }
        }
        self.note_progress();
        if !self.summary.stopped {
            // The end of the input: nothing to continue from.
            self.mark = Some(0);
            self.place = Some(Place { offset: self.source.offset(), lines: self.source.lines(), orders: self.orders });
        }
        if self.send()?.is_break() {
            self.summary.stopped = true;
        }
        while !self.waiting.is_empty() {
            if self.collect()?.is_break() {
                self.summary.stopped = true;
            }
        }
        Ok(self.summary)
    }

    fn note_progress(&mut self) {
        self.summary.progress.bytes = self.source.offset();
        self.summary.progress.lines = self.source.lines();
        self.summary.notices.extend(self.source.take_notices());
    }

    /// Takes one step into the load, sending the load on when it is full.
    fn take(&mut self, step: Step) -> Result<ControlFlow<()>, ImportError> {
        let Step { line, subject, outcome, resume_at } = step;
        let bytes = outcome.as_ref().map_or(0, Command::weight_bytes) + subject.as_ref().map_or(0, String::len);
        // Two: the command, and a prefix that is homed for it.
        let full = self.load.items.len() + 2 > self.most_commands || self.load.bytes + bytes > self.most_bytes;
        let flow = if full && !self.load.items.is_empty() { self.send()? } else { ControlFlow::Continue(()) };
        match outcome {
            Err(rejected) => self.push(Item::Failed(Box::new(Problem::of_input(subject, rejected))), bytes),
            Ok(command) if command.weight_bytes() > self.most_bytes => {
                let cause = Cause::TooLong { limit: self.most_bytes };
                self.push(Item::Failed(Box::new(Problem { line, subject, field: String::new(), cause })), 0);
            }
            Ok(command) => {
                self.orders += 1;
                let origin = Origin { line, subject };
                if let Some(outcome) = self.decided.pop_front() {
                    self.push(Item::Decided(origin, outcome), bytes);
                } else {
                    self.home_for(&command);
                    self.order(command, Item::Order(origin));
                }
            }
        }
        self.mark = resume_at.map(|head| head.end).or(self.mark);
        if let (Marking::Bytes(_), Some(head)) = (self.marking, resume_at) {
            self.load.places.push(StepPlace { orders: self.load.commands.len(), position: head.end });
        }
        let orders = self.orders;
        self.place = resume_at.map(|head| Place { offset: head.end, lines: head.number, orders });
        Ok(flow)
    }

    fn push(&mut self, item: Item, bytes: usize) {
        self.load.bytes += bytes;
        self.load.items.push(item);
    }

    fn order(&mut self, command: Command, item: Item) {
        self.push(item, command.weight_bytes());
        self.load.commands.push(command);
    }

    /// Homes what a new record needs to be served, when that is wanted and not so yet.
    fn home_for(&mut self, command: &Command) {
        let Some(homes) = &mut self.homes else { return };
        let (Command::Put { handle, .. } | Command::PutWithdrawn { handle, .. }) = command else { return };
        let Ok(handle) = Handle::new(handle) else { return };
        let key = key_of(&handle, self.rule);
        if homes.serves(&key) {
            return;
        }
        let Some(name) = least_home(&key) else { return };
        homes.insert(name.clone(), waymark_store::Serial::NONE);
        self.order(Command::Home { name }, Item::Added);
    }

    /// Sends the load on, with its mark, and collects answers while as many submissions as may are under way.
    fn send(&mut self) -> Result<ControlFlow<()>, ImportError> {
        let Load { commands, items, places, .. } = std::mem::take(&mut self.load);
        let place = self.place;
        let stream = self.step(commands.len());
        if commands.is_empty() && stream.is_none() {
            self.waiting.push_back(Sent { ticket: None, items, place });
        } else {
            let submission = Submission { stream, places, ..Submission::new(&self.options.actor, commands) };
            match &mut self.target {
                Target::Writer(writer) => {
                    let ticket = Some(writer.submit_when_room(submission).map_err(ImportError::Submit)?);
                    self.waiting.push_back(Sent { ticket, items, place });
                }
                Target::DryRun(dry_run) => {
                    let results = dry_run.decide(submission);
                    return self.tell(results, items, place);
                }
            }
        }
        if self.waiting.len() >= self.options.in_flight.max(1) { self.collect() } else { Ok(ControlFlow::Continue(())) }
    }

    /// The step of the stream that is sent with so many commands.
    fn step(&mut self, commands: usize) -> Option<StreamStep> {
        let (stream, position, counts_orders) = match self.marking {
            Marking::None => return None,
            Marking::Bytes(stream) => (stream, self.mark.take()?, false),
            Marking::Orders(_) if commands == 0 => return None,
            Marking::Orders(stream) => {
                (stream, self.marked.saturating_add(u64::try_from(commands).unwrap_or(u64::MAX)), true)
            }
        };
        let after = std::mem::replace(&mut self.marked, position);
        Some(StreamStep { stream, after, position, counts_orders })
    }

    /// Waits for the oldest submission.
    fn collect(&mut self) -> Result<ControlFlow<()>, ImportError> {
        let Some(Sent { ticket, items, place }) = self.waiting.pop_front() else {
            return Ok(ControlFlow::Continue(()));
        };
        match ticket.map_or(Ok(Results::new()), Ticket::wait) {
            Ok(results) => self.tell(results, items, place),
            Err(WriteError::Partly { results, error }) => {
                self.count(results, items)?;
                Err(self.write_failed(*error))
            }
            Err(error) => Err(self.write_failed(error)),
        }
    }

    fn write_failed(&mut self, error: WriteError) -> ImportError {
        ImportError::Write { error, summary: Box::new(std::mem::take(&mut self.summary)) }
    }

    /// Counts what became of a load, and says where the import is.
    fn tell(
        &mut self,
        results: Results,
        items: Vec<Item>,
        place: Option<Place>,
    ) -> Result<ControlFlow<()>, ImportError> {
        self.count(results, items)?;
        self.recorder.reached(place.as_ref(), &self.summary).map_err(ImportError::Rejects)
    }

    /// Counts what became of the items of a load, up to the last result.
    fn count(&mut self, results: Results, items: Vec<Item>) -> Result<(), ImportError> {
        let mut results = results.into_iter();
        for item in items {
            match item {
                Item::Failed(problem) => self.fail(*problem)?,
                Item::Decided(_, ItemOutcome::Accepted(receipt)) => {
                    self.summary.count(receipt.outcome, receipt.warnings);
                    self.summary.progress.done += 1;
                }
                Item::Decided(Origin { line, subject }, ItemOutcome::Refused(code)) => {
                    self.fail(Problem { line, subject, field: String::new(), cause: Cause::RefusedBefore(code) })?;
                }
                item @ (Item::Order(_) | Item::Added) => {
                    let Some(result) = results.next() else { break };
                    let origin = if let Item::Order(origin) = item { Some(origin) } else { None };
                    match result {
                        Ok(receipt) => {
                            self.summary.count(receipt.outcome, receipt.warnings);
                            self.summary.progress.done += u64::from(origin.is_some());
                        }
                        Err(refusal) => self.refused(refusal, origin)?,
                    }
                }
            }
        }
        Ok(())
    }

    fn refused(&mut self, refusal: Refusal, origin: Option<Origin>) -> Result<(), ImportError> {
        self.note_not_served(&refusal);
        let Origin { line, subject } = origin.unwrap_or(Origin { line: 0, subject: None });
        self.fail(Problem { line, subject, field: String::new(), cause: refusal.into() })
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
        self.recorder.failed(&problem).map_err(ImportError::Rejects)?;
        if self.summary.problems.len() < self.options.kept_problems {
            self.summary.problems.push(problem);
        }
        Ok(())
    }
}

/// The least that has to be homed for a key to be served: its prefix; for the record of a derived prefix the marker of the
/// prefix above, so that the node does not claim all prefix records there are.
pub(crate) fn least_home(key: &[u8]) -> Option<HomeName> {
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
