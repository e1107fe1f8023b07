//! Answers to challenges, and their verification by another server (RFC 3652 sections 3.5.2 and 3.5.3).

use crate::crypto::digest::{DigestAlgorithm, RequestDigest};
use crate::error::DecodeError;
use crate::lists::Reference;
use crate::primitives::{Reader, Sink};

/// The answer to a challenge; the session id of the message names the challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChallengeAnswer<'a> {
    /// `HS_SECKEY` or `HS_PUBKEY`.
    pub auth_type: &'a [u8],
    /// Who answers: handle and index of the key. Index 0 means any secret key of the handle.
    pub user: Reference<'a>,
    /// The proof: a MAC, or digest name and signature.
    pub signed_response: &'a [u8],
}

impl<'a> ChallengeAnswer<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// That of the first field that is not right.
    pub fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { auth_type: reader.bytes()?, user: Reference::parse(reader)?, signed_response: reader.bytes()? })
    }

    /// Writes the body.
    pub fn write(&self, out: &mut (impl Sink + ?Sized)) {
        out.put_bytes(self.auth_type);
        self.user.write(out);
        out.put_bytes(self.signed_response);
    }
}

/// Asks the server that holds a secret key whether an answer made with it is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyAnswer<'a> {
    /// Handle and index of the secret key.
    pub user: Reference<'a>,
    /// The nonce of the challenge.
    pub nonce: &'a [u8],
    /// The digest of the challenge.
    pub digest: DigestField<'a>,
    /// The proof to verify.
    pub signed_response: &'a [u8],
}

impl<'a> VerifyAnswer<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// That of the first field that is not right; [`DecodeError::UnknownDigestAlgorithm`].
    pub fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let user = Reference::parse(reader)?;
        let nonce = reader.bytes()?;
        let digest = DigestField::parse(reader)?;
        Ok(Self { user, nonce, digest, signed_response: reader.bytes()? })
    }

    /// Writes the body.
    pub fn write(&self, out: &mut (impl Sink + ?Sized)) {
        self.user.write(out);
        out.put_bytes(self.nonce);
        self.digest.write(out);
        out.put_bytes(self.signed_response);
    }
}

/// A request digest inside a request: u8 algorithm and the digest, or in the old format `bytes`, whose first length
/// byte of 0 tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestField<'a> {
    /// With its algorithm.
    Typed(RequestDigest),
    /// The old format, from which only the length tells the algorithm.
    Untyped(&'a [u8]),
}

impl<'a> DigestField<'a> {
    /// Reads the field.
    ///
    /// # Errors
    /// [`DecodeError::UnknownDigestAlgorithm`], or that of bytes which are not all there.
    pub fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        match reader.peek().first() {
            Some(0) => reader.bytes().map(Self::Untyped),
            _ => read_digest(reader).map(Self::Typed),
        }
    }

    /// Writes the field.
    pub fn write(&self, out: &mut (impl Sink + ?Sized)) {
        match self {
            Self::Typed(digest) => put_digest(out, digest),
            Self::Untyped(bytes) => out.put_bytes(bytes),
        }
    }

    /// The digest without regard to its format: what signatures cover.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Typed(digest) => digest.as_bytes(),
            Self::Untyped(bytes) => bytes,
        }
    }
}

/// Reads u8 algorithm and the digest.
pub(crate) fn read_digest(reader: &mut Reader<'_>) -> Result<RequestDigest, DecodeError> {
    let code = reader.u8()?;
    let unknown = DecodeError::UnknownDigestAlgorithm(code);
    let algorithm = DigestAlgorithm::from_code(code).ok_or(unknown)?;
    let bytes = reader.take(algorithm.digest_bytes())?;
    RequestDigest::new(algorithm, bytes).ok_or(unknown)
}

/// Writes u8 algorithm and the digest.
pub(crate) fn put_digest(out: &mut (impl Sink + ?Sized), digest: &RequestDigest) {
    out.put_u8(digest.algorithm().code());
    out.put(digest.as_bytes());
}
