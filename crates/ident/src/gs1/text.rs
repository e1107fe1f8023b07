//! A short text with its own room.

use core::fmt;

/// A text of at most `N` ASCII bytes, kept in place.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Text<const N: usize> {
    /// Zero behind the text, so that equal texts are equal arrays.
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Text<N> {
    pub(super) const EMPTY: Self = Self { bytes: [0; N], length: 0 };

    /// Adds a character; `false` when there is no room or it is not ASCII, and then nothing is added.
    #[must_use]
    pub(super) fn push(&mut self, byte: u8) -> bool {
        match self.bytes.get_mut(self.length) {
            Some(place) if byte.is_ascii() => {
                *place = byte;
                self.length += 1;
                true
            }
            _ => false,
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default() // ASCII: `push` takes nothing else
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_fits_and_refuses_the_rest() {
        let mut text = Text::<2>::EMPTY;
        assert!(!text.push(b'\x80'));
        assert!(text.push(b'A') && text.push(b'7'));
        assert!(!text.push(b'8'));
        assert_eq!((text.as_str(), format!("{text} {text:?}")), ("A7", "A7 \"A7\"".into()));
    }
}
