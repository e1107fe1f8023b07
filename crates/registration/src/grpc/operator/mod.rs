//! `waymark.operator.v1`: who may do what, who the enterprises are, what the node says of itself, applications, which prefixes live here, what was done.

pub(super) mod access;
pub(super) mod applications;
pub(crate) mod audit;
pub(super) mod cases;
pub(super) mod deposits;
pub(super) mod docking;
pub(super) mod enterprises;
pub(super) mod incidents;
pub(super) mod own_record;
mod plans;
pub(crate) mod prefixes;
pub(super) mod recursion;
pub(super) mod reports;
pub(crate) mod sealing;
pub(super) mod sync;
pub(super) mod traffic;
