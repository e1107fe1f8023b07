//! Section `deposit`: what the top-level node keeps for an emergency.

use super::option;
use crate::config::schema::{Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "deposit.platform_key",
        Kind::Text { default: "" },
        "path",
        "Public key of the platform, which deposits are encrypted to (SM2, PEM). Empty: a node that runs makes none.",
    ),
    option(
        "deposit.node_key",
        Kind::Text { default: "" },
        "path",
        "Private key deposits are signed with (SM2, PEM), as waymark deposit keys makes it. Empty: a node that runs makes none.",
    ),
];
