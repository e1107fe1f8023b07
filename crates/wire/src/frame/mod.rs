//! Framing of messages: datagram split, reassembly, stream lengths.
