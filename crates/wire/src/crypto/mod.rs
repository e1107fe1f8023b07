//! Cryptography of the protocol: digests, keys, credentials, challenges and sessions.
//!
//! Everything here takes bytes, keys and a random source and gives back bytes; there are no sockets, clocks or global
//! state. Lengths, key sizes and iteration counts that come from a peer are bounded before they are worked with
//! ([`limits`]), comparisons of secrets take constant time, secrets are wiped on drop and never printed.
//!
//! The protocol asks for algorithms that nobody would choose today (MD5, SHA-1, DES, ECB, 1024-bit Diffie-Hellman):
//! they exist because deployed clients speak them. Which one applies is decided by the version of the message, never
//! by a field a peer may pick freely below what its version demands.

mod bignum;
mod block_mode;
pub mod challenge;
pub mod credential;
pub mod dh;
pub mod digest;
mod encryption;
mod key_checks;
pub mod key_file;
pub mod limits;
pub mod mac;
mod pem;
pub mod private_key;
pub mod public_key;
pub mod replay;
pub mod session;
pub mod signed_message;
mod sm2_scheme;

pub use digest::{DigestAlgorithm, RequestDigest, request_digest};
pub use pem::PemError;
pub use private_key::PrivateKey;
pub use public_key::{KeyAlgorithm, PublicKey};
/// What random sources must implement, and that of the operating system.
pub use rand_core::{CryptoRngCore, OsRng};
