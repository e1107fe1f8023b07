//! The data of a value from JSON, by format.

use serde_json::value::RawValue;
use waymark_wire::Reference;
use waymark_wire::types::{AdminPermissions, AdminRecord, ValueList};

use super::cause::{Cause, FieldError, FieldResult};
use super::object::{Object, number, object, text};
use super::site;
use super::value_read::references;

/// Reads the data of a value: a bare string, or an object of `format` and `value`.
pub(crate) fn data(raw: &RawValue) -> FieldResult<Vec<u8>> {
    if raw.get().starts_with('"') {
        return Ok(text(raw)?.into_owned().into_bytes());
    }
    let mut fields = object(raw)?;
    let format = fields.read("format", text)?;
    let data = match format.as_ref() {
        "string" => fields.read("value", |raw| Ok(text(raw)?.into_owned().into_bytes()))?,
        "json" => fields.read("value", |raw| Ok(raw.get().as_bytes().to_vec()))?,
        "hex" => fields.read("value", hexadecimal)?,
        "admin" => fields.read("value", admin)?,
        "vlist" => fields.read("value", value_list)?,
        "site" => fields.read("value", site::read)?,
        other => return Err(FieldError::new("format", Cause::UnknownFormat(other.to_owned()))),
    };
    fields.finish()?;
    Ok(data)
}

/// Reads bytes written as hexadecimal text.
pub(crate) fn hexadecimal(raw: &RawValue) -> FieldResult<Vec<u8>> {
    hex::decode(text(raw)?.as_ref()).map_err(|_| FieldError::new("", Cause::Hex))
}

fn admin(raw: &RawValue) -> FieldResult<Vec<u8>> {
    let mut fields = object(raw)?;
    let handle = fields.read("handle", text)?;
    let index = fields.read("index", |raw| number(raw, 0, i64::from(u32::MAX)))?;
    let permissions = fields.read("permissions", admin_permissions)?;
    fields.finish()?;
    let mut data = Vec::new();
    AdminRecord { permissions, handle: handle.as_bytes(), index, legacy_tail: None }.encode(&mut data);
    Ok(data)
}

fn admin_permissions(raw: &RawValue) -> FieldResult<AdminPermissions> {
    AdminPermissions::from_json_text(text(raw)?.as_bytes()).map_err(|_| FieldError::new("", Cause::AdminPermissions))
}

fn value_list(raw: &RawValue) -> FieldResult<Vec<u8>> {
    let references = references(raw)?;
    let list: Vec<Reference<'_>> =
        references.iter().map(|each| Reference { handle: &each.handle, index: each.index }).collect();
    let mut data = Vec::new();
    ValueList::encode_list(&list, &mut data);
    Ok(data)
}

/// Reads `{"format":"hex","value":"…"}`, the form of bytes inside a structure.
pub(crate) fn bytes_object(raw: &RawValue) -> FieldResult<Vec<u8>> {
    let mut fields: Object<'_> = object(raw)?;
    let format = fields.read("format", text)?;
    if format != "hex" {
        return Err(FieldError::new("format", Cause::UnknownFormat(format.into_owned())));
    }
    let bytes = fields.read("value", hexadecimal)?;
    fields.finish()?;
    Ok(bytes)
}
