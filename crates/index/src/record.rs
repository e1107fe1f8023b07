//! A resident record: one allocation, made once, never changed, read by many.
//!
//! ```text
//! +-------------+------------------+------------------------+-----------+------------+
//! | place (u64) | body bytes (u32) | mark 1 bit, key bytes  | key bytes | body bytes |
//! |             |                  | 31 bits (atomic u32)   |           |            |
//! +-------------+------------------+------------------------+-----------+------------+
//! ```
//! Header and key share the first cache line or two, so a look-up of a resident record costs two dependent misses:
//! its slot and this. Only the reference mark changes after publication.

use std::alloc::{Layout, alloc};
use std::marker::PhantomData;
use std::ptr::{NonNull, with_exposed_provenance_mut};
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::key::Place;
use crate::sync;

/// The fixed part of a record.
#[repr(C, align(8))]
struct Header {
    place: Place,
    body_bytes: u32,
    /// The key's length, and in the top bit whether a reader found the record since the clock hand passed.
    key_bytes_and_mark: AtomicU32,
    /// Takes no room but under a model checker.
    witness: sync::Witness,
}

const HEADER_BYTES: usize = size_of::<Header>();
const MARK: u32 = 1 << 31;

/// What the general-purpose allocator adds to a block, at most before rounding; and what it rounds to.
const ALLOCATOR_HEAD_BYTES: usize = 8;
const ALLOCATOR_STEP_BYTES: usize = 16;

/// The address of a record. Copying it says nothing about who may read or free the record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RecordPtr(NonNull<Header>);

// SAFETY: an address alone can do nothing; `view` and `free` state what their callers owe, on whichever thread. What it
// leads to may be read from any thread, being plain bytes that do not change and one atomic.
unsafe impl Send for RecordPtr {}

/// The layout of a record, or `None` when key or body is longer than the header can say.
fn layout(key_bytes: usize, body_bytes: usize) -> Option<Layout> {
    if key_bytes >= MARK as usize || u32::try_from(body_bytes).is_err() {
        return None;
    }
    let size = HEADER_BYTES.checked_add(key_bytes)?.checked_add(body_bytes)?;
    Layout::from_size_align(size, align_of::<Header>()).ok()
}

/// Bytes the budget is charged for a record: what it takes with the allocator's own share, as far as that is known
/// from outside. `None` when no record can be so long.
pub(crate) fn charge(key_bytes: usize, body_bytes: usize) -> Option<u64> {
    let size = layout(key_bytes, body_bytes)?.size();
    Some((size.checked_add(ALLOCATOR_HEAD_BYTES)?.checked_next_multiple_of(ALLOCATOR_STEP_BYTES)?) as u64)
}

impl RecordPtr {
    /// Makes a record; `None` when it would be too long or the allocator has no room.
    pub(crate) fn allocate(key: &[u8], body: &[u8], place: Place, marked: bool) -> Option<Self> {
        let layout = layout(key.len(), body.len())?;
        let key_bytes = u32::try_from(key.len()).ok()? | if marked { MARK } else { 0 };
        let header = Header {
            place,
            body_bytes: u32::try_from(body.len()).ok()?,
            key_bytes_and_mark: AtomicU32::new(key_bytes),
            witness: sync::Witness::new(),
        };
        // SAFETY: the layout's size is at least that of the header, not zero.
        let start = NonNull::new(unsafe { alloc(layout) })?;
        // SAFETY: the allocation holds header, key and body in this order (`layout`), is aligned for the header, and
        // is known to nobody else yet.
        unsafe {
            start.cast::<Header>().write(header);
            let bytes = start.add(HEADER_BYTES);
            bytes.copy_from_nonoverlapping(NonNull::from(key).cast(), key.len());
            bytes.add(key.len()).copy_from_nonoverlapping(NonNull::from(body).cast(), body.len());
        }
        Some(Self(start.cast()))
    }

    /// The address as a number, from which [`RecordPtr::from_address`] makes a usable pointer again.
    pub(crate) fn expose_address(self) -> u64 {
        self.0.as_ptr().expose_provenance() as u64
    }

    /// The record at an address taken from a slot; `None` for zero.
    pub(crate) fn from_address(address: u64) -> Option<Self> {
        NonNull::new(with_exposed_provenance_mut(usize::try_from(address).ok()?)).map(Self)
    }

    /// The record, to be read.
    ///
    /// # Safety
    /// The address came from [`RecordPtr::allocate`], and the record is not freed during `'r`.
    pub(crate) unsafe fn view<'r>(self) -> Record<'r> {
        Record { start: self, pinned: PhantomData }
    }

    /// Where a processor finds the record, for prefetching; not to be read through.
    pub(crate) fn start(self) -> *const u8 {
        self.0.as_ptr().cast_const().cast()
    }

    /// Frees the record.
    ///
    /// # Safety
    /// The address came from [`RecordPtr::allocate`], nobody can reach the record any more, and it is freed once.
    pub(crate) unsafe fn free(self) {
        // SAFETY: the caller upholds that the record is alive until here.
        let record: Record<'_> = unsafe { self.view() };
        record.header().witness.note_free();
        if let Some(layout) = layout(record.key_bytes(), record.body_bytes()) {
            // SAFETY: `allocate` used the same lengths, so the same layout; the caller upholds the rest.
            unsafe { sync::release(self.0.cast(), layout, HEADER_BYTES) };
        }
    }
}

/// A record in memory, held by the pin under which it was found.
#[derive(Clone, Copy, Debug)]
pub struct Record<'p> {
    start: RecordPtr,
    pinned: PhantomData<&'p [u8]>,
}

impl<'p> Record<'p> {
    fn header(&self) -> &'p Header {
        // SAFETY: whoever made this value through `view` upholds that the record lives for `'p`; the header was
        // written before the address was given away, and is never written again but through its atomic.
        unsafe { self.start.0.as_ref() }
    }

    fn key_bytes(&self) -> usize {
        (self.header().key_bytes_and_mark.load(Ordering::Relaxed) & !MARK) as usize
    }

    fn body_bytes(&self) -> usize {
        self.header().body_bytes as usize
    }

    /// The whole key, as it was put.
    #[must_use]
    pub fn key(&self) -> &'p [u8] {
        // SAFETY: `view`'s caller upholds that the record lives for `'p`; `allocate` wrote this many bytes here, and
        // they never change.
        unsafe { slice::from_raw_parts(self.start.start().add(HEADER_BYTES), self.key_bytes()) }
    }

    /// The body, as it was put.
    #[must_use]
    pub fn body(&self) -> &'p [u8] {
        self.header().witness.note_read();
        // SAFETY: as in `key`; the body follows the key in the same allocation.
        unsafe { slice::from_raw_parts(self.start.start().add(HEADER_BYTES + self.key_bytes()), self.body_bytes()) }
    }

    /// Where the store keeps the entry this record was made from.
    #[must_use]
    pub fn place(&self) -> Place {
        self.header().place
    }

    /// Bytes the budget was charged for this record.
    pub(crate) fn charge(&self) -> u64 {
        charge(self.key_bytes(), self.body_bytes()).unwrap_or(0)
    }

    /// Notes that the record was found. Writes only when the mark was clear, so that a hot record's cache line stays
    /// shared between cores.
    pub(crate) fn mark(&self) {
        let word = &self.header().key_bytes_and_mark;
        let value = word.load(Ordering::Relaxed);
        if value & MARK == 0 {
            word.store(value | MARK, Ordering::Relaxed);
        }
    }

    /// Clears the mark and says whether it was set. A mark set at this very moment may be lost: it is a hint.
    pub(crate) fn take_mark(&self) -> bool {
        let word = &self.header().key_bytes_and_mark;
        let value = word.load(Ordering::Relaxed);
        word.store(value & !MARK, Ordering::Relaxed);
        value & MARK != 0
    }
}

// Under loom a record lives inside a model only.
#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    #[test]
    fn record_gives_back_what_was_put() {
        let place = Place::new(77).unwrap();
        for (key, body) in [(&b"88.1/A"[..], &b"body"[..]), (b"", b""), (b"k", b""), (b"", b"b")] {
            let pointer = RecordPtr::allocate(key, body, place, false).unwrap();
            // SAFETY: nobody frees it before the last line of this block.
            let record: Record<'_> = unsafe { pointer.view() };
            assert_eq!((record.key(), record.body(), record.place()), (key, body, place));
            // SAFETY: made above, known to nobody else, not used below.
            unsafe { pointer.free() };
        }
    }

    #[test]
    fn mark_is_taken_once_and_leaves_the_lengths_alone() {
        let pointer = RecordPtr::allocate(b"key", b"body", Place::MAX, true).unwrap();
        // SAFETY: nobody frees it before the last line.
        let record: Record<'_> = unsafe { pointer.view() };
        assert!(record.take_mark());
        assert!(!record.take_mark());
        record.mark();
        assert_eq!(record.key(), b"key");
        assert!(record.take_mark());
        // SAFETY: made above, known to nobody else, not used below.
        unsafe { pointer.free() };
    }

    #[test]
    fn charge_covers_header_and_allocator() {
        assert_eq!(charge(0, 0), Some(32));
        assert_eq!(charge(30, 150), Some(208));
        assert_eq!(charge(1 << 31, 0), None);
        assert_eq!(charge(0, 1 << 32), None);
    }
}
