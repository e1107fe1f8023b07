//! What the fuzz targets do with their input.
//!
//! Each function takes any bytes and panics when a promise is broken: not only that nothing else panics, but that what is read is
//! written back to the same bytes, and that bounds hold. The targets in `tests/fuzz` call them, and a test replays the corpora and
//! the protocol vectors through them.

mod answer;
mod audit;
mod bootstrap;
pub mod cache_dump;
mod catalog_forms;
pub mod catalog_open;
mod deposit;
pub(crate) mod docking;
pub mod grpc_requests;
pub mod http_requests;
mod import_lines;
mod key_files;
pub mod plan;
mod reassembly;
mod request;
mod response;
mod script;
pub(crate) mod set_part;
pub mod sled_forms;
mod takeover_file;
mod value;

pub use answer::answer;
pub use audit::audit;
pub use bootstrap::bootstrap;
pub use cache_dump::cache_dump;
pub use catalog_forms::catalog_forms;
pub use catalog_open::catalog_open;
pub use deposit::deposit;
pub use docking::docking;
pub use grpc_requests::grpc_requests;
pub use http_requests::http_requests;
pub use import_lines::import_lines;
pub use key_files::key_files;
pub use plan::plan;
pub use reassembly::reassembly;
pub use request::request;
pub use response::response;
pub use set_part::set_part;
pub use sled_forms::sled_forms;
pub use takeover_file::takeover_file;
pub use value::value;

/// A fuzz target.
pub type Body = fn(&[u8]);

/// Every target by the name of its binary and corpus.
pub const TARGETS: &[(&str, Body)] = &[
    ("request", request),
    ("response", response),
    ("value", value),
    ("reassembly", reassembly),
    ("answer", answer),
    ("audit", audit),
    ("catalog_forms", catalog_forms),
    ("catalog_open", catalog_open),
    ("sled_forms", sled_forms),
    ("grpc_requests", grpc_requests),
    ("http_requests", http_requests),
    ("import_lines", import_lines),
    ("key_files", key_files),
    ("plan", plan),
    ("cache_dump", cache_dump),
    ("docking", docking),
    ("deposit", deposit),
    ("takeover_file", takeover_file),
    ("bootstrap", bootstrap),
    ("set_part", set_part),
];
