//! Remaking everything derived from the records: key runs, small state, index snapshot.

use crate::catalog::{Opened, ShutdownError, open_over};
use crate::startup::{OpenError, Options, Recovery, Warm};

/// Throws away everything derived from the records of a store and makes it anew: key runs and damaged heads by the store,
/// then the small state and the index snapshot. Records are not touched. The folder is free again afterwards.
///
/// # Errors
/// See [`RebuildError`].
pub fn rebuild(options: &Options) -> Result<Recovery, RebuildError> {
    let (store, found) = waymark_store::rebuild(&options.store).map_err(OpenError::from)?;
    let options = Options { warm: Warm::Off, ..options.clone() };
    let Opened { catalog, mut recovery } = open_over(store, found, &options)?;
    recovery.state_rebuilt = true;
    // Writes the snapshot and flushes the state.
    catalog.shutdown()?;
    Ok(recovery)
}

/// Why derived data was not made anew.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RebuildError {
    /// The store or what it holds could not be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// What was made anew could not be written.
    #[error(transparent)]
    Write(#[from] ShutdownError),
}
