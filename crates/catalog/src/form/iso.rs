//! Times as text: `2026-11-22T00:15:46Z`, always UTC, always whole seconds.

use waymark_ident::Date;

/// Seconds since 1970 as text. Years outside 1 to 9999 do not occur: times of the protocol have 32 bits.
pub(crate) fn format(seconds: i64) -> String {
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (date, hour, minute, second) = (Date::from_days(days), of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{date}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Reads a time; `None` when it is not written exactly so or does not exist.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let bytes: &[u8; 20] = text.as_bytes().try_into().ok()?;
    let [y0, y1, y2, y3, b'-', mo0, mo1, b'-', d0, d1, b'T', h0, h1, b':', mi0, mi1, b':', s0, s1, b'Z'] = bytes else {
        return None;
    };
    let year = number(*y0, *y1)? * 100 + number(*y2, *y3)?;
    let part = |high: &u8, low: &u8| u8::try_from(number(*high, *low)?).ok();
    let date = Date::new(year, part(mo0, mo1)?, part(d0, d1)?)?;
    let (hour, minute, second) = (number(*h0, *h1)?, number(*mi0, *mi1)?, number(*s0, *s1)?);
    let exists = hour < 24 && minute < 60 && second < 60;
    exists.then(|| date.days() * 86_400 + i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second))
}

/// The number of two digits.
fn number(high: u8, low: u8) -> Option<u16> {
    let is_number = high.is_ascii_digit() && low.is_ascii_digit();
    is_number.then(|| u16::from(high - b'0') * 10 + u16::from(low - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_read_and_write() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_790_000_000, "2026-09-21T14:13:20Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (i64::from(i32::MAX), "2038-01-19T03:14:07Z"),
            (i64::from(i32::MIN), "1901-12-13T20:45:52Z"),
            (i64::from(u32::MAX), "2106-02-07T06:28:15Z"),
        ] {
            assert_eq!(format(seconds), text);
            assert_eq!(parse(text), Some(seconds));
        }
    }

    #[test]
    fn every_day_of_two_centuries_comes_back() {
        for day in -25_000..50_000 {
            assert_eq!(parse(&format(day * 86_400)), Some(day * 86_400));
        }
    }

    #[test]
    fn refuses_dates_that_do_not_exist_and_other_spellings() {
        for text in [
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-10T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00",
            "+026-01-01T00:00:00Z",
            "2026-01-0 T00:00:00Z",
            "",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
