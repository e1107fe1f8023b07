//! Messages of the tests of this crate.

use waymark_wire::{Head, Header, OpCode, OpFlags, ResponseCode, request::RequestWriter};

/// A resolution of `88.1/a`.
pub(crate) fn question(flags: OpFlags) -> Vec<u8> {
    question_about(b"88.1/a", flags)
}

/// A resolution of `handle`.
pub(crate) fn question_about(handle: &[u8], flags: OpFlags) -> Vec<u8> {
    RequestWriter::new(Vec::new(), Head::request(0, flags, 0)).resolution(handle, &[], &[], None)
}

/// A successful response to a resolution with this body.
pub(crate) fn answer(request_id: u32, body: &[u8]) -> Vec<u8> {
    let mut head = Head::request(request_id, OpFlags::NONE, 0);
    let body_length = u32::try_from(body.len()).unwrap();
    head.header = Header { response_code: ResponseCode::SUCCESS, body_length, ..head.header };
    head.header.op = OpCode::RESOLUTION;
    head.envelope.message_length = u32::try_from(Header::LEN).unwrap() + body_length;
    [&head.envelope.to_bytes()[..], &head.header.to_bytes(), body].concat()
}
