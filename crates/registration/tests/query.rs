//! The service for registration data over real TLS: searches by name that end at a limit say so, and never say that somebody is not there.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod common;

use std::sync::Arc;

use common::Node;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use waymark_catalog::business::{BusinessCommand, CaseStep, EnterpriseId, Profile, RealNameResult, Wish};
use waymark_catalog::vault::{People, Personal};
use waymark_catalog::{Actor, Command, HomeName, Options, Submission, open};
use waymark_registration::Limits;

/// Prefixes looked at for one search: the fewest that can be set.
const SCAN: usize = 100;

/// Prefixes of one enterprise of a crowd, as many as it may have.
const EACH: usize = 10;

/// A node of 88.1 that holds enterprises.
fn node(limits: Limits) -> Node {
    let dir = tempfile::tempdir().unwrap();
    let personal_keys = Some(dir.path().join("personal.keys"));
    let catalog = open(&Options { personal_keys, ..common::options(&dir.path().join("data")) }).unwrap().catalog;
    common::write(&catalog, Command::Home { name: HomeName::parse(b"88.1").unwrap() });
    Node::start_over(dir, catalog, limits, "127.0.0.1:0".parse().unwrap())
}

/// Carries out commands as the operator on this machine.
fn write(node: &Node, commands: impl IntoIterator<Item = BusinessCommand>) {
    let submission = Submission::new(&Actor::operator(), commands);
    let ticket = node.catalog.writer().submit(submission).unwrap();
    // On a thread of its own: tests run on a runtime, whose threads must not wait.
    let results = std::thread::spawn(|| ticket.wait().unwrap()).join().unwrap();
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

/// An enterprise of this name, verified.
fn enterprise(node: &Node, id: u32, name: &str) -> EnterpriseId {
    let sample: Value = serde_json::from_str(include_str!("../../../config/enterprise.json")).unwrap();
    let mut profile: Profile = serde_json::from_value(sample["profile"].clone()).unwrap();
    name.clone_into(&mut profile.name_en);
    profile.document_number = format!("SAMPLE-{id}");
    let personal: Personal = serde_json::from_value(sample["personal"].clone()).unwrap();
    let personal = Some(Box::new(node.catalog.vault().unwrap().seal(People::default(), &personal).unwrap()));
    let id = EnterpriseId(id);
    write(
        node,
        [
            BusinessCommand::PutEnterprise { id: None, profile: Box::new(profile), personal, principals: None },
            BusinessCommand::SetRealName {
                id,
                result: RealNameResult::Verified,
                source: "register of companies".into(),
                reviewer: "reviewer".into(),
            },
        ],
    );
    id
}

fn apply(prefix: &str, enterprise: EnterpriseId) -> BusinessCommand {
    let (prefix, enterprise) = (prefix.as_bytes().to_vec(), Some(enterprise));
    BusinessCommand::Apply { prefix, enterprise, wish: Wish::Hosted, note: String::new() }
}

/// A prefix that is registered, after all that were before.
fn register(node: &Node, prefix: &str, enterprise: EnterpriseId) {
    write(node, [apply(prefix, enterprise)]);
    let confirm = CaseStep::ConfirmTopLevel { approved: true, reason: "granted".into() };
    for step in [CaseStep::Review, CaseStep::Approve, confirm, CaseStep::Host] {
        write(node, [BusinessCommand::Step { prefix: prefix.as_bytes().to_vec(), step }]);
    }
}

/// Status and body of an answer.
async fn get(node: &Node, path: &str, language: &str) -> (u16, Value) {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(node.authority.der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let stream = TcpStream::connect(node.running.addresses().query[0]).await.unwrap();
    let mut stream = TlsConnector::from(config).connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Language: {language}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut came = Vec::new();
    // A server may end without saying so; what came before is the answer.
    let _ended = stream.read_to_end(&mut came).await;
    let came = String::from_utf8(came).unwrap();
    let (head, body) = came.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

/// The notices of an answer behind the one that is in all of them.
fn notices(answer: &Value) -> String {
    answer["notices"].as_array().unwrap()[1..].iter().map(ToString::to_string).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_for_a_name_gives_its_oldest_prefix_and_says_where_it_ended_early() {
    let limits = Limits { query_scan: SCAN, query_results: 2, query_rate: 1_000, ..Limits::default() };
    let node = node(limits);
    let (acme, late) = (enterprise(&node, 1, "Acme"), enterprise(&node, 2, "Late"));
    // The one registered first is the last in the order of prefixes, behind as many as there are results.
    for prefix in ["88.1.32", "88.1.31", "88.1.30"] {
        register(&node, prefix, acme);
    }
    register(&node, "88.1.700", late);

    let (status, found) = get(&node, "/name/acme", "en").await;
    assert_eq!((status, &found["identifier"]), (200, &Value::from("88.1.32")), "{found}");
    let links = found["links"].to_string();
    assert!(links.contains("88.1.31") && !links.contains("88.1.30"), "the oldest are linked: {links}");
    assert!(notices(&found).contains("more prefixes of this name than are linked"), "{found}");
    let (status, found) = get(&node, "/name/late", "en").await;
    assert_eq!((status, &found["identifier"], notices(&found)), (200, &Value::from("88.1.700"), String::new()));
    assert_eq!(get(&node, "/name/nobody", "en").await.0, 404, "every prefix was looked at");

    // With as many prefixes between as are looked at, it is not known who is behind them.
    for (id, first) in (3..).zip((0..SCAN).step_by(EACH)) {
        let crowd = enterprise(&node, id, "Crowd");
        write(&node, (first..first + EACH).map(|number| apply(&format!("88.1.{}", 500 + number), crowd)));
    }
    for name in ["late", "nobody"] {
        let (status, refused) = get(&node, &format!("/name/{name}"), "en").await;
        assert_eq!(
            (status, &refused["errorCode"], &refused["title"]),
            (422, &422.into(), &"SEARCH_CUT".into()),
            "{name}"
        );
    }
    let (_, refused) = get(&node, "/name/late", "zh-CN").await;
    assert!(refused["description"].to_string().contains("上限"), "{refused}");
    let (status, found) = get(&node, "/name/acme", "en").await;
    assert_eq!((status, &found["identifier"]), (200, &Value::from("88.1.32")));
    assert!(notices(&found).contains("there may be more of this name, and older ones"), "{found}");
    let (status, found) = get(&node, "/names?name=late*", "en").await;
    assert_eq!((status, found["identifierSearchResults"].as_array().unwrap().len()), (200, 0));
    assert!(notices(&found).contains("There may be more"), "{found}");
    assert_eq!(get(&node, "/identifier/88.1.700", "en").await.0, 200);
}
