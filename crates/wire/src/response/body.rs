//! Reading responses, for clients.

use crate::codes::{OpCode, OpFlags, ResponseCode};
use crate::crypto::digest::{DigestAlgorithm, RequestDigest};
use crate::error::DecodeError;
use crate::limits::ResponseLimits;
use crate::lists::StrList;
use crate::message::{Message, ParseFailure};
use crate::primitives::Reader;
use crate::request::read_digest;
use crate::value::Values;
use crate::version::Version;

/// A decoded response: message, digest of the request, and body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The message.
    pub message: Message<'a>,
    /// What the response code means: 303 before version 2.5 is 7.
    pub code: ResponseCode,
    /// The digest of the request, when the response carries one. Whether it is right is for the caller to compare.
    pub digest: Option<RequestDigest>,
    /// The body.
    pub body: ResponseBody<'a>,
}

impl<'a> Response<'a> {
    /// Reads a whole response with its envelope.
    ///
    /// # Errors
    /// As [`Message::parse`] and [`of_message`](Self::of_message).
    pub fn parse(bytes: &'a [u8], limits: ResponseLimits) -> Result<Self, ParseFailure> {
        let message = Message::parse(bytes)?;
        Self::of_message(message, limits).map_err(|error| {
            let op = Some(message.header.op);
            ParseFailure::new(error, Some(message.envelope), op)
        })
    }

    /// Reads the body of a response.
    ///
    /// # Errors
    /// [`DecodeError::BadField`] for a request, [`DecodeError::HandleTooLong`] or [`DecodeError::CountTooBig`] past
    /// `limits`, [`DecodeError::UnknownDigestAlgorithm`], otherwise that of the first field that is not right.
    pub fn of_message(message: Message<'a>, limits: ResponseLimits) -> Result<Self, DecodeError> {
        let header = &message.header;
        if header.response_code == ResponseCode::REQUEST {
            return Err(DecodeError::BadField { field: "response code", value: 0 });
        }
        let version = message.envelope.version;
        let code = header.response_code.received_in(version);
        let mut reader = Reader::new(message.body);
        if code == ResponseCode::AUTHENTICATION_NEEDED {
            let (digest, body) = read_challenge(&mut reader, version)?;
            return Ok(Self { message, code, digest, body });
        }
        let has_digest = header.flags.has(OpFlags::RRDG) && version.at_least_2(1);
        let digest = if has_digest { Some(read_digest(&mut reader)?) } else { None };
        let body = match code {
            ResponseCode::SUCCESS => read_success(&mut reader, header.op, limits)?,
            code if code.is_referral() => read_referral(&mut reader, limits)?,
            _ => read_error(&mut reader)?,
        };
        Ok(Self { message, code, digest, body })
    }
}

/// The body of a response, by code and operation. Everything borrows from the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseBody<'a> {
    /// Success without a body.
    Done,
    /// Success of operation 1.
    Resolution {
        /// The handle as asked.
        handle: &'a [u8],
        /// The values.
        values: Values<'a>,
    },
    /// Success of operation 2.
    SiteInfo {
        /// The bytes of an HS_SITE value.
        site: &'a [u8],
    },
    /// Success of operation 100.
    Created {
        /// The handle that was created; old servers do not say.
        handle: Option<&'a [u8]>,
    },
    /// Success of operations 105, 106 and 302. More messages follow while CONT is set.
    Listing {
        /// Handles or prefix records.
        names: StrList<'a>,
    },
    /// Success of operation 201.
    Verified {
        /// Whether the answer was right.
        valid: bool,
    },
    /// Success of operation 400.
    SessionSetup {
        /// The mode of the key exchange.
        mode: u16,
        /// Its data.
        data: &'a [u8],
    },
    /// Success of operation 1000.
    TransactionId {
        /// The number.
        id: i64,
    },
    /// Codes 302 and 303.
    Referral {
        /// Handle of a service; may be empty.
        handle: &'a [u8],
        /// Values that say whom to ask; `None` when only the handle was sent.
        values: Option<Values<'a>>,
    },
    /// Code 402. The session id of the message names the challenge.
    Challenge {
        /// What to sign, together with the digest.
        nonce: &'a [u8],
    },
    /// Any other code.
    Error {
        /// A text for people, usually empty; not checked for UTF-8.
        message: &'a [u8],
    },
    /// Success of an operation whose body is not read here: replication, and those without a name.
    Other {
        /// The body behind the digest.
        body: &'a [u8],
    },
}

/// Reads the body of a success.
fn read_success<'a>(r: &mut Reader<'a>, op: OpCode, limits: ResponseLimits) -> Result<ResponseBody<'a>, DecodeError> {
    Ok(match op {
        OpCode::RESOLUTION => ResponseBody::Resolution {
            handle: read_handle(r, limits)?,
            values: Values::parse_at_most(r, limits.values)?,
        },
        OpCode::GET_SITE_INFO => ResponseBody::SiteInfo { site: r.rest() },
        OpCode::CREATE_HANDLE if r.is_empty() => ResponseBody::Created { handle: None },
        OpCode::CREATE_HANDLE => ResponseBody::Created { handle: Some(read_handle(r, limits)?) },
        OpCode::LIST_HANDLES | OpCode::LIST_DERIVED_PREFIXES | OpCode::LIST_HOMED_PREFIXES => {
            ResponseBody::Listing { names: StrList::parse(r)? }
        }
        OpCode::VERIFY_ANSWER => ResponseBody::Verified { valid: r.u8()? == 1 },
        OpCode::SESSION_SETUP => ResponseBody::SessionSetup { mode: r.u16()?, data: r.bytes()? },
        OpCode::GET_NEXT_TRANSACTION_ID => ResponseBody::TransactionId { id: r.i64()? },
        op if has_empty_success(op) => ResponseBody::Done,
        _ => ResponseBody::Other { body: r.rest() },
    })
}

/// Tells whether success of the operation has no body, or none that is worth reading.
const fn has_empty_success(op: OpCode) -> bool {
    matches!(
        op,
        OpCode::DELETE_HANDLE
            | OpCode::ADD_VALUES
            | OpCode::REMOVE_VALUES
            | OpCode::MODIFY_VALUES
            | OpCode::CHALLENGE_ANSWER
            | OpCode::HOME_PREFIX
            | OpCode::UNHOME_PREFIX
            | OpCode::SESSION_TERMINATE
            | OpCode::SESSION_EXCHANGE_KEY
            | OpCode::BACKUP_SERVER
            | OpCode::LOGIN
    )
}

/// Reads a challenge; before version 2.1 its digest comes last, with a length and without an algorithm.
fn read_challenge<'a>(
    reader: &mut Reader<'a>,
    version: Version,
) -> Result<(Option<RequestDigest>, ResponseBody<'a>), DecodeError> {
    if version.at_least_2(1) {
        let digest = read_digest(reader)?;
        return Ok((Some(digest), ResponseBody::Challenge { nonce: reader.bytes()? }));
    }
    let nonce = reader.bytes()?;
    let bytes = reader.bytes()?;
    let wrong = DecodeError::Truncated { needed: DigestAlgorithm::Md5.digest_bytes(), left: bytes.len() };
    let digest = RequestDigest::new(DigestAlgorithm::Md5, bytes).ok_or(wrong)?;
    Ok((Some(digest), ResponseBody::Challenge { nonce }))
}

/// Reads a referral.
fn read_referral<'a>(reader: &mut Reader<'a>, limits: ResponseLimits) -> Result<ResponseBody<'a>, DecodeError> {
    let handle = read_handle(reader, limits)?;
    let values = if reader.is_empty() { None } else { Some(Values::parse_at_most(reader, limits.values)?) };
    Ok(ResponseBody::Referral { handle, values })
}

/// Reads the text of an error, which may be missing. What follows it is ignored.
fn read_error<'a>(reader: &mut Reader<'a>) -> Result<ResponseBody<'a>, DecodeError> {
    let message = if reader.is_empty() { &[] } else { reader.bytes()? };
    Ok(ResponseBody::Error { message })
}

/// Reads a handle within the limits.
fn read_handle<'a>(reader: &mut Reader<'a>, limits: ResponseLimits) -> Result<&'a [u8], DecodeError> {
    let handle = reader.bytes()?;
    let (length, limit) = (handle.len(), limits.handle_bytes);
    if length > limit { Err(DecodeError::HandleTooLong { length, limit }) } else { Ok(handle) }
}
