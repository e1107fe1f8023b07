//! Item 2: a prefix from the application to the moment it is answered for, each step timed; one that waits, one that is refused.

use std::time::Duration;

use serde_json::{Value, json};

use super::stage::{PENDING, PREFIX, REFUSED, Stage, text, until};
use super::tried::Item;

/// How long a verdict from above is waited for.
const VERDICT_TIME: Duration = Duration::from_secs(30);

/// An image of a document: its first bytes say what it is.
const IMAGE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01 of the rehearsal";

/// Tries it.
pub(super) fn try_out(stage: &mut Stage) -> Item {
    Item::of_steps(2, |item| {
        introduce(stage, item);
        for prefix in [PREFIX, PENDING, REFUSED] {
            let applied = stage.by("operator", &["prefix", "apply", prefix, "--enterprise", "E1"]);
            item.tell("apply", applied.words.clone(), applied.seen(), applied.code == 0);
            for step in ["review", "approve"] {
                let done = stage.by("reviewer", &["prefix", step, prefix]);
                item.tell(step, done.words.clone(), done.seen(), done.code == 0);
            }
        }
        let active = reaches(stage, PREFIX, "active");
        item.tell("polled-active", format!("prefix case {PREFIX}"), active.0, active.1);
        let refused = reaches(stage, REFUSED, "rejected");
        item.tell("polled-rejected", format!("prefix case {REFUSED}"), refused.0, refused.1);
        let waits = state(stage, PENDING);
        item.tell("pending", format!("prefix case {PENDING}"), waits.clone(), waits == "awaiting-top-level");
        let decided = stage.epp().decide(PENDING, true, "通过");
        let active = reaches(stage, PENDING, "active");
        item.tell("decided-later", "the simulator decides, the node polls", active.0, decided && active.1);
        let hosted = stage.by("operator", &["prefix", "host", PREFIX]);
        item.tell("host", hosted.words.clone(), hosted.seen(), hosted.code == 0);
        timed(stage, item);
        let held = stage.epp().holdings();
        let once = held.enterprises.values().all(|each| each.made == 1)
            && held.prefixes.values().all(|each| each.made == 1)
            && held.prefixes.contains_key(PREFIX);
        let seen =
            format!("{} enterprises, {} prefixes, each made once: {once}", held.enterprises.len(), held.prefixes.len());
        item.tell("once", "what the simulator holds", seen, once);
    })
}

/// The enterprise says who it is, and is verified.
fn introduce(stage: &Stage, item: &mut Item) {
    let person =
        |name: &str, number: &str| json!({"name": name, "document_kind": "passport", "document_number": number});
    let enterprise = json!({
        "profile": {
            "name": "演练样例有限公司", "name_en": "Rehearsal Ltd", "nature": "company", "province": "330000",
            "city": "330100", "address": "文三路 1 号", "document_kind": "credit-code", "document_number": "91350100M000100Y43",
            "industry_section": "C", "industry_division": "14",
        },
        "personal": {
            "legal_person": person("张三", "E00000001"), "contact": person("李四", "E00000002"),
            "phone": "13800000000", "email": "rehearsal@example.cn",
        },
    });
    let file = stage.put("enterprise.json", enterprise.to_string().as_bytes());
    let put = stage.by("enterprise", &["enterprise", "put", text(&file)]);
    item.tell("enterprise", "enterprise put", put.seen(), put.code == 0);
    let image = stage.put("image.png", IMAGE);
    for kind in ["document", "legal-person-front"] {
        let kept = stage.by("enterprise", &["enterprise", "image", kind, text(&image)]);
        item.tell("image", format!("enterprise image {kind}"), kept.seen(), kept.code == 0);
    }
    let verified = stage.by("reviewer", &["enterprise", "real-name", "E1", "verified", "--source", "registry"]);
    item.tell("real-name", verified.words.clone(), verified.seen(), verified.code == 0);
}

fn case(stage: &Stage, prefix: &str) -> Value {
    stage.by("operator", &["prefix", "case", prefix, "--json"]).json()
}

fn state(stage: &Stage, prefix: &str) -> String {
    case(stage, prefix).get("state").and_then(Value::as_str).unwrap_or("none").to_owned()
}

/// The state a case ends in, and whether it is the one that is wanted, within the time.
fn reaches(stage: &Stage, prefix: &str, wanted: &str) -> (String, bool) {
    let reached = until(VERDICT_TIME, || Some(state(stage, prefix)).filter(|state| state == wanted));
    let is_reached = reached.is_some();
    (reached.unwrap_or_else(|| state(stage, prefix)), is_reached)
}

/// Each step has its time, and they are in order.
fn timed(stage: &Stage, item: &mut Item) {
    let case = case(stage, PREFIX);
    let steps = case.get("steps").and_then(Value::as_array).into_iter().flatten();
    let field = |step: &Value, name: &str| step.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let steps: Vec<_> = steps.map(|step| (field(step, "kind"), field(step, "time"))).collect();
    let names: Vec<&str> = steps.iter().map(|(name, _)| name.as_str()).collect();
    let is_whole = names == ["apply", "review", "approve", "confirm", "host"];
    // Times of one form and length, so they are in order as texts.
    let in_order = steps.iter().zip(steps.iter().skip(1)).all(|((_, one), (_, other))| one <= other);
    let has_times = steps.iter().all(|(_, time)| !time.is_empty());
    let seen = steps.iter().map(|(name, time)| format!("{name} {time}")).collect::<Vec<_>>().join(", ");
    item.tell("timed", format!("prefix case {PREFIX}"), seen, is_whole && in_order && has_times);
}
