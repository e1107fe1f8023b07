//! Images of the documents of an enterprise: told by their bytes, never by their names; sealed like what is said of people, with the same key.
//!
//! ```text
//! key   00 'E' 'I' number(4) kind(1)
//! body  01 format(1) subject(16) nonce(12) sealed bytes          format 1 JPEG, 2 PNG, 3 BMP
//! ```
//! The table holds which images there are; their bytes stay on the disk. Forgetting an enterprise's people drops the key, and with it every image.

use serde::{Deserialize, Serialize};
use waymark_store::Serial;

use super::Problem;
use super::enterprise::named;
use crate::config::IMAGE_BYTES;
use crate::vault::{Fresh, Sealed};

named! {
    /// What an image shows.
    FileKind {
        /// The document the organisation is told by.
        Document = "document",
        /// The front of the document of its legal representative.
        LegalPersonFront = "legal-person-front",
        /// The back of that.
        LegalPersonBack = "legal-person-back",
        /// The front of the document of the contact.
        ContactFront = "contact-front",
        /// The back of that.
        ContactBack = "contact-back",
    }
}

named! {
    /// How an image is written.
    FileFormat {
        /// JPEG.
        Jpeg = "jpeg",
        /// PNG.
        Png = "png",
        /// Windows bitmap.
        Bmp = "bmp",
    }
}

/// An image on its way into a command: sealed, and told what it is.
#[derive(Clone, Debug)]
pub struct FreshFile {
    /// How it is written.
    pub format: FileFormat,
    /// Its bytes, sealed.
    pub fresh: Fresh,
}

/// An image as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// How it is written.
    pub format: FileFormat,
    /// Its bytes, sealed.
    pub sealed: Sealed,
}

/// An image there is, in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileAt {
    /// Its entry of the log.
    pub serial: Serial,
}

impl FileKind {
    /// Its number in keys; never changes.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Document => 1,
            Self::LegalPersonFront => 2,
            Self::LegalPersonBack => 3,
            Self::ContactFront => 4,
            Self::ContactBack => 5,
        }
    }

    /// The kind of a number.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.number() == number)
    }
}

impl FileFormat {
    /// What bytes are, told by how they begin and, where the form says its length, by that.
    ///
    /// # Errors
    /// They are no image that is taken, or too large.
    pub fn of(bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.len() > IMAGE_BYTES {
            return Err(Problem::new("image", "is larger than 1 MiB"));
        }
        let format = match bytes {
            [0xff, 0xd8, 0xff, .., 0xff, 0xd9] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', 0, 0, 0, 13, b'I', b'H', b'D', b'R', ..] => {
                Some(Self::Png)
            }
            [b'B', b'M', length @ ..] => {
                let length = length.first_chunk::<4>().map(|length| u32::from_le_bytes(*length));
                (length == u32::try_from(bytes.len()).ok()).then_some(Self::Bmp)
            }
            _ => None,
        };
        format.ok_or(Problem::new("image", "is no JPEG, PNG or BMP, whatever its name says"))
    }

    const fn number(self) -> u8 {
        match self {
            Self::Jpeg => 1,
            Self::Png => 2,
            Self::Bmp => 3,
        }
    }
}

/// Version of the body.
const VERSION: u8 = 1;

impl StoredFile {
    /// The body of its entry.
    pub(crate) fn to_body(&self) -> Vec<u8> {
        let Sealed { subject, nonce, bytes } = &self.sealed;
        [&[VERSION, self.format.number()], &subject[..], &nonce[..], &bytes[..]].concat()
    }

    /// Reads the entry of an image; `None` when it is none of this version.
    #[must_use]
    pub fn from_body(body: &[u8]) -> Option<Self> {
        let ([VERSION, format], rest) = body.split_first_chunk::<2>()? else { return None };
        let format = FileFormat::ALL.iter().copied().find(|known| known.number() == *format)?;
        let (subject, rest) = rest.split_first_chunk()?;
        let (nonce, bytes) = rest.split_first_chunk()?;
        Some(Self { format, sealed: Sealed { subject: *subject, nonce: *nonce, bytes: bytes.to_vec() } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png() -> Vec<u8> {
        [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &[0; 30]].concat()
    }

    #[test]
    fn images_are_told_by_their_bytes_and_their_size() {
        let bmp = [&b"BM"[..], &32_u32.to_le_bytes(), &[0; 26]].concat();
        let formats = [
            (png(), FileFormat::Png),
            (b"\xff\xd8\xff\xe0 something \xff\xd9".to_vec(), FileFormat::Jpeg),
            (bmp.clone(), FileFormat::Bmp),
        ];
        for (bytes, format) in formats {
            assert_eq!(FileFormat::of(&bytes), Ok(format));
            for cut in 0..16.min(bytes.len()) {
                assert!(FileFormat::of(&bytes[..cut]).is_err(), "{format:?} of {cut} bytes");
            }
        }
        for wrong in [&b"%PDF-1.7"[..], b"GIF89a", b"<svg/>", b"MZ", b"", &bmp[..31], b"\xff\xd8\xff no end"] {
            assert!(FileFormat::of(wrong).is_err(), "{wrong:?}");
        }
        let mut large = png();
        large.resize(IMAGE_BYTES, 0);
        assert_eq!(FileFormat::of(&large), Ok(FileFormat::Png));
        large.push(0);
        assert_eq!(FileFormat::of(&large), Err(Problem::new("image", "is larger than 1 MiB")));
    }

    #[test]
    fn a_body_has_golden_bytes_and_reads_back() {
        let sealed = Sealed { subject: [7; 16], nonce: [9; 12], bytes: b"sealed".to_vec() };
        let image = StoredFile { format: FileFormat::Png, sealed };
        let body = image.to_body();
        assert_eq!(hex::encode(&body), format!("0102{}{}7365616c6564", "07".repeat(16), "09".repeat(12)));
        assert_eq!(StoredFile::from_body(&body), Some(image));
        for (at, byte) in [(0, 2), (1, 0), (1, 4)] {
            let mut bad = body.clone();
            bad[at] = byte;
            assert_eq!(StoredFile::from_body(&bad), None);
        }
        assert_eq!(StoredFile::from_body(&body[..29]), None);
        for kind in FileKind::ALL {
            assert_eq!(FileKind::from_number(kind.number()), Some(*kind));
        }
    }
}
