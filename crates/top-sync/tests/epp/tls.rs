//! Encrypted: whoever is believed is spoken to, and nobody else.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::PrivateKeyDer;
use waymark_catalog::business::CaseState;
use waymark_client::{Trust, fingerprint};
use waymark_top_sync::epp::exchange::TroubleKind;
use waymark_top_sync::simulator::epp::{EppSimulator, Settings, Tls};

use crate::link::{Link, assert_equal, settings, transport, until};
use crate::node::Node;

fn server() -> (Tls, rustls::pki_types::CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let settings = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    (Arc::new(settings), certificate)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_certificate_or_an_authority_is_believed() {
    let (tls, certificate) = server();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    for trust in [Trust::Pin(fingerprint(&certificate)), Trust::Authorities(Arc::new(roots))] {
        let dir = tempfile::tempdir().unwrap();
        let simulator = EppSimulator::start(Settings { tls: Some(Arc::clone(&tls)), ..settings() }).await.unwrap();
        let node = Node::open(dir.path());
        let enterprise = node.enterprise(1);
        node.approve(enterprise, "88.104.1");
        let link = Link::over(&node, dir.path(), Box::new(transport(&simulator.url(), Some(&trust))));
        until("active", || node.state("88.104.1") == CaseState::Active).await;
        assert_equal(&node, &simulator);
        link.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_is_told_nothing() {
    let (tls, _) = server();
    let dir = tempfile::tempdir().unwrap();
    let simulator = EppSimulator::start(Settings { tls: Some(tls), ..settings() }).await.unwrap();
    let node = Node::open(dir.path());
    let enterprise = node.enterprise(1);
    node.approve(enterprise, "88.104.1");
    let link = Link::over(&node, dir.path(), Box::new(transport(&simulator.url(), Some(&Trust::Pin([7; 32])))));
    until("told", || link.docking.status().link.is_some_and(|it| it.kind == TroubleKind::Unreachable)).await;
    assert_eq!(simulator.seen(), []);
    link.stop().await;
}
