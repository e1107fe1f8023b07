//! The batch format of Handle.Net servers, as far as it is about data; described in [`crate::import`].

use std::io::{self, BufRead};

use super::batch_value::{Files, value};
use super::lines::{LineHead, Lines};
use super::step::{Notice, Rejected, Source, Step};
use crate::command::{AddMode, Command, PutMode, Timestamps};
use crate::config::VALUES_PER_RECORD;
use crate::form::cause::{Cause, FieldError, FieldResult};
use crate::prefixes::HomeName;
use crate::values::ValueSet;

/// Reads operations from a batch file.
pub(crate) struct Batch<R> {
    lines: Lines<R>,
    limit: usize,
    mode: PutMode,
    files: Files,
    /// A line that ended a block without belonging to it.
    ahead: Option<LineHead>,
    /// Whether lines are prefixes to be homed or given up.
    homing: Option<Homing>,
    notices: Vec<Notice>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Homing {
    Home,
    Unhome,
}

/// What values are for.
#[derive(Clone, Copy)]
enum Operation {
    Create,
    Add,
    Modify,
}

impl<R: BufRead> Batch<R> {
    /// Reads from `lines`, which cut at `limit` bytes; existing handles are treated as `mode` says, and data files come from
    /// `files`.
    pub(crate) const fn new(lines: Lines<R>, limit: usize, mode: PutMode, files: Files) -> Self {
        Self { lines, limit, mode, files, ahead: None, homing: None, notices: Vec::new() }
    }

    fn next_line(&mut self) -> io::Result<Option<LineHead>> {
        match self.ahead.take() {
            Some(head) => Ok(Some(head)),
            None => self.lines.next_head(),
        }
    }

    /// Reads the line that begins a block, or a line of a HOME block; `None` when it says nothing by itself.
    fn begin(&mut self, head: LineHead) -> io::Result<Option<Step>> {
        if head.too_long {
            let error = FieldError::new("", Cause::TooLong { limit: self.limit });
            return Ok(Some(self.rejected(head, error)));
        }
        let line = match std::str::from_utf8(self.lines.text()) {
            Ok(line) => line.trim().to_owned(),
            Err(error) => {
                let error = FieldError::new("", Cause::NotUtf8 { at: error.valid_up_to() });
                return Ok(Some(self.rejected(head, error)));
            }
        };
        if line.is_empty() {
            self.homing = None;
            return Ok(None);
        }
        let (word, rest) = line.split_once([' ', '\t']).unwrap_or((&line, ""));
        let rest = rest.trim_start();
        match word {
            "CREATE" => self.block(head, Operation::Create, rest).map(Some),
            "ADD" => self.block(head, Operation::Add, rest).map(Some),
            "MODIFY" => self.block(head, Operation::Modify, rest).map(Some),
            "DELETE" => Ok(Some(self.single(head, rest, |rest| {
                let handle = needed(rest, "handle")?;
                Ok(Command::Delete { handle: handle.as_bytes().to_vec() })
            }))),
            "REMOVE" => Ok(Some(self.single(head, rest, remove))),
            "HOME" => Ok(self.begin_homing(Homing::Home)),
            "UNHOME" => Ok(self.begin_homing(Homing::Unhome)),
            "AUTHENTICATE" => self.skip_authentication().map(|()| None),
            "SESSIONSETUP" => self.skip_session().map(|()| None),
            _ => match self.homing {
                Some(homing) => Ok(Some(self.prefix(head, homing, &line))),
                None => Ok(Some(self.rejected(head, FieldError::new("", Cause::UnknownOperation)))),
            },
        }
    }

    fn rejected(&mut self, head: LineHead, error: FieldError) -> Step {
        self.homing = None;
        Step {
            line: head.number,
            subject: None,
            outcome: Err(Rejected { line: head.number, error }),
            resume_at: Some(head),
        }
    }

    /// A step that is one line.
    fn single(&mut self, head: LineHead, rest: &str, read: impl FnOnce(&str) -> FieldResult<Command>) -> Step {
        self.homing = None;
        let subject = (!rest.is_empty()).then(|| rest.split_once(':').map_or(rest, |(_, handle)| handle).to_owned());
        let outcome = read(rest).map_err(|error| Rejected { line: head.number, error });
        Step { line: head.number, subject, outcome, resume_at: Some(head) }
    }

    fn begin_homing(&mut self, homing: Homing) -> Option<Step> {
        self.homing = Some(homing);
        self.notice(Notice::ServerIgnored);
        None
    }

    /// A line of a HOME or UNHOME block. Reading cannot begin again behind it: the block would be lost.
    fn prefix(&self, head: LineHead, homing: Homing, line: &str) -> Step {
        let name = HomeName::parse(line.as_bytes());
        let outcome = name.map(|name| match homing {
            Homing::Home => Command::Home { name },
            Homing::Unhome => Command::Unhome { name },
        });
        let outcome = outcome.map_err(|error| Rejected { line: head.number, error: FieldError::new("prefix", error) });
        Step { line: head.number, subject: Some(line.to_owned()), outcome, resume_at: None }
    }

    /// AUTHENTICATE is followed by one line, the secret or the key's file; neither is ever shown.
    fn skip_authentication(&mut self) -> io::Result<()> {
        self.homing = None;
        self.notice(Notice::AuthenticationSkipped);
        self.lines.next_head().map(drop)
    }

    /// SESSIONSETUP is followed by lines `OPTION:value`.
    fn skip_session(&mut self) -> io::Result<()> {
        self.homing = None;
        self.notice(Notice::SessionSkipped);
        while let Some(head) = self.lines.next_head()? {
            let text = self.lines.text();
            let option = text.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
            if option == 0 || text.get(option) != Some(&b':') {
                self.ahead = Some(head);
                break;
            }
        }
        Ok(())
    }

    /// Reads the value lines of a block up to an empty line or the next operation.
    fn block(&mut self, head: LineHead, operation: Operation, handle: &str) -> io::Result<Step> {
        self.homing = None;
        let mut end = head;
        let mut wrong = needed(handle, "handle").err().map(|error| Rejected { line: head.number, error });
        let mut values = Vec::new();
        let mut bytes = 0;
        while let Some(line) = self.lines.next_head()? {
            let text = self.lines.text();
            if !line.too_long && text.trim_ascii().is_empty() {
                end = line;
                break;
            }
            if !line.too_long && !text.trim_ascii_start().first().is_some_and(u8::is_ascii_digit) {
                self.ahead = Some(line);
                break;
            }
            end = line;
            bytes += text.len();
            if wrong.is_some() {
                continue;
            }
            match value_line(line, text, self.limit, bytes, values.len(), &self.files) {
                Ok(value) => values.push(value),
                Err(error) => wrong = Some(Rejected { line: line.number, error }),
            }
        }
        let outcome = match wrong {
            Some(rejected) => Err(rejected),
            None => match ValueSet::from_bufs(&values) {
                Ok(values) => Ok(self.command(operation, handle, values)),
                Err(error) => Err(Rejected { line: head.number, error: FieldError::new("values", error) }),
            },
        };
        let subject = (!handle.is_empty()).then(|| handle.to_owned());
        Ok(Step { line: head.number, subject, outcome, resume_at: Some(end) })
    }

    fn command(&self, operation: Operation, handle: &str, values: ValueSet) -> Command {
        let handle = handle.as_bytes().to_vec();
        let timestamps = Timestamps::Now;
        match operation {
            Operation::Create => Command::Put { handle, values, timestamps, mode: self.mode },
            Operation::Add => {
                let mode = match self.mode {
                    PutMode::Create => AddMode::New,
                    PutMode::Replace => AddMode::Overwrite,
                    PutMode::CreateOrSame => AddMode::NewOrSame,
                };
                Command::AddValues { handle, values, timestamps, mode }
            }
            Operation::Modify => Command::ModifyValues { handle, values, timestamps },
        }
    }

    fn notice(&mut self, notice: Notice) {
        if !self.notices.contains(&notice) {
            self.notices.push(notice);
        }
    }
}

impl<R: BufRead> Source for Batch<R> {
    fn next(&mut self) -> io::Result<Option<Step>> {
        while let Some(head) = self.next_line()? {
            if let Some(step) = self.begin(head)? {
                return Ok(Some(step));
            }
        }
        Ok(None)
    }

    fn offset(&self) -> u64 {
        self.lines.offset()
    }

    fn lines(&self) -> u64 {
        self.lines.number()
    }

    fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }
}

/// Reads one value line, with bounds on the line and on what the block has gathered.
fn value_line(
    head: LineHead,
    text: &[u8],
    limit: usize,
    block_bytes: usize,
    block_values: usize,
    files: &Files,
) -> FieldResult<waymark_wire::ValueBuf> {
    let most_values = usize::try_from(VALUES_PER_RECORD.max).unwrap_or(usize::MAX);
    if head.too_long || block_bytes > limit || block_values >= most_values {
        return Err(FieldError::new("", Cause::TooLong { limit }));
    }
    let line =
        std::str::from_utf8(text).map_err(|error| FieldError::new("", Cause::NotUtf8 { at: error.valid_up_to() }))?;
    value(line, files)
}

/// `1,2,3:handle`.
fn remove(rest: &str) -> FieldResult<Command> {
    let (indexes, handle) =
        rest.split_once(':').ok_or_else(|| FieldError::new("handle", Cause::CutShort { part: "handle" }))?;
    let handle = needed(handle, "handle")?.as_bytes().to_vec();
    let wrong = |_| FieldError::new("index", Cause::WrongKind { expected: "a list of numbers" });
    let indexes = indexes.split(',').map(|index| index.trim().parse().map_err(wrong)).collect::<FieldResult<_>>()?;
    Ok(Command::RemoveValues { handle, indexes })
}

fn needed<'a>(text: &'a str, part: &'static str) -> FieldResult<&'a str> {
    if text.is_empty() { Err(FieldError::new(part, Cause::CutShort { part })) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &str) -> (Vec<Step>, Vec<Notice>) {
        let mut source = Batch::new(Lines::new(input.as_bytes(), 4096), 4096, PutMode::CreateOrSame, Files::default());
        let mut steps = Vec::new();
        while let Some(step) = source.next().unwrap() {
            steps.push(step);
        }
        (steps, source.take_notices())
    }

    fn commands(input: &str) -> Vec<Command> {
        let outcomes = read(input).0.into_iter().map(|step| step.outcome.map_err(|r| (r.line, r.error)));
        outcomes.collect::<Result<_, _>>().unwrap()
    }

    fn rejections(input: &str) -> Vec<(u64, String, &'static str)> {
        let rejected = read(input).0.into_iter().filter_map(|step| step.outcome.err());
        rejected.map(|r| (r.line, r.error.field, r.error.cause.code())).collect()
    }

    #[test]
    fn reads_every_operation() {
        let input = "AUTHENTICATE SECKEY:300:0.NA/88.1\nsecret\n\nSESSIONSETUP\nUSESESSION:1\nTIMEOUT:24\n\n\
                     HOME 127.0.0.1:2641:TCP\n0.NA/88.1\n88.2\n\n\
                     CREATE 88.1/a b\n100 HS_ADMIN 86400 1110 ADMIN 300:111111111111:0.NA/88.1\n1 URL 60 1100 UTF8 https://x y\n\n\
                     ADD 88.1/a b\n2 DESC 86400 1110 UTF8 \n\nMODIFY 88.1/a b\n2 DESC 86400 1110 UTF8  two\n\
                     REMOVE 1,2:88.1/a b\nDELETE 88.1/a b\n\nUNHOME 127.0.0.1:2641:TCP\n88.2\n";
        let commands = commands(input);
        let names: Vec<&str> = commands
            .iter()
            .map(|command| match command {
                Command::Home { .. } => "home",
                Command::Unhome { .. } => "unhome",
                Command::Put { handle, values, .. } if handle == b"88.1/a b" && values.count() == 2 => "create",
                Command::AddValues { values, .. } if values.count() == 1 => "add",
                Command::ModifyValues { values, .. } => {
                    assert_eq!(values.values().iter().next().unwrap().data, b" two", "one blank ends the kind");
                    "modify"
                }
                Command::RemoveValues { indexes, .. } if *indexes == [1, 2] => "remove",
                Command::Delete { handle } if handle == b"88.1/a b" => "delete",
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(names, ["home", "home", "create", "add", "modify", "remove", "delete", "unhome"]);
        let expected = [Notice::AuthenticationSkipped, Notice::SessionSkipped, Notice::ServerIgnored];
        assert_eq!(read(input).1, expected);
    }

    #[test]
    fn a_bad_line_spoils_its_block_and_nothing_else() {
        let input = "CREATE 88.1/a\n1 URL x 1110 UTF8 d\n2 URL 1 1110 UTF8 d\n\nCREATE 88.1/b\n1 URL 1 1110 UTF8 d\n\n\
                     CREATE \n1 URL 1 1110 UTF8 d\n\nRENAME x\nREMOVE 1:\nREMOVE a:88.1/b\n";
        let expected = [
            (2, "ttl".to_owned(), "wrong-kind"),
            (8, "handle".into(), "cut-short"),
            (11, String::new(), "unknown-operation"),
            (12, "handle".into(), "cut-short"),
            (13, "index".into(), "wrong-kind"),
        ];
        assert_eq!(rejections(input), expected);
        assert_eq!(read(input).0.iter().filter(|step| step.outcome.is_ok()).count(), 1);
    }

    #[test]
    fn reading_can_begin_again_behind_blocks_but_not_within_a_list_of_prefixes() {
        let input = "HOME x\n88.1\n88.2\n\nCREATE 88.1/a\n1 URL 1 1110 UTF8 d\n\nDELETE 88.1/a\n";
        let places: Vec<_> =
            read(input).0.iter().map(|step| (step.line, step.resume_at.map(|head| (head.number, head.end)))).collect();
        assert_eq!(places, [(2, None), (3, None), (5, Some((7, 53))), (8, Some((8, 67)))]);
        assert!(input.as_bytes()[53..].starts_with(b"DELETE"));
    }

    #[test]
    fn the_secret_of_an_authentication_is_not_taken_for_an_operation() {
        let (steps, _) = read("AUTHENTICATE SECKEY:300:0.NA/88.1\nDELETE 88.1/x\nDELETE 88.1/y\n");
        let subjects: Vec<_> = steps.iter().map(|step| step.subject.as_deref()).collect();
        assert_eq!(subjects, [Some("88.1/y")]);
    }
}
