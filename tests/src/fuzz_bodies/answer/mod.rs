//! Whole requests and batches of them, through everything that makes an answer.

mod data;

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;

use waymark_resolver::{Action, Answerer, DropReason, Now, Origin, OwnedQuestion, Question, Transport};
use waymark_wire::crypto::PublicKey;
use waymark_wire::crypto::signed_message::verify_certified;
use waymark_wire::frame::{TcpFrame, tcp_message_length};
use waymark_wire::limits::ResponseLimits;
use waymark_wire::response::Response;
use waymark_wire::{Envelope, Message, OpFlags, ResponseCode};

use data::{Answerers, SECRET};

/// The time of every answer.
const NOW: Now = Now { unix_seconds: 1_800_000_000, uptime: std::time::Duration::from_secs(1_000) };
/// Largest answer there is.
const MOST_ANSWER_BYTES: usize = Envelope::LEN + 262_144;
/// Rooms a door may offer first.
const ROOMS: [usize; 4] = [4_096, 0, 64, 512];
/// How often the questions of a batch are repeated: more than one pass at the end.
const REPEATS: [usize; 4] = [1, 2, 5, 70];
/// Questions in one batch.
const MOST_QUESTIONS: usize = 140;

thread_local! {
    /// Made once for each thread; an input finds it as it was before.
    static ANSWERERS: RefCell<Answerers> = RefCell::new(Answerers::new());
}

/// The first byte gives the shape of the batch, the rest is one request, or several back to back as on a stream.
///
/// Every question leaves with an action, whichever transport it came over. An answer is well formed, answers the request it was made for,
/// and holds nothing the public may not read. It is the same whatever questions come with it, whatever room is offered first, and
/// whether its record lies in memory or on disk.
pub fn answer(input: &[u8]) {
    let Some((shape, requests)) = input.split_first() else { return };
    let shape = usize::from(*shape);
    let questions = if shape & 1 == 0 { vec![requests] } else { cut(requests) };
    let count = (questions.len() * REPEATS[shape >> 1 & 3]).min(MOST_QUESTIONS);
    let batch: Vec<&[u8]> = questions.iter().copied().cycle().take(count).collect();
    ANSWERERS.with_borrow_mut(|answerers| {
        for transport in [Transport::Tcp, Transport::Udp] {
            let room = ROOMS[shape >> 3 & 3];
            let warm = ask_all(&mut answerers.warm, transport, &batch, room);
            let cold = ask_all(&mut answerers.cold, transport, &batch, room);
            let mut alone: HashMap<&[u8], Rc<Ending>> = HashMap::new();
            for ((request, warm), cold) in batch.iter().zip(&warm).zip(&cold) {
                let alone = alone.entry(request).or_insert_with(|| {
                    let ending = ask(&mut answerers.warm, transport, request, 4_096);
                    check(request, &ending, answerers.key.public_key());
                    ending
                });
                assert_same(warm, alone, "alone or with others, in any room");
                assert_same(cold, alone, "from memory or from disk");
            }
        }
    });
}

/// Requests back to back; what is behind the last whole one is one more.
fn cut(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut requests = Vec::new();
    while let TcpFrame::Complete(length) = tcp_message_length(stream) {
        let (request, rest) = stream.split_at(length);
        requests.push(request);
        stream = rest;
    }
    requests.push(stream);
    requests
}

/// What became of a question in the end.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Ending {
    Answer { bytes: Vec<u8>, keep_open: bool },
    Dropped(DropReason),
}

fn origin(transport: Transport) -> Origin {
    Origin { transport, peer: SocketAddr::from(([192, 0, 2, 1], 40_000)), local: None }
}

/// Asks everything in one batch, then each again that needs more, as doors do.
fn ask_all(answerer: &mut Answerer, transport: Transport, requests: &[&[u8]], room: usize) -> Vec<Rc<Ending>> {
    let mut rooms = vec![vec![0xaa; room]; requests.len()];
    let mut questions: Vec<Question<'_>> = requests
        .iter()
        .zip(&mut rooms)
        .map(|(request, room)| Question::new(origin(transport), request, room))
        .collect();
    answerer.answer_batch(NOW, &mut questions);
    let actions: Vec<Action> = questions.iter().map(|question| question.action).collect();
    // What has to be asked again takes long, and gives the same each time.
    let mut again: HashMap<&[u8], Rc<Ending>> = HashMap::new();
    let mut endings = Vec::with_capacity(requests.len());
    for ((action, request), mut room) in actions.into_iter().zip(requests).zip(rooms) {
        endings.push(match action {
            Action::Reply { length, keep_open } => {
                assert!(length <= room.len(), "an answer longer than its room");
                room.truncate(length);
                Rc::new(Ending::Answer { bytes: room, keep_open })
            }
            Action::Drop(reason) => Rc::new(Ending::Dropped(reason)),
            Action::NeedsRoom(needed) => {
                assert!(needed > room.len(), "asked for room that was there");
                again.entry(request).or_insert_with(|| ask_with_room(answerer, transport, request, needed)).clone()
            }
            Action::Continue(_) => {
                again.entry(request).or_insert_with(|| Rc::new(ask_slowly(answerer, transport, request))).clone()
            }
            Action::Pending => panic!("a question was left behind"),
        });
    }
    endings
}

/// Asks one question by itself.
fn ask(answerer: &mut Answerer, transport: Transport, request: &[u8], room: usize) -> Rc<Ending> {
    let mut endings = ask_all(answerer, transport, &[request], room);
    endings.pop().expect("one question")
}

/// Asks again with the room an answer needs: it fits exactly.
fn ask_with_room(answerer: &mut Answerer, transport: Transport, request: &[u8], needed: usize) -> Rc<Ending> {
    assert!(needed <= MOST_ANSWER_BYTES, "no message is that long");
    let again = ask(answerer, transport, request, needed);
    assert!(matches!(&*again, Ending::Answer { bytes, .. } if bytes.len() == needed), "and then it fits");
    again
}

fn ask_slowly(answerer: &mut Answerer, transport: Transport, request: &[u8]) -> Ending {
    let mut room = Vec::new();
    match answerer.answer_slowly(NOW, &OwnedQuestion { origin: origin(transport), request: request.into() }, &mut room)
    {
        Action::Reply { length, keep_open } => {
            assert_eq!(length, room.len());
            assert!(length <= MOST_ANSWER_BYTES);
            Ending::Answer { bytes: room, keep_open }
        }
        Action::Drop(reason) => Ending::Dropped(reason),
        other => panic!("the slow path left {other:?}"),
    }
}

/// What must hold of any ending.
fn check(request: &[u8], ending: &Ending, key: &PublicKey) {
    let envelope = Envelope::parse(request).ok();
    let answer = match ending {
        Ending::Dropped(DropReason::TooShort) => {
            assert_eq!(envelope, None, "whoever sent an envelope gets an answer");
            return;
        }
        Ending::Dropped(reason) => {
            assert_eq!(*reason, DropReason::Response);
            let code = request.get(Envelope::LEN + 4..Envelope::LEN + 8);
            assert!(code.is_some_and(|code| code != [0; 4]), "only responses go unanswered");
            return;
        }
        Ending::Answer { bytes, .. } => bytes,
    };
    let envelope = envelope.expect("answered without knowing to whom");
    let response = Response::parse(answer, ResponseLimits::WHOLE_MESSAGE).expect("a well-formed answer");
    assert_eq!(response.message.envelope.request_id, envelope.request_id);
    assert_eq!(response.message.envelope.message_length as usize + Envelope::LEN, answer.len());
    assert!(!response.message.envelope.flags.is_truncated() && !response.message.envelope.flags.is_encrypted());
    let certified = match Message::parse(request) {
        Ok(request) => {
            assert_eq!(response.message.header.op, request.header.op);
            request.header.flags.has(OpFlags::CERT)
        }
        Err(_) => false,
    };
    assert_eq!(response.message.credential.is_some(), certified, "signed if that was asked for, and only then");
    if certified {
        assert_eq!(verify_certified(&response.message, key), Ok(()));
    }
    assert!(contains(request, SECRET) || !contains(answer, SECRET), "a value the public may not read");
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Both endings are the same, but for what is drawn at random for a challenge or a signature.
fn assert_same(one: &Ending, other: &Ending, what: &str) {
    let same = match (one, other) {
        (Ending::Answer { bytes: one, keep_open }, Ending::Answer { bytes: other, keep_open: other_keeps }) => {
            keep_open == other_keeps && same_answers(one, other)
        }
        _ => one == other,
    };
    assert!(same, "{what}: {one:02x?}\nis not\n{other:02x?}");
}

fn same_answers(one: &[u8], other: &[u8]) -> bool {
    if one == other {
        return true;
    }
    let (Ok(one), Ok(other)) = (Message::parse(one), Message::parse(other)) else { return false };
    let code = one.header.response_code;
    if code == ResponseCode::AUTHENTICATION_NEEDED {
        return code == other.header.response_code && one.body.len() == other.body.len();
    }
    one.signed == other.signed && one.credential.is_some() && other.credential.is_some()
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;

    use waymark_resolver::SlowReason;
    use waymark_wire::Head;
    use waymark_wire::request::RequestWriter;

    use super::*;

    fn request(handle: &str, flags: OpFlags) -> Vec<u8> {
        RequestWriter::new(Vec::new(), Head::request(1, flags, 0)).resolution(handle.as_bytes(), &[], &[], None)
    }

    fn first_action(answerer: &mut Answerer, request: &[u8]) -> Action {
        let mut room = vec![0; 4_096];
        let mut questions = [Question::new(origin(Transport::Tcp), request, &mut room)];
        answerer.answer_batch(NOW, &mut questions);
        questions[0].action
    }

    #[test]
    fn every_way_to_an_answer_is_there_to_be_taken() {
        let mut answerers = Answerers::new();
        let item = request("88.111.1/item-0000001", OpFlags::USUAL);
        assert!(matches!(first_action(&mut answerers.warm, &item), Action::Reply { .. }));
        assert_eq!(first_action(&mut answerers.cold, &item), Action::Continue(SlowReason::Cold));
        let large = request("88.111.1/big200k", OpFlags::USUAL);
        assert!(matches!(first_action(&mut answerers.warm, &large), Action::NeedsRoom(96_000..)));
        let certified = request("88.111.1/item-0000001", OpFlags::USUAL.with(OpFlags::CERT));
        assert_eq!(first_action(&mut answerers.warm, &certified), Action::Continue(SlowReason::Sign));
    }

    #[test]
    fn a_value_the_public_may_not_read_would_be_noticed() {
        let mut answerers = Answerers::new();
        let key = Arc::clone(&answerers.key);
        let partly = request("88.111.1/partly", OpFlags::USUAL.without(OpFlags::PUBL));
        check(&partly, &ask(&mut answerers.warm, Transport::Tcp, &partly, 4_096), key.public_key());
        // The same answer as if the node had forgotten what is public.
        let told = request("88.111.1/item-0000001", OpFlags::USUAL);
        let mut leaked = Rc::unwrap_or_clone(ask(&mut answerers.warm, Transport::Tcp, &told, 4_096));
        let Ending::Answer { bytes, .. } = &mut leaked else { panic!("an answer") };
        let at = bytes.windows(8).position(|window| window == b"https://").expect("its URL");
        bytes[at..at + SECRET.len()].copy_from_slice(SECRET);
        let judged = catch_unwind(AssertUnwindSafe(|| check(&told, &leaked, key.public_key())));
        assert!(judged.is_err());
    }
}
