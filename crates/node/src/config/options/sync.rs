//! Section `sync`: what is owed to the top-level node.

use waymark_top_sync::config as limits;

use super::option;
use crate::config::schema::{Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "sync.prefix",
        Kind::Text { default: "" },
        "prefix",
        "Prefix the top-level node gave this node, as 88.990. With it the data sets T1 to T11 are made on their schedules and sent up until they are \
         acknowledged. Empty: nothing is.",
    ),
    option(
        "sync.role",
        Kind::Choice { default: "node", choices: &["node", "enterprise"] },
        "",
        "enterprise: this node belongs to one enterprise, to which the prefix was delegated, and tells what enterprises owe (T7 to T11, MONITORING) to the node \
         that delegated it, whose address is sync.server.",
    ),
    option(
        "sync.token_file",
        Kind::Text { default: "" },
        "path",
        "Token that is shown to that node, where it knows its callers by tokens, as a node that collects from enterprises does. Read at start.",
    ),
    option(
        "sync.server",
        Kind::Text { default: "" },
        "url",
        "Top-level node that takes the sets over gRPC, as grpcs://top.example.cn:2649, in a form of our own (proto/waymark/toplevel/v1).",
    ),
    option(
        "sync.authorities",
        Kind::Text { default: "" },
        "path",
        "Certificates (PEM) of the authorities that certified that node.",
    ),
    option(
        "sync.pin",
        Kind::Text { default: "" },
        "sha256",
        "Fingerprint of its certificate instead: 64 hexadecimal digits.",
    ),
    option(
        "sync.certificate",
        Kind::Text { default: "" },
        "path",
        "Certificate (PEM) this node shows to it; its common name is the prefix.",
    ),
    option("sync.private_key", Kind::Text { default: "" }, "path", "The private key of that certificate (PEM)."),
    option(
        "sync.directory",
        Kind::Text { default: "" },
        "path",
        "Folder the sets are written into instead, as JSON lines and CSV with a manifest, for operators who must hand files over.",
    ),
    option(
        "sync.keep_days",
        Kind::Number { default: limits::KEEP_DAYS.default, min: limits::KEEP_DAYS.min, max: limits::KEEP_DAYS.max },
        "days",
        "How long acknowledged parts are kept, to be sent again when the node above lost them.",
    ),
];
