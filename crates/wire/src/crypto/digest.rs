//! Digests of requests, and the names signatures give to digests.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::version::Version;

/// A digest algorithm the protocol has a code for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DigestAlgorithm {
    /// MD5, 16 bytes, code 1; the only one below version 2.1.
    Md5,
    /// SHA-1, 20 bytes, code 2; versions 2.1 to 2.6.
    Sha1,
    /// SHA-256, 32 bytes, code 3; version 2.7 and later.
    Sha256,
}

impl DigestAlgorithm {
    /// The length of the longest digest, in bytes.
    pub const MAX_BYTES: usize = 32;

    /// The algorithm of request digests in messages of this version.
    #[must_use]
    pub fn of_version(version: Version) -> Self {
        if version.at_least_2(7) {
            Self::Sha256
        } else if version.at_least_2(1) {
            Self::Sha1
        } else {
            Self::Md5
        }
    }

    /// The byte that stands for the algorithm in messages.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Md5 => 1,
            Self::Sha1 => 2,
            Self::Sha256 => 3,
        }
    }

    /// The algorithm of a code byte; `None` for a byte that names no algorithm.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Md5),
            2 => Some(Self::Sha1),
            3 => Some(Self::Sha256),
            _ => None,
        }
    }

    /// The length of its digests in bytes.
    #[must_use]
    pub const fn digest_bytes(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The name written in front of signatures since version 2.6.
    #[must_use]
    pub const fn name(self) -> &'static [u8] {
        match self {
            Self::Md5 => b"MD5",
            Self::Sha1 => b"SHA1",
            Self::Sha256 => b"SHA-256",
        }
    }

    /// The algorithm a signature names: with or without a hyphen, or as the single code byte old clients write. `None` for other names.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        if let [code] = name {
            return Self::from_code(*code);
        }
        let known: [(&[u8], Self); 5] = [
            (b"SHA-256", Self::Sha256),
            (b"SHA256", Self::Sha256),
            (b"SHA1", Self::Sha1),
            (b"SHA-1", Self::Sha1),
            (b"MD5", Self::Md5),
        ];
        known.iter().find(|(text, _)| name == *text).map(|(_, algorithm)| *algorithm)
    }

    /// Digests the parts as if they were one string of bytes.
    #[must_use]
    pub fn digest(self, parts: &[&[u8]]) -> RequestDigest {
        fn whole<D: Digest>(parts: &[&[u8]], out: &mut [u8; DigestAlgorithm::MAX_BYTES]) {
            let digest = parts.iter().fold(D::new(), D::chain_update).finalize();
            for (to, from) in out.iter_mut().zip(digest) {
                *to = from;
            }
        }
        let mut bytes = [0; Self::MAX_BYTES];
        match self {
            Self::Md5 => whole::<Md5>(parts, &mut bytes),
            Self::Sha1 => whole::<Sha1>(parts, &mut bytes),
            Self::Sha256 => whole::<Sha256>(parts, &mut bytes),
        }
        RequestDigest { algorithm: self, bytes }
    }
}

/// The digest of a request's header and body, kept in a fixed array.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestDigest {
    algorithm: DigestAlgorithm,
    /// Bytes past the digest's own length are zero.
    bytes: [u8; DigestAlgorithm::MAX_BYTES],
}

impl RequestDigest {
    /// A digest that came with a message; `None` when it has not the length of the algorithm's digests.
    #[must_use]
    pub fn new(algorithm: DigestAlgorithm, digest: &[u8]) -> Option<Self> {
        if digest.len() != algorithm.digest_bytes() {
            return None;
        }
        let mut bytes = [0; DigestAlgorithm::MAX_BYTES];
        bytes.get_mut(..digest.len())?.copy_from_slice(digest);
        Some(Self { algorithm, bytes })
    }

    /// The algorithm it was made with.
    #[must_use]
    pub const fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }

    /// The digest: 16, 20 or 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.algorithm.digest_bytes()).unwrap_or_default()
    }
}

/// Digests a request's header and body with the algorithm of its version: SHA-256 since 2.7, SHA-1 since 2.1, MD5
/// before (there without an algorithm byte in front).
#[must_use]
pub fn request_digest(version: Version, header_and_body: &[u8]) -> RequestDigest {
    DigestAlgorithm::of_version(version).digest(&[header_and_body])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picks_the_algorithm_of_the_version() {
        for (minor, expected) in [
            (0, DigestAlgorithm::Md5),
            (1, DigestAlgorithm::Sha1),
            (6, DigestAlgorithm::Sha1),
            (7, DigestAlgorithm::Sha256),
            (11, DigestAlgorithm::Sha256),
        ] {
            assert_eq!(request_digest(Version::new(2, minor), b"x").algorithm(), expected, "2.{minor}");
        }
    }

    #[test]
    fn digests_version_five_like_version_two() {
        assert_eq!(request_digest(Version::LEGACY_FIVE, b"x"), request_digest(Version::new(2, 0), b"x"));
        assert_eq!(request_digest(Version::new(3, 0), b"x").algorithm(), DigestAlgorithm::Sha256);
    }

    #[test]
    fn refuses_a_digest_of_the_wrong_length() {
        assert!(RequestDigest::new(DigestAlgorithm::Sha1, &[0; 19]).is_none());
        assert!(RequestDigest::new(DigestAlgorithm::Sha1, &[0; 21]).is_none());
        assert!(RequestDigest::new(DigestAlgorithm::Md5, &[0; 33]).is_none());
        assert_eq!(RequestDigest::new(DigestAlgorithm::Sha256, &[7; 32]).unwrap().as_bytes(), [7; 32]);
    }

    #[test]
    fn parts_digest_like_their_concatenation() {
        for algorithm in [DigestAlgorithm::Md5, DigestAlgorithm::Sha1, DigestAlgorithm::Sha256] {
            assert_eq!(algorithm.digest(&[b"ab", b"", b"c"]), algorithm.digest(&[b"abc"]));
            assert_eq!(algorithm.digest(&[]).as_bytes().len(), algorithm.digest_bytes());
        }
    }

    #[test]
    fn reads_every_spelling_of_a_digest_name() {
        for name in [b"SHA-256".as_slice(), b"SHA256", &[3]] {
            assert_eq!(DigestAlgorithm::from_name(name), Some(DigestAlgorithm::Sha256));
        }
        for name in [b"SHA1".as_slice(), b"SHA-1", &[2]] {
            assert_eq!(DigestAlgorithm::from_name(name), Some(DigestAlgorithm::Sha1));
        }
        assert_eq!(DigestAlgorithm::from_name(b"MD5"), Some(DigestAlgorithm::Md5));
        for name in [b"".as_slice(), &[0], &[4], b"SM3", b"sha256", b"SHA-512"] {
            assert_eq!(DigestAlgorithm::from_name(name), None);
        }
    }
}
