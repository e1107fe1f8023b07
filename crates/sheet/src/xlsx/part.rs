//! One part of a workbook, inflated as a stream, its size and checksum watched.

use std::io::{self, Read, Seek, SeekFrom, Take};

use flate2::{Crc, read::DeflateDecoder};

use crate::{
    Code, Problem,
    failure::{ReadError, stop},
    limits::Limits,
};

/// Where a part is.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) name: String,
    /// Where its bytes begin in the file.
    pub(super) start: u64,
    /// How many there are.
    pub(super) compressed: u64,
    pub(super) is_deflated: bool,
    /// What the checksum of its content has to be.
    pub(super) crc: u32,
}

/// The content of a part. Ends with an error if it is too large, grows out of all proportion, or is not what its checksum says.
pub(super) struct PartReader<R> {
    part: Part,
    bytes: Bytes<R>,
    crc: Crc,
    given: u64,
    most_bytes: u64,
    inflation: u64,
}

enum Bytes<R> {
    Stored(Take<R>),
    Deflated(DeflateDecoder<Take<R>>),
}

impl<R: Read + Seek> PartReader<R> {
    /// Begins to read.
    pub(super) fn open(mut reader: R, part: Part, most_bytes: u64, inflation: u64) -> Result<Self, ReadError> {
        reader.seek(SeekFrom::Start(part.start)).map_err(|error| ReadError::of_io(error, &part.name))?;
        let taken = reader.take(part.compressed);
        let bytes = if part.is_deflated { Bytes::Deflated(DeflateDecoder::new(taken)) } else { Bytes::Stored(taken) };
        Ok(Self { part, bytes, crc: Crc::new(), given: 0, most_bytes, inflation })
    }
}

impl<R> PartReader<R> {
    /// Name of the part.
    pub(super) fn name(&self) -> &str {
        &self.part.name
    }

    /// That the next bytes are not too many.
    fn check_size(&self) -> io::Result<()> {
        let problem = Problem::new(Code::TooLarge).with("part", &self.part.name);
        if self.given > self.most_bytes {
            return Err(stop(problem.with("limit", self.most_bytes)));
        }
        let is_bomb =
            self.given > Limits::INFLATION_FREE_BYTES && self.given / self.part.compressed.max(1) >= self.inflation;
        if is_bomb {
            let hostile = Problem::new(Code::Hostile).with("part", &self.part.name);
            return Err(stop(hostile.with_words(
                "detail",
                "content that grows out of all proportion when it is unpacked",
                "解压后不成比例膨胀的内容",
            )));
        }
        Ok(())
    }

    fn check_end(&self) -> io::Result<()> {
        if self.crc.sum() == self.part.crc {
            return Ok(());
        }
        let damaged = Problem::new(Code::Damaged).with("part", &self.part.name);
        Err(stop(damaged.with_words("detail", "its checksum does not match", "校验和不符")))
    }
}

impl<R: Read> Read for PartReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.bytes {
            Bytes::Stored(bytes) => bytes.read(buffer)?,
            Bytes::Deflated(bytes) => bytes.read(buffer)?,
        };
        if count == 0 && !buffer.is_empty() {
            self.check_end()?;
        }
        self.crc.update(buffer.get(..count).unwrap_or_default());
        self.given += u64::try_from(count).unwrap_or(u64::MAX);
        self.check_size()?;
        Ok(count)
    }
}
