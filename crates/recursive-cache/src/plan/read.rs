//! What an answer says, once it is sure that it answers.

use waymark_ident::MAX_HANDLE_BYTES;
use waymark_wire::crypto::request_digest;
use waymark_wire::crypto::signed_message::verify_certified;
use waymark_wire::crypto::{PublicKey, RequestDigest};
use waymark_wire::limits::{MAX_FIELD_LENGTH, ResponseLimits};
use waymark_wire::response::{Response, ResponseBody};
use waymark_wire::{Message, OpCode, ResponseCode, ValueRef, Values};

use super::delegation::lifetime_seconds;
use crate::config::PlanLimits;
use crate::knowledge::{Fact, Now, Record};

/// What a message must be to answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    /// The handle as it was asked.
    pub(super) name: &'a [u8],
    /// How it must be certified, if at all.
    pub(super) certified: Option<Certified<'a>>,
}

/// What a certified answer is verified with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Certified<'a> {
    /// The public key of the server asked, as encoded.
    pub(super) public_key: &'a [u8],
    /// The request, whole.
    pub(super) request: &'a [u8],
}

/// What an answer says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reading<'a> {
    /// Code 1: these values of the handle asked.
    Values(Values<'a>),
    /// Code 200: it exists and has no such value for us.
    NoValues,
    /// Code 100: it does not exist.
    Absent,
    /// Code 102: it breaks the rules for handles.
    Invalid,
    /// Code 301: it does not live there.
    NotResponsible,
    /// Codes 302 and 303: ask there.
    Referral {
        /// Which of the two.
        code: ResponseCode,
        /// A service handle; may be empty.
        handle: &'a [u8],
        /// Values that say whom to ask; may be none.
        values: Values<'a>,
    },
    /// Codes with which a server refuses an identity: 400, 401, 403 to 406. Without one they make no sense.
    Denied,
    /// Any other code: the server cannot answer now, or not to us.
    Unable,
    /// Not an answer to what was asked.
    Wrong,
    /// Not certified by the server asked.
    Uncertified,
}

/// Reads an answer. Nothing of it is believed before it is verified, its code included.
pub(super) fn read<'a>(message: &'a [u8], expected: Expected<'_>, now: Now) -> Reading<'a> {
    let Ok(response) = Response::parse(message, LIMITS) else { return Reading::Wrong };
    if response.message.header.op != OpCode::RESOLUTION {
        return Reading::Wrong;
    }
    if expected.certified.is_some_and(|certified| !is_certified(&response, certified, now)) {
        return Reading::Uncertified;
    }
    match (response.code, response.body) {
        (ResponseCode::SUCCESS, ResponseBody::Resolution { handle, values }) if handle == expected.name => {
            Reading::Values(values)
        }
        (ResponseCode::SUCCESS, _) => Reading::Wrong,
        (code, ResponseBody::Referral { handle, values }) => {
            Reading::Referral { code, handle, values: values.unwrap_or_default() }
        }
        (ResponseCode::VALUES_NOT_FOUND, _) => Reading::NoValues,
        (ResponseCode::HANDLE_NOT_FOUND, _) => Reading::Absent,
        (ResponseCode::INVALID_HANDLE, _) => Reading::Invalid,
        (ResponseCode::SERVER_NOT_RESPONSIBLE, _) => Reading::NotResponsible,
        (ResponseCode(400 | 401 | 403..=406), _) => Reading::Denied,
        _ => Reading::Unable,
    }
}

/// Whether the server asked signed this answer to this request, and it has not expired.
fn is_certified(response: &Response<'_>, certified: Certified<'_>, now: Now) -> bool {
    let Ok(key) = PublicKey::parse(certified.public_key) else { return false };
    response.message.header.expiration >= now.unix_seconds
        && response.digest.is_some_and(|digest| digest_of(certified.request, &response.message) == Some(digest))
        && verify_certified(&response.message, &key).is_ok()
}

/// The digest of the request that an answer must carry, by the rules of the answer's version.
fn digest_of(request: &[u8], answer: &Message<'_>) -> Option<RequestDigest> {
    let request = Message::parse(request).ok()?;
    Some(request_digest(answer.envelope.version.formats(), request.signed))
}

/// Why values are not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NotTaken {
    /// More of them, or more bytes, than accepted.
    TooLarge,
    /// Two have the same index.
    Ambiguous,
}

/// Whether the values can be taken: not more than accepted, and each index once, as in every record.
pub(super) fn check(values: &Values<'_>, limits: &PlanLimits) -> Result<(), NotTaken> {
    let most = usize::try_from(limits.record_values).unwrap_or(usize::MAX);
    if values.len() > most || values.wire().len() > limits.record_bytes {
        return Err(NotTaken::TooLarge);
    }
    let mut indexes: Vec<u32> = values.iter().map(|value| value.index).collect();
    indexes.sort_unstable();
    if indexes.is_sorted_by(|one, next| one < next) { Ok(()) } else { Err(NotTaken::Ambiguous) }
}

/// What values that were [checked](check) teach about their handle, and for how many seconds: those that everybody may read, ascending by
/// index.
pub(super) fn fact(values: &Values<'_>, now: Now) -> (Fact, Option<u32>) {
    let mut public: Vec<ValueRef<'_>> = values.iter().filter(|value| value.permissions.is_public_read()).collect();
    public.sort_unstable_by_key(|value| value.index);
    let wire = public.iter().flat_map(|value| value.wire).copied().collect();
    let seconds = lifetime_seconds(public.iter().copied(), now);
    let count = u32::try_from(public.len()).unwrap_or(u32::MAX);
    (if public.is_empty() { Fact::NoValues } else { Fact::Values(Record { count, wire }) }, seconds)
}

/// Whatever a message can hold: what is too large must be told from what is wrong.
const LIMITS: ResponseLimits = ResponseLimits { handle_bytes: MAX_HANDLE_BYTES, values: MAX_FIELD_LENGTH };
