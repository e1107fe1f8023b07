//! What a caller may do where, as a value.

use std::sync::Arc;

use waymark_ident::parent_prefix;

use super::Principal;
use super::role::{Role, Verb, Verbs};
use super::token::Token;

/// Prefixes somebody may work under: each with everything derived from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All prefixes.
    All,
    /// These, folded to upper case, sorted, and what is derived from them. None of them: nothing.
    Prefixes(Arc<[Box<[u8]>]>),
}

/// Why texts are no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a prefix")]
pub struct ScopeError {
    /// The text.
    pub text: String,
}

/// What a credential gives at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Whose they are.
    pub principal: Arc<Principal>,
    /// What may be done.
    pub verbs: Verbs,
    /// Where: both of these must allow it.
    scopes: [Scope; 2],
}

/// Why a credential gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// No such credential, or a wrong secret.
    #[error("the credential is not known")]
    UnknownCredential,
    /// The token is past its time.
    #[error("the token has expired")]
    Expired,
    /// The token was revoked.
    #[error("the token was revoked")]
    Revoked,
    /// The principal is disabled.
    #[error("the principal is disabled")]
    Disabled,
}

impl Scope {
    /// Reads a list of prefixes, in any case; `*` stands for all.
    ///
    /// # Errors
    /// [`ScopeError`] for the first that is no prefix.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, ScopeError> {
        let mut prefixes = Vec::new();
        for text in texts {
            if text == "*" {
                return Ok(Self::All);
            }
            let sound = !text.is_empty() && !text.contains('/') && !text.bytes().any(|b| b <= b' ' || b == 0x7f);
            if !sound {
                return Err(ScopeError { text: text.to_owned() });
            }
            prefixes.push(text.to_ascii_uppercase().into_bytes().into_boxed_slice());
        }
        prefixes.sort_unstable();
        prefixes.dedup();
        Ok(Self::Prefixes(prefixes.into()))
    }

    /// The texts [`parse`](Self::parse) makes this from.
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::All => vec!["*".to_owned()],
            Self::Prefixes(prefixes) => {
                prefixes.iter().map(|prefix| String::from_utf8_lossy(prefix).into_owned()).collect()
            }
        }
    }

    /// Whether `prefix`, folded, is one of these or derived from one.
    #[must_use]
    pub fn covers(&self, prefix: &[u8]) -> bool {
        let Self::Prefixes(prefixes) = self else { return true };
        let mut name = Some(prefix);
        while let Some(current) = name {
            if prefixes.binary_search_by(|known| (**known).cmp(current)).is_ok() {
                return true;
            }
            name = parent_prefix(current);
        }
        false
    }

    /// Whether everything of `other` is covered.
    #[must_use]
    pub fn covers_all_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Prefixes(_), Self::All) => false,
            (Self::Prefixes(_), Self::Prefixes(others)) => others.iter().all(|prefix| self.covers(prefix)),
        }
    }
}

impl Rights {
    pub(crate) fn of(principal: &Arc<Principal>) -> Self {
        Self {
            verbs: principal.role.verbs(),
            scopes: [principal.scope.clone(), Scope::All],
            principal: Arc::clone(principal),
        }
    }

    pub(crate) fn narrowed_by(self, token: &Token) -> Self {
        let verbs = token.verbs.map_or(self.verbs, |verbs| self.verbs.and(verbs));
        let [own, _] = self.scopes;
        Self { principal: self.principal, verbs, scopes: [own, token.scope.clone().unwrap_or(Scope::All)] }
    }

    /// The role of the principal.
    #[must_use]
    pub fn role(&self) -> Role {
        self.principal.role
    }

    /// Whether the verb may be used at all.
    #[must_use]
    pub const fn has(&self, verb: Verb) -> bool {
        self.verbs.has(verb)
    }

    /// Whether `prefix`, folded, lies where the credential works.
    #[must_use]
    pub fn covers(&self, prefix: &[u8]) -> bool {
        self.scopes.iter().all(|scope| scope.covers(prefix))
    }

    /// Whether the verb may be used on records of `prefix`, folded.
    #[must_use]
    pub fn allows(&self, verb: Verb, prefix: &[u8]) -> bool {
        self.has(verb) && self.covers(prefix)
    }

    /// Whether the credential works under every prefix.
    #[must_use]
    pub fn is_everywhere(&self) -> bool {
        self.scopes.iter().all(|scope| *scope == Scope::All)
    }

    /// Whether the verb may be used under every prefix.
    #[must_use]
    pub fn has_everywhere(&self, verb: Verb) -> bool {
        self.has(verb) && self.is_everywhere()
    }

    /// Whether all of `scope` lies where the credential works.
    #[must_use]
    pub fn covers_all_of(&self, scope: &Scope) -> bool {
        self.scopes.iter().all(|own| own.covers_all_of(scope))
    }

    /// Whether the credential has a scope of its own.
    pub(super) fn is_narrowed(&self) -> bool {
        let [_, credential] = &self.scopes;
        *credential != Scope::All
    }

    /// The prefixes, narrowest list first; `*` for all.
    #[must_use]
    pub fn scope_texts(&self) -> Vec<String> {
        let [own, token] = &self.scopes;
        if *token == Scope::All { own.texts() } else { token.texts() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_covers_its_prefixes_and_what_is_derived() {
        let scope = Scope::parse(["88.990", "20.500.a"]).unwrap();
        for inside in ["88.990", "88.990.10001", "88.990.1.2", "20.500.A"] {
            assert!(scope.covers(inside.as_bytes()), "{inside}");
        }
        for outside in ["88", "88.9901", "88.99", "20.500", "", "0.NA"] {
            assert!(!scope.covers(outside.as_bytes()), "{outside}");
        }
        assert!(Scope::All.covers(b"anything"));
        assert!(!Scope::parse([]).unwrap().covers(b"88"));
    }

    #[test]
    fn refuses_what_is_no_prefix() {
        for text in ["", "88/x", "88 1", "8\u{7f}"] {
            assert_eq!(Scope::parse([text]), Err(ScopeError { text: text.to_owned() }));
        }
    }

    #[test]
    fn a_narrower_scope_is_covered_and_a_wider_one_is_not() {
        let (wide, narrow) = (Scope::parse(["88.990"]).unwrap(), Scope::parse(["88.990.1"]).unwrap());
        assert!(wide.covers_all_of(&narrow) && !narrow.covers_all_of(&wide));
        assert!(!wide.covers_all_of(&Scope::All) && Scope::All.covers_all_of(&wide));
    }
}
