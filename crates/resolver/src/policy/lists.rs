//! Lists of networks an operator allows or blocks.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// An IPv4 or IPv6 network, written `192.0.2.0/24` or `2001:db8::/32`; a bare address is a network of one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

impl Network {
    /// The network of `prefix_bits` leading bits of `address`.
    ///
    /// # Errors
    /// When there are more bits than the family has, or bits are set behind the prefix, which is a typing mistake more often than
    /// not.
    pub fn new(address: IpAddr, prefix_bits: u8) -> Result<Self, NetworkError> {
        let network = Self { address, prefix_bits };
        if prefix_bits > network.family_bits() {
            return Err(NetworkError::PrefixTooLong { prefix_bits });
        }
        let (first, last) = network.range();
        let given = mapped(address);
        if given != first && first != last { Err(NetworkError::HostBitsSet) } else { Ok(network) }
    }

    const fn family_bits(&self) -> u8 {
        if self.address.is_ipv4() { 32 } else { 128 }
    }

    /// First and last address, IPv4 inside IPv6.
    fn range(&self) -> (u128, u128) {
        let host_bits = u32::from(self.family_bits().saturating_sub(self.prefix_bits));
        let hosts = if host_bits == 128 { u128::MAX } else { (1_u128 << host_bits).wrapping_sub(1) };
        let first = mapped(self.address) & !hosts;
        (first, first | hosts)
    }
}

/// The number of an address, IPv4 as `::ffff:a.b.c.d`.
fn mapped(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => Ipv6Addr::to_bits(address),
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix_bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_| NetworkError::NotANetwork)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::NotANetwork)?;
        Self::new(address, prefix_bits.unwrap_or_else(|| if address.is_ipv4() { 32 } else { 128 }))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_bits)
    }
}

/// Why a text is no network. The operator's mistake.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// Not an address, or no number behind the slash.
    #[error("not a network such as 192.0.2.0/24 or 2001:db8::/32")]
    NotANetwork,
    /// More bits than an address of the family has.
    #[error("an address has fewer than {prefix_bits} bits")]
    PrefixTooLong {
        /// Bits asked for.
        prefix_bits: u8,
    },
    /// The address has bits set that the prefix does not cover.
    #[error("address bits are set behind the prefix")]
    HostBitsSet,
}

/// Which sources are not limited, and which get nothing. Blocking wins where both name an address.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SourceLists {
    allowed: Ranges,
    blocked: Ranges,
}

impl SourceLists {
    /// Lists of these networks. They may overlap.
    #[must_use]
    pub fn new(allowed: &[Network], blocked: &[Network]) -> Self {
        Self { allowed: Ranges::new(allowed), blocked: Ranges::new(blocked) }
    }

    /// Whether the address is not limited.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        self.allowed.contains(address)
    }

    /// Whether the address gets nothing.
    #[must_use]
    pub fn blocks(&self, address: IpAddr) -> bool {
        self.blocked.contains(address)
    }
}

/// Sorted, disjoint ranges of addresses. A look-up is one binary search.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Ranges(Vec<(u128, u128)>);

impl Ranges {
    fn new(networks: &[Network]) -> Self {
        let mut sorted: Vec<_> = networks.iter().map(Network::range).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }

    fn contains(&self, address: IpAddr) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let address = mapped(address);
        let behind = self.0.partition_point(|(first, _)| *first <= address);
        behind.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|(_, last)| address <= *last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_holds_its_first_and_last_address_only() {
        let lists = SourceLists::new(&[network("192.0.2.0/24"), network("2001:db8::/32")], &[]);
        for inside in
            ["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.7", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"]
        {
            assert!(lists.allows(address(inside)), "{inside}");
        }
        for outside in ["192.0.1.255", "192.0.3.0", "2001:db7:ffff::", "2001:db9::", "::"] {
            assert!(!lists.allows(address(outside)), "{outside}");
        }
    }

    #[test]
    fn overlapping_and_adjacent_networks_are_one_range() {
        let ranges = Ranges::new(&[
            network("10.0.1.0/24"),
            network("10.0.0.0/24"),
            network("10.0.0.128/25"),
            network("10.0.2.7"),
        ]);
        assert_eq!(ranges.0.len(), 2);
        assert!(ranges.contains(address("10.0.1.255")));
        assert!(!ranges.contains(address("10.0.2.6")));
        assert!(ranges.contains(address("10.0.2.7")));
    }

    #[test]
    fn the_whole_of_a_family_can_be_named() {
        let lists = SourceLists::new(&[network("::/0")], &[network("0.0.0.0/0")]);
        assert!(lists.blocks(address("203.0.113.5")) && !lists.blocks(address("2001:db8::1")));
        assert!(lists.allows(address("2001:db8::1")));
    }

    #[test]
    fn rejects_what_is_no_network() {
        for (text, error) in [
            ("", NetworkError::NotANetwork),
            ("10.0.0.0/", NetworkError::NotANetwork),
            ("10.0.0.0/x", NetworkError::NotANetwork),
            ("10.0.0/8", NetworkError::NotANetwork),
            ("10.0.0.0/33", NetworkError::PrefixTooLong { prefix_bits: 33 }),
            ("2001:db8::/129", NetworkError::PrefixTooLong { prefix_bits: 129 }),
            ("10.0.0.1/8", NetworkError::HostBitsSet),
        ] {
            assert_eq!(text.parse::<Network>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_network_prints_as_it_is_written() {
        assert_eq!(network("192.0.2.0/24").to_string(), "192.0.2.0/24");
        assert_eq!(network("2001:db8::1").to_string(), "2001:db8::1/128");
    }
}
