//! The head of an answer, made from the head of the request.

use crate::codes::{OpCode, OpFlags, ResponseCode};
use crate::crypto::digest::{RequestDigest, request_digest};
use crate::envelope::{Envelope, EnvelopeFlags};
use crate::header::Header;
use crate::message::{Head, ParseFailure};
use crate::version::{Version, negotiate};

/// What a server says about itself in every answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnIdentity {
    /// Highest version it speaks; answers suggest it.
    pub version: Version,
    /// Serial number of its HS_SITE value.
    pub site_serial: u16,
    /// Whether it is a primary: answers then have the AUTH flag.
    pub primary: bool,
}

/// The head of the answer to `request` with this code, valid until `expiration` (seconds since 1970).
///
/// Version: the lower of what client and server speak. Flags: CERT, CACR, ENCR, PUBL, DNRF and RRDG as in the request,
/// MINT too when a handle is created; AUTH on a primary; RECU always; nothing else. CONT and OVRW are for the caller
/// to add. Session id, request id and recursion count as in the request. Codes the client is too old for become those
/// it knows.
#[must_use]
pub fn respond_to(request: &Head, own: &OwnIdentity, code: ResponseCode, expiration: u32) -> Head {
    let version = negotiate(request.envelope.version, request.envelope.suggestion(), own.version);
    let mut copied = OpFlags::COPIED_TO_RESPONSE;
    if request.header.op == OpCode::CREATE_HANDLE {
        copied = copied.with(OpFlags::MINT);
    }
    let mut flags = request.header.flags.only(copied).with(OpFlags::RECU);
    if own.primary {
        flags = flags.with(OpFlags::AUTH);
    }
    Head {
        envelope: Envelope {
            version,
            flags: EnvelopeFlags::NONE,
            suggested: own.version,
            session_id: request.envelope.session_id,
            request_id: request.envelope.request_id,
            sequence: 0,
            message_length: 0,
        },
        header: Header {
            op: request.header.op,
            response_code: code.for_version(version),
            flags,
            site_serial: own.site_serial,
            recursion_count: request.header.recursion_count,
            reserved: 0,
            expiration,
            body_length: 0,
        },
    }
}

/// The head of the answer to a message that could not be read: with its own request id, so that the client can match
/// it. `None` when not even the envelope was there: then nobody can match an answer, and none must be sent.
///
/// The operation is the one asked, 0 if that could not be read.
#[must_use]
pub fn respond_to_unreadable(
    failure: &ParseFailure,
    own: &OwnIdentity,
    code: ResponseCode,
    expiration: u32,
) -> Option<Head> {
    let op = failure.op.unwrap_or(OpCode::RESERVED);
    let header = Header::request(op, OpFlags::NONE, 0);
    failure.envelope.map(|envelope| respond_to(&Head { envelope, header }, own, code, expiration))
}

/// The digest of a request (its header and body) that the answer with this head must carry; `None` when it carries
/// none, and then nothing is computed.
///
/// Challenges always carry one, other answers when RRDG is set and the version is 2.1 or later.
#[must_use]
pub fn digest_for(answer: &Head, signed_request: &[u8]) -> Option<RequestDigest> {
    let version = answer.formats();
    let is_challenge = answer.header.response_code == ResponseCode::AUTHENTICATION_NEEDED;
    let is_wanted = is_challenge || (answer.header.flags.has(OpFlags::RRDG) && version.at_least_2(1));
    is_wanted.then(|| request_digest(version, signed_request))
}
