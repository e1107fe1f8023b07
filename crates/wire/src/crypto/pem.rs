//! PEM texts: a label and base64 between two marker lines.
//!
//! The reader is more generous than RFC 7468: lines may have any width and any line ending, since keys that were
//! stored by existing tools come in several. Explanations in front of the first marker are skipped.

use base64ct::{Base64, Encoding};
use thiserror::Error;
use zeroize::Zeroizing;

/// The parts of a PEM text.
pub(super) struct Pem<'a> {
    /// What the markers name, as in `RSA PRIVATE KEY`.
    pub(super) label: &'a str,
    /// The decoded content.
    pub(super) der: Zeroizing<Vec<u8>>,
}

/// Tells whether bytes look like a PEM text: a marker at the start, or after explanations in plain text.
pub(super) fn is_pem(bytes: &[u8]) -> bool {
    let start = bytes.trim_ascii_start();
    start.starts_with(BEGIN.as_bytes())
        || str::from_utf8(bytes).is_ok_and(|text| text.contains("\n-----BEGIN ") && !text.contains('\0'))
}

/// Reads the first PEM block of a text.
pub(super) fn parse(bytes: &[u8]) -> Result<Pem<'_>, PemError> {
    let text = str::from_utf8(bytes).map_err(|_| PemError::NotText)?;
    let (_, text) = text.split_once(BEGIN).ok_or(PemError::NoMarker)?;
    let (label, text) = text.split_once(DASHES).ok_or(PemError::NoMarker)?;
    let (content, end) = text.split_once(END).ok_or(PemError::NoEnd)?;
    if !end.strip_prefix(label).is_some_and(|end| end.starts_with(DASHES)) {
        return Err(PemError::NoEnd);
    }
    if content.contains(':') {
        return Err(PemError::Encrypted);
    }
    let base64: Zeroizing<String> = Zeroizing::new(content.split_ascii_whitespace().collect());
    let der = Base64::decode_vec(&base64).map_err(|_| PemError::NotBase64)?;
    Ok(Pem { label, der: Zeroizing::new(der) })
}

/// Writes a PEM text of a public key, exactly as the clients do that know this form: lines of 76 characters, ended by
/// carriage return and line feed.
pub(super) fn write(label: &str, der: &[u8]) -> String {
    let mut text = format!("{BEGIN}{label}{DASHES}\r\n");
    for (place, character) in Base64::encode_string(der).chars().enumerate() {
        if place > 0 && place % LINE_CHARACTERS == 0 {
            text.push_str("\r\n");
        }
        text.push(character);
    }
    text.push_str(&format!("\r\n{END}{label}{DASHES}\r\n"));
    text
}

/// Why a PEM text cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PemError {
    /// The bytes are not UTF-8 text.
    #[error("PEM is not text")]
    NotText,
    /// There is no complete `-----BEGIN ...-----` marker.
    #[error("PEM has no begin marker")]
    NoMarker,
    /// The end marker is missing or names something else than the begin marker.
    #[error("PEM has no matching end marker")]
    NoEnd,
    /// The block has header lines, as encrypted keys in the old OpenSSL form do.
    #[error("PEM block has header lines, which means it is encrypted in a form that is not supported")]
    Encrypted,
    /// The content is not base64.
    #[error("PEM content is not base64")]
    NotBase64,
    /// The label names no kind of key that is supported.
    #[error("PEM holds no supported kind of key")]
    OtherLabel,
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// Width of the lines we write.
const LINE_CHARACTERS: usize = 76;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_any_line_width_and_ending() {
        let der = [7_u8; 200];
        let text = write("PUBLIC KEY", &der);
        for text in [text.clone(), text.replace('\r', ""), format!("subject: x\n{text}"), {
            let inner: String = Base64::encode_string(&der);
            format!("-----BEGIN PUBLIC KEY-----\n{inner}\n-----END PUBLIC KEY-----")
        }] {
            assert!(is_pem(text.as_bytes()), "{text}");
            let pem = parse(text.as_bytes()).unwrap();
            assert_eq!((pem.label, pem.der.as_slice()), ("PUBLIC KEY", der.as_slice()));
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let error = |text: &str| parse(text.as_bytes()).err();
        assert_eq!(error("hello"), Some(PemError::NoMarker));
        assert_eq!(error("-----BEGIN X-----\nAAAA\n"), Some(PemError::NoEnd));
        assert_eq!(error("-----BEGIN X-----\nAAAA\n-----END Y-----"), Some(PemError::NoEnd));
        assert_eq!(error("-----BEGIN X-----\n!\n-----END X-----"), Some(PemError::NotBase64));
        assert_eq!(error("-----BEGIN X-----\nDEK-Info: AES\n\nAAAA\n-----END X-----"), Some(PemError::Encrypted));
        assert_eq!(parse(&[0xff]).err(), Some(PemError::NotText));
    }

    #[test]
    fn binary_is_not_taken_for_pem() {
        assert!(!is_pem(&[0, 0, 0, 1, 0, 0, 0, 11]));
        assert!(!is_pem(b"hello"));
    }
}
