//! The index against a plain map: whatever is done to it, it holds what the map holds.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

use std::collections::HashMap;

use proptest::prelude::*;
use waymark_index::{BATCH, Found, HashKey, Key, Options, Place, Reader, Shared, Writer};

/// One thing done to the index.
#[derive(Clone, Debug)]
enum Step {
    Put { key: u8, body_bytes: u16 },
    PutCold { key: u8 },
    Warm { key: u8 },
    Remove { key: u8 },
    RemoveElsewhere { key: u8 },
    Read { key: u8 },
    Reclaim,
}

/// How keys are hashed: properly, or so badly that only places and bytes tell them apart.
#[derive(Clone, Copy, Debug)]
enum Hashing {
    Keyed,
    OneFingerprint,
    OneHome,
    OneHash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (any::<u8>(), 0..400_u16, 0..20_u8).prop_map(|(key, body_bytes, choice)| match choice {
        0..=7 => Step::Put { key, body_bytes },
        8..=9 => Step::PutCold { key },
        10..=12 => Step::Warm { key },
        13..=15 => Step::Remove { key },
        16 => Step::RemoveElsewhere { key },
        17..=18 => Step::Read { key },
        _ => Step::Reclaim,
    });
    prop::collection::vec(step, 0..600)
}

fn hashing() -> impl Strategy<Value = Hashing> {
    prop_oneof![Just(Hashing::Keyed), Just(Hashing::OneFingerprint), Just(Hashing::OneHome), Just(Hashing::OneHash)]
}

/// The index, and beside it what it should hold: each key's body and place.
struct Model {
    writer: Writer,
    shared: Shared,
    reader: Reader,
    entries: HashMap<u8, (Vec<u8>, Place)>,
    hashing: Hashing,
    budget_bytes: u64,
    next_place: u64,
}

impl Model {
    fn new(hashing: Hashing, budget_bytes: u64) -> Self {
        let (writer, shared) = waymark_index::new(Options {
            hash_key: HashKey::new([9; 16]),
            resident_budget_bytes: budget_bytes,
            expected_entries: 0,
        });
        let reader = shared.reader();
        Self { writer, shared, reader, entries: HashMap::new(), hashing, budget_bytes, next_place: 0 }
    }

    fn bytes(key: u8) -> Vec<u8> {
        [b"88.1000/", &[key][..], &vec![key; usize::from(key % 40)]].concat()
    }

    fn hash(&self, key: u8) -> u64 {
        let keyed = self.shared.hash_key().hash(&Self::bytes(key));
        match self.hashing {
            Hashing::Keyed => keyed,
            Hashing::OneFingerprint => keyed & 0xffff_ffff,
            Hashing::OneHome => keyed & !0xffff_ffff | 0xffff_0000,
            Hashing::OneHash => 5,
        }
    }

    fn place(&mut self) -> Place {
        self.next_place += 1;
        Place::new(self.next_place).unwrap()
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Put { key, body_bytes } => {
                let (bytes, body, place) = (Self::bytes(key), vec![key; usize::from(body_bytes)], self.place());
                let before = self.entries.insert(key, (body.clone(), place)).map(|(_, place)| place);
                let key = Key { hash: self.hash(key), bytes: &bytes };
                self.writer.put(key, &body, place, before).unwrap();
            }
            Step::PutCold { key } => {
                if !self.entries.contains_key(&key) {
                    let place = self.place();
                    self.entries.insert(key, (vec![key; 100], place));
                    self.writer.put_cold(self.hash(key), place).unwrap();
                }
            }
            Step::Warm { key } => {
                let Some((body, place)) = self.entries.get(&key) else { return };
                let bytes = Self::bytes(key);
                let index_key = Key { hash: self.hash(key), bytes: &bytes };
                let warmed = self.writer.warm(index_key, body, *place);
                let resident = matches!(self.reader.pin().find_one(index_key), Found::Resident(_));
                assert_eq!(warmed, resident);
            }
            Step::Remove { key } => {
                let before = self.entries.remove(&key);
                let place = before.as_ref().map_or(Place::MAX, |(_, place)| *place);
                assert_eq!(self.writer.remove(self.hash(key), place), before.is_some());
            }
            Step::RemoveElsewhere { key } => assert!(!self.writer.remove(self.hash(key), Place::MAX)),
            Step::Read { key } => {
                let bytes = Self::bytes(key);
                let key = Key { hash: self.hash(key), bytes: &bytes };
                let _ = self.reader.pin().find_one(key);
            }
            Step::Reclaim => self.writer.reclaim(),
        }
        let figures = self.shared.statistics();
        assert!(figures.arena_bytes + figures.waiting_bytes <= self.budget_bytes);
    }

    /// Every key, present or not, gives what the map says; and so do the figures and the walk over all entries.
    fn check(&mut self) {
        let names: Vec<Vec<u8>> = (0..=u8::MAX).map(Self::bytes).collect();
        let keys: Vec<Key<'_>> =
            names.iter().zip(0..=u8::MAX).map(|(bytes, key)| Key { hash: self.hash(key), bytes }).collect();
        assert!(keys.len() > 2 * BATCH);
        let pin = self.reader.pin();
        let mut found = vec![Found::Absent; keys.len()];
        pin.find(&keys, &mut found);
        let mut resident = 0;
        for ((key, name), found) in keys.iter().zip(0..=u8::MAX).zip(&found) {
            let mut candidates = [Place::MAX; 256];
            let count = pin.cold_candidates(*key, &mut candidates);
            let expected = self.entries.get(&name);
            match (found, expected) {
                (Found::Resident(record), Some((body, place))) => {
                    assert_eq!((record.key(), record.body(), record.place()), (key.bytes, body.as_slice(), *place));
                    resident += 1;
                }
                (Found::Cold(first), Some((_, place))) => {
                    assert!(candidates[..count].contains(place));
                    assert_eq!(candidates[0], *first);
                }
                // By chance or by force another key's hash is the same: the caller will see that its key is another.
                (Found::Cold(first), None) => {
                    assert!(self.entries.values().any(|(_, place)| place == first));
                    assert!(matches!(self.hashing, Hashing::OneHash));
                }
                (Found::Absent, None) => assert_eq!(count, 0),
                (Found::Absent, Some(_)) => panic!("an entry is lost"),
                (Found::Resident(record), None) => panic!("a removed entry is found: {record:?}"),
            }
            assert_eq!(format!("{:?}", pin.find_one(*key)), format!("{found:?}"));
        }
        drop(pin);
        let figures = self.shared.statistics();
        assert_eq!((figures.entries, figures.resident), (self.entries.len() as u64, resident));

        let mut walked = Vec::new();
        self.writer.for_each_place(|hash, place| walked.push((hash, place)));
        let mut expected: Vec<_> = self.entries.iter().map(|(&key, (_, place))| (self.hash(key), *place)).collect();
        walked.sort_unstable();
        expected.sort_unstable();
        assert_eq!(walked, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn index_holds_what_a_map_holds(
        steps in steps(),
        hashing in hashing(),
        budget_bytes in prop_oneof![Just(0_u64), 100..5_000_u64, Just(1 << 20)],
    ) {
        let mut model = Model::new(hashing, budget_bytes);
        for (step, number) in steps.iter().zip(0_u32..) {
            model.take(step);
            if number % 64 == 0 {
                model.check();
            }
        }
        model.check();
    }
}
