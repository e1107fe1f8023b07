//! Rows of an upload that were sent and have no outcome, and what a person is told of them.

use std::time::Duration;

use serde_json::{Value, json};

use super::rows::{Kind, Open};
use crate::{
    cli::terminal::grouped,
    problem::{Exit, Problem},
    texts::Texts,
};

/// Rows that were sent and have no outcome.
pub(super) struct UnderWay {
    count: u64,
    first_line: u64,
    last_line: u64,
}

impl UnderWay {
    /// Finds so many rows, the first that wait; `None` where there are none.
    pub(super) fn of(open: &Open, count: u64) -> Option<Self> {
        let sent = open.pending.iter().filter(|row| matches!(row.is, Kind::Sent(_)));
        let mut lines = sent.take(usize::try_from(count).unwrap_or(usize::MAX)).map(|row| row.line);
        let first_line = lines.next()?;
        Some(Self { count, first_line, last_line: lines.last().unwrap_or(first_line) })
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        json!({ "rows": self.count, "first_line": self.first_line, "last_line": self.last_line })
    }

    /// That no more rows are sent, and what is waited for.
    pub(super) fn stopping(&self, stream: &str, finish: Duration, texts: &Texts) -> String {
        let seconds = [("seconds", finish.as_secs().to_string())];
        let values: Vec<_> =
            self.values(stream).into_iter().chain(seconds).map(|(name, text)| (name, text.into())).collect();
        texts.text("upload-stopping", &values)
    }

    /// That nobody knows what became of them, and how to find out.
    pub(super) fn unknown(&self, stream: &str) -> Problem {
        let problem = Problem::new("upload-under-way", Exit::Unknown);
        self.values(stream).into_iter().fold(problem, |problem, (name, value)| problem.with(name, value))
    }

    fn values(&self, stream: &str) -> [(&'static str, String); 4] {
        [
            ("count", grouped(self.count)),
            ("first", grouped(self.first_line)),
            ("last", grouped(self.last_line)),
            ("stream", stream.to_owned()),
        ]
    }
}
