//! The node's own data and its one write path.
//!
//! A *catalog* stands over a [`waymark_store::Store`], which is the truth, and a [`waymark_index`], which makes it fast.
//! Answering threads look records up through a [`Reader`]: no lock, no wait, no allocation. What is not in memory is
//! [`Lookup::Cold`] and read by a [`ColdReader`] where waiting is allowed. Every change, whichever door it comes through, is a
//! [`Command`] handed to the one writer by a [`WriterHandle`]: authorised, decided, made **durable, then visible, then
//! acknowledged**, then fed to the small state. Each group of changes ends with a note of the [`audit`].
//!
//! ```text
//! doors, imports ── Command ──[queue]── authorize ─ decide ─ Store::commit ─ index, prefixes ─ Receipt ─ small state
//!                                          writer: one thread, one group at a time
//! answering threads ── Reader::pin ── View::find ──> Record | Cold | Absent
//! ```
//!
//! This crate opens no socket, takes paths only from its caller, and reads the clock in the writer alone.
#![forbid(unsafe_code)]

pub mod access;
mod actor;
pub mod audit;
pub mod business;
mod catalog;
mod changes;
mod codes;
mod cold;
mod command;
pub mod config;
mod decide;
mod deletions;
pub mod export;
mod first_operator;
pub mod form;
mod forming;
mod history;
pub mod import;
mod limits;
pub mod link;
mod locate;
mod mark;
pub mod moment;
mod overlay;
mod prefixes;
mod projection;
mod queue;
pub mod range;
mod reader;
mod rebuild;
pub mod recall;
pub mod record;
mod refusal;
mod requests;
mod reserved;
mod snapshot;
mod startup;
mod status;
pub mod stored_forms;
mod streams;
mod submission;
pub mod template;
#[cfg(test)]
mod testing;
mod touched;
mod usage;
mod values;
mod varint;
pub mod vault;
pub mod verdict;
mod warnings;
mod writer;

pub use access::permit::{Permit, authorize};
pub use actor::{Actor, Door, Origin, Proof};
pub use catalog::{
    Catalog, Health, NotWritable, Opened, ShutdownError, SnapshotWriteError, Statistics, open, open_over,
};
pub use changes::{Change, ChangeVisitor, ChangedWithin, Damaged, Progress, Seen};
pub use cold::{ColdReader, FetchError};
pub use command::{
    AddMode, Command, Expect, Order, Outcome, PutMode, Receipt, Request, StepPlace, StreamId, StreamStep, Submission,
    Timestamps,
};
pub use config::{
    AccessLimits, AuditOptions, BusinessLimits, FeedLimits, RangeLimits, RecordLimits, RequestLimits, Ruling,
    WriterLimits,
};
pub use first_operator::{FIRST_OPERATOR, FIRST_TOKEN_LIFETIME, FirstOperatorError};
pub use history::{At, HistoryError, Version};
pub use prefixes::{HomeName, HomeNameError, Prefixes};
pub use queue::{Results, SubmitError, Ticket, WriteError, WriterHandle};
pub use reader::{Inherited, Lookup, Reader, View};
pub use rebuild::{RebuildError, rebuild};
pub use record::{OwnedRecord, RecordError, Stored};
pub use refusal::{InvalidValue, Refusal, RefusalCode};
pub use requests::digest::command_digest;
pub use snapshot::SnapshotError;
pub use startup::{OpenError, Options, Recovery, Warm, machine_time};
pub use status::{Withdrawal, WithdrawalBuf};
pub use streams::{ItemOutcome, ItemReceipt, ItemsError, MarkError};
pub use touched::{Touched, TouchedVisitor};
pub use values::{ContentHash, MAX_INDEX, ValueSet, ValueSetError};
pub use warnings::{Warning, Warnings};
pub use waymark_store::{FollowError, ReadError, Serial, Timestamp};
pub use writer::Clock;
