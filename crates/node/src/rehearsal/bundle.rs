//! The evidence: what ran, with which settings, what was seen, and a list by which each file can be checked.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use sha2::{Digest as _, Sha256};

use super::{Rehearsed, report};
use crate::{
    problem::{Exit, Problem},
    texts::{Language, Texts},
};

/// The list of all other files with their SHA-256, as `sha256sum --check` reads it.
const LIST: &str = "SHA256SUMS";

/// Refuses a folder that holds something: evidence of two rehearsals must not be mixed.
///
/// # Errors
/// It does, or cannot be made.
pub(super) fn check_folder(folder: &Path) -> Result<(), Problem> {
    let failed = |cause| not_written(folder, &cause);
    fs::create_dir_all(folder).map_err(failed)?;
    if fs::read_dir(folder).map_err(failed)?.next().is_some() {
        return Err(Problem::new("rehearsal-bundle-not-empty", Exit::Usage).with("path", folder.display()));
    }
    Ok(())
}

/// Writes it.
///
/// # Errors
/// A file cannot be written.
pub(super) fn write(folder: &Path, rehearsed: &Rehearsed) -> Result<(), Problem> {
    let results = serde_json::to_string_pretty(&rehearsed.items).unwrap_or_default();
    let page = |language| report::page(&rehearsed.items, &Texts::new(language));
    let files = [
        ("version.txt", format!("waymark {}\n", env!("CARGO_PKG_VERSION"))),
        ("config.toml", rehearsed.config.clone()),
        ("metrics.txt", rehearsed.metrics.clone()),
        ("results.json", format!("{results}\n")),
        ("report.en.md", page(Language::English)),
        ("report.zh.md", page(Language::Chinese)),
    ];
    let mut list = String::new();
    for (name, content) in &files {
        put(&folder.join(name), content)?;
        list.push_str(&format!("{}  {name}\n", hex::encode(Sha256::digest(content))));
    }
    put(&folder.join(LIST), &list)
}

fn put(path: &PathBuf, content: &str) -> Result<(), Problem> {
    fs::write(path, content).map_err(|cause| not_written(path, &cause))
}

fn not_written(path: &Path, cause: &std::io::Error) -> Problem {
    let exit = if cause.kind() == ErrorKind::NotADirectory { Exit::Usage } else { Exit::Failed };
    Problem::new("file-not-written", exit).with("path", path.display()).with("cause", cause)
}
