//! The digest of all identifiers of a node, by which two nodes are shown to hold the same.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::file::Status;

/// The digest of identifiers in the order of their keys: name as look-ups compare it, status, content hash. Serials and times are no part of it, for
/// they are each node's own.
#[derive(Clone, Debug, Default)]
pub struct Digest {
    hasher: Sha256,
    identifiers: u64,
}

impl Digest {
    /// Takes the next identifier.
    pub fn add(&mut self, key: &[u8], status: Status, content: &[u8]) {
        let status = match status {
            Status::Active => 0_u8,
            Status::Suspended => 1,
            Status::Revoked => 2,
            Status::Deleted => 3,
        };
        for bytes in [key, content] {
            self.hasher.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            self.hasher.update(bytes);
        }
        self.hasher.update([status]);
        self.identifiers += 1;
    }

    /// Identifiers taken.
    #[must_use]
    pub const fn identifiers(&self) -> u64 {
        self.identifiers
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.hasher.clone().finalize()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(all: &[(&[u8], Status, &[u8])]) -> String {
        let mut digest = Digest::default();
        all.iter().for_each(|(key, status, content)| digest.add(key, *status, content));
        digest.to_string()
    }

    #[test]
    fn name_status_and_content_all_count() {
        let one = of(&[(b"88.1/A", Status::Active, b"1")]);
        assert_eq!(one, of(&[(b"88.1/A", Status::Active, b"1")]));
        assert_ne!(one, of(&[(b"88.1/B", Status::Active, b"1")]));
        assert_ne!(one, of(&[(b"88.1/A", Status::Suspended, b"1")]));
        assert_ne!(one, of(&[(b"88.1/A", Status::Active, b"2")]));
        assert_ne!(one, of(&[]));
        assert_ne!(of(&[(b"ab", Status::Active, b"c")]), of(&[(b"a", Status::Active, b"bc")]), "no bytes wander");
    }
}
