//! Syntax of identifiers: parse, fold, order, print.
//!
//! A *handle* is `prefix/suffix`, any bytes, at most [`MAX_HANDLE_BYTES`] long. A handle without a slash stands for the
//! prefix record `0.NA/<itself>` (RFC 3651 section 2). Parsing borrows and allocates nothing; folding touches ASCII
//! letters only, so `é` and `É` stay different identifiers. Whether a handle exists, and who may read it, is no
//! question for this crate.
//!
//! Beside handles: [`check`] characters of codes, and what a scan of a [`gs1`] bar code says.
#![forbid(unsafe_code)]

pub mod check;
mod cset82;
mod date;
mod fold;
pub mod gs1;
mod handle;
mod new_handle;

pub use date::Date;
pub use fold::{fold, fold_eq, fold_in_place};
pub use handle::{CaseRule, Handle, HandleError, MAX_HANDLE_BYTES, MAX_KEY_BYTES, PREFIX_RECORDS, parent_prefix};
pub use new_handle::{HandleLimits, check_new_handle};
