//! Links between identifiers: what an identifier is part of, made from, packed in.
//!
//! A link is a value of type [`LINK_TYPE`] of the identifier it leads away from. Its data is text, one relation and one identifier with a space between:
//!
//! ```text
//! packed-in 88.990.10001/BOX-000017
//! part-of   the identifier is a part of the target, and stays one: a wheel of a bicycle
//! made-from it was made from the target, or out of it: an item from a batch, a cheese from a lot of milk
//! packed-in it lies in the target until it is taken out: an item in a box, a box on a pallet
//! ```
//!
//! Relations are written as here, in lower case. The target is everything behind the first space, as it would be registered; it may be one that is not
//! registered, or is on another node. Writing refuses what is not of this form, and links of an identifier to itself.
//!
//! Links lead *up*: from an item over its batch and its box to the pallet. The way back, *down*, is an [`index`] in the small state.

pub(crate) mod change;
pub(crate) mod command;
pub(crate) mod index;
#[cfg(test)]
mod tests;

use std::fmt;

use waymark_ident::{CaseRule, Handle, HandleError, HandleLimits, check_new_handle};
use waymark_wire::{ValueRef, Values};

use crate::prefixes::key_of;
use crate::refusal::Refusal;
use crate::values::may_hold;

pub use command::LinkCommand;
pub use index::{SourceAt, SourceVisitor};

/// Type of the values that are links; compared without regard to case, like every type.
pub const LINK_TYPE: &str = "WM_LINK";

/// Where the underscore of that stands.
pub(crate) const LINE_AT: usize = 2;

/// How an identifier is linked to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// It is a part of the other.
    PartOf,
    /// It was made from the other.
    MadeFrom,
    /// It is packed in the other.
    PackedIn,
}

/// A link, as the identifier it leads away from holds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// How the two are linked.
    pub relation: Relation,
    /// The identifier it leads to, in the case it was written in.
    pub target: Box<str>,
}

/// Why the data of a value is no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// It is not UTF-8.
    #[error("is not UTF-8 text")]
    NotText,
    /// There is no space, so nothing behind the relation.
    #[error("is not a relation, a space and an identifier, as in \"packed-in 88.1/BOX-1\"")]
    NoTarget,
    /// The relation is none of those there are.
    #[error("begins with no relation of part-of, made-from and packed-in")]
    Relation,
    /// What it leads to cannot be an identifier.
    #[error("leads to what cannot be an identifier: {0}")]
    Target(HandleError),
    /// It leads to the identifier that holds it.
    #[error("leads to the identifier itself")]
    ToItself,
}

impl Relation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::PartOf, Self::MadeFrom, Self::PackedIn];

    /// How it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PartOf => "part-of",
            Self::MadeFrom => "made-from",
            Self::PackedIn => "packed-in",
        }
    }

    /// The relation that is written so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|relation| relation.as_str() == text)
    }

    /// Its letter in keys of the state; never changes.
    const fn letter(self) -> u8 {
        match self {
            Self::PartOf => b'P',
            Self::MadeFrom => b'M',
            Self::PackedIn => b'B',
        }
    }

    fn of_letter(letter: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|relation| relation.letter() == letter)
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Link {
    /// Reads the data of a value.
    ///
    /// # Errors
    /// The first thing wrong with it.
    pub fn parse(data: &[u8]) -> Result<Self, LinkError> {
        let text = std::str::from_utf8(data).map_err(|_| LinkError::NotText)?;
        let (relation, target) = text.split_once(' ').ok_or(LinkError::NoTarget)?;
        let relation = Relation::parse(relation).ok_or(LinkError::Relation)?;
        if target.is_empty() {
            return Err(LinkError::NoTarget);
        }
        check_new_handle(target.as_bytes(), HandleLimits { max_bytes: usize::MAX }).map_err(LinkError::Target)?;
        // Two ways to write one link would be two links to people.
        if target != target.trim() {
            return Err(LinkError::NoTarget);
        }
        Ok(Self { relation, target: target.into() })
    }

    /// The canonical key of what it leads to.
    pub(crate) fn target_key(&self, rule: CaseRule) -> Vec<u8> {
        // Cannot fail: it was parsed.
        Handle::new(self.target.as_bytes()).map_or_else(|_| Vec::new(), |target| key_of(&target, rule))
    }
}

impl fmt::Display for Link {
    /// The data of a value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.relation, self.target)
    }
}

/// Whether a value is to be a link.
#[must_use]
pub fn is_link(value: &ValueRef<'_>) -> bool {
    value.kind.eq_ignore_ascii_case(LINK_TYPE.as_bytes())
}

/// Whether one of the values may be a link, without parsing them.
fn may_be_links(values: Values<'_>) -> bool {
    may_hold(values.wire(), LINK_TYPE.as_bytes(), LINE_AT)
}

/// The links among values, with their indexes. What is to be one and is none is left out: it was written before this program held it to the form.
pub fn links_of<'a>(values: Values<'a>) -> impl Iterator<Item = (u32, Link)> + use<'a> {
    let values = if may_be_links(values) { values } else { Values::default() };
    let links = values.into_iter().filter(is_link);
    links.filter_map(|value| Link::parse(value.data).ok().map(|link| (value.index, link)))
}

/// Makes sure that those values that are links are sound; `key` is that of the record they are for.
pub(crate) fn check_links(values: Values<'_>, key: &[u8], rule: CaseRule) -> Result<(), Refusal> {
    if !may_be_links(values) {
        return Ok(());
    }
    for value in values.into_iter().filter(is_link) {
        let refuse = |problem| Refusal::InvalidLink { index: value.index, problem };
        let link = Link::parse(value.data).map_err(refuse)?;
        if link.target_key(rule) == key {
            return Err(refuse(LinkError::ToItself));
        }
    }
    Ok(())
}
