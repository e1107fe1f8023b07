//! The binary protocol: envelope, header, bodies, values, credentials, framing, reassembly.
