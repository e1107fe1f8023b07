//! What the codes of a column look like, as far as it was read and a little ahead.

use super::number::is_digits;
use crate::Cell;

/// Texts that have to agree before they say anything.
const WITNESSES: u32 = 2;

/// What the texts of a column have in common: all digits, all of one length.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    digits: u32,
    texts: u32,
    is_mixed: bool,
}

impl Shape {
    /// Learns from a cell. Only texts say anything: numbers have lost their zeros already.
    pub(super) fn learn(&mut self, cell: &Cell) {
        let Cell::Text(text) = cell else { return };
        let text = text.trim();
        if self.is_mixed || text.is_empty() {
            return;
        }
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.is_mixed = !is_digits(text) || self.texts > 0 && self.digits != length;
        self.digits = length;
        self.texts = self.texts.saturating_add(1);
    }

    /// Digits all codes of the column have; none if they differ, or too few were seen.
    pub(super) const fn digits(&self) -> Option<u32> {
        if self.is_mixed || self.texts < WITNESSES { None } else { Some(self.digits) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(texts: &[&str]) -> Option<u32> {
        let mut shape = Shape::default();
        texts.iter().for_each(|text| shape.learn(&Cell::Text((*text).to_owned())));
        shape.digits()
    }

    #[test]
    fn only_texts_that_agree_say_anything() {
        assert_eq!(digits(&["000123", " 004567 "]), Some(6));
        assert_eq!(digits(&["000123", "", "004567"]), Some(6));
        assert_eq!(digits(&["000123"]), None);
        assert_eq!(digits(&["000123", "4567"]), None);
        assert_eq!(digits(&["000123", "A04567", "004567"]), None);
        let mut shape = Shape::default();
        (0..9).for_each(|number| shape.learn(&Cell::Number { value: f64::from(number), padded: None }));
        assert_eq!(shape.digits(), None);
    }
}
