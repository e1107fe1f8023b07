//! The bytes a stream has sent and nobody has answered yet, and the messages in them.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use arrayvec::ArrayVec;
use tokio::io::{AsyncRead, AsyncReadExt};
use waymark_wire::Envelope;
use waymark_wire::frame::{TcpFrame, tcp_message_length};

use super::admission::{Memory, Share};
use super::workbench::BATCH;
use crate::config::CONNECTION_BUFFER_BYTES;

/// Incoming bytes of one stream. Grows only as bytes arrive, never by what a message announces, and only within the door's memory.
#[derive(Debug)]
pub(crate) struct Messages {
    bytes: Vec<u8>,
    share: Share,
}

/// The whole messages at the front, and what follows them.
#[derive(Debug)]
pub(crate) struct Whole {
    /// Where each lies.
    pub(crate) ranges: ArrayVec<Range<usize>, BATCH>,
    /// Where the last one ends.
    pub(crate) end: usize,
    pub(crate) rest: Rest,
}

/// What follows the whole messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rest {
    /// Nothing, or part of a message that lacks at least so many bytes.
    Part { missing: usize },
    /// Perhaps more messages; the batch is full.
    Unknown,
    /// No message.
    Bad,
}

/// What came of reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Read {
    /// So many bytes.
    Bytes(usize),
    /// The peer will send no more.
    End,
    /// The door's memory has no room for more bytes of this stream.
    NoMemory,
}

impl Messages {
    pub(crate) fn new(memory: &Arc<Memory>) -> Self {
        Self { bytes: Vec::new(), share: Share::none(memory) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn get(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// Finds up to `limit` messages.
    pub(crate) fn whole(&self, limit: usize) -> Whole {
        let mut whole = Whole { ranges: ArrayVec::new(), end: 0, rest: Rest::Unknown };
        while whole.ranges.len() < limit.min(BATCH) {
            match tcp_message_length(self.bytes.get(whole.end..).unwrap_or_default()) {
                TcpFrame::Complete(length) => {
                    let end = whole.end.saturating_add(length);
                    whole.ranges.push(whole.end..end);
                    whole.end = end;
                }
                TcpFrame::NeedMore(missing) => {
                    whole.rest = Rest::Part { missing };
                    break;
                }
                TcpFrame::Bad(_) => {
                    whole.rest = Rest::Bad;
                    break;
                }
            }
        }
        whole
    }

    /// Forgets the first `count` bytes, and gives memory back that the rest does not need.
    pub(crate) fn consume(&mut self, count: usize) {
        self.bytes.drain(..count.min(self.bytes.len()));
        if self.bytes.len() <= CONNECTION_BUFFER_BYTES && self.bytes.capacity() > CONNECTION_BUFFER_BYTES {
            self.bytes.shrink_to(CONNECTION_BUFFER_BYTES);
            // Making a share smaller always works.
            self.share.resize(0);
        }
    }

    /// Reads what is there, waiting for at least one byte. `missing` is what the message under way lacks. May be dropped while it waits
    /// without losing bytes.
    pub(crate) async fn read(&mut self, reader: &mut (impl AsyncRead + Unpin), missing: usize) -> io::Result<Read> {
        if !self.make_room(missing) {
            return Ok(Read::NoMemory);
        }
        match reader.read_buf(&mut self.bytes).await? {
            0 => Ok(Read::End),
            count => Ok(Read::Bytes(count)),
        }
    }

    /// Grows to twice the size at most, so that memory follows what the peer really sent.
    fn make_room(&mut self, missing: usize) -> bool {
        let length = self.bytes.len();
        if length < self.bytes.capacity() {
            return true;
        }
        let more =
            missing.clamp(1, length.max(CONNECTION_BUFFER_BYTES)).max(CONNECTION_BUFFER_BYTES.saturating_sub(length));
        let wanted = length.saturating_add(more);
        let granted = self.share.resize(wanted.saturating_sub(CONNECTION_BUFFER_BYTES));
        if granted {
            self.bytes.reserve_exact(more);
        }
        granted
    }

    /// What is missing of the message that was begun: bytes announced and bytes there, without the envelope. `None` while not even the
    /// envelope is whole.
    pub(crate) fn begun(&self) -> Option<(usize, usize)> {
        let envelope = Envelope::parse(&self.bytes).ok()?;
        let announced = usize::try_from(envelope.message_length).ok()?;
        Some((announced, self.bytes.len().saturating_sub(Envelope::LEN)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: usize) -> Vec<u8> {
        let mut bytes = vec![0; 20 + 24 + body];
        bytes[16..20].copy_from_slice(&u32::try_from(24 + body).unwrap().to_be_bytes());
        bytes
    }

    async fn filled(memory: &Arc<Memory>, bytes: &[u8]) -> (Messages, Read) {
        let mut messages = Messages::new(memory);
        let mut reader = bytes;
        loop {
            let missing = match messages.whole(1).rest {
                Rest::Part { missing } => missing,
                _ => 1,
            };
            match messages.read(&mut reader, missing).await.unwrap() {
                Read::Bytes(_) => {}
                end => return (messages, end),
            }
        }
    }

    #[tokio::test]
    async fn messages_back_to_back_are_found_and_the_rest_is_kept() {
        let memory = Memory::new(1 << 20);
        let all = [message(6), message(0), message(9)].concat();
        let (mut messages, _) = filled(&memory, &all[..all.len() - 4]).await;
        let whole = messages.whole(BATCH);
        assert_eq!(whole.ranges.as_slice(), [0..50, 50..94]);
        assert_eq!(whole.rest, Rest::Part { missing: 4 });
        messages.consume(whole.end);
        assert_eq!(messages.begun(), Some((33, 29)));
    }

    #[tokio::test]
    async fn no_more_messages_than_asked_for_are_taken() {
        let (messages, _) = filled(&Memory::new(1 << 20), &message(0).repeat(5)).await;
        let whole = messages.whole(2);
        assert_eq!((whole.ranges.len(), whole.end, whole.rest), (2, 88, Rest::Unknown));
    }

    #[tokio::test]
    async fn a_length_no_message_has_is_bad_but_what_came_before_is_whole() {
        let mut bad = message(0);
        bad[16] = 0xff;
        let (messages, _) = filled(&Memory::new(1 << 20), &[message(3), bad].concat()).await;
        let whole = messages.whole(BATCH);
        assert_eq!((whole.ranges.len(), whole.rest), (1, Rest::Bad));
    }

    #[tokio::test]
    async fn an_announced_length_alone_takes_no_memory() {
        let memory = Memory::new(0);
        let (messages, end) = filled(&memory, &message(200_000)[..1000]).await;
        assert_eq!(end, Read::End);
        assert!(messages.bytes.capacity() <= CONNECTION_BUFFER_BYTES);
    }

    #[tokio::test]
    async fn a_message_beyond_the_memory_of_the_door_is_refused_and_memory_comes_back() {
        let memory = Memory::new(64 * 1024);
        let large = message(200_000);
        let (mut messages, end) = filled(&memory, &large).await;
        assert_eq!(end, Read::NoMemory);
        assert!(messages.bytes.capacity() <= 64 * 1024 + CONNECTION_BUFFER_BYTES);
        messages.consume(messages.bytes.len());
        assert!(Share::none(&memory).resize(64 * 1024));
    }
}
