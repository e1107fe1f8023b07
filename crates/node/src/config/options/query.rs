//! Section `query`: the service for registration data.

use waymark_registration::config as registration;

use super::{count, option, word};
use crate::config::schema::{Item, Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "query.bootstrap",
        Kind::Text { default: "" },
        "path",
        "Bootstrap file of the top-level node (JSON): whoever asks for a prefix of another service is sent there. Read again when it changes. Empty: nobody is sent on.",
    ),
    option(
        "query.base_url",
        Kind::Text { default: "" },
        "URL",
        "Where the public reaches this service, as https://query.example.cn/ with a slash at its end; for links, and so that nobody is sent in a circle. Empty: links are relative.",
    ),
    option(
        "query.public",
        Kind::List { default: &["address", "introduction"], item: Item::Text },
        "",
        "What everybody is shown of an organisation beside its names: address, idNumber, introduction. What is said of people and images of documents are never public.",
    ),
    option(
        "query.rate_per_second",
        word(registration::QUERY_RATE),
        "questions",
        "Questions a second of one IPv4 address or IPv6 /64; as many are taken at once.",
    ),
    option("query.results", count(registration::QUERY_RESULTS), "results", "Most results of a search by name."),
    option(
        "query.scan",
        count(registration::QUERY_SCAN),
        "prefixes",
        "Prefixes looked at for one search; one that ends there says so.",
    ),
];
