//! Where to ask: `udp://HOST:PORT`, `tcp://HOST:PORT`, `quic://HOST:PORT`.

use std::{
    fmt,
    net::{SocketAddr, ToSocketAddrs},
    str::FromStr,
};

/// Port of the protocol (registered for the Handle System).
pub(crate) const DEFAULT_PORT: u16 = 2641;

/// How a question travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Datagrams, falling back to nothing.
    Udp,
    /// One connection, many messages.
    Tcp,
    /// One encrypted connection, many messages.
    Quic,
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Quic => "quic",
        })
    }
}

/// A server as a person writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    /// How to ask.
    pub scheme: Scheme,
    /// Name or address, without brackets.
    pub host: String,
    /// Port, 2641 when not written.
    pub port: u16,
}

/// Why a text is no server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerUrlError {
    /// No or another scheme.
    #[error("write udp://HOST:PORT, tcp://HOST:PORT or quic://HOST:PORT")]
    Scheme,
    /// No host.
    #[error("the host is missing")]
    Host,
    /// Port is no number from 1 to 65535.
    #[error("the port is no number from 1 to 65535")]
    Port,
}

impl FromStr for ServerUrl {
    type Err = ServerUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once("://").ok_or(ServerUrlError::Scheme)?;
        let scheme = match scheme {
            "udp" => Scheme::Udp,
            "tcp" => Scheme::Tcp,
            "quic" => Scheme::Quic,
            _ => return Err(ServerUrlError::Scheme),
        };
        let rest = rest.trim_end_matches('/');
        let (host, port) = match rest.strip_prefix('[') {
            Some(bracketed) => {
                let (host, after) = bracketed.split_once(']').ok_or(ServerUrlError::Host)?;
                (host, after.strip_prefix(':'))
            }
            // More than one colon without brackets is a bare IPv6 address.
            None if rest.matches(':').count() > 1 => (rest, None),
            None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() {
            return Err(ServerUrlError::Host);
        }
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(ServerUrlError::Port)?,
        };
        Ok(Self { scheme, host: host.to_owned(), port })
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "{}://[{}]:{}", self.scheme, self.host, self.port)
        } else {
            write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
        }
    }
}

impl ServerUrl {
    /// The first address the host stands for.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        let mut addresses = (self.host.as_str(), self.port).to_socket_addrs()?;
        addresses.next().ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_all_forms() {
        for (text, scheme, host, port) in [
            ("udp://127.0.0.1:2641", Scheme::Udp, "127.0.0.1", 2641),
            ("tcp://[::1]:99", Scheme::Tcp, "::1", 99),
            ("quic://node.example", Scheme::Quic, "node.example", 2641),
            ("udp://::1", Scheme::Udp, "::1", 2641),
        ] {
            let url: ServerUrl = text.parse().unwrap();
            assert_eq!((url.scheme, url.host.as_str(), url.port), (scheme, host, port));
        }
    }

    #[test]
    fn refuses_what_is_no_server() {
        assert_eq!("http://x".parse::<ServerUrl>(), Err(ServerUrlError::Scheme));
        assert_eq!("127.0.0.1:1".parse::<ServerUrl>(), Err(ServerUrlError::Scheme));
        assert_eq!("udp://:1".parse::<ServerUrl>(), Err(ServerUrlError::Host));
        assert_eq!("udp://x:0".parse::<ServerUrl>(), Err(ServerUrlError::Port));
        assert_eq!("udp://x:99999".parse::<ServerUrl>(), Err(ServerUrlError::Port));
        assert_eq!("udp://[::1".parse::<ServerUrl>(), Err(ServerUrlError::Host));
    }

    #[test]
    fn prints_what_it_reads() {
        for text in ["udp://127.0.0.1:2641", "tcp://[::1]:99", "quic://node.example:5"] {
            assert_eq!(text.parse::<ServerUrl>().unwrap().to_string(), text);
        }
    }
}
