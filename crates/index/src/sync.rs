//! The primitives the lock-free protocol stands on, in one place so that a test can put others under it.
//!
//! The library is built on the real ones. The unit-test build of this crate is built on shuttle's, which run threads
//! one at a time and choose who goes next at every atomic operation (`protocol_tests`), or with the feature `loom` on
//! loom's, which also let loads return every value that weak memory allows (`weak_memory_tests`). All other tests are in
//! `tests/` and run on the real ones. Counters and reference marks take no part in the protocol and use the standard
//! atomics everywhere.

#[cfg(test)]
pub(crate) use modelled::{
    AtomicPtr, AtomicU32, AtomicU64, Mutex, Witness, discard, fence, release, zeroed_u32, zeroed_u64,
};
#[cfg(not(test))]
pub(crate) use real::{
    AtomicPtr, AtomicU32, AtomicU64, Mutex, Witness, discard, fence, release, zeroed_u32, zeroed_u64,
};

#[cfg(not(test))]
mod real {
    use std::alloc::{Layout, alloc_zeroed, dealloc};
    use std::ptr::{NonNull, slice_from_raw_parts_mut};
    use std::sync::Arc;

    use crate::table::Table;

    pub(crate) use std::sync::Mutex;
    pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, fence};

    /// Stands in a record or table for its plain memory, whose accesses a model checker cannot see.
    pub(crate) struct Witness;

    impl Witness {
        /// Of a new record.
        pub(crate) fn new() -> Self {
            Self
        }

        /// Called where the bytes are read.
        pub(crate) fn note_read(&self) {}

        /// Called where the memory is given back.
        pub(crate) fn note_free(&self) {}
    }

    /// `count` zeros, or `None` when the allocator has no room. Untouched pages cost nothing yet.
    pub(crate) fn zeroed_u64(count: usize) -> Option<Box<[AtomicU64]>> {
        let start = zeroed(Layout::array::<AtomicU64>(count).ok()?)?;
        // SAFETY: `start` is a fresh allocation of exactly this layout by the global allocator, owned by nobody else;
        // zero bytes are a valid `AtomicU64`, which has the representation of `u64`.
        Some(unsafe { Box::from_raw(slice_from_raw_parts_mut(start.cast().as_ptr(), count)) })
    }

    /// As [`zeroed_u64`].
    pub(crate) fn zeroed_u32(count: usize) -> Option<Box<[AtomicU32]>> {
        let start = zeroed(Layout::array::<AtomicU32>(count).ok()?)?;
        // SAFETY: as in `zeroed_u64`, with `AtomicU32` and `u32`.
        Some(unsafe { Box::from_raw(slice_from_raw_parts_mut(start.cast().as_ptr(), count)) })
    }

    fn zeroed(layout: Layout) -> Option<NonNull<u8>> {
        if layout.size() == 0 {
            return None;
        }
        // SAFETY: the size is not zero, checked above.
        NonNull::new(unsafe { alloc_zeroed(layout) })
    }

    /// Drops a table nobody sees any more.
    pub(crate) fn discard(table: Arc<Table>) {
        drop(table);
    }

    /// Gives memory back to the allocator.
    ///
    /// # Safety
    /// `start` was allocated by the global allocator with this `layout`, and nobody uses it any more.
    pub(crate) unsafe fn release(start: NonNull<u8>, layout: Layout, _head: usize) {
        // SAFETY: the caller upholds both conditions.
        unsafe { dealloc(start.as_ptr(), layout) };
    }
}

#[cfg(test)]
mod modelled {
    use std::alloc::Layout;
    use std::ptr::NonNull;
    use std::sync::Arc;

    use crate::table::Table;

    #[cfg(feature = "loom")]
    pub(crate) use loom::sync::{
        Mutex,
        atomic::{AtomicPtr, AtomicU32, AtomicU64, fence},
    };
    #[cfg(not(feature = "loom"))]
    pub(crate) use shuttle::sync::{
        Mutex,
        atomic::{AtomicPtr, AtomicU32, AtomicU64, fence},
    };

    /// Loom's, which panics at a read or a free that is not ordered after every write, or before every free.
    #[cfg(feature = "loom")]
    pub(crate) struct Witness(loom::cell::UnsafeCell<()>);

    // SAFETY: loom runs one thread at a time, and checking what would be a race is what the cell is for.
    #[cfg(feature = "loom")]
    unsafe impl Sync for Witness {}

    #[cfg(feature = "loom")]
    impl Witness {
        pub(crate) fn new() -> Self {
            Self(loom::cell::UnsafeCell::new(()))
        }

        pub(crate) fn note_read(&self) {
            self.0.with(|_| ());
        }

        pub(crate) fn note_free(&self) {
            self.0.with_mut(|_| ());
        }
    }

    /// Under shuttle memory is in order, and spoilt bytes tell enough.
    #[cfg(not(feature = "loom"))]
    pub(crate) struct Witness;

    #[cfg(not(feature = "loom"))]
    impl Witness {
        pub(crate) fn new() -> Self {
            Self
        }

        pub(crate) fn note_read(&self) {}

        pub(crate) fn note_free(&self) {}
    }

    pub(crate) fn zeroed_u64(count: usize) -> Option<Box<[AtomicU64]>> {
        Some((0..count).map(|_| AtomicU64::new(0)).collect())
    }

    pub(crate) fn zeroed_u32(count: usize) -> Option<Box<[AtomicU32]>> {
        Some((0..count).map(|_| AtomicU32::new(0)).collect())
    }

    /// Empties the table and keeps its memory, for the reason given at [`release`].
    pub(crate) fn discard(table: Arc<Table>) {
        table.witness.note_free();
        table.spoil();
        std::mem::forget(table);
    }

    /// Overwrites what follows the head, and keeps the memory: a reader that comes too late sees spoilt bytes, every
    /// time, where freed memory would show it the right ones by luck.
    ///
    /// # Safety
    /// As of the real one.
    pub(crate) unsafe fn release(start: NonNull<u8>, layout: Layout, head: usize) {
        // SAFETY: the caller owns the `layout.size()` bytes at `start`, and `head` is not more than that.
        unsafe { start.add(head).write_bytes(0xdb, layout.size() - head) };
    }
}
