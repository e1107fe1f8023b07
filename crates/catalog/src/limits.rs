//! What may be written: handles, values and records against the configured limits.
//!
//! A limit refuses, or takes what is beyond it with a warning, or takes it silently; what the protocol cannot carry is refused always.

use waymark_ident::{HandleError, HandleLimits, PREFIX_RECORDS, check_new_handle};
use waymark_wire::Values;

use crate::command::{InvalidValue, Refusal};
use crate::config::{RecordLimits, Ruling, VALUE_BYTES, VALUES_PER_RECORD, usize_of};
use crate::values::ValueSet;
use crate::warnings::{Warning, Warnings};

/// Checks a handle that is to be registered.
///
/// A handle without a slash is the record of that prefix, registered under its short name: what is checked is the long
/// one, with room for what it is longer.
pub(crate) fn check_handle(handle: &[u8], limits: &RecordLimits) -> Result<Warnings, Refusal> {
    let max_bytes = match limits.long_handles {
        Ruling::Refuse => limits.handle_bytes,
        Ruling::Warn | Ruling::Allow => usize::MAX, // the protocol's limit holds anyway
    };
    match check_new_handle(handle, HandleLimits { max_bytes }) {
        Err(HandleError::NoSlash) if !handle.is_empty() => {
            check_new_handle(&[PREFIX_RECORDS, handle].concat(), HandleLimits { max_bytes: usize::MAX })
        }
        other => other,
    }
    .map_err(Refusal::InvalidHandle)?;
    let text = std::str::from_utf8(handle).unwrap_or_default(); // checked above
    let mut warnings = Warnings::NONE;
    if handle.len() > limits.handle_bytes && limits.long_handles == Ruling::Warn {
        warnings = warnings.with(Warning::LongHandle);
    }
    let unwanted = [
        (limits.slash_in_suffix, Warning::SlashInSuffix, slash_in_suffix(text)),
        (limits.whitespace, Warning::Whitespace, text.find(char::is_whitespace)),
        (limits.non_ascii, Warning::NonAscii, text.find(|c: char| !c.is_ascii())),
    ];
    for (ruling, warning, found) in unwanted {
        match (ruling, found) {
            (Ruling::Refuse, Some(at)) => return Err(Refusal::UnwantedHandle { what: warning, at }),
            (Ruling::Warn, Some(_)) => warnings = warnings.with(warning),
            (Ruling::Allow, _) | (_, None) => {}
        }
    }
    Ok(warnings)
}

/// Where the suffix of a handle holds a slash. The record of a prefix has that prefix as its suffix, which may hold some.
fn slash_in_suffix(handle: &str) -> Option<usize> {
    let slash = handle.find('/')?;
    let suffix = handle.get(slash + 1..)?;
    let prefix = handle.get(..slash)?;
    if prefix.eq_ignore_ascii_case("0.NA") { None } else { suffix.find('/').map(|at| slash + 1 + at) }
}

/// Checks each value that comes in.
pub(crate) fn check_values(values: Values<'_>, limits: &RecordLimits) -> Result<Warnings, Refusal> {
    let mut warnings = Warnings::NONE;
    for value in values {
        let (index, bytes) = (value.index, value.data.len());
        if bytes <= limits.value_bytes {
            continue;
        }
        let limit = match limits.large_values {
            Ruling::Refuse => limits.value_bytes,
            Ruling::Warn | Ruling::Allow => usize_of(VALUE_BYTES.max),
        };
        if bytes > limit {
            return Err(Refusal::InvalidValue(InvalidValue::DataTooLarge { index, bytes, limit }));
        }
        if limits.large_values == Ruling::Warn {
            warnings = warnings.with(Warning::LargeValue);
        }
    }
    Ok(warnings)
}

/// Checks a record as it would stand.
pub(crate) fn check_record(values: &ValueSet, limits: &RecordLimits) -> Result<Warnings, Refusal> {
    let count = usize::try_from(values.count()).unwrap_or(usize::MAX);
    let limit = match limits.many_values {
        Ruling::Refuse => limits.values,
        Ruling::Warn | Ruling::Allow => usize_of(VALUES_PER_RECORD.max),
    };
    if count > limit {
        return Err(Refusal::TooManyValues { count, limit });
    }
    let bytes = values.wire().len();
    if bytes > limits.record_bytes {
        return Err(Refusal::RecordTooLarge { bytes, limit: limits.record_bytes });
    }
    let warned = count > limits.values && limits.many_values == Ruling::Warn;
    Ok(if warned { Warnings::NONE.with(Warning::ManyValues) } else { Warnings::NONE })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::value;

    const ALLOW_ALL: RecordLimits = RecordLimits {
        handle_bytes: 20,
        value_bytes: 4,
        values: 1,
        long_handles: Ruling::Allow,
        slash_in_suffix: Ruling::Allow,
        whitespace: Ruling::Allow,
        non_ascii: Ruling::Allow,
        large_values: Ruling::Allow,
        many_values: Ruling::Allow,
        ..RecordLimits::DEFAULT
    };

    fn handle(text: &str, limits: &RecordLimits) -> Result<Vec<&'static str>, Refusal> {
        check_handle(text.as_bytes(), limits).map(|warnings| warnings.iter().map(Warning::as_str).collect())
    }

    fn record(data: &[&[u8]], limits: &RecordLimits) -> Result<Vec<&'static str>, Refusal> {
        let values: Vec<_> = (1..).zip(data).map(|(index, data)| value(index, "T", data)).collect();
        let set = ValueSet::from_bufs(&values).unwrap();
        let warnings = check_values(set.values(), limits)?.and(check_record(&set, limits)?);
        Ok(warnings.iter().map(Warning::as_str).collect())
    }

    #[test]
    fn each_rule_about_handles_allows_warns_and_refuses() {
        type Set = fn(&mut RecordLimits, Ruling);
        let rules: [(Set, &str, Warning, usize); 3] = [
            (|limits, ruling| limits.slash_in_suffix = ruling, "88.1/a/b", Warning::SlashInSuffix, 6),
            (|limits, ruling| limits.whitespace = ruling, "88.1/a\u{3000}b", Warning::Whitespace, 6),
            (|limits, ruling| limits.non_ascii = ruling, "88.1/产品", Warning::NonAscii, 5),
        ];
        for (set, unwanted, warning, at) in rules {
            let mut limits = ALLOW_ALL;
            assert_eq!(handle(unwanted, &limits), Ok(vec![]));
            set(&mut limits, Ruling::Warn);
            assert_eq!(handle(unwanted, &limits), Ok(vec![warning.as_str()]));
            set(&mut limits, Ruling::Refuse);
            assert_eq!(handle(unwanted, &limits), Err(Refusal::UnwantedHandle { what: warning, at }));
            assert_eq!(handle("88.1/plain", &limits), Ok(vec![]));
        }
    }

    #[test]
    fn long_handles_are_allowed_warned_of_or_refused() {
        let long = "88.1/0123456789abcdef";
        let mut limits = ALLOW_ALL;
        assert_eq!(handle(long, &limits), Ok(vec![]));
        limits.long_handles = Ruling::Warn;
        assert_eq!(handle(long, &limits), Ok(vec!["LONG_HANDLE"]));
        assert_eq!(handle(&long[..20], &limits), Ok(vec![]));
        limits.long_handles = Ruling::Refuse;
        let too_long = HandleError::TooLong { length: 21, limit: 20 };
        assert_eq!(handle(long, &limits), Err(Refusal::InvalidHandle(too_long)));
    }

    #[test]
    fn the_record_of_a_prefix_of_several_names_has_no_slash_in_its_suffix() {
        let limits = RecordLimits { slash_in_suffix: Ruling::Refuse, ..ALLOW_ALL };
        for text in ["0.NA/88.1", "0.na/0.NA/88.1", "88.1"] {
            assert_eq!(handle(text, &limits), Ok(vec![]));
        }
    }

    #[test]
    fn control_characters_are_refused_whatever_is_configured() {
        for text in ["88.1/a\tb", "88.1/a\nb", "88.1/\u{85}"] {
            let refusal = handle(text, &ALLOW_ALL).unwrap_err();
            assert!(matches!(refusal, Refusal::InvalidHandle(HandleError::ControlCharacter { .. })), "{text:?}");
        }
    }

    #[test]
    fn values_beyond_a_limit_are_allowed_warned_of_or_refused() {
        let mut limits = ALLOW_ALL;
        let (large, many): (&[&[u8]], &[&[u8]]) = (&[b"12345"], &[b"1", b"2"]);
        assert_eq!((record(large, &limits), record(many, &limits)), (Ok(vec![]), Ok(vec![])));
        limits.large_values = Ruling::Warn;
        limits.many_values = Ruling::Warn;
        assert_eq!(record(large, &limits), Ok(vec!["LARGE_VALUE"]));
        assert_eq!(record(many, &limits), Ok(vec!["MANY_VALUES"]));
        assert_eq!(record(&[b"1234"], &limits), Ok(vec![]));
        limits.large_values = Ruling::Refuse;
        limits.many_values = Ruling::Refuse;
        let too_large = InvalidValue::DataTooLarge { index: 1, bytes: 5, limit: 4 };
        assert_eq!(record(large, &limits), Err(Refusal::InvalidValue(too_large)));
        assert_eq!(record(many, &limits), Err(Refusal::TooManyValues { count: 2, limit: 1 }));
    }

    #[test]
    fn what_no_message_carries_is_refused_whatever_is_configured() {
        let data = vec![0; usize_of(VALUE_BYTES.max) + 1];
        assert!(matches!(record(&[&data], &ALLOW_ALL), Err(Refusal::InvalidValue(_))));
        let half = vec![0; RecordLimits::DEFAULT.record_bytes / 2];
        assert!(matches!(record(&[&half, &half], &ALLOW_ALL), Err(Refusal::RecordTooLarge { .. })));
    }
}
