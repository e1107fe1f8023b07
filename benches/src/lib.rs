//! Benchmarks of Waymark.
