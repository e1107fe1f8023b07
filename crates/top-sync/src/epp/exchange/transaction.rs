//! What is known of a command: under which identifier it went, where it stands, what went wrong last.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::epp::message::{EntId, MessageId, TransactionId};

/// An enumeration with a name for each value, stored and shown alike.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$each])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name; never changes.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

named! {
    /// What a transaction does.
    Kind {
        /// Registers an enterprise.
        CreateEnterprise = "create-enterprise",
        /// Registers a prefix.
        CreatePrefix = "create-prefix",
        /// Replaces what is known of an enterprise (`chgAll`).
        ReplaceEnterprise = "replace-enterprise",
        /// Changes what is known of an enterprise (`chg`).
        AmendEnterprise = "amend-enterprise",
    }
}

named! {
    /// Where a transaction stands.
    Stage {
        /// On its way: perhaps sent, no answer known.
        Sent = "sent",
        /// Accepted, and not decided (code 1001).
        Pending = "pending",
        /// What it was to make is there (code 2302), and whether the audit passed it is not known.
        Exists = "exists",
        /// Passed.
        Approved = "approved",
        /// Not passed by the audit.
        Refused = "refused",
        /// The command itself was refused; it is sent once more later, under another identifier.
        Failed = "failed",
        /// Given up for another, since what it was to say has changed and it is known that it was never carried out.
        Replaced = "replaced",
    }
}

named! {
    /// What kind of thing went wrong.
    TroubleKind {
        /// Nothing came in time.
        TimeOut = "time-out",
        /// No connection.
        Unreachable = "unreachable",
        /// The connection ended before the answer was whole.
        Cut = "cut",
        /// An HTTP status other than 200.
        HttpStatus = "http-status",
        /// An answer of more bytes than are taken.
        TooLarge = "too-large",
        /// An answer that cannot be read.
        Malformed = "malformed",
        /// An answer to another command.
        WrongTransaction = "wrong-transaction",
        /// An answer that is whole and does not fit what was asked.
        Unexpected = "unexpected",
        /// A code that refuses.
        Refused = "refused",
        /// The server says that it cannot serve.
        ServerFailed = "server-failed",
        /// What has to be sent is not there, or cannot be sent.
        NotSendable = "not-sendable",
        /// The catalog did not take the step.
        NotSettled = "not-settled",
    }
}

impl Stage {
    /// Whether it is still to be decided.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Sent | Self::Pending | Self::Exists)
    }
}

/// What went wrong. Never holds what was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trouble {
    /// What kind of thing.
    pub kind: TroubleKind,
    /// More of it, bounded: a code and the words of the top-level node, a status, the name of a field.
    pub detail: String,
}

impl Trouble {
    /// Trouble of a kind.
    pub fn new(kind: TroubleKind, detail: impl ToString) -> Self {
        Self { kind, detail: detail.to_string() }
    }
}

/// SHA-256 of what a command says: of sealed bytes where it tells of people, so that nothing can be guessed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Of these parts, each with its length.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<String> for ContentHash {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl From<ContentHash> for String {
    fn from(hash: ContentHash) -> Self {
        hex::encode(hash.0)
    }
}

/// What an enterprise says, as two hashes: of what only a full update carries, and of what a partial one can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Everything but the fields of a partial update.
    pub significant: ContentHash,
    /// Address, website, description.
    pub small: ContentHash,
}

/// A command under its identifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transaction {
    /// The identifier it goes under (clTRID).
    pub id: TransactionId,
    /// What it does.
    pub kind: Kind,
    /// The enterprise it is about, or whose prefix it is about, by this node's number.
    pub enterprise: u32,
    /// The prefix it is about, folded.
    pub prefix: Option<Box<str>>,
    /// The serial of the case of that prefix: a verdict is for this case and no later one.
    pub case: Option<u64>,
    /// What the command says.
    pub request: ContentHash,
    /// What it says of an enterprise.
    pub content: Option<Content>,
    /// Where it stands.
    pub stage: Stage,
    /// How often it was sent.
    pub attempts: u32,
    /// What went wrong last.
    pub trouble: Option<Trouble>,
    /// What the top-level node calls it (svTRID).
    pub server: Option<TransactionId>,
    /// What the top-level node calls the enterprise, where it said so before it decided.
    pub ent_id: Option<EntId>,
    /// What the top-level node said of its verdict.
    pub reason: String,
    /// When it was made, in milliseconds since 1970.
    pub since: u64,
    /// When it changed last, likewise.
    pub changed: u64,
}

/// An enterprise the top-level node knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// By this node's number.
    pub enterprise: u32,
    /// By the top-level node's name.
    pub ent_id: EntId,
    /// What it was told of it last; `None` where that was told by somebody else.
    pub content: Option<Content>,
}

/// One thing noted in the file. The last one about something counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Record {
    /// A transaction as it is now.
    Transaction(Box<Transaction>),
    /// An enterprise as the top-level node knows it now.
    Known(Known),
    /// A message was received, and what it says is noted with it.
    Received(MessageId),
    /// That message is out of the queue.
    Acknowledged(MessageId),
}
