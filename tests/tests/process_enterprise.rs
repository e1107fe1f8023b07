//! Enterprises and their prefixes through a running node: from the file of an enterprise to an answer of the resolver, and what others are refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use serde_json::{Value, json};
use waymark_tests::parties::Parties;
use waymark_tests::process::{Bench, Ended, run, tool};

const PREFIX: &str = "88.111.701";

/// A running node for whose prefix 88.111 enterprises ask, and who asks it.
fn start() -> Parties {
    let bench = Bench::new("");
    bench.run(&["prefix", "home", "88.111", "0.NA/0.NA/88.111"]).expect(0);
    let principals = [
        ("rev", "reviewer", "*"),
        ("acme", "enterprise-administrator", PREFIX),
        ("rival", "enterprise-administrator", "88.111.702"),
    ];
    Parties::start(bench, &principals)
}

#[track_caller]
fn step(node: &Parties, who: &str, words: &[&str]) -> Value {
    let words = [&["prefix", words[0], PREFIX], &words[1..]].concat();
    node.by(who).json(&words, 0)["outcome"].clone()
}

/// What the resolver says of a name, with its exit code.
fn resolve(node: &Parties, name: &str) -> Ended {
    run(tool(["resolve", name, "--server", &node.daemon.url("udp"), "--json"]))
}

/// Whether an answer sends the asker to another site.
fn is_referred(answer: &Ended) -> bool {
    answer.out.contains("\"response_code\":302")
}

fn enterprise(number: &str) -> Value {
    json!({
        "profile": {
            "name": "杭州样例食品有限公司", "nature": "company", "province": "330000", "city": "330100",
            "address": "文三路 1 号", "document_kind": "other", "document_number": number,
            "industry_section": "C", "industry_division": "14",
        },
        "personal": {
            "legal_person": {"name": "欧阳明月", "document_kind": "identity-card", "document_number": "330106197001017771"},
            "contact": {"name": "司马流云", "document_kind": "passport", "document_number": "E98765432"},
            "phone": "13800138777", "email": "sima.liuyun@example.cn",
        },
    })
}

#[test]
fn a_prefix_goes_from_the_application_to_an_answer_and_back() {
    let node = start();
    let file = node.bench.put("acme.json", enterprise("D1").to_string());
    let put = ["enterprise", "put", file.to_str().unwrap()];
    assert_eq!(node.by("acme").json(&put, 0)["subject"], "E1");
    assert_eq!(step(&node, "acme", &["apply", "--note", "by the web"]), "applied");
    let refused = node.by("rev").json(&["prefix", "approve", PREFIX], 4);
    assert_eq!(refused["error"]["reason"], "WRONG_STEP");
    assert_eq!(step(&node, "rev", &["review"]), "in-review");
    node.by("rev").run(&["prefix", "approve", PREFIX]).expect(4).says(&["NOT_VERIFIED"]);
    node.by("rev").run(&["enterprise", "real-name", "E1", "verified", "--source", "registry"]).expect(0);
    assert_eq!(step(&node, "rev", &["approve"]), "approved");
    node.by("rev").run(&["prefix", "confirm", PREFIX]).expect(4).says(&["NOT_PERMITTED"]);
    assert_eq!(step(&node, "operator", &["confirm"]), "confirmed");
    node.by("acme").run(&["register", "88.111.701/x", "--value", "1 URL u"]).expect(4).says(&["NOT_SERVED"]);

    assert_eq!(step(&node, "operator", &["host"]), "hosted");
    node.by("acme").run(&["register", "88.111.701/x", "--value", "1 URL u"]).expect(0);
    resolve(&node, "88.111.701/x").expect(0);
    let case = node.by("acme").json(&["prefix", "case", PREFIX], 0);
    assert_eq!(
        (&case["state"], &case["state_number"], &case["hosting_number"]),
        (&json!("active"), &json!(1), &json!(4))
    );
    assert!(case["effective_ms"].is_u64() && case["steps"].as_array().unwrap().len() == 5, "{case}");

    let sites = ["delegate", "--site", "192.0.2.7 tcp=2641 udp=2641", "--site", "2001:db8::7 tcp=2641"];
    assert_eq!(step(&node, "operator", &sites), "delegated");
    let referred = resolve(&node, "88.111.701/x");
    assert!(is_referred(&referred) && referred.out.contains("c0000207"), "{} {}", referred.out, referred.err);
    assert_eq!(step(&node, "rev", &["suspend", "--reason", "audit"]), "suspended");
    assert!(!is_referred(&resolve(&node, "88.111.701/x")));
    assert_eq!(step(&node, "rev", &["resume"]), "resumed");
    assert!(is_referred(&resolve(&node, "88.111.701/x")));
    assert_eq!(step(&node, "operator", &["delete", "--reason", "closed"]), "deleted");
    assert!(!is_referred(&resolve(&node, "88.111.701/x")));

    // All of it is there after a restart, and the audit has each step.
    let node = node.restart(|_| {});
    let case = node.by("acme").json(&["prefix", "case", PREFIX], 0);
    assert_eq!((&case["state"], case["steps"].as_array().unwrap().len()), (&json!("deleted"), 9));
    let audit = node.by("operator").run(&["audit", "search", "--key", PREFIX, "--json"]).expect(0);
    let verbs: Vec<String> = audit
        .json()
        .iter()
        .map(|each| each["verb"].as_str().unwrap().to_owned())
        .filter(|verb| verb.starts_with("prefix-"))
        .collect();
    for verb in ["prefix-apply", "prefix-approve", "prefix-host", "prefix-delegate", "prefix-delete"] {
        assert!(verbs.iter().any(|each| each == verb), "{verb} is not in {verbs:?}");
    }
}

#[test]
fn another_enterprise_is_refused_by_every_verb_and_shown_nothing() {
    let node = start();
    for (who, number) in [("acme", "D1"), ("rival", "D2")] {
        let file = node.bench.put(&format!("{who}.json"), enterprise(number).to_string());
        node.by(who).run(&["enterprise", "put", file.to_str().unwrap()]).expect(0);
    }
    assert_eq!(step(&node, "acme", &["apply"]), "applied");
    let file = node.bench.path("rival.json");
    let put = ["enterprise", "put", file.to_str().unwrap(), "--enterprise", "E1"];
    let refused: &[&[&str]] = &[
        &put,
        &["enterprise", "real-name", "E1", "verified", "--source", "x"],
        &["enterprise", "disclose", "E1", "--purpose", "x"],
        &["enterprise", "forget", "E1", "--reason", "x"],
        &["prefix", "apply", "88.111.9", "--enterprise", "E1"],
        &["prefix", "review", PREFIX],
        &["prefix", "approve", PREFIX],
        &["prefix", "reject", PREFIX, "--reason", "x"],
        &["prefix", "confirm", PREFIX],
        &["prefix", "host", PREFIX],
        &["prefix", "delegate", PREFIX, "--site", "192.0.2.1 tcp=1"],
        &["prefix", "suspend", PREFIX, "--reason", "x"],
        &["prefix", "resume", PREFIX],
        &["prefix", "delete", PREFIX, "--reason", "x"],
    ];
    for words in refused {
        println!("{words:?}");
        node.by("rival").run(words).expect(4).says(&["NOT_PERMITTED"]);
    }
    for words in [&["enterprise", "show", "E1"][..], &["enterprise", "show", "E9"], &["prefix", "case", PREFIX]] {
        node.by("rival").run(words).expect(3).says(&["NOT_FOUND"]);
    }
    let listed = node.by("rival").run(&["enterprise", "list", "--json"]).expect(0).json();
    assert_eq!(listed.iter().map(|each| each["id"].clone()).collect::<Vec<_>>(), ["E2"]);
    assert!(node.by("rival").run(&["prefix", "cases", "--json"]).expect(0).out.is_empty());
    assert_eq!(node.by("rev").run(&["enterprise", "list", "--json"]).expect(0).json().len(), 2);
    assert_eq!(
        node.by("rev").run(&["prefix", "cases", "--state", "awaiting-review", "--json"]).expect(0).json().len(),
        1
    );
    // What the enterprise gave may be given again, and is the same.
    let shown = node.by("acme").json(&["enterprise", "show"], 0);
    let again = node.bench.put("again.json", json!({ "profile": shown["profile"] }).to_string());
    assert_eq!(node.by("acme").json(&["enterprise", "put", again.to_str().unwrap()], 0)["outcome"], "unchanged");
}

#[test]
fn what_is_said_of_people_is_read_by_name_and_forgotten_for_good() {
    let node = start();
    let file = node.bench.put("acme.json", enterprise("D1").to_string());
    node.by("acme").run(&["enterprise", "put", file.to_str().unwrap()]).expect(0);
    let shown = node.by("acme").run(&["enterprise", "show", "--json"]).expect(0);
    let told = node.by("rev").json(&["enterprise", "disclose", "E1", "--purpose", "call back"], 0);
    assert_eq!((&told["contact"]["name"], &told["phone"]), (&json!("司马流云"), &json!("13800138777")));
    let after = node.by("acme").json(&["enterprise", "show"], 0);
    assert_eq!((&after["disclosures"], &after["disclosed_to"]), (&json!(1), &json!("rev")));
    let audit = node.by("operator").run(&["audit", "search", "--verb", "enterprise-disclose", "--json"]).expect(0);
    assert_eq!(audit.json()[0]["actor"], "rev");
    let mut wrong = enterprise("D1");
    wrong["personal"]["phone"] = json!("secret-777");
    let wrong = node.bench.put("wrong.json", wrong.to_string());
    let refused =
        node.by("acme").run(&["enterprise", "put", wrong.to_str().unwrap()]).expect(4).says(&["personal.phone"]);
    node.by("acme").run(&["enterprise", "forget", "E1", "--reason", "asked"]).expect(0);
    node.by("rev").run(&["enterprise", "disclose", "E1", "--purpose", "x"]).expect(4).says(&["INVALID_BUSINESS"]);
    let export = node.bench.path("export.jsonl");
    let Parties { bench, daemon, .. } = node;
    let said = daemon.stop().expect(0);
    bench.run(&["export", export.to_str().unwrap()]).expect(0);
    let mut bytes = [shown.out, refused.out, refused.err, said.out, said.err].concat().into_bytes();
    bytes.extend(std::fs::read(&export).unwrap());
    bytes.extend(bench.data_bytes());
    for secret in
        ["欧阳明月", "司马流云", "330106197001017771", "E98765432", "13800138777", "sima.liuyun", "secret-777"]
    {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
    assert!(bytes.windows(6).any(|window| window == "样例".as_bytes()), "what is not of people is found");
}

/// A picture of one pixel.
fn png() -> Vec<u8> {
    let pixel = "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082";
    hex::decode(pixel).unwrap()
}

#[test]
fn images_of_documents_are_told_by_their_bytes_sealed_and_forgotten_with_the_people() {
    let node = start();
    for (who, number) in [("acme", "D1"), ("rival", "D2")] {
        let file = node.bench.put(&format!("{who}.json"), enterprise(number).to_string());
        node.by(who).run(&["enterprise", "put", file.to_str().unwrap()]).expect(0);
    }
    let image = node.bench.put("licence.jpg", png());
    let (path, out) = (image.to_str().unwrap(), node.bench.path("out"));
    let out = out.to_str().unwrap();
    let kept = node.by("acme").json(&["enterprise", "image", "document", path], 0);
    assert_eq!((&kept["outcome"], &kept["subject"]), (&json!("stored"), &json!("E1 document")));
    assert_eq!(node.by("acme").json(&["enterprise", "show"], 0)["images"], json!(["document"]));
    for (name, content) in [
        ("a.png", b"%PDF-1.7 and so on".to_vec()),
        ("b.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec()),
        ("c.png", [png(), vec![0; 1 << 20]].concat()),
    ] {
        let wrong = node.bench.put(name, content);
        let words = ["enterprise", "image", "contact-front", wrong.to_str().unwrap()];
        node.by("acme").run(&words).expect(4).says(&["INVALID_BUSINESS", "image"]);
    }
    // Nobody else keeps, sees or takes away what is another's.
    for (words, code) in [
        (&["enterprise", "image", "document", path, "--enterprise", "E1"][..], 3),
        (&["enterprise", "image", "document", "--remove", "--enterprise", "E1"], 3),
        (&["enterprise", "image", "document", out, "--purpose", "x", "--enterprise", "E1"], 4),
    ] {
        node.by("rival").run(words).expect(code);
    }
    let read = ["enterprise", "image", "document", out, "--purpose", "review", "--enterprise", "E1"];
    node.by("rev").run(&read).expect(0);
    assert_eq!(std::fs::read(out).unwrap(), png());
    let audit = node.by("operator").run(&["audit", "search", "--json"]).expect(0).out;
    assert!(audit.contains("enterprise-image") && audit.contains("enterprise-disclose"), "{audit}");

    // It is there after a restart, in no readable form, and gone when the people are forgotten.
    let node = node.restart(|bench| {
        let bytes = bench.data_bytes();
        assert!(!bytes.windows(16).any(|window| window == &png()[24..40]), "the image lies open on the disk");
    });
    node.by("rev").run(&read).expect(0);
    node.by("acme").run(&["enterprise", "image", "contact-back", path]).expect(0);
    node.by("acme").run(&["enterprise", "image", "contact-back", "--remove"]).expect(0);
    assert_eq!(node.by("acme").json(&["enterprise", "show"], 0)["images"], json!(["document"]));
    node.by("acme").run(&["enterprise", "forget", "E1", "--reason", "asked"]).expect(0);
    assert_eq!(node.by("rev").json(&["enterprise", "show", "E1"], 0)["images"], json!([]));
    node.by("rev").run(&read).expect(4).says(&["INVALID_BUSINESS"]);
    // Who its people are may be said anew; what was sealed with the key that is gone stays unreadable.
    let file = node.bench.path("acme.json");
    node.by("acme").run(&["enterprise", "put", file.to_str().unwrap()]).expect(0);
    node.by("rev").run(&read).expect(3);
    assert_eq!(node.by("acme").json(&["enterprise", "show"], 0)["images"], json!([]));
}
