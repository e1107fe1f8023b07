//! What a row is about: of two rows of one key the newer one holds.

use super::Set;
use super::json::Json;

/// Key of a row within its set: the texts that name what it is about, with a zero byte between them. Texts of rows have none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// The key of a row; `None` where it has none, which is complained of as a field.
    pub(crate) fn of(set: Set, row: &Json<'_>) -> Option<Self> {
        let names: &[&str] = match set {
            Set::T1 => return Self::of_record(row),
            Set::T2 | Set::T7 => &["prefix"],
            Set::T3 | Set::T8 | Set::Monitoring => &["prefix", "day"],
            Set::T4 | Set::T11 => &["template"],
            Set::T5 | Set::T10 => &["prefix", "month", "name"],
            Set::T6 => &["enterprise"],
            Set::T9 => &["code"],
            Set::Incident => &["event"],
            Set::Report => &["prefix", "month"],
        };
        let mut key = String::new();
        for (at, name) in names.iter().enumerate() {
            if at > 0 {
                key.push('\0');
            }
            key.push_str(row.field(name)?.as_text()?);
        }
        Some(Self(key))
    }

    /// The record has the empty key, a file what it shows.
    fn of_record(row: &Json<'_>) -> Option<Self> {
        match row.field("file") {
            Some(file) => file.as_text().filter(|file| !file.is_empty()).map(|file| Self(file.to_owned())),
            None => Some(Self(String::new())),
        }
    }

    /// Its bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether it is that of a record, not of one of its files.
    pub(crate) fn is_record(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether a row says that what it is about is not there any more.
pub(crate) fn is_gone(set: Set, row: &Json<'_>) -> bool {
    set == Set::T9 && row.field("operation") == Some(&Json::Whole(2))
}
