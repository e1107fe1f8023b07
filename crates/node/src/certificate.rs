//! The certificate of the QUIC door: a development one made at first start, or real ones from files.
//!
//! The development certificate lives in the data folder (`quic-dev.crt`, `quic-dev.key`, the key readable by its owner alone), so its
//! fingerprint stays the same over restarts and clients may pin it.

use std::{
    fmt::Write as _,
    fs, io,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use crate::problem::{Exit, Problem};

/// File of the development certificate within the data folder.
const DEVELOPMENT_CERTIFICATE: &str = "quic-dev.crt";
/// File of its private key.
const DEVELOPMENT_KEY: &str = "quic-dev.key";

/// Where the certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Made at first start and kept in the data folder.
    Development {
        /// The data folder.
        data: PathBuf,
    },
    /// PEM files of the operator: the chain, the node's own certificate first, and its private key.
    Files {
        /// Certificate chain.
        chain: PathBuf,
        /// Private key (PKCS#8, PKCS#1 or SEC1).
        key: PathBuf,
    },
}

/// A certificate ready for use.
#[derive(Debug)]
pub struct Certificate {
    /// The chain, the node's own certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its private key.
    pub key: PrivateKeyDer<'static>,
    /// SHA-256 of the node's own certificate, lower-case hexadecimal.
    pub fingerprint: String,
    /// Whether it is the development certificate, which no client trusts without a pin.
    pub is_development: bool,
}

impl Source {
    /// Reads the certificate, making the development one when there is none yet.
    ///
    /// # Errors
    /// A file that cannot be read or holds no certificate or key, named with its path.
    pub fn load(&self) -> Result<Certificate, Problem> {
        match self {
            Self::Files { chain, key } => read(chain, key, false),
            Self::Development { data } => {
                let (chain, key) = (data.join(DEVELOPMENT_CERTIFICATE), data.join(DEVELOPMENT_KEY));
                // The key is written last: its presence means the pair is whole.
                if !key.exists() {
                    make_development(&chain, &key)?;
                }
                read(&chain, &key, true)
            }
        }
    }
}

fn read(chain: &Path, key: &Path, is_development: bool) -> Result<Certificate, Problem> {
    let unreadable = |path: &Path, cause: &dyn std::fmt::Display| {
        Problem::new("certificate-unreadable", Exit::Usage).with("path", path.display()).with("cause", cause)
    };
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|cause| unreadable(chain, &cause))?;
    let Some(own) = certificates.first() else {
        return Err(Problem::new("certificate-empty", Exit::Usage).with("path", chain.display()));
    };
    let fingerprint = fingerprint(own);
    let key = PrivateKeyDer::from_pem_file(key).map_err(|cause| unreadable(key, &cause))?;
    Ok(Certificate { chain: certificates, key, fingerprint, is_development })
}

/// SHA-256 of a certificate in lower-case hexadecimal.
pub fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = waymark_client::fingerprint(certificate);
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _written = write!(text, "{byte:02x}");
        text
    })
}

fn make_development(chain: &Path, key: &Path) -> Result<(), Problem> {
    let failed =
        |cause: &dyn std::fmt::Display| Problem::new("certificate-not-made", Exit::Failed).with("cause", cause);
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut parameters = rcgen::CertificateParams::new(names).map_err(|cause| failed(&cause))?;
    parameters.distinguished_name.push(rcgen::DnType::CommonName, "Waymark development certificate");
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2099, 1, 1);
    let pair = rcgen::KeyPair::generate().map_err(|cause| failed(&cause))?;
    let certificate = parameters.self_signed(&pair).map_err(|cause| failed(&cause))?;
    let write = |path: &Path, text: &str| {
        write_private(path, text.as_bytes()).map_err(|cause| {
            Problem::new("file-not-written", Exit::Failed).with("path", path.display()).with("cause", cause)
        })
    };
    write(chain, &certificate.pem())?;
    write(key, &pair.serialize_pem())
}

/// Writes a file only its owner can read, whole or not at all.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    // A draft left by a crash may have other permissions.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_development_certificate_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let source = Source::Development { data: folder.path().to_owned() };
        let (first, second) = (source.load().unwrap(), source.load().unwrap());
        assert_eq!(first.fingerprint, second.fingerprint);
        assert_eq!(first.fingerprint.len(), 64);
        assert!(first.is_development);
    }

    #[test]
    fn only_the_owner_reads_the_key() {
        let folder = tempfile::tempdir().unwrap();
        Source::Development { data: folder.path().to_owned() }.load().unwrap();
        let mode = fs::metadata(folder.path().join(DEVELOPMENT_KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn names_the_file_that_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let chain = folder.path().join("chain.pem");
        fs::write(&chain, "no certificate").unwrap();
        let problem = Source::Files { chain: chain.clone(), key: folder.path().join("none.key") }.load().unwrap_err();
        assert_eq!(problem.code(), "certificate-empty");
        let missing = Source::Files { chain: folder.path().join("none.pem"), key: chain }.load().unwrap_err();
        assert!(format!("{missing:?}").contains("none.pem"));
    }
}
