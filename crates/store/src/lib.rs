//! Bytes that survive: the record log, its key runs, and the small state over it.
