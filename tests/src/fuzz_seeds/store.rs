//! What a store keeps in sled, changed and gone.

use super::Seed;
use crate::fuzz_bodies::sled_forms::Step;

pub(super) fn seeds() -> Vec<Seed> {
    sled().into_iter().map(|(name, input)| ("sled_forms", name.to_owned(), input)).collect()
}

/// Changes of what lies in sled.
fn sled() -> Vec<(&'static str, Vec<u8>)> {
    let (sealed, state) = (Step::SEALED, Step::STATE);
    let entry = |serial: u64| [&b"e"[..], &serial.to_be_bytes()].concat();
    // Of 24 bytes with its checksum, a note without actor, key and body.
    let note =
        |serial: u8| [&[24, 0, 0, 0, 3, 0, 0, 0, serial, 0, 0, 0, 0, 0][..], &[0, 0xd8, 0xa2, 0xcf, 0x8b, 1]].concat();
    let end = |serial: u64| [serial, 1_700_000_000_002].map(u64::to_le_bytes).concat();
    let latest = |serial: u64, kind: u8| [&serial.to_le_bytes()[..], &[kind]].concat();
    let summary = |applied: u64| [&1_u32.to_le_bytes()[..], &applied.to_le_bytes(), &[0; 16]].concat();
    vec![
        ("nothing", Step::bytes(Step::REMOVE, b"", b"")),
        ("entry_exchanged", Step::bytes(sealed, &entry(2), &note(2))),
        ("entry_of_another_serial", Step::bytes(sealed, &entry(2), &note(3))),
        ("entry_damaged", Step::bytes(0, &entry(2), &note(2))),
        ("entry_gone", Step::bytes(Step::REMOVE, &entry(2), b"")),
        ("entry_behind_the_end", Step::bytes(sealed, &entry(11), &note(11))),
        ("entry_more", [Step::bytes(sealed, &entry(10), &note(10)), Step::bytes(sealed, b"m", &end(10))].concat()),
        ("end_gone", Step::bytes(Step::REMOVE, b"m", b"")),
        ("end_before_the_last", Step::bytes(sealed, b"m", &end(7))),
        ("end_far_behind_the_last", Step::bytes(sealed, b"m", &end((1 << 47) - 1))),
        ("end_impossible", Step::bytes(sealed, b"m", &end(u64::MAX))),
        ("key_of_another_entry", Step::bytes(sealed, b"k20.500.1/0", &latest(5, 1))),
        ("key_of_no_entry", Step::bytes(sealed, b"k20.500.1/9", &latest(1 << 40, 1))),
        ("key_deleted", Step::bytes(sealed, b"k20.500.1/0", &latest(1, 2))),
        ("key_gone", Step::bytes(Step::REMOVE, b"k20.500.1/0", b"")),
        ("value_exchanged", Step::bytes(sealed | state | Step::SUMMED, b"\x01\x01one", b"other")),
        ("value_more", Step::bytes(sealed | state | Step::SUMMED, b"\x01\x03three", b"")),
        ("value_damaged", Step::bytes(state | Step::SUMMED, b"\x01\x01one", b"other")),
        ("value_gone", Step::bytes(state | Step::REMOVE, b"\x01\x01one", b"")),
        ("summary_ahead", Step::bytes(sealed | state | Step::SUMMED, &[0], &summary(1 << 40))),
        ("summary_impossible", Step::bytes(sealed | state | Step::SUMMED, &[0], &summary(u64::MAX))),
        ("summary_gone", Step::bytes(state | Step::REMOVE, &[0], b"")),
    ]
}
