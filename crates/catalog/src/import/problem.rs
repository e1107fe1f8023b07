//! One thing an import could not take, for people and for the reject file.

use std::io::{self, Write};

use serde::Serialize;

use super::step::Rejected;
use crate::form::cause::Cause;

/// A line that was not taken, or a record that was refused.
#[derive(Debug)]
pub struct Problem {
    /// Line of the input, from 1.
    pub line: u64,
    /// The handle or prefix, as far as it could be read.
    pub subject: Option<String>,
    /// Path of the field, such as `values[2].data.value`; empty when it is about the whole line or record.
    pub field: String,
    /// What is wrong.
    pub cause: Cause,
}

impl Problem {
    pub(crate) fn of_input(subject: Option<String>, rejected: Rejected) -> Self {
        Self { line: rejected.line, subject, field: rejected.error.field, cause: rejected.error.cause }
    }

    /// Writes the problem as one line of JSON: `line`, `handle`, `field`, `code`, `cause`. It holds no data of values.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        #[derive(Serialize)]
        struct Line<'a> {
            line: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            handle: Option<&'a str>,
            #[serde(skip_serializing_if = "str::is_empty")]
            field: &'a str,
            code: &'a str,
            cause: String,
        }
        let line = Line {
            line: self.line,
            handle: self.subject.as_deref(),
            field: &self.field,
            code: self.cause.code(),
            cause: self.cause.to_string(),
        };
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")
    }
}

/// Prints `line 3, values[2].ttl: missing`.
impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(subject) = &self.subject {
            write!(f, " ({subject})")?;
        }
        if !self.field.is_empty() {
            write!(f, ", {}", self.field)?;
        }
        write!(f, ": {}", self.cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_one_line_of_json_and_one_of_text() {
        let problem = Problem {
            line: 3,
            subject: Some("88.1/\"x\"\n".into()),
            field: "values[2].ttl".into(),
            cause: Cause::OutOfRange { min: 1, max: 9 },
        };
        let mut out = Vec::new();
        problem.write(&mut out).unwrap();
        let expected = "{\"line\":3,\"handle\":\"88.1/\\\"x\\\"\\n\",\"field\":\"values[2].ttl\",\
                        \"code\":\"out-of-range\",\"cause\":\"not between 1 and 9\"}\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        let plain = Problem { subject: None, field: String::new(), ..problem };
        assert_eq!(plain.to_string(), "line 3: not between 1 and 9");
    }
}
