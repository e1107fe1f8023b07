//! The one table of options, a file for each section. Limits that belong to a crate below are read from that crate's `config` module.

use std::time::Duration;

use waymark_catalog::config as catalog;
use waymark_wire::frame::config as frame;

use super::schema::{Kind, Spec};

mod access;
mod audit;
mod collection;
mod deposit;
mod docking;
mod enterprise;
mod jobs;
mod listen;
mod log;
mod names;
mod node;
mod query;
mod quic;
mod ranges;
mod recursion;
mod registration;
mod requests;
mod site;
mod slow;
mod source;
mod store;
mod stream;
mod sync;
mod traffic;
mod udp;
mod verdict;
mod watch;
mod write;

/// Bytes of a MiB.
const MEBI: u64 = 1 << 20;

const fn count(limit: frame::Limit<usize>) -> Kind {
    Kind::Number { default: limit.default as u64, min: limit.min as u64, max: limit.max as u64 }
}

const fn word(limit: frame::Limit<u32>) -> Kind {
    Kind::Number { default: limit.default as u64, min: limit.min as u64, max: limit.max as u64 }
}

const fn seconds(limit: frame::Limit<Duration>) -> Kind {
    Kind::Number { default: limit.default.as_secs(), min: limit.min.as_secs(), max: limit.max.as_secs() }
}

const fn stored(limit: catalog::Limit) -> Kind {
    Kind::Number { default: limit.default, min: limit.min, max: limit.max }
}

/// A limit in bytes, configured in MiB.
const fn mebibytes(default: u64, min: u64, max: u64) -> Kind {
    let (min, max) = (min.div_ceil(MEBI), max / MEBI);
    Kind::Number { default: default / MEBI, min: if min == 0 { 1 } else { min }, max }
}

const fn option(key: &'static str, kind: Kind, unit: &'static str, reason: &'static str) -> Spec {
    Spec { key, kind, unit, reason }
}

/// What happens to something that is taken unless configured otherwise.
const RULING_ALLOW: Kind = Kind::Choice { default: "allow", choices: RULINGS };

/// What happens to something that is refused unless configured otherwise.
const RULING_REFUSE: Kind = Kind::Choice { default: "refuse", choices: RULINGS };

/// The names of [`catalog::Ruling`].
const RULINGS: &[&str] = &["allow", "warn", "refuse"];

const ANY_ADDRESS: &[&str] = &["0.0.0.0:2641", "[::]:2641"];

/// The sections in the order they are shown.
const SECTIONS: &[&[Spec]] = &[
    node::OPTIONS,
    listen::OPTIONS,
    site::OPTIONS,
    names::OPTIONS,
    ranges::OPTIONS,
    enterprise::OPTIONS,
    docking::OPTIONS,
    verdict::OPTIONS,
    store::OPTIONS,
    write::OPTIONS,
    recursion::OPTIONS,
    recursion::CACHE_OPTIONS,
    sync::OPTIONS,
    collection::OPTIONS,
    watch::OPTIONS,
    source::OPTIONS,
    udp::OPTIONS,
    stream::OPTIONS,
    quic::OPTIONS,
    registration::OPTIONS,
    query::OPTIONS,
    jobs::OPTIONS,
    access::OPTIONS,
    requests::OPTIONS,
    audit::OPTIONS,
    deposit::OPTIONS,
    slow::OPTIONS,
    log::OPTIONS,
    traffic::OPTIONS,
];

/// Every option of the configuration file, in the order it is shown.
pub static OPTIONS: &[Spec] = &joined::<{ options_in(SECTIONS) }>(SECTIONS);

const fn options_in(sections: &[&[Spec]]) -> usize {
    let (mut total, mut left) = (0, sections);
    while let [first, rest @ ..] = left {
        total += first.len();
        left = rest;
    }
    total
}

/// All sections as one table.
const fn joined<const TOTAL: usize>(sections: &[&[Spec]]) -> [Spec; TOTAL] {
    let mut all = [option("", Kind::Flag { default: false }, "", ""); TOTAL];
    let (mut place, mut sections) = (all.as_mut_slice(), sections);
    while let [section, more @ ..] = sections {
        let Some((own, rest)) = place.split_at_mut_checked(section.len()) else { break };
        own.copy_from_slice(section);
        (place, sections) = (rest, more);
    }
    all
}
