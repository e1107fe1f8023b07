//! The memory reassembly charges covers the memory it really takes, whatever is thrown at it.
//!
//! A binary of its own with a single test: the counts are those of the whole process.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "an allocator cannot be written without; tests fail by panicking"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use waymark_wire::frame::{Peer, Reassembly, ReassemblyLimits};
use waymark_wire::{Envelope, EnvelopeFlags, Version};

/// Bytes allocated and not freed.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted.
struct Counting;

// SAFETY: every call is handed to the system's allocator as it came; counting touches no memory of the caller.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the promises of this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the promises of this function.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A part with so many payload bytes of a message that never gets whole.
fn part(request_id: u32, sequence: u32, payload_bytes: usize) -> Vec<u8> {
    let envelope = Envelope {
        version: Version::CURRENT,
        flags: EnvelopeFlags::TRUNCATED,
        suggested: Version::CURRENT,
        session_id: 0,
        request_id,
        sequence,
        message_length: 16_000,
    };
    [&envelope.to_bytes()[..], &vec![7; payload_bytes]].concat()
}

#[test]
fn memory_in_use_stays_within_what_is_charged() {
    for (payload_bytes, parts_each, sources) in
        [(1, 1, u64::MAX), (1, 500, u64::MAX), (1, 500, 3), (492, 30, 40), (15_999, 1, 7)]
    {
        let before = LIVE.load(Ordering::Relaxed);
        let mut reassembly = Reassembly::new(ReassemblyLimits::default());
        let mut highest = 0;
        for number in 0..100_000_u32 {
            let message = number / parts_each;
            let peer = Peer {
                source: u64::from(message) % sources,
                address: SocketAddr::from((Ipv4Addr::from(message), 2641)),
            };
            // Sequence 0 is left out, so that nothing completes.
            let datagram = part(message, 1 + number % parts_each, payload_bytes);
            reassembly.push(Duration::ZERO, peer, &datagram);
            drop(datagram);
            let in_use = LIVE.load(Ordering::Relaxed) - before;
            highest = highest.max(in_use);
        }
        let limit = reassembly.limits().total_bytes;
        assert!(reassembly.memory_bytes() <= limit);
        assert!(highest <= limit, "{payload_bytes} bytes, {parts_each} parts: {highest} bytes in use, limit {limit}");
        assert!(reassembly.counts().displaced > 0, "the flood is larger than the limit");
    }
}
