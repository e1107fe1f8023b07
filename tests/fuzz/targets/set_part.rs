//! Fuzz target: see `waymark_tests::fuzz_bodies::set_part`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| waymark_tests::fuzz_bodies::set_part(input));
