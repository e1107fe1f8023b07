//! Messages for the tests of this module.

use crate::envelope::{Envelope, EnvelopeFlags};
use crate::version::Version;

/// An envelope with `bytes` bytes behind it, all different from their neighbours.
pub(super) fn message(request_id: u32, bytes: usize) -> Vec<u8> {
    let envelope = Envelope {
        version: Version::CURRENT,
        flags: EnvelopeFlags::NONE,
        suggested: Version::CURRENT,
        session_id: 0,
        request_id,
        sequence: 0,
        message_length: u32::try_from(bytes).unwrap(),
    };
    let mut message = envelope.to_bytes().to_vec();
    message.extend((0..=250).cycle().take(bytes));
    message
}
