//! What changes make whoever keeps answers forget: names, and whole prefixes.
//!
//! Of what a change says nothing is told, so that this feed needs no right to read. Changes of records name the record. Those that change how many
//! names resolve (a package, values and states of its codes, a prefix that is served, suspended or delegated) name the prefix.

use std::ops::ControlFlow;

use waymark_store::{Entry, FollowError, Serial};

use crate::catalog::Catalog;
use crate::changes::Window;
use crate::config::FeedLimits;
use crate::prefixes::HomeName;
use crate::range::Layer;
use crate::reserved::{ReservedKey, is_reserved};

/// What a change touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched<'a> {
    /// The record of this canonical key.
    Record(&'a [u8]),
    /// Names of this prefix, folded.
    Prefix(&'a [u8]),
    /// It cannot be read what: anything.
    Unknown,
}

/// Is called with each thing touched and the serial of the change; stops by breaking.
pub type TouchedVisitor<'v> = dyn FnMut(Serial, Touched<'_>) -> ControlFlow<()> + 'v;

impl Catalog {
    /// Visits what the changes behind the serial `after` touched, in order, until the visitor breaks, a limit is reached, or nothing more is
    /// visible. The result is the serial up to which everything was looked at: `after` of the next call.
    ///
    /// # Errors
    /// [`FollowError::Compacted`] when changes after `after` are gone: forget everything. Otherwise a refusing disk.
    pub fn touched(
        &self,
        after: Serial,
        limits: FeedLimits,
        visit: &mut TouchedVisitor<'_>,
    ) -> Result<Serial, FollowError> {
        let mut window = Window::new(after, self.serial(), limits);
        window.go_through(self.store().as_ref(), &mut |met| match met {
            Ok(entry) => look(entry, visit),
            Err(damaged) => visit(damaged.last, Touched::Unknown),
        })?;
        Ok(window.upto())
    }
}

fn look(entry: &Entry<'_>, visit: &mut TouchedVisitor<'_>) -> ControlFlow<()> {
    if !entry.kind.is_of_key() {
        return ControlFlow::Continue(());
    }
    if !is_reserved(entry.key) {
        return visit(entry.serial, Touched::Record(entry.key));
    }
    match ReservedKey::parse(entry.key) {
        // Who has codes for printing changes nothing about how they resolve.
        Some(ReservedKey::Range(name) | ReservedKey::Piece(name, Layer::Bound | Layer::State, _)) => {
            visit(entry.serial, Touched::Prefix(name.prefix()))
        }
        Some(ReservedKey::Home(HomeName::Prefix(prefix) | HomeName::DerivedFrom(prefix))) => {
            visit(entry.serial, Touched::Prefix(&prefix))
        }
        Some(ReservedKey::Case(prefix)) => visit(entry.serial, Touched::Prefix(&prefix)),
        _ => ControlFlow::Continue(()),
    }
}
