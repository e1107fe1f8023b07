//! One line of the record of every answer, as the node writes it into `answers.log`.
//!
//! Fields that are not known are passed over, and `took_us` may be missing: older and newer programs read each other's lines.

use std::borrow::Cow;
use std::net::SocketAddr;

use serde::Deserialize;

use super::day::Answer;

/// A line, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerLine<'a> {
    time: u32,
    from: SocketAddr,
    op: u32,
    code: u32,
    took_us: Option<u32>,
    handle: Cow<'a, str>,
}

/// A line is none of the record's.
#[derive(Debug, thiserror::Error)]
#[error("not a line of the record of answers")]
pub struct LineError(#[source] serde_json::Error);

impl<'a> AnswerLine<'a> {
    /// Reads a line, with or without its end.
    ///
    /// # Errors
    /// [`LineError`].
    pub fn read(line: &'a [u8]) -> Result<Self, LineError> {
        let Form { time, from, op, code, took_us, handle } = serde_json::from_slice(line).map_err(LineError)?;
        Ok(Self { time, from, op, code, took_us, handle })
    }

    /// What is counted of it.
    #[must_use]
    pub fn answer(&self) -> Answer<'_> {
        Answer {
            unix_seconds: self.time,
            source: self.from.ip(),
            op: self.op,
            response_code: self.code,
            took_micros: self.took_us,
            handle: self.handle.as_bytes(),
        }
    }
}

#[derive(Deserialize)]
struct Form<'a> {
    time: u32,
    from: SocketAddr,
    op: u32,
    code: u32,
    took_us: Option<u32>,
    #[serde(borrow)]
    handle: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_older_and_newer_programs_are_read() {
        let old = br#"{"time":7,"via":"udp","from":"127.0.0.1:5","op":1,"code":100,"request_bytes":60,"answer_bytes":44,"handle":"88.1/\"x"}"#;
        let line = AnswerLine::read(old).unwrap();
        let answer = line.answer();
        assert_eq!((answer.unix_seconds, answer.op, answer.response_code, answer.took_micros), (7, 1, 100, None));
        assert_eq!((answer.source, answer.handle), ([127, 0, 0, 1].into(), &b"88.1/\"x"[..]));
        let new = br#"{"time":7,"via":"udp","from":"[::1]:5","op":1,"code":1,"took_us":31,"later":{"a":[1]},"handle":"88.1/x","cut":true}"#;
        let line = AnswerLine::read(new).unwrap();
        assert_eq!((line.answer().took_micros, line.answer().source), (Some(31), "::1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for wrong in
            [&b""[..], b"{", b"[]", br#"{"time":-1,"from":"127.0.0.1:5","op":1,"code":1,"handle":""}"#, b"\xff"]
        {
            assert!(AnswerLine::read(wrong).is_err(), "{wrong:?}");
        }
    }
}
