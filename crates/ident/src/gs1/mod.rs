//! What a checkout scan says, in the syntax of GS1: a product, its lot and serial number, its dates.
//!
//! [`Scan::parse`] takes what a scanner hands over and tells the forms apart by their beginning:
//!
//! | begins with | read as |
//! |---|---|
//! | `http://`, `https://` | GS1 Digital Link URI: any domain and path prefix, `/01/GTIN[/22/..][/10/lot][/21/serial]`, dates in the query |
//! | `(` | element string in brackets: `(01)09506000134352(17)270228(10)A7`; `\(` is a bracket inside a value |
//! | `]d2`, `]Q3`, `]C1`, `]e0`-`]e2`, `]J1` | element string of a GS1 symbol, separated by GS (FNC1) |
//! | `]Q1`, `]d1`, `]J0` | Digital Link URI in a plain QR Code, Data Matrix or DotCode |
//! | `]E0`, `]E4` | EAN-13 (UPC-A), EAN-8 |
//! | 8, 12, 13 or 14 digits and nothing else | GTIN of a plain bar code, padded to 14 digits |
//! | anything else, one leading GS allowed | element string without symbology identifier |
//! | `^` | the same, with `^` for every FNC1 |
//!
//! Designed to the GS1 General Specifications (sections "Application Identifiers in numerical order", "Predefined length
//! element strings", "Symbology identifiers") and to the GS1 Digital Link standard, URI syntax. Read are the elements of
//! [`Ai`]'s constants; their length, characters and check characters are verified. Elements of other Application
//! Identifiers are stepped over unchecked, and so is which of them may stand together: this is the reader of a till, which
//! must get at the product, not a validator. A wrong check digit, a date that does not exist or one element told twice
//! and differently is an error, never a guess. Absent: convenience names (`/gtin/`), compressed Digital Links.
//!
//! Reading takes time linear in a bounded input, allocates nothing, and never panics.

mod ai;
mod brackets;
pub mod date;
mod element;
mod error;
mod gtin;
mod link;
mod raw;
mod scan;
mod text;

pub use ai::Ai;
pub use error::ScanError;
pub use gtin::Gtin;
pub use scan::{MAX_SCAN_BYTES, Scan};
pub use text::Text;
