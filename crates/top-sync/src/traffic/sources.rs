//! How often each source asked: exact while there is room, then a summary with a known error.
//!
//! The summary is Space-Saving (Metwally, Agrawal, El Abbadi, 2005): a source that is not in the full table takes the place of the one with the
//! least count, and goes on from that count, which is noted as what it may be overcounted by. It was chosen over a count-min sketch since what is
//! reported upward is a list of sources with their counts: here the list is the table itself, its error is certain and not only likely, and the
//! counts still add up to the number of requests. With `k` places and `n` requests:
//!
//! * a count is never too small, and too large by at most its own [`SourceCount::over`], which is at most `n / k`;
//! * a source that is not listed asked at most [`Sources::missed_at_most`] times, which is at most `n / k`: none that asked more often is missing;
//! * all counts together are `n`, but for those of a table that never had a place ([`Sources::unnamed`]).

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A source and how often it asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceCount {
    /// The address; IPv4 inside IPv6 is IPv4.
    pub source: IpAddr,
    /// Requests, never too few.
    pub count: u64,
    /// By how many at most they are too many; 0 is exact.
    pub over: u64,
}

/// The sources of one day, of the node or of a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    counts: HashMap<IpAddr, Count>,
    /// The same by count, once the table was full. Equal counts leave in the order of addresses, so that equal input gives equal output.
    order: BTreeSet<(u64, IpAddr)>,
    is_full: bool,
    unnamed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    count: u64,
    over: u64,
}

impl Sources {
    /// Counts a request. A new source takes a place while this table has fewer than `room` and `places` are left; once it could take none, the
    /// table has the places it has, for ever.
    pub(crate) fn count(&mut self, source: IpAddr, room: usize, places: &mut usize) {
        let source = source.to_canonical();
        if let Some(known) = self.counts.get_mut(&source) {
            let before = known.count;
            known.count = before.saturating_add(1);
            if self.is_full {
                self.order.remove(&(before, source));
                self.order.insert((known.count, source));
            }
            return;
        }
        if !self.is_full && self.counts.len() < room && *places > 0 {
            *places -= 1;
            self.counts.insert(source, Count { count: 1, over: 0 });
            return;
        }
        self.fill();
        match self.order.pop_first() {
            None => self.unnamed = self.unnamed.saturating_add(1),
            Some((least, displaced)) => {
                self.counts.remove(&displaced);
                let count = least.saturating_add(1);
                self.counts.insert(source, Count { count, over: least });
                self.order.insert((count, source));
            }
        }
    }

    /// From now on the table has the places it has.
    fn fill(&mut self) {
        if !self.is_full {
            self.is_full = true;
            self.order = self.counts.iter().map(|(source, count)| (count.count, *source)).collect();
        }
    }

    /// Whether every count is exact and every source listed.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        !self.is_full
    }

    /// How often a source that is not listed can have asked at most; 0 when all are listed.
    #[must_use]
    pub fn missed_at_most(&self) -> u64 {
        if self.is_full { self.order.first().map_or(self.unnamed, |(least, _)| *least) } else { 0 }
    }

    /// Requests of a table without a single place.
    #[must_use]
    pub const fn unnamed(&self) -> u64 {
        self.unnamed
    }

    /// Number of sources listed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether none is listed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How often a source asked, if it is listed.
    #[must_use]
    pub fn of(&self, source: IpAddr) -> Option<SourceCount> {
        let source = source.to_canonical();
        self.counts.get(&source).map(|Count { count, over }| SourceCount { source, count: *count, over: *over })
    }

    /// All that are listed, in order of their addresses.
    #[must_use]
    pub fn by_address(&self) -> Vec<SourceCount> {
        let listed = self.counts.iter();
        let mut all: Vec<SourceCount> = listed
            .map(|(source, Count { count, over })| SourceCount { source: *source, count: *count, over: *over })
            .collect();
        all.sort_unstable();
        all
    }

    /// The `most` that asked most often, the first most of all; of equal counts the lower address.
    #[must_use]
    pub fn top(&self, most: usize) -> Vec<SourceCount> {
        let mut all = self.by_address();
        all.sort_by_key(|each| std::cmp::Reverse(each.count));
        all.truncate(most);
        all
    }
}

/// The stored form, of version 1.
#[derive(Serialize, Deserialize)]
struct Stored {
    is_full: bool,
    unnamed: u64,
    /// In order of the addresses.
    counts: Vec<SourceCount>,
}

impl Serialize for Sources {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Stored { is_full: self.is_full, unnamed: self.unnamed, counts: self.by_address() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Sources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Stored { is_full, unnamed, counts } = Stored::deserialize(deserializer)?;
        let counts = counts.into_iter().map(|SourceCount { source, count, over }| (source, Count { count, over }));
        let mut sources = Self { counts: counts.collect(), unnamed, ..Self::default() };
        if is_full {
            sources.fill();
        }
        Ok(sources)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from(number).into()
    }

    #[test]
    fn counts_are_exact_while_there_is_room() {
        let (mut sources, mut places) = (Sources::default(), 10);
        for number in [1, 2, 1, 3, 1] {
            sources.count(address(number), 3, &mut places);
        }
        let counted: Vec<(IpAddr, u64, u64)> =
            sources.top(9).into_iter().map(|each| (each.source, each.count, each.over)).collect();
        assert_eq!(counted, [(address(1), 3, 0), (address(2), 1, 0), (address(3), 1, 0)]);
        assert!(sources.is_exact() && sources.missed_at_most() == 0 && places == 7);
    }

    #[test]
    fn one_address_in_both_its_forms_is_one_source() {
        let (mut sources, mut places) = (Sources::default(), 10);
        let mapped = Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped();
        sources.count(mapped.into(), 3, &mut places);
        sources.count(Ipv4Addr::new(192, 0, 2, 7).into(), 3, &mut places);
        sources.count(Ipv6Addr::LOCALHOST.into(), 3, &mut places);
        assert_eq!(sources.len(), 2);
        assert_eq!(sources.of(mapped.into()).unwrap().count, 2);
    }

    #[test]
    fn a_table_without_places_says_how_much_it_does_not_tell() {
        let (mut sources, mut places) = (Sources::default(), 0);
        sources.count(address(1), 3, &mut places);
        // Places that come back later change nothing: half a list would look like a whole one.
        places = 5;
        sources.count(address(2), 3, &mut places);
        assert_eq!((sources.len(), sources.unnamed(), sources.missed_at_most(), places), (0, 2, 2, 5));
        assert!(!sources.is_exact());
    }

    proptest! {
        /// The promises of the page, whatever comes in what order, in one life or two.
        #[test]
        fn the_stated_error_holds(
            room in 1..20_usize,
            pool in 0..30_usize,
            saved_at in 0..400_usize,
            asked in proptest::collection::vec(prop_oneof![3 => 0..5_u32, 2 => 0..200_u32], 0..400),
        ) {
            let (mut sources, mut places) = (Sources::default(), pool);
            let mut truth: HashMap<IpAddr, u64> = HashMap::new();
            for (at, number) in asked.iter().enumerate() {
                if at == saved_at {
                    let bytes = postcard::to_extend(&sources, Vec::new()).unwrap();
                    let loaded: Sources = postcard::from_bytes(&bytes).unwrap();
                    prop_assert_eq!(&loaded, &sources);
                    sources = loaded;
                }
                sources.count(address(*number), room, &mut places);
                *truth.entry(address(*number)).or_default() += 1;
            }
            let total = asked.len() as u64;
            let listed = sources.by_address();
            let names = room.min(pool);
            prop_assert!(listed.len() <= names);
            prop_assert_eq!(listed.iter().map(|each| each.count).sum::<u64>() + sources.unnamed(), total);
            let bound = if names == 0 { total } else { total / names as u64 };
            prop_assert!(sources.missed_at_most() <= bound);
            for each in &listed {
                let real = truth.get(&each.source).copied().unwrap_or(0);
                prop_assert!(real <= each.count && each.count - each.over <= real, "{:?} is {}", each, real);
                prop_assert!(each.over <= bound);
            }
            for (source, real) in &truth {
                prop_assert!(sources.of(*source).is_some() || *real <= sources.missed_at_most());
            }
            if truth.len() <= names {
                prop_assert!(sources.is_exact() && listed.len() == truth.len());
                prop_assert!(listed.iter().all(|each| each.over == 0));
            }
            prop_assert_eq!(sources.is_exact(), truth.len() <= names);
        }
    }
}
