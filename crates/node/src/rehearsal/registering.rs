//! Item 6: registration, one by one and in a batch, and what has to be refused.

use std::{fmt::Write as _, path::PathBuf};

use serde_json::json;

use super::stage::{PREFIX, Ran, Stage, text};
use super::tried::Item;

/// Identifiers of a batch: as many as one may have.
pub(super) const BATCH: usize = 2_000;

/// The template of the rehearsal.
const TEMPLATE: &str = "REHEARSAL-1.0";

/// The identifier that is tried first, and resolved by other items.
pub(super) const FIRST: &str = "88.990.701/FIRST";

/// The one with a value that is not public.
pub(super) const MIXED: &str = "88.990.701/MIXED";

/// Writes a batch; the name of each identifier begins so.
pub(super) fn batch(stage: &Stage, name: &str, count: usize) -> PathBuf {
    let mut lines = String::new();
    for number in 0..count {
        let record = json!({
            "handle": format!("{PREFIX}/{name}{number:05}"),
            "values": [{"index": 1, "type": "URL", "data": format!("https://example.invalid/{name}/{number}")}],
        });
        // Writing to a text cannot fail.
        let _ = writeln!(lines, "{record}");
    }
    stage.put(&format!("{name}.jsonl"), lines.as_bytes())
}

/// Tries it.
pub(super) fn try_out(stage: &Stage) -> Item {
    Item::of_steps(6, |item| {
        single(stage, item);
        many(stage, item);
        by_template(stage, item);
        edges(stage, item);
    })
}

fn register(stage: &Stage, who: &str, handle: &str, value: &str) -> Ran {
    stage.by(who, &["register", handle, "--value", value, "--json"])
}

fn single(stage: &Stage, item: &mut Item) {
    let made = register(stage, "writer", FIRST, "1 URL https://example.invalid/first");
    item.tell("single", made.words.clone(), made.seen(), made.at("/outcome") == "created");
    let again = register(stage, "writer", FIRST, "1 URL https://example.invalid/first");
    item.tell("duplicate-same", again.words.clone(), again.seen(), again.at("/outcome") == "exists-same");
    let other = register(stage, "writer", FIRST, "1 URL https://example.invalid/other");
    item.tell("duplicate-different", other.words.clone(), other.seen(), other.reason() == "ALREADY_EXISTS_DIFFERENT");
    let foreign = register(stage, "writer", "88.990.799/X", "1 URL u");
    item.tell("not-permitted", foreign.words.clone(), foreign.seen(), foreign.reason() == "NOT_PERMITTED");
    let mixed = json!({"handle": MIXED, "values": [
        {"index": 1, "type": "URL", "data": "https://example.invalid/public"},
        {"index": 2, "type": "PRICE", "permissions": "1100", "data": "restricted-value"},
    ]});
    let file = stage.put("mixed.json", mixed.to_string().as_bytes());
    let made = stage.by("writer", &["register", "--file", text(&file), "--json"]);
    item.tell(
        "restricted-value",
        format!("register {MIXED} with a value that is not public"),
        made.seen(),
        made.code == 0,
    );
}

/// A batch, whole; the same again, which adds nothing.
fn many(stage: &Stage, item: &mut Item) {
    let file = batch(stage, "BATCH", BATCH);
    let count = |stage: &Stage| {
        let listed = stage.by("reader", &["list", &format!("{PREFIX}/BATCH"), "--limit", "5000", "--json"]);
        listed.lines().iter().filter(|line| line.get("handle").is_some_and(serde_json::Value::is_string)).count()
    };
    let taken = stage.by("writer", &["import", text(&file), "--json"]);
    let there = count(stage);
    let seen = format!("{}; {there} identifiers are listed", taken.seen());
    item.tell("batch", format!("import of {BATCH} identifiers"), seen, taken.code == 0 && there == BATCH);
    let again = stage.by("writer", &["import", text(&file), "--from-start", "--json"]);
    let there = count(stage);
    let seen = format!("{}; {there} identifiers are listed", again.seen());
    item.tell("batch-again", "the same file once more", seen, there == BATCH);
}

fn by_template(stage: &Stage, item: &mut Item) {
    let file = stage.put("template.json", DEFINITION.as_bytes());
    let put = stage.by("enterprise", &["template", "put", text(&file), "--prefix", PREFIX]);
    item.tell("template-put", "template put", put.seen(), put.code == 0);
    let name = format!("{PREFIX}/META_{TEMPLATE}");
    let published = stage.by("enterprise", &["template", "publish", &name]);
    item.tell("template-publish", published.words.clone(), published.seen(), published.code == 0);
    let make = |handle: &str, template: &str, fields: &[&str]| {
        let handle = format!("{PREFIX}/{handle}");
        let mut words = vec!["register", &handle, "--template", template, "--json"];
        fields.iter().for_each(|field| words.extend(["--field", field]));
        stage.by("writer", &words)
    };
    let made = make("MADE", TEMPLATE, &["productName=泵", "model=P1"]);
    item.tell("by-template", made.words.clone(), made.seen(), made.at("/outcome") == "created");
    let wrong = make("WRONG", "NONE-1.0", &["productName=泵"]);
    item.tell("wrong-template", wrong.words.clone(), wrong.seen(), wrong.reason() == "TEMPLATE_NOT_FOUND");
    let unfit = make("UNFIT", TEMPLATE, &["madeDate=tomorrow"]);
    item.tell("wrong-fields", unfit.words.clone(), unfit.seen(), unfit.reason() == "FIELDS_WRONG");
    let disabled = stage.by("enterprise", &["template", "disable", &name, "2001"]);
    let made = make("DISABLED", TEMPLATE, &["productName=泵", "model=P1"]);
    let held = disabled.code == 0 && made.reason() == "FIELDS_WRONG";
    item.tell("disabled-item", format!("{}; {}", disabled.words, made.words), made.seen(), held);
}

/// The longest identifier of the national system, one that is longer, and a suffix in Chinese.
fn edges(stage: &Stage, item: &mut Item) {
    /// Bytes an identifier of the national system may have.
    const LONGEST: usize = 255;
    let of_length = |bytes: usize| {
        let lead = format!("{PREFIX}/");
        format!("{lead}{}", "x".repeat(bytes.saturating_sub(lead.len())))
    };
    let longest = register(stage, "writer", &of_length(LONGEST), "1 URL u");
    item.tell(
        "longest",
        format!("register an identifier of {LONGEST} bytes"),
        longest.seen(),
        longest.at("/outcome") == "created",
    );
    let limit = stage.config().count("names.max_handle_bytes");
    let longer = register(stage, "writer", &of_length(limit.saturating_add(1)), "1 URL u");
    let asked =
        format!("register an identifier of {} bytes, one more than names.max_handle_bytes", limit.saturating_add(1));
    item.tell("too-long", asked, longer.seen(), longer.reason() == "INVALID_HANDLE");
    let handle = format!("{PREFIX}/产品-壹号");
    let chinese = register(stage, "writer", &handle, "1 URL u");
    let back = stage.by("reader", &["get", &handle, "--json"]);
    let held = chinese.at("/outcome") == "created" && back.at("/handle").as_str() == Some(&handle);
    item.tell("non-ascii", chinese.words.clone(), back.seen(), held);
}

/// A template with an item that is required, one that can be disabled, and a date.
pub(super) const DEFINITION: &str = r#"{
  "code": "REHEARSAL", "version": "1.0", "title": "演练模板", "object_type": 2,
  "industry": {"category": "C", "division": "35", "group": "351", "class": "3514"},
  "administrator": {"handle": "{prefix}/0.ADMIN", "index": 300},
  "columns": [
    {"index": 2000, "name": "产品名称", "type": "productName", "data": "string", "required": true, "min": 1, "max": 100},
    {"index": 2001, "name": "型号", "type": "model", "data": "string", "max": 100},
    {"index": 2002, "name": "出厂日期", "type": "madeDate", "data": "date", "max": 10}
  ]
}"#;
