//! Recalls: a record stays in resolution and says in one of its values that what carries it was called back.
//!
//! The *notice* stands at index [`RECALL_INDEX`], has the type [`RECALL_TYPE`], the reason as its data, and the time of the recall as its timestamp.
//! Everybody may read it and nobody may change it; its time to live is [`RECALL_TTL_SECONDS`], so that whoever kept an answer asks again soon.
//! Being a value, it reaches whoever asks, by whatever door and in whatever dialect, with the next answer.
//!
//! It comes and goes by commands of its own, which need the right to suspend. No other command takes it away: a record that is replaced keeps it,
//! and one that is recalled is not deleted. A record that comes in with a notice, as an export tells it, needs that right too.
//!
//! What is recalled without being an identifier of its own has a *record of the recall*, which says nothing but the notice, so that scanners can
//! ask for it too: `PREFIX/RECALL_` and the batch, see [`batch_handle`]. Recalling it makes it.

use waymark_wire::{Permissions, Ttl, ValueBuf, ValueRef, Values};

use crate::command::{InvalidValue, Refusal};
use crate::config::REASON_BYTES;
use crate::values::{ValueSet, may_hold};

/// Index of the value that says so.
pub const RECALL_INDEX: u32 = 1002;

/// Type of that value.
pub const RECALL_TYPE: &str = "WAYMARK_RECALL";

/// How long its readers may keep it.
pub const RECALL_TTL_SECONDS: i32 = 60;

/// What the suffix of the record of a batch that was recalled begins with.
const BATCH_SUFFIX: &str = "RECALL_";

/// The most bytes a notice takes in a record: its reason, its type, and what is of fixed size.
pub(crate) const NOTICE_BYTES: usize = REASON_BYTES + RECALL_TYPE.len() + 40;

/// A notice, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recall<'a> {
    /// Since when, in seconds since 1970.
    pub since_seconds: u32,
    /// Why.
    pub reason: &'a str,
}

/// The notice of a reason, since a time in seconds since 1970.
#[must_use]
pub fn notice(reason: &str, since_seconds: u32) -> ValueBuf {
    ValueBuf {
        index: RECALL_INDEX,
        timestamp: since_seconds,
        ttl: Ttl::Relative(RECALL_TTL_SECONDS),
        permissions: Permissions(Permissions::PUBLIC_READ.0 | Permissions::ADMIN_READ.0),
        kind: RECALL_TYPE.into(),
        data: reason.into(),
        references: Vec::new(),
    }
}

/// The record that says of a batch under a prefix that it was recalled.
#[must_use]
pub fn batch_handle(prefix: &[u8], batch: &str) -> Vec<u8> {
    [prefix, b"/", BATCH_SUFFIX.as_bytes(), batch.as_bytes()].concat()
}

/// Whether a canonical key is that of such a record.
pub(crate) fn is_of_batch(key: &[u8]) -> bool {
    let suffix = key.iter().position(|byte| *byte == b'/').and_then(|at| key.get(at + 1..)).unwrap_or_default();
    suffix.get(..BATCH_SUFFIX.len()).is_some_and(|front| front.eq_ignore_ascii_case(BATCH_SUFFIX.as_bytes()))
        && suffix.len() > BATCH_SUFFIX.len()
}

/// The value that says so, if one of them does.
#[must_use]
pub fn notice_in<'a>(values: Values<'a>) -> Option<ValueRef<'a>> {
    if !may_be_notice(values) {
        return None;
    }
    let at = values.iter().take_while(|value| value.index <= RECALL_INDEX).last()?;
    Some(at).filter(is_notice)
}

/// What the values of a record say of a recall.
#[must_use]
pub fn recall_in(values: Values<'_>) -> Option<Recall<'_>> {
    let value = notice_in(values)?;
    // Cannot fail for what came through here: data that is no text is refused.
    Some(Recall { since_seconds: value.timestamp, reason: std::str::from_utf8(value.data).unwrap_or_default() })
}

/// Whether one of them may say so, without parsing them.
fn may_be_notice(values: Values<'_>) -> bool {
    may_hold(values.wire(), RECALL_TYPE.as_bytes(), 7)
}

/// Whether a value says so.
pub(crate) fn is_notice(value: &ValueRef<'_>) -> bool {
    value.index == RECALL_INDEX && value.kind == RECALL_TYPE.as_bytes()
}

/// Refuses values of the type of a notice that are none.
///
/// # Errors
/// [`Refusal::InvalidValue`].
pub(crate) fn check_notices(values: Values<'_>) -> Result<(), Refusal> {
    if !may_be_notice(values) {
        return Ok(());
    }
    for value in values {
        if value.kind != RECALL_TYPE.as_bytes() {
            continue;
        }
        let reason = std::str::from_utf8(value.data).ok().filter(|reason| {
            value.index == RECALL_INDEX && reason.len() <= REASON_BYTES && !reason.contains(char::is_control)
        });
        // To the byte what a recall would have written, but for its time.
        let same = reason.is_some_and(|reason| {
            let made = ValueSet::from_bufs(&[notice(reason, value.timestamp)]);
            made.is_ok_and(|made| made.wire() == value.wire)
        });
        if !same {
            return Err(Refusal::InvalidValue(InvalidValue::Notice { index: value.index }));
        }
    }
    Ok(())
}

/// Values with a notice among them, in place of one that is there; refused where another value stands at its index.
///
/// # Errors
/// [`Refusal::IndexConflict`].
pub(crate) fn with_notice<'a>(
    values: Values<'a>,
    notice: impl IntoIterator<Item = ValueRef<'a>>,
) -> Result<ValueSet, Refusal> {
    if values.iter().any(|value| value.index == RECALL_INDEX && !is_notice(&value)) {
        return Err(Refusal::IndexConflict { index: RECALL_INDEX });
    }
    let others = values.iter().filter(|value| value.index != RECALL_INDEX);
    Ok(ValueSet::new(others.chain(notice))?)
}

/// Values with the notice of a reason among them, as of `now` in seconds since 1970; one that is there keeps its time.
///
/// # Errors
/// As [`with_notice`].
pub(crate) fn recalled(values: Values<'_>, reason: &str, now: u32) -> Result<ValueSet, Refusal> {
    let since = recall_in(values).map_or(now, |known| known.since_seconds);
    let notice = ValueSet::from_bufs(&[notice(reason, since)])?;
    with_notice(values, notice.values())
}

/// Values without the notice.
pub(crate) fn without_notice(values: Values<'_>) -> ValueSet {
    let mut set = ValueSet::default();
    values.iter().filter(|value| !is_notice(value)).for_each(|value| set.push(value.wire));
    set
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::value;

    fn set(values: &[ValueBuf]) -> ValueSet {
        ValueSet::from_bufs(values).unwrap()
    }

    #[test]
    fn a_notice_has_golden_bytes_and_reads_back() {
        let made = set(&[value(1, "URL", b"a"), notice("召回", 0x6553_f100), value(2000, "n", b"x")]);
        let wire = notice_in(made.values()).unwrap().wire;
        let golden = "000003ea6553f100000000003c0a0000000e5741594d41524b5f524543414c4c00000006e58face59b9e00000000";
        assert_eq!(hex::encode(wire), golden);
        assert_eq!(recall_in(made.values()), Some(Recall { since_seconds: 0x6553_f100, reason: "召回" }));
        assert_eq!(recall_in(without_notice(made.values()).values()), None);
        assert_eq!(without_notice(made.values()).count(), 2);
        assert_eq!(check_notices(made.values()), Ok(()));
        assert_eq!(recall_in(set(&[value(2000, "n", b"x")]).values()), None);
    }

    #[test]
    fn what_has_its_type_and_is_none_is_refused() {
        let good = notice("r", 1);
        let wrong = [
            ValueBuf { index: 7, ..good.clone() },
            ValueBuf { ttl: Ttl::Relative(86_400), ..good.clone() },
            ValueBuf { permissions: Permissions(0x0e), ..good.clone() },
            ValueBuf { data: vec![0xff], ..good.clone() },
            ValueBuf { data: b"a\nb".to_vec(), ..good.clone() },
            ValueBuf { data: vec![b'x'; REASON_BYTES + 1], ..good.clone() },
        ];
        for wrong in wrong {
            let refusal = Refusal::InvalidValue(InvalidValue::Notice { index: wrong.index });
            assert_eq!(check_notices(set(std::slice::from_ref(&wrong)).values()), Err(refusal), "{wrong:?}");
        }
        assert_eq!(check_notices(set(&[good, value(1, "URL", b"a")]).values()), Ok(()));
    }

    #[test]
    fn what_is_looked_for_by_its_bytes_has_its_line_where_it_is_looked_for() {
        for (kind, line_at) in [(RECALL_TYPE, 7), (crate::link::LINK_TYPE, crate::link::LINE_AT)] {
            assert_eq!(kind.find('_'), Some(line_at));
            for (data, kind, found) in [("a_b", kind, true), ("_", "URL", false), ("", &kind[1..], false)] {
                let set = set(&[value(1, kind, data.as_bytes())]);
                assert_eq!(may_hold(set.wire(), RECALL_TYPE.as_bytes(), 7), found && kind == RECALL_TYPE, "{kind}");
            }
            let lower = set(&[value(1, &kind.to_lowercase(), b"")]);
            assert!(may_hold(lower.wire(), kind.as_bytes(), line_at), "in any case");
        }
        assert!(!may_hold(b"", b"A_B", 1) && !may_hold(b"_B", b"A_B", 1) && !may_hold(b"A_", b"A_B", 1));
    }

    #[test]
    fn a_notice_takes_the_place_of_one_and_of_nothing_else() {
        let other = set(&[value(RECALL_INDEX, "URL", b"a")]);
        let one = set(&[notice("r", 1)]);
        let new = one.values().iter().next().unwrap();
        assert_eq!(with_notice(other.values(), [new]), Err(Refusal::IndexConflict { index: RECALL_INDEX }));
        let again = set(&[value(1, "URL", b"a"), notice("former", 1)]);
        let set = with_notice(again.values(), [new]).unwrap();
        assert_eq!(recall_in(set.values()), Some(Recall { since_seconds: 1, reason: "r" }));
        assert!(set.wire().len() <= 60 + NOTICE_BYTES);
    }
}
