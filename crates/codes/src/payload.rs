//! What a code says.

use crate::CodeError;

/// What separates a GS1 element of variable length from the next: the character scanners pass on for FNC1.
pub(crate) const SEPARATOR: char = '\u{1d}';

/// What a code says. Not empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Payload<'a> {
    text: &'a str,
    is_gs1: bool,
}

impl<'a> Payload<'a> {
    /// A text: a URL, a handle. Text outside ASCII is marked as UTF-8 in the symbol (QR Code: ECI 26; Data Matrix: Latin-1 as it is, ECI 26
    /// for the rest).
    ///
    /// # Errors
    ///
    /// If it is empty.
    pub fn text(text: &'a str) -> Result<Self, CodeError> {
        if text.is_empty() { Err(CodeError::EmptyPayload) } else { Ok(Self { text, is_gs1: false }) }
    }

    /// A GS1 element string: application identifiers and data without brackets, elements of variable length ended by U+001D unless last.
    /// FNC1 in first position marks it. Which identifiers there are, and their check digits, are not looked at.
    ///
    /// # Errors
    ///
    /// If it is empty, or holds a character outside ASCII, a control character other than U+001D, or brackets around an identifier at its
    /// beginning (the form for people).
    pub fn gs1(text: &'a str) -> Result<Self, CodeError> {
        if text.is_empty() {
            return Err(CodeError::EmptyPayload);
        }
        let is_data = |c: char| c == SEPARATOR || c.is_ascii_graphic();
        if let Some(character) = text.chars().find(|c| !is_data(*c)) {
            return Err(CodeError::NotGs1 { character });
        }
        match text.chars().next() {
            Some(character @ ('(' | '[' | SEPARATOR)) => Err(CodeError::NotGs1 { character }),
            _ => Ok(Self { text, is_gs1: true }),
        }
    }

    /// The text as given.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// Whether FNC1 stands in first position.
    #[must_use]
    pub const fn is_gs1(&self) -> bool {
        self.is_gs1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_form_for_machines_only() {
        assert!(Payload::gs1("010690123456789210AB%1\u{1d}2112345").is_ok());
        for (text, bad) in
            [("(01)06901234567892", '('), ("01编", '编'), ("01 1", ' '), ("01\n", '\n'), ("\u{1d}01", '\u{1d}')]
        {
            assert!(matches!(Payload::gs1(text), Err(CodeError::NotGs1 { character }) if character == bad), "{text}");
        }
    }

    #[test]
    fn refuses_emptiness() {
        assert!(matches!(Payload::text(""), Err(CodeError::EmptyPayload)));
        assert!(matches!(Payload::gs1(""), Err(CodeError::EmptyPayload)));
    }
}
