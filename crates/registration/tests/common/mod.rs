//! What the tests of this crate build with: a node's catalog, its doors on real sockets with real TLS, and clients.
#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod jobs;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tonic::metadata::MetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate as Pem, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};
use tonic_types::StatusExt as _;
use waymark_api::registration::v1::{self, registration_client::RegistrationClient};
use waymark_catalog::access::{Principal, Role, Scope, Token, TokenText};
use waymark_catalog::{Actor, Catalog, Command, HomeName, Options, Receipt, Submission, Timestamp, Warm, open};
use waymark_registration::{Certificate, Limits, QueryConfig, Running, Service, ServiceConfig, Settings, Tls};
use waymark_store::Upkeep;

/// The time of the tests: stands still unless moved.
static CLOCK: AtomicU64 = AtomicU64::new(1_800_000_000_000);

/// Reads it; each reading is a millisecond later.
pub(crate) fn clock() -> Timestamp {
    Timestamp(CLOCK.fetch_add(1, Ordering::Relaxed))
}

/// Moves it ahead.
pub(crate) fn advance(by: Duration) {
    CLOCK.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
}

/// A self-signed authority, the node's certificate from it, and one for a client.
pub(crate) struct Authority {
    issuer: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        // A name of its own: a certificate with its issuer's name looks self-signed to OpenSSL.
        params.distinguished_name.push(rcgen::DnType::CommonName, "authority of the tests");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    pub(crate) fn der(&self) -> rustls::pki_types::CertificateDer<'static> {
        self.issuer.der().clone()
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub(crate) fn issue(&self, name: &str) -> (rcgen::Certificate, rcgen::KeyPair) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    pub(crate) fn server(&self, client_authorities: bool) -> Tls {
        let (certificate, key) = self.issue("localhost");
        let certificate =
            Certificate::new(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap()).unwrap();
        let client_authorities = if client_authorities { vec![self.issuer.der().clone()] } else { Vec::new() };
        Tls { certificate, client_authorities }
    }
}

/// A node: folder, catalog, doors.
pub(crate) struct Node {
    pub(crate) dir: TempDir,
    pub(crate) catalog: Catalog,
    pub(crate) running: Running,
    pub(crate) authority: Authority,
}

/// A client with a token.
pub(crate) type Client = RegistrationClient<InterceptedService<Channel, Bearer>>;

/// Adds a token, and a language, to each call.
#[derive(Clone)]
pub(crate) struct Bearer {
    token: Option<String>,
    language: Option<&'static str>,
}

impl Bearer {
    pub(crate) fn token(token: &str) -> Self {
        Self { token: Some(token.to_owned()), language: None }
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.token {
            let header = MetadataValue::try_from(format!("Bearer {token}")).unwrap();
            request.metadata_mut().insert("authorization", header);
        }
        if let Some(language) = self.language {
            request.metadata_mut().insert("accept-language", MetadataValue::from_static(language));
        }
        Ok(request)
    }
}

/// Adds a token to each call of any service.
pub(crate) fn bearer(token: &str) -> Bearer {
    Bearer { token: Some(token.to_owned()), language: None }
}

pub(crate) fn options(dir: &std::path::Path) -> Options {
    let mut store = waymark_store::Options::new(dir);
    store.upkeep = Upkeep::Inline;
    store.segment_bytes = 1 << 20;
    Options { warm: Warm::Off, clock, expected_entries: 0, ..Options::new(store) }
}

/// Makes the catalog of a new node: the prefix 88.1 lives there.
pub(crate) fn new_catalog(dir: &std::path::Path) -> Catalog {
    let catalog = open(&options(dir)).unwrap().catalog;
    write(&catalog, Command::Home { name: HomeName::parse(b"88.1").unwrap() });
    catalog
}

/// The same in memory, on a disk that can be full.
pub(crate) fn new_catalog_on(medium: &waymark_store::fault::MemoryMedium) -> Catalog {
    new_catalog_over(std::sync::Arc::new(medium.clone()))
}

/// The same on a disk that fails as it is told to.
pub(crate) fn new_catalog_over(medium: std::sync::Arc<dyn waymark_store::medium::Medium>) -> Catalog {
    let catalog = catalog_over(medium);
    write(&catalog, Command::Home { name: HomeName::parse(b"88.1").unwrap() });
    catalog
}

/// Opens what is on such a disk.
pub(crate) fn catalog_over(medium: std::sync::Arc<dyn waymark_store::medium::Medium>) -> Catalog {
    catalog_holding(medium, u64::MAX)
}

/// The same with an index that holds so many identifiers, and a few more.
pub(crate) fn catalog_holding(medium: std::sync::Arc<dyn waymark_store::medium::Medium>, most_entries: u64) -> Catalog {
    let options = Options { most_entries, ..options(std::path::Path::new("/data")) };
    let (store, found) = waymark_store::open_on(medium, &options.store).unwrap();
    waymark_catalog::open_over(store, found, &options).unwrap().catalog
}

impl Node {
    pub(crate) async fn start() -> Self {
        Self::start_with(Limits::default()).await
    }

    pub(crate) async fn start_with(limits: Limits) -> Self {
        let dir = TempDir::new().unwrap();
        let catalog = new_catalog(dir.path());
        Self::start_over(dir, catalog, limits, "127.0.0.1:0".parse().unwrap())
    }

    /// Over a catalog that lives elsewhere.
    pub(crate) fn start_with_catalog(catalog: Catalog) -> Self {
        Self::start_over(TempDir::new().unwrap(), catalog, Limits::default(), "127.0.0.1:0".parse().unwrap())
    }

    pub(crate) fn start_over(dir: TempDir, catalog: Catalog, limits: Limits, address: SocketAddr) -> Self {
        Self::start_at(dir, catalog, limits, address, clock, QueryConfig::default())
    }

    /// With a service for registration data that is set up so.
    pub(crate) fn start_answering(limits: Limits, query: QueryConfig) -> Self {
        let dir = TempDir::new().unwrap();
        let catalog = new_catalog(dir.path());
        Self::start_at(dir, catalog, limits, "127.0.0.1:0".parse().unwrap(), clock, query)
    }

    /// By the clock of the machine, for clients that make request ids.
    pub(crate) fn start_by_machine_time() -> Self {
        let dir = TempDir::new().unwrap();
        let clock = waymark_catalog::machine_time;
        let catalog = open(&Options { clock, ..options(dir.path()) }).unwrap().catalog;
        write(&catalog, Command::Home { name: HomeName::parse(b"88.1").unwrap() });
        Self::start_at(dir, catalog, Limits::default(), "127.0.0.1:0".parse().unwrap(), clock, QueryConfig::default())
    }

    fn start_at(
        dir: TempDir,
        catalog: Catalog,
        limits: Limits,
        address: SocketAddr,
        clock: waymark_catalog::Clock,
        query: QueryConfig,
    ) -> Self {
        let authority = Authority::new();
        let tls = Some(authority.server(true));
        let config = ServiceConfig {
            grpc: vec![address],
            http: vec!["127.0.0.1:0".parse().unwrap()],
            query: QueryConfig { addresses: vec!["127.0.0.1:0".parse().unwrap()], ..query },
            tls,
            jobs: Some(dir.path().join("jobs")),
            limits,
        };
        let running = Service::bind(config).unwrap().start(&catalog, &Settings::alone(clock)).unwrap();
        Self { dir, catalog, running, authority }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.running.addresses().grpc[0]
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        self.endpoint_with(self.client_tls())
    }

    pub(crate) fn client_tls(&self) -> ClientTlsConfig {
        ClientTlsConfig::new().ca_certificate(Pem::from_pem(self.authority.pem())).domain_name("localhost")
    }

    pub(crate) fn endpoint_with(&self, tls: ClientTlsConfig) -> Endpoint {
        Endpoint::from_shared(format!("https://{}", self.address()))
            .unwrap()
            .tls_config(tls)
            .unwrap()
            .connect_timeout(Duration::from_secs(10))
    }

    /// A connection of its own.
    pub(crate) async fn channel(&self) -> Channel {
        self.endpoint().connect().await.unwrap()
    }

    /// A connection that shows a certificate; gives its fingerprint too.
    pub(crate) async fn channel_with_certificate(&self, authority: &Authority) -> (Channel, [u8; 32]) {
        let (certificate, key) = authority.issue("client");
        let fingerprint = <sha2::Sha256 as sha2::Digest>::digest(certificate.der()).into();
        let tls = self.client_tls().identity(Identity::from_pem(certificate.pem(), key.serialize_pem()));
        (self.endpoint_with(tls).connect_lazy(), fingerprint)
    }

    pub(crate) async fn client(&self, token: &str) -> Client {
        client(self.channel().await, Some(token))
    }

    /// Makes a principal and a token for it.
    pub(crate) fn token(&self, name: &str, role: Role, prefixes: &[&str]) -> String {
        put_principal(&self.catalog, principal(name, role, prefixes));
        issue(&self.catalog, name, |_| {})
    }

    /// A writer under 88.1, connected.
    pub(crate) async fn writer(&self) -> Client {
        self.client(&self.token("writer", Role::Writer, &["88.1"])).await
    }
}

pub(crate) fn client(channel: Channel, token: Option<&str>) -> Client {
    speaking(channel, token, None)
}

pub(crate) fn speaking(channel: Channel, token: Option<&str>, language: Option<&'static str>) -> Client {
    let bearer = Bearer { token: token.map(str::to_owned), language };
    RegistrationClient::with_interceptor(channel, bearer)
}

pub(crate) fn principal(name: &str, role: Role, prefixes: &[&str]) -> Principal {
    Principal {
        name: name.into(),
        role,
        scope: Scope::parse(prefixes.iter().copied()).unwrap(),
        disabled: false,
        rate_per_second: None,
        daily_quota: None,
        certificates: Vec::new(),
        note: String::new(),
    }
}

pub(crate) fn put_principal(catalog: &Catalog, principal: Principal) {
    write(catalog, Command::PutPrincipal { principal });
}

/// Issues a token; gives its text.
pub(crate) fn issue(catalog: &Catalog, principal: &str, change: impl FnOnce(&mut Token)) -> String {
    let text = TokenText::generate().unwrap();
    let mut token = Token::new(&text, principal, catalog.now(), Duration::from_secs(3600));
    change(&mut token);
    write(catalog, Command::IssueToken { token });
    text.reveal().to_string()
}

/// Carries out a command as the operator on this machine.
pub(crate) fn write(catalog: &Catalog, command: Command) -> Receipt {
    let submission = Submission::new(&Actor::operator(), [command]);
    let ticket = catalog.writer().submit(submission).unwrap();
    // On a thread of its own: tests run on a runtime, whose threads must not wait.
    std::thread::spawn(|| ticket.wait().unwrap().remove(0).unwrap()).join().unwrap()
}

pub(crate) fn url(index: u32, text: &str) -> v1::Value {
    v1::Value { index, r#type: "URL".into(), data: Some(v1::value::Data::Text(text.into())), ..v1::Value::default() }
}

pub(crate) fn create(handle: &str, text: &str) -> v1::Change {
    let values = vec![url(1, text)];
    let action = v1::change::Action::Create(v1::Create { values, keep_timestamps: false });
    v1::Change { handle: handle.into(), action: Some(action), expect: None }
}

pub(crate) fn delete(handle: &str) -> v1::Change {
    let action = v1::change::Action::Delete(v1::Delete {});
    v1::Change { handle: handle.into(), action: Some(action), expect: None }
}

pub(crate) fn apply(change: v1::Change) -> v1::ApplyRequest {
    v1::ApplyRequest { change: Some(change), ..v1::ApplyRequest::default() }
}

/// Changes a byte of `needle` where it lies in a file of the node.
pub(crate) fn damage(node: &Node, needle: &str) {
    use std::os::unix::fs::FileExt as _;
    let (mut folders, needle) = (vec![node.dir.path().to_owned()], needle.as_bytes());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let Some(at) = bytes.windows(needle.len()).position(|found| found == needle) else { continue };
            let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.write_all_at(&[bytes[at] ^ 0x10], at as u64).unwrap();
            return;
        }
    }
    unreachable!("it lies nowhere");
}

/// The reason in the details of an error.
pub(crate) fn reason(status: &Status) -> String {
    status
        .get_error_details()
        .error_info()
        .map(|info| info.reason.clone())
        .unwrap_or_else(|| format!("none: {status:?}"))
}
