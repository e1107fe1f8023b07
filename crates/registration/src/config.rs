//! Every limit of the registration doors: default, minimum, maximum, unit and reason, in one place.

use std::time::Duration;

use waymark_catalog::config::PDF_BYTES;

pub use waymark_wire::frame::config::Limit;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

// Connections.

/// Connections of all gRPC addresses, and of all HTTP addresses. Default: some thousand systems that hold one open each, with room for
/// those that open several.
pub const CONNECTIONS: Limit<usize> = Limit { default: 4_096, min: 1, max: 1_000_000 };

/// Connections of one source: an IPv4 address, or the /64 of an IPv6 address. Default: a company behind one address.
pub const CONNECTIONS_PER_SOURCE: Limit<usize> = Limit { default: 256, min: 1, max: 1_000_000 };

/// TLS handshakes under way at a time; who comes above it waits in the kernel's queue. Default: a second of one core's handshakes is
/// some thousand, and more at a time would only make all of them late.
pub const HANDSHAKES: Limit<usize> = Limit { default: 256, min: 1, max: 65_536 };

/// How long a TLS handshake may take, and then the first byte behind it. Default: a slow line far away needs a second or two.
pub const HANDSHAKE_TIME: Limit<Duration> =
    Limit { default: Duration::from_secs(10), min: Duration::from_millis(100), max: Duration::from_secs(120) };

/// How long a connection may be silent before it is asked for a sign of life, and how long that sign may take is a third of it.
/// Default: shorter than what most middle boxes forget a connection after (five minutes).
pub const KEEPALIVE: Limit<Duration> =
    Limit { default: Duration::from_secs(60), min: Duration::from_secs(1), max: Duration::from_secs(3600) };

/// Calls under way at a time on one connection. Default: what gRPC libraries expect; each costs a task and its buffers.
pub const CALLS_PER_CONNECTION: Limit<u32> = Limit { default: 100, min: 1, max: 10_000 };

/// Bytes of the headers of one call. Default: a token and a dozen others.
pub const HEADER_BYTES: Limit<u32> = Limit { default: 16 << 10, min: 4 << 10, max: 256 << 10 };

// Calls.

/// Bytes of one message in either direction, after decompression. Default and minimum: a record of full size (258,048 bytes) with room,
/// and a thousand ordinary changes in one message of a stream.
pub const MESSAGE_BYTES: Limit<usize> = Limit { default: 4 * MIB, min: 512 * KIB, max: 64 * MIB };

/// Bytes of a message of the service of the node's own record, where [`MESSAGE_BYTES`] are fewer: a document of full size, with room for its frame.
pub const FILE_MESSAGE_BYTES: usize = PDF_BYTES + 4 * KIB;

/// Sources of a day of requests that are told of the node and of each prefix. What a message of the smallest permitted size holds.
pub const TRAFFIC_SOURCES: usize = 10_000;

/// Longest prefix of which figures of requests are asked, in bytes.
pub const TRAFFIC_PREFIX_BYTES: usize = 255;

/// The longest a unary call may take, whatever the caller allows it. Default: a writer whose disk hangs is known to be so by then.
pub const CALL_TIME: Limit<Duration> =
    Limit { default: Duration::from_secs(60), min: Duration::from_secs(1), max: Duration::from_secs(600) };

/// Reads that may be on the disk at a time; the others wait. Default: a little parallelism for fast disks, and a bound on threads.
pub const READS: Limit<usize> = Limit { default: 16, min: 1, max: 256 };

/// Reads of the audit that may be on the disk at a time, beside all others: a search through years must not hold up who asks for an identifier.
/// Default: two, so that a verification does not hold up every search.
pub const AUDIT_READS: Limit<usize> = Limit { default: 2, min: 1, max: 64 };

/// Verifications of the audit under way at a time; above it the answer is busy. Default: one takes the memory of two groups, and a second tells
/// nothing else.
pub const AUDIT_VERIFICATIONS: Limit<usize> = Limit { default: 1, min: 1, max: 16 };

/// The longest a search of the audit, or a verification, may take, whatever the caller allows it. Default: what people wait for. A search says where
/// to go on; a verification that takes longer is made on the machine of the node.
pub const AUDIT_TIME: Limit<Duration> =
    Limit { default: Duration::from_secs(300), min: Duration::from_millis(1), max: Duration::from_secs(24 * 3600) };

/// Streams that may wait for room in the writer's queue with a thread each; the others wait without one. Default: enough to fill the
/// queue as soon as there is room.
pub const WAITING_STREAMS: Limit<usize> = Limit { default: 8, min: 1, max: 256 };

/// Field violations told of one message. Not an operator's choice: they travel in a trailer that clients bound to 8 KiB.
pub const VIOLATIONS: usize = 16;

// Streams of changes.

/// Streams of changes under way at a time, over all connections. Default: with the limits of one stream, a bound on memory of half a GiB.
pub const UPLOADS: Limit<usize> = Limit { default: 64, min: 1, max: 4_096 };

/// Items of a stream handed to the writer at a time. Default: as an import does; a flush is shared by many, and stays short.
pub const SUBMISSION_ITEMS: Limit<usize> = Limit { default: 512, min: 1, max: 4_096 };

/// Submissions of one stream under way, so that reading, converting and flushing overlap. Default: as an import keeps.
pub const SUBMISSIONS_IN_FLIGHT: Limit<usize> = Limit { default: 8, min: 1, max: 64 };

/// Bytes of all items of one stream under way. Default: what the submissions above take with ordinary records, twice.
pub const STREAM_BYTES: Limit<usize> = Limit { default: 8 * MIB, min: MIB, max: 256 * MIB };

/// How long a client of a stream may take to read an outcome before the call is ended. Default: a client that is paused for a
/// minute may still continue; one that is gone gives its memory back.
pub const READER_TIME: Limit<Duration> =
    Limit { default: Duration::from_secs(120), min: Duration::from_secs(1), max: Duration::from_secs(3600) };

/// How long a stream may rest without a message of the client. Default: long enough for a source that delivers in bursts.
pub const STREAM_IDLE: Limit<Duration> =
    Limit { default: Duration::from_secs(600), min: Duration::from_secs(1), max: Duration::from_secs(24 * 3600) };

/// Longest name of a stream in bytes. Not an operator's choice: part of the interface.
pub const STREAM_NAME_BYTES: usize = 128;

/// Refusals listed in the summary of an upload. Not an operator's choice: part of the interface.
pub const SUMMARY_REFUSALS: usize = 100;

// Pages.

/// Items of a page when the caller does not say. Not an operator's choice: part of the interface.
pub const PAGE: usize = 100;

/// Items of a page at most. Not an operator's choice: part of the interface.
pub const PAGE_MAX: usize = 1_000;

/// Links between the identifier a trace begins with and the last when the caller does not say: more than lie between an item and a ship's hold. Not an
/// operator's choice: part of the interface.
pub const TRACE_DEPTH: u32 = 16;

/// The same at most. Not an operator's choice: part of the interface.
pub const TRACE_DEPTH_MAX: u32 = 64;

/// Identifiers of a trace when the caller does not say. Not an operator's choice: part of the interface.
pub const TRACE_NODES: usize = 1_000;

/// The same at most. Not an operator's choice: part of the interface.
pub const TRACE_NODES_MAX: usize = 10_000;

/// How long a trace waits for the links of what was acknowledged before it. They are there within moments unless the disk refuses.
pub(crate) const LINKS_FED: Duration = Duration::from_secs(10);

/// Bytes of a page's values, after which it ends early. Default: half a message, since one record more always fits.
pub const PAGE_BYTES: Limit<usize> = Limit { default: 2 * MIB, min: 256 * KIB, max: 32 * MIB };

/// Keys looked at for one page, after which it ends early, perhaps empty: a filter by time looks at much and shows little.
pub const PAGE_SCAN: Limit<usize> = Limit { default: 100_000, min: 1_000, max: 10_000_000 };

/// Codes judged in one call. Not an operator's choice: part of the interface.
pub const JUDGED_CODES: usize = 200;

/// Bytes of one of them: the longest a scanner reads off a GS1 bar code, with room. Not an operator's choice: part of the interface.
pub const JUDGED_CODE_BYTES: usize = 8 * KIB;

// Sets enterprises report.

/// Bytes of a message with a part: the most rows of one, with room for what is around them. Not an operator's choice: part of the interface.
pub const COLLECTED_MESSAGE_BYTES: usize = 4 * MIB + 64 * KIB;

/// Acknowledgements that wait for a slow reader; then no more parts are taken from it. Not an operator's choice: each is small.
pub const COLLECTED_ACKNOWLEDGEMENTS: usize = 16;

// Watching.

/// Watchers at a time. Default: a bound on tasks; each reads the log for itself.
pub const WATCHERS: Limit<usize> = Limit { default: 256, min: 1, max: 10_000 };

/// Caches known to follow, those that are lost included. Not an operator's choice: each is some hundred bytes.
pub const FOLLOWERS: usize = 10_000;

/// Prefixes one of them follows. Not an operator's choice: each is compared with each change.
pub const FOLLOWER_PREFIXES: usize = 64;

/// Changes read for a watcher at a time, and those waiting for it to read them. Default: a good share of a page of the log.
pub const WATCH_BATCH: Limit<usize> = Limit { default: 256, min: 1, max: 4_096 };

/// How often a watcher to whom nothing is sent is told how far it is. Default: often enough that little is seen twice.
pub const WATCH_PROGRESS: Limit<Duration> =
    Limit { default: Duration::from_secs(10), min: Duration::from_millis(100), max: Duration::from_secs(3600) };

// HTTP.

/// How long a client of the HTTP service may take to send the head of a request, and how long an open connection rests between two. Default: a slow
/// line far away, and a program that asks every few seconds.
pub const HTTP_HEADER_TIME: Limit<Duration> =
    Limit { default: Duration::from_secs(30), min: Duration::from_millis(100), max: Duration::from_secs(3600) };

/// How long the body of a single request may rest. Default: shorter than a call may take; streams have their own patience.
pub const HTTP_BODY_IDLE: Limit<Duration> =
    Limit { default: Duration::from_secs(15), min: Duration::from_millis(100), max: Duration::from_secs(600) };

// Registration data.

/// Questions for registration data a second of one source: an IPv4 address, or the /64 of an IPv6 address; as many are taken at once. Default: a
/// person, or a program that goes through a list; far below what would copy all of it in a day.
pub const QUERY_RATE: Limit<u32> = Limit { default: 10, min: 1, max: 1_000_000 };

/// Sources whose questions are counted apart; above it all others are counted together. Default: a few MiB.
pub const QUERY_SOURCES: Limit<usize> = Limit { default: 65_536, min: 16, max: 1 << 20 };

/// Results of a search by name. Default: a page; who wants others gives more of the name.
pub const QUERY_RESULTS: Limit<usize> = Limit { default: 50, min: 1, max: 1_000 };

/// Prefixes looked at for one search. Default: more than a node has, some milliseconds.
pub const QUERY_SCAN: Limit<usize> = Limit { default: 100_000, min: 100, max: 10_000_000 };

/// Searches by name under way at a time; others wait. Default: one core is left to everything else.
pub const QUERY_SEARCHES: Limit<usize> = Limit { default: 2, min: 1, max: 64 };

/// Bytes of a bootstrap file. Not an operator's choice: more than a hundred thousand services take.
pub const BOOTSTRAP_BYTES: u64 = 16 << 20;

/// Prefixes of a bootstrap file. Not an operator's choice: far more than there are secondary nodes, and each is held in memory.
pub const BOOTSTRAP_PREFIXES: usize = 200_000;

/// Bytes of an address in it. Not an operator's choice: it goes into a header of answers.
pub const BOOTSTRAP_URL_BYTES: usize = 1_024;

/// How often the bootstrap file is looked at. Not an operator's choice: a look costs nothing, and nobody waits for it.
pub const BOOTSTRAP_LOOK: Duration = Duration::from_secs(2);

// Jobs.

/// Bytes of the file of one job. Default: some millions of ordinary records.
pub const JOB_BYTES: Limit<u64> = Limit { default: 1 << 30, min: 1 << 10, max: 1 << 40 };

/// Bytes of all jobs on the disk: uploads under way, files, and lists of failed lines. Default: several large jobs, well below what a node's disk
/// has. Finished jobs go, oldest first, before one is refused.
pub const JOB_FOLDER_BYTES: Limit<u64> = Limit { default: 16 << 30, min: 1 << 10, max: 1 << 44 };

/// Jobs that are kept, finished ones included. Default: all are held in memory, at a KiB or so each. Finished jobs go, oldest first, before one is
/// refused.
pub const JOBS: Limit<usize> = Limit { default: 1_000, min: 1, max: 100_000 };

/// Jobs of one principal that are not finished, uploads included. Default: enough for a system that delivers by the hour, and the queue is left to
/// others too.
pub const JOBS_PER_PRINCIPAL: Limit<usize> = Limit { default: 16, min: 1, max: 100_000 };

/// Uploads of jobs under way at a time. Default: they share one disk with the log.
pub const JOB_UPLOADS: Limit<usize> = Limit { default: 8, min: 1, max: 256 };

/// How long an upload may rest. Default: a slow line may; a client that is gone gives its place back.
pub const JOB_UPLOAD_IDLE: Limit<Duration> =
    Limit { default: Duration::from_secs(60), min: Duration::from_millis(100), max: Duration::from_secs(3600) };

/// Bytes a second an upload must come at, counted from its beginning, with the time of [`JOB_UPLOAD_IDLE`] given once: one that falls behind gives its place
/// back, however often it sends a little. Default: below what a slow mobile line gives.
pub const JOB_UPLOAD_RATE: Limit<u64> = Limit { default: 16 << 10, min: 1 << 10, max: 1 << 30 };

/// How long a finished job is kept, with its failed lines. Default: a week, so that a Monday can look at what a Friday left.
pub const JOB_KEPT: Limit<Duration> =
    Limit { default: Duration::from_secs(7 * 86_400), min: Duration::ZERO, max: Duration::from_secs(366 * 86_400) };

/// How often a running job keeps how far it is. Default: what is done after it is read back from the log after a crash, at a second or less for each.
pub const JOB_SAVE: Limit<Duration> =
    Limit { default: Duration::from_secs(2), min: Duration::ZERO, max: Duration::from_secs(60) };

/// How long a job rests when the disk refuses writes, before it is tried again. Default: room is made by people, in minutes.
pub const JOB_RETRY: Limit<Duration> =
    Limit { default: Duration::from_secs(10), min: Duration::from_millis(10), max: Duration::from_secs(600) };

/// Bytes of a job's title. Not an operator's choice: part of the interface.
pub const JOB_TITLE_BYTES: usize = 200;

/// Bytes of a part of a job's file. Not an operator's choice: part of the interface.
pub const JOB_CHUNK_BYTES: usize = MIB;

// Callers.

/// Calls and stream items a second of a principal that has no rate of its own; as many are taken at once. Default: a factory's line
/// with room, far below what the writer does for all.
pub const RATE_PER_SECOND: Limit<u32> = Limit { default: 50_000, min: 1, max: 10_000_000 };

/// Failed authentications of one source taken at once before their answers are held back. Default: a person who errs, a program
/// that starts with an old token.
pub const FAILED_AUTHENTICATIONS: Limit<u32> = Limit { default: 10, min: 1, max: 10_000 };

/// Failed authentications a source regains a minute. Default: one each two seconds.
pub const FAILED_AUTHENTICATIONS_PER_MINUTE: Limit<u32> = Limit { default: 30, min: 1, max: 60_000 };

/// How long the answer to a failed authentication is held back above that. Default: makes guessing pointless on any number of calls.
pub const FAILURE_DELAY: Limit<Duration> =
    Limit { default: Duration::from_secs(1), min: Duration::ZERO, max: Duration::from_secs(60) };

/// Sources whose failures are counted apart; above it all others are counted together. Default: a MiB or so.
pub const FAILURE_SOURCES: Limit<usize> = Limit { default: 16_384, min: 16, max: 1 << 20 };

// Stopping.

/// The longest a drained stop may take before what is still under way is cut off. Default: the time of one slow call.
pub const DRAIN_TIME: Limit<Duration> =
    Limit { default: Duration::from_secs(10), min: Duration::ZERO, max: Duration::from_secs(600) };

/// Declares [`Limits`] from a list of fields and the constants that bound them, so that none can be left out of `in_range`.
macro_rules! limits {
    ($($field:ident: $kind:ty = $limit:ident,)*) => {
        /// The limits of the registration doors; each field is described at the constant it is bounded by.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Limits {
            $(#[doc = concat!("See [`", stringify!($limit), "`].")] pub $field: $kind,)*
        }

        impl Limits {
            /// Every limit moved into its range.
            #[must_use]
            pub fn in_range(self) -> Self {
                Self { $($field: $limit.clamp(self.$field),)* }
            }
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($field: $limit.default,)* }
            }
        }
    };
}

limits! {
    connections: usize = CONNECTIONS,
    connections_per_source: usize = CONNECTIONS_PER_SOURCE,
    handshakes: usize = HANDSHAKES,
    handshake_time: Duration = HANDSHAKE_TIME,
    keepalive: Duration = KEEPALIVE,
    calls_per_connection: u32 = CALLS_PER_CONNECTION,
    header_bytes: u32 = HEADER_BYTES,
    message_bytes: usize = MESSAGE_BYTES,
    call_time: Duration = CALL_TIME,
    reads: usize = READS,
    audit_reads: usize = AUDIT_READS,
    audit_verifications: usize = AUDIT_VERIFICATIONS,
    audit_time: Duration = AUDIT_TIME,
    waiting_streams: usize = WAITING_STREAMS,
    uploads: usize = UPLOADS,
    submission_items: usize = SUBMISSION_ITEMS,
    submissions_in_flight: usize = SUBMISSIONS_IN_FLIGHT,
    stream_bytes: usize = STREAM_BYTES,
    reader_time: Duration = READER_TIME,
    stream_idle: Duration = STREAM_IDLE,
    page_bytes: usize = PAGE_BYTES,
    page_scan: usize = PAGE_SCAN,
    watchers: usize = WATCHERS,
    watch_batch: usize = WATCH_BATCH,
    watch_progress: Duration = WATCH_PROGRESS,
    http_header_time: Duration = HTTP_HEADER_TIME,
    http_body_idle: Duration = HTTP_BODY_IDLE,
    query_rate: u32 = QUERY_RATE,
    query_sources: usize = QUERY_SOURCES,
    query_results: usize = QUERY_RESULTS,
    query_scan: usize = QUERY_SCAN,
    query_searches: usize = QUERY_SEARCHES,
    job_bytes: u64 = JOB_BYTES,
    job_folder_bytes: u64 = JOB_FOLDER_BYTES,
    jobs: usize = JOBS,
    jobs_per_principal: usize = JOBS_PER_PRINCIPAL,
    job_uploads: usize = JOB_UPLOADS,
    job_upload_idle: Duration = JOB_UPLOAD_IDLE,
    job_upload_rate: u64 = JOB_UPLOAD_RATE,
    job_kept: Duration = JOB_KEPT,
    job_save: Duration = JOB_SAVE,
    job_retry: Duration = JOB_RETRY,
    rate_per_second: u32 = RATE_PER_SECOND,
    failed_authentications: u32 = FAILED_AUTHENTICATIONS,
    failed_authentications_per_minute: u32 = FAILED_AUTHENTICATIONS_PER_MINUTE,
    failure_delay: Duration = FAILURE_DELAY,
    failure_sources: usize = FAILURE_SOURCES,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_lies_in_its_range() {
        assert_eq!(Limits::default().in_range(), Limits::default());
    }

    #[test]
    fn what_is_out_of_range_is_moved_into_it() {
        let limits = Limits { connections: 0, keepalive: Duration::ZERO, ..Limits::default() }.in_range();
        assert_eq!((limits.connections, limits.keepalive), (1, Duration::from_secs(1)));
    }
}
