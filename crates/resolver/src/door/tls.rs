//! The certificate the QUIC door shows, replaceable while connections are open.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey;

/// The application protocol of the mapping described in [`super::quic`].
pub const ALPN: &[u8] = b"waymark/1";

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

    /// The node's own certificate as it is shown now, in DER. Empty never.
    #[must_use]
    pub fn leaf(&self) -> Vec<u8> {
        self.current.load().cert.first().map(|leaf| leaf.to_vec()).unwrap_or_default()
    }

    /// TLS for the QUIC door: version 1.3, our protocol name, early data, and sessions remembered here (each ticket once) rather than
    /// in tickets, which is what keeps early data from being taken twice.
    pub(crate) fn server_config(&self, sessions: usize) -> Result<rustls::ServerConfig, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![ALPN.to_vec()];
        // QUIC knows two values: none, and no limit but its own flow control (RFC 9001 section 4.6.1).
        config.max_early_data_size = u32::MAX;
        config.session_storage = ServerSessionMemoryCache::new(sessions);
        Ok(config)
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
