//! Request bodies: what clients ask (RFC 3652 section 3).
//!
//! `H` is a string handle; operations without one carry `/`.
//!
//! ```text
//!    1 resolution          H | list<u32> indexes | list<string> types [ | string extra, Teleinfo dialect ]
//!    2 get site info       H, or nothing
//!  100 create              H | list<value>
//!  101 delete              H
//!  102 add, 104 modify     H | list<value>
//!  103 remove              H | list<u32> indexes
//!  105 list, 106 derived   H of the prefix record
//!  200 challenge answer    string type | string user handle | u32 user index | bytes answer
//!  201 verify answer       H | u32 index | bytes nonce | digest | bytes answer
//!  300 home, 301 unhome    H of the prefix record
//!  302 list homed          H
//!  400 session setup       u16 mode | u32 timeout | string identity | u32 identity index | by mode | 00 00
//!  401 terminate           H
//!  402 exchange key        bytes encrypted key
//! 1000, 1003               H
//! 1001, 1002 replication   not read here
//! 2001 login               string user handle | u32 user index
//! ```
//! Bytes behind the last field of a body are ignored, as every deployed server does.

mod answer;
mod session;
mod writer;

pub use answer::{ChallengeAnswer, DigestField, VerifyAnswer};
pub(crate) use answer::{put_digest, read_digest};
pub use session::{KeyExchange, SessionSetup};
pub use writer::RequestWriter;

use crate::codes::OpCode;
use crate::error::DecodeError;
use crate::lists::{Reference, StrList, U32List};
use crate::message::{Message, ParseFailure};
use crate::primitives::Reader;
use crate::value::Values;

/// A decoded request: message and body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The message.
    pub message: Message<'a>,
    /// Its body.
    pub body: RequestBody<'a>,
}

impl<'a> Request<'a> {
    /// Reads a whole request with its envelope.
    ///
    /// # Errors
    /// As [`Message::parse`] and [`RequestBody::parse`]; a response is refused with [`DecodeError::NotARequest`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseFailure> {
        let message = Message::parse(bytes)?;
        let body = RequestBody::parse(&message).map_err(|error| {
            let op = Some(message.header.op);
            ParseFailure::new(error, Some(message.envelope), op)
        })?;
        Ok(Self { message, body })
    }
}

/// The body of a request, by operation. Everything borrows from the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestBody<'a> {
    /// Operation 1.
    Resolution(ResolutionBody<'a>),
    /// Operation 2.
    SiteInfo {
        /// Usually `/`, or empty.
        handle: &'a [u8],
    },
    /// Operation 100.
    Create {
        /// The new handle, or with the MINT flag what it begins with.
        handle: &'a [u8],
        /// Its values.
        values: Values<'a>,
    },
    /// Operation 101.
    Delete {
        /// The handle to delete.
        handle: &'a [u8],
    },
    /// Operation 102.
    AddValues {
        /// The handle that gets more values.
        handle: &'a [u8],
        /// The values to add.
        values: Values<'a>,
    },
    /// Operation 103.
    RemoveValues {
        /// The handle that loses values.
        handle: &'a [u8],
        /// Indexes of the values to remove.
        indexes: U32List<'a>,
    },
    /// Operation 104.
    ModifyValues {
        /// The handle whose values change.
        handle: &'a [u8],
        /// What the values of these indexes become.
        values: Values<'a>,
    },
    /// Operation 105.
    ListHandles {
        /// The prefix record, `0.NA/88.111`; the bare prefix works too.
        prefix: &'a [u8],
    },
    /// Operation 106.
    ListDerivedPrefixes {
        /// The prefix record.
        prefix: &'a [u8],
    },
    /// Operation 200.
    ChallengeAnswer(ChallengeAnswer<'a>),
    /// Operation 201.
    VerifyAnswer(VerifyAnswer<'a>),
    /// Operation 300.
    HomePrefix {
        /// The prefix record.
        prefix: &'a [u8],
    },
    /// Operation 301.
    UnhomePrefix {
        /// The prefix record.
        prefix: &'a [u8],
    },
    /// Operation 302.
    ListHomedPrefixes {
        /// Usually `/`.
        handle: &'a [u8],
    },
    /// Operation 400.
    SessionSetup(SessionSetup<'a>),
    /// Operation 401.
    SessionTerminate {
        /// Usually `/`.
        handle: &'a [u8],
    },
    /// Operation 402.
    ExchangeKey {
        /// The session key, encrypted for the server.
        encrypted_key: &'a [u8],
    },
    /// Operation 1000.
    NextTransactionId {
        /// The handle that is about to change.
        handle: &'a [u8],
    },
    /// Operation 1003.
    BackupServer {
        /// Usually `/`.
        handle: &'a [u8],
    },
    /// Operation 2001, Teleinfo dialect.
    Login {
        /// Who logs in: handle and index of a key.
        user: Reference<'a>,
    },
    /// Operations 1001 and 1002, whose bodies are left to those who replicate.
    Replication {
        /// The body.
        body: &'a [u8],
    },
    /// Any other operation.
    Unknown {
        /// The body.
        body: &'a [u8],
    },
}

impl<'a> RequestBody<'a> {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`DecodeError::NotARequest`] for a message with a response code, otherwise that of the first field that is not
    /// right.
    pub fn parse(message: &Message<'a>) -> Result<Self, DecodeError> {
        if message.header.response_code.0 != 0 {
            return Err(DecodeError::NotARequest(message.header.response_code));
        }
        Self::parse_body(message.header.op, message.body)
    }

    /// Reads the body of operation `op`.
    fn parse_body(op: OpCode, body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let r = &mut reader;
        Ok(match op {
            OpCode::RESOLUTION => Self::Resolution(ResolutionBody::parse(body)?),
            OpCode::GET_SITE_INFO if body.is_empty() => Self::SiteInfo { handle: &[] },
            OpCode::GET_SITE_INFO => Self::SiteInfo { handle: r.bytes()? },
            OpCode::CREATE_HANDLE => Self::Create { handle: r.bytes()?, values: Values::parse(r)? },
            OpCode::DELETE_HANDLE => Self::Delete { handle: r.bytes()? },
            OpCode::ADD_VALUES => Self::AddValues { handle: r.bytes()?, values: Values::parse(r)? },
            OpCode::REMOVE_VALUES => Self::RemoveValues { handle: r.bytes()?, indexes: U32List::parse(r)? },
            OpCode::MODIFY_VALUES => Self::ModifyValues { handle: r.bytes()?, values: Values::parse(r)? },
            OpCode::LIST_HANDLES => Self::ListHandles { prefix: r.bytes()? },
            OpCode::LIST_DERIVED_PREFIXES => Self::ListDerivedPrefixes { prefix: r.bytes()? },
            OpCode::CHALLENGE_ANSWER => Self::ChallengeAnswer(ChallengeAnswer::parse(r)?),
            OpCode::VERIFY_ANSWER => Self::VerifyAnswer(VerifyAnswer::parse(r)?),
            OpCode::HOME_PREFIX => Self::HomePrefix { prefix: r.bytes()? },
            OpCode::UNHOME_PREFIX => Self::UnhomePrefix { prefix: r.bytes()? },
            OpCode::LIST_HOMED_PREFIXES => Self::ListHomedPrefixes { handle: r.bytes()? },
            OpCode::SESSION_SETUP => Self::SessionSetup(SessionSetup::parse(r)?),
            OpCode::SESSION_TERMINATE => Self::SessionTerminate { handle: r.bytes()? },
            OpCode::SESSION_EXCHANGE_KEY => Self::ExchangeKey { encrypted_key: r.bytes()? },
            OpCode::GET_NEXT_TRANSACTION_ID => Self::NextTransactionId { handle: r.bytes()? },
            OpCode::BACKUP_SERVER => Self::BackupServer { handle: r.bytes()? },
            OpCode::LOGIN => Self::Login { user: Reference::parse(r)? },
            OpCode::RETRIEVE_TRANSACTIONS | OpCode::DUMP_HANDLES => Self::Replication { body },
            _ => Self::Unknown { body },
        })
    }

    /// The handle the request is about, as asked; `None` where the operation has none.
    #[must_use]
    pub const fn handle(&self) -> Option<&'a [u8]> {
        match self {
            Self::Resolution(ResolutionBody { handle, .. })
            | Self::Create { handle, .. }
            | Self::Delete { handle }
            | Self::AddValues { handle, .. }
            | Self::RemoveValues { handle, .. }
            | Self::ModifyValues { handle, .. }
            | Self::ListHandles { prefix: handle }
            | Self::ListDerivedPrefixes { prefix: handle }
            | Self::HomePrefix { prefix: handle }
            | Self::UnhomePrefix { prefix: handle }
            | Self::NextTransactionId { handle } => Some(handle),
            _ => None,
        }
    }
}

/// The body of a resolution. Parsing it allocates nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResolutionBody<'a> {
    /// The handle, any bytes.
    pub handle: &'a [u8],
    /// Values asked for by index. Together with `types` a union: a value is meant if either names it.
    pub indexes: U32List<'a>,
    /// Values asked for by type, see [`type_matches`](crate::type_matches). Both lists empty mean all values.
    pub types: StrList<'a>,
    /// The additional string of the Teleinfo dialect: an identity token, or empty. Bytes behind the types that are no
    /// string are ignored.
    pub extra: Option<&'a [u8]>,
}

impl<'a> ResolutionBody<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// That of the first field that is not right.
    pub fn parse(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(body);
        let handle = reader.bytes()?;
        let indexes = U32List::parse(&mut reader)?;
        let types = StrList::parse(&mut reader)?;
        let extra = reader.bytes().ok();
        Ok(Self { handle, indexes, types, extra })
    }
}

#[cfg(test)]
mod tests;
