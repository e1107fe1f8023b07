//! Whether a node is one that may take a file in.
//!
//! What the node returns holds at the emergency node as it is. At the node itself it would undo everything written since, so it is taken only where it is
//! shown that the node asked is the emergency node: its data folder says that it was restored from the deposit the file names, and it did not write
//! the file. The second is for a node that was itself restored from that deposit.

use std::{io::BufReader, path::Path};

use waymark_client::registration::Registrar;
use waymark_top_sync::takeover::{Head, Place, reread};

use super::{Import, file_problem, looking::has_version};
use crate::{
    problem::{Exit, Problem},
    restored::Restored,
};

/// Changes of a file that are looked for at a node, from the last: history may have forgotten some of those before.
const LOOKED_FOR: usize = 16;

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

/// Whether a data folder was restored from the deposit a file names.
fn is_of_deposit(restored: &Restored, head: &Head) -> bool {
    restored.node.eq_ignore_ascii_case(&head.node) && restored.deposit == head.deposit
}
