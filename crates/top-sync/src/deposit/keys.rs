//! Key files of deposits: SM2 keys in PEM, the private one for its owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use waymark_wire::crypto::{KeyAlgorithm, OsRng, PrivateKey, PublicKey, key_file};
use zeroize::Zeroizing;

use super::config::KEY_FILE_BYTES;

/// Why a key file cannot be used. Holds nothing of what it holds.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It cannot be read or written.
    #[error("key file {path} cannot be used")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It holds no SM2 key of the kind that is wanted.
    #[error("key file {path} holds no {wanted} SM2 key")]
    Form {
        /// The file.
        path: PathBuf,
        /// `public` or `private`.
        wanted: &'static str,
    },
    /// Others may read it.
    #[error("key file {path} may be read by others than its owner (chmod 600)")]
    Open {
        /// The file.
        path: PathBuf,
    },
}

/// Makes a key pair in two files, `NAME.key` for its owner alone and `NAME.pub`. Files that are there are not touched.
///
/// # Errors
/// [`KeyError::File`], also for files that are there.
pub fn make_pair(folder: &Path, name: &str) -> Result<(PathBuf, PathBuf), KeyError> {
    let (private, public) = (folder.join(format!("{name}.key")), folder.join(format!("{name}.pub")));
    let key = PrivateKey::generate_sm2(&mut OsRng);
    let missing = |path: &Path, wanted| KeyError::Form { path: path.to_owned(), wanted };
    let private_text = key.to_pem().ok_or_else(|| missing(&private, "private"))?;
    let public_text = key.public_key().to_pem().ok_or_else(|| missing(&public, "public"))?;
    write_new(&private, private_text.as_bytes(), 0o600)?;
    write_new(&public, public_text.as_bytes(), 0o644)?;
    Ok((private, public))
}

/// Reads a private key.
///
/// # Errors
/// See [`KeyError`].
pub fn read_private(path: &Path) -> Result<PrivateKey, KeyError> {
    let mode = fs::metadata(path).map_err(|source| of_file(path, source))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeyError::Open { path: path.to_owned() });
    }
    let key = key_file::open(&read(path)?, None).ok().filter(|key| key.algorithm() == KeyAlgorithm::Sm2);
    key.ok_or_else(|| KeyError::Form { path: path.to_owned(), wanted: "private" })
}

/// Reads a public key, of a certificate too.
///
/// # Errors
/// See [`KeyError`].
pub fn read_public(path: &Path) -> Result<PublicKey, KeyError> {
    let key = PublicKey::parse(&read(path)?).ok().filter(|key| key.algorithm() == KeyAlgorithm::Sm2);
    key.ok_or_else(|| KeyError::Form { path: path.to_owned(), wanted: "public" })
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let mut bytes = Zeroizing::new(Vec::new());
    let read = File::open(path).and_then(|file| file.take(KEY_FILE_BYTES).read_to_end(&mut bytes));
    read.map_err(|source| of_file(path, source))?;
    Ok(bytes)
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), KeyError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(|source| of_file(path, source))
}

fn of_file(path: &Path, source: io::Error) -> KeyError {
    KeyError::File { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_made_once_and_is_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let (private, public) = make_pair(folder.path(), "deposit").unwrap();
        let key = read_private(&private).unwrap();
        assert_eq!(read_public(&public).unwrap().to_pem(), key.public_key().to_pem());
        assert!(matches!(make_pair(folder.path(), "deposit"), Err(KeyError::File { .. })));
        assert!(matches!(read_private(&public), Err(KeyError::Open { .. })));
        fs::set_permissions(&public, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(read_private(&public), Err(KeyError::Form { wanted: "private", .. })));
        assert!(matches!(read_public(&private), Err(KeyError::Form { wanted: "public", .. })));
        fs::set_permissions(&private, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read_private(&private), Err(KeyError::Open { .. })));
    }
}
