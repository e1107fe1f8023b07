//! Responses, as a client gets them from anybody.

use waymark_wire::limits::ResponseLimits;
use waymark_wire::response::{Response, ResponseBody, ResponseWriter};
use waymark_wire::{Message, NoRoom};

/// The input is read as a response. What can be read is written back: the same content, into exactly the room the writer asks for.
/// Tighter limits only ever refuse more.
pub fn response(input: &[u8]) {
    let Ok(message) = Message::parse(input) else { return };
    let Ok(response) = Response::of_message(message, ResponseLimits::WHOLE_MESSAGE) else { return };
    assert_eq!(Response::parse(input, ResponseLimits::WHOLE_MESSAGE), Ok(response));
    assert!(!message.is_request());
    if let Ok(within) = Response::parse(input, ResponseLimits::REFERENCE) {
        assert_eq!(within, response);
        assert_within_limits(&within.body);
    }
    written_back(&response);
}

fn assert_within_limits(body: &ResponseBody<'_>) {
    let limits = ResponseLimits::REFERENCE;
    let (handle, values) = match body {
        ResponseBody::Resolution { handle, values } => (*handle, values.len()),
        ResponseBody::Referral { handle, values } => (*handle, values.map_or(0, |values| values.len())),
        _ => return,
    };
    assert!(handle.len() <= limits.handle_bytes);
    assert!(u32::try_from(values).is_ok_and(|count| count <= limits.values));
}

fn written_back(response: &Response<'_>) {
    let needed = match rewrite(response, &mut []) {
        Err(NoRoom { needed }) => needed,
        Ok(length) => panic!("{length} bytes written into no room"),
    };
    let mut room = vec![0xaa; needed - 1];
    assert_eq!(rewrite(response, &mut room), Err(NoRoom { needed }));
    room.push(0xaa);
    assert_eq!(rewrite(response, &mut room), Ok(needed));

    let again = Response::parse(&room, ResponseLimits::WHOLE_MESSAGE).expect("what was written can be read");
    assert_eq!((again.code, again.digest, again.body), (response.code, response.digest, response.body));
    let body = response.message.body;
    match response.body {
        // A text that is missing is written as an empty one, an answer other than yes as no, an end that is missing as it should be.
        ResponseBody::Error { .. } | ResponseBody::Verified { .. } | ResponseBody::SessionSetup { .. } => {}
        _ => assert!(body.starts_with(again.message.body), "only bytes behind the last field are lost"),
    }
}

fn rewrite(response: &Response<'_>, room: &mut [u8]) -> Result<usize, NoRoom> {
    let writer = ResponseWriter::begin(room, &response.message.head(), response.digest);
    match response.body {
        ResponseBody::Resolution { handle, values } => writer.resolution(handle, values.iter()),
        ResponseBody::SiteInfo { site } => writer.site_info(site),
        ResponseBody::Created { handle: Some(handle) } => writer.created(handle),
        ResponseBody::Done | ResponseBody::Created { handle: None } => writer.done(),
        ResponseBody::Listing { names } => writer.listing(names.iter()),
        ResponseBody::Verified { valid } => writer.verified(valid),
        ResponseBody::SessionSetup { mode, data } => writer.session_setup(mode, data),
        ResponseBody::TransactionId { id } => writer.transaction_id(id),
        ResponseBody::Referral { handle, values: Some(values) } => writer.referral(handle, values.iter()),
        ResponseBody::Referral { handle, values: None } => writer.referral_to(handle),
        ResponseBody::Challenge { nonce } => writer.challenge(nonce),
        ResponseBody::Error { message } => writer.error(message),
        ResponseBody::Other { body } => writer.raw(body),
        _ => unreachable!("a body this code does not know"),
    }
}
