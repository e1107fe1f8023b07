//! Section `ranges`: code packages.

use waymark_catalog::config as catalog;

use super::{option, stored};
use crate::config::schema::Spec;

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option("ranges.codes", stored(catalog::RANGE_CODES), "codes", "Codes of one package."),
    option(
        "ranges.per_prefix",
        stored(catalog::RANGES_PER_PREFIX),
        "packages",
        "Packages under one prefix; all of them are in memory.",
    ),
    option(
        "ranges.pieces",
        stored(catalog::PIECES_PER_RANGE),
        "parts",
        "Parts of a package told apart by what is known of them, for each of values, states, exports and leases.",
    ),
    option(
        "ranges.inherited_bytes",
        stored(catalog::INHERITED_BYTES),
        "bytes",
        "Wire bytes of the values a code has from its package, every place in them filled.",
    ),
];
