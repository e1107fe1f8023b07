//! Values whose data is the text of another handle, without a length in front.

use waymark_ident::{Handle, HandleError};

/// The service handle an HS_SERV or HS_SERV.PREFIX value names (RFC 3651 section 3.2.4): the HS_SITE values to use are found there.
///
/// # Errors
/// The text is too long for a handle.
pub fn service_handle(data: &[u8]) -> Result<Handle<'_>, HandleError> {
    Handle::new(data)
}

/// The handle an HS_ALIAS value names (RFC 3651 section 3.2.5). It is followed by clients, never by servers.
///
/// # Errors
/// The text is too long for a handle.
pub fn alias_target(data: &[u8]) -> Result<Handle<'_>, HandleError> {
    Handle::new(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_data_is_the_handle() {
        assert_eq!(service_handle(b"0.SERV/88.111.1").unwrap().as_bytes(), b"0.SERV/88.111.1");
        assert_eq!(alias_target(b"88.111.1/other").unwrap().as_bytes(), b"88.111.1/other");
        assert!(alias_target(&vec![b'a'; waymark_ident::MAX_HANDLE_BYTES + 1]).is_err());
    }
}
