//! Whom to ask when nothing is known: the sites of the top-level node, by address or from a file.

use std::net::{IpAddr, SocketAddr};

use waymark_wire::DecodeError;
use waymark_wire::types::{Interface, InterfaceKind, InterfaceProtocol, ServerBuf, Site, SiteBuf, SiteFlags};

use crate::knowledge::Service;

/// One server of the top-level node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RootAddress {
    /// Address and port; UDP and TCP are asked there.
    pub address: SocketAddr,
}

/// Why roots cannot be used. The operator's fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootsError {
    /// There is none.
    #[error("no root is given")]
    Empty,
    /// The file is no HS_SITE data.
    #[error("no HS_SITE data")]
    Undecodable(#[from] DecodeError),
    /// It lists no server.
    #[error("the site lists no server")]
    NoServer,
}

/// Each address as a site of its own: they are replicas of each other. Certified questions cannot be answered by such roots, since nothing says
/// what their keys are.
///
/// # Errors
/// [`RootsError::Empty`].
pub fn roots_from_addresses(addresses: &[RootAddress]) -> Result<Service, RootsError> {
    if addresses.is_empty() {
        return Err(RootsError::Empty);
    }
    Ok(Service { sites: addresses.iter().map(|root| site_of(root.address)).collect() })
}

/// The HS_SITE data of a file, keys included.
///
/// # Errors
/// It is none, or lists no server.
pub fn roots_from_site(data: &[u8]) -> Result<Service, RootsError> {
    let site = Site::parse(data)?;
    if site.servers.iter().next().is_none() {
        return Err(RootsError::NoServer);
    }
    Ok(Service { sites: [data.into()].into() })
}

fn site_of(address: SocketAddr) -> Box<[u8]> {
    let interface = |protocol| Interface { kind: InterfaceKind::QUERY, protocol, port: u32::from(address.port()) };
    let ip: IpAddr = address.ip().to_canonical();
    let server = ServerBuf {
        id: 1,
        address: ip.into(),
        public_key: Vec::new(),
        interfaces: [InterfaceProtocol::UDP, InterfaceProtocol::TCP].map(interface).into(),
    };
    let site = SiteBuf { flags: SiteFlags::PRIMARY, servers: vec![server], ..SiteBuf::default() };
    let mut data = Vec::new();
    site.encode(&mut data);
    data.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_replicas_that_take_datagrams_and_streams() {
        let addresses =
            ["192.0.2.1:2641", "[2001:db8::1]:3641"].map(|text| RootAddress { address: text.parse().unwrap() });
        let service = roots_from_addresses(&addresses).unwrap();
        assert_eq!(service.sites.len(), 2);
        let site = Site::parse(&service.sites[1]).unwrap();
        let server = site.server_for(b"88.1/anything").unwrap();
        assert_eq!(server.address.ip(), addresses[1].address.ip());
        for protocol in [InterfaceProtocol::UDP, InterfaceProtocol::TCP] {
            assert_eq!(server.interface(protocol, InterfaceKind::QUERY).unwrap().port, 3641);
        }
        assert_eq!(roots_from_addresses(&[]), Err(RootsError::Empty));
    }

    #[test]
    fn a_file_is_taken_when_it_is_a_site_with_a_server() {
        let good = site_of("192.0.2.1:2641".parse().unwrap());
        assert_eq!(roots_from_site(&good).unwrap().sites[0], good);
        assert!(matches!(roots_from_site(&good[..20]), Err(RootsError::Undecodable(_))));
        let mut none = Vec::new();
        SiteBuf::default().encode(&mut none);
        assert_eq!(roots_from_site(&none), Err(RootsError::NoServer));
    }
}
