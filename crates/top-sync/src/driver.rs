//! Makes what is due and carries what waits, for ever.
//!
//! Decides nothing: `maker` knows what is due, `desk` what becomes of a part. What fails is tried again: making with the next turn, carrying after a
//! pause that doubles, with jitter, so that nodes that lost the one above together do not come back together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::RngExt as _;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use waymark_catalog::Timestamp;

use crate::calendar::Day;
use crate::config::{CLOCK_HOLD, FIRST_PAUSE_MS, LONGEST_PAUSE_MS};
use crate::desk::Desk;
use crate::maker::Maker;
use crate::outbox::{Outbox, SetStatus};
use crate::sets::{Schedule, SetName};
use crate::transport::{CarryError, Transport};
use crate::trust::Trust;

/// How often it is looked for what is due.
const TURN: Duration = Duration::from_secs(1);

/// How often a part that cannot be put together is tried again.
const BROKEN_PART_PAUSE: Duration = Duration::from_secs(10);

/// How often what was settled long ago is removed.
const SWEEP: Duration = Duration::from_secs(600);

/// The driver of a node's sets.
#[derive(Debug)]
pub struct Driver {
    maker: Maker,
    desk: Desk,
    outbox: Arc<Outbox>,
    transport: Box<dyn Transport>,
    problems: Mutex<Problems>,
    making: Mutex<Making>,
}

/// What making remembers from turn to turn.
#[derive(Debug)]
struct Making {
    /// The steady clock.
    began: Instant,
    /// None where the calendar is believed whatever it shows.
    trust: Option<Trust>,
    /// Sets that failed: the last pause, and until when.
    paused: BTreeMap<SetName, (Duration, Duration)>,
}

impl Making {
    /// The pause of a set that failed once more.
    fn pause(&mut self, set: SetName, steady: Duration) {
        let (pause, until) = self.paused.entry(set).or_default();
        *pause = doubled(*pause);
        *until = steady + *pause;
    }
}

/// What fails now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    /// Why sets are not made.
    pub making: BTreeMap<SetName, String>,
    /// Why parts do not get up.
    pub carrying: Option<String>,
}

/// How everything stands.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where to, for people.
    pub destination: String,
    /// The node's prefix.
    pub node: String,
    /// Each set.
    pub sets: Vec<SetStatus>,
    /// What fails now.
    pub problems: Problems,
    /// Sets that are not made: nobody counts what they tell.
    pub not_made: Vec<SetName>,
}

impl Driver {
    /// A driver of these parts.
    #[must_use]
    pub fn new(maker: Maker, desk: Desk, outbox: Arc<Outbox>, transport: Box<dyn Transport>) -> Self {
        let days = SetName::ALL.into_iter().filter_map(|set| outbox.cursor(set).period.parse::<Day>().ok());
        let trust = Trust::new(days.max().map(Day::end));
        let making = Making { began: Instant::now(), trust: Some(trust), paused: BTreeMap::new() };
        Self { maker, desk, outbox, transport, problems: Mutex::default(), making: Mutex::new(making) }
    }

    /// The same over a calendar that is moved on purpose, as in a rehearsal: it is believed at once.
    #[must_use]
    pub fn believing(mut self) -> Self {
        self.making.get_mut().unwrap_or_else(PoisonError::into_inner).trust = None;
        self
    }

    /// The outbox, for whoever looks into it or settles a part by hand.
    #[must_use]
    pub fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.desk.now()
    }

    /// How everything stands.
    #[must_use]
    pub fn report(&self) -> Report {
        Report {
            destination: self.transport.destination(),
            node: self.desk.node().to_owned(),
            sets: self.outbox.status(),
            problems: self.lock().clone(),
            not_made: SetName::ALL.into_iter().filter(|set| !self.maker.makes(*set)).collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Problems> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works until `stop` says so or its sender is gone.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut pause = Duration::ZERO;
        let (mut carry_at, mut sweep_at) = (Instant::now(), Instant::now());
        loop {
            let driver = Arc::clone(&self);
            // A panic was reported by its thread; the next turn tries again.
            let has_more = spawn_blocking(move || driver.make_all()).await.unwrap_or(false);
            if Instant::now() >= carry_at {
                // What is on its way when it stops waits, and is sent again by the next start.
                pause = tokio::select! {
                    pause = self.carry(pause) => pause,
                    () = stopped(&mut stop) => return,
                };
                carry_at = Instant::now() + jittered(pause);
            }
            if Instant::now() >= sweep_at {
                let driver = Arc::clone(&self);
                let _swept = spawn_blocking(move || driver.sweep()).await;
                sweep_at = Instant::now() + SWEEP;
            }
            tokio::select! {
                () = sleep(if has_more { Duration::ZERO } else { TURN }) => {}
                () = stopped(&mut stop) => return,
            }
        }
    }

    /// Makes each set once; tells whether days may be left. One at a time: a node with years behind it stops when it is told to, and sends
    /// meanwhile.
    fn make_all(&self) -> bool {
        let mut has_more = false;
        let mut making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let steady = making.began.elapsed();
        let may_tell = making.trust.as_mut().is_none_or(|trust| trust.may_tell(self.desk.now(), steady));
        // T9 before T8, which counts what T9 read.
        for set in SetName::ALL.into_iter().rev() {
            let is_of_days = matches!(set.schedule(), Schedule::Daily | Schedule::Monthly);
            if making.paused.get(&set).is_some_and(|(_, until)| steady < *until) {
                continue;
            }
            let made = if may_tell || !is_of_days || !self.maker.makes(set) {
                self.maker.make_due(set, self.desk.now()).map_err(|error| chain(&error))
            } else {
                Err(format!(
                    "the clock is suddenly far ahead; days are told when it stays so for {} s",
                    CLOCK_HOLD.as_secs()
                ))
            };
            match made {
                Ok(made) => {
                    has_more |= made && set.schedule() == Schedule::Daily;
                    making.paused.remove(&set);
                    self.lock().making.remove(&set);
                }
                Err(cause) => {
                    if may_tell || !is_of_days {
                        making.pause(set, steady);
                    }
                    let before = self.lock().making.insert(set, cause.clone());
                    // Once for as long as it is the same.
                    if before.as_deref() != Some(&cause) {
                        tracing::error!(%set, %cause, "a set that is due cannot be made; it is tried again");
                    }
                }
            }
        }
        has_more
    }

    /// Carries what waits; gives the pause before the next time.
    async fn carry(&self, pause: Duration) -> Duration {
        match self.transport.carry(&self.desk).await {
            Ok(settled) => {
                if self.lock().carrying.take().is_some() && settled > 0 {
                    tracing::info!(settled, "the node above takes parts again");
                }
                Duration::ZERO
            }
            Err(error) => {
                let cause = chain(&error);
                let before = self.lock().carrying.replace(cause.clone());
                if before.as_deref() != Some(&cause) {
                    tracing::warn!(to = %self.transport.destination(), %cause, "parts do not get up; it is tried again");
                }
                // Only sets with parts that cannot be put together wait for that; the others go up as they come.
                if matches!(error, CarryError::Desk(_)) { BROKEN_PART_PAUSE } else { doubled(pause) }
            }
        }
    }

    fn sweep(&self) {
        loop {
            match self.outbox.forget_settled(self.desk.now()) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(cause = %chain(&error), "parts settled long ago are not removed");
                    return;
                }
            }
        }
    }
}

/// Ends when it is to stop, or nobody is left who could say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _gone = stop.wait_for(|stop| *stop).await;
}

/// The pause behind one, with another failure.
fn doubled(pause: Duration) -> Duration {
    (pause * 2).clamp(Duration::from_millis(FIRST_PAUSE_MS), Duration::from_millis(LONGEST_PAUSE_MS))
}

/// Between half of a pause and the whole.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(rand::rng().random_range(0.5..=1.0))
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
