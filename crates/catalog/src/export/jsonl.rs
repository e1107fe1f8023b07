//! Records as JSON lines, in the form described in [`crate::form`].

use std::io::{self, Write};

use super::{Form, Written};
use crate::form::value_write::record_line;
use crate::record::Stored;

/// One JSON object a line.
pub(super) struct JsonLines;

impl Form for JsonLines {
    fn write(&mut self, stored: &Stored<'_>, out: &mut dyn Write) -> io::Result<Written> {
        let Ok(mut line) = record_line(stored) else { return Ok(Written::NotSayable) };
        line.push('\n');
        out.write_all(line.as_bytes())?;
        Ok(Written::Yes)
    }
}
