//! Limits of cryptography: default, smallest and largest permitted value, unit and reason of each.

use crate::frame::config::Limit;

/// Size of an RSA modulus that is worked with, in bits. Below 512 no SHA-256 signature fits; above 8192 one signature
/// check takes milliseconds that anybody could ask for. The default is that of new keys.
pub const RSA_BITS: Limit<usize> = Limit { default: 2048, min: 512, max: 8192 };

/// Size of RSA keys we make, in bits. Default: what the reference makes. 1024 is what the oldest clients can still
/// check; finding larger primes than those of 4096 takes minutes.
pub const NEW_RSA_BITS: Limit<usize> = Limit { default: 2048, min: 1024, max: 4096 };

/// Size of a DSA prime `p`, in bits: those FIPS 186 has ever defined. The default is that of existing Handle keys.
pub const DSA_BITS: Limit<usize> = Limit { default: 1024, min: 512, max: 3072 };

/// Size of a Diffie-Hellman prime that is read, in bits. Only the group of the default size is worked with.
pub const DH_BITS: Limit<usize> = Limit { default: 1024, min: 512, max: 8192 };

/// Largest encoded public key, in bytes: 8192-bit DSA-like parameters with room to spare.
pub const PUBLIC_KEY_BYTES: usize = 8 * 1024;

/// Largest private key file, in bytes: an 8192-bit RSA key in PEM form takes 7 kB.
pub const KEY_FILE_BYTES: usize = 64 * 1024;

/// Most PBKDF2 iterations accepted in the answer to a challenge. The client picks the number and the server does the
/// work, about half a microsecond each. Default: ten times what the reference client sends, 50 ms; less than what it
/// sends would lock it out; at the maximum one answer keeps a core busy for half a second.
pub const ANSWER_ITERATIONS: Limit<u32> = Limit { default: 100_000, min: 10_000, max: 1_000_000 };

/// PBKDF2 iterations we send with an answer, and the bits of the key they make: those of the reference client, which
/// every server accepts.
pub const SENT_ITERATIONS: u32 = 10_000;

/// Bits of the key that is derived for an answer of ours: the block that HMAC-SHA1 gives in one piece.
pub const SENT_KEY_BITS: u32 = 160;

/// Longest key derived for an answer, in bits. HMAC-SHA1 has no use for more than its block of 512.
pub const ANSWER_KEY_BITS: u32 = 512;

/// Longest PBKDF2 salt accepted, in bytes. Clients send 16.
pub const SALT_BYTES: usize = 256;

/// PBKDF2 iterations of key files. Default: those of the reference, which other tools read. Key files come from the
/// operator, so the maximum only guards against files that would never finish opening.
pub const KEY_FILE_ITERATIONS: Limit<u32> = Limit { default: 10_000, min: 1, max: 10_000_000 };

/// Counters of session messages a server remembers, as many as the reference does.
pub const REPLAY_WINDOW: u32 = 200;
