//! The plan of a year through a running node: from what is set to what a restart keeps, what is not known, and what others are refused.
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
use waymark_tests::process::Bench;

const SET: [&str; 12] = [
    "plan",
    "set",
    "--year",
    "2027",
    "--enterprises",
    "120",
    "--resolution-rate-percent",
    "95",
    "--industry",
    "C=12000",
    "--industry",
    "A=300",
];
const SHOW: [&str; 4] = ["plan", "show", "--year", "2027"];

/// A person sees these texts.
#[track_caller]
fn shows(node: &Parties, words: &[&str], texts: &[&str]) {
    let shown = node.run(words).expect(0).out;
    for text in texts {
        assert!(shown.contains(text), "{text:?} is not shown in {shown}");
    }
}

#[test]
fn the_plan_of_a_year_is_set_shown_with_what_there_is_and_kept_over_a_restart() {
    let node = Parties::start(Bench::new(""), &[]);
    shows(&node, &SHOW, &["nothing is planned", "not planned", "not counted", "industries: not planned"]);
    assert_eq!(node.json(&SET, 0)["outcome"], "stored");
    assert_eq!(node.json(&SET, 0)["outcome"], "unchanged");
    let expected = json!({
        "enterprises": { "planned": 120, "actual": 0, "reached": 0.0 },
        "identifiers": { "planned": null, "actual": null, "reached": null },
        "resolutions_per_day": { "planned": null, "actual": null, "reached": null },
        "resolution_rate_percent": { "planned": 95, "actual": null, "reached": null },
    });
    let look = |node: &Parties| {
        let plan = node.json(&SHOW, 0);
        for (name, goal) in expected.as_object().unwrap() {
            assert_eq!(plan[name], *goal, "{name}");
        }
        assert_eq!(
            (&plan["year"], &plan["day"], &plan["changed_by"]),
            (&2027.into(), &Value::Null, &"operator".into())
        );
        assert_eq!(plan["industries"][1], json!({ "section": "C", "of": 12_000, "active": 0, "penetration": 0.0 }));
        plan
    };
    let before = look(&node);
    shows(&node, &SHOW, &["plan of 2027", "95 %", "0.00 %", "12000 enterprises in the region"]);
    shows(
        &node,
        &["plan", "show", "--year", "2027", "--lang", "zh"],
        &["2027 年计划", "未计划", "未统计", "本地区 12000 家企业"],
    );
    // Without a year it is that of today, which has no plan.
    let today = node.json(&["plan", "show"], 0);
    assert!(today["year"].as_u64().unwrap() >= 2026 && today["year"].as_u64() != before["year"].as_u64(), "{today}");
    let node = node.restart(|_| ());
    assert_eq!(look(&node), before);
    let audit = node.run(&["audit", "search", "--json"]).expect(0);
    assert!(audit.out.contains("plan-put") && audit.out.contains("plan 2027"), "{}", audit.out);
}

#[test]
fn what_cannot_be_planned_is_refused_by_name_and_plans_are_for_operators_alone() {
    let node = Parties::start(
        Bench::new(""),
        &[("aud", "auditor", "*"), ("rev", "reviewer", "*"), ("part", "operator", "88.1")],
    );
    let wrong: [(&[&str], &str); 5] = [
        (&["--year", "1999", "--enterprises", "1"], "year"),
        (&["--year", "70000", "--enterprises", "1"], "year"),
        (&["--year", "2027"], "plan"),
        (&["--year", "2027", "--resolution-rate-percent", "101"], "resolution_rate_percent"),
        (&["--year", "2027", "--industry", "Z=5"], "industries"),
    ];
    for (words, field) in wrong {
        let words = [&["plan", "set"], words].concat();
        let ended = node.run(&words);
        assert_ne!(ended.status.code(), Some(0), "{words:?}");
        assert!(ended.err.contains(field), "{words:?}: {}", ended.err);
    }
    node.run(&["plan", "set", "--year", "2027", "--industry", "14=5"]).expect(2);
    for stranger in ["aud", "rev", "part"] {
        for words in [&SET[..], &SHOW] {
            node.by(stranger).run(words).expect(4).says(&["NOT_PERMITTED"]);
        }
    }
    assert_eq!(node.by("operator").json(&SHOW, 0)["serial"], Value::Null);
}
