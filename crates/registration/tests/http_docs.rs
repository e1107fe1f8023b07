//! The examples of docs/http.md do what they say.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

mod common;

use std::process::Command;

use common::Node;
use serde_json::Value;
use waymark_catalog::access::Role;

/// Commands of the page with what they answer.
fn examples(page: &str) -> Vec<(&str, &str)> {
    let mut examples = Vec::new();
    for part in page.split("```sh\n").skip(1) {
        let (command, rest) = part.split_once("\n```\n").unwrap();
        let (answer, _) = rest.strip_prefix("```json\n").unwrap().split_once("\n```").unwrap();
        examples.push((command, answer));
    }
    examples
}

fn values(text: &str) -> Vec<Value> {
    serde_json::Deserializer::from_str(text).into_iter().map(Result::unwrap).collect()
}

/// Whether an answer is what the page shows: texts `…` and numbers called so differ from node to node.
fn matches(shown: &Value, found: &Value) -> bool {
    match (shown, found) {
        (Value::Object(shown), Value::Object(found)) => {
            let varies = |name: &str| matches!(name, "serial" | "timestamp");
            shown.iter().all(|(name, shown)| {
                found.get(name).is_some_and(|found| (varies(name) && found.is_number()) || matches(shown, found))
            })
        }
        (Value::Array(shown), Value::Array(found)) => {
            shown.len() == found.len() && shown.iter().zip(found).all(|(shown, found)| matches(shown, found))
        }
        (Value::String(shown), Value::String(found)) => shown == "…" || shown == found,
        (shown, found) => shown == found,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_with_curl_answer_as_shown() {
    if Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: there is no curl on this machine");
        return;
    }
    let node = Node::start().await;
    let ca = node.dir.path().join("ca.pem");
    std::fs::write(&ca, node.authority.pem()).unwrap();
    let port = node.running.addresses().http[0].port();
    let seconds = common::clock().0 / 1000;
    let key = uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, 0));
    let token = node.token("writer", Role::Writer, &["88.1"]);
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/http.md")).unwrap();
    let examples = examples(&page);
    assert!(examples.len() >= 7);
    for (command, shown) in examples {
        // The certificate of the tests is for this name, and the door is on IPv4.
        let output = Command::new("sh")
            .args(["-c", &command.replace("curl -sS", "curl -sS -4 --noproxy '*' --max-time 30")])
            .env("URL", format!("https://localhost:{port}"))
            .env("CA", &ca)
            .env("TOKEN", &token)
            .env("KEY", key.to_string())
            .output()
            .unwrap();
        let found = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{command}\n{found}\n{errors}");
        let (shown, found) = (values(shown), values(&found));
        assert!(
            shown.len() == found.len() && shown.iter().zip(&found).all(|(shown, found)| matches(shown, found)),
            "{command}\nshown {shown:#?}\nfound {found:#?}"
        );
    }
}
