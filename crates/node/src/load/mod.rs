//! The load generator: asks a node many questions over UDP, TCP or QUIC and measures the answers.
//!
//! A closed loop keeps a fixed number of questions under way and so finds what a node can do. An open loop sends on a schedule that
//! waits for nobody and counts latency from the intended time of sending, so that a stall shows in every question it delayed.

use std::{net::SocketAddr, time::Duration};

use tokio::time::Instant;
use waymark_client::{Failure, Trust, config::PADDED_DATAGRAM_BYTES};

mod datagrams;
pub mod names;
mod pace;
mod question;
mod streams;
pub mod tally;

use names::{Chooser, Names};
use pace::Pace;
use question::{MOST_SLOTS, Questions};
use tally::Tally;

/// Where and how to ask.
#[derive(Clone, Debug)]
pub enum Target {
    /// Over UDP, padded or not, from this local address.
    Udp {
        /// The server.
        server: SocketAddr,
        /// Local address and port 0, or a specific port for one socket.
        from: SocketAddr,
        /// Whether questions are padded.
        padded: bool,
    },
    /// Over TCP.
    Tcp {
        /// The server.
        server: SocketAddr,
    },
    /// Over QUIC.
    Quic {
        /// The server.
        server: SocketAddr,
        /// Name asked for.
        name: String,
        /// Whom to believe.
        trust: Trust,
    },
}

impl Target {
    /// `udp`, `tcp` or `quic`.
    pub fn transport(&self) -> &'static str {
        match self {
            Self::Udp { .. } => "udp",
            Self::Tcp { .. } => "tcp",
            Self::Quic { .. } => "quic",
        }
    }
}

/// A load run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where and how.
    pub target: Target,
    /// Names asked for.
    pub names: Names,
    /// Exponent of the Zipf distribution; `None` chooses uniformly.
    pub zipf: Option<f64>,
    /// Share of names made to be absent, in percent.
    pub absent_percent: u8,
    /// Sockets or connections.
    pub sockets: u32,
    /// Questions under way on each (closed loop).
    pub outstanding: u32,
    /// Questions a second in all; `None` is a closed loop.
    pub rate: Option<u64>,
    /// How long questions are sent.
    pub length: Duration,
    /// Threads that ask (UDP).
    pub threads: usize,
    /// Seed of the choice of names.
    pub seed: u64,
}

/// Why a load run ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The Zipf exponent cannot be used.
    #[error("{0}")]
    Exponent(#[from] rand_distr::ZipfError),
    /// A socket failed.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// A connection failed.
    #[error("{0}")]
    Connection(#[from] Failure),
    /// A worker died.
    #[error("a worker of the load run died")]
    Worker,
}

impl Plan {
    fn questions(&self, worker: u32) -> Result<Questions, LoadError> {
        let seed = self.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(u64::from(worker));
        let chooser = Chooser::new(self.names.clone(), self.zipf, self.absent_percent, seed)?;
        let slots =
            if self.rate.is_some() { MOST_SLOTS } else { usize::try_from(self.outstanding).unwrap_or(MOST_SLOTS) };
        let keep_open = !matches!(self.target, Target::Udp { .. });
        Ok(Questions::new(chooser, slots, keep_open))
    }

    /// Runs to its end; gives what was counted and how long it took.
    ///
    /// # Errors
    /// A socket or connection fails, or the plan cannot be used.
    pub async fn run(&self) -> Result<(Tally, Duration), LoadError> {
        let started = Instant::now();
        let tally = match &self.target {
            Target::Udp { server, from, padded } => self.run_datagrams(*server, *from, *padded).await?,
            Target::Tcp { .. } | Target::Quic { .. } => self.run_streams().await?,
        };
        Ok((tally, started.elapsed().min(self.length)))
    }

    async fn run_datagrams(&self, server: SocketAddr, from: SocketAddr, padded: bool) -> Result<Tally, LoadError> {
        let mut threads: Vec<Vec<datagrams::Socket>> = (0..self.threads.max(1)).map(|_| Vec::new()).collect();
        let padded = padded.then_some(PADDED_DATAGRAM_BYTES);
        for worker in 0..self.sockets {
            let pace = Pace::new(self.rate, worker, self.sockets);
            let socket = datagrams::Socket::new(server, from, self.questions(worker)?, pace, padded)?;
            let at = usize::try_from(worker).unwrap_or(0) % threads.len();
            if let Some(thread) = threads.get_mut(at) {
                thread.push(socket);
            }
        }
        threads.retain(|sockets| !sockets.is_empty());
        let length = self.length;
        let workers: Vec<_> = threads
            .into_iter()
            .map(|sockets| tokio::task::spawn_blocking(move || datagrams::run(sockets, length)))
            .collect();
        let mut total = Tally::default();
        for worker in workers {
            total.add(&worker.await.map_err(|_| LoadError::Worker)??);
        }
        Ok(total)
    }

    async fn run_streams(&self) -> Result<Tally, LoadError> {
        let mut connections = Vec::new();
        for _ in 0..self.sockets {
            connections.push(match &self.target {
                Target::Udp { server, .. } | Target::Tcp { server } => streams::Connection::tcp(*server).await?,
                Target::Quic { server, name, trust } => streams::Connection::quic(*server, name, trust).await?,
            });
        }
        let started = Instant::now();
        let mut workers = Vec::new();
        for (worker, connection) in (0_u32..).zip(connections) {
            let pace = Pace::new(self.rate, worker, self.sockets);
            workers.push(tokio::spawn(streams::run(connection, self.questions(worker)?, pace, started, self.length)));
        }
        let mut total = Tally::default();
        for worker in workers {
            total.add(&worker.await.map_err(|_| LoadError::Worker)??);
        }
        Ok(total)
    }
}
