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

use rand_core::CryptoRngCore;
use rsa::Pkcs1v15Encrypt;
use thiserror::Error;
use zeroize::Zeroizing;

use super::dh::SharedSecret;
use super::private_key::{PrivateKey, PrivateMaterial};
use super::public_key::{PublicKey, PublicMaterial};
use super::sm2_scheme;

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

    /// The key both sides derive from an agreed secret: its first 8, 24 or 32 bytes, for DES and 3DES with odd parity.
    ///
    /// # Errors
    /// [`SessionKeyError::UnknownCipher`] for SM4, whose keys are transported and never derived.
    pub fn derive(cipher: SessionCipher, secret: &SharedSecret) -> Result<Self, SessionKeyError> {
        let key = match cipher {
            SessionCipher::Des => odd_parity(&*secret.leading::<8>()),
            SessionCipher::TripleDes => odd_parity(&*secret.leading::<24>()),
            SessionCipher::Aes => Zeroizing::new(secret.leading::<32>().to_vec()),
            SessionCipher::Sm4 => return Err(SessionKeyError::UnknownCipher { code: cipher.code() }),
        };
        Ok(Self { cipher, key })
    }

    /// The cipher the key is for.
    #[must_use]
    pub const fn cipher(&self) -> SessionCipher {
        self.cipher
    }

    /// All bytes of the key, as message authentication uses them. They are the secret itself.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
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
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKey").field("cipher", &self.cipher).finish_non_exhaustive()
    }
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

    #[test]
    fn sm4_keys_are_not_derived() {
        let secret = super::super::dh::DhSecret::generate(&mut OsRng);
        let shared = secret.agree(&secret.public_key()).unwrap();
        assert_eq!(
            SessionKey::derive(SessionCipher::Sm4, &shared).err(),
            Some(SessionKeyError::UnknownCipher { code: 4 })
        );
    }
}
