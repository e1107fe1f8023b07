//! Agreement on a session secret: Diffie-Hellman in the one group the protocol uses.
//!
//! That is the 1024-bit MODP group with generator 2 of RFC 2409 section 6.2. A server has to answer in the client's
//! group; other groups are refused, since a group of the peer's choice could be one in which our secret shows.

use std::fmt;

use crypto_bigint::modular::constant_mod::{Residue, ResidueParams};
use crypto_bigint::{Encoding, U1024};
use rand_core::CryptoRngCore;
use rsa::BigUint;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use self::group::Modp1024;
use super::public_key::{DiffieHellmanNumbers, PublicKey, PublicKeyError, PublicMaterial};
use super::session::SessionCipher;
use crate::error::DecodeError;
use crate::primitives::{Reader, Sink};
use crate::version::Version;

/// One side's secret of an exchange. Use it once, then drop it.
#[derive(ZeroizeOnDrop)]
pub struct DhSecret {
    exponent: U1024,
}

/// What a server answers to a client's Diffie-Hellman key: the cipher of the session and a key of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DhOffer {
    /// The cipher. Below version 2.4 it does not travel and is DES.
    pub cipher: SessionCipher,
    /// The server's public key.
    pub key: PublicKey,
}

impl DhOffer {
    /// Reads the data of a session setup response.
    ///
    /// # Errors
    /// [`OfferError`] when the cipher is unknown or the key is none.
    pub fn parse(version: Version, data: &[u8]) -> Result<Self, OfferError> {
        let mut reader = Reader::new(data);
        let code = if version.at_least_2(4) { reader.u32()? } else { SessionCipher::Des.code() };
        let cipher = SessionCipher::from_code(code).ok_or(OfferError::UnknownCipher { code })?;
        Ok(Self { cipher, key: PublicKey::parse(reader.rest())? })
    }

    /// Writes the data of a session setup response. Below version 2.4 only [`SessionCipher::Des`] can be told.
    pub fn encode(&self, version: Version, sink: &mut impl Sink) {
        if version.at_least_2(4) {
            sink.put_u32(self.cipher.code());
        }
        sink.put(self.key.as_bytes());
    }
}

/// What both sides share afterwards: the source of session keys, not yet one itself.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct SharedSecret([u8; GROUP_BYTES]);

impl DhSecret {
    /// Makes a secret: 128 bytes of the random source, the highest bit cleared, as a big-endian number.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut bytes = Zeroizing::new([0; GROUP_BYTES]);
        loop {
            rng.fill_bytes(&mut *bytes);
            let [first, ..] = &mut *bytes;
            // Half the group's size is the order of its large subgroup; more bits would add nothing.
            *first &= 0x7f;
            let exponent = U1024::from_be_slice(&*bytes);
            if exponent > U1024::ONE {
                return Self { exponent };
            }
        }
    }

    /// The public key to send to the other side.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        let value = power(&GENERATOR, &self.exponent);
        PublicKey::from_material(PublicMaterial::DiffieHellman(DiffieHellmanNumbers {
            value: BigUint::from_bytes_be(&value.to_be_bytes()),
            prime: BigUint::from_bytes_be(&Modp1024::MODULUS.to_be_bytes()),
            generator: BigUint::from_bytes_be(&GENERATOR.to_be_bytes()),
        }))
    }

    /// Combines our secret with the other side's public key, in constant time.
    ///
    /// # Errors
    /// [`AgreeError`] for keys of other algorithms or groups, and for values that would make the secret predictable.
    pub fn agree(&self, peer: &PublicKey) -> Result<SharedSecret, AgreeError> {
        let PublicMaterial::DiffieHellman(numbers) = peer.material() else { return Err(AgreeError::WrongKind) };
        let ours = |number: &BigUint, of: &U1024| *number == BigUint::from_bytes_be(&of.to_be_bytes());
        if !ours(&numbers.prime, &Modp1024::MODULUS) || !ours(&numbers.generator, &GENERATOR) {
            return Err(AgreeError::OtherGroup);
        }
        // The prime is a safe one: outside of 1 and p-1 every value makes at least the large subgroup.
        let one = BigUint::from(1_u8);
        if numbers.value <= one || numbers.value >= &numbers.prime - &one {
            return Err(AgreeError::OutsideGroup);
        }
        let value = numbers.value.to_bytes_be();
        let mut fixed = [0; GROUP_BYTES];
        for (to, from) in fixed.iter_mut().rev().zip(value.iter().rev()) {
            *to = *from;
        }
        let shared = power(&U1024::from_be_slice(&fixed), &self.exponent);
        Ok(SharedSecret(shared.to_be_bytes()))
    }
}

impl SharedSecret {
    /// The first `N` bytes of the secret as a big-endian number without leading zero bytes. Of a number shorter than
    /// that, the last `N` bytes.
    pub(super) fn leading<const N: usize>(&self) -> Zeroizing<[u8; N]> {
        let zeros = self.0.iter().take_while(|byte| **byte == 0).count();
        let start = zeros.min(GROUP_BYTES.saturating_sub(N));
        let mut out = Zeroizing::new([0; N]);
        for (to, from) in out.iter_mut().zip(self.0.iter().skip(start)) {
            *to = *from;
        }
        out
    }
}

impl fmt::Debug for DhSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DhSecret").finish_non_exhaustive()
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSecret").finish_non_exhaustive()
    }
}

/// `base` to the power of `exponent` in the group, in constant time.
fn power(base: &U1024, exponent: &U1024) -> U1024 {
    Residue::<Modp1024, { U1024::LIMBS }>::new(base).pow(exponent).retrieve()
}

/// Why a server's answer offers nothing that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OfferError {
    /// The data ends early.
    #[error("key exchange data is malformed")]
    Malformed(#[from] DecodeError),
    /// The code names no cipher.
    #[error("key exchange offers unknown cipher {code}")]
    UnknownCipher {
        /// The code.
        code: u32,
    },
    /// The key cannot be used.
    #[error("key exchange offers no usable key")]
    Key(#[from] PublicKeyError),
}

/// Why no secret was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AgreeError {
    /// The other side's key is none for Diffie-Hellman.
    #[error("key exchange needs a Diffie-Hellman key")]
    WrongKind,
    /// The other side uses another group.
    #[error("key exchange in a group other than the 1024-bit MODP group")]
    OtherGroup,
    /// The other side's value is 0, 1, p-1 or past the prime: the secret would not be secret.
    #[error("key exchange value is outside the group")]
    OutsideGroup,
}

/// The prime of the group, in a module of its own because the macro makes a public type without a comment.
mod group {
    use crypto_bigint::{U1024, impl_modulus};

    impl_modulus!(
        Modp1024,
        U1024,
        "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B\
         302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE6\
         49286651ECE65381FFFFFFFFFFFFFFFF"
    );
}

/// The generator of the group.
const GENERATOR: U1024 = U1024::from_u8(2);

/// Bytes of the prime.
const GROUP_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use rand_core::OsRng;

    use super::*;

    fn with_value(value: BigUint) -> PublicKey {
        let public = DhSecret::generate(&mut OsRng).public_key();
        let PublicMaterial::DiffieHellman(numbers) = public.material() else { panic!("not dh") };
        PublicKey::from_material(PublicMaterial::DiffieHellman(DiffieHellmanNumbers { value, ..numbers.clone() }))
    }

    #[test]
    fn both_sides_agree() {
        let (client, server) = (DhSecret::generate(&mut OsRng), DhSecret::generate(&mut OsRng));
        let public = PublicKey::parse(client.public_key().as_bytes()).unwrap();
        assert_eq!(server.agree(&public).unwrap().0, client.agree(&server.public_key()).unwrap().0);
    }

    #[test]
    fn values_that_give_the_secret_away_are_refused() {
        let secret = DhSecret::generate(&mut OsRng);
        let prime = BigUint::from_bytes_be(&Modp1024::MODULUS.to_be_bytes());
        let one = BigUint::from(1_u8);
        for value in [BigUint::from(0_u8), one.clone(), &prime - &one, prime.clone(), &prime + &one] {
            assert_eq!(secret.agree(&with_value(value)).err(), Some(AgreeError::OutsideGroup));
        }
        assert!(secret.agree(&with_value(BigUint::from(2_u8))).is_ok());
    }

    #[test]
    fn other_groups_are_refused() {
        let secret = DhSecret::generate(&mut OsRng);
        let prime = BigUint::from_bytes_be(&Modp1024::MODULUS.to_be_bytes());
        let group = |prime: BigUint, generator: u8| {
            let value = BigUint::from(5_u8);
            let numbers = DiffieHellmanNumbers { value, prime, generator: generator.into() };
            PublicKey::from_material(PublicMaterial::DiffieHellman(numbers))
        };
        assert_eq!(secret.agree(&group(prime.clone(), 4)).err(), Some(AgreeError::OtherGroup));
        assert_eq!(secret.agree(&group(prime - BigUint::from(2_u8), 2)).err(), Some(AgreeError::OtherGroup));
    }

    #[test]
    fn offers_name_a_cipher_since_2_4() {
        let key = DhSecret::generate(&mut OsRng).public_key();
        for (minor, cipher, bytes) in [(3, SessionCipher::Des, 0), (4, SessionCipher::Aes, 4)] {
            let offer = DhOffer { cipher, key: key.clone() };
            let mut data = Vec::new();
            offer.encode(Version::new(2, minor), &mut data);
            assert_eq!(data.len(), key.as_bytes().len() + bytes);
            assert_eq!(DhOffer::parse(Version::new(2, minor), &data), Ok(offer));
        }
        let unknown = [&[0, 0, 0, 9], key.as_bytes()].concat();
        assert_eq!(DhOffer::parse(Version::CURRENT, &unknown), Err(OfferError::UnknownCipher { code: 9 }));
        assert!(matches!(DhOffer::parse(Version::CURRENT, &[0, 0]), Err(OfferError::Malformed(_))));
        assert!(matches!(DhOffer::parse(Version::new(2, 3), &[0, 0]), Err(OfferError::Key(_))));
    }

    #[test]
    fn leading_zero_bytes_are_dropped_only_while_enough_remain() {
        let mut bytes = [0; GROUP_BYTES];
        bytes[3..].fill(7);
        assert_eq!(*SharedSecret(bytes).leading::<4>(), [7; 4]);
        let mut bytes = [0; GROUP_BYTES];
        bytes[GROUP_BYTES - 2..].fill(7);
        assert_eq!(*SharedSecret(bytes).leading::<4>(), [0, 0, 7, 7]);
    }
}
