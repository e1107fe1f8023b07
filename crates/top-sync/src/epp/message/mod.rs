//! Commands and answers, as values and as XML.
//!
//! | file | holds |
//! |---|---|
//! | `xml` | reading XML into a bounded tree |
//! | `name` | identifiers of transactions, enterprises, messages; codes of results |
//! | `enterprise` | the fields of an enterprise as they are sent |
//! | `command` | commands, and writing them |
//! | `answer` | answers, and reading them |
//!
//! Field names are those of the drafts. Where the drafts' nesting is not known the one of RFC 5730 is used: `check` holds `ent:check`, an answer to
//! it holds `ent:chkData` with an attribute `avail`, and so on. When reading, names of fields count and what surrounds them does not.

mod answer;
mod command;
mod enterprise;
mod name;
pub mod xml;

pub use answer::{Answer, AnswerError, Data, Message, Queue, Verdict};
pub use command::{Command, WriteError};
pub use enterprise::{
    Amendment, Contact, DocumentType, EnterpriseFields, Image, ImageType, LegalPerson, PersonDocument,
};
pub use name::{Code, EntId, MessageId, NameError, TransactionId};

/// Namespace of EPP itself.
pub const EPP: &str = "urn:ietf:params:xml:ns:epp-1.0";

/// Namespace of enterprises.
pub const ENT: &str = "urn:ietf:params:xml:ns:idis-ent-1.0";

/// Namespace of prefixes of enterprises.
pub const PREFIX: &str = "urn:ietf:params:xml:ns:idis-entprefix-1.0";

/// The last parts of the namespaces of objects. One example of the drafts names prefixes `prefix-1.0`; that is read too, and never written.
pub const OBJECTS: [&str; 3] = ["idis-ent-1.0", "idis-entprefix-1.0", "prefix-1.0"];

/// Whether a namespace is one of an object.
#[must_use]
pub fn is_object(space: &str) -> bool {
    space.rsplit([':', '/']).next().is_some_and(|last| OBJECTS.contains(&last))
}
