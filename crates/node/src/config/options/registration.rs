//! Section `registration`: the registration service.

use waymark_registration::config as registration;

use super::{count, mebibytes, option, seconds};
use crate::config::schema::{Kind, Spec};

/// Its options, in the order they are shown.
pub(super) const OPTIONS: &[Spec] = &[
    option(
        "registration.certificate",
        Kind::Text { default: "" },
        "path",
        "PEM chain the registration doors show. Empty: that of the QUIC door. Read again at SIGHUP.",
    ),
    option("registration.private_key", Kind::Text { default: "" }, "path", "PEM private key of the certificate."),
    option(
        "registration.client_authorities",
        Kind::Text { default: "" },
        "path",
        "PEM certificates of authorities whose client certificates are taken in place of tokens. Empty: none are asked for.",
    ),
    option(
        "registration.plaintext",
        Kind::Flag { default: false },
        "",
        "No TLS at all. Tokens then travel readable: only behind a proxy on the same machine, or for measures.",
    ),
    option(
        "registration.connections",
        count(registration::CONNECTIONS),
        "connections",
        "Connections of the registration doors in all.",
    ),
    option(
        "registration.connections_per_source",
        count(registration::CONNECTIONS_PER_SOURCE),
        "connections",
        "Connections of one IPv4 address or IPv6 /64.",
    ),
    option(
        "registration.message_mib",
        mebibytes(
            registration::MESSAGE_BYTES.default as u64,
            registration::MESSAGE_BYTES.min as u64,
            registration::MESSAGE_BYTES.max as u64,
        ),
        "MiB",
        "Largest message in either direction, after decompression.",
    ),
    option(
        "registration.call_seconds",
        seconds(registration::CALL_TIME),
        "seconds",
        "Longest time a single call may take, whatever its caller allows.",
    ),
    option(
        "registration.uploads",
        count(registration::UPLOADS),
        "streams",
        "Streams of changes under way at a time; with what one may hold, a bound on memory.",
    ),
    option("registration.watchers", count(registration::WATCHERS), "watches", "Watches open at a time."),
    option(
        "registration.reader_seconds",
        seconds(registration::READER_TIME),
        "seconds",
        "How long a client may take to read an outcome or change before its call is ended.",
    ),
    option(
        "registration.idle_seconds",
        seconds(registration::STREAM_IDLE),
        "seconds",
        "How long a stream of changes may rest without a message.",
    ),
    option(
        "registration.audit_seconds",
        Kind::Number {
            default: registration::AUDIT_TIME.default.as_secs(),
            min: 1,
            max: registration::AUDIT_TIME.max.as_secs(),
        },
        "seconds",
        "Longest time a search or verification of the audit may take; a search then says where it goes on.",
    ),
];
