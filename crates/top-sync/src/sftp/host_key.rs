//! Whom a server is believed to be.

use std::fmt;
use std::str::FromStr;

use russh::keys::ssh_key::Fingerprint;
use russh::keys::{Algorithm, HashAlg, PublicKey};

/// The key a server has to show.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum HostKey {
    /// None is known: no server is believed, and what it shows is told.
    #[default]
    Unknown,
    /// The key with this fingerprint.
    Fingerprint(Fingerprint),
    /// This key.
    Key(Box<PublicKey>),
}

/// A text that names no host key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a fingerprint such as SHA256:... nor a line of known_hosts")]
pub struct HostKeyError;

impl HostKey {
    /// Whether a server that shows this key is the one.
    pub(super) fn is(&self, shown: &PublicKey) -> bool {
        match self {
            Self::Unknown => false,
            Self::Fingerprint(known) => *known == shown.fingerprint(known.algorithm()),
            Self::Key(known) => known.key_data() == shown.key_data(),
        }
    }

    /// The kinds of key to ask the server for, where only one is known.
    pub(super) fn algorithms(&self) -> Option<Vec<Algorithm>> {
        let Self::Key(key) = self else { return None };
        Some(match key.algorithm() {
            Algorithm::Rsa { .. } => {
                vec![Algorithm::Rsa { hash: Some(HashAlg::Sha512) }, Algorithm::Rsa { hash: Some(HashAlg::Sha256) }]
            }
            other => vec![other],
        })
    }
}

/// The fingerprint of a key, as people compare it.
pub(super) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

impl FromStr for HostKey {
    type Err = HostKeyError;

    /// Empty for an unknown one; a fingerprint; a public key or a line of known_hosts, whose host is not looked at.
    fn from_str(text: &str) -> Result<Self, HostKeyError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::Unknown);
        }
        // A marker says that the key is an authority's or revoked: neither is one to pin.
        if text.starts_with('@') {
            return Err(HostKeyError);
        }
        if text.starts_with("SHA256:") {
            return text.parse().map(Self::Fingerprint).map_err(|_| HostKeyError);
        }
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let pairs = words.iter().zip(words.iter().skip(1)).take(2);
        let key = pairs.filter_map(|(kind, key)| PublicKey::from_openssh(&format!("{kind} {key}")).ok()).next();
        key.map(|key| Self::Key(Box::new(key))).ok_or(HostKeyError)
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("none"),
            Self::Fingerprint(known) => known.fmt(f),
            Self::Key(known) => f.write_str(&fingerprint(known)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made with ssh-keygen; its fingerprint is what ssh-keygen -l says.
    const LINE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAvsJeI9DRCM2KU+NK4IeMJpuZEHRcLjdC8RRsVy1KU3";
    const FINGERPRINT: &str = "SHA256:7vNExrfGPkQasaDmK6t9YN0CCRP2vcclsdQ05KK8qpU";

    fn key() -> PublicKey {
        PublicKey::from_openssh(LINE).unwrap()
    }

    #[test]
    fn a_key_is_known_by_its_fingerprint_its_line_and_its_line_of_known_hosts() {
        for text in [
            FINGERPRINT,
            LINE,
            &format!("{LINE} platform@top"),
            &format!("sftp.example.cn,192.0.2.7 {LINE}"),
            &format!("|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= {LINE}"),
        ] {
            let known: HostKey = text.parse().unwrap();
            assert!(known.is(&key()), "{text}");
            assert_eq!(known.to_string(), FINGERPRINT);
        }
    }

    #[test]
    fn nobody_is_believed_without_a_pin_or_with_another() {
        assert!(!"".parse::<HostKey>().unwrap().is(&key()));
        let other: HostKey = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
        assert!(!other.is(&key()));
    }

    #[test]
    fn what_names_no_key_is_refused() {
        for text in ["SHA256:", "MD5:00:11", "ssh-ed25519", "host ssh-ed25519 AAAA", "@revoked host ssh-ed25519 AAAA"] {
            assert_eq!(text.parse::<HostKey>(), Err(HostKeyError), "{text}");
        }
        assert_eq!(format!("@cert-authority * {LINE}").parse::<HostKey>(), Err(HostKeyError));
    }
}
