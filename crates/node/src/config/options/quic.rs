//! Section `quic`: the QUIC door.

use waymark_resolver::config as resolver;

use super::{count, option, word};
use crate::config::schema::{Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "quic.certificate",
        Kind::Text { default: "" },
        "path",
        "PEM chain of the QUIC certificate. Empty: a development certificate made at first start. Read again at SIGHUP.",
    ),
    option("quic.private_key", Kind::Text { default: "" }, "path", "PEM private key of the certificate."),
    option("quic.streams", word(resolver::QUIC_STREAMS), "streams", "Streams open at the same time on one connection."),
    option(
        "quic.retry_above",
        count(resolver::QUIC_RETRY_ABOVE),
        "handshakes",
        "Handshakes under way above which new peers must first prove their address.",
    ),
    option(
        "quic.sessions",
        count(resolver::QUIC_SESSIONS),
        "sessions",
        "Sessions remembered for resumption and early data.",
    ),
];
