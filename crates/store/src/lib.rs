//! Bytes that survive: the record log, its key runs, and the small state over it.
#![forbid(unsafe_code)]

mod blobs;
mod bytes;
pub mod check;
pub mod config;
mod engine;
mod error;
pub mod fault;
mod folder;
mod format;
mod log;
pub mod medium;
mod memory;
mod open;
mod rebuild;
mod records;
mod sled_disk;
mod state;
mod types;

pub use blobs::{BlobReader, BlobWriter, Blobs};
pub use check::{check, check_on};
pub use engine::{Engine, Options, Recovery, State, StateFound, StateOp, Store, Torn, Tree, Upkeep};
pub use error::{CommitError, Damage, FollowError, OpenError, PushError, ReadError, StateError};
pub use folder::{FolderLock, Identity};
pub use memory::MemoryStore;
pub use open::{open, open_on};
pub use rebuild::rebuild;
pub use types::{
    Committed, DraftEntry, Entry, EntryKind, Group, Health, KeyRecord, Place, Position, Serial, Statistics, Timestamp,
};
