//! Every limit of the EPP link: default, minimum, maximum, unit and reason, in one place.

use std::time::Duration;

use waymark_catalog::config::IMAGE_BYTES;
pub use waymark_wire::frame::config::Limit;

const KIB: usize = 1_024;

// What comes from the top-level node.

/// Bytes of one answer. Default: the largest answer there is, a message of the queue, has some 2 KiB; the rest is room for other forms.
pub const ANSWER_BYTES: Limit<usize> = Limit { default: 64 * KIB, min: 4 * KIB, max: 4_096 * KIB };

/// Elements within elements. EPP needs seven.
pub const XML_DEPTH: usize = 16;

/// Elements of one document, and attributes of all of them. A command with all its fields has some forty.
pub const XML_ELEMENTS: usize = 1_024;

/// Characters of a message for people that are kept; the rest is cut. As long as a reason in a case may be, and no longer.
pub const MESSAGE_CHARS: usize = 256;

/// Characters of an identifier of a transaction (RFC 5730 section 4, `trIDStringType`): from three to 64.
pub const TRANSACTION_ID_CHARS: (usize, usize) = (3, 64);

/// Characters of any other name the top-level node gives: of an enterprise, of a message.
pub const GIVEN_NAME_CHARS: usize = 64;

// What goes to it.

/// Bytes of one command: two images of full size in base64, and 64 KiB for everything else.
pub const COMMAND_BYTES: usize = 2 * IMAGE_BYTES.div_ceil(3) * 4 + 64 * KIB;

/// Time an answer may take, from opening the connection to the last byte. Default: an upload of 3 MiB over a line of 1 Mbit/s.
pub const ANSWER_TIME: Limit<Duration> =
    Limit { default: Duration::from_secs(30), min: Duration::from_millis(50), max: Duration::from_secs(300) };

// Pace.

/// How often the queue is asked for messages. Default: an audit takes people days, and a minute more is not noticed.
pub const POLL_EVERY: Limit<Duration> =
    Limit { default: Duration::from_secs(60), min: Duration::from_millis(10), max: Duration::from_secs(86_400) };

/// First wait after a failure; doubled with each one that follows, up to [`RETRY_MOST`], and shortened at random by up to a half.
pub const RETRY_FIRST: Limit<Duration> =
    Limit { default: Duration::from_secs(2), min: Duration::from_millis(1), max: Duration::from_secs(3_600) };

/// Longest wait after failures. Default: a top-level node that was down for a night is asked within a quarter of an hour.
pub const RETRY_MOST: Limit<Duration> =
    Limit { default: Duration::from_secs(900), min: Duration::from_millis(1), max: Duration::from_secs(86_400) };

/// Wait before a command that was refused is sent once more, under a new identifier. Default: what was wrong is put right by people.
pub const REFUSED_WAIT: Limit<Duration> =
    Limit { default: Duration::from_secs(3_600), min: Duration::from_millis(1), max: Duration::from_secs(604_800) };

// What is kept.

/// Transactions that are open at a time; others wait. Default: some 2 MiB of memory.
pub const OPEN_TRANSACTIONS: usize = 4_096;

/// Transactions that are over and still shown.
pub const ENDED_TRANSACTIONS: usize = 1_000;

/// Messages remembered after they were acknowledged, so that one that comes again is known.
pub const ACKNOWLEDGED_MESSAGES: usize = 1_024;

/// Bytes of the file of transactions above which it is written anew, without what was replaced since, when it is next opened.
pub const FILE_BYTES: u64 = 4 << 20;

/// Bytes of the file of transactions above which it is not opened: no file of this program grows so large.
pub const FILE_BYTES_MOST: u64 = 1 << 30;
