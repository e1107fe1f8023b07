//! Our node and a bare UDP echo, in turns, in one run.

pub mod echo;
pub mod processor;
pub mod record;
pub mod spread;
