//! One handle value from JSON.

use serde_json::value::RawValue;
use waymark_wire::{Permissions, ReferenceBuf, Ttl, ValueBuf};

use super::cause::{Cause, FieldError, FieldResult};
use super::data_read::data;
use super::iso;
use super::object::{list, number, object, text};
use crate::values::MAX_INDEX;

/// Field of a value that only describes it to people.
const DESCRIBED: &[&str] = &["label"];

/// Reads a value; also tells whether a describing field was dropped.
pub(crate) fn value(raw: &RawValue) -> FieldResult<(ValueBuf, bool)> {
    let mut fields = object(raw)?;
    let dropped = fields.drop_described(DESCRIBED);
    let value = ValueBuf {
        index: fields.read("index", |raw| number(raw, 1, i64::from(MAX_INDEX)))?,
        kind: fields.read("type", text)?.into_owned().into_bytes(),
        ttl: fields.read_or("ttl", Ttl::DAY, ttl)?,
        permissions: fields.read_or("permissions", Permissions::USUAL, permissions)?,
        timestamp: fields.read_or("timestamp", 0, timestamp)?,
        data: fields.read("data", data)?,
        references: fields.read_or("references", Vec::new(), references)?,
    };
    fields.finish()?;
    Ok((value, dropped))
}

/// Reads `[{"index":n,"handle":"…"}]`.
pub(crate) fn references(raw: &RawValue) -> FieldResult<Vec<ReferenceBuf>> {
    list(raw)?.into_iter().enumerate().map(|(at, raw)| reference(raw).map_err(|error| error.at(at))).collect()
}

fn reference(raw: &RawValue) -> FieldResult<ReferenceBuf> {
    let mut fields = object(raw)?;
    let reference = ReferenceBuf {
        handle: fields.read("handle", text)?.into_owned().into_bytes(),
        index: fields.read("index", |raw| number(raw, 0, i64::from(u32::MAX)))?,
    };
    fields.finish()?;
    Ok(reference)
}

fn ttl(raw: &RawValue) -> FieldResult<Ttl> {
    let seconds = |raw| number(raw, i64::from(i32::MIN), i64::from(i32::MAX));
    match raw.get().as_bytes().first() {
        Some(b'"') => {
            let wrong = || FieldError::new("", Cause::WrongKind { expected: "a time" });
            let time = iso::parse(&text(raw)?).ok_or_else(wrong)?;
            i32::try_from(time).map(Ttl::Absolute).map_err(|_| wrong())
        }
        Some(b'{') => {
            let mut fields = object(raw)?;
            let kind: u8 = fields.read("type", |raw| number(raw, 0, i64::from(u8::MAX)))?;
            let value = fields.read("value", seconds)?;
            fields.finish()?;
            Ok(Ttl::from_wire(kind, value))
        }
        _ => seconds(raw).map(Ttl::Relative),
    }
}

fn timestamp(raw: &RawValue) -> FieldResult<u32> {
    if raw.get().starts_with('"') {
        let time = iso::parse(&text(raw)?);
        return time
            .and_then(|time| u32::try_from(time).ok())
            .ok_or_else(|| FieldError::new("", Cause::WrongKind { expected: "a time" }));
    }
    number(raw, 0, i64::from(u32::MAX))
}

fn permissions(raw: &RawValue) -> FieldResult<Permissions> {
    parse_permissions(text(raw)?.as_bytes()).ok_or_else(|| FieldError::new("", Cause::Permissions))
}

/// Reads four or eight characters `0` or `1`, the last one public write.
pub(crate) fn parse_permissions(characters: &[u8]) -> Option<Permissions> {
    if !matches!(characters.len(), 4 | 8) {
        return None;
    }
    let bits = characters.iter().try_fold(0, |bits: u8, character| match character {
        b'0' => Some(bits << 1),
        b'1' => Some(bits << 1 | 1),
        _ => None,
    })?;
    Some(Permissions(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<ValueBuf, (String, String)> {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        value(raw).map(|(value, _)| value).map_err(|error| (error.field, error.cause.to_string()))
    }

    #[test]
    fn absent_fields_have_the_usual_values() {
        let value = read(r#"{"index":1,"type":"URL","data":"x"}"#).unwrap();
        assert_eq!(value, ValueBuf::new(1, b"URL", b"x"));
    }

    #[test]
    fn all_four_permission_characters_count() {
        let permissions = |text: &str| parse_permissions(text.as_bytes()).map(|p| p.0);
        assert_eq!(permissions("0110"), Some(0x06));
        assert_eq!(permissions("1110"), Some(0x0e));
        assert_eq!(permissions("10001110"), Some(0x8e));
        assert_eq!(permissions("111"), None);
        assert_eq!(permissions("111x"), None);
        assert_eq!(permissions("11100"), None);
    }

    #[test]
    fn every_kind_of_ttl_and_time_is_read() {
        let ttl = |json: &str| read(&format!(r#"{{"index":1,"type":"T","data":"","ttl":{json}}}"#)).map(|v| v.ttl);
        assert_eq!(ttl("-5"), Ok(Ttl::Relative(-5)));
        assert_eq!(ttl("\"1970-01-02T00:00:00Z\""), Ok(Ttl::Absolute(86_400)));
        assert_eq!(ttl("{\"type\":7,\"value\":5}"), Ok(Ttl::Other { kind: 7, value: 5 }));
        assert_eq!(ttl("\"tomorrow\""), Err(("ttl".into(), "not a time".into())));
        assert_eq!(ttl("2147483648"), Err(("ttl".into(), "not between -2147483648 and 2147483647".into())));
        let time = |json: &str| read(&format!(r#"{{"index":1,"type":"T","data":"","timestamp":{json}}}"#));
        assert_eq!(time("4294967295").unwrap().timestamp, u32::MAX);
        assert_eq!(time("\"1970-01-01T00:00:09Z\"").unwrap().timestamp, 9);
    }

    #[test]
    fn errors_name_the_field_inside_the_value() {
        let field = |json: &str| read(json).unwrap_err().0;
        assert_eq!(field(r#"{"index":0,"type":"T","data":""}"#), "index");
        assert_eq!(field(r#"{"index":1,"data":""}"#), "type");
        assert_eq!(field(r#"{"index":1,"type":"T","data":{"format":"string"}}"#), "data.value");
        assert_eq!(
            field(r#"{"index":1,"type":"T","data":"","references":[{"index":1,"handle":5}]}"#),
            "references[0].handle"
        );
        assert_eq!(field(r#"{"index":1,"type":"T","data":"","comment":""}"#), "comment");
    }
}
