//! The limits of the data plane: default, minimum, maximum, unit and reason, in one place.
//!
//! Limits of framing and reassembly are those of [`waymark_wire::frame::config`].

use std::time::Duration;

pub use waymark_wire::frame::config::Limit;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

// Answers.

/// How long an answer may be used, in seconds from its making. Default: the twelve hours of the reference.
pub const ANSWER_LIFETIME_SECONDS: Limit<u32> = Limit { default: 43_200, min: 60, max: 604_800 };

/// How long the values that tell our sites may be cached, in seconds. Default: a day, as prefix records have it; a move of the node
/// shows within it.
pub const SITE_TTL_SECONDS: Limit<u32> = Limit { default: 86_400, min: 60, max: 2_592_000 };

/// Questions about names that live elsewhere under way at once, those that wait for an equal one included; what comes beyond is told that the
/// server is too busy. Not an operator's choice: each holds its request and a task, some kilobytes.
pub const RECURSION_WAITING: usize = 16_384;

/// Threads that write answers about names that live elsewhere once their servers have answered. Writing takes microseconds, signing a millisecond.
pub const RECURSION_THREADS: usize = 2;

/// Comparisons of values with index and type lists the fast path makes for one question; what asks for more goes to the slow pool.
/// Not an operator's choice: about 100 microseconds.
pub const FAST_COMPARISONS: usize = 1 << 16;

/// Comparisons made for one question at all, in the slow pool; what asks for more is refused. About 50 milliseconds, ten times what
/// the largest honest request (2,048 indexes of 2,048 values) takes.
pub const SLOW_COMPARISONS: usize = 1 << 25;

// Sources (UDP).

/// Queries a second of one source; twice as many are taken at once. Default: thirty times a shop of 300 tills that ask every second,
/// and still far below what one core answers, so that one source cannot take a node's whole attention.
pub const SOURCE_QUERIES_PER_SECOND: Limit<u32> = Limit { default: 10_000, min: 1, max: 1_000_000 };

/// Excess bytes (answers beyond requests) one source may receive at once. Default: the answers of some 7,000 ordinary questions in
/// one burst; aimed at a victim, half a second of a slow line, once.
pub const SOURCE_BUDGET_BYTES: Limit<u32> = Limit { default: 4 << 20, min: 64 << 10, max: 512 << 20 };

/// Excess bytes a source regains a second. Default: 450 answers of 650 bytes to questions of 70 a second for ever, one and a half
/// times the shop of 300 tills.
pub const SOURCE_REFILL_BYTES_PER_SECOND: Limit<u32> = Limit { default: 256 << 10, min: 1 << 10, max: 8 << 20 };

/// The shortest time a source whose budget was spent is held to an amplification of 1.5. Default and minimum: a minute, the span
/// over which the promise is made.
pub const SOURCE_HOLD: Limit<Duration> =
    Limit { default: Duration::from_secs(60), min: Duration::from_secs(60), max: Duration::from_secs(120) };

/// How long a completed exchange over TCP or QUIC exempts its source from rate and budget. Default: long enough that a shop whose
/// questions were too much asks once over TCP in ten minutes; short enough that an address that changed hands is soon nobody's.
pub const SOURCE_EXEMPTION: Limit<Duration> =
    Limit { default: Duration::from_secs(600), min: Duration::ZERO, max: Duration::from_secs(24 * 3600) };

/// Sources kept apart at the same time, each 32 bytes, rounded up to a power of two. Default: 2 MiB of memory; a source is forgotten
/// as soon as it owes nothing, which is milliseconds after an ordinary question, so this many are active *at once*.
pub const SOURCES: Limit<usize> = Limit { default: 65_536, min: 1024, max: 1 << 24 };

// UDP.

/// Threads, each with its own socket, for one UDP address. 0, the default, is one for each core.
pub const UDP_THREADS: Limit<usize> = Limit { default: 0, min: 0, max: 256 };

/// Datagrams taken from the kernel, answered and sent in one go. Default: enough that system calls are shared and memory latency is
/// paid once for many; more only adds delay.
pub const UDP_BATCH: Limit<usize> = Limit { default: 64, min: 1, max: 64 };

/// First room of an answer over any transport, in bytes; a larger answer is made again with a large buffer. Default: the answers of
/// nearly all identifiers, and the rooms of a batch still fit the second-level cache.
pub const ROOM_BYTES: Limit<usize> = Limit { default: 4 * KIB, min: 1232, max: 64 * KIB };

/// Datagrams of one answer; a larger answer gets "too busy, use TCP". Default: 16 KB in classic datagrams. More are likely to lose
/// one on the way, and then all were for nothing.
pub const UDP_ANSWER_PACKETS: Limit<usize> = Limit { default: 32, min: 1, max: 1024 };

/// Send and receive buffer asked of the kernel for one UDP socket, in bytes; the kernel may grant less. Default: a burst of some
/// thousand datagrams while the thread is not scheduled.
pub const UDP_SOCKET_BYTES: Limit<usize> = Limit { default: 4 * MIB, min: 64 * KIB, max: 256 * MIB };

// The slow pool.

/// Threads for answers that need the disk, a signature or long work. Default: two, so that one long signature does not hold up
/// every cold record, without taking cores from the fast path.
pub const SLOW_THREADS: Limit<usize> = Limit { default: 2, min: 1, max: 256 };

/// Questions waiting for the slow pool; when it is full the answer is "too busy". Default: a second of work at a millisecond each.
pub const SLOW_QUEUE: Limit<usize> = Limit { default: 1024, min: 1, max: 65_536 };

// TCP and QUIC.

/// Connections of one door. Default: what a machine with the usual 64 Ki descriptors carries beside its other work.
pub const CONNECTIONS: Limit<usize> = Limit { default: 10_000, min: 1, max: 1_000_000 };

/// Connections of one source (the /24 or /56) of one door. Default: three shops of 300 tills behind one network, a tenth of all.
pub const CONNECTIONS_PER_SOURCE: Limit<usize> = Limit { default: 1024, min: 1, max: 1_000_000 };

/// How long a new connection may take to its first byte. Default: a client that connects has its question ready; a minute is for
/// those that open their pool ahead of use.
pub const FIRST_BYTE_TIME: Limit<Duration> =
    Limit { default: Duration::from_secs(60), min: Duration::from_secs(1), max: Duration::from_secs(3600) };

/// How long an open connection may rest between messages. Default: pooled IDIS clients keep a connection unused for 600 s; the
/// server outlasts them, so that they never write into a connection that is going away.
pub const IDLE_TIME: Limit<Duration> =
    Limit { default: Duration::from_secs(620), min: Duration::from_secs(1), max: Duration::from_secs(24 * 3600) };

/// How long a message may take from its first byte to its last. Default: the largest message on a line of 10 KB/s.
pub const MESSAGE_TIME: Limit<Duration> =
    Limit { default: Duration::from_secs(30), min: Duration::from_secs(1), max: Duration::from_secs(600) };

/// How long a peer may take to make room for answers that wait to be sent. Default: as for a message.
pub const WRITE_TIME: Limit<Duration> =
    Limit { default: Duration::from_secs(30), min: Duration::from_secs(1), max: Duration::from_secs(600) };

/// Messages of one connection answered together. Default: as for datagrams; other connections get their turn in between.
pub const STREAM_BATCH: Limit<usize> = Limit { default: 64, min: 1, max: 256 };

/// Memory for incomplete messages and unsent answers of all connections of one door, in bytes, beyond the first
/// [`CONNECTION_BUFFER_BYTES`] of each. Default: a thousand messages of the largest size at the same time.
pub const STREAM_BUFFER_BYTES: Limit<usize> = Limit { default: 256 * MIB, min: MIB, max: 64 * 1024 * MIB };

/// Memory every connection has without asking, in bytes: dozens of ordinary questions. Not an operator's choice.
pub const CONNECTION_BUFFER_BYTES: usize = 4 * KIB;

// QUIC only.

/// Streams open at the same time on one connection. Default: a stream carries any number of messages, a client needs few.
pub const QUIC_STREAMS: Limit<u32> = Limit { default: 16, min: 1, max: 1024 };

/// Handshakes under way above which a new peer must first show that it receives at its address (stateless retry). Default: more
/// than honest arrivals at any moment; from there on a forged flood costs us no state.
pub const QUIC_RETRY_ABOVE: Limit<usize> = Limit { default: 128, min: 0, max: 1_000_000 };

/// Sessions remembered for resumption and early data. Default: the tills of some dozen shops; a forgotten one costs a round trip.
pub const QUIC_SESSIONS: Limit<usize> = Limit { default: 16_384, min: 1, max: 1_000_000 };

// Stopping.

/// The longest a drained stop may take before what is still under way is cut off. Default: the time of one slow message.
pub const DRAIN_TIME: Limit<Duration> =
    Limit { default: Duration::from_secs(10), min: Duration::ZERO, max: Duration::from_secs(600) };
