//! Every limit of the simulator: default, minimum, maximum, unit and reason, in one place.
//!
//! Those without a range are of the form of the sets, or of a program for development and tests that nobody tunes.

use std::time::Duration;

use crate::check::{FILE_PART_BYTES, PART_BYTES};

/// Bytes of a message: the largest part, with room for what is around it.
pub const MESSAGE_BYTES: usize = FILE_PART_BYTES + (64 << 10);

/// Complaints kept for the status page, of each node and set: the last ones are what a person looks for.
pub const KEPT_COMPLAINTS: usize = 32;

/// Nodes that may send. More than any trial needs; each costs a file and some kilobytes.
pub const NODES: usize = 256;

/// Rows held of all sets of one node, the newest of each key. Each costs some 60 bytes of memory; the mean node adds 1.5 million a day.
pub const HELD_ROWS: u64 = 50_000_000;

/// Tellings (set, owner, period) of one node that are not whole yet; beyond it the one that began first is forgotten, and what is missing of it is
/// refused. A node has one or two under way for each set and enterprise.
pub const TELLINGS: usize = 4_096;

/// Parts of one telling that were refused and may come again.
pub const REFUSED_PARTS: usize = 1_024;

/// Streams under way at a time, over all connections: each costs a task and a part.
pub const STREAMS: usize = 64;

/// Acknowledgements that wait for a slow reader; then no more parts are taken from it.
pub const WAITING_ACKNOWLEDGEMENTS: usize = 16;

/// How far a period may lie ahead of the clock here: clocks of two machines differ.
pub const AHEAD: Duration = Duration::from_secs(300);

/// How long a TLS handshake may take: a slow line far away needs a second or two.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// How long a connection may be silent before it is asked for a sign of life.
pub const KEEPALIVE: Duration = Duration::from_secs(60);

/// How long an acknowledgement is held back at most when another is to overtake it: a sender that waits for it goes on then.
pub const HELD_BACK: Duration = Duration::from_millis(50);

/// The longest delay that can be asked for, in milliseconds: beyond any time limit of a sender.
pub const DELAY_MAX_MS: u64 = 600_000;

/// The farthest the clock can be put off, in seconds: a year.
pub const SKEW_MAX_SECONDS: i64 = 366 * 24 * 3600;

/// Steps of a script of faults. Enough to write down a day.
pub const SCRIPT_STEPS: usize = 10_000;

/// Bytes of faults sent to the page, or in their file: a full script.
pub const FAULTS_BYTES: usize = 1 << 20;

/// Rows of one page of what is held: default of a request that does not say.
pub const PAGE_ROWS: usize = 1_000;

/// Most rows of one page.
pub const PAGE_ROWS_MAX: usize = 10_000;

/// Bytes of rows after which a page ends: a part has as many.
pub const PAGE_BYTES: usize = PART_BYTES;

/// How long calls and pages under way may take when the simulator stops; what takes longer is cut off.
pub const STOP_TIME: Duration = Duration::from_secs(5);

/// Nodes that are probed.
pub const PROBED_NODES: usize = NODES;

/// Addresses of registration of one node: both families at a few sites.
pub const REGISTRATION_DOORS: usize = 16;

/// Probes kept of one node, of some 32 bytes each: an hour of 20 probers that ask every second, in both families.
pub const PROBE_SAMPLES: usize = 150_000;

/// Most probers: each is a task.
pub const PROBERS: u32 = 1_000;

/// Rows of routes looked at for probes: a node tells its own in the first ones.
pub const ROUTE_ROWS: usize = 1_000;
