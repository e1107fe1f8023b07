//! The table of principals and tokens.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use waymark_store::{Serial, Timestamp};

use super::rights::{Denied, Rights};
use super::token::{Token, TokenId, TokenText};
use super::{Disabler, Principal, Role};

/// The table. Never changed once published.
#[derive(Clone, Debug, Default)]
pub struct Access {
    principals: BTreeMap<Arc<str>, Kept<Principal>>,
    tokens: HashMap<TokenId, Kept<Token>>,
    /// Tokens by their principal.
    held: BTreeSet<(Arc<str>, TokenId)>,
    certificates: HashMap<[u8; 32], Arc<str>>,
    /// Who disabled the principals that are.
    disablers: HashMap<Arc<str>, Disabler>,
}

/// Something of the table, with the entry of the log that says so.
#[derive(Clone, Debug)]
struct Kept<T> {
    what: Arc<T>,
    entry: (Serial, Timestamp),
}

impl Access {
    /// The principal of that name.
    #[must_use]
    pub fn principal(&self, name: &str) -> Option<&Arc<Principal>> {
        self.principals.get(name).map(|kept| &kept.what)
    }

    /// Who disabled the principal of that name, if it is.
    #[must_use]
    pub fn disabler(&self, name: &str) -> Option<Disabler> {
        self.disablers.get(name).copied()
    }

    /// All principals, by name.
    pub fn principals(&self) -> impl Iterator<Item = &Arc<Principal>> {
        self.principals.values().map(|kept| &kept.what)
    }

    /// The token of that id, whatever its state.
    #[must_use]
    pub fn token(&self, id: TokenId) -> Option<&Arc<Token>> {
        self.tokens.get(&id).map(|kept| &kept.what)
    }

    /// All tokens, by principal and id.
    pub fn tokens(&self) -> impl Iterator<Item = &Arc<Token>> {
        self.held.iter().filter_map(|(_, id)| self.token(*id))
    }

    /// The tokens of a principal, by id; of one that was removed, too.
    pub fn tokens_of(&self, principal: &str) -> impl Iterator<Item = &Arc<Token>> {
        let name: Arc<str> = principal.into();
        let ids = (Arc::clone(&name), TokenId::FIRST)..=(name, TokenId::LAST);
        self.held.range(ids).filter_map(|(_, id)| self.token(*id))
    }

    /// Whether there is a principal that may do everything but is perhaps disabled.
    #[must_use]
    pub fn has_operator(&self) -> bool {
        self.principals().any(|principal| principal.role == Role::Operator)
    }

    /// Checks a presented token: known, its secret right, not expired, not revoked, its principal there and enabled. Takes the same time
    /// whether the id or the secret is wrong.
    ///
    /// # Errors
    /// [`Denied`], which doors show as one and the same "not authenticated" except for expiry and revocation.
    pub fn check_token(&self, presented: &TokenText, now: Timestamp) -> Result<Rights, Denied> {
        let token = self.token(presented.id());
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
        let principal = self.principal(name).ok_or(Denied::UnknownCredential)?;
        if principal.disabled { Err(Denied::Disabled) } else { Ok(Rights::of(principal)) }
    }

    /// Who is known by a certificate.
    pub(crate) fn owner_of_certificate(&self, fingerprint: &[u8; 32]) -> Option<&str> {
        self.certificates.get(fingerprint).map(|name| &**name)
    }

    /// Number of principals.
    pub(crate) fn count(&self) -> usize {
        self.principals.len()
    }

    /// Serial and time of the entry of a principal.
    pub(crate) fn principal_entry(&self, name: &str) -> Option<(Serial, Timestamp)> {
        self.principals.get(name).map(|kept| kept.entry)
    }

    /// Serial and time of the entry of a token.
    pub(crate) fn token_entry(&self, id: TokenId) -> Option<(Serial, Timestamp)> {
        self.tokens.get(&id).map(|kept| kept.entry)
    }

    /// Puts a principal in, in place of one of that name; a disabled one by whoever disabled it.
    pub(crate) fn put_principal(&mut self, principal: Principal, by: Disabler, entry: (Serial, Timestamp)) {
        self.remove_principal(&principal.name);
        let what = Arc::new(principal);
        if what.disabled {
            self.disablers.insert(Arc::clone(&what.name), by);
        }
        for certificate in &what.certificates {
            self.certificates.insert(*certificate, Arc::clone(&what.name));
        }
        self.principals.insert(Arc::clone(&what.name), Kept { what, entry });
    }

    /// Takes a principal out; its tokens stay and are refused.
    pub(crate) fn remove_principal(&mut self, name: &str) {
        let Some(removed) = self.principals.remove(name) else { return };
        self.disablers.remove(name);
        for certificate in &removed.what.certificates {
            self.certificates.remove(certificate);
        }
    }

    /// Puts a token in, in place of one of that id.
    pub(crate) fn put_token(&mut self, token: Token, entry: (Serial, Timestamp)) {
        self.remove_token(token.id);
        self.held.insert((Arc::clone(&token.principal), token.id));
        self.tokens.insert(token.id, Kept { what: Arc::new(token), entry });
    }

    /// Takes a token out.
    pub(crate) fn remove_token(&mut self, id: TokenId) {
        if let Some(removed) = self.tokens.remove(&id) {
            self.held.remove(&(Arc::clone(&removed.what.principal), id));
        }
    }
}
