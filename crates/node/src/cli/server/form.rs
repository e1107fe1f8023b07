//! Values between the text form of records and the interface.

use waymark_api::registration::v1::{self, value::Data};
use waymark_catalog::{ValueSet, ValueSetError};
use waymark_wire::{
    Permissions, Reference, ReferenceBuf, Ttl, ValueBuf, ValueRef,
    types::{AdminPermissions, AdminRecord, ValueList},
};

/// A field of a value the interface cannot say: its path, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotSayable {
    pub(crate) field: String,
    pub(crate) cause: &'static str,
}

/// Values as the interface takes them. Data goes as text where it is text, otherwise as bytes: both arrive as they are.
///
/// # Errors
/// A time to live that is negative or of no known kind; handles that are not UTF-8.
pub(crate) fn to_interface(values: &ValueSet) -> Result<Vec<v1::Value>, NotSayable> {
    values.values().iter().enumerate().map(|(at, value)| value_of(&value, at)).collect()
}

fn value_of(value: &ValueRef<'_>, at: usize) -> Result<v1::Value, NotSayable> {
    let wrong = |field: &str, cause| NotSayable { field: format!("values[{at}].{field}"), cause };
    let (ttl_seconds, keep_until_seconds) = match value.ttl {
        Ttl::Relative(seconds) => (Some(u32::try_from(seconds)), None),
        Ttl::Absolute(time) => (None, Some(u32::try_from(time))),
        Ttl::Other { .. } => return Err(wrong("ttl", "of a kind that cannot be sent")),
    };
    let positive = |number: Option<Result<u32, _>>| number.transpose().map_err(|_| wrong("ttl", "negative"));
    let see = value.references.iter().map(|each| reference(each.index, each.handle));
    let see: Option<Vec<_>> = see.collect();
    let data = match std::str::from_utf8(value.data) {
        Ok(text) => Data::Text(text.to_owned()),
        Err(_) => Data::Raw(value.data.to_vec()),
    };
    Ok(v1::Value {
        index: value.index,
        r#type: std::str::from_utf8(value.kind).map_err(|_| wrong("type", "not UTF-8"))?.to_owned(),
        data: Some(data),
        ttl_seconds: positive(ttl_seconds)?,
        permissions: Some(value.permissions.0.into()),
        timestamp_seconds: value.timestamp,
        keep_until_seconds: positive(keep_until_seconds)?,
        see: see.ok_or_else(|| wrong("references", "a handle that is not UTF-8"))?,
    })
}

fn reference(index: u32, handle: &[u8]) -> Option<v1::Reference> {
    Some(v1::Reference { index, handle: std::str::from_utf8(handle).ok()?.to_owned() })
}

/// Values as the interface gives them, to be shown.
///
/// # Errors
/// A server that gives an index twice or 0, or a value without a type.
pub(crate) fn from_interface(values: &[v1::Value]) -> Result<ValueSet, ValueSetError> {
    let values: Vec<ValueBuf> = values.iter().map(value_buf).collect();
    ValueSet::from_bufs(&values)
}

fn value_buf(value: &v1::Value) -> ValueBuf {
    let signed = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let ttl = match (value.ttl_seconds, value.keep_until_seconds) {
        (_, Some(time)) => Ttl::Absolute(signed(time)),
        (Some(seconds), None) => Ttl::Relative(signed(seconds)),
        (None, None) => Ttl::DAY,
    };
    ValueBuf {
        index: value.index,
        timestamp: value.timestamp_seconds,
        ttl,
        permissions: Permissions(value.permissions.and_then(|bits| u8::try_from(bits).ok()).unwrap_or_default()),
        kind: value.r#type.clone().into_bytes(),
        data: value.data.as_ref().map(data_of).unwrap_or_default(),
        references: value.see.iter().map(reference_buf).collect(),
    }
}

fn reference_buf(reference: &v1::Reference) -> ReferenceBuf {
    ReferenceBuf { index: reference.index, handle: reference.handle.clone().into_bytes() }
}

fn data_of(data: &Data) -> Vec<u8> {
    let mut bytes = Vec::new();
    match data {
        Data::Text(text) => bytes.extend_from_slice(text.as_bytes()),
        Data::Raw(raw) => bytes.extend_from_slice(raw),
        Data::Admin(admin) => {
            let permissions = AdminPermissions(u16::try_from(admin.permissions).unwrap_or_default());
            let handle = admin.handle.as_bytes();
            AdminRecord { permissions, handle, index: admin.index, legacy_tail: None }.encode(&mut bytes);
        }
        Data::References(list) => {
            let references: Vec<Reference<'_>> = list
                .references
                .iter()
                .map(|each| Reference { handle: each.handle.as_bytes(), index: each.index })
                .collect();
            ValueList::encode_list(&references, &mut bytes);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use waymark_catalog::form::line;

    use super::*;
    use crate::demo::samples::LINES;

    #[test]
    fn every_sample_survives_the_way_there_and_back() {
        for text in LINES.lines().filter(|line| !line.is_empty()) {
            let line = line::read(text.as_bytes()).unwrap();
            let sent = to_interface(&line.values).unwrap();
            assert_eq!(from_interface(&sent).unwrap(), line.values, "{}", line.handle);
        }
    }

    #[test]
    fn structured_data_becomes_the_bytes_of_the_protocol() {
        let admin = v1::Admin { handle: "88.1/0.ADMIN".into(), index: 300, permissions: 0xfff };
        let value =
            v1::Value { index: 100, r#type: "HS_ADMIN".into(), data: Some(Data::Admin(admin)), ..v1::Value::default() };
        let set = from_interface(&[value]).unwrap();
        let shown = line::write("88.1/x", set.values()).unwrap();
        assert!(shown.contains(r#""format":"admin","value":{"handle":"88.1/0.ADMIN","index":300"#), "{shown}");
    }

    #[test]
    fn what_cannot_be_sent_is_named() {
        let value = ValueBuf { ttl: Ttl::Relative(-1), ..ValueBuf::new(7, b"T", b"") };
        let error = to_interface(&ValueSet::from_bufs(&[ValueBuf::new(1, b"T", b""), value]).unwrap()).unwrap_err();
        assert_eq!((error.field.as_str(), error.cause), ("values[1].ttl", "negative"));
    }
}
