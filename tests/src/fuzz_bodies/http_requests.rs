//! Requests of the HTTP door.

use serde_json::Value;
use waymark_api::registration::v1;
use waymark_catalog::ValueSet;
use waymark_ident::MAX_HANDLE_BYTES;
use waymark_registration::config::PAGE_MAX;
use waymark_registration::request_forms::{self as forms, Asked, Route};
use waymark_wire::{DecodeError, Reader, Ttl};

use super::grpc_requests::{judged, obeys_limits, read_again, values_of};
use super::script::{piece, put_piece};

/// The first byte chooses a route and says which conditions there are; then come the target and the conditions, each with its length (2 bytes)
/// before it, and the body.
///
/// What is wrong is told by its field, in bounded space. What is taken obeys the limits that hold for every door, and what a change brings is shown
/// as JSON that brings the same.
pub fn http_requests(input: &[u8]) {
    let Ok(Some((route, asked))) = read(input) else { return };
    let Some(asked) = judged(asked) else { return };
    match asked {
        Asked::Change { order, .. } => {
            // A path may name anything; the writer refuses what is no handle.
            if route == Route::Apply || route == Route::Replace {
                obeys_limits(&order);
            }
            values_of(&order.command).into_iter().for_each(shown_as_json);
        }
        Asked::Exchange { stream, items, .. } => {
            assert!(!stream.is_empty());
            for order in items.into_iter().filter_map(judged) {
                obeys_limits(&order);
                values_of(&order.command).into_iter().for_each(shown_as_json);
            }
        }
        Asked::List(v1::ListRequest { page_size, .. }) | Asked::History(v1::HistoryRequest { page_size, .. }) => {
            assert!(usize::try_from(page_size).is_ok_and(|size| size <= PAGE_MAX));
        }
        Asked::Get(_) | Asked::Mark(_) => {}
    }
}

/// What reading a request gives.
type Read = (Route, Result<Asked, waymark_registration::failure::Failure>);

/// Reads the script as a request; `None` for what the HTTP library would not hand on.
fn read(input: &[u8]) -> Result<Option<Read>, DecodeError> {
    let mut script = Reader::new(input);
    let shape = script.u8()?;
    let route = Route::ALL[usize::from(shape) % Route::ALL.len()];
    let Some(uri) = forms::target(piece(&mut script)?) else { return Ok(None) };
    let if_match = (shape & IF_MATCH != 0).then(|| piece(&mut script)).transpose()?;
    let if_none_match = (shape & IF_NONE_MATCH != 0).then(|| piece(&mut script)).transpose()?;
    let Some(headers) = forms::conditions(if_match, if_none_match) else { return Ok(None) };
    Ok(Some((route, route.read(&uri, &headers, script.rest()))))
}

const IF_MATCH: u8 = 0x40;
const IF_NONE_MATCH: u8 = 0x80;

/// A request as an input.
#[must_use]
pub fn request(
    route: Route,
    target: &str,
    if_match: Option<&str>,
    if_none_match: Option<&str>,
    body: &[u8],
) -> Vec<u8> {
    let number = Route::ALL.iter().position(|each| *each == route).and_then(|number| u8::try_from(number).ok());
    let flag = |header: Option<&str>, bit| if header.is_some() { bit } else { 0 };
    let mut input = vec![number.expect("a few") | flag(if_match, IF_MATCH) | flag(if_none_match, IF_NONE_MATCH)];
    put_piece(&mut input, target.as_bytes());
    for header in [if_match, if_none_match].into_iter().flatten() {
        put_piece(&mut input, header.as_bytes());
    }
    input.extend_from_slice(body);
    input
}

/// Values as this door shows them are JSON that brings the same values, as far as the interface can say them.
fn shown_as_json(set: &ValueSet) {
    let sayable = |ttl| !matches!(ttl, Ttl::Other { .. } | Ttl::Relative(..0) | Ttl::Absolute(..0));
    if !set
        .values()
        .iter()
        .all(|value| sayable(value.ttl) && value.references.iter().all(|each| is_handle(each.handle)))
    {
        return;
    }
    let shown: Vec<v1::Value> = set.values().iter().map(|value| forms::shown_value(&value)).collect();
    assert_eq!(read_again(shown.clone()), *set);
    let identifier = v1::Identifier { handle: "1/x".to_owned(), values: shown, ..v1::Identifier::default() };
    let json = forms::identifier_json(identifier).expect("what was taken can be shown");
    let shown: Value = serde_json::from_str(&json).expect("JSON");
    let body = serde_json::json!({ "values": shown["values"], "keep_timestamps": true }).to_string();
    let uri = forms::target(b"/v1/identifiers/1/x").expect("a target");
    let headers = forms::conditions(None, None).expect("no headers");
    let Ok(Asked::Change { order, .. }) = Route::Replace.read(&uri, &headers, body.as_bytes()) else {
        panic!("what was shown can be brought: {body}");
    };
    assert_eq!(values_of(&order.command), Some(set), "what is shown is read as the same");
}

fn is_handle(handle: &[u8]) -> bool {
    !handle.is_empty() && handle.len() <= MAX_HANDLE_BYTES && std::str::from_utf8(handle).is_ok()
}
