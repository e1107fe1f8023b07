//! What went wrong, for a person: a stable code, the values of its text, and the exit code of the command.

use std::{borrow::Cow, fmt};

use crate::texts::{Argument, Texts};

/// How a command ended. Documented in the README; a released number keeps its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything asked for was done.
    Done = 0,
    /// Something failed that no other number names (input and output, mostly).
    Failed = 1,
    /// The command line or the configuration is wrong; nothing was done.
    Usage = 2,
    /// The identifier, or the values asked for, do not exist.
    Absent = 3,
    /// The node refused: not public, not served there, or too busy.
    Refused = 4,
    /// No answer came in time.
    NoAnswer = 5,
    /// Stored data is damaged.
    Damaged = 6,
    /// The data folder is in use by another process, or is no data folder.
    Unavailable = 7,
    /// Done, but some lines of the input were refused.
    Partly = 8,
    /// A check did not hold: of the demo, of a load run, or a code may not be sold.
    CheckFailed = 9,
    /// Whether a change was made is unknown; the message says how to ask again.
    Unknown = 10,
}

/// A failure with a stable code.
#[derive(Debug)]
pub struct Problem {
    code: &'static str,
    arguments: Vec<(&'static str, String)>,
    exit: Exit,
    /// What else is to be said of it.
    notes: Vec<Self>,
}

impl Problem {
    /// A problem by its code; the text is found when it is shown.
    pub fn new(code: &'static str, exit: Exit) -> Self {
        Self { code, arguments: Vec::new(), exit, notes: Vec::new() }
    }

    /// Adds a value for the text.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.arguments.push((name, value.to_string()));
        self
    }

    /// Adds what else is to be said; how the command ends is not changed by it.
    #[must_use]
    pub fn note(mut self, note: Self) -> Self {
        self.notes.push(note);
        self
    }

    /// Ends the command otherwise.
    #[must_use]
    pub fn exiting(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The values of its text, by name.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.arguments.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// How the command ends.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// One line: code and text in the user's language; a line more for each note.
    pub fn render(&self, texts: &Texts) -> String {
        let mut said = format!("error[{}]: {}", self.code, self.text(texts));
        for note in &self.notes {
            said.push_str("\n  ");
            said.push_str(&note.text(texts));
        }
        said
    }

    fn text(&self, texts: &Texts) -> String {
        let arguments: Vec<Argument<'_>> =
            self.arguments.iter().map(|(name, value)| (*name, Cow::Borrowed(value.as_str()))).collect();
        texts.text(self.code, &arguments)
    }
}

impl fmt::Display for Problem {
    /// For logs, which have no language: the code and its values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)?;
        self.arguments.iter().try_for_each(|(name, value)| write!(f, " {name}={value:?}"))?;
        self.notes.iter().try_for_each(|note| write!(f, "; {note}"))
    }
}

/// Several problems found together; at least one.
#[derive(Debug)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// How the command ends: as the first says.
    pub fn exit(&self) -> Exit {
        self.0.first().map_or(Exit::Failed, Problem::exit)
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl From<Vec<Problem>> for Problems {
    fn from(problems: Vec<Problem>) -> Self {
        Self(problems)
    }
}
