//! Rows from the tables: organisations with what is sealed of their people, routes, templates, applications.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod common;

use std::sync::Arc;

use common::business::{begun, draft, filled, publish, put_application, sample, step};
use common::{Node, clock, set_clock};
use serde_json::{Value, json};
use waymark_catalog::business::{BusinessCommand, CaseStep, EnterpriseId, FileKind, OperatorCommand, OwnSite, Owner};
use waymark_catalog::vault::Vault;
use waymark_top_sync::desk::{Desk, DeskError, Sent};
use waymark_top_sync::maker::Maker;
use waymark_top_sync::sets::SetName;
use waymark_top_sync::sets::rows::Route;

const OWN: [Route; 1] =
    [Route::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), Some(2641), Some(2641), None)];

fn maker(node: &Node) -> Maker {
    Maker::new(&node.catalog, Arc::clone(&node.outbox), "88.1", OWN.to_vec(), None)
}

fn make(maker: &Maker, set: SetName) -> bool {
    maker.make_due(set, clock()).unwrap()
}

/// What goes up of a set.
fn sent(node: &Node, set: SetName) -> Vec<Value> {
    let desk = Desk::new(&node.catalog, Arc::clone(&node.outbox), "88.1");
    let parts = desk.take(&mut Sent::default(), 100).unwrap();
    let rows = parts.into_iter().filter(|prepared| prepared.part.set == set).flat_map(|prepared| {
        let text = String::from_utf8(prepared.content).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    });
    rows.collect()
}

#[test]
fn an_enterprise_goes_up_with_its_people_who_lie_sealed_meanwhile() {
    let node = begun();
    assert!(make(&maker(&node), SetName::T6));
    let kept = std::fs::read_to_string(node.dir.path().join("sync/parts/T6-000000000001.jsonl")).unwrap();
    for personal in ["样例一", "样例二", "E00000001", "13800000000", "contact@example.cn"] {
        assert!(!kept.contains(personal), "{personal} lies in the outbox in clear");
    }
    let rows = sent(&node, SetName::T6);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["personal"], sample()["personal"]);
    assert_eq!(rows[0]["enterprise"], "E1");
    assert_eq!(rows[0]["prefixes"], json!(["88.1.801"]));
    assert_eq!(rows[0]["profile"]["name"], "杭州样例食品有限公司");
    assert_eq!(rows[0]["real_name"]["result"], "verified");
    let mut fields: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(fields, ["enterprise", "personal", "prefixes", "profile", "real_name"]);
}

#[test]
fn what_was_forgotten_before_it_was_sent_does_not_go_up() {
    let node = begun();
    make(&maker(&node), SetName::T6);
    node.write(BusinessCommand::Forget { id: EnterpriseId(1), reason: "asked for".into() });
    let forgotten = node.catalog.business().enterprise(EnterpriseId(1)).unwrap().forgotten.clone().unwrap();
    assert!(node.catalog.vault().unwrap().forget(&forgotten.subject).unwrap());
    assert_eq!(sent(&node, SetName::T6)[0]["personal"], Value::Null);
}

#[test]
fn without_the_right_keys_a_row_waits_and_is_not_sent_with_less() {
    let node = begun();
    make(&maker(&node), SetName::T6);
    let subject = node.catalog.business().enterprise(EnterpriseId(1)).unwrap().personal.clone().unwrap().subject;
    node.catalog.vault().unwrap().forget(&subject).unwrap();
    let desk = Desk::new(&node.catalog, Arc::clone(&node.outbox), "88.1");
    let mut given = Sent::default();
    assert_eq!(desk.take(&mut given, 1).unwrap().len(), 0);
    assert!(matches!(given.take_problem(), Some(DeskError::NoKeys { set: SetName::T6 })));
    assert!(node.outbox.part(SetName::T6, 1).unwrap().problem.contains("key file"));
    drop(Vault::open(&node.dir.path().join("personal.keys")).unwrap());
}

#[test]
fn hourly_sets_tell_what_changed_in_the_hour_and_no_more() {
    let node = begun();
    let maker = maker(&node);
    assert!(make(&maker, SetName::T7));
    assert!(!make(&maker, SetName::T7), "the hour is not over");
    set_clock("2026-11-27T02:30");
    assert!(!make(&maker, SetName::T7), "nothing changed");
    step(&node, CaseStep::Suspend { reason: "unpaid".into() });
    assert!(!make(&maker, SetName::T7), "the hour is not over");
    set_clock("2026-11-27T03:30");
    assert!(make(&maker, SetName::T7));
    let route = json!([{ "ip_type": 4, "ip": "192.0.2.1", "tcp": 2641, "udp": 2641, "http": null }]);
    let told: Vec<Value> = node.waiting(SetName::T7).into_iter().flat_map(|(_, rows)| rows).collect();
    let row = |routes: Value| json!({ "prefix": "88.1.801", "code_type": "Handle", "routes": routes });
    assert_eq!(told, [row(route), row(json!([]))]);
}

#[test]
fn a_node_that_moves_tells_its_routes_and_those_of_all_it_hosts() {
    let node = begun();
    let first = maker(&node);
    assert!(make(&first, SetName::T2) && make(&first, SetName::T7));
    assert!(!make(&first, SetName::T2));
    let moved = [Route::new("2001:db8::5".parse().unwrap(), Some(2641), None, None)];
    let second = Maker::new(&node.catalog, Arc::clone(&node.outbox), "88.1", moved.to_vec(), None);
    assert!(make(&second, SetName::T2) && make(&second, SetName::T7));
    for set in [SetName::T2, SetName::T7] {
        let told = node.waiting(set);
        assert_eq!(told.len(), 2);
        let expected = json!([{ "ip_type": 6, "ip": "2001:db8::5", "tcp": 2641, "udp": null, "http": null }]);
        assert_eq!(told[1].1[0]["routes"], expected, "{set}");
    }
}

#[test]
fn an_enterprise_with_a_site_of_its_own_is_told_with_its_addresses() {
    let node = begun();
    let site = OwnSite { ip: "198.51.100.7".parse().unwrap(), tcp: Some(2641), udp: None, http: Some(8000) };
    step(&node, CaseStep::Delegate { sites: vec![site] });
    make(&maker(&node), SetName::T7);
    let told = node.waiting(SetName::T7);
    let expected = json!([{ "ip_type": 4, "ip": "198.51.100.7", "tcp": 2641, "udp": null, "http": 8000 }]);
    assert_eq!(told[0].1[0]["routes"], expected);
}

#[test]
fn templates_of_enterprises_go_up_when_they_are_published_and_the_nodes_own_each_day() {
    let node = begun();
    let maker = maker(&node);
    for prefix in ["88.1", "88.1.801"] {
        let template = draft(&node, prefix);
        assert!(!make(&maker, SetName::T11), "a draft is nobody's business");
        publish(&node, template);
    }
    assert!(make(&maker, SetName::T11));
    let told = node.waiting(SetName::T11);
    assert_eq!(told[0].1.len(), 1);
    let row = &told[0].1[0];
    assert_eq!((&row["prefix"], &row["template"]), (&json!("88.1.801"), &json!("88.1.801/META_ZSL-ITEM-1.0")));
    assert_eq!((&row["industry"], &row["active_carrier"]), (&json!("C1514"), &json!(false)));
    let item = json!({ "name": "gtin", "alias": "商品条码GTIN", "type": "string", "length": 100 });
    assert_eq!((row["items"].as_array().unwrap().len(), &row["items"][0]), (13, &item));
    set_clock("2026-11-28T01:00");
    assert!(make(&maker, SetName::T4));
    let own = node.waiting(SetName::T4);
    assert_eq!((own[0].0.period.as_str(), own[0].1.len()), ("2026-11-27", 1));
    assert_eq!(own[0].1[0]["industry"], json!(["C", "15", "151", "1514"]));
}

#[test]
fn applications_go_up_when_the_month_is_over_with_its_users() {
    let node = begun();
    put_application(&node, Owner::Enterprise(EnterpriseId(1)));
    let maker = maker(&node);
    set_clock("2026-11-30T15:59");
    assert!(make(&maker, SetName::T10));
    assert_eq!(node.waiting(SetName::T10)[0].1, Vec::<Value>::new(), "in October there was none");
    set_clock("2026-11-30T16:02");
    assert!(make(&maker, SetName::T10) && !make(&maker, SetName::T10));
    let told = node.waiting(SetName::T10);
    let expected = json!({
        "prefix": "88.1.801", "month": "2026-11", "name": "追溯小程序", "type": 2, "description": "", "users": 12,
        "recursive_node": "r1", "developer": "样例软件",
    });
    assert_eq!((told[1].0.period.as_str(), &told[1].1), ("2026-11", &vec![expected]));
}

#[test]
fn the_operators_record_goes_up_again_when_a_file_comes_or_goes() {
    let node = filled();
    let maker = maker(&node);
    assert!(make(&maker, SetName::T1) && !make(&maker, SetName::T1));
    let kept = std::fs::read(node.dir.path().join("sync/parts/T1-000000000002.jsonl")).unwrap();
    assert_eq!(String::from_utf8(kept).unwrap(), "{\"file\":{\"prefix\":\"88.1\",\"kind\":\"document\"}}\n");
    node.write(OperatorCommand::PutFile { kind: FileKind::Document, file: None });
    assert!(make(&maker, SetName::T1));
    let parts: Vec<(u32, u32)> = node.waiting(SetName::T1).iter().map(|(part, _)| (part.part, part.parts)).collect();
    assert_eq!(parts, [(1, 2), (2, 2), (1, 1)]);
    // The file is gone before it was sent.
    assert_eq!(sent(&node, SetName::T1).len(), 2);
}
