//! Public keys: what HS_PUBKEY values, server descriptions and session setups carry.
//!
//! ```text
//! string algorithm, u16 flags (0), then
//!   RSA_PUB_KEY  bignum e, bignum n, four zero bytes that readers do not require
//!   DSA_PUB_KEY  bignum q, p, g, y
//!   DH_PUB_KEY   bignum y, p, g
//!   SM2_PUB_KEY  bytes: a PEM text with a SubjectPublicKeyInfo
//! ```
//!
//! Values of Teleinfo's nodes may also be the bare PEM text of an RSA or SM2 key, without any framing. Whatever the
//! form was, the exact bytes are kept, since other parties compare or digest them.

use std::fmt;

use dsa::signature::hazmat::PrehashVerifier;
use rsa::pkcs8::{DecodePublicKey, EncodePublicKey, SubjectPublicKeyInfoRef};
use rsa::traits::PublicKeyParts;
use rsa::{BigUint, RsaPublicKey};
use thiserror::Error;

use super::digest::DigestAlgorithm;
use super::key_checks::{dsa_key, rsa_key, rsa_scheme};
use super::limits::{DH_BITS, DSA_BITS, PUBLIC_KEY_BYTES, RSA_BITS};
use super::pem::{self, PemError};
use super::{bignum, sm2_scheme};
use crate::error::DecodeError;
use crate::primitives::{Reader, Sink};

/// What a key can be used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyAlgorithm {
    /// RSA: signatures and key transport.
    Rsa,
    /// DSA: signatures.
    Dsa,
    /// Diffie-Hellman: agreement on session keys.
    DiffieHellman,
    /// SM2: signatures and key transport.
    Sm2,
}

/// A public key together with the bytes it came in.
#[derive(Clone)]
pub struct PublicKey {
    encoded: Vec<u8>,
    material: PublicMaterial,
}

/// The numbers of a public key, checked for size and sense.
#[derive(Clone)]
pub(super) enum PublicMaterial {
    Rsa(RsaPublicKey),
    Dsa(dsa::VerifyingKey),
    DiffieHellman(DiffieHellmanNumbers),
    Sm2(sm2::PublicKey),
}

/// A Diffie-Hellman value and the group it claims to be of. Not checked before it is used.
#[derive(Clone)]
pub(super) struct DiffieHellmanNumbers {
    pub(super) value: BigUint,
    pub(super) prime: BigUint,
    pub(super) generator: BigUint,
}

impl PublicKey {
    /// Reads a key in the framing of the protocol or as bare PEM text. Bytes behind the last field are ignored, but
    /// kept.
    ///
    /// # Errors
    /// [`PublicKeyError`] for what is malformed, of an unknown algorithm, too small, too large, or makes no sense as
    /// a key.
    pub fn parse(encoded: &[u8]) -> Result<Self, PublicKeyError> {
        if encoded.len() > PUBLIC_KEY_BYTES {
            return Err(PublicKeyError::TooLong { bytes: encoded.len() });
        }
        let material = if pem::is_pem(encoded) { parse_pem(encoded)? } else { parse_framed(encoded)? };
        Ok(Self { encoded: encoded.to_vec(), material })
    }

    /// Reads a DER SubjectPublicKeyInfo of an RSA or SM2 key; the key gets the protocol's own framing.
    ///
    /// # Errors
    /// As [`PublicKey::parse`].
    pub fn from_spki_der(der: &[u8]) -> Result<Self, PublicKeyError> {
        if der.len() > PUBLIC_KEY_BYTES {
            return Err(PublicKeyError::TooLong { bytes: der.len() });
        }
        Ok(Self::from_material(parse_spki(der)?))
    }

    /// Gives key material the protocol's own framing.
    pub(super) fn from_material(material: PublicMaterial) -> Self {
        let mut encoded = Vec::new();
        let name: &[u8] = match &material {
            PublicMaterial::Rsa(_) => RSA,
            PublicMaterial::Dsa(_) => DSA,
            PublicMaterial::DiffieHellman(_) => DH,
            PublicMaterial::Sm2(_) => SM2,
        };
        encoded.put_bytes(name);
        encoded.put_u16(0);
        match &material {
            PublicMaterial::Rsa(key) => {
                bignum::put(&mut encoded, key.e());
                bignum::put(&mut encoded, key.n());
                encoded.put_u32(0);
            }
            PublicMaterial::Dsa(key) => {
                let group = key.components();
                for number in [group.q(), group.p(), group.g(), key.y()] {
                    bignum::put(&mut encoded, number);
                }
            }
            PublicMaterial::DiffieHellman(numbers) => {
                for number in [&numbers.value, &numbers.prime, &numbers.generator] {
                    bignum::put(&mut encoded, number);
                }
            }
            PublicMaterial::Sm2(key) => {
                encoded.put_bytes(spki_pem(key).unwrap_or_default().as_bytes());
            }
        }
        Self { encoded, material }
    }

    /// The key as PEM text, the form Teleinfo's nodes and common tools use. `None` for DSA and Diffie-Hellman keys.
    #[must_use]
    pub fn to_pem(&self) -> Option<String> {
        match &self.material {
            PublicMaterial::Rsa(key) => spki_pem(key),
            PublicMaterial::Sm2(key) => spki_pem(key),
            PublicMaterial::Dsa(_) | PublicMaterial::DiffieHellman(_) => None,
        }
    }

    /// The bytes the key came in, or for keys of ours the protocol's framing.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.encoded
    }

    /// The algorithm the key belongs to.
    #[must_use]
    pub const fn algorithm(&self) -> KeyAlgorithm {
        match &self.material {
            PublicMaterial::Rsa(_) => KeyAlgorithm::Rsa,
            PublicMaterial::Dsa(_) => KeyAlgorithm::Dsa,
            PublicMaterial::DiffieHellman(_) => KeyAlgorithm::DiffieHellman,
            PublicMaterial::Sm2(_) => KeyAlgorithm::Sm2,
        }
    }

    /// The size of the modulus, prime or field, in bits.
    #[must_use]
    pub fn bits(&self) -> usize {
        match &self.material {
            PublicMaterial::Rsa(key) => key.n().bits(),
            PublicMaterial::Dsa(key) => key.components().p().bits(),
            PublicMaterial::DiffieHellman(numbers) => numbers.prime.bits(),
            PublicMaterial::Sm2(_) => 256,
        }
    }

    pub(super) const fn material(&self) -> &PublicMaterial {
        &self.material
    }

    /// Checks an RSA (PKCS#1 v1.5) or DSA (DER) signature over the parts, taken as one string of bytes.
    ///
    /// # Errors
    /// [`VerifyError::Mismatch`] for every signature that is not right, also malformed ones;
    /// [`VerifyError::WrongKind`] for keys that make no such signatures.
    pub fn verify(&self, algorithm: DigestAlgorithm, parts: &[&[u8]], signature: &[u8]) -> Result<(), VerifyError> {
        let digest = algorithm.digest(parts);
        match &self.material {
            PublicMaterial::Rsa(key) => {
                key.verify(rsa_scheme(&digest), digest.as_bytes(), signature).map_err(|_| VerifyError::Mismatch)
            }
            PublicMaterial::Dsa(key) => {
                let signature = dsa::Signature::try_from(signature).map_err(|_| VerifyError::Mismatch)?;
                key.verify_prehash(digest.as_bytes(), &signature).map_err(|_| VerifyError::Mismatch)
            }
            PublicMaterial::DiffieHellman(_) | PublicMaterial::Sm2(_) => Err(VerifyError::WrongKind),
        }
    }

    /// Checks an SM2 signature (DER) over a message, made by the user of this id (the text of the user's handle).
    ///
    /// # Errors
    /// As [`PublicKey::verify`]; user ids that are not UTF-8 never match.
    pub fn verify_sm2(&self, user_id: &[u8], message: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        match &self.material {
            PublicMaterial::Sm2(key) => sm2_scheme::verify(key, user_id, message, signature),
            _ => Err(VerifyError::WrongKind),
        }
    }
}

impl PartialEq for PublicKey {
    /// Keys are equal when their bytes are.
    fn eq(&self, other: &Self) -> bool {
        self.encoded == other.encoded
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("algorithm", &self.algorithm()).field("bits", &self.bits()).finish()
    }
}

fn parse_framed(encoded: &[u8]) -> Result<PublicMaterial, PublicKeyError> {
    let mut reader = Reader::new(encoded);
    let name = reader.bytes()?;
    let _flags = reader.u16()?;
    match name {
        RSA => {
            let e = bignum::read(&mut reader, "rsa exponent", RSA_BITS.max)?;
            let n = bignum::read(&mut reader, "rsa modulus", RSA_BITS.max)?;
            rsa_key(n, e).map(PublicMaterial::Rsa)
        }
        DSA => {
            let q = bignum::read(&mut reader, "dsa q", DSA_BITS.max)?;
            let p = bignum::read(&mut reader, "dsa p", DSA_BITS.max)?;
            let g = bignum::read(&mut reader, "dsa g", DSA_BITS.max)?;
            let y = bignum::read(&mut reader, "dsa y", DSA_BITS.max)?;
            dsa_key(q, p, g, y).map(PublicMaterial::Dsa)
        }
        DH => {
            let value = bignum::read(&mut reader, "dh y", DH_BITS.max)?;
            let prime = bignum::read(&mut reader, "dh p", DH_BITS.max)?;
            let generator = bignum::read(&mut reader, "dh g", DH_BITS.max)?;
            if prime.bits() < DH_BITS.min {
                return Err(PublicKeyError::Size { bits: prime.bits() });
            }
            Ok(PublicMaterial::DiffieHellman(DiffieHellmanNumbers { value, prime, generator }))
        }
        SM2 => match parse_pem(reader.bytes()?)? {
            material @ PublicMaterial::Sm2(_) => Ok(material),
            _ => Err(PublicKeyError::Invalid),
        },
        _ => Err(PublicKeyError::UnknownAlgorithm),
    }
}

fn parse_pem(text: &[u8]) -> Result<PublicMaterial, PublicKeyError> {
    let pem = pem::parse(text)?;
    match pem.label {
        PUBLIC_LABEL => parse_spki(&pem.der),
        _ => Err(PemError::OtherLabel.into()),
    }
}

fn parse_spki(der: &[u8]) -> Result<PublicMaterial, PublicKeyError> {
    let info = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| PublicKeyError::Der)?;
    if info.algorithm.oid == rsa::pkcs1::ALGORITHM_OID {
        let numbers = info.subject_public_key.as_bytes().ok_or(PublicKeyError::Der)?;
        let numbers = rsa::pkcs1::RsaPublicKey::try_from(numbers).map_err(|_| PublicKeyError::Der)?;
        let number = |bytes| BigUint::from_bytes_be(bytes);
        let (n, e) = (numbers.modulus.as_bytes(), numbers.public_exponent.as_bytes());
        return rsa_key(number(n), number(e)).map(PublicMaterial::Rsa);
    }
    sm2::PublicKey::from_public_key_der(der).map(PublicMaterial::Sm2).map_err(|_| PublicKeyError::UnknownAlgorithm)
}

/// The PEM text of a key; keys that were parsed or made always have one.
fn spki_pem(key: &impl EncodePublicKey) -> Option<String> {
    key.to_public_key_der().ok().map(|document| pem::write(PUBLIC_LABEL, document.as_bytes()))
}

/// Why bytes are no public key that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// The framing is broken, or a number is longer than any permitted key.
    #[error("public key is malformed")]
    Malformed(#[from] DecodeError),
    /// The PEM text is broken or holds something else.
    #[error("public key is malformed")]
    Pem(#[from] PemError),
    /// The DER encoding is broken.
    #[error("public key is no valid SubjectPublicKeyInfo")]
    Der,
    /// The encoding is longer than any permitted key's.
    #[error("public key of {bytes} bytes is too long")]
    TooLong {
        /// The length of the encoding.
        bytes: usize,
    },
    /// The algorithm is none that is supported.
    #[error("public key has an unknown algorithm")]
    UnknownAlgorithm,
    /// The modulus or prime is smaller or larger than permitted.
    #[error("public key of {bits} bits is outside the permitted sizes")]
    Size {
        /// Bits of the modulus or prime.
        bits: usize,
    },
    /// The numbers are no key: even moduli, values outside the group and the like.
    #[error("public key has numbers that make no key")]
    Invalid,
}

/// Why a signature was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The signature is not that of this key over these bytes.
    #[error("signature does not match")]
    Mismatch,
    /// The key cannot make this kind of signature.
    #[error("key cannot make this kind of signature")]
    WrongKind,
}

const RSA: &[u8] = b"RSA_PUB_KEY";
const DSA: &[u8] = b"DSA_PUB_KEY";
const DH: &[u8] = b"DH_PUB_KEY";
const SM2: &[u8] = b"SM2_PUB_KEY";

/// The label of a PEM SubjectPublicKeyInfo.
const PUBLIC_LABEL: &str = "PUBLIC KEY";

#[cfg(test)]
mod tests {
    use super::*;

    fn rsa(e: u32, n: &BigUint) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_bytes(RSA);
        out.put_u16(0);
        bignum::put(&mut out, &BigUint::from(e));
        bignum::put(&mut out, n);
        out
    }

    fn number(bits: usize) -> BigUint {
        (BigUint::from(1_u8) << (bits - 1)) + BigUint::from(1_u8)
    }

    #[test]
    fn rsa_sizes_are_bounded() {
        assert!(PublicKey::parse(&rsa(65537, &number(512))).is_ok());
        assert!(PublicKey::parse(&rsa(65537, &number(8192))).is_ok());
        assert_eq!(PublicKey::parse(&rsa(65537, &number(511))), Err(PublicKeyError::Size { bits: 511 }));
        let too_large = DecodeError::BadField { field: "rsa modulus", value: 8193 };
        assert_eq!(PublicKey::parse(&rsa(65537, &number(8193))), Err(PublicKeyError::Malformed(too_large)));
    }

    #[test]
    fn senseless_rsa_numbers_are_refused() {
        let even = number(1024) + BigUint::from(1_u8);
        assert_eq!(PublicKey::parse(&rsa(65537, &even)), Err(PublicKeyError::Invalid));
        for e in [0, 1, 65536] {
            assert_eq!(PublicKey::parse(&rsa(e, &number(1024))), Err(PublicKeyError::Invalid), "{e}");
        }
    }

    #[test]
    fn bytes_behind_the_key_survive() {
        let mut bytes = rsa(3, &number(512));
        bytes.extend(b"more");
        assert_eq!(PublicKey::parse(&bytes).unwrap().as_bytes(), bytes);
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = rsa(3, &number(512));
        for length in 0..bytes.len() {
            assert!(PublicKey::parse(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn other_algorithms_and_long_encodings_are_refused() {
        let mut sm9 = Vec::new();
        sm9.put_bytes(b"SM9_PUB_KEY");
        sm9.put_u16(0);
        assert_eq!(PublicKey::parse(&sm9), Err(PublicKeyError::UnknownAlgorithm));
        let long = vec![0; PUBLIC_KEY_BYTES + 1];
        assert_eq!(PublicKey::parse(&long), Err(PublicKeyError::TooLong { bytes: long.len() }));
    }
}
