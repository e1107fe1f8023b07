//! `waymark takeover`: what was registered at an emergency node comes back to the node.
//!
//! | file | holds |
//! |---|---|
//! | `export` | what changed at a node since a serial, as a file |
//! | `import` | such a file, registered at a node |
//! | `doing` | carries a decision out, and finds out how far an earlier run came |
//! | `naming` | whether a node tells names apart by the case of letters |
//! | `looking` | an identifier as a node has it, and why it decides so |
//! | `steps` | the changes that make an identifier what it should be |
//! | `target` | whether a node is one that may take a file in, and since when what it has is its own |
//! | `journal` | what was decided and done, beside the file, so that an import that was killed goes on |
//! | `digest` | the digest of all identifiers of a node |

mod digest;
mod doing;
mod export;
mod import;
mod journal;
mod looking;
mod naming;
mod steps;
mod target;
#[cfg(test)]
mod testing;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use waymark_ident::{CaseRule, Handle, MAX_KEY_BYTES};
use waymark_top_sync::takeover::FileError;

use super::{Shown, server::connection::Connection};
use crate::{
    daemon::chain,
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

/// `waymark takeover …`.
#[derive(Debug, Subcommand)]
pub(crate) enum TakeoverVerb {
    /// Write what changed at a node since a serial to a file.
    Export(Export),
    /// Register at a node what such a file holds.
    Import(Import),
    /// Show the digest of all identifiers of a node.
    Digest(Digest),
}

/// `waymark takeover export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[arg(long, value_name = "DIR", required_unless_present = "returned", conflicts_with = "returned")]
    data: Option<PathBuf>,
    #[arg(long, value_name = "FILE")]
    returned: Option<PathBuf>,
    #[arg(long, value_name = "SERIAL")]
    base: Option<u64>,
    #[arg(long)]
    case_sensitive: bool,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// `waymark takeover import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[arg(long, value_name = "SERIAL")]
    base: Option<u64>,
    #[arg(long)]
    dry_run: bool,
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// `waymark takeover digest`.
#[derive(Debug, Args)]
pub(crate) struct Digest {
    #[arg(long, value_name = "PREFIX")]
    prefix: String,
    #[arg(long)]
    case_sensitive: bool,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// Runs a command about a takeover.
pub(crate) async fn run(command: &TakeoverVerb, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    match command {
        TakeoverVerb::Export(arguments) => Ok(export::run(arguments, texts).await?),
        TakeoverVerb::Import(arguments) => Ok(import::run(arguments, texts, shown).await?),
        TakeoverVerb::Digest(arguments) => Ok(digest::run(arguments, texts).await?),
    }
}

/// A name as look-ups compare it.
fn key_of(handle: &str, case_sensitive: bool) -> Vec<u8> {
    let rule = if case_sensitive { CaseRule::SuffixSensitive } else { CaseRule::Insensitive };
    let mut room = [0; MAX_KEY_BYTES];
    Handle::new(handle.as_bytes())
        .map_or_else(|_| handle.as_bytes().to_vec(), |handle| handle.to_key(rule, &mut room).to_vec())
}

/// A file that is not taken.
fn file_problem(path: &std::path::Path, error: &FileError) -> Problem {
    match error {
        FileError::Io(cause) => {
            Problem::new("file-unreadable", Exit::Usage).with("path", path.display()).with("cause", cause)
        }
        other => Problem::new("takeover-file", Exit::Usage).with("path", path.display()).with("cause", chain(other)),
    }
}
