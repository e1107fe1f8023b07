//! The one write path: what is acknowledged, what is refused, and in which order things become true.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex};

use common::*;
use waymark_catalog::{
    Actor, Catalog, Command, HomeName, Lookup, NotWritable, Outcome, PutMode, Receipt, Refusal, StreamStep, Submission,
    Warm, WriteError, open_over,
};
use waymark_ident::{Handle, MAX_KEY_BYTES};
use waymark_store::fault::{Fault, FaultMedium, MemoryMedium, Operation};
use waymark_store::{
    Blobs, CommitError, Committed, Entry, EntryKind, FollowError, Group, Health, Identity, KeyRecord, KeyVisitor,
    MemoryStore, Place, Position, ReadError, RedactError, Redacted, Replace, Serial, State, StateError, Statistics,
    Store, Timestamp,
};

/// A store whose commits wait at a gate, before and after they are durable.
#[derive(Debug)]
struct Gated {
    inner: MemoryStore,
    gate: Arc<Gate>,
}

/// Where a commit is: 0 not begun, 1 waiting before it, 2 allowed, 3 durable and waiting, 4 allowed to return.
#[derive(Debug, Default)]
struct Gate {
    at: Mutex<u8>,
    moved: Condvar,
}

impl Gate {
    /// Nobody waits any more.
    const OPEN: u8 = u8::MAX;

    fn move_to(&self, place: u8) {
        let mut at = self.at.lock().unwrap();
        if *at != Self::OPEN {
            *at = place;
        }
        drop(at);
        self.moved.notify_all();
    }

    fn wait_for(&self, place: u8) {
        let at = self.at.lock().unwrap();
        drop(self.moved.wait_while(at, |at| *at != place && *at != Self::OPEN).unwrap());
    }
}

/// Opens the gate when a test ends, so that one that fails does not wait for its own writer.
struct Opener(Arc<Gate>);

impl Drop for Opener {
    fn drop(&mut self) {
        self.0.move_to(Gate::OPEN);
    }
}

impl Store for Gated {
    fn identity(&self) -> &Identity {
        self.inner.identity()
    }
    fn commit(&self, now: Timestamp, group: &Group) -> Result<Committed, CommitError> {
        let ours = group.entries().any(|entry| entry.key.starts_with(b"88."));
        if !ours {
            return self.inner.commit(now, group);
        }
        self.gate.move_to(1);
        self.gate.wait_for(2);
        let committed = self.inner.commit(now, group);
        self.gate.move_to(3);
        self.gate.wait_for(4);
        committed
    }
    fn read<'b>(&self, place: Place, buffer: &'b mut Vec<u8>) -> Result<Entry<'b>, ReadError> {
        self.inner.read(place, buffer)
    }
    fn find(&self, key: &[u8]) -> Result<Option<Place>, ReadError> {
        self.inner.find(key)
    }
    fn scan_keys(&self, after: &[u8], prefix: &[u8], visit: &mut KeyVisitor<'_>) -> Result<(), ReadError> {
        self.inner.scan_keys(after, prefix, visit)
    }
    fn scan_latest(
        &self,
        since: Serial,
        visit: &mut dyn FnMut(&KeyRecord<'_>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        self.inner.scan_latest(since, visit)
    }
    fn follow(
        &self,
        after: Serial,
        visit: &mut dyn FnMut(&Entry<'_>) -> ControlFlow<()>,
    ) -> Result<Serial, FollowError> {
        self.inner.follow(after, visit)
    }
    fn read_serial<'b>(&self, serial: Serial, buffer: &'b mut Vec<u8>) -> Result<Option<Entry<'b>>, FollowError> {
        self.inner.read_serial(serial, buffer)
    }
    fn serial_at(&self, time: Timestamp) -> Result<Serial, FollowError> {
        self.inner.serial_at(time)
    }
    fn redact(&self, after: Serial, upto: Serial, replace: &mut Replace<'_>) -> Result<Redacted, RedactError> {
        self.inner.redact(after, upto, replace)
    }
    fn last(&self) -> Position {
        self.inner.last()
    }
    fn state(&self) -> &dyn State {
        self.inner.state()
    }
    fn blobs(&self) -> &Blobs {
        self.inner.blobs()
    }
    fn health(&self) -> Health {
        self.inner.health()
    }
    fn statistics(&self) -> Statistics {
        self.inner.statistics()
    }
    fn close(&self) -> Result<(), StateError> {
        self.inner.close()
    }
}

#[test]
fn nothing_is_visible_before_it_is_durable_or_acknowledged_before_it_is_visible() {
    let gate = Arc::new(Gate::default());
    let store = Arc::new(Gated { inner: MemoryStore::for_tests(), gate: Arc::clone(&gate) });
    let as_store: Arc<dyn Store> = store.clone();
    let options = options(std::path::Path::new("unused"), waymark_store::Engine::Log);
    let catalog = open_over(as_store, waymark_store::Recovery::default(), &options).unwrap().catalog;
    let _opener = Opener(Arc::clone(&gate));
    home(&catalog, "88.1");
    let before = catalog.serial();

    let (acknowledged, acknowledgement) = std::sync::mpsc::channel();
    let ticket = catalog.writer().submit(Submission::new(&Actor::operator(), vec![create("88.1/x", "u")])).unwrap();
    let waiter = std::thread::spawn(move || acknowledged.send(ticket.wait()).unwrap());

    gate.wait_for(1);
    // The writer is within this group, so it has fed the state with the one before.
    assert_eq!(store.state().applied(), before);
    assert_eq!(data(&catalog, "88.1/x"), None, "not durable, so not visible");
    assert!(acknowledgement.try_recv().is_err());
    gate.move_to(2);
    gate.wait_for(3);
    assert_eq!(store.last().serial, before.next().next(), "durable: the record and the note of the audit");
    assert_eq!(catalog.serial(), before);
    assert!(acknowledgement.try_recv().is_err(), "durable, not yet visible, so not acknowledged");
    assert_eq!(store.state().applied(), before, "the state is fed last");
    gate.move_to(4);
    let receipt = acknowledgement.recv().unwrap().unwrap()[0].clone().unwrap();
    assert_eq!(data(&catalog, "88.1/x").unwrap(), ["u"], "acknowledged, so visible");
    assert!(catalog.serial() >= receipt.serial);
    waiter.join().unwrap();
    catalog.shutdown().unwrap();
    assert_eq!(store.state().applied(), store.last().serial);
}

#[test]
fn commands_of_one_group_see_each_other() {
    for engine in ENGINES {
        let dir = tempfile::tempdir().unwrap();
        let catalog = open_at(dir.path(), engine).catalog;
        let results = try_write(
            &catalog,
            vec![
                create("88.1/a", "before its prefix"),
                Command::Home { name: HomeName::parse(b"88.1").unwrap() },
                create("88.1/a", "one"),
                add("88.1/A", 2, "two"),
                create("88.1/a", "again"),
                delete("88.1/a"),
                add("88.1/a", 3, "three"),
                create("88.1/a", "new"),
                create("88.1/b", "kept"),
                delete("88.1/b"),
                Command::Unhome { name: HomeName::parse(b"88.1").unwrap() },
                create("88.1/c", "after its prefix"),
                Command::Home { name: HomeName::parse(b"88.1").unwrap() },
            ],
        )
        .unwrap();
        let outcomes: Vec<Result<Outcome, &str>> = results
            .iter()
            .map(|result| result.as_ref().map(|receipt| receipt.outcome).map_err(|refusal| refusal.code().as_str()))
            .collect();
        let expected = [
            Err("not-served"),
            Ok(Outcome::Homed),
            Ok(Outcome::Created),
            Ok(Outcome::Changed),
            Err("already-exists-different"),
            Ok(Outcome::Deleted),
            Err("not-found"),
            Ok(Outcome::Created),
            Ok(Outcome::Created),
            Ok(Outcome::Deleted),
            Ok(Outcome::Unhomed),
            Err("not-served"),
            Ok(Outcome::Homed),
        ];
        assert_eq!(outcomes, expected);
        assert_eq!(data(&catalog, "88.1/a").unwrap(), ["new"]);
        assert_eq!(data(&catalog, "88.1/b"), None);
        assert_eq!(catalog.statistics().groups_total, 1);
        catalog.shutdown().unwrap();
        assert_eq!(count(&catalog, "88.1"), 1);
        drop(catalog);
        let catalog = open_at(dir.path(), engine).catalog;
        assert_eq!(data(&catalog, "88.1/a").unwrap(), ["new"]);
        assert_eq!(data(&catalog, "88.1/b"), None);
    }
}

#[test]
fn every_entry_names_the_one_before_it_through_a_deletion_too() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), waymark_store::Engine::Log).catalog;
    let home = home(&catalog, "88.1").serial.0;
    write(&catalog, vec![create("88.1/a", "1"), put("88.1/a", "2", PutMode::Replace)]);
    write(&catalog, vec![put("88.1/a", "3", PutMode::Replace), delete("88.1/a"), create("88.1/a", "4")]);
    let mut chain = Vec::new();
    catalog
        .store()
        .follow(Serial(home), &mut |entry| {
            if entry.kind == EntryKind::NOTE {
                return ControlFlow::Continue(());
            }
            assert_eq!((entry.key, entry.actor), (&b"88.1/A"[..], &b"operator"[..]));
            chain.push((entry.kind, entry.serial.0 - home, entry.previous.0.saturating_sub(home)));
            ControlFlow::Continue(())
        })
        .unwrap();
    let (put, delete) = (EntryKind::PUT, EntryKind::DELETE);
    // Each group ends with a note of the audit: serials 1, 4 and 8.
    assert_eq!(chain, [(put, 2, 0), (put, 3, 2), (put, 5, 3), (delete, 6, 5), (put, 7, 6)]);
}

#[test]
fn receipts_tell_serial_time_and_content() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), waymark_store::Engine::Log).catalog;
    home(&catalog, "88.1");
    let created = write(&catalog, vec![create("88.1/a", "u")])[0];
    let record = fetch(&catalog, "88.1/a").unwrap();
    assert_eq!((record.serial, record.time), (created.serial, created.time));
    assert_eq!(created.content, url("u").content());
    let stamp = record.stored().unwrap().values().unwrap().iter().next().unwrap().timestamp;
    assert_eq!(u64::from(stamp), created.time.0 / 1000, "values carry the time of their commit");
    let end = catalog.serial();
    let same = write(&catalog, vec![put("88.1/a", "u", PutMode::CreateOrSame)])[0];
    assert_eq!((same.outcome, same.serial, same.time), (Outcome::Same, created.serial, created.time));
    assert_eq!(catalog.serial(), end, "nothing was written");
}

#[test]
fn an_identity_without_rights_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), waymark_store::Engine::Log).catalog;
    home(&catalog, "88.1");
    let actor = Actor::identity("300:0.NA/88.1");
    let results =
        catalog.writer().submit(Submission::new(&actor, vec![create("88.1/a", "u")])).unwrap().wait().unwrap();
    assert_eq!(results, [Err(Refusal::NotPermitted)]);
    assert_eq!(data(&catalog, "88.1/a"), None);
    assert_eq!(catalog.statistics().refused_total, 1);
}

#[test]
fn reserved_keys_cannot_be_reached_by_handles() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = open_at(dir.path(), waymark_store::Engine::Log).catalog;
    home(&catalog, "88.1");
    assert_eq!(data(&catalog, "\0HP88.1/"), None);
    let results = try_write(&catalog, vec![create("\0HP88.1/", "u"), delete("\0HP88.1/x")]).unwrap();
    assert_eq!(results[0].as_ref().unwrap_err().code().as_str(), "invalid-handle");
    assert_eq!(results[1].as_ref().unwrap_err().code().as_str(), "not-served");
    assert!(dump(&catalog).is_empty(), "scans pass over them");
}

#[test]
fn a_full_disk_refuses_the_group_and_writing_resumes() {
    let medium = MemoryMedium::new();
    let catalog = open_medium(Arc::new(medium.clone())).catalog;
    home(&catalog, "88.1");
    write(&catalog, vec![create("88.1/a", "before")]);
    medium.set_room(Some(medium.used()));
    let big = "x".repeat(60_000);
    let mut refused = 0;
    for n in 0..4 {
        match try_write(&catalog, vec![create(&format!("88.1/big{n}"), &big)]) {
            Ok(_) => {}
            Err(WriteError::DiskFull) => {
                refused += 1;
                assert_eq!(data(&catalog, &format!("88.1/big{n}")), None, "refused, so not there");
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 0);
    assert_eq!(catalog.health().reason, Some(NotWritable::DiskFull));
    assert_eq!(data(&catalog, "88.1/a").unwrap(), ["before"], "reads go on");
    medium.set_room(None);
    write(&catalog, vec![create("88.1/after", "after")]);
    assert!(catalog.health().writable);
    drop(catalog);
    let catalog = open_after_loss(&medium).catalog;
    assert_eq!(data(&catalog, "88.1/after").unwrap(), ["after"]);
}

#[test]
fn a_failed_flush_stops_writing_for_good_and_reads_go_on() {
    let medium = MemoryMedium::new();
    let faults = FaultMedium::over(Arc::new(medium.clone()));
    let catalog = open_medium(faults.clone()).catalog;
    home(&catalog, "88.1");
    write(&catalog, vec![create("88.1/a", "before")]);
    faults.fail_once(Operation::Sync, "", 0, Fault::Error(io::ErrorKind::Other));
    let lost = try_write(&catalog, vec![create("88.1/b", "lost")]);
    assert!(matches!(lost, Err(WriteError::Poisoned)));
    assert_eq!(catalog.health().reason, Some(NotWritable::Poisoned));
    let after = try_write(&catalog, vec![create("88.1/c", "after")]);
    assert!(matches!(after, Err(WriteError::Poisoned)), "the disk works again, and nobody knows what it holds");
    assert_eq!(data(&catalog, "88.1/a").unwrap(), ["before"]);
    assert_eq!((data(&catalog, "88.1/b"), data(&catalog, "88.1/c")), (None, None));
    catalog.shutdown().unwrap();
    let again = open_after_loss(&medium).catalog;
    assert_eq!(data(&again, "88.1/a").unwrap(), ["before"]);
    assert_eq!(data(&again, "88.1/c"), None);
    write(&again, vec![create("88.1/c", "a new start may write")]);
}

#[test]
fn a_refused_write_fails_its_group_alone() {
    let medium = MemoryMedium::new();
    let faults = FaultMedium::over(Arc::new(medium));
    let catalog = open_medium(faults.clone()).catalog;
    home(&catalog, "88.1");
    faults.fail_once(Operation::Write, "", 0, Fault::Error(io::ErrorKind::TimedOut));
    let failed = step(&catalog, 0, 7, vec![create("88.1/a", "lost")]);
    assert!(matches!(failed, Err(WriteError::Io(_))), "{failed:?}");
    assert_eq!(data(&catalog, "88.1/a"), None);
    assert_eq!(catalog.cold().mark([1; 16]).unwrap(), None);
    assert_eq!(catalog.statistics().failed_groups_total, 1);
    step(&catalog, 0, 7, vec![create("88.1/a", "kept")]).unwrap();
    assert_eq!(catalog.cold().mark([1; 16]).unwrap(), Some(7));
    assert_eq!(data(&catalog, "88.1/a").unwrap(), ["kept"]);
}

#[test]
fn a_mark_moves_only_from_where_its_stream_is() {
    let catalog = open_medium(Arc::new(MemoryMedium::new())).catalog;
    home(&catalog, "88.1");
    step(&catalog, 0, 7, vec![]).unwrap();
    // The submission from 7 to 9 failed; the one behind it did not, and must not hide that.
    let results = step(&catalog, 9, 12, vec![create("88.1/a", "lost")]).unwrap();
    assert!(matches!(results[0], Err(Refusal::MarkMoved { found: 7 })), "{:?}", results[0]);
    assert_eq!(catalog.cold().mark([1; 16]).unwrap(), Some(7));
    assert_eq!(data(&catalog, "88.1/a"), None);
    for (after, position) in [(7, 9), (9, 12), (12, 0), (0, 3)] {
        step(&catalog, after, position, vec![]).unwrap();
    }
    assert_eq!(catalog.cold().mark([1; 16]).unwrap(), Some(3));
}

/// Submits as a step of the one stream of these tests.
fn step(
    catalog: &Catalog,
    after: u64,
    position: u64,
    commands: Vec<Command>,
) -> Result<Vec<Result<Receipt, Refusal>>, WriteError> {
    let step = StreamStep { stream: [1; 16], after, position, counts_orders: false };
    catalog.writer().submit(Submission::new(&Actor::operator(), commands).as_step(step)).unwrap().wait()
}

#[test]
fn whatever_change_the_power_fails_at_all_that_was_acknowledged_is_there() {
    for changes in (0..40).step_by(3) {
        let medium = MemoryMedium::new();
        let faults = FaultMedium::over(Arc::new(medium.clone()));
        let catalog = open_medium(faults.clone()).catalog;
        home(&catalog, "88.1");
        faults.cut_power_after(changes);
        let mut acknowledged = Vec::new();
        for n in 0..12 {
            let handle = format!("88.1/{n}");
            if try_write(&catalog, vec![create(&handle, "v"), add(&handle, 2, "w")]).is_ok() {
                acknowledged.push(handle);
            }
        }
        drop(catalog);
        let catalog = open_after_loss(&medium).catalog;
        for handle in &acknowledged {
            assert_eq!(data(&catalog, handle).unwrap(), ["v", "w"], "lost after {changes} changes");
        }
        for (_, body) in dump(&catalog) {
            let stored = waymark_catalog::Stored::parse(&body).unwrap();
            assert_eq!(stored.count(), 2, "half a group after {changes} changes");
        }
    }
}

#[test]
fn submissions_that_wait_share_a_group() {
    let gate = Arc::new(Gate::default());
    let store: Arc<dyn Store> = Arc::new(Gated { inner: MemoryStore::for_tests(), gate: Arc::clone(&gate) });
    let options = options(std::path::Path::new("unused"), waymark_store::Engine::Log);
    let catalog = open_over(store, waymark_store::Recovery::default(), &options).unwrap().catalog;
    let _opener = Opener(Arc::clone(&gate));
    home(&catalog, "88.1");
    let submit =
        |handle: &str| catalog.writer().submit(Submission::new(&Actor::operator(), vec![create(handle, "u")])).unwrap();
    let first = submit("88.1/first");
    gate.wait_for(1);
    let waiting: Vec<_> = (0..50).map(|n| submit(&format!("88.1/{n}"))).collect();
    assert_eq!(catalog.statistics().queued_submissions, 50);
    for _ in 0..2 {
        gate.wait_for(1);
        gate.move_to(2);
        gate.wait_for(3);
        gate.move_to(4);
    }
    first.wait().unwrap();
    let times: Vec<_> = waiting.into_iter().map(|ticket| ticket.wait().unwrap()[0].clone().unwrap().time).collect();
    assert!(times.windows(2).all(|pair| pair[0] == pair[1]), "one group, one time");
    assert_eq!(catalog.statistics().groups_total, 3, "home, first, and fifty together");
}

#[test]
fn a_clock_set_back_disturbs_nothing() {
    fn backwards() -> Timestamp {
        use std::sync::atomic::{AtomicU64, Ordering};
        static LEFT: AtomicU64 = AtomicU64::new(2_000_000_000);
        Timestamp(LEFT.fetch_sub(10, Ordering::Relaxed) * 1000)
    }
    let dir = tempfile::tempdir().unwrap();
    let options = waymark_catalog::Options { clock: backwards, ..options(dir.path(), waymark_store::Engine::Log) };
    let catalog = waymark_catalog::open(&options).unwrap().catalog;
    let first = home(&catalog, "88.1");
    let second = write(&catalog, vec![create("88.1/a", "u")])[0];
    let third = write(&catalog, vec![create("88.1/b", "u")])[0];
    assert!(first.serial < second.serial && second.serial < third.serial);
    assert_eq!((second.time, third.time), (first.time, first.time));
}

#[test]
fn readers_see_whole_records_while_the_writer_works() {
    let dir = tempfile::tempdir().unwrap();
    let options = waymark_catalog::Options {
        resident_budget_bytes: 8 << 10,
        warm: Warm::Off,
        ..options(dir.path(), waymark_store::Engine::Log)
    };
    let catalog = waymark_catalog::open(&options).unwrap().catalog;
    home(&catalog, "88.1");
    let version = |round: usize| format!("{round:03}").repeat(20);
    write(&catalog, (0..32).map(|n| create(&format!("88.1/{n}"), &version(0))).collect());
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut reader = catalog.reader();
                    let mut cold = catalog.cold();
                    let (mut resident, mut fetched) = (0_u64, 0_u64);
                    let mut newest = [0; 32];
                    while !done.load(std::sync::atomic::Ordering::Relaxed) || resident + fetched == 0 {
                        for (n, newest) in newest.iter_mut().enumerate() {
                            let handle = format!("88.1/{n}");
                            let handle = Handle::new(handle.as_bytes()).unwrap();
                            let view = reader.pin();
                            let mut room = [0; MAX_KEY_BYTES];
                            let seen = match view.find_one(view.key(&handle, &mut room)) {
                                Lookup::Absent => panic!("a record vanished"),
                                Lookup::Record(stored) => {
                                    resident += 1;
                                    stored.values().unwrap().iter().next().unwrap().data.to_vec()
                                }
                                Lookup::Cold => {
                                    fetched += 1;
                                    let record = cold.fetch(&handle).unwrap().expect("a record vanished");
                                    let stored = record.stored().unwrap();
                                    stored.values().unwrap().iter().next().unwrap().data.to_vec()
                                }
                            };
                            let round: usize = std::str::from_utf8(&seen[..3]).unwrap().parse().unwrap();
                            assert_eq!(seen, version(round).as_bytes(), "a torn record");
                            assert!(round >= *newest, "time went back for a reader");
                            *newest = round;
                        }
                    }
                    (resident, fetched)
                })
            })
            .collect();
        for round in 1..200 {
            let commands = (0..32).map(|n| put(&format!("88.1/{n}"), &version(round), PutMode::Replace));
            write(&catalog, commands.collect());
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        for reader in readers {
            let (resident, fetched) = reader.join().unwrap();
            assert!(resident + fetched > 0);
        }
    });
    assert_eq!(data(&catalog, "88.1/7").unwrap(), [version(199)]);
}
