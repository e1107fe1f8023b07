use super::*;
use crate::verdict::DateForm;

/// 2027-02-28T08:00:00Z, in the afternoon of that day in China.
const NOW: Timestamp = Timestamp(1_803_801_600_000);

/// 2027-02-28T16:00:00Z, the first moment of 1 March in China.
const MIDNIGHT: Timestamp = Timestamp(1_803_830_400_000);

/// 2026-12-31T16:00:00Z, the first moment of 2027 in China.
const NEW_YEAR: Timestamp = Timestamp(1_798_732_800_000);

const NOTICE: Notice<'static> = Notice { since: NEW_YEAR, reason: "spot check failed" };
const BATCH: Notice<'static> = Notice { since: NOW, reason: "metal splinters" };

fn live() -> Facts<'static> {
    Facts { known: Known::Live, batch: Some("A7"), batch_recall: None, expiry: None, as_of: Timestamp(7) }
}

const fn iso(text: &str) -> Option<DateText<'_>> {
    Some(DateText { text, form: DateForm::Iso })
}

fn judged<'a>(facts: &Facts<'a>, rules: Rules) -> Judgement<'a> {
    judge(facts, rules, Zone::CHINA, NOW)
}

#[test]
fn each_thing_known_has_its_verdict() {
    use Known::{Absent, Live, NotIssued, Recalled, Revoked, Suspended, Unreachable, Withdrawn, WrongCheck};
    for (known, batch_recall, verdict, detail, notice) in [
        (Unreachable, None, Verdict::UpstreamDown, None, None),
        (Unreachable, Some(BATCH), Verdict::UpstreamDown, None, None),
        (Absent, None, Verdict::Absent, None, None),
        (Absent, Some(BATCH), Verdict::Absent, None, None),
        (WrongCheck, None, Verdict::NeverIssued, Some(Detail::WrongCheck), None),
        (NotIssued, Some(BATCH), Verdict::NeverIssued, Some(Detail::NotIssued), None),
        (Recalled(NOTICE), None, Verdict::Recalled, None, Some(NOTICE)),
        (Recalled(NOTICE), Some(BATCH), Verdict::Recalled, None, Some(NOTICE)),
        (Live, Some(BATCH), Verdict::Recalled, Some(Detail::BatchRecalled), Some(BATCH)),
        (Suspended(NOTICE), Some(BATCH), Verdict::Recalled, Some(Detail::BatchRecalled), Some(BATCH)),
        (Revoked(NOTICE), Some(BATCH), Verdict::Recalled, Some(Detail::BatchRecalled), Some(BATCH)),
        (Suspended(NOTICE), None, Verdict::Suspended, None, Some(NOTICE)),
        (Revoked(NOTICE), None, Verdict::Suspended, Some(Detail::Revoked), Some(NOTICE)),
        (Withdrawn(NOTICE), None, Verdict::Suspended, Some(Detail::Withdrawn), Some(NOTICE)),
    ] {
        // Whether its date is over or far ahead, and whatever the rules.
        for expiry in [None, iso("2020-01-01"), iso("2099-01-01"), iso("soon")] {
            for rules in [Rules::default(), Rules { warn_days: 9, expiry_required: true }] {
                let facts = Facts { known, batch_recall, expiry, ..live() };
                let expected = Judgement {
                    verdict,
                    detail,
                    sale: Sale::Deny,
                    since: notice.map(|notice| Zone::CHINA.day_of(notice.since)),
                    reason: notice.map(|notice| notice.reason),
                    batch: Some("A7"),
                    expiry: expiry.and_then(|text| text.read(Zone::CHINA.day_of(NOW))),
                    as_of: Timestamp(7),
                };
                assert_eq!(judged(&facts, rules), expected);
                assert!(!expected.is_sale_allowed() && !expected.is_warning());
            }
        }
    }
}

#[test]
fn what_is_good_at_another_node_is_warned_of_and_not_sold_where_a_date_is_required() {
    let facts = Facts { known: Known::LiveElsewhere, ..live() };
    for (expiry_required, sale) in [(false, Sale::Warn), (true, Sale::Deny)] {
        let judgement = judged(&facts, Rules { warn_days: 9, expiry_required });
        assert_eq!(
            (judgement.verdict, judgement.detail, judgement.sale),
            (Verdict::Valid, Some(Detail::NotJudgedHere), sale)
        );
    }
}

#[test]
fn the_day_of_a_notice_is_that_of_the_zone() {
    let facts = Facts { known: Known::Suspended(NOTICE), ..live() };
    for (zone, since) in [(Zone::CHINA, "2027-01-01"), (Zone::new(0).unwrap(), "2026-12-31")] {
        let judgement = judge(&facts, Rules::default(), zone, NOW);
        assert_eq!(judgement.since.unwrap().to_string(), since);
    }
}

#[test]
fn a_good_identifier_is_judged_by_its_date() {
    let lax = Rules::default();
    let warned = Rules { warn_days: 3, ..lax };
    let strict = Rules { expiry_required: true, ..warned };
    for (expiry, rules, verdict, sale, detail) in [
        (None, lax, Verdict::Valid, Sale::Allow, None),
        (None, strict, Verdict::Valid, Sale::Deny, Some(Detail::ExpiryMissing)),
        (iso("soon"), lax, Verdict::Valid, Sale::Warn, Some(Detail::ExpiryUnreadable)),
        (iso("soon"), strict, Verdict::Valid, Sale::Deny, Some(Detail::ExpiryUnreadable)),
        (iso("270228"), strict, Verdict::Valid, Sale::Deny, Some(Detail::ExpiryUnreadable)),
        (iso("2027-02-27"), lax, Verdict::Expired, Sale::Deny, None),
        (iso("2027/2/27"), strict, Verdict::Expired, Sale::Deny, None),
        (iso("2027-02-28"), lax, Verdict::Valid, Sale::Allow, None),
        (iso("20270228"), warned, Verdict::Valid, Sale::Warn, Some(Detail::NearExpiry)),
        (iso("2027-03-03"), strict, Verdict::Valid, Sale::Warn, Some(Detail::NearExpiry)),
        (iso("2027-03-04"), strict, Verdict::Valid, Sale::Allow, None),
    ] {
        let judgement = judged(&Facts { expiry, ..live() }, rules);
        assert_eq!(
            (judgement.verdict, judgement.sale, judgement.detail),
            (verdict, sale, detail),
            "{expiry:?} {rules:?}"
        );
        assert_eq!(judgement.is_sale_allowed(), sale != Sale::Deny);
        assert_eq!(judgement.is_warning(), sale == Sale::Warn);
    }
}

#[test]
fn the_last_day_lasts_until_its_midnight_in_the_zone() {
    let utc = Zone::new(0).unwrap();
    let gs1 = Some(DateText { text: "270200", form: DateForm::Gs1 });
    for expiry in [iso("2027-02-28"), iso("20270228"), iso("2027/2/28"), gs1] {
        let facts = Facts { expiry, ..live() };
        for (zone, now, verdict) in [
            (Zone::CHINA, Timestamp(MIDNIGHT.0 - 1), Verdict::Valid),
            (Zone::CHINA, MIDNIGHT, Verdict::Expired),
            (utc, MIDNIGHT, Verdict::Valid),
            (utc, Timestamp(MIDNIGHT.0 + 8 * 3_600_000), Verdict::Expired),
        ] {
            let judgement = judge(&facts, Rules::default(), zone, now);
            assert_eq!((judgement.verdict, judgement.expiry.unwrap().to_string()), (verdict, "2027-02-28".into()));
            let since = (verdict == Verdict::Expired).then(|| "2027-03-01".to_owned());
            assert_eq!(judgement.since.map(|since| since.to_string()), since);
        }
    }
}
