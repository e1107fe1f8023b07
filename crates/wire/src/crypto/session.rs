//! Session keys: derived, transported, and used on whole messages.
//!
//! | cipher | code | key bytes | vector in front |
//! | --- | --- | --- | --- |
//! | DES-CBC | 1 | 8 | 8 |
//! | 3DES-CBC | 2 | 24 | 8 |
//! | AES-128-CBC | 3 | 16 or 32, of which the first 16 | 16 |
//! | SM4-CBC | 4 | 16 | none: it equals the key |
//!
//! Below version 2.4 the first three work in ECB mode without a vector. Message authentication uses the whole key.
//! The vector of SM4 and the ECB mode are weak by design of their dialects, and kept for their clients only.

use std::fmt;

use aes::Aes128;
use des::{Des, TdesEde3};
use rand_core::CryptoRngCore;
use rsa::Pkcs1v15Encrypt;
use sm4::Sm4;
use thiserror::Error;
use zeroize::Zeroizing;

use super::block_mode::{BlockModeError, decrypt_cbc, decrypt_ecb, encrypt_cbc, encrypt_ecb};
use super::dh::SharedSecret;
use super::private_key::{PrivateKey, PrivateMaterial};
use super::public_key::{PublicKey, PublicMaterial};
use super::sm2_scheme;
use crate::envelope::{Envelope, EnvelopeFlags};
use crate::limits::MAX_MESSAGE_BYTES;
use crate::version::Version;

/// The cipher of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionCipher {
    /// DES, code 1; also what servers below version 2.4 mean by sending no code.
    Des,
    /// 3DES with three keys, code 2.
    TripleDes,
    /// AES with a key of 128 bits, code 3.
    Aes,
    /// SM4, code 4, of Teleinfo's dialect.
    Sm4,
}

impl SessionCipher {
    /// The number that stands for the cipher in messages.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Des => 1,
            Self::TripleDes => 2,
            Self::Aes => 3,
            Self::Sm4 => 4,
        }
    }

    /// The cipher of a code; `None` for a code that names none.
    #[must_use]
    pub const fn from_code(code: u32) -> Option<Self> {
        match code {
            1 => Some(Self::Des),
            2 => Some(Self::TripleDes),
            3 => Some(Self::Aes),
            4 => Some(Self::Sm4),
            _ => None,
        }
    }

    const fn takes_key_of(self, bytes: usize) -> bool {
        match self {
            Self::Des => bytes == 8,
            Self::TripleDes => bytes == 24,
            Self::Aes => bytes == 16 || bytes == 32,
            Self::Sm4 => bytes == 16,
        }
    }
}

/// The key of a session. Wiped when dropped; never printed.
#[derive(Clone)]
pub struct SessionKey {
    cipher: SessionCipher,
    key: Zeroizing<Vec<u8>>,
}

impl SessionKey {
    /// Takes a key as it is.
    ///
    /// # Errors
    /// [`SessionKeyError::Length`] when the cipher has no keys of this length.
    pub fn new(cipher: SessionCipher, key: &[u8]) -> Result<Self, SessionKeyError> {
        if !cipher.takes_key_of(key.len()) {
            return Err(SessionKeyError::Length { cipher, bytes: key.len() });
        }
        Ok(Self { cipher, key: Zeroizing::new(key.to_vec()) })
    }

    /// Makes a random key for [`transport`](Self::encrypt_to).
    #[must_use]
    pub fn generate(cipher: SessionCipher, rng: &mut impl CryptoRngCore) -> Self {
        let bytes = match cipher {
            SessionCipher::Des => 8,
            SessionCipher::TripleDes => 24,
            SessionCipher::Aes | SessionCipher::Sm4 => 16,
        };
        let mut key = Zeroizing::new(vec![0; bytes]);
        rng.fill_bytes(&mut key);
        Self { cipher, key }
    }

    /// The key both sides derive from an agreed secret: its first 8, 24, 32 or 16 bytes, for DES and 3DES with odd
    /// parity.
    #[must_use]
    pub fn derive(cipher: SessionCipher, secret: &SharedSecret) -> Self {
        let key = match cipher {
            SessionCipher::Des => odd_parity(&*secret.leading::<8>()),
            SessionCipher::TripleDes => odd_parity(&*secret.leading::<24>()),
            SessionCipher::Aes => Zeroizing::new(secret.leading::<32>().to_vec()),
            SessionCipher::Sm4 => Zeroizing::new(secret.leading::<16>().to_vec()),
        };
        Self { cipher, key }
    }

    /// The cipher the key is for.
    #[must_use]
    pub const fn cipher(&self) -> SessionCipher {
        self.cipher
    }

    /// All bytes of the key, as message authentication uses them.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.key
    }

    /// Encrypts `u32 cipher code, key` to an RSA key (PKCS#1 v1.5) or an SM2 key (C1, C3, C2).
    ///
    /// # Errors
    /// [`SessionKeyError::WrongKind`] for keys that transport nothing; [`SessionKeyError::Failed`] when the RSA key
    /// is too short.
    pub fn encrypt_to(&self, to: &PublicKey, rng: &mut impl CryptoRngCore) -> Result<Vec<u8>, SessionKeyError> {
        let mut plain = Zeroizing::new(self.cipher.code().to_be_bytes().to_vec());
        plain.extend_from_slice(&self.key);
        match to.material() {
            PublicMaterial::Rsa(key) => key.encrypt(rng, Pkcs1v15Encrypt, &plain).map_err(|_| SessionKeyError::Failed),
            PublicMaterial::Sm2(key) => Ok(sm2_scheme::encrypt(key, &plain, rng)),
            _ => Err(SessionKeyError::WrongKind),
        }
    }

    /// Decrypts what [`encrypt_to`](Self::encrypt_to) made. RSA is blinded by the random source; even so, servers
    /// should answer every failure alike and hold no long-lived RSA key for this, since the padding of PKCS#1 v1.5
    /// cannot be checked without leaving traces in time.
    ///
    /// # Errors
    /// [`SessionKeyError`] for what is no such ciphertext, or holds no key of a known cipher.
    pub fn decrypt_with(
        own: &PrivateKey,
        sealed: &[u8],
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, SessionKeyError> {
        let plain = match own.material() {
            PrivateMaterial::Rsa(key) => {
                let plain = key.decrypt_blinded(rng, Pkcs1v15Encrypt, sealed).map_err(|_| SessionKeyError::Failed)?;
                Zeroizing::new(plain)
            }
            PrivateMaterial::Sm2(key) => sm2_scheme::decrypt(key, sealed).ok_or(SessionKeyError::Failed)?,
            PrivateMaterial::Dsa(_) => return Err(SessionKeyError::WrongKind),
        };
        let (code, key) = plain.split_first_chunk::<4>().ok_or(SessionKeyError::Failed)?;
        let code = u32::from_be_bytes(*code);
        let cipher = SessionCipher::from_code(code).ok_or(SessionKeyError::UnknownCipher { code })?;
        Self::new(cipher, key)
    }

    /// Encrypts the content of a message (header, body, credential). For the vector 8 or 16 bytes of the random
    /// source are used, where the cipher and version have one.
    ///
    /// # Errors
    /// [`SessionKeyError::Failed`] never happens with a key this type let pass.
    pub fn encrypt(
        &self,
        version: Version,
        content: &[u8],
        rng: &mut impl CryptoRngCore,
    ) -> Result<Vec<u8>, SessionKeyError> {
        let mut iv = [0; 16];
        let cbc = version.at_least_2(4);
        let key = self.key.as_slice();
        let (iv_bytes, sealed) = match self.cipher {
            SessionCipher::Sm4 => (0, encrypt_cbc::<Sm4>(key, key, content)),
            SessionCipher::Aes if cbc => (16, encrypt_cbc::<Aes128>(first_16(key), fill(&mut iv, 16, rng), content)),
            SessionCipher::TripleDes if cbc => (8, encrypt_cbc::<TdesEde3>(key, fill(&mut iv, 8, rng), content)),
            SessionCipher::Des if cbc => (8, encrypt_cbc::<Des>(key, fill(&mut iv, 8, rng), content)),
            SessionCipher::Aes => (0, encrypt_ecb::<Aes128>(first_16(key), content)),
            SessionCipher::TripleDes => (0, encrypt_ecb::<TdesEde3>(key, content)),
            SessionCipher::Des => (0, encrypt_ecb::<Des>(key, content)),
        };
        let mut out = iv.get(..iv_bytes).unwrap_or_default().to_vec();
        out.extend(sealed.map_err(|_: BlockModeError| SessionKeyError::Failed)?);
        Ok(out)
    }

    /// Decrypts the content of a message. All that is wrong with it is one error, so that nothing can be learnt about
    /// the padding.
    ///
    /// # Errors
    /// [`SessionKeyError::Failed`] for what was not encrypted with this key in this version's way.
    pub fn decrypt(&self, version: Version, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SessionKeyError> {
        let cbc = version.at_least_2(4);
        let key = self.key.as_slice();
        let with_iv = |bytes| sealed.split_at_checked(bytes).ok_or(SessionKeyError::Failed);
        let plain = match self.cipher {
            SessionCipher::Sm4 => decrypt_cbc::<Sm4>(key, key, sealed),
            SessionCipher::Aes if cbc => {
                with_iv(16).map(|(iv, rest)| decrypt_cbc::<Aes128>(first_16(key), iv, rest))?
            }
            SessionCipher::TripleDes if cbc => with_iv(8).map(|(iv, rest)| decrypt_cbc::<TdesEde3>(key, iv, rest))?,
            SessionCipher::Des if cbc => with_iv(8).map(|(iv, rest)| decrypt_cbc::<Des>(key, iv, rest))?,
            SessionCipher::Aes => decrypt_ecb::<Aes128>(first_16(key), sealed),
            SessionCipher::TripleDes => decrypt_ecb::<TdesEde3>(key, sealed),
            SessionCipher::Des => decrypt_ecb::<Des>(key, sealed),
        };
        plain.map_err(|_| SessionKeyError::Failed)
    }

    /// Encrypts a whole message in place: sets the encrypted bit, adapts the message length.
    ///
    /// # Errors
    /// [`SessionKeyError::NotAMessage`] when there is no envelope or the ciphertext gets too long for a message.
    pub fn encrypt_message(&self, message: &mut Vec<u8>, rng: &mut impl CryptoRngCore) -> Result<(), SessionKeyError> {
        let envelope = Envelope::parse(message).map_err(|_| SessionKeyError::NotAMessage)?;
        let content = message.get(Envelope::LEN..).ok_or(SessionKeyError::NotAMessage)?;
        let sealed = self.encrypt(envelope.version, content, rng)?;
        let flags = envelope.flags.with(EnvelopeFlags::ENCRYPTED);
        rebuild(message, Envelope { flags, ..envelope }, &sealed)
    }

    /// Decrypts a whole message in place: clears the encrypted bit, adapts the message length, drops padding of the
    /// datagram.
    ///
    /// # Errors
    /// [`SessionKeyError::NotAMessage`] when the bytes are no encrypted message; [`SessionKeyError::Failed`] when
    /// they were not encrypted with this key.
    pub fn decrypt_message(&self, message: &mut Vec<u8>) -> Result<(), SessionKeyError> {
        let envelope = Envelope::parse(message).map_err(|_| SessionKeyError::NotAMessage)?;
        if !envelope.flags.is_encrypted() || envelope.message_length > MAX_MESSAGE_BYTES {
            return Err(SessionKeyError::NotAMessage);
        }
        let sealed = message.get(Envelope::LEN..).and_then(|rest| rest.get(..envelope.message_length as usize));
        let content = self.decrypt(envelope.version, sealed.ok_or(SessionKeyError::NotAMessage)?)?;
        let flags = envelope.flags.without(EnvelopeFlags::ENCRYPTED);
        rebuild(message, Envelope { flags, ..envelope }, &content)
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKey").field("cipher", &self.cipher).finish_non_exhaustive()
    }
}

/// Replaces a message's content.
fn rebuild(message: &mut Vec<u8>, envelope: Envelope, content: &[u8]) -> Result<(), SessionKeyError> {
    let length = u32::try_from(content.len()).ok().filter(|length| *length <= MAX_MESSAGE_BYTES);
    let message_length = length.ok_or(SessionKeyError::NotAMessage)?;
    message.clear();
    message.extend_from_slice(&Envelope { message_length, ..envelope }.to_bytes());
    message.extend_from_slice(content);
    Ok(())
}

fn first_16(key: &[u8]) -> &[u8] {
    key.get(..16).unwrap_or(key)
}

/// Fills the first bytes of a vector.
fn fill<'a>(iv: &'a mut [u8; 16], bytes: usize, rng: &mut impl CryptoRngCore) -> &'a [u8] {
    let iv = iv.get_mut(..bytes).unwrap_or_default();
    rng.fill_bytes(iv);
    iv
}

/// Sets the lowest bit of each byte so that it has an odd number of set bits.
fn odd_parity(key: &[u8]) -> Zeroizing<Vec<u8>> {
    let odd = |byte: &u8| (byte & 0xfe) | u8::from((byte >> 1).count_ones().is_multiple_of(2));
    Zeroizing::new(key.iter().map(odd).collect())
}

/// Why a session key could not be made, moved or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SessionKeyError {
    /// The cipher has no keys of this length.
    #[error("session key of {bytes} bytes does not fit {cipher:?}")]
    Length {
        /// The cipher named.
        cipher: SessionCipher,
        /// The length of the key.
        bytes: usize,
    },
    /// The code names no cipher.
    #[error("session key for unknown cipher {code}")]
    UnknownCipher {
        /// The code.
        code: u32,
    },
    /// The public or private key is none that transports session keys.
    #[error("session keys need an RSA or SM2 key for transport")]
    WrongKind,
    /// The bytes were not encrypted with this key.
    #[error("session data cannot be decrypted")]
    Failed,
    /// The bytes are no message that can be encrypted or decrypted.
    #[error("not a message to encrypt or decrypt")]
    NotAMessage,
}

#[cfg(test)]
mod tests {
    use rand_core::OsRng;

    use super::*;

    const ALL: [SessionCipher; 4] =
        [SessionCipher::Des, SessionCipher::TripleDes, SessionCipher::Aes, SessionCipher::Sm4];

    #[test]
    fn every_cipher_gives_back_what_it_took() {
        for cipher in ALL {
            let key = SessionKey::generate(cipher, &mut OsRng);
            for (minor, length) in [(3, 0), (3, 16), (4, 0), (4, 31), (11, 16), (11, 4000)] {
                let (version, content) = (Version::new(2, minor), vec![9; length]);
                let sealed = key.encrypt(version, &content, &mut OsRng).unwrap();
                assert_eq!(key.decrypt(version, &sealed).unwrap().as_slice(), content, "{cipher:?} 2.{minor}");
                assert_ne!(key.decrypt(version, &sealed[1..]).map(|plain| plain.to_vec()), Ok(content));
            }
            assert_eq!(key.decrypt(Version::CURRENT, b""), Err(SessionKeyError::Failed));
        }
    }

    #[test]
    fn keys_of_other_lengths_are_refused() {
        for (cipher, fitting) in [
            (SessionCipher::Des, vec![8]),
            (SessionCipher::TripleDes, vec![24]),
            (SessionCipher::Aes, vec![16, 32]),
            (SessionCipher::Sm4, vec![16]),
        ] {
            for bytes in 0..64 {
                let key = SessionKey::new(cipher, &vec![1; bytes]);
                assert_eq!(key.is_ok(), fitting.contains(&bytes), "{cipher:?} {bytes}");
            }
        }
    }

    #[test]
    fn keys_travel_to_their_owner_only() {
        let (own, other) =
            (PrivateKey::generate_rsa(1024, &mut OsRng).unwrap(), PrivateKey::generate_rsa(1024, &mut OsRng).unwrap());
        for cipher in ALL {
            let key = SessionKey::generate(cipher, &mut OsRng);
            let sealed = key.encrypt_to(&own.public_key(), &mut OsRng).unwrap();
            let got = SessionKey::decrypt_with(&own, &sealed, &mut OsRng).unwrap();
            assert_eq!((got.cipher, got.bytes()), (cipher, key.bytes()));
            assert!(SessionKey::decrypt_with(&other, &sealed, &mut OsRng).is_err());
        }
        let PublicMaterial::Rsa(to) = own.public_key().material().clone() else { panic!("not rsa") };
        let unknown = to.encrypt(&mut OsRng, Pkcs1v15Encrypt, &[0, 0, 0, 9, 1]).unwrap();
        let error = SessionKey::decrypt_with(&own, &unknown, &mut OsRng).err();
        assert_eq!(error, Some(SessionKeyError::UnknownCipher { code: 9 }));
    }

    #[test]
    fn whole_messages_change_length_and_bit() {
        let key = SessionKey::generate(SessionCipher::Aes, &mut OsRng);
        let mut message = vec![2, 11, 2, 11, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 28];
        message.extend([3; 28]);
        let plain = message.clone();
        assert_eq!(key.decrypt_message(&mut message), Err(SessionKeyError::NotAMessage));
        key.encrypt_message(&mut message, &mut OsRng).unwrap();
        let envelope = Envelope::parse(&message).unwrap();
        assert!(envelope.flags.is_encrypted());
        assert_eq!(envelope.message_length as usize, message.len() - Envelope::LEN);
        message.extend([0; 7]);
        key.decrypt_message(&mut message).unwrap();
        assert_eq!(message, plain);
    }

    #[test]
    fn messages_that_claim_too_much_are_refused() {
        let key = SessionKey::generate(SessionCipher::Aes, &mut OsRng);
        for length in [33, MAX_MESSAGE_BYTES + 1, u32::MAX] {
            let mut message = vec![2, 11, 0x42, 11, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 0];
            message.extend(length.to_be_bytes());
            message.extend([0; 32]);
            assert_eq!(key.decrypt_message(&mut message), Err(SessionKeyError::NotAMessage));
        }
        let mut long = vec![2, 11, 2, 11];
        long.resize(Envelope::LEN + MAX_MESSAGE_BYTES as usize, 0);
        assert_eq!(key.encrypt_message(&mut long, &mut OsRng), Err(SessionKeyError::NotAMessage));
    }

    #[test]
    fn parity_is_odd_and_touches_only_the_lowest_bit() {
        for byte in 0..=u8::MAX {
            let adjusted = odd_parity(&[byte]);
            assert_eq!(adjusted[0].count_ones() % 2, 1);
            assert_eq!(adjusted[0] >> 1, byte >> 1);
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = SessionKey::new(SessionCipher::Des, b"password").unwrap();
        assert_eq!(format!("{key:?}"), "SessionKey { cipher: Des, .. }");
    }
}
