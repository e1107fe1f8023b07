//! The certificate the doors show, replaceable while connections are open, and whom they believe in turn.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, VerifierBuilderError, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;

/// The node's certificate chain and key. Clones share one place: [`Self::replace`] is seen by every new handshake at once, and by no
/// connection that is open.
#[derive(Clone)]
pub struct Certificate {
    current: Arc<ArcSwap<CertifiedKey>>,
}

impl Certificate {
    /// Takes a chain, the node's own certificate first, and its private key.
    ///
    /// # Errors
    /// When the key cannot be used, or is not that of the first certificate.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, rustls::Error> {
        let certified = Arc::new(checked(chain, key)?);
        Ok(Self { current: Arc::new(ArcSwap::new(certified)) })
    }

    /// Shows another certificate from now on. When it is refused the old one stays.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn replace(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<(), rustls::Error> {
        self.current.store(Arc::new(checked(chain, key)?));
        Ok(())
    }
}

/// How a door speaks TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    /// What it shows.
    pub certificate: Certificate,
    /// Authorities whose client certificates are taken. Empty: none are asked for. A client may come without one in either case.
    pub client_authorities: Vec<CertificateDer<'static>>,
}

/// Why TLS cannot be set up. The operator's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The key or chain.
    #[error("the certificate cannot be used")]
    Certificate(#[from] rustls::Error),
    /// The authorities for clients.
    #[error("the authorities for client certificates cannot be used")]
    Authorities(#[from] VerifierBuilderError),
}

impl Tls {
    /// TLS 1.3 and 1.2 for one door that speaks `protocol`.
    pub(crate) fn server_config(&self, protocol: &[u8]) -> Result<Arc<rustls::ServerConfig>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
        let builder = if self.client_authorities.is_empty() {
            builder.with_no_client_auth()
        } else {
            let mut roots = RootCertStore::empty();
            for authority in &self.client_authorities {
                roots.add(authority.clone())?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.allow_unauthenticated().build()?)
        };
        let mut config = builder.with_cert_resolver(Arc::new(self.certificate.clone()));
        config.alpn_protocols = vec![protocol.to_vec()];
        Ok(Arc::new(config))
    }
}

fn checked(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<CertifiedKey, rustls::Error> {
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider())
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the key.
        f.debug_struct("Certificate").field("chain", &self.current.load().cert.len()).finish_non_exhaustive()
    }
}
