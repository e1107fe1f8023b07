//! Formats of the files, described byte by byte in [`crate`]'s documentation.

pub(crate) mod end;
pub(crate) mod frame;
pub(crate) mod run;
pub(crate) mod segment;
