//! Doors and pages: who may send, what is shown, how it ends.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::json;
use tempfile::tempdir;
use tonic::Code;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use waymark_api::toplevel::v1::{Outcome, Part, WatermarksRequest, sets_client::SetsClient};
use waymark_top_sync::check::Set;
use waymark_top_sync::simulator::{Options, Simulator, StartError, Tls};

use crate::client::{Stream, options, page, plain, started};
use crate::golden::{NODE, part, whole};

/// An authority, and what it signs.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, "Authority of a test");
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(parameters, key), pem }
    }

    /// Certificate and key, for a common name or none.
    fn sign(&self, name: Option<&str>) -> (String, String) {
        let mut parameters = CertificateParams::new(["localhost".to_owned()]).unwrap();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(name) = name {
            parameters.distinguished_name.push(DnType::CommonName, name);
        }
        let key = KeyPair::generate().unwrap();
        (parameters.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

async fn connect(
    simulator: &Simulator,
    authority: &Authority,
    identity: Option<(String, String)>,
) -> Result<SetsClient<Channel>, tonic::transport::Error> {
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&authority.pem)).domain_name("localhost");
    if let Some((certificate, key)) = identity {
        tls = tls.identity(Identity::from_pem(certificate, key));
    }
    let endpoint = Channel::from_shared(format!("https://{}", simulator.grpc())).unwrap();
    Ok(SetsClient::new(endpoint.tls_config(tls).unwrap().connect().await?))
}

#[tokio::test]
async fn a_node_sends_for_itself_alone() {
    let folder = tempdir().unwrap();
    let (authority, other) = (Authority::new(), Authority::new());
    let (certificate, key) = authority.sign(Some("top"));
    let client_ca = Some(authority.pem.clone().into_bytes());
    let tls = Tls { certificate: certificate.into_bytes(), key: key.into_bytes(), client_ca };
    let simulator = Simulator::start(Options { tls: Some(tls), ..options(&folder) }).await.unwrap();

    let mut own = connect(&simulator, &authority, Some(authority.sign(Some(NODE)))).await.unwrap();
    let mut stream = Stream::open(&mut own).await.unwrap();
    stream.send(whole(Set::T9, 1)).await;
    assert_eq!(stream.told().await, (1, Outcome::Stored));
    stream.send(Part { node: "88.991".into(), ..whole(Set::T9, 1) }).await;
    assert_eq!(stream.next().await.unwrap_err().code(), Code::PermissionDenied);
    let foreign = own.watermarks(WatermarksRequest { node: "88.991".into() }).await.unwrap_err();
    assert_eq!(foreign.code(), Code::PermissionDenied);
    assert_eq!(simulator.ledgers().nodes(), [NODE]);

    let mut nameless = connect(&simulator, &authority, Some(authority.sign(None))).await.unwrap();
    let refused = nameless.watermarks(WatermarksRequest { node: NODE.into() }).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);

    for identity in [None, Some(other.sign(Some(NODE)))] {
        // TLS 1.3 tells a client only with the first answer that its certificate was not taken.
        let refused = match connect(&simulator, &authority, identity).await {
            Ok(mut client) => client.watermarks(WatermarksRequest { node: NODE.into() }).await.is_err(),
            Err(_) => true,
        };
        assert!(refused);
    }
}

#[tokio::test]
async fn without_tls_and_for_pages_only_loopback_is_taken() {
    let folder = tempdir().unwrap();
    let outside = "0.0.0.0:0".parse().unwrap();
    let plain = Simulator::start(Options { listen: outside, ..options(&folder) }).await.unwrap_err();
    assert!(matches!(plain, StartError::PlainOutside(_)));
    let pages = Simulator::start(Options { http: outside, ..options(&folder) }).await.unwrap_err();
    assert!(matches!(pages, StartError::PagesOutside(_)));
}

#[tokio::test]
async fn nodes_and_sets_have_names() {
    let folder = tempdir().unwrap();
    let simulator = started(&folder, "{}").await;
    for node in ["", "../x", "88.990/x", "88..1", &"8".repeat(65)] {
        let mut stream = Stream::to(&simulator).await;
        stream.send(Part { node: node.into(), ..whole(Set::T9, 1) }).await;
        assert_eq!(stream.next().await.unwrap_err().code(), Code::InvalidArgument, "{node}");
    }
    let mut stream = Stream::to(&simulator).await;
    stream.send(Part { set: "T12".into(), ..whole(Set::T9, 1) }).await;
    let answer = stream.next().await.unwrap().unwrap();
    assert_eq!((answer.outcome(), answer.complaints[0].field.as_str()), (Outcome::Refused, "set"));
    assert!(simulator.ledgers().nodes().is_empty());
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_the_stream() {
    let folder = tempdir().unwrap();
    let simulator = started(&folder, "{}").await;
    let mut stream = Stream::to(&simulator).await;
    stream.send(Part { content: vec![b' '; 8 << 20], ..whole(Set::T9, 1) }).await;
    assert_eq!(stream.next().await.unwrap_err().code(), Code::OutOfRange);
}

#[tokio::test]
async fn pages_show_what_came_and_what_is_held() {
    let folder = tempdir().unwrap();
    let simulator = started(&folder, "{}").await;
    let mut stream = Stream::to(&simulator).await;
    stream.send(whole(Set::T8, 1)).await;
    stream.send(part(Set::T8, 2, "{}\n")).await;
    assert_eq!([stream.told().await, stream.told().await], [(1, Outcome::Stored), (2, Outcome::Refused)]);

    let (_, status) = page(&simulator, "GET", "/status", "").await;
    let shown = &status["nodes"][0]["sets"][0];
    let [set, sequence, refused, rows, held] = ["set", "sequence", "refused", "rows", "held"].map(|name| &shown[name]);
    assert_eq!((set, sequence, refused, rows, held), (&json!("T8"), &json!(2), &json!(1), &json!(2), &json!(2)));
    assert_eq!(shown["last"], "2026-12-02T04:00:00.000Z");
    assert_eq!(shown["complaints"][0]["sequence"], 2);
    assert_eq!(shown["complaints"][0]["complaints"][0]["problem"], "is missing");

    let (_, first) = page(&simulator, "GET", "/held/T8?limit=1", "").await;
    assert_eq!(first["rows"][0]["content"]["prefix"], "88.990.10001");
    let next = first["next"].as_str().unwrap();
    let (_, second) = page(&simulator, "GET", &format!("/held/T8?node=88.990&after={next}"), "").await;
    assert_eq!((second["rows"].as_array().unwrap().len(), &second["next"]), (1, &json!(null)));
    assert_eq!(second["rows"][0]["content"]["prefix"], "88.990.10002");

    for (method, path, status) in [
        ("GET", "/held/T12", 404),
        ("GET", "/held/T8?limit=x", 400),
        ("GET", "/held/T8?x=1", 400),
        ("POST", "/faults", 400),
    ] {
        assert_eq!(page(&simulator, method, path, r#"{"seed": "x"}"#).await.0, status, "{path}");
    }
}

#[tokio::test]
async fn it_stops_in_order_and_opens_again_with_what_it_had() {
    let folder = tempdir().unwrap();
    let simulator = started(&folder, "{}").await;
    let mut stream = Stream::to(&simulator).await;
    stream.send(whole(Set::T9, 1)).await;
    assert_eq!(stream.told().await, (1, Outcome::Stored));
    simulator.stop().await;
    assert_eq!(stream.next().await.unwrap_err().code(), Code::Unavailable);
    drop(stream);

    let simulator = started(&folder, "{}").await;
    let mut client = plain(&simulator).await;
    let marks = client.watermarks(WatermarksRequest { node: NODE.into() }).await.unwrap().into_inner().watermarks;
    assert_eq!((marks[0].set.as_str(), marks[0].sequence), ("T9", 1));
    let mut stream = Stream::open(&mut client).await.unwrap();
    stream.send(whole(Set::T9, 1)).await;
    assert_eq!(stream.told().await, (1, Outcome::StoredBefore));
}
