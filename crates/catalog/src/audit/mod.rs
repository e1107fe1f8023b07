//! The audit: who did what, from where, with what outcome, in a chain that shows every later change.
//!
//! Every group of the log that changes anything ends with a *note*: an entry of kind NOTE under the reserved key `00 'A'`, by the actor `audit`,
//! whose previous serial is that of the note before. It names each command that was carried out, its actor and its outcome, and the content of
//! the record before and after. What changed nothing (refusals, and commands that found all as asked) is counted and not listed, so that nobody
//! can fill the disk by asking.
//!
//! # Note, version 1
//! Numbers are big-endian, hashes are those of the note's algorithm.
//! ```text
//!   0   1  version, 1
//!   1   1  flags: 0x01 the items were pruned, all bytes from 160 on are zero
//!   2   1  algorithm: 1 SHA-256, 2 SM3
//!   3   1  part: 0 for the first note of a group, 1 for the second, and so on
//!   4   4  entries of the group before its notes
//!   8   8  number of the note: 1, 2, 3, ... without holes
//!  16   8  serial of the note's own entry
//!  24   8  time of the group, milliseconds since 1970 UTC
//!  32  32  chain of the note before; zeros in note 1
//!  64  32  hash of the group's entries before its notes
//!  96  32  hash of the items, bytes 160 to the end as they were written
//! 128  32  chain: hash("waymark audit note" 00, id of the store(16), bytes 0 to 128 with flags 0)
//! 160   .  items
//! ```
//! The chain covers the items through their hash only: pruning takes the items away and leaves a chain that can be verified. A chain may go
//! from one algorithm to another between two notes.
//!
//! The entries of the group are hashed as "waymark audit entries" 00 and then, for each,
//! ```text
//! kind(1) serial(8) previous serial(8) length(1) actor length(2) key, and then
//! a record that is written:  length(4) body up to the values | timestamp(4) of each value | content hash(32)
//! everything else:           length(4) body
//! ```
//! The content hash covers all else of the values, and was computed when the record was decided about: no byte is hashed twice.
//!
//! # Items
//! A varint is an unsigned LEB128: seven bits a byte, lowest first, and bit 0x80 where another byte follows.
//! ```text
//! varint  number of actors, then for each:
//!         varint  length, name
//!         1       proof: 0 local, 1 token and its id(8), 2 certificate and its SHA-256(32), 3 job, 4 identity, 5 nothing
//!         1       door: 0 local, 1 gRPC, 2 HTTP, 3 job, 4 binary protocol
//!         1       source: 0 none, 4 and an IPv4 address(4), 6 and an IPv6 address(16)
//! varint  number of items, then for each:
//!         1       kind: 1 done, 2 counted, 3 pruned; bit 0x10: a hash before follows, bit 0x20: a hash after
//!         1       verb, see Verb
//!         varint  number of the actor, from 0
//!         varint  length, key: handle as asked, handle of a prefix, name of a principal, id of a token
//!    done 1       number of the outcome
//!         varint  serial less the serial of the group's first entry
//!         (32)    hash before, (32) hash after
//! counted varint  length, why it changed nothing: name of the refusal, `same`, or `others`
//!         varint  how often; the key is that of the first time
//!         varint  first time, milliseconds since 1970 UTC; varint last time less the first
//! pruned  varint  serial up to which the items of notes were about to be pruned
//!         varint  time before which those notes were written, milliseconds since 1970 UTC
//! ```
//! The hash of a record is its [`ContentHash`](crate::ContentHash), that of anything else SHA-256 of its entry's body.

mod checkpoint;
mod export;
mod hash;
mod head;
mod item;
mod journal;
mod key;
mod note;
mod prune;
mod refusals;
mod search;
mod subject;
mod verify;
mod words;

pub use checkpoint::{Checkpoint, CheckpointError, SignatureError, append_checkpoint};
pub use export::{ExportError, export};
pub use hash::{Algorithm, Digest};
pub use head::{AuditHead, HeadError};
pub use item::{Deed, Item};
pub use key::{AuditKey, KeyError, PublicKey};
pub use note::{Note, NoteError, NoteHead};
pub use prune::{PruneError, Pruned};
pub use refusals::RefusalNote;
pub use search::{Cursor, Filter, Told, ToldVisitor, search};
pub use verify::{Problem, ProblemVisitor, Verification, Verified, Wrong, verify};
pub use words::{Done, Verb};

pub(crate) use hash::HashedEntry;
pub(crate) use head::find_head;
pub(crate) use journal::Journal;
pub(crate) use prune::Announcement;
pub(crate) use refusals::Refusals;
pub(crate) use subject::{MOST_ACTOR_BYTES, most_item_bytes, most_item_bytes_about};

/// What the store's entries of notes have as actor.
pub(crate) const ACTOR: &str = "audit";
