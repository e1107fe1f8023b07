//! The text below a code, for people.

use crate::{CodeError, Length};

/// Lowest and highest characters.
const HEIGHT: (Length, Length) = (Length::micrometres(500), Length::millimetres(50));
/// Most lines below a code.
const MOST_LINES: usize = 8;

/// A text below the code, broken into lines of the width of the code with its quiet zone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caption {
    /// What is to be read. In PNG images printable ASCII only.
    pub text: String,
    /// Height of a character, 0.5 to 50 mm.
    pub height: Length,
}

impl Caption {
    /// That it can be drawn as SVG.
    pub(crate) fn check(&self) -> Result<(), CodeError> {
        let (least, most) = HEIGHT;
        if self.height < least || self.height > most {
            return Err(CodeError::CaptionSize { given: self.height, least, most });
        }
        // Neither may stand in an XML document.
        let is_bad = |c: &char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
        match self.text.chars().find(is_bad) {
            Some(character) => Err(CodeError::CaptionCharacter { character, only_in_png: false }),
            None => Ok(()),
        }
    }

    /// The lines, none wider than `width`, when a character takes `advance`. Widths in any one unit.
    pub(crate) fn lines(&self, width: u64, advance: impl Fn(char) -> u64) -> Result<Vec<&str>, CodeError> {
        let mut lines = Vec::new();
        let (mut begin, mut used) = (0, 0);
        for (at, character) in self.text.char_indices() {
            let wide = advance(character);
            if used + wide > width && at > begin {
                lines.push(self.text.get(begin..at).unwrap_or_default());
                (begin, used) = (at, 0);
            }
            used += wide;
        }
        if begin < self.text.len() {
            lines.push(self.text.get(begin..).unwrap_or_default());
        }
        if lines.len() > MOST_LINES {
            return Err(CodeError::CaptionTooLong { lines: lines.len(), most_lines: MOST_LINES });
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caption(text: &str) -> Caption {
        Caption { text: text.to_owned(), height: Length::millimetres(2) }
    }

    #[test]
    fn lines_are_as_wide_as_allowed_and_lose_nothing() {
        let long = caption("88.990.10001/XE215X编");
        let lines = long.lines(7, |c| if c.is_ascii() { 1 } else { 2 }).unwrap();
        assert_eq!(lines, ["88.990.", "10001/X", "E215X编"]);
        assert!(long.lines(1, |_| 1).is_err(), "twenty lines are too many");
        assert_eq!(caption("").lines(7, |_| 1).unwrap(), Vec::<&str>::new());
    }

    #[test]
    fn what_xml_cannot_hold_is_refused() {
        for character in ['\u{0}', '\n', '\u{1b}', '\u{85}', '\u{ffff}'] {
            let refused = caption(&format!("a{character}")).check();
            assert!(matches!(refused, Err(CodeError::CaptionCharacter { only_in_png: false, .. })), "{character:?}");
        }
        assert!(caption("<&>\"'編").check().is_ok());
    }
}
