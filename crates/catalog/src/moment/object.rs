//! One object: its body, what is sealed in it, what it must be.

use waymark_store::Serial;

use super::kind::{Kind, ObjectName};
use crate::access::Principal;
use crate::business::{Application, Enterprise, FileFormat, OperatorRecord, PrefixCase, StoredFile};
use crate::range::Range;
use crate::reserved::{HOME_BODY, ReservedKey};
use crate::template::Template;
use crate::vault::Sealed;

/// An object as it was at a moment. What is said of people is apart from its body, and sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    name: ObjectName,
    /// JSON as it stands in the log, with nothing where something is sealed; empty for what has no body but its name. Of a file, the name of its format.
    text: String,
    sealed: Option<Sealed>,
}

/// Why something is no object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {name} is in no form this program knows", kind = .kind.as_str())]
pub struct ObjectError {
    /// What it should be.
    pub kind: Kind,
    /// What it is called.
    pub name: String,
}

impl Object {
    /// The object of an entry of the log.
    ///
    /// # Errors
    /// The entry is in no form this program knows.
    pub(super) fn of_entry(name: ObjectName, body: &[u8]) -> Result<Self, ObjectError> {
        let object = Self::read(&name, body);
        object.map(|(text, sealed)| Self { text, sealed, name: name.clone() }).ok_or_else(|| wrong(&name))
    }

    fn read(name: &ObjectName, body: &[u8]) -> Option<(String, Option<Sealed>)> {
        let text = |body: Vec<u8>| String::from_utf8(body).ok();
        match name.key() {
            ReservedKey::Home(_) => (body == HOME_BODY).then(|| (String::new(), None)),
            ReservedKey::Enterprise(id) => {
                let mut enterprise = Enterprise::from_body(*id, body, Serial::NONE).ok()?;
                let sealed = enterprise.personal.take();
                Some((text(enterprise.to_body())?, sealed))
            }
            ReservedKey::Operator => {
                let mut record = OperatorRecord::from_body(body, Serial::NONE).ok()?;
                let sealed = record.personal.take();
                Some((text(record.to_body())?, sealed))
            }
            ReservedKey::File(..) => {
                let file = StoredFile::from_body(body)?;
                Some((file.format.as_str().to_owned(), Some(file.sealed)))
            }
            _ => {
                let text = text(body.to_vec())?;
                is_sound(name.key(), text.as_bytes()).then_some((text, None))
            }
        }
    }

    /// An object from what is told of it: what [`text`](Self::text) gave, and what [`sealed`](Self::sealed) gave, sealed again.
    ///
    /// # Errors
    /// It is in no form this program knows.
    pub fn new(name: ObjectName, text: String, sealed: Option<Sealed>) -> Result<Self, ObjectError> {
        let object = Self { name, text, sealed };
        let is_whole = match object.name.kind() {
            Kind::File => object.sealed.is_some(),
            Kind::Enterprise | Kind::Operator => true,
            _ => object.sealed.is_none(),
        };
        match object.to_body() {
            Some(body) if is_whole && Self::read(&object.name, &body).is_some() => Ok(object),
            _ => Err(wrong(&object.name)),
        }
    }

    /// Which object it is.
    #[must_use]
    pub const fn name(&self) -> &ObjectName {
        &self.name
    }

    /// JSON as it stands in the log, with nothing where something is sealed; empty for what has no body but its name. Of a file, the name of its format.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is sealed of it: what an enterprise or the node says of people, the bytes of a file.
    #[must_use]
    pub const fn sealed(&self) -> Option<&Sealed> {
        self.sealed.as_ref()
    }

    /// The same, with what is sealed sealed otherwise or left out.
    #[must_use]
    pub fn with_sealed(self, sealed: Option<Sealed>) -> Self {
        Self { sealed, ..self }
    }

    /// What it weighs in queue and group limits, in bytes.
    pub(crate) fn weight_bytes(&self) -> usize {
        // What is sealed stands in hexadecimal digits.
        self.text.len() + self.sealed.as_ref().map_or(0, |sealed| 2 * sealed.bytes.len()) + FRAME_BYTES
    }

    /// The body of its entry; `None` when it cannot be one.
    pub(crate) fn to_body(&self) -> Option<Vec<u8>> {
        let text = self.text.as_bytes();
        match self.name.key() {
            ReservedKey::Home(_) => text.is_empty().then(|| HOME_BODY.to_vec()),
            ReservedKey::Enterprise(id) => {
                let enterprise = Enterprise::from_body(*id, text, Serial::NONE).ok()?;
                Some(Enterprise { personal: self.sealed.clone(), ..enterprise }.to_body())
            }
            ReservedKey::Operator => {
                let record = OperatorRecord::from_body(text, Serial::NONE).ok()?;
                Some(OperatorRecord { personal: self.sealed.clone(), ..record }.to_body())
            }
            ReservedKey::File(..) => {
                let format = FileFormat::from_name(&self.text)?;
                Some(StoredFile { format, sealed: self.sealed.clone()? }.to_body())
            }
            _ => Some(text.to_vec()),
        }
    }
}

/// What an entry takes beside its text, generously.
const FRAME_BYTES: usize = 1_024;

/// Whether a body is one of its kind. Pieces are read when their range is known.
fn is_sound(key: &ReservedKey, body: &[u8]) -> bool {
    match key {
        ReservedKey::Principal(name) => Principal::from_body(name, body).is_ok(),
        ReservedKey::Case(prefix) => PrefixCase::from_body(prefix, body, Serial::NONE).is_ok(),
        ReservedKey::Application(id) => Application::from_body(*id, body, Serial::NONE).is_ok(),
        ReservedKey::Template(number, name) => Template::from_body(name.clone(), *number, body, Serial::NONE).is_ok(),
        ReservedKey::Range(name) => Range::from_body(name.clone(), body, Serial::NONE).is_ok(),
        ReservedKey::Piece(..) => serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|body| body.is_object()),
        _ => false,
    }
}

fn wrong(name: &ObjectName) -> ObjectError {
    ObjectError { kind: name.kind(), name: name.to_string() }
}
