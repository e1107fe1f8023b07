//! The gRPC and HTTP doors of registration and operation.
#![forbid(unsafe_code)]
