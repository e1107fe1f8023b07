//! Files brought to another machine over SFTP, as a node brings its deposits to the platform.
//!
//! The other side has to be known: its host key is pinned, and without a pin nothing is sent, but the fingerprint that was seen is told. The user shows
//! a key; there are no passwords. A file comes under a temporary name, is measured, and is renamed: under its final name there is never half of it.
//! What was cut goes on where it ended. Nothing is held but the requests that are on their way.
//!
//! | file | holds |
//! |---|---|
//! | `config` | limits |
//! | `host_key` | whom to believe |
//! | `user_key` | who asks |
//! | `link` | a connection, and files over it |

pub mod config;
mod host_key;
mod link;
mod user_key;

pub use host_key::{HostKey, HostKeyError};
pub use link::{Endpoint, Link, LinkError};
pub use user_key::{UserKey, UserKeyError};
