//! The node's own data and its one write path.
