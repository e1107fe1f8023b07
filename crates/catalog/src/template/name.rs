//! How a template is called.

use std::fmt;
use std::str::FromStr;

use waymark_ident::fold_in_place;

use crate::config::{TEMPLATE_CODE_BYTES, TEMPLATE_VERSION_BYTES};
use crate::prefixes::prefix_of_key;

/// What stands between the slash and the code in the handle of a template.
const HANDLE_MARK: &str = "META_";

/// The name of a template: prefix, code and version. Its handle is `88.990.10001/META_EXC-1.2`; identifiers under the same prefix name it `EXC-1.2`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TemplateName {
    prefix: Box<[u8]>,
    code: Box<str>,
    version: Box<str>,
}

/// Why a text is no name of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateNameError {
    /// The prefix is empty or holds a slash.
    #[error("a template is named PREFIX/META_CODE-VERSION, as 88.990.10001/META_EXC-1.2")]
    Prefix,
    /// The code is not what one may be.
    #[error("the code of a template is a letter or digit and up to 47 more, hyphens, underscores or points")]
    Code,
    /// The version is not what one may be.
    #[error("the version of a template is up to four numbers with points between them, as 1.2")]
    Version,
}

impl TemplateName {
    /// The template of this code and version under a prefix, each in any case.
    ///
    /// # Errors
    /// See [`TemplateNameError`].
    pub fn new(prefix: &[u8], code: &str, version: &str) -> Result<Self, TemplateNameError> {
        if prefix.is_empty() || prefix.iter().any(|byte| matches!(byte, b'/' | 0)) {
            return Err(TemplateNameError::Prefix);
        }
        let is_code_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let begins_well = code.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
        if !begins_well || code.len() > TEMPLATE_CODE_BYTES || !code.bytes().all(is_code_byte) {
            return Err(TemplateNameError::Code);
        }
        // Only as it is written: a zero in front would be a second name for the same.
        let is_number = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_digit())
                && (part == "0" || !part.starts_with('0'))
        };
        let parts = version.split('.').count();
        if version.len() > TEMPLATE_VERSION_BYTES || parts > 4 || !version.split('.').all(is_number) {
            return Err(TemplateNameError::Version);
        }
        let mut prefix: Box<[u8]> = prefix.into();
        fold_in_place(&mut prefix);
        Ok(Self { prefix, code: code.to_ascii_uppercase().into(), version: version.into() })
    }

    /// The template that an identifier under `prefix` means by `text`: a code and version under the same prefix, or a handle.
    ///
    /// # Errors
    /// See [`TemplateNameError`].
    pub fn parse_in(prefix: &[u8], text: &str) -> Result<Self, TemplateNameError> {
        if text.contains('/') {
            return text.parse();
        }
        let (code, version) = text.rsplit_once('-').ok_or(TemplateNameError::Version)?;
        Self::new(prefix, code, version)
    }

    /// The template whose record has this key; `None` for other keys.
    pub(crate) fn of_key(key: &[u8]) -> Option<Self> {
        let prefix = prefix_of_key(key);
        let suffix = key.get(prefix.len() + 1..)?;
        // Most names are none of templates: told by their first bytes.
        let name = suffix.get(HANDLE_MARK.len()..)?;
        let mark = suffix.get(..HANDLE_MARK.len())?;
        if !mark.eq_ignore_ascii_case(HANDLE_MARK.as_bytes()) {
            return None;
        }
        let name = std::str::from_utf8(name).ok().filter(|name| !name.contains('/'))?;
        Self::parse_in(prefix, name).ok()
    }

    /// The prefix, folded.
    #[must_use]
    pub const fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// The code, in capitals.
    #[must_use]
    pub const fn code(&self) -> &str {
        &self.code
    }

    /// The version.
    #[must_use]
    pub const fn version(&self) -> &str {
        &self.version
    }

    /// Code and version: what identifiers under the same prefix name it by.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{}-{}", self.code, self.version)
    }

    /// The handle it resolves under.
    #[must_use]
    pub fn handle(&self) -> Vec<u8> {
        [&self.prefix, &b"/"[..], HANDLE_MARK.as_bytes(), self.short().as_bytes()].concat()
    }

    /// Bytes of its handle.
    pub(crate) const fn handle_bytes(&self) -> usize {
        self.prefix.len() + HANDLE_MARK.len() + self.code.len() + self.version.len() + 2
    }
}

impl FromStr for TemplateName {
    type Err = TemplateNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (prefix, suffix) = text.split_once('/').ok_or(TemplateNameError::Prefix)?;
        let mark = suffix.get(..HANDLE_MARK.len()).filter(|mark| mark.eq_ignore_ascii_case(HANDLE_MARK));
        let name = mark.and_then(|mark| suffix.get(mark.len()..)).ok_or(TemplateNameError::Prefix)?;
        if name.contains('/') {
            return Err(TemplateNameError::Code);
        }
        Self::parse_in(prefix.as_bytes(), name)
    }
}

impl fmt::Display for TemplateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{HANDLE_MARK}{}-{}", String::from_utf8_lossy(&self.prefix), self.code, self.version)
    }
}

impl fmt::Debug for TemplateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_spelling_but_for_case() {
        let name: TemplateName = "88.990.a/meta_steel-coil-2.0".parse().unwrap();
        assert_eq!(name.to_string(), "88.990.A/META_STEEL-COIL-2.0");
        assert_eq!((name.prefix(), name.code(), name.version()), (&b"88.990.A"[..], "STEEL-COIL", "2.0"));
        assert_eq!((name.handle(), name.short()), (b"88.990.A/META_STEEL-COIL-2.0".to_vec(), "STEEL-COIL-2.0".into()));
        assert_eq!(name.handle_bytes(), name.handle().len());
        assert_eq!(TemplateName::parse_in(b"88.990.A", "Steel-Coil-2.0"), Ok(name.clone()));
        assert_eq!(TemplateName::parse_in(b"88.1", "88.990.a/META_STEEL-COIL-2.0"), Ok(name.clone()));
        assert_eq!(TemplateName::of_key(&name.handle()), Some(name));
    }

    #[test]
    fn what_is_no_name_is_told_by_the_part_at_fault() {
        use TemplateNameError::{Code, Prefix, Version};
        for (wrong, error) in [
            ("", Prefix),
            ("EXC-1.2", Prefix),
            ("88.1/EXC-1.2", Prefix),
            ("/META_EXC-1.2", Prefix),
            ("88.1/META_-1.2", Code),
            ("88.1/META_-A-1.2", Code),
            ("88.1/META_A B-1.2", Code),
            ("88.1/META_A/B-1.2", Code),
            ("88.1/META_产品-1.2", Code),
            ("88.1/META_EXC", Version),
            ("88.1/META_EXC-", Version),
            ("88.1/META_EXC-1.", Version),
            ("88.1/META_EXC-01", Version),
            ("88.1/META_EXC-1.2.3.4.5", Version),
            ("88.1/META_EXC-1.2b", Version),
        ] {
            assert_eq!(wrong.parse::<TemplateName>(), Err(error), "{wrong}");
        }
        for other in [
            &b"88.1/X"[..],
            b"88.1",
            b"",
            b"88.1/META_",
            b"88.1/META_EXC_12",
            b"88.1/METB_EXC-1.2",
            b"88.1/\xffETA_A-1",
        ] {
            assert_eq!(TemplateName::of_key(other), None);
        }
    }
}
