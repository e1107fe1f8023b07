//! Files that commands about enterprises and the node's own record take and write: JSON, images, documents.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde::de::DeserializeOwned;

use super::terminal;
use crate::{
    certificate,
    problem::{Exit, Problem},
    texts::Texts,
};

/// Longest JSON file in bytes: every field of a record at its longest takes some 40 KiB.
const JSON_BYTES: u64 = 1 << 20;

/// What a JSON file holds. What is wrong is told by line and column, never by what it holds: that may be of people.
pub(super) fn json<T: DeserializeOwned>(path: &Path) -> Result<T, Problem> {
    let unreadable = |cause: &dyn Display| {
        Problem::new("enterprise-unreadable", Exit::Usage).with("path", path.display()).with("cause", cause)
    };
    let bytes = read(path, JSON_BYTES).map_err(|cause| unreadable(&cause))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > JSON_BYTES) {
        return Err(unreadable(&"longer than 1 MiB"));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        unreadable(&format_args!("line {}, column {}: not the JSON this command takes", error.line(), error.column()))
    })
}

/// The bytes of a file that is sent, cut one byte behind `most`: it is the node that refuses what is too large. An empty one would take away what is
/// kept, and is refused here.
pub(super) fn bytes(path: &Path, most: usize) -> Result<Vec<u8>, Problem> {
    let unreadable = |cause: io::Error| {
        Problem::new("file-unreadable", Exit::Usage).with("path", path.display()).with("cause", cause)
    };
    let bytes = read(path, u64::try_from(most).unwrap_or(u64::MAX)).map_err(unreadable)?;
    if bytes.is_empty() { Err(unreadable(io::ErrorKind::UnexpectedEof.into())) } else { Ok(bytes) }
}

/// Writes what was kept into a file that only its owner reads.
pub(super) fn keep(path: &Path, data: &[u8], format: String, texts: &Texts) -> Result<(), Problem> {
    certificate::write_private(path, data).map_err(|cause| {
        Problem::new("file-not-written", Exit::Failed).with("path", path.display()).with("cause", cause)
    })?;
    let told = [("path", path.display().to_string().into()), ("format", format.into())];
    terminal::remark(texts.text("enterprise-image-written", &told));
    Ok(())
}

fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_to_one_byte_behind_its_most_and_never_told_of() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "1234567").unwrap();
        assert_eq!(bytes(&path, 5).unwrap(), b"123456");
        std::fs::write(&path, "").unwrap();
        assert_eq!(bytes(&path, 5).unwrap_err().code(), "file-unreadable");
        std::fs::write(&path, "{\n\"secret\": }").unwrap();
        let problem = json::<serde_json::Value>(&path).unwrap_err();
        let said = problem.render(&Texts::new(crate::texts::Language::English));
        assert!(said.contains("line 2") && !said.contains("secret"), "{said}");
    }
}
