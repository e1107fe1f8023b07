//! What is said of people, all the way up: it reaches the top-level node in the sets that need it, and stands nowhere else: in no other set, no log, no file of
//! the node, no page, no answer to whoever looks after the outbox.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use serde_json::{Value, json};
use tempfile::tempdir;
use waymark_tests::above::{TopNode, until};
use waymark_tests::operated::Node;
use waymark_tests::process::{run, tool};

/// The sets that tell of people (TLN-GUIDE annex 1: the records of the operator and of enterprises).
const PERSONAL: [&str; 2] = ["T1", "T6"];

/// Every set, as the guide numbers them.
const SETS: [&str; 13] = ["T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8", "T9", "T10", "T11", "MONITORING", "INCIDENT"];

/// People of the node and of an enterprise; each word stands nowhere else.
const WORDS: [&str; 14] = [
    "欧阳明月",
    "330106197001017771",
    "司马流云",
    "E98765432X",
    "13800138777",
    "sima.liuyun@example.cn",
    "ouyang.mingyue@example.cn",
    "+86571-8765-433",
    "诸葛清风",
    "330106198002028880",
    "上官若水",
    "E12345678Y",
    "13900139888",
    "shangguan.ruoshui@example.cn",
];

fn people(of_node: bool) -> Value {
    let person =
        |name: &str, kind: &str, number: &str| json!({"name": name, "document_kind": kind, "document_number": number});
    let [w0, w1, w2, w3, w4, w5, _, _, w8, w9, w10, w11, w12, w13] = WORDS;
    if of_node {
        let (legal, contact) = (person(w0, "identity-card", w1), person(w2, "passport", w3));
        json!({"legal_person": legal, "contact": contact, "phone": w4, "email": w5})
    } else {
        let (legal, contact) = (person(w8, "identity-card", w9), person(w10, "passport", w11));
        json!({"legal_person": legal, "contact": contact, "phone": w12, "email": w13})
    }
}

/// The words found in bytes, in any of the forms they may have there.
fn found(bytes: &[u8]) -> Vec<&'static str> {
    let holds = |form: &[u8]| bytes.windows(form.len()).any(|window| window == form);
    let is_in = |word: &str| {
        let escaped: String = word.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        holds(word.as_bytes()) || holds(hex::encode(word).as_bytes()) || (!word.is_ascii() && holds(escaped.as_bytes()))
    };
    WORDS.into_iter().filter(|word| is_in(word)).collect()
}

#[test]
fn what_is_said_of_people_gets_up_and_is_nowhere_else() {
    let folder = tempdir().unwrap();
    let above = TopNode::start(folder.path());
    let grpc = &above.grpc;
    let node = Node::start("[log]\nlevel = \"debug\"\n");
    let template = run(tool(["operator-record", "template"])).expect(0);
    let mut record: Value = serde_json::from_str(&template.out).unwrap();
    let representative = json!({"phone": WORDS[4], "email": WORDS[6], "fax": WORDS[7]});
    record["personal"] = json!({"people": people(true), "representative": representative});
    let file = node.bench.put("record.json", record.to_string());
    let mut said = node.run(&["operator-record", "set", file.to_str().unwrap()]).expect(0).out;
    let mut enterprise: Value = serde_json::from_str(include_str!("../../config/enterprise.json")).unwrap();
    enterprise["personal"] = people(false);
    let file = node.bench.put("enterprise.json", enterprise.to_string());
    said += &node.run(&["enterprise", "put", file.to_str().unwrap()]).expect(0).out;

    // Enterprises are told once an hour, and by a node that starts at once.
    let docked = format!("[sync]\nprefix = \"88.990\"\nserver = \"{grpc}\"\n");
    let node = node.restart(|bench| bench.configure(&docked));

    // It gets there: every word, each in its set.
    until("the record and the enterprise", || {
        let held = |set| found(above.held_page("88.990", set).as_bytes());
        (held("T1") == WORDS[..8] && held("T6") == WORDS[8..]).then_some(())
    });
    for set in SETS.iter().filter(|set| !PERSONAL.contains(set)) {
        assert_eq!(found(above.held_page("88.990", set).as_bytes()), [""; 0], "{set}");
    }

    // And is nowhere else: in what the operator is shown of the outbox, in pages, in files, in the logs of both.
    for words in [
        &["sync", "status"][..],
        &["sync", "status", "--json"],
        &["sync", "show", "T1"],
        &["sync", "show", "T1", "1"],
        &["sync", "show", "T6", "1", "--json"],
        &["audit", "search", "--json"],
    ] {
        let shown = node.run(words);
        said += &(shown.out + &shown.err);
    }
    said += &node.daemon.page("/metrics").1;
    assert_eq!(found(said.as_bytes()), [""; 0], "shown");
    std::fs::remove_file(node.bench.path("record.json")).unwrap();
    std::fs::remove_file(node.bench.path("enterprise.json")).unwrap();
    let Node { bench, daemon, .. } = node;
    let ended = daemon.stop();
    assert!(ended.err.contains("DEBUG"), "nothing is logged at this level: {}", ended.err);
    assert_eq!(found(ended.err.as_bytes()), [""; 0], "the log of the node");
    assert_eq!(found(&bench.data_bytes()), [""; 0], "files of the node");
    assert_eq!(found(above.process.kill().err.as_bytes()), [""; 0], "the log of the top-level node");
}
