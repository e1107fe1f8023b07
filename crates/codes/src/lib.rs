//! Images of codes for printing: QR Code and Data Matrix symbols of a payload, as SVG and PNG, alone or as sheets of labels.
//!
//! ```text
//! Payload ── Symbol::encode ──> Symbol ── Label::new ──> Label ──┬─ to_svg
//!  text or GS1                  modules    size, quiet zone,     ├─ write_png
//!                                          caption; all checked  └─ Sheet::write_page
//! ```
//!
//! Lengths are whole micrometres, modules are whole pixels, so nothing is blurred and nothing drifts; where a printer's pixels do not fit the
//! wished size, [`Printed`] says what became of it. A quiet zone below what the standards ask for is refused, since such a code reads on the
//! screen and fails in the hall.
//!
//! Absent: judging what a payload says (a URL, GS1 application identifiers, a handle), printing, colours, logos.
#![forbid(unsafe_code)]

mod caption;
mod error;
mod label;
mod length;
mod payload;
mod png_image;
mod qr;
mod sheet;
mod svg;
mod symbol;

pub use caption::Caption;
pub use error::{CodeError, Language};
pub use label::{Drawing, Label, QuietZone, Size};
pub use length::Length;
pub use payload::Payload;
pub use png_image::{DOTS_PER_INCH, Printed};
pub use sheet::Sheet;
pub use symbol::{ErrorCorrection, Shape, Symbol, Symbology};
