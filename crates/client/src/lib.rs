//! Client library: ask a known server over UDP, TCP or QUIC.
