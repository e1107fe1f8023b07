//! Templates as they stand in the log: JSON with the version first.
//!
//! ```json
//! {"v":1,"state":"published","since":1800000000000,"by":"acme","definition":{"code":"EXC", ...}}
//! ```
//! The number of a template stands in its key, so that it is known where the body cannot be read. Nobody else has it then.

use serde::{Deserialize, Serialize};
use waymark_store::{Serial, Timestamp};
use waymark_wire::{Permissions, ValueBuf};

use super::definition::Definition;
use super::{DEFINITION_INDEX, DEFINITION_TYPE, Template, TemplateName, TemplateState};
use crate::values::ValueSet;

/// Version of the bodies made here, and of the value a template resolves to.
const VERSION: u32 = 1;

/// Why a body is no template of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoredTemplateError {
    /// Written by another version of this program.
    #[error("version {found}, this program knows version 1")]
    Version {
        /// The version found.
        found: u32,
    },
    /// Not in the form of its version.
    #[error("not in the form of its version")]
    Form,
}

#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    #[serde(rename = "v")]
    _v: u32,
    state: String,
    since: u64,
    by: String,
    definition: Definition,
}

#[derive(Serialize)]
struct BodyRef<'t> {
    v: u32,
    state: &'t str,
    since: u64,
    by: &'t str,
    definition: &'t Definition,
}

#[derive(Serialize)]
struct Resolved<'t> {
    v: u32,
    #[serde(flatten)]
    definition: &'t Definition,
}

impl Template {
    /// The body of its entry.
    pub(crate) fn to_body(&self) -> Vec<u8> {
        let Self { definition, state, since, by, .. } = self;
        let body = BodyRef { v: VERSION, state: state.as_str(), since: since.0, by, definition };
        // Cannot fail: strings, numbers, and lists of them.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// Reads the entry of the template `name` with this number.
    ///
    /// # Errors
    /// See [`StoredTemplateError`].
    pub(crate) fn from_body(
        name: TemplateName,
        number: u32,
        body: &[u8],
        serial: Serial,
    ) -> Result<Self, StoredTemplateError> {
        let Versioned { v: found } = serde_json::from_slice(body).map_err(|_| StoredTemplateError::Form)?;
        if found != VERSION {
            return Err(StoredTemplateError::Version { found });
        }
        let body: Body = serde_json::from_slice(body).map_err(|_| StoredTemplateError::Form)?;
        let state = TemplateState::from_name(&body.state).ok_or(StoredTemplateError::Form)?;
        if body.definition.code != name.code() || body.definition.version != name.version() {
            return Err(StoredTemplateError::Form);
        }
        let template = Self::new(name, number, body.definition, state);
        Ok(Self { since: Timestamp(body.since), by: body.by.into(), serial, ..template })
    }

    /// The value it resolves to: its definition, which everybody may read and nobody may change.
    pub(crate) fn resolved(&self, timestamp: u32) -> ValueSet {
        let value = Resolved { v: VERSION, definition: &self.definition };
        // Cannot fail: strings, numbers, and lists of them.
        let data = serde_json::to_vec(&value).unwrap_or_default();
        let permissions = Permissions(Permissions::ADMIN_READ.0 | Permissions::PUBLIC_READ.0);
        let value =
            ValueBuf { timestamp, permissions, ..ValueBuf::new(DEFINITION_INDEX, DEFINITION_TYPE.as_bytes(), &data) };
        // Cannot fail: one value, of a fixed index and type.
        ValueSet::from_bufs(&[value]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::testing::template;

    fn read(body: &[u8]) -> Result<Template, StoredTemplateError> {
        Template::from_body(template().name, 7, body, Serial(4))
    }

    #[test]
    fn a_template_has_golden_bytes_and_comes_back() {
        let mut template = template();
        (template.since, template.by) = (Timestamp(1_800_000_000_000), "acme".into());
        template.definition.columns.drain(1..8);
        let golden = r#"{"v":1,"state":"published","since":1800000000000,"by":"acme","definition":{"code":"EXC","version":"1.2","title":"工程机械整机","object_type":2,"industry":{"category":"C","division":"35","group":"351","class":"3514"},"administrator":{"handle":"{prefix}/0.ADMIN","index":300},"columns":[{"index":2000,"name":"产品名称","type":"productName","data":"string","required":true,"min":1,"max":100},{"index":2008,"name":"图纸摘要","type":"drawing","data":"hash","max":128,"visibility":"administrators","ttl":3600}]}}"#;
        assert_eq!(String::from_utf8(template.to_body()).unwrap(), golden);
        let back = read(golden.as_bytes()).unwrap();
        assert_eq!((back.to_body(), back.number(), back.serial), (template.to_body(), 7, Serial(4)));
        let resolved = template.resolved(5);
        let value = resolved.values().iter().next().unwrap();
        assert_eq!((value.index, value.kind, value.permissions.0), (1, &b"WAYMARK_TEMPLATE"[..], 0x0a));
        assert!(value.data.starts_with("{\"v\":1,\"code\":\"EXC\",\"version\":\"1.2\"".as_bytes()));
    }

    #[test]
    fn other_versions_and_forms_are_refused() {
        let body = String::from_utf8(template().to_body()).unwrap();
        let wrong = |old: &str, new: &str| read(body.replacen(old, new, 1).as_bytes()).unwrap_err();
        assert_eq!(wrong("\"v\":1", "\"v\":2"), StoredTemplateError::Version { found: 2 });
        for (old, new) in [
            ("\"published\"", "\"other\""),
            ("\"EXC\"", "\"EXD\""),
            ("\"1.2\"", "\"1.3\""),
            ("\"object_type\":2", "\"object_type\":3"),
            ("\"since\"", "\"sinze\""),
            ("\"data\":\"number\"", "\"data\":\"blob\""),
            ("}", ""),
        ] {
            assert_eq!(wrong(old, new), StoredTemplateError::Form, "{old} {new}");
        }
    }
}
