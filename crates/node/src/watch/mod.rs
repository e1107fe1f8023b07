//! The node watches itself: made from the configuration, asks the doors round after round, and what operators ask of it.

mod probe;
mod shown;

use std::{path::Path, sync::Arc, time::Duration};

use tokio::{
    sync::watch as signal,
    task::{JoinHandle, spawn_blocking},
    time::{Instant, MissedTickBehavior, interval},
};
use waymark_catalog::{Catalog, HomeName};
use waymark_registration::watching::Watching;
use waymark_top_sync::{
    figures::Figures,
    watch::{Led, Moment, Opened, Options, Watch, config::Settings, incident::Event},
};

use self::{probe::Prober, shown::Shown};
use crate::{
    config::Config,
    daemon::chain,
    problem::{Exit, Problem},
    status::Watched,
};

/// Folder of the watch within the data folder.
const FOLDER: &str = "watch";

/// The prefix the node asks for itself; `None` where none is configured.
pub(crate) fn prefix(config: &Config) -> Option<&str> {
    let values = config.values();
    ["watch.prefix", "sync.prefix", "docking.prefix"]
        .map(|key| values.text(key))
        .into_iter()
        .find(|text| !text.is_empty())
}

/// The name whose record the doors are asked for.
pub(crate) fn asked_name(prefix: &str) -> String {
    format!("0.NA/{prefix}")
}

/// Opens the watch as configured; `None` when the node does not watch itself.
///
/// # Errors
/// The settings do not fit, or its folder cannot be opened.
pub(crate) async fn open(config: &Config, data: &Path, catalog: &Catalog) -> Result<Option<Arc<Watch>>, Problem> {
    let Some(prefix) = prefix(config) else { return Ok(None) };
    if HomeName::parse(prefix.as_bytes()).is_err() || prefix.contains('/') {
        return Err(Problem::new("watch-prefix", Exit::Usage).with("prefix", prefix));
    }
    let values = config.values();
    let seconds = |key: &str| Duration::from_secs(values.number(key));
    let settings = Settings {
        interval: seconds("watch.interval_seconds"),
        failed_rounds: values.number("watch.failed_rounds"),
        hold: seconds("watch.hold_seconds"),
        kept_days: values.number("watch.kept_days"),
        flood_percent: values.number("watch.flood_percent"),
        flood_requests: values.number("watch.flood_requests"),
    };
    let folder = data.join(FOLDER);
    let not_opened = |cause: String| {
        Problem::new("watch-not-opened", Exit::Unavailable)
            .with("path", data.join(FOLDER).display())
            .with("cause", cause)
    };
    let (options, now) = (Options { folder, prefix: prefix.to_owned(), settings }, catalog.now());
    let opened = spawn_blocking(move || Watch::open(options, now)).await;
    let (watch, opened) =
        opened.map_err(|cause| not_opened(cause.to_string()))?.map_err(|cause| not_opened(chain(&cause)))?;
    tell_opened(&opened);
    Ok(Some(Arc::new(watch)))
}

fn tell_opened(opened: &Opened) {
    for aside in &opened.set_aside {
        tracing::error!(
            file = %aside.path.display(), cause = aside.cause,
            "probes cannot be read; the file was moved aside, and what it held counts as not measured"
        );
    }
    if let Some(gap) = opened.gap {
        let seconds = gap.until.saturating_sub(gap.from) / 1_000;
        tracing::info!(seconds, "the node was not running; outside maintenance that counts as not available");
    }
    if let Some(event) = &opened.cut_off {
        tracing::warn!(event = event.id, "the node stopped without being told to; a fault was noted");
    }
}

/// Asks the doors until it is told to stop.
#[derive(Debug)]
pub(crate) struct WatchKeeper {
    watch: Arc<Watch>,
    catalog: Catalog,
    stop: signal::Sender<bool>,
    task: JoinHandle<()>,
}

impl WatchKeeper {
    /// Begins; the doors are open.
    pub(crate) fn start(watch: Arc<Watch>, config: &Config, catalog: &Catalog, watched: &Arc<Watched>) -> Self {
        let patience = Duration::from_secs(config.values().number("watch.answer_seconds"));
        let prober = Prober::new(catalog, watched, &asked_name(watch.prefix()), patience);
        let (stop, stopped) = signal::channel(false);
        let task = tokio::spawn(rounds(Arc::clone(&watch), prober, catalog.clone(), stopped));
        Self { watch, catalog: catalog.clone(), stop, task }
    }

    /// Asks no more: the doors are about to close.
    pub(crate) async fn pause(&mut self) {
        self.stop.send_replace(true);
        // A panic was reported by the task.
        let _ended = (&mut self.task).await;
    }

    /// Notes that the node ends in order.
    pub(crate) async fn stop(self) {
        let (watch, now) = (self.watch, self.catalog.now());
        match spawn_blocking(move || watch.stop(now)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(cause = %chain(&error), "the end of the node is not noted in the watch"),
            Err(error) => tracing::error!(cause = %error, "the end of the node is not noted in the watch"),
        }
    }
}

/// What operators ask of a watch.
pub(crate) fn control(watch: &Arc<Watch>, catalog: &Catalog, figures: Option<Arc<dyn Figures>>) -> Arc<dyn Watching> {
    Arc::new(Shown { watch: Arc::clone(watch), catalog: catalog.clone(), figures })
}

async fn rounds(watch: Arc<Watch>, prober: Prober, catalog: Catalog, mut stop: signal::Receiver<bool>) {
    let begun = Instant::now();
    let mut ticks = interval(watch.settings().interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut trouble: Option<String> = None;
    loop {
        let asked = async {
            ticks.tick().await;
            prober.round().await
        };
        let (probed, pressure) = tokio::select! {
            asked = asked => asked,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let (at, watch) = (Moment { now: catalog.now(), steady: begun.elapsed() }, Arc::clone(&watch));
        let Ok(led) = spawn_blocking(move || watch.round(at, &probed, pressure)).await else {
            // A panic was reported by its thread.
            return;
        };
        tell(&led, &mut trouble);
    }
}

/// Tells what a round led to; the same trouble once.
fn tell(led: &Led, trouble: &mut Option<String>) {
    for Event { id, related, kind, watched, .. } in &led.events {
        if related.is_empty() {
            tracing::error!(event = id, kind = kind.as_str(), watched, "a fault");
        } else {
            tracing::info!(event = id, of = related, watched, "a fault is over");
        }
    }
    let cause = led.problem.as_ref().map(|problem| chain(problem));
    if cause != *trouble {
        match &cause {
            Some(cause) => tracing::error!(cause, "what the watch saw cannot be kept; it is tried again"),
            None => tracing::info!("what the watch sees is kept again"),
        }
        *trouble = cause;
    }
}
