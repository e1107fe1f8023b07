//! The promise of the UDP door: once it has warmed up, no thread of the node allocates for a datagram.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    missing_docs,
    reason = "a test may fail by panicking, and is documented by its name"
)]
#![expect(unsafe_code, reason = "counting allocations takes an allocator, which cannot be written without")]

mod doors;

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};

use doors::{Node, PATIENCE, everywhere, request, shelf_in_memory};
use waymark_resolver::door::{DoorLimits, DoorsConfig};
use waymark_resolver::policy::{PolicyConfig, SourceLists};
use waymark_wire::Envelope;

/// Allocations and reallocations of all threads.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: every call is handed on to the system's allocator as it came; counting touches nothing but an atomic number.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is that of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System`, as all memory of this allocator does.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as for `dealloc` and `alloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Asks all questions in bursts and takes all datagrams of all answers. Allocates nothing itself.
fn ask(socket: &UdpSocket, questions: &[Vec<u8>], rounds: usize) {
    let mut room = [0; 2048];
    for _ in 0..rounds {
        for question in questions {
            socket.send(question).unwrap();
        }
        let mut answered = 0;
        while answered < questions.len() {
            let length = socket.recv(&mut room).unwrap();
            let envelope = Envelope::parse(&room[..length]).unwrap();
            let share = 512 - Envelope::LEN;
            let last = (envelope.message_length as usize).div_ceil(share) - 1;
            answered += usize::from(envelope.sequence as usize == last);
        }
    }
}

// One test, since the count is that of the whole process.
#[tokio::test]
async fn no_thread_allocates_for_a_datagram_once_the_door_has_warmed_up() {
    let doors = ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"].map(|address| address.parse().unwrap()).to_vec();
    // Nothing is refused here by budget: these are the two ways a source can be looked up.
    for lists in [SourceLists::default(), SourceLists::new(&["127.0.0.0/8".parse().unwrap()], &[])] {
        let policy = PolicyConfig {
            lists,
            budget_bytes: u32::MAX,
            refill_bytes_per_second: u32::MAX,
            ..PolicyConfig::default()
        };
        let limits = DoorLimits { udp_threads: 2, ..DoorLimits::default() };
        let node = Node::over(
            shelf_in_memory(),
            DoorsConfig { udp: doors.clone(), tcp: vec![], quic: vec![], policy, limits, ..everywhere() },
        );
        let handles = ["1/small", "1/middle", "1/roomy", "1/absent", "2/foreign"];
        let questions: Vec<Vec<u8>> = (0..20_u32).map(|id| request(id, handles[id as usize % 5])).collect();
        for address in &node.running.addresses().udp {
            let (from, to): (SocketAddr, SocketAddr) = if address.is_ipv4() {
                ("127.0.0.1:0".parse().unwrap(), (std::net::Ipv4Addr::LOCALHOST, address.port()).into())
            } else {
                ("[::1]:0".parse().unwrap(), (std::net::Ipv6Addr::LOCALHOST, address.port()).into())
            };
            let socket = UdpSocket::bind(from).unwrap();
            socket.connect(to).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            ask(&socket, &questions, 50);
            let before = ALLOCATIONS.load(Ordering::Relaxed);
            ask(&socket, &questions, 500);
            assert_eq!(ALLOCATIONS.load(Ordering::Relaxed) - before, 0, "{address}");
        }
    }
}
