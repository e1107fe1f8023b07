//! Single calls over real TLS sockets: who may call, what is answered, what goes wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Authority, Node, apply, client, create, delete, issue, principal, put_principal, reason, speaking};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::Code;
use tonic_types::StatusExt as _;
use waymark_api::registration::v1::{self, Outcome};
use waymark_catalog::access::{Role, Scope, TokenText, Verb};
use waymark_catalog::{Command, Timestamp};
use waymark_registration::{Drained, Limits};

#[tokio::test]
async fn a_registered_identifier_is_there_when_the_call_returns() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    let receipt = writer.apply(apply(create("88.1/x", "a"))).await.unwrap().into_inner().receipt.unwrap();
    assert_eq!(receipt.outcome(), Outcome::Created);
    assert!(receipt.serial <= node.catalog.serial().0);
    assert_eq!(receipt.content_hash.len(), 32);
    let handle = waymark_ident::Handle::new(b"88.1/x").unwrap();
    let record = node.catalog.cold().fetch(&handle).unwrap().unwrap();
    assert_eq!(record.serial.0, receipt.serial);
}

#[tokio::test]
async fn the_same_again_is_told_apart_from_something_else() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    let first = writer.apply(apply(create("88.1/x", "a"))).await.unwrap().into_inner().receipt.unwrap();
    let again = writer.apply(apply(create("88.1/X", "a"))).await.unwrap().into_inner().receipt.unwrap();
    assert_eq!((again.outcome(), again.serial), (Outcome::ExistsSame, first.serial));
    let other = writer.apply(apply(create("88.1/x", "b"))).await.unwrap_err();
    assert_eq!((other.code(), reason(&other).as_str()), (Code::AlreadyExists, "ALREADY_EXISTS_DIFFERENT"));
    let details = other.get_error_details();
    assert_eq!(details.error_info().unwrap().metadata["current_serial"], first.serial.to_string());
}

/// A request id made at a time of the test clock.
fn request_id(time_ms: u64, number: u64) -> String {
    let (high, low) = (time_ms >> 16, time_ms & 0xffff);
    format!("{high:08x}-{low:04x}-7000-8000-{number:012x}")
}

#[tokio::test]
async fn a_repeated_request_is_answered_with_its_first_receipt() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    let now = common::clock().0;
    let ask = |id: String, change| v1::ApplyRequest { request_id: id, ..apply(change) };
    let first = writer.apply(ask(request_id(now, 1), create("88.1/x", "a"))).await.unwrap().into_inner();
    let again = writer.apply(ask(request_id(now, 1), create("88.1/x", "a"))).await.unwrap().into_inner();
    let (first, again) = (first.receipt.unwrap(), again.receipt.unwrap());
    assert!(again.repeated_request && !first.repeated_request);
    assert_eq!((again.serial, again.outcome()), (first.serial, Outcome::Created));
    let other = writer.apply(ask(request_id(now, 1), create("88.1/y", "a"))).await.unwrap_err();
    assert_eq!(reason(&other), "REQUEST_REUSED");
    let old = writer.apply(ask(request_id(now - 48 * 3_600_000, 2), create("88.1/y", "a"))).await.unwrap_err();
    assert_eq!((old.code(), reason(&old).as_str()), (Code::FailedPrecondition, "IDEMPOTENCY_EXPIRED"));
    let future = writer.apply(ask(request_id(now + 3_600_000, 3), create("88.1/y", "a"))).await.unwrap_err();
    assert_eq!(reason(&future), "REQUEST_FROM_FUTURE");
    let nonsense = writer.apply(ask("x".into(), create("88.1/y", "a"))).await.unwrap_err();
    assert_eq!(reason(&nonsense), "INVALID_ARGUMENT");
}

#[tokio::test]
async fn an_expectation_that_does_not_hold_shows_what_is() {
    use v1::expectation::Condition;
    let node = Node::start().await;
    let mut writer = node.writer().await;
    let first = writer.apply(apply(create("88.1/x", "a"))).await.unwrap().into_inner().receipt.unwrap();
    let expecting = |condition| {
        let expect = Some(v1::Expectation { condition: Some(condition) });
        apply(v1::Change { expect, ..delete("88.1/x") })
    };
    let other = writer.apply(expecting(Condition::Serial(first.serial + 1))).await.unwrap_err();
    assert_eq!((other.code(), reason(&other).as_str()), (Code::FailedPrecondition, "UNEXPECTED"));
    let details = other.get_error_details();
    let metadata = &details.error_info().unwrap().metadata;
    assert_eq!(metadata["current_serial"], first.serial.to_string());
    let hash: String = first.content_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(metadata["current_content_hash"], hash);
    assert!(writer.apply(expecting(Condition::ContentHash(first.content_hash))).await.is_ok());
}

#[tokio::test]
async fn each_refusal_of_the_writer_has_its_reason() {
    let node = Node::start().await;
    let mut writer = node.client(&node.token("operator", Role::Operator, &["*"])).await;
    writer.apply(apply(create("88.1/x", "a"))).await.unwrap();
    let values = |index, permissions| vec![v1::Value { permissions, ..common::url(index, "b") }];
    let add = |index, permissions| {
        let add = v1::AddValues { values: values(index, permissions), ..v1::AddValues::default() };
        v1::change::Action::AddValues(add)
    };
    let modify = |index| {
        v1::change::Action::ModifyValues(v1::ModifyValues { values: values(index, None), keep_timestamps: false })
    };
    let change = |handle: &str, action| v1::Change { handle: handle.into(), action: Some(action), expect: None };
    writer.apply(apply(change("88.1/x", add(9, Some(0x02))))).await.unwrap();
    let many = |count: u32| {
        let values = (1..=count).map(|index| common::url(index, "v")).collect();
        v1::change::Action::Create(v1::Create { values, keep_timestamps: false })
    };
    let cases = [
        (change("88.1/none", modify(1)), "NOT_FOUND"),
        (change("88.9/x", many(1)), "NOT_SERVED"),
        (change("88.1/x", add(1, None)), "INDEX_CONFLICT"),
        (change("88.1/x", modify(5)), "VALUES_NOT_FOUND"),
        (change("88.1/x", modify(9)), "READ_ONLY_VALUE"),
        (change("88.1/many", many(3000)), "TOO_MANY_VALUES"),
        (create("88.1/large", &"x".repeat(100_000)), "INVALID_VALUE"),
        (create(&format!("88.1/{}", "x".repeat(300)), "a"), "INVALID_HANDLE"),
        (create("no-slash", "a"), "NOT_SERVED"),
    ];
    for (change, expected) in cases {
        let handle = change.handle.clone();
        let refused = writer.apply(apply(change)).await.unwrap_err();
        assert_eq!(reason(&refused), expected, "{handle}");
    }
}

#[tokio::test]
async fn who_has_no_credential_learns_nothing() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    writer.apply(apply(create("88.1/x", "a"))).await.unwrap();
    let mut nobody = client(node.channel().await, None);
    let there = nobody.apply(apply(delete("88.1/x"))).await.unwrap_err();
    let not_there = nobody.apply(apply(delete("88.1/y"))).await.unwrap_err();
    assert_eq!((there.code(), reason(&there).as_str()), (Code::Unauthenticated, "UNAUTHENTICATED"));
    assert_eq!((there.message(), there.details()), (not_there.message(), not_there.details()));
}

#[tokio::test]
async fn wrong_expired_revoked_and_disabled_credentials_are_refused() {
    let node = Node::start().await;
    let channel = node.channel().await;
    let refused = async |token: &str| {
        let status = client(channel.clone(), Some(token)).apply(apply(create("88.1/x", "a"))).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        reason(&status)
    };
    let good = node.token("writer", Role::Writer, &["88.1"]);
    let mut wrong = good.clone();
    let last = if wrong.pop() == Some('0') { '1' } else { '0' };
    wrong.push(last);
    assert_eq!(refused(&wrong).await, "UNAUTHENTICATED");
    assert_eq!(refused("nonsense").await, "UNAUTHENTICATED");
    assert_eq!(refused(&TokenText::generate().unwrap().reveal()).await, "UNAUTHENTICATED");
    let brief = issue(&node.catalog, "writer", |token| token.expires = Timestamp(token.created.0 + 20));
    while common::clock() < Timestamp(0) {}
    for _ in 0..50 {
        common::clock();
    }
    assert_eq!(refused(&brief).await, "TOKEN_EXPIRED");
    let id = TokenText::parse(&good).unwrap().id();
    assert!(client(channel.clone(), Some(&good)).apply(apply(create("88.1/x", "a"))).await.is_ok());
    common::write(&node.catalog, Command::RevokeToken { id, reason: "test".into() });
    assert_eq!(refused(&good).await, "TOKEN_REVOKED");
    let other = issue(&node.catalog, "writer", |_| {});
    let disabled =
        waymark_catalog::access::Principal { disabled: true, ..principal("writer", Role::Writer, &["88.1"]) };
    put_principal(&node.catalog, disabled);
    assert_eq!(refused(&other).await, "PRINCIPAL_DISABLED");
}

#[tokio::test]
async fn credentials_do_nothing_outside_of_their_scope_and_verbs() {
    let node = Node::start().await;
    let channel = node.channel().await;
    let refused = async |token: &str, change: v1::Change| {
        let status = client(channel.clone(), Some(token)).apply(apply(change)).await.unwrap_err();
        (status.code(), reason(&status))
    };
    let not_permitted = (Code::PermissionDenied, "NOT_PERMITTED".to_owned());
    let elsewhere = node.token("elsewhere", Role::Writer, &["88.2"]);
    assert_eq!(refused(&elsewhere, create("88.1/x", "a")).await, not_permitted);
    let reader = node.token("reader", Role::Reader, &["88.1"]);
    assert_eq!(refused(&reader, create("88.1/x", "a")).await, not_permitted);
    node.token("writer", Role::Writer, &["88.1"]);
    let narrowed = issue(&node.catalog, "writer", |token| {
        token.verbs = Some([Verb::Create].into_iter().collect());
        token.scope = Some(Scope::parse(["88.1"]).unwrap());
    });
    assert!(client(channel.clone(), Some(&narrowed)).apply(apply(create("88.1/x", "a"))).await.is_ok());
    assert_eq!(refused(&narrowed, delete("88.1/x")).await, not_permitted);
}

#[tokio::test]
async fn a_client_certificate_is_a_credential() {
    let node = Node::start().await;
    let (channel, fingerprint) = node.channel_with_certificate(&node.authority).await;
    let mut caller = client(channel, None);
    let unknown = caller.apply(apply(create("88.1/x", "a"))).await.unwrap_err();
    assert_eq!(reason(&unknown), "UNAUTHENTICATED");
    let mut known = principal("machine", Role::Writer, &["88.1"]);
    known.certificates.push(fingerprint);
    put_principal(&node.catalog, known);
    assert!(caller.apply(apply(create("88.1/x", "a"))).await.is_ok());
}

#[tokio::test]
async fn a_certificate_of_another_authority_gets_no_connection() {
    let node = Node::start().await;
    let (channel, _) = node.channel_with_certificate(&Authority::new()).await;
    let failed = client(channel, None).apply(apply(create("88.1/x", "a"))).await.unwrap_err();
    assert!(reason(&failed).starts_with("none"), "{failed:?}");
}

#[tokio::test]
async fn a_client_that_sends_while_its_certificate_is_refused_hears_why() {
    let node = Node::start().await;
    let (certificate, key) = Authority::new().issue("client");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(node.authority.der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let config = Arc::new(config);
    for _ in 0..20 {
        let stream = TcpStream::connect(node.address()).await.unwrap();
        let connector = TlsConnector::from(Arc::clone(&config));
        // Done as far as the client knows: its certificate was not looked at yet.
        let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
        stream.write_all(&[b'x'; 8_192]).await.unwrap();
        stream.flush().await.unwrap();
        stream.get_ref().0.readable().await.unwrap();
        stream.write_all(&[b'x'; 8_192]).await.unwrap();
        stream.flush().await.unwrap();
        let refused = stream.read_to_end(&mut Vec::new()).await.unwrap_err();
        let refused = refused.get_ref().and_then(|cause| cause.downcast_ref());
        assert!(matches!(refused, Some(rustls::Error::AlertReceived(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn texts_come_in_the_language_asked_for() {
    let node = Node::start().await;
    let token = node.token("writer", Role::Writer, &["88.1"]);
    let mut writer = speaking(node.channel().await, Some(&token), Some("zh-CN,zh;q=0.9,en;q=0.5"));
    let status = writer.apply(apply(delete("88.1/none"))).await.unwrap_err();
    let details = status.get_error_details();
    let message = details.localized_message().unwrap();
    assert_eq!((message.locale.as_str(), reason(&status).as_str()), ("zh-CN", "NOT_FOUND"));
    assert!(message.message.contains("标识须先存在"), "{}", message.message);
}

#[tokio::test]
async fn a_wrong_field_is_named() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    let mut change = create("88.1/x", "a");
    let Some(v1::change::Action::Create(create)) = &mut change.action else { panic!() };
    create.values.push(v1::Value { index: 0, ..common::url(0, "b") });
    let status = writer.apply(apply(change)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "INVALID_ARGUMENT"));
    let details = status.get_error_details();
    assert_eq!(details.bad_request().unwrap().field_violations[0].field, "create.values[1].index");
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let limits = Limits { message_bytes: 512 << 10, ..Limits::default() };
    let node = Node::start_with(limits).await;
    let mut writer = node.writer().await;
    let large = writer.apply(apply(create("88.1/x", &"x".repeat(600 << 10)))).await.unwrap_err();
    assert_eq!((large.code(), reason(&large).as_str()), (Code::OutOfRange, "MESSAGE_TOO_LARGE"));
    assert!(writer.apply(apply(create("88.1/x", "a"))).await.is_ok());
}

#[tokio::test]
async fn messages_of_strangers_are_not_even_read() {
    let node = Node::start().await;
    let mut nobody = client(node.channel().await, None);
    let refused = nobody.apply(apply(create("88.1/x", &"x".repeat(8 << 20)))).await.unwrap_err();
    assert_eq!(reason(&refused), "UNAUTHENTICATED", "a known caller would be told that it is too large");
}

#[tokio::test]
async fn compressed_messages_are_taken_and_given() {
    use tonic::codec::CompressionEncoding;
    let node = Node::start().await;
    let token = node.token("writer", Role::Writer, &["88.1"]);
    for (at, encoding) in [CompressionEncoding::Gzip, CompressionEncoding::Zstd].into_iter().enumerate() {
        let client = client(node.channel().await, Some(&token));
        let mut client = client.send_compressed(encoding).accept_compressed(encoding);
        let answer = client.apply(apply(create(&format!("88.1/{at}"), &"x".repeat(5000)))).await.unwrap();
        assert_eq!(answer.into_inner().receipt.unwrap().outcome(), Outcome::Created);
    }
}

#[tokio::test]
async fn too_many_calls_a_second_are_told_when_to_come_back() {
    let node = Node::start().await;
    node.token("writer", Role::Writer, &["88.1"]);
    let slow =
        waymark_catalog::access::Principal { rate_per_second: Some(1), ..principal("writer", Role::Writer, &["88.1"]) };
    put_principal(&node.catalog, slow);
    let mut writer = node.client(&issue(&node.catalog, "writer", |_| {})).await;
    let mut limited = None;
    for n in 0..3 {
        limited = writer.apply(apply(create(&format!("88.1/{n}"), "a"))).await.err().or(limited);
    }
    let limited = limited.unwrap();
    assert_eq!((limited.code(), reason(&limited).as_str()), (Code::ResourceExhausted, "RATE_LIMITED"));
    let delay = limited.get_error_details().retry_info().unwrap().retry_delay.unwrap();
    assert!(delay <= Duration::from_secs(1));
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let limits = Limits {
        failed_authentications: 2,
        failed_authentications_per_minute: 1,
        failure_delay: Duration::from_millis(50),
        ..Limits::default()
    };
    let node = Node::start_with(limits).await;
    let mut nobody = client(node.channel().await, Some("wrong"));
    let mut reasons = Vec::new();
    for _ in 0..3 {
        reasons.push(reason(&nobody.apply(apply(delete("88.1/x"))).await.unwrap_err()));
    }
    assert_eq!(reasons, ["UNAUTHENTICATED", "UNAUTHENTICATED", "TOO_MANY_FAILURES"]);
    assert!(node.writer().await.apply(apply(create("88.1/x", "a"))).await.is_ok(), "right ones are not held back");
}

#[tokio::test]
async fn health_and_reflection_answer_without_a_credential() {
    use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::{ServerReflectionRequest, server_reflection_request::MessageRequest};
    let node = Node::start().await;
    let channel = node.channel().await;
    let mut health = HealthClient::new(channel.clone());
    let mut status = ServingStatus::Unknown;
    while status != ServingStatus::Serving {
        status = health.check(HealthCheckRequest::default()).await.unwrap().into_inner().status();
    }
    let list = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = ServerReflectionClient::new(channel)
        .server_reflection_info(tokio_stream::once(list))
        .await
        .unwrap()
        .into_inner();
    let answer = format!("{:?}", answers.message().await.unwrap().unwrap());
    assert!(answer.contains("waymark.registration.v1.Registration"), "{answer}");
}

#[tokio::test]
async fn both_address_families_are_served() {
    let dir = tempfile::TempDir::new().unwrap();
    let catalog = common::new_catalog(dir.path());
    let Ok(_) = std::net::TcpListener::bind("[::1]:0") else { return };
    let node = Node::start_over(dir, catalog, Limits::default(), "[::1]:0".parse().unwrap());
    assert!(node.writer().await.apply(apply(create("88.1/x", "a"))).await.is_ok());
}

#[tokio::test]
async fn a_replaced_certificate_is_shown_to_new_connections() {
    let node = Node::start().await;
    let token = node.token("writer", Role::Writer, &["88.1"]);
    let mut old = node.client(&token).await;
    let next = Authority::new();
    let (certificate, key) = next.issue("localhost");
    let key = key.serialize_der().try_into().unwrap();
    node.running.reload_certificate(vec![certificate.der().clone()], key).unwrap();
    assert!(old.apply(apply(create("88.1/x", "a"))).await.is_ok(), "open connections go on");
    assert!(node.endpoint().connect().await.is_err(), "the old authority does not vouch for the new certificate");
    let tls = tonic::transport::ClientTlsConfig::new()
        .ca_certificate(tonic::transport::Certificate::from_pem(next.pem()))
        .domain_name("localhost");
    let channel = node.endpoint_with(tls).connect().await.unwrap();
    assert!(client(channel, Some(&token)).apply(apply(create("88.1/y", "a"))).await.is_ok());
}

#[tokio::test]
async fn a_source_has_no_more_connections_than_its_share() {
    let limits = Limits { connections_per_source: 1, ..Limits::default() };
    let node = Node::start_with(limits).await;
    let first = node.writer().await;
    assert!(node.endpoint().connect().await.is_err());
    drop(first);
}

#[tokio::test]
async fn a_handshake_that_never_ends_holds_nobody_up() {
    let limits = Limits { handshakes: 2, handshake_time: Duration::from_millis(200), ..Limits::default() };
    let node = Node::start_with(limits).await;
    let silent: Vec<_> = (0..5).map(|_| std::net::TcpStream::connect(node.address()).unwrap()).collect();
    assert!(node.writer().await.apply(apply(create("88.1/x", "a"))).await.is_ok());
    drop(silent);
}

#[tokio::test]
async fn a_stop_finishes_what_is_under_way_and_takes_nothing_more() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    writer.apply(apply(create("88.1/x", "a"))).await.unwrap();
    let address = node.address();
    let drained = node.running.drain(Duration::from_secs(10)).await;
    assert_eq!(drained, Drained::Finished);
    assert!(std::net::TcpStream::connect(address).is_err());
    assert!(writer.apply(apply(create("88.1/y", "a"))).await.is_err());
}
