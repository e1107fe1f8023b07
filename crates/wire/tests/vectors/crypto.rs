//! Vectors of keys, MACs, key derivation, and of the cryptography inside messages.

use serde_json::Value;

use crate::support::Ran;

/// Runs one entry of direction public_key, key_file, mac or key_derivation, or the cryptographic part of a request or
/// response (credential, MAC, answer, challenge digest, encrypted content); both false when it has none.
pub fn run(_entry: &Value) -> Ran {
    Ran { decoded: false, encoded: false }
}
