//! Every limit of this crate: default, smallest and largest value, unit and reason.
//!
//! The memory of resident records and the size of the table are limits of [`waymark_index::config`].

use std::time::Duration;

use waymark_ident::MAX_HANDLE_BYTES;

use crate::audit::Algorithm;

mod business;

pub use business::*;

/// One limit: what it is unless configured, and the range a configuration may choose from (both ends allowed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Used when nothing is configured.
    pub default: u64,
    /// Smallest value that makes sense.
    pub min: u64,
    /// Largest value the formats or the machine can carry.
    pub max: u64,
}

impl Limit {
    /// `value` brought into the range.
    #[must_use]
    pub const fn clamp(&self, value: u64) -> u64 {
        if value < self.min {
            self.min
        } else if value > self.max {
            self.max
        } else {
            value
        }
    }
}

/// Longest whole handle in bytes. 255 is what the databases and forms behind existing nodes hold; the protocol ends at
/// 2,048, beyond which clients refuse an answer.
pub const HANDLE_BYTES: Limit = Limit { default: 255, min: 16, max: MAX_HANDLE_BYTES as u64 };

/// Longest data of one value in bytes. 64 KiB holds keys, sites and documents' metadata; what is larger belongs behind
/// a URL. The largest keeps one value within a message of 262,144 bytes.
pub const VALUE_BYTES: Limit = Limit { default: 65_536, min: 256, max: 261_120 };

/// Values in one record. Clients of the reference refuse answers of more than 2,048 values, so more can be stored only by
/// configuration, for records that are asked by index.
pub const VALUES_PER_RECORD: Limit = Limit { default: 2_048, min: 1, max: 65_536 };

/// Wire bytes of all values of one record: what a message of the protocol (262,144 bytes) can carry with its header and a
/// handle of full length.
pub const RECORD_BYTES: Limit = Limit { default: 258_048, min: 4_096, max: 258_048 };

/// Submissions waiting for the writer. More only adds waiting: past it a door says "too busy".
pub const QUEUE_SUBMISSIONS: Limit = Limit { default: 4_096, min: 16, max: 65_536 };

/// Bytes of all submissions waiting for the writer; bounds the memory behind a slow disk.
pub const QUEUE_BYTES: Limit = Limit { default: 64 << 20, min: 1 << 20, max: 1 << 30 };

/// Commands in one group, so in one flush and at most one submission. Large enough that the flush is no longer what
/// limits an import, small enough that its latency stays in milliseconds.
pub const GROUP_COMMANDS: Limit = Limit { default: 4_096, min: 1, max: 65_536 };

/// Bytes of the commands of one group; a single submission is held to it too.
pub const GROUP_BYTES: Limit = Limit { default: 8 << 20, min: 1 << 20, max: 32 << 20 };

/// Entries of the key runs and log that warming hands to the writer at a time: it stops for real work between two.
pub(crate) const WARM_CHUNK: usize = 256;

/// Deleted keys whose hashes are kept in memory, at some 18 bytes each. Past it every new handle costs a look into the key runs.
pub(crate) const DELETED_KEYS: usize = 1 << 22;

/// Steps of a stream that are walked back at most to tell what became of an item: about a second of reading. Whoever asks for items further
/// back is told where what can be told begins.
pub const STREAM_STEPS_WALKED: usize = 65_536;

/// Seconds an accepted request id is remembered, counted from when it was made. Clients ask again within minutes; a day outlives a night's outage.
pub const REQUEST_KEEP_SECONDS: Limit = Limit { default: 86_400, min: 600, max: 30 * 86_400 };

/// Accepted request ids remembered for one principal. Past it the oldest give way, so that a day of one a second fits and one busy program does
/// not take the memory of all.
pub const REQUESTS_PER_PRINCIPAL: Limit = Limit { default: 100_000, min: 100, max: 10_000_000 };

/// Accepted request ids remembered for all principals together, at some 250 bytes of memory each. Past it the principal with the most gives way.
pub const REQUESTS_TOTAL: Limit = Limit { default: 1_000_000, min: 1_000, max: 50_000_000 };

/// Seconds a request id may be ahead of the node's clock: more than clocks that are kept right differ by.
pub const REQUEST_FUTURE_SECONDS: u64 = 300;

/// Milliseconds a token may be made ahead of the group it is written in: a group's time is read when it begins, and under load it takes in what
/// came meanwhile.
pub(crate) const TOKEN_AHEAD_MS: u64 = 60_000;

/// Longest name of an actor in bytes; it stands in every entry of the log.
pub const ACTOR_BYTES: usize = 128;

/// Longest reason of a suspension or revocation in bytes.
pub const REASON_BYTES: usize = 1_024;

/// Longest name of a principal in bytes.
pub const PRINCIPAL_NAME_BYTES: usize = 64;

/// Longest note of a principal or token in bytes.
pub const ACCESS_NOTE_BYTES: usize = 200;

/// Longest prefix of a scope in bytes: what a handle may have by default.
pub const SCOPE_PREFIX_BYTES: usize = 255;

/// Principals of a node. All of them are in memory, and the table is copied when one changes.
pub const PRINCIPALS: Limit = Limit { default: 10_000, min: 1, max: 100_000 };

/// Writers and readers within the prefixes of an enterprise administrator, whoever made them, past which the administrator makes none. So one
/// enterprise does not take the principals of all.
pub const PRINCIPALS_PER_ADMINISTRATOR: Limit = Limit { default: 200, min: 1, max: 100_000 };

/// Prefixes in the scope of a principal or token, each with all that is derived from it. Keeps an entry below 300 KiB.
pub const SCOPE_PREFIXES: Limit = Limit { default: 256, min: 1, max: 1_024 };

/// Client certificates a principal is known by; two are enough to change one for the next.
pub const CERTIFICATES_PER_PRINCIPAL: Limit = Limit { default: 16, min: 1, max: 256 };

/// Tokens of a principal that can be used.
pub const TOKENS_PER_PRINCIPAL: Limit = Limit { default: 64, min: 1, max: 1_024 };

/// Tokens of a principal that have expired or were revoked and are still known by name, the latest ones. The log has them all.
pub const FINISHED_TOKENS_PER_PRINCIPAL: Limit = Limit { default: 256, min: 0, max: 4_096 };

/// Longest life of a token in days: a year and the time to notice.
pub const TOKEN_DAYS: Limit = Limit { default: 400, min: 1, max: 400 };

/// Life of the token for the first operator in days: enough to be called, short enough not to be forgotten.
pub const FIRST_TOKEN_DAYS: Limit = Limit { default: 7, min: 1, max: 30 };

/// Days for which the writes of each principal are kept in the small state. The quota needs one; the rest is for reports of a month.
pub(crate) const USAGE_DAYS: u32 = 40;

/// Longest line of an imported file in bytes. A record of full size takes four times its bytes as escaped text.
pub const IMPORT_LINE_BYTES: Limit = Limit { default: 2 << 20, min: 4_096, max: 16 << 20 };

/// Records an importer puts into one submission, together with one progress mark.
pub const IMPORT_SUBMISSION: Limit = Limit { default: 512, min: 1, max: 4_096 };

/// Submissions an importer keeps under way, so that parsing and flushing overlap.
pub const IMPORT_IN_FLIGHT: Limit = Limit { default: 8, min: 1, max: 64 };

/// Problems kept in memory for the summary of an import; all of them go to the reject writer.
pub const IMPORT_KEPT_PROBLEMS: Limit = Limit { default: 100, min: 0, max: 10_000 };

/// Entries of the log one call of the change feed looks at. Small enough that a caller hears of a cancellation within milliseconds.
pub const FEED_ENTRIES: Limit = Limit { default: 4_096, min: 1, max: 1 << 20 };

/// Bytes of keys and bodies one call of the change feed looks at, the entry that reaches it included.
pub const FEED_BYTES: Limit = Limit { default: 4 << 20, min: 1, max: 64 << 20 };

/// Bytes of versions in one answer about a handle's past, the version that reaches it included: bounds the memory of one question.
pub const HISTORY_BYTES: usize = 4 << 20;

/// Versions one question about a handle's past looks at: a second or so of reading.
pub const HISTORY_STEPS: usize = 100_000;

/// What one call of the change feed may look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedLimits {
    /// See [`FEED_ENTRIES`].
    pub entries: usize,
    /// See [`FEED_BYTES`].
    pub bytes: usize,
}

impl FeedLimits {
    /// The defaults of both limits.
    pub const DEFAULT: Self = Self { entries: usize_of(FEED_ENTRIES.default), bytes: usize_of(FEED_BYTES.default) };
}

impl Default for FeedLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Lines of refusals told apart between two notes of the audit, by actor, source, verb and reason; what is more is counted together. A line
/// takes some 80 bytes of the log: the default holds a flood from everywhere to some 30 megabytes a day.
pub const REFUSAL_LINES: Limit = Limit { default: 256, min: 16, max: 4_096 };

/// Days the items of the audit are kept; their hashes are kept for good. The default is six months, the longest there are.
pub const AUDIT_KEEP_DAYS: Limit = Limit { default: 184, min: 1, max: 36_500 };

/// Seconds between two notes that tell refusals. Shorter shows an attack sooner, and a crash loses fewer counts; longer writes less.
pub const REFUSAL_SECONDS: Limit = Limit { default: 60, min: 1, max: 3_600 };

/// Bytes of items in one note of the audit; a group with more ends with several notes. Far below what one entry of the log may hold.
pub(crate) const NOTE_ITEMS_BYTES: usize = 8 << 20;

/// What happens to something that may be unwanted but that the protocol carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Taken.
    Allow,
    /// Taken; the receipt says so.
    Warn,
    /// Refused.
    Refuse,
}

impl Ruling {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Allow, Self::Warn, Self::Refuse];

    /// Its name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Warn => "warn",
            Self::Refuse => "refuse",
        }
    }

    /// The ruling of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ruling| ruling.as_str() == name)
    }
}

/// Limits on records that are written. What is already stored is served whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLimits {
    /// Longest handle in bytes, see [`HANDLE_BYTES`].
    pub handle_bytes: usize,
    /// What happens past `handle_bytes`.
    pub long_handles: Ruling,
    /// What happens to a slash in the suffix, which some systems around a node do not expect.
    pub slash_in_suffix: Ruling,
    /// What happens to white space in a handle. Control characters are refused always.
    pub whitespace: Ruling,
    /// What happens to characters outside ASCII in a handle.
    pub non_ascii: Ruling,
    /// Longest data of one value in bytes, see [`VALUE_BYTES`].
    pub value_bytes: usize,
    /// What happens past `value_bytes`, up to the largest limit.
    pub large_values: Ruling,
    /// Most values of one record, see [`VALUES_PER_RECORD`].
    pub values: usize,
    /// What happens past `values`, up to the largest limit.
    pub many_values: Ruling,
    /// Most wire bytes of all values of one record, see [`RECORD_BYTES`].
    pub record_bytes: usize,
}

impl RecordLimits {
    /// The defaults of all limits.
    pub const DEFAULT: Self = Self {
        handle_bytes: usize_of(HANDLE_BYTES.default),
        long_handles: Ruling::Refuse,
        slash_in_suffix: Ruling::Allow,
        whitespace: Ruling::Allow,
        non_ascii: Ruling::Allow,
        value_bytes: usize_of(VALUE_BYTES.default),
        large_values: Ruling::Refuse,
        values: usize_of(VALUES_PER_RECORD.default),
        many_values: Ruling::Refuse,
        record_bytes: usize_of(RECORD_BYTES.default),
    };
}

impl Default for RecordLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Limits on principals and tokens that are written. What is already stored stays in force whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessLimits {
    /// See [`PRINCIPALS`].
    pub principals: usize,
    /// See [`PRINCIPALS_PER_ADMINISTRATOR`].
    pub principals_per_administrator: usize,
    /// See [`SCOPE_PREFIXES`].
    pub prefixes: usize,
    /// See [`CERTIFICATES_PER_PRINCIPAL`].
    pub certificates: usize,
    /// See [`TOKENS_PER_PRINCIPAL`].
    pub tokens: usize,
    /// See [`FINISHED_TOKENS_PER_PRINCIPAL`].
    pub finished_tokens: usize,
    /// See [`TOKEN_DAYS`].
    pub token_days: u64,
}

impl AccessLimits {
    /// The defaults of all limits.
    pub const DEFAULT: Self = Self {
        principals: usize_of(PRINCIPALS.default),
        principals_per_administrator: usize_of(PRINCIPALS_PER_ADMINISTRATOR.default),
        prefixes: usize_of(SCOPE_PREFIXES.default),
        certificates: usize_of(CERTIFICATES_PER_PRINCIPAL.default),
        tokens: usize_of(TOKENS_PER_PRINCIPAL.default),
        finished_tokens: usize_of(FINISHED_TOKENS_PER_PRINCIPAL.default),
        token_days: TOKEN_DAYS.default,
    };

    /// The longest life of a token in milliseconds.
    pub(crate) const fn token_lifetime_ms(&self) -> u64 {
        self.token_days.saturating_mul(DAY_MS)
    }
}

impl Default for AccessLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Codes of one package. A factory orders 10^4 to 10^7 at once; what a package holds costs nothing by itself.
pub const RANGE_CODES: Limit = Limit { default: 10_000_000_000, min: 1, max: 1_000_000_000_000_000_000 };

/// Packages under one prefix: each is held in memory.
pub const RANGES_PER_PREFIX: Limit = Limit { default: 10_000, min: 1, max: 1_000_000 };

/// Parts of a package told apart in each respect (values bound, states, exports, leases): each is held in memory.
pub const PIECES_PER_RANGE: Limit = Limit { default: 65_536, min: 16, max: 1_048_576 };

/// Wire bytes of what a code inherits, every place filled: what one answer copies.
pub const INHERITED_BYTES: Limit = Limit { default: 32_768, min: 1_024, max: 131_072 };

/// Characters of a code that nobody can guess: a chance of 1 in a million with 4, of 1 in 10^24 with 16.
pub const MAC_CHARS: Limit = Limit { default: 6, min: 4, max: 16 };

/// Bytes of the stem of a package's codes.
pub const STEM_BYTES: Limit = Limit { default: 64, min: 0, max: 64 };

/// The longest time a printing station may have before it reports, in milliseconds: as long as a token may live.
pub(crate) const LEASE_MS: u64 = 400 * DAY_MS;

/// Templates under a prefix: each is held in memory.
pub const TEMPLATES_PER_PREFIX: usize = 4_096;

/// Bytes of a template in JSON: what stands in one value of a record.
pub const TEMPLATE_BYTES: usize = 61_440;

/// Bytes of the code of a template.
pub const TEMPLATE_CODE_BYTES: usize = 48;

/// Bytes of the version of a template.
pub const TEMPLATE_VERSION_BYTES: usize = 16;

/// Characters of the title of a template.
pub const TEMPLATE_TITLE_CHARS: usize = 100;

/// Columns of a template.
pub const TEMPLATE_COLUMNS: usize = 256;

/// The first index a column may have: those below are the node's.
pub const FIRST_COLUMN_INDEX: u32 = 2_000;

/// Characters of the name of a column.
pub const COLUMN_NAME_CHARS: usize = 64;

/// Bytes of the type of a column.
pub const COLUMN_TYPE_BYTES: usize = 64;

/// Characters of the unit of a column.
pub const COLUMN_UNIT_CHARS: usize = 16;

/// Characters a column may hold at most.
pub const COLUMN_CHARS: u32 = 4_000;

/// What a column of an enumeration may list.
pub const COLUMN_VALUES: usize = 256;

/// Digits of a number in a column.
pub const NUMBER_DIGITS: usize = 38;

/// Problems told of one identifier made from a template; what is more is found when these are mended.
pub const FIELD_PROBLEMS: usize = 20;

/// Parts with values of their own among the codes one command recalls: each is written anew.
pub const RANGE_RECALL_PIECES: usize = 1_000;

/// Bytes of the name of a printing station.
pub const STATION_BYTES: usize = 64;

/// Limits on code packages that are written. What is already stored stays in force whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeLimits {
    /// See [`RANGE_CODES`].
    pub codes: u64,
    /// See [`RANGES_PER_PREFIX`].
    pub per_prefix: usize,
    /// See [`PIECES_PER_RANGE`].
    pub pieces: usize,
    /// See [`INHERITED_BYTES`].
    pub values_bytes: usize,
}

impl RangeLimits {
    /// The defaults of all limits.
    pub const DEFAULT: Self = Self {
        codes: RANGE_CODES.default,
        per_prefix: usize_of(RANGES_PER_PREFIX.default),
        pieces: usize_of(PIECES_PER_RANGE.default),
        values_bytes: usize_of(INHERITED_BYTES.default),
    };
}

impl Default for RangeLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Identifiers packed or taken out by one command: more than lie on a pallet, and well within one group of writes.
pub const AGGREGATED: usize = 10_000;

/// Limits of the writer's queue and groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterLimits {
    /// See [`QUEUE_SUBMISSIONS`].
    pub queue_submissions: usize,
    /// See [`QUEUE_BYTES`].
    pub queue_bytes: usize,
    /// See [`GROUP_COMMANDS`].
    pub group_commands: usize,
    /// See [`GROUP_BYTES`].
    pub group_bytes: usize,
}

impl WriterLimits {
    /// The defaults of all limits.
    pub const DEFAULT: Self = Self {
        queue_submissions: usize_of(QUEUE_SUBMISSIONS.default),
        queue_bytes: usize_of(QUEUE_BYTES.default),
        group_commands: usize_of(GROUP_COMMANDS.default),
        group_bytes: usize_of(GROUP_BYTES.default),
    };
}

impl Default for WriterLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How the audit is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditOptions {
    /// The hash of new notes.
    pub algorithm: Algorithm,
    /// See [`REFUSAL_LINES`].
    pub refusal_lines: u64,
    /// See [`REFUSAL_SECONDS`].
    pub refusal_interval: Duration,
    /// See [`AUDIT_KEEP_DAYS`].
    pub keep: Duration,
}

impl AuditOptions {
    /// The defaults of all options.
    pub const DEFAULT: Self = Self {
        algorithm: Algorithm::Sha256,
        refusal_lines: REFUSAL_LINES.default,
        refusal_interval: Duration::from_secs(REFUSAL_SECONDS.default),
        keep: Duration::from_millis(AUDIT_KEEP_DAYS.default * DAY_MS),
    };
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Milliseconds of a day.
pub(crate) const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How many request ids are remembered, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// See [`REQUEST_KEEP_SECONDS`].
    pub keep: Duration,
    /// See [`REQUESTS_PER_PRINCIPAL`].
    pub per_principal: usize,
    /// See [`REQUESTS_TOTAL`].
    pub total: usize,
}

impl RequestLimits {
    /// The defaults of all limits.
    pub const DEFAULT: Self = Self {
        keep: Duration::from_secs(REQUEST_KEEP_SECONDS.default),
        per_principal: usize_of(REQUESTS_PER_PRINCIPAL.default),
        total: usize_of(REQUESTS_TOTAL.default),
    };

    pub(crate) fn keep_ms(&self) -> u64 {
        u64::try_from(self.keep.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A limit as a length; limits are far below what any machine that runs this can count.
#[expect(clippy::cast_possible_truncation, reason = "every limit is below 2^32; `try_from` is not const")]
pub(crate) const fn usize_of(value: u64) -> usize {
    value as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_lies_in_its_range() {
        for limit in [
            HANDLE_BYTES,
            VALUE_BYTES,
            VALUES_PER_RECORD,
            RECORD_BYTES,
            QUEUE_SUBMISSIONS,
            QUEUE_BYTES,
            GROUP_COMMANDS,
            GROUP_BYTES,
            REQUEST_KEEP_SECONDS,
            REQUESTS_PER_PRINCIPAL,
            REQUESTS_TOTAL,
            FEED_BYTES,
            FEED_ENTRIES,
            PRINCIPALS,
            SCOPE_PREFIXES,
            CERTIFICATES_PER_PRINCIPAL,
            TOKENS_PER_PRINCIPAL,
            FINISHED_TOKENS_PER_PRINCIPAL,
            TOKEN_DAYS,
            FIRST_TOKEN_DAYS,
            IMPORT_LINE_BYTES,
            IMPORT_SUBMISSION,
            IMPORT_IN_FLIGHT,
            IMPORT_KEPT_PROBLEMS,
            REFUSAL_LINES,
            REFUSAL_SECONDS,
            AUDIT_KEEP_DAYS,
            ENTERPRISES,
            PREFIXES_PER_ENTERPRISE,
        ] {
            assert_eq!(limit.clamp(limit.default), limit.default, "{limit:?}");
            assert_eq!(limit.clamp(0), limit.min);
            assert_eq!(limit.clamp(u64::MAX), limit.max);
        }
    }
}
