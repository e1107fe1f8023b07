//! One question, one deadline, several transports.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    config::{DEADLINE_MAX, STAGGER},
    error::{AskError, Failure},
    exchange::{self, Answer, Expected, Transport},
    quic::Connectors,
    tcp,
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

/// Asks servers. Clones share the QUIC sessions they remember.
#[derive(Clone, Debug, Default)]
pub struct Client {
    options: Options,
    connectors: Arc<Connectors>,
}

impl Client {
    /// A client that asks this way.
    #[must_use]
    pub fn new(mut options: Options) -> Self {
        options.stagger = STAGGER.clamp(options.stagger);
        Self { options, connectors: Arc::default() }
    }

    /// Asks a server. `request` is a whole message, envelope first; it is sent under a request id of its own.
    ///
    /// The server may receive the question several times: over UDP, and over more than one transport. That is right for resolutions
    /// and site information. What must not happen twice (administration; messages of a session, whose counters a server takes once)
    /// is asked with a single stream transport in [`Options::order`].
    ///
    /// Deadlines above [`DEADLINE_MAX`] are shortened to it. Dropping the future ends everything it started.
    ///
    /// # Errors
    /// The request is no message, no transport fits, all failed, or the deadline passed.
    pub async fn ask(&self, server: &Server, request: &[u8], deadline: Duration) -> Result<Answer, AskError> {
        let deadline = deadline.min(DEADLINE_MAX);
        let ends = Instant::now() + deadline;
        let (request, expected) =
            exchange::number(request, exchange::random_request_id()).map_err(AskError::Request)?;
        let ways: VecDeque<Way> = self.options.order.iter().filter_map(|transport| server.way(*transport)).collect();
        if ways.is_empty() {
            return Err(AskError::NoTransport);
        }
        let mut race = Race {
            question: Arc::new(Question { request, expected, connectors: Arc::clone(&self.connectors) }),
            stagger: self.options.stagger,
            ways,
            running: JoinSet::new(),
            failures: Vec::new(),
            busy: None,
        };
        let ended = tokio::select! {
            biased;
            ended = race.run() => Some(ended),
            () = sleep_until(ends) => None,
        };
        let Race { failures, busy, .. } = race;
        match ended {
            Some(Some(answer)) => Ok(answer),
            // A server that is too busy has answered too, when nothing better came.
            Some(None) => busy.ok_or(AskError::Failed { failures }),
            None => busy.ok_or(AskError::Deadline { deadline, failures }),
        }
    }
}

/// One way to a server.
#[derive(Debug)]
enum Way {
    Udp { server: SocketAddr, pads: bool },
    Tcp { server: SocketAddr },
    Quic { server: SocketAddr, name: String, trust: Trust },
}

impl Server {
    fn way(&self, transport: Transport) -> Option<Way> {
        match transport {
            Transport::Udp => self.udp.map(|server| Way::Udp { server, pads: self.understands_padding }),
            Transport::Tcp => self.tcp.map(|server| Way::Tcp { server }),
            Transport::Quic => self.quic.as_ref().map(|(server, name, trust)| Way::Quic {
                server: *server,
                name: name.clone(),
                trust: trust.clone(),
            }),
        }
    }
}

/// What all ways carry.
struct Question {
    request: Vec<u8>,
    expected: Expected,
    connectors: Arc<Connectors>,
}

impl Way {
    async fn ask(self, question: Arc<Question>) -> (Transport, Result<Answer, Failure>) {
        let Question { request, expected, connectors } = &*question;
        match self {
            Self::Udp { server, pads } => {
                (Transport::Udp, udp::ask(server, &udp::Manner::usual(pads), request, *expected).await)
            }
            Self::Tcp { server } => (Transport::Tcp, tcp::ask(server, request, *expected).await),
            Self::Quic { server, name, trust } => (
                Transport::Quic,
                match connectors.of(&trust) {
                    Ok(connector) => connector.ask(server, &name, request, *expected).await,
                    Err(failure) => Err(failure),
                },
            ),
        }
    }
}

/// The transports under way. Dropping it ends them.
struct Race {
    question: Arc<Question>,
    stagger: Duration,
    /// Not started yet.
    ways: VecDeque<Way>,
    running: JoinSet<(Transport, Result<Answer, Failure>)>,
    failures: Vec<(Transport, Failure)>,
    /// An answer that sends elsewhere.
    busy: Option<Answer>,
}

impl Race {
    /// Starts one way after the other until one brings the answer; `None` when all ended without.
    async fn run(&mut self) -> Option<Answer> {
        let mut next_start = Instant::now();
        loop {
            if (self.running.is_empty() || Instant::now() >= next_start)
                && let Some(way) = self.ways.pop_front()
            {
                self.running.spawn(way.ask(Arc::clone(&self.question)));
                next_start = Instant::now() + self.stagger;
            }
            tokio::select! {
                ended = self.running.join_next() => match ended? {
                    Ok((_, Ok(answer))) if answer.is_sent_elsewhere() => {
                        self.busy = Some(answer);
                        next_start = Instant::now();
                    }
                    Ok((_, Ok(answer))) => return Some(answer),
                    Ok((transport, Err(failure))) => {
                        self.failures.push((transport, failure));
                        next_start = Instant::now();
                    }
                    // Nobody aborts a task while this runs.
                    Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
                },
                () = sleep_until(next_start), if !self.ways.is_empty() => {}
            }
        }
    }
}
