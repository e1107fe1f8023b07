//! Records without what their template says: form 2 of a record, which stands in the log and nowhere else.
//!
//! ```text
//!  0      1
//! +------+------+--------------------+---------+----------+-----------+---------+-------------------+--------+
//! | form | flags| handle             | status, | template | timestamp | bitmap  | values, by        | others |
//! | = 2  |      |                    | where   | number   | (u32),    | of the  | ascending index   |        |
//! |      |      |                    | flagged |          | one for   | columns |                   |        |
//! +------+------+--------------------+---------+----------+-----------+---------+-------------------+--------+
//!
//! handle    bytes, handle; or, flagged, the bits of the letters of the key that stand in lower case, one bit a letter, the lowest first
//! values    administrator and template where they are there, without data: only their timestamps, where flagged. Then the columns of the bitmap:
//!           timestamp (u32, where flagged), bytes of the data, data
//! others    count, then values in wire form by ascending index: what the template does not say
//! ```
//! Numbers are big-endian where their size is given and LEB128 elsewhere; the bitmap has a bit for each column of the template, the lowest first.
//!
//! | flag | meaning |
//! |---|---|
//! | 0x08 | the record is out of resolution, as in form 1 |
//! | 0x10 | it has the administrator of the template |
//! | 0x20 | its values have timestamps of their own; the one for all is not there |
//! | 0x40 | the handle is told by the key |
//! | 0x80 | it names its template by the handle of that |
//!
//! A record is written so only when widening it gives the same bytes again. Since a template never changes what a column is, once it is published,
//! widening gives these bytes for good.

use waymark_wire::{ValueBuf, ValueRef, Values};

use super::definition::Definition;
use super::{TEMPLATE_INDEX, Template, TemplateName, Templates, administrator_value, fields, template_value};
use crate::prefixes::prefix_of_key;
use crate::record::{Stored, encode};
use crate::status::Withdrawal;
use crate::values::ValueSet;
use crate::varint;

/// Version of the form.
pub(crate) const NARROW_VERSION: u8 = 2;

const WITHDRAWN: u8 = 0x08;
const ADMINISTRATOR: u8 = 0x10;
const OWN_TIMES: u8 = 0x20;
const HANDLE_BY_KEY: u8 = 0x40;
const NAMED_BY_HANDLE: u8 = 0x80;
const KNOWN_FLAGS: u8 = WITHDRAWN | ADMINISTRATOR | OWN_TIMES | HANDLE_BY_KEY | NAMED_BY_HANDLE;

/// Where the timestamp stands in the wire form of a value, and what is behind it.
const TIMESTAMP_AT: usize = 4;
const BEHIND_TIMESTAMP: usize = 8;

/// The empty list of references at the end of a value.
const NO_REFERENCES: [u8; 4] = [0; 4];

/// What all identifiers made from a template share, in wire form.
#[derive(Debug)]
pub(crate) struct Common {
    number: u32,
    /// Index, and everything behind the timestamp, of the administrator.
    administrator: Option<(u32, Vec<u8>)>,
    /// Everything behind the timestamp of the value that names the template, to its own prefix and to others.
    named: [Vec<u8>; 2],
    prefix: Box<[u8]>,
    /// Index, and what is between timestamp and data, of each column, by ascending index.
    columns: Vec<(u32, Vec<u8>)>,
}

impl Common {
    pub(super) fn of(name: &TemplateName, number: u32, definition: &Definition) -> Self {
        let administrator = administrator_value(name, definition).map(|value| (value.index, behind_timestamp(&value)));
        let named = [true, false].map(|own| behind_timestamp(&template_value(name, own)));
        let column = |column| {
            let value: ValueBuf = fields::value(column, "");
            let mut between = behind_timestamp(&value);
            // Without the length of the data, which is nothing here, and the references.
            between.truncate(between.len().saturating_sub(8));
            (value.index, between)
        };
        let columns = definition.columns.iter().map(column).collect();
        Self { number, administrator, named, prefix: name.prefix().into(), columns }
    }

    /// The value that names the template, as identifiers under a prefix have it: its number in `named`.
    fn naming(&self, prefix: &[u8]) -> usize {
        usize::from(*self.prefix != *prefix)
    }

    fn bitmap_bytes(&self) -> usize {
        self.columns.len().div_ceil(8)
    }
}

fn behind_timestamp(value: &ValueBuf) -> Vec<u8> {
    let mut wire = Vec::new();
    value.encode_into(&mut wire);
    wire.split_off(BEHIND_TIMESTAMP.min(wire.len()))
}

/// Tells whether a body is in this form.
pub(crate) fn is_narrow(body: &[u8]) -> bool {
    body.first() == Some(&NARROW_VERSION)
}

/// The form without what the template says, of a record in form 1; `None` where there is no such template, or where that saves nothing.
pub(crate) fn narrow(key: &[u8], body: &[u8], templates: &Templates) -> Option<Vec<u8>> {
    if templates.is_empty() {
        return None;
    }
    let stored = Stored::parse(body).ok()?;
    let values = stored.values().ok()?;
    let template = template_of(key, values, templates)?;
    let narrow = write(key, &stored, values, template.common())?;
    // What does not come back to the byte stays as it is.
    (narrow.len() < body.len() && widen(key, &narrow, templates).as_deref() == Some(body)).then_some(narrow)
}

/// The template that the values of a record name, where it is one that identifiers are made from.
pub(crate) fn template_of<'t>(key: &[u8], values: Values<'_>, templates: &'t Templates) -> Option<&'t Template> {
    let named = values.iter().take_while(|value| value.index <= TEMPLATE_INDEX).last()?;
    let named = std::str::from_utf8(named.data).ok().filter(|_| named.index == TEMPLATE_INDEX)?;
    let name = TemplateName::parse_in(prefix_of_key(key), named).ok()?;
    templates.get(&name).map(|template| &**template).filter(|template| template.is_published())
}

fn write(key: &[u8], stored: &Stored<'_>, values: Values<'_>, common: &Common) -> Option<Vec<u8>> {
    let naming = common.naming(prefix_of_key(key));
    let named = common.named.get(naming)?;
    let mut flags = if naming == 0 { 0 } else { NAMED_BY_HANDLE };
    let mut bitmap = vec![0_u8; common.bitmap_bytes()];
    let mut shared: Vec<(u32, Option<&[u8]>)> = Vec::new();
    let mut others: Vec<&[u8]> = Vec::new();
    let mut has_name = false;
    for value in values {
        let behind = value.wire.get(BEHIND_TIMESTAMP..)?;
        if value.index == TEMPLATE_INDEX && behind == named {
            has_name = true;
            shared.push((value.timestamp, None));
        } else if common.administrator.as_ref().is_some_and(|(index, wire)| *index == value.index && wire == behind) {
            flags |= ADMINISTRATOR;
            shared.push((value.timestamp, None));
        } else if let Some(at) = column_at(common, &value, behind) {
            *bitmap.get_mut(at / 8)? |= 1 << (at % 8);
            shared.push((value.timestamp, Some(value.data)));
        } else {
            others.push(value.wire);
        }
    }
    let (first, _) = *shared.first().filter(|_| has_name)?;
    let own_times = shared.iter().any(|(timestamp, _)| *timestamp != first);
    flags |= if own_times { OWN_TIMES } else { 0 };
    let case = case_bits(key, stored.handle());
    flags |= if case.is_some() { HANDLE_BY_KEY } else { 0 };
    flags |= if stored.is_withdrawn() { WITHDRAWN } else { 0 };
    let mut body = vec![NARROW_VERSION, flags];
    match case {
        Some(bits) => body.extend_from_slice(&bits),
        None => put_bytes(&mut body, stored.handle()),
    }
    if let Some(status) = stored.status() {
        status.write(&mut body);
    }
    varint::put(&mut body, u64::from(common.number));
    if !own_times {
        body.extend_from_slice(&first.to_be_bytes());
    }
    body.extend_from_slice(&bitmap);
    for (timestamp, data) in shared {
        if own_times {
            body.extend_from_slice(&timestamp.to_be_bytes());
        }
        if let Some(data) = data {
            put_bytes(&mut body, data);
        }
    }
    varint::put(&mut body, u64::try_from(others.len()).ok()?);
    others.iter().for_each(|wire| body.extend_from_slice(wire));
    Some(body)
}

/// Which column a value is of, its data aside.
fn column_at(common: &Common, value: &ValueRef<'_>, behind: &[u8]) -> Option<usize> {
    let at = common.columns.binary_search_by_key(&value.index, |(index, _)| *index).ok()?;
    let (_, between) = common.columns.get(at)?;
    let plain = behind.len() == between.len() + 8 + value.data.len()
        && behind.starts_with(between)
        && behind.ends_with(&NO_REFERENCES);
    plain.then_some(at)
}

/// The record in form 1; `None` when its template is not known, or the body is no record in this form.
pub(crate) fn widen(key: &[u8], body: &[u8], templates: &Templates) -> Option<Vec<u8>> {
    let (&[form, flags], mut rest) = body.split_first_chunk::<2>()?;
    if form != NARROW_VERSION || flags & !KNOWN_FLAGS != 0 {
        return None;
    }
    let mut handle = key.to_vec();
    if flags & HANDLE_BY_KEY == 0 {
        handle = take_bytes(&mut rest)?.to_vec();
    } else {
        let bits;
        (bits, rest) = rest.split_at_checked(letters(key).div_ceil(8))?;
        to_lower(&mut handle, bits);
    }
    let status = if flags & WITHDRAWN == 0 {
        None
    } else {
        let (status, behind) = Withdrawal::read(rest)?;
        rest = behind;
        Some(status)
    };
    let number = u32::try_from(varint::take(&mut rest)?).ok()?;
    let common = templates.by_number(number)?.common();
    let one_time = if flags & OWN_TIMES == 0 { Some(take_u32(&mut rest)?) } else { None };
    let bitmap;
    (bitmap, rest) = rest.split_at_checked(common.bitmap_bytes())?;
    let mut shared: Vec<(u32, Vec<u8>)> = Vec::new();
    let administrator = common.administrator.as_ref().filter(|_| flags & ADMINISTRATOR != 0);
    let named = common.named.get(usize::from(flags & NAMED_BY_HANDLE != 0))?;
    let named = (TEMPLATE_INDEX, named.clone());
    for (index, behind) in administrator.into_iter().chain([&named]) {
        shared.push((*index, value_wire(*index, take_time(one_time, &mut rest)?, &[behind])));
    }
    for (at, (index, between)) in common.columns.iter().enumerate() {
        if bitmap.get(at / 8)? & (1 << (at % 8)) == 0 {
            continue;
        }
        let time = take_time(one_time, &mut rest)?;
        let data = take_bytes(&mut rest)?;
        let length = u32::try_from(data.len()).ok()?.to_be_bytes();
        shared.push((*index, value_wire(*index, time, &[between, &length, data, &NO_REFERENCES])));
    }
    let count = u32::try_from(varint::take(&mut rest)?).ok()?;
    let others = Values::from_wire(count, rest).ok()?;
    Some(encode(&handle, status, &merged(&shared, others)))
}

/// The values the template says and the others, by ascending index.
fn merged(shared: &[(u32, Vec<u8>)], others: Values<'_>) -> ValueSet {
    let mut values = ValueSet::default();
    let mut others = others.into_iter().peekable();
    for (index, wire) in shared {
        while let Some(other) = others.next_if(|other| other.index < *index) {
            values.push(other.wire);
        }
        values.push(wire);
    }
    others.for_each(|other| values.push(other.wire));
    values
}

fn value_wire(index: u32, timestamp: u32, behind: &[&[u8]]) -> Vec<u8> {
    let bytes = BEHIND_TIMESTAMP + behind.iter().map(|part| part.len()).sum::<usize>();
    let mut wire = Vec::with_capacity(bytes);
    wire.extend_from_slice(&index.to_be_bytes());
    debug_assert_eq!(wire.len(), TIMESTAMP_AT);
    wire.extend_from_slice(&timestamp.to_be_bytes());
    behind.iter().for_each(|part| wire.extend_from_slice(part));
    wire
}

fn take_time(one: Option<u32>, rest: &mut &[u8]) -> Option<u32> {
    one.or_else(|| take_u32(rest))
}

fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    let (number, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(u32::from_be_bytes(*number))
}

fn take_bytes<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(varint::take(rest)?).ok()?;
    let (bytes, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(bytes)
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    varint::put(out, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    out.extend_from_slice(bytes);
}

/// Letters of a name that have two cases.
fn letters(name: &[u8]) -> usize {
    name.iter().filter(|byte| byte.is_ascii_alphabetic()).count()
}

/// Which letters of `handle` are not as in `key`; `None` when more than the case of letters differs.
fn case_bits(key: &[u8], handle: &[u8]) -> Option<Vec<u8>> {
    if !key.eq_ignore_ascii_case(handle) {
        return None;
    }
    let mut bits = vec![0; letters(key).div_ceil(8)];
    let pairs = key.iter().zip(handle).filter(|(letter, _)| letter.is_ascii_alphabetic());
    for (at, (letter, written)) in pairs.enumerate() {
        if letter != written {
            *bits.get_mut(at / 8)? |= 1 << (at % 8);
        }
    }
    Some(bits)
}

/// Turns the case of the letters whose bits are set.
fn to_lower(name: &mut [u8], bits: &[u8]) {
    let letters = name.iter_mut().filter(|byte| byte.is_ascii_alphabetic());
    for (at, letter) in letters.enumerate() {
        if bits.get(at / 8).is_some_and(|byte| byte & (1 << (at % 8)) != 0) {
            // Either way, since a suffix that does not fold keeps its letters in the key.
            *letter ^= 0x20;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Stored;
    use crate::template::testing::template;
    use crate::template::{FieldValue, Template};
    use proptest::prelude::*;

    fn templates() -> Templates {
        let mut templates = Templates::default();
        templates.put(template());
        templates
    }

    fn fields(pairs: &[(u32, &str)]) -> Vec<FieldValue> {
        pairs
            .iter()
            .map(|(index, text)| FieldValue { index: *index, kind: String::new(), text: (*text).into() })
            .collect()
    }

    fn stamped(values: &ValueSet, stamp: impl Fn(u32) -> u32) -> ValueSet {
        let mut stamped = ValueSet::default();
        values.values().iter().for_each(|value| stamped.push_stamped(value.wire, stamp(value.index)));
        stamped
    }

    fn record(template: &Template, prefix: &[u8], handle: &[u8], stamp: impl Fn(u32) -> u32) -> Vec<u8> {
        let fields = fields(&[(2000, "挖掘机"), (2001, "X1"), (2004, "2028-03-10")]);
        encode(handle, None, &stamped(&template.values(prefix, &fields).unwrap(), stamp))
    }

    #[test]
    fn form_two_has_golden_bytes() {
        let body = record(&template(), b"88.1", b"88.1/Xe", |_| 0x6553_f100);
        let narrow = narrow(b"88.1/XE", &body, &templates()).unwrap();
        let expected = "02500207\
                        6553f100\
                        1300\
                        09e68c96e68e98e69cba\
                        025831\
                        0a323032382d30332d3130\
                        00";
        assert_eq!(hex::encode(&narrow), expected);
        assert_eq!(widen(b"88.1/XE", &narrow, &templates()), Some(body));
    }

    #[test]
    fn what_other_prefixes_own_times_and_other_values_add_comes_back() {
        let (template, templates) = (template(), templates());
        let foreign = record(&template, b"88.2", b"88.2/x", |_| 5);
        let narrowed = narrow(b"88.2/X", &foreign, &templates).unwrap();
        assert_eq!(
            (narrowed[1] & NAMED_BY_HANDLE, widen(b"88.2/X", &narrowed, &templates)),
            (NAMED_BY_HANDLE, Some(foreign))
        );
        let timed = record(&template, b"88.1", b"88.1/x", |index| index);
        let narrowed = narrow(b"88.1/X", &timed, &templates).unwrap();
        assert_eq!(
            (narrowed[1] & OWN_TIMES, widen(b"88.1/X", &narrowed, &templates)),
            (OWN_TIMES, Some(timed.clone()))
        );
        let stored = Stored::parse(&timed).unwrap();
        let mut values: Vec<ValueBuf> = stored.values().unwrap().iter().map(ValueBuf::from).collect();
        values.push(crate::testing::value(1, "URL", b"u"));
        values.push(crate::testing::value(2003, "inspection", &[0xff]));
        values.push(ValueBuf { ttl: waymark_wire::Ttl::Relative(1), ..crate::testing::value(2005, "batch", b"B") });
        values.push(crate::testing::value(9000, "more", b"m"));
        let status = Withdrawal { revoked: false, since_seconds: 9, reason: "r" };
        let mixed = encode(b"88.1/x", Some(status), &ValueSet::from_bufs(&values).unwrap());
        let narrowed = narrow(b"88.1/X", &mixed, &templates).unwrap();
        assert_eq!(widen(b"88.1/X", &narrowed, &templates), Some(mixed));
    }

    #[test]
    fn what_is_not_of_a_published_template_stays_in_form_one() {
        let body = record(&template(), b"88.1", b"88.1/x", |_| 5);
        assert_eq!(narrow(b"88.1/X", &body, &Templates::default()), None);
        // The same text under another prefix means another template.
        assert_eq!(narrow(b"88.2/X", &body, &templates()), None);
        let mut drafts = Templates::default();
        let mut draft = template();
        draft.state = crate::template::TemplateState::Draft;
        drafts.put(draft);
        assert_eq!(narrow(b"88.1/X", &body, &drafts), None);
        let plain = encode(b"88.1/x", None, &ValueSet::from_bufs(&[crate::testing::value(1, "URL", b"u")]).unwrap());
        assert_eq!(narrow(b"88.1/X", &plain, &templates()), None);
    }

    #[test]
    fn no_truncation_and_no_unknown_flag_or_template_widens() {
        let body = record(&template(), b"88.1", b"88.1/x", |index| index);
        let good = narrow(b"88.1/X", &body, &templates()).unwrap();
        for length in 0..good.len() {
            assert_eq!(widen(b"88.1/X", &good[..length], &templates()), None, "{length}");
        }
        let mut other = good.clone();
        other[1] |= 0x01;
        assert_eq!(widen(b"88.1/X", &other, &templates()), None);
        assert_eq!(widen(b"88.1/X", &good, &Templates::default()), None);
    }

    proptest! {
        #[test]
        fn any_record_that_is_narrowed_comes_back_to_the_byte(
            texts in proptest::collection::btree_map(2000_u32..2012, ".{0,40}", 0..12),
            permissions in 0_u8..16,
            stamps in proptest::collection::vec(0_u32..3, 16),
            handle in "88\\.1/[a-zA-Z0-9产 ]{1,20}",
        ) {
            let template = template();
            let mut values = template.common_values(b"88.1");
            for (index, text) in &texts {
                let kind = template.definition.column(*index).map_or("other", |column| &column.kind);
                let mut value = crate::testing::value(*index, kind, text.as_bytes());
                value.permissions = waymark_wire::Permissions(if index % 3 == 0 { permissions } else { 0x0e });
                values.push(value);
            }
            let values = ValueSet::from_bufs(&values).unwrap();
            let values = stamped(&values, |index| stamps[index as usize % stamps.len()]);
            let body = encode(handle.as_bytes(), None, &values);
            let key = handle.to_ascii_uppercase();
            if let Some(narrow) = narrow(key.as_bytes(), &body, &templates()) {
                prop_assert_eq!(widen(key.as_bytes(), &narrow, &templates()), Some(body));
            }
        }

        #[test]
        fn whatever_bytes_are_widened_nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = widen(b"88.1/X", &[&[NARROW_VERSION][..], &bytes].concat(), &templates());
        }
    }
}
