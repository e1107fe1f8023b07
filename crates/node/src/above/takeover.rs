//! The emergency node: restored from a node's last deposits when probes find the node out of service, served, and ended when the node is back.
//!
//! ```text
//! watching ── 51 % ── restoring ── serving ── told to end ── ending ── watching
//!                       │  ▲
//!                       └──┘ failed: again after some seconds, nothing left of it
//! ```
//!
//! It is a `waymarkd` in a process of its own on an empty data folder, so registrations there are registrations like any other. Tokens are no part of a
//! deposit; its operator is the principal [`PRINCIPAL`], whose token lies in its data folder. That it ends is for a person to say: first what was
//! registered there goes back.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::Serialize;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use waymark_catalog::{
    Actor, Catalog, Command, Submission,
    access::{Principal, Role, Scope, Token, TokenText},
    machine_time,
};
use waymark_store::FolderLock;
use waymark_top_sync::{
    deposit::{self, Files, Held, keys},
    simulator::{Observed, probe::State},
    takeover::last_deposits,
};
use waymark_wire::crypto::{PrivateKey, PublicKey};

use super::resolution::{Emergency, Route};
use crate::{
    certificate::write_private,
    cli::deposit::key_problem,
    config::{Config, schema::Value},
    daemon::{chain, close, open_catalog},
    demo::registering::failed,
    listen::Listening,
    problem::{Exit, Problem},
    process::Process,
    registration::OPERATOR_TOKEN,
    restored::Restored,
};

/// The principal that operates an emergency node.
const PRINCIPAL: &str = "takeover";

/// Life of its token: a takeover lasts days at most.
const TOKEN_LIFE: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Names the data folder of a takeover that has not ended, within the folder of takeovers.
const BEGUN: &str = "begun";

/// How often it is looked how the node stands.
const LOOK: Duration = Duration::from_millis(100);

/// How often it is looked whether an emergency node that was left behind has ended: for as long as one may take to stop.
const LEFT_BEHIND_LOOKS: u32 = 300;

/// Wait after a takeover that failed.
const AGAIN: Duration = Duration::from_secs(5);

/// Why an emergency node is not served any more.
enum Left {
    /// This program stops.
    Stopping,
    /// The takeover was ended.
    Ended,
    /// Its process has ended.
    Lost,
}

/// What is taken over, from what.
#[derive(Debug)]
pub(super) struct Settings {
    /// Prefix of the node, folded.
    pub(super) node: String,
    /// Where its deposits lie.
    pub(super) deposits: PathBuf,
    /// The key it signs with.
    pub(super) node_key: PathBuf,
    /// The key they are encrypted to.
    pub(super) platform_key: PathBuf,
    /// Where emergency nodes are made.
    pub(super) folder: PathBuf,
}

/// Where a takeover stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// The node is in service, as far as is known.
    #[default]
    Watching,
    /// Its deposits are restored.
    Restoring,
    /// The emergency node serves.
    Serving,
    /// It was told to end, and its node still stops.
    Ending,
    /// It could not be restored; that is tried again.
    Failed,
}

/// Where a takeover stands, and what it has come to.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Status {
    phase: Phase,
    /// When it was due, in milliseconds since 1970.
    due_ms: Option<u64>,
    /// When the emergency node served.
    serving_ms: Option<u64>,
    /// What went wrong.
    problem: Option<String>,
    /// What it was restored from.
    restored: Option<Restored>,
    /// Data folder of the emergency node.
    data: Option<PathBuf>,
    /// Where its registration is.
    grpc: Option<String>,
    /// The fingerprint of the certificate there.
    pin: Option<String>,
}

/// The takeover of one node.
#[derive(Debug)]
pub(super) struct Takeover {
    settings: Settings,
    node_key: PublicKey,
    platform_key: PrivateKey,
    status: Mutex<Status>,
    emergency: watch::Sender<Option<Emergency>>,
    /// Whether the takeover under way was told to end. Changed under the lock of the status, and false again once it has ended: what was said of one
    /// takeover ends no other.
    ending: watch::Sender<bool>,
}

impl Takeover {
    /// Reads the keys.
    ///
    /// # Errors
    /// A key that cannot be used.
    pub(super) fn new(settings: Settings) -> Result<Self, Problem> {
        let node_key = keys::read_public(&settings.node_key).map_err(|cause| key_problem(&cause))?;
        let platform_key = keys::read_private(&settings.platform_key).map_err(|cause| key_problem(&cause))?;
        Ok(Self {
            settings,
            node_key,
            platform_key,
            status: Mutex::default(),
            emergency: watch::Sender::new(None),
            ending: watch::Sender::new(false),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it stands.
    pub(super) fn status(&self) -> Status {
        self.lock().clone()
    }

    fn failed(&self, problem: &Problem) {
        let mut status = self.lock();
        (status.phase, status.problem) = (Phase::Failed, Some(problem.to_string()));
    }

    /// Whom it stands in for.
    pub(super) fn emergency(&self) -> watch::Receiver<Option<Emergency>> {
        self.emergency.subscribe()
    }

    /// Ends the takeover, which may be said more than once; false where there is none.
    pub(super) fn end(&self) -> bool {
        let mut status = self.lock();
        if !matches!(status.phase, Phase::Serving | Phase::Ending) {
            return false;
        }
        status.phase = Phase::Ending;
        self.ending.send_replace(true);
        true
    }

    /// Takes over whenever that is due, until it is told to stop. A takeover that was under way when this program ended is gone on with: what was
    /// registered in it is nowhere else.
    pub(super) async fn run(self: Arc<Self>, observed: Observed, mut stopping: watch::Receiver<bool>) {
        let mut turn = interval(LOOK);
        turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What was over when a takeover ended is not taken over again: the node has to have been in service between.
        let mut armed = true;
        let mut ending = self.ending.subscribe();
        loop {
            tokio::select! {
                _ = stopping.wait_for(|stops| *stops) => return,
                _ = turn.tick() => {}
            }
            let standing = observed.probes().and_then(|probes| probes.standing(&self.settings.node, observed.now()));
            let is_due = standing.is_some_and(|standing| standing.state == State::TakeoverDue);
            armed |= !is_due;
            let begun = self.begun();
            if begun.is_none() && !(is_due && armed) {
                continue;
            }
            let served = match begun {
                Some(data) => self.serve(&data).await,
                None => self.take_over().await,
            };
            match served {
                Ok(mut process) => {
                    let left = tokio::select! {
                        _ = stopping.wait_for(|stops| *stops) => Left::Stopping,
                        _ = ending.wait_for(|ends| *ends) => Left::Ended,
                        () = process.ended() => Left::Lost,
                    };
                    self.emergency.send_replace(None);
                    process.stop().await;
                    match left {
                        Left::Stopping => {
                            // Told to end just before: the next run shall not go on with it.
                            if *self.ending.borrow() {
                                self.forget();
                            }
                            return;
                        }
                        Left::Ended => {
                            self.forget();
                            armed = false;
                        }
                        // It is served again, with all it holds.
                        Left::Lost => tracing::error!(node = self.settings.node, "the emergency node has ended"),
                    }
                }
                Err(problem) => {
                    tracing::error!(%problem, "the takeover failed");
                    self.failed(&problem);
                    tokio::select! {
                        _ = stopping.wait_for(|stops| *stops) => return,
                        () = tokio::time::sleep(AGAIN) => {}
                    }
                }
            }
        }
    }

    /// The data folder of a takeover that has not ended.
    fn begun(&self) -> Option<PathBuf> {
        let name = std::fs::read_to_string(self.settings.folder.join(BEGUN)).ok()?;
        let data = self.settings.folder.join(name.trim());
        data.is_dir().then_some(data)
    }

    fn forget(&self) {
        if let Err(cause) = std::fs::remove_file(self.settings.folder.join(BEGUN)) {
            tracing::error!(%cause, "that the takeover ended could not be noted");
        }
        let mut status = self.lock();
        *status = Status::default();
        self.ending.send_replace(false);
    }

    async fn take_over(self: &Arc<Self>) -> Result<Process, Problem> {
        let due = machine_time().0;
        *self.lock() = Status { phase: Phase::Restoring, due_ms: Some(due), ..Status::default() };
        tracing::warn!(node = self.settings.node, "takeover: restoring the last deposit");
        let name = format!("{}-{due}", self.settings.node);
        let data = self.settings.folder.join(&name);
        if let Err(problem) = self.begin(&name, &data).await {
            // It is tried again and again: each time in a folder of its own, of which nothing may stay.
            match std::fs::remove_dir_all(&data) {
                Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                    tracing::error!(path = %data.display(), %cause, "a data folder that is of no use could not be removed");
                }
                _ => {}
            }
            return Err(problem);
        }
        self.serve(&data).await
    }

    /// Restores into a data folder of this name, and notes that the takeover has begun.
    async fn begin(self: &Arc<Self>, name: &str, data: &Path) -> Result<(), Problem> {
        self.restore(data).await?.write(data)?;
        write_private(&self.settings.folder.join(BEGUN), name.as_bytes()).map_err(|cause| failed(&cause))
    }

    /// Serves what was restored.
    async fn serve(&self, data: &Path) -> Result<Process, Problem> {
        let restored = Restored::read(data)?;
        end_left_behind(data).await;
        let settings = "[listen]\nudp = [\"127.0.0.1:0\"]\ntcp = [\"127.0.0.1:0\"]\nquic = []\nhttp = []\n\
                        grpc = [\"127.0.0.1:0\"]\napi = [\"127.0.0.1:0\"]\n\n[site]\ndescription = \"emergency node\"\n\n\
                        [store]\nsegment_mib = 4\n\n[log]\nlevel = \"warn\"\n";
        let process = Process::start(&self.settings.folder, "emergency", data, settings).await?;
        let routes = routes(&process);
        self.emergency.send_replace(Some(Emergency { node: self.settings.node.clone(), routes }));
        let listening = process.listening();
        let mut status = self.lock();
        *status = Status {
            // It may have been told to end while its process was lost.
            phase: if *self.ending.borrow() { Phase::Ending } else { Phase::Serving },
            due_ms: status.due_ms,
            serving_ms: Some(machine_time().0),
            problem: None,
            restored: Some(restored),
            data: Some(data.to_owned()),
            grpc: listening.grpc.first().map(|address| format!("grpcs://{address}")),
            pin: Some(listening.registration_fingerprint.clone()),
        };
        tracing::warn!(node = self.settings.node, "takeover: the emergency node serves");
        Ok(process)
    }

    /// Restores the last deposits into an empty data folder and makes its operator.
    async fn restore(self: &Arc<Self>, data: &Path) -> Result<Restored, Problem> {
        // Before anything is made: without a deposit there is nothing to make it for.
        let own = Arc::clone(self);
        let found = tokio::task::spawn_blocking(move || own.deposits()).await;
        let files = found.map_err(|cause| failed(&cause))??;
        std::fs::create_dir_all(&self.settings.folder).map_err(|cause| failed(&cause))?;
        let mut config = Config::defaults();
        config.set("node.data", Value::Text(data.display().to_string()));
        config.set("store.segment_mib", Value::Number(4));
        let opened = open_catalog(config.catalog(data)).await?;
        let (own, catalog, folder) = (Arc::clone(self), opened.catalog.clone(), data.to_owned());
        let restored = tokio::task::spawn_blocking(move || own.fill(&files, &catalog, &folder)).await;
        close(opened.catalog).await?;
        restored.map_err(|cause| failed(&cause))?
    }

    /// The node's last deposits, beginning with a full one.
    fn deposits(&self) -> Result<Vec<Files>, Problem> {
        let found = last_deposits(&self.settings.deposits, &self.settings.node);
        let files = found.map_err(|cause| self.no_deposit(&cause))?;
        if files.is_empty() {
            return Err(self.no_deposit(&"there is no full deposit"));
        }
        Files::of_several(&files).map_err(|cause| self.no_deposit(&chain(&cause)))
    }

    fn fill(&self, files: &[Files], catalog: &Catalog, data: &Path) -> Result<Restored, Problem> {
        let held = Held {
            node: &self.node_key,
            platform: Some(&self.platform_key),
            prefix: Some(self.settings.node.as_str()),
            now: machine_time(),
        };
        let restored = deposit::restore(catalog, files, &held).map_err(|cause| self.no_deposit(&chain(&cause)))?;
        make_operator(catalog, data)?;
        Ok(Restored::of(&restored.head, catalog.serial().0))
    }

    /// That there is nothing to restore from.
    fn no_deposit(&self, cause: &dyn std::fmt::Display) -> Problem {
        Problem::new("takeover-no-deposit", Exit::Unavailable)
            .with("node", &self.settings.node)
            .with("path", self.settings.deposits.display())
            .with("cause", cause)
    }
}

/// Ends an emergency node that was left behind when this program was killed: it holds the folder, and nobody hears it any more.
async fn end_left_behind(data: &Path) {
    let is_held = || FolderLock::take(data).is_err();
    if !is_held() {
        return;
    }
    let Some(pid) = Listening::read(data).ok().flatten().and_then(|listening| i32::try_from(listening.pid).ok()) else {
        return;
    };
    // The process that wrote where it listens is the one that holds the folder.
    let _told = kill(Pid::from_raw(pid), Signal::SIGTERM);
    for _ in 0..LEFT_BEHIND_LOOKS {
        if !is_held() {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Where a process answers.
fn routes(process: &Process) -> Vec<Route> {
    let (udp, tcp) = (&process.listening().udp, &process.listening().tcp);
    let mut ips: Vec<_> = udp.iter().chain(tcp).map(std::net::SocketAddr::ip).collect();
    ips.sort();
    ips.dedup();
    let port = |addresses: &[std::net::SocketAddr], ip| {
        addresses.iter().find(|address| address.ip() == ip).map(std::net::SocketAddr::port)
    };
    ips.into_iter().map(|ip| Route { ip, udp: port(udp, ip), tcp: port(tcp, ip) }).collect()
}

/// Makes the operator of an emergency node, its token in the data folder: those who operate the node have no tokens here.
fn make_operator(catalog: &Catalog, data: &Path) -> Result<(), Problem> {
    let text = TokenText::generate().map_err(|cause| failed(&cause))?;
    write_private(&data.join(OPERATOR_TOKEN), format!("{}\n", *text.reveal()).as_bytes())
        .map_err(|cause| failed(&cause))?;
    let principal = Principal {
        name: PRINCIPAL.into(),
        role: Role::Operator,
        scope: Scope::All,
        disabled: false,
        rate_per_second: None,
        daily_quota: None,
        certificates: Vec::new(),
        note: "operates the emergency node".into(),
    };
    let token = Token::new(&text, PRINCIPAL, catalog.now(), TOKEN_LIFE);
    let commands = [Command::PutPrincipal { principal }, Command::IssueToken { token }];
    let submitted = catalog.writer().submit_when_room(Submission::new(&Actor::operator(), commands));
    let results = submitted.map_err(|cause| failed(&cause))?.wait().map_err(|cause| failed(&cause))?;
    results.into_iter().find_map(Result::err).map_or(Ok(()), |refusal| Err(failed(&refusal)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_one_takeover_however_often_it_is_said_ends_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let [(platform_key, _), (_, node_key)] =
            ["platform", "node"].map(|name| keys::make_pair(dir.path(), name).unwrap());
        let (folder, deposits) = (dir.path().join("takeover"), dir.path().join("deposits"));
        let settings = Settings { node: "88.990".into(), deposits, node_key, platform_key, folder };
        let takeover = Takeover::new(settings).unwrap();
        let mut ending = takeover.ending.subscribe();
        let ends = |ending: &mut watch::Receiver<bool>| *ending.borrow_and_update();
        assert!(!takeover.end() && !ends(&mut ending), "nobody is taken over");
        takeover.lock().phase = Phase::Serving;
        assert!(takeover.end() && ends(&mut ending));
        // Said again while the process still stops.
        assert_eq!(takeover.status().phase, Phase::Ending);
        assert!(takeover.end());
        takeover.forget();
        assert_eq!(takeover.status().phase, Phase::Watching);
        assert!(!takeover.end());
        takeover.lock().phase = Phase::Serving;
        assert!(!ends(&mut ending), "the next takeover was not told to end");
    }
}
