//! A registration server and how to come before it: address, whom to believe, what to show.

use std::{fmt, sync::Arc, time::Duration};

use rustls::crypto::aws_lc_rs;
use tonic::{
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, Channel, ClientTlsConfig, Identity},
};

use super::url::GrpcUrl;
use crate::{
    config::{CALL_DEADLINE, CONNECT_TIME, KEEP_ALIVE},
    trust::Pinned,
};

/// Whom to believe on an encrypted connection.
#[derive(Clone, Debug)]
pub enum ServerTrust {
    /// Exactly the certificate with this SHA-256, whatever it says of names and dates: the development certificate of a node.
    Pin([u8; 32]),
    /// Certificates of the authorities in this PEM text, for the name the server is asked under.
    Authorities(Vec<u8>),
}

/// A client certificate with its key, both PEM.
#[derive(Clone)]
pub struct ClientCertificate {
    /// The chain, the client's own certificate first.
    pub chain: Vec<u8>,
    /// The private key.
    pub key: Vec<u8>,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientCertificate")
    }
}

/// Is told before a call is made again: what the attempt failed with, and how long there is still to try.
pub type Retrying = Arc<dyn Fn(&str, Duration) + Send + Sync>;

/// A registration server and what to show it.
#[derive(Clone)]
pub struct Endpoint {
    /// Where it is.
    pub url: GrpcUrl,
    /// Whom to believe; needed where the connection is encrypted.
    pub trust: Option<ServerTrust>,
    /// Bearer token, without line ends.
    pub token: Option<String>,
    /// Client certificate.
    pub certificate: Option<ClientCertificate>,
    /// Time for each call, repetitions included; moved into the range of [`CALL_DEADLINE`].
    pub deadline: Duration,
    /// Language of causes and remedies, as in `accept-language`: `en`, `zh-CN`.
    pub language: &'static str,
    /// Who is told of attempts that failed and are repeated.
    pub retrying: Option<Retrying>,
}

impl Endpoint {
    /// A server asked in English without a credential, within the default deadline.
    #[must_use]
    pub const fn new(url: GrpcUrl) -> Self {
        Self {
            url,
            trust: None,
            token: None,
            certificate: None,
            deadline: CALL_DEADLINE.default,
            language: "en",
            retrying: None,
        }
    }

    /// The header a token is shown in; marked so that nothing prints it.
    ///
    /// # Errors
    /// The token would travel in clear over a network, or is none.
    pub fn authorization(&self) -> Result<Option<MetadataValue<Ascii>>, EndpointError> {
        let Some(token) = &self.token else { return Ok(None) };
        if !self.url.is_encrypted && !self.url.is_local() {
            return Err(EndpointError::TokenInClear);
        }
        let mut value: MetadataValue<Ascii> =
            format!("Bearer {token}").parse().map_err(|_| EndpointError::TokenMalformed)?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// A connection that is opened when it is first needed, and again whenever it was lost.
    ///
    /// # Errors
    /// The settings do not fit together; the server is not asked yet.
    pub fn channel(&self) -> Result<Channel, EndpointError> {
        let endpoint = tonic::transport::Endpoint::from_shared(self.url.http())
            .map_err(EndpointError::Address)?
            .connect_timeout(CONNECT_TIME)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE)
            .tcp_keepalive(Some(KEEP_ALIVE));
        if !self.url.is_encrypted {
            return Ok(endpoint.connect_lazy());
        }
        let mut tls = ClientTlsConfig::new().domain_name(self.url.host.clone()).timeout(CONNECT_TIME);
        if let Some(ClientCertificate { chain, key }) = &self.certificate {
            tls = tls.identity(Identity::from_pem(chain, key));
        }
        let endpoint = match &self.trust {
            None => return Err(EndpointError::NobodyTrusted),
            Some(ServerTrust::Pin(pin)) => {
                let pinned = Pinned::new(*pin, &aws_lc_rs::default_provider());
                endpoint.tls_config_with_verifier(tls, Arc::new(pinned))
            }
            Some(ServerTrust::Authorities(pem)) => endpoint.tls_config(tls.ca_certificate(Certificate::from_pem(pem))),
        };
        Ok(endpoint.map_err(EndpointError::Tls)?.connect_lazy())
    }
}

impl fmt::Debug for Endpoint {
    /// Everything but the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("url", &self.url.to_string())
            .field("has_token", &self.token.is_some())
            .field("has_certificate", &self.certificate.is_some())
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// Why a server cannot be asked at all: the caller's settings do not fit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// An encrypted address without anybody to believe.
    #[error("an encrypted server needs the fingerprint of its certificate, or the authorities that certified it")]
    NobodyTrusted,
    /// A token would travel in clear over a network.
    #[error("a token is not sent unencrypted to another machine: use grpcs://")]
    TokenInClear,
    /// The token has characters no token has.
    #[error("the token is malformed")]
    TokenMalformed,
    /// The address cannot be used.
    #[error("the address cannot be used")]
    Address(#[source] tonic::transport::Error),
    /// Authorities, client certificate or key cannot be used.
    #[error("the authorities, the client certificate or its key cannot be used")]
    Tls(#[source] tonic::transport::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str, token: &str) -> Endpoint {
        Endpoint { token: Some(token.to_owned()), ..Endpoint::new(url.parse().unwrap()) }
    }

    #[test]
    fn a_token_never_travels_in_clear_over_a_network() {
        let refused = endpoint("grpc://node.example:1", "wm1_a_b").authorization();
        assert!(matches!(refused, Err(EndpointError::TokenInClear)), "{refused:?}");
        for url in ["grpc://127.0.0.1:1", "grpc://localhost:1", "grpcs://node.example:1"] {
            assert_eq!(endpoint(url, "wm1_a_b").authorization().unwrap().unwrap(), "Bearer wm1_a_b");
        }
        let refused = endpoint("grpcs://x:1", "two\nlines").authorization();
        assert!(matches!(refused, Err(EndpointError::TokenMalformed)), "{refused:?}");
    }

    #[test]
    fn nothing_prints_a_token() {
        let endpoint = endpoint("grpcs://x:1", "wm1_secret");
        assert!(!format!("{endpoint:?}").contains("secret"));
        assert!(!format!("{:?}", endpoint.authorization()).contains("secret"));
    }

    #[tokio::test]
    async fn encryption_needs_somebody_to_believe() {
        let mut endpoint = Endpoint::new("grpcs://x:1".parse().unwrap());
        assert!(matches!(endpoint.channel(), Err(EndpointError::NobodyTrusted)));
        endpoint.trust = Some(ServerTrust::Pin([7; 32]));
        assert!(endpoint.channel().is_ok());
        endpoint.certificate = Some(ClientCertificate { chain: b"none".to_vec(), key: b"none".to_vec() });
        assert!(matches!(endpoint.channel(), Err(EndpointError::Tls(_))));
    }
}
