//! The one table of options. Limits that belong to a crate below are read from that crate's `config` module.

use std::time::Duration;

use waymark_catalog::config as catalog;
use waymark_index as index;
use waymark_registration::config as registration;
use waymark_resolver::config as resolver;
use waymark_wire::frame::config as frame;

use super::schema::{Item, Kind, Spec};

/// Bytes of a MiB.
const MEBI: u64 = 1 << 20;

const fn count(limit: frame::Limit<usize>) -> Kind {
    Kind::Number { default: limit.default as u64, min: limit.min as u64, max: limit.max as u64 }
}

const fn word(limit: frame::Limit<u32>) -> Kind {
    Kind::Number { default: limit.default as u64, min: limit.min as u64, max: limit.max as u64 }
}

const fn seconds(limit: frame::Limit<Duration>) -> Kind {
    Kind::Number { default: limit.default.as_secs(), min: limit.min.as_secs(), max: limit.max.as_secs() }
}

const fn stored(limit: catalog::Limit) -> Kind {
    Kind::Number { default: limit.default, min: limit.min, max: limit.max }
}

/// A limit in bytes, configured in MiB.
const fn mebibytes(default: u64, min: u64, max: u64) -> Kind {
    let (min, max) = (min.div_ceil(MEBI), max / MEBI);
    Kind::Number { default: default / MEBI, min: if min == 0 { 1 } else { min }, max }
}

const fn option(key: &'static str, kind: Kind, unit: &'static str, reason: &'static str) -> Spec {
    Spec { key, kind, unit, reason }
}

/// What happens to something that is taken unless configured otherwise.
const RULING_ALLOW: Kind = Kind::Choice { default: "allow", choices: RULINGS };

/// What happens to something that is refused unless configured otherwise.
const RULING_REFUSE: Kind = Kind::Choice { default: "refuse", choices: RULINGS };

/// The names of [`catalog::Ruling`].
const RULINGS: &[&str] = &["allow", "warn", "refuse"];

const ANY_ADDRESS: &[&str] = &["0.0.0.0:2641", "[::]:2641"];

/// Every option of the configuration file, in the order it is shown.
pub static OPTIONS: &[Spec] = &[
    option(
        "node.data",
        Kind::Text { default: super::DEFAULT_DATA },
        "path",
        "Folder of everything the node keeps. Overridden by --data.",
    ),
    option(
        "node.language",
        Kind::Choice { default: "auto", choices: &["auto", "en", "zh"] },
        "",
        "Language of messages; auto follows LC_ALL, LC_MESSAGES and LANG. Overridden by --lang.",
    ),
    option(
        "node.stop_seconds",
        seconds(resolver::DRAIN_TIME),
        "seconds",
        "Longest time a stop by SIGTERM waits for what is under way; a second signal stops at once.",
    ),
    option(
        "listen.udp",
        Kind::List { default: ANY_ADDRESS, item: Item::SocketAddress },
        "",
        "Addresses of the UDP door; an empty list closes it. Port 0 takes a free port.",
    ),
    option(
        "listen.tcp",
        Kind::List { default: ANY_ADDRESS, item: Item::SocketAddress },
        "",
        "Addresses of the TCP door; an empty list closes it.",
    ),
    option(
        "listen.quic",
        Kind::List { default: &["0.0.0.0:2642", "[::]:2642"], item: Item::SocketAddress },
        "",
        "Addresses of the QUIC door (UDP ports of their own); an empty list closes it.",
    ),
    option(
        "listen.http",
        Kind::List { default: &["127.0.0.1:9264"], item: Item::SocketAddress },
        "",
        "Addresses of /metrics, /healthz, /readyz and /status. They tell about load and stored data: keep them away from the public.",
    ),
    option(
        "listen.grpc",
        Kind::List { default: &["0.0.0.0:2643", "[::]:2643"], item: Item::SocketAddress },
        "",
        "Addresses of the registration service over gRPC; every call needs a credential. An empty list closes it.",
    ),
    option(
        "listen.api",
        Kind::List { default: &[], item: Item::SocketAddress },
        "",
        "Addresses of the registration service over HTTP and JSON, for systems that cannot speak gRPC. Same certificate, credentials and limits.",
    ),
    option(
        "site.file",
        Kind::Text { default: "" },
        "path",
        "HS_SITE data in binary to announce instead of one made from the options below, for a node that takes over an existing site.",
    ),
    option(
        "site.description",
        Kind::Text { default: "Waymark node" },
        "text",
        "Attribute `desc` of the announced site.",
    ),
    option(
        "site.addresses",
        Kind::List { default: &[], item: Item::Address },
        "",
        "Public addresses to announce, one site for each address family, IPv4 first. Empty: the specific addresses of listen.*, else loopback.",
    ),
    option(
        "site.serial",
        Kind::Number { default: 1, min: 0, max: 65_535 },
        "",
        "Serial number of the site; raise it with every change of the site.",
    ),
    option(
        "site.primary",
        Kind::Flag { default: true },
        "",
        "Whether this node is a primary: its answers are authoritative.",
    ),
    option(
        "site.ttl_seconds",
        word(resolver::SITE_TTL_SECONDS),
        "seconds",
        "How long askers may keep the announced site; a move of the node shows within it.",
    ),
    option(
        "site.answer_lifetime_seconds",
        word(resolver::ANSWER_LIFETIME_SECONDS),
        "seconds",
        "How long an answer may be used, from its making.",
    ),
    option(
        "site.key_file",
        Kind::Text { default: "" },
        "path",
        "Private key that signs certified answers (Handle key file or PEM, not encrypted). Empty: node-key.bin of the data folder, made at first start.",
    ),
    option(
        "names.case_sensitive",
        Kind::Flag { default: false },
        "",
        "Whether suffixes that differ only in the case of ASCII letters are different. A property of the stored data: set before the first import, never after.",
    ),
    option(
        "names.max_handle_bytes",
        stored(catalog::HANDLE_BYTES),
        "bytes",
        "Longest handle that may be registered. 255 is the bound of the national system, 2048 that of the protocol.",
    ),
    option(
        "names.long_handles",
        RULING_REFUSE,
        "",
        "What happens to a longer handle: taken, taken and said in the receipt, or refused.",
    ),
    option(
        "names.slash_in_suffix",
        RULING_ALLOW,
        "",
        "What happens to a handle whose suffix holds a slash, which some systems around a node do not expect.",
    ),
    option(
        "names.whitespace",
        RULING_ALLOW,
        "",
        "What happens to a handle that holds white space. Control characters are refused always.",
    ),
    option("names.non_ascii", RULING_ALLOW, "", "What happens to a handle that holds characters outside ASCII."),
    option(
        "names.max_value_bytes",
        stored(catalog::VALUE_BYTES),
        "bytes",
        "Longest data of one value that may be registered.",
    ),
    option(
        "names.large_values",
        RULING_REFUSE,
        "",
        "What happens to longer data of a value, up to the largest of the range: taken, taken and said in the receipt, or refused.",
    ),
    option(
        "names.max_values",
        stored(catalog::VALUES_PER_RECORD),
        "values",
        "Most values of one identifier. Existing clients refuse answers of more than 2048.",
    ),
    option(
        "names.many_values",
        RULING_REFUSE,
        "",
        "What happens to an identifier of more values, up to the largest of the range: taken, taken and said in the receipt, or refused.",
    ),
    option(
        "names.max_record_bytes",
        stored(catalog::RECORD_BYTES),
        "bytes",
        "Most bytes of all values of one identifier: what one message of the protocol carries.",
    ),
    option(
        "store.engine",
        Kind::Choice { default: "log", choices: &["log", "sled"] },
        "",
        "What keeps the records: the record log, or sled for small nodes (a few million identifiers). A property of the data folder.",
    ),
    option(
        "store.segment_mib",
        mebibytes(
            waymark_store::config::SEGMENT_BYTES.default,
            waymark_store::config::SEGMENT_BYTES.min,
            waymark_store::config::SEGMENT_BYTES.max,
        ),
        "MiB",
        "Size of one log segment. Larger: fewer files, longer start after a crash.",
    ),
    option(
        "store.open_segments",
        Kind::Number {
            default: waymark_store::config::OPEN_SEGMENTS.default,
            min: waymark_store::config::OPEN_SEGMENTS.min,
            max: waymark_store::config::OPEN_SEGMENTS.max,
        },
        "files",
        "Segment files kept open for reading.",
    ),
    option(
        "store.state_cache_mib",
        mebibytes(
            waymark_store::config::STATE_CACHE_BYTES.default,
            waymark_store::config::STATE_CACHE_BYTES.min,
            waymark_store::config::STATE_CACHE_BYTES.max,
        ),
        "MiB",
        "Page cache of the queryable state.",
    ),
    option(
        "store.record_cache_mib",
        mebibytes(
            waymark_store::config::RECORD_CACHE_BYTES.default,
            waymark_store::config::RECORD_CACHE_BYTES.min,
            waymark_store::config::RECORD_CACHE_BYTES.max,
        ),
        "MiB",
        "Page cache of the records when store.engine is sled.",
    ),
    option(
        "store.resident_mib",
        mebibytes(
            index::RESIDENT_BUDGET_BYTES.default,
            index::RESIDENT_BUDGET_BYTES.min,
            index::RESIDENT_BUDGET_BYTES.max,
        ),
        "MiB",
        "Memory for records answered without the disk. The index itself comes on top.",
    ),
    option(
        "store.expected_identifiers",
        Kind::Number {
            default: index::EXPECTED_ENTRIES.default,
            min: index::EXPECTED_ENTRIES.min,
            max: index::EXPECTED_ENTRIES.max,
        },
        "identifiers",
        "Size the index is laid out for at start; it grows beyond by itself.",
    ),
    option(
        "write.queue_submissions",
        stored(catalog::QUEUE_SUBMISSIONS),
        "submissions",
        "Writes that may wait; past it the answer is busy.",
    ),
    option(
        "write.queue_mib",
        mebibytes(catalog::QUEUE_BYTES.default, catalog::QUEUE_BYTES.min, catalog::QUEUE_BYTES.max),
        "MiB",
        "Bytes of writes that may wait.",
    ),
    option(
        "write.group_commands",
        stored(catalog::GROUP_COMMANDS),
        "commands",
        "Most commands of one group, so of one flush.",
    ),
    option(
        "write.group_mib",
        mebibytes(catalog::GROUP_BYTES.default, catalog::GROUP_BYTES.min, catalog::GROUP_BYTES.max),
        "MiB",
        "Most bytes of one group.",
    ),
    option("source.block", Kind::List { default: &[], item: Item::Network }, "", "Networks that get no answer."),
    option(
        "source.allow",
        Kind::List { default: &[], item: Item::Network },
        "",
        "Networks that rate and byte budget do not apply to: one's own scanners, gateways, load generators.",
    ),
    option(
        "source.queries_per_second",
        word(resolver::SOURCE_QUERIES_PER_SECOND),
        "queries",
        "Queries a second of one source network (a /24 or /56) over UDP.",
    ),
    option(
        "source.budget_bytes",
        word(resolver::SOURCE_BUDGET_BYTES),
        "bytes",
        "Bytes of answers beyond the bytes of questions that one source network may receive at once over UDP.",
    ),
    option(
        "source.refill_bytes_per_second",
        word(resolver::SOURCE_REFILL_BYTES_PER_SECOND),
        "bytes",
        "What of that budget comes back each second.",
    ),
    option(
        "source.hold_seconds",
        seconds(resolver::SOURCE_HOLD),
        "seconds",
        "Shortest time a source that spent its budget is held to an amplification of 1.5.",
    ),
    option(
        "source.exemption_seconds",
        seconds(resolver::SOURCE_EXEMPTION),
        "seconds",
        "How long a completed TCP or QUIC exchange exempts its source from rate and budget.",
    ),
    option(
        "source.tracked",
        count(resolver::SOURCES),
        "sources",
        "Source networks kept apart at the same time, 32 bytes each.",
    ),
    option(
        "udp.threads",
        count(resolver::UDP_THREADS),
        "threads",
        "Threads with a socket of their own for each address; 0 is one for each core.",
    ),
    option("udp.batch", count(resolver::UDP_BATCH), "datagrams", "Datagrams taken, answered and sent together."),
    option(
        "udp.answer_packets",
        count(resolver::UDP_ANSWER_PACKETS),
        "datagrams",
        "Datagrams of one answer; a larger one becomes `too busy, use TCP`.",
    ),
    option(
        "udp.socket_bytes",
        count(resolver::UDP_SOCKET_BYTES),
        "bytes",
        "Buffers asked of the kernel for one socket.",
    ),
    option(
        "udp.reassembly_seconds",
        seconds(frame::REASSEMBLY_TIME),
        "seconds",
        "How long a question of several datagrams may stay incomplete.",
    ),
    option(
        "udp.reassembly_message_bytes",
        count(frame::REASSEMBLY_MESSAGE_BYTES),
        "bytes",
        "Largest question of several datagrams.",
    ),
    option(
        "udp.reassembly_source_bytes",
        count(frame::REASSEMBLY_SOURCE_BYTES),
        "bytes",
        "Memory for the incomplete questions of one source network.",
    ),
    option(
        "udp.reassembly_total_bytes",
        count(frame::REASSEMBLY_TOTAL_BYTES),
        "bytes",
        "Memory for all incomplete questions of one thread.",
    ),
    option(
        "stream.connections",
        count(resolver::CONNECTIONS),
        "connections",
        "Connections of the TCP door, and again of the QUIC door.",
    ),
    option(
        "stream.connections_per_source",
        count(resolver::CONNECTIONS_PER_SOURCE),
        "connections",
        "Of these, connections of one source network.",
    ),
    option(
        "stream.first_byte_seconds",
        seconds(resolver::FIRST_BYTE_TIME),
        "seconds",
        "How long a new connection may stay silent.",
    ),
    option(
        "stream.idle_seconds",
        seconds(resolver::IDLE_TIME),
        "seconds",
        "How long an open connection may rest between messages. IDIS clients keep theirs for 600 s.",
    ),
    option(
        "stream.message_seconds",
        seconds(resolver::MESSAGE_TIME),
        "seconds",
        "How long a message may take from its first byte to its last.",
    ),
    option(
        "stream.write_seconds",
        seconds(resolver::WRITE_TIME),
        "seconds",
        "How long a peer may take to receive answers that wait.",
    ),
    option("stream.batch", count(resolver::STREAM_BATCH), "messages", "Messages of one connection answered together."),
    option(
        "stream.buffer_bytes",
        count(resolver::STREAM_BUFFER_BYTES),
        "bytes",
        "Memory for incomplete messages and unsent answers of all connections of a door.",
    ),
    option(
        "stream.room_bytes",
        count(resolver::ROOM_BYTES),
        "bytes",
        "First room of an answer; a larger answer is made again in a large buffer.",
    ),
    option(
        "quic.certificate",
        Kind::Text { default: "" },
        "path",
        "PEM chain of the QUIC certificate. Empty: a development certificate made at first start. Read again at SIGHUP.",
    ),
    option("quic.private_key", Kind::Text { default: "" }, "path", "PEM private key of the certificate."),
    option("quic.streams", word(resolver::QUIC_STREAMS), "streams", "Streams open at the same time on one connection."),
    option(
        "quic.retry_above",
        count(resolver::QUIC_RETRY_ABOVE),
        "handshakes",
        "Handshakes under way above which new peers must first prove their address.",
    ),
    option(
        "quic.sessions",
        count(resolver::QUIC_SESSIONS),
        "sessions",
        "Sessions remembered for resumption and early data.",
    ),
    option(
        "registration.certificate",
        Kind::Text { default: "" },
        "path",
        "PEM chain the registration doors show. Empty: that of the QUIC door. Read again at SIGHUP.",
    ),
    option("registration.private_key", Kind::Text { default: "" }, "path", "PEM private key of the certificate."),
    option(
        "registration.client_authorities",
        Kind::Text { default: "" },
        "path",
        "PEM certificates of authorities whose client certificates are taken in place of tokens. Empty: none are asked for.",
    ),
    option(
        "registration.plaintext",
        Kind::Flag { default: false },
        "",
        "No TLS at all. Tokens then travel readable: only behind a proxy on the same machine, or for measures.",
    ),
    option(
        "registration.connections",
        count(registration::CONNECTIONS),
        "connections",
        "Connections of the registration doors in all.",
    ),
    option(
        "registration.connections_per_source",
        count(registration::CONNECTIONS_PER_SOURCE),
        "connections",
        "Connections of one IPv4 address or IPv6 /64.",
    ),
    option(
        "registration.message_mib",
        mebibytes(
            registration::MESSAGE_BYTES.default as u64,
            registration::MESSAGE_BYTES.min as u64,
            registration::MESSAGE_BYTES.max as u64,
        ),
        "MiB",
        "Largest message in either direction, after decompression.",
    ),
    option(
        "registration.call_seconds",
        seconds(registration::CALL_TIME),
        "seconds",
        "Longest time a single call may take, whatever its caller allows.",
    ),
    option(
        "registration.uploads",
        count(registration::UPLOADS),
        "streams",
        "Streams of changes under way at a time; with what one may hold, a bound on memory.",
    ),
    option("registration.watchers", count(registration::WATCHERS), "watches", "Watches open at a time."),
    option(
        "registration.reader_seconds",
        seconds(registration::READER_TIME),
        "seconds",
        "How long a client may take to read an outcome or change before its call is ended.",
    ),
    option(
        "registration.idle_seconds",
        seconds(registration::STREAM_IDLE),
        "seconds",
        "How long a stream of changes may rest without a message.",
    ),
    option(
        "jobs.largest_mib",
        mebibytes(registration::JOB_BYTES.default, registration::JOB_BYTES.min, registration::JOB_BYTES.max),
        "MiB",
        "Largest file a job may have.",
    ),
    option(
        "jobs.folder_mib",
        mebibytes(
            registration::JOB_FOLDER_BYTES.default,
            registration::JOB_FOLDER_BYTES.min,
            registration::JOB_FOLDER_BYTES.max,
        ),
        "MiB",
        "All jobs on the disk; finished ones go, oldest first, before one is refused.",
    ),
    option("jobs.kept", count(registration::JOBS), "jobs", "Jobs kept, finished ones included."),
    option("jobs.per_principal", count(registration::JOBS_PER_PRINCIPAL), "jobs", "Unfinished jobs of one principal."),
    option(
        "jobs.kept_days",
        Kind::Number {
            default: registration::JOB_KEPT.default.as_secs() / 86_400,
            min: 1,
            max: registration::JOB_KEPT.max.as_secs() / 86_400,
        },
        "days",
        "How long a finished job and its list of failed lines are kept.",
    ),
    option(
        "access.rate_per_second",
        word(registration::RATE_PER_SECOND),
        "a second",
        "Calls and stream items of a principal that has no rate of its own.",
    ),
    option(
        "access.principals",
        stored(catalog::PRINCIPALS),
        "principals",
        "Principals there may be; all of them are in memory.",
    ),
    option(
        "access.tokens_per_principal",
        stored(catalog::TOKENS_PER_PRINCIPAL),
        "tokens",
        "Usable tokens of one principal.",
    ),
    option("access.token_days", stored(catalog::TOKEN_DAYS), "days", "Longest life a token may be given."),
    option(
        "access.first_token_days",
        stored(catalog::FIRST_TOKEN_DAYS),
        "days",
        "Life of the operator's token that the first start writes to the file operator-token of the data folder.",
    ),
    option(
        "access.failures_per_minute",
        word(registration::FAILED_AUTHENTICATIONS_PER_MINUTE),
        "a minute",
        "Wrong credentials of one source, above which its answers are held back.",
    ),
    option(
        "requests.keep_hours",
        Kind::Number {
            default: catalog::REQUEST_KEEP_SECONDS.default / 3_600,
            min: 1,
            max: catalog::REQUEST_KEEP_SECONDS.max / 3_600,
        },
        "hours",
        "How long request ids are remembered; an older one is answered as expired, never carried out again.",
    ),
    option(
        "requests.per_principal",
        stored(catalog::REQUESTS_PER_PRINCIPAL),
        "requests",
        "Request ids remembered of one principal; past it the oldest expire.",
    ),
    option("requests.total", stored(catalog::REQUESTS_TOTAL), "requests", "Request ids remembered of all principals."),
    option(
        "audit.algorithm",
        Kind::Choice { default: "sha256", choices: &["sha256", "sm3"] },
        "",
        "Hash of the audit's chain from now on; notes that are there keep theirs.",
    ),
    option(
        "audit.keep_days",
        stored(catalog::AUDIT_KEEP_DAYS),
        "days",
        "How long the details of the audit are kept; the chain stays verifiable when they are dropped.",
    ),
    option(
        "audit.checkpoint_file",
        Kind::Text { default: "" },
        "path",
        "Where signed checkpoints of the audit's chain are appended: a second place, on another disk or machine, shows a cut tail. Empty: audit-checkpoints.jsonl of the data folder.",
    ),
    option(
        "audit.checkpoint_minutes",
        Kind::Number { default: 10, min: 1, max: 1_440 },
        "minutes",
        "Time between two checkpoints; what a cut tail could hide is no longer than that.",
    ),
    option(
        "audit.refusal_seconds",
        stored(catalog::REFUSAL_SECONDS),
        "seconds",
        "Time between two notes that tell refusals, counted together so that a flood cannot fill the disk.",
    ),
    option(
        "audit.refusal_lines",
        stored(catalog::REFUSAL_LINES),
        "lines",
        "Refusals told apart in one of those notes, by who, from where, what and why; others are counted together.",
    ),
    option(
        "slow.threads",
        count(resolver::SLOW_THREADS),
        "threads",
        "Threads for answers that need the disk or a signature.",
    ),
    option(
        "slow.queue",
        count(resolver::SLOW_QUEUE),
        "questions",
        "Questions that may wait for them; past it the answer is `too busy`.",
    ),
    option(
        "log.level",
        Kind::Choice { default: "info", choices: &["error", "warn", "info", "debug"] },
        "",
        "Least important events to log.",
    ),
    option(
        "log.form",
        Kind::Choice { default: "text", choices: &["text", "json"] },
        "",
        "Form of log lines on standard error.",
    ),
    option(
        "log.answers",
        Kind::Choice { default: "off", choices: &["off", "record"] },
        "",
        "Whether a compact record of every answer is kept in answers.log of the data folder.",
    ),
    option(
        "log.answer_lines_per_second",
        Kind::Number { default: 0, min: 0, max: 10_000 },
        "lines",
        "Sampled text lines about answers; 0 logs none.",
    ),
    option(
        "log.answers_mib",
        Kind::Number { default: 1_024, min: 1, max: 1 << 20 },
        "MiB",
        "Size at which answers.log is turned over; one older file is kept.",
    ),
];
