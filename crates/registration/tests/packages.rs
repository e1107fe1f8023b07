//! Code packages over real TLS sockets: ordered, shown, bound, given out once, leased and accounted for, by whom they belong to.
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

use common::{Bearer, Node, create, reason, url};
use sha2::{Digest as _, Sha256};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Status};
use waymark_api::registration::v1::{self, Outcome, code_lines::Part, packages_client::PackagesClient};
use waymark_catalog::access::Role;

type Door = PackagesClient<InterceptedService<Channel, Bearer>>;

async fn door(node: &Node, token: &str) -> Door {
    PackagesClient::new(InterceptedService::new(node.channel().await, Bearer::token(token)))
}

async fn writer(node: &Node) -> Door {
    door(node, &node.token("writer", Role::Writer, &["88.1"])).await
}

fn order(form: v1::CodeForm, count: u64) -> v1::AllocateRequest {
    v1::AllocateRequest {
        prefix: "88.1".into(),
        stem: "XE".into(),
        width: 6,
        form: form.into(),
        count,
        values: vec![url(1, "https://x/{code}")],
        ..v1::AllocateRequest::default()
    }
}

fn export(first: Option<u64>, count: u64) -> v1::ExportCodesRequest {
    v1::ExportCodesRequest {
        package: "88.1#1".into(),
        first,
        count,
        roll_codes: 3,
        payload: "https://id/{code}".into(),
        format: v1::LineFormat::Csv.into(),
        ..v1::ExportCodesRequest::default()
    }
}

fn id() -> String {
    let now = std::time::Duration::from_millis(common::clock().0);
    uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, now.as_secs(), now.subsec_nanos())).to_string()
}

/// Header, all lines, trailer.
async fn received(mut lines: tonic::Streaming<v1::CodeLines>) -> (v1::CodeLinesHeader, Vec<u8>, v1::CodeLinesTrailer) {
    let mut parts = Vec::new();
    while let Some(part) = lines.message().await.unwrap() {
        parts.push(part.part.unwrap());
    }
    let Some(Part::Trailer(trailer)) = parts.pop() else { panic!("a trailer last") };
    let Part::Header(header) = parts.remove(0) else { panic!("a header first") };
    let lines = parts.into_iter().flat_map(|part| match part {
        Part::Lines(lines) => lines,
        other => panic!("{other:?}"),
    });
    (header, lines.collect(), trailer)
}

fn refused<T: std::fmt::Debug>(result: Result<tonic::Response<T>, Status>) -> String {
    reason(&result.unwrap_err())
}

#[tokio::test]
async fn codes_are_ordered_shown_and_listed() {
    let node = Node::start().await;
    let mut door = writer(&node).await;
    let made = door.allocate(order(v1::CodeForm::Mac, 1_000_000)).await.unwrap().into_inner();
    assert_eq!(made.receipt.unwrap().outcome(), Outcome::Allocated);
    let package = made.package.unwrap();
    assert_eq!((package.name.as_str(), package.check_chars, package.by.as_str()), ("88.1#1", 6, "writer"));
    assert!(package.first_code.starts_with("88.1/XE000000") && package.first_code.len() == 19, "{package:?}");
    let ask = v1::GetPackageRequest { name: "88.1#1".into(), with_parts: true };
    let shown = door.get(ask).await.unwrap().into_inner();
    assert_eq!((shown.values[0].clone(), shown.counts.unwrap().issued), (package.values[0].clone(), 1_000_000));
    door.allocate(v1::AllocateRequest { stem: "Y".into(), ..order(v1::CodeForm::Plain, 9) }).await.unwrap();
    let ask = v1::ListPackagesRequest { page_size: 1, ..v1::ListPackagesRequest::default() };
    let first = door.list(ask.clone()).await.unwrap().into_inner();
    let second = v1::ListPackagesRequest { page_token: first.next_page_token, ..ask };
    let second = door.list(second).await.unwrap().into_inner();
    assert_eq!((first.packages[0].name.as_str(), second.packages[0].name.as_str()), ("88.1#1", "88.1#2"));
    assert_eq!(second.next_page_token, "");
    let missing = v1::GetPackageRequest { name: "88.1#7".into(), with_parts: false };
    assert_eq!(door.get(missing).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn an_order_is_placed_once_however_often_it_is_sent() {
    let node = Node::start().await;
    let mut door = writer(&node).await;
    let request = v1::AllocateRequest { request_id: id(), ..order(v1::CodeForm::Mac, 10) };
    let first = door.allocate(request.clone()).await.unwrap().into_inner();
    let again = door.allocate(request.clone()).await.unwrap().into_inner();
    assert!(again.receipt.as_ref().unwrap().repeated_request);
    assert_eq!(first.package, again.package);
    let other = v1::AllocateRequest { count: 11, ..request };
    assert_eq!(refused(door.allocate(other).await), "REQUEST_REUSED");
}

#[tokio::test]
async fn a_roll_leaves_the_node_once_and_is_sent_again_to_whoever_asks_under_its_id() {
    let node = Node::start().await;
    let mut door = writer(&node).await;
    door.allocate(order(v1::CodeForm::Mod37, 100_000)).await.unwrap();
    let request = v1::ExportCodesRequest { request_id: id(), ..export(None, 40_000) };
    let (header, lines, trailer) = received(door.export(request.clone()).await.unwrap().into_inner()).await;
    assert_eq!(header.serials, Some(v1::Serials { first: 0, last: 39_999 }));
    assert_eq!((trailer.codes, trailer.bytes), (40_000, lines.len() as u64));
    assert_eq!(trailer.sha256, Sha256::digest(&lines).to_vec());
    let text = String::from_utf8(lines.clone()).unwrap();
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!((rows.len(), rows[0]), (40_001, "roll,number,serial,code,payload"));
    let fields: Vec<&str> = rows[5].split(',').collect();
    assert_eq!(fields[..3], ["2", "2", "000004"]);
    assert!(fields[3].starts_with("XE000004") && fields[4] == format!("https://id/{}", fields[3]), "{fields:?}");
    // Cut short somewhere: the same request gets the same codes.
    let (again, same, _) = received(door.export(request).await.unwrap().into_inner()).await;
    assert!(again.receipt.unwrap().repeated_request && same == lines);
    // Anybody else who wants them must say why.
    let refusal = door.export(export(Some(39_999), 2)).await.unwrap_err();
    assert_eq!(reason(&refusal), "ROLL_ALREADY_EXPORTED");
    assert!(refusal.message().contains("by writer"), "{}", refusal.message());
    let because = v1::ExportCodesRequest { again: "torn".into(), ..export(Some(39_999), 2) };
    door.export(because).await.unwrap();
    let (next, ..) = received(door.export(export(None, 5)).await.unwrap().into_inner()).await;
    assert_eq!(next.serials.unwrap().first, 40_001);
}

#[tokio::test]
async fn values_are_bound_and_states_told() {
    let node = Node::start().await;
    let mut door = writer(&node).await;
    door.allocate(order(v1::CodeForm::Plain, 100)).await.unwrap();
    let serials = |first, last| Some(v1::Serials { first, last });
    let package = || "88.1#1".to_owned();
    let values = vec![url(2, "B1")];
    let bind = v1::BindCodesRequest { package: package(), serials: serials(0, 9), values, ..Default::default() };
    assert_eq!(door.bind(bind).await.unwrap().into_inner().package.unwrap().counts.unwrap().bound, 10);
    let mark = |first, last, state: v1::CodeState| v1::MarkCodesRequest {
        package: package(),
        serials: serials(first, last),
        state: state.into(),
        ..v1::MarkCodesRequest::default()
    };
    door.mark(mark(0, 9, v1::CodeState::Used)).await.unwrap();
    let shown = door.mark(mark(90, 99, v1::CodeState::Withdrawn)).await.unwrap().into_inner();
    let counts = shown.package.unwrap().counts.unwrap();
    assert_eq!((counts.issued, counts.used, counts.withdrawn), (80, 10, 10));
    assert_eq!(refused(door.mark(mark(5, 5, v1::CodeState::Withdrawn)).await), "CODES_NOT_USABLE");
    assert_eq!(refused(door.mark(mark(99, 100, v1::CodeState::Used)).await), "INVALID_PACKAGE");
    assert_eq!(refused(door.mark(mark(0, 1, v1::CodeState::Issued)).await), "INVALID_ARGUMENT");
    // A withdrawn code cannot be registered, a living one can.
    let mut client = node.client(&node.token("other", Role::Writer, &["88.1"])).await;
    let over = client.apply(common::apply(create("88.1/XE000095", "x"))).await;
    assert_eq!(refused(over), "CODES_NOT_USABLE");
    client.apply(common::apply(create("88.1/XE000050", "x"))).await.unwrap();
}

#[tokio::test]
async fn a_code_is_read_like_an_identifier_and_says_of_which_package_it_is() {
    let node = Node::start().await;
    let secret = v1::Value { permissions: Some(0x0c), ..url(3, "C{serial}") };
    let values = vec![url(1, "https://x/{code}"), secret];
    let order = v1::AllocateRequest { values, ..order(v1::CodeForm::Plain, 100) };
    let mut door = writer(&node).await;
    door.allocate(order).await.unwrap();
    let serials = Some(v1::Serials { first: 9, last: 9 });
    let (package, state) = ("88.1#1".to_owned(), v1::CodeState::Withdrawn.into());
    let reason = "misprint".to_owned();
    door.mark(v1::MarkCodesRequest { package, serials, state, reason, ..Default::default() }).await.unwrap();
    let mut own = node.client(&node.token("own", Role::Writer, &["88.1"])).await;
    let mut other = node.client(&node.token("stranger", Role::Writer, &["88.2"])).await;
    let ask = |handle: &str| v1::GetRequest { handle: handle.into(), ..v1::GetRequest::default() };
    let data =
        |identifier: &v1::Identifier| identifier.values.iter().map(|value| value.data.clone()).collect::<Vec<_>>();
    let text = |text: &str| Some(v1::value::Data::Text(text.into()));
    let seen = own.get(ask("88.1/xe000007")).await.unwrap().into_inner();
    assert_eq!(data(&seen), [text("https://x/XE000007"), text("C000007")]);
    assert_eq!((seen.handle.as_str(), seen.package.as_str()), ("88.1/XE000007", "88.1#1"));
    let seen = other.get(ask("88.1/XE000007")).await.unwrap().into_inner();
    assert_eq!((data(&seen), seen.withheld), (vec![text("https://x/XE000007")], 1));
    let over = own.get(ask("88.1/XE000009")).await.unwrap().into_inner();
    assert_eq!((over.status(), over.status_reason.as_str()), (v1::Status::Revoked, "misprint"));
    assert_eq!(refused(other.get(ask("88.1/XE000009")).await), "NOT_FOUND");
    assert_eq!(refused(own.get(ask("88.1/XE000100")).await), "NOT_FOUND");
}

#[tokio::test]
async fn a_station_takes_codes_and_accounts_for_them() {
    let node = Node::start().await;
    let mut door = writer(&node).await;
    door.allocate(order(v1::CodeForm::Plain, 100)).await.unwrap();
    let lease = v1::LeaseCodesRequest {
        package: "88.1#1".into(),
        station: "line-3".into(),
        count: 60,
        ..v1::LeaseCodesRequest::default()
    };
    let (header, lines, _) = received(door.lease(lease.clone()).await.unwrap().into_inner()).await;
    assert_eq!(header.serials, Some(v1::Serials { first: 0, last: 59 }));
    assert!(lines.starts_with(b"88.1/XE000000\n"), "the whole name, unless something else is asked for");
    assert_eq!(refused(door.lease(lease).await), "TOO_FEW_CODES");
    assert_eq!(refused(door.export(export(Some(50), 20)).await), "CODES_LEASED");
    let serials = |first, last| v1::Serials { first, last };
    let report = |printed: Vec<v1::Serials>| v1::ReconcileCodesRequest {
        package: "88.1#1".into(),
        first: 0,
        printed,
        spoiled: vec![serials(50, 51)],
        blank: vec![serials(52, 59)],
        ..v1::ReconcileCodesRequest::default()
    };
    assert_eq!(refused(door.reconcile(report(vec![serials(0, 48)])).await), "NOT_RECONCILED");
    let done = door.reconcile(report(vec![serials(0, 49)])).await.unwrap().into_inner();
    let counts = done.package.unwrap().counts.unwrap();
    assert_eq!((counts.used, counts.spoiled, counts.leased, counts.issued), (50, 2, 0, 48));
}

#[tokio::test]
async fn nobody_touches_or_sees_packages_of_another_prefix() {
    let node = Node::start().await;
    writer(&node).await.allocate(order(v1::CodeForm::Plain, 100)).await.unwrap();
    for (name, role, prefix) in [("w2", Role::Writer, "88.2"), ("reader", Role::Reader, "88.1")] {
        let mut door = door(&node, &node.token(name, role, &[prefix])).await;
        let serials = Some(v1::Serials { first: 0, last: 1 });
        let package = || "88.1#1".to_owned();
        let answers = [
            refused(door.allocate(order(v1::CodeForm::Plain, 1)).await),
            refused(door.bind(v1::BindCodesRequest { package: package(), serials, ..Default::default() }).await),
            refused(
                door.mark(v1::MarkCodesRequest { package: package(), serials, state: 2, ..Default::default() }).await,
            ),
            refused(door.export(export(None, 1)).await),
            refused(
                door.lease(v1::LeaseCodesRequest {
                    package: package(),
                    station: "s".into(),
                    count: 1,
                    ..Default::default()
                })
                .await,
            ),
            refused(door.reconcile(v1::ReconcileCodesRequest { package: package(), ..Default::default() }).await),
        ];
        assert!(answers.iter().all(|answer| answer == "NOT_PERMITTED"), "{name}: {answers:?}");
        let get = door.get(v1::GetPackageRequest { name: package(), with_parts: false }).await;
        assert_eq!(get.is_ok(), role == Role::Reader, "{name}");
        let listed = door.list(v1::ListPackagesRequest::default()).await.unwrap().into_inner();
        assert_eq!(listed.packages.len(), usize::from(role == Role::Reader));
    }
    let mut nobody = PackagesClient::new(node.channel().await);
    assert_eq!(refused(nobody.list(v1::ListPackagesRequest::default()).await), "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_bad_payload_gives_nothing_out() {
    let node = Node::start().await;
    let mut door = writer(&node).await;
    door.allocate(order(v1::CodeForm::Plain, 100)).await.unwrap();
    for payload in ["fixed".to_owned(), "a\n{code}".to_owned(), format!("{{code}}{}", "x".repeat(3_000))] {
        let request = v1::ExportCodesRequest { payload, ..export(None, 1) };
        assert_eq!(refused(door.export(request).await), "INVALID_ARGUMENT");
    }
    let shown = door.get(v1::GetPackageRequest { name: "88.1#1".into(), with_parts: true }).await.unwrap();
    assert_eq!(shown.into_inner().parts, []);
}
