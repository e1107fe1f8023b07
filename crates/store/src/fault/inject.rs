//! A medium that fails where a test says so.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::medium::{Medium, MediumFile};

/// What a medium is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Making a file.
    Create,
    /// Opening a file.
    Open,
    /// Reading from a file.
    Read,
    /// Writing to a file.
    Write,
    /// Reserving room for a file.
    Allocate,
    /// Cutting or extending a file.
    SetLength,
    /// Making a file's content durable.
    Sync,
    /// Making a folder's names durable.
    SyncDir,
    /// Renaming a file.
    Rename,
    /// Removing a file.
    Remove,
}

/// How it goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done and this error comes back.
    Error(io::ErrorKind),
    /// A write stops after so many bytes with this error.
    Short {
        /// Bytes that are written.
        bytes: usize,
        /// The error.
        error: io::ErrorKind,
    },
    /// A read hands out its data with the byte at this offset of the buffer inverted.
    Flip {
        /// Offset in the buffer.
        at: usize,
    },
}

#[derive(Debug)]
struct Rule {
    operation: Operation,
    path_part: String,
    /// How many operations of that kind still pass.
    passes: u32,
    fault: Fault,
    once: bool,
}

#[derive(Debug, Default)]
struct Plan {
    rules: Vec<Rule>,
    counts: Vec<(Operation, u64)>,
    /// Changes that still pass before the power fails, `None` when it does not.
    power: Option<u64>,
}

/// Another medium, with faults.
#[derive(Debug)]
pub struct FaultMedium {
    inner: Arc<dyn Medium>,
    plan: Arc<Mutex<Plan>>,
}

impl FaultMedium {
    /// Wraps a medium; without faults until some are injected.
    #[must_use]
    pub fn over(inner: Arc<dyn Medium>) -> Arc<Self> {
        Arc::new(Self { inner, plan: Arc::default() })
    }

    /// Lets `passes` more operations of that kind on paths that contain `path_part` pass, makes the next one fail, and those after it pass
    /// again.
    pub fn fail_once(&self, operation: Operation, path_part: &str, passes: u32, fault: Fault) {
        self.rule(Rule { operation, path_part: path_part.to_owned(), passes, fault, once: true });
    }

    /// Makes every operation of that kind on paths that contain `path_part` fail until [`FaultMedium::heal`].
    pub fn fail_always(&self, operation: Operation, path_part: &str, fault: Fault) {
        self.rule(Rule { operation, path_part: path_part.to_owned(), passes: 0, fault, once: false });
    }

    /// Lets `changes` more operations that change anything pass; from then on everything fails, as for a process whose machine has lost its
    /// power.
    pub fn cut_power_after(&self, changes: u64) {
        lock(&self.plan).power = Some(changes);
    }

    /// Whether the power has failed.
    #[must_use]
    pub fn is_dark(&self) -> bool {
        lock(&self.plan).power == Some(0)
    }

    /// Ends all faults.
    pub fn heal(&self) {
        let mut plan = lock(&self.plan);
        plan.rules.clear();
        plan.power = None;
    }

    /// How often that operation was asked for.
    #[must_use]
    pub fn count(&self, operation: Operation) -> u64 {
        lock(&self.plan).counts.iter().find(|(counted, _)| *counted == operation).map_or(0, |(_, count)| *count)
    }

    fn rule(&self, rule: Rule) {
        lock(&self.plan).rules.push(rule);
    }

    fn wrap(&self, path: &Path, file: Arc<dyn MediumFile>) -> Arc<dyn MediumFile> {
        Arc::new(FaultFile { inner: file, path: path.to_owned(), plan: Arc::clone(&self.plan) })
    }

    fn admit(&self, operation: Operation, path: &Path) -> io::Result<()> {
        refuse(draw(&self.plan, operation, path))
    }
}

fn lock(plan: &Mutex<Plan>) -> MutexGuard<'_, Plan> {
    plan.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts one operation and returns the fault it meets.
fn draw(plan: &Mutex<Plan>, operation: Operation, path: &Path) -> Option<Fault> {
    let mut plan = lock(plan);
    match plan.counts.iter_mut().find(|(counted, _)| *counted == operation) {
        Some((_, count)) => *count += 1,
        None => plan.counts.push((operation, 1)),
    }
    match &mut plan.power {
        Some(0) => return Some(Fault::Error(io::ErrorKind::BrokenPipe)),
        Some(left) if !matches!(operation, Operation::Read | Operation::Open) => *left -= 1,
        _ => {}
    }
    let text = path.to_string_lossy();
    let concerns = |rule: &Rule| rule.operation == operation && text.contains(&rule.path_part);
    let index = plan.rules.iter().position(concerns)?;
    let rule = plan.rules.get_mut(index)?;
    if rule.passes > 0 {
        rule.passes -= 1;
        return None;
    }
    let fault = rule.fault;
    if rule.once {
        plan.rules.remove(index);
    }
    Some(fault)
}

fn refuse(fault: Option<Fault>) -> io::Result<()> {
    match fault {
        Some(Fault::Error(error) | Fault::Short { error, .. }) => Err(error.into()),
        Some(Fault::Flip { .. }) | None => Ok(()),
    }
}

impl Medium for FaultMedium {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn MediumFile>> {
        self.admit(Operation::Create, path)?;
        Ok(self.wrap(path, self.inner.create(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn MediumFile>> {
        self.admit(Operation::Open, path)?;
        Ok(self.wrap(path, self.inner.open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.admit(Operation::Rename, to)?;
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.admit(Operation::Remove, path)?;
        self.inner.remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        self.inner.list(dir)
    }

    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.inner.create_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.admit(Operation::SyncDir, dir)?;
        self.inner.sync_dir(dir)
    }
}

#[derive(Debug)]
struct FaultFile {
    inner: Arc<dyn MediumFile>,
    path: PathBuf,
    plan: Arc<Mutex<Plan>>,
}

impl FaultFile {
    fn draw(&self, operation: Operation) -> Option<Fault> {
        draw(&self.plan, operation, &self.path)
    }
}

impl MediumFile for FaultFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let fault = self.draw(Operation::Read);
        refuse(fault)?;
        let count = self.inner.read_at(buffer, offset)?;
        if let Some(Fault::Flip { at }) = fault
            && let Some(byte) = buffer.get_mut(at)
        {
            *byte = !*byte;
        }
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match self.draw(Operation::Write) {
            Some(Fault::Short { bytes: count, error }) => {
                self.inner.write_at(bytes.get(..count).unwrap_or(bytes), offset)?;
                Err(error.into())
            }
            fault => {
                refuse(fault)?;
                self.inner.write_at(bytes, offset)
            }
        }
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        refuse(self.draw(Operation::SetLength))?;
        self.inner.set_len(bytes)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        refuse(self.draw(Operation::Allocate))?;
        self.inner.allocate(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        refuse(self.draw(Operation::Sync))?;
        self.inner.sync()
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }
}
