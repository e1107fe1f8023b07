//! What the watch asks, and what came of it.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::incident::Kind;

/// What a node is there for. The top-level node takes over when either fails, so they are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Function {
    /// Answering for names.
    Resolution,
    /// Taking identifiers.
    Registration,
}

/// Family of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// That of an address; an IPv4 address written as IPv6 is IPv4.
    #[must_use]
    pub fn of(address: SocketAddr) -> Self {
        if address.ip().to_canonical().is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

/// What is asked: a function, by a way, over a family of addresses. Several addresses of one kind count together. The order is that of the stored
/// form: new ones are added at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Target {
    /// Resolution over UDP and IPv4.
    ResolutionUdpV4,
    /// Resolution over UDP and IPv6.
    ResolutionUdpV6,
    /// Resolution over TCP and IPv4.
    ResolutionTcpV4,
    /// Resolution over TCP and IPv6.
    ResolutionTcpV6,
    /// Registration over gRPC and IPv4.
    RegistrationV4,
    /// Registration over gRPC and IPv6.
    RegistrationV6,
    /// Whether the store takes writes.
    Store,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ResolutionUdpV4,
        Self::ResolutionUdpV6,
        Self::ResolutionTcpV4,
        Self::ResolutionTcpV6,
        Self::RegistrationV4,
        Self::RegistrationV6,
        Self::Store,
    ];

    /// Resolution over UDP at an address.
    #[must_use]
    pub fn udp(address: SocketAddr) -> Self {
        match Family::of(address) {
            Family::V4 => Self::ResolutionUdpV4,
            Family::V6 => Self::ResolutionUdpV6,
        }
    }

    /// Resolution over TCP at an address.
    #[must_use]
    pub fn tcp(address: SocketAddr) -> Self {
        match Family::of(address) {
            Family::V4 => Self::ResolutionTcpV4,
            Family::V6 => Self::ResolutionTcpV6,
        }
    }

    /// Registration over gRPC at an address.
    #[must_use]
    pub fn grpc(address: SocketAddr) -> Self {
        match Family::of(address) {
            Family::V4 => Self::RegistrationV4,
            Family::V6 => Self::RegistrationV6,
        }
    }

    /// What it is part of.
    #[must_use]
    pub const fn function(self) -> Function {
        match self {
            Self::ResolutionUdpV4 | Self::ResolutionUdpV6 | Self::ResolutionTcpV4 | Self::ResolutionTcpV6 => {
                Function::Resolution
            }
            Self::RegistrationV4 | Self::RegistrationV6 | Self::Store => Function::Registration,
        }
    }

    /// The family of its addresses; the store has none.
    #[must_use]
    pub const fn family(self) -> Option<Family> {
        match self {
            Self::ResolutionUdpV4 | Self::ResolutionTcpV4 | Self::RegistrationV4 => Some(Family::V4),
            Self::ResolutionUdpV6 | Self::ResolutionTcpV6 | Self::RegistrationV6 => Some(Family::V6),
            Self::Store => None,
        }
    }

    /// Its name in metrics, messages and stored incidents; never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ResolutionUdpV4 => "resolution-udp-ipv4",
            Self::ResolutionUdpV6 => "resolution-udp-ipv6",
            Self::ResolutionTcpV4 => "resolution-tcp-ipv4",
            Self::ResolutionTcpV6 => "resolution-tcp-ipv6",
            Self::RegistrationV4 => "registration-grpc-ipv4",
            Self::RegistrationV6 => "registration-grpc-ipv6",
            Self::Store => "registration-store",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a probe did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What was seen, in English.
    pub cause: String,
    /// What kind of fault that is.
    pub kind: Kind,
    /// Whether the door answered and only said that it does not serve: then the fault is elsewhere, and is told as such.
    pub is_told_elsewhere: bool,
}

/// One probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// What was asked.
    pub target: Target,
    /// Microseconds to the answer; what a failed probe took says nothing.
    pub took_micros: u32,
    /// Why it failed; `None`: it did not.
    pub trouble: Option<Trouble>,
}

/// Requests since the start of the node, and how many of them were turned away to keep the node standing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pressure {
    /// All that came, the others included.
    pub asked: u64,
    /// Turned away: too busy, too many from one source, no room.
    pub shed: u64,
}
