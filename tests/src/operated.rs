//! A real node and its operator at the command line.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::process::{Bench, Daemon, Ended, run};
use crate::records;

/// A running node with one prefix, and who asks it.
#[derive(Debug)]
pub struct Node {
    /// Its folder.
    pub bench: Bench,
    /// The process.
    pub daemon: Daemon,
    /// File of the token it is asked with.
    pub token: PathBuf,
}

impl Node {
    /// Starts it on a fresh folder; `more` are lines of its configuration.
    #[track_caller]
    pub fn start(more: &str) -> Self {
        Self::over(Bench::new(more))
    }

    /// Starts it on a folder of the caller.
    #[track_caller]
    pub fn over(bench: Bench) -> Self {
        bench.run(&["prefix", "home", records::PREFIX]).expect(0);
        let daemon = bench.serve();
        let token = bench.data().join("operator-token");
        Self { bench, daemon, token }
    }

    /// `waymark` with these words, asking the node as the operator.
    pub fn command(&self, words: &[&str]) -> Command {
        self.daemon.tool(words, &self.token)
    }

    /// Stops it in order, does something with its folder, and starts it again.
    #[track_caller]
    pub fn restart(self, between: impl FnOnce(&Bench)) -> Self {
        let Self { bench, daemon, token } = self;
        daemon.stop().expect(0);
        between(&bench);
        Self { daemon: bench.serve(), bench, token }
    }

    /// The fingerprint of its registration certificate.
    pub fn pin(&self) -> String {
        self.daemon.registration_pin().to_owned()
    }

    /// Runs such a command to its end.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> Ended {
        run(self.command(words))
    }

    /// What a command prints as JSON, the last line of it.
    #[track_caller]
    pub fn json(&self, words: &[&str], code: i32) -> Value {
        let mut words = words.to_vec();
        words.push("--json");
        self.run(&words).expect(code).json().pop().expect("a line")
    }
}
