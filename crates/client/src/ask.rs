//! One question, one deadline, several transports.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    config::STAGGER,
    error::{AskError, Failure},
    exchange::{self, Answer, Expected, Transport},
    quic, tcp,
    trust::Trust,
    udp,
};

/// A server and the ways to it.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// Address of its UDP door.
    pub udp: Option<SocketAddr>,
    /// Address of its TCP door.
    pub tcp: Option<SocketAddr>,
    /// Address of its QUIC door, the name asked for, and whom to believe.
    pub quic: Option<(SocketAddr, String, Trust)>,
    /// Whether it is known to understand padding (a Waymark node); to others padding is wasted.
    pub understands_padding: bool,
}

/// How to ask.
#[derive(Clone, Debug)]
pub struct Options {
    /// Transports in the order they start; those the server has no address for are passed over.
    pub order: Vec<Transport>,
    /// Silence after which the next transport starts beside the earlier ones; moved into the range of [`STAGGER`].
    pub stagger: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { order: vec![Transport::Quic, Transport::Udp, Transport::Tcp], stagger: STAGGER.default }
    }
}

/// Asks servers.
#[derive(Clone, Debug, Default)]
pub struct Client {
    options: Options,
}

impl Client {
    /// A client that asks this way.
    #[must_use]
    pub fn new(mut options: Options) -> Self {
        options.stagger = STAGGER.clamp(options.stagger);
        Self { options }
    }

    /// Asks a server. `request` is a whole message, envelope first; it is sent under a request id of its own.
    ///
    /// # Errors
    /// The request is no message, no transport fits, all failed, or the deadline passed.
    pub async fn ask(&self, server: &Server, request: &[u8], deadline: Duration) -> Result<Answer, AskError> {
        let ends = Instant::now() + deadline;
        let mut waiting: std::collections::VecDeque<Transport> =
            self.options.order.iter().copied().filter(|transport| server.has(*transport)).collect();
        if waiting.is_empty() {
            return Err(AskError::NoTransport);
        }
        let (request, expected) = exchange::number(request, request_id()).map_err(AskError::Request)?;
        let mut running = JoinSet::new();
        let mut failures = Vec::new();
        let mut next_start = Instant::now();
        loop {
            if (running.is_empty() || Instant::now() >= next_start)
                && let Some(transport) = waiting.pop_front()
            {
                running.spawn(one(server.clone(), transport, request.clone(), expected));
                next_start = Instant::now() + self.options.stagger;
            }
            if running.is_empty() {
                return Err(AskError::Failed { failures });
            }
            tokio::select! {
                ended = timeout_at(ends, running.join_next()) => match ended {
                    Err(_) => return Err(AskError::Deadline { deadline, failures }),
                    Ok(Some(Ok((_, Ok(answer))))) => return Ok(answer),
                    Ok(Some(Ok((transport, Err(failure))))) => {
                        failures.push((transport, failure));
                        next_start = Instant::now();
                    }
                    // Nothing aborts the tasks but the end of this function, and they do not panic.
                    Ok(Some(Err(_)) | None) => {}
                },
                () = sleep_until(next_start), if !waiting.is_empty() => {}
            }
        }
    }
}

impl Server {
    fn has(&self, transport: Transport) -> bool {
        match transport {
            Transport::Udp => self.udp.is_some(),
            Transport::Tcp => self.tcp.is_some(),
            Transport::Quic => self.quic.is_some(),
        }
    }
}

async fn one(
    server: Server,
    transport: Transport,
    request: Vec<u8>,
    expected: Expected,
) -> (Transport, Result<Answer, Failure>) {
    let result = match (transport, server.udp, server.tcp, &server.quic) {
        (Transport::Udp, Some(address), _, _) => {
            udp::ask(address, server.understands_padding, &request, expected).await
        }
        (Transport::Tcp, _, Some(address), _) => tcp::ask(address, &request, expected).await,
        (Transport::Quic, _, _, Some((address, name, trust))) => {
            quic::ask(*address, name, trust, &request, expected).await
        }
        // `ask` starts only transports the server has.
        _ => Err(Failure::Closed),
    };
    (transport, result)
}

/// A request id nobody off the path can guess; neither 0 nor the id of answers to unreadable requests.
fn request_id() -> u32 {
    rand::random_range(1..u32::MAX)
}
