//! Writing requests.

use super::{ChallengeAnswer, SessionSetup, VerifyAnswer};
use crate::codes::OpCode;
use crate::lists::Reference;
use crate::message::{Head, write_message};
use crate::primitives::Sink;
use crate::value::{EncodeValue, put_values};

/// Writes one request into a `Vec<u8>`, a `&mut Vec<u8>` or a [`Writer`](crate::Writer).
///
/// Each method sets the operation, writes the whole message with correct lengths and an empty credential, and gives
/// the sink back; a request that is to be signed gets its credential afterwards. Operations without a handle are
/// written with `/`.
#[derive(Debug)]
pub struct RequestWriter<S> {
    out: S,
    head: Head,
}

/// The handle of operations that have none.
const NO_HANDLE: &[u8] = b"/";

impl<S: Sink> RequestWriter<S> {
    /// A request with this head; its operation, response code and lengths are replaced.
    pub const fn new(out: S, head: Head) -> Self {
        Self { out, head }
    }

    /// Operation 1: the values of a handle, all of them when both lists are empty. `extra` is the additional field of
    /// the Teleinfo dialect.
    pub fn resolution(self, handle: &[u8], indexes: &[u32], types: &[&[u8]], extra: Option<&[u8]>) -> S {
        self.message(OpCode::RESOLUTION, |out| {
            out.put_bytes(handle);
            put_indexes(out, indexes);
            out.put_length(types.len());
            for kind in types {
                out.put_bytes(kind);
            }
            if let Some(extra) = extra {
                out.put_bytes(extra);
            }
        })
    }

    /// Operation 2: the server's site information.
    pub fn site_info(self) -> S {
        self.with_handle(OpCode::GET_SITE_INFO, NO_HANDLE)
    }

    /// Operation 100: a new handle.
    pub fn create<V: EncodeValue>(self, handle: &[u8], values: impl IntoIterator<Item = V>) -> S {
        self.with_values(OpCode::CREATE_HANDLE, handle, values)
    }

    /// Operation 101: deletes a handle.
    pub fn delete(self, handle: &[u8]) -> S {
        self.with_handle(OpCode::DELETE_HANDLE, handle)
    }

    /// Operation 102: more values for a handle.
    pub fn add_values<V: EncodeValue>(self, handle: &[u8], values: impl IntoIterator<Item = V>) -> S {
        self.with_values(OpCode::ADD_VALUES, handle, values)
    }

    /// Operation 103: removes values by index.
    pub fn remove_values(self, handle: &[u8], indexes: &[u32]) -> S {
        self.message(OpCode::REMOVE_VALUES, |out| {
            out.put_bytes(handle);
            put_indexes(out, indexes);
        })
    }

    /// Operation 104: changes values.
    pub fn modify_values<V: EncodeValue>(self, handle: &[u8], values: impl IntoIterator<Item = V>) -> S {
        self.with_values(OpCode::MODIFY_VALUES, handle, values)
    }

    /// Operation 105: the handles of the prefix of this prefix record.
    pub fn list_handles(self, prefix_record: &[u8]) -> S {
        self.with_handle(OpCode::LIST_HANDLES, prefix_record)
    }

    /// Operation 106: the prefixes below that of this prefix record.
    pub fn list_derived_prefixes(self, prefix_record: &[u8]) -> S {
        self.with_handle(OpCode::LIST_DERIVED_PREFIXES, prefix_record)
    }

    /// Operation 200: the answer to a challenge. The head carries the challenge's session id.
    pub fn challenge_answer(self, answer: &ChallengeAnswer<'_>) -> S {
        self.message(OpCode::CHALLENGE_ANSWER, |out| answer.write(out))
    }

    /// Operation 201: verification of an answer.
    pub fn verify_answer(self, verify: &VerifyAnswer<'_>) -> S {
        self.message(OpCode::VERIFY_ANSWER, |out| verify.write(out))
    }

    /// Operation 300: makes the server responsible for the prefix of this prefix record.
    pub fn home_prefix(self, prefix_record: &[u8]) -> S {
        self.with_handle(OpCode::HOME_PREFIX, prefix_record)
    }

    /// Operation 301: ends that.
    pub fn unhome_prefix(self, prefix_record: &[u8]) -> S {
        self.with_handle(OpCode::UNHOME_PREFIX, prefix_record)
    }

    /// Operation 302: the prefixes the server is responsible for.
    pub fn list_homed_prefixes(self) -> S {
        self.with_handle(OpCode::LIST_HOMED_PREFIXES, NO_HANDLE)
    }

    /// Operation 400: sets a session up.
    pub fn session_setup(self, setup: &SessionSetup<'_>) -> S {
        self.message(OpCode::SESSION_SETUP, |out| setup.write(out))
    }

    /// Operation 401: ends the session of the head.
    pub fn session_terminate(self) -> S {
        self.with_handle(OpCode::SESSION_TERMINATE, NO_HANDLE)
    }

    /// Operation 402: the session key, encrypted for the server.
    pub fn exchange_key(self, encrypted_key: &[u8]) -> S {
        self.message(OpCode::SESSION_EXCHANGE_KEY, |out| out.put_bytes(encrypted_key))
    }

    /// Operation 1000: the next transaction number.
    pub fn next_transaction_id(self, handle: &[u8]) -> S {
        self.with_handle(OpCode::GET_NEXT_TRANSACTION_ID, handle)
    }

    /// Operation 1003: a backup.
    pub fn backup_server(self) -> S {
        self.with_handle(OpCode::BACKUP_SERVER, NO_HANDLE)
    }

    /// Operation 2001 of the Teleinfo dialect: logs the connection in. Its messages end behind the body, without a
    /// credential field.
    pub fn login(mut self, user: Reference<'_>) -> S {
        self.head.header.op = OpCode::LOGIN;
        write_message(self.out, &self.head, false, |out| user.write(out))
    }

    /// Any operation with a body of the caller's making.
    pub fn raw(self, op: OpCode, body: &[u8]) -> S {
        self.message(op, |out| out.put(body))
    }

    /// An operation whose body is a handle.
    fn with_handle(self, op: OpCode, handle: &[u8]) -> S {
        self.message(op, |out| out.put_bytes(handle))
    }

    /// An operation whose body is a handle and values.
    fn with_values<V: EncodeValue>(self, op: OpCode, handle: &[u8], values: impl IntoIterator<Item = V>) -> S {
        self.message(op, |out| {
            out.put_bytes(handle);
            put_values(out, values);
        })
    }

    /// The whole message.
    fn message(mut self, op: OpCode, body: impl FnOnce(&mut S)) -> S {
        self.head.header.op = op;
        write_message(self.out, &self.head, true, body)
    }
}

/// Writes a list of indexes.
fn put_indexes(out: &mut impl Sink, indexes: &[u32]) {
    out.put_length(indexes.len());
    for index in indexes {
        out.put_u32(*index);
    }
}
