//! `waymark.operator.v1`: who may do what, who the enterprises are, which prefixes live here, what was done.

pub(super) mod access;
pub(crate) mod audit;
pub(super) mod cases;
pub(super) mod enterprises;
pub(crate) mod prefixes;
