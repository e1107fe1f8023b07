//! Client certificates in place of tokens, from the command line to a running node.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use waymark_tests::operated::Node;
use waymark_tests::process::{Bench, run, tool};

/// Whoever certifies clients.
struct Authority {
    issuer: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
}

/// Certificate and key of a client, as files.
struct Client {
    certificate: PathBuf,
    key: PathBuf,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap();
        Self { issuer }
    }

    fn client(&self, bench: &Bench, name: &str) -> Client {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Client {
            certificate: bench.put(&format!("{name}.pem"), certificate.pem()),
            key: bench.put(&format!("{name}.key"), key.serialize_pem()),
        }
    }
}

/// A node that takes certificates of an authority.
fn node() -> (Node, Authority) {
    let (bench, authority) = (Bench::default(), Authority::new(OURS));
    let authorities = bench.put("authorities.pem", authority.issuer.pem());
    bench.configure(&format!("registration.client_authorities = \"{}\"\n", authorities.display()));
    (Node::over(bench), authority)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// `waymark` with these words and a certificate, without a token.
fn certified(node: &Node, client: &Client, words: &[&str]) -> Command {
    let mut command = tool(words);
    command.args(["--server", &node.daemon.url("grpcs"), "--pin", &node.pin(), "--json"]);
    command.args(["--client-certificate", text(&client.certificate), "--client-key", text(&client.key)]);
    command
}

/// The reason such a command is refused for.
#[track_caller]
fn refused(node: &Node, client: &Client, words: &[&str]) -> Value {
    let refused = run(certified(node, client, words)).expect(4).json().pop().unwrap();
    refused["error"]["reason"].clone()
}

/// The authority the node believes.
const OURS: &str = "authority of the tests";

const REGISTER: [&str; 4] = ["register", "88.111.1/x", "--value", "1 URL u"];

#[test]
fn a_certificate_of_a_principal_is_all_it_needs_to_show() {
    let (node, authority) = node();
    let client = authority.client(&node.bench, "machine");
    let put = ["principal", "put", "machine", "--role", "writer", "--prefix", "88.111.1"];
    node.json(&[&put[..], &["--certificate", text(&client.certificate)]].concat(), 0);

    let who = run(certified(&node, &client, &["whoami"])).expect(0).json().pop().unwrap();
    assert_eq!((&who["principal"], &who["role"], &who["expires"]), (&json!("machine"), &json!("writer"), &Value::Null));
    let made = run(certified(&node, &client, &REGISTER)).expect(0).json().pop().unwrap();
    assert_eq!(made["outcome"], "created");
    let elsewhere = ["register", "88.222/x", "--value", "1 URL u"];
    assert_eq!(refused(&node, &client, &elsewhere), "NOT_PERMITTED", "no more than the principal may");

    let principal = node.json(&["principal", "show", "machine"], 0);
    let hash = principal["certificates"][0].as_str().unwrap();
    let told = node.run(&["audit", "search", "--actor", "machine", "--verb", "create", "--json"]).expect(0).json();
    assert_eq!(
        (told[0]["proof"].as_str().unwrap(), &told[0]["key"]),
        (&*format!("certificate:{hash}"), &json!("88.111.1/x"))
    );

    // The same certificate written as its hash is the same credential, now of another principal.
    node.json(&[&put[..], &[]].concat(), 0);
    assert_eq!(refused(&node, &client, &["whoami"]), "UNAUTHENTICATED", "the principal has it no more");
    node.json(&["principal", "put", "robot", "--role", "reader", "--certificate", hash], 0);
    let who = run(certified(&node, &client, &["whoami"])).expect(0).json().pop().unwrap();
    assert_eq!(who["principal"], "robot");
}

#[test]
fn a_certificate_nobody_knows_is_refused() {
    let (node, authority) = node();
    let stranger = authority.client(&node.bench, "stranger");
    assert_eq!(refused(&node, &stranger, &["whoami"]), "UNAUTHENTICATED");
    assert_eq!(refused(&node, &stranger, &REGISTER), "UNAUTHENTICATED");
    // A token beside it says who is calling.
    let mut both = certified(&node, &stranger, &["whoami"]);
    both.arg("--token-file").arg(&node.token);
    assert_eq!(run(both).expect(0).json()[0]["principal"], "operator");
    // One of another authority gets no connection, whatever that calls itself: nothing was sent that could have been carried out.
    for name in ["another authority", OURS] {
        let foreign = Authority::new(name).client(&node.bench, "foreign");
        run(certified(&node, &foreign, &REGISTER)).expect(5).says(&["error[server-untrusted]", "client certificate"]);
    }
    node.run(&["history", "88.111.1/x"]).expect(3);
}

#[test]
fn the_certificate_of_a_disabled_principal_is_refused_until_it_is_enabled_again() {
    let (node, authority) = node();
    let client = authority.client(&node.bench, "machine");
    let put = ["principal", "put", "machine", "--role", "writer", "--prefix", "88.111.1", "--certificate"];
    let put = [&put[..], &[text(&client.certificate)]].concat();
    node.json(&put, 0);
    run(certified(&node, &client, &REGISTER)).expect(0);
    node.json(&[&put[..], &["--disabled"]].concat(), 0);
    assert_eq!(refused(&node, &client, &REGISTER), "PRINCIPAL_DISABLED");
    // Nor after a restart.
    let node = node.restart(|_| {});
    assert_eq!(refused(&node, &client, &["get", "88.111.1/x"]), "PRINCIPAL_DISABLED");
    node.json(&put, 0);
    run(certified(&node, &client, &REGISTER)).expect(0);
    node.json(&["principal", "remove", "machine"], 0);
    assert_eq!(refused(&node, &client, &REGISTER), "UNAUTHENTICATED");
}

#[test]
fn certificate_files_that_cannot_be_used_are_refused_before_anything_is_sent() {
    let (bench, authority) = (Bench::default(), Authority::new(OURS));
    let client = authority.client(&bench, "machine");
    let (certificate, key) = (text(&client.certificate), text(&client.key));
    let nonsense = bench.put("nonsense", "no PEM");
    let nonsense = text(&nonsense);
    let pin = "00".repeat(32);
    let server = ["whoami", "--server", "grpcs://127.0.0.1:1", "--pin", &pin];
    let cases: &[(&[&str], &str)] = &[
        (&["--client-certificate", certificate], "--client-key"),
        (&["--client-key", key], "--client-certificate"),
        (&["--client-certificate", certificate, "--client-key", "no such file"], "error[file-unreadable]"),
        (&["--client-certificate", certificate, "--client-key", nonsense], "error[server-settings]"),
        (&["--client-certificate", nonsense, "--client-key", key], "error[server-settings]"),
    ];
    for (words, said) in cases {
        println!("{words:?}");
        run(tool([&server[..], words].concat())).expect(2).says(&[said]);
    }
    let put = ["principal", "put", "machine", "--role", "writer", "--certificate"];
    for (given, said) in [(nonsense, "error[certificate-unreadable]"), ("no such file", "error[pin-malformed]")] {
        bench.run(&[&put[..], &[given]].concat()).expect(2).says(&[said]);
    }
}
