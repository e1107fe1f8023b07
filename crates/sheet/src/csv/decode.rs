//! Text of a file in UTF-8, whatever encoding it is in.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use encoding_rs::{Decoder, DecoderResult};

use crate::{
    Code, Problem,
    failure::{ReadError, stop},
};

/// An encoding of text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-8 with a byte order mark.
    Utf8Bom,
    /// UTF-16, the lower byte first.
    Utf16Le,
    /// UTF-16, the higher byte first.
    Utf16Be,
    /// GB18030, which GBK and GB2312 are parts of.
    Gb18030,
}

impl Encoding {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf8Bom => "UTF-8 with BOM",
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
            Self::Gb18030 => "GB18030",
        }
    }

    fn decoder(self) -> Decoder {
        match self {
            Self::Utf8 | Self::Utf8Bom => encoding_rs::UTF_8,
            Self::Utf16Le => encoding_rs::UTF_16LE,
            Self::Utf16Be => encoding_rs::UTF_16BE,
            Self::Gb18030 => encoding_rs::GB18030,
        }
        .new_decoder_with_bom_removal()
    }
}

/// Bytes that are looked at for zeros.
const SAMPLE_BYTES: u64 = 4096;
/// One of so many bytes is zero in UTF-16 without a byte order mark.
const ZERO_SHARE: usize = 20;
const BUFFER_BYTES: usize = 64 << 10;

/// Finds out the encoding: by a byte order mark; by the zero bytes UTF-16 is full of; else UTF-8 if the whole file is valid as such; else
/// GB18030 on the same condition. Text in GB18030 is hardly ever valid UTF-8: two bytes in a row would have to be a lead byte and its
/// follower each time. Text in another old encoding, such as Big5, may be valid GB18030; its headings then are those of no template.
pub(super) fn detect<R: Read + Seek>(reader: &mut R, known: Option<Encoding>) -> Result<Encoding, ReadError> {
    let candidates = match known {
        Some(encoding) => vec![encoding],
        None => candidates(reader)?,
    };
    let mut first_failure = None;
    for encoding in candidates {
        match verify(&mut *reader, encoding)? {
            None => return Ok(encoding),
            Some(at) => {
                first_failure.get_or_insert((encoding, at));
            }
        }
    }
    let problem = Problem::new(Code::UnknownEncoding);
    Err(match first_failure {
        Some((encoding, at)) => problem.with("detail", format_args!("{}, byte {at}", encoding.name())),
        None => problem.with_words("detail", "it is full of zero bytes", "文件含有大量零字节"),
    }
    .into())
}

fn candidates<R: Read + Seek>(reader: &mut R) -> Result<Vec<Encoding>, ReadError> {
    let io = |error| ReadError::of_io(error, "file");
    reader.seek(SeekFrom::Start(0)).map_err(io)?;
    let mut sample = Vec::new();
    reader.by_ref().take(SAMPLE_BYTES).read_to_end(&mut sample).map_err(io)?;
    let zeros = |offset: usize| sample.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    // Every character of ASCII has one in UTF-16, and few others do.
    let is_full_of_zeros = (even + odd) * ZERO_SHARE > sample.len();
    Ok(match sample.as_slice() {
        [0xef, 0xbb, 0xbf, ..] => vec![Encoding::Utf8Bom],
        [0xff, 0xfe, ..] => vec![Encoding::Utf16Le],
        [0xfe, 0xff, ..] => vec![Encoding::Utf16Be],
        _ if !is_full_of_zeros => vec![Encoding::Utf8, Encoding::Gb18030],
        _ if odd > even * 2 => vec![Encoding::Utf16Le],
        _ if even > odd * 2 => vec![Encoding::Utf16Be],
        _ => vec![],
    })
}

/// Where the file is not what the encoding allows, in bytes; none if it is valid to its end.
fn verify<R: Read + Seek>(reader: R, encoding: Encoding) -> Result<Option<u64>, ReadError> {
    let mut text = Decoding::new(reader, encoding)?;
    loop {
        match text.decode_more() {
            Ok(true) => {}
            Ok(false) => return Ok(None),
            Err(Failure::Invalid { at }) => return Ok(Some(at)),
            Err(Failure::Io(error)) => return Err(ReadError::of_io(error, "file")),
        }
    }
}

/// Why no more text comes.
enum Failure {
    Invalid { at: u64 },
    Io(io::Error),
}

/// The text of a file in UTF-8, from its beginning.
pub(super) struct Decoding<R> {
    reader: R,
    encoding: Encoding,
    decoder: Decoder,
    input: Vec<u8>,
    input_range: std::ops::Range<usize>,
    output: Vec<u8>,
    output_range: std::ops::Range<usize>,
    is_read: bool,
    is_at_end: bool,
    decoded_bytes: u64,
}

impl<R: Read + Seek> Decoding<R> {
    pub(super) fn new(mut reader: R, encoding: Encoding) -> Result<Self, ReadError> {
        reader.seek(SeekFrom::Start(0)).map_err(|error| ReadError::of_io(error, "file"))?;
        Ok(Self {
            reader,
            encoding,
            decoder: encoding.decoder(),
            input: vec![0; BUFFER_BYTES],
            input_range: 0..0,
            // A byte of UTF-16 or GB18030 becomes at most two of UTF-8.
            output: vec![0; BUFFER_BYTES * 2],
            output_range: 0..0,
            is_read: false,
            is_at_end: false,
            decoded_bytes: 0,
        })
    }
}

impl<R: Read> Decoding<R> {
    /// Fills the output anew. False at the end of the file.
    fn decode_more(&mut self) -> Result<bool, Failure> {
        self.output_range = 0..0;
        while self.output_range.is_empty() && !self.is_at_end {
            if self.input_range.is_empty() && !self.is_read {
                let count = read_some(&mut self.reader, &mut self.input).map_err(Failure::Io)?;
                self.is_read = count == 0;
                self.input_range = 0..count;
            }
            let input = self.input.get(self.input_range.clone()).unwrap_or_default();
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(input, &mut self.output, self.is_read);
            self.input_range.start += read;
            self.decoded_bytes += u64::try_from(read).unwrap_or(u64::MAX);
            self.output_range = 0..written;
            match result {
                DecoderResult::InputEmpty => self.is_at_end = self.is_read,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => return Err(Failure::Invalid { at: self.decoded_bytes }),
            }
        }
        Ok(!self.output_range.is_empty())
    }
}

fn read_some(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

impl<R: Read> BufRead for Decoding<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.output_range.is_empty() {
            self.decode_more().map_err(|failure| match failure {
                // It was valid a moment ago: somebody writes to the file.
                Failure::Invalid { at } => stop(
                    Problem::new(Code::UnknownEncoding)
                        .with("detail", format_args!("{}, byte {at}", self.encoding.name())),
                ),
                Failure::Io(error) => error,
            })?;
        }
        Ok(self.output.get(self.output_range.clone()).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.output_range.start = (self.output_range.start + count).min(self.output_range.end);
    }
}

impl<R: Read> Read for Decoding<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let text = self.fill_buf()?;
        let count = text.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), text.get(..count)) {
            to.copy_from_slice(from);
        }
        self.consume(count);
        Ok(count)
    }
}
