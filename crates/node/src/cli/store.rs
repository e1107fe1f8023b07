//! `waymark store`: check, repair and describe stored data.

use std::path::Path;

use serde_json::json;
use waymark_catalog::{Catalog, Opened, RebuildError};

use super::{
    Shown, Store, StoreFolder,
    run::folder_config,
    terminal::{self, Tone, grouped, toned},
};
use crate::{
    config::Config,
    daemon::{chain, close, data_problem, open_catalog},
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

/// Findings shown to a person one by one; the rest is counted.
const MOST_SHOWN: u64 = 1_000;

pub(crate) async fn run(command: &Store, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    match command {
        Store::Check(arguments) => check(arguments, texts, shown).await,
        Store::Rebuild(arguments) => rebuild(arguments, texts).await,
        Store::Info(arguments) => {
            let config = folder_config(&arguments.folder)?;
            describe(&config, arguments.json, texts).await
        }
    }
}

/// The data folder, which must be there: commands that look never make one.
pub(crate) fn existing(config: &Config) -> Result<std::path::PathBuf, Problem> {
    let data = config.data();
    if data.is_dir() {
        Ok(data)
    } else {
        Err(Problem::new("data-missing", Exit::Unavailable).with("path", data.display()))
    }
}

async fn check(arguments: &StoreFolder, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    let config = folder_config(&arguments.folder)?;
    let data = existing(&config)?;
    let (folder, as_json) = (data.clone(), arguments.json);
    let checked = tokio::task::spawn_blocking(move || {
        let mut count = 0;
        waymark_store::check(&folder, &mut |finding| {
            count += 1;
            if as_json {
                terminal::line(format_args!(
                    "{}",
                    json!({
                        "file": finding.file,
                        "offset": finding.offset,
                        "part": format!("{:?}", finding.part),
                        "what": finding.what.to_string(),
                        "serial": finding.serial.map(|serial| serial.0),
                        "remedy": finding.remedy.to_string(),
                    })
                ));
            } else if count <= MOST_SHOWN {
                terminal::line(format_args!("{finding}"));
            }
        })
    })
    .await;
    let checked = checked.map_err(|cause| data_failed(&data, &cause.to_string()))?;
    let summary = checked.map_err(|cause| data_problem(&data, &cause.into()))?;
    let good = summary.findings == 0;
    if as_json {
        terminal::line(format_args!(
            "{}",
            json!({
                "findings": summary.findings, "bytes": summary.bytes, "entries": summary.entries,
                "segments": summary.segments, "runs": summary.runs, "blobs": summary.blobs,
                "state_values": summary.state_values, "last_serial": summary.last.0,
            })
        ));
    } else {
        let code = if good { "check-good" } else { "check-bad" };
        let values = [
            ("bytes", grouped(summary.bytes).into()),
            ("entries", grouped(summary.entries).into()),
            ("findings", grouped(summary.findings).into()),
        ];
        terminal::line(toned(&texts.text(code, &values), if good { Tone::Good } else { Tone::Bad }, shown.colours));
    }
    Ok(if good { Exit::Done } else { Exit::Damaged })
}

async fn rebuild(arguments: &StoreFolder, texts: &Texts) -> Result<Exit, Problems> {
    let config = folder_config(&arguments.folder)?;
    let data = existing(&config)?;
    let options = config.catalog(&data);
    let rebuilt = tokio::task::spawn_blocking(move || waymark_catalog::rebuild(&options)).await;
    let rebuilt = rebuilt.map_err(|cause| data_failed(&data, &cause.to_string()))?;
    let rebuilt = rebuilt.map_err(|cause| match cause {
        RebuildError::Open(cause) => data_problem(&data, &cause),
        cause => data_failed(&data, &chain(&cause)),
    })?;
    if arguments.json {
        terminal::line(json!({ "identifiers": rebuilt.entries, "serial": rebuilt.store.last.serial.0 }));
    } else {
        let values =
            [("identifiers", grouped(rebuilt.entries).into()), ("serial", grouped(rebuilt.store.last.serial.0).into())];
        terminal::line(texts.text("rebuilt", &values));
    }
    Ok(Exit::Done)
}

/// Opens the folder and says what it holds.
pub(crate) async fn describe(config: &Config, as_json: bool, texts: &Texts) -> Result<Exit, Problems> {
    let data = existing(config)?;
    let (catalog, damaged) = open(config, &data, Folder::MustExist, texts).await?;
    let figures = catalog.statistics();
    let facts = [
        ("identifiers", "status-identifiers", figures.index.entries),
        ("prefixes", "status-prefixes", figures.prefixes as u64),
        ("serial", "status-serial", figures.serial.0),
        ("log_bytes", "status-log", figures.store.log_bytes),
        ("segments", "info-segments", figures.store.segments),
        ("runs", "info-runs", figures.store.runs),
        ("state_bytes", "status-state-bytes", figures.store.state_bytes),
        ("state_lag", "info-state-lag", figures.store.state_lag),
    ];
    if as_json {
        let object: serde_json::Map<_, _> =
            facts.iter().map(|(name, _, value)| ((*name).to_owned(), json!(value))).collect();
        terminal::line(serde_json::Value::Object(object));
    } else {
        for (_, code, value) in facts {
            terminal::line(format_args!("{:<24} {}", texts.text(code, &[]), grouped(value)));
        }
    }
    close_after_looking(catalog, texts).await;
    Ok(if damaged { Exit::Damaged } else { Exit::Done })
}

/// Whether a command may make a data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Folder {
    /// It only looks: a folder without a store is refused.
    MustExist,
    /// It writes: a folder is made where there is none.
    MayBeMade,
}

/// Opens a data folder for a command; damage found on the way is shown at once, and is the second part of what is given.
pub(crate) async fn open(
    config: &Config,
    data: &Path,
    folder: Folder,
    texts: &Texts,
) -> Result<(Catalog, bool), Problem> {
    let mut options = config.catalog(data);
    options.store.create = folder == Folder::MayBeMade;
    let Opened { catalog, recovery } = open_catalog(options).await?;
    for finding in &recovery.store.damage {
        terminal::remark(texts.text("data-damaged", &[("finding", finding.to_string().into())]));
    }
    if let Some(torn) = &recovery.store.torn {
        let values = [
            ("file", torn.file.display().to_string().into()),
            ("offset", torn.offset.to_string().into()),
            ("bytes", torn.bytes.to_string().into()),
            ("kept", torn.kept.display().to_string().into()),
        ];
        terminal::remark(texts.text("data-torn", &values));
    }
    Ok((catalog, !recovery.store.damage.is_empty()))
}

/// Closes a data folder that was only looked at: what could not be written then is worth a remark and no failure.
pub(crate) async fn close_after_looking(catalog: Catalog, texts: &Texts) {
    if let Err(problem) = close(catalog).await {
        terminal::remark(problem.render(texts));
    }
}

pub(crate) fn data_failed(data: &Path, cause: &str) -> Problem {
    Problem::new("data-not-opened", Exit::Unavailable).with("path", data.display()).with("cause", cause)
}
