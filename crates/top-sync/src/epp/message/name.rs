//! Names that travel: identifiers of transactions, what the top-level node calls an enterprise and a message; and the codes of results.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::epp::config::{GIVEN_NAME_CHARS, TRANSACTION_ID_CHARS};

/// The text is empty, too long, or holds what no name holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a name that can be used: empty, too long, or with blanks or control characters")]
pub struct NameError;

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident, $least:expr, $most:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Takes a text for a name.
            ///
            /// # Errors
            /// It has too few or too many characters, or some that are not visible.
            pub fn new(text: &str) -> Result<Self, NameError> {
                let count = text.chars().count();
                let sound = text.chars().all(|each| !each.is_control() && !each.is_whitespace());
                if sound && ($least..=$most).contains(&count) { Ok(Self(text.into())) } else { Err(NameError) }
            }

            /// The text.
            #[must_use]
            pub const fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_name! {
    /// The identifier of a transaction: the client's (clTRID) or the server's (svTRID), RFC 5730 section 4.
    TransactionId, TRANSACTION_ID_CHARS.0, TRANSACTION_ID_CHARS.1
}

text_name! {
    /// What the top-level node calls an enterprise.
    EntId, 1, GIVEN_NAME_CHARS
}

text_name! {
    /// What the top-level node calls a message of the queue.
    MessageId, 1, GIVEN_NAME_CHARS
}

impl TransactionId {
    /// A new one of this node: the moment in milliseconds since 1970, and 64 bits of chance.
    #[must_use]
    pub fn made(unix_ms: u64, chance: u64) -> Self {
        Self(format!("WM-{unix_ms:012x}-{chance:016x}").into())
    }
}

/// The code of a result (RFC 5730 section 3). Those that are not named here survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(pub u16);

impl Code {
    /// Done.
    pub const OK: Self = Self(1000);
    /// Accepted; what becomes of it is told by a message.
    pub const PENDING: Self = Self(1001);
    /// The queue is empty.
    pub const NO_MESSAGES: Self = Self(1300);
    /// Here is a message; acknowledge it for the next.
    pub const MESSAGE: Self = Self(1301);
    /// The object exists.
    pub const EXISTS: Self = Self(2302);
    /// The object does not exist.
    pub const MISSING: Self = Self(2303);
    /// The server failed.
    pub const FAILED: Self = Self(2400);

    /// Whether the command was taken.
    #[must_use]
    pub const fn is_success(self) -> bool {
        self.0 >= 1000 && self.0 < 2000
    }

    /// Whether the server says of itself that it cannot serve now: the same command may succeed later, and what became of this one is not known.
    #[must_use]
    pub const fn is_failure_of_the_server(self) -> bool {
        matches!(self.0, 2400 | 2500..=2502)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_only_what_names_hold() {
        assert_eq!(TransactionId::made(0x1234, 0xfe).as_str(), "WM-000000001234-00000000000000fe");
        assert!(TransactionId::new(&"x".repeat(64)).is_ok() && TransactionId::new("abc").is_ok());
        let too_long = "x".repeat(65);
        for wrong in ["", "ab", "a b c", "a\nbc", too_long.as_str()] {
            assert_eq!(TransactionId::new(wrong), Err(NameError), "{wrong:?}");
        }
        assert!(EntId::new("1").is_ok() && EntId::new("").is_err());
    }

    #[test]
    fn codes_say_whether_the_command_was_taken() {
        assert!(Code::OK.is_success() && Code::PENDING.is_success() && !Code::EXISTS.is_success());
        assert!(Code(2500).is_failure_of_the_server() && Code::FAILED.is_failure_of_the_server());
        assert!(!Code(2201).is_failure_of_the_server() && !Code(2503).is_failure_of_the_server());
    }
}
