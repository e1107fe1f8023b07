//! Signing and checking whole messages: certified responses (HS_SIGNED) and session messages (HS_MAC).
//!
//! What is signed in front of header and body depends on the version of the message:
//!
//! | version | in front |
//! | --- | --- |
//! | 2.8 and later | major, minor, suggested major, suggested minor, session id, request id, counter |
//! | 2.7 | the same without the two suggested bytes |
//! | 2.6 | major, minor, two high bytes of the session id, counter, six zero bytes |
//! | 2.5 and before | nothing |
//!
//! The row of 2.6, and what session codes of 2.5 and 2.6 are made from, are bugs of the first implementation that
//! everybody has to share. Both the request id and, since 2.6, the counter keep old answers from being sent again.

use rand_core::CryptoRngCore;
use thiserror::Error;

use super::challenge::signature_digest;
use super::credential::{Credential, LEGACY_DSA_TYPE, MAC_TYPE, SIGNED_TYPE, Signature};
use super::digest::DigestAlgorithm;
use super::mac;
use super::private_key::{PrivateKey, SignError};
use super::public_key::{PublicKey, VerifyError};
use super::session::SessionKey;
use crate::codes::OpFlags;
use crate::envelope::Envelope;
use crate::error::DecodeError;
use crate::header::Header;
use crate::limits::MAX_MESSAGE_BYTES;
use crate::message::Message;
use crate::primitives::Sink;
use crate::version::Version;

/// Certifies a finished response: sets the CERT flag and replaces the credential with a signature of the key.
///
/// # Errors
/// [`CertifyError`] when the bytes are no message, the result would be too long for one, or the key does not sign.
/// The message is then of no use.
pub fn certify_response(
    message: &mut Vec<u8>,
    key: &PrivateKey,
    rng: &mut impl CryptoRngCore,
) -> Result<(), CertifyError> {
    let envelope = prepare(message)?;
    let prefix = Prefix::of(&envelope, 0);
    let digest = signature_digest(key.algorithm(), envelope.version);
    let signature = key.sign(digest, &[prefix.as_bytes(), signed_bytes(message)], rng)?;
    append(message, envelope, SIGNED_TYPE, 0, name_of(digest, envelope.version), &signature)
}

/// Checks the signature of a certified response against the key of the server that was asked.
///
/// The digest must be the one of the message's version, or a stronger one. Whether the response has expired and
/// answers the right request is for the caller.
///
/// # Errors
/// [`CertifiedError`] when there is no signature, or not the right one.
pub fn verify_certified(message: &Message<'_>, key: &PublicKey) -> Result<(), CertifiedError> {
    let credential = Credential::parse(message.credential.ok_or(CertifiedError::Missing)?)?;
    if credential.kind != SIGNED_TYPE && credential.kind != LEGACY_DSA_TYPE {
        return Err(CertifiedError::OtherType);
    }
    let Signature { digest_name, signature } = credential.signature()?;
    let digest = DigestAlgorithm::from_name(digest_name).ok_or(CertifiedError::OtherDigest)?;
    if digest.digest_bytes() < signature_digest(key.algorithm(), message.envelope.version).digest_bytes() {
        return Err(CertifiedError::OtherDigest);
    }
    let prefix = Prefix::of(&message.envelope, credential.session_counter);
    Ok(key.verify(digest, &[prefix.as_bytes(), message.signed], signature)?)
}

/// Authenticates a finished message of a session: sets the CERT flag and replaces the credential with a code of the
/// session's key. The counter starts at 1 and must grow with every message of ours.
///
/// # Errors
/// As [`certify_response`].
pub fn authenticate(message: &mut Vec<u8>, key: &SessionKey, counter: u32) -> Result<(), CertifyError> {
    let envelope = prepare(message)?;
    let code = session_code(&envelope, counter, signed_bytes(message), key);
    let name: &[u8] =
        if envelope.version.at_least_2(7) { HMAC_SHA256 } else { name_of(DigestAlgorithm::Sha1, envelope.version) };
    append(message, envelope, MAC_TYPE, counter, name, &code)
}

/// Checks the code of a session's message, in constant time, and gives its counter, which is for a
/// [`ReplayWindow`](super::replay::ReplayWindow) next.
///
/// # Errors
/// [`CertifiedError`] when there is no code, or not the right one.
pub fn verify_authenticated(message: &Message<'_>, key: &SessionKey) -> Result<u32, CertifiedError> {
    let credential = Credential::parse(message.credential.ok_or(CertifiedError::Missing)?)?;
    if credential.kind != MAC_TYPE {
        return Err(CertifiedError::OtherType);
    }
    let Signature { digest_name, signature } = credential.signature()?;
    let named_right = if message.envelope.version.at_least_2(7) {
        digest_name == HMAC_SHA256
    } else {
        DigestAlgorithm::from_name(digest_name) == Some(DigestAlgorithm::Sha1)
    };
    if !named_right {
        return Err(CertifiedError::OtherDigest);
    }
    let expected = session_code(&message.envelope, credential.session_counter, message.signed, key);
    mac::compare(&expected, signature).map_err(|_| CertifiedError::Mismatch)?;
    Ok(credential.session_counter)
}

/// The code of a session's message, by the rules of its version.
fn session_code(envelope: &Envelope, counter: u32, signed: &[u8], key: &SessionKey) -> Vec<u8> {
    let key = key.bytes();
    let version = envelope.version;
    if version.at_least_2(7) {
        return mac::hmac_sha256(key, &[Prefix::of(envelope, counter).as_bytes(), signed]);
    }
    let digest = if version.at_least_2(5) {
        let zeros = vec![0; key.len().saturating_add(10)];
        DigestAlgorithm::Sha1.digest(&[key.get(..4).unwrap_or(key), signed, key, &zeros])
    } else {
        DigestAlgorithm::Sha1.digest(&[key, signed, key])
    };
    digest.as_bytes().to_vec()
}

/// The name written for a digest: as text since 2.6, as its code byte before.
fn name_of(digest: DigestAlgorithm, version: Version) -> &'static [u8] {
    match digest {
        _ if version.at_least_2(6) => digest.name(),
        DigestAlgorithm::Md5 => &[1],
        DigestAlgorithm::Sha1 => &[2],
        DigestAlgorithm::Sha256 => &[3],
    }
}

/// What is signed in front of header and body.
struct Prefix {
    bytes: [u8; 16],
    length: usize,
}

impl Prefix {
    fn of(envelope: &Envelope, counter: u32) -> Self {
        let Version { major, minor } = envelope.version;
        let suggested = envelope.suggestion();
        let [s0, s1, s2, s3] = envelope.session_id.to_be_bytes();
        let [r0, r1, r2, r3] = envelope.request_id.to_be_bytes();
        let [c0, c1, c2, c3] = counter.to_be_bytes();
        let (high, low) = (suggested.major, suggested.minor);
        let (bytes, length) = if envelope.version.at_least_2(8) {
            ([major, minor, high, low, s0, s1, s2, s3, r0, r1, r2, r3, c0, c1, c2, c3], 16)
        } else if envelope.version.at_least_2(7) {
            ([major, minor, s0, s1, s2, s3, r0, r1, r2, r3, c0, c1, c2, c3, 0, 0], 14)
        } else if envelope.version.at_least_2(6) {
            ([major, minor, s0, s1, c0, c1, c2, c3, 0, 0, 0, 0, 0, 0, 0, 0], 14)
        } else {
            ([0; 16], 0)
        };
        Self { bytes, length }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Cuts a message behind its body and sets the CERT flag.
fn prepare(message: &mut Vec<u8>) -> Result<Envelope, CertifyError> {
    let envelope = Envelope::parse(message)?;
    if envelope.flags.is_encrypted() {
        return Err(DecodeError::Encrypted.into());
    }
    let end = {
        let head = message.get_mut(Envelope::LEN..).unwrap_or_default();
        let mut header = Header::parse(head)?;
        header.flags = header.flags.with(OpFlags::CERT);
        let needed = Header::LEN.saturating_add(header.body_length as usize);
        if needed > head.len() {
            return Err(DecodeError::Truncated { needed, left: head.len() }.into());
        }
        if let Some(place) = head.first_chunk_mut() {
            *place = header.to_bytes();
        }
        needed
    };
    message.truncate(Envelope::LEN.saturating_add(end));
    Ok(envelope)
}

/// Header and body of a message that ends behind its body.
fn signed_bytes(message: &[u8]) -> &[u8] {
    message.get(Envelope::LEN..).unwrap_or_default()
}

/// Puts a credential behind a message that ends behind its body.
fn append(
    message: &mut Vec<u8>,
    envelope: Envelope,
    kind: &[u8],
    session_counter: u32,
    digest_name: &[u8],
    signature: &[u8],
) -> Result<(), CertifyError> {
    let mut section = Vec::new();
    Signature { digest_name, signature }.encode_into(&mut section);
    let mut credential = Vec::new();
    Credential { version: 0, reserved: 0, flags: 0, signer: b"", session_counter, kind, section: &section }
        .encode_into(&mut credential);
    message.put_bytes(&credential);
    let length = u32::try_from(message.len().saturating_sub(Envelope::LEN)).unwrap_or(u32::MAX);
    if length > MAX_MESSAGE_BYTES {
        return Err(DecodeError::MessageTooLong { length, limit: MAX_MESSAGE_BYTES }.into());
    }
    let envelope = Envelope { message_length: length, ..envelope };
    if let Some(place) = message.first_chunk_mut() {
        *place = envelope.to_bytes();
    }
    Ok(())
}

/// Why a message was not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CertifyError {
    /// The bytes are no message, or the signed message would be too long.
    #[error("not a message to sign")]
    NotAMessage(#[from] DecodeError),
    /// The key did not sign.
    #[error("message was not signed")]
    Key(#[from] SignError),
}

/// Why a message does not count as signed by the right party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CertifiedError {
    /// The message has no credential.
    #[error("message carries no signature")]
    Missing,
    /// The credential is malformed.
    #[error("signature is malformed")]
    Malformed(#[from] DecodeError),
    /// The credential is of another type than the one that was needed.
    #[error("signature is of another type")]
    OtherType,
    /// The digest it names is unknown, or weaker than what the version of the message demands.
    #[error("signature uses a digest that is unknown or too weak")]
    OtherDigest,
    /// The signature is not that of the key over this message.
    #[error("signature does not match")]
    Mismatch,
    /// The key makes no such signatures.
    #[error("key cannot make this kind of signature")]
    WrongKind,
}

impl From<VerifyError> for CertifiedError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Mismatch => Self::Mismatch,
            VerifyError::WrongKind => Self::WrongKind,
        }
    }
}

/// The name of the code of session messages since 2.7.
const HMAC_SHA256: &[u8] = b"HMAC-SHA256";

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(minor: u8, counter: u32) -> Vec<u8> {
        let envelope = [2, minor, 2, 10, 0x11, 0x22, 0x33, 0x44, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 24];
        Prefix::of(&Envelope::parse(&envelope).unwrap(), counter).as_bytes().to_vec()
    }

    #[test]
    fn each_version_signs_its_own_prefix() {
        let full = [2, 8, 2, 10, 0x11, 0x22, 0x33, 0x44, 1, 2, 3, 4, 0, 0, 0, 7];
        assert_eq!(prefix(8, 7), full);
        assert_eq!(prefix(11, 7)[2..], full[2..]);
        assert_eq!(prefix(7, 7), [2, 7, 0x11, 0x22, 0x33, 0x44, 1, 2, 3, 4, 0, 0, 0, 7]);
        assert_eq!(prefix(6, 7), [2, 6, 0x11, 0x22, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0]);
        assert!(prefix(5, 7).is_empty());
        assert!(prefix(0, 7).is_empty());
    }

    #[test]
    fn names_are_text_since_2_6() {
        assert_eq!(name_of(DigestAlgorithm::Sha1, Version::new(2, 5)), [2]);
        assert_eq!(name_of(DigestAlgorithm::Sha1, Version::new(2, 6)), b"SHA1");
        assert_eq!(name_of(DigestAlgorithm::Sha256, Version::new(2, 7)), b"SHA-256");
    }

    #[test]
    fn what_is_no_message_is_not_signed() {
        let key = SessionKey::new(crate::crypto::session::SessionCipher::Des, b"password").unwrap();
        let mut message = vec![2, 11, 2, 11, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 25];
        message.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        let truncated = DecodeError::Truncated { needed: 25, left: 24 };
        assert_eq!(authenticate(&mut message.clone(), &key, 1), Err(CertifyError::NotAMessage(truncated)));
        message.push(b'/');
        assert_eq!(authenticate(&mut message.clone(), &key, 1), Ok(()));
        message[2] |= 0x40;
        assert_eq!(authenticate(&mut message, &key, 1), Err(CertifyError::NotAMessage(DecodeError::Encrypted)));
        for length in 0..44 {
            assert!(authenticate(&mut message[..length].to_vec(), &key, 1).is_err());
        }
    }
}
