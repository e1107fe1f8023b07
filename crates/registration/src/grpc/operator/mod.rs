//! `waymark.operator.v1`: who may do what, which prefixes live here, what was done.

pub(super) mod access;
pub(super) mod audit;
pub(super) mod prefixes;
