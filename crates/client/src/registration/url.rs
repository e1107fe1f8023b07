//! Where a registration server is: `grpcs://HOST:PORT`, or `grpc://HOST:PORT` without encryption.

use std::{fmt, net::IpAddr, str::FromStr};

/// Address of a registration server as a person writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcUrl {
    /// Whether the connection is encrypted.
    pub is_encrypted: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Port, above 0.
    pub port: u16,
}

impl GrpcUrl {
    /// Whether it names this machine itself, so that nothing passes over a network.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// The same address for the HTTP library.
    pub(crate) fn http(&self) -> String {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        format!("{scheme}://{}", Authority(self))
    }
}

impl FromStr for GrpcUrl {
    type Err = GrpcUrlError;

    fn from_str(text: &str) -> Result<Self, GrpcUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(GrpcUrlError::Scheme)?;
        let is_encrypted = match scheme {
            "grpcs" => true,
            "grpc" => false,
            _ => return Err(GrpcUrlError::Scheme),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(inside) => {
                let (host, port) = inside.split_once(']').ok_or(GrpcUrlError::Host)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| GrpcUrlError::Host)?;
                (host, port.strip_prefix(':').ok_or(GrpcUrlError::Port)?)
            }
            None => rest.rsplit_once(':').ok_or(GrpcUrlError::Port)?,
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        if host.is_empty() || !host.bytes().all(plain) {
            return Err(GrpcUrlError::Host);
        }
        if !rest.starts_with('[') && host.contains(':') {
            return Err(GrpcUrlError::Host);
        }
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(GrpcUrlError::Port)?;
        Ok(Self { is_encrypted, host: host.to_owned(), port })
    }
}

impl fmt::Display for GrpcUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_encrypted { "grpcs" } else { "grpc" };
        write!(f, "{scheme}://{}", Authority(self))
    }
}

/// Host and port as they stand in an address.
struct Authority<'a>(&'a GrpcUrl);

impl fmt::Display for Authority<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GrpcUrl { host, port, .. } = self.0;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Why a text is no address of a registration server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrpcUrlError {
    /// It begins otherwise.
    #[error("an address of a registration server is grpcs://HOST:PORT, or grpc://HOST:PORT without encryption")]
    Scheme,
    /// The host is missing or malformed; IPv6 addresses stand in brackets.
    #[error("the host is missing or malformed (IPv6 addresses stand in brackets)")]
    Host,
    /// The port is missing or no number from 1 to 65535.
    #[error("the port must be a number from 1 to 65535")]
    Port,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_it_reads() {
        for text in ["grpcs://node.example:2643", "grpc://127.0.0.1:1", "grpcs://[::1]:65535"] {
            assert_eq!(text.parse::<GrpcUrl>().unwrap().to_string(), text);
        }
        let url: GrpcUrl = "grpcs://[::1]:7/".parse().unwrap();
        assert_eq!((url.http().as_str(), url.is_local()), ("https://[::1]:7", true));
        assert!(!"grpc://node.example:1".parse::<GrpcUrl>().unwrap().is_local());
    }

    #[test]
    fn refuses_what_is_no_server() {
        for (text, error) in [
            ("http://x:1", GrpcUrlError::Scheme),
            ("x:1", GrpcUrlError::Scheme),
            ("grpcs://x", GrpcUrlError::Port),
            ("grpcs://x:0", GrpcUrlError::Port),
            ("grpcs://x:65536", GrpcUrlError::Port),
            ("grpcs://:1", GrpcUrlError::Host),
            ("grpcs://::1:1", GrpcUrlError::Host),
            ("grpcs://[::1:1", GrpcUrlError::Host),
            ("grpcs://a/b:1", GrpcUrlError::Host),
            ("grpcs://user@x:1", GrpcUrlError::Host),
        ] {
            assert_eq!(text.parse::<GrpcUrl>(), Err(error), "{text}");
        }
    }
}
