//! Limits of deposits: each with its default, bounds, unit and reason.

/// A number with its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What it is where nothing is said.
    pub default: u64,
    /// The least.
    pub min: u64,
    /// The most.
    pub max: u64,
}

impl Limit {
    /// The number within the bounds that is nearest.
    #[must_use]
    pub const fn hold(self, value: u64) -> u64 {
        if value < self.min {
            self.min
        } else if value > self.max {
            self.max
        } else {
            value
        }
    }
}

/// Bytes of a part, head and tail included: what the platform takes in one file (1 GB, in the smaller of its meanings). Small ones are for tests.
pub const PART_BYTES: Limit = Limit { default: 1_000_000_000, min: 256, max: 1_000_000_000 };

/// Bytes that are encrypted with one data key: a group (256 MB). Small ones are for tests.
pub const GROUP_BYTES: Limit = Limit { default: 256 << 20, min: 1 << 10, max: 256 << 20 };

/// Bytes of a chunk of a group, each with a tag of its own: nothing of a chunk is looked at before its tag is right, so this is what opening holds.
pub const CHUNK_BYTES: usize = 64 << 10;

/// Parts of a deposit: with parts of full size some 10 TB, far more than a node holds.
pub const PARTS: u32 = 9_999;

/// Bytes of one tag or text in the document: a PDF of 5 MiB in base64 with room to spare, or a value of the most the protocol carries. What reading holds.
pub const EVENT_BYTES: u64 = 8 << 20;

/// Bytes of one identifier in the document, all its values together: several times the largest record a node takes.
pub const RECORD_BYTES: usize = 32 << 20;

/// How deep elements lie within each other: those of the form are five deep.
pub const DEPTH: usize = 8;

/// Bytes the document may have for each byte it is compressed to, beyond [`FREE_BYTES`]. Identifiers come to some ten; a bomb to a thousand.
pub const INFLATION: u64 = 400;

/// Bytes of document that are let pass before [`INFLATION`] is looked at: images without content are no bombs.
pub const FREE_BYTES: u64 = 256 << 20;

/// Bytes of what stands behind the compressed document in its container.
pub const TRAILER_BYTES: u64 = 64 << 10;

/// Bytes of a signature file or of a report, which names each part.
pub const REPORT_BYTES: u64 = 4 << 20;

/// Bytes of a key file.
pub const KEY_FILE_BYTES: u64 = 64 << 10;

/// Bytes of the table of deposits: ten years of daily ones of ten prefixes. Past [`ROWS`] the oldest rows go.
pub const TABLE_BYTES: u64 = 64 << 20;

/// Rows of the table of deposits.
pub const ROWS: usize = 40_000;

/// Orders handed to the writer together while restoring, and bytes of them: well within a group.
pub const RESTORE_ORDERS: usize = 500;

/// Bytes of orders handed to the writer together while restoring.
pub const RESTORE_BYTES: usize = 4 << 20;

/// Such batches under way at a time.
pub const RESTORE_IN_FLIGHT: usize = 4;

/// Bytes of what the platform says of a deposit.
pub const JUDGEMENT_BYTES: u64 = 64 << 10;

/// Characters of a reason that are kept: enough to understand it.
pub const REMARK_CHARACTERS: usize = 400;

/// Minutes after eight in the morning in Beijing, before which there is nothing to deposit, and before midnight there.
pub const LATEST_MINUTES: u32 = 16 * 60 - 1;

/// How often a deposit is made again for a day when the platform refuses it. A reason that does not go away by itself should not fill its disk.
pub const RESENDS: Limit = Limit { default: 3, min: 0, max: 20 };

/// Seconds between questions whether the platform has judged. It takes up to 24 hours.
pub const ASK_SECONDS: Limit = Limit { default: 300, min: 1, max: 86_400 };

/// Seconds of the first pause after something failed; doubles with each further time.
pub const FIRST_PAUSE_SECONDS: Limit = Limit { default: 10, min: 1, max: 3_600 };

/// Seconds of the longest such pause.
pub const LONGEST_PAUSE_SECONDS: u64 = 900;

/// Seconds between looks at the table and the clock.
pub const LOOK_SECONDS: u64 = 10;

/// Deposits of a prefix the platform is asked about: those of a week and of some resends; an older one that was never judged does not matter any more.
pub const ASKED: usize = 12;

/// Days by which the clock may have been ahead when a deposit was made for it still to stand. One farther ahead was made by a clock that was wrong.
pub const AHEAD_DAYS: i64 = 2;

/// Prefixes deposited by one node: a node has a few (86.x, 88.x).
pub const PREFIXES: usize = 64;

/// Hours without an accepted deposit after which somebody should look: a day, and what bringing and judging take.
pub const ALERT_HOURS: u64 = 26;
