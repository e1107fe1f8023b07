//! Message authentication codes that prove knowledge of a secret key (HS_SECKEY values).
//!
//! ```text
//! u8 algorithm, then with K the secret and D the data
//!   01, 02, 03   MD5, SHA-1, SHA-256 of K D K
//!   12, 13       HMAC-SHA1, HMAC-SHA256 with key K over D
//!   22           bytes salt, u32 iterations, u32 key bits, bytes HMAC-SHA1 over D,
//!                with the key PBKDF2-HMAC-SHA1(K, salt, iterations)
//! ```
//! Below version 2.1 there is no algorithm byte, only the 16 bytes of MD5.

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use rand_core::CryptoRngCore;
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::challenge::AnswerError;
use super::digest::DigestAlgorithm;
use super::limits::{ANSWER_KEY_BITS, SALT_BYTES, SENT_ITERATIONS, SENT_KEY_BITS};
use crate::primitives::{Reader, Sink};
use crate::version::Version;

/// How a code is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MacAlgorithm {
    /// A digest of the data with the secret before and behind it: codes 01, 02 and 03.
    Keyed(DigestAlgorithm),
    /// HMAC-SHA1, code 12.
    HmacSha1,
    /// HMAC-SHA256, code 13.
    HmacSha256,
    /// HMAC-SHA1 with a key derived by PBKDF2, code 22.
    Pbkdf2,
}

impl MacAlgorithm {
    /// What clients use in this version: PBKDF2 since 2.7, SHA-1 since 2.1, MD5 before.
    #[must_use]
    pub const fn of_version(version: Version) -> Self {
        if version.at_least_2(7) {
            Self::Pbkdf2
        } else if version.at_least_2(1) {
            Self::Keyed(DigestAlgorithm::Sha1)
        } else {
            Self::Keyed(DigestAlgorithm::Md5)
        }
    }

    /// The byte in front of the code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Keyed(digest) => digest.code(),
            Self::HmacSha1 => 0x12,
            Self::HmacSha256 => 0x13,
            Self::Pbkdf2 => 0x22,
        }
    }

    /// The algorithm of a code byte; `None` for a byte that names none.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0x12 => Some(Self::HmacSha1),
            0x13 => Some(Self::HmacSha256),
            0x22 => Some(Self::Pbkdf2),
            code => DigestAlgorithm::from_code(code).map(Self::Keyed),
        }
    }
}

/// Makes the code over the parts, taken as one string of bytes, with the algorithm in front. Below version 2.1 only
/// the 16 bytes of MD5 are written, whatever the algorithm. The random source gives the 16 bytes of a salt where one
/// is needed.
#[must_use]
pub fn sign(
    version: Version,
    algorithm: MacAlgorithm,
    secret: &[u8],
    parts: &[&[u8]],
    rng: &mut impl CryptoRngCore,
) -> Vec<u8> {
    if !version.at_least_2(1) {
        return keyed(DigestAlgorithm::Md5, secret, parts);
    }
    let mut out = vec![algorithm.code()];
    match algorithm {
        MacAlgorithm::Keyed(digest) => out.put(&keyed(digest, secret, parts)),
        MacAlgorithm::HmacSha1 => out.put(&hmac_sha1(secret, parts)),
        MacAlgorithm::HmacSha256 => out.put(&hmac_sha256(secret, parts)),
        MacAlgorithm::Pbkdf2 => {
            let mut salt = [0; 16];
            rng.fill_bytes(&mut salt);
            out.put_bytes(&salt);
            out.put_u32(SENT_ITERATIONS);
            out.put_u32(SENT_KEY_BITS);
            out.put_bytes(&hmac_sha1(&derive(secret, &salt, SENT_ITERATIONS, SENT_KEY_BITS), parts));
        }
    }
    out
}

/// Checks a code over the parts, in constant time. At most `max_iterations` of PBKDF2 are worked; take the number
/// from [`ANSWER_ITERATIONS`](super::limits::ANSWER_ITERATIONS).
///
/// # Errors
/// [`AnswerError`]: empty, malformed, of an unknown algorithm, too much work, or simply not right.
pub fn verify(
    version: Version,
    secret: &[u8],
    parts: &[&[u8]],
    code: &[u8],
    max_iterations: u32,
) -> Result<(), AnswerError> {
    if code.is_empty() {
        return Err(AnswerError::Empty);
    }
    if !version.at_least_2(1) {
        return compare(&keyed(DigestAlgorithm::Md5, secret, parts), code);
    }
    let mut reader = Reader::new(code);
    let algorithm = reader.u8()?;
    match MacAlgorithm::from_code(algorithm).ok_or(AnswerError::UnknownAlgorithm)? {
        MacAlgorithm::Keyed(digest) => compare(&keyed(digest, secret, parts), reader.rest()),
        MacAlgorithm::HmacSha1 => compare(&hmac_sha1(secret, parts), reader.rest()),
        MacAlgorithm::HmacSha256 => compare(&hmac_sha256(secret, parts), reader.rest()),
        MacAlgorithm::Pbkdf2 => {
            let salt = reader.bytes()?;
            let iterations = reader.u32()?;
            let bits = reader.u32()?;
            let mac = reader.bytes()?;
            reader.expect_end()?;
            if iterations > max_iterations {
                return Err(AnswerError::TooManyIterations { asked: iterations, limit: max_iterations });
            }
            if iterations == 0 || !(8..=ANSWER_KEY_BITS).contains(&bits) || salt.len() > SALT_BYTES {
                return Err(AnswerError::BadParameters);
            }
            compare(&hmac_sha1(&derive(secret, salt, iterations, bits), parts), mac)
        }
    }
}

/// Compares two codes without telling by time where they differ.
pub(super) fn compare(expected: &[u8], given: &[u8]) -> Result<(), AnswerError> {
    if bool::from(expected.ct_eq(given)) { Ok(()) } else { Err(AnswerError::Mismatch) }
}

fn keyed(digest: DigestAlgorithm, secret: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut all = vec![secret];
    all.extend_from_slice(parts);
    all.push(secret);
    digest.digest(&all).as_bytes().to_vec()
}

fn hmac_sha1(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    hmac_of::<Hmac<Sha1>>(key, parts)
}

/// HMAC-SHA256 of the parts, taken as one string of bytes.
pub(super) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    hmac_of::<Hmac<Sha256>>(key, parts)
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length, RFC 2104 section 2")]
fn hmac_of<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let hmac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().fold(hmac, Mac::chain_update).finalize().into_bytes().to_vec()
}

fn derive(secret: &[u8], salt: &[u8], iterations: u32, bits: u32) -> Zeroizing<Vec<u8>> {
    let mut key = Zeroizing::new(vec![0; (bits / 8) as usize]);
    pbkdf2::pbkdf2_hmac::<Sha1>(secret, salt, iterations, &mut key);
    key
}

#[cfg(test)]
mod tests {
    use rand_core::OsRng;

    use super::*;

    const ALL: [MacAlgorithm; 6] = [
        MacAlgorithm::Keyed(DigestAlgorithm::Md5),
        MacAlgorithm::Keyed(DigestAlgorithm::Sha1),
        MacAlgorithm::Keyed(DigestAlgorithm::Sha256),
        MacAlgorithm::HmacSha1,
        MacAlgorithm::HmacSha256,
        MacAlgorithm::Pbkdf2,
    ];

    fn check(version: Version, secret: &[u8], data: &[u8], code: &[u8]) -> Result<(), AnswerError> {
        verify(version, secret, &[data], code, 10_000)
    }

    #[test]
    fn every_algorithm_proves_the_secret_and_the_data() {
        for algorithm in ALL {
            let code = sign(Version::CURRENT, algorithm, b"secret", &[b"da", b"ta"], &mut OsRng);
            assert_eq!(code.first(), Some(&algorithm.code()));
            assert_eq!(MacAlgorithm::from_code(algorithm.code()), Some(algorithm));
            assert_eq!(check(Version::CURRENT, b"secret", b"data", &code), Ok(()));
            assert_eq!(check(Version::CURRENT, b"Secret", b"data", &code), Err(AnswerError::Mismatch));
            assert_eq!(check(Version::CURRENT, b"secret", b"date", &code), Err(AnswerError::Mismatch));
            assert!(check(Version::CURRENT, b"secret", b"data", code.split_last().unwrap().1).is_err());
            assert!(check(Version::CURRENT, b"secret", b"data", &[code, vec![0]].concat()).is_err());
        }
    }

    #[test]
    fn the_oldest_form_has_no_algorithm_byte() {
        let version = Version::new(2, 0);
        let code = sign(version, MacAlgorithm::Pbkdf2, b"k", &[b"d"], &mut OsRng);
        assert_eq!(code, DigestAlgorithm::Md5.digest(&[b"kdk"]).as_bytes());
        assert_eq!(check(version, b"k", b"d", &code), Ok(()));
        assert_eq!(check(version, b"k", b"d", &[vec![1], code].concat()), Err(AnswerError::Mismatch));
    }

    #[test]
    fn a_code_without_bytes_never_matches() {
        assert_eq!(check(Version::CURRENT, b"k", b"d", b""), Err(AnswerError::Empty));
        for code in [1, 2, 3, 0x12, 0x13] {
            assert_eq!(check(Version::CURRENT, b"k", b"d", &[code]), Err(AnswerError::Mismatch));
        }
        assert!(matches!(check(Version::CURRENT, b"k", b"d", &[0x22]), Err(AnswerError::Malformed(_))));
        for code in [0, 4, 0x11, 0x23, 0xff] {
            assert_eq!(check(Version::CURRENT, b"k", b"d", &[code, 1]), Err(AnswerError::UnknownAlgorithm));
        }
    }

    #[test]
    fn work_and_sizes_a_client_may_ask_for_are_bounded() {
        let ask = |salt: usize, iterations: u32, bits: u32| {
            let mut code = vec![0x22];
            code.put_bytes(&vec![7; salt]);
            code.put_u32(iterations);
            code.put_u32(bits);
            code.put_bytes(&[0; 20]);
            check(Version::CURRENT, b"k", b"d", &code)
        };
        assert_eq!(ask(16, 10_000, 160), Err(AnswerError::Mismatch));
        let too_many = |asked| Err(AnswerError::TooManyIterations { asked, limit: 10_000 });
        assert_eq!(ask(16, 10_001, 160), too_many(10_001));
        assert_eq!(ask(16, u32::MAX, 160), too_many(u32::MAX));
        for (salt, iterations, bits) in
            [(SALT_BYTES + 1, 1, 160), (16, 0, 160), (16, 1, 7), (16, 1, 513), (16, 1, u32::MAX)]
        {
            assert_eq!(ask(salt, iterations, bits), Err(AnswerError::BadParameters));
        }
    }
}
