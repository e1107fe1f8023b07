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
    ("waymark-api", &[]),
    ("waymark-client", &["waymark-ident", "waymark-wire", "waymark-api"]),
    ("waymark-recursive-cache", &["waymark-ident", "waymark-wire", "waymark-client"]),
    ("waymark-resolver", &["waymark-ident", "waymark-wire", "waymark-catalog", "waymark-recursive-cache"]),
    ("waymark-registration", &["waymark-ident", "waymark-wire", "waymark-catalog", "waymark-api"]),
    // Of the store for the outbox: what is owed has to outlive a kill as records do, and another way to do that would be one too many.
    (
        "waymark-top-sync",
        &["waymark-ident", "waymark-wire", "waymark-store", "waymark-catalog", "waymark-client", "waymark-api"],
    ),
    ("waymark-sheet", &[]),
    ("waymark-codes", &[]),
    (
        "waymark-node",
        &[
            "waymark-ident",
            "waymark-wire",
            "waymark-index",
            "waymark-store",
            "waymark-catalog",
            "waymark-api",
            "waymark-client",
            "waymark-recursive-cache",
            "waymark-resolver",
            "waymark-registration",
            "waymark-top-sync",
            "waymark-sheet",
            "waymark-codes",
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
    const FORBIDDEN: &[&str] = &[
        "std::net::Udp",
        "std::net::Tcp",
        "std::fs",
        "std::io::",
        "std::thread",
        "std::time::Instant",
        "SystemTime",
        "tokio",
    ];
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
fn spreadsheets_are_read_from_readers_and_nothing_else() {
    for file in files_of("sheet") {
        let text = std::fs::read_to_string(&file).unwrap();
        // Tests at the end of a file may.
        let code = text.split("#[cfg(test)]").next().unwrap();
        for word in ["std::net", "std::fs", "File::open", "tokio", "SystemTime"] {
            assert!(!code.contains(word), "{} names {word}", file.display());
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

/// The older line of RustCrypto is that of the protocol's cryptography (rsa 0.9), the newer one that of keys of SSH.
const RUSSH: &str =
    "the older one: rsa 0.9 and its line; the newer one: russh, whose ssh-key has no release on the older line";

/// Crates that stand in the lock file in several incompatible versions, and why each older one is still there.
const SEVERAL_VERSIONS: &[(&str, &str)] = &[
    ("aead", RUSSH),
    ("aes", RUSSH),
    ("base16ct", RUSSH),
    ("base64", "0.22: the Prometheus exporter"),
    ("bit-vec", "0.9: the certificate maker's DER writer; 0.10: proptest"),
    ("bitflags", "1: sled's parking_lot, on a system that is never built"),
    ("block-buffer", RUSSH),
    ("block-padding", RUSSH),
    ("cbc", RUSSH),
    ("cipher", RUSSH),
    ("const-oid", RUSSH),
    ("cpufeatures", "0.2: the line of rsa 0.9; 0.3: that of SSH, and rand 0.10"),
    ("crypto-bigint", RUSSH),
    ("crypto-common", RUSSH),
    ("ctr", RUSSH),
    ("der", RUSSH),
    ("des", RUSSH),
    ("digest", RUSSH),
    ("elliptic-curve", RUSSH),
    ("ff", RUSSH),
    ("foldhash", "0.1: hashbrown 0.15"),
    ("generic-array", RUSSH),
    ("getrandom", "0.2: rand_core 0.6 of rsa 0.9; 0.3: rand 0.9 of the metrics library; 0.4: ours"),
    ("group", RUSSH),
    ("hashbrown", "0.15: the code generator of proto/, build time only; 0.16: the metrics library"),
    ("hmac", RUSSH),
    ("inout", RUSSH),
    ("miniz_oxide", "0.8: the PNG writer; 0.9: flate2"),
    ("num-bigint", "0.4: the DER reader of the certificate parser; 0.5: keys of SSH"),
    ("parking_lot", "0.11: sled; 0.12: the rate limiter"),
    ("parking_lot_core", "follows parking_lot"),
    ("pbkdf2", RUSSH),
    ("pkcs1", RUSSH),
    ("pkcs8", RUSSH),
    ("primeorder", RUSSH),
    ("r-efi", "follows getrandom, on a system that is never built"),
    ("rand", "0.8: rsa 0.9 and shuttle; 0.9: the metrics library; 0.10: ours and quinn"),
    ("rand_chacha", "follows rand"),
    ("rand_core", "follows rand"),
    ("rand_pcg", "0.3: shuttle; 0.10: quinn"),
    ("redox_syscall", "follows parking_lot, on a system that is never built"),
    ("rfc6979", RUSSH),
    ("rsa", RUSSH),
    ("sec1", RUSSH),
    ("sha1", RUSSH),
    ("sha2", RUSSH),
    ("signature", RUSSH),
    ("spki", RUSSH),
    ("syn", "build time only: derive macros move at their own pace"),
    ("unicode-width", "0.1: error pages of the proto compiler, build time only; 0.2: tables and help"),
    ("untrusted", "0.7: aws-lc-rs; 0.9: the certificate checks of rustls"),
    ("windows-core", "never built on Linux"),
    ("windows-implement", "never built on Linux"),
    ("windows-interface", "never built on Linux"),
    ("windows-link", "never built on Linux"),
    ("windows-result", "never built on Linux"),
    ("windows-strings", "never built on Linux"),
    ("windows-sys", "never built on Linux"),
];

#[test]
fn every_crate_in_several_versions_has_a_reason() {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
    let mut versions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut name = "";
    for line in lock.lines() {
        if let Some(found) = line.strip_prefix("name = ") {
            name = found.trim_matches('"');
        } else if let Some(version) = line.strip_prefix("version = \"") {
            let mut parts = version.split('.');
            let major = parts.next().unwrap();
            let compatible = if major == "0" { format!("0.{}", parts.next().unwrap()) } else { major.to_owned() };
            versions.entry(name).or_default().insert(compatible);
        }
    }
    let several: BTreeSet<&str> = versions.iter().filter(|(_, found)| found.len() > 1).map(|(name, _)| *name).collect();
    let listed: BTreeSet<&str> = SEVERAL_VERSIONS.iter().map(|(name, _)| *name).collect();
    assert_eq!(several, listed, "left: in the lock file; right: in the table of reasons");
}
