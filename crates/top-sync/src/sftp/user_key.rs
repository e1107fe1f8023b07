//! The key a user shows.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::PrivateKey;
use zeroize::Zeroizing;

use super::config::KEY_FILE_BYTES;

/// A private key; never shown.
#[derive(Clone)]
pub struct UserKey(pub(super) Arc<PrivateKey>);

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UserKey").field(&super::host_key::fingerprint(self.0.public_key())).finish()
    }
}

/// Why a key file cannot be used. Holds nothing of what it holds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UserKeyError {
    /// It cannot be read.
    #[error("key file {path} cannot be read")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others may read it.
    #[error("key file {path} may be read by others than its owner (chmod 600)")]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// It is no private key as OpenSSH keeps them.
    #[error("key file {path} holds no private key in the form of OpenSSH")]
    Form {
        /// The file.
        path: PathBuf,
    },
    /// Nobody is there to type a pass phrase.
    #[error(
        "key file {path} has a pass phrase, which a program that runs by itself cannot be asked for (ssh-keygen -p)"
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
}

impl UserKey {
    /// Reads a key file in the form of OpenSSH.
    ///
    /// # Errors
    /// See [`UserKeyError`].
    pub fn read(path: &Path) -> Result<Self, UserKeyError> {
        let failed = |source| UserKeyError::File { path: path.to_owned(), source };
        if fs::metadata(path).map_err(failed)?.permissions().mode() & 0o077 != 0 {
            return Err(UserKeyError::Open { path: path.to_owned() });
        }
        let mut bytes = Zeroizing::new(Vec::new());
        File::open(path).and_then(|file| file.take(KEY_FILE_BYTES).read_to_end(&mut bytes)).map_err(failed)?;
        let key = PrivateKey::from_openssh(&*bytes).map_err(|_| UserKeyError::Form { path: path.to_owned() })?;
        if key.is_encrypted() {
            return Err(UserKeyError::Locked { path: path.to_owned() });
        }
        Ok(Self(Arc::new(key)))
    }
}
