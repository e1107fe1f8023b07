//! Limits of the client: default, smallest and largest permitted value, unit and reason of each.

use std::time::Duration;

pub use waymark_wire::frame::config::Limit;

/// Silence after which the next transport starts beside the one that is silent. The default lets one lost datagram be repeated
/// first; less doubles traffic on slow links, more makes people wait where a network blocks a transport.
pub const STAGGER: Limit<Duration> =
    Limit { default: Duration::from_millis(1_000), min: Duration::from_millis(10), max: Duration::from_secs(30) };

/// Waits between repetitions of a datagram, the last one again and again until the deadline: those of the reference client.
pub const UDP_WAITS: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_millis(1_000), Duration::from_millis(1_500)];

/// Largest datagram a padded request asks for, in bytes; see [`waymark_wire::frame::config::DATAGRAM_BYTES`].
pub const PADDED_DATAGRAM_BYTES: usize = waymark_wire::frame::config::DATAGRAM_BYTES.default;

/// Receive buffer of a UDP exchange in bytes: the largest UDP payload there is, since a server may use any size.
pub const RECEIVE_BYTES: usize = 65_535;

/// Room made for each read of a stream in bytes: some dozens of ordinary answers for one system call.
pub const READ_BYTES: usize = 8 * 1024;

/// Trusts a client remembers sessions of, so that a later question to the same server travels as early data; the one unused for
/// longest goes first. Each holds the sessions of up to 256 servers. A program believes a few authorities, or the pins of a few nodes.
pub const REMEMBERED_TRUSTS: usize = 16;

/// Longest deadline of a question; longer ones are shortened. It keeps arithmetic on moments from overflowing, and nobody waits longer.
pub const DEADLINE_MAX: Duration = Duration::from_secs(24 * 3600);

/// Time a QUIC connection may stay silent, in both directions, before it is given up.
pub const QUIC_IDLE: Duration = Duration::from_secs(30);

/// Time one call of the registration client may take, repetitions included. The default is longer than a busy node holds a write
/// back; an hour is more than anybody waits for one answer.
pub const CALL_DEADLINE: Limit<Duration> =
    Limit { default: Duration::from_secs(30), min: Duration::from_millis(10), max: Duration::from_secs(3600) };

/// Time to connect, TLS included. A path that is there answers within a few round trips; more only delays the next attempt.
pub const CONNECT_TIME: Duration = Duration::from_secs(10);

/// Silence on a registration connection after which the client asks whether the server is still there, and how long it then waits: a
/// connection that a network dropped silently is noticed after both.
pub const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Wait before the first repetition of a call; it doubles up to [`BACKOFF_MOST`], half of it drawn at random so that many clients of a
/// node that comes back do not come all at once.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(100);

/// Longest wait between repetitions: a node that restarts is found again within this.
pub const BACKOFF_MOST: Duration = Duration::from_secs(10);

/// Time that must be left for another attempt of a call. One that is cut off before it could be answered would only make a write unknown
/// of which it was known that nothing had been sent.
pub const ATTEMPT_LEAST: Duration = Duration::from_millis(50);

/// Largest message taken from a registration server, in bytes: a page of 1,000 identifiers with values of usual size. One that is
/// larger fails the call with a reason.
pub const ANSWER_BYTES: usize = 64 << 20;

/// Items of a stream that may be under way without an answer. They are kept to be sent again, so this bounds memory together with
/// [`WINDOW_BYTES`]; the default keeps a node with group commit busy over a link of some milliseconds.
pub const WINDOW_ITEMS: Limit<usize> = Limit { default: 8_192, min: 1, max: 1 << 20 };

/// Bytes of items that may be under way without an answer; one item always may. A million small items fit, or 16 of the largest messages.
pub const WINDOW_BYTES: Limit<usize> = Limit { default: 16 << 20, min: 1 << 10, max: 1 << 30 };

/// Items in one message: many share the cost of a message, few enough that the window holds several messages.
pub const BATCH_ITEMS: Limit<usize> = Limit { default: 512, min: 1, max: 10_000 };

/// Bytes of items in one message; one item may be larger. Below the 4 MiB servers usually take.
pub const BATCH_BYTES: usize = 1 << 20;

/// Time an exchange or a watch goes without an answer before it is given up; the default is longer than a node takes to restart.
pub const PATIENCE: Limit<Duration> = Limit {
    default: Duration::from_secs(300),
    min: Duration::from_millis(10),
    max: Duration::from_secs(7 * 24 * 3600),
};

/// Time an exchange that was told to stop waits for the outcomes of what is under way. A node that is there has answered a full window long
/// before; whoever runs the program waits, and service managers kill after some ten seconds more.
pub const FINISH: Limit<Duration> =
    Limit { default: Duration::from_secs(10), min: Duration::ZERO, max: Duration::from_secs(3600) };
