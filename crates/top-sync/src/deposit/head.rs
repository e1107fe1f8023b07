//! What a deposit says of itself, and what it counts.

use std::fmt;

use waymark_catalog::Timestamp;
use waymark_catalog::moment::Kind;
use waymark_catalog::verdict::Zone;
use waymark_ident::Date;

use super::name::{Extent, parse_date};

/// Version of the form made here, and the newest that is read.
pub const VERSION: u32 = 1;

/// The namespace of the form, and what the names of its kinds begin with.
pub(super) const NAMESPACE: &str = "urn:waymark:deposit:1";

/// What identifiers are called among the kinds.
pub(super) const IDENTIFIER: &str = "identifier";

/// Names a deposit: drawn at random. Prints as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DepositId(pub [u8; 16]);

impl DepositId {
    /// The one that prints so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let lower = text.bytes().all(|byte| !byte.is_ascii_uppercase());
        (lower && hex::decode_to_slice(text, &mut bytes).is_ok()).then_some(Self(bytes))
    }
}

impl fmt::Display for DepositId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// What a deposit says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its name.
    pub id: DepositId,
    /// The deposit that this one says the changes since; of a full one none.
    pub previous: Option<DepositId>,
    /// Everything, or what changed.
    pub extent: Extent,
    /// How often it was made before.
    pub resend: u32,
    /// The prefix it is of, folded; empty where it says none.
    pub prefix: String,
    /// The day at whose beginning, in UTC, all was so.
    pub date: Date,
    /// When the node was made, in whole seconds since 1970.
    pub created_seconds: u64,
    /// The serial of the watermark before; 0 of a full one.
    pub since: u64,
    /// The serial of the watermark.
    pub serial: u64,
}

impl Head {
    /// The moment it is of.
    #[must_use]
    pub fn watermark(&self) -> Timestamp {
        watermark(self.date)
    }
}

/// The beginning of a day in UTC, which is eight in the morning in Beijing. Days before 1970 begin with it.
#[must_use]
pub fn watermark(date: Date) -> Timestamp {
    Timestamp(u64::try_from(date.days()).unwrap_or(0) * DAY_MS)
}

/// The day of a moment, in UTC.
#[must_use]
pub fn day_of(time: Timestamp) -> Date {
    Date::from_days(i64::try_from(time.0 / DAY_MS).unwrap_or(i64::MAX))
}

/// Whether a day is a Sunday.
#[must_use]
pub fn is_sunday(date: Date) -> bool {
    // 4 January 1970 was one.
    (date.days() - 3).rem_euclid(7) == 0
}

/// A moment as documents have it, in whole seconds: `2026-11-29T00:00:00Z`.
pub(super) fn time_text(seconds: u64) -> String {
    let date = Zone::new(0).unwrap_or_default().day_of(Timestamp(seconds.saturating_mul(1_000)));
    let of_day = seconds % 86_400;
    format!("{date}T{:02}:{:02}:{:02}Z", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

/// The seconds since 1970 of such a text.
pub(super) fn parse_time(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let days = u64::try_from(parse_date(date)?.days()).ok()?;
    let mut fields = time.splitn(3, ':').map(|field| field.parse::<u8>().ok().map(u64::from));
    let (hour, minute, second) = (fields.next()??, fields.next()??, fields.next()??);
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    // One spelling for each.
    (time_text(seconds) == text).then_some(seconds)
}

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// How much of what a deposit holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Identifiers.
    pub identifiers: u64,
    /// Their values.
    pub values: u64,
    /// Identifiers that are gone.
    pub identifiers_gone: u64,
    objects: [u64; Kind::ALL.len()],
    gone: [u64; Kind::ALL.len()],
}

impl Counts {
    /// Objects of a kind.
    #[must_use]
    pub fn of(&self, kind: Kind) -> u64 {
        self.objects.get(place(kind)).copied().unwrap_or(0)
    }

    /// Objects of a kind that are gone.
    #[must_use]
    pub fn gone(&self, kind: Kind) -> u64 {
        self.gone.get(place(kind)).copied().unwrap_or(0)
    }

    /// Objects of all kinds.
    #[must_use]
    pub fn objects(&self) -> u64 {
        self.objects.iter().sum()
    }

    /// Whatever is gone.
    #[must_use]
    pub fn deletions(&self) -> u64 {
        self.identifiers_gone.saturating_add(self.gone.iter().sum())
    }

    pub(super) fn add(&mut self, kind: Kind, count: u64, is_gone: bool) {
        let table = if is_gone { &mut self.gone } else { &mut self.objects };
        if let Some(known) = table.get_mut(place(kind)) {
            *known = known.saturating_add(count);
        }
    }
}

fn place(kind: Kind) -> usize {
    Kind::ALL.iter().position(|known| *known == kind).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watermark_is_eight_in_the_morning_in_beijing() {
        let date = parse_date("2026-11-29").unwrap();
        assert_eq!(watermark(date), Timestamp(1_795_910_400_000));
        assert_eq!(time_text(watermark(date).0 / 1_000), "2026-11-29T00:00:00Z");
        assert_eq!(
            (day_of(watermark(date)), day_of(Timestamp(watermark(date).0 - 1)).to_string()),
            (date, "2026-11-28".into())
        );
    }

    #[test]
    fn sundays_are_those_of_the_calendar() {
        let sundays: Vec<String> = (0..14)
            .map(|days| Date::from_days(parse_date("2026-11-20").unwrap().days() + days))
            .filter(|date| is_sunday(*date))
            .map(|date| date.to_string())
            .collect();
        assert_eq!(sundays, ["2026-11-22", "2026-11-29"]);
    }

    #[test]
    fn times_have_one_spelling() {
        assert_eq!(parse_time("2026-11-29T08:15:30Z"), Some(1_795_910_400 + 8 * 3_600 + 15 * 60 + 30));
        for wrong in [
            "2026-11-29",
            "2026-11-29T8:15:30Z",
            "2026-11-29T24:00:00Z",
            "2026-11-29T00:00:00+08:00",
            "2026-11-29T18446744073709551615:00:00Z",
            "Z",
            "TZ",
        ] {
            assert_eq!(parse_time(wrong), None, "{wrong}");
        }
    }
}
