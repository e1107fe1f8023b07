//! Which values of a record an asker gets.
//!
//! Selection and permission are separate questions. A value is *selected* when the request lists its index or a type that matches; with
//! both lists empty every value is. A selected value is *given* when the public may read it; otherwise it is left out under PUBL, and
//! without PUBL it stops the whole answer: 402 when an administrator may read it, 401 when nobody may.

use waymark_wire::request::ResolutionBody;
use waymark_wire::{Permissions, StrList, U32List, type_matches};

/// The index and type lists of a resolution: their union selects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter<'a> {
    indexes: U32List<'a>,
    types: StrList<'a>,
}

impl<'a> Filter<'a> {
    /// The lists of a request.
    pub(crate) const fn of(body: &ResolutionBody<'a>) -> Self {
        Self { indexes: body.indexes, types: body.types }
    }

    /// Whether everything is selected: both lists are empty.
    pub(crate) const fn is_open(&self) -> bool {
        self.indexes.is_empty() && self.types.is_empty()
    }

    /// Whether a value is selected. Index 0 selects nothing, since no value has it.
    pub(crate) fn selects(&self, index: u32, kind: &[u8]) -> bool {
        self.is_open() || self.indexes.contains(index) || self.types.iter().any(|asked| type_matches(asked, kind))
    }

    /// How many comparisons selecting from `values` values takes at most.
    pub(crate) const fn comparisons(&self, values: usize) -> usize {
        self.indexes.len().saturating_add(self.types.len()).saturating_mul(values)
    }
}

/// What a selection came to so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    /// Values that are given.
    pub(crate) given: u32,
    /// A selected value is for administrators: the asker must prove to be one.
    pub(crate) needs_proof: bool,
    /// A selected value is for nobody.
    pub(crate) forbidden: bool,
}

/// Counts the selected values the public may read, and remembers what stands in the way of the others.
#[derive(Debug)]
pub(crate) struct Selection<'a> {
    filter: Filter<'a>,
    public_only: bool,
    tally: Tally,
}

impl<'a> Selection<'a> {
    /// Nothing weighed yet. `public_only` is the PUBL flag of the request.
    pub(crate) fn new(filter: Filter<'a>, public_only: bool) -> Self {
        Self { filter, public_only, tally: Tally::default() }
    }

    /// Takes a value of these properties into account, and tells whether it is given.
    pub(crate) fn weigh(&mut self, index: u32, kind: &[u8], permissions: Permissions) -> bool {
        if !self.filter.selects(index, kind) {
            return false;
        }
        if permissions.is_public_read() {
            self.tally.given = self.tally.given.saturating_add(1);
            return true;
        }
        if !self.public_only {
            self.tally.needs_proof |= permissions.is_admin_read();
            self.tally.forbidden |= !permissions.is_admin_read();
        }
        false
    }

    /// What it came to.
    pub(crate) const fn tally(&self) -> Tally {
        self.tally
    }
}

#[cfg(test)]
mod tests {
    use waymark_wire::{Reader, Sink};

    use super::*;

    /// The filter a request body with these lists decodes to.
    fn with_filter<R>(indexes: &[u32], types: &[&str], look: impl FnOnce(Filter<'_>) -> R) -> R {
        let mut lists = Vec::new();
        lists.put_length(indexes.len());
        indexes.iter().for_each(|index| lists.put_u32(*index));
        lists.put_length(types.len());
        types.iter().for_each(|kind| lists.put_bytes(kind.as_bytes()));
        let mut reader = Reader::new(&lists);
        let indexes = U32List::parse(&mut reader).unwrap();
        let types = StrList::parse(&mut reader).unwrap();
        look(Filter { indexes, types })
    }

    #[test]
    fn empty_lists_select_everything() {
        with_filter(&[], &[], |filter| assert!(filter.is_open() && filter.selects(1, b"URL")));
    }

    #[test]
    fn a_value_is_selected_by_its_index_or_its_type() {
        with_filter(&[100], &["EMAIL"], |filter| {
            assert!(filter.selects(100, b"HS_ADMIN"), "by index");
            assert!(filter.selects(2, b"EMAIL"), "by type");
            assert!(filter.selects(2, b"email"), "types compare without regard to case");
            assert!(!filter.selects(1, b"URL"), "by neither");
        });
    }

    #[test]
    fn a_type_with_a_final_dot_selects_its_sub_types() {
        with_filter(&[], &["URL."], |filter| {
            assert!(filter.selects(1, b"URL") && filter.selects(3, b"URL.ALT"));
            assert!(!filter.selects(4, b"URLX"));
        });
        with_filter(&[], &["URL"], |filter| assert!(!filter.selects(3, b"URL.ALT")));
    }

    #[test]
    fn index_zero_and_empty_types_select_nothing() {
        with_filter(&[0], &[], |filter| assert!(!filter.selects(1, b"URL")));
        with_filter(&[], &[""], |filter| assert!(!filter.selects(1, b"URL") && !filter.selects(1, b"")));
        with_filter(&[], &["."], |filter| assert!(!filter.selects(1, b"URL")));
    }

    fn tally(permissions: u8, public_only: bool) -> Tally {
        with_filter(&[], &[], |filter| {
            let mut selection = Selection::new(filter, public_only);
            selection.weigh(1, b"URL", Permissions(permissions));
            selection.tally()
        })
    }

    #[test]
    fn permissions_decide_what_the_public_gets() {
        let given = Tally { given: 1, ..Tally::default() };
        for permissions in 0..=0x0f {
            let (public, admin) = (permissions & 0x02 != 0, permissions & 0x08 != 0);
            let expected = if public { given } else { Tally::default() };
            assert_eq!(tally(permissions, true), expected, "under PUBL {permissions:#x}");
            let expected = match (public, admin) {
                (true, _) => given,
                (false, true) => Tally { needs_proof: true, ..Tally::default() },
                (false, false) => Tally { forbidden: true, ..Tally::default() },
            };
            assert_eq!(tally(permissions, false), expected, "without PUBL {permissions:#x}");
        }
    }

    #[test]
    fn a_value_that_is_not_selected_stands_in_nobodys_way() {
        with_filter(&[2], &[], |filter| {
            let mut selection = Selection::new(filter, false);
            assert!(!selection.weigh(1, b"HS_SECKEY", Permissions::SECRET));
            assert_eq!(selection.tally(), Tally::default());
        });
    }

    #[test]
    fn comparisons_grow_with_values_and_lists() {
        with_filter(&[1, 2], &["URL"], |filter| assert_eq!(filter.comparisons(10), 30));
        with_filter(&[], &[], |filter| assert_eq!(filter.comparisons(10), 0));
    }
}
