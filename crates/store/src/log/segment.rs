//! Segments as files: making them, finding the one of a place, keeping some of them open.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use crate::format::segment::SegmentHeader;
use crate::medium::{Medium, MediumFile};
use crate::types::{Serial, Timestamp};

/// One segment of the log.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Place of its first byte.
    pub(crate) base: u64,
    /// Length of its file.
    pub(crate) capacity: u64,
    /// Serial of its first entry.
    pub(crate) first: Serial,
    /// Time of the last entry before it, unless its header is damaged.
    pub(crate) after: Option<Timestamp>,
    /// Its file.
    pub(crate) path: PathBuf,
    /// File offset below which readers may read. Raised after the flush, so that nothing is served that a power loss could take back.
    readable: AtomicU64,
    file: RwLock<Option<Arc<dyn MediumFile>>>,
    used: AtomicBool,
}

impl Segment {
    /// A segment whose bytes below `readable` are durable.
    pub(crate) fn new(dir: &Path, header: &SegmentHeader, readable: u64) -> Self {
        Self {
            base: header.base,
            capacity: header.capacity,
            first: header.first,
            after: Some(header.time),
            path: dir.join(header.file_name()),
            readable: AtomicU64::new(readable),
            file: RwLock::new(None),
            used: AtomicBool::new(false),
        }
    }

    /// The same segment, of which nobody knows when it began.
    pub(crate) fn begun_unknown(self) -> Self {
        Self { after: None, ..self }
    }

    /// Place after its last byte.
    pub(crate) const fn end(&self) -> u64 {
        self.base + self.capacity
    }

    /// File offset below which readers may read.
    pub(crate) fn readable(&self) -> u64 {
        self.readable.load(Ordering::Acquire)
    }

    /// Lets readers read below `offset`.
    pub(crate) fn set_readable(&self, offset: u64) {
        self.readable.store(offset, Ordering::Release);
    }
}

/// Keeps a limited number of segments open.
#[derive(Debug)]
pub(crate) struct OpenSegments {
    medium: Arc<dyn Medium>,
    most: usize,
    open: Mutex<VecDeque<Weak<Segment>>>,
}

impl OpenSegments {
    /// At most `most` files stay open.
    pub(crate) fn new(medium: Arc<dyn Medium>, most: usize) -> Self {
        Self { medium, most, open: Mutex::default() }
    }

    /// The file of `segment`, opened when it is not.
    pub(crate) fn file(&self, segment: &Arc<Segment>) -> io::Result<Arc<dyn MediumFile>> {
        segment.used.store(true, Ordering::Relaxed);
        if let Some(file) = &*segment.file.read().unwrap_or_else(PoisonError::into_inner) {
            return Ok(Arc::clone(file));
        }
        // Opened while the slot is held: a file that is replaced meanwhile must not be kept.
        let mut slot = segment.file.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &*slot {
            return Ok(Arc::clone(file));
        }
        let file = self.medium.open(&segment.path)?;
        *slot = Some(Arc::clone(&file));
        drop(slot);
        self.count(segment);
        Ok(file)
    }

    /// Keeps `file` as that of `segment` from now on, whatever was before; it already has the segment's path.
    pub(crate) fn exchange(&self, segment: &Arc<Segment>, file: &Arc<dyn MediumFile>) {
        let former = segment.file.write().unwrap_or_else(PoisonError::into_inner).replace(Arc::clone(file));
        if former.is_none() {
            self.count(segment);
        }
    }

    /// Counts a segment that is open now, and lets go of the one longest unused when there are too many.
    fn count(&self, segment: &Arc<Segment>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.push_back(Arc::downgrade(segment));
        // Each turn either closes one or takes the mark of use from one, so two rounds are enough.
        for _ in 0..2 * open.len() {
            if open.len() <= self.most {
                break;
            }
            let Some(oldest) = open.pop_front().and_then(|weak| weak.upgrade()) else { continue };
            if oldest.used.swap(false, Ordering::Relaxed) {
                open.push_back(Arc::downgrade(&oldest));
            } else {
                *oldest.file.write().unwrap_or_else(PoisonError::into_inner) = None;
            }
        }
    }
}

/// Makes the file of a new segment with all its room reserved, durable under its name.
///
/// # Errors
/// [`CreateError::Refused`] when the disk has no room or refuses: the folder is as before; [`CreateError::Flush`] when a flush failed.
pub(crate) fn create_segment(
    medium: &dyn Medium,
    dir: &Path,
    header: &SegmentHeader,
) -> Result<Arc<dyn MediumFile>, CreateError> {
    let path = dir.join(header.file_name());
    let fresh = path.with_extension("new");
    let prepare = || {
        let file = medium.create(&fresh)?;
        file.allocate(header.capacity)?;
        file.write_at(&header.encode(), 0)?;
        Ok(file)
    };
    let refused = |error| {
        // Best effort: the next start removes what is left.
        let _ = medium.remove(&fresh);
        CreateError::Refused(error)
    };
    let file: Arc<dyn MediumFile> = prepare().map_err(refused)?;
    file.sync()
        .map_err(|error| if crate::error::is_disk_full(&error) { refused(error) } else { CreateError::Flush })?;
    medium.rename(&fresh, &path).map_err(refused)?;
    medium.sync_dir(dir).map_err(|_| CreateError::Flush)?;
    Ok(file)
}

/// Why a segment was not made.
#[derive(Debug)]
pub(crate) enum CreateError {
    /// The disk refused; nothing has changed.
    Refused(io::Error),
    /// A flush failed: nobody knows what the disk holds.
    Flush,
}
