//! Data templates: what the identifiers of an industry say, column by column.
//!
//! A template is written as a draft, published, and from then on never changed: but for its columns, which may be disabled for new identifiers and
//! enabled again. Published, it is an identifier itself, `88.990.10001/META_EXC-1.2`, whose value at index 1, of type `WAYMARK_TEMPLATE`, is its
//! definition in JSON with `"v": 1` before it. Identifiers under the same prefix name their template by code and version in the value `TEMPLATE` at
//! index 1001, those under other prefixes by its handle.
//!
//! What an identifier made from a template has in common with all others of it lies in the template alone: the log holds the template's number and the
//! values ([`narrow`], form 2 of a record). A store whose entries are read through [`widened`] gives such records out whole, in form 1, so that nothing
//! behind it knows of the other form: index, readers, history, streams, exports, and the hashes of content and audit.
//!
//! | file | holds |
//! |---|---|
//! | `name` | how a template is called |
//! | `definition` | what it says, and its JSON form |
//! | `check` | what a definition must be |
//! | `fields` | values for its columns, and what may be wrong with them |
//! | `held` | what an edit of an identifier may not do to its values |
//! | `marked` | what the node reads of an identifier by its template: expiry and batch |
//! | `difference` | what changed from one to another, for people |
//! | `narrow` | records without what their template says |
//! | `widened` | the store that gives them out whole |
//! | `table` | all templates |
//! | `change` | what a command means for the table: changes, nothing, or a refusal |
//! | `stored` | templates as they stand in the log |
//! | `load` | reading them at start |

pub(crate) mod change;
mod check;
mod definition;
mod difference;
mod fields;
mod held;
pub(crate) mod load;
mod marked;
mod name;
pub(crate) mod narrow;
pub(crate) mod stored;
mod table;
pub(crate) mod widened;

use std::sync::Arc;

use waymark_store::{Serial, Timestamp};
use waymark_wire::types::{AdminPermissions, AdminRecord};
use waymark_wire::{Permissions, ValueBuf};

pub use change::TemplateCommand;
pub use definition::{
    Administrator, Column, ColumnRole, DataType, DateFormat, Definition, Industry, ObjectType, Visibility,
};
pub use difference::difference;
pub use fields::{FieldProblem, FieldProblemCode, FieldValue};
pub(crate) use held::{Edit, held};
pub use load::TemplateLoadError;
pub use marked::Marked;
pub use name::{TemplateName, TemplateNameError};
pub use stored::StoredTemplateError;
pub use table::Templates;
pub use widened::widened;

use crate::values::ValueSet;
use narrow::Common;

/// Index of the value that names the template of an identifier.
pub const TEMPLATE_INDEX: u32 = 1001;

/// Type of that value.
pub const TEMPLATE_TYPE: &str = "TEMPLATE";

/// Type of the value that a template resolves to.
pub const DEFINITION_TYPE: &str = "WAYMARK_TEMPLATE";

/// Index of that value.
pub const DEFINITION_INDEX: u32 = 1;

/// Index of the administrator of an identifier.
const ADMINISTRATOR_INDEX: u32 = 100;

/// Stands for the prefix of the template in the handle of its administrator.
const PREFIX_PLACE: &str = "{prefix}";

/// Everything an administrator of an identifier may do but list derived prefixes' handles: as nodes give it (`011111111111`).
const ADMINISTRATOR_RIGHTS: AdminPermissions = AdminPermissions(0x07ff);

/// Where a template is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TemplateState {
    /// May be changed and deleted; nothing is made from it.
    Draft,
    /// Never changes; identifiers are made from it.
    Published,
}

impl TemplateState {
    /// Its name in the log and in messages; never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published => "published",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Draft, Self::Published].into_iter().find(|state| state.as_str() == name)
    }
}

/// One template.
#[derive(Clone, Debug)]
pub struct Template {
    /// What it is called.
    pub name: TemplateName,
    /// What it says.
    pub definition: Definition,
    /// Where it is in its life.
    pub state: TemplateState,
    /// Since when it is so, or was last changed.
    pub since: Timestamp,
    /// By whom.
    pub by: Arc<str>,
    /// Its entry of the log.
    pub serial: Serial,
    /// Its number in this store, never given to another template: what records made from it name it by.
    number: u32,
    /// What all identifiers made from it share.
    common: Arc<Common>,
}

impl Template {
    fn new(name: TemplateName, number: u32, definition: Definition, state: TemplateState) -> Self {
        let common = Arc::new(Common::of(&name, number, &definition));
        Self { name, definition, state, since: Timestamp(0), by: "".into(), serial: Serial::NONE, number, common }
    }

    /// Whether identifiers are made from it.
    #[must_use]
    pub const fn is_published(&self) -> bool {
        matches!(self.state, TemplateState::Published)
    }

    /// Its number in this store.
    pub(crate) const fn number(&self) -> u32 {
        self.number
    }

    /// What all identifiers made from it share.
    pub(crate) fn common(&self) -> &Common {
        &self.common
    }

    /// The values of an identifier under `prefix`, folded, without timestamps.
    ///
    /// # Errors
    /// What is wrong with the fields, or with what they lack.
    pub fn values(&self, prefix: &[u8], fields: &[FieldValue]) -> Result<ValueSet, Vec<FieldProblem>> {
        fields::values_of(self, prefix, fields)
    }

    /// The values every identifier under `prefix` has beside those of the columns.
    fn common_values(&self, prefix: &[u8]) -> Vec<ValueBuf> {
        let own = prefix == self.name.prefix();
        let administrator = administrator_value(&self.name, &self.definition);
        administrator.into_iter().chain([template_value(&self.name, own)]).collect()
    }
}

/// The value that names a template, to identifiers of its own prefix or of others.
fn template_value(name: &TemplateName, own_prefix: bool) -> ValueBuf {
    let text = if own_prefix { name.short().into_bytes() } else { name.handle() };
    ValueBuf {
        timestamp: 0,
        permissions: Permissions::USUAL,
        ..ValueBuf::new(TEMPLATE_INDEX, TEMPLATE_TYPE.as_bytes(), &text)
    }
}

fn administrator_value(name: &TemplateName, definition: &Definition) -> Option<ValueBuf> {
    let Administrator { handle, index } = definition.administrator.as_ref()?;
    let handle = handle.replace(PREFIX_PLACE, &String::from_utf8_lossy(name.prefix()));
    let record =
        AdminRecord { permissions: ADMINISTRATOR_RIGHTS, handle: handle.as_bytes(), index: *index, legacy_tail: None };
    let mut data = Vec::new();
    record.encode(&mut data);
    Some(ValueBuf {
        timestamp: 0,
        permissions: Permissions::USUAL,
        ..ValueBuf::new(ADMINISTRATOR_INDEX, b"HS_ADMIN", &data)
    })
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    fn column(index: u32, name: &str, kind: &str, data: DataType, max: u32) -> Column {
        Column {
            index,
            name: name.into(),
            kind: kind.into(),
            data,
            required: false,
            min: 0,
            max,
            decimals: None,
            form: DateFormat::Iso,
            values: Vec::new(),
            unit: String::new(),
            visibility: Visibility::Public,
            role: None,
            ttl: 86_400,
            enabled: true,
        }
    }

    /// One column of each kind, 2000 and 2001 required, 2006 disabled.
    pub(crate) fn definition() -> Definition {
        use DataType as D;
        Definition {
            code: "EXC".into(),
            version: "1.2".into(),
            title: "工程机械整机".into(),
            object_type: ObjectType::Other,
            industry: Industry {
                category: "C".into(),
                division: "35".into(),
                group: "351".into(),
                class: "3514".into(),
            },
            administrator: Some(Administrator { handle: "{prefix}/0.ADMIN".into(), index: 300 }),
            columns: vec![
                Column { required: true, min: 1, ..column(2000, "产品名称", "productName", D::String, 100) },
                Column { required: true, min: 1, ..column(2001, "整机编号", "serialNo", D::String, 64) },
                Column {
                    decimals: Some(1), unit: "t".into(), ..column(2002, "额定质量", "ratedMass", D::Number, 12)
                },
                Column {
                    values: vec!["合格".into(), "不合格".into()],
                    ..column(2003, "检验", "inspection", D::Enum, 20)
                },
                Column { role: Some(ColumnRole::Expiry), ..column(2004, "质保截止", "warrantyEnd", D::Date, 32) },
                Column { min: 2, role: Some(ColumnRole::Batch), ..column(2005, "批号", "batch", D::String, 20) },
                Column { enabled: false, ..column(2006, "旧码", "oldCode", D::String, 20) },
                column(2007, "发动机标识", "engineHandle", D::Reference, 255),
                Column {
                    visibility: Visibility::Administrators,
                    ttl: 3_600,
                    ..column(2008, "图纸摘要", "drawing", D::Hash, 128)
                },
            ],
        }
    }

    /// That, published as number 7 under 88.1.
    pub(crate) fn template() -> Template {
        let definition = definition();
        let name = TemplateName::new(b"88.1", &definition.code, &definition.version).unwrap();
        Template::new(name, 7, definition, TemplateState::Published)
    }
}
