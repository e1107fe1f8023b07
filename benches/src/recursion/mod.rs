//! Answers of other servers, as a node learns them.

pub mod lru;
pub mod record;
