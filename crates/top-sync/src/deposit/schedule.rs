//! What is to be done next for a prefix. Decided from the table, the clock and the wishes of the operator alone.
//!
//! A day has one deposit. Days that were missed are caught up by that of the last one, which tells everything since the platform's last. A deposit the
//! platform refused is made again with a higher number; the one that goes back to it is of no use, and is made again too.

use std::time::Duration;

use waymark_catalog::Timestamp;
use waymark_ident::Date;

use super::config::{AHEAD_DAYS, ASKED, LATEST_MINUTES};
use super::head::{DepositId, day_of, watermark};
use super::name::Extent;
use super::table::{Delivery, Local, Platform, Row, Table};

/// How deposits are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// When that of a day is due, since its watermark; `None`: only when asked for.
    pub at: Option<Duration>,
    /// How often one is made again when the platform refused it.
    pub resends: u32,
    /// Everything every day, not on Sundays alone.
    pub always_full: bool,
}

/// A time of day that is none, or none deposits can be made at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time from 08:00 to 23:59, as 08:30")]
pub struct TimeOfDayError;

/// Reads a time of day in Beijing, as `08:30`, as the time since the watermark of 08:00.
///
/// # Errors
/// It is none, or before the watermark.
pub fn parse_time_of_day(text: &str) -> Result<Duration, TimeOfDayError> {
    let (hours, minutes) = text.split_once(':').ok_or(TimeOfDayError)?;
    let number = |text: &str| -> Option<u32> {
        let sound = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if sound { text.parse().ok() } else { None }
    };
    let (hours, minutes) = (number(hours).ok_or(TimeOfDayError)?, number(minutes).ok_or(TimeOfDayError)?);
    let since = (hours * 60 + minutes).checked_sub(8 * 60).filter(|since| *since <= LATEST_MINUTES && minutes < 60);
    since.map(|since| Duration::from_secs(u64::from(since) * 60)).ok_or(TimeOfDayError)
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Rest,
    /// A deposit is to be made.
    Make {
        /// Of this day.
        date: Date,
        /// Everything or what changed; `None` where the calendar says.
        extent: Option<Extent>,
    },
    /// This one is to be brought to the platform.
    Carry(DepositId),
    /// The platform refused as many as there may be.
    GivenUp {
        /// Of this day.
        date: Date,
    },
}

/// The last day whose deposit is due.
#[must_use]
pub fn due(now: Timestamp, at: Duration) -> Date {
    let today = day_of(now);
    let passed = Duration::from_millis(now.0.saturating_sub(watermark(today).0));
    if passed >= at { today } else { Date::from_days(today.days() - 1) }
}

/// A day an operator asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The day.
    pub date: Date,
    /// Though the platform refused as many as there may be; once.
    pub insists: bool,
}

/// What is to be done next for a prefix of a node made at `created`. A day that was asked for comes before the calendar; what the platform refused last
/// is made again where the calendar asks for nothing.
#[must_use]
pub fn next(
    table: &Table,
    prefix: &str,
    policy: &Policy,
    asked: Option<Asked>,
    (created, now): (Timestamp, Timestamp),
) -> Step {
    let own = || table.rows().iter().filter(|row| row.prefix == prefix);
    let is_waiting = |row: &&Row| {
        row.local == Local::Success && row.delivery == Delivery::Waiting && row.platform == Platform::Unknown
    };
    let waiting = own().rfind(is_waiting).map(|row| Step::Carry(row.id));
    let last = own().rfind(|row| row.delivery != Delivery::Hand);
    let refused_last = last.filter(|row| row.platform == Platform::Rejected).map(|row| row.date);
    let wanted = [
        (asked.map(|asked| asked.date), true, asked.is_some_and(|asked| asked.insists)),
        (policy.at.map(|at| due(now, at)), false, false),
        (refused_last, true, false),
    ];
    let mut given_up = None;
    for (date, exactly, insists) in wanted {
        let Some(date) = date.filter(|date| watermark(*date) >= created) else { continue };
        if own().any(|row| stands_for(table, row, date, exactly, now)) {
            if let (Some(carry), true) = (waiting, exactly) {
                return carry;
            }
            continue;
        }
        let refused = || own().filter(|row| row.date == date && row.platform == Platform::Rejected);
        let count = u32::try_from(refused().count()).unwrap_or(u32::MAX);
        if count > policy.resends && !insists {
            given_up.get_or_insert(Step::GivenUp { date });
            continue;
        }
        // Where the platform lacks what a differential one goes back to, or refuses again, it gets everything.
        let lacks_base = refused().any(|row| row.code == Some(CODE_ID_MISMATCH)) || count > 1;
        let extent = (policy.always_full || lacks_base).then_some(Extent::Full);
        return Step::Make { date, extent };
    }
    waiting.or(given_up).unwrap_or(Step::Rest)
}

/// Whether a row makes another deposit of a day needless.
fn stands_for(table: &Table, row: &Row, date: Date, exactly: bool, now: Timestamp) -> bool {
    let is_later = row.date > date && row.date.days() <= day_of(now).days().saturating_add(AHEAD_DAYS);
    if row.local != Local::Success || !(row.date == date || is_later && !exactly) {
        return false;
    }
    match row.platform {
        Platform::Accepted => true,
        Platform::Rejected => false,
        Platform::Unknown => matches!(row.delivery, Delivery::Waiting | Delivery::Sent) && !table.is_broken(row),
    }
}

/// The deposits of a prefix that are with the platform and were not judged, the oldest first.
pub(super) fn unjudged(table: &Table, prefix: &str) -> Vec<Row> {
    let of_prefix =
        |row: &&Row| row.prefix == prefix && row.delivery == Delivery::Sent && row.platform == Platform::Unknown;
    let mut rows: Vec<Row> = table.rows().iter().rev().filter(of_prefix).take(ASKED).cloned().collect();
    rows.reverse();
    rows
}

/// The id of a deposit, or that it goes back to, is not what the platform has.
const CODE_ID_MISMATCH: u16 = 2004;

#[cfg(test)]
mod tests {
    use super::super::name::parse_date;
    use super::*;

    const POLICY: Policy = Policy { at: Some(Duration::from_secs(1_800)), resends: 2, always_full: false };

    fn day(text: &str) -> Date {
        parse_date(text).unwrap()
    }

    /// So many minutes after a day began in UTC.
    fn at(date: &str, minutes: u64) -> Timestamp {
        Timestamp(watermark(day(date)).0 + minutes * 60_000)
    }

    fn row(date: &str, id: u8) -> Row {
        Row {
            prefix: "88.990".into(),
            date: day(date),
            resend: 0,
            extent: Extent::Full,
            started: 0,
            ended: None,
            local: Local::Success,
            platform: Platform::Unknown,
            remark: String::new(),
            id: DepositId([id; 16]),
            previous: None,
            delivery: Delivery::Sent,
            sent: None,
            judged: None,
            code: None,
        }
    }

    fn table(rows: &[Row]) -> (tempfile::TempDir, Table) {
        let folder = tempfile::tempdir().unwrap();
        let mut table = Table::open(folder.path()).unwrap();
        rows.iter().for_each(|row| table.begin(row.clone()).unwrap());
        (folder, table)
    }

    fn step(rows: &[Row], now: Timestamp) -> Step {
        next(&table(rows).1, "88.990", &POLICY, None, (Timestamp(0), now))
    }

    fn make(date: &str) -> Step {
        Step::Make { date: day(date), extent: None }
    }

    #[test]
    fn times_of_day_are_those_of_beijing_from_the_watermark_on() {
        let minutes = |text| parse_time_of_day(text).map(|time| time.as_secs() / 60);
        assert_eq!([minutes("08:00"), minutes("08:30"), minutes("23:59")], [Ok(0), Ok(30), Ok(959)]);
        for text in ["07:59", "24:00", "8:30", "08:60", "0830", "", "00:00", "+8:30", "08:30:00"] {
            assert_eq!(minutes(text), Err(TimeOfDayError), "{text}");
        }
    }

    #[test]
    fn a_day_is_due_half_an_hour_after_it_began_in_utc() {
        let sent = [row("2026-11-29", 1)];
        assert_eq!(step(&sent, at("2026-11-30", 29)), Step::Rest);
        assert_eq!(step(&sent, at("2026-11-30", 30)), make("2026-11-30"));
        // In Beijing it is the first of December from 16:00 UTC on; the deposit of that day is due at 00:30.
        assert_eq!(step(&[row("2026-11-30", 1)], at("2026-11-30", 20 * 60)), Step::Rest);
        assert_eq!(step(&[row("2026-11-30", 1)], at("2026-12-01", 29)), Step::Rest);
        assert_eq!(step(&[row("2026-11-30", 1)], at("2026-12-01", 30)), make("2026-12-01"));
    }

    #[test]
    fn missed_days_are_caught_up_by_one_deposit() {
        assert_eq!(step(&[row("2026-11-01", 1)], at("2026-11-30", 700)), make("2026-11-30"));
        assert_eq!(step(&[row("2026-11-01", 1), row("2026-11-30", 2)], at("2026-11-30", 701)), Step::Rest);
    }

    #[test]
    fn a_day_before_the_node_was_made_has_no_deposit() {
        let (_folder, table) = table(&[]);
        let created = at("2026-11-30", 10);
        let step = |now| next(&table, "88.990", &POLICY, None, (created, now));
        assert_eq!(step(at("2026-11-30", 700)), Step::Rest);
        assert_eq!(step(at("2026-12-01", 30)), make("2026-12-01"));
    }

    #[test]
    fn a_clock_that_jumps_does_not_make_two() {
        let rows = [row("2026-11-29", 1), row("2026-11-30", 2)];
        assert_eq!(step(&rows, at("2026-11-29", 700)), Step::Rest, "back by a day");
        assert_eq!(step(&rows, at("2026-11-30", 700)), Step::Rest);
        let wrong = [row("2026-11-30", 1), row("2031-01-01", 2)];
        assert_eq!(step(&wrong, at("2026-12-01", 700)), make("2026-12-01"), "years ahead, and back");
    }

    #[test]
    fn what_is_made_is_carried_and_what_failed_is_made_again() {
        let waiting = Row { delivery: Delivery::Waiting, ..row("2026-11-30", 2) };
        let now = at("2026-11-30", 60);
        assert_eq!(step(&[row("2026-11-29", 1), waiting.clone()], now), Step::Carry(waiting.id));
        assert_eq!(step(&[Row { local: Local::Fail, ..waiting.clone() }], now), make("2026-11-30"));
        assert_eq!(step(&[Row { local: Local::Running, ..waiting.clone() }], now), make("2026-11-30"));
        assert_eq!(step(&[Row { delivery: Delivery::Dropped, ..waiting.clone() }], now), make("2026-11-30"));
        let by_hand = Row { delivery: Delivery::Hand, ..waiting };
        assert_eq!(step(std::slice::from_ref(&by_hand), now), make("2026-11-30"), "nobody knows whether it got there");
        assert_eq!(step(&[Row { platform: Platform::Accepted, ..by_hand }], now), Step::Rest);
    }

    #[test]
    fn what_was_refused_is_made_again_so_often_and_then_given_up() {
        let refused = |id, code| Row { platform: Platform::Rejected, code: Some(code), ..row("2026-11-30", id) };
        let now = at("2026-11-30", 60);
        assert_eq!(step(&[refused(1, 2001)], now), make("2026-11-30"));
        let full = Step::Make { date: day("2026-11-30"), extent: Some(Extent::Full) };
        assert_eq!(step(&[refused(1, 2004)], now), full, "the platform lacks what it goes back to");
        assert_eq!(step(&[refused(1, 2001), refused(2, 2001)], now), full);
        let three = [refused(1, 2001), refused(2, 2001), refused(3, 2001)];
        assert_eq!(step(&three, now), Step::GivenUp { date: day("2026-11-30") });
        let (_folder, table) = table(&three);
        let asked = Some(Asked { date: day("2026-11-30"), insists: true });
        assert_eq!(next(&table, "88.990", &POLICY, asked, (Timestamp(0), now)), full, "an operator asks for it");
        assert_eq!(step(&three, at("2026-12-01", 60)), make("2026-12-01"), "the next day begins anew");
    }

    #[test]
    fn one_that_goes_back_to_a_refused_one_is_made_again() {
        let refused = Row { platform: Platform::Rejected, ..row("2026-11-29", 1) };
        let after = Row { previous: Some(refused.id), extent: Extent::Diff, ..row("2026-11-30", 2) };
        let now = at("2026-11-30", 60);
        assert_eq!(step(&[refused.clone(), after.clone()], now), make("2026-11-30"));
        assert_eq!(step(&[refused, Row { platform: Platform::Accepted, ..after }], now), Step::Rest);
    }

    #[test]
    fn without_a_time_of_day_only_what_was_refused_is_made_again() {
        let policy = Policy { at: None, ..POLICY };
        let step = |rows: &[Row]| next(&table(rows).1, "88.990", &policy, None, (Timestamp(0), at("2026-11-30", 60)));
        let refused = |id| Row { platform: Platform::Rejected, ..row("2026-11-28", id) };
        assert_eq!(step(&[]), Step::Rest);
        assert_eq!(step(&[row("2026-11-28", 1)]), Step::Rest);
        assert_eq!(step(&[refused(1)]), make("2026-11-28"));
        assert_eq!(step(&[refused(1), refused(2), refused(3)]), Step::GivenUp { date: day("2026-11-28") });
    }

    #[test]
    fn a_day_that_is_asked_for_is_brought_before_the_one_that_is_due_is_made() {
        let waiting = Row { delivery: Delivery::Waiting, ..row("2026-11-28", 1) };
        let asked = Some(Asked { date: waiting.date, insists: false });
        let (_folder, table) = table(std::slice::from_ref(&waiting));
        let now = at("2026-11-30", 60);
        assert_eq!(next(&table, "88.990", &POLICY, asked, (Timestamp(0), now)), Step::Carry(waiting.id));
        assert_eq!(next(&table, "88.990", &POLICY, None, (Timestamp(0), now)), make("2026-11-30"));
    }

    #[test]
    fn a_day_that_is_asked_for_is_made_though_a_later_one_was() {
        let (_folder, table) = table(&[row("2026-11-30", 1)]);
        let asked = |date| Some(Asked { date: day(date), insists: false });
        let ask = |date| next(&table, "88.990", &POLICY, asked(date), (Timestamp(0), at("2026-11-30", 60)));
        assert_eq!(ask("2026-11-28"), make("2026-11-28"));
        assert_eq!(ask("2026-11-30"), Step::Rest, "that one is there");
    }
}
