//! Operation 1: which record a handle means, whether it is ours to tell, and what of it the asker gets.
//!
//! Order of the checks: our share of the site, the status handle, responsibility, existence, selection, permission. Responsibility comes
//! before existence: what is stored of prefixes that do not live here is never told. Nor is what is suspended or revoked: such a record is as
//! good as absent, whatever is asked of it.

use std::net::IpAddr;

use waymark_catalog::{Inherited, Lookup, OwnedRecord, Stored, View};
use waymark_ident::{Handle, MAX_KEY_BYTES, PREFIX_RECORDS, parent_prefix};
use waymark_wire::request::ResolutionBody;
use waymark_wire::{Reader, ResponseCode, ValueRef, Values};

use super::reply::{Reply, refers};
use super::runs::Runs;
use super::select::{Filter, Selection, Tally};
use super::site_values::offered;
use super::texts;
use super::understand::Asked;
use crate::settings::{Settings, SiteSet};

/// The canonical key of the record in which a server reports on itself. This node reports elsewhere, so it has no public value; without PUBL
/// its administrators are asked to prove who they are.
const STATUS: &[u8] = b"0.SITE/STATUS";

/// Ancestors of an absent prefix that are looked at for a referral, nearest first. Real prefixes have two to four parts; the bound keeps a
/// name of a thousand dots from costing a thousand look-ups.
pub(crate) const MAX_ANCESTORS: usize = 16;

/// A record read from the disk for the question at hand.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The handle it was asked by: a canonical key, or a bare prefix.
    pub(crate) name: Vec<u8>,
    /// `None` when the disk has no such record either.
    pub(crate) record: Option<OwnedRecord>,
}

/// Why a resolution cannot be answered here and now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop<'k> {
    /// The record of this name must be read from the disk first.
    Cold(&'k [u8]),
    /// Selecting takes more comparisons than allowed here.
    LongFilter,
    /// The name lives elsewhere, and the asker may have it resolved.
    Foreign,
}

/// Everything a resolution is answered from.
#[derive(Clone, Copy)]
pub(crate) struct Data<'a, 'r> {
    /// The records and prefixes of this moment.
    pub(crate) view: &'a View<'r>,
    /// What was read from the disk for this question; empty on the fast path.
    pub(crate) fetched: &'a [Fetched],
    /// Who we are.
    pub(crate) settings: &'a Settings,
    /// Comparisons allowed for one question.
    pub(crate) comparisons: usize,
}

/// A resolution with the finding of its record.
#[derive(Clone, Copy)]
pub(crate) struct Resolution<'a, 'k> {
    /// The request.
    pub(crate) asked: &'a Asked<'a>,
    /// The handle as asked.
    pub(crate) handle: Handle<'a>,
    /// Index and type lists.
    pub(crate) body: &'a ResolutionBody<'a>,
    /// The canonical key of the record.
    pub(crate) key: &'k [u8],
    /// What the index found under it.
    pub(crate) found: Lookup<'a>,
    /// From where it is asked.
    pub(crate) source: IpAddr,
}

/// Decides a resolution. Allocates nothing.
pub(crate) fn resolve<'a, 'k>(data: &Data<'a, '_>, question: &Resolution<'a, 'k>) -> Result<Reply<'a>, Stop<'k>> {
    let key = question.key;
    if !data.settings.sites.is_our_share(question.handle.as_bytes()) {
        return Ok(Reply::error(ResponseCode::SERVER_NOT_RESPONSIBLE, texts::OTHER_SERVER));
    }
    if key == STATUS {
        let public_only = question.asked.public_only();
        return Ok(if public_only { Reply::code_alone(ResponseCode::VALUES_NOT_FOUND) } else { Reply::Challenge });
    }
    let target = key.strip_prefix(PREFIX_RECORDS);
    let is_homed_prefix = target.is_some_and(|prefix| data.view.homed(prefix));
    if !is_homed_prefix && !data.view.prefixes().serves(key) {
        return foreign(data, question, target.is_some());
    }
    let settled = data.settle(key, question.found)?;
    let record = settled.record();
    match (record, target) {
        (Some(_), _) | (None, Some(_)) if is_homed_prefix => values(data, question, record, true),
        (Some(_), _) => values(data, question, record, false),
        (None, Some(prefix)) => absent_prefix(data, question, prefix),
        (None, None) if matches!(settled, Settled::Withdrawn) => Ok(Reply::Withdrawn),
        (None, None) => inherited(data, question),
    }
}

/// What a look-up comes to once its record is at hand.
enum Settled<'a> {
    /// There is none.
    Absent,
    /// There is one, suspended or revoked: for the public there is none.
    Withdrawn,
    /// This one.
    Record(Stored<'a>),
}

impl<'a> Settled<'a> {
    fn of(record: Option<Stored<'a>>) -> Self {
        match record {
            None => Self::Absent,
            Some(record) if record.is_withdrawn() => Self::Withdrawn,
            Some(record) => Self::Record(record),
        }
    }

    /// The record that may be told of.
    const fn record(&self) -> Option<Stored<'a>> {
        match self {
            Self::Record(record) => Some(*record),
            Self::Absent | Self::Withdrawn => None,
        }
    }
}

/// Whether names that live elsewhere are resolved for whoever asks this.
fn recurses(settings: &Settings, asked: &Asked<'_>, source: IpAddr) -> bool {
    asked.wants_recursion() && settings.recursion.as_ref().is_some_and(|recursion| recursion.serves(source))
}

/// A handle that does not live here. When its prefix is delegated to another site, and it is ours to say so (its prefix record lives here),
/// the answer is 302 with the public site and service values of that record, unless referrals are unwelcome.
fn foreign<'a, 'k>(
    data: &Data<'a, '_>,
    question: &Resolution<'a, 'k>,
    is_prefix_record: bool,
) -> Result<Reply<'a>, Stop<'k>> {
    if recurses(data.settings, question.asked, question.source) {
        return Err(Stop::Foreign);
    }
    let not_ours = Reply::error(ResponseCode::SERVER_NOT_RESPONSIBLE, texts::NOT_OUR_PREFIX);
    let end = question.key.iter().position(|byte| *byte == b'/').unwrap_or_default();
    let prefix = question.key.get(..end).unwrap_or_default();
    if is_prefix_record || question.asked.refuses_referral() || prefix.is_empty() || !data.serves_record_of(prefix) {
        return Ok(not_ours);
    }
    let code = ResponseCode::SERVICE_REFERRAL;
    let referral = data.find_prefix_record(prefix)?.filter(Stored::has_service).and_then(|record| {
        let values = record.values().ok()?;
        referral(code, values, &data.settings.sites)
    });
    Ok(referral.unwrap_or(not_ours))
}

/// A name without a record: the code of a package, or nothing. What was never made and what is over are answered as what is not there; only the
/// counters tell them apart.
fn inherited<'a, 'k>(data: &Data<'a, '_>, question: &Resolution<'a, 'k>) -> Result<Reply<'a>, Stop<'k>> {
    let handle = question.handle.as_bytes();
    let (pattern, code) = match data.view.inherited(question.key, handle) {
        Inherited::Nothing => return Ok(Reply::code_alone(ResponseCode::HANDLE_NOT_FOUND)),
        Inherited::NeverIssued => return Ok(Reply::NeverIssued),
        Inherited::Over => return Ok(Reply::Withdrawn),
        Inherited::Values(pattern, code) => (pattern, code),
    };
    let filter = Filter::of(question.body);
    if filter.comparisons(pattern.count()) > data.comparisons {
        return Err(Stop::LongFilter);
    }
    let mut selection = Selection::new(filter, question.asked.public_only());
    for value in pattern.filled(code) {
        selection.weigh(value.index(), value.kind(), value.permissions());
    }
    Ok(refusal(selection.tally()).unwrap_or(Reply::Inherited { handle, pattern, code, filter }))
}

/// A prefix record that is not there: its nearest ancestor that is may delegate the prefixes derived from it to another service.
fn absent_prefix<'a, 'k>(
    data: &Data<'a, '_>,
    question: &Resolution<'a, 'k>,
    prefix: &'k [u8],
) -> Result<Reply<'a>, Stop<'k>> {
    let not_found = Reply::code_alone(ResponseCode::HANDLE_NOT_FOUND);
    if question.asked.refuses_referral() || prefix.contains(&b'/') {
        return Ok(not_found);
    }
    let ancestors = std::iter::successors(parent_prefix(prefix), |ancestor| parent_prefix(ancestor));
    for ancestor in ancestors.take(MAX_ANCESTORS).filter(|ancestor| !ancestor.is_empty()) {
        let Some(record) = data.find_prefix_record(ancestor)? else { continue };
        let code = ResponseCode::PREFIX_REFERRAL;
        let values = if record.has_prefix_delegation() { record.values().ok() } else { None };
        let Some(reply) = values.and_then(|values| referral(code, values, &data.settings.sites)) else {
            return Ok(not_found);
        };
        if question.asked.follows_prefix_referrals() {
            return Ok(reply);
        }
        return Ok(Reply::error(ResponseCode::ERROR, texts::REFERRAL_NOT_FOLLOWED));
    }
    Ok(not_found)
}

/// A referral to the values that say whom to ask; `None` when there are none.
fn referral<'a>(code: ResponseCode, values: Values<'a>, sites: &'a SiteSet) -> Option<Reply<'a>> {
    values.iter().any(|value| refers(code, &value, sites)).then_some(Reply::Referral { code, values, sites })
}

/// The values of a record that is ours. `None` for a homed prefix without a record, whose sites we tell all the same.
fn values<'a, 'k>(
    data: &Data<'a, '_>,
    question: &Resolution<'a, 'k>,
    record: Option<Stored<'a>>,
    is_homed_prefix: bool,
) -> Result<Reply<'a>, Stop<'k>> {
    let filter = Filter::of(question.body);
    let tells_sites = is_homed_prefix && record.is_none_or(|record| !record.has_service());
    let sites = tells_sites.then_some(&data.settings.sites);
    let stored = record.map_or(0, |record| record.count() as usize);
    if filter.comparisons(stored.saturating_add(sites.map_or(0, SiteSet::count))) > data.comparisons {
        return Err(Stop::LongFilter);
    }
    let reply = match (sites, record) {
        (Some(sites), _) => record_with_sites(question, filter, record, sites),
        (None, Some(record)) => record_alone(question, filter, &record),
        (None, None) => Some(Reply::code_alone(ResponseCode::HANDLE_NOT_FOUND)),
    };
    Ok(reply.unwrap_or(Reply::error(ResponseCode::ERROR, texts::DAMAGED)))
}

/// The values of a record. `None` when they do not read back.
fn record_alone<'a>(question: &Resolution<'a, '_>, filter: Filter<'a>, record: &Stored<'a>) -> Option<Reply<'a>> {
    let handle = question.handle.as_bytes();
    let wire = record.wire_values();
    if filter.is_open() && record.all_public() && record.count() != 0 {
        return Some(Reply::Given { handle, runs: Runs::whole(wire, record.count()) });
    }
    let mut selection = Selection::new(filter, question.asked.public_only());
    let mut runs = Runs::none_of(wire);
    let mut fits = true;
    let mut reader = Reader::new(wire);
    for _ in 0..record.count() {
        let start = wire.len() - reader.remaining();
        let value = ValueRef::parse(&mut reader).ok()?;
        if selection.weigh(value.index, value.kind, value.permissions) {
            fits = fits && runs.add(start, wire.len() - reader.remaining());
        }
    }
    match refusal(selection.tally()) {
        Some(refusal) => Some(refusal),
        None if fits => Some(Reply::Given { handle, runs }),
        None => Some(Reply::Chosen { handle, values: record.values().ok()?, sites: None, filter }),
    }
}

/// The values of a record, if there is one, together with our sites. `None` when they do not read back.
fn record_with_sites<'a>(
    question: &Resolution<'a, '_>,
    filter: Filter<'a>,
    record: Option<Stored<'a>>,
    sites: &'a SiteSet,
) -> Option<Reply<'a>> {
    let values = match record {
        Some(record) => record.values().ok()?,
        None => Values::default(),
    };
    let mut selection = Selection::new(filter, question.asked.public_only());
    for value in offered(values, Some(sites)) {
        selection.weigh(value.index(), value.kind(), value.permissions());
    }
    let handle = question.handle.as_bytes();
    refusal(selection.tally()).or(Some(Reply::Chosen { handle, values, sites: Some(sites), filter }))
}

/// What stands in the way of giving values: one for nobody before one for administrators, since proving who one is would not help.
const fn refusal(tally: Tally) -> Option<Reply<'static>> {
    if tally.forbidden {
        Some(Reply::code_alone(ResponseCode::ACCESS_DENIED))
    } else if tally.needs_proof {
        Some(Reply::Challenge)
    } else if tally.given == 0 {
        Some(Reply::code_alone(ResponseCode::VALUES_NOT_FOUND))
    } else {
        None
    }
}

impl<'a> Data<'a, '_> {
    /// The record a look-up found, as far as it is in memory or was fetched.
    fn settle<'k>(&self, name: &'k [u8], found: Lookup<'a>) -> Result<Settled<'a>, Stop<'k>> {
        let record = match found {
            Lookup::Absent => None,
            Lookup::Record(record) => Some(record),
            Lookup::Cold => match self.fetched.iter().find(|fetched| fetched.name == name) {
                Some(fetched) => fetched.record.as_ref().and_then(|record| record.stored().ok()),
                None => return Err(Stop::Cold(name)),
            },
        };
        Ok(Settled::of(record))
    }

    /// The record of a prefix, which must hold no slash.
    fn find_prefix_record<'k>(&self, prefix: &'k [u8]) -> Result<Option<Stored<'a>>, Stop<'k>> {
        let Ok(handle) = Handle::new(prefix) else { return Ok(None) };
        let mut room = [0; MAX_KEY_BYTES];
        let found = self.view.find_one(self.view.key(&handle, &mut room));
        Ok(self.settle(prefix, found)?.record())
    }

    /// Whether the record of a prefix lives here.
    fn serves_record_of(&self, prefix: &[u8]) -> bool {
        Handle::new(prefix).is_ok_and(|handle| self.view.serves(&handle))
    }
}
