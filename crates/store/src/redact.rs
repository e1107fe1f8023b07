//! Taking what notes say out of old records.

use crate::error::RedactError;
use crate::types::Serial;

/// What a redaction went through and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redacted {
    /// Entries up to this serial need not be gone through by the next redaction; the `after` of this one when it got no further.
    pub upto: Serial,
    /// Notes whose body was replaced.
    pub entries: u64,
    /// Bytes of those bodies.
    pub bytes: u64,
    /// Groups, or entries where each is kept by itself, that are damaged and were left as they are, so what they hold stays.
    pub damaged: u64,
}

impl Redacted {
    /// Counts one replaced body.
    pub(crate) fn count(&mut self, bytes: usize) {
        self.entries += 1;
        self.bytes += crate::bytes::offset(bytes);
    }
}

/// Is asked for the new body of a note; `None` leaves the old one.
pub type Replace<'r> = dyn FnMut(&crate::types::Entry<'_>) -> Option<Vec<u8>> + 'r;

/// The new body of entry `serial` with zeros up to the length of the old one, `room`.
///
/// # Errors
/// It is longer.
pub(crate) fn padded(mut body: Vec<u8>, room: usize, serial: Serial) -> Result<Vec<u8>, RedactError> {
    if body.len() > room {
        return Err(RedactError::TooLong { serial, bytes: body.len(), room });
    }
    body.resize(room, 0);
    Ok(body)
}
