//! The `waymarkd` binary.
fn main() {}
