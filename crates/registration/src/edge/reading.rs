//! The way to records for calls: readers that may wait for the disk, on threads that may, and never more of them than configured.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use waymark_catalog::{Catalog, ColdReader};

use crate::failure::Failure;
use crate::reasons::Reason;

/// Readers that are kept for the next call.
pub(crate) struct ReadingRoom {
    catalog: Catalog,
    seats: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<ColdReader>>>,
}

impl ReadingRoom {
    pub(crate) fn new(catalog: Catalog, seats: usize) -> Self {
        Self { catalog, seats: Arc::new(Semaphore::new(seats)), idle: Arc::default() }
    }

    /// Reads on a thread that may wait. A caller that gives up leaves the read to end by itself.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut ColdReader) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let stopping = |_| Failure::new(Reason::Stopping);
        let seat = Arc::clone(&self.seats).acquire_owned().await.map_err(stopping)?;
        let idle = Arc::clone(&self.idle);
        let reader = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut reader = reader.unwrap_or_else(|| self.catalog.cold());
        let reading = spawn_blocking(move || {
            let result = read(&mut reader);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            drop(seat);
            result
        });
        reading.await.map_err(|_| Failure::new(Reason::Internal).with("detail", "reading"))?
    }
}
