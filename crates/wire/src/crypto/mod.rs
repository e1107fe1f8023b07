//! Cryptography of the protocol: digests, keys, credentials, challenges and sessions.
//!
//! Everything here takes bytes, keys and a random source and gives back bytes; there are no sockets, clocks or global
//! state. Lengths, key sizes and iteration counts that come from a peer are bounded before they are worked with
//! ([`limits`]), comparisons of secrets take constant time, secrets are wiped on drop and never printed.
//!
//! The protocol asks for algorithms that nobody would choose today (MD5, SHA-1, DES, ECB, 1024-bit Diffie-Hellman):
//! they exist because deployed clients speak them. Which one applies is decided by the version of the message, never
//! by a field a peer may pick freely below what its version demands.

pub mod digest;
