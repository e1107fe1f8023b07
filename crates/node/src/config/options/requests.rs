//! Section `requests`: request ids.

use waymark_catalog::config as catalog;

use super::{option, stored};
use crate::config::schema::{Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
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
];
