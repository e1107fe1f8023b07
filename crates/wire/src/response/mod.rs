//! Responses: their heads, writing them, reading them (RFC 3652 sections 3.2 to 3.5).
//!
//! ```text
//! any code, RRDG set and version 2.1 or later: u8 digest algorithm | digest of the request, then
//! 1 success  op 1          string handle | list<value>
//!            op 2          HS_SITE bytes, without a length
//!            op 100        string handle, or nothing (old servers)
//!            op 105, 106, 302   list<string>, CONT set on all messages but the last
//!            op 201        u8 1 or 0
//!            op 400        u16 mode | bytes data | 00 00
//!            op 1000       i64
//!            others        nothing
//! 302, 303 referral        string handle [ | list<value> ]
//! 402 challenge            bytes nonce; before version 2.1 followed by bytes digest
//! other codes              string message, or nothing
//! ```

mod body;
mod head;
mod writer;

pub use body::{Response, ResponseBody};
pub use head::{OwnIdentity, digest_for, respond_to, respond_to_unreadable};
pub use writer::ResponseWriter;

#[cfg(test)]
mod tests;
