//! The folder, the simulator, the node in a process of its own, and commands as an operator types them.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, UdpSocket},
    os::unix::{
        fs::{DirBuilderExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use serde_json::Value;
use tokio::runtime::Handle;
use waymark_catalog::Timestamp;
use waymark_top_sync::simulator::{
    Options, Simulator,
    epp::{self, EppSimulator, Ruling},
    faults::Plan,
};

use super::settings;
use crate::{
    config::Config,
    listen::Listening,
    problem::{Exit, Problem},
    registration::OPERATOR_TOKEN,
};

/// The node's own prefix, and those of the enterprises of the rehearsal.
pub(super) const NODE: &str = "88.990";
/// The one that is approved after a while.
pub(super) const PREFIX: &str = "88.990.701";
/// The one that is decided when it is asked for.
pub(super) const PENDING: &str = "88.990.702";
/// The one that is refused.
pub(super) const REFUSED: &str = "88.990.703";

/// The application at the simulator.
const APPLICATION: &str = "rehearsal";
/// Its key, of nobody but this program.
const APPLICATION_KEY: &str = "a key of the rehearsal alone";

/// The longest anything is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest a command may take.
const COMMAND_TIME: Duration = Duration::from_secs(120);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(50);

/// How far the clock of the simulator and of the data folder is ahead, in milliseconds. Global since a clock is a function; the rehearsal is alone in
/// its process and sets it between steps only.
static AHEAD_MS: AtomicU64 = AtomicU64::new(0);

/// The clock that moves.
pub(super) fn clock() -> Timestamp {
    Timestamp(waymark_catalog::machine_time().0.saturating_add(AHEAD_MS.load(Ordering::Relaxed)))
}

/// Moves it to a moment that is ahead.
pub(super) fn move_to(moment: Timestamp) {
    let ahead = moment.0.saturating_sub(waymark_catalog::machine_time().0);
    AHEAD_MS.fetch_max(ahead, Ordering::Relaxed);
}

/// The folder of a rehearsal, its owner's alone: keys and tokens lie in it. Dropping it removes it, however the rehearsal ended.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes it, among temporary files.
    pub(super) fn make() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("waymark-rehearsal-{:016x}", rand::random::<u64>()));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        /// What was killed may write a last file while the others are removed.
        const TRIES: u32 = 20;
        for _ in 0..TRIES {
            match fs::remove_dir_all(&self.0) {
                Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => std::thread::sleep(LOOK),
                _ => return,
            }
        }
        tracing::error!(path = %self.0.display(), "the folder of the rehearsal, with keys in it, could not be removed");
    }
}

/// Processes that run; killed by whoever stops the rehearsal. Each leads a group, so that those it started end with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Children(Arc<Mutex<Started>>);

#[derive(Debug, Default)]
struct Started {
    pids: BTreeSet<i32>,
    /// Whether all were ended: then no other is started.
    is_stopped: bool,
}

impl Children {
    fn lock(&self) -> MutexGuard<'_, Started> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts one, as the leader of a group. Under the lock: what is started is known to whoever ends them, or is not started.
    fn start(&self, command: &mut Command) -> std::io::Result<(Child, Option<i32>)> {
        let mut started = self.lock();
        if started.is_stopped {
            return Err(std::io::Error::other("the rehearsal was stopped"));
        }
        let child = command.process_group(0).spawn()?;
        let pid = i32::try_from(child.id()).ok();
        started.pids.extend(pid);
        Ok((child, pid))
    }

    fn remove(&self, pid: Option<i32>) {
        let mut started = self.lock();
        pid.map(|pid| started.pids.remove(&pid));
    }

    /// Ends all of them at once, for good.
    pub(super) fn kill(&self) {
        let mut started = self.lock();
        started.is_stopped = true;
        started.pids.iter().copied().for_each(end_group);
    }
}

/// Ends a process and those it started.
fn end_group(pid: i32) {
    // It may have ended already.
    let _gone = killpg(Pid::from_raw(pid), Signal::SIGKILL);
}

/// A command that has ended.
#[derive(Clone, Debug)]
pub(super) struct Ran {
    /// Its words, without those that say where the node is and who asks.
    pub(super) words: String,
    /// Its exit code; -1 when it did not end by itself.
    pub(super) code: i32,
    /// What it printed.
    pub(super) out: String,
    /// What it said on standard error.
    pub(super) err: String,
}

impl Ran {
    /// The last line it printed, as JSON; null where it is none.
    pub(super) fn json(&self) -> Value {
        let line = self.out.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        serde_json::from_str(line).unwrap_or_default()
    }

    /// What stands at a place of that line (RFC 6901); null where there is nothing.
    pub(super) fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or_default()
    }

    /// Every line it printed, as JSON.
    pub(super) fn lines(&self) -> Vec<Value> {
        self.out.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Exit code and what it said, for people.
    pub(super) fn seen(&self) -> String {
        let said = if self.out.trim().is_empty() { &self.err } else { &self.out };
        format!("exit {}: {}", self.code, said.trim())
    }

    /// The name of the reason the node refused it for.
    pub(super) fn reason(&self) -> String {
        self.at("/error/reason").as_str().unwrap_or_default().to_owned()
    }
}

/// The node.
struct Node {
    child: Child,
    pid: Option<i32>,
    listening: Listening,
}

/// Everything that plays.
pub(super) struct Stage {
    folder: PathBuf,
    handle: Handle,
    children: Children,
    simulator: Simulator,
    epp: EppSimulator,
    config: Config,
    node: Option<Node>,
    /// Where it listened, also after its end.
    pub(super) listening: Listening,
}

impl Stage {
    /// Starts the simulator, and the node beneath it, over an empty folder.
    pub(super) fn set(
        handle: Handle,
        children: Children,
        folder: PathBuf,
        operators: Option<&str>,
    ) -> Result<Self, Problem> {
        let failed =
            |cause: &dyn std::fmt::Display| Problem::new("rehearsal-not-run", Exit::Failed).with("cause", cause);
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let options = Options {
            listen: loopback,
            http: loopback,
            folder: folder.join("top"),
            tls: None,
            faults: Plan::default(),
            clock,
            probes: None,
            pages: axum::Router::new(),
        };
        let simulator = handle.block_on(Simulator::start(options)).map_err(|cause| failed(&cause))?;
        let application = Some((APPLICATION.to_owned(), APPLICATION_KEY.as_bytes().to_vec()));
        let settings = epp::Settings { application, ..epp::Settings::local(NODE, APPLICATION) };
        let epp = handle.block_on(EppSimulator::start(settings)).map_err(|cause| failed(&cause))?;
        epp.script(|script| {
            let ruling = |passed, reason: &str| Ruling::Later { polls: 1, passed, reason: reason.to_owned() };
            script.named.insert(PREFIX.to_owned(), ruling(true, "通过"));
            script.named.insert(PENDING.to_owned(), Ruling::Pend);
            script.named.insert(REFUSED.to_owned(), ruling(false, "证照模糊"));
        });
        for name in ["node", "platform"] {
            let made = tool(&children, COMMAND_TIME, &["deposit", "keys", "--name", name, "--out"], &[text(&folder)]);
            if made.code != 0 {
                return Err(failed(&made.seen()));
            }
        }
        let key = folder.join("application.key");
        fs::write(&key, APPLICATION_KEY).map_err(|cause| failed(&cause))?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).map_err(|cause| failed(&cause))?;
        let ours = ours(&folder, &simulator, &epp);
        let merged = settings::merged(operators, &ours).map_err(|cause| failed(&cause))?;
        let config = Config::read(&merged)
            .map_err(|problems| failed(&problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))?;
        fs::write(folder.join("waymark.toml"), &merged).map_err(|cause| failed(&cause))?;
        let mut stage =
            Self { folder, handle, children, simulator, epp, config, node: None, listening: Listening::default() };
        let root = format!("0.NA/0.NA/{NODE}");
        let homed = stage.offline(&["prefix", "home", NODE, &root]);
        if homed.code != 0 {
            return Err(failed(&homed.seen()));
        }
        stage.start_node().map_err(|cause| failed(&cause))?;
        stage.admit();
        Ok(stage)
    }

    fn start_node(&mut self) -> std::io::Result<()> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg0("waymarkd").arg("--config").arg(self.path("waymark.toml")).arg("--data").arg(self.data());
        let log = fs::File::create(self.path("node.log"))?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let (mut child, pid) = self.children.start(clean(&mut command))?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        self.listening = Listening::read(&self.data())?.unwrap_or_default();
        self.node = Some(Node { child, pid, listening: self.listening.clone() });
        if line.starts_with("listening ") {
            return Ok(());
        }
        let log = fs::read_to_string(self.path("node.log")).unwrap_or_default();
        Err(std::io::Error::other(format!("the node did not start: {}", log.trim())))
    }

    /// Makes the principals. Where that fails, so does what they try.
    fn admit(&self) {
        for (name, role, prefix) in [
            ("reviewer", "reviewer", "*"),
            ("enterprise", "enterprise-administrator", PREFIX),
            ("writer", "writer", PREFIX),
            ("reader", "reader", PREFIX),
            ("stranger", "reader", "88.990.799"),
        ] {
            self.by("operator", &["principal", "put", name, "--role", role, "--prefix", prefix]);
            self.by("operator", &["token", "issue", name, "--to", text(&self.path(&format!("{name}.token")))]);
        }
    }

    /// A file or folder of the rehearsal.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The data folder of the node.
    pub(super) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Writes a file of the rehearsal. One that cannot be written fails what wants to read it.
    pub(super) fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        let _written = fs::write(&path, content);
        path
    }

    /// The configuration of the node.
    pub(super) const fn config(&self) -> &Config {
        &self.config
    }

    /// The same as it may be shown.
    pub(super) fn shown_config(&self) -> String {
        settings::shown(&self.config)
    }

    /// The simulator of data sets.
    pub(super) const fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    /// The simulator of enterprises and prefixes.
    pub(super) const fn epp(&self) -> &EppSimulator {
        &self.epp
    }

    /// Where tasks run.
    pub(super) const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The file of somebody's token.
    pub(super) fn token(&self, who: &str) -> PathBuf {
        if who == "operator" { self.data().join(OPERATOR_TOKEN) } else { self.path(&format!("{who}.token")) }
    }

    /// Runs a command as somebody who asks the node.
    pub(super) fn by(&self, who: &str, words: &[&str]) -> Ran {
        self.with_token(&self.token(who), words)
    }

    /// The same with the token of a file.
    pub(super) fn with_token(&self, token: &Path, words: &[&str]) -> Ran {
        // A node without that door is asked where nobody answers.
        let address = self.listening.grpc.first().map_or_else(|| "127.0.0.1:1".to_owned(), ToString::to_string);
        let server = format!("grpcs://{address}");
        let pin = match self.listening.registration_fingerprint.as_str() {
            "" => "00".repeat(32),
            pin => pin.to_owned(),
        };
        tool(&self.children, COMMAND_TIME, words, &["--server", &server, "--pin", &pin, "--token-file", text(token)])
    }

    /// Runs a command that needs no registration door.
    pub(super) fn plain(&self, words: &[&str]) -> Ran {
        tool(&self.children, COMMAND_TIME, words, &[])
    }

    /// The same for a command that takes longer, with words that are not told behind the others.
    pub(super) fn within(&self, time: Duration, words: &[&str], more: &[&str]) -> Ran {
        tool(&self.children, time, words, more)
    }

    /// Runs a command on the data folder of the node, while it does not run.
    pub(super) fn offline(&self, words: &[&str]) -> Ran {
        let (data, config) = (self.data(), self.path("waymark.toml"));
        tool(&self.children, COMMAND_TIME, words, &["--data", text(&data), "--config", text(&config)])
    }

    /// Resolves over one address.
    pub(super) fn resolve(&self, server: &str, handle: &str, more: &[&str]) -> Ran {
        let words = ["resolve", handle, "--server", server, "--json", "--timeout", "3000"];
        self.plain(&[&words[..], more].concat())
    }

    /// The first address of a door and a family, as `--server` takes it.
    pub(super) fn door(&self, scheme: &str, is_ipv6: bool) -> Option<String> {
        let addresses = match scheme {
            "udp" => &self.listening.udp,
            "tcp" => &self.listening.tcp,
            _ => return None,
        };
        let address = addresses.iter().find(|address| address.is_ipv6() == is_ipv6)?;
        Some(format!("{scheme}://{address}"))
    }

    /// A page of the node: status code and text.
    pub(super) fn page(&self, path: &str) -> Result<(u16, String), String> {
        const PAGE_TIME: Duration = Duration::from_secs(10);
        let address = self.listening.http.first().ok_or("the node shows no pages")?;
        let agent: ureq::Agent =
            ureq::Agent::config_builder().timeout_global(Some(PAGE_TIME)).http_status_as_error(false).build().into();
        let mut response = agent.get(format!("http://{address}{path}")).call().map_err(|cause| cause.to_string())?;
        let text = response.body_mut().read_to_string().map_err(|cause| cause.to_string())?;
        Ok((response.status().as_u16(), text))
    }

    /// Whether the process of the node still runs.
    pub(super) fn is_alive(&self) -> bool {
        self.node.as_ref().is_some_and(|node| node.listening.is_alive())
    }

    /// Stops the node in order; its exit code, `None` when it did not end or was killed.
    pub(super) fn stop_node(&mut self) -> Option<i32> {
        let mut node = self.node.take()?;
        let pid = node.pid?;
        let _told = kill(Pid::from_raw(pid), Signal::SIGTERM);
        let ended = until(PATIENCE, || node.child.try_wait().ok().flatten());
        if ended.is_none() {
            let _gone = node.child.kill();
            let _ended = node.child.wait();
        }
        self.children.remove(Some(pid));
        ended.and_then(|status| status.code())
    }

    /// Ends everything. The folder is removed by whoever made it.
    pub(super) fn take_down(mut self) {
        self.stop_node();
        self.handle.clone().block_on(self.simulator.stop());
    }
}

/// What the rehearsal sets.
fn ours(folder: &Path, simulator: &Simulator, epp: &EppSimulator) -> String {
    // Not every machine has IPv6; without it the steps over it say so.
    let has_ipv6 = UdpSocket::bind("[::1]:0").is_ok();
    let (both, ips) = if has_ipv6 {
        ("\"127.0.0.1:0\", \"[::1]:0\"", "\"127.0.0.1\", \"::1\"")
    } else {
        ("\"127.0.0.1:0\"", "\"127.0.0.1\"")
    };
    let one = "[\"127.0.0.1:0\"]";
    format!(
        "[listen]\nudp = [{both}]\ntcp = [{both}]\nquic = {one}\nhttp = {one}\ngrpc = {one}\napi = {one}\n\
         [site]\ndescription = \"rehearsal\"\naddresses = [{ips}]\n[log]\nlevel = \"info\"\nanswers = \"record\"\n\
         [traffic]\ncount = true\nsave_seconds = 1\n[watch]\nprefix = \"{NODE}\"\n\
         [sync]\nprefix = \"{NODE}\"\nserver = \"grpc://{}\"\n\
         [docking]\naddress = \"{}\"\nprefix = \"{NODE}\"\napplication = \"{APPLICATION}\"\nkey_file = '{}'\n\
         poll_seconds = 1\nretry_seconds = 1\nanswer_seconds = 5\n\
         [deposit]\nplatform_key = '{}'\nnode_key = '{}'\n",
        simulator.grpc(),
        epp.url(),
        folder.join("application.key").display(),
        folder.join("platform.pub").display(),
        folder.join("node.key").display(),
    )
}

/// Runs this program with these words and, behind them, words that are not told. Beyond its time it is ended.
fn tool(children: &Children, time: Duration, words: &[&str], more: &[&str]) -> Ran {
    let told = words.join(" ");
    let failed = |cause: &dyn std::fmt::Display| Ran {
        words: told.clone(),
        code: -1,
        out: String::new(),
        err: cause.to_string(),
    };
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(cause) => return failed(&cause),
    };
    let mut command = Command::new(program);
    command.args(words).args(more).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (child, pid) = match children.start(clean(&mut command)) {
        Ok(started) => started,
        Err(cause) => return failed(&cause),
    };
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let ended = receiver.recv_timeout(time);
    let ran = match ended {
        Ok(Ok(output)) => Ran {
            words: told.clone(),
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        },
        Ok(Err(cause)) => failed(&cause),
        Err(_) => {
            pid.into_iter().for_each(end_group);
            failed(&format_args!("no end within {} s", time.as_secs()))
        }
    };
    children.remove(pid);
    ran
}

/// A command that the environment of the rehearsal has no influence on, and that speaks English.
fn clean(command: &mut Command) -> &mut Command {
    for name in ["SERVER", "TOKEN_FILE", "CA", "PIN", "DATA", "CONFIG"] {
        command.env_remove(format!("WAYMARK_{name}"));
    }
    for name in ["LC_ALL", "LC_MESSAGES", "RUST_LOG"] {
        command.env_remove(name);
    }
    command.env("LANG", "C")
}

/// Looks until something is there, for so long.
pub(super) fn until<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    #[expect(clippy::disallowed_methods, reason = "this drives: it waits for processes")]
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if began.elapsed() >= patience {
            return None;
        }
        std::thread::sleep(LOOK);
    }
}

/// A path as words have it; ours are all text.
pub(super) fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_that_were_ended_are_followed_by_no_other() {
        let children = Children::default();
        let sleeper = || {
            let mut command = Command::new("sleep");
            command.arg("600");
            command
        };
        let (mut child, _) = children.start(&mut sleeper()).unwrap();
        children.clone().kill();
        assert!(!child.wait().unwrap().success());
        assert!(children.start(&mut sleeper()).is_err());
    }

    #[test]
    fn the_folder_is_its_owners_alone_and_goes_with_all_that_is_in_it() {
        let folder = Folder::make().unwrap();
        let path = folder.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        fs::create_dir(path.join("data")).unwrap();
        fs::write(path.join("data/key"), "x").unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
