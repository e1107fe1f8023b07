//! Durable streaming registration, beside a service that decodes the same messages and does nothing.

pub mod load;
pub mod null;
pub mod record;
