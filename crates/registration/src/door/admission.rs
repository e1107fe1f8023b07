//! How many connections a door has, in all and of one source.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Where connections come from, as far as they are told apart: an IPv4 address, or the /64 of an IPv6 address, which is the least that one
/// subscriber has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Source(IpAddr);

impl Source {
    pub(crate) fn of(peer: IpAddr) -> Self {
        match peer.to_canonical() {
            IpAddr::V4(address) => Self(address.into()),
            IpAddr::V6(address) => Self(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into()),
        }
    }
}

/// Counts the connections of one door.
#[derive(Debug)]
pub(crate) struct Connections {
    limit: usize,
    limit_per_source: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    sources: HashMap<Source, usize>,
}

/// Why there is no room for a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Full {
    Door,
    Source,
}

impl Connections {
    pub(crate) fn new(limit: usize, limit_per_source: usize) -> Arc<Self> {
        Arc::new(Self { limit, limit_per_source, open: Mutex::default() })
    }

    /// Counts a connection until the permit is dropped.
    pub(crate) fn admit(self: &Arc<Self>, peer: IpAddr) -> Result<Permit, Full> {
        let source = Source::of(peer);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.all >= self.limit {
            return Err(Full::Door);
        }
        let of_source = open.sources.entry(source).or_default();
        if *of_source >= self.limit_per_source {
            return Err(Full::Source);
        }
        *of_source += 1;
        open.all += 1;
        Ok(Permit { connections: Arc::clone(self), source })
    }
}

/// One connection, counted while this lives.
#[derive(Debug)]
pub(crate) struct Permit {
    connections: Arc<Connections>,
    source: Source,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        if let Some(of_source) = open.sources.get_mut(&self.source) {
            *of_source = of_source.saturating_sub(1);
            if *of_source == 0 {
                open.sources.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_door_has_no_more_connections_than_its_limit() {
        let door = Connections::new(2, 2);
        let first = door.admit(peer("192.0.2.1")).unwrap();
        let _second = door.admit(peer("198.51.100.1")).unwrap();
        assert_eq!(door.admit(peer("203.0.113.1")).unwrap_err(), Full::Door);
        drop(first);
        assert!(door.admit(peer("203.0.113.1")).is_ok());
    }

    #[test]
    fn a_source_has_no_more_connections_than_its_share() {
        let door = Connections::new(10, 1);
        let first = door.admit(peer("2001:db8:0:1::1")).unwrap();
        assert_eq!(door.admit(peer("2001:db8:0:1::2")).unwrap_err(), Full::Source);
        assert!(door.admit(peer("2001:db8:0:2::1")).is_ok());
        drop(first);
        assert!(door.admit(peer("2001:db8:0:1::2")).is_ok());
    }

    #[test]
    fn sources_without_connections_are_forgotten() {
        let door = Connections::new(10, 1);
        drop(door.admit(peer("192.0.2.1")).unwrap());
        assert!(door.open.lock().unwrap().sources.is_empty());
    }

    #[test]
    fn an_address_in_either_family_is_one_source() {
        assert_eq!(Source::of(peer("::ffff:192.0.2.1")), Source::of(peer("192.0.2.1")));
    }
}
