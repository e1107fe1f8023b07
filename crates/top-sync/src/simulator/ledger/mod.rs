//! What came from which node, durable before it is acknowledged, and what is held because of it.
//!
//! Each node has a file `PREFIX.ledger` in the folder, to which its parts are appended in the order they were taken or refused in. In memory there is
//! where things stand in it: 8 bytes for each part, some 60 for each key of a row. Opening reads the file through.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use waymark_api::toplevel::v1::{Acknowledgement, Part, watermarks_response::Watermark};
use waymark_catalog::Timestamp;

mod entry;
mod frames;
mod held;
mod node;
mod tellings;

pub use frames::LedgerError;
pub(crate) use node::refusal;
pub use node::{TakeError, Told};

use self::node::NodeLedger;
use super::config::{NODES, PAGE_BYTES};
use crate::check::forms::is_prefix;
use crate::check::json::Json;
use crate::check::part::rows_in;
use crate::check::{Key, Set};

/// Ending of the files.
const ENDING: &str = "ledger";

/// File that is locked while the folder is open.
const LOCK: &str = "lock";

/// Longest prefix of a node: it names a file.
const NODE_BYTES: usize = 64;

/// The ledgers of all nodes in a folder.
#[derive(Debug)]
pub struct Ledgers {
    folder: PathBuf,
    nodes: Mutex<BTreeMap<String, Arc<Mutex<NodeLedger>>>>,
    /// Locked until this is dropped.
    _lock: File,
}

/// A row that is held: the newest of its key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeldRow {
    /// The part it came in.
    pub sequence: u64,
    /// Its place in that part, from 1.
    pub row: usize,
    /// Who reported it, where that was an enterprise; else empty.
    pub owner: String,
    /// What the part was about.
    pub period: String,
    /// The row itself.
    pub content: serde_json::Value,
}

/// Where to go on reading: behind this part and row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct After {
    /// Part.
    pub sequence: u64,
    /// Row of it, from 1; 0 is before the first.
    pub row: usize,
}

/// What became of one set of one node.
#[derive(Clone, Debug)]
pub struct SetStatus {
    /// The set.
    pub set: Set,
    /// The sequence up to which parts were taken or refused.
    pub sequence: u64,
    /// Parts that were refused.
    pub refused: u64,
    /// Rows of those that were taken.
    pub rows: u64,
    /// Rows held: the newest of each key.
    pub held: u64,
    /// When the last part came.
    pub last: Option<Timestamp>,
    /// The last complaints.
    pub complaints: Vec<Told>,
}

/// Whether a text can be the prefix of a node.
#[must_use]
pub fn is_node(text: &str) -> bool {
    text.len() <= NODE_BYTES && is_prefix(text)
}

impl Ledgers {
    /// Opens a folder, or makes it, with the ledgers of all nodes in it.
    ///
    /// # Errors
    /// The folder or a file in it cannot be used.
    pub fn open(folder: &Path) -> Result<Self, LedgerError> {
        let failed = |cause| LedgerError::Io { path: folder.to_owned(), cause };
        fs::create_dir_all(folder).map_err(failed)?;
        let lock = File::create(folder.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LedgerError::InUse { path: folder.to_owned() }),
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        let mut nodes = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_stem().and_then(|name| name.to_str()).filter(|name| is_node(name));
            if let (Some(name), true) = (name, path.extension().is_some_and(|ending| ending == ENDING)) {
                nodes.insert(name.to_owned(), open_node(&path, name)?);
            }
        }
        Ok(Self { folder: folder.to_owned(), nodes: Mutex::new(nodes), _lock: lock })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Mutex<NodeLedger>>>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, node: &str) -> Option<Arc<Mutex<NodeLedger>>> {
        self.lock().get(node).cloned()
    }

    /// Takes a part of a node whose name [`is_node`], or says why not. What is acknowledged is durable. Blocks.
    ///
    /// # Errors
    /// The part is neither taken nor refused.
    pub fn take(&self, set: Set, part: Part, now: Timestamp) -> Result<Acknowledgement, TakeError> {
        let ledger = {
            let mut nodes = self.lock();
            match nodes.get(&part.node) {
                Some(ledger) => Arc::clone(ledger),
                None if nodes.len() >= NODES => return Err(TakeError::Full),
                None => {
                    let path = self.folder.join(format!("{}.{ENDING}", part.node));
                    let ledger = open_node(&path, &part.node)?;
                    nodes.insert(part.node.clone(), Arc::clone(&ledger));
                    ledger
                }
            }
        };
        locked(&ledger).take(set, part, now)
    }

    /// Up to where each set of a node was taken.
    #[must_use]
    pub fn watermarks(&self, node: &str) -> Vec<Watermark> {
        let Some(ledger) = self.known(node) else { return Vec::new() };
        let ledger = locked(&ledger);
        let of =
            |(set, known): (&Set, &node::SetLedger)| Watermark { set: set.to_string(), sequence: known.sequence() };
        ledger.sets.iter().map(of).filter(|watermark| watermark.sequence > 0).collect()
    }

    /// The nodes that sent something.
    #[must_use]
    pub fn nodes(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// What became of each set of a node.
    #[must_use]
    pub fn status(&self, node: &str) -> Vec<SetStatus> {
        let Some(ledger) = self.known(node) else { return Vec::new() };
        let ledger = locked(&ledger);
        let of = |(set, known): (&Set, &node::SetLedger)| SetStatus {
            set: *set,
            sequence: known.sequence(),
            refused: known.refused,
            rows: known.rows,
            held: ledger.count(*set),
            last: known.last,
            complaints: known.complaints.iter().cloned().collect(),
        };
        ledger.sets.iter().map(of).collect()
    }

    /// Rows held of a set of a node, in the order they came in, so many of them, and where to go on if there may be more. A page ends early when it
    /// holds some megabytes. Blocks.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn held(
        &self,
        node: &str,
        set: Set,
        after: After,
        most: usize,
    ) -> Result<(Vec<HeldRow>, Option<After>), LedgerError> {
        let Some(ledger) = self.known(node) else { return Ok((Vec::new(), None)) };
        let ledger = locked(&ledger);
        let (mut rows, mut bytes) = (Vec::new(), 0_usize);
        let last = ledger.sets.get(&set).map_or(0, node::SetLedger::sequence);
        for sequence in after.sequence.max(1)..=last {
            let Some((frame, part)) = ledger.part(set, sequence)? else { continue };
            let skipped = if sequence == after.sequence { after.row } else { 0 };
            for (row, line) in rows_in(&part.content).enumerate().skip(skipped) {
                let key = Json::read(line).and_then(|json| Key::of(set, &json));
                if !key.is_some_and(|key| ledger.holds(set, &key, frame, row)) {
                    continue;
                }
                if rows.len() >= most || bytes >= PAGE_BYTES {
                    // This row is the first of the next page.
                    return Ok((rows, Some(After { sequence, row })));
                }
                bytes += line.len();
                let content = serde_json::from_slice(line).unwrap_or_default();
                let (owner, period) = (part.owner.clone(), part.period.clone());
                rows.push(HeldRow { sequence, row: row + 1, owner, period, content });
            }
        }
        Ok((rows, None))
    }
}

fn locked(ledger: &Mutex<NodeLedger>) -> MutexGuard<'_, NodeLedger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open_node(path: &Path, node: &str) -> Result<Arc<Mutex<NodeLedger>>, LedgerError> {
    let ledger = NodeLedger::open(path, rand::random())?;
    if ledger.cut > 0 {
        tracing::warn!(node, bytes = ledger.cut, "an entry that was being written when the process ended was cut off");
    }
    Ok(Arc::new(Mutex::new(ledger)))
}
