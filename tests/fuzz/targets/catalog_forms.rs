//! Fuzz target: see `waymark_tests::fuzz_bodies::catalog_forms`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| waymark_tests::fuzz_bodies::catalog_forms(input));
