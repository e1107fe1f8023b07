//! Tests of Waymark across crates.
