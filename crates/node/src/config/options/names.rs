//! Section `names`: what may be registered.

use waymark_catalog::config as catalog;

use super::{RULING_ALLOW, RULING_REFUSE, option, stored};
use crate::config::schema::{Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
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
];
