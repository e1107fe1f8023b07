//! The service for registration data of a real node, asked over TLS as anybody asks: what is shown to whom, what is sent on, what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::{Value, json};
use waymark_tests::parties::Parties;
use waymark_tests::process::{Bench, Ended, PATIENCE, daemon, run, tool};

/// Prefixes: the node's own, and one of an enterprise that is active.
const OWN: &str = "88.111";
const ACME: &str = "88.111.701";

/// Words that tell of people, none of which may be shown to somebody who has not logged in.
const PEOPLE: [&str; 5] = ["欧阳明月", "330106197001017771", "司马流云", "13800138777", "sima.liuyun"];

/// What came back.
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Answer {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// Somebody who asks over TLS and believes the certificate of the node.
struct Asker {
    address: SocketAddr,
    tls: Arc<rustls::ClientConfig>,
}

impl Asker {
    fn of(node: &Parties) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(node.bench.data().join("quic-dev.crt")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = Arc::new(tls.with_root_certificates(roots).with_no_client_auth());
        Self { address: node.daemon.address("query=https"), tls }
    }

    /// Sends these bytes and reads to the end; `None` when the connection ended without an answer.
    fn send(&self, bytes: &[u8]) -> Option<Answer> {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let connection = rustls::ClientConnection::new(Arc::clone(&self.tls), "localhost".try_into().unwrap()).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, stream);
        // A server that has heard enough reads no more of it.
        let _ = stream.write_all(bytes);
        let mut came = Vec::new();
        // A server may end without saying so; what came before is the answer.
        let _ = stream.read_to_end(&mut came);
        let came = String::from_utf8(came).unwrap();
        let (head, body) = came.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        };
        Some(Answer { status, headers: lines.map(header).collect(), body: body.to_owned() })
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        self.send(format!("{request}\r\n").as_bytes()).unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }
}

fn basic(name: &str, token: &str) -> String {
    format!("Basic {}", Base64::encode_string(format!("{name}:{}", token.trim()).as_bytes()))
}

/// The token of a party.
fn token(node: &Parties, name: &str) -> String {
    let file = if name == "operator" { "data/operator-token" } else { name };
    node.bench.text(file)
}

fn enterprise() -> Value {
    json!({
        "profile": {
            "name": "杭州样例食品有限公司", "name_en": "Sample Foods", "nature": "company", "province": "330000", "city": "330100",
            "address": "文三路 1 号", "document_kind": "credit-code", "document_number": "91350100M000100Y43",
            "description": "样例", "industry_section": "C", "industry_division": "14",
        },
        "personal": {
            "legal_person": {"name": "欧阳明月", "document_kind": "identity-card", "document_number": "330106197001017771"},
            "contact": {"name": "司马流云", "document_kind": "passport", "document_number": "E98765432"},
            "phone": "13800138777", "email": "sima.liuyun@example.cn",
        },
    })
}

const BOOTSTRAP: &str = r#"{"version": "1.0", "publication": "2026-11-30T00:00:00Z", "description": "of a test", "services":
    [[["88"], ["https://top.example/"]], [["88.222", "88.111"], ["http://plain.example/", "https://other.example/q/"]],
     [["88.111.9"], ["https://enterprise.example/"]]]}"#;

/// A node with an enterprise that has a prefix, and what the operator says of itself.
fn start(more: &str) -> Parties {
    let bench = Bench::new("listen.query = [\"127.0.0.1:0\"]\n");
    bench.put("bootstrap.json", BOOTSTRAP);
    let up = bench.path("up");
    bench.configure(&format!(
        "[sync]\nprefix = \"{OWN}\"\ndirectory = \"{}\"\n[query]\nbootstrap = \"{}\"\n{more}",
        up.display(),
        bench.path("bootstrap.json").display()
    ));
    bench.run(&["prefix", "home", OWN, &format!("0.NA/0.NA/{OWN}")]).expect(0);
    let principals = [
        ("rev", "reviewer", "*"),
        ("aud", "auditor", "*"),
        ("acme", "enterprise-administrator", ACME),
        ("rival", "enterprise-administrator", "88.111.702"),
    ];
    let node = Parties::start(bench, &principals);
    let file = node.bench.put("acme.json", enterprise().to_string());
    node.by("acme").run(&["enterprise", "put", file.to_str().unwrap()]).expect(0);
    let image = node.bench.path("image.png");
    std::fs::write(&image, [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &[1; 64]].concat()).unwrap();
    for kind in ["document", "legal-person-front"] {
        node.run(&["enterprise", "image", kind, image.to_str().unwrap()]).expect(0);
    }
    node.by("rev").run(&["enterprise", "real-name", "E1", "verified", "--source", "registry"]).expect(0);
    for prefix in [ACME, "88.111.703"] {
        node.by("operator").run(&["prefix", "apply", prefix, "--enterprise", "E1"]).expect(0);
    }
    for step in ["review", "approve"] {
        node.by("rev").run(&["prefix", step, ACME]).expect(0);
    }
    for step in ["confirm", "host"] {
        node.by("operator").run(&["prefix", step, ACME]).expect(0);
    }
    let mut record: Value = serde_json::from_str(&run(tool(["operator-record", "template"])).expect(0).out).unwrap();
    record["profile"]["name"] = json!("节点运营者");
    let file = node.bench.put("record.json", record.to_string());
    node.run(&["operator-record", "set", file.to_str().unwrap()]).expect(0);
    node
}

/// Starts the daemon of a folder and waits for its end.
fn start_alone(bench: &Bench) -> Ended {
    run(daemon(["--config".as_ref(), bench.config().as_os_str(), "--data".as_ref(), bench.data().as_os_str()]))
}

#[track_caller]
fn tells_nobody(answer: &Answer) {
    for word in PEOPLE {
        assert!(!answer.body.contains(word), "{word} in {}", answer.body);
    }
}

#[test]
fn everybody_is_shown_the_organisation_and_nobody_its_people() {
    let node = start("rate_per_second = 1000\n");
    let asker = Asker::of(&node);
    let answer = asker.ask("GET", &format!("/identifier/{ACME}?unknown=1"), &[("Accept-Language", "zh-CN")]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    tells_nobody(&answer);
    let shown = answer.json();
    assert_eq!(shown["iiidapConformance"], json!(["iiidap_level_0"]));
    assert_eq!(
        (&shown["lang"], &shown["identifier"], &shown["country"]),
        (&json!("zh-CN"), &json!(ACME), &json!("CN"))
    );
    assert_eq!(shown["status"], json!(["ok"]));
    assert!(shown["regTime"].as_str().unwrap().ends_with('Z'), "{shown}");
    assert!(shown["notices"][0]["title"].as_str().unwrap().contains("注册数据"), "{shown}");
    let (organisation, privacy) = (&shown["node"], &shown["node"]["privacy"]);
    assert_eq!(organisation["name"], "杭州样例食品有限公司");
    assert_eq!((&organisation["nature"], &organisation["idType"]), (&json!("company"), &json!("credit-code")));
    assert_eq!((&organisation["type"], &organisation["subType"]), (&json!("enterprise-node"), &json!("hosted")));
    assert_eq!((&organisation["address"], &organisation["introduction"]), (&json!("文三路 1 号"), &json!("样例")));
    assert_eq!((&organisation["idNumber"], &privacy["idNumber"]), (&json!("91****43"), &json!("obscured")));
    assert_eq!((&organisation["legalPerson"], &organisation["contact"]), (&json!([]), &json!([])));
    assert_eq!((&privacy["legalPerson"], &privacy["contact"]), (&json!("redacted"), &json!("redacted")));
    assert_eq!((&organisation["idPhoto"], &privacy["idPhoto"]), (&Value::Null, &json!("private")));
    assert!(!shown["remarks"].as_array().unwrap().is_empty() && shown["links"][0]["rel"] == "self");

    // The head alone is the same without a body.
    let head = asker.ask("HEAD", &format!("/identifier/{ACME}"), &[]);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.headers["content-type"], "application/json; charset=utf-8");

    // By name, exactly and by its beginning, in both languages; the node itself too.
    for path in [
        "/name/%E6%9D%AD%E5%B7%9E%E6%A0%B7%E4%BE%8B%E9%A3%9F%E5%93%81%E6%9C%89%E9%99%90%E5%85%AC%E5%8F%B8",
        "/name/sample%20FOODS",
    ] {
        let answer = asker.get(path);
        assert_eq!((answer.status, &answer.json()["identifier"]), (200, &json!(ACME)), "{path}");
        tells_nobody(&answer);
    }
    let found = asker.get("/names?name=Sample*&x=1").json();
    let found = found["identifierSearchResults"].as_array().unwrap();
    assert_eq!(found.iter().map(|each| &each["identifier"]).collect::<Vec<_>>(), [&json!(ACME)]);
    let own = asker.get(&format!("/identifier/{OWN}")).json();
    assert_eq!((&own["node"]["name"], &own["node"]["type"]), (&json!("节点运营者"), &json!("secondary-node")));
    let help = asker.get("/help").json();
    assert!(help["notices"].as_array().unwrap().len() >= 3 && help.to_string().contains("Digest"), "{help}");

    // A suspended prefix is held; one in review is not registered.
    node.by("rev").run(&["prefix", "suspend", ACME, "--reason", "x"]).expect(0);
    assert_eq!(asker.get(&format!("/identifier/{ACME}")).json()["status"], json!(["hold"]));
    assert_eq!(asker.get("/identifier/88.111.703").status, 404);
}

#[test]
fn who_may_know_reads_the_people_and_each_reading_is_noted() {
    let node = start("rate_per_second = 1000\npublic = [\"idNumber\"]\n");
    let asker = Asker::of(&node);
    let path = format!("/identifier/{ACME}");
    let by = |name: &str| asker.ask("GET", &path, &[("Authorization", &basic(name, &token(&node, name)))]);
    let anonymous = asker.get(&path);
    tells_nobody(&anonymous);
    let anonymous = anonymous.json();
    assert_eq!(anonymous["node"]["idNumber"], "91350100M000100Y43", "the operator opened it");
    assert_eq!(anonymous["node"]["privacy"]["address"], "redacted", "and closed this");

    for name in ["acme", "operator"] {
        let shown = by(name).json();
        let organisation = &shown["node"];
        assert_eq!(organisation["legalPerson"][0]["name"], "欧阳明月", "{name}: {shown}");
        assert_eq!(organisation["contact"][0]["email"], "sima.liuyun@example.cn");
        assert_eq!(organisation["idPhoto"]["mime"], "image/png");
        let photo = Base64::decode_vec(organisation["idPhoto"]["data"].as_str().unwrap()).unwrap();
        assert!(photo.starts_with(b"\x89PNG"));
        assert_eq!(organisation["privacy"], Value::Null);
    }
    let noted =
        node.by("operator").run(&["audit", "search", "--actor", "acme", "--verb", "enterprise-disclose", "--json"]);
    assert_eq!(noted.expect(0).json().len(), 1);
    // The head alone reads nothing, and an auditor may know the organisation, not read its people.
    let login = basic("acme", &token(&node, "acme"));
    assert_eq!(asker.ask("HEAD", &path, &[("Authorization", &login)]).status, 200);
    let noted = node.run(&["audit", "search", "--actor", "acme", "--verb", "enterprise-disclose", "--json"]);
    assert_eq!(noted.expect(0).json().len(), 1);
    let auditor = by("aud");
    tells_nobody(&auditor);
    assert_eq!(auditor.json()["node"]["address"], "文三路 1 号");
    // Another enterprise is anybody.
    let rival = by("rival");
    tells_nobody(&rival);
    assert_eq!(rival.json()["node"]["privacy"]["legalPerson"], "redacted");

    // A token under another's name, a wrong one, and what is no login are refused, and say how to log in.
    for header in [
        basic("rival", &token(&node, "acme")),
        basic("acme", "wm1_0123456789abcdef_00"),
        "Basic !!!".to_owned(),
        "Digest username=\"acme\"".to_owned(),
    ] {
        let refused = asker.ask("GET", &path, &[("Authorization", &header)]);
        assert_eq!(refused.status, 401, "{header}");
        assert!(refused.headers["www-authenticate"].starts_with("Basic"), "{header}");
        tells_nobody(&refused);
    }
    // Nothing that was read or tried went into the log of the node.
    let log = node.daemon.stop().expect(0).err;
    for word in PEOPLE {
        assert!(!log.contains(word), "{word} is in the log");
    }
}

#[test]
fn other_services_are_named_by_the_longest_match_and_a_hostile_file_changes_nothing() {
    let node = start("rate_per_second = 1000\n");
    let asker = Asker::of(&node);
    let location = |path: &str| {
        let answer = asker.get(path);
        (answer.status, answer.headers.get("location").cloned().unwrap_or_default())
    };
    let sent_to = |url: &str| (302, url.to_owned());
    assert_eq!(location("/identifier/88.222.5"), sent_to("https://other.example/q/identifier/88.222.5"));
    assert_eq!(location("/identifier/88.2225"), sent_to("https://top.example/identifier/88.2225"), "by label");
    assert_eq!(location("/identifier/88.111.9.1"), sent_to("https://enterprise.example/identifier/88.111.9.1"));
    assert_eq!(location("/identifier/88.111.5").0, 404, "what is ours is not sent on");
    assert_eq!(location("/identifier/99.1").0, 404);
    assert_eq!(asker.ask("HEAD", "/identifier/88.222", &[]).status, 302);

    let path = node.bench.path("bootstrap.json");
    let draft = node.bench.path("bootstrap.new");
    let change = |text: &str| {
        // As whoever keeps it does: whole or not at all.
        std::fs::write(&draft, text).unwrap();
        std::fs::rename(&draft, &path).unwrap();
    };
    let until = |what: &str, is_so: &dyn Fn() -> bool| {
        for _ in 0..600 {
            if is_so() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("never came: {what}");
    };
    change(&BOOTSTRAP.replace("https://top.example/", "https://new.example/"));
    until("the new file", &|| location("/identifier/88.5").1 == "https://new.example/identifier/88.5");
    let mut node = node;
    change(
        "{\"version\": \"1.0\", \"publication\": \"2026-11-30T00:00:00Z\", \"services\": [[[\"88\"], [\"https://x/\\r\\nSet-Cookie: a\"]]]}",
    );
    let said = node.daemon.process.wait_for_log("the one read before stays");
    assert!(said.contains("bootstrap"), "{said}");
    let asker = Asker::of(&node);
    assert_eq!(asker.get("/identifier/88.5").headers["location"], "https://new.example/identifier/88.5");

    // With such a file a node does not start, and says where it is wrong.
    let Parties { bench, daemon, .. } = node;
    daemon.stop().expect(0);
    let ended = start_alone(&bench);
    assert_ne!(ended.status.code(), Some(0));
    assert!(ended.err.contains("bootstrap.json") && ended.err.contains("services[0]"), "{}", ended.err);
}

#[test]
fn a_source_that_asks_too_often_is_told_when_to_come_back() {
    let node = start("rate_per_second = 1\n");
    let asker = Asker::of(&node);
    let limited = (0..50).map(|_| asker.get("/help")).find(|answer| answer.status != 200).expect("a limit");
    assert_eq!((limited.status, limited.headers["retry-after"].as_str()), (429, "1"));
    assert_eq!(limited.headers["access-control-allow-origin"], "*");
    let (_, metrics) = node.daemon.page("/metrics");
    let counted = metrics.lines().find(|line| line.contains("\"queries_limited\"")).unwrap();
    assert!(!counted.ends_with(" 0"), "{counted}");
}

#[test]
fn what_cannot_be_answered_is_refused_by_its_own_status() {
    let node = start("rate_per_second = 1000\n");
    let asker = Asker::of(&node);
    let long = format!("/identifier/88.{}", "1".repeat(300));
    for (path, status) in [
        ("/identifier/88.111.1%2Fx", 422),
        ("/identifier/88.111.1/x", 422),
        ("/identifier/88..1", 422),
        ("/identifier/%20%20", 422),
        (&long, 422),
        ("/identifier/%zz", 400),
        ("/identifier/%ff", 400),
        ("/names", 400),
        ("/names?name=%zz*", 400),
        ("/names?name=a&name=b", 400),
        ("/names?name=*", 422),
        ("/names?name=*abc", 422),
        ("/names?name=a*c", 422),
        ("/names?name=abc", 422),
        ("/name/nobody", 404),
        ("/names/", 404),
        ("/", 404),
        ("/../../etc/passwd", 404),
    ] {
        let answer = asker.get(path);
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        let told = answer.json();
        assert_eq!(told["errorCode"], status, "{path}");
        assert!(!told["description"][0].as_str().unwrap().is_empty() && told["lang"] == "en", "{path}");
        assert!(answer.body.len() < 2_000, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let refused = asker.ask(method, &format!("/identifier/{ACME}"), &[("Content-Length", "0")]);
        assert_eq!(refused.status, 405, "{method}");
        assert!(refused.headers["allow"].contains("GET"), "{method}");
    }
    let preflight = asker.ask("OPTIONS", "/help", &[("Origin", "https://page.example")]);
    assert_eq!((preflight.status, preflight.headers["access-control-allow-origin"].as_str()), (204, "*"));
    // Heads that are too large, and what is no HTTP, end the connection and nothing else.
    let large = format!("GET /help HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(100_000));
    for bytes in [large.as_bytes(), b"\0\x01\x02 nonsense\r\n\r\n"] {
        assert!(asker.send(bytes).is_none_or(|answer| (400..500).contains(&answer.status)));
    }
    assert_eq!(asker.get("/help").status, 200);
}

#[test]
fn without_tls_it_answers_on_loopback_only_and_takes_no_login() {
    let bench = Bench::new("listen.query = [\"0.0.0.0:0\"]\nregistration.plaintext = true\n");
    let refused = start_alone(&bench).expect(2);
    assert!(refused.err.contains("listen.query") && refused.err.contains("registration.plaintext"), "{}", refused.err);

    let bench = Bench::new("listen.query = [\"127.0.0.1:0\"]\nregistration.plaintext = true\n");
    let daemon = bench.serve();
    let ask = |header: &str| {
        let mut stream = TcpStream::connect(daemon.address("query=http")).unwrap();
        write!(stream, "GET /help HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{header}\r\n").unwrap();
        let mut came = String::new();
        stream.read_to_string(&mut came).unwrap();
        came.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(ask(""), "200");
    assert_eq!(ask(&format!("Authorization: {}\r\n", basic("operator", &bench.text("data/operator-token")))), "400");
}
