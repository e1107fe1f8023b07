//! Section `recursion`: names that live elsewhere.

use waymark_client::upstream;
use waymark_recursive_cache::{config as plan, recursor};

use super::{count, option, word};
use crate::config::schema::{Item, Kind, Spec};

const fn milliseconds(default: u128, min: u128, max: u128) -> Kind {
    // Limits are seconds to minutes.
    #[expect(clippy::cast_possible_truncation, reason = "far below 2^64")]
    let (default, min, max) = (default as u64, min as u64, max as u64);
    Kind::Number { default, min, max }
}

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "recursion.sources",
        Kind::List { default: &[], item: Item::Network },
        "",
        "Networks whose questions about names that live elsewhere are resolved; all others are told that the prefix does not live here. Without one, \
         nothing is resolved for anybody.",
    ),
    option(
        "recursion.open",
        Kind::Flag { default: false },
        "",
        "Needed to name everybody (0.0.0.0/0 or ::/0) as a source: an open resolver can be made to ask others, and to send answers to forged addresses.",
    ),
    option(
        "recursion.roots",
        Kind::List { default: &[], item: Item::SocketAddress },
        "",
        "Servers of the top-level node, asked over UDP and TCP for whatever nothing better is known of.",
    ),
    option(
        "recursion.root_site",
        Kind::Text { default: "" },
        "path",
        "A file with the HS_SITE data of the top-level node instead; with the keys in it certified answers can be verified.",
    ),
    option(
        "recursion.private_servers",
        Kind::Flag { default: false },
        "",
        "Ask servers at private and loopback addresses when others name them. Nodes within one company need it; on a public node, others could make it talk \
         to what stands behind its firewall.",
    ),
    option(
        "recursion.time_ms",
        milliseconds(plan::TIME.default.as_millis(), plan::TIME.min.as_millis(), plan::TIME.max.as_millis()),
        "ms",
        "Time one question may take, waits for servers included.",
    ),
    option(
        "recursion.query_ms",
        milliseconds(
            recursor::QUERY_TIME.default.as_millis(),
            recursor::QUERY_TIME.min.as_millis(),
            recursor::QUERY_TIME.max.as_millis(),
        ),
        "ms",
        "Time one step may wait for its servers, before others are tried.",
    ),
    option(
        "recursion.count",
        Kind::Number {
            default: plan::RECURSION.default as u64,
            min: plan::RECURSION.min as u64,
            max: plan::RECURSION.max as u64,
        },
        "servers",
        "Servers a question may have passed before it is refused with code 6.",
    ),
    option(
        "recursion.chain",
        Kind::Number { default: plan::CHAIN.default as u64, min: plan::CHAIN.min as u64, max: plan::CHAIN.max as u64 },
        "referrals",
        "Referrals and service handles followed for one question.",
    ),
    option(
        "recursion.queries",
        Kind::Number {
            default: plan::QUERIES.default as u64,
            min: plan::QUERIES.min as u64,
            max: plan::QUERIES.max as u64,
        },
        "queries",
        "Times one question may ask upstream.",
    ),
    option(
        "recursion.record_values",
        Kind::Number {
            default: plan::RECORD_VALUES.default as u64,
            min: plan::RECORD_VALUES.min as u64,
            max: plan::RECORD_VALUES.max as u64,
        },
        "values",
        "Values taken from one answer; longer records are asked for with the filters of the question, and not kept.",
    ),
    option(
        "recursion.record_bytes",
        Kind::Number {
            default: plan::RECORD_BYTES.default as u64,
            min: plan::RECORD_BYTES.min as u64,
            max: plan::RECORD_BYTES.max as u64,
        },
        "bytes",
        "Bytes of values taken from one answer, likewise.",
    ),
    option(
        "recursion.at_once",
        count(recursor::FLIGHTS),
        "questions",
        "Names being resolved at once; whoever asks for more is told that the server is too busy. Equal questions count once.",
    ),
    option(
        "recursion.per_server",
        Kind::Number {
            default: upstream::CONCURRENCY.default as u64,
            min: upstream::CONCURRENCY.min as u64,
            max: upstream::CONCURRENCY.max as u64,
        },
        "questions",
        "Questions under way to one server.",
    ),
    option(
        "recursion.per_server_second",
        Kind::Number {
            default: upstream::PER_SECOND.default as u64,
            min: upstream::PER_SECOND.min as u64,
            max: upstream::PER_SECOND.max as u64,
        },
        "a second",
        "Questions to one server; a flood of made-up names reaches it no faster.",
    ),
    option(
        "recursion.feeds",
        Kind::List { default: &[], item: Item::Text },
        "paths",
        "Files that each name another node of ours whose changes are followed, so that what it recalls is forgotten here at once; config/feed.example says what \
         stands in one.",
    ),
    option(
        "recursion.stale_wait_ms",
        milliseconds(
            recursor::STALE_WAIT.default.as_millis(),
            recursor::STALE_WAIT.min.as_millis(),
            recursor::STALE_WAIT.max.as_millis(),
        ),
        "ms",
        "How long an asker waits for better than an answer that is past its time.",
    ),
];

/// Its options about what is kept, in the order they are shown.
pub(super) const CACHE_OPTIONS: &[Spec] = &[
    option(
        "cache.size_mib",
        super::mebibytes(
            waymark_recursive_cache::cache::BUDGET_BYTES.default,
            waymark_recursive_cache::cache::BUDGET_BYTES.min,
            waymark_recursive_cache::cache::BUDGET_BYTES.max,
        ),
        "MiB",
        "Memory for answers of other servers, tables included: some 1,400 answers of 600 bytes in each MiB.",
    ),
    option(
        "cache.floor_seconds",
        super::seconds(waymark_recursive_cache::cache::FLOOR),
        "seconds",
        "Shortest time an answer is kept, whatever its values say. 0 keeps none that says 0.",
    ),
    option(
        "cache.ceiling_seconds",
        super::seconds(waymark_recursive_cache::cache::CEILING),
        "seconds",
        "Longest time an answer is kept, whatever its values say.",
    ),
    option(
        "cache.absent_seconds",
        super::seconds(waymark_recursive_cache::cache::ABSENT),
        "seconds",
        "How long a name is known not to exist.",
    ),
    option(
        "cache.absent_prefix_seconds",
        super::seconds(waymark_recursive_cache::cache::ABSENT_PREFIX),
        "seconds",
        "How long a prefix is known not to exist, and with it everything beneath.",
    ),
    option(
        "cache.failure_seconds",
        super::seconds(waymark_recursive_cache::cache::FAILURE),
        "seconds",
        "How long servers that did not answer are not asked again for the names of that prefix.",
    ),
    option(
        "cache.stale_seconds",
        super::seconds(waymark_recursive_cache::cache::STALE),
        "seconds",
        "How long past its time an answer may be given while the servers that know better do not answer. 0: never.",
    ),
    option(
        "cache.stale_ttl_seconds",
        word(waymark_recursive_cache::cache::STALE_TTL_SECONDS),
        "seconds",
        "Time to live such answers are given out with.",
    ),
    option(
        "cache.never_stale_types",
        Kind::List { default: &["WAYMARK_RECALL.", "RECALL.", "STATUS."], item: Item::Text },
        "",
        "Types of values, 24 at most, whose records are never given past their time: what says whether goods may be sold. A dot at the end means sub-types too.",
    ),
    option(
        "cache.popular_hits",
        word(waymark_recursive_cache::cache::POPULAR_HITS),
        "questions",
        "Questions that make an answer popular: it is fetched again before its time is over.",
    ),
    option(
        "cache.save_minutes",
        Kind::Number { default: 10, min: 0, max: 1_440 },
        "minutes",
        "How often the cache is written to cache.bin in the data folder, and at the stop; 0: never. The next start takes what is still good.",
    ),
];
