//! `waymark takeover export`: what changed at a node since a serial, in order, as a file.

use std::{
    fs::{self, OpenOptions},
    ops::ControlFlow,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;
use waymark_api::registration::v1;
use waymark_catalog::machine_time;
use waymark_client::{
    config::PATIENCE,
    registration::{Registrar, Watch, Watched},
};
use waymark_top_sync::takeover::{FileError, Head, Side, Writer, is_of};

use super::{
    Export,
    import::{Whole, journal_path, read},
    journal::base_of,
    looking::change_of,
    naming,
};
use crate::{
    cli::{
        server::answer,
        terminal::{self, grouped},
    },
    daemon::chain,
    problem::{Exit, Problem},
    restored::Restored,
    texts::Texts,
};

/// Bytes written at a time.
const BUFFER: usize = 1 << 20;

pub(super) async fn run(arguments: &Export, texts: &Texts) -> Result<Exit, Problem> {
    let connection = arguments.connection.or_of(arguments.data.as_deref());
    let registrar = connection.open(texts)?;
    let mut head = match (&arguments.returned, &arguments.data) {
        (Some(file), _) => head_of_returned(file, arguments.base).await?,
        (None, Some(data)) => {
            let head = head_of_emergency(&Restored::read(data)?, arguments.case_sensitive);
            Head { after: arguments.base.unwrap_or(head.after), ..head }
        }
        (None, None) => return Err(Problem::new("server-missing", Exit::Usage)),
    };
    // What the node itself shows holds; what is said is for a node that shows nothing, and never against it.
    let rule = naming::rule(&registrar, &head.node).await?;
    let path = arguments.returned.as_ref().unwrap_or(&arguments.file);
    if arguments.returned.is_none() && !arguments.case_sensitive {
        head.case_sensitive = rule.unwrap_or(false);
    }
    naming::check(rule, head.case_sensitive, path)?;
    head.upto = newest(&registrar).await?;
    head.made_ms = machine_time().0;
    if head.after > head.upto {
        return Err(beyond(head.after, head.upto));
    }
    let draft = draft_of(&arguments.file);
    let written = write(&registrar, &head, &draft).await;
    let written = match written {
        Ok(written) => written,
        Err(problem) => {
            // What is half written is of no use.
            let _gone = fs::remove_file(&draft);
            return Err(problem);
        }
    };
    fs::rename(&draft, &arguments.file).map_err(|cause| not_written(&arguments.file, &cause))?;
    if arguments.json {
        terminal::line(json!({
            "file": arguments.file, "side": head.side, "node": head.node, "deposit": head.deposit, "date": head.date,
            "watermark": head.watermark, "after": head.after, "upto": head.upto,
            "changes": written.changes, "sha256": written.sha256,
        }));
    } else {
        let values = [
            ("count", grouped(written.changes).into()),
            ("path", arguments.file.display().to_string().into()),
            ("digest", written.sha256.clone().into()),
        ];
        terminal::line(texts.text("takeover-exported", &values));
    }
    Ok(Exit::Done)
}

/// The head of what an emergency node tells.
fn head_of_emergency(restored: &Restored, case_sensitive: bool) -> Head {
    Head {
        waymark_takeover: Head::version(),
        side: Side::Emergency,
        node: restored.node.clone(),
        case_sensitive,
        deposit: restored.deposit.clone(),
        date: restored.date.clone(),
        watermark: restored.watermark,
        after: restored.serial,
        upto: restored.serial,
        made_ms: machine_time().0,
    }
}

/// The head of what the node tells that took a file in: since where, says the journal of that.
async fn head_of_returned(file: &Path, said: Option<u64>) -> Result<Head, Problem> {
    let (Whole { head, written, .. }, _) = read(file).await?;
    if head.side != Side::Emergency {
        return Err(Problem::new("takeover-side", Exit::Usage).with("path", file.display()));
    }
    let journal = journal_path(file);
    let after = match (base_of(&journal, &written.sha256)?, said) {
        (Some(base), Some(said)) if said != base => {
            return Err(Problem::new("takeover-journal", Exit::Usage).with("path", journal.display()));
        }
        (Some(base), _) | (None, Some(base)) => base,
        (None, None) => {
            let problem = Problem::new("takeover-not-taken", Exit::Usage);
            return Err(problem.with("path", file.display()).with("journal", journal.display()));
        }
    };
    Ok(Head { side: Side::Returned, after, made_ms: machine_time().0, ..head })
}

async fn write(
    registrar: &Registrar,
    head: &Head,
    draft: &Path,
) -> Result<waymark_top_sync::takeover::Written, Problem> {
    let failed = |error: &FileError| not_written(draft, &chain(error));
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft);
    let file = opened.map_err(|cause| not_written(draft, &cause))?;
    let out = std::io::BufWriter::with_capacity(BUFFER, file);
    let mut writer = Writer::begin(out, head).map_err(|error| failed(&error))?;
    let mut problem = None;
    let request = v1::WatchRequest {
        after_serial: head.after,
        with_values: true,
        until_now: true,
        ..v1::WatchRequest::default()
    };
    follow(registrar, request, &mut |event| {
        let taken = match event {
            Watched::Change(change) if change.serial > head.upto || !is_of(&head.node, &change.handle) => Ok(()),
            Watched::Change(change) => {
                change_of(&change).and_then(|change| writer.change(&change).map_err(|error| failed(&error)))
            }
            Watched::Damaged(_) => Err(Problem::new("takeover-damaged", Exit::Damaged)),
            _ => Ok(()),
        };
        problem = taken.err();
        if problem.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .await?;
    if let Some(problem) = problem {
        return Err(problem);
    }
    let (out, written) = writer.finish().map_err(|error| failed(&error))?;
    let file = out.into_inner().map_err(|cause| not_written(draft, cause.error()))?;
    file.sync_all().map_err(|cause| not_written(draft, &cause))?;
    Ok(written)
}

async fn follow(
    registrar: &Registrar,
    request: v1::WatchRequest,
    event: &mut (dyn FnMut(Watched<'_>) -> ControlFlow<()> + Send),
) -> Result<u64, Problem> {
    let watch = Watch { request, patience: PATIENCE.clamp(Duration::from_secs(60)) };
    watch.run(registrar, event).await.map_err(|error| answer::problem(&error, false))
}

/// The newest serial of a node.
///
/// # Errors
/// It refuses or does not answer.
pub(super) async fn newest(registrar: &Registrar) -> Result<u64, Problem> {
    let request = v1::WatchRequest { from_now: true, until_now: true, ..v1::WatchRequest::default() };
    follow(registrar, request, &mut |_| ControlFlow::Continue(())).await
}

/// A serial the node has not come to.
pub(super) fn beyond(base: u64, newest: u64) -> Problem {
    Problem::new("takeover-base", Exit::Usage).with("base", base).with("newest", newest)
}

fn draft_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

fn not_written(path: &Path, cause: &dyn std::fmt::Display) -> Problem {
    Problem::new("file-not-written", Exit::Failed).with("path", path.display()).with("cause", cause)
}
