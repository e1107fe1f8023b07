//! What error answers say. Fixed texts, so that an error costs no formatting; those the reference sends too are its words.

use waymark_wire::DecodeError;

/// Not our prefix, and nobody known to refer to.
pub(crate) const NOT_OUR_PREFIX: &str = "That prefix doesn't live here";
/// The site spreads its handles over several servers, and this handle falls to another one.
pub(crate) const OTHER_SERVER: &str = "Request was hashed incorrectly";
/// Administration asked of a mirror.
pub(crate) const NOT_PRIMARY: &str = "Not a primary server";
/// Administration over a door that takes none.
pub(crate) const NOT_AN_ADMIN_DOOR: &str = "Received admin request on non-admin interface";
/// A session id nobody knows, or the answer to a challenge nobody remembers.
pub(crate) const UNKNOWN_SESSION: &str = "Invalid session id or session time out. Please try again.";
/// An operation on a session, without a session.
pub(crate) const NO_SESSION: &str = "Can not get session info.";
/// An answer to a challenge that names no challenge.
pub(crate) const NO_CHALLENGE: &str = "The answer names no challenge";
/// An encrypted message outside a session.
pub(crate) const ENCRYPTED_WITHOUT_SESSION: &str = "Encrypted message without a session";
/// The question passed too many servers.
pub(crate) const TOO_DEEP: &str = "The question has passed too many servers";
/// Too much is asked of the servers of a name that lives elsewhere, or of us. Programs read the first word.
pub(crate) const UPSTREAM_BUSY: &str = "UPSTREAM_BUSY Too many questions for names that live elsewhere";
/// The servers of a name that lives elsewhere do not answer as they should. Programs read the first word: nothing is known of the name.
pub(crate) const UPSTREAM_DOWN: &str = "UPSTREAM_DOWN The servers of that prefix do not answer as they should";
/// The authority wants to know who asks, which does not work through another server.
pub(crate) const NOT_FOR_THE_PUBLIC: &str = "Only for those the authority knows; ask it itself";
/// Operation 0.
pub(crate) const OPERATION_ZERO: &str = "Unknown opCode in message: 0";
/// An operation this node does not do.
pub(crate) const NOT_SUPPORTED: &str = "This server does not support the operation";
/// A certified answer asked of a node without a key.
pub(crate) const NO_KEY: &str = "This server has no key to certify answers with";
/// A handle over the limit of the protocol.
pub(crate) const HANDLE_TOO_LONG: &str = "Handle is longer than 2048 bytes";
/// Index and type lists that ask for too much work.
pub(crate) const FILTER_TOO_LONG: &str = "Too many indexes and types for this many values";
/// A client too old to follow a prefix referral itself.
pub(crate) const REFERRAL_NOT_FOLLOWED: &str =
    "Another service serves this prefix; this server does not ask it for clients before 2.10";
/// A stored record that does not read back.
pub(crate) const DAMAGED: &str = "The stored record cannot be read";
/// An answer over the limit of the protocol.
pub(crate) const ANSWER_TOO_LONG: &str = "The answer exceeds 262144 bytes; ask for single values";
/// The signature could not be made.
pub(crate) const NOT_SIGNED: &str = "The answer could not be certified";

/// What is said about a message that could not be decoded.
pub(crate) const fn of_decode_error(error: DecodeError) -> &'static str {
    match error {
        DecodeError::Truncated { .. } => "Message ends before its last field",
        DecodeError::LengthTooBig { .. } => "A length in the message is over the limit",
        DecodeError::CountTooBig { .. } => "A list in the message claims more than it holds",
        DecodeError::MessageTooShort { .. } => "Invalid message length",
        DecodeError::MessageTooLong { .. } => "Message is longer than 262144 bytes",
        _ => "Message cannot be decoded",
    }
}
