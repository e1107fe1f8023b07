//! The table of sources: bounded, lock-free, keyed.
//!
//! A set-associative table of fixed size. A source hashes (by SipHash under a secret) to one set of four slots. A slot may be
//! taken over by another source only while its buckets are whole, that is, while it knows nothing a fresh slot would not know;
//! taking over is then one compare-and-swap of the source's number, and nothing has to be reset. When no slot of the set is whole,
//! the newcomer uses the set's last slot without taking it over and shares its limits until one comes free.

use std::sync::atomic::{AtomicU64, Ordering};

use siphasher::sip::SipHasher13;

use super::{Moment, Source};
use crate::config;

/// Slots of a set. Four slots of 32 bytes are two cache lines.
const WAYS: usize = 4;

/// What is known about one source.
#[derive(Debug, Default)]
pub struct Slot {
    /// The number of the source, 0 while the slot was never used.
    source: AtomicU64,
    bytes: AtomicU64,
    queries: AtomicU64,
    /// Milliseconds of the [`Moment`] up to which the source is exempt.
    exempt_until: AtomicU64,
}

impl Slot {
    /// The word of its [`ByteBudget`](super::budget::ByteBudget).
    #[must_use]
    pub const fn bytes(&self) -> &AtomicU64 {
        &self.bytes
    }

    /// The word of its [`QueryRate`](super::budget::QueryRate).
    #[must_use]
    pub const fn queries(&self) -> &AtomicU64 {
        &self.queries
    }

    /// Whether the source is exempt from all limits.
    #[must_use]
    pub fn is_exempt(&self, now: Moment) -> bool {
        self.exempt_until.load(Ordering::Relaxed) > now.milliseconds()
    }

    fn take_over(&self, from: u64, source: Source) -> bool {
        let taken = self.source.compare_exchange(from, source.number(), Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if taken {
            // An exemption belongs to the source, not to the slot.
            self.exempt_until.store(0, Ordering::Relaxed);
        }
        taken
    }
}

/// Where a source's slot is. Only for the [`Table`] that gave it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place(u32);

/// All slots.
#[derive(Debug)]
pub struct Table {
    slots: Box<[Slot]>,
    secret: [u8; 16],
}

impl Table {
    /// A table for about `sources`, moved into [`config::SOURCES`] and up to a power of two.
    #[must_use]
    pub fn new(sources: usize, secret: [u8; 16]) -> Self {
        let count = config::SOURCES.clamp(sources).next_power_of_two();
        Self { slots: std::iter::repeat_with(Slot::default).take(count).collect(), secret }
    }

    /// The place of a source, which is made if it has none. `is_whole` says whether the buckets of a slot are as good as new.
    #[must_use]
    pub fn place(&self, now: Moment, source: Source, is_whole: impl Fn(&Slot) -> bool) -> Place {
        let first = self.set(source);
        let ways = self.slots.get(first..first.saturating_add(WAYS)).unwrap_or_default();
        let found = ways.iter().position(|slot| slot.source.load(Ordering::Relaxed) == source.number());
        let way = found.or_else(|| Self::make_room(ways, now, source, is_whole)).unwrap_or(WAYS - 1);
        Place(u32::try_from(first.saturating_add(way)).unwrap_or_default())
    }

    /// Takes a whole slot over: rather one that is not exempt, else one that is. The loser of a race with another thread shares
    /// for this one datagram.
    fn make_room(ways: &[Slot], now: Moment, source: Source, is_whole: impl Fn(&Slot) -> bool) -> Option<usize> {
        let take = |exempt: bool| {
            ways.iter().position(|slot| {
                let holder = slot.source.load(Ordering::Relaxed);
                slot.is_exempt(now) == exempt && is_whole(slot) && slot.take_over(holder, source)
            })
        };
        take(false).or_else(|| take(true))
    }

    /// The slot at a place.
    #[must_use]
    #[expect(
        clippy::indexing_slicing,
        reason = "a place is made from an index into the same table, whose size never changes"
    )]
    pub fn slot(&self, place: Place) -> &Slot {
        &self.slots[place.0 as usize]
    }

    /// Exempts the source at a place up to a moment.
    pub fn exempt(&self, place: Place, until: Moment) {
        self.slot(place).exempt_until.store(until.milliseconds(), Ordering::Relaxed);
    }

    /// The first slot of the set of a source.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low bits of the hash choose the set; the table is far below 2^32 slots"
    )]
    fn set(&self, source: Source) -> usize {
        let hash = SipHasher13::new_with_key(&self.secret).hash(&source.number().to_le_bytes());
        (hash as usize) & self.slots.len().saturating_sub(1) & !(WAYS - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn source(number: u32) -> Source {
        Source::of(Ipv4Addr::from_bits(number << 8).into())
    }

    fn table() -> Table {
        Table::new(config::SOURCES.min, [7; 16])
    }

    fn owes_nothing(slot: &Slot) -> bool {
        slot.bytes.load(Ordering::Relaxed) == 0
    }

    /// The first sources, from `from` up, of the same set as source 0.
    fn of_one_set(table: &Table, count: usize) -> Vec<Source> {
        (0..).map(source).filter(|other| table.set(*other) == table.set(source(0))).take(count).collect()
    }

    #[test]
    fn a_source_keeps_its_place() {
        let table = table();
        let place = table.place(Moment::default(), source(1), owes_nothing);
        table.slot(place).bytes.store(1, Ordering::Relaxed);
        for other in 2..500 {
            let _ = table.place(Moment::default(), source(other), owes_nothing);
        }
        assert_eq!(table.place(Moment::default(), source(1), owes_nothing), place);
    }

    #[test]
    fn a_flood_of_sources_never_washes_out_one_that_owes() {
        let table = table();
        let sources = of_one_set(&table, WAYS);
        for one in &sources {
            let place = table.place(Moment::default(), *one, owes_nothing);
            table.slot(place).bytes.store(1, Ordering::Relaxed);
        }
        for other in 1_000_000..1_100_000 {
            let place = table.place(Moment::default(), source(other), owes_nothing);
            if table.set(source(other)) == table.set(source(0)) {
                assert_eq!(table.slot(place).bytes.load(Ordering::Relaxed), 1, "a newcomer shares an indebted slot");
            }
        }
        for one in sources {
            let place = table.place(Moment::default(), one, owes_nothing);
            assert_eq!(table.slot(place).source.load(Ordering::Relaxed), one.number());
        }
    }

    #[test]
    fn a_slot_that_owes_nothing_goes_to_the_newcomer_without_its_exemption() {
        let table = table();
        let sources = of_one_set(&table, WAYS + 1);
        let until = Moment(1000);
        for one in &sources[..WAYS] {
            let place = table.place(Moment::default(), *one, owes_nothing);
            table.exempt(place, until);
        }
        let place = table.place(Moment::default(), sources[WAYS], owes_nothing);
        assert_eq!(table.slot(place).source.load(Ordering::Relaxed), sources[WAYS].number());
        assert!(!table.slot(place).is_exempt(Moment::default()));
    }

    #[test]
    fn a_slot_without_exemption_is_taken_before_an_exempt_one() {
        let table = table();
        let sources = of_one_set(&table, WAYS + 1);
        for one in &sources[..WAYS] {
            let place = table.place(Moment::default(), *one, owes_nothing);
            if *one != sources[2] {
                table.exempt(place, Moment(1000));
            }
        }
        let place = table.place(Moment::default(), sources[WAYS], owes_nothing);
        assert_ne!(table.place(Moment::default(), sources[0], owes_nothing), place);
        assert!(table.slot(table.place(Moment::default(), sources[0], owes_nothing)).is_exempt(Moment::default()));
    }

    #[test]
    fn the_table_has_the_size_it_was_given() {
        assert_eq!(Table::new(0, [0; 16]).slots.len(), config::SOURCES.min);
        assert_eq!(Table::new(5000, [0; 16]).slots.len(), 8192);
    }
}
