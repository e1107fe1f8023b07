//! The next message of a stream.

use crate::envelope::Envelope;
use crate::error::DecodeError;

/// What the front of a stream's buffer holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TcpFrame {
    /// The message is incomplete: at least this many bytes (never 0) are still to come.
    NeedMore(usize),
    /// The first so many bytes are one message, envelope included.
    Complete(usize),
    /// No message can start like this; the stream cannot be followed any further. When the envelope itself could be read,
    /// [`Envelope::parse`] still gives the request id to answer to.
    Bad(DecodeError),
}

/// Finds the end of the message at the start of `buffered`: an envelope, then as many bytes as it announces.
///
/// Reads the length only. The answer [`TcpFrame::NeedMore`] is bounded by the largest message, so that a reader may reserve it.
#[must_use]
pub fn tcp_message_length(buffered: &[u8]) -> TcpFrame {
    if let missing @ 1.. = Envelope::LEN.saturating_sub(buffered.len()) {
        return TcpFrame::NeedMore(missing);
    }
    let length = match Envelope::parse(buffered).and_then(|envelope| envelope.checked_length()) {
        Ok(length) => length.saturating_add(Envelope::LEN),
        Err(error) => return TcpFrame::Bad(error),
    };
    match length.checked_sub(buffered.len()) {
        None | Some(0) => TcpFrame::Complete(length),
        Some(missing) => TcpFrame::NeedMore(missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::sample::message;

    #[test]
    fn every_cut_of_a_message_says_how_much_is_missing() {
        let whole = message(1, 100);
        for cut in 0..20 {
            assert_eq!(tcp_message_length(&whole[..cut]), TcpFrame::NeedMore(20 - cut));
        }
        for cut in 20..120 {
            assert_eq!(tcp_message_length(&whole[..cut]), TcpFrame::NeedMore(120 - cut));
        }
        assert_eq!(tcp_message_length(&whole), TcpFrame::Complete(120));
    }

    #[test]
    fn bytes_of_the_next_message_are_left_alone() {
        let two = [message(1, 100), message(2, 50)].concat();
        assert_eq!(tcp_message_length(&two), TcpFrame::Complete(120));
        assert_eq!(tcp_message_length(&two[120..]), TcpFrame::Complete(70));
    }

    #[test]
    fn lengths_out_of_range_end_the_stream_at_the_envelope() {
        for (announced, accepted) in
            [(0, false), (23, false), (24, true), (262_144, true), (262_145, false), (u32::MAX, false)]
        {
            let mut envelope = message(1, 24);
            envelope.truncate(20);
            envelope[16..].copy_from_slice(&announced.to_be_bytes());
            let frame = tcp_message_length(&envelope);
            assert_eq!(matches!(frame, TcpFrame::NeedMore(_)), accepted, "{announced}: {frame:?}");
            assert_eq!(matches!(frame, TcpFrame::Bad(_)), !accepted, "{announced}: {frame:?}");
        }
    }
}
