//! Whom to believe on QUIC: a certificate known by its fingerprint, or authorities.

use std::{fmt, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use sha2::{Digest as _, Sha256};

/// SHA-256 of a certificate.
#[must_use]
pub fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

/// Whom to believe.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Exactly the certificate with this SHA-256, whatever it says of names and dates.
    Pin([u8; 32]),
    /// Certificates of these authorities, for the name the server is asked under.
    Authorities(Arc<RootCertStore>),
}

impl Trust {
    /// Whether both believe the same; authorities are compared by where they are kept, not by what they are.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Pin(own), Self::Pin(other)) => own == other,
            (Self::Authorities(own), Self::Authorities(other)) => Arc::ptr_eq(own, other),
            _ => false,
        }
    }

    /// TLS settings of a client that believes these, without the protocol names.
    pub(crate) fn settings(&self) -> Result<rustls::ClientConfig, rustls::Error> {
        self.settings_of(&[&rustls::version::TLS13])
    }

    /// TLS settings of a client of HTTPS that believes these: TLS 1.2 too, since servers of others may know no other.
    ///
    /// # Errors
    /// What the TLS library says.
    pub fn https_settings(&self) -> Result<rustls::ClientConfig, rustls::Error> {
        self.settings_of(&[&rustls::version::TLS13, &rustls::version::TLS12])
    }

    fn settings_of(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Result<rustls::ClientConfig, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder =
            rustls::ClientConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions)?;
        Ok(match self {
            Self::Pin(pin) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Pinned::new(*pin, &provider)))
                .with_no_client_auth(),
            Self::Authorities(roots) => builder.with_root_certificates(Arc::clone(roots)).with_no_client_auth(),
        })
    }
}

/// Accepts one certificate, on QUIC and on TLS. The handshake still proves that the server holds its key.
#[derive(Debug)]
pub(crate) struct Pinned {
    pin: [u8; 32],
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pinned {
    pub(crate) fn new(pin: [u8; 32], provider: &CryptoProvider) -> Self {
        Self { pin, algorithms: provider.signature_verification_algorithms }
    }
}

/// The server showed another certificate than the one that is pinned.
struct OtherCertificate {
    shown: [u8; 32],
}

impl fmt::Display for OtherCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server's certificate is not the pinned one, its fingerprint is ")?;
        self.shown.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for OtherCertificate {
    /// As people read it: the TLS library shows reasons of others in this form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for OtherCertificate {}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // A fingerprint is public: comparing it needs no constant time.
        if fingerprint(end_entity) == self.pin {
            Ok(ServerCertVerified::assertion())
        } else {
            let other = Arc::new(OtherCertificate { shown: fingerprint(end_entity) });
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(other))))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rustls::{
        ClientConnection, ServerConfig, ServerConnection,
        pki_types::PrivateKeyDer,
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    };

    use super::*;

    /// A certificate for `localhost` and its key.
    fn certificate() -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.der().clone(), PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into()))
    }

    /// Shows a certificate and signs with a key, whether they belong together or not.
    #[derive(Debug)]
    struct Shows(Arc<CertifiedKey>);

    impl ResolvesServerCert for Shows {
        fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            Some(Arc::clone(&self.0))
        }
    }

    /// What a client that trusts so says of a server that shows this certificate and holds this key.
    fn handshake(
        trust: &Trust,
        name: &'static str,
        certificate: &CertificateDer<'static>,
        key: &PrivateKeyDer<'static>,
    ) -> Result<(), rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = provider.key_provider.load_private_key(key.clone_key()).unwrap();
        let shows = Shows(Arc::new(CertifiedKey::new(vec![certificate.clone()], key)));
        let server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(shows));
        let mut server = ServerConnection::new(Arc::new(server)).unwrap();
        let mut client = ClientConnection::new(Arc::new(trust.settings().unwrap()), name.try_into().unwrap()).unwrap();
        while client.is_handshaking() {
            let mut bytes = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut bytes).unwrap();
            }
            server.read_tls(&mut &bytes[..]).unwrap();
            server.process_new_packets().unwrap();
            bytes.clear();
            while server.wants_write() {
                server.write_tls(&mut bytes).unwrap();
            }
            let mut bytes = &bytes[..];
            while !bytes.is_empty() {
                client.read_tls(&mut bytes).unwrap();
                client.process_new_packets()?;
            }
        }
        Ok(())
    }

    fn authority(certificate: &CertificateDer<'static>) -> Trust {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        Trust::Authorities(Arc::new(roots))
    }

    #[test]
    fn a_pin_accepts_its_certificate_under_any_name() {
        let (certificate, key) = certificate();
        let trust = Trust::Pin(fingerprint(&certificate));
        handshake(&trust, "localhost", &certificate, &key).unwrap();
        handshake(&trust, "another.example", &certificate, &key).unwrap();
    }

    #[test]
    fn a_pin_refuses_every_other_certificate() {
        let (certificate, key) = certificate();
        let mut pin = fingerprint(&certificate);
        pin[31] ^= 1;
        let refused = handshake(&Trust::Pin(pin), "localhost", &certificate, &key);
        let Err(rustls::Error::InvalidCertificate(CertificateError::Other(told))) = refused else {
            panic!("{refused:?}")
        };
        let shown: String = fingerprint(&certificate).iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(told.0.to_string().ends_with(&shown), "{told:?}");
    }

    #[test]
    fn showing_the_pinned_certificate_without_holding_its_key_is_not_enough() {
        let ((certificate, _), (_, other_key)) = (certificate(), certificate());
        let refused = handshake(&Trust::Pin(fingerprint(&certificate)), "localhost", &certificate, &other_key);
        assert!(matches!(refused, Err(rustls::Error::InvalidCertificate(_))), "{refused:?}");
    }

    #[test]
    fn authorities_are_believed_for_the_name_asked_for_only() {
        let ((certificate, key), (other, _)) = (certificate(), certificate());
        handshake(&authority(&certificate), "localhost", &certificate, &key).unwrap();
        assert!(handshake(&authority(&certificate), "another.example", &certificate, &key).is_err());
        assert!(handshake(&authority(&other), "localhost", &certificate, &key).is_err());
    }

    #[test]
    fn the_same_trust_is_recognised() {
        let roots = Arc::new(RootCertStore::empty());
        let authorities = Trust::Authorities(Arc::clone(&roots));
        assert!(authorities.is_same(&Trust::Authorities(roots)));
        assert!(!authorities.is_same(&Trust::Authorities(Arc::new(RootCertStore::empty()))));
        assert!(
            Trust::Pin([1; 32]).is_same(&Trust::Pin([1; 32])) && !Trust::Pin([1; 32]).is_same(&Trust::Pin([2; 32]))
        );
        assert!(!authorities.is_same(&Trust::Pin([1; 32])));
    }

    #[test]
    fn the_fingerprint_is_the_sha_256_of_the_certificate() {
        let digest = fingerprint(&CertificateDer::from_slice(b"abc"));
        assert_eq!(digest[..4], [0xba, 0x78, 0x16, 0xbf]);
        assert_eq!(digest[28..], [0xf2, 0x00, 0x15, 0xad]);
    }
}
