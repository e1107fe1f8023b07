//! The key this node signs certified answers with.
//!
//! Its public half stands in our HS_SITE data, where clients take it from to check an answer. It is made at first start and kept in a file
//! of the protocol's own form; both are the business of whoever owns the data folder.

use std::ops::Deref;

use waymark_wire::crypto::key_file::{self, KeyFileError};
use waymark_wire::crypto::limits::NEW_RSA_BITS;
use waymark_wire::crypto::private_key::PrivateKeyError;
use waymark_wire::crypto::signed_message::{CertifyError, certify_response};
use waymark_wire::crypto::{KeyAlgorithm, OsRng, PrivateKey, PublicKey};

/// The signing key of the node. Wiped when dropped, never printed.
#[derive(Debug)]
pub struct NodeKey {
    private: PrivateKey,
    public: PublicKey,
}

impl NodeKey {
    /// Takes a key that can sign answers.
    ///
    /// # Errors
    /// [`NodeKeyError::CannotSign`] for keys other than RSA and DSA.
    pub fn new(private: PrivateKey) -> Result<Self, NodeKeyError> {
        match private.algorithm() {
            KeyAlgorithm::Rsa | KeyAlgorithm::Dsa => {
                let public = private.public_key();
                Ok(Self { private, public })
            }
            algorithm => Err(NodeKeyError::CannotSign { algorithm }),
        }
    }

    /// Makes an RSA key of the default size. Takes up to some seconds.
    ///
    /// # Errors
    /// [`NodeKeyError::NotMade`] when no key was found.
    pub fn generate() -> Result<Self, NodeKeyError> {
        let private = PrivateKey::generate_rsa(NEW_RSA_BITS.default, &mut OsRng).map_err(NodeKeyError::NotMade)?;
        Self::new(private)
    }

    /// Opens a private key file, or a PEM text with a private key.
    ///
    /// # Errors
    /// [`NodeKeyError::Unreadable`], or as [`new`](Self::new).
    pub fn open(file: &[u8], pass_phrase: Option<&[u8]>) -> Result<Self, NodeKeyError> {
        Self::new(key_file::open(file, pass_phrase).map_err(NodeKeyError::Unreadable)?)
    }

    /// The key as a private key file in the clear, wiped when dropped. `None` never happens for the keys taken here.
    #[must_use]
    pub fn to_file(&self) -> Option<impl Deref<Target = Vec<u8>> + use<>> {
        key_file::write_plain(&self.private)
    }

    /// The public half, as it stands in HS_SITE data.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a whole answer in place: sets CERT and puts the signature into its credential.
    pub(crate) fn certify(&self, answer: &mut Vec<u8>) -> Result<(), CertifyError> {
        certify_response(answer, &self.private, &mut OsRng)
    }
}

/// Why there is no key to sign with.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeKeyError {
    /// The key makes no signatures that clients check.
    #[error("a {algorithm:?} key cannot certify answers; RSA and DSA keys can")]
    CannotSign {
        /// Its algorithm.
        algorithm: KeyAlgorithm,
    },
    /// No key could be made.
    #[error("no key could be made")]
    NotMade(#[source] PrivateKeyError),
    /// The file cannot be opened.
    #[error("the key file cannot be opened")]
    Unreadable(#[source] KeyFileError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_from_its_file_with_the_same_public_half() {
        let private = PrivateKey::generate_rsa(NEW_RSA_BITS.min, &mut OsRng).unwrap();
        let key = NodeKey::new(private).unwrap();
        let file = key.to_file().unwrap();
        assert_eq!(NodeKey::open(&file, None).unwrap().public_key(), key.public_key());
        assert!(!format!("{key:?}").contains("material"), "a key is never printed");
    }

    #[test]
    fn refuses_what_is_no_key_file() {
        assert!(matches!(NodeKey::open(b"no key", None), Err(NodeKeyError::Unreadable(_))));
    }
}
