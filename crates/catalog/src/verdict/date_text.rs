//! Dates as enterprises store them.

use waymark_ident::Date;
use waymark_ident::gs1::date::ShortDate;

/// How a column writes its dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateForm {
    /// With all digits of the year: `2027-02-28` and `20270228` (ISO 8601), `2027/2/28`.
    Iso,
    /// Six digits, `270228`, century and day 00 as GS1 has them. Only where the column says so: without that, six digits
    /// could be day, month and year in any order.
    Gs1,
}

/// A date as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DateText<'a> {
    /// The text. White space around it is ignored.
    pub text: &'a str,
    /// How to read it.
    pub form: DateForm,
}

impl DateText<'_> {
    /// The day meant, seen from `today`; `None` when it is not written so, or does not exist.
    #[must_use]
    pub fn read(self, today: Date) -> Option<Date> {
        let text = self.text.trim();
        match self.form {
            DateForm::Gs1 => Some(ShortDate::parse(text.as_bytes()).ok()?.to_date(today)),
            DateForm::Iso => iso(text),
        }
    }
}

fn iso(text: &str) -> Option<Date> {
    if let Some((year, rest)) = text.split_once('-') {
        let (month, day) = rest.split_once('-')?;
        return date(year, (month, 2..=2), (day, 2..=2));
    }
    if let Some((year, rest)) = text.split_once('/') {
        let (month, day) = rest.split_once('/')?;
        return date(year, (month, 1..=2), (day, 1..=2));
    }
    let (year, rest) = text.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    date(year, (month, 2..=2), (day, 2..=2))
}

type Part<'a> = (&'a str, std::ops::RangeInclusive<usize>);

fn date(year: &str, month: Part<'_>, day: Part<'_>) -> Option<Date> {
    let number = |(text, lengths): Part<'_>| {
        let is_number = lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<u16>().ok())?
    };
    let (month, day) = (number(month)?, number(day)?);
    Date::new(number((year, 4..=4))?, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, form: DateForm) -> Option<String> {
        let today = Date::new(2026, 11, 21).unwrap();
        DateText { text, form }.read(today).map(|date| date.to_string())
    }

    #[test]
    fn each_form_reads_its_own_spellings() {
        for (text, form, date) in [
            ("2027-02-28", DateForm::Iso, "2027-02-28"),
            ("20270228", DateForm::Iso, "2027-02-28"),
            ("2027/2/28", DateForm::Iso, "2027-02-28"),
            ("2027/02/08", DateForm::Iso, "2027-02-08"),
            (" 2028-02-29\n", DateForm::Iso, "2028-02-29"),
            ("270228", DateForm::Gs1, "2027-02-28"),
            ("270200", DateForm::Gs1, "2027-02-28"),
            ("770615", DateForm::Gs1, "1977-06-15"),
        ] {
            assert_eq!(read(text, form).as_deref(), Some(date), "{text}");
        }
    }

    #[test]
    fn refuses_other_spellings_and_days_that_do_not_exist() {
        for text in [
            "",
            "270228",
            "2027-2-28",
            "2027-02",
            "27-02-28",
            "2027/2/28/1",
            "2027/002/28",
            "2027//28",
            "2027-02-29",
            "20271301",
            "202702280",
            "2027-02-28T00:00:00Z",
            "+027-02-28",
            "2027-+2-28",
            "２０２７-02-28",
            "28/2/2027",
            "2027年2月28日",
            "soon",
        ] {
            assert_eq!(read(text, DateForm::Iso), None, "{text}");
        }
        for text in ["", "20270228", "270229", "271301", "27-2-8", "27022８"] {
            assert_eq!(read(text, DateForm::Gs1), None, "{text}");
        }
    }
}
