//! Reading the table from the log at start.

use std::ops::ControlFlow;

use waymark_store::{EntryKind, Place, ReadError, Serial, Store};

use super::stored::StoredTemplateError;
use super::{Template, TemplateName, Templates};
use crate::reserved::{ReservedKey, is_reserved};

/// Why the table could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateLoadError {
    /// The keys cannot be read.
    #[error("keys cannot be read; waymark store rebuild remakes them from the log")]
    Keys(#[from] ReadError),
    /// A template is in a form this program does not know. It is not passed over: what was made from it could not be read.
    #[error(
        "template {name}, serial {serial}, has a form this program does not know; open the store with the version that wrote it"
    )]
    Form {
        /// Which template.
        name: TemplateName,
        /// Serial of the entry.
        serial: Serial,
        /// What is wrong.
        source: StoredTemplateError,
    },
}

/// What was loaded.
#[derive(Debug, Default)]
pub(crate) struct LoadedTemplates {
    pub(crate) templates: Templates,
    /// Templates whose entries the disk does not give. What was made from them cannot be read.
    pub(crate) unreadable: Vec<String>,
}

/// Loads the templates of a store.
///
/// # Errors
/// See [`TemplateLoadError`].
pub(crate) fn load(store: &dyn Store) -> Result<LoadedTemplates, TemplateLoadError> {
    let mut loaded = LoadedTemplates::default();
    let mut places: Vec<(u32, TemplateName, Place)> = Vec::new();
    store.scan_latest(Serial::NONE, &mut |entry| {
        if !is_reserved(entry.key) {
            return ControlFlow::Break(());
        }
        if let Some(ReservedKey::Template(number, name)) = ReservedKey::parse(entry.key) {
            loaded.templates.note_number(number);
            if entry.kind == EntryKind::PUT {
                places.push((number, name, entry.place));
            }
        }
        ControlFlow::Continue(())
    })?;
    let mut buffer = Vec::new();
    for (number, name, place) in places {
        let Ok(entry) = store.read(place, &mut buffer) else {
            loaded.unreadable.push(name.to_string());
            continue;
        };
        let serial = entry.serial;
        let template = Template::from_body(name.clone(), number, entry.body, serial);
        loaded.templates.put(template.map_err(|source| TemplateLoadError::Form { name, serial, source })?);
    }
    Ok(loaded)
}
