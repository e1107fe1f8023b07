//! Questions about names that live elsewhere: a task of the runtime each while servers are asked, then a thread that writes the answer.
//!
//! As many as may be under way have a place in the queue behind them, so that an answer that was waited for is never lost to a full queue.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use waymark_recursive_cache::recursor::{Recursor, Resolved};

use super::clock::Clock;
use super::slow_pool::{Job, hand_over};
use crate::answer::Answerer;
use crate::config::{RECURSION_THREADS, RECURSION_WAITING};
use crate::recursion::to_plan;
use crate::settings::Settings;

/// A question whose servers were asked.
struct Done {
    job: Job,
    resolved: Resolved,
    _place: OwnedSemaphorePermit,
}

/// The way in.
#[derive(Clone, Debug)]
pub(crate) struct RecursionDesk {
    recursor: Arc<Recursor>,
    settings: Arc<Settings>,
    runtime: Handle,
    places: Arc<Semaphore>,
    done: SyncSender<Done>,
}

impl RecursionDesk {
    /// Starts the threads that write answers. `None` when this node resolves nothing for others.
    pub(crate) fn start(
        settings: &Arc<Settings>,
        hire: impl FnOnce(usize) -> Vec<Answerer>,
        clock: Clock,
    ) -> io::Result<Option<(Self, Vec<JoinHandle<()>>)>> {
        let Some(recursion) = &settings.recursion else { return Ok(None) };
        let (done, receiver) = sync_channel(RECURSION_WAITING);
        let receiver = Arc::new(Mutex::new(receiver));
        let threads = hire(RECURSION_THREADS).into_iter().enumerate().map(|(number, answerer)| {
            let receiver = Arc::clone(&receiver);
            thread::Builder::new().name(format!("recursion-{number}")).spawn(move || work(&receiver, answerer, clock))
        });
        let threads = threads.collect::<io::Result<_>>()?;
        let desk = Self {
            recursor: Arc::clone(&recursion.recursor),
            settings: Arc::clone(settings),
            runtime: Handle::current(),
            places: Arc::new(Semaphore::new(RECURSION_WAITING)),
            done,
        };
        Ok(Some((desk, threads)))
    }

    /// Takes a question in, or gives it back: too many are under way, or it is none.
    pub(crate) fn submit(&self, job: Job) -> Result<(), Job> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return Err(job) };
        let Some(asked) = to_plan(&job.question, &self.settings) else { return Err(job) };
        let (recursor, done) = (Arc::clone(&self.recursor), self.done.clone());
        self.runtime.spawn(async move {
            let resolved = recursor.resolve(asked).await;
            // There is a place for each; an error says that the threads are gone, and so is the door.
            let _ = done.try_send(Done { job, resolved, _place: place });
        });
        Ok(())
    }
}

fn work(queue: &Mutex<Receiver<Done>>, mut answerer: Answerer, clock: Clock) {
    let mut room = Vec::new();
    while let Ok(done) = { queue.lock().unwrap_or_else(PoisonError::into_inner).recv() } {
        let action = answerer.answer_resolved(Clock::now(), &done.job.question, &done.resolved, &mut room);
        hand_over(done.job, action, &answerer, clock, &mut room);
    }
}
