//! Whether a node is one that may take a file in, and since when what it has is its own.
//!
//! What the node returns holds at the emergency node as it is. At the node itself it would undo everything written since, so it is taken only where it is
//! shown that the node asked is the emergency node: its data folder says that it was restored from the deposit the file names, and it did not write
//! the file. The second is for a node that was itself restored from that deposit.
//!
//! What a node changed since the deposit lies behind the watermark, or, where the node was itself restored from that deposit, behind the serial it had
//! then. Taken for the wrong one, changes of its own would be written over unseen: so the folder is asked where it is at hand, and the times of the
//! node's changes in any case.

use std::{io::BufReader, ops::ControlFlow, path::Path, time::Duration};

use waymark_api::registration::v1;
use waymark_client::{
    config::PATIENCE,
    registration::{Registrar, Watch, Watched},
};
use waymark_top_sync::{
    deposit::{parse_date, watermark},
    takeover::{Head, Place, reread},
};

use super::{
    Import, file_problem,
    looking::{has_version, time_ms},
};
use crate::{
    cli::server::answer,
    problem::{Exit, Problem},
    restored::Restored,
};

/// Changes of a file that are looked for at a node, from the last: history may have forgotten some of those before.
const LOOKED_FOR: usize = 16;

/// Serials before a watermark in which a change of an identifier is looked for.
const LOOKED_BACK: u64 = 1_000;

/// What the node that is asked was restored from: by its data folder, where that is named or the node is that of this machine. `None` where it was not
/// restored, or its folder is not at hand.
///
/// # Errors
/// The folder named is none; the note in it cannot be read.
pub(super) fn restored(arguments: &Import) -> Result<Option<Restored>, Problem> {
    if let Some(data) = arguments.data.as_deref().filter(|data| !data.is_dir()) {
        let cause = std::io::Error::from(std::io::ErrorKind::NotADirectory);
        return Err(Problem::new("file-unreadable", Exit::Usage).with("path", data.display()).with("cause", cause));
    }
    let folder = arguments.connection.folder(arguments.data.as_deref());
    folder.map_or(Ok(None), |folder| Restored::find(&folder))
}

/// Refuses a file that the node returned, where it is not shown that the emergency node is asked.
///
/// # Errors
/// `takeover-not-emergency`; the file cannot be read; the node does not answer.
pub(super) async fn check_emergency(
    registrar: &Registrar,
    head: &Head,
    restored: Option<&Restored>,
    path: &Path,
    file: &mut BufReader<std::fs::File>,
    places: &[Place],
) -> Result<(), Problem> {
    let other = || {
        Problem::new("takeover-not-emergency", Exit::Usage)
            .with("path", path.display())
            .with("node", &head.node)
            .with("deposit", &head.deposit)
    };
    if !restored.is_some_and(|restored| is_of_deposit(restored, head)) {
        return Err(other());
    }
    for place in places.iter().rev().take(LOOKED_FOR) {
        let change = reread(file, *place).map_err(|error| file_problem(path, &error))?;
        if has_version(registrar, &change).await? {
            return Err(other());
        }
    }
    Ok(())
}

/// The serial of a node up to which it has what the deposit held.
///
/// # Errors
/// What is said with `--base` is not where the node was restored; or it was restored from another deposit, and nothing is said.
pub(super) fn base_of(said: Option<u64>, head: &Head, restored: Option<&Restored>) -> Result<u64, Problem> {
    let restored = restored.filter(|restored| restored.node.eq_ignore_ascii_case(&head.node));
    let Some(restored) = restored else { return Ok(said.unwrap_or(head.watermark)) };
    match said {
        Some(base) if is_of_deposit(restored, head) && base != restored.serial => {
            let problem = Problem::new("takeover-base-restored", Exit::Usage);
            Err(problem.with("base", base).with("serial", restored.serial))
        }
        Some(base) => Ok(base),
        None if is_of_deposit(restored, head) => Ok(restored.serial),
        None => Err(Problem::new("takeover-base-unsaid", Exit::Usage)
            .with("date", &restored.date)
            .with("serial", restored.serial)
            .with("watermark", head.watermark)),
    }
}

/// Refuses a watermark that cannot be one of this node: up to it there is a change acknowledged after the moment the deposit is of.
///
/// # Errors
/// `takeover-base-late`; the node does not answer.
pub(super) async fn check_moment(registrar: &Registrar, head: &Head, base: u64) -> Result<(), Problem> {
    let Some(moment) = parse_date(&head.date).map(watermark) else { return Ok(()) };
    let request = v1::WatchRequest {
        after_serial: base.saturating_sub(LOOKED_BACK),
        until_now: true,
        ..v1::WatchRequest::default()
    };
    let watch = Watch { request, patience: PATIENCE.clamp(Duration::from_secs(60)) };
    let mut late = None;
    let mut event = |event: Watched<'_>| match event {
        Watched::Change(change) if change.serial > base => ControlFlow::Break(()),
        Watched::Change(change) if time_ms(change.time.as_ref()) >= moment.0 => {
            late = Some(change.serial);
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    };
    match watch.run(registrar, &mut event).await {
        // What the node does not keep any more says nothing.
        Err(error) if error.server_error().is_none() => return Err(answer::problem(&error, false)),
        _ => {}
    }
    late.map_or(Ok(()), |serial| {
        let problem = Problem::new("takeover-base-late", Exit::Usage);
        Err(problem.with("serial", serial).with("date", &head.date).with("base", base))
    })
}

/// Whether a data folder was restored from the deposit a file names.
fn is_of_deposit(restored: &Restored, head: &Head) -> bool {
    restored.node.eq_ignore_ascii_case(&head.node) && restored.deposit == head.deposit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::takeover::testing::head;

    fn restored(node: &str, deposit: &str) -> Restored {
        let (date, watermark) = ("2026-11-30".to_owned(), 1200);
        Restored { node: node.into(), deposit: deposit.repeat(16), date, watermark, serial: 900 }
    }

    #[test]
    fn the_base_is_where_the_node_was_restored_or_else_the_watermark() {
        let of = |said, restored: Option<&Restored>| base_of(said, &head(), restored).map_err(|problem| problem.code());
        assert_eq!(of(None, None), Ok(1200));
        assert_eq!(of(Some(7), None), Ok(7));
        let same = restored("88.990", "5f");
        assert_eq!(of(None, Some(&same)), Ok(900));
        assert_eq!(of(Some(900), Some(&same)), Ok(900));
        assert_eq!(of(Some(1200), Some(&same)), Err("takeover-base-restored"));
        let another = restored("88.990", "60");
        assert_eq!(of(None, Some(&another)), Err("takeover-base-unsaid"));
        assert_eq!(of(Some(1200), Some(&another)), Ok(1200), "it made the deposit since");
        assert_eq!(of(None, Some(&restored("88.111", "5f"))), Ok(1200), "another node's");
    }
}
