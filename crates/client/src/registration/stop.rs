//! Ending a run before its source does.

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// How urgently a run is told to end before its source does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// It is not.
    #[default]
    No,
    /// No new items; what is under way is waited for, for a while.
    Finish,
    /// At once.
    Now,
}

/// Ends when it is told at least this; never where nobody can tell any more.
pub(crate) async fn told(stop: &mut watch::Receiver<Stop>, least: Stop) {
    if stop.wait_for(|stop| *stop >= least).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Ends when a run may wait no longer: at the time it has set itself, or when it is told to end at once, which gives `true`.
pub(crate) async fn over(mut stop: watch::Receiver<Stop>, mut stops_at: watch::Receiver<Option<Instant>>) -> bool {
    let late = async {
        let at = stops_at.wait_for(Option::is_some).await.ok().and_then(|at| *at);
        match at {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = told(&mut stop, Stop::Now) => true,
        () = late => false,
    }
}
