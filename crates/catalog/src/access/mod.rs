//! Who may do what: principals, their roles and scopes, their tokens.
//!
//! All of it is held in memory as an immutable table that doors and the writer load; changes are commands of the one write path, entries of
//! the log, and in force for every command decided after them.

pub(crate) mod change;
pub(crate) mod load;
pub(crate) mod permit;
mod rights;
mod role;
pub(crate) mod stored;
mod table;
mod token;

use std::sync::Arc;

pub use load::AccessLoadError;
pub use permit::{prefix_of, rights_of};
pub use rights::{Denied, Rights, Scope, ScopeError};
pub use role::{Role, Verb, Verbs};
pub use stored::StoredAccessError;
pub use table::Access;
pub use token::{Secret, Token, TokenId, TokenText};

/// Who disabled a principal, and so who may enable it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disabler {
    /// An enterprise administrator: whoever manages the principal enables it again.
    EnterpriseAdministrator,
    /// An operator: operators only enable it again, change it or remove it.
    Operator,
}

impl Disabler {
    /// Its name in records and messages; never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EnterpriseAdministrator => Role::EnterpriseAdministrator.as_str(),
            Self::Operator => Role::Operator.as_str(),
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::EnterpriseAdministrator, Self::Operator].into_iter().find(|disabler| disabler.as_str() == name)
    }
}

/// Somebody or some program that may call this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Letters, digits, `.`, `-`, `_`, `@`; at most 64 bytes.
    pub name: Arc<str>,
    /// What it may do.
    pub role: Role,
    /// Where it may do it.
    pub scope: Scope,
    /// Kept, but refused. Who said so is in [`Access::disabler`].
    pub disabled: bool,
    /// Calls and stream items a second; `None` for the configured default.
    pub rate_per_second: Option<u32>,
    /// Writes a day; `None` for no quota.
    pub daily_quota: Option<u64>,
    /// SHA-256 of the client certificates (DER) it is known by.
    pub certificates: Vec<[u8; 32]>,
    /// For people.
    pub note: String,
}
