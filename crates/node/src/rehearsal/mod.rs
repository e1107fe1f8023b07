//! `waymark docking rehearse`: the acceptance list of a docking, gone through against the simulator with a node in a process of its own.
//!
//! Each item says what was asked and what was seen, and is passed, failed, or not built: where this program has nothing to try, that is said, never
//! passed over. The list was put together from what is public of a docking test; it is no list of the top-level node's.
//!
//! ```text
//! simulator (here) ── node (a process) ── commands of an operator (processes)       items 2 to 8, 11, 12
//! simulator (here) ── the data folder of that node, its clock moved on              items 1, 8, 9
//! the drill of a takeover (a process) ── nodes of its own                           item 10
//! ```
//! | file | holds |
//! |---|---|
//! | `tried` | items and steps: what was asked, what was seen |
//! | `stage` | the folder, the simulator, the node, commands |
//! | `settings` | the configuration the node is run with, and what of it may be shown |
//! | `prefixes`, `answers`, `registering`, `counted`, `monitored`, `kept`, `attacked` | items of the node that runs |
//! | `upward`, `deposits` | items of its data folder, by a clock that moves |
//! | `takeover` | the drill |
//! | `bundle`, `report` | the evidence, and the page people read |

mod answers;
mod attacked;
mod bundle;
mod counted;
mod deposits;
mod kept;
mod monitored;
mod prefixes;
mod registering;
mod report;
mod settings;
mod stage;
mod takeover;
mod tried;
mod upward;

use std::{path::PathBuf, time::Duration};

use clap::Args;
use tokio::runtime::Handle;

use self::stage::{Children, Folder, Stage};
use self::tried::{Item, State};
use crate::{
    cli::{Shown, terminal},
    daemon::{Signals, stop_asked},
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

/// `waymark docking rehearse`.
#[derive(Debug, Args)]
pub(crate) struct Rehearse {
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    #[arg(long, value_name = "FILE", env = "WAYMARK_CONFIG")]
    config: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

/// Goes through the list.
///
/// # Errors
/// The rehearsal itself could not be set up, or its evidence not be written. What the node fails at is no error but a result.
pub(crate) async fn run(arguments: &Rehearse, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    let operators = settings::read(arguments.config.as_deref())?;
    if let Some(folder) = &arguments.bundle {
        bundle::check_folder(folder)?;
    }
    let mut signals = Signals::take().map_err(|cause| Problem::new("signals", Exit::Failed).with("cause", cause))?;
    let not_run = |cause: &dyn std::fmt::Display| Problem::new("rehearsal-not-run", Exit::Failed).with("cause", cause);
    let (handle, children) = (Handle::current(), Children::default());
    // Removed on every way out of here, with the keys and tokens in it.
    let folder = Folder::make().map_err(|cause| not_run(&cause))?;
    let (mine, path) = (children.clone(), folder.path().to_owned());
    let mut rehearsing = tokio::task::spawn_blocking(move || rehearse(handle, mine, path, operators));
    let ended = tokio::select! {
        ended = &mut rehearsing => ended,
        () = stop_asked(&mut signals) => {
            // Whoever stops the rehearsal shall not be left with a node that runs, nor with its folder. It can start nothing any more, so it ends
            // soon; until then it may still make files.
            children.kill();
            let _ended = tokio::time::timeout(LAST_STEP, &mut rehearsing).await;
            return Ok(Exit::Failed);
        }
    };
    // One that broke off may have left a node that runs.
    children.kill();
    drop(folder);
    let rehearsed = ended.map_err(|cause| not_run(&cause))??;
    for item in &rehearsed.items {
        if arguments.json {
            terminal::line(serde_json::to_value(item).unwrap_or_default());
        } else {
            terminal::line(report::item(item, texts, shown.colours));
        }
    }
    if let Some(folder) = &arguments.bundle {
        bundle::write(folder, &rehearsed)?;
        if !arguments.json {
            terminal::remark(texts.text("rehearsal-bundle", &[("path", folder.display().to_string().into())]));
        }
    }
    let has_failed = rehearsed.items.iter().any(|item| item.state() == State::Fail);
    Ok(if has_failed { Exit::CheckFailed } else { Exit::Done })
}

/// The longest a rehearsal that was stopped is waited for.
const LAST_STEP: Duration = Duration::from_secs(5);

/// All that a rehearsal leaves behind.
#[derive(Debug)]
struct Rehearsed {
    items: Vec<Item>,
    /// The configuration the node ran with, without what is secret.
    config: String,
    /// The counters of the node before it was stopped.
    metrics: String,
}

/// Sets the stage, plays all of it, takes it down.
fn rehearse(
    handle: Handle,
    children: Children,
    folder: PathBuf,
    operators: Option<String>,
) -> Result<Rehearsed, Problem> {
    let mut stage = Stage::set(handle, children, folder, operators.as_deref())?;
    let prefix_path = prefixes::try_out(&mut stage);
    let registration = registering::try_out(&stage);
    let resolution = answers::resolution(&stage);
    let permissions = answers::permissions(&stage);
    let authentication = answers::authentication(&stage);
    let statistics = counted::try_out(&stage);
    let mut monitoring = monitored::try_out(&stage);
    let mut sets = upward::prepare(&stage);
    let mut trail = kept::try_out(&stage);
    let attack = attacked::try_out(&stage);
    let metrics = stage.page("/metrics").map_or_else(|cause| cause, |(_, text)| text);
    let stopped = stage.stop_node();
    kept::after_the_end(&stage, stopped, &mut trail);
    let deposits = upward::try_out(&stage, &mut sets, &mut monitoring);
    let takeover = takeover::try_out(&stage);
    let items = vec![
        sets,
        prefix_path,
        resolution,
        permissions,
        authentication,
        registration,
        statistics,
        monitoring,
        deposits,
        takeover,
        trail,
        attack,
    ];
    let config = stage.shown_config();
    stage.take_down();
    Ok(Rehearsed { items, config, metrics })
}
