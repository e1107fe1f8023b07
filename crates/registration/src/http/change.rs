//! Changes as JSON: what the message `Change` is over gRPC, values in the form of `waymark_catalog::form`.
//!
//! ```json
//! {"handle":"88.1/x","create":{"values":[…]}}                      also replace, modify_values
//! {"handle":"88.1/x","add_values":{"values":[…],"overwrite":true}}
//! {"handle":"88.1/x","remove_values":{"indexes":[1,2]}}
//! {"handle":"88.1/x","delete":{},"expect":{"serial":17}}           also {"content_hash":"…"}, {"absent":true}
//! {"handle":"88.1/x","suspend":{"reason":"recall"}}                also resume, revoke
//! {"handle":"88.1/x","from_template":{"template":"EXC-1.2","fields":[{"type":"productName","text":"…"}]}}   also {"index":2000,…}, "replace":true
//! {"handle":"88.1/x","values":[…]}                                 the same as create
//! ```

use serde::Deserialize;
use serde_json::value::RawValue;
use waymark_catalog::access::prefix_of;
use waymark_catalog::config::REASON_BYTES;
use waymark_catalog::form::line;
use waymark_catalog::template::{FieldValue, TemplateName};
use waymark_catalog::{AddMode, Command, ContentHash, Expect, MAX_INDEX, Order, PutMode, Serial, Timestamps, ValueSet};
use waymark_ident::MAX_HANDLE_BYTES;

use super::request::cut;
use crate::failure::Failure;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeIn<'a> {
    handle: String,
    #[serde(borrow, default)]
    values: Option<&'a RawValue>,
    #[serde(borrow, default)]
    create: Option<ValuesIn<'a>>,
    #[serde(borrow, default)]
    replace: Option<ValuesIn<'a>>,
    #[serde(borrow, default)]
    add_values: Option<AddIn<'a>>,
    #[serde(borrow, default)]
    modify_values: Option<ValuesIn<'a>>,
    #[serde(default)]
    remove_values: Option<RemoveIn>,
    #[serde(default)]
    delete: Option<Nothing>,
    #[serde(default)]
    suspend: Option<ReasonIn>,
    #[serde(default)]
    resume: Option<Nothing>,
    #[serde(default)]
    revoke: Option<ReasonIn>,
    #[serde(default)]
    recall: Option<ReasonIn>,
    #[serde(default)]
    lift_recall: Option<Nothing>,
    #[serde(default)]
    from_template: Option<FromTemplateIn>,
    #[serde(default)]
    expect: Option<ExpectIn>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValuesIn<'a> {
    #[serde(borrow)]
    values: &'a RawValue,
    #[serde(default)]
    keep_timestamps: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddIn<'a> {
    #[serde(borrow)]
    values: &'a RawValue,
    #[serde(default)]
    overwrite: bool,
    #[serde(default)]
    keep_timestamps: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RemoveIn {
    indexes: Vec<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReasonIn {
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FromTemplateIn {
    template: String,
    fields: Vec<FieldIn>,
    #[serde(default)]
    replace: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldIn {
    #[serde(default)]
    index: u32,
    #[serde(default, rename = "type")]
    kind: String,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectIn {
    #[serde(default)]
    serial: Option<u64>,
    #[serde(default)]
    content_hash: Option<String>,
    #[serde(default)]
    absent: Option<bool>,
}

/// Reads a change.
pub(crate) fn order(json: &[u8]) -> Result<Order, Failure> {
    let change: ChangeIn<'_> = parse(json)?;
    let handle = change.handle;
    check_handle(&handle)?;
    let expect = change.expect.map(expectation).transpose()?;
    let handle = handle.into_bytes();
    let put = |values: ValueSet, keep, mode| Command::Put {
        handle: handle.clone(),
        values,
        timestamps: timestamps(keep),
        mode,
    };
    let mut commands = Vec::new();
    if let Some(values) = change.values {
        commands.push(put(value_set(values, "values")?, false, PutMode::CreateOrSame));
    }
    if let Some(ValuesIn { values, keep_timestamps }) = change.create {
        commands.push(put(value_set(values, "create.values")?, keep_timestamps, PutMode::CreateOrSame));
    }
    if let Some(ValuesIn { values, keep_timestamps }) = change.replace {
        commands.push(put(value_set(values, "replace.values")?, keep_timestamps, PutMode::Replace));
    }
    if let Some(AddIn { values, overwrite, keep_timestamps }) = change.add_values {
        commands.push(Command::AddValues {
            handle: handle.clone(),
            values: some_values(values, "add_values.values")?,
            timestamps: timestamps(keep_timestamps),
            mode: if overwrite { AddMode::Overwrite } else { AddMode::NewOrSame },
        });
    }
    if let Some(ValuesIn { values, keep_timestamps }) = change.modify_values {
        commands.push(Command::ModifyValues {
            handle: handle.clone(),
            values: some_values(values, "modify_values.values")?,
            timestamps: timestamps(keep_timestamps),
        });
    }
    if let Some(RemoveIn { indexes }) = change.remove_values {
        check_indexes(&indexes)?;
        commands.push(Command::RemoveValues { handle: handle.clone(), indexes });
    }
    if let Some(Nothing {}) = change.delete {
        commands.push(Command::Delete { handle: handle.clone() });
    }
    if let Some(ReasonIn { reason }) = change.suspend {
        check_reason(&reason, "suspend.reason")?;
        commands.push(Command::Suspend { handle: handle.clone(), reason });
    }
    if let Some(Nothing {}) = change.resume {
        commands.push(Command::Resume { handle: handle.clone() });
    }
    if let Some(ReasonIn { reason }) = change.revoke {
        check_reason(&reason, "revoke.reason")?;
        commands.push(Command::Revoke { handle: handle.clone(), reason });
    }
    if let Some(ReasonIn { reason }) = change.recall {
        check_reason(&reason, "recall.reason")?;
        commands.push(Command::Recall { handle: handle.clone(), reason });
    }
    if let Some(Nothing {}) = change.lift_recall {
        commands.push(Command::LiftRecall { handle: handle.clone() });
    }
    if let Some(FromTemplateIn { template, fields, replace }) = change.from_template {
        let template = TemplateName::parse_in(&prefix_of(&handle), &template)
            .map_err(|error| Failure::invalid_field("from_template.template", error.to_string()))?;
        let fields = fields.into_iter().map(|FieldIn { index, kind, text }| FieldValue { index, kind, text }).collect();
        let mode = if replace { PutMode::Replace } else { PutMode::CreateOrSame };
        commands.push(Command::PutFromTemplate { handle: handle.clone(), template, fields, mode });
    }
    match (commands.pop(), commands.is_empty()) {
        (Some(command), true) => Ok(Order { command, expect }),
        _ => Err(Failure::invalid_field("", ONE_ACTION)),
    }
}

const ONE_ACTION: &str = "must have one of create, replace, add_values, modify_values, remove_values, delete, suspend, resume, revoke, recall, lift_recall, from_template";

/// Reads all values an identifier shall have.
pub(crate) fn replacement(handle: String, json: &[u8], expect: Option<Expect>) -> Result<Order, Failure> {
    check_handle(&handle)?;
    let ValuesIn { values, keep_timestamps } = parse(json)?;
    let values = value_set(values, "values")?;
    let timestamps = timestamps(keep_timestamps);
    let command = Command::Put { handle: handle.into_bytes(), values, timestamps, mode: PutMode::Replace };
    Ok(Order { command, expect })
}

/// A deletion.
pub(crate) fn deletion(handle: String, expect: Option<Expect>) -> Order {
    Order { command: Command::Delete { handle: handle.into_bytes() }, expect }
}

/// Reads codes to be judged.
pub(crate) fn codes(json: &[u8]) -> Result<Vec<String>, Failure> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct CodesIn {
        codes: Vec<String>,
    }
    parse::<CodesIn>(json).map(|asked| asked.codes)
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(json).map_err(|error| Failure::invalid_field("body", cut(&error.to_string())))
}

fn check_handle(handle: &str) -> Result<(), Failure> {
    if handle.is_empty() || handle.len() > MAX_HANDLE_BYTES {
        return Err(Failure::invalid_field("handle", format!("must have between 1 and {MAX_HANDLE_BYTES} bytes")));
    }
    Ok(())
}

/// Reads a list of values by the one reader of that form, which takes them within a record.
fn value_set(values: &RawValue, path: &str) -> Result<ValueSet, Failure> {
    let record = format!("{{\"handle\":\"0/0\",\"values\":{}}}", values.get());
    line::read(record.as_bytes()).map(|line| line.values).map_err(|error| {
        let inside = error.field.strip_prefix("values").unwrap_or_default();
        Failure::invalid_field(format!("{path}{}", cut(inside)), cut(&error.cause.to_string()))
    })
}

fn some_values(values: &RawValue, path: &str) -> Result<ValueSet, Failure> {
    let set = value_set(values, path)?;
    if set.count() == 0 { Err(Failure::invalid_field(path, "must not be empty")) } else { Ok(set) }
}

const fn timestamps(keep: bool) -> Timestamps {
    if keep { Timestamps::Keep } else { Timestamps::Now }
}

fn check_indexes(indexes: &[u32]) -> Result<(), Failure> {
    let field = "remove_values.indexes";
    if indexes.is_empty() {
        return Err(Failure::invalid_field(field, "must not be empty"));
    }
    match indexes.iter().position(|index| *index == 0 || *index > MAX_INDEX) {
        None => Ok(()),
        Some(at) => Err(Failure::invalid_field(format!("{field}[{at}]"), format!("must be between 1 and {MAX_INDEX}"))),
    }
}

fn check_reason(reason: &str, field: &str) -> Result<(), Failure> {
    if reason.len() > REASON_BYTES {
        return Err(Failure::invalid_field(field, format!("must have at most {REASON_BYTES} bytes")));
    }
    Ok(())
}

fn expectation(expect: ExpectIn) -> Result<Expect, Failure> {
    match expect {
        ExpectIn { serial: Some(serial), content_hash: None, absent: None } => Ok(Expect::Serial(Serial(serial))),
        ExpectIn { serial: None, content_hash: Some(text), absent: None } => {
            let mut hash = [0; 32];
            let wrong = |_| Failure::invalid_field("expect.content_hash", "must be 64 hexadecimal digits");
            hex::decode_to_slice(text, &mut hash).map_err(wrong)?;
            Ok(Expect::Content(ContentHash(hash)))
        }
        ExpectIn { serial: None, content_hash: None, absent: Some(true) } => Ok(Expect::Absent),
        _ => Err(Failure::invalid_field("expect", "must have one of serial, content_hash, \"absent\":true")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(json: &str) -> String {
        order(json.as_bytes()).unwrap_err().violations()[0].field.clone()
    }

    #[test]
    fn every_action_is_read() {
        let value = r#"[{"index":1,"type":"URL","data":"x"}]"#;
        let read = |rest: &str| {
            let Order { command, expect } = order(format!("{{\"handle\":\"88.1/产\",{rest}}}").as_bytes()).unwrap();
            (format!("{command:?}").split([' ', '{']).next().unwrap().to_owned(), expect)
        };
        for (name, rest) in [
            ("Put", format!("\"values\":{value}")),
            ("Put", format!("\"create\":{{\"values\":{value},\"keep_timestamps\":true}}")),
            ("Put", format!("\"replace\":{{\"values\":{value}}}")),
            ("AddValues", format!("\"add_values\":{{\"values\":{value},\"overwrite\":true}}")),
            ("ModifyValues", format!("\"modify_values\":{{\"values\":{value}}}")),
            ("RemoveValues", "\"remove_values\":{\"indexes\":[1]}".into()),
            ("Delete", "\"delete\":{}".into()),
            ("Suspend", "\"suspend\":{\"reason\":\"召回\"}".into()),
            ("Resume", "\"resume\":{}".into()),
            ("Revoke", "\"revoke\":{}".into()),
            ("Recall", "\"recall\":{\"reason\":\"裂纹\"}".into()),
            ("LiftRecall", "\"lift_recall\":{}".into()),
        ] {
            assert_eq!(read(&rest), (name.to_owned(), None), "{rest}");
        }
        assert_eq!(read(r#""delete":{},"expect":{"serial":7}"#).1, Some(Expect::Serial(Serial(7))));
        assert_eq!(read(r#""delete":{},"expect":{"absent":true}"#).1, Some(Expect::Absent));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        assert_eq!(field("{"), "body");
        assert_eq!(field(r#"{"handle":"1/x","vlaues":[]}"#), "body");
        assert_eq!(field(r#"{"handle":"","delete":{}}"#), "handle");
        assert_eq!(field(r#"{"handle":"1/x"}"#), "");
        assert_eq!(field(r#"{"handle":"1/x","delete":{},"resume":{}}"#), "");
        let bad = r#"{"handle":"1/x","create":{"values":[{"index":1,"type":"T","data":""},{"index":0}]}}"#;
        assert_eq!(field(bad), "create.values[1].index");
        assert_eq!(field(r#"{"handle":"1/x","add_values":{"values":[]}}"#), "add_values.values");
        assert_eq!(field(r#"{"handle":"1/x","remove_values":{"indexes":[1,0]}}"#), "remove_values.indexes[1]");
        assert_eq!(field(r#"{"handle":"1/x","delete":{},"expect":{"content_hash":"x"}}"#), "expect.content_hash");
        assert_eq!(field(r#"{"handle":"1/x","delete":{},"expect":{}}"#), "expect");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = order(&bytes);
        }

        #[test]
        fn arbitrary_values_never_panic(values in "[\\[\\]{}\":,a-z0-9]{0,60}") {
            let _ = order(format!("{{\"handle\":\"1/x\",\"create\":{{\"values\":{values}}}}}").as_bytes());
        }
    }
}
