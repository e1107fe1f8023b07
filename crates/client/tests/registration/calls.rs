//! Single calls: repetitions, request ids, certificates, credentials.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock, atomic::AtomicU32},
    time::Duration,
};

use tokio::time::Instant;
use tonic::transport::Identity;
use uuid::Uuid;
use waymark_api::registration::v1;
use waymark_client::{
    fingerprint,
    registration::{CallError, Endpoint, Registrar, ServerTrust},
};

use crate::{
    breaking::Network,
    server::{Node, Trouble},
};

pub(crate) fn endpoint(scheme: &str, address: SocketAddr) -> Endpoint {
    Endpoint { deadline: Duration::from_secs(20), ..Endpoint::new(format!("{scheme}://{address}").parse().unwrap()) }
}

fn creation(handle: &str) -> v1::Change {
    let action = v1::change::Action::Create(v1::Create::default());
    v1::Change { handle: handle.into(), action: Some(action), expect: None }
}

#[tokio::test]
async fn a_change_whose_answer_was_lost_is_repeated_under_its_id_and_done_once() {
    let network = Arc::new(OnceLock::<Network>::new());
    let breaks = Arc::clone(&network);
    let after_apply: Arc<dyn Fn() + Send + Sync> = Arc::new(move || breaks.get().unwrap().break_all());
    let node = Node { trouble: Trouble { after_apply: Some(after_apply), ..Trouble::default() }, ..Node::default() };
    let server = node.start(None).await;
    assert!(network.set(Network::to(server, []).await).is_ok());
    let registrar = Registrar::connect(&endpoint("grpc", network.get().unwrap().address)).unwrap();

    let receipt = registrar.apply(creation("88.1/x"), None).await.unwrap();
    assert!(receipt.repeated_request, "the server knew the request again");
    let seen = node.seen.lock().unwrap();
    assert_eq!(seen.requests.values().collect::<Vec<_>>(), [&2], "one id, twice");
    let id: Uuid = seen.requests.keys().next().unwrap().parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
}

#[tokio::test]
async fn a_change_without_an_answer_in_time_says_under_which_id_to_ask_again() {
    let node = Node { trouble: Trouble { silent: true, ..Trouble::default() }, ..Node::default() };
    let address = node.start(None).await;
    let hasty = Endpoint { deadline: Duration::from_millis(300), ..endpoint("grpc", address) };
    let error = Registrar::connect(&hasty).unwrap().apply(creation("88.1/x"), None).await.unwrap_err();
    let CallError::Unknown { request_id: Some(id), .. } = error else { panic!("{error:?}") };
    assert!(node.seen.lock().unwrap().requests.contains_key(&id.to_string()));
}

#[tokio::test]
async fn a_node_that_is_busy_for_a_while_is_asked_again() {
    let busy = Arc::new(AtomicU32::new(2));
    let node = Node { trouble: Trouble { busy, ..Trouble::default() }, ..Node::default() };
    let registrar = Registrar::connect(&endpoint("grpc", node.start(None).await)).unwrap();
    assert_eq!(registrar.apply(creation("88.1/x"), None).await.unwrap().serial, 7);
}

#[tokio::test]
async fn a_refusal_comes_at_once_with_its_reason() {
    let node = Node::default();
    let registrar = Registrar::connect(&endpoint("grpc", node.start(None).await)).unwrap();
    let started = Instant::now();
    let error = registrar.apply(creation("88.1/bad"), None).await.unwrap_err();
    assert_eq!(error.server_error().unwrap().reason, "INVALID_HANDLE");
    let error = registrar.list(&v1::ListRequest::default()).await.unwrap_err();
    assert_eq!(error.server_error().unwrap().reason, "UNIMPLEMENTED", "of the gRPC library, not of the network");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_be_unreachable_within_the_deadline() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let hasty = Endpoint { deadline: Duration::from_secs(2), ..endpoint("grpc", closed) };
    let error = Registrar::connect(&hasty).unwrap().apply(creation("88.1/x"), None).await.unwrap_err();
    assert!(matches!(error, CallError::Unreachable { attempts: 2.., .. }), "nothing was sent: {error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn token_and_language_travel_with_every_call() {
    let node = Node::default();
    let mut endpoint = endpoint("grpc", node.start(None).await);
    endpoint.token = Some("wm1_id_secret".into());
    endpoint.language = "zh-CN";
    Registrar::connect(&endpoint).unwrap().validate(creation("88.1/x")).await.unwrap();
    let seen = node.seen.lock().unwrap();
    assert_eq!((seen.authorization.as_str(), seen.language.as_str()), ("Bearer wm1_id_secret", "zh-CN"));
}

#[tokio::test]
async fn the_server_is_believed_for_its_pin_or_its_authority_and_otherwise_not() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let pem = made.cert.pem();
    let address = Node::default().start(Some(Identity::from_pem(&pem, made.signing_key.serialize_pem()))).await;
    let who = async |endpoint: &Endpoint| {
        Registrar::connect(endpoint).unwrap().who_am_i().await.map(|answer| answer.principal)
    };
    let pin = fingerprint(made.cert.der());
    let mut endpoint = endpoint("grpcs", address);
    endpoint.trust = Some(ServerTrust::Pin(pin));
    assert_eq!(who(&endpoint).await.unwrap(), "somebody", "a pinned certificate needs no name");

    let started = Instant::now();
    endpoint.trust = Some(ServerTrust::Pin([7; 32]));
    let error = who(&endpoint).await.unwrap_err();
    assert!(matches!(error, CallError::Untrusted { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "asking again would not help");

    endpoint.trust = Some(ServerTrust::Authorities(pem.clone().into_bytes()));
    let error = who(&endpoint).await.unwrap_err();
    assert!(matches!(error, CallError::Untrusted { .. }), "certified for localhost, not for 127.0.0.1: {error:?}");
    endpoint.url = format!("grpcs://localhost:{}", address.port()).parse().unwrap();
    assert_eq!(who(&endpoint).await.unwrap(), "somebody");
}
