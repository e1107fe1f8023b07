//! The sites this node announces: HS_SITE data made from the configuration, or taken from a file.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
};

use waymark_wire::types::{Interface, InterfaceKind, InterfaceProtocol, ServerBuf, Site, SiteBuf, SiteFlags};

use crate::{
    listen::Listening,
    problem::{Exit, Problem},
};

/// Attribute that announces the QUIC door: there is no protocol number for it, and clients that do not know the attribute ignore it.
/// Its value is the port, and for a development certificate, which never changes and no authority vouches for, a space and its SHA-256 in
/// lower-case hexadecimal.
pub const QUIC_ATTRIBUTE: &str = "waymark.quic";

/// What an announced site is made from, besides the addresses.
#[derive(Clone, Debug)]
pub struct SiteFacts {
    /// Attribute `desc`.
    pub description: String,
    /// Serial number.
    pub serial: u16,
    /// Whether this node is a primary.
    pub is_primary: bool,
    /// Public addresses, possibly none.
    pub addresses: Vec<IpAddr>,
    /// Public key as it stands in a site.
    pub public_key: Vec<u8>,
    /// Fingerprint of the QUIC certificate, where clients have no other way to trust it.
    pub quic_pin: Option<String>,
}

/// HS_SITE data, one for each address family, IPv4 first.
pub fn make(facts: &SiteFacts, listening: &Listening) -> Vec<Vec<u8>> {
    [true, false].into_iter().filter_map(|is_ipv4| of_family(facts, listening, is_ipv4)).collect()
}

/// Reads HS_SITE data from a file and checks that it is a site.
///
/// # Errors
/// The file cannot be read or holds no site.
pub fn read(path: &Path) -> Result<Vec<Vec<u8>>, Problem> {
    let wrong = |cause: &dyn std::fmt::Display| {
        Problem::new("site-file", Exit::Usage).with("path", path.display()).with("cause", cause)
    };
    let data = std::fs::read(path).map_err(|cause| wrong(&cause))?;
    Site::parse(&data).map_err(|cause| wrong(&cause))?;
    Ok(vec![data])
}

fn of_family(facts: &SiteFacts, listening: &Listening, is_ipv4: bool) -> Option<Vec<u8>> {
    let door = |addresses: &[SocketAddr]| addresses.iter().copied().find(|address| address.is_ipv4() == is_ipv4);
    let (udp, tcp, quic) = (door(&listening.udp), door(&listening.tcp), door(&listening.quic));
    let any = udp.or(tcp).or(quic)?;
    let announced = facts.addresses.iter().copied().find(|address| address.is_ipv4() == is_ipv4);
    let address = match announced {
        Some(address) => address,
        // Someone who announces one family only keeps the other to himself.
        None if !facts.addresses.is_empty() => return None,
        None => crate::listen::reachable(any).ip(),
    };
    let interface = |door: Option<SocketAddr>, kind, protocol| {
        door.map(|door| Interface { kind, protocol, port: u32::from(door.port()) })
    };
    let interfaces = [
        interface(udp, InterfaceKind::QUERY, InterfaceProtocol::UDP),
        interface(tcp, InterfaceKind::ADMIN_AND_QUERY, InterfaceProtocol::TCP),
    ];
    let mut attributes = vec![(b"desc".to_vec(), facts.description.clone().into_bytes())];
    if let Some(quic) = quic {
        let value = match &facts.quic_pin {
            Some(pin) => format!("{} {pin}", quic.port()),
            None => quic.port().to_string(),
        };
        attributes.push((QUIC_ATTRIBUTE.as_bytes().to_vec(), value.into_bytes()));
    }
    let site = SiteBuf {
        serial: facts.serial,
        flags: if facts.is_primary { SiteFlags::PRIMARY } else { SiteFlags::default() },
        attributes,
        servers: vec![ServerBuf {
            id: 1,
            address: address.into(),
            public_key: facts.public_key.clone(),
            interfaces: interfaces.into_iter().flatten().collect(),
        }],
        ..SiteBuf::default()
    };
    let mut data = Vec::new();
    site.encode(&mut data);
    Some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(addresses: &[&str]) -> SiteFacts {
        SiteFacts {
            description: "节点".into(),
            serial: 7,
            is_primary: true,
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            public_key: vec![1, 2, 3],
            quic_pin: Some("ab".into()),
        }
    }

    fn listening() -> Listening {
        Listening {
            udp: vec!["[::]:26".parse().unwrap(), "0.0.0.0:25".parse().unwrap()],
            tcp: vec!["0.0.0.0:27".parse().unwrap()],
            quic: vec!["0.0.0.0:28".parse().unwrap()],
            quic_fingerprint: "ab".into(),
            ..Listening::default()
        }
    }

    #[test]
    fn one_site_a_family_with_ipv4_first() {
        let sites = make(&facts(&[]), &listening());
        assert_eq!(sites.len(), 2);
        let first = Site::parse(&sites[0]).unwrap();
        assert_eq!(first.serial, 7);
        let server = first.servers.iter().next().unwrap();
        // 12 zero bytes, then the address.
        assert_eq!(server.address.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 127, 0, 0, 1]);
        let ports: Vec<u32> = server.interfaces.iter().map(|interface| interface.port).collect();
        assert_eq!(ports, [25, 27]);
    }

    #[test]
    fn quic_is_an_attribute_other_clients_ignore() {
        let sites = make(&facts(&["192.0.2.1"]), &listening());
        assert_eq!(sites.len(), 1);
        let site = Site::parse(&sites[0]).unwrap();
        let attribute = site.attributes.iter().find(|attribute| attribute.name == QUIC_ATTRIBUTE.as_bytes()).unwrap();
        assert_eq!(attribute.value, b"28 ab");
    }
}
