//! Who may do what: principals, their roles and scopes, their tokens.
//!
//! All of it is held in memory as an immutable table that doors and the writer load; changes are commands of the one write path, entries of
//! the log, and in force for every command decided after them.

mod rights;
mod role;
mod token;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use waymark_store::Timestamp;

pub use rights::{Denied, Rights, Scope, ScopeError};
pub use role::{Role, Verb, Verbs};
pub use token::{Secret, Token, TokenId, TokenText};

/// Somebody or some program that may call this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Letters, digits, `.`, `-`, `_`, `@`; at most 64 bytes.
    pub name: Arc<str>,
    /// What it may do.
    pub role: Role,
    /// Where it may do it.
    pub scope: Scope,
    /// Kept, but refused.
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

/// The table. Never changed once published.
#[derive(Clone, Debug, Default)]
pub struct Access {
    principals: BTreeMap<Arc<str>, Arc<Principal>>,
    tokens: HashMap<TokenId, Arc<Token>>,
    certificates: HashMap<[u8; 32], Arc<str>>,
}

impl Access {
    /// The principal of that name.
    #[must_use]
    pub fn principal(&self, name: &str) -> Option<&Arc<Principal>> {
        self.principals.get(name)
    }

    /// All principals, by name.
    pub fn principals(&self) -> impl Iterator<Item = &Arc<Principal>> {
        self.principals.values()
    }

    /// The token of that id, whatever its state.
    #[must_use]
    pub fn token(&self, id: TokenId) -> Option<&Arc<Token>> {
        self.tokens.get(&id)
    }

    /// All tokens, in no order.
    pub fn tokens(&self) -> impl Iterator<Item = &Arc<Token>> {
        self.tokens.values()
    }

    /// Checks a presented token: known, its secret right, not expired, not revoked, its principal there and enabled. Takes the same time
    /// whether the id or the secret is wrong.
    ///
    /// # Errors
    /// [`Denied`], which doors show as one and the same "not authenticated" except for expiry and revocation.
    pub fn check_token(&self, presented: &TokenText, now: Timestamp) -> Result<Rights, Denied> {
        let token = self.tokens.get(&presented.id());
        let matches = presented.secret_matches(token.map(|token| &token.secret_hash));
        let token = token.filter(|_| matches).ok_or(Denied::UnknownCredential)?;
        self.token_rights(token, now)
    }

    /// Rights of the principal known by a client certificate.
    ///
    /// # Errors
    /// [`Denied`] as [`check_token`](Self::check_token).
    pub fn check_certificate(&self, fingerprint: &[u8; 32]) -> Result<Rights, Denied> {
        let name = self.certificates.get(fingerprint).ok_or(Denied::UnknownCredential)?;
        self.principal_rights(name)
    }

    /// What a token gives at this moment.
    pub(crate) fn token_rights(&self, token: &Token, now: Timestamp) -> Result<Rights, Denied> {
        if token.revoked.is_some() {
            return Err(Denied::Revoked);
        }
        if now >= token.expires {
            return Err(Denied::Expired);
        }
        Ok(self.principal_rights(&token.principal)?.narrowed_by(token))
    }

    /// What a principal may do by itself.
    pub(crate) fn principal_rights(&self, name: &str) -> Result<Rights, Denied> {
        let principal = self.principals.get(name).ok_or(Denied::UnknownCredential)?;
        if principal.disabled { Err(Denied::Disabled) } else { Ok(Rights::of(principal)) }
    }

    /// Puts a principal in, in place of one of that name.
    pub(crate) fn put_principal(&mut self, principal: Principal) {
        self.remove_principal(&principal.name);
        let principal = Arc::new(principal);
        for certificate in &principal.certificates {
            self.certificates.insert(*certificate, Arc::clone(&principal.name));
        }
        self.principals.insert(Arc::clone(&principal.name), principal);
    }

    /// Takes a principal out; its tokens stay and are refused.
    pub(crate) fn remove_principal(&mut self, name: &str) {
        self.principals.remove(name);
        self.certificates.retain(|_, owner| **owner != *name);
    }

    /// Puts a token in, in place of one of that id.
    pub(crate) fn put_token(&mut self, token: Token) {
        self.tokens.insert(token.id, Arc::new(token));
    }

    /// Takes a token out.
    pub(crate) fn remove_token(&mut self, id: TokenId) {
        self.tokens.remove(&id);
    }
}
