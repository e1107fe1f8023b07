//! Does what the exchange decides: reads the catalog, writes commands, sends them, tells what came of it, takes the catalog's steps.
//!
//! The exchange flushes its file while it decides, so a driver has a thread of its own ([`Driver::run`] says how).
//!
//! | file | holds |
//! |---|---|
//! | `transport` | the trait in front of the network, and HTTP |
//! | `seal` | the trait by which requests are signed, and our own stand-in |
//! | `wants` | what the catalog wants |
//! | `pack` | a step as a command |

mod pack;
pub mod seal;
pub mod transport;
mod wants;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use waymark_catalog::business::{Business, BusinessCommand, CaseState, CaseStep};
use waymark_catalog::{Actor, Catalog, Refusal, Submission, Timestamp};

use self::pack::{Packer, said_of_people};
use self::transport::Transport;
use super::config::ANSWER_BYTES;
use super::exchange::{Exchange, FileJournal, JournalError, Next, Now, Settlement, Status, Step, Trouble, TroubleKind};
use super::message::{Answer, Data};

/// What a driver works with.
pub struct Parts {
    /// The node's own data.
    pub catalog: Catalog,
    /// The machine, opened.
    pub exchange: Exchange<FileJournal>,
    /// The way to the top-level node.
    pub transport: Box<dyn Transport>,
    /// This node's own prefix (`shrPrefix`), such as `88.104`.
    pub own_prefix: String,
    /// Who asks (`shrUserId`).
    pub user: String,
    /// Bytes of the largest answer that is taken.
    pub answer_bytes: usize,
}

/// Keeps enterprises and prefixes registered with the top-level node.
pub struct Driver {
    packer: Packer,
    transport: Box<dyn Transport>,
    docking: Docking,
    answer_bytes: usize,
    began: Instant,
    /// The table the wants were read from last.
    read: Option<Arc<Business>>,
}

/// How the driver stands, for whoever asks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Docking(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    exchange: Mutex<Exchange<FileJournal>>,
    commands: AtomicU64,
    troubles: AtomicU64,
    file_trouble: Mutex<Option<String>>,
    /// Somebody wants the driver to look again at once.
    hurried: AtomicBool,
}

/// What was counted since the start, and how old the oldest is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Commands that were sent.
    pub commands: u64,
    /// Commands without an answer that could be believed, and refusals.
    pub troubles: u64,
    /// Transactions that are open, and prefixes that wait for one.
    pub open: u64,
    /// Milliseconds since the oldest of what is not decided was made; 0 when there is none.
    pub oldest_undecided_ms: u64,
}

/// How often the catalog is looked at while nothing else is to be done. Looking compares one pointer.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long nothing is tried when the file of transactions cannot be written.
const FILE_WAIT: Duration = Duration::from_secs(10);

impl Docking {
    fn lock(&self) -> MutexGuard<'_, Exchange<FileJournal>> {
        self.0.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every transaction, open ones first.
    #[must_use]
    pub fn status(&self) -> Status {
        self.lock().status()
    }

    /// Says for the top-level node what it decided on a prefix, `now` in milliseconds since 1970; see [`Exchange::mark`]. The reason is told with the
    /// step in the case.
    ///
    /// # Errors
    /// The file of transactions cannot be written.
    pub fn mark(&self, now: u64, prefix: &str, approved: bool, reason: &str) -> Result<bool, JournalError> {
        // Waits are not touched by it, so when that is does not matter.
        let now = Now { wall: Timestamp(now), elapsed: Duration::ZERO };
        let marked = self.lock().mark(now, prefix, approved, reason)?;
        self.0.hurried.store(true, Ordering::Release);
        Ok(marked)
    }

    /// Has whatever failed or was refused tried at once.
    pub fn hurry(&self) {
        self.lock().hurry();
        self.0.hurried.store(true, Ordering::Release);
    }

    /// Why the file of transactions cannot be written, while it cannot.
    #[must_use]
    pub fn file_trouble(&self) -> Option<String> {
        self.0.file_trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Figures of this moment, `now` in milliseconds since 1970.
    #[must_use]
    pub fn figures(&self, now: u64) -> Figures {
        let status = self.status();
        let open = status.transactions.iter().filter(|each| each.stage.is_none_or(|stage| stage.is_open())).count();
        Figures {
            commands: self.0.commands.load(Ordering::Relaxed),
            troubles: self.0.troubles.load(Ordering::Relaxed),
            open: u64::try_from(open).unwrap_or(u64::MAX),
            oldest_undecided_ms: status.oldest_undecided.map_or(0, |since| now.saturating_sub(since)),
        }
    }
}

impl Driver {
    /// Of its parts. Nothing happens before it [`run`](Self::run)s.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { catalog, exchange, transport, own_prefix, user, answer_bytes } = parts;
        let shared = Shared {
            exchange: Mutex::new(exchange),
            commands: AtomicU64::new(0),
            troubles: AtomicU64::new(0),
            file_trouble: Mutex::new(None),
            hurried: AtomicBool::new(false),
        };
        Self {
            packer: Packer { catalog, own: own_prefix, user },
            transport,
            docking: Docking(Arc::new(shared)),
            answer_bytes: answer_bytes.min(ANSWER_BYTES.max),
            began: Instant::now(),
            read: None,
        }
    }

    /// How it stands, whether or not it runs.
    #[must_use]
    pub fn docking(&self) -> Docking {
        self.docking.clone()
    }

    /// Runs until it is told to stop. A command under way is given up then: what became of it is found out after the next start.
    ///
    /// It waits for the disk in between, so it belongs on a thread that may: `spawn_blocking` around the runtime's `block_on`.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            if *stop.borrow() {
                return;
            }
            let done = tokio::select! {
                done = self.step() => done,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            let wait = match done {
                Ok(wait) => wait,
                Err(error) => {
                    self.tell_file_trouble(Some(&error));
                    Some(FILE_WAIT)
                }
            };
            if let Some(wait) = wait {
                tokio::select! {
                    () = self.idle(wait) => {}
                    _ = stop.wait_for(|stop| *stop) => return,
                }
            }
        }
    }

    /// Waits, but no longer than until the catalog's table changes.
    async fn idle(&self, wait: Duration) {
        let until = Instant::now() + wait.min(Duration::from_secs(3_600));
        while Instant::now() < until && !self.is_changed() && !self.docking.0.hurried.swap(false, Ordering::AcqRel) {
            sleep(LOOK_EVERY.min(until.saturating_duration_since(Instant::now()))).await;
        }
    }

    fn is_changed(&self) -> bool {
        let business = self.packer.catalog.business();
        self.read.as_ref().is_none_or(|read| !Arc::ptr_eq(read, &business))
    }

    fn now(&self) -> Now {
        Now { wall: self.packer.catalog.now(), elapsed: self.began.elapsed() }
    }

    /// One step, as [`run`](Self::run) takes them; how long there is nothing to do after it, `None` for another step at once.
    ///
    /// # Errors
    /// The file of transactions cannot be written: nothing was sent, and nothing is before it can.
    pub async fn step(&mut self) -> Result<Option<Duration>, JournalError> {
        let business = self.look();
        let now = self.now();
        let next = self.docking.lock().next(now)?;
        self.tell_file_trouble(None);
        match next {
            Next::Idle(until) => Ok(Some(until.saturating_sub(now.elapsed))),
            Next::Settle(settlement) => {
                let outcome = self.settle(&settlement).await;
                let now = self.now();
                let trouble = self.docking.lock().settled(now, outcome);
                if let Some(trouble) = trouble {
                    self.tell(&settlement.prefix, &trouble);
                }
                Ok(None)
            }
            Next::Send(step) => {
                self.send(&step, &business).await?;
                Ok(None)
            }
        }
    }

    /// Reads the wants anew where the table has changed.
    fn look(&mut self) -> Arc<Business> {
        let business = self.packer.catalog.business();
        if self.is_changed() {
            let mut exchange = self.docking.lock();
            let wants = wants::wants(&business, &self.packer.own, exchange.known());
            exchange.want(wants);
            drop(exchange);
            self.read = Some(Arc::clone(&business));
        }
        business
    }

    async fn send(&self, step: &Step, business: &Business) -> Result<(), JournalError> {
        let command = match self.packer.pack(&step.ask, business).await {
            Ok(command) => command,
            Err(trouble) => return self.not_sent(step, trouble),
        };
        let written = match command.write(&step.id) {
            Ok(written) => written,
            Err(error) => return self.not_sent(step, Trouble::new(TroubleKind::NotSendable, error)),
        };
        let said = said_of_people(&command);
        drop(command);
        self.docking.0.commands.fetch_add(1, Ordering::Relaxed);
        let answer = self.transport.send(written).await.and_then(|bytes| {
            Answer::read(&bytes, self.answer_bytes).map_err(|error| Trouble::new(TroubleKind::Malformed, error))
        });
        let answer = answer.map(|answer| without(answer, &said));
        let now = self.now();
        let trouble = self.docking.lock().heard(now, step, answer)?;
        if let Some(trouble) = trouble {
            self.tell(step.id.as_str(), &trouble);
        }
        Ok(())
    }

    fn not_sent(&self, step: &Step, trouble: Trouble) -> Result<(), JournalError> {
        let now = self.now();
        let trouble = self.docking.lock().not_sent(now, step, trouble)?;
        if let Some(trouble) = trouble {
            self.tell(step.id.as_str(), &trouble);
        }
        Ok(())
    }

    /// Takes the step a verdict means, where the case is still the one it was asked for.
    async fn settle(&self, settlement: &Settlement) -> Result<(), Trouble> {
        let Settlement { prefix, case, approved, reason } = settlement;
        let not_settled = |cause: &dyn std::fmt::Display| Trouble::new(TroubleKind::NotSettled, cause);
        let business = self.packer.catalog.business();
        let current = business.case(prefix.as_bytes());
        let awaits = |case_now: &waymark_catalog::business::PrefixCase| {
            case_now.state == CaseState::AwaitingTopLevel && case_now.serial.0 == *case
        };
        if !current.is_some_and(|current| awaits(current)) {
            return Ok(());
        }
        let step = CaseStep::ConfirmTopLevel { approved: *approved, reason: reason.clone() };
        let command = BusinessCommand::Step { prefix: prefix.as_bytes().to_vec(), step };
        let ticket = self.packer.catalog.writer().submit(Submission::new(&Actor::top_level(), [command]));
        let results = ticket.map_err(|error| not_settled(&error))?.done().await;
        match results.map_err(|error| not_settled(&error))?.into_iter().next() {
            Some(Ok(_)) => {
                tracing::info!(%prefix, approved, "the top-level node decided on a prefix");
                Ok(())
            }
            // Somebody else was quicker.
            Some(Err(Refusal::WrongStep { .. })) => Ok(()),
            Some(Err(refusal)) => Err(not_settled(&refusal)),
            None => Err(not_settled(&"no result")),
        }
    }

    fn tell(&self, about: &str, trouble: &Trouble) {
        self.docking.0.troubles.fetch_add(1, Ordering::Relaxed);
        let Trouble { kind, detail } = trouble;
        tracing::warn!(about, kind = kind.as_str(), %detail, "the exchange with the top-level node has trouble; it goes on by itself");
    }

    /// Notes why the file cannot be written, with one line in the log for a row of failures.
    fn tell_file_trouble(&self, error: Option<&JournalError>) {
        let mut held = self.docking.0.file_trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            Some(error) if held.is_none() => {
                tracing::error!(%error, cause = ?std::error::Error::source(error), "nothing is sent to the top-level node");
                *held = Some(error.to_string());
            }
            Some(_) => {}
            None => *held = None,
        }
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("own_prefix", &self.packer.own).finish_non_exhaustive()
    }
}

/// An answer without what was said of people, should it repeat that.
fn without(mut answer: Answer, said: &[zeroize::Zeroizing<String>]) -> Answer {
    let clean = |text: &mut String| {
        for each in said {
            if text.contains(each.as_str()) {
                *text = text.replace(each.as_str(), "…");
            }
        }
    };
    clean(&mut answer.text);
    if let Data::Message(message) = &mut answer.data
        && let Some(verdict) = &mut message.verdict
    {
        clean(&mut verdict.reason);
    }
    answer
}
