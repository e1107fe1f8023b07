//! Walks through a row, field by field, and notes what is wrong and where.
//!
//! A field that is missing is complained of once, where its object is opened; whoever asks for it then gets a [`Field`] without a value, and every
//! check of such a field passes in silence.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::complaints::Complaints;
use super::json::Json;

/// Where a value stands: a field of an object, or an item of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Segment {
    /// Field.
    Name(&'static str),
    /// Item, from 0.
    Item(usize),
}

/// A value and where it stands; without one where it is missing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'j> {
    segment: Segment,
    pub(crate) value: Option<&'j Json<'j>>,
}

/// The fields of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'j>(&'j [(Cow<'j, str>, Json<'j>)]);

impl<'j> Fields<'j> {
    /// A field; the first of its name.
    pub(crate) fn at(&self, name: &'static str) -> Field<'j> {
        let found = self.0.iter().find(|(known, _)| known == name);
        Field { segment: Segment::Name(name), value: found.map(|(_, value)| value) }
    }
}

/// Row and place that are looked at, and what was found wrong so far.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    row: u64,
    path: Vec<Segment>,
    pub(crate) complaints: Complaints,
}

impl Checker {
    /// Goes on with this row, from 1.
    pub(crate) fn begin_row(&mut self, row: u64) {
        self.row = row;
        self.path.clear();
    }

    /// Complains of a field.
    pub(crate) fn complain(&mut self, field: Field<'_>, problem: impl Into<String>) {
        let path = self.rendered(Some(field.segment));
        self.complaints.add(self.row, path, problem.into());
    }

    /// Complains of the object that is looked at; of the row, at the top.
    pub(crate) fn complain_here(&mut self, problem: impl Into<String>) {
        let path = self.rendered(None);
        self.complaints.add(self.row, path, problem.into());
    }

    /// Opens a row or another object: every name is there once, and no other.
    pub(crate) fn object<'j>(&mut self, json: &'j Json<'j>, names: &[&'static str]) -> Option<Fields<'j>> {
        let Json::Object(entries) = json else {
            self.complain_here("is no object");
            return None;
        };
        let mut seen = vec![false; names.len()];
        for (at, (name, value)) in entries.iter().enumerate() {
            match names
                .iter()
                .position(|known| known == name)
                .and_then(|place| seen.get_mut(place).zip(names.get(place)))
            {
                // Not by name: it may be anything, a person's too.
                None => self.complain_here(format!("has a field that does not belong here, as its number {}", at + 1)),
                Some((seen, name)) if *seen => {
                    self.complain(Field { segment: Segment::Name(name), value: Some(value) }, "is there twice");
                }
                Some((seen, _)) => *seen = true,
            }
            if self.complaints.is_full() {
                return None;
            }
        }
        for (name, _) in names.iter().zip(seen).filter(|(_, seen)| !seen) {
            self.complain(Field { segment: Segment::Name(name), value: None }, "is missing");
        }
        Some(Fields(entries))
    }

    /// Looks into a field that is an object.
    pub(crate) fn within<'j>(
        &mut self,
        field: Field<'j>,
        names: &[&'static str],
        check: impl FnOnce(&mut Self, Fields<'j>),
    ) {
        let Some(json) = field.value else { return };
        self.path.push(field.segment);
        if let Some(fields) = self.object(json, names) {
            check(self, fields);
        }
        self.path.pop();
    }

    /// Looks at each item of a field that is a list of at most so many; how many there are.
    pub(crate) fn list<'j>(
        &mut self,
        field: Field<'j>,
        most: usize,
        mut check: impl FnMut(&mut Self, Field<'j>),
    ) -> Option<usize> {
        let Json::List(items) = field.value? else {
            self.complain(field, "is no list");
            return None;
        };
        if items.len() > most {
            self.complain(field, format!("has more than {most} items"));
            return None;
        }
        self.path.push(field.segment);
        for (at, item) in items.iter().enumerate() {
            if self.complaints.is_full() {
                break;
            }
            check(self, Field { segment: Segment::Item(at), value: Some(item) });
        }
        self.path.pop();
        Some(items.len())
    }

    /// The field, unless it is `null`.
    pub(crate) fn unless_null<'j>(field: Field<'j>) -> Option<Field<'j>> {
        field.value.filter(|value| **value != Json::Null).map(|_| field)
    }

    /// The path to a field as `profile.people[2].name`.
    fn rendered(&self, last: Option<Segment>) -> String {
        let mut text = String::new();
        for segment in self.path.iter().copied().chain(last) {
            // Writing to a text cannot fail.
            let _written = match segment {
                Segment::Name(name) if text.is_empty() => write!(text, "{name}"),
                Segment::Name(name) => write!(text, ".{name}"),
                Segment::Item(at) => write!(text, "[{at}]"),
            };
        }
        text
    }
}
