//! A top-level node for tests in a process of its own, and what it holds.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::process::{PATIENCE, Process, tool};

/// How often it is looked whether something is so.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A running top-level node.
pub struct TopNode {
    /// The process.
    pub process: Process,
    /// Where it takes sets: `grpc://…`.
    pub grpc: String,
    /// Where its pages are: `http://…`.
    pub page: String,
}

impl TopNode {
    /// Starts it over a folder, its pages and sets on free ports.
    pub fn start(folder: &Path) -> Self {
        Self::start_at(folder, "127.0.0.1:0")
    }

    /// The same, taking sets at an address.
    pub fn start_at(folder: &Path, listen: &str) -> Self {
        let mut command = tool(["top-node", "--listen", listen, "--http", "127.0.0.1:0"]);
        command.arg("--data").arg(folder);
        let mut process = Process::start(command);
        let line = process.next_line().expect("the line that says where it listens");
        let words: Vec<&str> = line.split(' ').collect();
        let ["listening", grpc, page] = words[..] else { panic!("{line}") };
        let (grpc, page) = (grpc.to_owned(), page.to_owned());
        Self { process, grpc, page }
    }

    /// The page of what is held of a set of a node, as it is.
    pub fn held_page(&self, node: &str, set: &str) -> String {
        let url = format!("{}/held/{set}?node={node}&limit=10000", self.page);
        ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap()
    }

    /// The rows held of a set of a node.
    pub fn held(&self, node: &str, set: &str) -> Vec<Value> {
        let page: Value = serde_json::from_str(&self.held_page(node, set)).unwrap();
        page["rows"].as_array().unwrap().iter().map(|row| row["content"].clone()).collect()
    }
}

/// Waits until something is there.
///
/// # Panics
/// It does not come.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..PATIENCE.as_millis() / LOOK_EVERY.as_millis() {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    panic!("waited too long for {what}");
}
