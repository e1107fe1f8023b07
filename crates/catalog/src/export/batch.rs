//! Records as CREATE blocks of the batch format of Handle.Net servers; see [`crate::import`] for the format.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use waymark_wire::types::{AdminRecord, HS_VLIST, ValueList};
use waymark_wire::{Ttl, ValueRef, is_admin_type};

use super::{Form, Written};
use crate::form::value_write::permission_text;
use crate::import::batch_line_reads_as;
use crate::record::Stored;

/// CREATE blocks, and files beside them.
pub(super) struct Batch {
    folder: Option<PathBuf>,
    files: u64,
}

impl Batch {
    /// Data that cannot stand on a line goes to files in `folder`.
    pub(super) const fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, files: 0 }
    }
}

impl Form for Batch {
    fn write(&mut self, stored: &Stored<'_>, out: &mut dyn Write) -> io::Result<Written> {
        if stored.is_withdrawn() {
            return Ok(Written::Withdrawn);
        }
        let (Some(handle), Ok(values)) = (handle_text(stored.handle()), stored.values()) else {
            return Ok(Written::NotSayable);
        };
        let mut block = format!("CREATE {handle}\n");
        let mut files = Vec::new();
        for value in values {
            let Some(head) = head(&value) else { return Ok(Written::NotSayable) };
            let line = match data(&value).map(|data| format!("{head} {data}")) {
                Some(line) if batch_line_reads_as(&line, &value) => line,
                _ if self.folder.is_none() => return Ok(Written::NotSayable),
                _ => {
                    self.files += 1;
                    let name = format!("value-{:08}.bin", self.files);
                    let line = format!("{head} FILE {name}");
                    files.push((name, value.data));
                    line
                }
            };
            block.push_str(&line);
            block.push('\n');
        }
        block.push('\n');
        for (name, data) in files {
            if let Some(folder) = &self.folder {
                std::fs::write(folder.join(name), data)?;
            }
        }
        out.write_all(block.as_bytes())?;
        Ok(Written::Yes)
    }
}

/// A handle as it stands on a CREATE line.
fn handle_text(handle: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(handle).ok()?;
    (text.trim() == text && !text.contains(['\n', '\r'])).then_some(text)
}

/// What stands on a value line before the kind; `None` for what the format has no place for.
fn head(value: &ValueRef<'_>) -> Option<String> {
    let Ttl::Relative(ttl) = value.ttl else { return None };
    let kind = std::str::from_utf8(value.kind).ok()?;
    let permissions = permission_text(value.permissions);
    let sayable = permissions.len() == 4 && value.references.is_empty() && !kind.contains([' ', '\t', '\n', '\r']);
    sayable.then(|| format!("{} {kind} {ttl} {permissions}", value.index))
}

/// Kind and data of a value line; `None` for data that is no text.
fn data(value: &ValueRef<'_>) -> Option<String> {
    if is_admin_type(value.kind) {
        let record = AdminRecord::parse(value.data).ok()?;
        let permissions = record.permissions.to_batch_text()?;
        let (permissions, handle) = (std::str::from_utf8(&permissions).ok()?, std::str::from_utf8(record.handle).ok()?);
        return Some(format!("ADMIN {}:{permissions}:{handle}", record.index));
    }
    if value.kind.eq_ignore_ascii_case(HS_VLIST) {
        let mut text = "LIST ".to_owned();
        for reference in ValueList::parse(value.data).ok()?.references.iter() {
            // Writing to a string cannot fail.
            let _ = write!(text, "{}:{};", reference.index, std::str::from_utf8(reference.handle).ok()?);
        }
        return Some(text);
    }
    let text = std::str::from_utf8(value.data).ok()?;
    (!text.contains(['\n', '\r'])).then(|| format!("UTF8 {text}"))
}
