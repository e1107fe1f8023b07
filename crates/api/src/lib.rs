//! The generated types and services of `proto/`, and nothing else.
//!
//! The `.proto` files are the reference: every field is described there.

#![forbid(unsafe_code)]

/// Registering identifiers and reading them back.
pub mod registration {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("waymark.registration.v1");
    }
}

/// Running a node.
pub mod operator {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("waymark.operator.v1");
    }
}

/// Telling a top-level node, in a form of our own.
pub mod toplevel {
    /// Version 1.
    pub mod v1 {
        tonic::include_proto!("waymark.toplevel.v1");
    }
}

/// All files of `proto/` as an encoded `FileDescriptorSet`, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
