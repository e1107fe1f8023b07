//! Reading the table from the log at start.

use std::ops::ControlFlow;

use waymark_store::{EntryKind, Place, ReadError, Serial, Store};

use super::application::Application;
use super::deed::NotedDeed;
use super::enterprise::Enterprise;
use super::file::FileAt;
use super::operator::OperatorRecord;
use super::owner::Owner;
use super::plan::KeptPlan;
use super::prefix_case::PrefixCase;
use super::stored::StoredBusinessError;
use super::table::{Business, Disclosure};
use crate::reserved::{ReservedKey, is_reserved};

/// Why the table could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusinessLoadError {
    /// The keys cannot be read.
    #[error("keys cannot be read; waymark store rebuild remakes them from the log")]
    Keys(#[from] ReadError),
    /// An enterprise or a case is not in a form this program knows. It is not passed over: its document or prefix might be given out twice.
    #[error(
        "{name}, serial {serial}, has a form this program does not know; open the store with the version that wrote it"
    )]
    Form {
        /// The enterprise, `node`, the application, or the prefix of the case.
        name: String,
        /// Serial of the entry.
        serial: Serial,
        /// What is wrong.
        source: StoredBusinessError,
    },
}

/// What was loaded.
#[derive(Debug, Default)]
pub(crate) struct LoadedBusiness {
    pub(crate) business: Business,
    /// Enterprises, cases and others whose entries the disk does not give. They are left out until they are written anew.
    pub(crate) unreadable: Vec<String>,
}

/// Loads the enterprises, cases, applications and the own record of a store.
///
/// # Errors
/// See [`BusinessLoadError`].
pub(crate) fn load(store: &dyn Store) -> Result<LoadedBusiness, BusinessLoadError> {
    let mut loaded = LoadedBusiness::default();
    let mut buffer = Vec::new();
    for (key, place, at) in places(store)? {
        if let ReservedKey::File(owner, kind) = key {
            // Its bytes stay where they are.
            loaded.business.put_file(owner, kind, Some(FileAt { serial: at }));
            continue;
        }
        let name = match &key {
            ReservedKey::Case(prefix) => String::from_utf8_lossy(prefix).into_owned(),
            ReservedKey::Enterprise(id) => id.to_string(),
            ReservedKey::Disclosure(owner) => owner.to_string(),
            ReservedKey::Deed => "deeds".to_owned(),
            ReservedKey::Plan(year) => format!("plan {year}"),
            ReservedKey::Operator => Owner::Node.to_string(),
            ReservedKey::Application(id) => id.to_string(),
            _ => continue,
        };
        let Ok(entry) = store.read(place, &mut buffer) else {
            match key {
                ReservedKey::Case(prefix) => loaded.business.note_unreadable(prefix),
                ReservedKey::Enterprise(id) => loaded.business.note_id(id),
                ReservedKey::Operator => loaded.business.note_operator_unreadable(),
                _ => {}
            }
            loaded.unreadable.push(name);
            continue;
        };
        let (body, serial, table) = (entry.body, entry.serial, &mut loaded.business);
        let read = match key {
            ReservedKey::Enterprise(id) => {
                Enterprise::from_body(id, body, serial).map(|each| table.put_enterprise(each))
            }
            ReservedKey::Case(prefix) => PrefixCase::from_body(&prefix, body, serial).map(|each| table.put_case(each)),
            ReservedKey::Disclosure(owner) => {
                Disclosure::from_body(body, serial).map(|each| table.put_disclosure(owner, each))
            }
            ReservedKey::Deed => NotedDeed::from_body(body, serial).map(|each| table.put_deed(each)),
            ReservedKey::Plan(year) => KeptPlan::from_body(year, body, serial).map(|each| table.put_plan(each)),
            ReservedKey::Operator => OperatorRecord::from_body(body, serial).map(|each| table.put_operator(each)),
            ReservedKey::Application(id) => {
                Application::from_body(id, body, serial).map(|each| table.put_application(each))
            }
            _ => Ok(()),
        };
        read.map_err(|source| BusinessLoadError::Form { name, serial, source })?;
    }
    Ok(loaded)
}

/// Where they lie: reserved keys come first in key order.
fn places(store: &dyn Store) -> Result<Vec<(ReservedKey, Place, Serial)>, ReadError> {
    let mut places = Vec::new();
    store.scan_latest(Serial::NONE, &mut |entry| {
        if !is_reserved(entry.key) {
            return ControlFlow::Break(());
        }
        if entry.kind == EntryKind::PUT
            && let Some(key) = ReservedKey::parse(entry.key)
            && matches!(
                key,
                ReservedKey::Enterprise(_)
                    | ReservedKey::Disclosure(_)
                    | ReservedKey::Deed
                    | ReservedKey::Plan(_)
                    | ReservedKey::Case(_)
                    | ReservedKey::File(..)
                    | ReservedKey::Operator
                    | ReservedKey::Application(_)
            )
        {
            places.push((key, entry.place, entry.serial));
        }
        ControlFlow::Continue(())
    })?;
    Ok(places)
}
