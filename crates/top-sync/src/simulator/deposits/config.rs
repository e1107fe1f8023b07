//! Every limit of the platform's side of deposits, with its reason. Those without a range are of a program for development and tests.

use std::time::Duration;

/// Connections at a time: each costs some megabytes of buffers.
pub const CONNECTIONS: usize = 32;

/// Users. Far more than trials need; each costs a folder.
pub const USERS: usize = 256;

/// Bytes of the file of users.
pub const USERS_BYTES: u64 = 1 << 20;

/// Bytes of a file of authorised keys.
pub const KEYS_BYTES: u64 = 64 << 10;

/// Keys of one user.
pub const KEYS: usize = 64;

/// Bytes of the host key's file.
pub const HOST_KEY_BYTES: u64 = 64 << 10;

/// Bytes of one file: those of a part.
pub const FILE_BYTES: u64 = 1_000_000_000;

/// Bytes of all files of a user that were not judged: a deposit of twenty parts.
pub const UPLOAD_BYTES: u64 = 20 * FILE_BYTES;

/// Files of a user that were not judged.
pub const UPLOAD_FILES: usize = 2_048;

/// Judgements of a user that are kept; the oldest go. Those of a year, with resends.
pub const JUDGEMENTS: usize = 1_000;

/// Judgements shown on a page, the last ones.
pub const SHOWN_JUDGEMENTS: usize = 100;

/// Files and folders one session may have open.
pub const HANDLES: usize = 16;

/// SFTP sessions of one connection.
pub const CHANNELS: usize = 4;

/// Bytes of a request: what a file is written by, and its frame.
pub const REQUEST_BYTES: u32 = 256 << 10;

/// Bytes read at once.
pub const READ_BYTES: u32 = 64 << 10;

/// Bytes of a path.
pub const PATH_BYTES: usize = 1_024;

/// Bytes of a name; those of deposits have some sixty.
pub const NAME_BYTES: usize = 200;

/// Names told at once of a folder.
pub const LISTED: usize = 100;

/// How long somebody may take to say who it is.
pub const LOGIN_TIME: Duration = Duration::from_secs(20);

/// How long a connection may be silent.
pub const SILENT_TIME: Duration = Duration::from_secs(120);

/// Attempts to say who it is, per connection. An agent may have several keys.
pub const ATTEMPTS: usize = 6;

/// Codes valid deposits are refused with that can be asked for at once.
pub const REFUSALS: usize = 64;

/// Bytes of what the pages are sent.
pub const PAGE_BYTES: usize = 64 << 10;
