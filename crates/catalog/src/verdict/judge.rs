//! The verdict on an identifier.

use waymark_ident::Date;
use waymark_store::Timestamp;

use super::date_text::DateText;
use super::rules::{Rules, Sale, Shelf};
use super::zone::Zone;

/// What is known of an identifier, and how old that knowledge is.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The identifier itself.
    pub known: Known<'a>,
    /// The batch its values name.
    pub batch: Option<&'a str>,
    /// The recall of that batch, if there is one.
    pub batch_recall: Option<Notice<'a>>,
    /// The expiry its values name.
    pub expiry: Option<DateText<'a>>,
    /// When this was known: of one's own data the time of the question, of a cached answer the time it was given.
    pub as_of: Timestamp,
}

/// What is known of the identifier itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known<'a> {
    /// Nothing: another node would have to be asked and could not be.
    Unreachable,
    /// There is none of this name.
    Absent,
    /// It has the form of a range's codes, but its check character is wrong.
    WrongCheck,
    /// It has the form of a range's codes, but its serial was not issued.
    NotIssued,
    /// A code of a range that was issued and withdrawn.
    Withdrawn(Notice<'a>),
    /// In resolution: registered, or an issued code of a range.
    Live,
    /// In resolution at another node, whose templates are not known here.
    LiveElsewhere,
    /// Out of resolution until it is resumed.
    Suspended(Notice<'a>),
    /// Out of resolution for good.
    Revoked(Notice<'a>),
    /// Recalled.
    Recalled(Notice<'a>),
}

/// Since when something is so, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice<'a> {
    /// Since when.
    pub since: Timestamp,
    /// Why, as given by who did it.
    pub reason: &'a str,
}

/// The verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Good.
    Valid,
    /// Its last day is over.
    Expired,
    /// Called back, itself or its batch.
    Recalled,
    /// Out of use, for a while or, as [`Detail`] says, for good.
    Suspended,
    /// Looks like a code of a range but never was one.
    NeverIssued,
    /// Not known here, and nobody else needs to be asked.
    Absent,
    /// Those who know could not be asked.
    UpstreamDown,
}

/// What the verdict rests on, where it alone does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Detail {
    /// Never issued: the check character is wrong, so it was mistyped, misread or made up.
    WrongCheck,
    /// Never issued: the serial was not.
    NotIssued,
    /// Recalled is the batch.
    BatchRecalled,
    /// Suspended for good: revoked.
    Revoked,
    /// Suspended for good: the code was withdrawn.
    Withdrawn,
    /// Valid, and its last day is near.
    NearExpiry,
    /// Valid, but it has no expiry and must have one.
    ExpiryMissing,
    /// Valid, but its expiry cannot be read.
    ExpiryUnreadable,
    /// Valid as far as its record at another node says; which of its values name a day or a batch is not known here.
    NotJudgedHere,
    /// Absent: what was scanned names a container or a model, nothing that is sold.
    NotAProduct,
}

/// A verdict and all that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement<'a> {
    /// The verdict.
    pub verdict: Verdict,
    /// What it rests on.
    pub detail: Option<Detail>,
    /// Whether goods that carry the identifier may be sold.
    pub sale: Sale,
    /// First day of what the verdict says: of the suspension or recall, or the day after expiry.
    pub since: Option<Date>,
    /// Why, as given by who suspended, revoked, withdrew or recalled.
    pub reason: Option<&'a str>,
    /// The batch.
    pub batch: Option<&'a str>,
    /// The last day, where it can be read.
    pub expiry: Option<Date>,
    /// When this was known.
    pub as_of: Timestamp,
}

impl Judgement<'_> {
    /// Tells whether goods may be sold, with or without a warning.
    #[must_use]
    pub const fn is_sale_allowed(&self) -> bool {
        !matches!(self.sale, Sale::Deny)
    }

    /// Tells whether they may, and somebody should look.
    #[must_use]
    pub const fn is_warning(&self) -> bool {
        matches!(self.sale, Sale::Warn)
    }
}

/// Judges by the rules of the [module page](super), as of `now`.
#[must_use]
pub fn judge<'a>(facts: &Facts<'a>, rules: Rules, zone: Zone, now: Timestamp) -> Judgement<'a> {
    let today = zone.day_of(now);
    let expiry = facts.expiry.and_then(|text| text.read(today));
    let finding = by_identifier(facts).unwrap_or_else(|| by_date(facts, expiry, rules, today));
    Judgement {
        verdict: finding.verdict,
        detail: finding.detail,
        sale: finding.sale,
        since: finding.notice.map(|notice| zone.day_of(notice.since)).or(finding.since),
        reason: finding.notice.map(|notice| notice.reason),
        batch: facts.batch,
        expiry,
        as_of: facts.as_of,
    }
}

/// What a rule found.
struct Finding<'a> {
    verdict: Verdict,
    detail: Option<Detail>,
    sale: Sale,
    notice: Option<Notice<'a>>,
    since: Option<Date>,
}

impl<'a> Finding<'a> {
    const fn denied(verdict: Verdict, detail: Option<Detail>, notice: Option<Notice<'a>>) -> Self {
        Self { verdict, detail, sale: Sale::Deny, notice, since: None }
    }
}

/// Rules 1 to 5: what speaks against the identifier, whatever its date.
const fn by_identifier<'a>(facts: &Facts<'a>) -> Option<Finding<'a>> {
    let (verdict, detail, notice) = match (facts.known, facts.batch_recall) {
        (Known::Unreachable, _) => (Verdict::UpstreamDown, None, None),
        (Known::Absent, _) => (Verdict::Absent, None, None),
        (Known::WrongCheck, _) => (Verdict::NeverIssued, Some(Detail::WrongCheck), None),
        (Known::NotIssued, _) => (Verdict::NeverIssued, Some(Detail::NotIssued), None),
        (Known::Recalled(notice), _) => (Verdict::Recalled, None, Some(notice)),
        (_, Some(notice)) => (Verdict::Recalled, Some(Detail::BatchRecalled), Some(notice)),
        (Known::Suspended(notice), None) => (Verdict::Suspended, None, Some(notice)),
        (Known::Revoked(notice), None) => (Verdict::Suspended, Some(Detail::Revoked), Some(notice)),
        (Known::Withdrawn(notice), None) => (Verdict::Suspended, Some(Detail::Withdrawn), Some(notice)),
        (Known::Live | Known::LiveElsewhere, None) => return None,
    };
    Some(Finding::denied(verdict, detail, notice))
}

/// Rules 6 and 7: the identifier is good, its date decides.
fn by_date<'a>(facts: &Facts<'a>, expiry: Option<Date>, rules: Rules, today: Date) -> Finding<'a> {
    let is_unreadable = facts.expiry.is_some() && expiry.is_none();
    let is_elsewhere = facts.known == Known::LiveElsewhere;
    let valid = |sale, detail| Finding { verdict: Verdict::Valid, detail, sale, notice: None, since: None };
    match rules.shelf(expiry, today) {
        Shelf::Over => Finding { since: expiry.map(Date::next), ..Finding::denied(Verdict::Expired, None, None) },
        Shelf::Missing if is_elsewhere => valid(Sale::Deny, Some(Detail::NotJudgedHere)),
        Shelf::Fine if is_elsewhere => valid(Sale::Warn, Some(Detail::NotJudgedHere)),
        Shelf::Missing if is_unreadable => valid(Sale::Deny, Some(Detail::ExpiryUnreadable)),
        Shelf::Missing => valid(Sale::Deny, Some(Detail::ExpiryMissing)),
        Shelf::Near => valid(Sale::Warn, Some(Detail::NearExpiry)),
        Shelf::Fine if is_unreadable => valid(Sale::Warn, Some(Detail::ExpiryUnreadable)),
        Shelf::Fine => valid(Sale::Allow, None),
    }
}

#[cfg(test)]
mod tests;
