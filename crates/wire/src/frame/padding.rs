//! Padding as proof of room.
//!
//! The bytes of a request datagram behind the message its envelope announces are padding. They mean two things: the sender can
//! take a datagram of that size back, and an answer of that size is no larger than the question, whoever the sender really is. An
//! answer may therefore use datagrams as large as the request's own datagram; without padding the classic 512 bytes hold.

use super::config::{CLASSIC_DATAGRAM_BYTES, DATAGRAM_BYTES};

/// The largest datagram, in bytes, an answer to a request datagram of `request_bytes` may use.
///
/// `largest` is the node's own setting, taken into the range of [`DATAGRAM_BYTES`]. For a request of several datagrams give the size
/// of the largest.
#[must_use]
pub fn answer_datagram_bytes(request_bytes: usize, largest: usize) -> usize {
    request_bytes.clamp(CLASSIC_DATAGRAM_BYTES, DATAGRAM_BYTES.clamp(largest))
}

/// The number of padding bytes to put behind a request of `request_bytes` (envelope and message) to be answered in datagrams of up
/// to `room` bytes. 0 when the request fills them already, or when the classic size is all that is wanted.
///
/// Only for servers known to understand padding: to others it is wasted.
#[must_use]
pub fn padding_bytes(request_bytes: usize, room: usize) -> usize {
    let room = DATAGRAM_BYTES.clamp(room);
    if room == CLASSIC_DATAGRAM_BYTES { 0 } else { room.saturating_sub(request_bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_uses_the_classic_size_unless_the_question_was_larger() {
        assert_eq!(answer_datagram_bytes(44, 1232), 512);
        assert_eq!(answer_datagram_bytes(512, 1232), 512);
        assert_eq!(answer_datagram_bytes(800, 1232), 800);
    }

    #[test]
    fn an_answer_never_exceeds_the_setting_nor_the_smallest_link() {
        assert_eq!(answer_datagram_bytes(9000, 1232), 1232);
        assert_eq!(answer_datagram_bytes(9000, 65_535), 1232);
        assert_eq!(answer_datagram_bytes(1232, 700), 700);
        assert_eq!(answer_datagram_bytes(1232, 0), 512);
    }

    #[test]
    fn padding_fills_the_room_asked_for_and_no_more() {
        assert_eq!(padding_bytes(100, 1232), 1132);
        assert_eq!(padding_bytes(100, 9000), 1132);
        assert_eq!(padding_bytes(1232, 1232), 0);
        assert_eq!(padding_bytes(1300, 1232), 0);
        assert_eq!(padding_bytes(100, 512), 0);
    }
}
