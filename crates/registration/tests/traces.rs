//! Links over real TLS sockets: packed, followed both ways within limits, told to whom the rights allow.
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

use common::{Bearer, Node, apply, reason, write};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Status};
use waymark_api::registration::v1::{
    self, Again, More, Outcome, Relation, TraceNode, TraceState, traces_client::TracesClient,
};
use waymark_catalog::access::Role;
use waymark_catalog::{AddMode, Command, HomeName, Timestamps, ValueSet};
use waymark_wire::{Permissions, ValueBuf};

type Door = TracesClient<InterceptedService<Channel, Bearer>>;

async fn door(node: &Node, name: &str, role: Role, prefixes: &[&str]) -> Door {
    let token = node.token(name, role, prefixes);
    TracesClient::new(InterceptedService::new(node.channel().await, Bearer::token(&token)))
}

/// A node with items under its prefix.
async fn node_with(names: &[&str]) -> Node {
    let node = Node::start().await;
    names.iter().for_each(|name| item(&node, name));
    node
}

fn item(node: &Node, name: &str) {
    let values = ValueSet::from_bufs(&[ValueBuf::new(1, b"URL", b"u")]).unwrap();
    let (timestamps, mode) = (Timestamps::Now, waymark_catalog::PutMode::Create);
    write(&node.catalog, Command::Put { handle: name.as_bytes().to_vec(), values, timestamps, mode });
}

fn link(node: &Node, name: &str, index: u32, text: &str, permissions: Permissions) {
    let value = ValueBuf { permissions, ..ValueBuf::new(index, b"WM_LINK", text.as_bytes()) };
    let values = ValueSet::from_bufs(&[value]).unwrap();
    let (timestamps, mode) = (Timestamps::Now, AddMode::New);
    write(&node.catalog, Command::AddValues { handle: name.as_bytes().to_vec(), values, timestamps, mode });
}

const PUBLIC: Permissions = Permissions(0x0e);
const RESTRICTED: Permissions = Permissions(0x0c);

async fn pack(door: &mut Door, parent: &str, children: &[&str]) -> Result<v1::AggregationResponse, Status> {
    let children = children.iter().map(|child| (*child).to_owned()).collect();
    let request = v1::AggregateRequest { parent: parent.into(), children, request_id: String::new() };
    Ok(door.aggregate(request).await?.into_inner())
}

fn asked(handle: &str) -> v1::TraceRequest {
    v1::TraceRequest { handle: handle.into(), ..v1::TraceRequest::default() }
}

async fn down(door: &mut Door, request: v1::TraceRequest) -> v1::Trace {
    let trace = door.trace_down(request).await.unwrap().into_inner();
    assert!(!trace.is_behind);
    trace
}

async fn up(door: &mut Door, handle: &str) -> v1::Trace {
    door.trace_up(asked(handle)).await.unwrap().into_inner()
}

/// Each node as `depth handle`.
fn lines(trace: &v1::Trace) -> Vec<String> {
    trace.nodes.iter().map(|node| format!("{} {}", node.depth, node.handle)).collect()
}

fn named<'a>(trace: &'a v1::Trace, handle: &str) -> &'a TraceNode {
    trace.nodes.iter().find(|node| node.handle == handle).unwrap_or_else(|| panic!("{handle}: {trace:?}"))
}

#[tokio::test]
async fn an_item_leads_over_batch_and_box_to_the_pallet_and_back() {
    let node = node_with(&["88.1/item", "88.1/lot", "88.1/Box", "88.1/pallet"]).await;
    let mut door = door(&node, "w", Role::Writer, &["88.1"]).await;
    link(&node, "88.1/item", 5, "made-from 88.1/lot", PUBLIC);
    pack(&mut door, "88.1/BOX", &["88.1/item"]).await.unwrap();
    let packed = pack(&mut door, "88.1/pallet", &["88.1/box"]).await.unwrap();
    assert_eq!((packed.receipt.unwrap().outcome(), packed.children), (Outcome::Aggregated, 1));
    link(&node, "88.1/pallet", 9, "part-of 99.9/ship", PUBLIC);

    let trace = up(&mut door, "88.1/ITEM").await;
    assert_eq!(
        lines(&trace),
        ["0 88.1/item", "1 88.1/lot", "1 88.1/Box", "2 88.1/pallet", "3 99.9/ship"],
        "as they were registered"
    );
    assert_eq!(named(&trace, "88.1/lot").relation(), Relation::MadeFrom);
    assert_eq!(named(&trace, "99.9/ship").state(), TraceState::NotHere);
    assert!(!trace.truncated && !trace.has_cycle);

    let trace = down(&mut door, asked("99.9/ship")).await;
    assert_eq!(lines(&trace), ["0 99.9/ship", "1 88.1/pallet", "2 88.1/Box", "3 88.1/item"]);
    let trace = down(&mut door, asked("88.1/lot")).await;
    assert_eq!(lines(&trace), ["0 88.1/lot", "1 88.1/item"]);
    let only = v1::TraceRequest { relations: vec![Relation::PackedIn.into()], ..asked("99.9/ship") };
    assert_eq!(lines(&down(&mut door, only).await), ["0 99.9/ship"]);

    let request =
        v1::DisaggregateRequest { parent: "88.1/box".into(), all: true, ..v1::DisaggregateRequest::default() };
    let id = uuid_of_now();
    let request = v1::DisaggregateRequest { request_id: id, ..request };
    let done = door.disaggregate(request.clone()).await.unwrap().into_inner();
    assert_eq!((done.receipt.unwrap().outcome(), done.children), (Outcome::Disaggregated, 1));
    assert_eq!(lines(&down(&mut door, asked("88.1/box")).await), ["0 88.1/Box"]);
    // The box is empty now; who asks again under the same id is told what was done.
    let again = door.disaggregate(request.clone()).await.unwrap().into_inner().receipt.unwrap();
    assert!(again.repeated_request && again.outcome() == Outcome::Disaggregated);
    let other = door.disaggregate(v1::DisaggregateRequest { request_id: String::new(), ..request }).await.unwrap_err();
    assert_eq!((other.code(), reason(&other).as_str()), (Code::NotFound, "NOT_FOUND"));
}

fn uuid_of_now() -> String {
    let now = std::time::Duration::from_millis(common::clock().0);
    uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, now.as_secs(), now.subsec_nanos())).to_string()
}

#[tokio::test]
async fn cycles_are_found_and_limits_are_said_where_they_hold() {
    let node = node_with(&["88.1/a", "88.1/b", "88.1/c"]).await;
    let mut door = door(&node, "w", Role::Writer, &["88.1"]).await;
    for (from, to) in [("88.1/a", "88.1/b"), ("88.1/b", "88.1/c"), ("88.1/c", "88.1/A")] {
        link(&node, from, 5, &format!("part-of {to}"), PUBLIC);
    }
    for trace in [up(&mut door, "88.1/a").await, down(&mut door, asked("88.1/a")).await] {
        assert_eq!((trace.nodes.len(), trace.has_cycle), (4, true));
        assert_eq!((trace.nodes[3].again(), trace.nodes[3].handle.as_str()), (Again::Cycle, "88.1/a"));
    }
    let shallow = v1::TraceRequest { depth: 1, ..asked("88.1/a") };
    let trace = door.trace_up(shallow).await.unwrap().into_inner();
    assert_eq!((lines(&trace).len(), trace.nodes[1].more(), trace.truncated), (2, More::Depth, true));
    for (field, request) in [
        ("depth", v1::TraceRequest { depth: 65, ..asked("88.1/a") }),
        ("nodes", v1::TraceRequest { nodes: 10_001, ..asked("88.1/a") }),
        ("children", v1::TraceRequest { children: 1_001, ..asked("88.1/a") }),
        ("relations", v1::TraceRequest { relations: vec![7], ..asked("88.1/a") }),
        ("handle", asked("")),
    ] {
        let refused = door.trace_up(request).await.unwrap_err();
        assert_eq!(reason(&refused), "INVALID_ARGUMENT", "{field}");
        assert!(refused.message().contains(field), "{}", refused.message());
    }
}

#[tokio::test]
async fn children_come_in_pages_that_end_and_miss_none() {
    let names: Vec<String> = (0..25).map(|number| format!("88.1/i{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let node = node_with(&names).await;
    let mut door = door(&node, "w", Role::Writer, &["88.1"]).await;
    pack(&mut door, "88.1/box", &names).await.unwrap();
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = v1::TraceRequest { children: 10, page_token: token.clone(), ..asked("88.1/box") };
        let trace = down(&mut door, page).await;
        seen.extend(trace.nodes[1..].iter().map(|node| node.handle.clone()));
        token.clone_from(&trace.nodes[0].next_page_token);
        assert_eq!(trace.nodes[0].more() == More::Children, !token.is_empty());
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, names);
    let full = down(&mut door, v1::TraceRequest { nodes: 5, ..asked("88.1/box") }).await;
    assert_eq!((full.nodes.len(), full.nodes[0].more(), full.truncated), (5, More::Nodes, true));
    let rest = v1::TraceRequest { page_token: full.nodes[0].next_page_token.clone(), ..asked("88.1/BOX") };
    assert_eq!(down(&mut door, rest.clone()).await.nodes.len(), 22);
    let wrong = door.trace_down(v1::TraceRequest { handle: "88.1/i00".into(), ..rest }).await.unwrap_err();
    assert_eq!(reason(&wrong), "PAGE_TOKEN_INVALID");
}

#[tokio::test]
async fn links_are_told_to_whom_the_rights_allow() {
    let node = node_with(&["88.1/open", "88.1/hidden", "88.1/recalled"]).await;
    write(&node.catalog, Command::Home { name: HomeName::parse(b"88.2").unwrap() });
    item(&node, "88.2/theirs");
    let link = |name, text, permissions| link(&node, name, 5, text, permissions);
    link("88.1/open", "packed-in 88.2/box", PUBLIC);
    link("88.1/hidden", "packed-in 88.2/box", RESTRICTED);
    link("88.1/recalled", "packed-in 88.2/box", PUBLIC);
    link("88.2/theirs", "packed-in 88.2/box", PUBLIC);
    let reason = "glass".to_owned();
    write(&node.catalog, Command::Suspend { handle: b"88.1/recalled".to_vec(), reason });

    let mut own = door(&node, "own", Role::Reader, &["88.1"]).await;
    let trace = down(&mut own, asked("88.2/box")).await;
    assert_eq!(lines(&trace)[1..], ["1 88.1/hidden", "1 88.1/open", "1 88.1/recalled"]);
    let recalled = named(&trace, "88.1/recalled");
    assert_eq!((recalled.state(), recalled.state_reason.as_str()), (TraceState::Suspended, "glass"));
    assert!(trace.nodes[0].withheld, "what others packed is not this caller's to list");

    // Others are told no names; and of what they know by name, what everybody may read.
    let mut other = door(&node, "other", Role::Writer, &["88.2"]).await;
    assert_eq!(lines(&down(&mut other, asked("88.2/box")).await)[1..], ["1 88.2/theirs"]);
    let trace = up(&mut other, "88.1/open").await;
    assert_eq!(lines(&trace), ["0 88.1/open", "1 88.2/box"]);
    let trace = up(&mut other, "88.1/hidden").await;
    assert_eq!((trace.nodes.len(), trace.nodes[0].withheld), (1, true));
    let trace = up(&mut other, "88.1/recalled").await;
    assert_eq!((trace.nodes.len(), trace.nodes[0].state()), (1, TraceState::NotHere));
    assert!(trace.nodes[0].state_reason.is_empty());
}

#[tokio::test]
async fn a_refused_child_is_named_and_nothing_is_packed() {
    let node = node_with(&["88.1/a", "88.1/b"]).await;
    write(&node.catalog, Command::Home { name: HomeName::parse(b"88.2").unwrap() });
    item(&node, "88.2/theirs");
    let mut door = door(&node, "w", Role::Writer, &["88.1"]).await;
    pack(&mut door, "88.1/first", &["88.1/b"]).await.unwrap();
    for (parent, child, code, expected, said) in [
        ("88.1/box", "88.1/B", Code::FailedPrecondition, "ALREADY_AGGREGATED", "88.1/B is packed in 88.1/first"),
        ("88.1/box", "88.1/none", Code::NotFound, "NOT_FOUND", "88.1/none: there is no such identifier"),
        ("88.1/box", "88.1/BOX", Code::InvalidArgument, "INVALID_AGGREGATION", "is the parent itself"),
        ("88.1", "88.1/a", Code::InvalidArgument, "INVALID_AGGREGATION", "parent cannot be an identifier"),
        ("88.1/box", "88.2/theirs", Code::PermissionDenied, "NOT_PERMITTED", "does not allow"),
    ] {
        let refused = pack(&mut door, parent, &["88.1/a", child]).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (code, expected), "{child}");
        assert!(refused.message().contains(said), "{}", refused.message());
    }
    assert_eq!(up(&mut door, "88.1/a").await.nodes.len(), 1);
    let many = vec!["88.1/a"; 10_001];
    let refused = pack(&mut door, "88.1/box", &many).await.unwrap_err();
    assert!(refused.message().contains("more than 10000"), "{}", refused.message());
}

#[tokio::test]
async fn a_value_that_is_no_link_is_refused_with_its_field() {
    let node = node_with(&[]).await;
    let mut client = node.client(&node.token("w", Role::Writer, &["88.1"])).await;
    for (data, problem) in [("packed-in", "is not a relation"), ("part-of 88.1/x", "leads to the identifier itself")] {
        let value = v1::Value {
            index: 7,
            r#type: "WM_LINK".into(),
            data: Some(v1::value::Data::Text(data.into())),
            ..v1::Value::default()
        };
        let action = v1::change::Action::Create(v1::Create { values: vec![value], ..v1::Create::default() });
        let change = v1::Change { handle: "88.1/X".into(), action: Some(action), expect: None };
        let refused = client.apply(apply(change)).await.unwrap_err();
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::InvalidArgument, "INVALID_LINK"));
        assert!(refused.message().contains(problem), "{}", refused.message());
        let violations = tonic_types::StatusExt::get_details_bad_request(&refused).unwrap().field_violations;
        assert_eq!(violations[0].field, "values[7 WM_LINK]");
    }
}
