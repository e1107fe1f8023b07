//! Caches that follow a node over real TLS sockets: what each is told to forget, and who has confirmed what.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod common;

use common::{Bearer, Node, apply, create, reason};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Streaming};
use tonic_types::StatusExt as _;
use waymark_api::registration::v1::{self, followers_client::FollowersClient};
use waymark_catalog::access::Role;
use waymark_catalog::{Command, HomeName};
use waymark_registration::Limits;

type Client = FollowersClient<InterceptedService<Channel, Bearer>>;

/// Followers of the large test, and the connections they share: a hundred streams on each.
const MANY: usize = 1_000;
const CONNECTIONS: usize = 20;

async fn client(node: &Node, token: &str) -> Client {
    FollowersClient::new(InterceptedService::new(node.channel().await, Bearer::token(token)))
}

fn request(name: &str, after: Option<u64>) -> v1::FollowRequest {
    v1::FollowRequest {
        name: name.to_owned(),
        prefixes: vec!["88.1".to_owned()],
        after_serial: after.unwrap_or_default(),
        from_now: after.is_none(),
    }
}

/// What a follower hears until it is told of everything up to a serial: the names.
async fn heard(told: &mut Streaming<v1::FollowResponse>, upto: u64) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let message = told.message().await.unwrap().unwrap();
        names.extend(message.names.iter().map(|name| String::from_utf8_lossy(name).into_owned()));
        if message.upto >= upto {
            return names;
        }
    }
}

async fn confirm(client: &mut Client, name: &str, serial: u64) {
    client.confirm(v1::ConfirmRequest { name: name.to_owned(), serial }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_reaches_a_thousand_followers_and_the_node_knows_who_has_forgotten() {
    let limits = Limits { watchers: MANY + 10, rate_per_second: 1_000_000, ..Limits::default() };
    let node = Node::start_with(limits).await;
    let mut writer = node.writer().await;
    let reader = node.token("caches", Role::Reader, &["88.1"]);
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(client(&node, &reader).await);
    }
    let mut streams = Vec::new();
    for number in 0..MANY {
        let client = &mut clients[number % CONNECTIONS];
        streams.push(Some(client.follow(request(&number.to_string(), None)).await.unwrap().into_inner()));
    }
    // Some are lost before the change: every seventh.
    let is_lost = |number: usize| number.is_multiple_of(7);
    for (number, stream) in streams.iter_mut().enumerate() {
        if is_lost(number) {
            *stream = None;
        }
    }
    let applied = writer.apply(apply(create("88.1/recalled", "x"))).await.unwrap().into_inner();
    let serial = applied.receipt.unwrap().serial;
    for (number, stream) in streams.iter_mut().enumerate() {
        let Some(stream) = stream else { continue };
        assert_eq!(heard(stream, serial).await, ["88.1/RECALLED"]);
        confirm(&mut clients[number % CONNECTIONS], &number.to_string(), serial).await;
    }
    let mut auditor = client(&node, &node.token("auditor", Role::Auditor, &["*"])).await;
    let behind = async |auditor: &mut Client| {
        let listed = auditor.list(v1::ListFollowersRequest { behind: serial }).await.unwrap().into_inner();
        listed.followers.iter().map(|follower| follower.name.parse::<usize>().unwrap()).collect::<Vec<_>>()
    };
    let mut missing = behind(&mut auditor).await;
    missing.sort_unstable();
    assert_eq!(missing, (0..MANY).filter(|number| is_lost(*number)).collect::<Vec<_>>());
    // Back late, each from where it was.
    for number in (0..MANY).filter(|number| is_lost(*number)) {
        let client = &mut clients[number % CONNECTIONS];
        let mut told = client.follow(request(&number.to_string(), Some(serial - 1))).await.unwrap().into_inner();
        assert!(heard(&mut told, serial).await.contains(&"88.1/RECALLED".to_owned()));
        confirm(client, &number.to_string(), serial).await;
    }
    assert!(behind(&mut auditor).await.is_empty());
    let all = auditor.list(v1::ListFollowersRequest::default()).await.unwrap().into_inner();
    assert_eq!((all.followers.len(), all.serial >= serial), (MANY, true));
}

#[tokio::test]
async fn followers_are_told_of_their_prefixes_and_nothing_of_what_changed() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    let reader = node.token("cache", Role::Reader, &["88.1"]);
    let mut cache = client(&node, &reader).await;
    let mut told = cache.follow(request("c", None)).await.unwrap().into_inner();
    let serial = writer.apply(apply(create("88.1/a", "secret"))).await.unwrap().into_inner().receipt.unwrap().serial;
    let first = told.message().await.unwrap().unwrap();
    assert_eq!((first.names, first.prefixes, first.anything), (vec![b"88.1/A".to_vec()], Vec::<String>::new(), false));
    assert!(first.upto >= serial);
    // What merely looks like the record of a prefix is not under it.
    common::write(&node.catalog, Command::Home { name: HomeName::parse(b"0.NA").unwrap() });
    let mut all = node.client(&node.token("all", Role::Writer, &["*"])).await;
    for handle in ["0.NA/88.1/x", "0.NA/88.1", "88.1/b"] {
        all.apply(apply(create(handle, "x"))).await.unwrap();
    }
    let last = node.catalog.serial().0;
    assert_eq!(heard(&mut told, last - 1).await, ["0.NA/88.1", "88.1/B"]);
    // Not its own: neither in name nor by the list.
    let other = v1::FollowRequest { prefixes: vec!["88.2".into()], ..request("c", None) };
    assert_eq!(cache.follow(other).await.unwrap_err().code(), Code::PermissionDenied);
    assert_eq!(cache.list(v1::ListFollowersRequest::default()).await.unwrap_err().code(), Code::PermissionDenied);
    for (wrong, field) in [
        (v1::FollowRequest { name: "a b".into(), ..request("", None) }, "name"),
        (v1::FollowRequest { prefixes: vec![], ..request("c", None) }, "prefixes"),
        (v1::FollowRequest { prefixes: vec!["88.1/x".into()], ..request("c", None) }, "prefixes[0]"),
        (v1::FollowRequest { prefixes: vec!["88.1".into(), "*".into()], ..request("c", None) }, "prefixes[1]"),
    ] {
        let refused = cache.follow(wrong).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{field}");
        assert_eq!(refused.get_error_details().bad_request().unwrap().field_violations[0].field, field);
    }
    let future = v1::ConfirmRequest { name: "c".into(), serial: u64::MAX };
    assert_eq!(cache.confirm(future).await.unwrap_err().code(), Code::InvalidArgument);
    let unknown = v1::ConfirmRequest { name: "nobody".into(), serial: 1 };
    assert_eq!(reason(&cache.confirm(unknown).await.unwrap_err()), "NOT_FOUND");
}
