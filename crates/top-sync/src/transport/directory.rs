//! Parts as files, for operators who must hand them over.
//!
//! ```text
//! DIR/T9/2026-11-29/T9-000000000012.jsonl      the rows
//! DIR/T9/2026-11-29/T9-000000000012.csv        the same as a table; lists and objects as JSON within a field
//! DIR/T9/2026-11-29/T9-000000000012.manifest.json   what it is, and SHA-256 of both
//! ```
//! Each file is written aside, flushed, and renamed; the manifest comes last, so that where it is, everything is. A part counts as acknowledged
//! when its manifest is there: what becomes of the files then is for the operator to see to.

use std::borrow::Cow;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{CarryError, Carrying, Transport};
use crate::calendar::moment;
use crate::desk::{Desk, Prepared, Reply, Sent};

/// Parts put together at once.
const AT_ONCE: usize = 4;

/// Writes parts as files.
#[derive(Clone, Debug)]
pub struct DirectoryTransport {
    folder: PathBuf,
}

impl DirectoryTransport {
    /// Into a folder, made where it is missing.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn write_all(&self, desk: &Desk) -> Result<u64, CarryError> {
        let (mut sent, mut settled) = (Sent::default(), 0);
        loop {
            let parts = desk.take(&mut sent, AT_ONCE)?;
            if parts.is_empty() {
                return sent.take_problem().map_or(Ok(settled), |error| Err(error.into()));
            }
            for prepared in parts {
                let (set, sequence) = (prepared.part.set, prepared.part.sequence);
                match self.write(&prepared, &moment(desk.now())) {
                    Ok(()) => desk.settle(set, sequence, &Reply::Stored)?,
                    Err((path, source)) => {
                        desk.settle(set, sequence, &Reply::Lost(source.to_string()))?;
                        return Err(CarryError::Io { path, source });
                    }
                }
                settled += 1;
            }
        }
    }

    fn write(&self, prepared: &Prepared, now: &str) -> Result<(), (PathBuf, io::Error)> {
        let Prepared { node, part, content, rows: count, sha256 } = prepared;
        let period = part.period.replace(':', "");
        let folder = self.folder.join(part.set.as_str()).join(period);
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| (path, source)
        };
        fs::create_dir_all(&folder).map_err(at(&folder))?;
        let name = format!("{}-{:012}", part.set, part.sequence);
        let (rows, table, manifest) = (format!("{name}.jsonl"), format!("{name}.csv"), format!("{name}.manifest.json"));
        let csv = csv_of(content).map_err(at(&folder.join(&table)))?;
        let entry = |name, bytes, sha256: &[u8]| FileEntry {
            name: Cow::Borrowed(name),
            bytes,
            sha256: Cow::Owned(hex::encode(sha256)),
        };
        let manifest_bytes = serde_json::to_vec_pretty(&Manifest {
            node: Cow::Borrowed(node),
            owner: Cow::Borrowed(&part.owner),
            set: Cow::Borrowed(part.set.as_str()),
            sequence: part.sequence,
            period: Cow::Borrowed(&part.period),
            part: part.part,
            parts: part.parts,
            rows: *count,
            made: moment(waymark_catalog::Timestamp(part.made)),
            written: now.to_owned(),
            files: vec![entry(&rows, content.len(), sha256), entry(&table, csv.len(), &Sha256::digest(&csv))],
        });
        let manifest_bytes = manifest_bytes.map_err(|error| (folder.join(&manifest), error.into()))?;
        for (name, bytes) in [(&rows, content), (&table, &csv), (&manifest, &manifest_bytes)] {
            let path = folder.join(name);
            put_file(&path, bytes).map_err(at(&path))?;
        }
        Ok(())
    }
}

impl Transport for DirectoryTransport {
    fn destination(&self) -> String {
        self.folder.display().to_string()
    }

    fn carry<'a>(&'a self, desk: &'a Desk) -> Carrying<'a> {
        let (transport, desk) = (self.clone(), desk.clone());
        let path = self.folder.clone();
        Box::pin(async move {
            let written = tokio::task::spawn_blocking(move || transport.write_all(&desk)).await;
            written.unwrap_or_else(|cause| Err(CarryError::Io { path, source: io::Error::other(cause) }))
        })
    }
}

/// What says which part files are.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest<'m> {
    /// Whose part it is.
    pub(crate) node: Cow<'m, str>,
    /// Who reported it, where that was an enterprise.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub(crate) owner: Cow<'m, str>,
    /// Of which set.
    pub(crate) set: Cow<'m, str>,
    /// Its sequence.
    pub(crate) sequence: u64,
    /// What its rows are about.
    pub(crate) period: Cow<'m, str>,
    /// Its place among the parts of the period.
    pub(crate) part: u32,
    /// How many there are.
    pub(crate) parts: u32,
    /// Rows.
    pub(crate) rows: u64,
    /// When it was made.
    made: String,
    /// When it was written.
    written: String,
    /// The rows, and the same as a table.
    pub(crate) files: Vec<FileEntry<'m>>,
}

/// A file a manifest names.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileEntry<'m> {
    /// Its name, beside the manifest.
    pub(crate) name: Cow<'m, str>,
    /// How long it is.
    pub(crate) bytes: usize,
    /// SHA-256 of it, in hexadecimal.
    pub(crate) sha256: Cow<'m, str>,
}

impl<'m> Manifest<'m> {
    /// Reads one; `None` where the bytes are something else.
    pub(crate) fn read(bytes: &'m [u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// Writes a file so that it is there whole or not at all.
fn put_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let aside = PathBuf::from(aside);
    let mut file = File::create(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Rows as a table. Its columns are the fields of all rows, in the order they come first.
fn csv_of(content: &[u8]) -> io::Result<Vec<u8>> {
    let lines = || content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mut columns: Vec<String> = Vec::new();
    for line in lines() {
        for (name, _) in serde_json::from_slice::<Fields>(line)?.0 {
            if !columns.contains(&name) {
                columns.push(name);
            }
        }
    }
    let mut out = Vec::new();
    if columns.is_empty() {
        return Ok(out);
    }
    put_record(&mut out, columns.iter().map(String::as_str));
    for line in lines() {
        let row = serde_json::from_slice::<Fields>(line)?.0;
        let cell = |name: &String| match row.iter().find(|(field, _)| field == name) {
            None | Some((_, Value::Null)) => String::new(),
            Some((_, Value::String(text))) => text.clone(),
            Some((_, other)) => other.to_string(),
        };
        let cells: Vec<String> = columns.iter().map(cell).collect();
        put_record(&mut out, cells.iter().map(String::as_str));
    }
    Ok(out)
}

/// The fields of a row in the order they stand in.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// One record, each field in quotation marks where it needs them (RFC 4180).
fn put_record<'f>(out: &mut Vec<u8>, fields: impl Iterator<Item = &'f str>) {
    let mut writer = csv_core::WriterBuilder::new().build();
    let mut room = [0; 1 << 10];
    for (at, field) in fields.enumerate() {
        if at > 0 {
            let (_, count) = writer.delimiter(&mut room);
            out.extend_from_slice(room.get(..count).unwrap_or_default());
        }
        let mut rest = field.as_bytes();
        loop {
            let (result, read, count) = writer.field(rest, &mut room);
            out.extend_from_slice(room.get(..count).unwrap_or_default());
            rest = rest.get(read..).unwrap_or_default();
            if result == csv_core::WriteResult::InputEmpty {
                break;
            }
        }
    }
    let (_, count) = writer.terminator(&mut room);
    out.extend_from_slice(room.get(..count).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_the_fields_of_all_rows() {
        let rows = "{\"a\":\"x, \\\"y\\\"\",\"b\":[1,2]}\n{\"a\":\"\",\"c\":null,\"b\":7}\n";
        let table = String::from_utf8(csv_of(rows.as_bytes()).unwrap()).unwrap();
        assert_eq!(table, "a,b,c\n\"x, \"\"y\"\"\",\"[1,2]\",\n,7,\n");
        assert_eq!(csv_of(b"").unwrap(), b"");
    }
}
