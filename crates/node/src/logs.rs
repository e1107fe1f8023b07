//! Structured logs on standard error.

use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::Config;

/// Starts logging as configured; a second call in one process changes nothing.
pub(crate) fn start(config: &Config) {
    let level = match config.values().text("log.level") {
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "debug" => LevelFilter::DEBUG,
        _ => LevelFilter::INFO,
    };
    let registry = tracing_subscriber::registry().with(level);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let started = if config.values().text("log.form") == "json" {
        registry.with(lines.json()).try_init()
    } else {
        registry.with(lines.with_ansi(colours)).try_init()
    };
    // Only tests start it twice.
    drop(started);
}
