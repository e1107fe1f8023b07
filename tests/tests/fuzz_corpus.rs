//! The corpora of the fuzz targets, and the protocol vectors, as ordinary tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failing step fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use waymark_tests::fuzz_bodies::{Body, TARGETS};

/// The largest corpora that are still quick to replay and to check out, in files and bytes.
const LARGEST_CORPUS: (usize, u64) = (400, 1 << 20);

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn replay(body: Body, name: &str, input: &[u8]) -> Result<(), String> {
    catch_unwind(|| body(input)).map_err(|_| name.to_owned())
}

#[test]
fn every_corpus_file_keeps_the_promises() {
    for (target, body) in TARGETS {
        let files = files_of(&fuzz_folder().join("corpus").join(target));
        assert!(!files.is_empty(), "{target} has no corpus");
        let broken: Vec<_> = files
            .iter()
            .filter_map(|file| replay(*body, &file.display().to_string(), &fs::read(file).unwrap()).err())
            .collect();
        assert!(broken.is_empty(), "{target}: {broken:#?}");
        println!("{target}: {} files replayed", files.len());
    }
}

/// Targets that open files for each input; a message of the protocol says nothing new there.
const ON_DISK: &[&str] = &["sled_forms"];

#[test]
fn every_vector_keeps_the_promises_in_every_target_in_memory() {
    let text = include_str!("../data/vectors.json");
    let vectors: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
    let mut broken = Vec::new();
    for vector in &vectors {
        let Some(bytes) = vector["hex"].as_str().map(|hex| hex::decode(hex).unwrap()) else { continue };
        for (target, body) in TARGETS.iter().filter(|(target, _)| !ON_DISK.contains(target)) {
            broken.extend(replay(*body, &format!("{} in {target}", vector["name"]), &bytes).err());
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_target_has_a_body_and_a_corpus_and_no_other_corpus_is_there() {
    let manifest = fs::read_to_string(fuzz_folder().join("Cargo.toml")).unwrap();
    let in_manifest: BTreeSet<_> = manifest.lines().filter_map(|line| line.strip_prefix("path = \"targets/")).collect();
    let bodies: BTreeSet<_> = TARGETS.iter().map(|(target, _)| format!("{target}.rs\"")).collect();
    assert_eq!(in_manifest, bodies.iter().map(String::as_str).collect());
    let folders = fs::read_dir(fuzz_folder().join("corpus")).unwrap();
    let corpora: BTreeSet<_> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(corpora, TARGETS.iter().map(|(target, _)| (*target).to_owned()).collect());
}

#[test]
fn corpora_stay_small() {
    for (target, _) in TARGETS {
        let files = files_of(&fuzz_folder().join("corpus").join(target));
        let bytes: u64 = files.iter().map(|file| file.metadata().unwrap().len()).sum();
        assert!(
            files.len() <= LARGEST_CORPUS.0 && bytes <= LARGEST_CORPUS.1,
            "{target}: {} files, {bytes} bytes",
            files.len()
        );
    }
}
