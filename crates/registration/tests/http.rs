//! HTTP and JSON over real TLS sockets: every route, what it answers, what it refuses.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use common::{Node, issue, principal, put_principal, write};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use waymark_catalog::access::{Principal, Role};
use waymark_catalog::{Command, HomeName};
use waymark_registration::{Drained, Limits};

/// A TLS connection to the HTTP door.
async fn connect(node: &Node) -> TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(node.authority.der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let stream = TcpStream::connect(node.running.addresses().http[0]).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await.unwrap()
}

struct Client {
    connection: SendRequest<Body>,
    token: Option<String>,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    json: Value,
}

impl Client {
    async fn new(node: &Node, token: Option<&str>) -> Self {
        let (connection, driver) = handshake(TokioIo::new(connect(node).await)).await.unwrap();
        tokio::spawn(driver);
        Self { connection, token: token.map(str::to_owned) }
    }

    async fn writer(node: &Node) -> Self {
        Self::new(node, Some(&node.token("writer", Role::Writer, &["88.1"]))).await
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> hyper::Response<hyper::body::Incoming> {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.connection.ready().await.unwrap();
        self.connection.send_request(request.body(body).unwrap()).await.unwrap()
    }

    async fn call(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let (head, body) = self.send(method, path, headers, Body::from(body.to_owned())).await.into_parts();
        let bytes = axum::body::to_bytes(Body::new(body), usize::MAX).await.unwrap();
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if head.status.is_client_error() || head.status.is_server_error() {
            assert_eq!(head.headers["content-type"], "application/problem+json", "{path}");
            assert!(json["reason"].is_string() && json["cause"].is_string() && json["remedy"].is_string(), "{json}");
            assert_eq!(json["status"], head.status.as_u16());
        }
        Answer { status: head.status.as_u16(), headers: head.headers, json }
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.call(Method::GET, path, &[], "").await
    }

    async fn put(&mut self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.call(Method::PUT, path, headers, body).await
    }

    async fn apply(&mut self, body: &str) -> Answer {
        self.call(Method::POST, "/v1/identifiers:apply", &[], body).await
    }

    async fn refused(&mut self, method: Method, path: &str, body: &str) -> (u16, String) {
        let answer = self.call(method, path, &[], body).await;
        (answer.status, answer.json["reason"].as_str().unwrap_or_default().to_owned())
    }

    /// Sends a stream and gives the lines of the answer.
    async fn stream(&mut self, path: &str, body: Body) -> Vec<Value> {
        let answer = self.send(Method::POST, path, &[], body).await;
        let bytes = axum::body::to_bytes(Body::new(answer.into_body()), usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

const VALUES: &str = r#"{"values":[{"index":1,"type":"URL","data":"https://example.invalid/"},{"index":2,"type":"名称","ttl":60,"permissions":"1100","data":{"format":"string","value":"秘密"}}]}"#;

fn change(handle: &str, data: &str) -> String {
    json!({ "handle": handle, "create": { "values": [{ "index": 1, "type": "URL", "data": data }] } }).to_string()
}

#[tokio::test]
async fn an_identifier_is_written_read_replaced_and_deleted() {
    let node = Node::start().await;
    let mut client = Client::writer(&node).await;
    let path = "/v1/identifiers/88.1/%E4%BA%A7%E5%93%81%2F1";
    let created = client.put(path, &[("if-none-match", "*")], VALUES).await;
    assert_eq!((created.status, created.json["outcome"].as_str()), (201, Some("CREATED")));
    let serial = created.json["serial"].as_u64().unwrap();
    assert_eq!(created.headers["etag"].to_str().unwrap(), format!("\"{serial}\""));
    for same in [path, "/v1/identifiers/88.1%2f%E4%BA%A7%E5%93%81/1"] {
        let found = client.get(same).await;
        assert_eq!((found.status, found.json["handle"].as_str()), (200, Some("88.1/产品/1")));
        assert_eq!(found.headers["etag"].to_str().unwrap(), format!("\"{serial}\""));
        let values = found.json["values"].as_array().unwrap();
        assert_eq!(values[0]["data"], json!({ "format": "string", "value": "https://example.invalid/" }));
        assert_eq!((values[1]["type"].as_str(), values[1]["ttl"].as_u64()), (Some("名称"), Some(60)));
        assert_eq!(found.json["content_hash"], created.json["content_hash"]);
    }
    let one = client.get(&format!("{path}?type=URL")).await;
    assert_eq!(one.json["values"].as_array().unwrap().len(), 1);
    let conflict = client.put(path, &[("if-none-match", "*")], VALUES).await;
    assert_eq!((conflict.status, conflict.json["reason"].as_str()), (412, Some("UNEXPECTED")));
    assert_eq!(conflict.json["details"]["current_serial"], serial.to_string());
    let tag = format!("\"{serial}\"");
    let replaced = client.put(path, &[("if-match", &tag)], r#"{"values":[]}"#).await;
    assert_eq!((replaced.status, replaced.json["outcome"].as_str()), (200, Some("REPLACED")));
    let stale = client.call(Method::DELETE, path, &[("if-match", &tag)], "").await;
    assert_eq!((stale.status, stale.json["reason"].as_str()), (412, Some("UNEXPECTED")));
    let then = client.get(&format!("{path}?at_serial={serial}")).await;
    assert_eq!(then.json["values"].as_array().unwrap().len(), 2, "as it was");
    let deleted = client.call(Method::DELETE, path, &[], "").await;
    assert_eq!((deleted.status, deleted.json["outcome"].as_str()), (200, Some("DELETED")));
    assert_eq!(client.refused(Method::GET, path, "").await, (404, "NOT_FOUND".into()));
    let history = client.get("/v1/history/88.1/%E4%BA%A7%E5%93%81/1?values=true&page_size=2").await;
    let versions = history.json["identifiers"].as_array().unwrap();
    assert_eq!((versions.len(), versions[0]["status"]["state"].as_str()), (2, Some("deleted")));
    let token = history.json["next_page_token"].as_str().unwrap();
    let rest =
        client.get(&format!("/v1/history/88.1/%E4%BA%A7%E5%93%81/1?values=true&page_size=2&page_token={token}")).await;
    assert_eq!(rest.json["identifiers"][0]["values"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn changes_are_applied_once_under_one_key() {
    let node = Node::start().await;
    let mut client = Client::writer(&node).await;
    let ms = common::clock().0;
    let key = uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, ms / 1000, 0)).to_string();
    let body = change("88.1/x", "a");
    let headers = [("idempotency-key", key.as_str())];
    let first = client.call(Method::POST, "/v1/identifiers:apply", &headers, &body).await;
    let again = client.call(Method::POST, "/v1/identifiers:apply", &headers, &body).await;
    assert_eq!((first.status, first.json["serial"].as_u64()), (201, again.json["serial"].as_u64()));
    assert_eq!((&first.json["repeated_request"], &again.json["repeated_request"]), (&Value::Null, &json!(true)));
    let other = client.call(Method::POST, "/v1/identifiers:apply", &headers, &change("88.1/y", "a")).await;
    assert_eq!((other.status, other.json["reason"].as_str()), (422, Some("REQUEST_REUSED")));
    let wrong = client.call(Method::POST, "/v1/identifiers:apply", &[("idempotency-key", "1")], &body).await;
    assert_eq!((wrong.status, wrong.json["violations"][0]["field"].as_str()), (400, Some("Idempotency-Key")));
    let different = client.apply(&change("88.1/x", "b")).await;
    assert_eq!((different.status, different.json["reason"].as_str()), (409, Some("ALREADY_EXISTS_DIFFERENT")));
    let checked =
        client.call(Method::POST, "/v1/identifiers:apply?validate_only=true", &[], &change("88.1/z", "a")).await;
    assert_eq!((checked.status, checked.json["outcome"].as_str()), (200, Some("CREATED")));
    assert_eq!(client.refused(Method::GET, "/v1/identifiers/88.1/z", "").await.0, 404, "nothing was written");
    let modified = r#"{"handle":"88.1/x","add_values":{"values":[{"index":9,"type":"URL","data":""}]}}"#;
    assert_eq!(client.apply(modified).await.json["outcome"], "CHANGED");
}

#[tokio::test]
async fn lists_are_paged() {
    let node = Node::start().await;
    let mut client = Client::writer(&node).await;
    for n in 0..5 {
        client.apply(&change(&format!("88.1/a+{n}"), "a")).await;
    }
    let mut handles = Vec::new();
    let mut token = String::new();
    loop {
        let page = client.get(&format!("/v1/identifiers?prefix=88.1%2Fa%2B&page_size=2&page_token={token}")).await;
        let found = page.json["identifiers"].as_array().unwrap();
        assert!(found.len() <= 2 && found.iter().all(|each| each["values"].is_null()));
        handles.extend(found.iter().map(|each| each["handle"].as_str().unwrap().to_owned()));
        match page.json["next_page_token"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(handles, ["88.1/a+0", "88.1/a+1", "88.1/a+2", "88.1/a+3", "88.1/a+4"]);
    let with_values = client.get("/v1/identifiers?prefix=88.1/&values=true&changed_from=1970-01-01T00:00:00Z").await;
    assert_eq!(with_values.json["identifiers"][0]["values"][0]["index"], 1);
}

#[tokio::test]
async fn every_route_needs_a_credential_and_tells_nothing_without() {
    let limits = Limits { failure_delay: Duration::from_millis(10), ..Limits::default() };
    let node = Node::start_with(limits).await;
    Client::writer(&node).await.apply(&change("88.1/x", "a")).await;
    let unauthenticated = (401, "UNAUTHENTICATED".to_owned());
    for token in [None, Some("wm1_0123456789abcdef_00"), Some("nonsense")] {
        for (method, path) in [
            (Method::POST, "/v1/identifiers:apply"),
            (Method::GET, "/v1/identifiers"),
            (Method::GET, "/v1/identifiers/88.1/x"),
            (Method::GET, "/v1/identifiers/88.1/not-there"),
            (Method::PUT, "/v1/identifiers/88.1/x"),
            (Method::DELETE, "/v1/identifiers/88.1/x"),
            (Method::GET, "/v1/history/88.1/x"),
            (Method::GET, "/v1/streams/s"),
            (Method::POST, "/v1/streams/s"),
            (Method::GET, "/v1/whoami"),
        ] {
            let mut nobody = Client::new(&node, token).await;
            let answer = nobody.call(method.clone(), path, &[("accept-language", "zh-CN")], "").await;
            // Too many failures come from one address in time, and are answered as such.
            let reason = answer.json["reason"].as_str().unwrap().to_owned();
            assert!(
                (answer.status, reason.clone()) == unauthenticated || reason == "TOO_MANY_FAILURES",
                "{method} {path}"
            );
            assert_eq!(answer.headers["content-language"], "zh-CN");
            if answer.status == 401 {
                assert_eq!(answer.headers["www-authenticate"], "Bearer");
            } else {
                assert!(answer.headers.contains_key("retry-after") && answer.json["retry_at"].is_string());
            }
        }
    }
}

#[tokio::test]
async fn rights_and_rates_hold_here_too() {
    let node = Node::start().await;
    write(&node.catalog, Command::Home { name: HomeName::parse(b"88.2").unwrap() });
    let mut reader = Client::new(&node, Some(&node.token("reader", Role::Reader, &["88.1"]))).await;
    let not_permitted = (403, "NOT_PERMITTED".to_owned());
    assert_eq!(reader.refused(Method::PUT, "/v1/identifiers/88.1/x", VALUES).await, not_permitted);
    assert_eq!(reader.refused(Method::DELETE, "/v1/identifiers/88.1/x", "").await, not_permitted);
    assert_eq!(reader.refused(Method::POST, "/v1/identifiers:apply", &change("88.1/x", "a")).await, not_permitted);
    assert_eq!(reader.refused(Method::POST, "/v1/streams/s", "").await, not_permitted);
    assert_eq!(reader.refused(Method::GET, "/v1/identifiers", "").await, not_permitted);
    assert_eq!(reader.refused(Method::GET, "/v1/history/88.2/x", "").await, not_permitted);
    let mut writer = Client::writer(&node).await;
    writer.put("/v1/identifiers/88.1/x", &[], VALUES).await;
    let mut other = Client::new(&node, Some(&node.token("other", Role::Writer, &["88.2"]))).await;
    let seen = other.get("/v1/identifiers/88.1/x").await;
    assert_eq!((seen.json["values"].as_array().unwrap().len(), seen.json["withheld"].as_u64()), (1, Some(1)));
    assert_eq!(seen.json["actor"], Value::Null);
    let who = writer.get("/v1/whoami").await;
    assert_eq!((who.json["principal"].as_str(), who.json["role"].as_str()), (Some("writer"), Some("writer")));
    assert_eq!(who.json["prefixes"], json!(["88.1"]));
    put_principal(&node.catalog, Principal { rate_per_second: Some(1), ..principal("slow", Role::Writer, &["88.1"]) });
    let mut slow = Client::new(&node, Some(&issue(&node.catalog, "slow", |_| {}))).await;
    let mut last = slow.get("/v1/whoami").await;
    for _ in 0..3 {
        last = slow.get("/v1/whoami").await;
    }
    assert_eq!((last.status, last.json["reason"].as_str()), (429, Some("RATE_LIMITED")));
    assert!(last.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn requests_that_are_not_right_are_refused_by_their_field() {
    let node = Node::start().await;
    let mut client = Client::writer(&node).await;
    let mut refused = async |method: Method, path: &str, body: &str| {
        let answer = client.call(method, path, &[], body).await;
        let field = answer.json["violations"][0]["field"].as_str().unwrap_or_default().to_owned();
        (answer.status, answer.json["reason"].as_str().unwrap().to_owned(), field)
    };
    let invalid = |field: &str| (400, "INVALID_ARGUMENT".to_owned(), field.to_owned());
    let apply = "/v1/identifiers:apply";
    assert_eq!(refused(Method::POST, apply, "").await, invalid("body"));
    assert_eq!(refused(Method::POST, apply, "{\"handle\":").await, invalid("body"));
    assert_eq!(refused(Method::POST, apply, &"[".repeat(100_000)).await, invalid("body"));
    assert_eq!(refused(Method::POST, apply, "{\"handle\":\"88.1/x\"}").await, invalid(""));
    let deep = format!("{{\"handle\":\"88.1/x\",\"values\":{}}}", "[".repeat(100_000));
    assert_eq!(refused(Method::POST, apply, &deep).await, invalid("body"));
    let index = r#"{"handle":"88.1/x","create":{"values":[{"index":0,"type":"T","data":""}]}}"#;
    assert_eq!(refused(Method::POST, apply, index).await, invalid("create.values[0].index"));
    assert_eq!(refused(Method::PUT, "/v1/identifiers/88.1/x", "{}").await, invalid("body"));
    assert_eq!(refused(Method::GET, "/v1/identifiers/88.1/%ff", "").await, invalid("path"));
    assert_eq!(refused(Method::GET, "/v1/identifiers/88.1/x?at=1", "").await, invalid("query.at"));
    assert_eq!(refused(Method::GET, "/v1/identifiers?prefix=88.1/&page_size=x", "").await, invalid("page_size"));
    let bad_token = refused(Method::GET, "/v1/identifiers?prefix=88.1/&page_token=x", "").await;
    assert_eq!((bad_token.0, bad_token.1.as_str()), (400, "PAGE_TOKEN_INVALID"));
    assert_eq!(refused(Method::POST, "/v1/streams/s?first=x", "").await, invalid("first"));
    assert_eq!(refused(Method::GET, &format!("/v1/streams/{}", "s".repeat(129)), "").await, invalid("stream"));
    let handle = refused(Method::PUT, "/v1/identifiers/88.1/%00", VALUES).await;
    assert_eq!((handle.0, handle.1.as_str()), (400, "INVALID_HANDLE"));
    let elsewhere = refused(Method::GET, "/v1/nothing", "").await;
    assert_eq!((elsewhere.0, elsewhere.1.as_str()), (404, "NO_SUCH_PATH"));
    let method = refused(Method::POST, "/v1/whoami", "").await;
    assert_eq!((method.0, method.1.as_str()), (405, "NO_SUCH_METHOD"));
    let encoded = client.call(Method::POST, apply, &[("content-encoding", "gzip")], "x").await;
    assert_eq!(encoded.json["violations"][0]["field"], "Content-Encoding");
    let condition = client.put("/v1/identifiers/88.1/x", &[("if-match", "*")], VALUES).await;
    assert_eq!(condition.json["violations"][0]["field"], "If-Match");
}

#[tokio::test]
async fn bodies_are_bounded_in_size_and_time() {
    let limits = Limits {
        message_bytes: 512 << 10,
        http_body_idle: Duration::from_millis(200),
        http_header_time: Duration::from_millis(200),
        ..Limits::default()
    };
    let node = Node::start_with(limits).await;
    let token = node.token("writer", Role::Writer, &["88.1"]);
    let head = |length: usize| {
        format!(
            "POST /v1/identifiers:apply HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let answered = async |sent: &str| {
        let mut connection = connect(&node).await;
        connection.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A connection that is closed without a word of TLS is closed all the same.
        let _ = connection.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    };
    let large = answered(&head(600 << 10)).await;
    assert!(large.starts_with("HTTP/1.1 413 ") && large.contains("MESSAGE_TOO_LARGE"), "{large}");
    let slow = answered(&(head(100) + "{\"handle\"")).await;
    assert!(slow.starts_with("HTTP/1.1 408 ") && slow.contains("STREAM_IDLE"), "{slow}");
    assert!(!answered("GET /v1/whoami HTTP/1.1\r\nhost:").await.contains("200 OK"), "a head that never ends");
    assert!(
        answered(&format!("GET /v1/whoami HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(100_000)))
            .await
            .starts_with("HTTP/1.1 431")
    );
    let mut client = Client::new(&node, Some(&token)).await;
    let chunked = Body::from_stream(futures_util::stream::iter(
        [300 << 10; 2].map(|size| Ok::<_, std::io::Error>(vec![b' '; size])),
    ));
    let answer = client.send(Method::POST, "/v1/identifiers:apply", &[], chunked).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_stream_that_is_cut_goes_on_and_does_nothing_twice() {
    let node = Node::start().await;
    let token = node.token("writer", Role::Writer, &["88.1"]);
    let mut client = Client::new(&node, Some(&token)).await;
    let lines: Vec<String> = (1..=40).map(|n| change(&format!("88.1/{n}"), "a") + "\n").collect();
    let (send, body) = tokio::sync::mpsc::channel::<Result<String, std::io::Error>>(1);
    let body = Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(body));
    let mut answer = client.send(Method::POST, "/v1/streams/%E6%B5%81", &[], body).await.into_body();
    for line in &lines[..15] {
        send.send(Ok(line.clone())).await.unwrap();
    }
    // Half a line, and the client is gone once it has seen some outcomes: they come while it sends.
    let mut seen = String::new();
    while !seen.contains("\"number\":10,") {
        let frame = std::future::poll_fn(|cx| hyper::body::Body::poll_frame(std::pin::Pin::new(&mut answer), cx)).await;
        seen.push_str(std::str::from_utf8(&frame.unwrap().unwrap().into_data().unwrap()).unwrap());
    }
    send.send(Ok(lines[15][..20].to_owned())).await.unwrap();
    send.send(Err(std::io::ErrorKind::ConnectionReset.into())).await.unwrap();
    drop((answer, send, client));
    let mut client = Client::new(&node, Some(&token)).await;
    let mut mark = 0;
    for _ in 0..200 {
        mark = client.get("/v1/streams/%E6%B5%81").await.json["mark"].as_u64().unwrap();
        if mark >= 15 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(mark, 15, "half a line is no item");
    let rest =
        client.stream(&format!("/v1/streams/%E6%B5%81?first={}", mark + 1), Body::from(lines[15..].concat())).await;
    assert_eq!(rest[0], json!({ "stream": "流", "mark": 15 }));
    assert_eq!(rest.last().unwrap()["summary"]["created"], 25);
    assert_eq!(rest[1]["receipt"]["outcome"], "CREATED");
    let again = client.stream("/v1/streams/%E6%B5%81", Body::from(lines.concat() + "rubbish\n")).await;
    let summary = &again.last().unwrap()["summary"];
    assert_eq!(
        (&summary["created"], &summary["repeated_items"], &summary["refused"]),
        (&json!(40), &json!(40), &json!(1))
    );
    assert_eq!(again[41]["refusal"]["reason"], "INVALID_ARGUMENT");
    let gap = client.stream("/v1/streams/%E6%B5%81?first=50", Body::from(lines[0].clone())).await;
    assert_eq!(gap[1]["failure"]["reason"], "STREAM_GAP");
    assert_eq!(gap[1]["failure"]["details"]["next"], "42");
}

#[tokio::test]
async fn a_stop_finishes_calls_and_closes_connections() {
    let node = Node::start().await;
    let mut client = Client::writer(&node).await;
    client.apply(&change("88.1/x", "a")).await;
    let address = node.running.addresses().http[0];
    assert_eq!(
        node.running.drain(Duration::from_secs(10)).await,
        Drained::Finished,
        "idle connections hold nothing up"
    );
    let closed = async {
        while !client.connection.is_closed() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), closed).await.unwrap();
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[tokio::test]
async fn a_list_tells_what_cannot_be_read() {
    let node = Node::start().await;
    let mut writer = Client::writer(&node).await;
    writer.put("/v1/identifiers/88.1/a", &[], VALUES).await;
    let needle = VALUES.replace("example", "needle-needle");
    assert_ne!(needle, VALUES);
    let serial = writer.put("/v1/identifiers/88.1/needle", &[], &needle).await.json["serial"].clone();
    common::damage(&node, "needle-needle");
    let listed = writer.get("/v1/identifiers?prefix=88.1/").await.json;
    assert_eq!(listed["identifiers"].as_array().unwrap().len(), 1);
    let damaged = json!([{ "first_serial": serial, "last_serial": serial, "handle": "88.1/NEEDLE" }]);
    assert_eq!(listed["damaged"], damaged);
}
