//! Telling the processor what will be read soon, where there is a stable way to say it.

/// Bytes of a cache line, for walking over one; a wrong value costs time only.
const LINE_BYTES: usize = 64;

/// Asks for `lines` cache lines from `start` on. The address need not be readable: nothing is read.
#[inline]
pub(crate) fn prefetch(start: *const u8, lines: usize) {
    for line in 0..lines {
        let address = start.wrapping_add(line * LINE_BYTES);
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: a prefetch reads nothing and cannot fault; every x86-64 processor has the instruction.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
        }
        #[cfg(not(all(target_arch = "x86_64", not(miri))))]
        let _ = address;
    }
}
