//! Characters that XML cannot hold, as workbooks write them: `_x000D_` (ECMA-376 part 1 section 22.9.2.19).

use std::borrow::Cow;

/// The text that is meant.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memmem::find(text.as_bytes(), b"_x") else { return text.into() };
    let mut plain = String::with_capacity(text.len());
    let (before, mut rest) = text.split_at_checked(first).unwrap_or((text, ""));
    plain.push_str(before);
    while let Some(character) = rest.chars().next() {
        if let Some(escaped) = escaped(rest) {
            plain.push(escaped);
            rest = rest.get(ESCAPE_BYTES..).unwrap_or_default();
        } else {
            plain.push(character);
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
        }
    }
    plain.into()
}

/// `_x`, four digits, `_`.
const ESCAPE_BYTES: usize = 7;

/// The character a text begins with in escaped form.
fn escaped(text: &str) -> Option<char> {
    let digits = text.get(..ESCAPE_BYTES)?.strip_prefix("_x")?.strip_suffix('_')?;
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    char::from_u32(u32::from_str_radix(digits, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::unescape;

    #[test]
    fn escaped_characters_are_those_that_are_meant() {
        for (text, plain) in [
            ("", ""),
            ("a_x000D_b", "a\rb"),
            ("_x005F_x000D_", "_x000D_"),
            ("_x000D", "_x000D"),
            ("_x00G0_编", "_x00G0_编"),
            ("编_x000a_", "编\n"),
            ("_xD800_", "_xD800_"),
            ("_x_x000D_", "_x\r"),
        ] {
            assert_eq!(unescape(text), plain, "{text}");
        }
    }
}
