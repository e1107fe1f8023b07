//! Bearer tokens: random, shown once, stored as a hash.
//!
//! ```text
//! wm1_0123456789abcdef_<64 hexadecimal digits>
//! ^   ^ id, public     ^ secret: 32 random bytes
//! ```
//! What is stored is the SHA-256 of the secret. Its 256 random bits make a slow hash needless: there is nothing to guess.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use waymark_store::Timestamp;
use zeroize::Zeroizing;

use super::rights::Scope;
use super::role::Verbs;

/// The public name of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenId(pub [u8; 8]);

impl TokenId {
    /// The first in order.
    pub(super) const FIRST: Self = Self([0; 8]);
    /// The last in order.
    pub(super) const LAST: Self = Self([0xff; 8]);
}

/// A token as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Its public name.
    pub id: TokenId,
    /// Whose it is.
    pub principal: Arc<str>,
    /// SHA-256 of its secret.
    pub secret_hash: [u8; 32],
    /// Narrower than the principal's, or `None` for the same.
    pub scope: Option<Scope>,
    /// Fewer than the principal's, or `None` for the same.
    pub verbs: Option<Verbs>,
    /// When it was made.
    pub created: Timestamp,
    /// From then on it is refused.
    pub expires: Timestamp,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
    /// Why it was revoked; empty until then.
    pub revoke_reason: String,
    /// For people.
    pub note: String,
}

impl Token {
    /// A token for all that its principal may do; [`scope`](Self::scope), [`verbs`](Self::verbs) and [`note`](Self::note) can be set on it.
    #[must_use]
    pub fn new(text: &TokenText, principal: &str, created: Timestamp, lifetime: Duration) -> Self {
        let lifetime_ms = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        Self {
            id: text.id(),
            principal: principal.into(),
            secret_hash: text.secret().hash(),
            scope: None,
            verbs: None,
            created,
            expires: Timestamp(created.0.saturating_add(lifetime_ms)),
            revoked: None,
            revoke_reason: String::new(),
            note: String::new(),
        }
    }

    /// Whether it can still be used at `now`, as far as it alone says.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && now < self.expires
    }
}

impl fmt::Debug for Token {
    /// Without the hash: it is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("id", &self.id).field("principal", &self.principal).finish_non_exhaustive()
    }
}

/// The secret of a token; wiped when dropped, never printed.
pub struct Secret(Zeroizing<[u8; 32]>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_slice()).into()
    }
}

/// A token as its holder presents it.
#[derive(Debug)]
pub struct TokenText {
    id: TokenId,
    secret: Secret,
}

/// What every token begins with: form 1.
const LEAD: &str = "wm1_";

impl TokenText {
    /// A new token.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let (mut id, mut secret) = ([0; 8], Zeroizing::new([0; 32]));
        getrandom::fill(&mut id)?;
        getrandom::fill(secret.as_mut_slice())?;
        Ok(Self { id: TokenId(id), secret: Secret(secret) })
    }

    /// Reads a token; `None` for what has not its form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(LEAD)?.split_once('_')?;
        let id = id.parse().ok()?;
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(secret, bytes.as_mut_slice()).ok()?;
        Some(Self { id, secret: Secret(bytes) })
    }

    /// The text to give to its holder, once.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{LEAD}{}_{}", self.id, hex::encode(self.secret.0.as_slice())))
    }

    /// Its public name.
    #[must_use]
    pub const fn id(&self) -> TokenId {
        self.id
    }

    /// Its secret.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Whether the secret is that of the stored hash; without one the same work is done.
    pub(super) fn secret_matches(&self, stored: Option<&[u8; 32]>) -> bool {
        let hash = self.secret.hash();
        let same: bool = hash.ct_eq(stored.unwrap_or(&[0; 32])).into();
        same && stored.is_some()
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::str::FromStr for TokenId {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; 8];
        hex::decode_to_slice(text, &mut id)?;
        Ok(Self(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_from_its_text() {
        let token = TokenText::generate().unwrap();
        let text = token.reveal();
        assert_eq!(text.len(), 4 + 16 + 1 + 64);
        let read = TokenText::parse(&text).unwrap();
        assert_eq!(read.id(), token.id());
        assert!(read.secret_matches(Some(&token.secret().hash())));
        assert!(!read.secret_matches(None) && !read.secret_matches(Some(&[0; 32])));
    }

    #[test]
    fn texts_of_another_form_are_no_tokens() {
        let text = TokenText::generate().unwrap().reveal();
        for wrong in ["", "wm1_", &text[4..], &text[..84], &format!("{}0", *text), &text.replace("wm1", "wm2")] {
            assert!(TokenText::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn nothing_prints_a_secret() {
        let token = TokenText::generate().unwrap();
        let secret = hex::encode(token.secret().hash());
        let stored = Token::new(&token, "p", Timestamp(0), Duration::from_secs(1));
        let shown = format!("{token:?} {stored:?}");
        assert!(!shown.contains(&secret) && !shown.contains(&token.reveal()[21..]), "{shown}");
    }
}
