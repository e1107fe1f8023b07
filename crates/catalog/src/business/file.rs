//! Images of the documents of an enterprise or of the node itself, and the node's PDF documents: told by their bytes, never by their names; sealed
//! like what is said of people, with the same key.
//!
//! ```text
//! key   00 'E' 'I' number(4) kind(1)                                of an enterprise
//! key   00 'O' 'I' kind(1)                                          of the node
//! body  01 format(1) subject(16) nonce(12) sealed bytes          format 1 JPEG, 2 PNG, 3 BMP, 4 PDF
//! ```
//! The table holds which files there are; their bytes stay on the disk, each file one entry of the log. Forgetting people drops the key, and with it
//! every file.

use serde::{Deserialize, Serialize};
use waymark_store::Serial;

use super::Problem;
use super::enterprise::named;
use crate::config::{IMAGE_BYTES, PDF_BYTES};
use crate::vault::{Fresh, Sealed};

named! {
    /// What a file shows or says. Enterprises have images alone, see [`FileKind::IMAGES`].
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
        /// A source of data real-name verification compares with (RN-2).
        VerificationSource1 = "verification-source-1",
        /// Another.
        VerificationSource2 = "verification-source-2",
        /// Another.
        VerificationSource3 = "verification-source-3",
        /// Another.
        VerificationSource4 = "verification-source-4",
        /// The last there may be.
        VerificationSource5 = "verification-source-5",
        /// The contract with whom real-name verification is entrusted to.
        VerificationContract = "verification-contract",
        /// The contract with whom building the systems is entrusted to.
        BuildContract = "build-contract",
        /// The contract with whom running the systems is entrusted to.
        OperationContract = "operation-contract",
        /// The contract with whom the data is hosted by.
        DataHostingContract = "data-hosting-contract",
        /// The contract with whom the service is hosted by.
        ServiceHostingContract = "service-hosting-contract",
    }
}

named! {
    /// How a file is written.
    FileFormat {
        /// JPEG.
        Jpeg = "jpeg",
        /// PNG.
        Png = "png",
        /// Windows bitmap.
        Bmp = "bmp",
        /// PDF.
        Pdf = "pdf",
    }
}

/// A file on its way into a command: sealed, and told what it is.
#[derive(Clone, Debug)]
pub struct FreshFile {
    /// How it is written.
    pub format: FileFormat,
    /// Its bytes, sealed.
    pub fresh: Fresh,
}

/// A file as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// How it is written.
    pub format: FileFormat,
    /// Its bytes, sealed.
    pub sealed: Sealed,
}

/// A file there is, in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileAt {
    /// Its entry of the log.
    pub serial: Serial,
}

impl FileKind {
    /// Those that are images, of documents.
    pub const IMAGES: [Self; 5] =
        [Self::Document, Self::LegalPersonFront, Self::LegalPersonBack, Self::ContactFront, Self::ContactBack];

    /// The sources of data of real-name verification.
    pub const SOURCES: [Self; 5] = [
        Self::VerificationSource1,
        Self::VerificationSource2,
        Self::VerificationSource3,
        Self::VerificationSource4,
        Self::VerificationSource5,
    ];

    /// Whether it is an image; others are PDF documents.
    #[must_use]
    pub fn is_image(self) -> bool {
        Self::IMAGES.contains(&self)
    }

    /// Its number in keys; never changes.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Document => 1,
            Self::LegalPersonFront => 2,
            Self::LegalPersonBack => 3,
            Self::ContactFront => 4,
            Self::ContactBack => 5,
            Self::VerificationSource1 => 11,
            Self::VerificationSource2 => 12,
            Self::VerificationSource3 => 13,
            Self::VerificationSource4 => 14,
            Self::VerificationSource5 => 15,
            Self::VerificationContract => 20,
            Self::BuildContract => 21,
            Self::OperationContract => 22,
            Self::DataHostingContract => 23,
            Self::ServiceHostingContract => 24,
        }
    }

    /// The kind of a number.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.number() == number)
    }
}

impl FileFormat {
    /// What the bytes of a file of this kind are.
    ///
    /// # Errors
    /// They are none that a file of this kind may have, or too many.
    pub fn of(kind: FileKind, bytes: &[u8]) -> Result<Self, Problem> {
        if kind.is_image() { Self::of_image(bytes) } else { Self::of_document(bytes) }
    }

    /// An image, told by how it begins and, where the form says its length, by that.
    fn of_image(bytes: &[u8]) -> Result<Self, Problem> {
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

    /// A PDF document, told by its head and by its end, which one that was cut off has not (ISO 32000-1 sections 7.5.2 and 7.5.5).
    fn of_document(bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.len() > PDF_BYTES {
            return Err(Problem::new("document", "is larger than 5 MiB"));
        }
        if !matches!(bytes, [b'%', b'P', b'D', b'F', b'-', b'1'..=b'9', ..]) {
            return Err(Problem::new("document", "is no PDF, whatever its name says"));
        }
        let (_, end) = bytes.split_at(bytes.len().saturating_sub(END_BYTES));
        if !end.windows(END.len()).any(|window| window == END) {
            return Err(Problem::new("document", "is a PDF without its end"));
        }
        Ok(Self::Pdf)
    }

    const fn number(self) -> u8 {
        match self {
            Self::Jpeg => 1,
            Self::Png => 2,
            Self::Bmp => 3,
            Self::Pdf => 4,
        }
    }
}

/// What a PDF ends with.
const END: &[u8] = b"%%EOF";

/// How far from the last byte of a PDF its end may stand, as readers have it.
const END_BYTES: usize = 1_024;

/// Version of the body.
const VERSION: u8 = 1;

impl StoredFile {
    /// The body of its entry.
    pub(crate) fn to_body(&self) -> Vec<u8> {
        let Sealed { subject, nonce, bytes } = &self.sealed;
        [&[VERSION, self.format.number()], &subject[..], &nonce[..], &bytes[..]].concat()
    }

    /// Reads the entry of a file; `None` when it is none of this version.
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
            assert_eq!(FileFormat::of(FileKind::Document, &bytes), Ok(format));
            for cut in 0..16.min(bytes.len()) {
                assert!(FileFormat::of(FileKind::Document, &bytes[..cut]).is_err(), "{format:?} of {cut} bytes");
            }
        }
        for wrong in [&b"%PDF-1.7"[..], b"GIF89a", b"<svg/>", b"MZ", b"", &bmp[..31], b"\xff\xd8\xff no end"] {
            assert!(FileFormat::of(FileKind::Document, wrong).is_err(), "{wrong:?}");
        }
        let mut large = png();
        large.resize(IMAGE_BYTES, 0);
        assert_eq!(FileFormat::of(FileKind::Document, &large), Ok(FileFormat::Png));
        large.push(0);
        assert_eq!(FileFormat::of(FileKind::Document, &large), Err(Problem::new("image", "is larger than 1 MiB")));
    }

    #[test]
    fn documents_are_pdf_from_head_to_end_and_of_five_mebibytes_at_most() {
        let of = |bytes: &[u8]| FileFormat::of(FileKind::VerificationSource1, bytes);
        let mut pdf = b"%PDF-1.7\n1 0 obj\nendobj\n%%EOF\n".to_vec();
        assert_eq!(of(&pdf), Ok(FileFormat::Pdf));
        for cut in 0..pdf.len() - 2 {
            assert!(of(&pdf[..cut]).is_err(), "of {cut} bytes");
        }
        for wrong in [&b" %PDF-1.7 %%EOF"[..], b"%PDF 1.7 %%EOF", b"%PDF-x.7 %%EOF", b"PK\x03\x04 %%EOF", &png()] {
            assert!(of(wrong).is_err(), "{wrong:?}");
        }
        assert!(FileFormat::of(FileKind::Document, &pdf).is_err(), "no image");
        let end = pdf.split_off(9);
        pdf.resize(PDF_BYTES - end.len(), b' ');
        pdf.extend(end);
        assert_eq!(of(&pdf), Ok(FileFormat::Pdf));
        pdf.push(b'\n');
        assert_eq!(of(&pdf), Err(Problem::new("document", "is larger than 5 MiB")));
        pdf.truncate(9);
        pdf.extend(b"%%EOF");
        pdf.resize(2_048, b' ');
        assert_eq!(of(&pdf), Err(Problem::new("document", "is a PDF without its end")));
    }

    #[test]
    fn a_body_has_golden_bytes_and_reads_back() {
        let sealed = Sealed { subject: [7; 16], nonce: [9; 12], bytes: b"sealed".to_vec() };
        let image = StoredFile { format: FileFormat::Png, sealed };
        let body = image.to_body();
        assert_eq!(hex::encode(&body), format!("0102{}{}7365616c6564", "07".repeat(16), "09".repeat(12)));
        assert_eq!(StoredFile::from_body(&body), Some(image));
        for (at, byte) in [(0, 2), (1, 0), (1, 5)] {
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
