//! The inputs that are made: as they lie in the corpora.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failing step fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use waymark_tests::fuzz_seeds::{Seed, seeds};

fn path_of((target, name, _): &Seed) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target).join(name)
}

/// A form that changed has a new version, and the bytes of the old one stay in the corpus under another name.
#[test]
fn the_corpora_hold_every_form_as_it_is_written_today() {
    let differing: Vec<_> = seeds()
        .iter()
        .filter(|seed| fs::read(path_of(seed)).ok().as_ref() != Some(&seed.2))
        .map(|seed| format!("{}/{}", seed.0, seed.1))
        .collect();
    assert!(differing.is_empty(), "not in the corpora as they are made: {differing:#?}");
}

/// Puts them there: `cargo test -p waymark-tests --test fuzz_seeds -- --ignored`.
#[test]
#[ignore = "writes into the source tree"]
fn write_the_seeds() {
    for seed in seeds() {
        let path = path_of(&seed);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &seed.2).unwrap();
    }
}
