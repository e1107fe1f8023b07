//! Why reading ends before the end.

use std::{error, fmt, io, sync::Arc};

use crate::{Code, Language, Problem};

/// Why a file is not read, or not further.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The file is to be mended: every problem that was found. At least one.
    File(Vec<Problem>),
    /// The reader under it failed.
    Io(io::Error),
}

impl ReadError {
    /// The problems of the file; none if it could not be read at all.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::File(problems) => problems,
            Self::Io(_) => &[],
        }
    }

    /// What is wrong and what to do, in a language; several problems on lines of their own.
    #[must_use]
    pub fn text(&self, language: Language) -> String {
        match (self, language) {
            (Self::File(problems), _) => {
                problems.iter().map(|problem| problem.text(language)).collect::<Vec<_>>().join("\n")
            }
            (Self::Io(cause), Language::English) => format!("the file cannot be read: {cause}"),
            (Self::Io(cause), Language::Chinese) => format!("无法读取文件：{cause}"),
        }
    }

    /// What a reader of the file said: what one of ours put into it, damage it found, or a failure of the reader below.
    pub(crate) fn of_io(error: io::Error, part: &str) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Stop>()) {
            Some(Stop(problem)) => problem.clone().into(),
            None if matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
            ) =>
            {
                damaged(part, error)
            }
            None => Self::Io(error),
        }
    }

    /// The same for a failure that is shared.
    pub(crate) fn of_shared_io(error: &Arc<io::Error>, part: &str) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Stop>()) {
            Some(Stop(problem)) => problem.clone().into(),
            None => Self::of_io(io::Error::new(error.kind(), Arc::clone(error)), part),
        }
    }
}

/// A part of the file is not what it should be.
pub(crate) fn damaged(part: &str, detail: impl fmt::Display) -> ReadError {
    Problem::new(Code::Damaged).with("part", part).with_long("detail", detail).into()
}

impl From<Problem> for ReadError {
    fn from(problem: Problem) -> Self {
        Self::File(vec![problem])
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(problems) => {
                for (number, problem) in problems.iter().enumerate() {
                    write!(f, "{}{problem}", if number == 0 { "" } else { "; " })?;
                }
                Ok(())
            }
            Self::Io(_) => f.write_str("the file cannot be read"),
        }
    }
}

impl error::Error for ReadError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::File(_) => None,
            Self::Io(cause) => Some(cause),
        }
    }
}

/// A problem on its way through `std::io`.
#[derive(Debug)]
struct Stop(Problem);

/// What a reader says to end reading with a problem.
pub(crate) fn stop(problem: Problem) -> io::Error {
    io::Error::other(Stop(problem))
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl error::Error for Stop {}
