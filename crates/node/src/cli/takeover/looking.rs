//! An identifier as a node has it, and as a program reads it.

use serde_json::{Value, json, value::RawValue};
use waymark_api::registration::v1::{self, get_request::At};
use waymark_catalog::{ContentHash, ValueSet, form::line};
use waymark_client::registration::{CallError, Registrar};
use waymark_top_sync::takeover::{Change, Here, Status};

use crate::{
    cli::{
        present::safe,
        server::{answer, form},
    },
    problem::{Exit, Problem},
};

/// Versions of an identifier that are looked through.
const VERSIONS: u32 = 100;

/// The latest version of an identifier at a node.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) here: Here,
    pub(super) reason: String,
    pub(super) values: ValueSet,
}

/// An identifier as the interface tells it.
pub(super) fn change_of(identifier: &v1::Identifier) -> Result<Change, Problem> {
    if identifier.withheld > 0 {
        return Err(Problem::new("takeover-withheld", Exit::Refused).with("handle", safe(&identifier.handle)));
    }
    let values = form::from_interface(&identifier.values).map_err(answer::unreadable)?;
    Ok(Change {
        serial: identifier.serial,
        time_ms: time_ms(identifier.time.as_ref()),
        status: status_of(identifier),
        reason: identifier.status_reason.clone(),
        handle: identifier.handle.clone(),
        values,
    })
}

/// Whether it is resolved.
pub(super) fn status_of(identifier: &v1::Identifier) -> Status {
    match identifier.status() {
        v1::Status::Suspended => Status::Suspended,
        v1::Status::Revoked => Status::Revoked,
        v1::Status::Deleted => Status::Deleted,
        v1::Status::Active | v1::Status::Unspecified => Status::Active,
    }
}

/// A time of the interface, in milliseconds since 1970.
pub(super) fn time_ms(time: Option<&prost_types::Timestamp>) -> u64 {
    let Some(time) = time else { return 0 };
    let seconds = u64::try_from(time.seconds).unwrap_or(0);
    let millis = u64::try_from(time.nanos).unwrap_or(0) / 1_000_000;
    seconds.saturating_mul(1_000).saturating_add(millis)
}

/// The latest version of an identifier, a deletion included; `None` where there never was one.
pub(super) async fn look(registrar: &Registrar, handle: &str) -> Result<Option<Version>, Problem> {
    let request =
        v1::HistoryRequest { handle: handle.to_owned(), page_size: 1, page_token: String::new(), with_values: true };
    let page = match registrar.history(&request).await {
        Ok(page) => page,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(answer::problem(&error, false)),
    };
    page.versions.first().map(version_of).transpose()
}

/// The version of an identifier there was at a serial; `None` where there was none, or the node does not tell any more.
pub(super) async fn look_at(registrar: &Registrar, handle: &str, serial: u64) -> Result<Option<Version>, Problem> {
    if serial == 0 {
        return Ok(None);
    }
    match registrar.get(&at(handle, serial)).await {
        Ok(identifier) => version_of(&identifier).map(Some),
        Err(error) if error.server_error().is_some() => Ok(None),
        Err(error) => Err(answer::problem(&error, false)),
    }
}

/// Whether a change is one of the latest of a node's own: of the same serial, acknowledged at the same time.
pub(super) async fn has_version(registrar: &Registrar, change: &Change) -> Result<bool, Problem> {
    let request =
        v1::HistoryRequest { handle: change.handle.clone(), page_size: VERSIONS, ..v1::HistoryRequest::default() };
    match registrar.history(&request).await {
        Ok(page) => {
            let is_it = |version: &v1::Identifier| {
                version.serial == change.serial && time_ms(version.time.as_ref()) == change.time_ms
            };
            Ok(page.versions.iter().any(is_it))
        }
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(answer::problem(&error, false)),
    }
}

fn version_of(identifier: &v1::Identifier) -> Result<Version, Problem> {
    let change = change_of(identifier)?;
    let content = ContentHash::of(change.values.values());
    let Change { serial, time_ms, status, reason, values, .. } = change;
    Ok(Version { here: Here { serial, time_ms, status, content }, reason, values })
}

/// Whether there was an identifier at a serial.
pub(super) async fn was_there(registrar: &Registrar, handle: &str, serial: u64) -> Result<bool, Problem> {
    if serial == 0 {
        return Ok(false);
    }
    match registrar.get(&at(handle, serial)).await {
        Ok(identifier) => Ok(status_of(&identifier) != Status::Deleted),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(answer::problem(&error, false)),
    }
}

fn at(handle: &str, serial: u64) -> v1::GetRequest {
    v1::GetRequest { handle: handle.to_owned(), at: Some(At::Serial(serial)), ..v1::GetRequest::default() }
}

/// Whether a call failed since there is no such identifier.
pub(super) fn is_absent(error: &CallError) -> bool {
    error.server_error().is_some_and(|said| said.code == tonic::Code::NotFound)
}

/// A version for programs: all of it.
pub(super) fn told(handle: &str, time_ms: u64, status: Status, reason: &str, values: &ValueSet) -> Value {
    let record =
        line::write(handle, values.values()).ok().and_then(|text| serde_json::from_str::<Box<RawValue>>(&text).ok());
    let record: Value = record.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    json!({ "time_ms": time_ms, "status": status, "reason": reason, "record": record })
}
