//! JSON objects read strictly: every field known, none twice, and an error names the field.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::cause::{Cause, FieldError, FieldResult};

/// The fields of an object in the order they stand, their values unread.
pub(crate) struct Object<'a> {
    fields: Vec<(Name<'a>, Option<&'a RawValue>)>,
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Object<'a> {
    /// Reads an object.
    pub(crate) fn parse(json: &'a str) -> FieldResult<Self> {
        serde_json::from_str(json).map_err(|error| FieldError::new("", json_cause(&error, "an object")))
    }

    /// Takes a field out; `None` when it is not there.
    pub(crate) fn take(&mut self, name: &str) -> FieldResult<Option<&'a RawValue>> {
        let mut found = None;
        for (_, value) in self.fields.iter_mut().filter(|(field, _)| field.0 == name) {
            if found.is_some() && value.is_some() {
                return Err(FieldError::new(name, Cause::Twice));
            }
            found = found.or_else(|| value.take());
        }
        Ok(found)
    }

    /// Takes a field out that has to be there.
    pub(crate) fn need(&mut self, name: &str) -> FieldResult<&'a RawValue> {
        self.take(name)?.ok_or_else(|| FieldError::new(name, Cause::Missing))
    }

    /// Reads a field that has to be there, errors naming it.
    pub(crate) fn read<T>(&mut self, name: &str, read: impl FnOnce(&'a RawValue) -> FieldResult<T>) -> FieldResult<T> {
        read(self.need(name)?).map_err(|error| error.within(name))
    }

    /// Reads a field that may be missing, errors naming it.
    pub(crate) fn read_or<T>(
        &mut self,
        name: &str,
        default: T,
        read: impl FnOnce(&'a RawValue) -> FieldResult<T>,
    ) -> FieldResult<T> {
        match self.take(name)? {
            Some(value) => read(value).map_err(|error| error.within(name)),
            None => Ok(default),
        }
    }

    /// Takes out the fields of these names, whatever they hold; tells whether there was one.
    pub(crate) fn drop_described(&mut self, names: &[&str]) -> bool {
        let before = self.fields.len();
        self.fields.retain(|(field, _)| !names.contains(&field.0.as_ref()));
        self.fields.len() != before
    }

    /// Refuses whatever was not taken.
    pub(crate) fn finish(self) -> FieldResult<()> {
        match self.fields.into_iter().find(|(_, value)| value.is_some()) {
            Some((name, _)) => Err(FieldError::new(&name.0, Cause::UnknownField)),
            None => Ok(()),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    fields.push((name, Some(value)));
                }
                Ok(Object { fields })
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// Reads text.
pub(crate) fn text(raw: &RawValue) -> FieldResult<Cow<'_, str>> {
    read::<Text<'_>>(raw, "text").map(|text| text.0)
}

/// Reads `true` or `false`.
pub(crate) fn flag(raw: &RawValue) -> FieldResult<bool> {
    read(raw, "true or false")
}

/// Reads a list.
pub(crate) fn list(raw: &RawValue) -> FieldResult<Vec<&RawValue>> {
    read(raw, "a list")
}

/// Reads an object.
pub(crate) fn object(raw: &RawValue) -> FieldResult<Object<'_>> {
    Object::parse(raw.get())
}

/// Reads a whole number within a range.
pub(crate) fn number<T: TryFrom<i64>>(raw: &RawValue, min: i64, max: i64) -> FieldResult<T> {
    let out_of_range = || FieldError::new("", Cause::OutOfRange { min, max });
    let number: serde_json::Number = read(raw, "a number")?;
    let number = match (number.as_i64(), number.as_u64()) {
        (Some(number), _) => number,
        (None, Some(_)) => return Err(out_of_range()),
        (None, None) => return Err(FieldError::new("", Cause::WrongKind { expected: "a whole number" })),
    };
    if number < min || number > max {
        return Err(out_of_range());
    }
    T::try_from(number).map_err(|_| out_of_range())
}

fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue, expected: &'static str) -> FieldResult<T> {
    serde_json::from_str(raw.get()).map_err(|error| FieldError::new("", json_cause(&error, expected)))
}

/// What a JSON error means: wrong kind of value, or no JSON at all.
fn json_cause(error: &serde_json::Error, expected: &'static str) -> Cause {
    match error.classify() {
        serde_json::error::Category::Data => Cause::WrongKind { expected },
        _ => Cause::NotJson { column: error.column() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(json: &str, field: &str) -> (String, String) {
        let mut object = Object::parse(json).unwrap();
        let outcome = object.read(field, |raw| number::<u32>(raw, 1, 9)).and_then(|_| object.finish());
        let error = outcome.unwrap_err();
        (error.field, error.cause.to_string())
    }

    #[test]
    fn names_the_field_and_what_is_wrong_with_it() {
        let cases = [
            (r#"{"b":1}"#, "a", "missing"),
            (r#"{"a":1,"a":2}"#, "a", "stands twice"),
            (r#"{"a":"1"}"#, "a", "not a number"),
            (r#"{"a":1.5}"#, "a", "not a whole number"),
            (r#"{"a":10}"#, "a", "not between 1 and 9"),
            (r#"{"a":99999999999999999999}"#, "a", "not a whole number"),
            (r#"{"a":18446744073709551615}"#, "a", "not between 1 and 9"),
            (r#"{"a":1,"z":2}"#, "z", "unknown field"),
        ];
        for (json, field, cause) in cases {
            assert_eq!(error(json, "a"), (field.into(), cause.into()), "{json}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_column() {
        let cause = |json| Object::parse(json).map(drop).unwrap_err().cause.to_string();
        assert_eq!(cause("[]"), "not an object");
        assert_eq!(cause("{\"a\":}"), "not JSON at column 6");
        assert_eq!(cause("{} x"), "not JSON at column 4");
    }

    #[test]
    fn names_with_escapes_are_the_same_names() {
        let mut object = Object::parse(r#"{"\u0061":5}"#).unwrap();
        assert_eq!(object.read("a", |raw| number::<u32>(raw, 1, 9)).ok(), Some(5));
    }
}
