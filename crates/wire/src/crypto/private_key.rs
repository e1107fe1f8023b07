//! Private keys: read, write, make, sign.
//!
//! ```text
//! string algorithm (without the flags of public keys), then
//!   RSA_PRIVCRT_KEY  bignum n, e, d, p, q, dP, dQ, qInv
//!   RSA_PRIV_KEY     bignum n, d
//!   DSA_PRIV_KEY     bignum x, p, q, g
//! ```

use std::fmt;

use dsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, PrivateKeyInfo};
use dsa::signature::SignatureEncoding;
use rand_core::CryptoRngCore;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, RsaPrivateKey};
use sha2::Sha256;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use super::digest::DigestAlgorithm;
use super::key_checks::{check_rsa_size, dsa_key, rsa_scheme};
use super::limits::{DSA_BITS, NEW_RSA_BITS, RSA_BITS};
use super::public_key::{KeyAlgorithm, PublicKey, PublicKeyError, PublicMaterial};
use super::{bignum, pem, sm2_scheme};
use crate::error::DecodeError;
use crate::primitives::{Reader, Sink};

/// A private key. Wiped when dropped; never printed.
#[derive(Clone)]
pub struct PrivateKey {
    material: PrivateMaterial,
}

/// The numbers of a private key.
#[derive(Clone)]
pub(super) enum PrivateMaterial {
    Rsa(Box<RsaPrivateKey>),
    Dsa(Box<dsa::SigningKey>),
    Sm2(sm2::SecretKey),
}

impl PrivateKey {
    /// Makes an RSA key of this many bits with the public exponent 65537. Takes seconds for large keys.
    ///
    /// # Errors
    /// [`PrivateKeyError::Size`] outside [`NEW_RSA_BITS`]; [`PrivateKeyError::Invalid`] when no key was found.
    pub fn generate_rsa(bits: usize, rng: &mut impl CryptoRngCore) -> Result<Self, PrivateKeyError> {
        if !(NEW_RSA_BITS.min..=NEW_RSA_BITS.max).contains(&bits) {
            return Err(PrivateKeyError::Size { bits });
        }
        Self::from_rsa(RsaPrivateKey::new(rng, bits).map_err(|_| PrivateKeyError::Invalid)?)
    }

    /// Makes an SM2 key.
    #[must_use]
    pub fn generate_sm2(rng: &mut impl CryptoRngCore) -> Self {
        Self { material: PrivateMaterial::Sm2(sm2::SecretKey::random(rng)) }
    }

    /// Reads the protocol's own form, as it stands in an opened key file.
    ///
    /// # Errors
    /// [`PrivateKeyError`] for what is malformed, of an unknown algorithm, of a size not permitted, or no key.
    pub fn parse(plain: &[u8]) -> Result<Self, PrivateKeyError> {
        let mut reader = Reader::new(plain);
        match reader.bytes()? {
            RSA_CRT => {
                let [n, e, d, p, q, mut derived @ ..] = read_numbers::<8>(reader, RSA_BITS.max)?;
                // The three last follow from the others and are computed anew: wrong ones would give the key away.
                derived.zeroize();
                let key = RsaPrivateKey::from_components(n, e, d, vec![p, q]);
                Self::from_rsa(key.map_err(|_| PrivateKeyError::Invalid)?)
            }
            RSA => {
                let [n, d] = read_numbers::<2>(reader, RSA_BITS.max)?;
                if n.bits() < RSA_BITS.min || d.bits() < 2 {
                    return Err(PrivateKeyError::Invalid);
                }
                let key = RsaPrivateKey::from_components(n, BigUint::from(COMMON_EXPONENT), d, Vec::new());
                Self::from_rsa(key.map_err(|_| PrivateKeyError::UnknownExponent)?)
            }
            DSA => {
                let [x, p, q, g] = read_numbers::<4>(reader, DSA_BITS.max)?;
                if p.bits() < DSA_BITS.min {
                    return Err(PrivateKeyError::Size { bits: p.bits() });
                }
                let y = g.modpow(&x, &p);
                let key = dsa::SigningKey::from_components(dsa_key(q, p, g, y)?, x);
                let key = key.map_err(|_| PrivateKeyError::Invalid)?;
                Ok(Self { material: PrivateMaterial::Dsa(Box::new(key)) })
            }
            _ => Err(PrivateKeyError::UnknownAlgorithm),
        }
    }

    /// Reads a DER PrivateKeyInfo (PKCS#8) of an RSA, DSA or SM2 key.
    ///
    /// # Errors
    /// As [`PrivateKey::parse`].
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, PrivateKeyError> {
        let info = PrivateKeyInfo::try_from(der).map_err(|_| PrivateKeyError::Der)?;
        if info.algorithm.oid == rsa::pkcs1::ALGORITHM_OID {
            Self::from_rsa(RsaPrivateKey::from_pkcs8_der(der).map_err(|_| PrivateKeyError::Der)?)
        } else if info.algorithm.oid == dsa::OID {
            let key = dsa::SigningKey::from_pkcs8_der(der).map_err(|_| PrivateKeyError::Der)?;
            let (public, x) = (key.verifying_key(), key.x().clone());
            let group = public.components();
            let public = dsa_key(group.q().clone(), group.p().clone(), group.g().clone(), public.y().clone())?;
            let key = dsa::SigningKey::from_components(public, x).map_err(|_| PrivateKeyError::Invalid)?;
            Ok(Self { material: PrivateMaterial::Dsa(Box::new(key)) })
        } else {
            let key = sm2::SecretKey::from_pkcs8_der(der).map_err(|_| PrivateKeyError::UnknownAlgorithm)?;
            Ok(Self { material: PrivateMaterial::Sm2(key) })
        }
    }

    /// Reads a DER RSAPrivateKey (PKCS#1).
    ///
    /// # Errors
    /// As [`PrivateKey::parse`].
    pub fn from_pkcs1_der(der: &[u8]) -> Result<Self, PrivateKeyError> {
        Self::from_rsa(RsaPrivateKey::from_pkcs1_der(der).map_err(|_| PrivateKeyError::Der)?)
    }

    fn from_rsa(key: RsaPrivateKey) -> Result<Self, PrivateKeyError> {
        check_rsa_size(&key)?;
        if key.primes().len() != 2 || key.dp().is_none() {
            return Err(PrivateKeyError::Invalid);
        }
        Ok(Self { material: PrivateMaterial::Rsa(Box::new(key)) })
    }

    /// The protocol's own form, RSA as RSA_PRIVCRT_KEY. `None` for SM2 keys, which have no such form.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        let mut out = Zeroizing::new(Vec::with_capacity(LARGEST_FORM_BYTES));
        match &self.material {
            PrivateMaterial::Rsa(key) => {
                out.put_bytes(RSA_CRT);
                let [p, q] = key.primes() else { return None };
                let inverse = Zeroizing::new(key.crt_coefficient()?);
                for number in [key.n(), key.e(), key.d(), p, q, key.dp()?, key.dq()?, &*inverse] {
                    bignum::put(&mut *out, number);
                }
            }
            PrivateMaterial::Dsa(key) => {
                out.put_bytes(DSA);
                let group = key.verifying_key().components();
                for number in [key.x(), group.p(), group.q(), group.g()] {
                    bignum::put(&mut *out, number);
                }
            }
            PrivateMaterial::Sm2(_) => return None,
        }
        Some(out)
    }

    /// An SM2 key as PEM text of its PrivateKeyInfo (PKCS#8), which [`open`](super::key_file::open) reads. `None` for other keys.
    #[must_use]
    pub fn to_pem(&self) -> Option<Zeroizing<String>> {
        match &self.material {
            PrivateMaterial::Sm2(key) => {
                let document = key.to_pkcs8_der().ok()?;
                Some(Zeroizing::new(pem::write(PRIVATE_LABEL, document.as_bytes())))
            }
            PrivateMaterial::Rsa(_) | PrivateMaterial::Dsa(_) => None,
        }
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey::from_material(match &self.material {
            PrivateMaterial::Rsa(key) => PublicMaterial::Rsa(key.to_public_key()),
            PrivateMaterial::Dsa(key) => PublicMaterial::Dsa(key.verifying_key().clone()),
            PrivateMaterial::Sm2(key) => PublicMaterial::Sm2(key.public_key()),
        })
    }

    /// The algorithm the key belongs to.
    #[must_use]
    pub const fn algorithm(&self) -> KeyAlgorithm {
        match &self.material {
            PrivateMaterial::Rsa(_) => KeyAlgorithm::Rsa,
            PrivateMaterial::Dsa(_) => KeyAlgorithm::Dsa,
            PrivateMaterial::Sm2(_) => KeyAlgorithm::Sm2,
        }
    }

    pub(super) const fn material(&self) -> &PrivateMaterial {
        &self.material
    }

    /// Signs the parts, taken as one string of bytes: RSA PKCS#1 v1.5 (blinded by the random source), or DSA in DER
    /// (with the deterministic nonce of RFC 6979).
    ///
    /// # Errors
    /// [`SignError::WrongKind`] for SM2 keys, see [`PrivateKey::sign_sm2`]; [`SignError::Failed`] when the arithmetic
    /// did not succeed.
    pub fn sign(
        &self,
        algorithm: DigestAlgorithm,
        parts: &[&[u8]],
        rng: &mut impl CryptoRngCore,
    ) -> Result<Vec<u8>, SignError> {
        let digest = algorithm.digest(parts);
        match &self.material {
            PrivateMaterial::Rsa(key) => {
                key.sign_with_rng(rng, rsa_scheme(&digest), digest.as_bytes()).map_err(|_| SignError::Failed)
            }
            PrivateMaterial::Dsa(key) => {
                let signature = key.sign_prehashed_rfc6979::<Sha256>(digest.as_bytes());
                Ok(signature.map_err(|_| SignError::Failed)?.to_vec())
            }
            PrivateMaterial::Sm2(_) => Err(SignError::WrongKind),
        }
    }

    /// Signs a message with SM2 as the user of this id (the text of the user's handle); the signature is DER.
    ///
    /// # Errors
    /// [`SignError::WrongKind`] for other keys, [`SignError::UserId`] for ids that are not UTF-8 or over 8 kB.
    pub fn sign_sm2(&self, user_id: &[u8], message: &[u8], rng: &mut impl CryptoRngCore) -> Result<Vec<u8>, SignError> {
        match &self.material {
            PrivateMaterial::Sm2(key) => sm2_scheme::sign(key, user_id, message, rng),
            _ => Err(SignError::WrongKind),
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}

/// Reads exactly `N` big numbers and makes sure that nothing follows.
fn read_numbers<const N: usize>(mut reader: Reader<'_>, max_bits: usize) -> Result<[BigUint; N], PrivateKeyError> {
    let mut numbers = [const { None }; N];
    for number in &mut numbers {
        *number = Some(bignum::read(&mut reader, "private key number", max_bits)?);
    }
    reader.expect_end()?;
    Ok(numbers.map(Option::unwrap_or_default))
}

/// Why bytes are no private key that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PrivateKeyError {
    /// The framing is broken, or a number is longer than any permitted key.
    #[error("private key is malformed")]
    Malformed(#[from] DecodeError),
    /// The DER encoding is broken or its numbers make no key.
    #[error("private key is no valid PKCS#8 or PKCS#1 encoding")]
    Der,
    /// The algorithm is none that is supported.
    #[error("private key has an unknown algorithm")]
    UnknownAlgorithm,
    /// The size is not permitted.
    #[error("private key of {bits} bits is outside the permitted sizes")]
    Size {
        /// Bits of the modulus or prime.
        bits: usize,
    },
    /// The numbers do not belong together.
    #[error("private key has numbers that make no key")]
    Invalid,
    /// The form lacks the public exponent, and it is not the common one.
    #[error("private key does not tell its public exponent, which is not {COMMON_EXPONENT}")]
    UnknownExponent,
}

impl From<PublicKeyError> for PrivateKeyError {
    fn from(error: PublicKeyError) -> Self {
        match error {
            PublicKeyError::Size { bits } => Self::Size { bits },
            PublicKeyError::Malformed(error) => Self::Malformed(error),
            _ => Self::Invalid,
        }
    }
}

/// Why no signature was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SignError {
    /// The key makes no signatures of this kind.
    #[error("key cannot make this kind of signature")]
    WrongKind,
    /// The user id cannot be part of an SM2 signature.
    #[error("user id of an SM2 signature is not UTF-8 or too long")]
    UserId,
    /// The arithmetic failed, as for an RSA key shorter than what it should sign.
    #[error("signing failed")]
    Failed,
}

const RSA_CRT: &[u8] = b"RSA_PRIVCRT_KEY";
const RSA: &[u8] = b"RSA_PRIV_KEY";
const DSA: &[u8] = b"DSA_PRIV_KEY";

/// Label of PEM texts of private keys.
const PRIVATE_LABEL: &str = "PRIVATE KEY";

/// The public exponent nearly every RSA key has.
const COMMON_EXPONENT: u32 = 65537;

/// Room for the largest form, so that no copy is left behind by a growing vector: five halves and three wholes of an
/// 8192-bit modulus with their lengths.
const LARGEST_FORM_BYTES: usize = 6 * 1024;

#[cfg(test)]
mod tests {
    use rand_core::OsRng;

    use super::*;

    #[test]
    fn a_new_rsa_key_survives_writing_and_signs() {
        let key = PrivateKey::generate_rsa(1024, &mut OsRng).unwrap();
        let again = PrivateKey::parse(&key.to_bytes().unwrap()).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        assert_eq!(key.public_key().bits(), 1024);
        let signature = again.sign(DigestAlgorithm::Sha256, &[b"ab", b"c"], &mut OsRng).unwrap();
        assert_eq!(key.public_key().verify(DigestAlgorithm::Sha256, &[b"abc"], &signature), Ok(()));
        assert!(key.public_key().verify(DigestAlgorithm::Sha1, &[b"abc"], &signature).is_err());
        assert!(key.public_key().verify(DigestAlgorithm::Sha256, &[b"abd"], &signature).is_err());
    }

    #[test]
    fn a_new_sm2_key_survives_writing_and_signs() {
        let key = PrivateKey::generate_sm2(&mut OsRng);
        let pem = key.to_pem().unwrap();
        let again = super::super::key_file::open(pem.as_bytes(), None).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        let signature = again.sign_sm2(b"88.990", b"message", &mut OsRng).unwrap();
        assert_eq!(key.public_key().verify_sm2(b"88.990", b"message", &signature), Ok(()));
        assert!(PrivateKey::generate_rsa(1024, &mut OsRng).unwrap().to_pem().is_none());
    }

    #[test]
    fn sizes_of_new_keys_are_bounded() {
        for bits in [0, 1023, 4097] {
            assert_eq!(PrivateKey::generate_rsa(bits, &mut OsRng).err(), Some(PrivateKeyError::Size { bits }));
        }
    }

    #[test]
    fn reads_the_short_rsa_form() {
        let key = PrivateKey::generate_rsa(1024, &mut OsRng).unwrap();
        let PrivateMaterial::Rsa(numbers) = &key.material else { panic!("not rsa") };
        let mut short = Vec::new();
        short.put_bytes(RSA);
        bignum::put(&mut short, numbers.n());
        bignum::put(&mut short, numbers.d());
        assert_eq!(PrivateKey::parse(&short).unwrap().public_key(), key.public_key());
        short.truncate(short.len() - 1);
        assert!(matches!(PrivateKey::parse(&short), Err(PrivateKeyError::Malformed(_))));
    }

    #[test]
    fn numbers_that_do_not_belong_together_are_refused() {
        let key = PrivateKey::generate_rsa(1024, &mut OsRng).unwrap();
        let plain = key.to_bytes().unwrap();
        // The last byte of n, after the name, the length and the sign byte.
        let place = 4 + RSA_CRT.len() + 4 + 128;
        let mut changed = plain.to_vec();
        changed[place] ^= 2;
        assert_eq!(PrivateKey::parse(&changed).err(), Some(PrivateKeyError::Invalid));
        let mut longer = plain.to_vec();
        longer.push(0);
        assert!(matches!(PrivateKey::parse(&longer), Err(PrivateKeyError::Malformed(_))));
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = PrivateKey::generate_rsa(1024, &mut OsRng).unwrap();
        assert_eq!(format!("{key:?}"), "PrivateKey { algorithm: Rsa, .. }");
    }
}
