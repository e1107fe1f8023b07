//! One record as JSON.

use serde::{Serialize, Serializer};
use waymark_wire::{Permissions, Ttl, ValueRef, Values};

use super::data_write::{DataOut, ReferenceOut, data};
use super::iso;
use super::status::StatusOut;
use crate::record::Stored;
use crate::status::Withdrawal;

/// Writes a record as one line of JSON, without the line's end.
///
/// # Errors
/// [`NotWritable`] for what JSON text cannot say; records written through this crate have UTF-8 handles and types.
pub(crate) fn record_line(stored: &Stored<'_>) -> Result<String, NotWritable> {
    let handle = std::str::from_utf8(stored.handle()).map_err(|_| NotWritable)?;
    let status = stored.status();
    line(handle, status.as_ref(), stored.values().map_err(|_| NotWritable)?)
}

/// Writes a handle, its status and its values as one line.
pub(crate) fn line(handle: &str, status: Option<&Withdrawal<'_>>, values: Values<'_>) -> Result<String, NotWritable> {
    let values = values.iter().map(|value| value_out(&value)).collect::<Result<_, _>>()?;
    let status = status.map(StatusOut::new);
    serde_json::to_string(&RecordOut { handle, status, values }).map_err(|_| NotWritable)
}

/// The record has parts that are not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotWritable;

fn value_out<'a>(value: &ValueRef<'a>) -> Result<ValueOut<'a>, NotWritable> {
    let references: Option<Vec<_>> =
        value.references.iter().map(|each| ReferenceOut::new(each.index, each.handle)).collect();
    Ok(ValueOut {
        index: value.index,
        kind: std::str::from_utf8(value.kind).map_err(|_| NotWritable)?,
        ttl: value.ttl,
        permissions: permission_text(value.permissions),
        timestamp: value.timestamp,
        data: data(value.kind, value.data).map_err(|_| NotWritable)?,
        references: references.ok_or(NotWritable)?,
    })
}

/// Four characters, or eight when bits without a meaning are set.
pub(crate) fn permission_text(permissions: Permissions) -> String {
    let Permissions(bits) = permissions;
    if bits <= 0x0f { format!("{bits:04b}") } else { format!("{bits:08b}") }
}

#[derive(Serialize)]
struct RecordOut<'a> {
    handle: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<StatusOut<'a>>,
    values: Vec<ValueOut<'a>>,
}

#[derive(Serialize)]
struct ValueOut<'a> {
    index: u32,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(serialize_with = "ttl_out")]
    ttl: Ttl,
    permissions: String,
    timestamp: u32,
    data: DataOut,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    references: Vec<ReferenceOut<'a>>,
}

fn ttl_out<S: Serializer>(ttl: &Ttl, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Other {
        #[serde(rename = "type")]
        kind: u8,
        value: i32,
    }
    match *ttl {
        Ttl::Relative(seconds) => serializer.serialize_i32(seconds),
        Ttl::Absolute(time) => serializer.serialize_str(&iso::format(i64::from(time))),
        Ttl::Other { kind, value } => Other { kind, value }.serialize(serializer),
    }
}
