//! One rule each, quoted.

mod walk;
