//! The values of a record together with our sites, in ascending order of index.
//!
//! The record of a prefix this node serves tells clients where to ask. When it does not (there is no record, or no value in it names a site
//! or service), our own sites stand in: HS_SITE values at the lowest free indexes, IPv4 first, publicly readable. They are never stored, so
//! they cannot be out of date, and storing a site or service value replaces them.

use waymark_wire::types::HS_SITE;
use waymark_wire::{Permissions, ValueRef, Values};

use crate::settings::SiteSet;

/// A value that may be given.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Offered<'a> {
    /// From the record.
    Stored(ValueRef<'a>),
    /// One of our sites.
    Site { index: u32, data: &'a [u8], sites: &'a SiteSet },
}

impl<'a> Offered<'a> {
    /// The index of the value.
    pub(crate) const fn index(&self) -> u32 {
        match self {
            Self::Stored(value) => value.index,
            Self::Site { index, .. } => *index,
        }
    }

    /// Its type.
    pub(crate) const fn kind(&self) -> &'a [u8] {
        match self {
            Self::Stored(value) => value.kind,
            Self::Site { .. } => HS_SITE,
        }
    }

    /// Who may read it.
    pub(crate) const fn permissions(&self) -> Permissions {
        match self {
            Self::Stored(value) => value.permissions,
            Self::Site { .. } => Permissions::USUAL,
        }
    }
}

/// The values of a record and, unless `None`, our sites, merged by index.
pub(crate) fn offered<'a>(values: Values<'a>, sites: Option<&'a SiteSet>) -> impl Iterator<Item = Offered<'a>> {
    let mut stored = values.iter().peekable();
    let mut data = sites.into_iter().flat_map(SiteSet::iter).peekable();
    let mut free = 1_u32;
    std::iter::from_fn(move || {
        let next_is_stored = match (stored.peek(), data.peek()) {
            (Some(value), Some(_)) => value.index <= free,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if next_is_stored {
            let value = stored.next()?;
            free = free.max(value.index.saturating_add(1));
            return Some(Offered::Stored(value));
        }
        let (index, data) = (free, data.next()?);
        free = free.saturating_add(1);
        Some(Offered::Site { index, data, sites: sites? })
    })
}
