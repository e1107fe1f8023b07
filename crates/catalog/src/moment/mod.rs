//! What this node held of a prefix at one moment, and the way back: what a deposit is made from, and what it is restored by.
//!
//! A [`Moment`] is a serial. Whatever is written while it is walked, it shows each key as its latest entry up to that serial left it: where a later
//! entry is in the way, the back-pointers of the log lead to the one before. So a walk needs no lock, holds no copy, and its memory does not grow with
//! what it visits.
//!
//! Beside records there are [`Object`]s: prefixes that live here, principals, enterprises with their cases, files and applications, the node's own
//! record, templates, code packages. Each has a [`Kind`], a name that people can read, and a body in JSON as it stands in the log. Tokens are no
//! part of it, being secrets of those who hold them; nor is the audit, whose chain belongs to one store.
//!
//! What is *of a prefix*: its own identifiers and those of every prefix derived from it, with their prefix records. Enterprises are of it when they have
//! a case within it, or none anywhere; the node's own record, files and applications are of every prefix.
//!
//! | file | holds |
//! |---|---|
//! | `kind` | the kinds of objects, and their names as text |
//! | `object` | one object: its body, what is sealed in it, what it must be |
//! | `scope` | which objects are of a prefix |
//! | `walk` | the walk |
//! | `restore` | the command that puts an object back as it was |

mod kind;
mod object;
pub(crate) mod restore;
mod scope;
mod walk;

pub use kind::{Kind, ObjectName, ObjectNameError};
pub use object::{Object, ObjectError};
pub use restore::{Homes, Restore};
pub use walk::{Gone, Item, ItemVisitor, Moment, MomentError};
