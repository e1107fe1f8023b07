//! Load over TCP and QUIC: connections that stay open, many questions under way on each.

use std::{net::SocketAddr, time::Duration};

use tokio::time::{Instant, sleep_until, timeout_at};
use waymark_client::{Failure, Trust, quic, tcp};
use waymark_wire::Envelope;

use super::{pace::Pace, question::Questions, tally::Tally};

/// How long the last answers are waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of questions written at once at most.
const WRITE_BYTES: usize = 64 * 1_024;

/// A connection of either kind.
pub(crate) enum Connection {
    /// TCP.
    Tcp(tcp::Connection),
    /// A stream of a QUIC connection, which lives as long as this.
    Quic { stream: Box<quic::Stream>, _connection: Box<quic::Connection> },
}

impl Connection {
    /// Connects over TCP.
    pub(crate) async fn tcp(server: SocketAddr) -> Result<Self, Failure> {
        Ok(Self::Tcp(tcp::Connection::open(server).await?))
    }

    /// Connects over QUIC and opens a stream.
    pub(crate) async fn quic(server: SocketAddr, name: &str, trust: &Trust) -> Result<Self, Failure> {
        let connection = quic::Connection::open(server, name, trust).await?;
        let stream = connection.stream().await?;
        Ok(Self::Quic { stream: Box::new(stream), _connection: Box::new(connection) })
    }

    async fn send(&mut self, messages: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Tcp(connection) => Ok(connection.send(messages).await?),
            Self::Quic { stream, .. } => stream.send(messages).await,
        }
    }

    async fn receive(&mut self) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Tcp(connection) => connection.receive().await,
            Self::Quic { stream, .. } => stream.receive().await,
        }
    }
}

/// Asks on one connection from `started` until `length` is over, then waits a moment for the last answers.
pub(crate) async fn run(
    mut connection: Connection,
    mut questions: Questions,
    mut pace: Pace,
    started: Instant,
    length: Duration,
) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let ends = started + length;
    let mut messages = Vec::new();
    loop {
        let asking = Instant::now() < ends;
        if asking {
            ask(&mut questions, &mut pace, started, &mut messages, &mut tally);
            if !messages.is_empty() {
                connection.send(&messages).await?;
                messages.clear();
            }
        } else if questions.is_idle() {
            break;
        }
        let patience = if asking { ends } else { ends + PATIENCE };
        let next = pace.next().filter(|_| asking).map_or(patience, |next| (started + next).min(patience));
        if questions.is_idle() {
            sleep_until(next).await;
            continue;
        }
        match timeout_at(next, connection.receive()).await {
            Ok(message) => take(&message?, &mut questions, started.elapsed(), &mut tally),
            Err(_) if asking => {}
            Err(_) => break,
        }
    }
    tally.lost += questions.give_up(Duration::MAX);
    Ok(tally)
}

/// Writes the questions that are due.
fn ask(questions: &mut Questions, pace: &mut Pace, started: Instant, messages: &mut Vec<u8>, tally: &mut Tally) {
    while messages.len() < WRITE_BYTES
        && let Some(since) = pace.due(started.elapsed())
    {
        if questions.write_next(since, messages) {
            tally.asked += 1;
        } else if matches!(pace, Pace::Closed) {
            break;
        } else {
            tally.skipped += 1;
        }
        pace.advance();
    }
}

fn take(message: &[u8], questions: &mut Questions, now: Duration, tally: &mut Tally) {
    let Ok(envelope) = Envelope::parse(message) else { return };
    let length = message.len().saturating_sub(Envelope::LEN);
    if let Some(closed) = questions.arrived(envelope.request_id, length, length) {
        let code = message.get(24..28).and_then(|code| code.try_into().ok()).map_or(0, u32::from_be_bytes);
        tally.answered(code, closed.exists, message.len(), now.saturating_sub(closed.since));
    }
}
