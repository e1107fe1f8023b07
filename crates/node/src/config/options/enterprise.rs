//! Sections `enterprise` and `personal`: enterprises, their prefixes, and what they say of people.

use waymark_catalog::config as catalog;

use super::{option, stored};
use crate::config::schema::{Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "enterprise.enterprises",
        stored(catalog::ENTERPRISES),
        "enterprises",
        "Enterprises this node holds; each is kept in memory.",
    ),
    option(
        "enterprise.prefixes",
        stored(catalog::PREFIXES_PER_ENTERPRISE),
        "prefixes",
        "Prefixes an enterprise may ask for and have at a time.",
    ),
    option(
        "enterprise.industry_codes",
        Kind::Text { default: "" },
        "path",
        "Table of industry codes (GB/T 4754) enterprises are held to, as config/codes/gbt4754.tsv. Empty: that one.",
    ),
    option(
        "enterprise.region_codes",
        Kind::Text { default: "" },
        "path",
        "Table of region codes (GB/T 2260) enterprises are held to, as config/codes/gbt2260.tsv. Empty: that one.",
    ),
    option(
        "personal.key_file",
        Kind::Text { default: "" },
        "path",
        "Keys of what enterprises and the operator say of people, one for each. Keep it out of the backups of the data. Empty: personal.keys of the data folder.",
    ),
];
