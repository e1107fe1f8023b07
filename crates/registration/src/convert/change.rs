//! From a change of the interface to an order for the writer.

use waymark_api::registration::v1::{self, change::Action, expectation::Condition};
use waymark_catalog::access::prefix_of;
use waymark_catalog::config::REASON_BYTES;
use waymark_catalog::template::{FieldValue, TemplateName, TemplateNameError};
use waymark_catalog::{
    AddMode, Command, ContentHash, Expect, MAX_INDEX, Order, PutMode, Serial, Timestamps, ValueSet, ValueSetError,
};
use waymark_ident::MAX_HANDLE_BYTES;

use super::{Faults, value};
use crate::failure::Failure;

/// Reads a change.
pub(crate) fn order(change: v1::Change) -> Result<Order, Failure> {
    let v1::Change { handle, action, expect } = change;
    let mut faults = Faults::default();
    if handle.is_empty() || handle.len() > MAX_HANDLE_BYTES {
        faults.note(|| "handle".to_owned(), format!("must have between 1 and {MAX_HANDLE_BYTES} bytes"));
    }
    let expect = expect.and_then(|expect| expectation(expect, &mut faults));
    let handle = handle.into_bytes();
    let command = match action {
        Some(action) => command(handle, action, &mut faults),
        None => {
            faults.note(|| "action".to_owned(), "must be one of create, replace, add_values, ...");
            None
        }
    };
    faults.finish()?;
    // Without faults there is a command.
    let command = command.ok_or_else(|| Failure::invalid_field("action", "is missing"))?;
    Ok(Order { command, expect })
}

/// The command of an action; `None` only with a fault.
fn command(handle: Vec<u8>, action: Action, faults: &mut Faults) -> Option<Command> {
    Some(match action {
        Action::Create(v1::Create { values, keep_timestamps }) => Command::Put {
            handle,
            values: value_set(values, "create", faults),
            timestamps: timestamps(keep_timestamps),
            mode: PutMode::CreateOrSame,
        },
        Action::Replace(v1::Replace { values, keep_timestamps }) => Command::Put {
            handle,
            values: value_set(values, "replace", faults),
            timestamps: timestamps(keep_timestamps),
            mode: PutMode::Replace,
        },
        Action::AddValues(v1::AddValues { values, overwrite, keep_timestamps }) => Command::AddValues {
            handle,
            values: some_values(values, "add_values", faults),
            timestamps: timestamps(keep_timestamps),
            mode: if overwrite { AddMode::Overwrite } else { AddMode::NewOrSame },
        },
        Action::ModifyValues(v1::ModifyValues { values, keep_timestamps }) => Command::ModifyValues {
            handle,
            values: some_values(values, "modify_values", faults),
            timestamps: timestamps(keep_timestamps),
        },
        Action::RemoveValues(v1::RemoveValues { indexes }) => {
            if indexes.is_empty() {
                faults.note(|| "remove_values.indexes".to_owned(), "must not be empty");
            }
            for (at, index) in indexes.iter().enumerate() {
                if *index == 0 || *index > MAX_INDEX {
                    faults.note(|| format!("remove_values.indexes[{at}]"), "must be between 1 and 2147483647");
                }
            }
            Command::RemoveValues { handle, indexes }
        }
        Action::Delete(v1::Delete {}) => Command::Delete { handle },
        Action::Suspend(v1::Suspend { reason }) => {
            Command::Suspend { handle, reason: checked_reason(reason, "suspend", faults) }
        }
        Action::Resume(v1::Resume {}) => Command::Resume { handle },
        Action::Revoke(v1::Revoke { reason }) => {
            Command::Revoke { handle, reason: checked_reason(reason, "revoke", faults) }
        }
        Action::Recall(v1::Recall { reason }) => {
            Command::Recall { handle, reason: checked_reason(reason, "recall", faults) }
        }
        Action::LiftRecall(v1::LiftRecall {}) => Command::LiftRecall { handle },
        Action::FromTemplate(v1::FromTemplate { template, fields, replace }) => {
            let name = TemplateName::parse_in(&prefix_of(&handle), &template);
            let wrong =
                |error: TemplateNameError| faults.note(|| "from_template.template".to_owned(), error.to_string());
            let template = name.map_err(wrong).ok()?;
            let fields = fields.into_iter().map(|field| {
                let v1::TemplateField { index, r#type: kind, text } = field;
                FieldValue { index, kind, text }
            });
            let mode = if replace { PutMode::Replace } else { PutMode::CreateOrSame };
            Command::PutFromTemplate { handle, template, fields: fields.collect(), mode }
        }
    })
}

const fn timestamps(keep: bool) -> Timestamps {
    if keep { Timestamps::Keep } else { Timestamps::Now }
}

fn some_values(values: Vec<v1::Value>, action: &str, faults: &mut Faults) -> ValueSet {
    if values.is_empty() {
        faults.note(|| format!("{action}.values"), "must not be empty");
    }
    value_set(values, action, faults)
}

/// Reads values that are a set; `action` is the path of the message they stand in.
pub(crate) fn value_set(values: Vec<v1::Value>, action: &str, faults: &mut Faults) -> ValueSet {
    let values: Vec<_> = values
        .into_iter()
        .enumerate()
        .map(|(at, each)| value::read(each, &format!("{action}.values[{at}]"), faults))
        .collect();
    match ValueSet::from_bufs(&values) {
        Ok(set) => set,
        Err(ValueSetError::Duplicate { index }) => {
            let at = values.iter().rposition(|value| value.index == index).unwrap_or_default();
            faults.note(|| format!("{action}.values[{at}].index"), format!("stands twice: {index}"));
            ValueSet::default()
        }
        // Noted with its path when the value was read.
        Err(_) => ValueSet::default(),
    }
}

fn checked_reason(reason: String, action: &str, faults: &mut Faults) -> String {
    if reason.len() > REASON_BYTES {
        faults.note(|| format!("{action}.reason"), format!("must have at most {REASON_BYTES} bytes"));
    }
    reason
}

fn expectation(expect: v1::Expectation, faults: &mut Faults) -> Option<Expect> {
    match expect.condition {
        Some(Condition::Serial(serial)) => Some(Expect::Serial(Serial(serial))),
        Some(Condition::ContentHash(hash)) => {
            let hash = <[u8; 32]>::try_from(hash.as_slice()).ok();
            if hash.is_none() {
                faults.note(|| "expect.content_hash".to_owned(), "must have 32 bytes");
            }
            hash.map(|hash| Expect::Content(ContentHash(hash)))
        }
        Some(Condition::Absent(true)) => Some(Expect::Absent),
        Some(Condition::Absent(false)) => {
            faults.note(|| "expect.absent".to_owned(), "must be true where it stands");
            None
        }
        None => {
            faults.note(|| "expect".to_owned(), "must hold a condition");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn change(action: Action) -> v1::Change {
        v1::Change { handle: "88.1/x".into(), action: Some(action), expect: None }
    }

    fn fields(change: v1::Change) -> Vec<String> {
        let failure = order(change).unwrap_err();
        failure.violations().iter().map(|violation| violation.field.clone()).collect()
    }

    fn url(index: u32) -> v1::Value {
        v1::Value { index, r#type: "URL".into(), ..v1::Value::default() }
    }

    #[test]
    fn a_creation_that_finds_the_same_is_no_refusal() {
        let order = order(change(Action::Create(v1::Create { values: vec![url(1)], keep_timestamps: true }))).unwrap();
        let Command::Put { handle, values, timestamps, mode } = order.command else { panic!("a put") };
        assert_eq!((handle.as_slice(), values.count()), (&b"88.1/x"[..], 1));
        assert_eq!((timestamps, mode), (Timestamps::Keep, PutMode::CreateOrSame));
    }

    #[test]
    fn everything_wrong_is_named_by_its_path() {
        assert_eq!(fields(v1::Change::default()), ["handle", "action"]);
        let twice = Action::Create(v1::Create { values: vec![url(1), url(2), url(1)], keep_timestamps: false });
        assert_eq!(fields(change(twice)), ["create.values[2].index"]);
        let bad = Action::ModifyValues(v1::ModifyValues { values: vec![url(0)], keep_timestamps: false });
        assert_eq!(fields(change(bad)), ["modify_values.values[0].index"]);
        assert_eq!(fields(change(Action::AddValues(v1::AddValues::default()))), ["add_values.values"]);
        let nameless = Action::FromTemplate(v1::FromTemplate { template: "EXC".into(), ..v1::FromTemplate::default() });
        assert_eq!(fields(change(nameless)), ["from_template.template"]);
        assert_eq!(fields(change(Action::RemoveValues(v1::RemoveValues::default()))), ["remove_values.indexes"]);
        let indexes = vec![1, 0];
        assert_eq!(fields(change(Action::RemoveValues(v1::RemoveValues { indexes }))), ["remove_values.indexes[1]"]);
        let reason = "x".repeat(REASON_BYTES + 1);
        assert_eq!(fields(change(Action::Revoke(v1::Revoke { reason }))), ["revoke.reason"]);
        let expect = |condition| v1::Change {
            expect: Some(v1::Expectation { condition }),
            ..change(Action::Delete(v1::Delete {}))
        };
        assert_eq!(fields(expect(None)), ["expect"]);
        assert_eq!(fields(expect(Some(Condition::ContentHash(vec![1])))), ["expect.content_hash"]);
        assert_eq!(fields(expect(Some(Condition::Absent(false)))), ["expect.absent"]);
    }

    #[test]
    fn a_message_full_of_faults_takes_bounded_room() {
        let values = vec![v1::Value::default(); 10_000];
        assert!(fields(change(Action::Create(v1::Create { values, keep_timestamps: false }))).len() <= 16);
    }

    proptest! {
        /// Whatever bytes decode as a change are converted or refused, never more.
        #[test]
        fn arbitrary_messages_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            use prost::Message as _;
            if let Ok(change) = v1::Change::decode(bytes.as_slice()) {
                let _ = order(change);
            }
        }

        #[test]
        fn arbitrary_fields_never_panic(
            handle in any::<String>(),
            index in any::<u32>(),
            kind in any::<String>(),
            ttl in any::<Option<u32>>(),
            permissions in any::<Option<u32>>(),
            raw in any::<Vec<u8>>(),
            which in 0..4,
        ) {
            let data = Some(v1::value::Data::Raw(raw));
            let values = vec![v1::Value { index, r#type: kind, ttl_seconds: ttl, permissions, data, ..v1::Value::default() }];
            let action = match which {
                0 => Action::Create(v1::Create { values, keep_timestamps: false }),
                1 => Action::AddValues(v1::AddValues { values, ..v1::AddValues::default() }),
                2 => Action::ModifyValues(v1::ModifyValues { values, keep_timestamps: true }),
                _ => Action::RemoveValues(v1::RemoveValues { indexes: vec![index] }),
            };
            let _ = order(v1::Change { handle, action: Some(action), expect: None });
        }
    }
}
