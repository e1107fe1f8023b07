//! From request bytes to what has to be done: the first pass, which looks at nothing but the request and the settings.
//!
//! Cheapest refusal first: what is no request at all, then what the head alone refuses, then the body. What is asked of a session this node
//! does not know is refused before its operation is looked at.

use std::ops::RangeInclusive;

use waymark_ident::Handle;
use waymark_wire::message::Head;
use waymark_wire::request::{RequestBody, ResolutionBody};
use waymark_wire::{DecodeError, Envelope, Header, Message, OpCode, OpFlags, ParseFailure, ResponseCode, Version};

use super::reply::Reply;
use super::texts;
use crate::question::{DropReason, Origin};
use crate::settings::Settings;

/// Session and challenge ids this node gives out, at random. Clients of the IDIS dialect choose session ids of their own, counting up from
/// 10,001, and put them into every message before any agreement: the two can never meet. The top bit stays clear for clients that read
/// the id as a signed number.
pub(crate) const OUR_SESSION_IDS: RangeInclusive<u32> = 0x4000_0000..=0x7fff_ffff;

/// A request as far as it is understood without looking at any data.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Understood<'q> {
    /// No answer.
    Drop(DropReason),
    /// The answer is known.
    Reply(Asked<'q>, Reply<'q>),
    /// A resolution.
    Resolve(Asked<'q>, Handle<'q>, ResolutionBody<'q>),
}

/// What is left of the request when its answer is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'q> {
    /// Envelope and header, as far as they could be read.
    pub(crate) head: Head,
    /// Header and body for the request digest; `None` when there is no whole message to digest.
    pub(crate) signed: Option<&'q [u8]>,
    /// Whether a stream connection stays open behind the answer.
    pub(crate) keep_open: bool,
}

impl<'q> Asked<'q> {
    fn of(message: &Message<'q>, body: Option<&RequestBody<'q>>) -> Self {
        let keep_open = waymark_wire::keep_open::keeps_connection(message, body, false);
        Self { head: message.head(), signed: Some(message.signed), keep_open }
    }

    /// Whether only public values are asked for.
    pub(crate) const fn public_only(&self) -> bool {
        self.head.header.flags.has(OpFlags::PUBL)
    }

    /// Whether referrals are unwelcome.
    pub(crate) const fn refuses_referral(&self) -> bool {
        self.head.header.flags.has(OpFlags::DNRF)
    }

    /// Whether the client wants names resolved that live elsewhere.
    pub(crate) const fn wants_recursion(&self) -> bool {
        self.head.header.flags.has(OpFlags::RECU)
    }

    /// Whether only the authority's own word will do, or that for a certain identity: nothing known is an answer.
    pub(crate) const fn passes_over_cache(&self) -> bool {
        self.wants_authority() || self.passes_identity()
    }

    /// Whether a primary must answer.
    pub(crate) const fn wants_authority(&self) -> bool {
        self.head.header.flags.has(OpFlags::AUTH)
    }

    /// Whether the identity of an end user goes with the question (IDIS dialect).
    pub(crate) const fn passes_identity(&self) -> bool {
        self.head.header.flags.has(OpFlags::IDENTITY_TOKEN)
    }

    /// Whether the client can read how old an answer is.
    pub(crate) const fn reads_ages(&self) -> bool {
        self.head.header.flags.has(OpFlags::AGED)
    }

    /// Whether the answer is to be signed.
    pub(crate) const fn is_certified(&self) -> bool {
        self.head.header.flags.has(OpFlags::CERT) && self.signed.is_some()
    }

    /// Whether the client can follow a prefix referral: it suggests 2.10 or later.
    pub(crate) fn follows_prefix_referrals(&self) -> bool {
        self.head.envelope.suggestion().at_least_2(10)
    }
}

/// Reads a request.
pub(crate) fn understand<'q>(request: &'q [u8], origin: &Origin, settings: &'q Settings) -> Understood<'q> {
    let message = match Message::parse(request) {
        Ok(message) => message,
        Err(failure) => return not_understood(request, failure),
    };
    if !message.is_request() {
        return Understood::Drop(DropReason::Response);
    }
    if message.header.flags.has(OpFlags::CERT) && settings.node_key.is_none() {
        let mut asked = Asked::of(&message, None);
        asked.head.header.flags = asked.head.header.flags.without(OpFlags::CERT);
        return Understood::Reply(asked, Reply::error(ResponseCode::OPERATION_NOT_SUPPORTED, texts::NO_KEY));
    }
    match refused_by_head(&message, origin, settings) {
        Some(reply) => Understood::Reply(Asked::of(&message, None), reply),
        None => understand_body(&message, origin, settings),
    }
}

/// The answer, when envelope and header are enough to know it.
fn refused_by_head(message: &Message<'_>, origin: &Origin, settings: &Settings) -> Option<Reply<'static>> {
    let op = message.header.op;
    let session_id = message.envelope.session_id;
    if op == OpCode::RESERVED {
        return Some(Reply::error(ResponseCode::PROTOCOL_ERROR, texts::OPERATION_ZERO));
    }
    if session_id != 0 && !is_dialect_session(message) {
        return Some(Reply::error(ResponseCode::SESSION_TIMED_OUT, texts::UNKNOWN_SESSION));
    }
    if op.is_administrative() && !settings.administration.admits(origin.transport) {
        return Some(Reply::error(ResponseCode::PROTOCOL_ERROR, texts::NOT_AN_ADMIN_DOOR));
    }
    match op {
        OpCode::RESOLUTION | OpCode::GET_SITE_INFO => None,
        OpCode::CHALLENGE_ANSWER if session_id == 0 => {
            Some(Reply::error(ResponseCode::AUTHENTICATION_TIMED_OUT, texts::NO_CHALLENGE))
        }
        OpCode::CHALLENGE_ANSWER => Some(Reply::error(ResponseCode::SESSION_TIMED_OUT, texts::UNKNOWN_SESSION)),
        OpCode::SESSION_TERMINATE | OpCode::SESSION_EXCHANGE_KEY => {
            Some(Reply::error(ResponseCode::SESSION_TIMED_OUT, texts::NO_SESSION))
        }
        OpCode(100..=104 | 300 | 301) if !settings.sites.is_primary() => {
            Some(Reply::error(ResponseCode::SERVER_NOT_RESPONSIBLE, texts::NOT_PRIMARY))
        }
        _ => Some(Reply::error(ResponseCode::OPERATION_NOT_SUPPORTED, texts::NOT_SUPPORTED)),
    }
}

/// Whether the session id is one a client of the IDIS dialect chose for itself. It names nothing here and is echoed.
fn is_dialect_session(message: &Message<'_>) -> bool {
    let marked = message.envelope.version == Version::TELEINFO
        || message.header.op == OpCode::LOGIN
        || message.header.flags.has(OpFlags::IDENTITY_TOKEN);
    marked && !OUR_SESSION_IDS.contains(&message.envelope.session_id)
}

/// Operations 1 and 2.
fn understand_body<'q>(message: &Message<'q>, origin: &Origin, settings: &'q Settings) -> Understood<'q> {
    let body = match RequestBody::parse(message) {
        Ok(body) => body,
        Err(error) => {
            let reply = Reply::error(ResponseCode::PROTOCOL_ERROR, texts::of_decode_error(error));
            return Understood::Reply(Asked::of(message, None), reply);
        }
    };
    let asked = Asked::of(message, Some(&body));
    match body {
        RequestBody::Resolution(resolution) => match Handle::new(resolution.handle) {
            Ok(handle) => Understood::Resolve(asked, handle, resolution),
            Err(_) => Understood::Reply(asked, Reply::error(ResponseCode::INVALID_HANDLE, texts::HANDLE_TOO_LONG)),
        },
        RequestBody::SiteInfo { .. } => {
            Understood::Reply(asked, Reply::Site { data: settings.sites.for_asker(origin) })
        }
        _ => Understood::Reply(asked, Reply::error(ResponseCode::OPERATION_NOT_SUPPORTED, texts::NOT_SUPPORTED)),
    }
}

/// What is not a whole message. Answered with the request's own id when there is an envelope, because clients match answers by it and would
/// otherwise wait for their time-out; never when it could be a response, because two servers could then answer each other for ever.
fn not_understood<'q>(request: &[u8], failure: ParseFailure) -> Understood<'q> {
    let Some(envelope) = failure.envelope else {
        return Understood::Drop(DropReason::TooShort);
    };
    let encrypted = envelope.flags.is_encrypted();
    let code_at = Envelope::LEN + 4;
    let code = request.get(code_at..).and_then(<[u8]>::first_chunk::<4>);
    if !encrypted && code.is_some_and(|code| *code != [0; 4]) {
        return Understood::Drop(DropReason::Response);
    }
    let reply = match failure.error {
        DecodeError::Encrypted if envelope.session_id != 0 => {
            Reply::error(ResponseCode::SESSION_TIMED_OUT, texts::UNKNOWN_SESSION)
        }
        DecodeError::Encrypted => Reply::error(ResponseCode::SESSION_FAILED, texts::ENCRYPTED_WITHOUT_SESSION),
        error => Reply::error(ResponseCode::PROTOCOL_ERROR, texts::of_decode_error(error)),
    };
    let op = failure.op.unwrap_or(OpCode::RESERVED);
    let header = Header::request(op, OpFlags::NONE, 0);
    let keep_open = envelope.version == Version::TELEINFO;
    Understood::Reply(Asked { head: Head { envelope, header }, signed: None, keep_open }, reply)
}
