//! Limits of SFTP connections: each with its reason.

use std::time::Duration;

use crate::config::Limit;

/// Where SFTP servers listen.
pub const PORT: Limit = Limit { default: 22, min: 1, max: 65_535 };

/// Seconds an answer may take: a request, the whole beginning of a connection. A platform far away and busy takes some.
pub const ANSWER_SECONDS: Limit = Limit { default: 30, min: 1, max: 600 };

/// Bytes of a key file; an RSA key of 16,384 bits has some twelve thousand.
pub const KEY_FILE_BYTES: u64 = 64 << 10;

/// Bytes written with one request: what every server takes (the draft of SFTP asks for 32 KiB).
pub const WRITE_BYTES: usize = 32 << 10;

/// Requests under way at a time, of which each holds [`WRITE_BYTES`]: 2 MiB, which over 50 milliseconds are 40 MB a second.
pub const WRITES: usize = 64;

/// Bytes sent once more after a cut: a server may have lost what it wrote last.
pub const OVERLAP_BYTES: u64 = 1 << 20;

/// How long a connection may be silent before it is asked for a sign of life.
pub const KEEPALIVE: Duration = Duration::from_secs(15);

/// Such questions without an answer before the connection is given up.
pub const KEEPALIVES: usize = 3;

/// Characters of what a server says that are kept.
pub const SAID_CHARACTERS: usize = 200;
