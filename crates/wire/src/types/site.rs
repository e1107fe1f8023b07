//! HS_SITE, read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::list::{List, ListItem};
use crate::error::DecodeError;
use crate::hashing::{HashOption, server_for};
use crate::primitives::{Reader, Sink};
use crate::version::Version;

/// A site, that is one replica of a service, and its servers: the data of HS_SITE, HS_SITE.6, HS_SITE.PREFIX and HS_NA_DELEGATE
/// values (RFC 3651 section 3.2.2).
///
/// ```text
/// u16 format version | u8 protocol major | u8 protocol minor | u16 serial | u8 flags | u8 hash option
/// string hash filter | list<string name, string value> attributes | list<server>
/// server := u32 id | 16 bytes address | bytes public key | list<u8 kind, u8 protocol, u32 port> interfaces
/// ```
///
/// Borrowed; the lists are checked to their ends when the site is parsed. [`SiteBuf`](super::SiteBuf) is the owned form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Site<'a> {
    /// Version of this format; 1 so far.
    pub format_version: u16,
    /// Highest protocol version the site speaks.
    pub protocol: Version,
    /// Raised with every change of the site.
    pub serial: u16,
    /// Properties of the site.
    pub flags: SiteFlags,
    /// How handles are spread over the servers.
    pub hash_option: HashOption,
    /// Unused by anybody known; kept.
    pub hash_filter: &'a [u8],
    /// Names and values for clients.
    pub attributes: List<'a, Attribute<'a>>,
    /// The servers, in the order that hashing counts them in.
    pub servers: List<'a, Server<'a>>,
}

/// The version of the format this code writes.
pub(super) const FORMAT_VERSION: u16 = 1;

impl<'a> Site<'a> {
    /// Reads the data of a value.
    ///
    /// # Errors
    /// A field reaches behind the end, a count exceeds what the bytes left can hold, or bytes are left behind the last server.
    pub fn parse(data: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(data);
        let site = Self {
            format_version: reader.u16()?,
            protocol: Version::new(reader.u8()?, reader.u8()?),
            serial: reader.u16()?,
            flags: SiteFlags(reader.u8()?),
            hash_option: HashOption(reader.u8()?),
            hash_filter: reader.bytes()?,
            attributes: List::read(&mut reader)?,
            servers: List::read(&mut reader)?,
        };
        reader.expect_end()?;
        Ok(site)
    }

    /// Writes the data of a value: the bytes it was parsed from.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.put_u16(self.format_version);
        sink.put_u8(self.protocol.major);
        sink.put_u8(self.protocol.minor);
        sink.put_u16(self.serial);
        sink.put_u8(self.flags.0);
        sink.put_u8(self.hash_option.0);
        sink.put_bytes(self.hash_filter);
        self.attributes.encode(sink);
        self.servers.encode(sink);
    }

    /// The value of the first attribute of this name, compared without regard to ASCII case.
    #[must_use]
    pub fn attribute(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.attributes.iter().find_map(|each| each.name.eq_ignore_ascii_case(name).then_some(each.value))
    }

    /// The server that answers for `handle`. `None` for a site without servers, or with an unknown hash option.
    #[must_use]
    pub fn server_for(&self, handle: &[u8]) -> Option<Server<'a>> {
        self.servers.iter().nth(server_for(handle, self.hash_option, self.servers.len())?)
    }
}

/// Properties of a site. Unknown bits survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct SiteFlags(pub u8);

impl SiteFlags {
    /// Takes administration.
    pub const PRIMARY: Self = Self(0x80);
    /// One of several sites that take administration.
    pub const MULTI_PRIMARY: Self = Self(0x40);

    /// Whether all of `flags` are set.
    #[must_use]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These flags and those of `flags`.
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }
}

/// A name and a value of a site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attribute<'a> {
    /// The name, such as `desc`, `domain`, `alt_addr.1`.
    pub name: &'a [u8],
    /// The value, text as a rule.
    pub value: &'a [u8],
}

impl<'a> ListItem<'a> for Attribute<'a> {
    /// Two lengths.
    const MIN_BYTES: usize = 8;

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { name: reader.bytes()?, value: reader.bytes()? })
    }

    fn encode(&self, sink: &mut impl Sink) {
        sink.put_bytes(self.name);
        sink.put_bytes(self.value);
    }
}

/// A server of a site.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Server<'a> {
    /// Its number within the site.
    pub id: u32,
    /// Where it is.
    pub address: Address,
    /// Its public key as encoded, not looked into; `crypto::PublicKey` parses it. May be empty.
    pub public_key: &'a [u8],
    /// How it can be talked to.
    pub interfaces: List<'a, Interface>,
}

impl<'a> ListItem<'a> for Server<'a> {
    /// Id, address, the key's length, the number of interfaces.
    const MIN_BYTES: usize = 28;

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: reader.u32()?,
            address: Address(reader.array()?),
            public_key: reader.bytes()?,
            interfaces: List::read(reader)?,
        })
    }

    fn encode(&self, sink: &mut impl Sink) {
        sink.put_u32(self.id);
        sink.put(&self.address.0);
        sink.put_bytes(self.public_key);
        self.interfaces.encode(sink);
    }
}

impl Server<'_> {
    /// The first interface that offers `protocol` to operations of `kind`.
    #[must_use]
    pub fn interface(&self, protocol: InterfaceProtocol, kind: InterfaceKind) -> Option<Interface> {
        self.interfaces.iter().find(|each| each.protocol == protocol && each.kind.offers(kind))
    }
}

/// The address of a server: 16 bytes, an IPv4 address being twelve zero bytes and its own four.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Address(pub [u8; 16]);

impl Address {
    /// The address the bytes mean.
    ///
    /// `::1` has the form of the IPv4 address 0.0.0.1, which no host can have, and so is read as what it looks like. An IPv4 address
    /// mapped into IPv6 (`::ffff:a.b.c.d`), which nobody should write here, is read as IPv4.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        let v6 = Ipv6Addr::from(self.0);
        match self.0 {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] if v6 != Ipv6Addr::LOCALHOST => {
                IpAddr::V4(Ipv4Addr::new(a, b, c, d))
            }
            _ => v6.to_canonical(),
        }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => {
                let [a, b, c, d] = v4.octets();
                Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d])
            }
            IpAddr::V6(v6) => Self(v6.octets()),
        }
    }
}

/// One way to talk to a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interface {
    /// The operations it takes.
    pub kind: InterfaceKind,
    /// What it speaks.
    pub protocol: InterfaceProtocol,
    /// Its port; as wide as the format has it.
    pub port: u32,
}

impl<'a> ListItem<'a> for Interface {
    const MIN_BYTES: usize = 6;

    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self { kind: InterfaceKind(reader.u8()?), protocol: InterfaceProtocol(reader.u8()?), port: reader.u32()? })
    }

    fn encode(&self, sink: &mut impl Sink) {
        sink.put_u8(self.kind.0);
        sink.put_u8(self.protocol.0);
        sink.put_u32(self.port);
    }
}

/// The operations an interface takes. Unknown kinds survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct InterfaceKind(pub u8);

impl InterfaceKind {
    /// None.
    pub const OUT_OF_SERVICE: Self = Self(0);
    /// Administration.
    pub const ADMIN: Self = Self(1);
    /// Queries.
    pub const QUERY: Self = Self(2);
    /// Administration and queries.
    pub const ADMIN_AND_QUERY: Self = Self(3);

    /// Whether all operations of `kind` are taken. Unknown kinds take none.
    #[must_use]
    pub const fn offers(self, kind: Self) -> bool {
        self.0 <= Self::ADMIN_AND_QUERY.0 && self.0 & kind.0 == kind.0
    }
}

/// What an interface speaks. Unknown protocols survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct InterfaceProtocol(pub u8);

impl InterfaceProtocol {
    /// Datagrams.
    pub const UDP: Self = Self(0);
    /// Streams.
    pub const TCP: Self = Self(1);
    /// Messages in HTTP.
    pub const HTTP: Self = Self(2);
    /// Messages in HTTP over TLS.
    pub const HTTPS: Self = Self(3);
}
