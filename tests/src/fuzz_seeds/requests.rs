//! Requests of both doors: one of everything they can say.

use prost::Message;
use serde_json::json;
use waymark_api::operator::v1 as operator;
use waymark_api::registration::v1::{
    self, change::Action, expectation::Condition, get_request, submit_job_request, upload_request, value::Data,
};
use waymark_registration::request_forms::{Route, page_token};

use super::{Seed, samples};
use crate::fuzz_bodies::grpc_requests::messages;
use crate::fuzz_bodies::http_requests::request;

pub(super) fn seeds() -> Vec<Seed> {
    let mut seeds = grpc();
    seeds.extend(http().into_iter().map(|(name, input)| ("http_requests", name, input)));
    seeds
}

/// A UUID of version 7.
const ID: &str = "019a5c3e-0000-7000-8000-000000000001";

fn values() -> Vec<v1::Value> {
    let value = |index, kind: &str, data| v1::Value { index, r#type: kind.to_owned(), data, ..v1::Value::default() };
    let reference = v1::Reference { index: 300, handle: "0.NA/88.1".to_owned() };
    let admin = v1::Admin { handle: "0.NA/88.1".to_owned(), index: 300, permissions: 4_095 };
    vec![
        v1::Value {
            ttl_seconds: Some(60),
            permissions: Some(12),
            timestamp_seconds: 1_790_000_000,
            see: vec![reference.clone()],
            ..value(1, "URL", Some(Data::Text("https://example.invalid/".to_owned())))
        },
        v1::Value { keep_until_seconds: Some(1_800_000_000), ..value(2, "BIN", Some(Data::Raw(vec![0, 255]))) },
        value(100, "HS_ADMIN", Some(Data::Admin(admin))),
        value(200, "HS_VLIST", Some(Data::References(v1::References { references: vec![reference] }))),
        value(300, "EMPTY", None),
    ]
}

fn change(action: Action, condition: Option<Condition>) -> v1::Change {
    let expect = condition.map(|condition| v1::Expectation { condition: Some(condition) });
    v1::Change { handle: "88.1/x".to_owned(), action: Some(action), expect }
}

fn changes() -> Vec<(&'static str, v1::Change)> {
    let (values, reason) = (values(), || "召回 recall".to_owned());
    vec![
        ("create", change(Action::Create(v1::Create { values: values.clone(), keep_timestamps: true }), None)),
        (
            "replace",
            change(
                Action::Replace(v1::Replace { values: values.clone(), keep_timestamps: false }),
                Some(Condition::Serial(7)),
            ),
        ),
        (
            "add_values",
            change(
                Action::AddValues(v1::AddValues { values: values.clone(), overwrite: true, keep_timestamps: false }),
                Some(Condition::ContentHash(vec![7; 32])),
            ),
        ),
        ("modify_values", change(Action::ModifyValues(v1::ModifyValues { values, keep_timestamps: false }), None)),
        ("remove_values", change(Action::RemoveValues(v1::RemoveValues { indexes: vec![1, 2] }), None)),
        ("delete", change(Action::Delete(v1::Delete {}), Some(Condition::Absent(true)))),
        ("suspend", change(Action::Suspend(v1::Suspend { reason: reason() }), None)),
        ("resume", change(Action::Resume(v1::Resume {}), None)),
        ("revoke", change(Action::Revoke(v1::Revoke { reason: reason() }), None)),
    ]
}

fn wrong() -> v1::Change {
    let mut values = values();
    values.extend(values.clone());
    values.push(v1::Value { permissions: Some(256), ttl_seconds: Some(u32::MAX), ..v1::Value::default() });
    let create = v1::Create { values, keep_timestamps: false };
    v1::Change { handle: String::new(), ..change(Action::Create(create), Some(Condition::Absent(false))) }
}

/// A message as an input.
fn input(message: &str, bytes: &[u8]) -> Vec<u8> {
    let number = messages().position(|name| name == message).and_then(|number| u8::try_from(number).ok());
    [&[number.expect("a message of the services")], bytes].concat()
}

fn grpc() -> Vec<Seed> {
    let mut seeds: Vec<Seed> = Vec::new();
    let mut add = |name: &str, message: &str, bytes: Vec<u8>| {
        seeds.push(("grpc_requests", name.to_owned(), input(message, &bytes)));
    };
    let apply = |change| v1::ApplyRequest { change: Some(change), request_id: ID.to_owned(), validate_only: false };
    for (name, change) in changes() {
        add(&format!("apply_{name}"), "ApplyRequest", apply(change).encode_to_vec());
    }
    add("apply_wrong", "ApplyRequest", apply(wrong()).encode_to_vec());
    let items: Vec<_> = changes().into_iter().map(|(_, change)| change).chain([wrong()]).collect();
    let items = upload_request::Message::Items(v1::Items { first_number: 1, changes: items });
    let open = upload_request::Message::Open(v1::OpenStream { stream: "line 7".to_owned() });
    for (name, message) in [("upload_items", items), ("upload_open", open)] {
        add(name, "UploadRequest", v1::UploadRequest { message: Some(message) }.encode_to_vec());
    }
    for (name, message, bytes) in reading().into_iter().chain(jobs()).chain(operating()) {
        add(name, message, bytes);
    }
    seeds
}

type Named = (&'static str, &'static str, Vec<u8>);

fn reading() -> Vec<Named> {
    let (handle, time) = ("88.1/x".to_owned(), prost_types::Timestamp { seconds: 1_790_000_000, nanos: 5_000_000 });
    let get = |at| v1::GetRequest { handle: handle.clone(), at, indexes: vec![1], types: vec!["URL".to_owned()] };
    let list = v1::ListRequest {
        prefix: "88.1/".to_owned(),
        page_size: 10,
        page_token: page_token(&[b"keys", b"88.1/"], b"88.1/A"),
        changed_from: Some(time),
        changed_until: Some(time),
        with_values: true,
    };
    let history = v1::HistoryRequest {
        handle: handle.clone(),
        page_token: page_token(&[b"history", b"88.1/x"], &7_u64.to_be_bytes()),
        ..v1::HistoryRequest::default()
    };
    let watch = v1::WatchRequest { after_serial: 7, prefix: "88.1/".to_owned(), ..v1::WatchRequest::default() };
    vec![
        ("get_at_serial", "GetRequest", get(Some(get_request::At::Serial(7))).encode_to_vec()),
        ("get_at_time", "GetRequest", get(Some(get_request::At::Time(time))).encode_to_vec()),
        ("list", "ListRequest", list.encode_to_vec()),
        ("history", "HistoryRequest", history.encode_to_vec()),
        ("watch", "WatchRequest", watch.encode_to_vec()),
        ("get_stream", "GetStreamRequest", v1::GetStreamRequest { stream: "line 7".to_owned() }.encode_to_vec()),
    ]
}

fn jobs() -> Vec<Named> {
    let header = v1::JobHeader {
        title: "2026".to_owned(),
        format: v1::JobFormat::Batch.into(),
        replace: true,
        total_bytes: 4_711,
        sha256: vec![7; 32],
        request_id: ID.to_owned(),
    };
    let message = |message| v1::SubmitJobRequest { message: Some(message) }.encode_to_vec();
    let kept = json!({
        "version": 1, "id": ID, "title": "2026", "owner": "acme", "token": "01".repeat(8), "source": "192.0.2.1",
        "format": "json-lines", "replace": false, "request_id": ID, "sha256": "07".repeat(32), "bytes": 4_711,
        "submitted_ms": 1_790_000_000_000_u64, "ended_ms": 1_790_000_001_000_u64, "state": "failed", "cancel": false,
        "mark": { "offset": 100, "lines": 3, "orders": 2, "created": 1, "changed": 0, "unchanged": 0, "refused": 1,
            "result_bytes": 80 },
        "failure": "the file is damaged"
    });
    vec![
        ("job_header", "SubmitJobRequest", message(submit_job_request::Message::Header(header))),
        ("job_chunk", "SubmitJobRequest", message(submit_job_request::Message::Chunk(b"{}\n".to_vec()))),
        ("kept_job", "job.json", kept.to_string().into_bytes()),
    ]
}

fn operating() -> Vec<Named> {
    let principal = operator::Principal {
        name: "acme".to_owned(),
        role: operator::Role::Writer.into(),
        prefixes: vec!["88.990".to_owned(), "20.500.a".to_owned()],
        disabled: true,
        rate_per_second: 100,
        daily_quota: 1_000,
        certificates: vec![vec![7; 32]],
        note: "工业".to_owned(),
        written_today: 0,
        ..operator::Principal::default()
    };
    let put = operator::PutPrincipalRequest { principal: Some(principal) };
    let principals =
        operator::ListPrincipalsRequest { page_size: 5, page_token: page_token(&[b"principals"], b"acme") };
    let token = operator::IssueTokenRequest {
        principal: "acme".to_owned(),
        prefixes: vec!["88.990.1".to_owned()],
        verbs: vec!["create".to_owned(), "read".to_owned()],
        lifetime_seconds: 3_600,
        note: "for one machine".to_owned(),
    };
    let search = operator::SearchAuditRequest {
        from: Some(prost_types::Timestamp { seconds: 1_790_000_000, nanos: 0 }),
        actor: "acme".to_owned(),
        key: "88.1/".to_owned(),
        verb: "create".to_owned(),
        limit: 5,
        ..operator::SearchAuditRequest::default()
    };
    vec![
        ("put_principal", "PutPrincipalRequest", put.encode_to_vec()),
        ("list_principals", "ListPrincipalsRequest", principals.encode_to_vec()),
        ("issue_token", "IssueTokenRequest", token.encode_to_vec()),
        ("home", "HomeRequest", operator::HomeRequest { prefix: "0.NA/0.NA/88.990".to_owned() }.encode_to_vec()),
        ("search_audit", "SearchAuditRequest", search.encode_to_vec()),
    ]
}

fn http() -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |name: &str, input: Vec<u8>| all.push((name.to_owned(), input));
    let list = r#"[{"index":1,"type":"URL","data":"u"},{"index":100,"type":"HS_ADMIN","ttl":60,"permissions":"1100","data":{"format":"admin","value":{"handle":"0.NA/88.1","index":300,"permissions":"011111110011"}}},{"index":2,"type":"META","data":{"format":"json","value":{"a":1}}}]"#;
    let apply = "/v1/identifiers:apply";
    for (name, action) in [
        ("values", format!(r#""values":{list}"#)),
        ("create", format!(r#""create":{{"values":{list},"keep_timestamps":true}},"expect":{{"absent":true}}"#)),
        ("replace", format!(r#""replace":{{"values":{list}}},"expect":{{"serial":7}}"#)),
        ("add_values", format!(r#""add_values":{{"values":{list},"overwrite":true}}"#)),
        ("modify_values", format!(r#""modify_values":{{"values":{list}}}"#)),
        ("remove_values", r#""remove_values":{"indexes":[1,2]}"#.to_owned()),
        ("delete", format!(r#""delete":{{}},"expect":{{"content_hash":"{}"}}"#, "07".repeat(32))),
        ("suspend", r#""suspend":{"reason":"召回"}"#.to_owned()),
        ("resume", r#""resume":{}"#.to_owned()),
        ("revoke", r#""revoke":{}"#.to_owned()),
        ("two_actions", r#""resume":{},"revoke":{}"#.to_owned()),
    ] {
        let body = format!(r#"{{"handle":"88.1/x",{action}}}"#);
        add(&format!("apply_{name}"), request(Route::Apply, apply, None, None, body.as_bytes()));
    }
    let lines: String = samples().take(2).flat_map(|line| [line, "\n"]).collect();
    add("exchange", request(Route::Exchange, "/v1/streams/line%207?first=3", None, None, lines.as_bytes()));
    let check = format!("{apply}?validate_only=true");
    add("apply_to_check", request(Route::Apply, &check, None, None, br#"{"handle":"88.1/x","delete":{}}"#));
    let one = "/v1/identifiers/88.1/x%E5%B7%A5";
    let body = format!(r#"{{"values":{list}}}"#);
    add("put_if_match", request(Route::Replace, one, Some("\"7\""), None, body.as_bytes()));
    add("put_if_none_match", request(Route::Replace, one, None, Some("*"), body.as_bytes()));
    add("delete_if_content", request(Route::Delete, one, Some(&"07".repeat(32)), None, b""));
    add("get", request(Route::Get, &format!("{one}?at_serial=7&index=1&type=URL"), None, None, b""));
    let at_time = format!("{one}?at_time=2026-11-22T00:15:46Z");
    add("get_at_time", request(Route::Get, &at_time, None, None, b""));
    let page = "/v1/identifiers?prefix=88.1%2F&page_size=5&changed_from=2026-01-01T00:00:00Z&values=true";
    add("list", request(Route::List, page, None, None, b""));
    add("history", request(Route::History, "/v1/history/88.1/x?page_size=5&values=true", None, None, b""));
    add("mark", request(Route::Mark, "/v1/streams/line%207", None, None, b""));
    add("unknown_field", request(Route::List, "/v1/identifiers?prefx=88.1", None, None, b""));
    all
}
