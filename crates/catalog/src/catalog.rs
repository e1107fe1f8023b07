//! The handle everybody holds: readers, the way to the writer, figures, and the end.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use waymark_ident::CaseRule;
use waymark_store::{Serial, StateError, Store, Timestamp};

use crate::access::Access;
use crate::audit::{Announcement, AuditHead, AuditKey, Checkpoint, Journal, KeyError, Refusals};
use crate::business::{Business, CodeTables};
use crate::cold::ColdReader;
use crate::config::{AuditOptions, RecordLimits};
use crate::forming::Tables;
use crate::locate::Locator;
use crate::prefixes::Prefixes;
use crate::queue::{Queue, SubmitError, WriteError, WriterHandle};
use crate::range::Ranges;
use crate::reader::Reader;
use crate::startup::{self, Loaded, OpenError, Options, Recovery, Warm};
use crate::template::load::LoadedTemplates;
use crate::template::widened::Widened;
use crate::template::{self, Templates};
use crate::usage::{Day, Usage};
use crate::vault::Vault;
use crate::verdict::{Desk, VerdictOptions};
use crate::writer::{Clock, Counters, Parts, Stopped, Writer};

/// An open catalog and what opening it found.
#[derive(Debug)]
pub struct Opened {
    /// The catalog.
    pub catalog: Catalog,
    /// What was found and done.
    pub recovery: Recovery,
}

/// Opens the catalog in a data folder: the store, everything kept in memory, and the writer.
///
/// # Errors
/// See [`OpenError`]. Nothing of what is stored was changed, except that derived files may have been made anew.
pub fn open(options: &Options) -> Result<Opened, OpenError> {
    let (store, found) = waymark_store::open(&options.store)?;
    open_over(store, found, options)
}

/// Opens a catalog over a store that is already open; `options.store` is not looked at.
///
/// # Errors
/// As [`open`].
pub fn open_over(
    store: Arc<dyn Store>,
    found: waymark_store::Recovery,
    options: &Options,
) -> Result<Opened, OpenError> {
    startup::settle_case_rule(store.as_ref(), options)?;
    let LoadedTemplates { templates, unreadable } = template::load::load(store.as_ref())?;
    let found = startup::Found { store: found, templates: templates.len(), unreadable_templates: unreadable };
    let templates = Arc::new(ArcSwap::from_pointee(templates));
    // From here on nothing meets a record that is not whole.
    let store: Arc<dyn Store> = Arc::new(Widened::new(store, Arc::clone(&templates)));
    let Loaded {
        index,
        shared,
        prefixes,
        access,
        ranges,
        business,
        vault,
        usage,
        audit,
        requests,
        deletions,
        recovery,
    } = startup::load(&store, found, options)?;
    let queue = Arc::new(Queue::new(options.writer, Refusals::new(options.audit, options.clock)));
    let prefixes = Arc::new(ArcSwap::from_pointee(prefixes));
    let access = Arc::new(ArcSwap::from_pointee(access));
    let ranges = Arc::new(ArcSwap::new(ranges));
    let business = Arc::new(ArcSwap::from_pointee(business));
    let usage = Arc::new(usage);
    let visible = Arc::new(AtomicU64::new(store.last().serial.0));
    let (serials, published) = watch::channel(store.last().serial);
    let (fed, fed_upto) = watch::channel(store.state().applied());
    let counters = Arc::new(Counters::default());
    let journal = Journal::new(store.identity().store_id, options.audit, audit);
    let audit = journal.shared_head();
    let parts = Parts {
        store: Arc::clone(&store),
        index,
        queue: Arc::clone(&queue),
        prefixes: Arc::clone(&prefixes),
        access: Arc::clone(&access),
        ranges: Arc::clone(&ranges),
        templates: Arc::clone(&templates),
        business: Arc::clone(&business),
        usage: Arc::clone(&usage),
        visible: Arc::clone(&visible),
        serials,
        fed,
        deletions,
        requests,
        counters: Arc::clone(&counters),
        journal,
        rule: options.case,
        limits: options.limits,
        access_limits: options.access,
        range_limits: options.ranges,
        business_limits: options.business,
        codes: Arc::clone(&options.codes),
        writer_limits: options.writer,
        clock: options.clock,
    };
    let writer = Writer::new(parts, shared.reader());
    let writer = std::thread::Builder::new()
        .name("waymark-writer".into())
        .spawn(move || writer.run())
        .map_err(OpenError::Thread)?;
    let warmer = match options.warm {
        Warm::Background => {
            startup::warm_in_background(Arc::clone(&store), options.resident_budget_bytes, Arc::clone(&queue))
                .map(Some)
                .map_err(OpenError::Thread)
        }
        Warm::BeforeOpen | Warm::Off => Ok(None),
    };
    let (warmer, refused) = match warmer {
        Ok(warmer) => (warmer, None),
        Err(error) => (None, Some(error)),
    };
    let threads = Mutex::new(Some(Threads { writer, warmer }));
    let (rule, limits, clock) = (options.case, options.limits, options.clock);
    let inner = Inner {
        store,
        shared,
        queue,
        prefixes,
        access,
        ranges,
        templates,
        business,
        vault,
        codes: Arc::clone(&options.codes),
        usage,
        audit,
        audit_options: options.audit,
        visible,
        published,
        fed: fed_upto,
        counters,
        rule,
        limits,
        clock,
        verdicts: Arc::new(options.verdicts.clone()),
        threads,
    };
    let catalog = Catalog { inner: Arc::new(inner) };
    // Dropping the catalog ends the writer in order.
    refused.map_or(Ok(Opened { catalog, recovery }), Err)
}

/// The node's own data. Cheap to clone; the last clone that is dropped shuts the catalog down.
#[derive(Clone)]
pub struct Catalog {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog").field("serial", &self.serial()).finish_non_exhaustive()
    }
}

struct Inner {
    store: Arc<dyn Store>,
    shared: waymark_index::Shared,
    queue: Arc<Queue>,
    prefixes: Arc<ArcSwap<Prefixes>>,
    access: Arc<ArcSwap<Access>>,
    ranges: Arc<ArcSwap<Ranges>>,
    templates: Arc<ArcSwap<Templates>>,
    business: Arc<ArcSwap<Business>>,
    vault: Option<Arc<Vault>>,
    codes: Arc<CodeTables>,
    usage: Arc<Usage>,
    audit: Arc<ArcSwap<AuditHead>>,
    audit_options: AuditOptions,
    visible: Arc<AtomicU64>,
    published: watch::Receiver<Serial>,
    fed: watch::Receiver<Serial>,
    counters: Arc<Counters>,
    rule: CaseRule,
    limits: RecordLimits,
    clock: Clock,
    verdicts: Arc<VerdictOptions>,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    writer: JoinHandle<io::Result<()>>,
    warmer: Option<JoinHandle<()>>,
}

impl Catalog {
    /// A way to records for one answering thread.
    #[must_use]
    pub fn reader(&self) -> Reader {
        let Inner { shared, prefixes, ranges, visible, rule, .. } = &*self.inner;
        Reader::new(shared.reader(), Arc::clone(prefixes), Arc::clone(ranges), Arc::clone(visible), *rule)
    }

    /// The way to the writer.
    #[must_use]
    pub fn writer(&self) -> WriterHandle {
        WriterHandle::new(Arc::clone(&self.inner.queue))
    }

    /// A way to records on disk for one thread that may wait.
    #[must_use]
    pub fn cold(&self) -> ColdReader {
        let Inner { store, shared, visible, rule, .. } = &*self.inner;
        ColdReader::new(Arc::clone(store), shared.reader(), Arc::clone(visible), *rule)
    }

    /// The prefixes as they are now. For reports; answering threads see them through their [`Reader`].
    #[must_use]
    pub fn prefixes(&self) -> Arc<Prefixes> {
        self.inner.prefixes.load_full()
    }

    /// Who may do what, as it is now.
    #[must_use]
    pub fn access(&self) -> Arc<Access> {
        self.inner.access.load_full()
    }

    /// The code packages as they are now.
    #[must_use]
    pub fn ranges(&self) -> Arc<Ranges> {
        self.inner.ranges.load_full()
    }

    /// The templates as they are now.
    #[must_use]
    pub fn templates(&self) -> Arc<Templates> {
        self.inner.templates.load_full()
    }

    /// The enterprises and cases as they are now.
    #[must_use]
    pub fn business(&self) -> Arc<Business> {
        self.inner.business.load_full()
    }

    /// The keys of personal data, where there is a file for them.
    #[must_use]
    pub fn vault(&self) -> Option<&Arc<Vault>> {
        self.inner.vault.as_ref()
    }

    /// The codes enterprises are held to.
    #[must_use]
    pub fn codes(&self) -> Arc<CodeTables> {
        Arc::clone(&self.inner.codes)
    }

    /// The tables decisions rest on.
    pub(crate) fn tables(&self) -> Tables {
        Tables {
            prefixes: self.prefixes(),
            access: self.access(),
            ranges: self.ranges(),
            templates: self.templates(),
            business: self.business(),
        }
    }

    /// Where verdicts are asked for, as of now.
    pub fn desk<'c>(&self, cold: &'c mut ColdReader) -> Desk<'c> {
        Desk {
            cold,
            prefixes: self.prefixes(),
            ranges: self.ranges(),
            templates: self.templates(),
            options: Arc::clone(&self.inner.verdicts),
            rule: self.inner.rule,
            now: self.now(),
        }
    }

    /// The end of the audit's chain.
    #[must_use]
    pub fn audit_head(&self) -> AuditHead {
        **self.inner.audit.load()
    }

    /// What a principal has written today, in records, a day being one of China Standard Time.
    #[must_use]
    pub fn usage(&self, principal: &str) -> u64 {
        self.inner.usage.on(Day::of(self.now()), principal)
    }

    /// The time the writer would commit at now: that of its clock, unless the store is ahead of it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.inner.clock)().max(self.inner.store.last().time)
    }

    /// How the audit is kept.
    pub(crate) fn audit_options(&self) -> AuditOptions {
        self.inner.audit_options
    }

    /// Has the writer tell of a pruning; it is durable on return.
    pub(crate) fn announce_pruning(&self, upto: Serial, before: Timestamp) -> Result<(), WriteError> {
        let (answer, outcome) = mpsc::sync_channel(1);
        let pushed = self.inner.queue.push_announcement(Announcement { upto, before, answer });
        pushed.map_err(|_: SubmitError| WriteError::Stopped)?;
        outcome.recv().unwrap_or(Err(WriteError::Stopped))
    }

    /// The end of the audit's chain, signed; `None` while there is no note.
    ///
    /// # Errors
    /// The key cannot be used.
    pub fn checkpoint(&self, key: &AuditKey) -> Result<Option<Checkpoint>, KeyError> {
        let head = self.audit_head();
        let store = self.store().identity().store_id;
        (head.note > 0).then(|| Checkpoint::sign(store, head, key)).transpose()
    }

    /// How handles fold.
    #[must_use]
    pub fn case_rule(&self) -> CaseRule {
        self.inner.rule
    }

    /// Everything up to this serial is visible to readers.
    #[must_use]
    pub fn serial(&self) -> Serial {
        Serial(self.inner.visible.load(Ordering::Acquire))
    }

    /// Tells whenever [`serial`](Self::serial) grows; ends when the catalog takes no more writes. Holds the serial of this moment, and the
    /// first wait may be over at once.
    #[must_use]
    pub fn serials(&self) -> watch::Receiver<Serial> {
        self.inner.published.clone()
    }

    /// Tells up to where the small state is fed: what is counted, and who links to whom. It follows [`serial`](Self::serial) closely and waits for
    /// nobody; while the disk refuses it stays behind.
    #[must_use]
    pub fn fed(&self) -> watch::Receiver<Serial> {
        self.inner.fed.clone()
    }

    /// The store beneath. Records made from templates are whole in it.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// The limits records are held to when they are written.
    #[must_use]
    pub fn record_limits(&self) -> RecordLimits {
        self.inner.limits
    }

    /// A way from keys to entries, for deciding without the writer.
    pub(crate) fn locator(&self) -> Locator {
        Locator::new(Arc::clone(&self.inner.store), self.inner.shared.reader())
    }

    /// Whether writes are taken, and why not.
    #[must_use]
    pub fn health(&self) -> Health {
        let reason = match (self.inner.counters.stopped(), self.inner.store.health()) {
            (Some(Stopped::Poisoned), _) | (None, waymark_store::Health::Poisoned) => Some(NotWritable::Poisoned),
            (Some(Stopped::IndexFull), _) => Some(NotWritable::IndexFull),
            (None, waymark_store::Health::DiskFull) => Some(NotWritable::DiskFull),
            (None, _) => None,
        };
        Health { writable: reason.is_none(), reason }
    }

    /// Figures of this moment. Cheap enough for a scrape.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let counters = &self.inner.counters;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (queued_submissions, queued_bytes) = self.inner.queue.waiting();
        Statistics {
            serial: self.serial(),
            index: self.inner.shared.statistics(),
            store: self.inner.store.statistics(),
            prefixes: self.inner.prefixes.load().len(),
            ranges: self.inner.ranges.load().len(),
            templates: self.inner.templates.load().len(),
            enterprises: self.inner.business.load().enterprise_count(),
            cases: self.inner.business.load().case_count(),
            queued_submissions,
            queued_bytes,
            groups_total: count(&counters.groups),
            entries_total: count(&counters.entries),
            refused_total: count(&counters.refused),
            failed_groups_total: count(&counters.failed_groups),
            state_failures_total: count(&counters.state_failures),
        }
    }

    /// Writes the index snapshot now, between two groups, so that the next start need not scan all keys.
    ///
    /// # Errors
    /// A refusing disk, or a catalog that is shutting down.
    pub fn rebuild_snapshot(&self) -> Result<(), SnapshotWriteError> {
        let answer = self.inner.queue.push_snapshot().map_err(|_: SubmitError| SnapshotWriteError::Stopped)?;
        answer.recv().map_err(|_| SnapshotWriteError::Stopped)?.map_err(SnapshotWriteError::Io)
    }

    /// Ends the catalog: takes no more commands, carries out those queued, writes the index snapshot, closes the store.
    /// Readers keep working on what was there. A second call does nothing.
    ///
    /// # Errors
    /// See [`ShutdownError`]. Nothing that was acknowledged is touched by it: the next start takes longer.
    pub fn shutdown(&self) -> Result<(), ShutdownError> {
        self.inner.shutdown()
    }
}

impl Inner {
    fn shutdown(&self) -> Result<(), ShutdownError> {
        self.queue.close();
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Threads { writer, warmer }) = threads else { return Ok(()) };
        // Warming changes nothing but memory, so a panic in it is of no consequence here.
        drop(warmer.map(JoinHandle::join));
        let snapshot = writer.join();
        let closed = self.store.close().map_err(ShutdownError::State);
        snapshot.map_err(|_| ShutdownError::WriterPanicked)?.map_err(ShutdownError::Snapshot)?;
        closed
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Who wants to know how it went calls `shutdown`.
        let _ = self.shutdown();
    }
}

/// Whether the catalog takes writes. Reads go on in every state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// A write has a chance.
    pub writable: bool,
    /// Why it has none.
    pub reason: Option<NotWritable>,
}

/// Why writes fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotWritable {
    /// The last group found no room on the disk. The next one tries again.
    DiskFull,
    /// A flush failed; writing has stopped until the node is started anew.
    Poisoned,
    /// The index holds no more entries; writing has stopped until the node is started anew.
    IndexFull,
}

/// Figures of a catalog.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Statistics {
    /// Everything up to this serial is visible.
    pub serial: Serial,
    /// Figures of the index.
    pub index: waymark_index::Statistics,
    /// Figures of the store.
    pub store: waymark_store::Statistics,
    /// Homed prefixes and markers.
    pub prefixes: usize,
    /// Code packages.
    pub ranges: usize,
    /// Templates, drafts too.
    pub templates: usize,
    /// Enterprises.
    pub enterprises: usize,
    /// Cases of prefixes, those that are over too.
    pub cases: usize,
    /// Submissions that wait for the writer.
    pub queued_submissions: usize,
    /// Bytes of those.
    pub queued_bytes: usize,
    /// Groups committed since the start.
    pub groups_total: u64,
    /// Entries committed since the start.
    pub entries_total: u64,
    /// Commands refused since the start.
    pub refused_total: u64,
    /// Groups that were not committed since the start.
    pub failed_groups_total: u64,
    /// Times the small state could not be fed since the start.
    pub state_failures_total: u64,
}

/// Why the index snapshot was not written on demand.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotWriteError {
    /// The disk refused.
    #[error("the index snapshot could not be written")]
    Io(#[source] io::Error),
    /// The catalog is shutting down, which writes one anyway.
    #[error("the catalog is shutting down")]
    Stopped,
}

/// What went wrong at the end of a catalog.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShutdownError {
    /// The index snapshot could not be written; the next start scans all keys.
    #[error("the index snapshot could not be written")]
    Snapshot(#[source] io::Error),
    /// The small state could not be flushed; the next start feeds it again.
    #[error("the small state could not be flushed")]
    State(#[source] StateError),
    /// The writer ended by a panic, which is a defect of this program.
    #[error("the writer has panicked")]
    WriterPanicked,
}
