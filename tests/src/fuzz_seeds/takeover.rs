//! Files of changes made during a takeover.

use super::{Seed, samples};

const HEAD: &str = r#"{"waymark_takeover":1,"side":"emergency","node":"88.990","deposit":"0123456789abcdef0123456789abcdef","date":"2026-11-30","watermark":1200,"after":803,"upto":900,"made_ms":1796000000000}"#;

pub(super) fn seeds() -> Vec<Seed> {
    let record = samples().find(|sample| sample.contains("88.990")).unwrap_or_default();
    let values = record.find("\"values\":").and_then(|at| record.get(at..)).unwrap_or("\"values\":[]}");
    let change = |serial: u32, status: &str, reason: &str, handle: &str, values: &str| {
        format!(
            "{{\"serial\":{serial},\"time_ms\":1795999000000,\"status\":\"{status}\",\"reason\":\"{reason}\",\
             \"record\":{{\"handle\":\"{handle}\",{values}}}"
        )
    };
    let none = "\"values\":[]}";
    let all = [
        change(804, "active", "", "88.990/BOX.1", values),
        change(805, "suspended", "召回", "88.990.1/水泵", values),
        change(806, "revoked", "", "0.NA/88.990.7", none),
        change(900, "deleted", "", "88.990/BOX.2", none),
    ]
    .join("\n");
    let returned = HEAD.replace("emergency", "returned").replace("\"deposit\"", "\"case_sensitive\":true,\"deposit\"");
    [
        ("of_everything", 1, format!("{HEAD}\n{all}\n")),
        ("returned", 1, format!("{returned}\n{all}\n")),
        ("empty", 1, format!("{HEAD}\n")),
        ("cut", 0, format!("{HEAD}\n{all}\n")),
        ("foreign", 1, format!("{HEAD}\n{}\n", change(804, "active", "", "88.991/BOX.1", none))),
        ("backwards", 1, format!("{HEAD}\n{}\n", change(700, "active", "", "88.990/BOX.1", none))),
        ("other_version", 1, format!("{}\n", HEAD.replace("takeover\":1", "takeover\":2"))),
        ("no_tail", 0, format!("{HEAD}\n{{\"changes\":0,\"sha256\":\"00\"}}\n")),
    ]
    .map(|(name, shape, text)| ("takeover_file", name.to_owned(), [&[shape], text.as_bytes()].concat()))
    .to_vec()
}
