//! What a handle must look like to be registered; resolution asks for none of this.

use crate::handle::{Handle, HandleError, MAX_HANDLE_BYTES};

/// Limits on handles that are to be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandleLimits {
    /// Longest handle in bytes; values over [`MAX_HANDLE_BYTES`] count as that.
    pub max_bytes: usize,
}

impl Default for HandleLimits {
    /// 255 bytes: what the databases behind existing nodes hold.
    fn default() -> Self {
        Self { max_bytes: 255 }
    }
}

/// Checks that `bytes` may become a handle: UTF-8, a slash behind a non-empty prefix, no control characters, within
/// the limits. The suffix may be empty.
///
/// # Errors
/// The first rule that is broken.
pub fn check_new_handle(bytes: &[u8], limits: HandleLimits) -> Result<(), HandleError> {
    let limit = limits.max_bytes.min(MAX_HANDLE_BYTES);
    if bytes.len() > limit {
        return Err(HandleError::TooLong { length: bytes.len(), limit });
    }
    let handle = Handle::new(bytes)?;
    let text = handle.to_utf8()?;
    if handle.is_bare() {
        return Err(HandleError::NoSlash);
    }
    if handle.prefix().is_empty() {
        return Err(HandleError::EmptyPrefix);
    }
    match text.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, _)) => Err(HandleError::ControlCharacter { at }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8]) -> Result<(), HandleError> {
        check_new_handle(bytes, HandleLimits { max_bytes: 20 })
    }

    #[test]
    fn accepts_text_of_any_language_and_an_empty_suffix() {
        assert_eq!(check("88.1/产品 é".as_bytes()), Ok(()));
        assert_eq!(check(b"88.1/"), Ok(()));
        assert_eq!(check(b"0.NA/88.1"), Ok(()));
    }

    #[test]
    fn refuses_each_broken_rule() {
        assert_eq!(check(b"88.1"), Err(HandleError::NoSlash));
        assert_eq!(check(b"/x"), Err(HandleError::EmptyPrefix));
        assert_eq!(check(b"1/\xff"), Err(HandleError::NotUtf8 { at: 2 }));
        assert_eq!(check(b"1/a\0"), Err(HandleError::ControlCharacter { at: 3 }));
        assert_eq!(check("1/a\u{85}".as_bytes()), Err(HandleError::ControlCharacter { at: 3 }));
        assert_eq!(check(&[b'/'; 21]), Err(HandleError::TooLong { length: 21, limit: 20 }));
    }

    #[test]
    fn a_larger_limit_never_passes_the_protocol() {
        let long = vec![b'1'; MAX_HANDLE_BYTES + 1];
        let limits = HandleLimits { max_bytes: usize::MAX };
        assert_eq!(check_new_handle(&long, limits), Err(HandleError::TooLong { length: 2049, limit: 2048 }));
    }
}
