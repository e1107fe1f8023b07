//! Section `listen`: addresses of the doors.

use super::{ANY_ADDRESS, option};
use crate::config::schema::{Item, Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "listen.udp",
        Kind::List { default: ANY_ADDRESS, item: Item::SocketAddress },
        "",
        "Addresses of the UDP door; an empty list closes it. Port 0 takes a free port.",
    ),
    option(
        "listen.tcp",
        Kind::List { default: ANY_ADDRESS, item: Item::SocketAddress },
        "",
        "Addresses of the TCP door; an empty list closes it.",
    ),
    option(
        "listen.quic",
        Kind::List { default: &["0.0.0.0:2642", "[::]:2642"], item: Item::SocketAddress },
        "",
        "Addresses of the QUIC door (UDP ports of their own); an empty list closes it.",
    ),
    option(
        "listen.http",
        Kind::List { default: &["127.0.0.1:9264"], item: Item::SocketAddress },
        "",
        "Addresses of /metrics, /healthz, /readyz and /status. They tell about load and stored data: keep them away from the public.",
    ),
    option(
        "listen.grpc",
        Kind::List { default: &["0.0.0.0:2643", "[::]:2643"], item: Item::SocketAddress },
        "",
        "Addresses of the registration service over gRPC; every call needs a credential. An empty list closes it.",
    ),
    option(
        "listen.api",
        Kind::List { default: &[], item: Item::SocketAddress },
        "",
        "Addresses of the registration service over HTTP and JSON, for systems that cannot speak gRPC. Same certificate, credentials and limits.",
    ),
    option(
        "listen.query",
        Kind::List { default: &[], item: Item::SocketAddress },
        "",
        "Addresses of the service for registration data (HTTPS and JSON): who holds a prefix, for whoever asks. The registration doors' certificate; without TLS on loopback only.",
    ),
];
