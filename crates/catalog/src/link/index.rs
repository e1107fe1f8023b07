//! The way back: which identifiers hold links to one, kept in the small state.
//!
//! ```text
//! tree 13: key  target, folded | 00 | relation (1: 'P' part-of, 'M' made-from, 'B' packed-in) | source, folded     value  empty
//! ```
//! Zero bytes are in no handle. So the sources of one target stand together, by relation, and a page of them is a walk from a key on. All of it
//! follows from the live records: it is fed with each change, from what a record held before and what it holds now, and can be made anew from them.
//! Nothing of it is in memory but what the state's cache holds.

use std::ops::ControlFlow;

use waymark_ident::{CaseRule, Handle};
use waymark_store::{Serial, StateError, Tree};

use super::{LINE_AT, LINK_TYPE, Link, Relation, links_of};
use crate::cold::ColdReader;
use crate::prefixes::key_of;
use crate::projection::Projector;
use crate::record::Stored;
use crate::reserved::is_reserved;
use crate::values::may_hold;

/// Sources of links by target.
pub(crate) const LINKS: Tree = Tree(13);

/// The links of a record in stored form; none where it is empty, or cannot be read.
pub(crate) fn links_in(body: &[u8]) -> Vec<Link> {
    // Most records hold none: those are not even checked for being whole.
    let stored = Stored::parse(body).ok();
    let stored = stored.filter(|stored| may_hold(stored.wire_values(), LINK_TYPE.as_bytes(), LINE_AT));
    let values = stored.and_then(|stored| stored.values().ok());
    values.map(links_of).into_iter().flatten().map(|(_, link)| link).collect()
}

/// Notes what became of the links of a record: those it held, and the stored form it has now, empty when it is gone. Gives how many were noted.
pub(crate) fn note_links(
    projector: &mut Projector,
    rule: CaseRule,
    key: &[u8],
    before: &[Link],
    after: &[u8],
) -> usize {
    if is_reserved(key) {
        return 0;
    }
    let after = links_in(after);
    before.iter().for_each(|link| projector.set(LINKS, state_key(link, key, rule), None));
    // Behind the others: what is held still is set again.
    after.iter().for_each(|link| projector.set(LINKS, state_key(link, key, rule), Some(Vec::new())));
    before.len() + after.len()
}

fn state_key(link: &Link, source: &[u8], rule: CaseRule) -> Vec<u8> {
    let mut key = link.target_key(rule);
    key.extend_from_slice(&[0, link.relation.letter()]);
    key.extend_from_slice(source);
    key
}

/// A place among the sources of one target: where a walk goes on. Ordered as the walk is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceAt(Vec<u8>);

impl SourceAt {
    /// Its bytes: the letter of the relation and the key of the source.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The place these bytes were of. Others lead to some place too.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// Is called with the relation, the canonical key of the source, and its place.
pub type SourceVisitor<'v> = dyn FnMut(Relation, &[u8], SourceAt) -> ControlFlow<()> + 'v;

impl ColdReader {
    /// Visits who links to `target`, by relation and key of the source, behind `after`, until the visitor breaks: as of the last commit the state was
    /// fed with, see [`Catalog::fed`](crate::Catalog::fed). The sources are canonical keys.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn linked_to(
        &self,
        target: &Handle<'_>,
        after: Option<&SourceAt>,
        visit: &mut SourceVisitor<'_>,
    ) -> Result<(), StateError> {
        let mut prefix = key_of(target, self.rule);
        prefix.push(0);
        let after = after.map_or_else(Vec::new, |after| [&prefix[..], &after.0].concat());
        self.store.state().scan_after(LINKS, &prefix, &after, &mut |key, _| {
            let place = key.get(prefix.len()..).unwrap_or_default();
            match place.split_first().and_then(|(letter, source)| Some((Relation::of_letter(*letter)?, source))) {
                Some((relation, source)) => visit(relation, source, SourceAt(place.to_vec())),
                // A relation of a later version of this program.
                None => ControlFlow::Continue(()),
            }
        })
    }

    /// Everything up to this serial is in what [`linked_to`](Self::linked_to) tells.
    #[must_use]
    pub fn links_upto(&self) -> Serial {
        self.store.state().applied()
    }
}
