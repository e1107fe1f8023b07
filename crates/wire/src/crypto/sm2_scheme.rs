//! SM2 (GM/T 0003-2012): signatures in DER, and encryption of short secrets in the order C1, C3, C2.

use dsa::pkcs8::der::asn1::{SequenceOf, UintRef};
use dsa::pkcs8::der::{Decode, Encode};
use rand_core::CryptoRngCore;
use sm2::dsa::signature::{RandomizedSigner, Verifier};
use sm2::elliptic_curve::sec1::{FromEncodedPoint, ToEncodedPoint};
use sm2::{AffinePoint, EncodedPoint, NonZeroScalar, ProjectivePoint, PublicKey, SecretKey};
use sm3::{Digest, Sm3};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::private_key::SignError;
use super::public_key::VerifyError;

/// Checks a DER signature over `message` by the user of this id.
pub(super) fn verify(key: &PublicKey, user_id: &[u8], message: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
    let user_id = str::from_utf8(user_id).map_err(|_| VerifyError::Mismatch)?;
    let key = sm2::dsa::VerifyingKey::new(user_id, *key).map_err(|_| VerifyError::Mismatch)?;
    let signature = signature_from_der(signature).ok_or(VerifyError::Mismatch)?;
    key.verify(message, &signature).map_err(|_| VerifyError::Mismatch)
}

/// Signs `message` as the user of this id; the signature is DER.
pub(super) fn sign(
    key: &SecretKey,
    user_id: &[u8],
    message: &[u8],
    rng: &mut impl CryptoRngCore,
) -> Result<Vec<u8>, SignError> {
    let user_id = str::from_utf8(user_id).map_err(|_| SignError::UserId)?;
    let key = sm2::dsa::SigningKey::new(user_id, key).map_err(|_| SignError::UserId)?;
    let signature = key.try_sign_with_rng(rng, message).map_err(|_| SignError::Failed)?;
    signature_to_der(&signature).ok_or(SignError::Failed)
}

fn signature_from_der(der: &[u8]) -> Option<sm2::dsa::Signature> {
    let numbers = SequenceOf::<UintRef<'_>, 2>::from_der(der).ok()?;
    if numbers.len() != 2 {
        return None;
    }
    let mut fixed = [0_u8; 2 * FIELD_BYTES];
    for (place, number) in fixed.chunks_exact_mut(FIELD_BYTES).zip(numbers.iter()) {
        let start = FIELD_BYTES.checked_sub(number.as_bytes().len())?;
        place.get_mut(start..)?.copy_from_slice(number.as_bytes());
    }
    sm2::dsa::Signature::from_slice(&fixed).ok()
}

fn signature_to_der(signature: &sm2::dsa::Signature) -> Option<Vec<u8>> {
    let fixed = signature.to_bytes();
    let (r, s) = fixed.split_at_checked(FIELD_BYTES)?;
    let mut numbers = SequenceOf::<UintRef<'_>, 2>::new();
    numbers.add(UintRef::new(r).ok()?).ok()?;
    numbers.add(UintRef::new(s).ok()?).ok()?;
    numbers.to_der().ok()
}

/// Encrypts a short secret to a key: C1 (an uncompressed point), C3 (an SM3 digest), C2 (the secret, masked).
pub(super) fn encrypt(key: &PublicKey, plain: &[u8], rng: &mut impl CryptoRngCore) -> Vec<u8> {
    loop {
        let ephemeral = NonZeroScalar::random(rng);
        let c1 = (ProjectivePoint::GENERATOR * *ephemeral).to_affine().to_encoded_point(false);
        let shared = (key.to_projective() * *ephemeral).to_affine();
        let Some(shared) = SharedPoint::new(&shared) else { continue };
        let mask = shared.mask(plain.len());
        // The standard asks for another ephemeral key when the mask would leave the secret in the clear.
        if !plain.is_empty() && mask.iter().all(|byte| *byte == 0) {
            continue;
        }
        let mut sealed = c1.as_bytes().to_vec();
        sealed.extend(shared.digest(plain));
        sealed.extend(plain.iter().zip(mask.iter()).map(|(byte, mask)| byte ^ mask));
        return sealed;
    }
}

/// Decrypts what [`encrypt`] made; `None` for everything else.
pub(super) fn decrypt(key: &SecretKey, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (c1, rest) = sealed.split_at_checked(POINT_BYTES)?;
    let (c3, c2) = rest.split_at_checked(DIGEST_BYTES)?;
    if c1.first() != Some(&UNCOMPRESSED) {
        return None;
    }
    // Decoding checks that the point is on the curve, whose group has prime order: there are no small subgroups.
    let c1 = EncodedPoint::from_bytes(c1).ok()?;
    let c1 = Option::<AffinePoint>::from(AffinePoint::from_encoded_point(&c1))?;
    let shared = SharedPoint::new(&(ProjectivePoint::from(c1) * *key.to_nonzero_scalar()).to_affine())?;
    let mask = shared.mask(c2.len());
    let plain = Zeroizing::new(c2.iter().zip(mask.iter()).map(|(byte, mask)| byte ^ mask).collect::<Vec<u8>>());
    bool::from(shared.digest(&plain).ct_eq(c3)).then_some(plain)
}

/// Both coordinates of the point two sides share.
struct SharedPoint(Zeroizing<[u8; 2 * FIELD_BYTES]>);

impl SharedPoint {
    /// `None` for the point at infinity, which has no coordinates.
    fn new(point: &AffinePoint) -> Option<Self> {
        let encoded = point.to_encoded_point(false);
        let coordinates = encoded.as_bytes().get(1..)?;
        Some(Self(Zeroizing::new(coordinates.try_into().ok()?)))
    }

    /// The key derivation of the standard: SM3 of both coordinates and a counter from 1.
    fn mask(&self, length: usize) -> Zeroizing<Vec<u8>> {
        let mut mask = Zeroizing::new(Vec::with_capacity(length.saturating_add(DIGEST_BYTES)));
        for counter in 1_u32.. {
            if mask.len() >= length {
                break;
            }
            mask.extend(Sm3::new().chain_update(*self.0).chain_update(counter.to_be_bytes()).finalize());
        }
        mask.truncate(length);
        mask
    }

    /// The digest that proves a decryption right: SM3 of x, the secret, y.
    fn digest(&self, plain: &[u8]) -> [u8; DIGEST_BYTES] {
        let (x, y) = self.0.split_at(FIELD_BYTES);
        Sm3::new().chain_update(x).chain_update(plain).chain_update(y).finalize().into()
    }
}

/// Bytes of one coordinate.
const FIELD_BYTES: usize = 32;

/// Bytes of an uncompressed point.
const POINT_BYTES: usize = 1 + 2 * FIELD_BYTES;

/// The first byte of an uncompressed point.
const UNCOMPRESSED: u8 = 4;

/// Bytes of an SM3 digest.
const DIGEST_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use rand_core::OsRng;

    use super::*;

    #[test]
    fn decrypts_what_it_encrypted_and_nothing_changed() {
        let secret = SecretKey::random(&mut OsRng);
        let sealed = encrypt(&secret.public_key(), b"a session key", &mut OsRng);
        assert_eq!(decrypt(&secret, &sealed).unwrap().as_slice(), b"a session key");
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(decrypt(&secret, &changed).is_none(), "byte {place}");
        }
        for length in 0..POINT_BYTES + DIGEST_BYTES {
            assert!(decrypt(&secret, &sealed[..length]).is_none(), "length {length}");
        }
        assert!(decrypt(&SecretKey::random(&mut OsRng), &sealed).is_none());
    }

    #[test]
    fn signatures_bind_user_and_message() {
        let secret = SecretKey::random(&mut OsRng);
        let public = secret.public_key();
        let signature = sign(&secret, b"88.111.1/User", b"message", &mut OsRng).unwrap();
        assert_eq!(verify(&public, b"88.111.1/User", b"message", &signature), Ok(()));
        assert_eq!(verify(&public, b"88.111.1/user", b"message", &signature), Err(VerifyError::Mismatch));
        assert_eq!(verify(&public, b"88.111.1/User", b"massage", &signature), Err(VerifyError::Mismatch));
        assert_eq!(verify(&public, &[0xff], b"message", &signature), Err(VerifyError::Mismatch));
        assert_eq!(sign(&secret, &[0xff], b"message", &mut OsRng), Err(SignError::UserId));
        for place in 0..signature.len() {
            let mut changed = signature.clone();
            changed[place] ^= 1;
            assert_eq!(verify(&public, b"88.111.1/User", b"message", &changed), Err(VerifyError::Mismatch));
        }
    }
}
