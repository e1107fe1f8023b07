//! Parts on their way: put together with what was sealed of them, handed out in order, settled when their fate is known.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64ct::{Base64, Encoding as _};
use sha2::{Digest as _, Sha256};
use waymark_catalog::business::{Business, FileKind, Owner, StoredFile};
use waymark_catalog::vault::{Sealed, Vault, VaultError};
use waymark_catalog::{Catalog, FetchError, Timestamp};
use zeroize::Zeroizing;

use crate::outbox::{KeptLine, Outbox, OutboxError, Part, PartState};
use crate::sets::SetName;
use crate::sets::rows::FileRow;

/// Why a part cannot be put together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeskError {
    /// The outbox.
    #[error("the outbox")]
    Outbox(#[from] OutboxError),
    /// What was sealed cannot be opened: there is no key file, or not the right one.
    #[error("what {set} tells of people cannot be opened without the key file of the node")]
    NoKeys {
        /// The set.
        set: SetName,
    },
    /// What was sealed cannot be opened.
    #[error("what was sealed of a row of {set}")]
    Vault {
        /// The set.
        set: SetName,
        /// Why not.
        source: VaultError,
    },
    /// A file of the node cannot be read.
    #[error("a file of {set}")]
    File {
        /// The set.
        set: SetName,
        /// Why not.
        source: FetchError,
    },
    /// A row is none this version wrote.
    #[error("a row of {set} {sequence} is not one this version wrote")]
    Row {
        /// The set.
        set: SetName,
        /// The part.
        sequence: u64,
    },
    /// The node above waits for a part that is not here any more.
    #[error("the node above waits for {set} {expected}, which is not kept here any more")]
    Gone {
        /// The set.
        set: SetName,
        /// The part.
        expected: u64,
    },
}

/// Up to where the parts of each set were given out while one transport carries.
#[derive(Debug, Default)]
pub struct Sent {
    sets: BTreeMap<SetName, Place>,
    problem: Option<DeskError>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    behind: u64,
    with_marked: bool,
    is_held: bool,
}

impl Sent {
    fn place(&mut self, set: SetName) -> &mut Place {
        self.sets.entry(set).or_default()
    }

    /// Gives out no more of a set; tells whether that is new.
    pub fn hold(&mut self, set: SetName) -> bool {
        !std::mem::replace(&mut self.place(set).is_held, true)
    }

    /// Gives out no more of a set, because of this.
    pub fn fail(&mut self, set: SetName, error: DeskError) {
        self.hold(set);
        self.problem.get_or_insert(error);
    }

    /// Gives a set out again from the sequence on for which the node above waits, that of marked parts included.
    pub fn go_back(&mut self, set: SetName, expected: u64) {
        let place = self.place(set);
        (place.behind, place.with_marked) = (expected.saturating_sub(1), true);
    }

    /// Gives everything that waits out again, but for what is held.
    pub fn begin_again(&mut self) {
        self.sets.values_mut().for_each(|place| place.behind = 0);
    }

    /// The first reason why a set was not given out to its end.
    pub fn take_problem(&mut self) -> Option<DeskError> {
        self.problem.take()
    }
}

/// A part as it goes up; one that was marked without its rows, see [`is_withdrawn`](Self::is_withdrawn).
#[derive(Clone)]
pub struct Prepared {
    /// Of which prefix the node is.
    pub node: Arc<str>,
    /// What it is.
    pub part: Part,
    /// Its rows, one JSON object in each line. May tell of people: never printed.
    pub content: Vec<u8>,
    /// How many there are: fewer than were made where something was forgotten or taken away since.
    pub rows: u64,
    /// SHA-256 of them.
    pub sha256: [u8; 32],
}

impl Prepared {
    /// Whether it only says that its sequence is not to be waited for.
    #[must_use]
    pub fn is_withdrawn(&self) -> bool {
        self.part.state == PartState::Marked
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("part", &self.part).finish_non_exhaustive()
    }
}

/// What the node above said of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It has it for good.
    Stored,
    /// It does not want it.
    Refused(String),
    /// It waits for parts before it.
    OutOfOrder {
        /// The sequence that it waits for.
        expected: u64,
    },
    /// Nothing, or nothing that could be understood: it is to be sent again.
    Lost(String),
}

/// Where transports get parts from. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Desk {
    catalog: Catalog,
    outbox: Arc<Outbox>,
    node: Arc<str>,
}

impl Desk {
    /// A desk of the node of a prefix.
    #[must_use]
    pub fn new(catalog: &Catalog, outbox: Arc<Outbox>, node: &str) -> Self {
        Self { catalog: catalog.clone(), outbox, node: node.to_ascii_uppercase().into() }
    }

    /// The prefix of the node, folded.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.catalog.now()
    }

    /// The next parts to send, at most `most`, each set in order: behind what was `sent`, which is moved. Of a set with a part that cannot be put
    /// together nothing more is given out; the problem is noted with the part and in `sent`, and the other sets go on.
    ///
    /// # Errors
    /// The problem of a part cannot be noted.
    pub fn take(&self, sent: &mut Sent, most: usize) -> Result<Vec<Prepared>, OutboxError> {
        let mut taken = Vec::new();
        for set in SetName::ALL {
            let Place { behind, with_marked, is_held } = *sent.place(set);
            let room = if is_held { 0 } else { most.saturating_sub(taken.len()) };
            let parts = if with_marked {
                self.outbox.waiting_or_marked(set, behind, room)
            } else {
                self.outbox.waiting(set, behind, room)
            };
            for part in parts {
                let (sequence, known) = (part.sequence, part.problem.clone());
                match self.prepare(part) {
                    Ok(prepared) => taken.push(prepared),
                    Err(error) => {
                        let problem = error.to_string();
                        // Once for as long as it is the same: it is tried again and again.
                        if problem != known {
                            self.outbox.note(set, sequence, PartState::Waiting, &problem, self.now())?;
                        }
                        // Those behind it wait for it.
                        sent.fail(set, error);
                        break;
                    }
                }
                sent.place(set).behind = sequence;
            }
        }
        Ok(taken)
    }

    fn prepare(&self, part: Part) -> Result<Prepared, DeskError> {
        if part.state == PartState::Marked {
            let (node, sha256) = (Arc::clone(&self.node), Sha256::digest(b"").into());
            return Ok(Prepared { node, part, content: Vec::new(), rows: 0, sha256 });
        }
        let kept = self.outbox.rows(&part)?;
        let (content, rows, sha256) = if part.set.is_personal() {
            let content = self.opened(&part, &kept)?;
            let rows = content.iter().filter(|byte| **byte == b'\n').count() as u64;
            let sha256 = Sha256::digest(&content).into();
            (content, rows, sha256)
        } else {
            // What goes up as it is kept was held against its checksum when it was read, and its digest was taken when it was made.
            let mut sha256 = [0; 32];
            hex::decode_to_slice(&part.sha256, &mut sha256)
                .map_err(|_| DeskError::Row { set: part.set, sequence: part.sequence })?;
            (kept, part.rows, sha256)
        };
        Ok(Prepared { node: Arc::clone(&self.node), part, content, rows, sha256 })
    }

    /// The rows with what was sealed of them; `null` for what was forgotten.
    fn opened(&self, part: &Part, kept: &[u8]) -> Result<Vec<u8>, DeskError> {
        let set = part.set;
        let vault = self.catalog.vault().map(Arc::as_ref);
        let business = self.catalog.business();
        let mut content = Vec::with_capacity(kept.len());
        for line in kept.split_inclusive(|byte| *byte == b'\n') {
            let row = DeskError::Row { set, sequence: part.sequence };
            let (shown, sealed) = match KeptLine::parse(line) {
                Some(KeptLine::Row(shown, sealed)) => (shown, sealed),
                Some(KeptLine::File(prefix, kind)) => {
                    // A kind that is none any more is not in the record either.
                    kind.map_or(Ok(()), |kind| self.put_file(part, &business, (&prefix, kind), &mut content))?;
                    continue;
                }
                None => return Err(row),
            };
            let personal = match sealed {
                None => None,
                Some(sealed) => open(vault, &business, set, &sealed)?,
            };
            let Some(shown) = shown.strip_suffix('}') else { return Err(row) };
            content.extend_from_slice(shown.as_bytes());
            content.extend_from_slice(b",\"personal\":");
            content.extend_from_slice(personal.as_ref().map_or(b"null", |clear| clear.as_slice()));
            content.extend_from_slice(b"}\n");
        }
        Ok(content)
    }

    /// Adds the row of a file of the node, unless it is gone.
    fn put_file(
        &self,
        part: &Part,
        business: &Business,
        (prefix, kind): (&str, FileKind),
        content: &mut Vec<u8>,
    ) -> Result<(), DeskError> {
        let set = part.set;
        let stored = self.catalog.cold().file(Owner::Node, kind).map_err(|source| DeskError::File { set, source })?;
        let Some(StoredFile { format, sealed }) = stored else { return Ok(()) };
        let Some(clear) = open(self.catalog.vault().map(Arc::as_ref), business, set, &sealed)? else { return Ok(()) };
        let row = FileRow {
            prefix,
            file: kind.as_str(),
            format: format.as_str(),
            bytes: clear.len(),
            sha256: hex::encode(Sha256::digest(&clear)),
            content: Base64::encode_string(&clear),
        };
        let written = serde_json::to_writer(&mut *content, &row);
        written.map_err(|_| DeskError::Row { set, sequence: part.sequence })?;
        content.push(b'\n');
        Ok(())
    }

    /// Whether a part is still here.
    #[must_use]
    pub fn has(&self, set: SetName, sequence: u64) -> bool {
        self.outbox.part(set, sequence).is_some()
    }

    /// Notes what became of a part that was sent.
    ///
    /// # Errors
    /// It is not noted, and will be sent again.
    pub fn settle(&self, set: SetName, sequence: u64, reply: &Reply) -> Result<(), OutboxError> {
        let now = self.now();
        let note = |state, problem: &str| self.outbox.note(set, sequence, state, problem, now);
        match reply {
            Reply::Stored => note(PartState::Acknowledged, ""),
            Reply::Refused(problem) => note(PartState::Refused, problem),
            Reply::Lost(problem) => note(PartState::Waiting, problem),
            Reply::OutOfOrder { expected } => {
                let is_here = self.has(set, *expected);
                let kept = if is_here { "" } else { ", which is not kept here any more" };
                note(PartState::Waiting, &format!("the node above waits for {expected}{kept}"))?;
                // It lost what it had acknowledged: it is given it again. Without the first of it the rest would not be taken.
                if is_here && *expected < sequence {
                    self.outbox.resend(set, *expected, sequence, "", now)?;
                }
                Ok(())
            }
        }
    }
}

/// Clear text, wiped when it is dropped.
type Clear = Zeroizing<Vec<u8>>;

/// Opens what was sealed; `None` for what was forgotten since.
fn open(vault: Option<&Vault>, business: &Business, set: SetName, sealed: &Sealed) -> Result<Option<Clear>, DeskError> {
    let vault = vault.ok_or(DeskError::NoKeys { set })?;
    let clear = vault.unseal_bytes(sealed).map_err(|source| DeskError::Vault { set, source })?;
    // A key that is gone although the record still stands was not dropped: it is in another file.
    if clear.is_none() && is_named(business, sealed) { Err(DeskError::NoKeys { set }) } else { Ok(clear) }
}

/// Whether a record still holds what was sealed by this key.
fn is_named(business: &Business, sealed: &Sealed) -> bool {
    let own = business.operator().and_then(|record| record.personal.as_ref());
    let others = business.enterprises().filter_map(|enterprise| enterprise.personal.as_ref());
    own.into_iter().chain(others).any(|personal| personal.subject == sealed.subject)
}
