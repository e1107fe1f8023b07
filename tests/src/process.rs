//! The real programs, `waymark` and `waymarkd`, run as an operator runs them.
//!
//! Nothing here waits for a time to pass: it waits for a line, an end or a stop, each with [`PATIENCE`] as its deadline, and what a
//! program said is in the message when that is over.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use serde_json::Value;

/// Longest time anything is waited for: far more than it takes on a machine that is busy with something else.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Where the programs are.
#[derive(Debug)]
struct Programs {
    tool: PathBuf,
    daemon: PathBuf,
}

/// Variable that names a folder with built programs, to put those to the test instead of the ones built here.
const PROGRAMS_FOLDER: &str = "WAYMARK_PROGRAMS";

/// Builds the programs, once, in the profile and the target folder this test was built in.
///
/// Cargo tells the place of a program only to tests of its own package, so it is asked for it.
fn programs() -> &'static Programs {
    static PROGRAMS: OnceLock<Programs> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        if let Some(folder) = std::env::var_os(PROGRAMS_FOLDER).map(PathBuf::from) {
            return Programs { tool: folder.join("waymark"), daemon: folder.join("waymarkd") };
        }
        let test = std::env::current_exe().expect("the path of this test");
        // TARGET[/TRIPLE]/PROFILE/deps/TEST
        let profile = test.ancestors().nth(2).expect("a test lies in a folder of its profile");
        let above: Vec<&Path> = profile.ancestors().skip(1).collect();
        let target = above.iter().position(|folder| folder.join("CACHEDIR.TAG").exists()).unwrap_or_default();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        cargo.args(["build", "-p", "waymark-node", "--bins", "--message-format", "json-render-diagnostics"]);
        cargo.arg("--profile").arg(match name_of(profile) {
            "debug" => "dev",
            other => other,
        });
        cargo.arg("--target-dir").arg(above[target]);
        if target == 1 {
            cargo.args(["--target", name_of(above[0])]);
        }
        let built = cargo.stderr(Stdio::inherit()).output().expect("cargo runs");
        assert!(built.status.success(), "the programs cannot be built");
        let messages = json_lines(&String::from_utf8_lossy(&built.stdout));
        let find = |name: &str| {
            let mut of_name = messages.iter().filter(|message| message["target"]["name"] == name);
            let path = of_name.find_map(|message| message["executable"].as_str());
            path.map(PathBuf::from).unwrap_or_else(|| panic!("cargo made no {name}"))
        };
        Programs { tool: find("waymark"), daemon: find("waymarkd") }
    })
}

fn name_of(folder: &Path) -> &str {
    folder.file_name().and_then(OsStr::to_str).expect("folders of cargo have plain names")
}

/// `waymark` with these arguments, in English.
pub fn tool<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    clean(&programs().tool, arguments)
}

/// `waymarkd` with these arguments, in English.
pub fn daemon<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    clean(&programs().daemon, arguments)
}

/// A command that nothing around the test has an influence on.
fn clean<A: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    let registration = ["WAYMARK_SERVER", "WAYMARK_TOKEN_FILE", "WAYMARK_CA", "WAYMARK_PIN"];
    let others = ["WAYMARK_DATA", "WAYMARK_CONFIG", "LC_ALL", "LC_MESSAGES", "LANG", "RUST_LOG", "RUST_BACKTRACE"];
    for name in registration.iter().chain(&others) {
        command.env_remove(name);
    }
    command.env("LANG", "C").env("COLUMNS", "120");
    command
}

/// Runs a command to its end.
pub fn run(command: Command) -> Ended {
    Process::start(command).ended()
}

/// Each line of a text as JSON.
pub fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"))).collect()
}

/// A program that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub out: String,
    /// What it printed on standard error.
    pub err: String,
}

impl Ended {
    /// Fails unless the program ended with this exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}\n{}", end_of(&self.out), end_of(&self.err));
        self
    }

    /// Each line it printed as JSON.
    pub fn json(&self) -> Vec<Value> {
        json_lines(&self.out)
    }

    /// Fails unless all of these stand on standard error.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.err.contains(text), "{text:?} is not said in {}", self.err);
        }
        self
    }
}

/// The end of what a program printed, enough to see why it ended.
fn end_of(text: &str) -> String {
    const MOST_CHARACTERS: usize = 4_000;
    let skipped = text.chars().count().saturating_sub(MOST_CHARACTERS);
    text.chars().skip(skipped).collect()
}

/// A program that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    out: Lines,
    err: Lines,
}

impl Process {
    /// Starts a command, its output piped here and nothing piped in.
    #[track_caller]
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let out = Lines::of(child.stdout.take().expect("piped"));
        let err = Lines::of(child.stderr.take().expect("piped"));
        Self { child, out, err }
    }

    /// Its number.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("process numbers are small"))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("the process is ours and not waited for");
    }

    /// Kills it at once, as a machine that loses power kills it for everybody but the kernel, and gives what it had printed.
    pub fn kill(mut self) -> Ended {
        self.child.kill().expect("the process is ours");
        self.ended()
    }

    /// Stops it (SIGSTOP). Once this returns, none of its threads runs until [`Process::go_on`]. False when it has ended instead.
    pub fn stop(&self) -> bool {
        self.signal(Signal::SIGSTOP);
        let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        matches!(waitid(Id::Pid(self.pid()), flags), Ok(WaitStatus::Stopped(..)))
    }

    /// Lets it go on after [`Process::stop`].
    pub fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// The next line it prints; `None` at the end of its output.
    #[track_caller]
    pub fn next_line(&mut self) -> Option<String> {
        match self.out.next() {
            Ok(line) => line,
            Err(Overdue) => panic!("no line in time after {:?}; {:?}", self.out.read, self.err.rest()),
        }
    }

    /// Waits for a line with this text on its standard error.
    #[track_caller]
    pub fn wait_for_log(&mut self, text: &str) -> String {
        loop {
            match self.err.next() {
                Ok(Some(line)) if line.contains(text) => return line,
                Ok(Some(_)) => {}
                Ok(None) => panic!("ended without saying {text:?}: {}", self.err.read),
                Err(Overdue) => panic!("{text:?} is not said in time: {}", self.err.read),
            }
        }
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub fn ended(mut self) -> Ended {
        let (out, err) = (self.out.rest(), self.err.rest());
        let (Ok(out), Ok(err)) = (out, err) else {
            panic!("does not end in time\n{}\n{}", self.out.read, self.err.read)
        };
        let status = self.child.wait().expect("the process is ours");
        Ended { status, out, err }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Nothing came in time.
#[derive(Debug)]
struct Overdue;

/// What a process prints, line by line, read by a thread so that waiting can have a deadline.
#[derive(Debug)]
struct Lines {
    lines: Receiver<String>,
    /// Everything given out so far.
    read: String,
}

impl Lines {
    fn of(source: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while source.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
                // A line that was cut by a kill was never printed as far as its reader can know.
                let whole = line.ends_with(b"\n");
                if !whole || sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    break;
                }
                line.clear();
            }
        });
        Self { lines, read: String::new() }
    }

    /// The next line without its end.
    fn next(&mut self) -> Result<Option<String>, Overdue> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.read.push_str(&line);
                Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
            }
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(Overdue),
        }
    }

    /// Everything, from the first line to the last, once no more can come.
    fn rest(&mut self) -> Result<String, Overdue> {
        while self.next()?.is_some() {}
        Ok(self.read.clone())
    }
}

/// A folder for one test: configuration, data, and whatever else is put there. Removed at the end.
#[derive(Debug)]
pub struct Bench {
    folder: tempfile::TempDir,
}

impl Default for Bench {
    fn default() -> Self {
        Self::new("")
    }
}

impl Bench {
    /// A folder with a configuration for small data and free ports on loopback, ended by `more` lines of TOML.
    pub fn new(more: &str) -> Self {
        let bench = Self { folder: tempfile::tempdir().expect("a folder for the test") };
        let settings = format!(
            "listen.udp = [\"127.0.0.1:0\"]\nlisten.tcp = [\"127.0.0.1:0\"]\nlisten.quic = [\"127.0.0.1:0\"]\n\
             listen.http = [\"127.0.0.1:0\"]\nlisten.grpc = [\"127.0.0.1:0\"]\nlisten.api = [\"127.0.0.1:0\"]\nudp.threads = 1\nslow.threads = 1\nstore.segment_mib = 1\n\
             store.state_cache_mib = 1\nstore.record_cache_mib = 1\n{more}"
        );
        bench.put("waymark.toml", settings);
        bench
    }

    /// Adds lines to the configuration.
    pub fn configure(&self, more: &str) {
        let settings = self.text("waymark.toml");
        self.put("waymark.toml", format!("{settings}{more}"));
    }

    /// Where a file or folder of this name lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.path("waymark.toml")
    }

    /// Writes a file.
    pub fn put(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("the folder is ours");
        path
    }

    /// What every file of the data folder holds, one behind the other.
    pub fn data_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        gather(&self.data(), &mut bytes);
        bytes
    }

    /// The text of a file.
    #[track_caller]
    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// `waymark` with these words, on the data folder, by the configuration.
    pub fn tool(&self, words: &[&str]) -> Command {
        let mut command = tool(words);
        command.arg("--data").arg(self.data()).arg("--config").arg(self.config());
        command
    }

    /// Runs [`Bench::tool`] to its end.
    #[track_caller]
    pub fn run(&self, words: &[&str]) -> Ended {
        run(self.tool(words))
    }

    /// Starts the daemon on the data folder and waits until it listens.
    #[track_caller]
    pub fn serve(&self) -> Daemon {
        let mut command = daemon([OsStr::new("--config"), self.config().as_os_str()]);
        command.arg("--data").arg(self.data());
        Daemon::start(command)
    }
}

/// A daemon that listens.
#[derive(Debug)]
pub struct Daemon {
    /// The process.
    pub process: Process,
    /// The line it printed.
    pub line: String,
}

impl Daemon {
    /// Starts it and waits for the line that says where it listens.
    #[track_caller]
    pub fn start(command: Command) -> Self {
        let mut process = Process::start(command);
        let Some(line) = process.next_line() else { panic!("{:?}", process.ended()) };
        assert!(line.starts_with("listening "), "{line}");
        Self { process, line }
    }

    /// Its first address of a scheme.
    #[track_caller]
    pub fn address(&self, scheme: &str) -> SocketAddr {
        let mut words = self.line.split(' ').filter_map(|word| word.split_once("://"));
        let address = words.find_map(|(found, address)| (found == scheme).then_some(address));
        address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("no {scheme} in {}", self.line))
    }

    /// A door as `--server` takes it.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address(scheme))
    }

    /// The fingerprint of its QUIC certificate.
    #[track_caller]
    pub fn pin(&self) -> String {
        let pin = self.line.split(' ').find_map(|word| word.strip_prefix("quic-pin="));
        pin.unwrap_or_else(|| panic!("no fingerprint in {}", self.line)).to_owned()
    }

    /// The fingerprint of its registration certificate.
    #[track_caller]
    pub fn registration_pin(&self) -> &str {
        let pin = self.line.split(' ').find_map(|word| word.strip_prefix("grpc-pin="));
        pin.unwrap_or_else(|| panic!("no fingerprint in {}", self.line))
    }

    /// `waymark` with these words, asking it with the token of a file.
    pub fn tool(&self, words: &[&str], token: &Path) -> Command {
        let mut command = tool(words);
        command.args(["--server", &self.url("grpcs"), "--pin", self.registration_pin()]);
        command.arg("--token-file").arg(token);
        command
    }

    /// A page of its HTTP door: status code and text.
    pub fn page(&self, path: &str) -> (u16, String) {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).build().into();
        let mut response =
            agent.get(format!("http://{}{path}", self.address("http"))).call().expect("the door answers");
        (response.status().as_u16(), response.body_mut().read_to_string().expect("a text"))
    }

    /// Tells it to stop and waits until it has.
    #[track_caller]
    pub fn stop(self) -> Ended {
        self.process.signal(Signal::SIGTERM);
        self.process.ended()
    }
}

fn gather(folder: &Path, into: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).expect("the folder is ours") {
        let path = entry.expect("the folder is ours").path();
        if path.is_dir() {
            gather(&path, into);
        } else {
            into.extend(std::fs::read(path).expect("the file is ours"));
        }
    }
}
