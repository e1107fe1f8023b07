//! Digests, keys, credentials and sessions.
