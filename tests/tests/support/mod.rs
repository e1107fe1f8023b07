//! What tests over real sockets share: a node in this process, and networks between it and a client.
#![allow(dead_code, unreachable_pub, reason = "each test file includes these modules and uses its own part")]

pub mod network;
pub mod node;
