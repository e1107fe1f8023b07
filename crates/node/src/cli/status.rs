//! `waymark status`: asks the node of a data folder how it is, or describes the folder when no node runs.

use std::time::Duration;

use super::{
    Shown, Status,
    run::folder_config,
    store::describe,
    terminal::{self, Tone, grouped, toned},
};
use crate::{
    listen::{Listening, reachable},
    problem::{Exit, Problem, Problems},
    status::{NodeStatus, WatchStatus},
    texts::Texts,
};

/// Time the node has to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Shows the status; exit code 0 for a node or folder that takes questions and writes.
pub(crate) async fn run(arguments: &Status, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    let config = folder_config(&arguments.folder)?;
    let data = config.data();
    let listening = Listening::read(&data).map_err(|cause| {
        Problem::new("listening-unreadable", Exit::Unavailable)
            .with("path", Listening::path(&data).display())
            .with("cause", cause)
    })?;
    let page = listening.as_ref().and_then(|listening| listening.http.first().copied());
    let asked = match page {
        Some(address) => {
            let url = format!("http://{}/status", reachable(address));
            tokio::task::spawn_blocking(move || ask(&url)).await.ok().flatten()
        }
        None => None,
    };
    match asked {
        Some(status) => {
            if arguments.json {
                terminal::line(serde_json::to_string(&status).unwrap_or_default());
            } else {
                show(&status, texts, shown);
            }
            Ok(if status.not_writable.is_none() && !status.stopping { Exit::Done } else { Exit::Failed })
        }
        None => {
            terminal::remark(texts.text("status-offline", &[("data", data.display().to_string().into())]));
            describe(&config, arguments.json, texts).await
        }
    }
}

fn ask(url: &str) -> Option<NodeStatus> {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    let mut response = agent.get(url).call().ok()?;
    let text = response.body_mut().read_to_string().ok()?;
    serde_json::from_str(&text).ok()
}

/// What the node sees of itself, in a line.
fn watched(watch: &WatchStatus, texts: &Texts, shown: Shown) -> String {
    let mut words = if watch.failing.is_empty() {
        toned(&texts.text("status-watch-good", &[]), Tone::Good, shown.colours)
    } else {
        let failing = texts.text("status-watch-failing", &[("failing", watch.failing.join(", ").into())]);
        toned(&failing, Tone::Bad, shown.colours)
    };
    if watch.open_incidents > 0 {
        let open = texts.text("status-watch-incidents", &[("count", watch.open_incidents.to_string().into())]);
        words.push_str(&format!(", {}", toned(&open, Tone::Bad, shown.colours)));
    }
    if watch.maintenance {
        words.push_str(&format!(", {}", texts.text("status-watch-maintenance", &[])));
    }
    words
}

fn show(status: &NodeStatus, texts: &Texts, shown: Shown) {
    let line = |code: &str, value: String| terminal::line(format_args!("{:<24} {value}", texts.text(code, &[])));
    let state = match (&status.not_writable, status.stopping) {
        (_, true) => toned(&texts.text("status-stopping", &[]), Tone::Bad, shown.colours),
        (Some(reason), _) => {
            let text = texts.text("status-not-writable", &[("reason", reason.into())]);
            toned(&text, Tone::Bad, shown.colours)
        }
        (None, _) => toned(&texts.text("status-good", &[]), Tone::Good, shown.colours),
    };
    line("status-state", state);
    line("status-version", format!("{}, {} s", status.version, grouped(status.uptime_seconds)));
    line("status-listening", status.listening.line());
    line("status-identifiers", grouped(status.identifiers));
    line("status-resident", grouped(status.resident));
    line("status-prefixes", grouped(status.prefixes));
    line("status-serial", grouped(status.serial));
    line("status-log", grouped(status.log_bytes));
    line("status-state-bytes", format!("{} ({})", grouped(status.state_bytes), grouped(status.state_lag)));
    line("status-memory", grouped(status.index_bytes));
    if let Some(watch) = &status.watch {
        line("status-watch", watched(watch, texts, shown));
    }
    for (transport, count) in &status.answers {
        line("status-answers", format!("{transport} {}", grouped(*count)));
    }
}
