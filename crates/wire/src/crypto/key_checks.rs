//! Checks of key numbers, made before any arithmetic a peer could make long with them.

use rsa::traits::PublicKeyParts;
use rsa::{BigUint, Pkcs1v15Sign, RsaPublicKey};

use super::digest::{DigestAlgorithm, RequestDigest};
use super::limits::{DSA_BITS, RSA_BITS};
use super::public_key::PublicKeyError;

/// The PKCS#1 v1.5 signature scheme of a digest's algorithm.
pub(super) fn rsa_scheme(digest: &RequestDigest) -> Pkcs1v15Sign {
    match digest.algorithm() {
        DigestAlgorithm::Md5 => Pkcs1v15Sign::new::<md5::Md5>(),
        DigestAlgorithm::Sha1 => Pkcs1v15Sign::new::<sha1::Sha1>(),
        DigestAlgorithm::Sha256 => Pkcs1v15Sign::new::<sha2::Sha256>(),
    }
}

/// Checks the size of an RSA modulus.
pub(super) fn check_rsa_size(key: &impl PublicKeyParts) -> Result<(), PublicKeyError> {
    let bits = key.n().bits();
    if (RSA_BITS.min..=RSA_BITS.max).contains(&bits) { Ok(()) } else { Err(PublicKeyError::Size { bits }) }
}

/// Makes an RSA key from its numbers, which must be odd and of permitted sizes.
pub(super) fn rsa_key(n: BigUint, e: BigUint) -> Result<RsaPublicKey, PublicKeyError> {
    let bits = n.bits();
    if !(RSA_BITS.min..=RSA_BITS.max).contains(&bits) {
        return Err(PublicKeyError::Size { bits });
    }
    RsaPublicKey::new_with_max_size(n, e, RSA_BITS.max).map_err(|_| PublicKeyError::Invalid)
}

/// Makes a DSA key from its numbers, after checks that keep signature checks bounded.
pub(super) fn dsa_key(q: BigUint, p: BigUint, g: BigUint, y: BigUint) -> Result<dsa::VerifyingKey, PublicKeyError> {
    let one = BigUint::from(1_u8);
    if !(DSA_BITS.min..=DSA_BITS.max).contains(&p.bits()) || !DSA_ORDER_BITS.contains(&q.bits()) {
        return Err(PublicKeyError::Size { bits: p.bits() });
    }
    let odd = |number: &BigUint| number.to_bytes_le().first().is_some_and(|byte| byte & 1 == 1);
    let sensible = odd(&p) && odd(&q) && g > one && g < p && y > one && y < p && g.modpow(&q, &p) == one;
    if !sensible {
        return Err(PublicKeyError::Invalid);
    }
    let group = dsa::Components::from_components(p, q, g).map_err(|_| PublicKeyError::Invalid)?;
    dsa::VerifyingKey::from_components(group, y).map_err(|_| PublicKeyError::Invalid)
}

/// Sizes of the DSA order `q` that FIPS 186 defines, in bits.
const DSA_ORDER_BITS: [usize; 3] = [160, 224, 256];

#[cfg(test)]
mod tests {
    use super::*;

    fn number(bits: usize) -> BigUint {
        (BigUint::from(1_u8) << (bits - 1)) + BigUint::from(1_u8)
    }

    #[test]
    fn dsa_groups_are_checked() {
        let wrong = |q: BigUint, p: BigUint, g: u32, y: u32| dsa_key(q, p, g.into(), y.into()).err();
        assert_eq!(wrong(number(160), number(511), 2, 2), Some(PublicKeyError::Size { bits: 511 }));
        assert_eq!(wrong(number(161), number(1024), 2, 2), Some(PublicKeyError::Size { bits: 1024 }));
        assert_eq!(wrong(number(160), number(1024), 1, 2), Some(PublicKeyError::Invalid));
        assert_eq!(wrong(number(160), number(1024), 2, 0), Some(PublicKeyError::Invalid));
        assert_eq!(wrong(number(160), number(1024), 2, 2), Some(PublicKeyError::Invalid));
    }
}
