//! What a drill plays on: a folder, and this program as a person runs it.

use std::{
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    demo::registering::failed,
    problem::{Exit, Problem},
};

/// A folder that is removed at the end, unless it shall be kept.
#[derive(Debug)]
pub(super) struct Stage {
    folder: PathBuf,
    is_kept: bool,
}

impl Stage {
    /// Makes the folder.
    ///
    /// # Errors
    /// It is there already and not empty, or cannot be made.
    pub(super) fn new(keep: Option<&Path>) -> Result<Self, Problem> {
        let folder = keep.map_or_else(
            || std::env::temp_dir().join(format!("waymark-drill-{}", std::process::id())),
            Path::to_path_buf,
        );
        let written = |cause: std::io::Error| {
            Problem::new("file-not-written", Exit::Failed).with("path", folder.display()).with("cause", cause)
        };
        // Keys lie in it. One that is there already is somebody else's, unless it was named.
        fs::DirBuilder::new().recursive(keep.is_some()).mode(0o700).create(&folder).map_err(written)?;
        if fs::read_dir(&folder).map_err(written)?.next().is_some() {
            return Err(Problem::new("drill-folder", Exit::Usage).with("path", folder.display()));
        }
        Ok(Self { folder, is_kept: keep.is_some() })
    }

    /// A path within it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder itself.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if !self.is_kept {
            let _gone = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Runs this program as a person would; gives the exit code and each line it printed as JSON.
///
/// # Errors
/// It cannot be run.
pub(super) async fn tool(words: Vec<String>) -> Result<(i32, Vec<Value>), Problem> {
    let ended = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(std::env::current_exe()?);
        for name in ["WAYMARK_SERVER", "WAYMARK_TOKEN_FILE", "WAYMARK_CA", "WAYMARK_PIN", "WAYMARK_DATA"] {
            command.env_remove(name);
        }
        command.args(words).stdin(Stdio::null()).stderr(Stdio::inherit()).output()
    });
    let ended = ended.await.map_err(|cause| failed(&cause))?.map_err(|cause| failed(&cause))?;
    let lines = String::from_utf8_lossy(&ended.stdout);
    let lines = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    Ok((ended.status.code().unwrap_or(-1), lines))
}
