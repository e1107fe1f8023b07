//! A top-level node for development and tests.
//!
//! Its checks are written from the published field lists, not from the types of what sends to it, so that one does not repeat the mistakes of the other.
//!
//! | module | what it takes |
//! |---|---|
//! | [`epp`] | enterprises and prefixes |

pub mod epp;
