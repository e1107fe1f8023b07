//! One question and its answer, whatever carried them: numbering and matching.

use std::{fmt, time::Duration};

use waymark_wire::{DecodeError, Envelope, Header, Message, OpCode, OpFlags, ResponseCode};

/// How a question travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams, repeated until an answer comes.
    Udp,
    /// One connection.
    Tcp,
    /// A stream of an encrypted connection.
    Quic,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Quic => "quic",
        })
    }
}

/// An answer as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The message: its envelope, then all it announces.
    pub message: Vec<u8>,
    /// What carried it.
    pub transport: Transport,
    /// Datagrams sent; 0 on streams.
    pub packets_sent: u32,
    /// Datagrams that came in under the question's id, repeated ones included; 0 on streams.
    pub packets_received: u32,
    /// From the first byte sent on this transport, connecting included, to the last received.
    pub elapsed: Duration,
}

impl Answer {
    /// Whether the server says over UDP that it is too busy: it does so past its limits for sources whose addresses may be forged,
    /// and for answers of too many datagrams. Neither holds on a connection.
    pub(crate) fn is_sent_elsewhere(&self) -> bool {
        self.transport == Transport::Udp
            && Message::parse(&self.message)
                .is_ok_and(|message| message.header.response_code == ResponseCode::SERVER_TOO_BUSY)
    }
}

/// What an answer must match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    request_id: u32,
    session_id: u32,
    /// `None` when the request is encrypted.
    op: Option<OpCode>,
    is_certified: bool,
}

/// Where the request id stands in an envelope.
const REQUEST_ID: std::ops::Range<usize> = 8..12;

/// Sendings of one certified question that are told apart: more than a deadline of hours has.
const SENDINGS: u32 = 1 << 16;

/// A request id nobody off the path can guess. Neither 0 nor, however often the question is sent again, the id of answers to
/// unreadable requests.
pub(crate) fn random_request_id() -> u32 {
    rand::random_range(1..Envelope::UNREADABLE_REQUEST_ID - SENDINGS)
}

/// Copies a request under an id of its own and says what its answer must match.
///
/// # Errors
/// What the caller gave is no message, or a response.
pub(crate) fn number(request: &[u8], request_id: u32) -> Result<(Vec<u8>, Expected), DecodeError> {
    let envelope = Envelope::parse(request)?;
    let present = request.len().saturating_sub(Envelope::LEN);
    let announced = envelope.checked_length()?;
    if announced != present {
        return Err(DecodeError::Truncated { needed: announced, left: present });
    }
    let mut expected = Expected { request_id, session_id: envelope.session_id, op: None, is_certified: false };
    if !envelope.flags.is_encrypted() {
        let header = Header::parse(request.get(Envelope::LEN..).unwrap_or_default())?;
        if header.response_code != ResponseCode::REQUEST {
            return Err(DecodeError::NotARequest(header.response_code));
        }
        expected.op = Some(header.op);
        expected.is_certified = header.flags.has(OpFlags::CERT);
    }
    let mut numbered = request.to_vec();
    set_request_id(&mut numbered, request_id);
    Ok((numbered, expected))
}

/// Puts an id into the envelope `bytes` start with.
pub(crate) fn set_request_id(bytes: &mut [u8], request_id: u32) {
    if let Some(place) = bytes.get_mut(REQUEST_ID) {
        place.copy_from_slice(&request_id.to_be_bytes());
    }
}

impl Expected {
    /// The id of the `sending`th sending, from 0, over a transport that loses messages. One for all, so that parts of answers to
    /// different sendings complete each other; but one each when the answer is to be certified: a signature covers the time of its
    /// own answer and no mixture.
    pub(crate) const fn id_of_sending(&self, sending: u32) -> u32 {
        if self.is_certified { self.request_id.wrapping_add(sending % SENDINGS) } else { self.request_id }
    }

    /// Whether an envelope has the id of one of the sendings.
    pub(crate) const fn is_for(&self, request_id: u32) -> bool {
        let distance = request_id.wrapping_sub(self.request_id);
        distance == 0 || (self.is_certified && distance < SENDINGS)
    }

    /// Whether repeating the question, even by somebody else, changes nothing: it may travel as early data.
    pub(crate) const fn is_plain_question(&self) -> bool {
        matches!(self.op, Some(OpCode::RESOLUTION | OpCode::GET_SITE_INFO)) && self.session_id == 0
    }

    /// Whether a whole message answers the question: its id, and its operation unless the server could not tell that (0). What is
    /// sent back unchanged is a request still and no answer.
    pub(crate) fn answered_by(&self, bytes: &[u8]) -> bool {
        let Ok(envelope) = Envelope::parse(bytes) else { return false };
        if !self.is_for(envelope.request_id) {
            return false;
        }
        if envelope.flags.is_encrypted() {
            // Only the caller has the session's key.
            return self.session_id != 0 && envelope.session_id == self.session_id;
        }
        Message::parse(bytes).is_ok_and(|message| !message.is_request() && self.is_asked(message.header.op))
    }

    fn is_asked(&self, op: OpCode) -> bool {
        // An answer to a challenge is answered with the operation the challenge was for.
        let is_open = matches!(self.op, None | Some(OpCode::CHALLENGE_ANSWER));
        is_open || op == OpCode::RESERVED || Some(op) == self.op
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{answer, question};

    fn expected_of(request: &[u8]) -> Expected {
        number(request, 77).unwrap().1
    }

    fn with_op(mut message: Vec<u8>, op: OpCode) -> Vec<u8> {
        message[20..24].copy_from_slice(&op.0.to_be_bytes());
        message
    }

    #[test]
    fn a_question_travels_under_its_own_id_and_is_otherwise_unchanged() {
        let request = question(OpFlags::USUAL);
        let (numbered, _) = number(&request, 0x0102_0304).unwrap();
        assert_eq!(numbered[8..12], [1, 2, 3, 4]);
        assert_eq!((&numbered[..8], &numbered[12..]), (&request[..8], &request[12..]));
    }

    #[test]
    fn refuses_to_send_what_is_no_request() {
        let request = question(OpFlags::USUAL);
        for cut in 0..request.len() {
            assert!(number(&request[..cut], 1).is_err(), "{cut} bytes");
        }
        let mut longer = request.clone();
        longer.push(0);
        assert!(number(&longer, 1).is_err());
        assert_eq!(number(&answer(1, b""), 1), Err(DecodeError::NotARequest(ResponseCode::SUCCESS)));
        let mut short = request;
        short.truncate(Envelope::LEN + 23);
        short[16..20].copy_from_slice(&23_u32.to_be_bytes());
        assert_eq!(number(&short, 1), Err(DecodeError::MessageTooShort { length: 23 }));
    }

    #[test]
    fn takes_the_answer_of_its_id_and_operation_only() {
        let expected = expected_of(&question(OpFlags::USUAL));
        assert!(expected.answered_by(&answer(77, b"")));
        assert!(!expected.answered_by(&answer(78, b"")), "another id");
        assert!(!expected.answered_by(&answer(76, b"")), "another id");
        assert!(!expected.answered_by(&with_op(answer(77, b""), OpCode::GET_SITE_INFO)), "another operation");
        assert!(expected.answered_by(&with_op(answer(77, b""), OpCode::RESERVED)), "the server could not read it");
    }

    #[test]
    fn its_own_bytes_sent_back_are_no_answer() {
        let (numbered, expected) = number(&question(OpFlags::USUAL), 77).unwrap();
        assert!(!expected.answered_by(&numbered));
    }

    #[test]
    fn no_cut_of_an_answer_is_an_answer() {
        let expected = expected_of(&question(OpFlags::USUAL));
        let whole = answer(77, b"text");
        for cut in 0..whole.len() {
            assert!(!expected.answered_by(&whole[..cut]), "{cut} bytes");
        }
        let mut lying = whole;
        lying[40..44].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(!expected.answered_by(&lying), "a body longer than the message");
    }

    #[test]
    fn an_answered_challenge_brings_the_answer_to_the_first_question() {
        let expected = expected_of(&with_op(question(OpFlags::USUAL), OpCode::CHALLENGE_ANSWER));
        assert!(expected.answered_by(&answer(77, b"")));
        assert!(!expected.is_plain_question());
    }

    #[test]
    fn encrypted_answers_count_in_their_own_session_only() {
        let in_session = |session: u32, mut message: Vec<u8>| {
            message[4..8].copy_from_slice(&session.to_be_bytes());
            message
        };
        let encrypted = |mut message: Vec<u8>| {
            message[2] |= 0x40;
            message
        };
        let expected = expected_of(&in_session(5, encrypted(question(OpFlags::USUAL))));
        assert!(expected.answered_by(&in_session(5, encrypted(answer(77, b"")))));
        assert!(!expected.answered_by(&in_session(6, encrypted(answer(77, b"")))));
        assert!(expected.answered_by(&answer(77, b"")), "a session that is unknown is refused in the clear");
        let open = expected_of(&question(OpFlags::USUAL));
        assert!(!open.answered_by(&encrypted(answer(77, b""))), "nobody could read it");
    }

    #[test]
    fn only_certified_questions_have_an_id_for_each_sending() {
        let plain = expected_of(&question(OpFlags::USUAL));
        assert_eq!((plain.id_of_sending(0), plain.id_of_sending(9)), (77, 77));
        assert!(!plain.is_for(78));
        let certified = expected_of(&question(OpFlags::USUAL.with(OpFlags::CERT)));
        assert_eq!((certified.id_of_sending(0), certified.id_of_sending(9)), (77, 86));
        assert!(certified.is_for(77) && certified.is_for(86) && !certified.is_for(76));
        assert!(certified.answered_by(&answer(86, b"")), "a late answer to an earlier sending counts");
    }

    #[test]
    fn no_sending_has_a_reserved_id() {
        let mut expected = expected_of(&question(OpFlags::USUAL.with(OpFlags::CERT)));
        for id in std::iter::repeat_with(random_request_id).take(1_000) {
            expected.request_id = id;
            let last = expected.id_of_sending(u32::MAX);
            assert!(id != 0 && last != 0 && last != Envelope::UNREADABLE_REQUEST_ID && last >= id);
        }
    }

    #[test]
    fn only_a_busy_answer_over_udp_sends_elsewhere() {
        let busy = |transport, code: ResponseCode| {
            let mut message = answer(1, b"");
            message[24..28].copy_from_slice(&code.0.to_be_bytes());
            Answer { message, transport, packets_sent: 1, packets_received: 1, elapsed: Duration::ZERO }
                .is_sent_elsewhere()
        };
        assert!(busy(Transport::Udp, ResponseCode::SERVER_TOO_BUSY));
        assert!(!busy(Transport::Tcp, ResponseCode::SERVER_TOO_BUSY));
        assert!(!busy(Transport::Udp, ResponseCode::HANDLE_NOT_FOUND));
    }
}
