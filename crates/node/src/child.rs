//! This program once more, in a process of its own: started, heard until its first line, told to stop.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// How often it is looked whether a process has ended.
const LOOK: Duration = Duration::from_millis(20);

/// A process that runs. Dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    /// Starts a command, its log in a file; gives the first line it prints, empty where it ends without one.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) async fn start(command: &mut Command, log: File) -> io::Result<(Self, String)> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn()?;
        let out = child.stdout.take();
        let running = Self(child);
        let first_line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            out.map(|out| BufReader::new(out).read_line(&mut line)).transpose().map(|_| line)
        });
        let line = first_line.await.ok().and_then(Result::ok).unwrap_or_default();
        Ok((running, line))
    }

    fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) {
        while !self.has_ended() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Tells it to stop and waits until it has.
    pub(crate) async fn stop(&mut self) {
        let Ok(pid) = i32::try_from(self.0.id()) else { return };
        // What has ended is not told: its number may be another's by now.
        if !self.has_ended() {
            let _told = kill(Pid::from_raw(pid), Signal::SIGTERM);
            self.ended().await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _ended = self.0.wait();
    }
}
