//! Who sends a request, and the proof of it.
//!
//! The top-level node gives every node an application id and a private key; how requests are signed with them is not published. So signing is a trait,
//! and what stands behind it here is a form of our own that the simulator of this crate understands and no real top-level node does. Whoever is docked
//! and has the real rule writes another [`Seal`], and changes nothing else.

use std::fmt;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Makes the headers by which a request is believed.
pub trait Seal: Send + Sync + fmt::Debug {
    /// The headers of a request with this body. Names are lower case.
    fn headers(&self, body: &[u8]) -> Vec<(&'static str, String)>;
}

/// Header that names the application.
pub const APPLICATION_HEADER: &str = "waymark-application";

/// Header with the code over the body.
pub const CODE_HEADER: &str = "waymark-code";

/// Our own form: the application's id, and HMAC-SHA-256 over the body under the bytes of the key file.
pub struct OwnSeal {
    application: String,
    key: Zeroizing<Vec<u8>>,
}

impl OwnSeal {
    /// Of an application and the bytes of its key file.
    #[must_use]
    pub const fn new(application: String, key: Zeroizing<Vec<u8>>) -> Self {
        Self { application, key }
    }

    /// The code over a body.
    #[must_use]
    pub fn code(&self, body: &[u8]) -> String {
        // HMAC takes keys of every length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return String::new() };
        mac.update(body);
        hex::encode(mac.finalize().into_bytes())
    }
}

impl Seal for OwnSeal {
    fn headers(&self, body: &[u8]) -> Vec<(&'static str, String)> {
        vec![(APPLICATION_HEADER, self.application.clone()), (CODE_HEADER, self.code(body))]
    }
}

impl fmt::Debug for OwnSeal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnSeal").field("application", &self.application).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_that_of_rfc_4231_and_nothing_prints_the_key() {
        // RFC 4231 section 4.3, test case 2.
        let seal = OwnSeal::new("app-1".into(), Zeroizing::new(b"Jefe".to_vec()));
        let code = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(seal.code(b"what do ya want for nothing?"), code);
        assert!(!format!("{seal:?}").contains("Jefe"));
    }
}
