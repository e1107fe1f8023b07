//! Lock-free in-memory index over resident records.
