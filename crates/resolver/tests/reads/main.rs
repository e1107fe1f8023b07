//! The rules of answering, one test each, with the rule quoted.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

mod certified;
mod prefixes;
mod refusals;
#[path = "../support/mod.rs"]
mod support;
mod values;
mod whole;

use std::net::IpAddr;

use support::{Shelf, answerer, old_value, request, settings, site_at, value_for};
use waymark_resolver::Answerer;
use waymark_wire::OpFlags;

const NOT_HERE: &str = "That prefix doesn't live here";

fn v4_site() -> Vec<u8> {
    site_at(IpAddr::from([192, 0, 2, 1]), 7, true)
}

fn v6_site() -> Vec<u8> {
    site_at("2001:db8::1".parse().unwrap(), 7, true)
}

/// A node that serves `88.111.1` and the prefix records derived from `88.111`.
fn node() -> (Shelf, Answerer) {
    let shelf = Shelf::empty();
    shelf.home("88.111.1");
    shelf.home("0.NA/0.NA/88.111");
    let values = [
        old_value(3, "URL.ALT", b"https://alt.example.org/"),
        old_value(1, "URL", b"https://example.org/"),
        old_value(2, "EMAIL", b"a@example.org"),
        value_for(0x0c, 7, "SECRET.NOTE", b"only administrators"),
    ];
    shelf.put("88.111.1/Mixed", &values);
    shelf.put("88.111.1/nobody", &[old_value(1, "URL", b"x"), value_for(0x04, 8, "NOBODY", b"x")]);
    shelf.put("88.111.1/both", &[value_for(0x0c, 1, "SECRET", b"x"), value_for(0x04, 2, "NOBODY", b"x")]);
    shelf.put("88.111.1/empty", &[]);
    let answerer = answerer(&shelf.catalog, settings(vec![v6_site(), v4_site()]));
    (shelf, answerer)
}

/// A resolution by index and type, of values the public may read.
fn filtered(handle: &str, indexes: &[u32], types: &[&[u8]]) -> Vec<u8> {
    request(OpFlags::USUAL).resolution(handle.as_bytes(), indexes, types, None)
}
