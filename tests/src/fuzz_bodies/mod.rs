//! What the fuzz targets do with their input.
//!
//! Each function takes any bytes and panics when a promise is broken: not only that nothing else panics, but that what is read is
//! written back to the same bytes, and that bounds hold. The targets in `tests/fuzz` call them, and a test replays the corpora and
//! the protocol vectors through them.

mod answer;
mod audit;
mod reassembly;
mod request;
mod response;
mod value;

pub use answer::answer;
pub use audit::audit;
pub use reassembly::reassembly;
pub use request::request;
pub use response::response;
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
];
