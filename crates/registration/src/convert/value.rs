//! One value of an identifier, both ways.

use waymark_api::registration::v1::{self, value::Data};
use waymark_catalog::MAX_INDEX;
use waymark_ident::MAX_HANDLE_BYTES;
use waymark_wire::types::{AdminPermissions, AdminRecord, HS_VLIST, ValueList};
use waymark_wire::{Permissions, Reference, ReferenceBuf, Ttl, ValueBuf, ValueRef, is_admin_type};

use super::Faults;

/// Reads a value of a change; `path` names it in faults. What is wrong is replaced by something harmless, since faults end the request.
pub(crate) fn read(value: v1::Value, path: &str, faults: &mut Faults) -> ValueBuf {
    let v1::Value { index, r#type, data, ttl_seconds, permissions, timestamp_seconds, keep_until_seconds, see } = value;
    if index == 0 || index > MAX_INDEX {
        faults.note(|| format!("{path}.index"), format!("must be between 1 and {MAX_INDEX}"));
    }
    if r#type.is_empty() {
        faults.note(|| format!("{path}.type"), "must not be empty");
    }
    let ttl = match (ttl_seconds, keep_until_seconds) {
        (None, None) => Ttl::DAY,
        (Some(_), Some(_)) => {
            faults.note(|| format!("{path}.keep_until_seconds"), "must not stand beside ttl_seconds");
            Ttl::DAY
        }
        (Some(seconds), None) => Ttl::Relative(signed(seconds, || format!("{path}.ttl_seconds"), faults)),
        (None, Some(time)) => Ttl::Absolute(signed(time, || format!("{path}.keep_until_seconds"), faults)),
    };
    let permissions = permissions.map_or(Permissions::USUAL, |bits| {
        Permissions(u8::try_from(bits).unwrap_or_else(|_| {
            faults.note(|| format!("{path}.permissions"), "must be at most 255");
            0
        }))
    });
    let data = data.map_or_else(Vec::new, |data| read_data(data, path, faults));
    let references = see.into_iter().enumerate();
    let references = references.map(|(at, each)| read_reference(each, || format!("{path}.see[{at}].handle"), faults));
    ValueBuf {
        index,
        timestamp: timestamp_seconds,
        ttl,
        permissions,
        kind: r#type.into_bytes(),
        data,
        references: references.collect(),
    }
}

fn signed(number: u32, path: impl FnOnce() -> String, faults: &mut Faults) -> i32 {
    i32::try_from(number).unwrap_or_else(|_| {
        faults.note(path, format!("must be at most {}", i32::MAX));
        0
    })
}

fn read_data(data: Data, path: &str, faults: &mut Faults) -> Vec<u8> {
    match data {
        Data::Text(text) => text.into_bytes(),
        Data::Raw(bytes) => bytes,
        Data::Admin(admin) => {
            check_handle(&admin.handle, || format!("{path}.admin.handle"), faults);
            let bits = u16::try_from(admin.permissions).ok().filter(|bits| *bits < 1 << 12);
            if bits.is_none() {
                faults.note(|| format!("{path}.admin.permissions"), "must be twelve bits, at most 4095");
            }
            let record = AdminRecord {
                permissions: AdminPermissions(bits.unwrap_or_default()),
                handle: admin.handle.as_bytes(),
                index: admin.index,
                legacy_tail: None,
            };
            let mut data = Vec::new();
            record.encode(&mut data);
            data
        }
        Data::References(list) => {
            let references: Vec<ReferenceBuf> = list
                .references
                .into_iter()
                .enumerate()
                .map(|(at, each)| read_reference(each, || format!("{path}.references.references[{at}].handle"), faults))
                .collect();
            let references: Vec<Reference<'_>> =
                references.iter().map(|each| Reference { handle: &each.handle, index: each.index }).collect();
            let mut data = Vec::new();
            ValueList::encode_list(&references, &mut data);
            data
        }
    }
}

fn read_reference(reference: v1::Reference, path: impl FnOnce() -> String, faults: &mut Faults) -> ReferenceBuf {
    check_handle(&reference.handle, path, faults);
    ReferenceBuf { handle: reference.handle.into_bytes(), index: reference.index }
}

fn check_handle(handle: &str, path: impl FnOnce() -> String, faults: &mut Faults) {
    if handle.is_empty() || handle.len() > MAX_HANDLE_BYTES {
        faults.note(path, format!("must have between 1 and {MAX_HANDLE_BYTES} bytes"));
    }
}

/// Shows a stored value. Text goes out as text; administrators and value lists by their type, where that gives back the same bytes; all else
/// as it is.
pub(crate) fn show(value: &ValueRef<'_>) -> v1::Value {
    let (ttl_seconds, keep_until_seconds) = match value.ttl {
        Ttl::Relative(seconds) => (u32::try_from(seconds).ok().or(Some(0)), None),
        Ttl::Absolute(time) => (None, u32::try_from(time).ok().or(Some(0))),
        Ttl::Other { .. } => (None, None),
    };
    v1::Value {
        index: value.index,
        r#type: String::from_utf8_lossy(value.kind).into_owned(),
        data: Some(show_data(value.kind, value.data)),
        ttl_seconds,
        permissions: Some(value.permissions.0.into()),
        timestamp_seconds: value.timestamp,
        keep_until_seconds,
        see: value.references.iter().map(|each| show_reference(each.index, each.handle)).collect(),
    }
}

fn show_data(kind: &[u8], data: &[u8]) -> Data {
    let structured = if is_admin_type(kind) {
        show_admin(data)
    } else if kind.eq_ignore_ascii_case(HS_VLIST) {
        show_list(data)
    } else {
        None
    };
    structured.filter(|shown| reads_as(shown, data)).unwrap_or_else(|| match std::str::from_utf8(data) {
        Ok(text) => Data::Text(text.to_owned()),
        Err(_) => Data::Raw(data.to_owned()),
    })
}

/// Whether a change that brings what is shown is taken, and brings these bytes.
fn reads_as(shown: &Data, data: &[u8]) -> bool {
    let mut faults = Faults::default();
    read_data(shown.clone(), "", &mut faults) == data && faults.finish().is_ok()
}

fn show_admin(data: &[u8]) -> Option<Data> {
    let record = AdminRecord::parse(data).ok()?;
    let handle = std::str::from_utf8(record.handle).ok()?.to_owned();
    Some(Data::Admin(v1::Admin { handle, index: record.index, permissions: record.permissions.0.into() }))
}

fn show_list(data: &[u8]) -> Option<Data> {
    let list = ValueList::parse(data).ok()?;
    let references = list.references.iter().map(|each| show_reference(each.index, each.handle)).collect();
    Some(Data::References(v1::References { references }))
}

fn show_reference(index: u32, handle: &[u8]) -> v1::Reference {
    v1::Reference { index, handle: String::from_utf8_lossy(handle).into_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use waymark_catalog::ValueSet;

    use super::*;

    fn text(index: u32, kind: &str, text: &str) -> v1::Value {
        v1::Value { index, r#type: kind.to_owned(), data: Some(Data::Text(text.to_owned())), ..v1::Value::default() }
    }

    fn faults(value: v1::Value) -> Vec<String> {
        let mut faults = Faults::default();
        read(value, "create.values[3]", &mut faults);
        faults.finish().err().map_or_else(Vec::new, |failure| {
            failure.violations().iter().map(|violation| violation.field.clone()).collect()
        })
    }

    #[test]
    fn absent_fields_have_the_usual_values() {
        let value = read(text(1, "URL", "x"), "", &mut Faults::default());
        assert_eq!(value, ValueBuf::new(1, b"URL", b"x"));
    }

    #[test]
    fn every_field_that_is_wrong_is_named() {
        assert_eq!(faults(text(0, "URL", "")), ["create.values[3].index"]);
        assert_eq!(faults(text(1 << 31, "", "")), ["create.values[3].index", "create.values[3].type"]);
        let value = v1::Value { permissions: Some(256), ttl_seconds: Some(u32::MAX), ..text(1, "URL", "") };
        assert_eq!(faults(value), ["create.values[3].ttl_seconds", "create.values[3].permissions"]);
        let value = v1::Value { ttl_seconds: Some(1), keep_until_seconds: Some(1), ..text(1, "URL", "") };
        assert_eq!(faults(value), ["create.values[3].keep_until_seconds"]);
        let admin = v1::Admin { permissions: 4096, ..v1::Admin::default() };
        let value = v1::Value { data: Some(Data::Admin(admin)), ..text(1, "HS_ADMIN", "") };
        assert_eq!(faults(value), ["create.values[3].admin.handle", "create.values[3].admin.permissions"]);
        let references = v1::References { references: vec![v1::Reference::default()] };
        let value = v1::Value { data: Some(Data::References(references)), ..text(1, "HS_VLIST", "") };
        assert_eq!(faults(value), ["create.values[3].references.references[0].handle"]);
    }

    #[test]
    fn what_no_change_may_bring_as_an_administrator_or_a_list_is_shown_as_it_is() {
        let mut data = Vec::new();
        AdminRecord { permissions: AdminPermissions(0), handle: b"", index: 1, legacy_tail: None }.encode(&mut data);
        assert!(matches!(show_data(b"HS_ADMIN", &data), Data::Text(_)), "an administrator without a name");
        data.clear();
        ValueList::encode_list(&[Reference { handle: b"", index: 255 }], &mut data);
        assert!(matches!(show_data(HS_VLIST, &data), Data::Raw(_)), "a reference without a name");
    }

    fn any_handle() -> impl Strategy<Value = String> {
        "[a-z0-9./产]{1,20}"
    }

    fn any_reference() -> impl Strategy<Value = v1::Reference> {
        (any::<u32>(), any_handle()).prop_map(|(index, handle)| v1::Reference { index, handle })
    }

    prop_compose! {
        fn any_sound_value()(
            index in 1..=MAX_INDEX,
            (kind, data) in prop_oneof![
                (Just("URL".to_owned()), any::<String>().prop_map(Data::Text)),
                (Just("KEY".to_owned()), Just(Data::Raw(vec![0xff, 0, 1]))),
                (Just("HS_ADMIN".to_owned()), (any_handle(), any::<u32>(), 0..4096_u32).prop_map(
                    |(handle, index, permissions)| Data::Admin(v1::Admin { handle, index, permissions }))),
                (Just("HS_VLIST".to_owned()), prop::collection::vec(any_reference(), 0..4).prop_map(
                    |references| Data::References(v1::References { references }))),
            ],
            (ttl_seconds, keep_until_seconds) in prop_oneof![
                (0..=0x7fff_ffff_u32).prop_map(|ttl| (Some(ttl), None)),
                (0..=0x7fff_ffff_u32).prop_map(|time| (None, Some(time))),
            ],
            permissions in (0..256_u32).prop_map(Some),
            timestamp_seconds in any::<u32>(),
            see in prop::collection::vec(any_reference(), 0..3),
        ) -> v1::Value {
            v1::Value {
                index, r#type: kind, data: Some(data), ttl_seconds, permissions, timestamp_seconds, keep_until_seconds, see,
            }
        }
    }

    proptest! {
        #[test]
        fn a_sound_value_comes_back_as_it_was(value in any_sound_value()) {
            let mut faults = Faults::default();
            let read = read(value.clone(), "", &mut faults);
            prop_assert!(faults.finish().is_ok());
            let set = ValueSet::from_bufs(&[read]).unwrap();
            let shown = show(&set.values().iter().next().unwrap());
            prop_assert_eq!(shown, value);
        }
    }
}
