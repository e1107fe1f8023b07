//! HS_SITE, made.

use super::list::ListItem;
use super::site::FORMAT_VERSION;
use super::{Address, Attribute, Interface, Site, SiteFlags};
use crate::hashing::HashOption;
use crate::primitives::Sink;
use crate::version::Version;

/// A site that owns its parts; see [`Site`] for what they mean.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteBuf {
    /// Version of the format.
    pub format_version: u16,
    /// Highest protocol version the site speaks.
    pub protocol: Version,
    /// Raised with every change of the site.
    pub serial: u16,
    /// Properties of the site.
    pub flags: SiteFlags,
    /// How handles are spread over the servers.
    pub hash_option: HashOption,
    /// Unused by anybody known.
    pub hash_filter: Vec<u8>,
    /// Names and values for clients.
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
    /// The servers, in the order that hashing counts them in.
    pub servers: Vec<ServerBuf>,
}

/// A server that owns its parts; see [`Server`](super::Server) for what they mean.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerBuf {
    /// Its number within the site.
    pub id: u32,
    /// Where it is.
    pub address: Address,
    /// Its public key as encoded. May be empty.
    pub public_key: Vec<u8>,
    /// How it can be talked to.
    pub interfaces: Vec<Interface>,
}

impl Default for SiteBuf {
    /// A site of our own version, serial 1, hashed by whole handle, with nothing in it.
    fn default() -> Self {
        Self {
            format_version: FORMAT_VERSION,
            protocol: Version::CURRENT,
            serial: 1,
            flags: SiteFlags::default(),
            hash_option: HashOption::BY_HANDLE,
            hash_filter: Vec::new(),
            attributes: Vec::new(),
            servers: Vec::new(),
        }
    }
}

impl SiteBuf {
    /// Writes the data of a value.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.put_u16(self.format_version);
        sink.put_u8(self.protocol.major);
        sink.put_u8(self.protocol.minor);
        sink.put_u16(self.serial);
        sink.put_u8(self.flags.0);
        sink.put_u8(self.hash_option.0);
        sink.put_bytes(&self.hash_filter);
        sink.put_length(self.attributes.len());
        for (name, value) in &self.attributes {
            Attribute { name, value }.encode(sink);
        }
        sink.put_length(self.servers.len());
        for server in &self.servers {
            server.encode(sink);
        }
    }
}

impl ServerBuf {
    /// Writes the server as it stands in a site.
    fn encode(&self, sink: &mut impl Sink) {
        sink.put_u32(self.id);
        sink.put(&self.address.0);
        sink.put_bytes(&self.public_key);
        sink.put_length(self.interfaces.len());
        for interface in &self.interfaces {
            interface.encode(sink);
        }
    }
}

impl From<&Site<'_>> for SiteBuf {
    fn from(site: &Site<'_>) -> Self {
        let own = |attribute: Attribute<'_>| (attribute.name.to_vec(), attribute.value.to_vec());
        Self {
            format_version: site.format_version,
            protocol: site.protocol,
            serial: site.serial,
            flags: site.flags,
            hash_option: site.hash_option,
            hash_filter: site.hash_filter.to_vec(),
            attributes: site.attributes.iter().map(own).collect(),
            servers: site.servers.iter().map(|server| ServerBuf::from(&server)).collect(),
        }
    }
}

impl From<&super::Server<'_>> for ServerBuf {
    fn from(server: &super::Server<'_>) -> Self {
        Self {
            id: server.id,
            address: server.address,
            public_key: server.public_key.to_vec(),
            interfaces: server.interfaces.iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::error::DecodeError;
    use crate::types::{InterfaceKind, InterfaceProtocol};

    fn server(id: u32, ip: IpAddr) -> ServerBuf {
        ServerBuf {
            id,
            address: ip.into(),
            public_key: vec![1, 2, 3],
            interfaces: vec![
                Interface { kind: InterfaceKind::ADMIN, protocol: InterfaceProtocol::TCP, port: 2642 },
                Interface { kind: InterfaceKind::ADMIN_AND_QUERY, protocol: InterfaceProtocol::TCP, port: 2641 },
                Interface { kind: InterfaceKind(9), protocol: InterfaceProtocol(77), port: 70_000 },
            ],
        }
    }

    fn site() -> SiteBuf {
        SiteBuf {
            flags: SiteFlags::PRIMARY.with(SiteFlags(1)),
            attributes: vec![(b"desc".to_vec(), b"a node".to_vec()), (Vec::new(), Vec::new())],
            servers: vec![server(1, Ipv4Addr::LOCALHOST.into()), server(7, Ipv6Addr::LOCALHOST.into())],
            ..SiteBuf::default()
        }
    }

    fn encoded(site: &SiteBuf) -> Vec<u8> {
        let mut data = Vec::new();
        site.encode(&mut data);
        data
    }

    #[test]
    fn what_is_written_is_read_again_unknown_numbers_included() {
        let data = encoded(&site());
        let parsed = Site::parse(&data).unwrap();
        assert_eq!(SiteBuf::from(&parsed), site());
        let mut again = Vec::new();
        parsed.encode(&mut again);
        assert_eq!(again, data);
    }

    #[test]
    fn rejects_every_truncation_and_every_trailing_byte() {
        let data = encoded(&site());
        for end in 0..data.len() {
            assert!(Site::parse(&data[..end]).is_err(), "{end}");
        }
        assert_eq!(Site::parse(&[&data[..], &[0]].concat()), Err(DecodeError::TrailingBytes { count: 1 }));
    }

    #[test]
    fn rejects_counts_the_bytes_left_cannot_hold() {
        let empty = encoded(&SiteBuf::default());
        for at in [empty.len() - 8, empty.len() - 4] {
            let mut data = empty.clone();
            data[at + 3] = 1;
            let refused = Site::parse(&data);
            assert!(matches!(refused, Err(DecodeError::CountTooBig { count: 1, .. })), "{refused:?}");
        }
    }

    #[test]
    fn interfaces_are_found_by_protocol_and_operation() {
        let data = encoded(&site());
        let server = Site::parse(&data).unwrap().servers.iter().next().unwrap();
        let port = |protocol, kind| server.interface(protocol, kind).map(|interface| interface.port);
        assert_eq!(port(InterfaceProtocol::TCP, InterfaceKind::ADMIN), Some(2642));
        assert_eq!(port(InterfaceProtocol::TCP, InterfaceKind::QUERY), Some(2641));
        assert_eq!(port(InterfaceProtocol::UDP, InterfaceKind::QUERY), None);
        assert_eq!(port(InterfaceProtocol(77), InterfaceKind::QUERY), None);
    }

    #[test]
    fn attributes_are_found_by_name_without_regard_to_case() {
        let data = encoded(&site());
        let parsed = Site::parse(&data).unwrap();
        assert_eq!(parsed.attribute(b"DESC"), Some(&b"a node"[..]));
        assert_eq!(parsed.attribute(b"domain"), None);
    }

    #[test]
    fn the_hash_option_chooses_among_the_servers_by_position() {
        let data = encoded(&site());
        let parsed = Site::parse(&data).unwrap();
        // The whole handle hashes to 1450328142: even.
        assert_eq!(parsed.server_for(b"20.500.12345/xyz/with/slashes").unwrap().id, 1);
        assert_eq!(Site { hash_option: HashOption(9), ..parsed }.server_for(b"a/b"), None);
    }

    #[test]
    fn ipv4_addresses_are_twelve_zero_bytes_and_four() {
        let v4 = Address::from(IpAddr::from([192, 0, 2, 41]));
        assert_eq!(v4.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 41]);
        for ip in ["192.0.2.41", "0.0.0.0", "2001:db8::1001", "::1"] {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!(Address::from(ip).ip(), ip);
        }
        let mapped = Address([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 41]);
        assert_eq!(mapped.ip(), IpAddr::from([192, 0, 2, 41]));
    }
}
