//! Why a scan cannot be read.

use thiserror::Error;

use super::ai::Ai;
use super::scan::MAX_SCAN_BYTES;

/// Why a scan cannot be read. Who is at fault is always whoever made or read the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScanError {
    /// Longer than any symbol.
    #[error("scan of {length} bytes is longer than {MAX_SCAN_BYTES}")]
    TooLong {
        /// Bytes of the scan.
        length: usize,
    },
    /// Nothing there.
    #[error("scan is empty")]
    Empty,
    /// None of the forms that are read.
    #[error("not a GS1 element string, Digital Link URI or bar code number")]
    NotGs1,
    /// Read from a kind of symbol that carries no GS1 data here.
    #[error("symbology identifier is not of a GS1 symbol")]
    Symbology,
    /// No Application Identifier where one must begin.
    #[error("no known Application Identifier at byte {at} of the elements")]
    UnknownAi {
        /// Offset within the elements, behind any symbology identifier.
        at: usize,
    },
    /// No number, SSCC or model the scan would be about.
    #[error("none of (00), (01) and (8013), which say what was scanned")]
    NoKey,
    /// An element without value.
    #[error("element {ai} is empty")]
    EmptyElement {
        /// The element.
        ai: Ai,
    },
    /// An element too short or too long.
    #[error("element {ai} has the wrong length")]
    Length {
        /// The element.
        ai: Ai,
    },
    /// A character an element may not have.
    #[error("element {ai} has a character it may not have")]
    Character {
        /// The element.
        ai: Ai,
    },
    /// Wrong check digit or check character pair: mistyped, misread or made up.
    #[error("element {ai} has a wrong check character")]
    Check {
        /// The element.
        ai: Ai,
    },
    /// A date that does not exist.
    #[error("element {ai} is no date")]
    Date {
        /// The element.
        ai: Ai,
    },
    /// The same element twice, told differently; in a Digital Link, twice at all.
    #[error("element {ai} occurs twice")]
    Repeated {
        /// The element.
        ai: Ai,
    },
    /// A Digital Link whose path has an element that belongs elsewhere, or in another order.
    #[error("element {ai} must not stand there in the path of a Digital Link")]
    InPath {
        /// The element.
        ai: Ai,
    },
    /// A Digital Link whose query has an element that belongs into the path.
    #[error("element {ai} must not stand in the query of a Digital Link")]
    InQuery {
        /// The element.
        ai: Ai,
    },
    /// A character that no URI has.
    #[error("byte {at} of the URI must be escaped")]
    UriCharacter {
        /// Offset within the URI.
        at: usize,
    },
}
