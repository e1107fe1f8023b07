//! Rows as they are kept: nothing that tells of people lies in the outbox in clear, and what is forgotten meanwhile does not go up.
//!
//! ```text
//! {"prefix":…}                                                      a row that tells of nobody, as it goes up
//! {"row":{…},"sealed":{"subject":…,"nonce":…,"bytes":…}}            one that does: what is sealed, in hexadecimal, is put into it when it is sent
//! {"file":{"prefix":…,"kind":…}}                                    a file of the node: its bytes stay where they are until it is sent
//! ```

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use waymark_catalog::business::FileKind;
use waymark_catalog::vault::Sealed;

/// Writes a row with what was sealed of it.
pub(super) fn write_row(line: &mut Vec<u8>, row: &impl Serialize, sealed: Option<&Sealed>) -> serde_json::Result<()> {
    let Some(sealed) = sealed else { return serde_json::to_writer(line, row) };
    serde_json::to_writer(line, &Row { row, sealed: SealedText::from(sealed) })
}

/// Writes which file of the node belongs here.
pub(super) fn write_file(line: &mut Vec<u8>, prefix: &str, kind: FileKind) -> serde_json::Result<()> {
    serde_json::to_writer(line, &File { file: FileName { prefix: prefix.into(), kind: kind.as_str().into() } })
}

/// A kept line, read.
#[derive(Debug)]
pub(crate) enum KeptLine<'l> {
    /// A row, and what was sealed of it.
    Row(&'l str, Option<Sealed>),
    /// A file of the node; none this version knows of.
    File(String, Option<FileKind>),
}

impl<'l> KeptLine<'l> {
    /// Reads a line; `None` when it is not one this version wrote.
    pub(crate) fn parse(line: &'l [u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?.trim_end();
        if line.starts_with("{\"row\":") {
            let Row { row, sealed } = serde_json::from_str::<Row<&RawValue>>(line).ok()?;
            return Some(Self::Row(row.get(), Some(sealed.read()?)));
        }
        if line.starts_with("{\"file\":{") {
            let File { file: FileName { prefix, kind } } = serde_json::from_str(line).ok()?;
            return Some(Self::File(prefix, FileKind::from_name(&kind)));
        }
        Some(Self::Row(line, None))
    }
}

#[derive(Serialize, Deserialize)]
struct Row<R> {
    row: R,
    sealed: SealedText,
}

#[derive(Serialize, Deserialize)]
struct SealedText {
    subject: String,
    nonce: String,
    bytes: String,
}

impl From<&Sealed> for SealedText {
    fn from(Sealed { subject, nonce, bytes }: &Sealed) -> Self {
        Self { subject: hex::encode(subject), nonce: hex::encode(nonce), bytes: hex::encode(bytes) }
    }
}

impl SealedText {
    fn read(&self) -> Option<Sealed> {
        Some(Sealed {
            subject: hex::decode(&self.subject).ok()?.try_into().ok()?,
            nonce: hex::decode(&self.nonce).ok()?.try_into().ok()?,
            bytes: hex::decode(&self.bytes).ok()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct File {
    file: FileName,
}

#[derive(Serialize, Deserialize)]
struct FileName {
    prefix: String,
    kind: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEALED: &str =
        r#"{"subject":"00112233445566778899aabbccddeeff","nonce":"00112233445566778899aabb","bytes":"abcd"}"#;

    #[test]
    fn what_is_written_is_read_again() {
        let sealed = Sealed { subject: [7; 16], nonce: [8; 12], bytes: vec![9, 10] };
        let mut line = Vec::new();
        write_row(&mut line, &serde_json::json!({ "name": "李" }), Some(&sealed)).unwrap();
        let Some(KeptLine::Row(row, Some(read))) = KeptLine::parse(&line) else { panic!("a row") };
        assert_eq!((row, read.subject, read.bytes), (r#"{"name":"李"}"#, sealed.subject, sealed.bytes));
        line.clear();
        write_row(&mut line, &serde_json::json!({ "row": 1 }), None).unwrap();
        assert!(KeptLine::parse(&line).is_none(), "a row of ours has no field of that name");
        line.clear();
        write_file(&mut line, "88.990", FileKind::Document).unwrap();
        let Some(KeptLine::File(prefix, kind)) = KeptLine::parse(&line) else { panic!("a file") };
        assert_eq!((prefix.as_str(), kind), ("88.990", Some(FileKind::Document)));
    }

    #[test]
    fn the_form_of_kept_rows_stays() {
        let line = format!(r#"{{"row":{{"prefix":"88.990"}},"sealed":{SEALED}}}"#);
        let Some(KeptLine::Row(row, Some(sealed))) = KeptLine::parse(line.as_bytes()) else { panic!("a row") };
        assert_eq!((row, sealed.bytes), (r#"{"prefix":"88.990"}"#, vec![0xab, 0xcd]));
        assert!(KeptLine::parse(line.replace("abcd", "abc").as_bytes()).is_none());
        assert!(KeptLine::parse(b"\xff").is_none());
    }
}
