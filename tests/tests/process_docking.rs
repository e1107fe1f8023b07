//! A real node with a simulated top-level node above it: from an enterprise's application to the word of the top-level node, and what operators see.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use waymark_tests::parties::Parties;
use waymark_tests::process::{Bench, PATIENCE};
use waymark_top_sync::simulator::epp::{EppSimulator, Fault, Kind, Ruling, Settings};

const OWN: &str = "88.111";
const USER: &str = "app-88-111";
const KEY: &[u8] = b"a key of the application";

fn enterprise() -> Value {
    json!({
        "profile": {
            "name": "杭州样例食品有限公司", "nature": "company", "province": "330000", "city": "330100",
            "address": "文三路 1 号", "document_kind": "credit-code", "document_number": "91350100M000100Y43",
            "industry_section": "C", "industry_division": "14",
        },
        "personal": {
            "legal_person": {"name": "欧阳明月", "document_kind": "identity-card", "document_number": "330106197001017771"},
            "contact": {"name": "司马流云", "document_kind": "passport", "document_number": "E98765432"},
            "phone": "13800138777", "email": "sima.liuyun@example.cn",
        },
    })
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    const LOOK_EVERY: Duration = Duration::from_millis(50);
    let looks = PATIENCE.as_millis() / LOOK_EVERY.as_millis();
    for _ in 0..looks {
        if is_so() {
            return;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    panic!("never came: {what}");
}

fn docked(url: &str) -> Parties {
    let bench = Bench::new("");
    let key = bench.put("application.key", String::from_utf8(KEY.to_vec()).unwrap());
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let lines = format!(
        "[docking]\naddress = \"{url}\"\nprefix = \"{OWN}\"\napplication = \"{USER}\"\nkey_file = \"{}\"\npoll_seconds = 1\nretry_seconds = 1\nanswer_seconds = 5\n",
        key.display()
    );
    bench.configure(&lines);
    bench.run(&["prefix", "home", OWN, &format!("0.NA/0.NA/{OWN}")]).expect(0);
    Parties::start(bench, &[("rev", "reviewer", "*"), ("acme", "enterprise-administrator", "88.111.701")])
}

/// The enterprise says who it is, and is verified.
fn introduce(node: &Parties) {
    let file = node.bench.put("acme.json", enterprise().to_string());
    node.by("acme").run(&["enterprise", "put", file.to_str().unwrap()]).expect(0);
    let image = node.bench.path("image.png");
    std::fs::write(&image, [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &[1; 64]].concat()).unwrap();
    for kind in ["document", "legal-person-front"] {
        node.by("acme").run(&["enterprise", "image", kind, image.to_str().unwrap()]).expect(0);
    }
    node.by("rev").run(&["enterprise", "real-name", "E1", "verified", "--source", "registry"]).expect(0);
}

/// The prefix is asked for and approved here.
fn approve(node: &Parties, prefix: &str) {
    node.by("operator").run(&["prefix", "apply", prefix, "--enterprise", "E1"]).expect(0);
    for step in ["review", "approve"] {
        node.by("rev").run(&["prefix", step, prefix]).expect(0);
    }
}

fn state(node: &Parties, prefix: &str) -> Value {
    node.by("operator").json(&["prefix", "case", prefix], 0)["state"].clone()
}

#[test]
fn the_top_level_node_decides_and_operators_see_each_transaction() {
    let runtime = Runtime::new().unwrap();
    let settings = Settings { application: Some((USER.into(), KEY.to_vec())), ..Settings::local(OWN, USER) };
    let simulator = runtime.block_on(EppSimulator::start(settings)).unwrap();
    simulator.script(|script| {
        script.named.insert("88.111.702".into(), Ruling::Pend);
        let reason = "证照模糊".to_owned();
        script.named.insert("88.111.703".into(), Ruling::Later { polls: 1, passed: false, reason });
    });
    simulator.inject(Some(Kind::CreateEnterprise), Fault::DropAnswer);
    let node = docked(&simulator.url());
    introduce(&node);
    for prefix in ["88.111.701", "88.111.702", "88.111.703"] {
        approve(&node, prefix);
    }
    until("701 active", || state(&node, "88.111.701") == "active");
    until("703 rejected", || state(&node, "88.111.703") == "rejected");
    assert_eq!(state(&node, "88.111.702"), "awaiting-top-level");
    // Once there is a top-level node, nobody else says what it decided.
    node.by("operator").run(&["prefix", "confirm", "88.111.702"]).expect(4).says(&["top-level node"]);

    let listed = node.by("operator").run(&["docking", "status", "--all", "--json"]).expect(0).json();
    let of = |prefix: &str| listed.iter().find(|each| each["prefix"] == prefix).unwrap_or_else(|| panic!("{listed:?}"));
    assert_eq!((&listed[0]["known_enterprises"], &listed[0]["open"]), (&json!(1), &json!(1)));
    assert_eq!((&of("88.111.701")["state"], &of("88.111.703")["state"]), (&json!("approved"), &json!("refused")));
    assert_eq!((&of("88.111.702")["state"], &of("88.111.702")["attempts"]), (&json!("pending"), &json!(1)));
    let id = of("88.111.702")["id"].as_str().unwrap().to_owned();
    let english = node.by("operator").run(&["docking", "status"]).expect(0).out;
    assert!(english.contains("in audit") && english.contains(&id) && english.contains("oldest undecided"), "{english}");
    let chinese = node.by("operator").run(&["--lang", "zh", "docking", "status"]).expect(0).out;
    assert!(chinese.contains("审核中") && chinese.contains(&id) && chinese.contains("最早的未决事务"), "{chinese}");
    node.by("acme").run(&["docking", "status"]).expect(4).says(&["NOT_PERMITTED"]);

    // What the top-level node decided and told another way is an operator's to say, with a reason, and nobody else's.
    let mark = ["docking", "mark", "88.111.704", "--refused", "--reason", "told by letter"];
    node.by("rev").run(&mark).expect(4).says(&["NOT_PERMITTED"]);
    node.by("operator").run(&mark).expect(3).says(&["NOT_FOUND"]);
    simulator.script(|script| drop(script.named.insert("88.111.704".into(), Ruling::Pend)));
    approve(&node, "88.111.704");
    until("704 is asked for", || simulator.holdings().prefixes.contains_key("88.111.704"));
    node.by("operator").run(&mark).expect(0);
    until("704 rejected", || state(&node, "88.111.704") == "rejected");
    let case = node.by("operator").json(&["prefix", "case", "88.111.704"], 0);
    assert_eq!(case["steps"].as_array().unwrap().last().unwrap()["reason"], "marked by operator: told by letter");
    node.by("acme").run(&["docking", "hurry"]).expect(4).says(&["NOT_PERMITTED"]);
    node.by("operator").run(&["docking", "hurry"]).expect(0);

    // The verdict comes while the node is away.
    let node = node.restart(|_| assert!(simulator.decide("88.111.702", true, "通过")));
    until("702 active", || state(&node, "88.111.702") == "active");
    let case = node.by("operator").json(&["prefix", "case", "88.111.702"], 0);
    let last = case["steps"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["by"], &last["reason"]), (&json!("top-level"), &json!("通过")), "{case}");
    until("the queue is empty", || simulator.holdings().messages == 0);
    let held = simulator.holdings();
    assert!(held.enterprises.values().all(|each| each.made == 1), "{held:?}");
    for prefix in ["88.111.701", "88.111.702"] {
        assert_eq!((held.prefixes[prefix].made, held.prefixes[prefix].state), (1, "approved"), "{held:?}");
    }
    let kept = std::fs::read(node.bench.data().join("docking.log")).unwrap();
    for word in ["欧阳明月", "330106197001017771", "司马流云", "13800138777", "sima.liuyun"] {
        assert!(
            !kept.windows(word.len()).any(|window| window == word.as_bytes()),
            "{word} is in the file of transactions"
        );
    }
}

#[test]
fn a_node_that_is_killed_while_a_command_is_under_way_finds_out_what_became_of_it() {
    let runtime = Runtime::new().unwrap();
    let settings = Settings { application: Some((USER.into(), KEY.to_vec())), ..Settings::local(OWN, USER) };
    let simulator = runtime.block_on(EppSimulator::start(settings)).unwrap();
    // Carried out, and answered to somebody who is not there any more.
    for kind in [Kind::CreateEnterprise, Kind::CreatePrefix] {
        simulator.inject(Some(kind), Fault::Delay(PATIENCE));
    }
    let mut node = docked(&simulator.url());
    introduce(&node);
    approve(&node, "88.111.701");
    for kind in [Kind::CreateEnterprise, Kind::CreatePrefix] {
        until("the command came", || simulator.seen().contains(&kind));
        node = node.kill();
    }
    until("active", || state(&node, "88.111.701") == "active");
    let held = simulator.holdings();
    assert_eq!(held.enterprises.values().map(|each| each.made).collect::<Vec<_>>(), [1]);
    let prefix = &held.prefixes["88.111.701"];
    assert_eq!((prefix.made, prefix.asked_for_under.len(), prefix.state), (1, 1, "approved"));
}

#[test]
fn a_node_without_a_top_level_node_says_so() {
    let bench = Bench::new("");
    bench.run(&["prefix", "home", OWN]).expect(0);
    let node = Parties::start(bench, &[]);
    node.by("operator").run(&["docking", "status"]).expect(4).says(&["docking.address"]);
}
