//! Limits of what comes back after a takeover: each with its unit and reason. They belong to the form of the file, which nobody tunes.

/// Bytes of a line, its end included: a record of the most the protocol carries, in JSON that writes some bytes as six.
pub const LINE_BYTES: usize = 4 << 20;

/// Changes in a file. A takeover lasts hours or days and takes what is urgent; the mean node takes 1.5 million registrations a day. A reader holds some
/// 200 bytes for each identifier named.
pub const CHANGES: u64 = 5_000_000;

/// Bytes of a reason of a suspension or revocation, as registration takes them.
pub const REASON_BYTES: usize = 1_024;

/// Files in a folder of deposits that are looked at: a year of them, each with its signatures and report, of a node whose deposits have many parts.
pub const FOLDER_FILES: usize = 100_000;

/// Milliseconds a change may be ahead of its file, and a file of the clock of who takes it in: clocks of two machines differ. One that is farther ahead
/// would win every conflict by its clock alone.
pub const AHEAD_MS: u64 = 300_000;
