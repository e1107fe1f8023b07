//! What a template says: who it is for, and its columns.
//!
//! The JSON form is the same in files, in the log, and in the value a template resolves to (where `v` stands before it):
//! ```json
//! { "code": "EXC", "version": "1.2", "title": "工程机械整机", "object_type": 2,
//!   "industry": { "category": "C", "division": "35", "group": "351", "class": "3514" },
//!   "administrator": { "handle": "{prefix}/0.ADMIN", "index": 300 },
//!   "columns": [
//!     { "index": 2000, "name": "产品名称", "type": "productName", "data": "string", "required": true, "min": 1, "max": 100 },
//!     { "index": 2003, "name": "额定质量", "type": "ratedMass", "data": "number", "decimals": 1, "unit": "t", "max": 12 },
//!     { "index": 2008, "name": "客户编码", "type": "ownerCode", "data": "string", "max": 64, "visibility": "administrators" } ] }
//! ```
//! What a column does not say: `required` false, `min` 0, `form` iso, `visibility` public, `ttl` 86400 seconds, `enabled` true, no `decimals`,
//! `values`, `unit` or `role`.

use serde::{Deserialize, Serialize};
use waymark_wire::Permissions;

use crate::verdict::DateForm;

/// A template as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The code, in capitals in a template that was taken.
    pub code: String,
    /// The version: numbers with points between them.
    pub version: String,
    /// For people.
    pub title: String,
    /// What it describes.
    pub object_type: ObjectType,
    /// The industry, by GB/T 4754.
    pub industry: Industry,
    /// The administrator every identifier gets, at index 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub administrator: Option<Administrator>,
    /// The columns, by ascending index in a template that was taken.
    pub columns: Vec<Column>,
}

/// What a template describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum ObjectType {
    /// 1: active carriers (主动标识载体).
    ActiveCarrier,
    /// 2: everything else.
    Other,
}

impl From<ObjectType> for u8 {
    fn from(kind: ObjectType) -> Self {
        match kind {
            ObjectType::ActiveCarrier => 1,
            ObjectType::Other => 2,
        }
    }
}

impl TryFrom<u8> for ObjectType {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        match number {
            1 => Ok(Self::ActiveCarrier),
            2 => Ok(Self::Other),
            _ => Err("object_type is 1 (active carrier) or 2 (other)"),
        }
    }
}

/// An industry in four levels, by GB/T 4754. Levels from the last up may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Industry {
    /// A letter (门类).
    pub category: String,
    /// Two digits (大类).
    #[serde(default)]
    pub division: String,
    /// Three digits (中类).
    #[serde(default)]
    pub group: String,
    /// Four digits (小类).
    #[serde(default)]
    pub class: String,
}

/// Who may change identifiers made from the template: the value HS_ADMIN they get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Administrator {
    /// The handle that holds the key or group. `{prefix}` stands for the template's prefix.
    pub handle: String,
    /// The index there; 0 stands for any.
    pub index: u32,
}

/// One column: one value of an identifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Index of the value, from 2000.
    pub index: u32,
    /// What people call it (Chinese name).
    pub name: String,
    /// Type of the value (English name).
    #[serde(rename = "type")]
    pub kind: String,
    /// What it holds.
    pub data: DataType,
    /// Every identifier has it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// Characters at least, where it is given.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub min: u32,
    /// Characters at most.
    pub max: u32,
    /// Of a number: digits behind the point at most; `None` for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
    /// Of a date: how it is written.
    #[serde(default, skip_serializing_if = "DateFormat::is_iso")]
    pub form: DateFormat,
    /// Of an enumeration: what it may be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Of a number: its unit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
    /// Who may read it.
    #[serde(default, skip_serializing_if = "Visibility::is_public")]
    pub visibility: Visibility,
    /// What the node reads it as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<ColumnRole>,
    /// Seconds for which others may keep an answer.
    #[serde(default = "day", skip_serializing_if = "is_day")]
    pub ttl: u32,
    /// New identifiers may have it.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub enabled: bool,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataType {
    /// Text.
    String,
    /// A decimal number of up to 38 digits.
    Number,
    /// A day or a moment, see [`DateFormat`].
    Date,
    /// One of a list.
    Enum,
    /// An identifier.
    Reference,
    /// The hash of a file in hexadecimal: 32, 40, 64, 96 or 128 digits.
    Hash,
}

impl DataType {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::String, Self::Number, Self::Date, Self::Enum, Self::Reference, Self::Hash];

    /// Its name in files and messages; never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Date => "date",
            Self::Enum => "enum",
            Self::Reference => "reference",
            Self::Hash => "hash",
        }
    }
}

/// How a column writes its dates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DateFormat {
    /// A day, `2026-03-10`, or a moment, `2026-05-02T03:14:00+08:00`; of an expiry a day.
    #[default]
    Iso,
    /// Six digits, `260310`, as GS1 has them: day 00 is the last one of its month.
    Gs1,
}

impl DateFormat {
    /// Its name in files and messages; never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Iso => "iso",
            Self::Gs1 => "gs1",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    const fn is_iso(&self) -> bool {
        matches!(self, Self::Iso)
    }
}

impl From<DateFormat> for DateForm {
    fn from(format: DateFormat) -> Self {
        match format {
            DateFormat::Iso => Self::Iso,
            DateFormat::Gs1 => Self::Gs1,
        }
    }
}

/// Who may read a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everybody.
    #[default]
    Public,
    /// Administrators.
    Administrators,
}

impl Visibility {
    /// Its name in files and messages; never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Administrators => "administrators",
        }
    }

    /// Permissions of a value of a column.
    #[must_use]
    pub const fn permissions(self) -> Permissions {
        match self {
            Self::Public => Permissions::USUAL,
            Self::Administrators => Permissions::SECRET,
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    const fn is_public(&self) -> bool {
        matches!(self, Self::Public)
    }
}

/// What the node reads a column as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnRole {
    /// The last day of sale.
    Expiry,
    /// The production batch.
    Batch,
}

impl ColumnRole {
    /// Its name in files and messages; never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expiry => "expiry",
            Self::Batch => "batch",
        }
    }
}

impl Definition {
    /// Reads the JSON form; what it says is checked when it is written.
    ///
    /// # Errors
    /// No JSON of a template; the error says where.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The JSON form, on one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Cannot fail: strings, numbers, and lists of them.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The column of an index.
    #[must_use]
    pub fn column(&self, index: u32) -> Option<&Column> {
        self.columns.iter().find(|column| column.index == index)
    }

    /// The column of a role.
    #[must_use]
    pub fn column_of(&self, role: ColumnRole) -> Option<&Column> {
        self.columns.iter().find(|column| column.role == Some(role))
    }
}

const DAY_SECONDS: u32 = 86_400;

const fn day() -> u32 {
    DAY_SECONDS
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_day(seconds: &u32) -> bool {
    *seconds == DAY_SECONDS
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_true(flag: &bool) -> bool {
    *flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}
