//! What a door hands in and what it gets back.
//!
//! A [`Question`] carries one whole request message, the room for its answer and where it came from; after
//! [`Answerer::answer_batch`](crate::Answerer::answer_batch) its [`Action`] says what the door does next. No door takes decisions about
//! content and no answer code touches a socket: this page is the whole border between them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The way a request came in. Decides which operations are admitted and how counters are labelled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Transport {
    /// One request in one or several datagrams.
    Udp,
    /// Messages back to back on a connection.
    Tcp,
    /// Messages on a stream, or in datagrams, of a QUIC connection.
    Quic,
}

impl Transport {
    /// Every transport, in the order of their counters.
    pub const ALL: [Self; 3] = [Self::Udp, Self::Tcp, Self::Quic];

    /// Its name in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Quic => "quic",
        }
    }
}

/// Where a request came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The transport of the door.
    pub transport: Transport,
    /// The asker as the socket saw it. An IPv4 address inside IPv6 (`::ffff:a.b.c.d`) counts as IPv4.
    pub peer: SocketAddr,
    /// Our own address that was asked, where the door knows it; the reply leaves from it.
    pub local: Option<IpAddr>,
}

impl Origin {
    /// Whether the asker speaks IPv4 (mapped addresses included).
    #[must_use]
    pub const fn is_ipv4(&self) -> bool {
        self.peer.ip().to_canonical().is_ipv4()
    }
}

/// The time of a batch. The driver reads the clock once for all its questions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Now {
    /// Seconds since 1970 UTC.
    pub unix_seconds: u32,
    /// Time since the machine started; never goes back. Ages of what is cached are counted with it.
    pub uptime: Duration,
}

impl From<Now> for waymark_recursive_cache::knowledge::Now {
    fn from(now: Now) -> Self {
        Self { elapsed: now.uptime, unix_seconds: now.unix_seconds }
    }
}

/// One request and the room for its answer.
#[derive(Debug)]
pub struct Question<'q> {
    /// Where it came from.
    pub origin: Origin,
    /// Envelope and message; bytes behind the length the envelope states are padding and ignored.
    pub request: &'q [u8],
    /// Where the answer is written, envelope first.
    pub room: &'q mut [u8],
    /// [`Action::Pending`] before the batch, never after it.
    pub action: Action,
}

impl<'q> Question<'q> {
    /// A question that has not been answered yet.
    #[must_use]
    pub const fn new(origin: Origin, request: &'q [u8], room: &'q mut [u8]) -> Self {
        Self { origin, request, room, action: Action::Pending }
    }
}

/// A question on its way through a bounded queue to a slow pool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnedQuestion {
    /// Where it came from.
    pub origin: Origin,
    /// Envelope and message, padding cut.
    pub request: Box<[u8]>,
}

/// What the door does with a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Not answered yet.
    Pending,
    /// Send the first `length` bytes of the room.
    Reply {
        /// Bytes of the answer, envelope included; at most 20 + 262,144.
        length: usize,
        /// Whether a stream connection stays open after this answer. The door may keep it open all the same when more bytes are waiting.
        keep_open: bool,
    },
    /// Say nothing.
    Drop(DropReason),
    /// The answer has this many bytes and the room fewer: ask again with a room at least this large. Nothing was counted as answered.
    NeedsRoom(usize),
    /// The answer needs a disk read, a signature or long work: hand an [`OwnedQuestion`] to the slow pool; when that is full, answer "too busy".
    Continue(SlowReason),
}

/// Why a request gets no answer. The first two are decided here, the others by doors.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum DropReason {
    /// Fewer bytes than an envelope: nobody to answer, and an answer would be larger than the question.
    TooShort,
    /// A response, or something that looks like one: answering it could make two servers talk for ever.
    Response,
    /// The source is on a list of sources that get no service.
    SourceRefused,
    /// The byte budget of the source is spent, its "too busy" replies too.
    BudgetSpent,
    /// A packet of a message in several packets that did not fit the reassembly limits.
    ReassemblyRefused,
    /// A message in several packets whose rest did not come in time.
    ReassemblyExpired,
    /// The socket took no more bytes.
    SocketFull,
    /// The system refused to send.
    SendFailed,
    /// The connection ended before its answer could be written.
    ConnectionLost,
}

impl DropReason {
    /// Every reason, in the order of their counters.
    pub const ALL: [Self; 9] = [
        Self::TooShort,
        Self::Response,
        Self::SourceRefused,
        Self::BudgetSpent,
        Self::ReassemblyRefused,
        Self::ReassemblyExpired,
        Self::SocketFull,
        Self::SendFailed,
        Self::ConnectionLost,
    ];

    /// Its name in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::Response => "response",
            Self::SourceRefused => "source_refused",
            Self::BudgetSpent => "budget_spent",
            Self::ReassemblyRefused => "reassembly_refused",
            Self::ReassemblyExpired => "reassembly_expired",
            Self::SocketFull => "socket_full",
            Self::SendFailed => "send_failed",
            Self::ConnectionLost => "connection_lost",
        }
    }
}

/// Why a question leaves the fast path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum SlowReason {
    /// A record it needs lies on disk only.
    Cold,
    /// The asker wants the answer signed.
    Sign,
    /// Its index and type lists ask for more comparisons than the fast path makes for one question.
    LongFilter,
    /// The name lives elsewhere, and what is known of it is not enough.
    Foreign,
}

impl SlowReason {
    /// Every reason, in the order of their counters.
    pub const ALL: [Self; 4] = [Self::Cold, Self::Sign, Self::LongFilter, Self::Foreign];

    /// Its name in metrics and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Sign => "sign",
            Self::LongFilter => "long_filter",
            Self::Foreign => "foreign",
        }
    }
}
