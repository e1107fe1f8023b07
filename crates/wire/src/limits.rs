//! Sizes the protocol fixes. None of them is an operator's choice: a peer that goes past one has broken the format.

/// Longest message without its envelope, in bytes; the reference refuses longer ones.
pub const MAX_MESSAGE_BYTES: u32 = 262_144;

/// Largest length or count of one field; the reference refuses more, and anything negative as a signed number.
pub const MAX_FIELD_LENGTH: u32 = 1_048_576;

/// Most handles in one message of a listing; more are sent in further messages with the CONT flag.
pub const MAX_LISTED_HANDLES: usize = 50;

/// What a client takes from a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseLimits {
    /// Longest handle, in bytes.
    pub handle_bytes: usize,
    /// Most handle values in one message.
    pub values: u32,
}

impl ResponseLimits {
    /// What the reference client takes. Its own server sends more when a record has more.
    pub const REFERENCE: Self = Self { handle_bytes: 2048, values: 2048 };

    /// Whatever a message can hold; memory is bounded by the message anyway, since decoding borrows from it.
    pub const WHOLE_MESSAGE: Self = Self { handle_bytes: MAX_MESSAGE_BYTES as usize, values: MAX_FIELD_LENGTH };
}
