//! What the head of a request asks for: path, query and conditions, read without looking at anything else.

use axum::http::{HeaderMap, Uri};
use waymark_api::registration::v1;
use waymark_catalog::Expect;

use super::request::{self, Query};
use crate::failure::Failure;

/// Whether a change is only to be checked.
pub(crate) fn validate_only(uri: &Uri) -> Result<bool, Failure> {
    let mut query = Query::of(uri)?;
    let validate_only = query.flag("validate_only")?;
    query.finish()?;
    Ok(validate_only)
}

/// The identifier of the path, and what must be so of it.
pub(crate) fn identifier(uri: &Uri, headers: &HeaderMap) -> Result<(String, Option<Expect>), Failure> {
    Query::of(uri)?.finish()?;
    Ok((request::handle(uri, IDENTIFIERS)?, request::condition(headers)?))
}

/// One identifier, as it is or as it was.
pub(crate) fn get(uri: &Uri) -> Result<v1::GetRequest, Failure> {
    let mut query = Query::of(uri)?;
    let serial = query.number("at_serial")?.map(v1::get_request::At::Serial);
    let time = query.time("at_time")?.map(v1::get_request::At::Time);
    if serial.is_some() && time.is_some() {
        return Err(Failure::invalid_field("at_time", "must not stand beside at_serial"));
    }
    let (indexes, types) = (query.numbers("index")?, query.all("type"));
    query.finish()?;
    let handle = request::handle(uri, IDENTIFIERS)?;
    Ok(v1::GetRequest { handle, at: serial.or(time), indexes, types })
}

/// A page of identifiers.
pub(crate) fn list(uri: &Uri) -> Result<v1::ListRequest, Failure> {
    let mut query = Query::of(uri)?;
    let asked = v1::ListRequest {
        prefix: query.text("prefix")?,
        page_size: query.size()?,
        page_token: query.text("page_token")?,
        changed_from: query.time("changed_from")?,
        changed_until: query.time("changed_until")?,
        with_values: query.flag("values")?,
    };
    query.finish()?;
    Ok(asked)
}

/// A page of the versions of an identifier.
pub(crate) fn history(uri: &Uri) -> Result<v1::HistoryRequest, Failure> {
    let mut query = Query::of(uri)?;
    let asked = v1::HistoryRequest {
        handle: request::handle(uri, HISTORY)?,
        page_size: query.size()?,
        page_token: query.text("page_token")?,
        with_values: query.flag("values")?,
    };
    query.finish()?;
    Ok(asked)
}

/// The stream whose mark is asked for.
pub(crate) fn mark(uri: &Uri) -> Result<String, Failure> {
    Query::of(uri)?.finish()?;
    request::decoded(uri, STREAMS)
}

/// The stream that items are sent to, and the number of the first of them.
pub(crate) fn exchange(uri: &Uri) -> Result<(String, u64), Failure> {
    let mut query = Query::of(uri)?;
    // Without a number it is the stream from its beginning: sent again it does nothing twice.
    let first = query.number("first")?.unwrap_or(1);
    query.finish()?;
    let stream = request::decoded(uri, STREAMS)?;
    if stream.is_empty() {
        return Err(Failure::invalid_field("stream", "must have a name"));
    }
    Ok((stream, first))
}

/// What stands before a handle in a path.
const IDENTIFIERS: &str = "/v1/identifiers/";
const HISTORY: &str = "/v1/history/";
/// What stands before the name of a stream.
const STREAMS: &str = "/v1/streams/";
