//! Which crate may use which. The edges are the architecture; a new one is a decision, made here.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a failing step fails the test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

/// Crate, what it may use of ours.
const EDGES: &[(&str, &[&str])] = &[
    ("waymark-ident", &[]),
    ("waymark-wire", &["waymark-ident"]),
    ("waymark-index", &[]),
    ("waymark-store", &[]),
    ("waymark-catalog", &["waymark-ident", "waymark-wire", "waymark-index", "waymark-store"]),
    ("waymark-client", &["waymark-ident", "waymark-wire"]),
    ("waymark-resolver", &["waymark-ident", "waymark-wire", "waymark-catalog"]),
    (
        "waymark-node",
        &[
            "waymark-ident",
            "waymark-wire",
            "waymark-index",
            "waymark-store",
            "waymark-catalog",
            "waymark-client",
            "waymark-resolver",
        ],
    ),
];

/// Packages that judge or measure the others and may therefore use all of them.
const JUDGES: &[&str] = &["waymark-tests", "waymark-benches"];

/// Crates whose code takes bytes and `now`, and gives bytes and actions.
const WITHOUT_IO: &[&str] = &["ident", "wire"];

fn metadata() -> serde_json::Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Package name to the names of our packages it uses (tests and benches of a crate may use more, so `dev` is left out).
fn edges(metadata: &serde_json::Value) -> BTreeMap<String, BTreeSet<String>> {
    let packages = metadata["packages"].as_array().unwrap();
    let ours: BTreeSet<&str> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    packages
        .iter()
        .map(|package| {
            let used = package["dependencies"].as_array().unwrap().iter();
            let used = used
                .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
                .map(|dependency| dependency["name"].as_str().unwrap())
                .filter(|name| ours.contains(name))
                .map(str::to_owned)
                .collect();
            (package["name"].as_str().unwrap().to_owned(), used)
        })
        .collect()
}

#[test]
fn crates_use_only_what_the_architecture_allows() {
    let found = edges(&metadata());
    for (name, used) in &found {
        if JUDGES.contains(&name.as_str()) {
            continue;
        }
        let (_, allowed) = EDGES
            .iter()
            .find(|(known, _)| known == name)
            .unwrap_or_else(|| panic!("{name} is not in the table of crates: say here what it may use"));
        for edge in used {
            assert!(allowed.contains(&edge.as_str()), "{name} must not use {edge}");
        }
    }
    for (name, _) in EDGES {
        assert!(found.contains_key(*name), "{name} is in the table but not in the workspace");
    }
}

#[test]
fn nothing_uses_a_judge() {
    for (name, used) in edges(&metadata()) {
        for judge in JUDGES {
            assert!(JUDGES.contains(&name.as_str()) || !used.contains(*judge), "{name} uses {judge}");
        }
    }
}

fn sources(folder: &std::path::Path, into: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn files_of(crate_name: &str) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    let folder = format!("{}/../crates/{crate_name}/src", env!("CARGO_MANIFEST_DIR"));
    sources(std::path::Path::new(&folder), &mut files);
    assert!(!files.is_empty(), "{folder} holds no sources");
    files
}

#[test]
fn codec_crates_touch_no_io_and_no_clock() {
    const FORBIDDEN: &[&str] = &["std::net::Udp", "std::net::Tcp", "std::fs", "std::io::", "std::thread", "std::time::Instant", "SystemTime", "tokio"];
    for name in WITHOUT_IO {
        for file in files_of(name) {
            let text = std::fs::read_to_string(&file).unwrap();
            for word in FORBIDDEN {
                assert!(!text.contains(word), "{} names {word}", file.display());
            }
        }
    }
}

#[test]
fn unsafe_stays_in_the_index() {
    for (name, _) in EDGES {
        let name = name.trim_start_matches("waymark-");
        let root = format!("{}/../crates/{name}/src/lib.rs", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&root).unwrap();
        let forbids = text.contains("#![forbid(unsafe_code)]");
        assert_eq!(forbids, name != "index", "{root}: only the index may hold unsafe code");
    }
}
