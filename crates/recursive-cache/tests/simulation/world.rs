//! Services, their servers and records: what an honest world holds and answers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use waymark_ident::{CaseRule, Handle, MAX_KEY_BYTES, parent_prefix};
use waymark_recursive_cache::knowledge::Service;
use waymark_wire::crypto::signed_message::certify_response;
use waymark_wire::crypto::{OsRng, PrivateKey};
use waymark_wire::request::{Request, RequestBody, ResolutionBody};
use waymark_wire::response::{OwnIdentity, ResponseWriter, respond_to};
use waymark_wire::types::{
    HS_SERV, HS_SITE, HS_SITE_PREFIX, Interface, InterfaceKind, InterfaceProtocol, ServerBuf, Site, SiteBuf, SiteFlags,
    is_prefix_delegation_type,
};
use waymark_wire::{HashOption, Head, OpFlags, ResponseCode, ValueBuf, Version, server_for, type_matches};

/// Keys are costly to make, so each run makes a few and services share them.
pub static KEYS: LazyLock<Vec<PrivateKey>> =
    LazyLock::new(|| (0..3).map(|_| PrivateKey::generate_rsa(1024, &mut OsRng).unwrap()).collect());

/// The key that no honest service has.
pub const FALSE_KEY: usize = 2;

/// Number of a service in its world.
pub type ServiceId = usize;

/// The roots come first.
pub const ROOTS: ServiceId = 0;

/// Sites that hold the same records.
#[derive(Clone, Debug)]
pub struct Authority {
    /// Addresses of the servers of each site; the first site is the primary.
    pub sites: Vec<Vec<IpAddr>>,
    /// Which of [`KEYS`] its servers sign with.
    pub key: usize,
    /// Folded prefixes whose handles live here.
    pub homed: BTreeSet<Vec<u8>>,
    /// Folded prefixes whose derived prefixes have their records here; the roots have all that nobody else has.
    pub derived: BTreeSet<Vec<u8>>,
    /// Records by canonical key.
    pub records: BTreeMap<Vec<u8>, Vec<ValueBuf>>,
    /// Keys that are answered with 302 and these values.
    pub refers: BTreeMap<Vec<u8>, Vec<ValueBuf>>,
    /// Whether it knows prefix records by the bare prefix alone.
    pub only_bare: bool,
    /// Whether it knows prefix records as `0.NA/prefix` alone.
    pub only_full: bool,
}

/// All services.
#[derive(Clone, Debug)]
pub struct World {
    pub services: Vec<Authority>,
    next_address: u8,
}

/// The canonical key of a handle.
pub fn key_of(handle: &[u8]) -> Vec<u8> {
    let mut room = [0; MAX_KEY_BYTES];
    Handle::new(handle).unwrap().to_key(CaseRule::SuffixSensitive, &mut room).to_vec()
}

/// The key of the record of a prefix.
pub fn prefix_key(prefix: &[u8]) -> Vec<u8> {
    key_of(&[b"0.NA/", prefix].concat())
}

pub fn value(index: u32, kind: &[u8], data: &[u8]) -> ValueBuf {
    ValueBuf::new(index, kind, data)
}

impl World {
    /// A world with roots of these many servers for each site.
    pub fn new(sites: &[usize]) -> Self {
        let mut world = Self { services: Vec::new(), next_address: 0 };
        world.add(sites);
        world.services[ROOTS].derived.insert(Vec::new());
        world
    }

    /// Another service.
    pub fn add(&mut self, sites: &[usize]) -> ServiceId {
        let sites = sites.iter().map(|servers| (0..*servers).map(|_| self.address()).collect()).collect();
        self.services.push(Authority {
            sites,
            key: self.services.len() % FALSE_KEY,
            homed: BTreeSet::new(),
            derived: BTreeSet::new(),
            records: BTreeMap::new(),
            refers: BTreeMap::new(),
            only_bare: false,
            only_full: false,
        });
        self.services.len() - 1
    }

    fn address(&mut self) -> IpAddr {
        self.next_address += 1;
        IpAddr::from([198, 18, 0, self.next_address])
    }

    /// HS_SITE data of a service.
    pub fn sites(&self, service: ServiceId) -> Vec<Vec<u8>> {
        let authority = &self.services[service];
        authority.sites.iter().enumerate().map(|(at, servers)| site(servers, at == 0, authority.key)).collect()
    }

    /// A service as the plan knows it.
    pub fn service(&self, service: ServiceId) -> Arc<Service> {
        Arc::new(Service { sites: self.sites(service).into_iter().map(Vec::into_boxed_slice).collect() })
    }

    /// Values of a type with the sites of a service as data.
    pub fn site_values(&self, service: ServiceId, kind: &[u8], first: u32) -> Vec<ValueBuf> {
        (first..).zip(self.sites(service)).map(|(index, data)| value(index, kind, &data)).collect()
    }

    /// A record.
    pub fn put(&mut self, service: ServiceId, handle: &[u8], values: Vec<ValueBuf>) {
        self.services[service].records.entry(key_of(handle)).or_default().extend(values);
    }

    /// Lets `parent`, which has the prefix record, delegate the handles of the prefix to `child`.
    pub fn delegate(&mut self, parent: ServiceId, prefix: &[u8], child: ServiceId) {
        self.services[child].homed.insert(prefix.to_ascii_uppercase());
        let values = self.site_values(child, HS_SITE, 1);
        self.put(parent, &prefix_key(prefix), values);
    }

    /// As [`delegate`](Self::delegate), by the handle of a service.
    pub fn delegate_by_handle(&mut self, parent: ServiceId, prefix: &[u8], child: ServiceId, handle: &[u8]) {
        self.services[child].homed.insert(prefix.to_ascii_uppercase());
        self.put(parent, &prefix_key(prefix), vec![value(50, HS_SERV, handle)]);
    }

    /// Lets `parent` delegate the records of prefixes derived from the prefix to `child`.
    pub fn delegate_derived(&mut self, parent: ServiceId, prefix: &[u8], child: ServiceId) {
        self.services[child].derived.insert(prefix.to_ascii_uppercase());
        let values = self.site_values(child, HS_SITE_PREFIX, 100);
        self.put(parent, &prefix_key(prefix), values);
    }

    /// The service and the site a server belongs to; `None` for addresses where no server is.
    pub fn find(&self, server: IpAddr) -> Option<(ServiceId, usize)> {
        let sites = self.services.iter().enumerate().flat_map(|(service, authority)| {
            authority.sites.iter().enumerate().map(move |(site, servers)| (service, site, servers))
        });
        let mut found = sites.filter(|(_, _, servers)| servers.contains(&server));
        found.next().map(|(service, site, _)| (service, site))
    }

    /// The service and the site a server belongs to.
    pub fn place(&self, server: IpAddr) -> (ServiceId, usize) {
        self.find(server).unwrap()
    }

    /// HS_SITE data of a site that takes questions over HTTP alone.
    pub fn http_site(&self) -> Vec<u8> {
        let mut site = SiteBuf::from(&Site::parse(&self.sites(ROOTS)[0]).unwrap());
        site.servers.iter_mut().flat_map(|server| &mut server.interfaces).for_each(|interface| {
            interface.protocol = InterfaceProtocol::HTTP;
        });
        encoded(&site)
    }

    /// HS_SITE data of the first site of a service, without keys.
    pub fn keyless_site(&self, service: ServiceId) -> Vec<u8> {
        let mut site = SiteBuf::from(&Site::parse(&self.sites(service)[0]).unwrap());
        site.servers.iter_mut().for_each(|server| server.public_key.clear());
        encoded(&site)
    }

    /// What the server answers, honestly.
    pub fn answer(&self, server: IpAddr, request: &[u8]) -> Vec<u8> {
        let (service, site) = self.place(server);
        let authority = &self.services[service];
        let parsed = Request::parse(request).unwrap();
        let RequestBody::Resolution(asked) = parsed.body else { panic!("{:?}", parsed.body) };
        let servers = &authority.sites[site];
        let chosen = server_for(asked.handle, HashOption::BY_HANDLE, servers.len()).unwrap();
        if servers[chosen] != server {
            return self.reply(server, request, &Said::Code(ResponseCode::SERVER_NOT_RESPONSIBLE));
        }
        self.reply(server, request, &authority.says(&asked, parsed.message.header.flags))
    }

    /// Makes a message of what a server says, signed if that was asked for.
    pub fn reply(&self, server: IpAddr, request: &[u8], said: &Said) -> Vec<u8> {
        let (service, site) = self.place(server);
        write(request, said, site == 0, &Signer(Some(self.services[service].key)))
    }
}

/// What a server says.
#[derive(Clone, Debug)]
pub enum Said {
    /// A code and no more.
    Code(ResponseCode),
    /// Success.
    Values(Vec<u8>, Vec<ValueBuf>),
    /// 302 or 303 with values.
    Referral(ResponseCode, Vec<u8>, Vec<ValueBuf>),
    /// 302 or 303 with a service handle alone.
    ReferralTo(ResponseCode, Vec<u8>),
}

/// Who signs an answer that is to be certified; nobody when `None`.
#[derive(Clone, Copy, Debug)]
pub struct Signer(pub Option<usize>);

/// The message with which a server says something in answer to the request.
pub fn write(request: &[u8], said: &Said, primary: bool, signer: &Signer) -> Vec<u8> {
    let parsed = Request::parse(request).unwrap();
    let head = Head { envelope: parsed.message.envelope, header: parsed.message.header };
    let own = OwnIdentity { version: Version::CURRENT, site_serial: 1, primary };
    let code = match said {
        Said::Code(code) | Said::Referral(code, _, _) | Said::ReferralTo(code, _) => *code,
        Said::Values(..) => ResponseCode::SUCCESS,
    };
    let head = respond_to(&head, &own, code, u32::MAX);
    let put = |room: &mut [u8]| {
        let writer = ResponseWriter::answer(room, &head, parsed.message.signed);
        match said {
            Said::Code(ResponseCode::AUTHENTICATION_NEEDED) => writer.challenge(b"0123456789abcdef"),
            Said::Code(_) => writer.error(b""),
            Said::Values(handle, values) => writer.resolution(handle, values),
            Said::Referral(_, handle, values) => writer.referral(handle, values),
            Said::ReferralTo(_, handle) => writer.referral_to(handle),
        }
    };
    let needed = put(&mut []).unwrap_err().needed;
    let mut room = vec![0; needed];
    put(&mut room).unwrap();
    if let Some(key) = signer.0.filter(|_| head.header.flags.has(OpFlags::CERT)) {
        certify_response(&mut room, &KEYS[key], &mut OsRng).unwrap();
    }
    room
}

impl Authority {
    /// What its servers say to a question that hashes to them.
    fn says(&self, asked: &ResolutionBody<'_>, flags: OpFlags) -> Said {
        let handle = Handle::new(asked.handle).unwrap();
        let key = key_of(asked.handle);
        let not_responsible = Said::Code(ResponseCode::SERVER_NOT_RESPONSIBLE);
        if let Some(values) = self.refers.get(&key) {
            return Said::Referral(ResponseCode::SERVICE_REFERRAL, Vec::new(), values.clone());
        }
        let target = key.strip_prefix(b"0.NA/").map(<[u8]>::to_vec);
        match &target {
            Some(_) if (self.only_bare && !handle.is_bare()) || (self.only_full && handle.is_bare()) => {
                return not_responsible;
            }
            Some(prefix) if !self.has_prefix_record_of(prefix) => return not_responsible,
            None if !self.homed.contains(&handle.prefix().to_ascii_uppercase()) => return not_responsible,
            _ => {}
        }
        match (self.records.get(&key), target) {
            (Some(values), _) => select(asked, flags, values),
            (None, Some(prefix)) => self.absent_prefix(&prefix),
            (None, None) => Said::Code(ResponseCode::HANDLE_NOT_FOUND),
        }
    }

    fn has_prefix_record_of(&self, prefix: &[u8]) -> bool {
        let is_root = self.derived.contains(&b""[..]);
        is_root || ancestors(prefix).any(|ancestor| self.derived.contains(ancestor))
    }

    fn absent_prefix(&self, prefix: &[u8]) -> Said {
        let nearest = ancestors(prefix).find_map(|ancestor| self.records.get(&prefix_key(ancestor)));
        let values: Vec<ValueBuf> =
            nearest.into_iter().flatten().filter(|value| is_prefix_delegation_type(&value.kind)).cloned().collect();
        if values.is_empty() {
            return Said::Code(ResponseCode::HANDLE_NOT_FOUND);
        }
        Said::Referral(ResponseCode::PREFIX_REFERRAL, Vec::new(), values)
    }
}

fn ancestors(prefix: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(parent_prefix(prefix), |prefix| parent_prefix(prefix))
}

/// The values asked for that may be shown.
fn select(asked: &ResolutionBody<'_>, flags: OpFlags, values: &[ValueBuf]) -> Said {
    let is_whole = asked.indexes.is_empty() && asked.types.is_empty();
    let is_asked = |value: &&ValueBuf| {
        is_whole
            || asked.indexes.contains(value.index)
            || asked.types.iter().any(|kind| type_matches(kind, &value.kind))
    };
    let shown = |value: &&ValueBuf| !flags.has(OpFlags::PUBL) || value.permissions.is_public_read();
    let chosen: Vec<ValueBuf> = values.iter().filter(is_asked).filter(shown).cloned().collect();
    if chosen.is_empty() {
        return Said::Code(ResponseCode::VALUES_NOT_FOUND);
    }
    Said::Values(asked.handle.to_vec(), chosen)
}

/// HS_SITE data.
pub fn site(servers: &[IpAddr], primary: bool, key: usize) -> Vec<u8> {
    let server = |(id, ip): (u32, &IpAddr)| ServerBuf {
        id,
        address: (*ip).into(),
        public_key: KEYS[key].public_key().as_bytes().to_vec(),
        interfaces: vec![
            Interface { kind: InterfaceKind::QUERY, protocol: InterfaceProtocol::UDP, port: 2641 },
            Interface { kind: InterfaceKind::ADMIN_AND_QUERY, protocol: InterfaceProtocol::TCP, port: 2641 },
        ],
    };
    let site = SiteBuf {
        flags: if primary { SiteFlags::PRIMARY } else { SiteFlags::default() },
        servers: (1..).zip(servers).map(server).collect(),
        ..SiteBuf::default()
    };
    encoded(&site)
}

fn encoded(site: &SiteBuf) -> Vec<u8> {
    let mut data = Vec::new();
    site.encode(&mut data);
    data
}
