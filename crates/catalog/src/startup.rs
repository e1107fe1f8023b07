//! Opening: the store, the case rule, the homed prefixes, the index, the small state; then warming.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use waymark_ident::CaseRule;
use waymark_index::{Full, HashKey};
use waymark_store::{
    CommitError, EntryKind, FollowError, Group, KeyRecord, Place, ReadError, Serial, StateError, Store, Timestamp,
};

use self::feeding::{ToldBy, feed_state, load_from_state};
use crate::access::load::LoadedAccess;
use crate::access::{self, Access, AccessLoadError};
use crate::audit::{AuditHead, HeadError, find_head};
use crate::business::load::LoadedBusiness;
use crate::business::{self, Business, BusinessLoadError, CodeTables, Owner};
use crate::config::{
    AccessLimits, AuditOptions, BusinessLimits, RangeLimits, RecordLimits, RequestLimits, WARM_CHUNK, WriterLimits,
};
use crate::deletions::Deletions;
use crate::locate::candidates;
use crate::prefixes::Prefixes;
use crate::queue::{Queue, WarmRecord};
use crate::range::load::LoadedRanges;
use crate::range::{self, RangeLoadError, Ranges};
use crate::requests::Requests;
use crate::reserved::{ReservedKey, case_rule_body, is_reserved, parse_case_rule_body};
use crate::snapshot::{self, SnapshotError};
use crate::template::TemplateLoadError;
use crate::usage::Usage;
use crate::vault::{Sealed, Vault, VaultError};
use crate::verdict::VerdictOptions;
use crate::writer::{Clock, index_place};

mod feeding;

/// How to open a catalog.
#[derive(Clone, Debug)]
pub struct Options {
    /// The store beneath.
    pub store: waymark_store::Options,
    /// How handles fold. Fixed by the first opening of a store; another rule is refused later.
    pub case: CaseRule,
    /// Memory for resident records in bytes, see [`waymark_index::RESIDENT_BUDGET_BYTES`].
    pub resident_budget_bytes: u64,
    /// Identifiers the index is laid out for at once, see [`waymark_index::EXPECTED_ENTRIES`].
    pub expected_entries: u64,
    /// Identifiers the index may hold, a few more included; `u64::MAX` for as many as there is memory for. A store that holds more is not opened.
    pub most_entries: u64,
    /// Limits on what is written.
    pub limits: RecordLimits,
    /// Limits on principals and tokens.
    pub access: AccessLimits,
    /// Limits on code packages.
    pub ranges: RangeLimits,
    /// Limits on enterprises and cases of prefixes.
    pub business: BusinessLimits,
    /// The codes enterprises are held to.
    pub codes: Arc<CodeTables>,
    /// The file of the keys of personal data; without one such data is not taken.
    pub personal_keys: Option<PathBuf>,
    /// Limits of the writer.
    pub writer: WriterLimits,
    /// How the audit is kept.
    pub audit: AuditOptions,
    /// How many request ids are remembered, and how long.
    pub requests: RequestLimits,
    /// How verdicts are come to.
    pub verdicts: VerdictOptions,
    /// When records are read into memory after a start.
    pub warm: Warm,
    /// Where the writer takes the time from.
    pub clock: Clock,
}

impl Options {
    /// Defaults over a store; the time of the machine.
    #[must_use]
    pub fn new(store: waymark_store::Options) -> Self {
        Self {
            store,
            case: CaseRule::Insensitive,
            resident_budget_bytes: waymark_index::RESIDENT_BUDGET_BYTES.default,
            expected_entries: waymark_index::EXPECTED_ENTRIES.default,
            most_entries: u64::MAX,
            limits: RecordLimits::DEFAULT,
            access: AccessLimits::DEFAULT,
            ranges: RangeLimits::DEFAULT,
            business: BusinessLimits::DEFAULT,
            codes: Arc::new(CodeTables::shipped()),
            personal_keys: None,
            writer: WriterLimits::DEFAULT,
            audit: AuditOptions::DEFAULT,
            requests: RequestLimits::DEFAULT,
            verdicts: VerdictOptions::default(),
            warm: Warm::Background,
            clock: machine_time,
        }
    }
}

/// When records are read into memory after a start. Until then they are cold: answered from the disk, never "absent".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Warm {
    /// Meanwhile, by a thread, whenever the writer has nothing else to do.
    #[default]
    Background,
    /// Before opening returns.
    BeforeOpen,
    /// Not at all; what is written is resident, the rest stays cold.
    Off,
}

/// The time of the machine, in milliseconds since 1970.
#[must_use]
pub fn machine_time() -> Timestamp {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one clock of the writer, a driver; everything else is given the time"
    )]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// What opening found and did.
#[derive(Debug, Default)]
pub struct Recovery {
    /// What the store found.
    pub store: waymark_store::Recovery,
    /// Serial of the index snapshot that was loaded; `None` when all keys were scanned.
    pub snapshot: Option<Serial>,
    /// Why a snapshot that was there was not used.
    pub snapshot_problem: Option<SnapshotError>,
    /// Identifiers in the index.
    pub entries: u64,
    /// Homed prefixes and markers.
    pub prefixes: usize,
    /// Principals, disabled ones too.
    pub principals: usize,
    /// Principals and tokens whose entries cannot be read; they have no rights until they are written anew.
    pub unreadable_access: Vec<String>,
    /// Code packages.
    pub ranges: usize,
    /// Code packages that cannot be read, or something known of them: their codes are not resolved.
    pub unreadable_ranges: Vec<String>,
    /// Templates, drafts too.
    pub templates: usize,
    /// Templates that cannot be read: nor can what was made from them.
    pub unreadable_templates: Vec<String>,
    /// Enterprises.
    pub enterprises: usize,
    /// Enterprises, cases of prefixes and applications that cannot be read, and `node` for its own record: they are left out until they are written
    /// anew.
    pub unreadable_business: Vec<String>,
    /// Enterprises, and `node`, whose personal data cannot be opened, since the key file has no key for it.
    pub without_keys: Vec<String>,
    /// Serials the small state was brought up by.
    pub state_fed: u64,
    /// The small state was made anew, since it was lost, damaged, or lacked entries that cannot be read.
    pub state_rebuilt: bool,
}

/// Why a catalog was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The store could not be opened.
    #[error(transparent)]
    Store(#[from] waymark_store::OpenError),
    /// The keys of the store cannot be read. Remake the derived files with `waymark store rebuild`.
    #[error("keys cannot be read; waymark store rebuild remakes them from the log")]
    Keys(#[from] ReadError),
    /// The keys of the store were made by another case rule.
    #[error("the store folds handles as {stored:?}, the configuration says {wanted:?}")]
    CaseRule {
        /// The rule of the store.
        stored: CaseRule,
        /// The rule asked for.
        wanted: CaseRule,
    },
    /// The store was written by another version of this program.
    #[error("the case rule of the store is in a form this program does not know")]
    UnknownForm,
    /// The principals and tokens could not be loaded.
    #[error(transparent)]
    Access(#[from] AccessLoadError),
    /// The code packages could not be loaded.
    #[error(transparent)]
    Ranges(#[from] RangeLoadError),
    /// The templates could not be loaded.
    #[error(transparent)]
    Templates(#[from] TemplateLoadError),
    /// The enterprises or cases of prefixes could not be loaded.
    #[error(transparent)]
    Business(#[from] BusinessLoadError),
    /// The keys of personal data cannot be used.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A new store could not be begun.
    #[error("the new store could not be written to")]
    Begin(#[source] CommitError),
    /// The index cannot hold the identifiers.
    #[error("the identifiers do not fit into memory")]
    Index(#[from] Full),
    /// The end of the audit's chain cannot be found.
    #[error("the audit cannot be gone on with")]
    Audit(#[from] HeadError),
    /// The small state cannot be used, and could not be made anew either.
    #[error("the small state cannot be made anew; waymark store rebuild does it from nothing")]
    State(#[source] StateError),
    /// The system refused a thread.
    #[error("no thread for the writer")]
    Thread(#[source] std::io::Error),
}

/// What opening brings up, before any thread runs.
pub(crate) struct Loaded {
    pub(crate) index: waymark_index::Writer,
    pub(crate) shared: waymark_index::Shared,
    pub(crate) prefixes: Prefixes,
    pub(crate) access: Access,
    pub(crate) ranges: Arc<Ranges>,
    pub(crate) business: Business,
    pub(crate) vault: Option<Arc<Vault>>,
    pub(crate) usage: Usage,
    pub(crate) audit: AuditHead,
    pub(crate) requests: Requests,
    pub(crate) deletions: Deletions,
    pub(crate) recovery: Recovery,
}

/// What was found before anything else is loaded.
pub(crate) struct Found {
    pub(crate) store: waymark_store::Recovery,
    pub(crate) templates: usize,
    pub(crate) unreadable_templates: Vec<String>,
}

/// Loads everything a catalog keeps in memory but the templates, which give records out whole.
pub(crate) fn load(store: &Arc<dyn Store>, found: Found, options: &Options) -> Result<Loaded, OpenError> {
    let Found { store: found, templates, unreadable_templates } = found;
    let mut recovery = Recovery { store: found, templates, unreadable_templates, ..Recovery::default() };
    let prefixes = load_prefixes(store.as_ref())?;
    recovery.prefixes = prefixes.len();
    let LoadedAccess { access, unreadable } = access::load::load(store.as_ref())?;
    (recovery.principals, recovery.unreadable_access) = (access.count(), unreadable);
    let LoadedRanges { ranges, unreadable } = range::load::load(store.as_ref())?;
    (recovery.ranges, recovery.unreadable_ranges) = (ranges.len(), unreadable);
    let LoadedBusiness { business, unreadable } = business::load::load(store.as_ref())?;
    (recovery.enterprises, recovery.unreadable_business) = (business.enterprise_count(), unreadable);
    let vault = options.personal_keys.as_deref().map(Vault::open).transpose()?.map(Arc::new);
    let has_key = |sealed: &Sealed| vault.as_ref().is_some_and(|vault| vault.has(&sealed.subject));
    let lost = business.enterprises().filter(|each| each.personal.as_ref().is_some_and(|sealed| !has_key(sealed)));
    recovery.without_keys = lost.map(|each| each.id.to_string()).collect();
    let own = business.operator().and_then(|record| record.personal.as_ref());
    if own.is_some_and(|sealed| !has_key(sealed)) {
        recovery.without_keys.push(Owner::Node.to_string());
    }
    let audit = find_head(store.as_ref())?;
    let (mut index, shared, deletions) = load_index(store, options, &mut recovery)?;
    recovery.entries = shared.statistics().entries;
    let ranges = Arc::new(ranges);
    let told_by = ToldBy { ranges: &ranges, rule: options.case };
    feed_state(store.as_ref(), &options.requests, told_by, &mut recovery)?;
    let (usage, requests) = load_from_state(store.as_ref(), options.requests, told_by, &mut recovery)?;
    if options.warm == Warm::BeforeOpen {
        let hash_key = shared.hash_key().clone();
        warm(store.as_ref(), options.resident_budget_bytes, |records| {
            for record in &records {
                if let Some(place) = index_place(record.place) {
                    index.warm(hash_key.key(&record.key), &record.body, place);
                }
            }
            true
        });
    }
    Ok(Loaded { index, shared, prefixes, access, ranges, business, vault, usage, audit, requests, deletions, recovery })
}

/// Writes the case rule into a store that has none, and refuses a store that has another.
pub(crate) fn settle_case_rule(store: &dyn Store, options: &Options) -> Result<(), OpenError> {
    let key = ReservedKey::CaseRule.to_bytes();
    let Some(place) = store.find(&key)? else {
        let mut group = Group::new();
        let body = case_rule_body(options.case);
        // Cannot fail: the group is empty and the entry a few bytes.
        let _ = group.push(EntryKind::PUT, &key, b"node", Serial::NONE, &body);
        store.commit((options.clock)(), &group).map_err(OpenError::Begin)?;
        return Ok(());
    };
    let mut buffer = Vec::new();
    let stored = parse_case_rule_body(store.read(place, &mut buffer)?.body).ok_or(OpenError::UnknownForm)?;
    if stored == options.case { Ok(()) } else { Err(OpenError::CaseRule { stored, wanted: options.case }) }
}

/// Reads the homed prefixes: reserved keys come first in key order, and the keys alone say it all.
fn load_prefixes(store: &dyn Store) -> Result<Prefixes, ReadError> {
    let mut prefixes = Prefixes::default();
    store.scan_latest(Serial::NONE, &mut |entry| {
        if !is_reserved(entry.key) {
            return ControlFlow::Break(());
        }
        if let (EntryKind::PUT, Some(ReservedKey::Home(name))) = (entry.kind, ReservedKey::parse(entry.key)) {
            prefixes.insert(name, entry.serial);
        }
        ControlFlow::Continue(())
    })?;
    Ok(prefixes)
}

/// Loads the index: the snapshot and the keys after it, or all keys.
fn load_index(
    store: &Arc<dyn Store>,
    options: &Options,
    recovery: &mut Recovery,
) -> Result<(waymark_index::Writer, waymark_index::Shared, Deletions), OpenError> {
    let make = || {
        let (mut index, shared) = waymark_index::new(waymark_index::Options {
            hash_key: HashKey::new(store.identity().hash_key),
            resident_budget_bytes: options.resident_budget_bytes,
            expected_entries: usize::try_from(options.expected_entries).unwrap_or(usize::MAX),
        });
        index.hold_at_most(options.most_entries);
        (index, shared)
    };
    let (mut index, shared) = make();
    match load_snapshot(store.as_ref(), &mut index) {
        Ok(Some((serial, mut deletions))) => {
            recovery.snapshot = Some(serial);
            load_keys(store, serial, &mut index, &shared, &mut deletions)?;
            return Ok((index, shared, deletions));
        }
        Ok(None) => {}
        Err(problem) => {
            // A snapshot ahead of a log that was cut would look sound again once the log has grown past it. One that cannot
            // be removed cannot be damaged further either: the next start meets the same problem.
            drop(store.blobs().remove(snapshot::NAME));
            recovery.snapshot_problem = Some(problem);
        }
    }
    // A snapshot that failed half-way left entries behind.
    let (mut index, shared) = make();
    let mut deletions = Deletions::none();
    load_keys(store, Serial::NONE, &mut index, &shared, &mut deletions)?;
    Ok((index, shared, deletions))
}

/// Loads the snapshot and the deletions that belong to it; one without the other is of no use.
fn load_snapshot(
    store: &dyn Store,
    index: &mut waymark_index::Writer,
) -> Result<Option<(Serial, Deletions)>, SnapshotError> {
    let Some(serial) = snapshot::load(store.blobs(), index, store.last().serial)? else { return Ok(None) };
    Ok(Deletions::load(store.blobs(), serial)?.map(|deletions| (serial, deletions)))
}

/// Takes the latest entry of every key written after `since` into the index, or into the deletions.
fn load_keys(
    store: &Arc<dyn Store>,
    since: Serial,
    index: &mut waymark_index::Writer,
    shared: &waymark_index::Shared,
    deletions: &mut Deletions,
) -> Result<(), OpenError> {
    let mut former =
        Former { store: Arc::clone(store), reader: shared.reader(), buffer: Vec::new(), places: Vec::new() };
    let hash_key = shared.hash_key().clone();
    let mut full = None;
    let mut failed = None;
    store.scan_latest(since, &mut |entry| {
        if is_reserved(entry.key) {
            return ControlFlow::Continue(());
        }
        let key = hash_key.key(entry.key);
        if entry.kind == EntryKind::DELETE {
            deletions.note(key.hash);
        }
        if since.is_some() {
            match former.place(key) {
                Ok(Some(place)) => {
                    index.remove(key.hash, place);
                }
                Ok(None) => {}
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            }
        }
        match put_cold(index, key.hash, entry) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                full = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    full.map_or(Ok(()), |error| Err(error.into()))
}

fn put_cold(index: &mut waymark_index::Writer, hash: u64, entry: &KeyRecord<'_>) -> Result<(), Full> {
    match index_place(entry.place) {
        Some(place) if entry.kind == EntryKind::PUT => index.put_cold(hash, place),
        _ => Ok(()),
    }
}

/// Finds where the snapshot has a key that was written again after it.
struct Former {
    store: Arc<dyn Store>,
    reader: waymark_index::Reader,
    buffer: Vec<u8>,
    places: Vec<Place>,
}

impl Former {
    /// The place of the entry of `key`. One that is damaged is taken for it: another key of the same 48 bits of hash is
    /// far less likely.
    fn place(&mut self, key: waymark_index::Key<'_>) -> Result<Option<waymark_index::Place>, ReadError> {
        if !candidates(&mut self.reader, key, &mut self.places) {
            return Ok(None);
        }
        for &place in &self.places {
            match self.store.read(place, &mut self.buffer) {
                Ok(entry) if entry.key == key.bytes => return Ok(index_place(place)),
                Ok(_) => {}
                Err(ReadError::Damaged { .. } | ReadError::NoSuchPlace(_)) => return Ok(index_place(place)),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// Reads the newest records that the budget has room for from the log, oldest of them first, and hands them out in
/// chunks until told to stop. What cannot be read is passed over and stays cold: it is reported when it is asked for.
pub(crate) fn warm(store: &dyn Store, budget_bytes: u64, mut hand_out: impl FnMut(Vec<WarmRecord>) -> bool) {
    let mut chunk = Vec::with_capacity(WARM_CHUNK);
    let mut wanted = true;
    let mut from = warm_start(store, budget_bytes);
    loop {
        let outcome = store.follow(from, &mut |entry| {
            if entry.kind == EntryKind::PUT && !is_reserved(entry.key) {
                chunk.push(WarmRecord { key: entry.key.to_vec(), body: entry.body.to_vec(), place: entry.place });
            }
            if chunk.len() >= WARM_CHUNK {
                wanted = hand_out(std::mem::take(&mut chunk));
            }
            if wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        match outcome {
            Err(FollowError::Damaged { resume_after, .. }) if resume_after > from => from = resume_after,
            _ => break,
        }
    }
    if wanted && !chunk.is_empty() {
        hand_out(chunk);
    }
}

/// The serial after which the log holds about as many bytes as the budget.
fn warm_start(store: &dyn Store, budget_bytes: u64) -> Serial {
    let last = store.last().serial.0;
    let mean_bytes = (store.statistics().log_bytes / last.max(1)).max(1);
    Serial(last.saturating_sub(budget_bytes / mean_bytes))
}

/// Warms from a thread, through the writer's queue.
pub(crate) fn warm_in_background(
    store: Arc<dyn Store>,
    budget_bytes: u64,
    queue: Arc<Queue>,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let body = move || warm(store.as_ref(), budget_bytes, |records| queue.push_warm(records));
    std::thread::Builder::new().name("waymark-warm".into()).spawn(body)
}
