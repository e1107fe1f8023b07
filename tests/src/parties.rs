//! A real node, and the parties who ask it at the command line, each with a token of its own.

use std::cell::RefCell;
use std::path::PathBuf;

use serde_json::Value;

use crate::process::{Bench, Daemon, Ended, run};

/// A running node, and who asks it.
#[derive(Debug)]
pub struct Parties {
    /// Its folder.
    pub bench: Bench,
    /// The process.
    pub daemon: Daemon,
    token: RefCell<PathBuf>,
}

impl Parties {
    /// Starts it on this folder and makes these principals: name, role and prefix of each.
    #[track_caller]
    pub fn start(bench: Bench, principals: &[(&str, &str, &str)]) -> Self {
        let daemon = bench.serve();
        let token = RefCell::new(bench.data().join("operator-token"));
        let node = Self { bench, daemon, token };
        for (name, role, prefix) in principals {
            node.run(&["principal", "put", name, "--role", role, "--prefix", prefix]).expect(0);
            let file = node.bench.path(name);
            node.run(&["token", "issue", name, "--to", file.to_str().expect("a plain name")]).expect(0);
        }
        node
    }

    /// Whose token the next commands show: `operator`, or one of the principals.
    pub fn by(&self, name: &str) -> &Self {
        let file = if name == "operator" { self.bench.data().join("operator-token") } else { self.bench.path(name) };
        self.token.replace(file);
        self
    }

    /// Runs `waymark` with these words.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> Ended {
        run(self.daemon.tool(words, &self.token.borrow()))
    }

    /// What a command prints as JSON, the last line of it.
    #[track_caller]
    pub fn json(&self, words: &[&str], code: i32) -> Value {
        let mut words = words.to_vec();
        words.push("--json");
        self.run(&words).expect(code).json().pop().expect("a line")
    }

    /// Kills it at once and starts it again.
    #[track_caller]
    pub fn kill(self) -> Self {
        let Self { bench, daemon, token } = self;
        daemon.process.kill();
        let daemon = bench.serve();
        Self { bench, daemon, token }
    }

    /// Stops it in order, looks at its folder, which `store check` finds sound, and starts it again.
    #[track_caller]
    pub fn restart(self, between: impl FnOnce(&Bench)) -> Self {
        let Self { bench, daemon, token } = self;
        daemon.stop().expect(0);
        bench.run(&["store", "check"]).expect(0);
        between(&bench);
        let daemon = bench.serve();
        Self { bench, daemon, token }
    }
}
