//! JSON lines: one record a line, in the form described in [`crate::form`].

use std::io::{self, BufRead};

use super::lines::{LineHead, Lines};
use super::step::{Notice, Rejected, Source, Step};
use crate::command::{Command, PutMode, Timestamps};
use crate::form::cause::{Cause, FieldError};
use crate::form::line;

/// Reads records from JSON lines. Empty lines are passed over.
pub(crate) struct JsonLines<R> {
    lines: Lines<R>,
    limit: usize,
    mode: PutMode,
    descriptions_dropped: bool,
}

impl<R: BufRead> JsonLines<R> {
    /// Reads from `lines`, which cut at `limit` bytes; existing handles are treated as `mode` says.
    pub(crate) const fn new(lines: Lines<R>, limit: usize, mode: PutMode) -> Self {
        Self { lines, limit, mode, descriptions_dropped: false }
    }

    fn step(&mut self, head: LineHead) -> Step {
        let mut subject = None;
        let outcome = if head.too_long {
            Err(FieldError::new("", Cause::TooLong { limit: self.limit }))
        } else {
            line::record(self.lines.text(), &mut subject)
        };
        let outcome = outcome.map(|line| self.command(line));
        let outcome = outcome.map_err(|error| Rejected { line: head.number, error });
        Step { line: head.number, subject, outcome, resume_at: Some(head) }
    }

    fn command(&mut self, line: line::Line) -> Command {
        let line::Line { handle, status, values, descriptions_dropped } = line;
        self.descriptions_dropped |= descriptions_dropped;
        let (handle, timestamps, mode) = (handle.into_bytes(), Timestamps::Keep, self.mode);
        match status {
            Some(status) => Command::PutWithdrawn { handle, values, timestamps, mode, status },
            None => Command::Put { handle, values, timestamps, mode },
        }
    }
}

impl<R: BufRead> Source for JsonLines<R> {
    fn next(&mut self) -> io::Result<Option<Step>> {
        while let Some(head) = self.lines.next_head()? {
            if head.too_long || !self.lines.text().trim_ascii().is_empty() {
                return Ok(Some(self.step(head)));
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
        let dropped = std::mem::take(&mut self.descriptions_dropped);
        dropped.then_some(Notice::DescriptionsDropped).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(input: &str) -> (Vec<Step>, Vec<Notice>) {
        let lines = Lines::new(input.as_bytes(), 400);
        let mut source = JsonLines::new(lines, 400, PutMode::CreateOrSame);
        let mut steps = Vec::new();
        while let Some(step) = source.next().unwrap() {
            steps.push(step);
        }
        (steps, source.take_notices())
    }

    fn rejection(line: &str) -> (String, String) {
        let (steps, _) = steps(line);
        let error = steps.into_iter().next().unwrap().outcome.err().unwrap().error;
        (error.field, error.cause.to_string())
    }

    #[test]
    fn records_are_read_with_their_place_and_empty_lines_passed_over() {
        let (steps, notices) =
            steps("\n{\"handle\":\"88.1/x\",\"values\":[]}\r\n \n{\"handle\":\"88.1/y\",\"values\":[]}");
        let places: Vec<_> = steps
            .iter()
            .map(|step| (step.line, step.resume_at.map(|head| head.end), step.subject.as_deref()))
            .collect();
        assert_eq!(places, [(2, Some(34), Some("88.1/x")), (4, Some(67), Some("88.1/y"))]);
        assert!(notices.is_empty());
    }

    #[test]
    fn describing_fields_are_dropped_and_said_once() {
        let line = r#"{"synthetic":true,"note":{"any":[1]},"handle":"1/x","values":[{"label":"产","index":1,"type":"T","data":"d"}]}"#;
        let (steps, notices) = steps(&format!("{line}\n{line}\n"));
        assert!(steps.iter().all(|step| step.outcome.is_ok()));
        assert_eq!(notices, [Notice::DescriptionsDropped]);
    }

    #[test]
    fn every_problem_names_its_field() {
        let (field, cause) = rejection(r#"{"handle":"1/x","values":[],"owner":"me"}"#);
        assert_eq!((field.as_str(), cause.as_str()), ("owner", "unknown field"));
        let (field, cause) =
            rejection(r#"{"handle":"1/x","values":[{"index":1,"type":"T","data":{"format":"hex","value":"0g"}}]}"#);
        assert_eq!((field.as_str(), cause.as_str()), ("values[0].data.value", "not hexadecimal text of whole bytes"));
        let twice = r#"{"handle":"1/x","values":[{"index":1,"type":"T","data":""},{"index":1,"type":"T","data":""}]}"#;
        assert_eq!(rejection(twice), ("values".into(), "index 1 stands twice".into()));
        assert_eq!(rejection("{\"handle\":").1, "not JSON at column 10");
        assert_eq!(rejection(r#"{"handle":"1/x"}"#), ("values".into(), "missing".into()));
        assert_eq!(rejection(&"x".repeat(401)).1, "longer than 400 bytes");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_a_problem_of_their_line() {
        let lines = Lines::new(&b"{\"handle\":\"\xff\"}\n"[..], 400);
        let mut source = JsonLines::new(lines, 400, PutMode::CreateOrSame);
        let rejected = source.next().unwrap().unwrap().outcome.err().unwrap();
        assert_eq!((rejected.line, rejected.error.cause.code()), (1, "not-utf8"));
    }
}
