//! Page tokens: where a list goes on, tied to the question it is of.
//!
//! ```text
//! hexadecimal of: version 1 | first 8 bytes of the SHA-256 of the question | cursor
//! ```

use sha2::{Digest as _, Sha256};

use crate::config::{PAGE, PAGE_MAX};
use crate::failure::Failure;
use crate::reasons::Reason;

/// Ties tokens to one question.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question([u8; 8]);

/// Version of the form.
const VERSION: u8 = 1;

impl Question {
    /// The question that consists of these parts, the kind of list first.
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part);
        }
        let mut question = [0; 8];
        question.iter_mut().zip(hasher.finalize()).for_each(|(to, from)| *to = from);
        Self(question)
    }

    /// The token for a cursor.
    pub(crate) fn token(self, cursor: &[u8]) -> String {
        hex::encode([&[VERSION], self.0.as_slice(), cursor].concat())
    }

    /// The cursor of a token; empty for an empty one, which is the beginning.
    pub(crate) fn cursor(self, token: &str) -> Result<Vec<u8>, Failure> {
        if token.is_empty() {
            return Ok(Vec::new());
        }
        let wrong = || Failure::new(Reason::PageTokenInvalid);
        let bytes = hex::decode(token).map_err(|_| wrong())?;
        let cursor = bytes.strip_prefix(&[VERSION]).and_then(|rest| rest.strip_prefix(&self.0));
        cursor.filter(|cursor| !cursor.is_empty()).map(<[u8]>::to_vec).ok_or_else(wrong)
    }

    /// As [`cursor`](Self::cursor), for cursors that are numbers.
    pub(crate) fn number(self, token: &str) -> Result<Option<u64>, Failure> {
        let cursor = self.cursor(token)?;
        if cursor.is_empty() {
            return Ok(None);
        }
        let number = cursor.try_into().map_err(|_| Failure::new(Reason::PageTokenInvalid))?;
        Ok(Some(u64::from_be_bytes(number)))
    }
}

/// The size of a page, when `asked` is asked for.
pub(crate) fn size(asked: u32) -> usize {
    match usize::try_from(asked) {
        Ok(0) => PAGE,
        Ok(asked) => asked.min(PAGE_MAX),
        Err(_) => PAGE_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_only_to_its_own_question() {
        let (one, other) = (Question::of(&[b"list", b"a"]), Question::of(&[b"list", b"b"]));
        let token = one.token(b"cursor");
        assert_eq!(one.cursor(&token).unwrap(), b"cursor");
        assert_eq!(one.cursor("").unwrap(), b"");
        for wrong in [other.token(b"cursor"), "zz".into(), "01".into(), one.token(b""), token[2..].into()] {
            assert_eq!(one.cursor(&wrong).unwrap_err().reason(), Reason::PageTokenInvalid, "{wrong}");
        }
        assert_eq!(one.number(&one.token(&7_u64.to_be_bytes())).unwrap(), Some(7));
        assert!(one.number(&token).is_err());
    }

    #[test]
    fn pages_have_a_default_and_a_largest_size() {
        assert_eq!((size(0), size(7), size(5000)), (100, 7, 1000));
    }
}
