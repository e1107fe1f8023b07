//! The data folder: its lock, its identity, and refusals to open.
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

mod common;

use common::{body_of, puts, sequence, small_options};
use waymark_store::{Engine, OpenError, Options, Serial, Timestamp, check, open, rebuild};

#[test]
fn locks_the_folder_and_names_the_holder() {
    let dir = tempfile::tempdir().unwrap();
    for engine in [Engine::Log, Engine::Sled] {
        let options = Options { engine, ..small_options(&dir.path().join(engine.name())) };
        let (store, _) = open(&options).unwrap();
        let me = std::process::id();
        let locked = |error: OpenError| matches!(error, OpenError::Locked { pid: Some(pid), .. } if pid == me);
        let refused = open(&options).unwrap_err();
        assert!(refused.to_string().contains(&format!("in use by process {me}")), "{refused}");
        assert!(locked(refused));
        assert!(locked(check(&options.dir, &mut |_| {}).unwrap_err()));
        assert!(locked(rebuild(&options).unwrap_err()));
        drop(store);
        drop(open(&options).unwrap());
    }
}

#[test]
fn keeps_its_identity_and_gives_each_store_another() {
    let dir = tempfile::tempdir().unwrap();
    let options = small_options(&dir.path().join("one"));
    let (store, recovery) = open(&options).unwrap();
    assert!(recovery.created);
    let identity = store.identity().clone();
    assert_eq!((identity.created, identity.engine), (Timestamp(1_000), Engine::Log));
    drop(store);
    let (store, recovery) = open(&Options { now: Timestamp(9_999), ..options }).unwrap();
    assert!(!recovery.created);
    assert_eq!(*store.identity(), identity);
    let (other, _) = open(&small_options(&dir.path().join("two"))).unwrap();
    assert_ne!(other.identity().store_id, identity.store_id);
    assert_ne!(other.identity().hash_key, identity.hash_key);
    // A secret that is printed is none.
    let secret = format!("{:?}", identity.hash_key);
    assert!(!format!("{identity:?} {store:?}").contains(&secret));
}

#[test]
fn makes_no_store_unless_asked() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().to_owned(), dir.path().join("absent")] {
        let options = Options { create: false, ..small_options(&path) };
        assert!(matches!(open(&options), Err(OpenError::NoStore { .. })));
        assert!(matches!(check(&path, &mut |_| {}), Err(OpenError::NoStore { .. })));
        assert!(matches!(rebuild(&options), Err(OpenError::NoStore { .. })));
    }
    assert!(!dir.path().join("absent").exists());
    assert!(!dir.path().join("log").exists());
}

#[test]
fn refuses_another_engine_than_the_store_was_made_for() {
    let dir = tempfile::tempdir().unwrap();
    let options = small_options(dir.path());
    drop(open(&options).unwrap());
    let refused = open(&Options { engine: Engine::Sled, ..options }).unwrap_err();
    assert!(matches!(refused, OpenError::Engine { found: "log", wanted: "sled", .. }));
}

#[test]
fn refuses_options_out_of_range() {
    let dir = tempfile::tempdir().unwrap();
    let good = small_options(dir.path());
    let bad = [
        Options { segment_bytes: 4095, ..good.clone() },
        Options { segment_bytes: (1 << 30) + 1, ..good.clone() },
        Options { open_segments: 0, ..good.clone() },
        Options { state_cache_bytes: 0, ..good.clone() },
        Options { record_cache_bytes: 0, ..good },
    ];
    for options in bad {
        assert!(matches!(open(&options), Err(OpenError::Option { .. })));
    }
}

#[test]
fn changes_the_size_of_new_segments_at_any_opening() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = 0;
    for size in [4096, 16384, 5000, 8192] {
        let options = Options { segment_bytes: size, ..small_options(dir.path()) };
        let (store, recovery) = open(&options).unwrap();
        assert!(recovery.damage.is_empty());
        for _ in 0..40 {
            all += 1;
            store.commit(Timestamp(all), &puts(&[(&format!("key {all}"), &"b".repeat(300))])).unwrap();
        }
        assert_eq!(sequence(&*store).len() as u64, all);
    }
    let mut findings = Vec::new();
    let summary = check(dir.path(), &mut |finding| findings.push(finding)).unwrap();
    assert!(findings.is_empty());
    assert_eq!((summary.entries, summary.last), (all, Serial(all)));
}

#[test]
fn opens_a_folder_another_version_of_the_process_left_unfinished_files_in() {
    let dir = tempfile::tempdir().unwrap();
    let options = small_options(dir.path());
    let (store, _) = open(&options).unwrap();
    store.commit(Timestamp(1), &puts(&[("a", "1")])).unwrap();
    drop(store);
    let leftover = dir.path().join("log/segment-000000001000-000000000002.new");
    std::fs::write(&leftover, b"half a header").unwrap();
    std::fs::write(dir.path().join("blobs.new"), b"").unwrap();
    let (store, recovery) = open(&options).unwrap();
    assert!(recovery.damage.is_empty());
    assert!(!leftover.exists());
    assert_eq!(body_of(&*store, b"a").unwrap(), b"1");
}
