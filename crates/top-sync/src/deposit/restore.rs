//! Restoring deposits into an empty node: a full one, and those that follow it in order, through the one writer like everything else.

use std::collections::{BTreeMap, VecDeque};

use waymark_catalog::business::Owner;
use waymark_catalog::moment::{Homes, Kind, Object, ObjectError, ObjectName, Restore};
use waymark_catalog::vault::{Fresh, People, Subject, VaultError};
use waymark_catalog::{
    Actor, Catalog, Command, HomeName, Order, PutMode, Refusal, Submission, SubmitError, Ticket, Timestamps, WriteError,
};
use waymark_ident::Handle;

use super::config::{RESTORE_BYTES, RESTORE_IN_FLIGHT, RESTORE_ORDERS};
use super::head::{Counts, Head};
use super::name::Extent;
use super::read::{Entry, Identifier};
use super::verify::{Files, Held, Verified, VerifyError, finish, of_document, verify};

/// What was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// The last deposit.
    pub head: Head,
    /// How much each of them held, in order.
    pub deposits: Vec<Counts>,
}

/// Why deposits were not restored, or not to the end. The folder is of no use then; begin with an empty one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// There is something in the node already.
    #[error("the data folder is not empty")]
    NotEmpty,
    /// Deposits are given that do not follow each other, beginning with a full one.
    #[error("deposit {number} does not follow the one before it, or the first is no full one")]
    Order {
        /// Which of those given, from 1.
        number: usize,
    },
    /// A deposit is not valid; nothing of it was restored.
    #[error("deposit {number} is not valid")]
    Verify {
        /// Which of those given, from 1.
        number: usize,
        /// Why.
        source: VerifyError,
    },
    /// The key it was encrypted to is needed.
    #[error("the private key the deposit was encrypted to is needed")]
    NoKey,
    /// The node has no keys to seal personal data with.
    #[error("the node has no keys of personal data to seal with")]
    NoVault,
    /// Personal data cannot be sealed.
    #[error("personal data cannot be sealed")]
    Vault(#[from] VaultError),
    /// An object is in no form this program knows.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The node refused something.
    #[error("{what} was refused: {refusal}")]
    Refused {
        /// What.
        what: String,
        /// Why.
        refusal: Box<Refusal>,
    },
    /// The writer takes nothing.
    #[error("the node takes no writes")]
    Submit(#[from] SubmitError),
    /// The writer failed.
    #[error("the node failed to write")]
    Write(#[from] WriteError),
}

/// Restores deposits into an empty node. Each is checked to its end before anything of it is put back.
///
/// # Errors
/// See [`RestoreError`].
pub fn restore(catalog: &Catalog, deposits: &[Files], held: &Held<'_>) -> Result<Restored, RestoreError> {
    let figures = catalog.statistics();
    let held_already = [figures.prefixes, figures.ranges, figures.templates, figures.enterprises, figures.cases];
    if figures.index.entries > 0 || held_already.iter().any(|count| *count > 0) {
        return Err(RestoreError::NotEmpty);
    }
    let heads = check_all(deposits, held)?;
    let platform = held.platform.ok_or(RestoreError::NoKey)?;
    let mut counts = Vec::new();
    let mut subjects = BTreeMap::new();
    for ((at, files), verified) in deposits.iter().enumerate().zip(&heads) {
        let number = at + 1;
        let wrong = |source| RestoreError::Verify { number, source };
        let mut document = files.document(platform).map_err(wrong)?;
        if *document.head() != verified.head {
            return Err(wrong(VerifyError::Mismatch));
        }
        let mut feeder = Feeder::new(catalog, verified.head.extent, std::mem::take(&mut subjects));
        while let Some(entry) = document.next_entry().map_err(|error| wrong(of_document(error)))? {
            feeder.take(entry)?;
        }
        finish(document).map_err(wrong)?;
        subjects = feeder.finish()?;
        counts.push(verified.counts);
    }
    let last = heads.last().ok_or(RestoreError::Order { number: 1 })?;
    Ok(Restored { head: last.head.clone(), deposits: counts })
}

/// Checks all deposits, and that they follow each other.
fn check_all(deposits: &[Files], held: &Held<'_>) -> Result<Vec<Verified>, RestoreError> {
    let mut heads: Vec<Verified> = Vec::new();
    for (at, files) in deposits.iter().enumerate() {
        let number = at + 1;
        let verified = verify(files, held).map_err(|source| RestoreError::Verify { number, source })?;
        let before = heads.last().map(|last| &last.head);
        let follows = match (before, verified.head.extent) {
            (None, Extent::Full) => true,
            (Some(before), Extent::Diff) => {
                verified.head.previous == Some(before.id)
                    && verified.head.prefix == before.prefix
                    && verified.head.since == before.serial
            }
            _ => false,
        };
        if !follows {
            return Err(RestoreError::Order { number });
        }
        heads.push(verified);
    }
    Ok(heads)
}

/// Hands entries to the writer, a few batches under way at a time.
struct Feeder<'c> {
    catalog: &'c Catalog,
    extent: Extent,
    batch: Batch,
    waiting: VecDeque<(Ticket, Batch)>,
    homes: Homes,
    /// Prefixes that live here for the sake of records whose prefix does not.
    temporary: Vec<HomeName>,
    /// Prefixes that live here no more when all records are put back.
    leaving: Vec<HomeName>,
    /// The keys people's data was sealed with here.
    subjects: BTreeMap<Owner, Subject>,
}

/// Orders handed over together.
#[derive(Default)]
struct Batch {
    orders: Vec<Order>,
    bytes: usize,
    /// What each order is about, and whether it may be refused.
    about: Vec<About>,
}

/// What an order is about.
struct About {
    what: Vec<u8>,
    may_be_refused: bool,
}

impl<'c> Feeder<'c> {
    fn new(catalog: &'c Catalog, extent: Extent, subjects: BTreeMap<Owner, Subject>) -> Self {
        Self {
            catalog,
            extent,
            batch: Batch::default(),
            waiting: VecDeque::new(),
            homes: Homes::of(catalog),
            temporary: Vec::new(),
            leaving: Vec::new(),
            subjects,
        }
    }

    fn take(&mut self, entry: Entry) -> Result<(), RestoreError> {
        match entry {
            Entry::IdentifierGone(key) => {
                self.home_for(&key)?;
                self.delete(&key)
            }
            Entry::ObjectGone(name) => match name.home() {
                Some(home) => {
                    self.leaving.push(home.clone());
                    Ok(())
                }
                None => self.restore(Restore::Remove(name)),
            },
            Entry::Object(name, text, sealed) => self.object(name, text, sealed.as_deref().map(Vec::as_slice)),
            Entry::Identifier(identifier) => self.identifier(identifier),
        }
    }

    fn object(&mut self, name: ObjectName, text: String, opened: Option<&[u8]>) -> Result<(), RestoreError> {
        if let Some(home) = name.home() {
            self.homes.add(home);
            self.temporary.retain(|temporary| temporary != home);
            self.leaving.retain(|leaving| leaving != home);
        }
        let sealed = match opened {
            Some(bytes) => Some(self.seal(&name, bytes)?.sealed),
            None => None,
        };
        self.restore(Restore::Put(Object::new(name, text, sealed)?))
    }

    /// Seals what is said of people, or a file, under the key of whom it is of.
    fn seal(&mut self, name: &ObjectName, bytes: &[u8]) -> Result<Fresh, RestoreError> {
        let vault = self.catalog.vault().ok_or(RestoreError::NoVault)?;
        let owner = name.owner();
        let held = owner.and_then(|owner| self.subjects.get(&owner)).copied();
        let fresh = vault.seal_bytes(People { held, forgotten: None }, bytes)?;
        if let Some(owner) = owner.filter(|_| name.kind() != Kind::File) {
            self.subjects.insert(owner, fresh.sealed.subject);
        }
        Ok(fresh)
    }

    fn identifier(&mut self, identifier: Identifier) -> Result<(), RestoreError> {
        let Identifier { handle, values, status } = identifier;
        self.home_for(&handle)?;
        // What was there goes with its status and the notice of a recall, which a record that replaces it would keep.
        if self.extent == Extent::Diff {
            self.delete(&handle)?;
        }
        let (timestamps, mode) = (Timestamps::Keep, PutMode::Replace);
        let what = handle.clone();
        let command = match status {
            Some(status) => Command::PutWithdrawn { handle, values, timestamps, mode, status },
            None => Command::Put { handle, values, timestamps, mode },
        };
        self.order(command.into(), what, false)
    }

    fn delete(&mut self, handle: &[u8]) -> Result<(), RestoreError> {
        let named = || handle.to_vec();
        // Each may be refused: there may be nothing to be undone, and what was revoked stays so.
        self.order(Command::Resume { handle: named() }.into(), named(), true)?;
        self.order(Command::LiftRecall { handle: named() }.into(), named(), true)?;
        self.order(Command::Delete { handle: named() }.into(), named(), true)
    }

    /// Makes a prefix live here for a record that could not be put back otherwise.
    fn home_for(&mut self, handle: &[u8]) -> Result<(), RestoreError> {
        let missing = Handle::new(handle).ok().and_then(|handle| self.homes.missing_for(&handle));
        let Some(name) = missing else { return Ok(()) };
        self.homes.add(&name);
        self.temporary.push(name.clone());
        self.order(Command::Home { name: name.clone() }.into(), name.handle(), false)
    }

    fn restore(&mut self, restore: Restore) -> Result<(), RestoreError> {
        let what = format!("{} {}", restore.name().kind().as_str(), restore.name()).into_bytes();
        self.order(restore.into(), what, false)
    }

    fn order(&mut self, order: Order, what: Vec<u8>, may_be_refused: bool) -> Result<(), RestoreError> {
        let bytes = order.command.weight_bytes();
        let full = self.batch.orders.len() >= RESTORE_ORDERS || self.batch.bytes + bytes > RESTORE_BYTES;
        if full && !self.batch.orders.is_empty() {
            self.send()?;
        }
        self.batch.orders.push(order);
        self.batch.bytes += bytes;
        self.batch.about.push(About { what, may_be_refused });
        Ok(())
    }

    fn send(&mut self) -> Result<(), RestoreError> {
        let mut batch = std::mem::take(&mut self.batch);
        let submission = Submission::new(&Actor::import(), std::mem::take(&mut batch.orders));
        self.waiting.push_back((self.catalog.writer().submit_when_room(submission)?, batch));
        if self.waiting.len() >= RESTORE_IN_FLIGHT { self.collect() } else { Ok(()) }
    }

    fn collect(&mut self) -> Result<(), RestoreError> {
        let Some((ticket, batch)) = self.waiting.pop_front() else { return Ok(()) };
        for (result, About { what, may_be_refused }) in ticket.wait()?.into_iter().zip(batch.about) {
            if let Err(refusal) = result
                && !may_be_refused
            {
                let what = String::from_utf8_lossy(&what).into_owned();
                return Err(RestoreError::Refused { what, refusal: Box::new(refusal) });
            }
        }
        Ok(())
    }

    /// Waits for everything, and lets go of the prefixes that are not to live here.
    fn finish(mut self) -> Result<BTreeMap<Owner, Subject>, RestoreError> {
        for name in std::mem::take(&mut self.temporary).into_iter().chain(std::mem::take(&mut self.leaving)) {
            self.homes.remove(&name);
            self.order(Command::Unhome { name: name.clone() }.into(), name.handle(), true)?;
        }
        if !self.batch.orders.is_empty() {
            self.send()?;
        }
        while !self.waiting.is_empty() {
            self.collect()?;
        }
        Ok(self.subjects)
    }
}
