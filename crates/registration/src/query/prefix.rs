//! Prefixes as they stand in questions and in bootstrap files: labels between dots, two to 255 characters.

/// Characters of a prefix or identifier in a question.
const CHARS: std::ops::RangeInclusive<usize> = 2..=255;

/// Why a text is no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrefixError {
    /// Too short or too long.
    #[error("it has {chars} characters; a prefix has between 2 and 255")]
    Length {
        /// How many it has.
        chars: usize,
    },
    /// It has a suffix.
    #[error("it holds a slash: ask for the prefix alone")]
    Slash,
    /// A blank or a control character.
    #[error("it holds a blank or a control character")]
    Character,
    /// Nothing between two dots.
    #[error("a label is empty")]
    Label,
}

/// A prefix as it is stored: ASCII letters in upper case.
///
/// # Errors
/// The text is no prefix.
pub(crate) fn folded(text: &str) -> Result<String, PrefixError> {
    let chars = text.chars().count();
    if !CHARS.contains(&chars) {
        return Err(PrefixError::Length { chars });
    }
    if text.contains('/') {
        return Err(PrefixError::Slash);
    }
    if text.chars().any(|each| each.is_whitespace() || each.is_control()) {
        return Err(PrefixError::Character);
    }
    if text.split('.').any(str::is_empty) {
        return Err(PrefixError::Label);
    }
    Ok(text.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_fold_and_what_is_none_is_refused() {
        assert_eq!(folded("20.500.a").as_deref(), Ok("20.500.A"));
        assert_eq!(folded("88").as_deref(), Ok("88"));
        for (wrong, why) in [
            ("8", PrefixError::Length { chars: 1 }),
            (&"8".repeat(256), PrefixError::Length { chars: 256 }),
            ("88.1/x", PrefixError::Slash),
            ("88 1", PrefixError::Character),
            ("88\u{1}", PrefixError::Character),
            ("88..1", PrefixError::Label),
            (".88", PrefixError::Label),
            ("88.", PrefixError::Label),
        ] {
            assert_eq!(folded(wrong), Err(why), "{wrong}");
        }
    }
}
