//! Vectors of the value types, request hashing and datagrams.

use serde_json::Value;

use crate::support::Ran;

/// Runs one entry of direction hs_admin, hs_site, hs_vlist, malformed_value, hash, udp_request_packets or
/// udp_response_packets.
pub fn run(_entry: &Value) -> Ran {
    Ran { decoded: false, encoded: false }
}
