//! The node's own record and applications through a running node: from the file that is shipped to what a restart keeps, and what others are refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::path::Path;

use serde_json::{Value, json};
use waymark_tests::parties::Parties;
use waymark_tests::process::{Bench, run, tool};

/// A running node, two who look after it, and two who act for enterprises.
fn start() -> Parties {
    let principals = [
        ("rev", "reviewer", "*"),
        ("aud", "auditor", "*"),
        ("acme", "enterprise-administrator", "88.111.701"),
        ("rival", "enterprise-administrator", "88.111.702"),
    ];
    Parties::start(Bench::new(""), &principals)
}

/// Both enterprises.
fn with_enterprises(node: Parties) -> Parties {
    for (who, number) in [("acme", "D1"), ("rival", "D2")] {
        let file = node.bench.put(&format!("{who}.json"), enterprise(number).to_string());
        node.by(who).run(&["enterprise", "put", file.to_str().unwrap()]).expect(0);
    }
    node
}

fn enterprise(number: &str) -> Value {
    let person = json!({"name": "Li", "document_kind": "passport", "document_number": "E1"});
    json!({
        "profile": {
            "name": "sample", "nature": "company", "province": "330000", "city": "330100", "address": "x",
            "document_kind": "other", "document_number": number, "industry_section": "C", "industry_division": "14",
        },
        "personal": {"legal_person": person, "contact": person, "phone": "13800138777", "email": "a@example.cn"},
    })
}

/// What the record says of people, each word of it nowhere else.
fn people() -> Value {
    json!({
        "people": {
            "legal_person": {"name": "欧阳明月", "document_kind": "identity-card", "document_number": "330106197001017771"},
            "contact": {"name": "司马流云", "document_kind": "passport", "document_number": "E98765432X"},
            "phone": "13800138777", "email": "sima.liuyun@example.cn",
        },
        "representative": {"phone": "+86571-8765-432", "email": "ouyang.mingyue@example.cn", "fax": "+86571-8765-433"},
    })
}

/// The shipped file, with these people.
fn record() -> Value {
    let template = run(tool(["operator-record", "template"])).expect(0);
    let mut record: Value = serde_json::from_str(&template.out).unwrap();
    record["personal"] = people();
    record
}

fn pdf(bytes: usize) -> Vec<u8> {
    let mut pdf = b"%PDF-1.7\n".to_vec();
    let line = b"the sealed source of data\n";
    pdf.extend(line.iter().cycle().take(bytes - 15));
    pdf.extend(b"%%EOF\n");
    pdf
}

/// A picture of one pixel.
fn png() -> Vec<u8> {
    let pixel = "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082";
    hex::decode(pixel).unwrap()
}

#[test]
fn the_record_is_set_shown_refused_where_it_is_wrong_and_kept_over_a_restart() {
    let node = start();
    node.by("operator").run(&["operator-record", "show"]).expect(3).says(&["NOT_FOUND"]);
    let file = node.bench.put("record.json", record().to_string());
    let set = ["operator-record", "set", file.to_str().unwrap()];
    let done = node.run(&set).expect(0).says(&["document", "verification-source", "build-contract"]);
    assert!(done.out.starts_with("node  "), "{}", done.out);
    assert_eq!(node.json(&set, 0)["outcome"], "stored");
    for (field, value) in [("industry_division", "99"), ("county", "330206"), ("document_kind", "credit-code")] {
        let mut wrong = record();
        wrong["profile"][field] = json!(value);
        let wrong = node.bench.put("wrong.json", wrong.to_string());
        let refused = node.json(&["operator-record", "set", wrong.to_str().unwrap()], 4);
        assert_eq!(refused["error"]["reason"], "INVALID_BUSINESS", "{field}");
    }
    // Files: told by their bytes, sealed, read with a purpose.
    let image = node.bench.put("licence.pdf", png());
    let source = node.bench.put("source.png", pdf(5 << 20));
    let keep = |kind: &str, path: &Path, code| {
        node.by("operator").json(&["operator-record", "file", kind, path.to_str().unwrap()], code)
    };
    assert_eq!(keep("document", &image, 0)["subject"], "node document");
    assert_eq!(keep("verification-source-1", &source, 0)["outcome"], "stored");
    for (kind, name, content) in [
        ("verification-source-2", "a.pdf", png()),
        ("verification-source-2", "b.pdf", pdf((5 << 20) + 1)),
        ("verification-source-2", "c.pdf", b"%PDF-1.7 cut off".to_vec()),
        ("contact-front", "d.png", pdf(100)),
        ("contact-front", "e.png", [png(), vec![0; 1 << 20]].concat()),
    ] {
        let wrong = node.bench.put(name, content);
        assert_eq!(keep(kind, &wrong, 4)["error"]["reason"], "INVALID_BUSINESS", "{name}");
    }
    // Reviewers and enterprises neither write nor read; auditors read.
    let out = node.bench.path("out");
    let out = out.to_str().unwrap();
    let read = ["operator-record", "file", "verification-source-1", out, "--purpose", "yearly"];
    let disclose = ["operator-record", "disclose", "--purpose", "yearly"];
    for stranger in ["rev", "acme"] {
        let image = image.to_str().unwrap();
        for words in [
            &set[..],
            &read,
            &disclose,
            &["operator-record", "show"],
            &["operator-record", "file", "document", image],
            &["operator-record", "file", "document", "--remove"],
            &["operator-record", "forget", "--reason", "x"],
        ] {
            println!("{stranger} {words:?}");
            node.by(stranger).run(words).expect(4).says(&["NOT_PERMITTED"]);
        }
    }
    node.by("aud").run(&set).expect(4).says(&["NOT_PERMITTED"]);
    node.by("aud").run(&read).expect(0);
    assert!(std::fs::read(out).unwrap() == pdf(5 << 20));
    let node = node.restart(|_| {});
    let shown = node.by("aud").json(&["operator-record", "show"], 0);
    assert_eq!(shown["files"], json!(["document", "verification-source-1"]));
    let missing: Vec<_> = shown["missing"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(missing.contains(&"build-contract") && !missing.contains(&"verification-source"), "{missing:?}");
    assert_eq!((&shown["disclosures"], &shown["disclosed_to"]), (&json!(1), &json!("aud")));
    assert_eq!(node.json(&disclose, 0), people());
    node.run(&read).expect(0);
    assert!(std::fs::read(out).unwrap() == pdf(5 << 20));
    // What is shown may be given again, and is the same; each kind of deed is in the audit.
    let again = json!({ "profile": shown["profile"], "node": shown["node"] });
    let again = node.bench.put("again.json", again.to_string());
    let same = node.by("operator").json(&["operator-record", "set", again.to_str().unwrap()], 0);
    assert_eq!((&same["outcome"], &same["serial"]), (&json!("unchanged"), &shown["serial"]));
    let audit = node.run(&["audit", "search", "--key", "node", "--json"]).expect(0).out;
    for verb in ["operator-put", "operator-file", "operator-disclose"] {
        assert!(audit.contains(verb), "{verb} is not in {audit}");
    }
}

#[test]
fn what_the_record_says_of_people_lies_open_nowhere_and_is_forgotten_for_good() {
    let node = start();
    let file = node.bench.put("record.json", record().to_string());
    node.by("operator").run(&["operator-record", "set", file.to_str().unwrap()]).expect(0);
    let shown = node.run(&["operator-record", "show", "--json"]).expect(0);
    let source = node.bench.put("source.pdf", pdf(100_000));
    node.run(&["operator-record", "file", "verification-source-5", source.to_str().unwrap()]).expect(0);
    let mut wrong = record();
    wrong["personal"]["representative"]["fax"] = json!("secret-777");
    let wrong = node.bench.put("wrong.json", wrong.to_string());
    let refused = node.run(&["operator-record", "set", wrong.to_str().unwrap()]);
    let refused = refused.expect(4).says(&["personal.representative_fax"]);
    node.run(&["operator-record", "forget", "--reason", "a new representative"]).expect(0);
    let forgotten = node.json(&["operator-record", "show"], 0);
    assert_eq!((&forgotten["files"], &forgotten["has_personal_data"]), (&json!([]), &json!(false)));
    node.run(&["operator-record", "disclose", "--purpose", "x"]).expect(4).says(&["INVALID_BUSINESS"]);
    let Parties { bench, daemon, .. } = node;
    let said = daemon.stop().expect(0);
    let mut bytes = [shown.out, refused.out, refused.err, said.out, said.err].concat().into_bytes();
    bytes.extend(bench.data_bytes());
    for secret in [
        "欧阳明月",
        "司马流云",
        "330106197001017771",
        "E98765432X",
        "13800138777",
        "sima.liuyun",
        "ouyang.mingyue",
        "+86571-8765-432",
        "+86571-8765-433",
        "secret-777",
        "the sealed source of data",
    ] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
    assert!(bytes.windows(6).any(|window| window == "样例".as_bytes()), "what is not of people is found");
}

#[test]
fn applications_of_two_enterprises_and_of_the_node_are_apart() {
    let node = with_enterprises(start());
    let set = |who: &str, words: &[&str]| {
        let words = [&["application", "set", "traceability", "--kind", "mini-program"][..], words].concat();
        node.by(who).json(&words, 0)["subject"].as_str().unwrap().to_owned()
    };
    let theirs = set("acme", &["--users", "120", "--month", "2024-01", "--developer", "样例软件"]);
    let mine = set("rival", &[]);
    let own = set("operator", &[]);
    assert_eq!(set("acme", &["--developer", "样例软件"]), theirs, "the name leads to it");
    node.by("acme").run(&["application", "users", &theirs, "150", "--month", "2024-02"]).expect(0);
    node.run(&["application", "users", &theirs, "1", "--month", "2999-01"])
        .expect(4)
        .says(&["INVALID_BUSINESS", "month"]);
    let changed: [&[&str]; 4] = [
        &["application", "set", "x", "--kind", "web", "--application"],
        &["application", "set", "x", "--kind", "web", "--owner"],
        &["application", "users", "1", "--month", "2024-01"],
        &["application", "delete"],
    ];
    for id in [&theirs, &own] {
        let owner = if *id == theirs { "E1" } else { "node" };
        let all: [&[&str]; 4] = [
            &[changed[0], &[id.as_str()]].concat(),
            &[changed[1], &[owner]].concat(),
            &[&changed[2][..2], &[id.as_str()], &changed[2][2..]].concat(),
            &[changed[3], &[id.as_str()]].concat(),
        ];
        for words in all {
            println!("{words:?}");
            node.by("rival").run(words).expect(4).says(&["NOT_PERMITTED"]);
            node.by("aud").run(words).expect(4).says(&["NOT_PERMITTED"]);
        }
        node.by("rival").run(&["application", "show", id]).expect(3).says(&["NOT_FOUND"]);
    }
    let ids = |who: &str, words: &[&str]| -> Vec<String> {
        let listed = node.by(who).run(&[&["application", "list", "--json"], words].concat()).expect(0).json();
        listed.iter().map(|each| each["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((ids("acme", &[]), ids("rival", &[])), (vec![theirs.clone()], vec![mine.clone()]));
    assert_eq!(ids("rival", &["--owner", "E1"]), Vec::<String>::new());
    for all in ["operator", "rev", "aud"] {
        assert_eq!(ids(all, &[]), [theirs.clone(), mine.clone(), own.clone()], "{all}");
    }
    assert_eq!(ids("operator", &["--owner", "node"]), std::slice::from_ref(&own));
    node.by("rival").run(&["application", "delete", &mine]).expect(0);
    let (theirs, own) = (theirs.clone(), own.clone());
    let node = node.restart(|_| {});
    let shown = node.by("acme").json(&["application", "show", &theirs], 0);
    assert_eq!(
        (&shown["owner"], &shown["kind_number"], &shown["developer"]),
        (&json!("E1"), &json!(2), &json!("样例软件"))
    );
    let users = json!([{"month": "2024-01", "users": 120}, {"month": "2024-02", "users": 150}]);
    assert_eq!(shown["users"], users);
    node.by("rival").run(&["application", "list"]).expect(0);
    let left = node.by("operator").run(&["application", "list", "--json"]).expect(0).json();
    assert_eq!(left.iter().map(|each| each["id"].clone()).collect::<Vec<_>>(), [json!(theirs), json!(own)]);
    let audit = node.run(&["audit", "search", "--json"]).expect(0).out;
    for verb in ["application-put", "application-users", "application-delete"] {
        assert!(audit.contains(verb), "{verb}");
    }
}
