//! The text forms of records, both ways: the JSON of one line per record, shared by import and export.
//!
//! ```json
//! {"handle":"88.1/x","values":[{"index":1,"type":"URL","ttl":86400,"permissions":"1110","timestamp":1790000000,
//!   "data":{"format":"string","value":"https://example.invalid/"}}]}
//! ```
//! `ttl` is a number of seconds, a time (`"2026-11-22T00:15:46Z"`) for an absolute one, or `{"type":n,"value":n}` for kinds
//! the protocol does not define. `permissions` are four characters `0` or `1`: admin read, admin write, public read, public
//! write; eight when bits without a meaning are set. `references` (`[{"index":n,"handle":"…"}]`) is there when not empty.
//! A record that is out of resolution says so before its values, and is written back so:
//! `"status":{"state":"suspended","since":1790000000,"reason":"recall"}`, state `suspended` or `revoked`, `since` in seconds since 1970 (missing:
//! the time of the import), `reason` a text (missing: empty). A record without `status` is resolved; over one that exists it leaves the status
//! as it is.
//!
//! Formats of `data`: `string` (a bare string means the same), `json` (kept as the text it was written as), `hex`,
//! `admin`, `vlist`, `site`.

pub(crate) mod cause;
pub(crate) mod data_read;
pub(crate) mod data_write;
pub(crate) mod iso;
pub mod line;
pub(crate) mod object;
pub(crate) mod site;
pub(crate) mod status;
pub(crate) mod value_read;
pub(crate) mod value_write;
