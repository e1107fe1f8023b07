//! Resolves what lives elsewhere, and remembers it.
//!
//! | module | holds |
//! |---|---|
//! | [`knowledge`] | what one answer of another server taught: values, their absence, whom to ask |
//! | [`cache`] | what was learned, within a budget of bytes and for as long as it is good |
//! | [`plan`] | one question from the first step to the last, as events and actions |
//! | [`config`] | limits, each with its reason |
#![forbid(unsafe_code)]

pub mod cache;
pub mod config;
pub mod knowledge;
pub mod plan;
