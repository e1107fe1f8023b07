//! Resolves what lives elsewhere, and remembers it.
//!
//! | module | holds |
//! |---|---|
//! | [`knowledge`] | what one answer of another server taught: values, their absence, whom to ask |
#![forbid(unsafe_code)]

pub mod knowledge;
