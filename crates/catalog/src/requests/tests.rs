use super::*;
use crate::command::Outcome;
use crate::values::{ContentHash, ValueSet};
use crate::warnings::Warnings;
use std::time::Duration;
use waymark_store::{MemoryStore, Serial, Store as _};

const LIMITS: RequestLimits = RequestLimits { keep: Duration::from_secs(1_000), per_principal: 3, total: 5 };

/// Far enough from the beginning of time that ids can be too old.
const START: u64 = 10_000_000;

fn id(made: u64) -> uuid::Uuid {
    uuid::Builder::from_unix_timestamp_millis(made, &[7; 10]).into_uuid()
}

fn request(made: u64) -> Request {
    Request { id: id(made), digest: [1; 32] }
}

fn remembered(serial: u64) -> Remembered {
    let receipt = Receipt {
        serial: Serial(serial),
        time: Timestamp(START),
        content: ContentHash::of(ValueSet::default().values()),
        outcome: Outcome::Created,
        warnings: Warnings::NONE,
        repeated: false,
    };
    Remembered { digest: [1; 32], receipt }
}

/// A memory, and the state as the changes it notes make it.
struct Desk {
    requests: Requests,
    store: MemoryStore,
}

impl Desk {
    fn new(limits: RequestLimits) -> Self {
        Self { requests: Requests::new(limits), store: MemoryStore::for_tests() }
    }

    fn accept(&mut self, principal: &str, made: u64, now: u64) {
        let mut projector = Projector::default();
        let what = remembered(made);
        projector.set(REQUESTS, note::place_of(principal, number(id(made))), Some(note::body_of(&what)));
        self.requests.remember(Timestamp(now), principal, number(id(made)), what, &mut projector);
        projector.apply(self.store.state(), Serial::NONE).unwrap();
    }

    /// Serial of the receipt, 0 for a new request, or the refusal.
    fn ask(&self, principal: &str, made: u64, now: u64) -> Result<u64, Refusal> {
        let receipt = self.requests.recall(principal, &request(made), Timestamp(now))?;
        Ok(receipt.map_or(0, |receipt| receipt.serial.0))
    }

    /// The same memory, loaded from the state.
    fn reloaded(self, limits: RequestLimits) -> Self {
        Self { requests: load::load(&self.store, limits).unwrap(), store: self.store }
    }
}

#[test]
fn what_was_accepted_is_answered_again_and_marked_so() {
    let mut desk = Desk::new(LIMITS);
    assert_eq!(desk.ask("acme", START, START), Ok(0));
    desk.accept("acme", START, START);
    let receipt = desk.requests.recall("acme", &request(START), Timestamp(START + 1)).unwrap().unwrap();
    assert_eq!(receipt, Receipt { repeated: true, ..remembered(START).receipt });
    assert_eq!(desk.ask("other", START, START), Ok(0), "each principal has its own");
}

#[test]
fn an_id_used_for_something_else_is_refused() {
    let mut desk = Desk::new(LIMITS);
    desk.accept("acme", START, START);
    let other = Request { digest: [2; 32], ..request(START) };
    assert_eq!(desk.requests.recall("acme", &other, Timestamp(START)), Err(Refusal::RequestReused));
}

#[test]
fn ids_from_the_future_are_refused_past_what_clocks_differ_by() {
    let desk = Desk::new(LIMITS);
    assert_eq!(desk.ask("acme", START + FUTURE_MS, START), Ok(0));
    assert_eq!(desk.ask("acme", START + FUTURE_MS + 1, START), Err(Refusal::RequestFromFuture));
}

#[test]
fn ids_older_than_is_remembered_are_too_old_known_or_not() {
    let mut desk = Desk::new(LIMITS);
    desk.accept("acme", START, START);
    assert_eq!(desk.ask("acme", START, START + 999_999), Ok(START));
    assert_eq!(desk.ask("acme", START, START + 1_000_000), Err(Refusal::RequestExpired));
    assert_eq!(desk.ask("acme", START - 1, START + 1_000_000), Err(Refusal::RequestExpired));
    assert_eq!(desk.ask("acme", START + 1, START + 1_000_000), Ok(0));
}

#[test]
fn past_the_number_of_a_principal_the_oldest_is_too_old_and_never_new() {
    let mut desk = Desk::new(LIMITS);
    for made in [START + 30, START + 10, START + 40, START + 20] {
        desk.accept("acme", made, START + 50);
    }
    let check = |desk: &Desk| {
        let now = START + 60;
        assert_eq!(desk.ask("acme", START + 10, now), Err(Refusal::RequestExpired));
        assert_eq!(desk.ask("acme", START + 5, now), Err(Refusal::RequestExpired), "it may have been forgotten too");
        assert_eq!(desk.ask("acme", START + 11, now), Ok(0));
        assert_eq!(desk.ask("acme", START + 20, now), Ok(START + 20));
        assert_eq!(desk.ask("other", START + 5, now), Ok(0), "it costs no other principal anything");
        assert_eq!(desk.requests.len(), 3);
    };
    check(&desk);
    check(&desk.reloaded(LIMITS));
}

#[test]
fn what_gave_way_to_newer_ones_stays_too_old_when_more_is_to_be_remembered() {
    let mut desk = Desk::new(LIMITS);
    for made in START..START + 4 {
        desk.accept("acme", made, START);
    }
    // Long after, another request lets everything too old be forgotten.
    let later = START + 1_000_003;
    desk.accept("other", later, later);
    let longer = RequestLimits { keep: Duration::from_secs(5_000), per_principal: 100, total: 100 };
    let desk = desk.reloaded(longer);
    assert_eq!(desk.ask("acme", START, later), Err(Refusal::RequestExpired));
}

#[test]
fn an_id_older_than_all_that_fit_is_too_old_at_once() {
    let mut desk = Desk::new(LIMITS);
    for made in [START + 30, START + 40, START + 50, START + 20] {
        desk.accept("acme", made, START + 50);
    }
    assert_eq!(desk.ask("acme", START + 20, START + 60), Err(Refusal::RequestExpired));
    assert_eq!(desk.ask("acme", START + 30, START + 60), Ok(START + 30));
}

#[test]
fn past_the_number_of_all_the_principal_with_the_most_gives_way() {
    let mut desk = Desk::new(LIMITS);
    for made in 1..=3 {
        desk.accept("many", START + made, START);
    }
    for principal in ["a", "b", "c"] {
        desk.accept(principal, START + 1, START);
    }
    let check = |desk: &Desk| {
        assert_eq!(desk.requests.len(), 5);
        assert_eq!(desk.ask("many", START + 1, START), Err(Refusal::RequestExpired));
        assert_eq!(desk.ask("many", START + 2, START), Ok(START + 2));
        for principal in ["a", "b", "c"] {
            assert_eq!(desk.ask(principal, START + 1, START), Ok(START + 1));
        }
    };
    check(&desk);
    check(&desk.reloaded(LIMITS));
}

#[test]
fn what_is_too_old_leaves_memory_and_state() {
    let mut desk = Desk::new(LIMITS);
    desk.accept("quiet", START, START);
    for made in START..START + 4 {
        desk.accept("busy", made, START);
    }
    let later = START + 2_000_000;
    desk.accept("busy", later, later);
    assert_eq!((desk.requests.len(), desk.requests.principals.len()), (1, 1));
    let count = |tree| {
        let mut count = 0;
        let mut visit = |_: &[u8], _: &[u8]| {
            count += 1;
            std::ops::ControlFlow::Continue(())
        };
        desk.store.state().scan(tree, b"", &mut visit).unwrap();
        count
    };
    assert_eq!((count(REQUESTS), count(HORIZONS)), (1, 1), "only the horizon of all is left");
}

#[test]
fn what_was_forgotten_stays_too_old_when_more_is_to_be_remembered() {
    let mut desk = Desk::new(LIMITS);
    desk.accept("acme", START, START);
    let later = START + 1_000_000;
    desk.accept("acme", later, later);
    let longer = RequestLimits { keep: Duration::from_secs(5_000), per_principal: 100, total: 100 };
    let desk = desk.reloaded(longer);
    assert_eq!(desk.ask("acme", START, later), Err(Refusal::RequestExpired));
    assert_eq!(desk.ask("acme", later, later), Ok(later));
    assert_eq!(desk.ask("acme", START + 1, later), Ok(0));
}

#[test]
fn a_note_of_another_version_makes_its_id_too_old_and_not_new() {
    let desk = Desk::new(LIMITS);
    let mut projector = Projector::default();
    projector.set(REQUESTS, note::place_of("acme", number(id(START))), Some(vec![9, 9, 9]));
    projector.apply(desk.store.state(), Serial::NONE).unwrap();
    let desk = desk.reloaded(LIMITS);
    assert_eq!(desk.ask("acme", START, START), Err(Refusal::RequestExpired));
    assert_eq!(desk.ask("acme", START + 1, START), Ok(0));
}
