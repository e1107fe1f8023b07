//! Makes the deposits that are due, brings them to the platform, and hears what it says of them, for ever.
//!
//! `schedule` knows what is due; this carries it out and notes in the table what came of it, so that a process that dies goes on where it was: files
//! stay in a folder of the data folder until all of them are with the platform. What fails is tried again after a pause, which grows.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use waymark_catalog::{Catalog, Clock, Timestamp};
use waymark_ident::Date;
use waymark_wire::crypto::{PrivateKey, PublicKey};

use super::config::{GROUP_BYTES, JUDGEMENT_BYTES, LONGEST_PAUSE_SECONDS, LOOK_SECONDS, PREFIXES, REPORT_BYTES};
use super::head::{DepositId, day_of, watermark};
use super::judgement::Judgement;
use super::make::{MakeError, Wanted, make};
use super::name::{Extension, Extent, FileName};
use super::report::Report;
use super::schedule::{Asked, Policy, Step, next, unjudged};
use super::standing::{Phase, Standing};
use super::table::{Delivery, Platform, Row, Table, TableError};
use crate::sftp::{Endpoint, Link, LinkError};

/// A prefix that is deposited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The prefix, folded.
    pub prefix: String,
    /// The platform's user for it.
    pub user: String,
    /// How its deposits are made.
    pub policy: Policy,
}

/// What a courier works with.
#[derive(Debug)]
pub struct Options {
    /// What is deposited.
    pub catalog: Catalog,
    /// The data folder: the table lies there, and files on their way.
    pub data: PathBuf,
    /// The platform's key, which deposits are encrypted to.
    pub platform: PublicKey,
    /// The node's key, which they are signed with.
    pub own: PrivateKey,
    /// Held while a deposit is made, by whomever.
    pub turn: Arc<Mutex<()>>,
    /// The prefixes; no more than [`PREFIXES`].
    pub accounts: Vec<Account>,
    /// Where the platform is.
    pub endpoint: Endpoint,
    /// Folder of a user there for deposits.
    pub directory: String,
    /// Folder of a user there for what the platform says.
    pub reports: String,
    /// Bytes of a part at most.
    pub part_bytes: u64,
    /// Between questions what the platform says.
    pub ask_every: Duration,
    /// The first pause after something failed.
    pub first_pause: Duration,
    /// The clock of the calendar.
    pub clock: Clock,
}

/// Why nothing is sent at once.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The prefix is not deposited by itself.
    #[error("prefix {prefix} is none that is deposited")]
    Prefix {
        /// The prefix.
        prefix: String,
    },
    /// The day has not begun in UTC.
    #[error("{date} has not begun in UTC")]
    Future {
        /// The day.
        date: Date,
    },
    /// The node was made after the beginning of the day.
    #[error("the node was made after {date} began in UTC")]
    BeforeCreation {
        /// The day.
        date: Date,
    },
}

/// Why a turn came to nothing; the next one tries again.
#[derive(Debug, thiserror::Error)]
enum TurnError {
    #[error("the table of deposits")]
    Table(#[from] TableError),
    #[error("the deposit could not be made")]
    Make(#[from] MakeError),
    #[error("the platform")]
    Link(#[from] LinkError),
    #[error("the files on their way")]
    Files(#[source] io::Error),
    #[error("the work was cut off")]
    CutOff,
}

/// Makes and brings deposits. One for each data folder.
#[derive(Debug)]
pub struct Courier {
    options: Options,
    states: Mutex<BTreeMap<String, State>>,
    /// Something is wanted at once.
    wake: Notify,
    halt: AtomicBool,
}

/// What is known of a prefix and need not outlive the process.
#[derive(Clone, Debug, Default)]
struct State {
    asked: Option<Asked>,
    failures: u32,
    paused_until: Option<Instant>,
    ask_at: Option<Instant>,
    given_up: Option<Date>,
    problem: String,
}

impl Courier {
    /// A courier that has not begun.
    #[must_use]
    pub fn new(mut options: Options) -> Arc<Self> {
        options.accounts.truncate(PREFIXES);
        Arc::new(Self { options, states: Mutex::default(), wake: Notify::new(), halt: AtomicBool::new(false) })
    }

    /// Works until it is told to stop. What is under way then is cut off, and taken up by the next process.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let look_every = self.options.ask_every.min(Duration::from_secs(LOOK_SECONDS));
        loop {
            for account in &self.options.accounts {
                self.turn(account, &mut stop).await;
                if *stop.borrow() {
                    return;
                }
            }
            tokio::select! {
                () = stopped(&mut stop) => return,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(look_every) => {}
            }
        }
    }

    /// Has the deposit of a day made and sent without waiting for its time, of one prefix or of all; tells of which. A deposit that is with the platform
    /// already is not sent again.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send(&self, prefix: Option<&str>, date: Option<Date>) -> Result<Vec<String>, SendError> {
        let now = (self.options.clock)();
        let date = date.unwrap_or_else(|| day_of(now));
        if watermark(date) > now {
            return Err(SendError::Future { date });
        }
        if watermark(date) < self.created() {
            return Err(SendError::BeforeCreation { date });
        }
        let prefix = prefix.map(str::to_ascii_uppercase);
        let wanted = self.options.accounts.iter().map(|account| &account.prefix);
        let wanted: Vec<String> =
            wanted.filter(|known| prefix.as_ref().is_none_or(|prefix| prefix == *known)).cloned().collect();
        if let (Some(prefix), true) = (prefix, wanted.is_empty()) {
            return Err(SendError::Prefix { prefix });
        }
        let mut states = self.states();
        for prefix in &wanted {
            states.insert(prefix.clone(), State { asked: Some(Asked { date, insists: true }), ..State::default() });
        }
        drop(states);
        self.wake.notify_one();
        Ok(wanted)
    }

    /// How each prefix stands. Reads the table: where waiting is allowed.
    ///
    /// # Errors
    /// See [`TableError`].
    pub fn standings(&self) -> Result<Vec<Standing>, TableError> {
        let table = Table::open(&self.options.data)?;
        let (now, created, states) = ((self.options.clock)(), self.created(), self.states().clone());
        let standing = |account: &Account| {
            let state = states.get(&account.prefix).cloned().unwrap_or_default();
            let phase = if state.given_up.is_some() { Some(Phase::GivenUp) } else { None };
            Standing::of(&table, (&account.prefix, &account.user), phase, state.problem, (created, now))
        };
        Ok(self.options.accounts.iter().map(standing).collect())
    }

    fn states(&self) -> MutexGuard<'_, BTreeMap<String, State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, prefix: &str, change: impl FnOnce(&mut State)) {
        change(self.states().entry(prefix.to_owned()).or_default());
    }

    fn created(&self) -> Timestamp {
        self.options.catalog.store().identity().created
    }

    /// Does what is due for a prefix, and asks what became of what was sent.
    async fn turn(self: &Arc<Self>, account: &Account, stop: &mut watch::Receiver<bool>) {
        let state = self.states().get(&account.prefix).cloned().unwrap_or_default();
        if state.paused_until.is_some_and(|until| until > pause_clock()) {
            return;
        }
        let done = tokio::select! {
            biased;
            done = self.work(account, &state) => done,
            () = self.stopping(stop) => return,
        };
        let pause = |failures: u32| {
            let longest = Duration::from_secs(LONGEST_PAUSE_SECONDS).max(self.options.first_pause);
            let pause = self.options.first_pause.saturating_mul(1 << failures.min(16)).min(longest);
            // Nodes that were cut off together do not come back together.
            pause.mul_f64(0.5 + rand::random::<f64>() / 2.0)
        };
        match done {
            Ok(()) => self.change(&account.prefix, |state| {
                (state.failures, state.paused_until) = (0, None);
                state.problem.clear();
            }),
            Err(error) => {
                let problem = told(&error);
                let is_new = problem != state.problem;
                self.change(&account.prefix, |state| {
                    state.paused_until = Some(pause_clock() + pause(state.failures));
                    state.failures = state.failures.saturating_add(1);
                    state.problem.clone_from(&problem);
                });
                // The same is not said again every few minutes.
                if is_new {
                    tracing::warn!(prefix = account.prefix, problem, "deposit not made or not sent; it is tried again");
                }
            }
        }
    }

    /// Ends when the node stops and no deposit is being made: that is told to end, and waited for.
    async fn stopping(&self, stop: &mut watch::Receiver<bool>) {
        stopped(stop).await;
        self.halt.store(true, Ordering::Relaxed);
        let turn = Arc::clone(&self.options.turn);
        let _free = tokio::task::spawn_blocking(move || drop(turn.lock())).await;
    }

    async fn work(self: &Arc<Self>, account: &Account, state: &State) -> Result<(), TurnError> {
        let Account { prefix, policy, .. } = account;
        loop {
            let table = self.table().await?;
            let times = (self.created(), (self.options.clock)());
            let asked = self.states().get(prefix).and_then(|state| state.asked);
            let step = next(&table, prefix, policy, asked, times);
            let given_up = if let Step::GivenUp { date } = step { Some(date) } else { None };
            if given_up.is_some() && given_up != state.given_up {
                tracing::error!(
                    prefix,
                    "the platform refused this day's deposit as often as it may; an operator has to look"
                );
            }
            self.change(prefix, |state| state.given_up = given_up);
            match step {
                Step::Make { date, extent } => {
                    self.make(account, date, extent).await?;
                    // Once: what the platform refuses of it is made again no more often than of other days.
                    let of_day = |asked: &&mut Asked| asked.date == date;
                    self.change(prefix, |state| {
                        if let Some(asked) = state.asked.as_mut().filter(of_day) {
                            asked.insists = false;
                        }
                    });
                }
                Step::Carry(id) => self.carry(account, id).await?,
                Step::GivenUp { .. } | Step::Rest => {
                    let is_settled = |asked: &Asked| {
                        let mut of_day =
                            table.rows().iter().filter(|row| row.prefix == *prefix && row.date == asked.date);
                        given_up == Some(asked.date) || of_day.any(|row| row.platform == Platform::Accepted)
                    };
                    self.change(prefix, |state| state.asked = state.asked.filter(|asked| !is_settled(asked)));
                    return self.ask(account, unjudged(&table, prefix)).await;
                }
            }
        }
    }

    async fn table(&self) -> Result<Table, TurnError> {
        let data = self.options.data.clone();
        apart(move || Ok(Table::open(&data)?)).await
    }

    async fn note(&self, id: DepositId, change: impl FnOnce(&mut Row) + Send + 'static) -> Result<(), TurnError> {
        let data = self.options.data.clone();
        apart(move || Ok(Table::open(&data)?.change(id, change)?)).await
    }

    fn spool(&self, prefix: &str) -> PathBuf {
        self.options.data.join(SPOOL).join(prefix)
    }

    async fn make(self: &Arc<Self>, account: &Account, date: Date, extent: Option<Extent>) -> Result<(), TurnError> {
        let (courier, prefix) = (Arc::clone(self), account.prefix.clone());
        apart(move || courier.make_now(&prefix, date, extent)).await
    }

    fn make_now(&self, prefix: &str, date: Date, extent: Option<Extent>) -> Result<(), TurnError> {
        let options = &self.options;
        let turn = options.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = Table::open(&options.data)?;
        let is_left = |row: &&Row| row.prefix == prefix && row.delivery == Delivery::Waiting;
        let left: Vec<DepositId> = table.rows().iter().filter(is_left).map(|row| row.id).collect();
        for id in left {
            table.change(id, |row| row.delivery = Delivery::Dropped)?;
        }
        let folder = self.spool(prefix);
        clear(&folder).and_then(|()| fs::create_dir_all(&folder)).map_err(TurnError::Files)?;
        let wanted = Wanted {
            prefix,
            extent,
            date: Some(date),
            folder: &folder,
            platform: &options.platform,
            own: &options.own,
            part_bytes: options.part_bytes,
            group_bytes: GROUP_BYTES.default,
            delivery: Delivery::Waiting,
            halt: Some(&self.halt),
        };
        let made = make(&options.catalog, &mut table, &wanted, (options.clock)())?;
        drop(turn);
        let head = &made.head;
        tracing::info!(prefix, date = %head.date, extent = head.extent.as_str(), resend = head.resend, id = %head.id, "deposit made");
        Ok(())
    }

    /// Brings a deposit to the platform, its report last.
    async fn carry(&self, account: &Account, id: DepositId) -> Result<(), TurnError> {
        let folder = self.spool(&account.prefix);
        let found = {
            let folder = folder.clone();
            apart(move || Ok(files(&folder, id))).await?
        };
        let Some(files) = found else {
            tracing::warn!(prefix = account.prefix, %id, "the files of a deposit on its way are gone; it is made again");
            return self.note(id, |row| row.delivery = Delivery::Dropped).await;
        };
        let link = Link::open(&self.options.endpoint, &account.user).await?;
        // Deposits that are made again have other names; this one's is its own even where a table was lost.
        let mark: String = id.to_string().chars().take(8).collect();
        for name in &files {
            let name = name.to_string();
            link.put(&folder.join(&name), &self.options.directory, &name, &format!("{name}.{mark}.part")).await?;
        }
        link.close().await;
        let now = (self.options.clock)().0;
        self.note(id, move |row| (row.delivery, row.sent) = (Delivery::Sent, Some(now))).await?;
        tracing::info!(prefix = account.prefix, %id, "deposit sent");
        self.change(&account.prefix, |state| state.ask_at = None);
        apart(move || clear(&folder).map_err(TurnError::Files)).await
    }

    /// Asks what the platform says of deposits.
    async fn ask(&self, account: &Account, rows: Vec<Row>) -> Result<(), TurnError> {
        let ask_at = self.states().get(&account.prefix).and_then(|state| state.ask_at);
        if rows.is_empty() || ask_at.is_some_and(|at| at > pause_clock()) {
            return Ok(());
        }
        let link = Link::open(&self.options.endpoint, &account.user).await?;
        let mut heard = false;
        for row in rows {
            let name = report_name(&row);
            let path = format!("{}/{name}", self.options.reports);
            let Some(bytes) = link.read(&path, JUDGEMENT_BYTES).await? else { continue };
            heard |= self.hear(&row, &name, &bytes).await?;
        }
        link.close().await;
        // What was heard may mean that something is to be done at once.
        let again = if heard { None } else { Some(pause_clock() + self.options.ask_every) };
        self.change(&account.prefix, |state| state.ask_at = again);
        if heard {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Notes what the platform says of a deposit; tells whether it was about that one.
    async fn hear(&self, row: &Row, name: &str, bytes: &[u8]) -> Result<bool, TurnError> {
        let judgement = match Judgement::read(bytes) {
            Ok(judgement) if judgement.id == Some(row.id) || judgement.id.is_none() && !judgement.is_accepted() => {
                judgement
            }
            Ok(_) => {
                tracing::warn!(
                    prefix = row.prefix,
                    name,
                    "what the platform says is about another deposit of that name"
                );
                return Ok(false);
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(prefix = row.prefix, name, error, "what the platform says cannot be read");
                return Ok(false);
            }
        };
        let (code, is_accepted, now) = (judgement.code, judgement.is_accepted(), (self.options.clock)().0);
        if is_accepted {
            tracing::info!(prefix = row.prefix, id = %row.id, "deposit accepted");
        } else {
            tracing::warn!(prefix = row.prefix, id = %row.id, code, reason = judgement.reason, "deposit refused");
        }
        self.note(row.id, move |row| {
            row.platform = if is_accepted { Platform::Accepted } else { Platform::Rejected };
            (row.code, row.judged, row.remark) = (Some(code), Some(now), judgement.reason);
        })
        .await?;
        Ok(true)
    }
}

/// The clock of pauses, which no jump of the calendar's moves.
#[expect(
    clippy::disallowed_methods,
    reason = "pauses between attempts; what is due is decided by the clock of the options"
)]
fn pause_clock() -> Instant {
    Instant::now()
}

/// Ends when a stop is asked for, or nobody is there who could.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _gone = stop.wait_for(|stops| *stops).await;
}

/// Does what waits for the disk where waiting is allowed.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TurnError> + Send + 'static,
) -> Result<T, TurnError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(TurnError::CutOff))
}

/// What the report of a row is called.
fn report_name(row: &Row) -> String {
    let extension = Extension::Report;
    let (node, date, extent) = (row.prefix.clone(), row.date, row.extent);
    FileName { node, date, extent, part: 1, revision: row.resend, extension }.to_string()
}

/// The files of a deposit in the order they are brought in; `None` where one is missing or they are of another deposit.
fn files(folder: &Path, id: DepositId) -> Option<Vec<FileName>> {
    let entries = fs::read_dir(folder).ok()?;
    let mut names = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<FileName>().ok());
    let name = names.find(|name| name.extension == Extension::Report)?;
    let bytes = fs::metadata(folder.join(name.to_string())).ok().filter(|found| found.len() <= REPORT_BYTES);
    let bytes = bytes.and_then(|_| fs::read(folder.join(name.to_string())).ok())?;
    let report = Report::read(&bytes).ok().filter(|report| report.head.id == id)?;
    let of_part =
        |part: &super::parts::Part| [part.name.clone(), part.name.of_part(part.name.part, Extension::Signature)];
    let mut files: Vec<FileName> = report.parts.iter().flat_map(of_part).collect();
    files.extend([name.of_part(1, Extension::ReportSignature), name]);
    let is_whole = report
        .parts
        .iter()
        .all(|part| fs::metadata(folder.join(part.name.to_string())).is_ok_and(|found| found.len() == part.bytes));
    (is_whole && files.iter().all(|name| folder.join(name.to_string()).is_file())).then_some(files)
}

/// Takes a folder away.
fn clear(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// An error and its causes.
fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Folder of the data folder for deposits on their way.
const SPOOL: &str = "deposit.sending";
