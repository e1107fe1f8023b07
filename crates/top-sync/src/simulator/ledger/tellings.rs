//! Which parts of a set, owner and period have come, while not all of them have.
//!
//! Part 1 begins a telling, the others follow in order. One that was refused may come again with another sequence while the telling is open. A period
//! may be told again: from part 1.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::{Period, Set};
use crate::simulator::config::{REFUSED_PARTS, TELLINGS};

/// Set, owner, period.
type About = (Set, String, Period);

/// Those under way.
#[derive(Debug, Default)]
pub(super) struct Tellings(BTreeMap<About, Telling>);

#[derive(Debug)]
struct Telling {
    parts: u32,
    /// The part that comes next.
    next: u32,
    /// Those before it that were refused.
    refused: BTreeSet<u32>,
    /// Frame of the first part.
    since: u64,
}

/// A part and what it is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct PartOf<'p> {
    pub(super) set: Set,
    pub(super) owner: &'p str,
    pub(super) period: Period,
    pub(super) part: u32,
    pub(super) parts: u32,
}

impl PartOf<'_> {
    fn about(&self) -> About {
        (self.set, self.owner.to_owned(), self.period)
    }
}

impl Tellings {
    /// Where the telling began that a part goes on with; `None` where it begins one.
    ///
    /// # Errors
    /// What is wrong with its place.
    pub(super) fn place(&self, part: PartOf<'_>) -> Result<Option<u64>, &'static str> {
        let telling = self.0.get(&part.about()).filter(|telling| telling.parts == part.parts);
        let goes_on = telling.filter(|telling| telling.next == part.part || telling.refused.contains(&part.part));
        match goes_on {
            Some(telling) => Ok(Some(telling.since)),
            None if part.part == 1 => Ok(None),
            None => Err("does not follow the parts of this period that came before"),
        }
    }

    /// Notes a part that had its place.
    pub(super) fn note(&mut self, part: PartOf<'_>, frame: u64, is_taken: bool) {
        let about = part.about();
        let begins = !matches!(self.place(part), Ok(Some(_)));
        if begins {
            self.0
                .insert(about.clone(), Telling { parts: part.parts, next: 1, refused: BTreeSet::new(), since: frame });
        }
        let Some(telling) = self.0.get_mut(&about) else { return };
        telling.next = telling.next.max(part.part.saturating_add(1));
        if is_taken {
            telling.refused.remove(&part.part);
        } else {
            telling.refused.insert(part.part);
        }
        if telling.refused.len() > REFUSED_PARTS {
            telling.refused.pop_first();
        }
        if telling.next > telling.parts && telling.refused.is_empty() {
            self.0.remove(&about);
        }
        if self.0.len() > TELLINGS {
            let oldest = self.0.iter().min_by_key(|(_, telling)| telling.since).map(|(about, _)| about.clone());
            self.0.remove(&oldest.unwrap_or(about));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waymark_catalog::Timestamp;

    fn part(part: u32, parts: u32) -> PartOf<'static> {
        PartOf { set: Set::T6, owner: "", period: Period::Moment(Timestamp(5)), part, parts }
    }

    #[test]
    fn parts_come_in_order_and_refused_ones_again() {
        let mut tellings = Tellings::default();
        assert!(tellings.place(part(2, 3)).is_err());
        tellings.note(part(1, 3), 10, true);
        assert_eq!(tellings.place(part(2, 3)), Ok(Some(10)));
        assert!(tellings.place(part(3, 3)).is_err() && tellings.place(part(2, 4)).is_err());
        tellings.note(part(2, 3), 20, false);
        assert_eq!((tellings.place(part(2, 3)), tellings.place(part(3, 3))), (Ok(Some(10)), Ok(Some(10))));
        tellings.note(part(3, 3), 30, true);
        tellings.note(part(2, 3), 40, true);
        assert!(tellings.0.is_empty());
        // Told again, from its beginning.
        assert_eq!(tellings.place(part(1, 1)), Ok(None));
    }

    #[test]
    fn the_oldest_is_forgotten_when_there_are_too_many() {
        let mut tellings = Tellings::default();
        for at in 0..=u64::try_from(TELLINGS).unwrap() {
            let period = Period::Moment(Timestamp(at));
            tellings.note(PartOf { period, ..part(1, 2) }, at, true);
        }
        assert_eq!(tellings.0.len(), TELLINGS);
        assert!(tellings.place(PartOf { period: Period::Moment(Timestamp(0)), ..part(2, 2) }).is_err());
    }
}
