//! Which servers can be asked: of each site of a service, the one its hash gives the handle to.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use waymark_wire::crypto::limits::PUBLIC_KEY_BYTES;
use waymark_wire::types::{Interface, InterfaceKind, InterfaceProtocol, Server, Site, SiteFlags};

use crate::config::SITES;
use crate::knowledge::Service;

/// A server that can be asked, and how. At least one way is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Its address, never an unspecified or multicast one. Whether it may be private is for whoever sends.
    pub ip: IpAddr,
    /// Port that takes queries in datagrams.
    pub udp: Option<u16>,
    /// Port that takes queries in streams.
    pub tcp: Option<u16>,
    /// Port that takes queries over QUIC.
    pub quic: Option<QuicDoor>,
    /// Public key its certified answers are verified with, as encoded in its site; empty when it has none that could be one.
    pub public_key: Box<[u8]>,
}

/// A QUIC door, as a Waymark node announces it in its site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QuicDoor {
    /// UDP port.
    pub port: u16,
    /// SHA-256 of the certificate in lower-case hexadecimal, where no authority vouches for it.
    pub fingerprint: Option<Box<str>>,
}

/// What tells servers apart: where they are. Keys may differ from site to site and be large.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    ip: IpAddr,
    udp: Option<u16>,
    tcp: Option<u16>,
    quic: Option<u16>,
}

impl Candidate {
    /// Where it is. Whoever is in the same place need not be asked the same again.
    pub(super) fn place(&self) -> Place {
        Place { ip: self.ip, udp: self.udp, tcp: self.tcp, quic: self.quic.as_ref().map(|door| door.port) }
    }
}

/// Which servers come into question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    /// Only those of primary sites.
    pub(super) primary: bool,
    /// Only those with a public key.
    pub(super) key: bool,
}

/// One server for each site that has one for this handle: each once, sites that cannot be used passed over.
pub(super) fn candidates(service: &Service, handle: &[u8], need: Need) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for data in service.sites.iter().take(SITES) {
        let Some(candidate) = Site::parse(data).ok().and_then(|site| of_site(&site, handle, need)) else { continue };
        if !found.iter().any(|other| other.place() == candidate.place()) {
            found.push(candidate);
        }
    }
    found
}

/// Every door of a service that takes queries.
pub(crate) fn doors(service: &Service) -> HashSet<SocketAddr> {
    let mut doors = HashSet::new();
    for site in service.sites.iter().filter_map(|data| Site::parse(data).ok()) {
        for server in site.servers.iter() {
            let ways = Ways::of(&site, &server);
            let ports = [ways.udp, ways.tcp, ways.quic.map(|door| door.port)];
            doors.extend(ports.into_iter().flatten().map(|port| SocketAddr::new(server.address.ip(), port)));
        }
    }
    doors
}

/// How a server can be asked.
struct Ways {
    udp: Option<u16>,
    tcp: Option<u16>,
    quic: Option<QuicDoor>,
}

impl Ways {
    fn of(site: &Site<'_>, server: &Server<'_>) -> Self {
        let door = |protocol| server.interface(protocol, InterfaceKind::QUERY).and_then(|interface| port(&interface));
        let quic = site.attribute(QUIC_ATTRIBUTE).and_then(quic_door);
        Self { udp: door(InterfaceProtocol::UDP), tcp: door(InterfaceProtocol::TCP), quic }
    }
}

/// Name of the site attribute that announces a QUIC door: the port, or the port, a space and the fingerprint.
const QUIC_ATTRIBUTE: &[u8] = b"waymark.quic";

/// The server of the site that is responsible for the handle, if it can be used.
fn of_site(site: &Site<'_>, handle: &[u8], need: Need) -> Option<Candidate> {
    if need.primary && !site.flags.has(SiteFlags::PRIMARY) {
        return None;
    }
    let server = site.server_for(handle)?;
    let public_key = if server.public_key.len() <= PUBLIC_KEY_BYTES { server.public_key } else { &[] };
    if need.key && public_key.is_empty() {
        return None;
    }
    let ip = server.address.ip();
    if ip.is_unspecified() || ip.is_multicast() {
        return None;
    }
    let Ways { udp, tcp, quic } = Ways::of(site, &server);
    if udp.is_none() && tcp.is_none() && quic.is_none() {
        return None;
    }
    Some(Candidate { ip, udp, tcp, quic, public_key: public_key.into() })
}

/// The port of an interface, if it is one.
fn port(interface: &Interface) -> Option<u16> {
    u16::try_from(interface.port).ok().filter(|port| *port != 0)
}

/// Reads the attribute; what is not quite right is no door.
fn quic_door(value: &[u8]) -> Option<QuicDoor> {
    let text = str::from_utf8(value).ok()?;
    let (port, fingerprint) = match text.split_once(' ') {
        Some((port, fingerprint)) => (port, Some(fingerprint)),
        None => (text, None),
    };
    let port = port.parse().ok().filter(|port| *port != 0)?;
    match fingerprint {
        Some(text) if !is_fingerprint(text) => None,
        text => Some(QuicDoor { port, fingerprint: text.map(Box::from) }),
    }
}

/// SHA-256 in lower-case hexadecimal.
fn is_fingerprint(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use waymark_wire::types::{ServerBuf, SiteBuf};

    use super::*;

    const ANY: Need = Need { primary: false, key: false };

    fn server(last: u8, interfaces: &[(InterfaceKind, InterfaceProtocol, u32)]) -> ServerBuf {
        let interface = |&(kind, protocol, port)| Interface { kind, protocol, port };
        ServerBuf {
            id: u32::from(last),
            address: IpAddr::from([192, 0, 2, last]).into(),
            public_key: vec![last],
            interfaces: interfaces.iter().map(interface).collect(),
        }
    }

    fn usual(last: u8) -> ServerBuf {
        server(last, &[(InterfaceKind::QUERY, InterfaceProtocol::UDP, 2641)])
    }

    fn service(sites: &[SiteBuf]) -> Service {
        let encoded = |site: &SiteBuf| {
            let mut data = Vec::new();
            site.encode(&mut data);
            data.into_boxed_slice()
        };
        Service { sites: sites.iter().map(encoded).collect() }
    }

    fn one(server: ServerBuf) -> SiteBuf {
        SiteBuf { servers: vec![server], ..SiteBuf::default() }
    }

    fn last_bytes(found: &[Candidate]) -> Vec<u8> {
        let last = |candidate: &Candidate| match candidate.ip {
            IpAddr::V4(ip) => ip.octets()[3],
            IpAddr::V6(_) => 0,
        };
        found.iter().map(last).collect()
    }

    /// RFC 3651 section 3.2.2: the hash of the handle says which server of a site is asked; each site is a replica.
    #[test]
    fn one_server_of_each_site_by_the_hash_of_the_handle() {
        let both = SiteBuf { servers: vec![usual(1), usual(2)], ..SiteBuf::default() };
        let service = service(&[both, one(usual(3))]);
        let asked: Vec<Vec<u8>> =
            (0..20).map(|n| last_bytes(&candidates(&service, format!("1/{n}").as_bytes(), ANY))).collect();
        assert!(asked.iter().all(|found| found.len() == 2 && found[1] == 3));
        assert!(asked.iter().any(|found| found[0] == 1) && asked.iter().any(|found| found[0] == 2));
    }

    #[test]
    fn only_primaries_and_only_keys_when_needed() {
        let primary = SiteBuf { flags: SiteFlags::PRIMARY, ..one(usual(1)) };
        let keyless = one(ServerBuf { public_key: Vec::new(), ..usual(3) });
        let too_long = one(ServerBuf { public_key: vec![1; PUBLIC_KEY_BYTES + 1], ..usual(4) });
        let service = service(&[one(usual(2)), primary, keyless, too_long]);
        let with = |need| last_bytes(&candidates(&service, b"1/a", need));
        assert_eq!(with(ANY), [2, 1, 3, 4]);
        assert!(candidates(&service, b"1/a", ANY)[3].public_key.is_empty());
        assert_eq!(with(Need { primary: true, key: false }), [1]);
        assert_eq!(with(Need { primary: false, key: true }), [2, 1]);
    }

    #[test]
    fn what_cannot_be_used_is_passed_over() {
        let (query, udp, tcp) = (InterfaceKind::QUERY, InterfaceProtocol::UDP, InterfaceProtocol::TCP);
        let nowhere = |ip: IpAddr| one(ServerBuf { address: ip.into(), ..usual(1) });
        let sites = [
            one(server(1, &[])),
            one(server(2, &[(InterfaceKind::ADMIN, tcp, 2641), (InterfaceKind::OUT_OF_SERVICE, udp, 2641)])),
            one(server(3, &[(query, InterfaceProtocol::HTTP, 80)])),
            one(server(4, &[(query, udp, 0), (query, tcp, 70_000)])),
            nowhere(Ipv4Addr::UNSPECIFIED.into()),
            nowhere(IpAddr::from([224, 0, 0, 1])),
            SiteBuf { hash_option: waymark_wire::HashOption(9), ..one(usual(5)) },
            one(usual(6)),
            one(usual(6)),
        ];
        let mut service = service(&sites);
        service.sites[0] = Box::from(&b"no site"[..]);
        assert_eq!(last_bytes(&candidates(&service, b"1/a", ANY)), [6]);
        let too_many = Service {
            sites: vec![service.sites[7].clone(); 2].into_iter().chain(vec![Box::default(); SITES]).collect(),
        };
        assert_eq!(candidates(&too_many, b"1/a", ANY).len(), 1);
    }

    #[test]
    fn a_quic_door_is_a_port_and_perhaps_a_fingerprint() {
        let pin = "ab".repeat(32);
        let door = |value: &str| quic_door(value.as_bytes());
        assert_eq!(door("2641"), Some(QuicDoor { port: 2641, fingerprint: None }));
        let pinned = QuicDoor { port: 1, fingerprint: Some(pin.clone().into()) };
        assert_eq!(door(&format!("1 {pin}")), Some(pinned));
        for wrong in ["", "0", "70000", "1 ", "1 ab", "x", &format!("1 {}", pin.to_uppercase()), &format!("1  {pin}")] {
            assert_eq!(door(wrong), None, "{wrong}");
        }
        let attributes = vec![(QUIC_ATTRIBUTE.to_vec(), b"2642".to_vec())];
        let only_quic = SiteBuf { attributes, ..one(server(1, &[])) };
        let found = candidates(&service(&[only_quic]), b"1/a", ANY);
        assert_eq!(found[0].quic, Some(QuicDoor { port: 2642, fingerprint: None }));
    }
}
