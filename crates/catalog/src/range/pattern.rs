//! Values with places for the serial, and how they become the values of one code.
//!
//! Where the data of a value holds `{serial}`, `{code}` or `{handle}`, the serial as it is printed, everything behind the slash, or the whole name
//! stand there in the answer. Other braces are text. What does not depend on the code is laid out once, so that an answer is a few copies.

use waymark_wire::{EncodeValue, Permissions, Sink, ValueRef};

use crate::values::ValueSet;

/// The values of a range or of a part of it.
#[derive(Clone, Debug, Default)]
pub struct Pattern {
    values: Box<[PatternValue]>,
    all_public: bool,
}

/// One value.
#[derive(Clone, Debug)]
pub(super) struct PatternValue {
    index: u32,
    kind: Box<[u8]>,
    permissions: Permissions,
    /// The wire bytes before the length of the data.
    before: Box<[u8]>,
    data: Box<[Part]>,
    /// The wire bytes behind the data.
    behind: Box<[u8]>,
}

/// A part of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Box<[u8]>),
    Serial,
    Code,
    Handle,
}

/// The name whose values are asked for, and where in it the serial stands.
#[derive(Clone, Copy, Debug)]
pub struct Code<'a> {
    /// In any case.
    name: &'a [u8],
    suffix_at: usize,
    serial_at: usize,
    serial_bytes: usize,
}

/// A value of one code.
#[derive(Clone, Copy, Debug)]
pub struct Filled<'a> {
    value: &'a PatternValue,
    code: Code<'a>,
}

impl Pattern {
    /// Lays out values.
    #[must_use]
    pub fn of(values: &ValueSet) -> Self {
        let all_public = values.values().iter().all(|value| value.permissions.is_public_read());
        Self { values: values.values().iter().map(|value| PatternValue::of(&value)).collect(), all_public }
    }

    /// Number of values.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.values.len()
    }

    /// Whether everybody may read every value.
    #[must_use]
    pub const fn all_public(&self) -> bool {
        self.all_public
    }

    /// The values of a code, in ascending order of index.
    pub fn filled<'a>(&'a self, code: Code<'a>) -> impl Iterator<Item = Filled<'a>> + Clone {
        self.values.iter().map(move |value| Filled { value, code })
    }

    /// The values of a code as a set.
    pub(crate) fn values_of(&self, code: Code<'_>) -> ValueSet {
        let mut set = ValueSet::default();
        let mut wire = Vec::new();
        for filled in self.filled(code) {
            wire.clear();
            filled.put_value(&mut wire);
            set.push(&wire);
        }
        set
    }
}

impl<'a> Code<'a> {
    /// A name whose suffix begins at one place and whose serial stands at another.
    pub(crate) const fn new(name: &'a [u8], suffix_at: usize, serial_at: usize, serial_bytes: usize) -> Self {
        Self { name, suffix_at, serial_at, serial_bytes }
    }

    /// The whole name, as it was given.
    #[must_use]
    pub const fn name(&self) -> &'a [u8] {
        self.name
    }

    /// What stands behind the slash.
    #[must_use]
    pub fn suffix(&self) -> &'a [u8] {
        self.name.get(self.suffix_at..).unwrap_or_default()
    }

    /// The serial as it is printed.
    #[must_use]
    pub fn serial(&self) -> &'a [u8] {
        self.name.get(self.serial_at..self.serial_at.saturating_add(self.serial_bytes)).unwrap_or_default()
    }

    fn part(&self, part: &Part) -> &'a [u8] {
        match part {
            Part::Text(_) => &[],
            Part::Serial => self.serial(),
            Part::Code => self.suffix(),
            Part::Handle => self.name,
        }
    }
}

impl<'a> Filled<'a> {
    /// The index of the value.
    #[must_use]
    pub const fn index(&self) -> u32 {
        self.value.index
    }

    /// Its type.
    #[must_use]
    pub const fn kind(&self) -> &'a [u8] {
        &self.value.kind
    }

    /// Who may read it.
    #[must_use]
    pub const fn permissions(&self) -> Permissions {
        self.value.permissions
    }
}

impl EncodeValue for Filled<'_> {
    fn put_value(&self, out: &mut (impl Sink + ?Sized)) {
        out.put(&self.value.before);
        let length_at = out.position();
        out.put_u32(0);
        let data_at = out.position();
        for part in &self.value.data {
            match part {
                Part::Text(text) => out.put(text),
                // Names are printed in capitals, however they were asked.
                place => self.code.part(place).iter().for_each(|byte| out.put_u8(byte.to_ascii_uppercase())),
            }
        }
        // Cannot exceed a message, which cannot exceed 32 bits.
        out.patch_u32(length_at, u32::try_from(out.position() - data_at).unwrap_or(u32::MAX));
        out.put(&self.value.behind);
    }
}

impl PatternValue {
    fn of(value: &ValueRef<'_>) -> Self {
        // Index, timestamp, kind and length of time to live, permissions, the type with its length.
        let length_at = 4 + 4 + 1 + 4 + 1 + 4 + value.kind.len();
        let data_end = length_at + 4 + value.data.len();
        Self {
            index: value.index,
            kind: value.kind.into(),
            permissions: value.permissions,
            before: value.wire.get(..length_at).unwrap_or_default().into(),
            data: parts(value.data),
            behind: value.wire.get(data_end..).unwrap_or_default().into(),
        }
    }
}

/// The places in a value's data.
const PLACES: [(&[u8], Part); 3] = [(b"{serial}", Part::Serial), (b"{code}", Part::Code), (b"{handle}", Part::Handle)];

/// How many places the data of values holds, for what the values of a code can come to.
pub(crate) fn places_in(values: &ValueSet) -> usize {
    let places = |value: ValueRef<'_>| parts(value.data).iter().filter(|part| !matches!(part, Part::Text(_))).count();
    values.values().iter().map(places).sum()
}

fn parts(data: &[u8]) -> Box<[Part]> {
    let mut parts = Vec::new();
    let mut text_from = 0;
    let mut at = 0;
    while let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty()) {
        let Some((mark, part)) = PLACES.into_iter().find(|(mark, _)| rest.starts_with(mark)) else {
            at += 1;
            continue;
        };
        push_text(&mut parts, data.get(text_from..at));
        parts.push(part);
        at += mark.len();
        text_from = at;
    }
    push_text(&mut parts, data.get(text_from..));
    parts.into()
}

fn push_text(parts: &mut Vec<Part>, text: Option<&[u8]>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        parts.push(Part::Text(text.into()));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use waymark_wire::ValueBuf;

    use super::*;

    fn filled(data: &[u8], name: &[u8]) -> Vec<u8> {
        let set = ValueSet::from_bufs(&[ValueBuf::new(7, b"URL", data)]).unwrap();
        let code = Code::new(name, 5, 6, 4);
        let values = Pattern::of(&set).values_of(code);
        values.values().iter().next().unwrap().data.to_vec()
    }

    #[test]
    fn places_are_filled_in_capitals_and_other_braces_are_text() {
        let name = b"88.1/a0042zk";
        assert_eq!(filled(b"https://x/{code}?n={serial}", name), b"https://x/A0042ZK?n=0042");
        assert_eq!(filled(b"{handle}", name), b"88.1/A0042ZK");
        assert_eq!(filled(b"{{serial}{other}{serial", name), b"{0042{other}{serial");
        assert_eq!(filled(b"", name), b"");
    }

    proptest! {
        #[test]
        fn values_without_places_come_out_as_they_went_in(
            values in prop::collection::btree_map(1_u32..5000, ("[A-Z.]{1,9}", "[a-z{}\u{4e2d}]{0,20}", any::<u8>()), 0..6),
        ) {
            let bufs: Vec<ValueBuf> = values
                .iter()
                .map(|(index, (kind, data, bits))| ValueBuf {
                    permissions: Permissions(*bits),
                    ..ValueBuf::new(*index, kind.as_bytes(), data.as_bytes())
                })
                .collect();
            prop_assume!(!values.values().any(|(_, data, _)| ["{serial}", "{code}", "{handle}"].iter().any(|p| data.contains(p))));
            let set = ValueSet::from_bufs(&bufs).unwrap();
            let pattern = Pattern::of(&set);
            let code = Code::new(b"88.1/A0042", 5, 6, 4);
            prop_assert_eq!(pattern.values_of(code), set.clone());
            prop_assert_eq!(pattern.all_public(), bufs.iter().all(|value| value.permissions.is_public_read()));
            prop_assert_eq!(pattern.count(), bufs.len());
        }
    }
}
