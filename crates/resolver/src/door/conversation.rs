//! Messages back to back on one stream, and their answers: the part TCP connections and QUIC streams have in common.
//!
//! ```text
//! read - whole messages? -+- yes: answer them together - write -+- more bytes, or keep open: read
//!                         |                                     +- else: end
//!                         +- no, but part of one: read, until the time of a message is over
//!                         +- no, and nothing: rest, until the time for that is over or the door drains
//! ```
//! Answers to what is in memory leave together. An answer that needs the slow pool is waited for where order matters (TCP); on a QUIC
//! stream up to [`IN_FLIGHT`] of them are under way while later messages are answered.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use waymark_wire::OpCode;
use waymark_wire::keep_open::keeps_connection;
use waymark_wire::message::{Head, Message};
use waymark_wire::request::RequestBody;

use super::admission::{Connections, Memory, Share};
use super::clock::Clock;
use super::counters::{DoorCounters, DoorEvent};
use super::messages::{Messages, Read, Rest, Whole};
use super::refusal::{BAD_LENGTH, BUSY, READ_TIMED_OUT, Refusal};
use super::slow_pool::{Given, Job};
use super::workbench::{Answered, Workbenches};
use super::{Draining, Shared};
use crate::config::CONNECTION_BUFFER_BYTES;
use crate::question::{Action, DropReason, Origin, OwnedQuestion, SlowReason};

/// Answers of one QUIC stream that may be in the slow pool at the same time. Few: each may be as large as a message, and waits in memory
/// when the peer is slow.
const IN_FLIGHT: usize = 4;

/// Reads of one stream after draining has begun: enough for all that the largest socket buffer held by then.
const READS_WHILE_DRAINING: usize = 4096;

/// What all connections of a door share.
#[derive(Debug)]
pub(crate) struct StreamDoor {
    pub(crate) shared: Arc<Shared>,
    pub(crate) benches: Arc<Workbenches>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) counters: Arc<DoorCounters>,
}

impl StreamDoor {
    pub(crate) fn new(shared: &Arc<Shared>, benches: &Arc<Workbenches>) -> Arc<Self> {
        let limits = &shared.limits;
        Arc::new(Self {
            shared: Arc::clone(shared),
            benches: Arc::clone(benches),
            connections: Connections::new(limits.connections, limits.connections_per_source),
            memory: Memory::new(limits.stream_buffer_bytes),
            counters: Arc::new(DoorCounters::new()),
        })
    }
}

/// Whether answers keep the order of their messages, and who ends the stream.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// TCP: answers in order; the server closes unless the client is known to keep connections.
    InOrder,
    /// QUIC: answers as they come; the client ends the stream. The flag becomes true when the handshake is complete; until then only
    /// plain questions are answered.
    AnyOrder { confirmed: watch::Receiver<bool> },
}

/// How a conversation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// As it should: everything asked is answered.
    Done,
    /// The peer broke a rule; it was told so, where it could be.
    Cut(DoorEvent),
    /// The peer does not take its answers, or is gone.
    Lost,
}

/// One stream.
pub(crate) struct Conversation<R, W> {
    reader: R,
    writer: W,
    door: Arc<StreamDoor>,
    origin: Origin,
    manner: Manner,
    draining: Draining,
    messages: Messages,
    output: Vec<u8>,
    output_share: Share,
    slow: (mpsc::UnboundedSender<SlowAnswer>, mpsc::UnboundedReceiver<SlowAnswer>),
    in_flight: usize,
    /// Whether anything was ever answered.
    begun: bool,
    reads_while_draining: usize,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Conversation<R, W> {
    pub(crate) fn new(
        (reader, writer): (R, W),
        door: &Arc<StreamDoor>,
        origin: Origin,
        manner: Manner,
        draining: Draining,
    ) -> Self {
        Self {
            reader,
            writer,
            door: Arc::clone(door),
            origin,
            manner,
            draining,
            messages: Messages::new(&door.memory),
            output: Vec::new(),
            output_share: Share::none(&door.memory),
            slow: mpsc::unbounded_channel(),
            in_flight: 0,
            begun: false,
            reads_while_draining: 0,
        }
    }

    /// Answers until one side ends the stream. Everything answered has been handed to the transport then.
    pub(crate) async fn run(&mut self) -> End {
        let end = match self.converse().await {
            Ok(()) => End::Done,
            Err(end) => end,
        };
        if let End::Cut(reason) = end {
            self.door.counters.add(reason, 1);
        }
        if end == End::Lost {
            let transport = self.origin.transport;
            self.door
                .benches
                .with(|bench| bench.answerer.counters().dropped(transport, DropReason::ConnectionLost))
                .await;
        }
        end
    }

    async fn converse(&mut self) -> Result<(), End> {
        loop {
            let whole = self.messages.whole(self.door.shared.limits.stream_batch);
            if !whole.ranges.is_empty() {
                let keep_open = self.answer(&whole).await?;
                self.messages.consume(whole.end);
                if !keep_open && !self.is_more_waiting().await {
                    return Ok(());
                }
                continue;
            }
            let Rest::Part { missing } = whole.rest else {
                return self.cut(BAD_LENGTH, DoorEvent::CutBadFrame).await;
            };
            if !self.read(missing).await? {
                return self.finish().await;
            }
        }
    }

    /// Waits for bytes, or for an answer of the slow pool and writes it. `false` when no more is to come.
    async fn read(&mut self, missing: usize) -> Result<bool, End> {
        let limits = &self.door.shared.limits;
        let is_resting = self.messages.is_empty();
        let time = match (is_resting, self.begun) {
            (false, _) => limits.message_time,
            (true, true) => limits.idle_time,
            (true, false) => limits.first_byte_time,
        };
        let may_read = self.in_flight < IN_FLIGHT;
        let deadline = tokio::time::sleep(time);
        tokio::pin!(deadline);
        loop {
            if self.is_overdue() {
                return Ok(false);
            }
            let read = tokio::select! {
                biased;
                Some(answer) = self.slow.1.recv(), if self.in_flight > 0 => {
                    self.in_flight = self.in_flight.saturating_sub(1);
                    write(&mut self.writer, &self.door, &answer.bytes).await?;
                    return Ok(true);
                }
                read = self.messages.read(&mut self.reader, missing), if may_read => read,
                () = self.draining.begun(), if is_resting => return Ok(false),
                () = &mut deadline, if self.in_flight == 0 => return self.too_late(is_resting).await,
            };
            match read {
                Ok(Read::Bytes(count)) => {
                    self.door.counters.add(DoorEvent::BytesIn, count);
                    if is_resting || self.is_whole() {
                        return Ok(true);
                    }
                    // Still the same message: its time goes on.
                }
                Ok(Read::End) => return self.ended().await,
                Ok(Read::NoMemory) => return self.cut(BUSY, DoorEvent::BusyMemory).await.map(|()| false),
                Err(_) => return Err(End::Lost),
            }
        }
    }

    /// Whether a draining node has read enough of this stream: what had arrived is read long since, and only a peer that goes on sending
    /// is still there.
    fn is_overdue(&mut self) -> bool {
        if self.draining.has_begun() {
            self.reads_while_draining = self.reads_while_draining.saturating_add(1);
        }
        self.reads_while_draining > READS_WHILE_DRAINING
    }

    fn is_whole(&self) -> bool {
        !matches!(self.messages.whole(1), Whole { rest: Rest::Part { .. }, .. })
    }

    /// The peer will send no more: in order between two messages, but not inside one.
    async fn ended(&mut self) -> Result<bool, End> {
        if self.messages.is_empty() {
            return Ok(false);
        }
        match self.messages.begun() {
            Some((announced, there)) => {
                let text = format!("Expecting {announced} bytes, only received {there}");
                let refusal = Refusal { text: &text, ..BAD_LENGTH };
                self.cut(refusal, DoorEvent::CutPartialMessage).await.map(|()| false)
            }
            None => self.cut(BAD_LENGTH, DoorEvent::CutPartialMessage).await.map(|()| false),
        }
    }

    /// The time for the next byte is over.
    async fn too_late(&mut self, is_resting: bool) -> Result<bool, End> {
        if is_resting && self.begun {
            // A client that keeps its connection expects no message it did not ask for.
            return Err(End::Cut(DoorEvent::CutIdle));
        }
        let reason = if is_resting { DoorEvent::CutIdle } else { DoorEvent::CutSlowWriter };
        self.cut(READ_TIMED_OUT, reason).await.map(|()| false)
    }

    /// Tells the peer why, and ends.
    async fn cut(&mut self, refusal: Refusal<'_>, reason: DoorEvent) -> Result<(), End> {
        self.finish().await?;
        let told = self.door.shared.own.refuse_stream(Clock::now(), self.messages.bytes(), refusal);
        write(&mut self.writer, &self.door, &told).await?;
        Err(End::Cut(reason))
    }

    /// Waits for what the slow pool still has.
    async fn finish(&mut self) -> Result<(), End> {
        while self.in_flight > 0 {
            self.take_slow().await?;
        }
        Ok(())
    }

    /// Writes the next answer of the slow pool; gives whether it keeps the stream open.
    async fn take_slow(&mut self) -> Result<bool, End> {
        let answer = self.slow.1.recv().await.ok_or(End::Lost)?;
        self.in_flight = self.in_flight.saturating_sub(1);
        write(&mut self.writer, &self.door, &answer.bytes).await?;
        Ok(answer.keep_open)
    }

    /// Whether bytes are waiting that would be lost by closing.
    async fn is_more_waiting(&mut self) -> bool {
        if !self.messages.is_empty() {
            return true;
        }
        // Polls once: what the kernel has is there at once, and nothing else counts.
        let read = timeout(Duration::ZERO, self.messages.read(&mut self.reader, 1)).await;
        match read {
            Ok(Ok(Read::Bytes(count))) => {
                self.door.counters.add(DoorEvent::BytesIn, count);
                true
            }
            _ => false,
        }
    }

    /// Answers whole messages and hands the answers to the transport. Gives whether the last one keeps the stream open.
    async fn answer(&mut self, whole: &Whole) -> Result<bool, End> {
        self.wait_for_handshake(whole).await?;
        let (origin, since) = (self.origin, self.door.shared.clock.elapsed());
        let Self { messages, output, door, .. } = self;
        let questions = whole.ranges.iter().map(|range| messages.get(range.clone()));
        let answered = door.benches.with(|bench| bench.answer(origin, since, questions, output)).await;
        if !self.may_hold(0) {
            self.output.clear();
            return self.cut(BUSY, DoorEvent::BusyMemory).await.map(|()| false);
        }
        let mut ready = 0;
        let mut keep_open = false;
        for (answered, range) in answered.into_iter().zip(&whole.ranges) {
            match answered {
                Answered::Reply { length, keep_open: keeps } => {
                    ready = length.saturating_add(ready);
                    keep_open = keeps;
                }
                Answered::Nothing => keep_open = false,
                Answered::Large => {
                    self.flush(&mut ready).await?;
                    keep_open = self.answer_large(range.clone(), since).await?;
                }
                Answered::Slow(reason) => {
                    self.flush(&mut ready).await?;
                    keep_open = self.answer_slowly(range.clone(), since, reason).await?;
                }
            }
        }
        self.flush(&mut ready).await?;
        self.output.shrink_to(CONNECTION_BUFFER_BYTES);
        self.output_share.resize(0);
        self.note_exchange();
        Ok(keep_open || matches!(self.manner, Manner::AnyOrder { .. }))
    }

    /// Writes the first `ready` bytes of the output.
    async fn flush(&mut self, ready: &mut usize) -> Result<(), End> {
        let count = std::mem::take(ready);
        write(&mut self.writer, &self.door, self.output.get(..count).unwrap_or_default()).await?;
        self.output.drain(..count.min(self.output.len()));
        Ok(())
    }

    /// Makes one large answer and writes it. The output behind it stays as it is.
    async fn answer_large(&mut self, range: Range<usize>, since: Duration) -> Result<bool, End> {
        let (origin, message) = (self.origin, self.messages.get(range.clone()));
        let mut output = Vec::new();
        let answered = self.door.benches.with(|bench| bench.answer_large(origin, since, message, &mut output)).await;
        if !self.may_hold(output.len()) {
            return self.refuse(range, DoorEvent::BusyMemory).await;
        }
        write(&mut self.writer, &self.door, &output).await?;
        match answered {
            Answered::Reply { keep_open, .. } => Ok(keep_open),
            Answered::Slow(reason) => self.answer_slowly(range, since, reason).await,
            Answered::Nothing | Answered::Large => Ok(false),
        }
    }

    /// Takes memory for the output and `more` bytes while the peer takes them; `false` when the other connections leave too little.
    fn may_hold(&mut self, more: usize) -> bool {
        let held = self.output.len().saturating_add(more);
        self.output_share.resize(held.saturating_sub(CONNECTION_BUFFER_BYTES))
    }

    /// Answers one message with "too busy". Gives whether the stream stays open.
    async fn refuse(&mut self, range: Range<usize>, reason: DoorEvent) -> Result<bool, End> {
        self.door.counters.add(reason, 1);
        let message = self.messages.get(range);
        let keep_open = keeps_open(message);
        let refusal = self.door.shared.own.refuse_stream(Clock::now(), message, BUSY);
        write(&mut self.writer, &self.door, &refusal).await?;
        Ok(keep_open)
    }

    /// Hands a message to the slow pool; in order, waits for the answer.
    async fn answer_slowly(&mut self, range: Range<usize>, since: Duration, reason: SlowReason) -> Result<bool, End> {
        while self.in_flight >= IN_FLIGHT {
            self.take_slow().await?;
        }
        let message = self.messages.get(range.clone());
        let question = OwnedQuestion { origin: self.origin, request: message.into() };
        let answers = self.slow.0.clone();
        let reply = Box::new(move |action: Action, bytes: &[u8]| {
            let keep_open = matches!(action, Action::Reply { keep_open: true, .. });
            // The receiver is gone when the connection is.
            let _ = answers.send(SlowAnswer { bytes: bytes.into(), keep_open });
            Given::Answer
        });
        if !self.door.shared.slow.submit(Job { question, reason, since, reply }) {
            let (origin, message) = (self.origin, self.messages.get(range.clone()));
            self.door.benches.with(|bench| bench.refused(origin, since, message)).await;
            return self.refuse(range, DoorEvent::BusySlowPool).await;
        }
        self.in_flight = self.in_flight.saturating_add(1);
        match self.manner {
            Manner::InOrder => self.take_slow().await,
            Manner::AnyOrder { .. } => Ok(true),
        }
    }

    /// Early data can be sent again by anybody who saw it: only questions that change nothing are answered before the handshake is
    /// complete.
    async fn wait_for_handshake(&mut self, whole: &Whole) -> Result<(), End> {
        let Manner::AnyOrder { confirmed } = &mut self.manner else { return Ok(()) };
        if *confirmed.borrow() || whole.ranges.iter().all(|range| is_plain_question(self.messages.get(range.clone()))) {
            return Ok(());
        }
        self.door.counters.add(DoorEvent::EarlyWaited, 1);
        let complete = timeout(self.door.shared.limits.message_time, confirmed.wait_for(|confirmed| *confirmed)).await;
        if matches!(complete, Ok(Ok(_))) { Ok(()) } else { Err(End::Lost) }
    }

    /// The peer sent a question and can be answered: its address is real, so its source is exempt from the limits of UDP.
    fn note_exchange(&mut self) {
        self.begun = true;
        let is_proven = match &self.manner {
            Manner::InOrder => true,
            Manner::AnyOrder { confirmed } => *confirmed.borrow(),
        };
        if is_proven {
            let shared = &self.door.shared;
            shared.policy.exempt(shared.clock.moment(), self.origin.peer.ip());
        }
    }
}

/// An answer of the slow pool; empty when the question gets none.
struct SlowAnswer {
    bytes: Box<[u8]>,
    keep_open: bool,
}

/// Whether a message is a question that changes nothing: resolution or site information.
pub(crate) fn is_plain_question(message: &[u8]) -> bool {
    Head::parse(message).is_ok_and(|head| matches!(head.header.op, OpCode::RESOLUTION | OpCode::GET_SITE_INFO))
}

/// Whether the sender of a message keeps its connection.
fn keeps_open(message: &[u8]) -> bool {
    Message::parse(message)
        .is_ok_and(|message| keeps_connection(&message, RequestBody::parse(&message).ok().as_ref(), false))
}

/// Hands bytes to the transport, as long as the peer takes some in time.
async fn write(writer: &mut (impl AsyncWrite + Unpin), door: &StreamDoor, bytes: &[u8]) -> Result<(), End> {
    if bytes.is_empty() {
        return Ok(());
    }
    let all = async {
        writer.write_all(bytes).await?;
        writer.flush().await
    };
    match timeout(door.shared.limits.write_time, all).await {
        Ok(Ok(())) => {
            door.counters.add(DoorEvent::BytesOut, bytes.len());
            Ok(())
        }
        Ok(Err(_)) => Err(End::Lost),
        Err(_) => Err(End::Cut(DoorEvent::CutSlowReader)),
    }
}
