//! What one scan says.

use super::ai::Ai;
use super::date::ShortDate;
use super::element::Element;
use super::error::ScanError;
use super::gtin::Gtin;
use super::text::Text;
use super::{brackets, link, raw};

/// Longest scan, in bytes: what the largest QR Code holds of digits (ISO/IEC 18004, version 40-L). No other symbol of
/// GS1 holds more.
pub const MAX_SCAN_BYTES: usize = 7089;

/// What one scan says. At least one of `gtin`, `sscc` and `gmn` is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scan {
    /// The product, AI (01).
    pub gtin: Option<Gtin>,
    /// Batch or lot number, AI (10). Case matters.
    pub lot: Option<Text<20>>,
    /// Serial number, AI (21). Case matters.
    pub serial: Option<Text<20>>,
    /// Shipping container, AI (00).
    pub sscc: Option<Text<18>>,
    /// Model, AI (8013).
    pub gmn: Option<Text<25>>,
    /// Production date, AI (11).
    pub production: Option<ShortDate>,
    /// Best before date, AI (15).
    pub best_before: Option<ShortDate>,
    /// Sell by date, AI (16).
    pub sell_by: Option<ShortDate>,
    /// Expiration date, AI (17).
    pub expiry: Option<ShortDate>,
}

impl Scan {
    /// Reads what a scanner hands over, in any form of the [module page](super). Line ends behind it are ignored.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, ScanError> {
        if bytes.len() > MAX_SCAN_BYTES {
            return Err(ScanError::TooLong { length: bytes.len() });
        }
        let end = bytes.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
        let mut scan = Self::default();
        scan.read(bytes.get(..end).unwrap_or_default())?;
        if scan.gtin.is_none() && scan.sscc.is_none() && scan.gmn.is_none() {
            return Err(ScanError::NoKey);
        }
        Ok(scan)
    }

    fn read(&mut self, bytes: &[u8]) -> Result<(), ScanError> {
        match bytes {
            [] => Err(ScanError::Empty),
            [b']', code, modifier, data @ ..] => self.read_symbol([*code, *modifier], data),
            [b'(', ..] => brackets::read(bytes, self),
            [b'^', data @ ..] => raw::read(data, b'^', self),
            _ if link::begins(bytes) => link::read(bytes, self),
            _ if is_bar_code(bytes) => self.read_number(bytes),
            [raw::GS, data @ ..] | data if starts_with_digit(data) => raw::read(data, raw::GS, self),
            _ => Err(ScanError::NotGs1),
        }
    }

    /// Reads what a symbol holds, told by its symbology identifier (ISO/IEC 15424).
    fn read_symbol(&mut self, identifier: [u8; 2], data: &[u8]) -> Result<(), ScanError> {
        match &identifier {
            b"d2" | b"Q3" | b"C1" | b"e0" | b"e1" | b"e2" | b"J1" if data.is_empty() => Err(ScanError::Empty),
            b"d2" | b"Q3" | b"C1" | b"e0" | b"e1" | b"e2" | b"J1" => raw::read(data, raw::GS, self),
            b"Q1" | b"d1" | b"J0" => link::read(data, self),
            b"E0" if data.len() == 13 => self.read_number(data),
            b"E4" if data.len() == 8 => self.read_number(data),
            b"E0" | b"E4" => Err(ScanError::Length { ai: Ai::GTIN }),
            _ => Err(ScanError::Symbology),
        }
    }

    fn read_number(&mut self, digits: &[u8]) -> Result<(), ScanError> {
        self.gtin = Some(Gtin::new(digits).ok_or(ScanError::Check { ai: Ai::GTIN })?);
        Ok(())
    }

    /// Takes in one element; those that are not read are stepped over.
    pub(super) fn take(&mut self, element: Element<'_>) -> Result<(), ScanError> {
        let ai = element.ai;
        match ai {
            Ai::GTIN => set(&mut self.gtin, element.gtin()?, ai),
            Ai::LOT => set(&mut self.lot, element.text()?, ai),
            Ai::SERIAL => set(&mut self.serial, element.text()?, ai),
            Ai::SSCC => set(&mut self.sscc, element.sscc()?, ai),
            Ai::GMN => set(&mut self.gmn, element.gmn()?, ai),
            _ => match self.date_of(ai) {
                Some(place) => set(place, element.date()?, ai),
                None => Ok(()),
            },
        }
    }

    /// Tells whether the date of `ai` was read.
    pub(super) fn has_date(&mut self, ai: Ai) -> bool {
        self.date_of(ai).is_some_and(|place| place.is_some())
    }

    const fn date_of(&mut self, ai: Ai) -> Option<&mut Option<ShortDate>> {
        match ai {
            Ai::PRODUCTION => Some(&mut self.production),
            Ai::BEST_BEFORE => Some(&mut self.best_before),
            Ai::SELL_BY => Some(&mut self.sell_by),
            Ai::EXPIRY => Some(&mut self.expiry),
            _ => None,
        }
    }
}

/// Sets what was not told before; told again it must be the same (General Specifications, section on repeated element
/// strings).
fn set<T: PartialEq>(place: &mut Option<T>, value: T, ai: Ai) -> Result<(), ScanError> {
    match place {
        Some(old) if *old != value => Err(ScanError::Repeated { ai }),
        _ => {
            *place = Some(value);
            Ok(())
        }
    }
}

fn is_bar_code(bytes: &[u8]) -> bool {
    matches!(bytes.len(), 8 | 12 | 13 | 14) && bytes.iter().all(u8::is_ascii_digit)
}

fn starts_with_digit(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests;
