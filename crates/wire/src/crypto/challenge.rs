//! Challenges and their answers: proof of an identity, without the secret travelling.
//!
//! A server sends a nonce with the digest of the request; the answer signs both, `nonce, digest` as raw bytes. With a
//! secret key (HS_SECKEY) the signed response is a code of [`mac`](super::mac). With a key pair (HS_PUBKEY) it is
//!
//! ```text
//! string name of the digest, bytes signature
//! ```
//!
//! RSA and DSA sign the bytes with the digest named; SM2 signs their SM3 digest (so SM3 works twice), as the user
//! whose id is the text of the user's handle.

use rand_core::CryptoRngCore;
use sm3::{Digest, Sm3};
use thiserror::Error;

use super::digest::DigestAlgorithm;
use super::mac::{self, MacAlgorithm};
use super::private_key::{PrivateKey, SignError};
use super::public_key::{KeyAlgorithm, PublicKey, VerifyError};
use crate::error::DecodeError;
use crate::primitives::{Reader, Sink};
use crate::version::Version;

/// Authentication type of answers made with a secret key.
pub const SECRET_KEY_TYPE: &[u8] = b"HS_SECKEY";

/// Authentication type of answers made with a key pair.
pub const PUBLIC_KEY_TYPE: &[u8] = b"HS_PUBKEY";

/// What an answer signs: the nonce and digest of a challenge, and whose answer it is.
#[derive(Clone, Copy, Debug)]
pub struct Challenge<'a> {
    /// Version of the message that carries the answer.
    pub version: Version,
    /// The server's nonce.
    pub nonce: &'a [u8],
    /// The digest of the original request, its bytes only.
    pub digest: &'a [u8],
}

impl Challenge<'_> {
    fn parts(&self) -> [&[u8]; 2] {
        [self.nonce, self.digest]
    }

    /// SM2 keys sign this instead of the parts.
    fn sm3(&self) -> [u8; 32] {
        Sm3::new().chain_update(self.nonce).chain_update(self.digest).finalize().into()
    }

    /// The signed response of someone who knows the secret, with the algorithm clients use in this version.
    #[must_use]
    pub fn answer_with_secret(&self, secret: &[u8], rng: &mut impl CryptoRngCore) -> Vec<u8> {
        mac::sign(self.version, MacAlgorithm::of_version(self.version), secret, &self.parts(), rng)
    }

    /// Checks a signed response against the secret.
    ///
    /// # Errors
    /// As [`mac::verify`].
    pub fn verify_secret(&self, secret: &[u8], response: &[u8], max_iterations: u32) -> Result<(), AnswerError> {
        mac::verify(self.version, secret, &self.parts(), response, max_iterations)
    }

    /// The signed response of the owner of a key pair, who is the user of this handle.
    ///
    /// # Errors
    /// As [`PrivateKey::sign`] and [`PrivateKey::sign_sm2`].
    pub fn answer_with_key(
        &self,
        key: &PrivateKey,
        user_handle: &[u8],
        rng: &mut impl CryptoRngCore,
    ) -> Result<Vec<u8>, SignError> {
        let mut out = Vec::new();
        if key.algorithm() == KeyAlgorithm::Sm2 {
            out.put_bytes(SM3);
            out.put_bytes(&key.sign_sm2(user_handle, &self.sm3(), rng)?);
        } else {
            let digest = signature_digest(key.algorithm(), self.version);
            out.put_bytes(digest.name());
            out.put_bytes(&key.sign(digest, &self.parts(), rng)?);
        }
        Ok(out)
    }

    /// Checks a signed response against a public key of the user of this handle. The digest is the one the response
    /// names, as clients of every version choose their own.
    ///
    /// # Errors
    /// [`AnswerError`]: empty, malformed, an unknown digest, a key that signs nothing, or simply not right.
    pub fn verify_key(&self, key: &PublicKey, user_handle: &[u8], response: &[u8]) -> Result<(), AnswerError> {
        if response.is_empty() {
            return Err(AnswerError::Empty);
        }
        let mut reader = Reader::new(response);
        let name = reader.bytes()?;
        let signature = reader.bytes()?;
        reader.expect_end()?;
        if key.algorithm() == KeyAlgorithm::Sm2 {
            if name != SM3 {
                return Err(AnswerError::UnknownAlgorithm);
            }
            return Ok(key.verify_sm2(user_handle, &self.sm3(), signature)?);
        }
        let digest = DigestAlgorithm::from_name(name).ok_or(AnswerError::UnknownAlgorithm)?;
        Ok(key.verify(digest, &self.parts(), signature)?)
    }
}

/// The digest signatures of a key use in a version: SHA-256 for RSA since 2.7 and for DSA since 2.11, else SHA-1.
#[must_use]
pub const fn signature_digest(key: KeyAlgorithm, version: Version) -> DigestAlgorithm {
    let since = if matches!(key, KeyAlgorithm::Dsa) { 11 } else { 7 };
    if version.at_least_2(since) { DigestAlgorithm::Sha256 } else { DigestAlgorithm::Sha1 }
}

/// Why the answer to a challenge was not accepted. Servers map [`Empty`](Self::Empty) to response code 406, all else
/// to 403.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The signed response has no bytes.
    #[error("signed response is empty")]
    Empty,
    /// The signed response has broken fields.
    #[error("signed response is malformed")]
    Malformed(#[from] DecodeError),
    /// The algorithm or digest it names is unknown, or none for this key.
    #[error("signed response names an unknown algorithm")]
    UnknownAlgorithm,
    /// It asks for more work than we do for a stranger.
    #[error("signed response asks for {asked} iterations, the limit is {limit}")]
    TooManyIterations {
        /// Iterations asked for.
        asked: u32,
        /// The most we work.
        limit: u32,
    },
    /// Its parameters are outside what clients send.
    #[error("signed response has parameters out of range")]
    BadParameters,
    /// The key on record makes no signatures.
    #[error("key on record cannot sign answers")]
    WrongKind,
    /// It is not what the owner of the key would have sent.
    #[error("signed response does not match")]
    Mismatch,
}

impl From<VerifyError> for AnswerError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Mismatch => Self::Mismatch,
            VerifyError::WrongKind => Self::WrongKind,
        }
    }
}

/// The digest name of SM2 signatures.
const SM3: &[u8] = b"SM3";

#[cfg(test)]
mod tests {
    use rand_core::OsRng;

    use super::super::digest::request_digest;
    use super::*;

    fn framed(name: &[u8], signature: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_bytes(name);
        out.put_bytes(signature);
        out
    }

    #[test]
    fn a_signature_proves_nonce_request_and_key() {
        let (key, other) =
            (PrivateKey::generate_rsa(1024, &mut OsRng).unwrap(), PrivateKey::generate_rsa(1024, &mut OsRng).unwrap());
        let digest = request_digest(Version::CURRENT, b"request");
        let challenge = Challenge { version: Version::CURRENT, nonce: b"nonce", digest: digest.as_bytes() };
        let response = challenge.answer_with_key(&key, b"0.NA/1", &mut OsRng).unwrap();
        let public = key.public_key();
        assert_eq!(challenge.verify_key(&public, b"0.NA/1", &response), Ok(()));
        assert_eq!(challenge.verify_key(&other.public_key(), b"0.NA/1", &response), Err(AnswerError::Mismatch));
        let elsewhere = Challenge { nonce: b"noncf", ..challenge };
        assert_eq!(elsewhere.verify_key(&public, b"0.NA/1", &response), Err(AnswerError::Mismatch));
        let request = request_digest(Version::CURRENT, b"Request");
        let elsewhere = Challenge { digest: request.as_bytes(), ..challenge };
        assert_eq!(elsewhere.verify_key(&public, b"0.NA/1", &response), Err(AnswerError::Mismatch));
    }

    #[test]
    fn the_digest_of_a_signature_follows_version_and_key() {
        let digest = |key, minor| signature_digest(key, Version::new(2, minor));
        assert_eq!(digest(KeyAlgorithm::Rsa, 6), DigestAlgorithm::Sha1);
        assert_eq!(digest(KeyAlgorithm::Rsa, 7), DigestAlgorithm::Sha256);
        assert_eq!(digest(KeyAlgorithm::Dsa, 10), DigestAlgorithm::Sha1);
        assert_eq!(digest(KeyAlgorithm::Dsa, 11), DigestAlgorithm::Sha256);
    }

    #[test]
    fn old_spellings_of_the_digest_are_accepted() {
        let key = PrivateKey::generate_rsa(1024, &mut OsRng).unwrap();
        let digest = request_digest(Version::CURRENT, b"request");
        let challenge = Challenge { version: Version::CURRENT, nonce: b"nonce", digest: digest.as_bytes() };
        for (algorithm, name) in [
            (DigestAlgorithm::Md5, b"MD5".as_slice()),
            (DigestAlgorithm::Md5, &[1]),
            (DigestAlgorithm::Sha1, b"SHA-1"),
            (DigestAlgorithm::Sha1, &[2]),
            (DigestAlgorithm::Sha256, b"SHA256"),
            (DigestAlgorithm::Sha256, &[3]),
        ] {
            let signature = key.sign(algorithm, &challenge.parts(), &mut OsRng).unwrap();
            assert_eq!(challenge.verify_key(&key.public_key(), b"u", &framed(name, &signature)), Ok(()), "{name:?}");
        }
    }

    #[test]
    fn tells_what_is_wrong_with_a_response() {
        let key = PrivateKey::generate_rsa(1024, &mut OsRng).unwrap().public_key();
        let digest = request_digest(Version::CURRENT, b"request");
        let challenge = Challenge { version: Version::CURRENT, nonce: b"nonce", digest: digest.as_bytes() };
        let error = |response: &[u8]| challenge.verify_key(&key, b"u", response).err();
        assert_eq!(error(b""), Some(AnswerError::Empty));
        assert!(matches!(error(b"SHA1"), Some(AnswerError::Malformed(_))));
        assert_eq!(error(&framed(b"SHA3", b"x")), Some(AnswerError::UnknownAlgorithm));
        assert_eq!(error(&framed(b"SM3", b"x")), Some(AnswerError::UnknownAlgorithm));
        assert_eq!(error(&framed(b"SHA1", b"")), Some(AnswerError::Mismatch));
        let dh = super::super::dh::DhSecret::generate(&mut OsRng).public_key();
        assert_eq!(challenge.verify_key(&dh, b"u", &framed(b"SHA1", b"x")), Err(AnswerError::WrongKind));
    }
}
