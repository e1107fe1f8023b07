//! Looks that may have to wait for a lock or the disk, for tasks that may not: one at a time, on a thread of its own, whoever asks.
//!
//! A disk that stands still so holds one thread, however many ask, and none of those that answer.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Mutex, task::spawn_blocking, time::timeout};

/// Looks at one thing.
pub(crate) struct Looks<T> {
    look: Arc<dyn Fn() -> T + Send + Sync>,
    /// For how long one who asks waits.
    patience: Duration,
    /// How many looks were begun.
    begun: AtomicU64,
    /// Held for as long as a look is under way, also when whoever asked is gone.
    last: Arc<Mutex<Last<T>>>,
}

/// What the last look found.
struct Last<T> {
    /// Which look it was, counted from 1.
    number: u64,
    found: Option<Arc<T>>,
}

impl<T> fmt::Debug for Looks<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Looks").field("patience", &self.patience).finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> Looks<T> {
    /// Looks this way; whoever asks waits for so long at most.
    pub(crate) fn new(patience: Duration, look: impl Fn() -> T + Send + Sync + 'static) -> Self {
        let last = Arc::new(Mutex::new(Last { number: 0, found: None }));
        Self { look: Arc::new(look), patience, begun: AtomicU64::new(0), last }
    }

    /// What is found by a look that begins from now on, shared with others who wait for one; `None` where that takes too long.
    pub(crate) async fn look(&self) -> Option<Arc<T>> {
        // Also the look under way by now may have begun too early to show what was done before it was asked.
        let begun_before = self.begun.load(Ordering::Acquire);
        let looked = async {
            let mut last = Arc::clone(&self.last).lock_owned().await;
            if last.number > begun_before {
                return last.found.clone();
            }
            let number = self.begun.fetch_add(1, Ordering::AcqRel).saturating_add(1);
            let look = Arc::clone(&self.look);
            let looking = spawn_blocking(move || {
                // A panic leaves nothing found, which is then told of this look.
                *last = Last { number, found: None };
                last.found = Some(Arc::new(look()));
                last.found.clone()
            });
            looking.await.ok().flatten()
        };
        timeout(self.patience, looked).await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::task::yield_now;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Looks that each end once told to, and how many began.
    fn slow(patience: Duration) -> (Arc<Looks<u64>>, mpsc::Sender<()>, Arc<AtomicU64>) {
        let (end, ended) = mpsc::channel();
        let (ended, began) = (std::sync::Mutex::new(ended), Arc::new(AtomicU64::new(0)));
        let counted = Arc::clone(&began);
        let look = move || {
            let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
            ended.lock().unwrap().recv().unwrap();
            number
        };
        (Arc::new(Looks::new(patience, look)), end, began)
    }

    fn ask(looks: &Arc<Looks<u64>>) -> tokio::task::JoinHandle<Option<Arc<u64>>> {
        let looks = Arc::clone(looks);
        tokio::spawn(async move { looks.look().await })
    }

    async fn until_begun(began: &AtomicU64, number: u64) {
        while began.load(Ordering::SeqCst) < number {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn those_who_ask_during_a_look_share_the_next_one() {
        let (looks, end, began) = slow(LONG);
        let first = ask(&looks);
        until_begun(&began, 1).await;
        let others: Vec<_> = (0..50).map(|_| ask(&looks)).collect();
        // Each of them has asked by the time a task made behind them has run.
        tokio::spawn(async {}).await.unwrap();
        assert_eq!(began.load(Ordering::SeqCst), 1, "one at a time");
        end.send(()).unwrap();
        end.send(()).unwrap();
        assert_eq!(first.await.unwrap().as_deref(), Some(&1));
        for other in others {
            assert_eq!(other.await.unwrap().as_deref(), Some(&2), "none begun before it was asked for");
        }
        assert_eq!(began.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn who_asks_again_sees_what_is_there_by_then() {
        let (looks, end, _) = slow(LONG);
        for number in 1..=3 {
            end.send(()).unwrap();
            assert_eq!(looks.look().await.as_deref(), Some(&number));
        }
    }

    #[tokio::test]
    async fn a_look_that_stands_still_stays_the_only_one_and_nobody_waits_for_ever() {
        let (looks, end, began) = slow(Duration::from_millis(1));
        for _ in 0..20 {
            assert_eq!(looks.look().await, None);
        }
        until_begun(&began, 1).await;
        assert_eq!(looks.look().await, None);
        assert_eq!(began.load(Ordering::SeqCst), 1, "those who gave up left one look");
        end.send(()).unwrap();
        // Whatever was asked for last is answered.
        end.send(()).unwrap();
        while looks.look().await.is_none() {
            let _more = end.send(());
        }
    }

    #[tokio::test]
    async fn a_look_that_panics_is_not_the_last() {
        let count = AtomicU64::new(0);
        let looks = Looks::new(LONG, move || {
            let number = count.fetch_add(1, Ordering::SeqCst);
            assert!(number > 0, "the first one fails");
            number
        });
        assert_eq!(looks.look().await, None);
        assert_eq!(looks.look().await.as_deref(), Some(&1));
    }
}
