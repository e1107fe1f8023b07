//! Configuration, wiring and the two binaries.
