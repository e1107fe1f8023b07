//! Private key files, as operators and client tools keep them.
//!
//! ```text
//! u32 scheme, then
//!   1       the private key in the clear
//!   0       the key under DES-ECB, keyed with the first 8 bytes of MD5(pass phrase)
//!   2       8 bytes initialisation vector, the key under DES-CBC, keyed likewise
//!   3, 4    string salt, u32 iterations, u32 key bits, string initialisation vector, string ciphertext:
//!           3DES-CBC or AES-CBC, keyed by PBKDF2-HMAC-SHA1 of the pass phrase
//! ```
//!
//! All four are read, also PEM texts in place of such a file; only 1 and 4 are written.

use aes::{Aes128, Aes192, Aes256};
use des::{Des, TdesEde3};
use md5::{Digest, Md5};
use rand_core::CryptoRngCore;
use thiserror::Error;
use zeroize::Zeroizing;

use super::block_mode::{BlockModeError, decrypt_cbc, decrypt_ecb, encrypt_cbc};
use super::limits::{KEY_FILE_BYTES, KEY_FILE_ITERATIONS, SALT_BYTES};
use super::pem::{self, PemError};
use super::private_key::{PrivateKey, PrivateKeyError};
use crate::error::DecodeError;
use crate::primitives::{Reader, Sink};

/// What kind of file the bytes are, as far as can be told without the pass phrase.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyFileForm {
    /// A key file whose key is in the clear.
    Plain,
    /// A key file that needs a pass phrase, with its scheme.
    Encrypted(u32),
    /// A PEM text.
    Pem,
}

/// Tells what kind of file the bytes are.
///
/// # Errors
/// [`KeyFileError`] when they are no private key file at all.
pub fn inspect(file: &[u8]) -> Result<KeyFileForm, KeyFileError> {
    if file.is_empty() {
        return Err(KeyFileError::Empty);
    }
    if file.len() > KEY_FILE_BYTES {
        return Err(KeyFileError::TooLong { bytes: file.len() });
    }
    if pem::is_pem(file) {
        return Ok(KeyFileForm::Pem);
    }
    let mut reader = Reader::new(file);
    let first = reader.u32().map_err(|_| KeyFileError::NotAKeyFile)?;
    match first {
        PLAIN => Ok(KeyFileForm::Plain),
        DES_ECB | DES_CBC | TRIPLE_DES | AES => Ok(KeyFileForm::Encrypted(first)),
        _ if Reader::new(file).bytes().is_ok_and(|name| name.ends_with(b"_PUB_KEY")) => Err(KeyFileError::PublicKey),
        _ => Err(KeyFileError::NotAKeyFile),
    }
}

/// Opens a private key file, or a PEM text with a private key. A pass phrase that is not needed is ignored.
///
/// # Errors
/// [`KeyFileError`] tells a missing pass phrase, a wrong one, a damaged file, something that is no key file, and keys
/// of unsupported kinds apart.
pub fn open(file: &[u8], pass_phrase: Option<&[u8]>) -> Result<PrivateKey, KeyFileError> {
    let form = inspect(file)?;
    let mut reader = Reader::new(file);
    let scheme = match form {
        KeyFileForm::Pem => return open_pem(file),
        KeyFileForm::Plain => {
            reader.u32()?;
            return Ok(PrivateKey::parse(reader.rest())?);
        }
        KeyFileForm::Encrypted(_) => reader.u32()?,
    };
    let pass_phrase = pass_phrase.ok_or(KeyFileError::PassPhraseNeeded { scheme })?;
    let plain = match scheme {
        DES_ECB => decrypt_ecb::<Des>(&*des_key(pass_phrase), reader.rest()),
        DES_CBC => {
            let iv: [u8; 8] = reader.array()?;
            decrypt_cbc::<Des>(&*des_key(pass_phrase), &iv, reader.rest())
        }
        _ => decrypt_derived(scheme, reader, pass_phrase)?,
    };
    let plain = plain.map_err(|error| match error {
        BlockModeError::Lengths => KeyFileError::Parameters,
        BlockModeError::Padding => KeyFileError::WrongPassPhrase,
    })?;
    PrivateKey::parse(&plain).map_err(|error| match error {
        // About one wrong pass phrase in 256 gives right padding, but none gives the name of an algorithm.
        PrivateKeyError::UnknownAlgorithm | PrivateKeyError::Malformed(_) => KeyFileError::WrongPassPhrase,
        other => other.into(),
    })
}

/// Writes a key file in the clear (scheme 1). `None` for SM2 keys, which have no form in key files.
#[must_use]
pub fn write_plain(key: &PrivateKey) -> Option<Zeroizing<Vec<u8>>> {
    let plain = key.to_bytes()?;
    let mut file = Zeroizing::new(Vec::with_capacity(plain.len().saturating_add(4)));
    file.put_u32(PLAIN);
    file.put(&plain);
    Some(file)
}

/// Writes a key file under a pass phrase with AES-128 (scheme 4). `None` for SM2 keys, which have no form in key
/// files.
#[must_use]
pub fn write_encrypted(key: &PrivateKey, pass_phrase: &[u8], rng: &mut impl CryptoRngCore) -> Option<Vec<u8>> {
    let plain = key.to_bytes()?;
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    rng.fill_bytes(&mut salt);
    rng.fill_bytes(&mut iv);
    let derived = derive::<16>(pass_phrase, &salt, KEY_FILE_ITERATIONS.default);
    let mut file = Vec::new();
    file.put_u32(AES);
    file.put_bytes(&salt);
    file.put_u32(KEY_FILE_ITERATIONS.default);
    file.put_u32(128);
    file.put_bytes(&iv);
    file.put_bytes(&encrypt_cbc::<Aes128>(&*derived, &iv, &plain).ok()?);
    Some(file)
}

fn open_pem(text: &[u8]) -> Result<PrivateKey, KeyFileError> {
    let pem = pem::parse(text)?;
    match pem.label {
        "PRIVATE KEY" => Ok(PrivateKey::from_pkcs8_der(&pem.der)?),
        "RSA PRIVATE KEY" => Ok(PrivateKey::from_pkcs1_der(&pem.der)?),
        "ENCRYPTED PRIVATE KEY" => Err(KeyFileError::Pem(PemError::Encrypted)),
        "PUBLIC KEY" | "RSA PUBLIC KEY" | "CERTIFICATE" => Err(KeyFileError::PublicKey),
        _ => Err(KeyFileError::Pem(PemError::OtherLabel)),
    }
}

type Decrypted = Result<Zeroizing<Vec<u8>>, BlockModeError>;

/// Decrypts the schemes whose key is derived with PBKDF2.
fn decrypt_derived(scheme: u32, mut reader: Reader<'_>, pass_phrase: &[u8]) -> Result<Decrypted, KeyFileError> {
    let salt = reader.bytes()?;
    let iterations = reader.u32()?;
    let bits = reader.u32()?;
    let iv = reader.bytes()?;
    let sealed = reader.bytes()?;
    if salt.len() > SALT_BYTES || !(KEY_FILE_ITERATIONS.min..=KEY_FILE_ITERATIONS.max).contains(&iterations) {
        return Err(KeyFileError::Parameters);
    }
    let decrypted = match (scheme, bits) {
        // Parity bits count in some tools and not in others.
        (TRIPLE_DES, 168 | 192) => decrypt_cbc::<TdesEde3>(&*derive::<24>(pass_phrase, salt, iterations), iv, sealed),
        (AES, 128) => decrypt_cbc::<Aes128>(&*derive::<16>(pass_phrase, salt, iterations), iv, sealed),
        (AES, 192) => decrypt_cbc::<Aes192>(&*derive::<24>(pass_phrase, salt, iterations), iv, sealed),
        (AES, 256) => decrypt_cbc::<Aes256>(&*derive::<32>(pass_phrase, salt, iterations), iv, sealed),
        _ => return Err(KeyFileError::Parameters),
    };
    Ok(decrypted)
}

fn derive<const N: usize>(pass_phrase: &[u8], salt: &[u8], iterations: u32) -> Zeroizing<[u8; N]> {
    let mut key = Zeroizing::new([0; N]);
    pbkdf2::pbkdf2_hmac::<sha1::Sha1>(pass_phrase, salt, iterations, &mut *key);
    key
}

fn des_key(pass_phrase: &[u8]) -> Zeroizing<[u8; 8]> {
    let digest: [u8; 16] = Md5::digest(pass_phrase).into();
    let mut key = Zeroizing::new([0; 8]);
    for (to, from) in key.iter_mut().zip(digest) {
        *to = from;
    }
    key
}

/// Why a private key file could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// There are no bytes.
    #[error("key file is empty")]
    Empty,
    /// The file is larger than any key file.
    #[error("file of {bytes} bytes is too long for a key file")]
    TooLong {
        /// The length of the file.
        bytes: usize,
    },
    /// The file is neither a key file nor a PEM text.
    #[error("file is no key file")]
    NotAKeyFile,
    /// The file holds a public key or a certificate where a private key is needed.
    #[error("file holds a public key, but a private key is needed")]
    PublicKey,
    /// The key is encrypted and no pass phrase was given.
    #[error("key file is encrypted (scheme {scheme}) and needs a pass phrase")]
    PassPhraseNeeded {
        /// The encryption scheme of the file.
        scheme: u32,
    },
    /// The pass phrase is not the one the file was encrypted with, or the file is damaged.
    #[error("wrong pass phrase for the key file")]
    WrongPassPhrase,
    /// The file ends early or has broken fields.
    #[error("key file is damaged")]
    Damaged(#[from] DecodeError),
    /// The parameters of the encryption are none that is supported.
    #[error("key file has encryption parameters that are not supported")]
    Parameters,
    /// The PEM text cannot be used.
    #[error("key file is a PEM text that cannot be used")]
    Pem(#[from] PemError),
    /// The file is all right, but not the key in it.
    #[error("key file holds a key that cannot be used")]
    Key(#[from] PrivateKeyError),
}

const DES_ECB: u32 = 0;
const PLAIN: u32 = 1;
const DES_CBC: u32 = 2;
const TRIPLE_DES: u32 = 3;
const AES: u32 = 4;

#[cfg(test)]
mod tests {
    use rand_core::OsRng;

    use super::super::block_mode::encrypt_ecb;
    use super::*;

    fn key() -> PrivateKey {
        PrivateKey::generate_rsa(1024, &mut OsRng).unwrap()
    }

    #[test]
    fn encrypted_files_open_with_their_pass_phrase_only() {
        let key = key();
        let file = write_encrypted(&key, "päss".as_bytes(), &mut OsRng).unwrap();
        assert_eq!(inspect(&file), Ok(KeyFileForm::Encrypted(4)));
        assert_eq!(open(&file, Some("päss".as_bytes())).unwrap().public_key(), key.public_key());
        assert_eq!(open(&file, Some(b"pass")).err(), Some(KeyFileError::WrongPassPhrase));
        assert_eq!(open(&file, Some(b"")).err(), Some(KeyFileError::WrongPassPhrase));
        assert_eq!(open(&file, None).err(), Some(KeyFileError::PassPhraseNeeded { scheme: 4 }));
    }

    #[test]
    fn the_oldest_scheme_is_read() {
        let key = key();
        let mut file = vec![0, 0, 0, 0];
        file.extend(encrypt_ecb::<Des>(&*des_key(b"old"), &key.to_bytes().unwrap()).unwrap());
        assert_eq!(open(&file, Some(b"old")).unwrap().public_key(), key.public_key());
        assert_eq!(open(&file, Some(b"new")).err(), Some(KeyFileError::WrongPassPhrase));
    }

    #[test]
    fn many_wrong_pass_phrases_all_read_as_wrong() {
        let mut file = vec![0, 0, 0, 0];
        file.extend(encrypt_ecb::<Des>(&*des_key(b"old"), &key().to_bytes().unwrap()).unwrap());
        for attempt in 0..2000_u32 {
            assert_eq!(open(&file, Some(&attempt.to_be_bytes())).err(), Some(KeyFileError::WrongPassPhrase));
        }
    }

    #[test]
    fn says_what_a_wrong_file_is() {
        let public = key().public_key();
        let pem = |label: &str| pem::write(label, &[0x30, 0]).into_bytes();
        let error = |file: &[u8]| open(file, None).err();
        assert_eq!(error(b""), Some(KeyFileError::Empty));
        assert_eq!(error(b"abc"), Some(KeyFileError::NotAKeyFile));
        assert_eq!(error(b"just some text"), Some(KeyFileError::NotAKeyFile));
        assert_eq!(error(public.as_bytes()), Some(KeyFileError::PublicKey));
        assert_eq!(error(&pem("PUBLIC KEY")), Some(KeyFileError::PublicKey));
        assert_eq!(error(&pem("ENCRYPTED PRIVATE KEY")), Some(KeyFileError::Pem(PemError::Encrypted)));
        assert_eq!(error(&pem("DSA PRIVATE KEY")), Some(KeyFileError::Pem(PemError::OtherLabel)));
        assert_eq!(error(&pem("PRIVATE KEY")), Some(KeyFileError::Key(PrivateKeyError::Der)));
        assert_eq!(error(&vec![0; KEY_FILE_BYTES + 1]), Some(KeyFileError::TooLong { bytes: KEY_FILE_BYTES + 1 }));
    }

    #[test]
    fn every_truncation_of_a_plain_file_is_damaged() {
        let file = write_plain(&key()).unwrap();
        for length in 4..file.len() {
            let error = open(&file[..length], None).err();
            assert!(matches!(error, Some(KeyFileError::Key(PrivateKeyError::Malformed(_)))), "{length}: {error:?}");
        }
    }

    #[test]
    fn iterations_are_bounded() {
        let mut file = write_encrypted(&key(), b"x", &mut OsRng).unwrap();
        file[24..28].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(open(&file, Some(b"x")).err(), Some(KeyFileError::Parameters));
        file[24..28].copy_from_slice(&0_u32.to_be_bytes());
        assert_eq!(open(&file, Some(b"x")).err(), Some(KeyFileError::Parameters));
    }
}
