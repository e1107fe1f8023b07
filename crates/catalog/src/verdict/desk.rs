//! Asking for verdicts: what this node knows of a code, gathered and judged.

use std::sync::Arc;

use waymark_ident::gs1::{Gtin, Scan};
use waymark_ident::{CaseRule, Date, Handle};
use waymark_store::Timestamp;
use waymark_wire::{ValueRef, Values};

use super::checkout::{Reason, Stop, Stopped, checkout};
use super::judge::{Detail, Facts, Judgement, Known, Notice, Verdict, judge};
use super::rules::{Rules, Sale};
use super::zone::Zone;
use crate::cold::{ColdReader, FetchError};
use crate::prefixes::{Prefixes, key_of, prefix_of_key};
use crate::range::{Finding, Range, Ranges};
use crate::recall::{batch_handle, recall_in};
use crate::record::OwnedRecord;
use crate::template::{Marked, Templates};
use crate::values::ValueSet;

/// What the operator decides about verdicts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerdictOptions {
    /// What dates mean.
    pub rules: Rules,
    /// Which day it is.
    pub zone: Zone,
    /// The prefix under which GS1 keys are registered, see [`gs1_handles`]; `None` where they are not.
    pub gs1_prefix: Option<Box<[u8]>>,
}

/// What a verdict was read off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Nothing there is.
    Nothing,
    /// A record of the identifier.
    Record,
    /// The package it is a code of.
    Package,
    /// What a GS1 bar code says of itself, and the recalls of what it names.
    Scan,
    /// The answer of the node it lives at.
    Elsewhere,
}

/// What the node a code lives at says of it.
#[derive(Clone, Copy, Debug)]
pub enum Heard<'v> {
    /// Nothing: it could not be asked, or not in time.
    Nothing,
    /// There is none of this name.
    Absent,
    /// These values, all that everybody may read.
    Values(Values<'v>),
}

/// A verdict as it is told to somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The verdict.
    pub verdict: Verdict,
    /// What it rests on.
    pub detail: Option<Detail>,
    /// Whether goods that carry the code may be sold.
    pub sale: Sale,
    /// First day of what the verdict says.
    pub since: Option<Date>,
    /// Why, as given by who suspended, revoked, withdrew or recalled.
    pub reason: String,
    /// The batch.
    pub batch: String,
    /// The last day.
    pub expiry: Option<Date>,
    /// When this was known.
    pub as_of: Timestamp,
    /// What it was read off.
    pub source: Source,
}

/// Everything verdicts are made from, as of one moment.
pub struct Desk<'c> {
    pub(crate) cold: &'c mut ColdReader,
    pub(crate) prefixes: Arc<Prefixes>,
    pub(crate) ranges: Arc<Ranges>,
    pub(crate) templates: Arc<Templates>,
    pub(crate) options: Arc<VerdictOptions>,
    pub(crate) rule: CaseRule,
    pub(crate) now: Timestamp,
}

/// Since when something is recalled, and why.
type Since = (Timestamp, String);

/// The record of an identifier, its own or the one it inherits, and how it was come by.
struct Met {
    record: OwnedRecord,
    source: Source,
    /// A recall of the codes it is one of, though it has a record of its own.
    of_codes: Option<(u32, String)>,
}

impl std::fmt::Debug for Desk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("options", &self.options).field("now", &self.now).finish_non_exhaustive()
    }
}

impl Desk<'_> {
    /// The verdict on a code: an identifier, or what a scanner read off a GS1 bar code. `sees` tells of a prefix, folded, whether whoever asks may
    /// read what is not public there: others are told of a suspended identifier as the public is, that there is none.
    ///
    /// What cannot be read for want of a sound disk is as good as not known: [`Verdict::UpstreamDown`].
    pub fn tell(&mut self, code: &str, sees: &dyn Fn(&[u8]) -> bool) -> Told {
        match Scan::parse(code.as_bytes()) {
            Ok(scan) => self.tell_scan(&scan),
            Err(_) => {
                self.tell_identifier(code, sees).unwrap_or_else(|_| self.judged(Known::Unreachable, Source::Nothing))
            }
        }
    }

    /// The handle of a code that is an identifier of another node: [`Self::tell`] says of it that those who know could not be asked, and
    /// [`Self::tell_heard`] what they say.
    #[must_use]
    pub fn elsewhere<'h>(&self, code: &'h str) -> Option<Handle<'h>> {
        let handle = Handle::new(code.as_bytes()).ok().filter(|_| Scan::parse(code.as_bytes()).is_err())?;
        (!self.prefixes.serves(&key_of(&handle, self.rule))).then_some(handle)
    }

    /// The verdict on an identifier of another node, by what that node said at `as_of`.
    #[must_use]
    pub fn tell_heard(&self, heard: Heard<'_>, as_of: Timestamp) -> Told {
        let known = match heard {
            Heard::Nothing => Known::Unreachable,
            Heard::Absent => Known::Absent,
            Heard::Values(values) => recall_in(values).map_or(Known::LiveElsewhere, |recall| {
                Known::Recalled(Notice { since: seconds(recall.since_seconds), reason: recall.reason })
            }),
        };
        let facts = Facts { known, batch: None, batch_recall: None, expiry: None, as_of };
        Told::of(&judge(&facts, self.options.rules, self.options.zone, self.now), Source::Elsewhere)
    }

    fn tell_identifier(&mut self, code: &str, sees: &dyn Fn(&[u8]) -> bool) -> Result<Told, FetchError> {
        let Ok(handle) = Handle::new(code.as_bytes()) else { return Ok(self.judged(Known::Absent, Source::Nothing)) };
        let key = key_of(&handle, self.rule);
        if !self.prefixes.serves(&key) {
            // Another node would have to be asked.
            return Ok(self.judged(Known::Unreachable, Source::Nothing));
        }
        let ranges = Arc::clone(&self.ranges);
        let met = match self.cold.fetch(&handle)? {
            Some(record) => {
                // A recall of codes counts for those that have a record of their own, too.
                let of_codes = match ranges.find(&key) {
                    Finding::Code(range, serial) => recall_of_code(range, serial),
                    _ => None,
                };
                Met { record, source: Source::Record, of_codes }
            }
            None => match ranges.find(&key) {
                Finding::None => return Ok(self.judged(Known::Absent, Source::Nothing)),
                Finding::NeverIssued(_) => return Ok(self.judged(Known::WrongCheck, Source::Package)),
                Finding::Code(range, serial) => {
                    Met { record: range.record(serial, &key), source: Source::Package, of_codes: None }
                }
            },
        };
        self.tell_met(&met, prefix_of_key(&key), sees)
    }

    /// The verdict on a record.
    fn tell_met(&mut self, met: &Met, prefix: &[u8], sees: &dyn Fn(&[u8]) -> bool) -> Result<Told, FetchError> {
        let sees = sees(prefix);
        let stored = met.record.stored()?;
        let values = stored.values()?;
        let status = stored.status();
        if status.is_some() && !sees {
            return Ok(self.judged(Known::Absent, Source::Nothing));
        }
        let own = recall_in(values);
        let recall = own.map(|own| (own.since_seconds, own.reason));
        let recall = recall.or_else(|| met.of_codes.as_ref().map(|(since, reason)| (*since, &**reason)));
        let known = match (recall, status) {
            (Some((since, reason)), _) => Known::Recalled(Notice { since: seconds(since), reason }),
            (None, Some(status)) => {
                let notice = Notice { since: status.since(), reason: status.reason };
                match (met.source, status.revoked) {
                    // What a code inherits is revoked where the code is over.
                    (Source::Package, _) => Known::Withdrawn(notice),
                    (_, true) => Known::Revoked(notice),
                    (_, false) => Known::Suspended(notice),
                }
            }
            (None, None) => Known::Live,
        };
        let templates = Arc::clone(&self.templates);
        let marked = templates.marked(prefix, values);
        let of_batch = match marked.batch {
            Some(batch) => self.recall_of(&batch_handle(prefix, batch))?,
            None => None,
        };
        let batch_recall = of_batch.as_ref().map(|(since, reason)| Notice { since: *since, reason });
        let facts = Facts { known, batch: marked.batch, batch_recall, expiry: marked.expiry, as_of: self.now };
        let judgement = judge(&facts, self.options.rules, self.options.zone, self.now);
        let public = if sees { marked } else { shown_to_all(&templates, prefix, values, marked) };
        let told = Told::of(&judgement, met.source);
        Ok(Told {
            batch: public.batch.unwrap_or_default().to_owned(),
            expiry: told.expiry.filter(|_| public.expiry.is_some()),
            ..told
        })
    }

    /// Since when and why a record says to be recalled; the handle must be that of the record to the byte.
    fn recall_of(&mut self, handle: &[u8]) -> Result<Option<Since>, FetchError> {
        let Ok(parsed) = Handle::new(handle) else { return Ok(None) };
        let Some(record) = self.cold.fetch(&parsed)? else { return Ok(None) };
        let stored = record.stored()?;
        // Batches and lots that differ in case are not the same. A prefix is, so only what is behind it counts.
        let suffix =
            |name: &[u8]| name.iter().position(|byte| *byte == b'/').and_then(|at| name.get(at..)).map(<[u8]>::to_vec);
        if suffix(stored.handle()) != suffix(handle) || stored.is_withdrawn() {
            return Ok(None);
        }
        Ok(recall_in(stored.values()?).map(|recall| (seconds(recall.since_seconds), recall.reason.to_owned())))
    }

    /// The verdict on what a GS1 bar code says of itself, and on the recalls of what it names.
    fn tell_scan(&mut self, scan: &Scan) -> Told {
        let Ok(recalls) = self.recalls_of(scan) else { return self.judged(Known::Unreachable, Source::Scan) };
        let lot = scan.lot;
        let lot = lot.as_ref().map_or("", |lot| lot.as_str());
        let serial = scan.serial;
        let serial = serial.as_ref().map_or("", |serial| serial.as_str());
        let stops: Vec<Stop<'_>> = recalls
            .iter()
            .filter_map(|(which, (_, reason))| {
                let stopped = match which {
                    Which::Product => Stopped::All,
                    Which::Lot => Stopped::Lot(lot),
                    Which::Item => Stopped::Serial(serial),
                };
                Some(Stop { gtin: scan.gtin?, stopped, reason })
            })
            .collect();
        let (rules, today) = (self.options.rules, self.options.zone.day_of(self.now));
        let decision = checkout(scan, &stops, rules, today);
        let expiry = super::checkout::last_day(scan, today);
        let (verdict, detail) = match decision.reason {
            Reason::Ok => (Verdict::Valid, None),
            Reason::NearExpiry => (Verdict::Valid, Some(Detail::NearExpiry)),
            Reason::Expired => (Verdict::Expired, None),
            Reason::ExpiryMissing => (Verdict::Valid, Some(Detail::ExpiryMissing)),
            Reason::Stopped(_) => (Verdict::Recalled, None),
            Reason::NotAProduct => (Verdict::Absent, Some(Detail::NotAProduct)),
        };
        let stop = recalls.iter().find(|_| verdict == Verdict::Recalled).map(|(_, stop)| stop);
        let since = match verdict {
            Verdict::Recalled => stop.map(|(since, _)| self.options.zone.day_of(*since)),
            Verdict::Expired => expiry.map(Date::next),
            _ => None,
        };
        Told {
            verdict,
            detail,
            sale: decision.sale,
            since,
            reason: stop.map(|(_, reason)| reason.clone()).unwrap_or_default(),
            batch: lot.to_owned(),
            expiry,
            as_of: self.now,
            source: Source::Scan,
        }
    }

    /// The recalls of the product, the lot and the item that a bar code names, the widest first.
    fn recalls_of(&mut self, scan: &Scan) -> Result<Vec<(Which, Since)>, FetchError> {
        let options = Arc::clone(&self.options);
        let (Some(gtin), Some(prefix)) = (scan.gtin, options.gs1_prefix.as_deref()) else { return Ok(Vec::new()) };
        let mut recalls = Vec::new();
        for (which, handle) in gs1_handles(prefix, gtin, scan) {
            recalls.extend(self.recall_of(&handle)?.map(|recall| (which, recall)));
        }
        Ok(recalls)
    }

    fn judged(&self, known: Known<'_>, source: Source) -> Told {
        let facts = Facts { known, batch: None, batch_recall: None, expiry: None, as_of: self.now };
        Told::of(&judge(&facts, self.options.rules, self.options.zone, self.now), source)
    }
}

/// What of a product a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Product,
    Lot,
    Item,
}

/// The identifiers of what a bar code names, the widest first: the product `PREFIX/01` and its GTIN, the lot the same with `.10` and the lot behind
/// it, the item with `.21` and its serial number.
fn gs1_handles(prefix: &[u8], gtin: Gtin, scan: &Scan) -> Vec<(Which, Vec<u8>)> {
    let product = [prefix, b"/01", gtin.as_str().as_bytes()].concat();
    let part = |ai: &str, text: &str| [&product[..], ai.as_bytes(), text.as_bytes()].concat();
    let lot = scan.lot.as_ref().map(|lot| (Which::Lot, part(".10", lot.as_str())));
    let item = scan.serial.as_ref().map(|serial| (Which::Item, part(".21", serial.as_str())));
    std::iter::once((Which::Product, product.clone())).chain(lot).chain(item).collect()
}

/// What values that everybody may read say in marked columns.
fn shown_to_all<'v>(templates: &Templates, prefix: &[u8], values: Values<'v>, marked: Marked<'v>) -> Marked<'v> {
    let public = ValueSet::new(values.iter().filter(|value: &ValueRef<'_>| value.permissions.is_public_read()));
    let public = public.unwrap_or_default();
    let told = templates.marked(prefix, public.values());
    Marked {
        batch: marked.batch.filter(|_| told.batch.is_some()),
        expiry: marked.expiry.filter(|_| told.expiry.is_some()),
    }
}

fn recall_of_code(range: &Range, serial: u64) -> Option<(u32, String)> {
    range.recall(serial).map(|recall| (recall.since_seconds, recall.reason.to_owned()))
}

const fn seconds(seconds: u32) -> Timestamp {
    Timestamp(seconds as u64 * 1000)
}

impl Told {
    fn of(judgement: &Judgement<'_>, source: Source) -> Self {
        Self {
            verdict: judgement.verdict,
            detail: judgement.detail,
            sale: judgement.sale,
            since: judgement.since,
            reason: judgement.reason.unwrap_or_default().to_owned(),
            batch: judgement.batch.unwrap_or_default().to_owned(),
            expiry: judgement.expiry,
            as_of: judgement.as_of,
            source,
        }
    }
}
