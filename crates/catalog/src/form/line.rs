//! A record as one line of JSON, for programs that bring records from elsewhere or show records of elsewhere.

use std::fmt;

use waymark_wire::Values;

use super::cause::{Cause, FieldError, FieldResult};
use super::object::{Object, list, text};
use super::status::status;
use super::value_read::value;
use super::value_write;
use crate::status::WithdrawalBuf;
use crate::values::ValueSet;

/// Fields of a record that only describe it to people.
const DESCRIBED: &[&str] = &["synthetic", "object_class", "industry", "gb_t_4754_2017", "note"];

/// A record read from a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its handle.
    pub handle: String,
    /// Its status, where it is out of resolution.
    pub status: Option<WithdrawalBuf>,
    /// Its values.
    pub values: ValueSet,
    /// Whether fields that only describe it to people were left out.
    pub descriptions_dropped: bool,
}

/// Why a line is no record.
#[derive(Debug)]
pub struct LineError {
    /// The handle, as far as it could be read.
    pub handle: Option<String>,
    /// Path of the field, such as `values[2].data.value`; empty when it is about the whole line.
    pub field: String,
    /// What is wrong with it.
    pub cause: Cause,
}

/// Reads a record, strictly: every field known, none twice.
///
/// # Errors
/// The first thing that is wrong, and where.
pub fn read(line: &[u8]) -> Result<Line, LineError> {
    let mut handle = None;
    record(line, &mut handle).map_err(|FieldError { field, cause }| LineError { handle, field, cause })
}

/// The handle comes out through `subject` even when something behind it is wrong.
pub(crate) fn record(line: &[u8], subject: &mut Option<String>) -> FieldResult<Line> {
    let line =
        std::str::from_utf8(line).map_err(|error| FieldError::new("", Cause::NotUtf8 { at: error.valid_up_to() }))?;
    let mut fields = Object::parse(line)?;
    let mut descriptions_dropped = fields.drop_described(DESCRIBED);
    let handle = fields.read("handle", text)?.into_owned();
    *subject = Some(handle.clone());
    let status = fields.read_or("status", None, |raw| status(raw).map(Some))?;
    let mut bufs = Vec::new();
    for (at, raw) in fields.read("values", list)?.into_iter().enumerate() {
        let (buf, described) = value(raw).map_err(|error| error.at(at).within("values"))?;
        descriptions_dropped |= described;
        bufs.push(buf);
    }
    fields.finish()?;
    let values = ValueSet::from_bufs(&bufs).map_err(|error| FieldError::new("values", error))?;
    Ok(Line { handle, status, values, descriptions_dropped })
}

/// Writes a record, without the line's end: an object of `handle` and `values`, in this order.
///
/// # Errors
/// Types or references that are not UTF-8; no door of this node takes such.
pub fn write(handle: &str, values: Values<'_>) -> Result<String, NotText> {
    value_write::line(handle, None, values).map_err(|_| NotText)
}

/// A record has parts that are not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotText;

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the record has parts that are not text")
    }
}

impl std::error::Error for NotText {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_written_reads_as_the_same_record() {
        let text = r#"{"handle":"88.1/x","values":[{"index":1,"type":"URL","ttl":60,"permissions":"1110","timestamp":9,"data":{"format":"string","value":"u"}}]}"#;
        let line = read(text.as_bytes()).unwrap();
        assert_eq!((line.handle.as_str(), line.values.count(), line.descriptions_dropped), ("88.1/x", 1, false));
        assert_eq!(write(&line.handle, line.values.values()).unwrap(), text);
    }

    #[test]
    fn what_is_wrong_is_named_with_field_and_handle() {
        let error = read(br#"{"handle":"88.1/x","values":[{"index":0}]}"#).unwrap_err();
        assert_eq!((error.handle.as_deref(), error.field.as_str()), (Some("88.1/x"), "values[0].index"));
        assert_eq!(error.cause.code(), "out-of-range");
        assert_eq!(read(b"\xff").unwrap_err().cause.code(), "not-utf8");
    }
}
