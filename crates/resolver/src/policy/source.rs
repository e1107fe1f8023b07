//! Whom a limit is kept for.

use std::net::IpAddr;

/// A network that shares one set of limits: the /24 of an IPv4 address, the /56 of an IPv6 address. An IPv4 address inside IPv6
/// (`::ffff:a.b.c.d`) counts as IPv4.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Source(u64);

/// Marks the two families in the upper byte, so that no source is 0 and none of one family equals one of the other.
const IPV4: u64 = 1 << 56;
const IPV6: u64 = 2 << 56;

impl Source {
    /// The source an address belongs to.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(IPV4 | u64::from(address.to_bits() >> 8)),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, ..] = address.octets();
                Self(IPV6 | u64::from_be_bytes([0, a, b, c, d, e, f, g]))
            }
        }
    }

    /// A number for it: never 0, different for different sources.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Source {
        Source::of(text.parse().unwrap())
    }

    #[test]
    fn a_source_is_a_24_of_ipv4_and_a_56_of_ipv6() {
        assert_eq!(of("192.0.2.1"), of("192.0.2.254"));
        assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
        assert_eq!(of("2001:db8:1:200::1"), of("2001:db8:1:2ff:ffff::1"));
        assert_ne!(of("2001:db8:1:200::1"), of("2001:db8:1:300::1"));
    }

    #[test]
    fn a_mapped_address_is_its_ipv4_source() {
        assert_eq!(of("::ffff:192.0.2.9"), of("192.0.2.1"));
    }

    #[test]
    fn no_source_is_zero_and_families_never_meet() {
        assert_ne!(of("0.0.0.0").number(), 0);
        assert_ne!(of("::2").number(), 0);
        assert_ne!(of("0.0.0.0"), of("::2"));
    }
}
