//! What is answered, as data, and how it is written.
//!
//! Deciding and writing are apart: a [`Reply`] borrows from request, index and settings, and can be written twice, into a larger room the
//! second time. A challenge is the exception that draws a fresh nonce each time it is written.

use rand::RngExt;
use rand::rngs::StdRng;
use waymark_catalog::range::{Code, Filled, Pattern};
use waymark_wire::limits::MAX_MESSAGE_BYTES;
use waymark_wire::response::{OwnIdentity, ResponseWriter, digest_for, respond_to};
use waymark_wire::{EncodeValue, Envelope, NoRoom, ResponseCode, Sink, ValueRef, Values, Version};

use super::foreign::Given;
use super::runs::Runs;
use super::select::Filter;
use super::site_values::{Offered, offered};
use super::texts;
use super::understand::{Asked, OUR_SESSION_IDS};
use crate::counters::Outcome;
use crate::settings::{Settings, SiteSet};

/// Bytes of the nonce of a challenge.
const NONCE_BYTES: usize = 16;

/// Longest answer in bytes, envelope included.
pub(crate) const MAX_ANSWER_BYTES: usize = Envelope::LEN + MAX_MESSAGE_BYTES as usize;

/// An answer, decided and not yet written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reply<'a> {
    /// A code whose body is a text, possibly empty.
    Error { code: ResponseCode, text: &'static str },
    /// 100, for a record that is suspended or revoked: to the byte what is said of one that is not there.
    Withdrawn,
    /// 402. Nothing is remembered of it: until this node takes answers to challenges, each is refused as unknown.
    Challenge,
    /// Our HS_SITE data.
    Site { data: &'a [u8] },
    /// Values of a record. At least one.
    Given { handle: &'a [u8], runs: Runs<'a> },
    /// As [`Self::Given`], chosen anew while they are written: those of a record, with our sites where it tells none, that the filter selects
    /// and the public may read.
    Chosen { handle: &'a [u8], values: Values<'a>, sites: Option<&'a SiteSet>, filter: Filter<'a> },
    /// 100, for a name of the form of a package's codes that was never made.
    NeverIssued,
    /// Values that a code has from its package: those that the filter selects and the public may read. At least one.
    Inherited { handle: &'a [u8], pattern: &'a Pattern, code: Code<'a>, filter: Filter<'a> },
    /// 2: the servers of a name that lives elsewhere do not answer as they should.
    UpstreamDown,
    /// Values of an authority elsewhere. At least one is chosen.
    Foreign(Given<'a>),
    /// 302 or 303 with the values of another record that say whom to ask. At least one.
    Referral { code: ResponseCode, values: Values<'a>, sites: &'a SiteSet },
}

impl Reply<'static> {
    /// A code with a text.
    pub(crate) const fn error(code: ResponseCode, text: &'static str) -> Self {
        Self::Error { code, text }
    }

    /// A code that says everything.
    pub(crate) const fn code_alone(code: ResponseCode) -> Self {
        Self::Error { code, text: "" }
    }
}

impl Reply<'_> {
    /// The response code.
    pub(crate) const fn code(&self) -> ResponseCode {
        match self {
            Self::Error { code, .. } | Self::Referral { code, .. } => *code,
            Self::Withdrawn | Self::NeverIssued => ResponseCode::HANDLE_NOT_FOUND,
            Self::Challenge => ResponseCode::AUTHENTICATION_NEEDED,
            Self::UpstreamDown => ResponseCode::ERROR,
            Self::Site { .. }
            | Self::Given { .. }
            | Self::Chosen { .. }
            | Self::Inherited { .. }
            | Self::Foreign(_) => ResponseCode::SUCCESS,
        }
    }

    /// What it counts as.
    const fn outcome(&self) -> Outcome {
        match self {
            Self::Withdrawn => Outcome::Withdrawn,
            Self::NeverIssued => Outcome::NeverIssued,
            Self::UpstreamDown => Outcome::UpstreamDown,
            _ => Outcome::of(self.code()),
        }
    }

    /// Writes the answer to `asked` and returns its length. Allocates nothing.
    fn write(&self, asked: &Asked<'_>, frame: &Frame, random: &mut StdRng, room: &mut [u8]) -> Result<usize, NoRoom> {
        let mut head = respond_to(&asked.head, &frame.own, self.code(), frame.expiration);
        if matches!(self, Self::Challenge) {
            head.envelope.session_id = random.random_range(OUR_SESSION_IDS);
        }
        let digest = asked.signed.and_then(|signed| digest_for(&head, signed));
        let writer = ResponseWriter::begin(room, &head, digest);
        match *self {
            Self::Error { text, .. } => writer.error(text.as_bytes()),
            Self::Withdrawn | Self::NeverIssued => writer.error(b""),
            Self::UpstreamDown => writer.error(texts::UPSTREAM_DOWN.as_bytes()),
            Self::Challenge => writer.challenge(&random.random::<[u8; NONCE_BYTES]>()),
            Self::Site { data } => writer.site_info(data),
            Self::Given { handle, runs } => writer.resolution(handle, runs.items()),
            Self::Chosen { handle, values, sites, filter } => {
                let given = |value: &Offered<'_>| {
                    filter.selects(value.index(), value.kind()) && value.permissions().is_public_read()
                };
                writer.resolution(handle, offered(values, sites).filter(given))
            }
            Self::Inherited { handle, pattern, code, filter } => {
                let given = |value: &Filled<'_>| {
                    filter.selects(value.index(), value.kind()) && value.permissions().is_public_read()
                };
                writer.resolution(handle, pattern.filled(code).filter(given))
            }
            Self::Foreign(given) => match given.told_age {
                Some(age) => writer.resolution_aged(given.handle, given.chosen(), age),
                None => writer.resolution(given.handle, given.chosen()),
            },
            Self::Referral { values, sites, code } => {
                writer.referral(b"", values.iter().filter(|value| refers(code, value, sites)))
            }
        }
    }
}

/// Whether a value of a record says whom to ask: public, of the types the code stands for, and not ourselves.
pub(crate) fn refers(code: ResponseCode, value: &ValueRef<'_>, own: &SiteSet) -> bool {
    let kind_fits = if code == ResponseCode::PREFIX_REFERRAL {
        waymark_wire::types::is_prefix_delegation_type(value.kind)
    } else {
        waymark_wire::types::is_service_type(value.kind) && own.iter().all(|site| site != value.data)
    };
    kind_fits && value.permissions.is_public_read()
}

/// What every answer of a batch has in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    own: OwnIdentity,
    expiration: u32,
}

impl Frame {
    /// Answers made now.
    pub(crate) fn new(settings: &Settings, unix_seconds: u32) -> Self {
        let sites = &settings.sites;
        let own = OwnIdentity { version: Version::CURRENT, site_serial: sites.serial(), primary: sites.is_primary() };
        Self { own, expiration: unix_seconds.saturating_add(settings.answer_lifetime_seconds) }
    }

    /// For answers about what lives elsewhere: no primary, and no site of ours.
    pub(crate) const fn without_authority(&self) -> Self {
        Self { own: OwnIdentity { primary: false, site_serial: 0, ..self.own }, ..*self }
    }
}

/// An answer as it went into the room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Written {
    /// Bytes of the answer.
    pub(crate) length: usize,
    /// What it counts as: the reply, or the error that took its place.
    pub(crate) outcome: Outcome,
}

/// Writes a reply; one that no message can hold becomes an error that says so.
pub(crate) fn write_reply(
    reply: &Reply<'_>,
    asked: &Asked<'_>,
    frame: &Frame,
    random: &mut StdRng,
    room: &mut [u8],
) -> Result<Written, NoRoom> {
    let length = match reply.write(asked, frame, random, room) {
        Ok(length) | Err(NoRoom { needed: length }) if length > MAX_ANSWER_BYTES => {
            let error = Reply::error(ResponseCode::ERROR, texts::ANSWER_TOO_LONG);
            let length = error.write(asked, frame, random, room)?;
            return Ok(Written { length, outcome: error.outcome() });
        }
        written => written?,
    };
    Ok(Written { length, outcome: reply.outcome() })
}

impl EncodeValue for Offered<'_> {
    fn put_value(&self, out: &mut (impl Sink + ?Sized)) {
        match self {
            Offered::Stored(value) => out.put(value.wire),
            Offered::Site { index, data, sites } => {
                let (ttl_kind, ttl) = sites.ttl().to_wire();
                out.put_u32(*index);
                out.put_u32(sites.timestamp());
                out.put_u8(ttl_kind);
                out.put_i32(ttl);
                out.put_u8(self.permissions().0);
                out.put_bytes(self.kind());
                out.put_bytes(data);
                out.put_u32(0);
            }
        }
    }
}
