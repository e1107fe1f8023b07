//! Symbols: the dark and light modules of a code.

use std::borrow::Cow;

use datamatrix::{DataMatrixBuilder, SymbolList, SymbolSize};

use crate::{CodeError, Payload, qr};

/// How much of a QR Code may be spoilt and still be read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub enum ErrorCorrection {
    /// Level L: about 7 %.
    Low,
    /// Level M: about 15 %.
    #[default]
    Medium,
    /// Level Q: about 25 %.
    Quartile,
    /// Level H: about 30 %.
    High,
}

/// Outline of a Data Matrix.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum Shape {
    /// 10 x 10 to 144 x 144 modules.
    #[default]
    Square,
    /// 8 x 18 to 16 x 48 modules, for narrow places; up to 47 bytes.
    Rectangle,
}

/// Kind of code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Symbology {
    /// QR Code, model 2 (ISO/IEC 18004), versions 1 to 40: the smallest that holds the payload.
    QrCode(ErrorCorrection),
    /// Data Matrix ECC 200 (ISO/IEC 16022), whose error correction is fixed: the smallest that holds the payload.
    DataMatrix(Shape),
}

impl Symbology {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QrCode(_) => "QR Code",
            Self::DataMatrix(_) => "Data Matrix",
        }
    }

    /// Modules that have to stay light around a symbol: ISO/IEC 18004 section 9.1, ISO/IEC 16022 section 7.
    #[must_use]
    pub const fn least_quiet_modules(self) -> u32 {
        match self {
            Self::QrCode(_) => 4,
            Self::DataMatrix(_) => 1,
        }
    }
}

/// A code as modules, without quiet zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Symbol {
    symbology: Symbology,
    width: u32,
    /// Row by row; `true` is dark. A whole number of rows.
    modules: Vec<bool>,
}

impl Symbol {
    /// Encodes a payload in the smallest symbol that holds it.
    ///
    /// # Errors
    ///
    /// [`CodeError::PayloadTooLong`], which says how long it may be.
    pub fn encode(symbology: Symbology, payload: Payload<'_>) -> Result<Self, CodeError> {
        match symbology {
            Symbology::QrCode(level) => qr::encode(payload, level),
            Symbology::DataMatrix(shape) => encode_data_matrix(payload, shape),
        }
    }

    /// A symbol of these modules, row by row.
    pub(crate) const fn from_modules(symbology: Symbology, width: u32, modules: Vec<bool>) -> Self {
        Self { symbology, width, modules }
    }

    /// What kind of code it is.
    #[must_use]
    pub const fn symbology(&self) -> Symbology {
        self.symbology
    }

    /// Modules in a row.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> u32 {
        u32::try_from(self.rows().len()).unwrap_or(0)
    }

    /// The rows, top first; `true` is dark.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[bool]> {
        self.modules.chunks_exact(usize::try_from(self.width).unwrap_or(usize::MAX).max(1))
    }
}

/// Data codewords of the largest symbol of the shape. Each holds two digits, so nothing longer needs to be tried.
const fn most_codewords(shape: Shape) -> usize {
    match shape {
        Shape::Square => 1558,
        Shape::Rectangle => 49,
    }
}

/// A text as the bytes a Data Matrix holds.
struct DataBytes<'a> {
    bytes: Cow<'a, [u8]>,
    /// Or else Latin-1, which needs no mark.
    is_utf8: bool,
}

impl<'a> DataBytes<'a> {
    fn of(text: &'a str) -> Self {
        if text.is_ascii() {
            return Self { bytes: text.as_bytes().into(), is_utf8: false };
        }
        match datamatrix::data::utf8_to_latin1(text) {
            Some(bytes) => Self { bytes: bytes.into(), is_utf8: false },
            None => Self { bytes: text.as_bytes().into(), is_utf8: true },
        }
    }
}

/// ISO/IEC 16022; FNC1 stands in first position for GS1, and U+001D separates, as the GS1 General Specifications allow beside FNC1.
fn encode_data_matrix(payload: Payload<'_>, shape: Shape) -> Result<Symbol, CodeError> {
    let symbology = Symbology::DataMatrix(shape);
    let text = payload.as_str();
    let encoded = DataBytes::of(text);
    let codewords = most_codewords(shape) - usize::from(payload.is_gs1()) - if encoded.is_utf8 { 2 } else { 0 };
    let too_long = || CodeError::PayloadTooLong {
        symbology: symbology.name(),
        bytes: encoded.bytes.len(),
        // Two codewords say that bytes follow up to the end of the symbol.
        most_bytes: codewords - 2,
        most_digits: codewords * 2,
    };
    if encoded.bytes.len() > codewords * 2 {
        return Err(too_long());
    }
    let (sizes, largest) = match shape {
        Shape::Square => (SymbolList::default().enforce_square(), SymbolSize::Square144),
        Shape::Rectangle => (SymbolList::default().enforce_rectangular(), SymbolSize::Rect16x48),
    };
    let with_sizes = |sizes: SymbolList| {
        let builder = DataMatrixBuilder::new().with_symbol_list(sizes).with_fnc1_start(payload.is_gs1());
        // A macro would stand before FNC1.
        let builder = builder.with_macros(!payload.is_gs1());
        if encoded.is_utf8 { builder.encode_str(text) } else { builder.encode(&encoded.bytes) }
    };
    // With several sizes to choose from, the library looks no further than what holds the payload as bytes.
    let encoded = with_sizes(sizes).or_else(|_| with_sizes(largest.into()));
    let bitmap = encoded.map_err(|_| too_long())?.bitmap();
    let width = u32::try_from(bitmap.width()).map_err(|_| too_long())?;
    Ok(Symbol::from_modules(symbology, width, bitmap.bits().to_vec()))
}
