//! Reading the table from the log at start.

use std::ops::ControlFlow;

use waymark_store::{EntryKind, Place, ReadError, Serial, Store};

use super::stored::StoredAccessError;
use super::{Access, Principal, Token};
use crate::reserved::{ReservedKey, is_reserved};

/// Why the table could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessLoadError {
    /// The keys cannot be read.
    #[error("keys cannot be read; waymark store rebuild remakes them from the log")]
    Keys(#[from] ReadError),
    /// A principal or token is not in a form this program knows. It is not passed over: that might give or take rights.
    #[error(
        "{name}, written with serial {serial}, has a form this program does not know; open the store with the version that wrote it"
    )]
    Form {
        /// Which principal or token.
        name: String,
        /// Serial of its entry.
        serial: Serial,
        /// What is wrong.
        source: StoredAccessError,
    },
}

/// What was loaded.
#[derive(Debug, Default)]
pub(crate) struct LoadedAccess {
    pub(crate) access: Access,
    /// Principals and tokens whose entries the disk does not give. They are left out, so that whoever they name has no rights.
    pub(crate) unreadable: Vec<String>,
}

/// Loads the principals and tokens of a store.
///
/// # Errors
/// See [`AccessLoadError`].
pub(crate) fn load(store: &dyn Store) -> Result<LoadedAccess, AccessLoadError> {
    let mut loaded = LoadedAccess::default();
    let mut buffer = Vec::new();
    for (key, place) in places(store)? {
        let Ok(entry) = store.read(place, &mut buffer) else {
            loaded.unreadable.push(name_of(&key));
            continue;
        };
        let at = (entry.serial, entry.time);
        let outcome = match &key {
            ReservedKey::Principal(name) => {
                Principal::from_body(name, entry.body).map(|(read, by)| loaded.access.put_principal(read, by, at))
            }
            ReservedKey::Token(id) => Token::from_body(*id, entry.body).map(|read| loaded.access.put_token(read, at)),
            _ => Ok(()),
        };
        outcome.map_err(|source| AccessLoadError::Form { name: name_of(&key), serial: entry.serial, source })?;
    }
    Ok(loaded)
}

/// Where the principals and tokens lie: reserved keys come first in key order.
fn places(store: &dyn Store) -> Result<Vec<(ReservedKey, Place)>, ReadError> {
    let mut places = Vec::new();
    store.scan_latest(Serial::NONE, &mut |entry| {
        if !is_reserved(entry.key) {
            return ControlFlow::Break(());
        }
        let key = ReservedKey::parse(entry.key);
        if let (EntryKind::PUT, Some(key @ (ReservedKey::Principal(_) | ReservedKey::Token(_)))) = (entry.kind, key) {
            places.push((key, entry.place));
        }
        ControlFlow::Continue(())
    })?;
    Ok(places)
}

fn name_of(key: &ReservedKey) -> String {
    match key {
        ReservedKey::Principal(name) => format!("principal {name}"),
        ReservedKey::Token(id) => format!("token {id}"),
        _ => String::new(),
    }
}
