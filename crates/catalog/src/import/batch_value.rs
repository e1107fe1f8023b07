//! One value line of the batch format.

use std::path::{Component, Path, PathBuf};

use waymark_wire::types::{AdminPermissions, AdminRecord, ValueList};
use waymark_wire::{Reference, Ttl, ValueBuf, ValueRef};

use crate::config::VALUE_BYTES;
use crate::form::cause::{Cause, FieldError, FieldResult};
use crate::form::value_read::parse_permissions;

/// Where `FILE` data may come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    folder: Option<PathBuf>,
}

impl Files {
    /// From this folder and those below it, or from nowhere.
    pub(crate) const fn within(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    /// Reads a file by a path relative to the folder.
    fn read(&self, path: &str) -> Result<Vec<u8>, Cause> {
        let folder = self.folder.as_deref().ok_or(Cause::FilesNotAllowed)?;
        let path = Path::new(path);
        let failed = |source| Cause::File { path: path.to_owned(), source };
        if !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(Cause::FileOutside { path: path.to_owned() });
        }
        // A link inside the folder may still lead out of it.
        let folder = folder.canonicalize().map_err(failed)?;
        let real = folder.join(path).canonicalize().map_err(failed)?;
        if !real.starts_with(&folder) {
            return Err(Cause::FileOutside { path: path.to_owned() });
        }
        let limit = VALUE_BYTES.max;
        if std::fs::metadata(&real).map_err(failed)?.len() > limit {
            return Err(Cause::TooLong { limit: usize::try_from(limit).unwrap_or(usize::MAX) });
        }
        std::fs::read(&real).map_err(failed)
    }
}

/// Reads `index TYPE ttl permissions KIND data`.
pub(crate) fn value(line: &str, files: &Files) -> FieldResult<ValueBuf> {
    let mut rest = line;
    let mut part = |part: &'static str| {
        rest = rest.trim_start_matches(BLANKS);
        let end = rest.find(BLANKS).unwrap_or(rest.len());
        let (word, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        rest = behind;
        if word.is_empty() { Err(FieldError::new(part, Cause::CutShort { part })) } else { Ok(word) }
    };
    let index = number(part("index")?, "index")?;
    let kind = part("type")?.as_bytes().to_vec();
    let ttl = Ttl::Relative(number(part("ttl")?, "ttl")?);
    let permissions = part("permissions")?.as_bytes();
    let permissions = (permissions.len() == 4).then(|| parse_permissions(permissions)).flatten();
    let permissions = permissions.ok_or_else(|| FieldError::new("permissions", Cause::Permissions))?;
    let word = part("kind")?;
    let text = rest.strip_prefix(BLANKS).unwrap_or(rest);
    let data = match word {
        "UTF8" => text.as_bytes().to_vec(),
        "FILE" => files.read(text).map_err(|cause| FieldError::new("data", cause))?,
        "ADMIN" => admin(text)?,
        "LIST" => value_list(text)?,
        other => return Err(FieldError::new("kind", Cause::UnknownFormat(other.to_owned()))),
    };
    Ok(ValueBuf { index, kind, ttl, permissions, data, ..ValueBuf::default() })
}

/// Tells whether a value line without a file is read as exactly this value, timestamps aside.
pub(crate) fn line_reads_as(line: &str, expected: &ValueRef<'_>) -> bool {
    value(line, &Files::default()).is_ok_and(|read| {
        let read = ValueBuf { timestamp: expected.timestamp, ..read };
        read == ValueBuf::from(*expected)
    })
}

/// What separates the parts of a line.
const BLANKS: [char; 2] = [' ', '\t'];

fn number<T: std::str::FromStr>(text: &str, field: &str) -> FieldResult<T> {
    text.parse().map_err(|_| FieldError::new(field, Cause::WrongKind { expected: "a number in range" }))
}

/// `300:111111111111:0.NA/88.1`.
fn admin(text: &str) -> FieldResult<Vec<u8>> {
    let mut parts = text.splitn(3, ':');
    let mut part = |part| parts.next().ok_or_else(|| FieldError::new("data", Cause::CutShort { part }));
    let index = number(part("index")?.trim(), "data")?;
    let permissions = AdminPermissions::from_batch_text(part("rights")?.as_bytes())
        .map_err(|_| FieldError::new("data", Cause::AdminPermissions))?;
    let handle = part("handle")?.as_bytes();
    let mut data = Vec::new();
    AdminRecord { permissions, handle, index, legacy_tail: None }.encode(&mut data);
    Ok(data)
}

/// `300:0.NA/88.1;301:0.NA/88.1;`.
fn value_list(text: &str) -> FieldResult<Vec<u8>> {
    let mut references = Vec::new();
    for entry in text.split(';').map(str::trim).filter(|entry| !entry.is_empty()) {
        let cut_short = || FieldError::new("data", Cause::CutShort { part: "handle" });
        let (index, handle) = entry.split_once(':').ok_or_else(cut_short)?;
        references.push(Reference { index: number(index, "data")?, handle: handle.as_bytes() });
    }
    let mut data = Vec::new();
    ValueList::encode_list(&references, &mut data);
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<ValueBuf, (String, &'static str)> {
        value(line, &Files::default()).map_err(|error| (error.field, error.cause.code()))
    }

    #[test]
    fn text_begins_behind_one_blank_and_goes_to_the_end() {
        let data = |line: &str| read(line).unwrap().data;
        assert_eq!(data("1  URL\t60 1110 UTF8  a b "), b" a b ");
        assert_eq!(data("1 URL 60 1110 UTF8 "), b"");
        assert_eq!(data("1 URL 60 1110 UTF8"), b"");
    }

    #[test]
    fn rights_of_administrators_run_from_the_lowest_bit() {
        let data = read("100 HS_ADMIN 60 1110 ADMIN 300:100000000001:0.NA/88.1:x").unwrap().data;
        let record = AdminRecord::parse(&data).unwrap();
        assert_eq!(record.permissions, AdminPermissions::ADD_HANDLE | AdminPermissions::LIST_HANDLES);
        assert_eq!((record.index, record.handle), (300, &b"0.NA/88.1:x"[..]));
    }

    #[test]
    fn lists_may_end_with_a_separator() {
        for text in ["300:0.NA/88.1;0:88.1/g", "300:0.NA/88.1; 0:88.1/g;"] {
            let data = read(&format!("200 HS_VLIST 60 1110 LIST {text}")).unwrap().data;
            let list = ValueList::parse(&data).unwrap();
            let handles: Vec<_> = list.references.iter().map(|each| (each.index, each.handle)).collect();
            assert_eq!(handles, [(300, &b"0.NA/88.1"[..]), (0, &b"88.1/g"[..])]);
        }
    }

    #[test]
    fn every_part_is_checked() {
        let error = |line: &str| read(line).unwrap_err();
        assert_eq!(error("1 URL 60"), ("permissions".into(), "cut-short"));
        assert_eq!(error("x URL 60 1110 UTF8 d"), ("index".into(), "wrong-kind"));
        assert_eq!(error("1 URL 1d 1110 UTF8 d"), ("ttl".into(), "wrong-kind"));
        assert_eq!(error("1 URL 60 11100000 UTF8 d"), ("permissions".into(), "permissions"));
        assert_eq!(error("1 URL 60 1110 BIN d"), ("kind".into(), "unknown-format"));
        assert_eq!(error("1 URL 60 1110 FILE d"), ("data".into(), "files-not-allowed"));
        assert_eq!(error("1 HS_ADMIN 60 1110 ADMIN 300:11:h"), ("data".into(), "admin-permissions"));
        assert_eq!(error("1 HS_VLIST 60 1110 LIST 300"), ("data".into(), "cut-short"));
    }

    #[test]
    fn files_are_read_from_the_folder_alone() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("in");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(inside.join("key.bin"), b"\0key").unwrap();
        std::fs::write(folder.path().join("secret"), b"s").unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), inside.join("link")).unwrap();
        let files = Files::within(Some(inside));
        let read = |path: &str| {
            let value = value(&format!("1 HS_PUBKEY 60 1110 FILE {path}"), &files);
            value.map(|value| value.data).map_err(|error| error.cause.code())
        };
        assert_eq!(read("key.bin"), Ok(b"\0key".to_vec()));
        assert_eq!(read("./key.bin"), Ok(b"\0key".to_vec()));
        assert_eq!(read("../secret"), Err("file-outside"));
        assert_eq!(read("/etc/hostname"), Err("file-outside"));
        assert_eq!(read("link"), Err("file-outside"));
        assert_eq!(read("nothing"), Err("file"));
    }
}
