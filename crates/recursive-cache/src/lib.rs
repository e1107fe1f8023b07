//! Resolves what lives elsewhere, and remembers it.
//!
//! | module | holds |
//! |---|---|
//! | [`knowledge`] | what one answer of another server taught: values, their absence, whom to ask |
//! | [`cache`] | what was learned, within a budget of bytes and for as long as it is good |
//! | [`plan`] | one question from the first step to the last, as events and actions |
//! | [`recursor`] | the driver: joins equal questions, asks the servers, answers past their time what nobody answers |
//! | [`config`] | limits of the plan, each with its reason; cache and driver have theirs beside them |
//! | [`clock`] | the one place where time is read |
//!
//! A program that wants recursion makes a [`cache::Cache`] and a [`recursor::Recursor`] over it, and awaits
//! [`recursor::Recursor::resolve`]; threads that may not wait look into the cache themselves ([`cache::Cache::find`]).
#![forbid(unsafe_code)]

pub mod cache;
pub mod clock;
pub mod config;
pub mod knowledge;
pub mod plan;
pub mod recursor;
