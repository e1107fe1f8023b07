//! The fields of an enterprise as they are sent, with their limits.
//!
//! Numbers of kinds stand in the order of the field lists that are public; the drafts' own numbers are not all known.

use std::fmt;

use base64ct::{Base64, Encoding as _};
use waymark_catalog::business::{FileFormat, Nature};
use waymark_catalog::config::IMAGE_BYTES;
use waymark_catalog::vault::PERSON_DOCUMENTS;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The document an enterprise is told by (`entCrtType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentType {
    /// 1: the unified social credit code.
    CreditCode,
    /// 3: another.
    Other,
}

impl DocumentType {
    /// The number it is sent as.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::CreditCode => 1,
            Self::Other => 3,
        }
    }
}

/// How an image is written (`entCrtImgType`, `idImgType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageType {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// Windows bitmap.
    Bmp,
}

impl ImageType {
    /// The word it is sent as.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Bmp => "bmp",
        }
    }

    /// That of a kept file; `None` for one that is no image.
    #[must_use]
    pub const fn of(format: FileFormat) -> Option<Self> {
        match format {
            FileFormat::Jpeg => Some(Self::Jpeg),
            FileFormat::Png => Some(Self::Png),
            FileFormat::Bmp => Some(Self::Bmp),
            _ => None,
        }
    }
}

/// An image; sent in base64.
#[derive(Clone)]
pub struct Image {
    kind: ImageType,
    base64: Zeroizing<String>,
}

impl Image {
    /// Takes the bytes of an image; `None` when they are none or more than an image may have (1 MiB).
    #[must_use]
    pub fn new(kind: ImageType, bytes: &[u8]) -> Option<Self> {
        let sound = !bytes.is_empty() && bytes.len() <= IMAGE_BYTES;
        sound.then(|| Self { kind, base64: Zeroizing::new(Base64::encode_string(bytes)) })
    }

    /// How it is written.
    #[must_use]
    pub const fn kind(&self) -> ImageType {
        self.kind
    }

    /// Its base64.
    #[must_use]
    pub fn base64(&self) -> &str {
        &self.base64
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({}, {} characters)", self.kind.as_str(), self.base64.len())
    }
}

/// The kind of a person's document (`idType`): a place in [`PERSON_DOCUMENTS`], sent as its number from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersonDocument(u8);

impl PersonDocument {
    /// That of a name of [`PERSON_DOCUMENTS`].
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let at = PERSON_DOCUMENTS.iter().position(|known| *known == name)?;
        u8::try_from(at).ok().map(|at| Self(at + 1))
    }

    /// The number it is sent as.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// Whom to call. Never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Contact {
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
    /// The telephone number.
    pub phone: String,
}

/// The legal representative. Never printed.
#[derive(Clone)]
pub struct LegalPerson {
    /// The name.
    pub name: Zeroizing<String>,
    /// The kind of the document.
    pub document: PersonDocument,
    /// The number of the document.
    pub number: Zeroizing<String>,
    /// The document.
    pub image: Image,
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contact(..)")
    }
}

impl fmt::Debug for LegalPerson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LegalPerson(..)")
    }
}

/// An enterprise with all its fields, as `ent create` and the full update (`chgAll`) carry it.
#[derive(Clone, Debug)]
pub struct EnterpriseFields {
    /// What it is (`entType`), in the order of the published list, from 1.
    pub nature: Nature,
    /// The number of its document (`entCrCode`).
    pub code: String,
    /// That document (`entCrtImg`).
    pub document: Image,
    /// Its name (`entNameCn`).
    pub name: String,
    /// GB/T 2260 (`province`).
    pub province: String,
    /// GB/T 2260 (`city`); empty where the province has none.
    pub city: String,
    /// GB/T 2260 (`county`); may be empty.
    pub county: String,
    /// Its name in English (`entNameEn`); may be empty.
    pub name_en: String,
    /// What a partial update can change too.
    pub amendment: Amendment,
    /// Whom to call (`contact`).
    pub contact: Contact,
    /// Its legal representative (`legalPerson`).
    pub legal_person: LegalPerson,
}

/// What a partial update (`chg`) carries.
///
/// The draft has the contact among these too. Here what tells of people leaves in `ent create` and `chgAll` alone, so a new contact is a full update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Amendment {
    /// Its address (`entAddrCn`).
    pub address: String,
    /// Its address in English (`entAddrEn`); may be empty.
    pub address_en: String,
    /// Its site (`entWebSite`); may be empty.
    pub website: String,
    /// What it does (`entDesc`); may be empty.
    pub description: String,
}

/// The number a kind of organisation is sent as.
#[must_use]
pub(super) const fn nature_number(nature: Nature) -> u8 {
    match nature {
        Nature::Government => 1,
        Nature::PublicInstitution => 2,
        Nature::Company => 3,
        Nature::SocialOrganisation => 4,
        // `Other`, and whatever comes to the list later.
        _ => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_bounded_and_told_by_their_kind() {
        assert!(Image::new(ImageType::Png, &[]).is_none());
        assert!(Image::new(ImageType::Png, &vec![0; IMAGE_BYTES]).is_some());
        assert!(Image::new(ImageType::Png, &vec![0; IMAGE_BYTES + 1]).is_none());
        let image = Image::new(ImageType::Jpeg, b"\xff\xd8").unwrap();
        assert_eq!((image.base64(), image.kind().as_str()), ("/9g=", "jpeg"));
        assert_eq!(ImageType::of(FileFormat::Pdf), None);
    }

    #[test]
    fn nothing_prints_what_is_said_of_people() {
        let contact = Contact { name: "钱二".into(), email: "q@example.cn".into(), phone: "138".into() };
        assert_eq!(format!("{contact:?}"), "Contact(..)");
        assert_eq!(format!("{:?}", Image::new(ImageType::Bmp, b"BM").unwrap()), "Image(bmp, 4 characters)");
        assert_eq!(PersonDocument::of("passport").map(PersonDocument::number), Some(2));
    }
}
