//! The node's audit key: Ed25519, made by the node, kept in a file of its operator's choice.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::hash::Digest;

/// The key that signs checkpoints. Never printed.
pub struct AuditKey {
    pair: Ed25519KeyPair,
}

/// What verifies its signatures; 32 bytes, as text 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub [u8; 32]);

impl AuditKey {
    /// A new key, and its PKCS#8 form (RFC 5958, with the public key) for a file only its owner can read.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn generate() -> Result<(Self, Zeroizing<Vec<u8>>), KeyError> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::Random)?;
        let der = Zeroizing::new(document.as_ref().to_vec());
        Ok((Self::from_pkcs8(&der)?, der))
    }

    /// A key from its PKCS#8 form in DER, with or without the public key.
    ///
    /// # Errors
    /// Not an Ed25519 key, or one whose public key is another's.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| KeyError::Form)?;
        Ok(Self { pair })
    }

    /// What verifies its signatures.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        // Ed25519 has public keys of 32 bytes.
        PublicKey(self.pair.public_key().as_ref().try_into().unwrap_or_default())
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        let signature = self.pair.try_sign(message).map_err(|_| KeyError::Sign)?;
        signature.as_ref().try_into().map_err(|_| KeyError::Sign)
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditKey").field("public", &self.public_key()).finish_non_exhaustive()
    }
}

impl PublicKey {
    /// Its SHA-256: what checkpoints name the key by.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        Digest(Sha256::digest(self.0).into())
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

/// What is wrong with an audit key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The system gave no random bytes.
    #[error("no random bytes for a new audit key")]
    Random,
    /// Not an Ed25519 key in PKCS#8 form.
    #[error("not an Ed25519 key in PKCS#8 form")]
    Form,
    /// It cannot sign.
    #[error("the audit key cannot sign")]
    Sign,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_from_its_file_form() {
        let (key, der) = AuditKey::generate().unwrap();
        let again = AuditKey::from_pkcs8(&der).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        assert_eq!(key.public_key().to_string().parse(), Ok(key.public_key()));
        for length in 0..der.len() {
            assert!(matches!(AuditKey::from_pkcs8(&der[..length]), Err(KeyError::Form)));
        }
    }

    #[test]
    fn signatures_are_those_of_the_standard() {
        // RFC 8032 section 7.1, test 1: the empty message.
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let der = hex::decode(format!("302e020100300506032b657004220420{seed}")).unwrap();
        let key = AuditKey::from_pkcs8(&der).unwrap();
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let signature = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
        assert_eq!(key.public_key().to_string(), public);
        assert_eq!(hex::encode(key.sign(b"").unwrap()), signature);
    }

    #[test]
    fn nothing_prints_the_secret() {
        let (key, der) = AuditKey::generate().unwrap();
        let seed = hex::encode(&der[16..48]);
        assert!(!format!("{key:?}").contains(&seed));
    }
}
