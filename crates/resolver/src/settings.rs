//! What the answers depend on beside the data: built once, checked, then immutable behind an `Arc`.

use std::sync::Arc;

use waymark_wire::hashing::{HashOption, server_for};
use waymark_wire::types::{Site, SiteFlags};
use waymark_wire::{DecodeError, Ttl};

use crate::NodeKey;
use crate::question::{Origin, Transport};
use crate::recursion::Recursion;

/// Everything an answer needs to know about this node.
#[derive(Debug)]
pub struct Settings {
    /// Our own sites, as operation 2 and the records of served prefixes tell them.
    pub sites: SiteSet,
    /// The doors that take administration.
    pub administration: AdministrationDoors,
    /// The key certified answers are signed with. Without one, requests for them are refused as not supported.
    pub node_key: Option<Arc<NodeKey>>,
    /// Whether and for whom names that live elsewhere are resolved. Without it they are refused or referred.
    pub recursion: Option<Arc<Recursion>>,
    /// How long an answer may be used, in seconds from its making; [`ANSWER_LIFETIME_SECONDS`](crate::config::ANSWER_LIFETIME_SECONDS).
    pub answer_lifetime_seconds: u32,
}

/// The doors that take administration. The usual choice is every door but UDP.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AdministrationDoors {
    /// Over UDP.
    pub udp: bool,
    /// Over TCP.
    pub tcp: bool,
    /// Over QUIC.
    pub quic: bool,
}

impl Default for AdministrationDoors {
    fn default() -> Self {
        Self { udp: false, tcp: true, quic: true }
    }
}

impl AdministrationDoors {
    /// Whether this door takes administration.
    #[must_use]
    pub const fn admits(self, transport: Transport) -> bool {
        match transport {
            Transport::Udp => self.udp,
            Transport::Tcp => self.tcp,
            Transport::Quic => self.quic,
        }
    }
}

/// What a [`SiteSet`] is made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteSetOptions {
    /// The data of one HS_SITE value per address family.
    pub sites: Vec<Vec<u8>>,
    /// Our own position in the server list of every site, from 0. 0 unless the site spreads handles over servers.
    pub own_position: usize,
    /// How long the values that tell our sites may be cached.
    pub ttl: Ttl,
    /// Their timestamp, in seconds since 1970: when the configuration last changed.
    pub timestamp: u32,
}

/// The sites of this node: one HS_SITE value per address family, IPv4 first.
///
/// One value each, because the servers in one value are hash buckets and no alternatives, and because some clients take the first
/// value and never try a second. At least one; all agree on serial, role and spread of handles.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SiteSet {
    sites: Vec<OwnSite>,
    serial: u16,
    is_primary: bool,
    share: Option<Share>,
    ttl: Ttl,
    timestamp: u32,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct OwnSite {
    is_ipv4: bool,
    data: Box<[u8]>,
}

/// Our share of a site that spreads its handles over several servers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Share {
    option: HashOption,
    servers: usize,
    position: usize,
}

impl SiteSet {
    /// Checks the sites and puts IPv4 first.
    ///
    /// # Errors
    /// When there is none, one cannot be decoded, or they contradict each other.
    pub fn new(options: SiteSetOptions) -> Result<Self, SiteSetError> {
        let mut sites = Vec::with_capacity(options.sites.len());
        let mut agreed: Option<Agreed> = None;
        for data in options.sites {
            if data.len() > MAX_SITE_BYTES {
                return Err(SiteSetError::TooLong { bytes: data.len(), limit: MAX_SITE_BYTES });
            }
            let site = Site::parse(&data).map_err(SiteSetError::Undecodable)?;
            let is_ipv4 = family(&site)?;
            let facts = Agreed::of(&site);
            if agreed.is_some_and(|agreed| agreed != facts) {
                return Err(SiteSetError::Contradiction);
            }
            agreed = Some(facts);
            if sites.iter().any(|other: &OwnSite| other.is_ipv4 == is_ipv4) {
                return Err(SiteSetError::TwoOfOneFamily);
            }
            sites.push(OwnSite { is_ipv4, data: data.into_boxed_slice() });
        }
        let agreed = agreed.ok_or(SiteSetError::Empty)?;
        if options.own_position >= agreed.servers {
            return Err(SiteSetError::NoSuchServer { position: options.own_position, servers: agreed.servers });
        }
        sites.sort_by_key(|site| !site.is_ipv4);
        let share = (agreed.servers > 1).then_some(Share {
            option: agreed.option,
            servers: agreed.servers,
            position: options.own_position,
        });
        let (serial, is_primary) = (agreed.serial, agreed.is_primary);
        Ok(Self { sites, serial, is_primary, share, ttl: options.ttl, timestamp: options.timestamp })
    }

    /// The HS_SITE data to tell an asker: that of its address family, otherwise the first.
    #[must_use]
    pub fn for_asker(&self, origin: &Origin) -> &[u8] {
        let of_family = self.sites.iter().find(|site| site.is_ipv4 == origin.is_ipv4());
        of_family.or_else(|| self.sites.first()).map_or(&[], |site| &site.data)
    }

    /// All HS_SITE data, IPv4 first.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.sites.iter().map(|site| &*site.data)
    }

    /// How many there are: one or two.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sites.len()
    }

    /// The serial number of the sites, told in every answer.
    #[must_use]
    pub const fn serial(&self) -> u16 {
        self.serial
    }

    /// Whether the sites take administration: primaries do, mirrors do not.
    #[must_use]
    pub const fn is_primary(&self) -> bool {
        self.is_primary
    }

    /// How long values that tell our sites may be cached.
    #[must_use]
    pub const fn ttl(&self) -> Ttl {
        self.ttl
    }

    /// The timestamp of such values, in seconds since 1970.
    #[must_use]
    pub const fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// Whether a handle falls to this server: always, unless the site spreads its handles over several. Hashes the handle then.
    #[must_use]
    pub fn is_our_share(&self, handle: &[u8]) -> bool {
        self.share.is_none_or(|share| {
            server_for(handle, share.option, share.servers).is_none_or(|position| position == share.position)
        })
    }
}

/// What all sites of a set have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Agreed {
    serial: u16,
    is_primary: bool,
    option: HashOption,
    servers: usize,
}

impl Agreed {
    fn of(site: &Site<'_>) -> Self {
        Self {
            serial: site.serial,
            is_primary: site.flags.has(SiteFlags::PRIMARY),
            option: site.hash_option,
            servers: site.servers.len(),
        }
    }
}

/// Whether the servers of a site are IPv4, all of them, or IPv6, all of them.
fn family(site: &Site<'_>) -> Result<bool, SiteSetError> {
    let mut servers = site.servers.iter().map(|server| server.address.ip().is_ipv4());
    let first = servers.next().ok_or(SiteSetError::NoServers)?;
    if servers.all(|is_ipv4| is_ipv4 == first) { Ok(first) } else { Err(SiteSetError::MixedFamilies) }
}

/// Longest HS_SITE data taken, in bytes: far above any real site (some hundred bytes per server), far below a message, so that all sites
/// and a stored prefix record fit one answer.
const MAX_SITE_BYTES: usize = 32 * 1024;

/// Why sites cannot be used. The operator's fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiteSetError {
    /// There is none.
    #[error("no site is configured")]
    Empty,
    /// One is not HS_SITE data.
    #[error("site cannot be decoded")]
    Undecodable(#[source] DecodeError),
    /// One is longer than allowed.
    #[error("site of {bytes} bytes is longer than {limit}")]
    TooLong {
        /// Bytes of the site.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// One lists no server.
    #[error("site lists no server")]
    NoServers,
    /// One lists servers of both address families.
    #[error("site lists servers of both address families, which clients take for hash buckets")]
    MixedFamilies,
    /// Two sites are of one address family.
    #[error("two sites of one address family")]
    TwoOfOneFamily,
    /// The sites differ in serial, primary flag, hash option or number of servers.
    #[error("sites differ in serial, primary flag, hash option or number of servers")]
    Contradiction,
    /// We are none of the servers.
    #[error("server at position {position} of a site of {servers}")]
    NoSuchServer {
        /// The position configured, from 0.
        position: usize,
        /// The number of servers.
        servers: usize,
    },
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    /// HS_SITE data: protocol 2.11, no attributes, one server per address.
    fn site(serial: u8, flags: u8, hash: u8, addresses: &[[u8; 16]]) -> Vec<u8> {
        let mut data = vec![0, 1, 2, 11, 0, serial, flags, hash, 0, 0, 0, 0, 0, 0, 0, 0];
        data.extend(u32::try_from(addresses.len()).unwrap().to_be_bytes());
        for address in addresses {
            data.extend([0, 0, 0, 1]);
            data.extend(address);
            data.extend([0; 8]);
        }
        data
    }

    const V4: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1];
    const V6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

    fn set(sites: Vec<Vec<u8>>, own_position: usize) -> Result<SiteSet, SiteSetError> {
        SiteSet::new(SiteSetOptions { sites, own_position, ttl: Ttl::DAY, timestamp: 7 })
    }

    fn asker(address: &str) -> Origin {
        Origin { transport: Transport::Udp, peer: address.parse::<SocketAddr>().unwrap(), local: None }
    }

    #[test]
    fn tells_each_asker_the_site_of_its_address_family() {
        let (v4, v6) = (site(3, 0x80, 2, &[V4]), site(3, 0x80, 2, &[V6]));
        let both = set(vec![v6.clone(), v4.clone()], 0).unwrap();
        assert_eq!(both.for_asker(&asker("192.0.2.9:1")), v4);
        assert_eq!(both.for_asker(&asker("[::ffff:192.0.2.9]:1")), v4);
        assert_eq!(both.for_asker(&asker("[2001:db8::9]:1")), v6);
        assert_eq!(both.iter().collect::<Vec<_>>(), [&v4[..], &v6[..]], "IPv4 comes first");
        assert_eq!((both.serial(), both.is_primary()), (3, true));
        let only_v6 = set(vec![v6.clone()], 0).unwrap();
        assert_eq!(only_v6.for_asker(&asker("192.0.2.9:1")), v6, "better one that may not be reachable than none");
    }

    #[test]
    fn refuses_sites_that_contradict_each_other() {
        let v4 = site(3, 0x80, 2, &[V4]);
        assert_eq!(set(vec![], 0), Err(SiteSetError::Empty));
        assert_eq!(set(vec![v4.clone(), site(4, 0x80, 2, &[V6])], 0), Err(SiteSetError::Contradiction));
        assert_eq!(set(vec![v4.clone(), site(3, 0, 2, &[V6])], 0), Err(SiteSetError::Contradiction));
        assert_eq!(set(vec![v4.clone(), v4.clone()], 0), Err(SiteSetError::TwoOfOneFamily));
        assert_eq!(set(vec![site(3, 0x80, 2, &[V4, V6])], 0), Err(SiteSetError::MixedFamilies));
        assert_eq!(set(vec![site(3, 0x80, 2, &[])], 0), Err(SiteSetError::NoServers));
        assert_eq!(set(vec![v4.clone()], 1), Err(SiteSetError::NoSuchServer { position: 1, servers: 1 }));
        assert!(matches!(set(vec![v4[..20].to_vec()], 0), Err(SiteSetError::Undecodable(_))));
        let long = MAX_SITE_BYTES + 1;
        assert_eq!(set(vec![vec![0; long]], 0), Err(SiteSetError::TooLong { bytes: long, limit: MAX_SITE_BYTES }));
    }

    #[test]
    fn every_handle_falls_to_exactly_one_server_of_a_site() {
        let servers = [V4, V4, V4];
        let shares: Vec<SiteSet> = (0..3).map(|own| set(vec![site(1, 0x80, 2, &servers)], own).unwrap()).collect();
        for number in 0..100 {
            let handle = format!("88.111.1/{number}");
            assert_eq!(shares.iter().filter(|share| share.is_our_share(handle.as_bytes())).count(), 1, "{handle}");
        }
        let alone = set(vec![site(1, 0x80, 2, &[V4])], 0).unwrap();
        assert!(alone.is_our_share(b"88.111.1/x"));
    }
}
