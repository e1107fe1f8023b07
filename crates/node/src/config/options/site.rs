//! Section `site`: what is announced of this node.

use waymark_resolver::config as resolver;

use super::{option, word};
use crate::config::schema::{Item, Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
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
];
