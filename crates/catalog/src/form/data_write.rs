//! The data of a value as JSON: the most readable format that gives back the exact bytes.

use serde::Serialize;
use serde_json::value::RawValue;
use waymark_wire::is_admin_type;
use waymark_wire::types::{AdminRecord, HS_VLIST, ValueList, is_site_type};

use super::data_read;
use super::site;

/// Data with its format.
#[derive(Serialize)]
pub(crate) struct DataOut {
    format: &'static str,
    value: Box<RawValue>,
}

/// The JSON of a value's data.
///
/// By type: administrators, value lists and sites in their own formats. Text that is a JSON object or list goes out as
/// `json`, other text as `string`. What is not UTF-8, or would not come back to the byte, goes out as `hex`.
pub(crate) fn data(kind: &[u8], data: &[u8]) -> Result<DataOut, serde_json::Error> {
    if let Some(out) = structured(kind, data) {
        return Ok(out);
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return Ok(DataOut { format: "hex", value: serde_json::value::to_raw_value(&hex::encode(data))? });
    };
    if let Some(value) = as_json(text) {
        return Ok(DataOut { format: "json", value });
    }
    Ok(DataOut { format: "string", value: serde_json::value::to_raw_value(text)? })
}

/// Data of a type with a format of its own; `None` when it would not come back to the byte.
fn structured(kind: &[u8], data: &[u8]) -> Option<DataOut> {
    let (format, value) = if is_admin_type(kind) {
        ("admin", admin(data)?)
    } else if kind.eq_ignore_ascii_case(HS_VLIST) {
        ("vlist", value_list(data)?)
    } else if is_site_type(kind) {
        ("site", site::write(data)?)
    } else {
        return None;
    };
    let out = DataOut { format, value };
    let json = serde_json::value::to_raw_value(&out).ok()?;
    (data_read::data(&json).ok()?.as_slice() == data).then_some(out)
}

fn admin(data: &[u8]) -> Option<Box<RawValue>> {
    #[derive(Serialize)]
    struct Out<'a> {
        handle: &'a str,
        index: u32,
        permissions: &'a str,
    }
    let record = AdminRecord::parse(data).ok()?;
    let permissions = record.permissions.to_json_text()?;
    let out = Out {
        handle: std::str::from_utf8(record.handle).ok()?,
        index: record.index,
        permissions: std::str::from_utf8(&permissions).ok()?,
    };
    serde_json::value::to_raw_value(&out).ok()
}

fn value_list(data: &[u8]) -> Option<Box<RawValue>> {
    let list = ValueList::parse(data).ok()?;
    let references: Option<Vec<ReferenceOut<'_>>> =
        list.references.iter().map(|each| ReferenceOut::new(each.index, each.handle)).collect();
    serde_json::value::to_raw_value(&references?).ok()
}

/// A reference as JSON.
#[derive(Serialize)]
pub(crate) struct ReferenceOut<'a> {
    index: u32,
    handle: &'a str,
}

impl<'a> ReferenceOut<'a> {
    /// `None` for a handle that is not UTF-8.
    pub(crate) fn new(index: u32, handle: &'a [u8]) -> Option<Self> {
        Some(Self { index, handle: std::str::from_utf8(handle).ok()? })
    }
}

/// Text that is a JSON object or list, to be written as it is: on one line and nothing around it, so that reading gives
/// back the same bytes.
fn as_json(text: &str) -> Option<Box<RawValue>> {
    if !text.starts_with(['{', '[']) || text.contains(['\n', '\r']) {
        return None;
    }
    let raw: &RawValue = serde_json::from_str(text).ok()?;
    (raw.get() == text).then(|| raw.to_owned())
}
