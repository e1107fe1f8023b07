//! The container of a workbook: its parts, found without believing what the container says of their number and size.

use std::{
    collections::HashMap,
    io::{Read, Seek, SeekFrom},
};

use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ReaderAt, ZipArchive};

use super::part::{Part, PartReader};
use crate::{
    Code, Problem,
    failure::{ReadError, damaged},
    limits::Limits,
};

/// What the container is called in texts.
const CONTAINER: &str = "zip";
/// How a file of the old form, or one with a password, begins.
const OLE: &[u8] = &[0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];

/// The parts of a workbook by name, in small letters, as part names do not tell them apart.
pub(super) struct Package<R> {
    reader: R,
    parts: HashMap<String, Part>,
    limits: Limits,
}

impl<R: Read + Seek> Package<R> {
    /// Finds the parts.
    pub(super) fn open(mut reader: R, limits: Limits) -> Result<Self, ReadError> {
        let io = |error| ReadError::of_io(error, CONTAINER);
        reader.seek(SeekFrom::Start(0)).map_err(io)?;
        let mut begin = Vec::new();
        reader.by_ref().take(8).read_to_end(&mut begin).map_err(io)?;
        check_begin(&begin)?;
        let end = reader.seek(SeekFrom::End(0)).map_err(io)?;
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let archive = ZipArchive::from_seekable(reader, &mut buffer).map_err(of_zip)?;
        let parts = find_parts(&archive, &mut buffer, end)?;
        Ok(Self { reader: archive.into_inner().into_inner(), parts, limits })
    }

    /// Whether it has a part.
    pub(super) fn has(&self, name: &str) -> bool {
        self.parts.contains_key(&name.to_ascii_lowercase())
    }

    /// A part to read, at most so many bytes of it.
    pub(super) fn part(&mut self, name: &str, most_bytes: u64) -> Result<PartReader<&mut R>, ReadError> {
        let part = self.find(name)?;
        PartReader::open(&mut self.reader, part, most_bytes, self.limits.inflation)
    }

    /// The part that is read as a stream; the others are not needed any more.
    pub(super) fn into_part(mut self, name: &str) -> Result<PartReader<R>, ReadError> {
        let part = self.find(name)?;
        PartReader::open(self.reader, part, self.limits.part_bytes, self.limits.inflation)
    }

    fn find(&mut self, name: &str) -> Result<Part, ReadError> {
        let part = self.parts.get(&name.to_ascii_lowercase());
        part.cloned().ok_or_else(|| {
            Problem::new(Code::Damaged).with("part", name).with_words("detail", "it is missing", "缺失").into()
        })
    }
}

fn check_begin(begin: &[u8]) -> Result<(), ReadError> {
    let not = |en, zh| Err(Problem::new(Code::NotAWorkbook).with_words("detail", en, zh).into());
    match begin {
        [] => not("it is empty", "文件为空"),
        OLE => Err(Problem::new(Code::OldOrEncrypted).into()),
        [b'P', b'K', ..] => Ok(()),
        _ => not("it is not a zip container", "不是 zip 容器"),
    }
}

/// Each entry that can be a part of a workbook, with its place.
fn find_parts<R: ReaderAt>(
    archive: &ZipArchive<R>,
    buffer: &mut [u8],
    end: u64,
) -> Result<HashMap<String, Part>, ReadError> {
    let mut parts = HashMap::new();
    let mut entries = archive.entries(buffer);
    let mut count = 0;
    while let Some(entry) = entries.next_entry().map_err(of_zip)? {
        count += 1;
        if count > Limits::PARTS {
            return Err(Problem::new(Code::TooMany)
                .with("limit", Limits::PARTS)
                .with_words("what", "parts", "部件")
                .into());
        }
        let Ok(name) = std::str::from_utf8(entry.file_path().as_bytes()) else { continue };
        let name = name.replace('\\', "/").trim_start_matches('/').to_ascii_lowercase();
        if !name.ends_with(".xml") && !name.ends_with(".rels") {
            continue;
        }
        let hostile = |en, zh| Problem::new(Code::Hostile).with("part", &name).with_words("detail", en, zh);
        if entry.flags().is_encrypted() {
            return Err(Problem::new(Code::OldOrEncrypted).into());
        }
        let is_deflated = match entry.compression_method() {
            CompressionMethod::DEFLATE => true,
            CompressionMethod::STORE => false,
            _ => return Err(hostile("a compression other than deflate", "非 deflate 压缩").into()),
        };
        let crc = entry.crc32();
        let (start, stop) = archive.get_entry(entry.wayfinder()).map_err(of_zip)?.compressed_data_range();
        if start > stop || stop > end {
            return Err(damaged(&name, "it goes beyond the file"));
        }
        let part = Part { name: name.clone(), start, compressed: stop - start, is_deflated, crc };
        if parts.insert(name.clone(), part).is_some() {
            return Err(hostile("two parts of one name", "两个同名部件").into());
        }
    }
    Ok(parts)
}

fn of_zip(error: rawzip::Error) -> ReadError {
    let is_of_reader = matches!(error.kind(), rawzip::ErrorKind::IO(_));
    match std::error::Error::source(&error).and_then(|source| source.downcast_ref::<std::io::Error>()) {
        Some(cause) if is_of_reader && cause.kind() != std::io::ErrorKind::UnexpectedEof => {
            ReadError::of_io(std::io::Error::new(cause.kind(), cause.to_string()), CONTAINER)
        }
        _ => damaged(CONTAINER, error),
    }
}
