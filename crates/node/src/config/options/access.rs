//! Section `access`: principals and tokens.

use waymark_catalog::config as catalog;
use waymark_registration::config as registration;

use super::{option, stored, word};
use crate::config::schema::Spec;

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
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
        "access.principals_per_administrator",
        stored(catalog::PRINCIPALS_PER_ADMINISTRATOR),
        "principals",
        "Writers and readers within the prefixes of an enterprise administrator, past which it makes none; operators do.",
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
];
