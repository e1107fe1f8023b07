//! A node in this process: a catalog behind real doors on free ports. Its store is in memory: these tests are about what lies between
//! a client and the doors, and a disk that is busy with other tests would only make them slow.

use std::{net::SocketAddr, sync::Arc};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use waymark_catalog::{
    Actor, Catalog, Command, HomeName, Options, PutMode, Submission, Timestamps, ValueSet, open_over,
};
use waymark_client::{Server, Trust, fingerprint};
use waymark_resolver::{
    AdministrationDoors, NodeKey, Settings, SiteSet, SiteSetOptions,
    door::{self, Addresses, Certificate, DoorLimits, DoorsConfig, Running},
    policy::PolicyConfig,
};
use waymark_store::MemoryStore;
use waymark_wire::{
    Head, OpFlags, Ttl, ValueBuf,
    crypto::PublicKey,
    request::RequestWriter,
    types::{Address, ServerBuf, SiteBuf},
};

use super::network::LOOPBACK;

/// The prefix that lives on the node.
pub const PREFIX: &str = "88.7";

/// The identifier with answers of several classic datagrams, and the bytes of its value.
pub const LARGE: (&str, usize) = ("88.7/large", 2_000);

/// The identifier whose answers are of more datagrams than one answer may have.
pub const HUGE: (&str, usize) = ("88.7/huge", 60_000);

/// The small identifiers.
pub const SMALL: usize = 100;

/// The name of a small identifier.
pub fn small(number: usize) -> String {
    format!("{PREFIX}/small-{number}")
}

/// A certificate with its key.
#[derive(Debug)]
pub struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

impl Identity {
    pub fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self { certificate: made.cert.der().clone(), key: made.signing_key.serialize_der().into() }
    }

    pub fn pin(&self) -> Trust {
        Trust::Pin(fingerprint(&self.certificate))
    }
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    pub running: Running,
    trust: Trust,
    key: Option<PublicKey>,
    _catalog: Catalog,
}

impl Node {
    /// A node at default settings.
    pub fn start() -> Self {
        Self::with(&Identity::new(), PolicyConfig::default(), None)
    }

    /// A node with this certificate, these limits of sources, and this key for certified answers.
    pub fn with(identity: &Identity, policy: PolicyConfig, key: Option<NodeKey>) -> Self {
        let options = Options::new(waymark_store::Options::new("unused"));
        let store = Arc::new(MemoryStore::for_tests());
        let catalog = open_over(store, waymark_store::Recovery::default(), &options).unwrap().catalog;
        fill(&catalog);
        let shown =
            Certificate::new(vec![identity.certificate.clone()], PrivateKeyDer::Pkcs8(identity.key.clone_key()));
        let config = DoorsConfig {
            udp: vec![LOOPBACK],
            tcp: vec![LOOPBACK],
            quic: vec![LOOPBACK],
            certificate: Some(shown.unwrap()),
            limits: DoorLimits { udp_threads: 1, ..DoorLimits::default() },
            policy,
            ..DoorsConfig::default()
        };
        let public = key.as_ref().map(|key| key.public_key().clone());
        let running = door::start(config, &catalog, &Arc::new(settings(key))).unwrap();
        Self { running, trust: identity.pin(), key: public, _catalog: catalog }
    }

    /// All ways to the node. Without padding its answers are of several datagrams sooner.
    pub fn server(&self, understands_padding: bool) -> Server {
        let Addresses { udp, tcp, quic } = self.running.addresses();
        Server {
            udp: udp.first().copied(),
            tcp: tcp.first().copied(),
            quic: quic.first().map(|address| self.quic_at(*address)),
            understands_padding,
        }
    }

    /// The QUIC door reached by another address, for instance that of a path.
    pub fn quic_at(&self, address: SocketAddr) -> (SocketAddr, String, Trust) {
        (address, "localhost".to_owned(), self.trust.clone())
    }

    /// The key that verifies certified answers.
    pub fn public_key(&self) -> &PublicKey {
        self.key.as_ref().unwrap()
    }
}

/// A question for an identifier.
pub fn question(handle: &str, flags: OpFlags) -> Vec<u8> {
    numbered_question(handle, flags, u32::MAX)
}

/// A question that differs from others for the same identifier: in its expiration, which servers do not look at.
pub fn numbered_question(handle: &str, flags: OpFlags, number: u32) -> Vec<u8> {
    RequestWriter::new(Vec::new(), Head::request(0, flags, number)).resolution(handle.as_bytes(), &[], &[], None)
}

fn fill(catalog: &Catalog) {
    let mut commands = vec![Command::Home { name: HomeName::parse(PREFIX.as_bytes()).unwrap() }];
    let put = |handle: &str, data: &[u8]| Command::Put {
        handle: handle.into(),
        values: ValueSet::from_bufs(&[ValueBuf::new(1, b"URL", data)]).unwrap(),
        timestamps: Timestamps::Now,
        mode: PutMode::Create,
    };
    commands.extend((0..SMALL).map(|number| put(&small(number), format!("https://example.org/{number}").as_bytes())));
    commands.extend([LARGE, HUGE].map(|(handle, bytes)| put(handle, &vec![b'x'; bytes])));
    let results =
        catalog.writer().submit_when_room(Submission::new(&Actor::operator(), commands)).unwrap().wait().unwrap();
    for result in results.iter() {
        result.as_ref().unwrap();
    }
}

fn settings(node_key: Option<NodeKey>) -> Settings {
    let server =
        ServerBuf { id: 1, address: Address::from(LOOPBACK.ip()), public_key: Vec::new(), interfaces: Vec::new() };
    let site = SiteBuf { servers: vec![server], ..SiteBuf::default() };
    let mut data = Vec::new();
    site.encode(&mut data);
    let sites = SiteSetOptions { sites: vec![data], own_position: 0, ttl: Ttl::DAY, timestamp: 0 };
    Settings {
        sites: SiteSet::new(sites).unwrap(),
        administration: AdministrationDoors::default(),
        node_key: node_key.map(Arc::new),
        recursion: None,
        answer_lifetime_seconds: 43_200,
    }
}
