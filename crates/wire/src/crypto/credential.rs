//! Credentials: the signature trailer of a message.
//!
//! ```text
//! u8 version 0, u8 reserved 0, u16 flags 0, string signer, u32 session counter, string type,
//! u32 section length, string digest name, bytes signature
//! ```
//! The section is what follows its length. Types in use: HS_SIGNED (a key pair), HS_MAC (a session key) and, in very
//! old messages, HS_DSAPUBKEY.

use crate::error::DecodeError;
use crate::primitives::{Reader, Sink};

/// Type of credentials signed with a key pair.
pub const SIGNED_TYPE: &[u8] = b"HS_SIGNED";

/// Type of credentials made with a session key.
pub const MAC_TYPE: &[u8] = b"HS_MAC";

/// Type very old servers wrote for signatures made with a DSA key.
pub const LEGACY_DSA_TYPE: &[u8] = b"HS_DSAPUBKEY";

/// A credential, borrowed from its message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Credential<'a> {
    /// Format version, 0.
    pub version: u8,
    /// Reserved, 0.
    pub reserved: u8,
    /// Flags; none is defined.
    pub flags: u16,
    /// Handle of the signer. Writers leave it empty.
    pub signer: &'a [u8],
    /// Counter of the message in its session; 0 outside of one.
    pub session_counter: u32,
    /// The type, see the constants of this module.
    pub kind: &'a [u8],
    /// Digest name and signature, or whatever else an unknown type has.
    pub section: &'a [u8],
}

impl<'a> Credential<'a> {
    /// Reads a credential. Bytes behind the section are ignored.
    ///
    /// # Errors
    /// [`DecodeError`] when a field reaches behind the end.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        Ok(Self {
            version: reader.u8()?,
            reserved: reader.u8()?,
            flags: reader.u16()?,
            signer: reader.bytes()?,
            session_counter: reader.u32()?,
            kind: reader.bytes()?,
            section: reader.bytes()?,
        })
    }

    /// Digest name and signature of the section.
    ///
    /// # Errors
    /// [`DecodeError`] when the section does not consist of exactly these two.
    pub fn signature(&self) -> Result<Signature<'a>, DecodeError> {
        let mut reader = Reader::new(self.section);
        let signature = Signature { digest_name: reader.bytes()?, signature: reader.bytes()? };
        reader.expect_end()?;
        Ok(signature)
    }

    /// Writes the credential, without the length a message puts in front of it.
    pub fn encode_into(&self, sink: &mut impl Sink) {
        sink.put_u8(self.version);
        sink.put_u8(self.reserved);
        sink.put_u16(self.flags);
        sink.put_bytes(self.signer);
        sink.put_u32(self.session_counter);
        sink.put_bytes(self.kind);
        sink.put_bytes(self.section);
    }
}

/// The section of the known types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signature<'a> {
    /// Name of the digest or code, as text or as a single byte in old messages.
    pub digest_name: &'a [u8],
    /// The signature or code.
    pub signature: &'a [u8],
}

impl Signature<'_> {
    /// Writes the section, without its length.
    pub fn encode_into(&self, sink: &mut impl Sink) {
        sink.put_bytes(self.digest_name);
        sink.put_bytes(self.signature);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut section = Vec::new();
        Signature { digest_name: b"SHA-256", signature: &[1, 2, 3] }.encode_into(&mut section);
        let credential = Credential {
            version: 0,
            reserved: 0,
            flags: 0,
            signer: b"",
            session_counter: 9,
            kind: MAC_TYPE,
            section: &section,
        };
        let mut out = Vec::new();
        credential.encode_into(&mut out);
        out
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let bytes = sample();
        let credential = Credential::parse(&bytes).unwrap();
        assert_eq!((credential.session_counter, credential.kind), (9, MAC_TYPE));
        let signature = credential.signature().unwrap();
        assert_eq!((signature.digest_name, signature.signature), (b"SHA-256".as_slice(), [1, 2, 3].as_slice()));
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = sample();
        for length in 0..bytes.len() {
            assert!(Credential::parse(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_section_with_more_in_it_is_no_signature() {
        let mut section = Vec::new();
        Signature { digest_name: b"SHA1", signature: b"x" }.encode_into(&mut section);
        section.push(0);
        let bytes = sample();
        let credential = Credential { section: &section, ..Credential::parse(&bytes).unwrap() };
        assert_eq!(credential.signature(), Err(DecodeError::TrailingBytes { count: 1 }));
    }
}
