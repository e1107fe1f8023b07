//! Messages back to back on a stream.

use tokio::io::{AsyncRead, AsyncReadExt};
use waymark_wire::frame::{TcpFrame, tcp_message_length};

use crate::{config::READ_BYTES, error::Failure};

/// What arrived on a stream and was not handed on yet.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    bytes: Vec<u8>,
    /// Bytes at the front that were handed on.
    taken: usize,
}

impl Arrived {
    /// Reads from `stream` until there is a whole message, and gives it. Never holds more than one message of the largest size and
    /// what came with it in one read. Dropping the future loses nothing: what arrived stays for the next call.
    pub(crate) async fn next_message(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>, Failure> {
        loop {
            let rest = self.bytes.get(self.taken..).unwrap_or_default();
            match tcp_message_length(rest) {
                TcpFrame::Complete(length) => {
                    let message = rest.get(..length).unwrap_or_default().to_vec();
                    self.taken = self.taken.saturating_add(length);
                    return Ok(message);
                }
                TcpFrame::NeedMore(more) => {
                    self.bytes.drain(..self.taken);
                    self.taken = 0;
                    self.bytes.reserve(more.max(READ_BYTES));
                    if stream.read_buf(&mut self.bytes).await? == 0 {
                        return Err(Failure::Closed);
                    }
                }
                TcpFrame::Bad(error) => return Err(Failure::NotAMessage(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use waymark_wire::DecodeError;

    use super::*;
    use crate::sample::answer;

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test)
    }

    #[test]
    fn messages_come_out_whole_however_they_were_cut() {
        let messages: Vec<Vec<u8>> =
            (0..40).map(|number: u32| answer(number, &vec![7; usize::try_from(number * number).unwrap()])).collect();
        let all = messages.concat();
        for piece in [1, 19, 20, 43, 1_000, all.len()] {
            run(async {
                let (mut near, far) = tokio::io::duplex(64);
                let writer = tokio::spawn({
                    let all = all.clone();
                    async move {
                        let mut far = far;
                        for piece in all.chunks(piece) {
                            far.write_all(piece).await.unwrap();
                        }
                    }
                });
                let mut arrived = Arrived::default();
                for message in &messages {
                    assert_eq!(&arrived.next_message(&mut near).await.unwrap(), message);
                }
                assert!(matches!(arrived.next_message(&mut near).await, Err(Failure::Closed)));
                writer.await.unwrap();
            });
        }
    }

    #[test]
    fn giving_up_in_the_middle_of_a_message_loses_nothing() {
        run(async {
            let (mut near, mut far) = tokio::io::duplex(1_024);
            let message = answer(1, b"some content");
            let (front, back) = message.split_at(30);
            far.write_all(front).await.unwrap();
            let mut arrived = Arrived::default();
            tokio::select! {
                biased;
                _ = arrived.next_message(&mut near) => panic!("half a message is none"),
                () = std::future::ready(()) => {}
            }
            far.write_all(back).await.unwrap();
            assert_eq!(arrived.next_message(&mut near).await.unwrap(), message);
        });
    }

    #[test]
    fn an_end_inside_a_message_and_a_length_no_message_has_are_told_apart() {
        run(async {
            let message = answer(1, b"some content");
            let mut cut = &message[..message.len() - 1];
            assert!(matches!(Arrived::default().next_message(&mut cut).await, Err(Failure::Closed)));
            let mut garbage = &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..];
            let failure = Arrived::default().next_message(&mut garbage).await;
            assert!(matches!(failure, Err(Failure::NotAMessage(DecodeError::MessageTooLong { .. }))));
        });
    }

    #[test]
    fn memory_follows_the_message_and_not_what_was_read_before() {
        run(async {
            let all: Vec<u8> = (0..20_000).flat_map(|number| answer(number, b"some content")).collect();
            let mut stream = &all[..];
            let mut arrived = Arrived::default();
            for _ in 0..20_000 {
                arrived.next_message(&mut stream).await.unwrap();
            }
            assert!(arrived.bytes.capacity() <= 4 * READ_BYTES, "{} bytes", arrived.bytes.capacity());
        });
    }
}
