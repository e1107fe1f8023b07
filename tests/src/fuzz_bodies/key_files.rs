//! Private keys as they are kept in files.

use waymark_catalog::audit::AuditKey;
use waymark_wire::Reader;
use waymark_wire::crypto::key_file::{KeyFileForm, inspect, open, write_plain};

/// The first byte says whether there is a pass phrase, the rest is a file: of a key of the protocol, and of the key of an audit.
///
/// What can be opened is written in the clear and opened again as the same key.
pub fn key_files(input: &[u8]) {
    let Some((shape, file)) = input.split_first() else { return };
    let _ = AuditKey::from_pkcs8(file).map(|key| key.public_key());
    if iterations(file).is_some_and(|iterations| iterations > MOST_ITERATIONS) {
        return;
    }
    let form = inspect(file);
    let opened = open(file, (shape & 1 != 0).then_some(PASS_PHRASE));
    let key = match opened {
        Ok(key) => key,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let form = form.expect("what can be opened is a key file");
    assert!(shape & 1 != 0 || !matches!(form, KeyFileForm::Encrypted(_)), "opened without its pass phrase");
    let Some(plain) = write_plain(&key) else { return };
    assert_eq!(inspect(&plain), Ok(KeyFileForm::Plain));
    let again = open(&plain, None).expect("its own form");
    assert_eq!(again.public_key().as_bytes(), key.public_key().as_bytes());
    assert_eq!(write_plain(&again), Some(plain));
}

/// That of the protocol vectors.
const PASS_PHRASE: &[u8] = b"pass phrase";

/// Deriving a key is slow on purpose; more of it says nothing new.
const MOST_ITERATIONS: u32 = 100;

/// Iterations a key file asks for.
fn iterations(file: &[u8]) -> Option<u32> {
    let mut reader = Reader::new(file);
    let scheme = reader.u32().ok()?;
    reader.bytes().ok()?;
    reader.u32().ok().filter(|_| scheme > 2)
}
