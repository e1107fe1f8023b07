//! The container of the document: a ZIP archive with the one entry `deposit.xml`, written and read as a stream.
//!
//! A reader of a stream meets the entry before the directory that would tell of it, so it believes nothing but this one form: deflated, its sizes behind
//! it, and a directory that says the same. Nothing is ever unpacked to a file, so no path in an archive leads anywhere.

use std::io::{self, BufRead, BufReader, Read, Write};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use flate2::write::DeflateEncoder;
use rawzip::{CompressionMethod, ZipArchiveWriter};

use super::config::{FREE_BYTES, INFLATION, TRAILER_BYTES};

/// What is wrong with a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZipError {
    /// No archive of the one form there is.
    #[error("no ZIP archive with the one deflated entry deposit.xml")]
    Form,
    /// The compressed document is damaged.
    #[error("the compressed document is damaged")]
    Deflate,
    /// It grows past all measure.
    #[error("the document grows to more than 400 times what it is compressed to")]
    Bomb,
    /// Sizes or checksum behind the document are not its own.
    #[error("sizes or checksum of the document are wrong")]
    Trailer,
}

impl From<ZipError> for io::Error {
    fn from(error: ZipError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// Writes an archive whose entry is what `fill` writes, and gives back what it wrote to.
///
/// # Errors
/// Those of `fill`, and of what is written to.
pub(super) fn write<W: Write, E: From<io::Error>>(
    out: W,
    fill: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<W, E> {
    let other = |error: rawzip::Error| E::from(io::Error::other(error));
    let mut archive = ZipArchiveWriter::new(out);
    let entry = archive.new_file(ENTRY).compression_method(CompressionMethod::DEFLATE).start();
    let (entry, config) = entry.map_err(other)?;
    let mut writer = config.wrap(DeflateEncoder::new(entry, flate2::Compression::fast()));
    fill(&mut writer)?;
    let (encoder, output) = writer.finish().map_err(other)?;
    encoder.finish().map_err(E::from)?.finish(output).map_err(other)?;
    archive.finish().map_err(other)
}

/// The document out of an archive. Reads the archive to its end when it comes to its own.
pub struct Unzip<R: Read> {
    inflater: Option<DeflateDecoder<BufReader<R>>>,
    crc: Crc,
    bytes: u64,
}

impl<R: Read> Unzip<R> {
    /// Reads the head of an archive.
    ///
    /// # Errors
    /// [`ZipError::Form`].
    pub fn new(from: R) -> io::Result<Self> {
        let mut from = BufReader::with_capacity(BUFFER_BYTES, from);
        let mut head = [0; LOCAL_BYTES];
        from.read_exact(&mut head).map_err(cut_short)?;
        let (front, lengths) = head.split_at(LOCAL_BYTES - 4);
        let field = |at: usize| front.get(at..at + 2).unwrap_or_default();
        let has_sizes_behind = field(6) == [8, 0] || field(6) == [8, 8];
        if !front.starts_with(b"PK\x03\x04") || !has_sizes_behind || field(8) != [8, 0] {
            return Err(ZipError::Form.into());
        }
        let [n0, n1, e0, e1] = lengths.try_into().unwrap_or([0; 4]);
        let mut name = vec![0; usize::from(u16::from_le_bytes([n0, n1])).min(ENTRY.len() + 1)];
        from.read_exact(&mut name).map_err(cut_short)?;
        if name != ENTRY.as_bytes() {
            return Err(ZipError::Form.into());
        }
        let mut extra = vec![0; usize::from(u16::from_le_bytes([e0, e1]))];
        from.read_exact(&mut extra).map_err(cut_short)?;
        Ok(Self { inflater: Some(DeflateDecoder::new(from)), crc: Crc::new(), bytes: 0 })
    }

    /// Makes sure that what stands behind the document is about it.
    fn check_trailer(&mut self) -> io::Result<()> {
        let Some(inflater) = self.inflater.take() else { return Ok(()) };
        let (compressed, bytes) = (inflater.total_in(), self.bytes);
        let mut rest = Vec::new();
        inflater.into_inner().take(TRAILER_BYTES + 1).read_to_end(&mut rest)?;
        if u64::try_from(rest.len()).unwrap_or(u64::MAX) > TRAILER_BYTES {
            return Err(ZipError::Trailer.into());
        }
        let crc = self.crc.sum().to_le_bytes();
        let long = [&b"PK\x07\x08"[..], &crc, &compressed.to_le_bytes(), &bytes.to_le_bytes()].concat();
        let short = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
        let short = [&b"PK\x07\x08"[..], &crc, &short(compressed), &short(bytes)].concat();
        let fits = u32::try_from(compressed.max(bytes)).is_ok();
        let directory = rest.strip_prefix(&long[..]).or_else(|| rest.strip_prefix(&short[..]).filter(|_| fits));
        let directory = directory.ok_or(ZipError::Trailer)?;
        if is_directory_of_one(directory) { Ok(()) } else { Err(ZipError::Trailer.into()) }
    }
}

/// Whether bytes are a directory of the one entry and its end, and nothing else.
fn is_directory_of_one(directory: &[u8]) -> bool {
    let Some((head, rest)) = directory.split_at_checked(CENTRAL_BYTES) else { return false };
    let length = |at: usize| match head.get(at..at + 2) {
        Some([low, high]) => usize::from(u16::from_le_bytes([*low, *high])),
        _ => 0,
    };
    let Some((name, rest)) = rest.split_at_checked(length(28)) else { return false };
    let Some(end) = rest.get(length(30) + length(32)..) else { return false };
    // A directory of large entries has a second end before the one all have.
    let end = if end.starts_with(b"PK\x06\x06") { end.get(LONG_END_BYTES..).unwrap_or_default() } else { end };
    let one_entry = end.starts_with(b"PK\x05\x06") && end.len() == END_BYTES && end.get(10..12) == Some(&[1, 0]);
    head.starts_with(b"PK\x01\x02") && name == ENTRY.as_bytes() && one_entry
}

impl<R: Read> Read for Unzip<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        let Some(inflater) = &mut self.inflater else { return Ok(0) };
        let read = inflater.read(into).map_err(|error| match error.kind() {
            // Of the stream itself; what it is read from says its own.
            io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => ZipError::Deflate.into(),
            io::ErrorKind::InvalidData if error.get_ref().is_none_or(|inner| inner.is::<flate2::DecompressError>()) => {
                ZipError::Deflate.into()
            }
            _ => error,
        })?;
        if read == 0 {
            self.check_trailer()?;
            return Ok(0);
        }
        self.crc.update(into.get(..read).unwrap_or_default());
        self.bytes += u64::try_from(read).unwrap_or(0);
        if self.bytes > FREE_BYTES.saturating_add(inflater.total_in().saturating_mul(INFLATION)) {
            return Err(ZipError::Bomb.into());
        }
        Ok(read)
    }
}

fn cut_short(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { ZipError::Form.into() } else { error }
}

/// The one entry.
const ENTRY: &str = "deposit.xml";

/// Bytes of the head of an entry before its name.
const LOCAL_BYTES: usize = 30;

/// Bytes of an entry of the directory before its name.
const CENTRAL_BYTES: usize = 46;

/// Bytes of the end of a directory of large entries, and of what leads to it.
const LONG_END_BYTES: usize = 56 + 20;

/// Bytes of the end of the directory, which has no comment.
const END_BYTES: usize = 22;

/// Bytes read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Reads to the end and gives nothing: so that what is wrong behind the document is told.
pub(super) fn drain(mut from: impl BufRead) -> io::Result<()> {
    loop {
        let read = from.fill_buf()?.len();
        if read == 0 {
            return Ok(());
        }
        from.consume(read);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zipped(clear: &[u8]) -> Vec<u8> {
        write(Vec::new(), |out| out.write_all(clear)).unwrap()
    }

    fn unzipped(zipped: &[u8]) -> io::Result<Vec<u8>> {
        let mut clear = Vec::new();
        Unzip::new(zipped)?.read_to_end(&mut clear)?;
        Ok(clear)
    }

    fn problem(outcome: io::Result<Vec<u8>>) -> ZipError {
        *outcome.unwrap_err().get_ref().unwrap().downcast_ref().unwrap()
    }

    #[test]
    fn what_was_packed_comes_out() {
        for clear in [&b""[..], b"x", &b"<deposit/>".repeat(100_000)] {
            assert_eq!(unzipped(&zipped(clear)).unwrap(), clear);
        }
    }

    #[test]
    fn nothing_that_was_cut_or_changed_is_taken_for_whole() {
        let good = zipped(&b"<deposit>all of it</deposit>".repeat(3));
        for cut in 0..good.len() {
            assert!(unzipped(&good[..cut]).is_err(), "cut at {cut}");
        }
        let data = LOCAL_BYTES + ENTRY.len();
        for place in data..good.len() {
            let mut changed = good.clone();
            changed[place] ^= 0x55;
            if let Ok(clear) = unzipped(&changed) {
                assert!(place > good.len() - 100, "byte {place} is of the document");
                assert_eq!(clear, unzipped(&good).unwrap());
            }
        }
    }

    #[test]
    fn other_archives_are_refused() {
        let named = |name: &str| {
            let mut archive = ZipArchiveWriter::new(Vec::new());
            let path = rawzip::path::EntryPath::verbatim(name.as_bytes());
            let file = archive.new_file(path).compression_method(CompressionMethod::DEFLATE);
            let (entry, config) = file.start().unwrap();
            let mut writer = config.wrap(DeflateEncoder::new(entry, flate2::Compression::fast()));
            writer.write_all(b"x").unwrap();
            let (encoder, output) = writer.finish().unwrap();
            encoder.finish().unwrap().finish(output).unwrap();
            archive.finish().unwrap()
        };
        assert!(unzipped(&named("deposit.xml")).is_ok());
        for name in ["../deposit.xml", "/etc/passwd", "deposit.xml.exe", "DEPOSIT.XML", "a"] {
            assert_eq!(problem(unzipped(&named(name))), ZipError::Form, "{name}");
        }
        assert_eq!(problem(unzipped(b"no archive at all, only some text of some length")), ZipError::Form);
        let two = [named("deposit.xml"), named("deposit.xml")].concat();
        assert_eq!(problem(unzipped(&two)), ZipError::Trailer);
    }

    #[test]
    fn a_bomb_is_told_before_it_fills_anything() {
        let mut encoder = DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        let zeros = vec![0; 1 << 20];
        for _ in 0..(FREE_BYTES >> 20) * 2 {
            encoder.write_all(&zeros).unwrap();
        }
        let head = zipped(b"");
        let bomb = [&head[..LOCAL_BYTES + ENTRY.len()], &encoder.finish().unwrap()].concat();
        assert!(bomb.len() < 8 << 20);
        let mut unzip = Unzip::new(&bomb[..]).unwrap();
        let error = io::copy(&mut unzip, &mut io::sink()).unwrap_err();
        assert_eq!(error.get_ref().unwrap().downcast_ref(), Some(&ZipError::Bomb));
    }
}
