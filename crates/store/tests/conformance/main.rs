//! One suite over every engine: what the trait promises, each engine keeps.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs,
    unreachable_pub,
    reason = "a test stops where it fails"
)]
#![allow(dead_code, reason = "the shared helpers serve several test programs")]

#[path = "../common/mod.rs"]
mod common;

/// Runs each function named as a test of each engine.
macro_rules! suite {
    ($($name:ident),* $(,)?) => {
        mod log_engine { $( #[test] fn $name() { super::$name(crate::common::Subject::on_disk(waymark_store::Engine::Log)); } )* }
        mod sled_engine { $( #[test] fn $name() { super::$name(crate::common::Subject::on_disk(waymark_store::Engine::Sled)); } )* }
        mod memory_engine { $( #[test] fn $name() { super::$name(crate::common::Subject::in_memory()); } )* }
    };
}

mod entries;
mod state;
mod whole;
