//! Load over UDP: sockets in batches, as a server would read them.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::{SocketAddr, UdpSocket},
    os::fd::{AsFd as _, AsRawFd as _},
    time::{Duration, Instant},
};

use arrayvec::ArrayVec;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg},
};
use waymark_wire::{Envelope, frame::padding::padding_bytes};

use super::{pace::Pace, question::Questions, tally::Tally};

/// Datagrams sent or received in one system call.
const BATCH: usize = 32;
/// Room for one datagram; the largest a node sends is 1,232 bytes.
const ROOM: usize = 2_048;
/// A question without an answer for this long is lost.
const PATIENCE: Duration = Duration::from_secs(1);
/// Longest sleep, so that losses are found.
const NAP: Duration = Duration::from_millis(50);

/// One socket of a load run.
pub(crate) struct Socket {
    socket: UdpSocket,
    questions: Questions,
    pace: Pace,
    /// Size questions are padded to; `None` for no padding.
    padded: Option<usize>,
    /// Datagrams made and not taken by the system yet.
    unsent: Vec<Vec<u8>>,
}

/// What the sockets of one thread share: headers and buffers of a batch.
struct Desk {
    send_headers: MultiHeaders<SockaddrStorage>,
    receive_headers: MultiHeaders<SockaddrStorage>,
    buffers: Vec<[u8; ROOM]>,
}

impl Desk {
    fn new() -> Self {
        Self {
            send_headers: MultiHeaders::preallocate(BATCH, None),
            receive_headers: MultiHeaders::preallocate(BATCH, None),
            buffers: vec![[0; ROOM]; BATCH],
        }
    }

    /// Receives a batch without waiting; gives the lengths of its datagrams, which lie in the buffers.
    fn receive(&mut self, socket: &UdpSocket) -> Result<ArrayVec<usize, BATCH>, Errno> {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            self.buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let flags = MsgFlags::MSG_DONTWAIT;
        let results = recvmmsg(socket.as_raw_fd(), &mut self.receive_headers, slices.iter_mut(), flags, None)?;
        // A batch has at most as many datagrams as there are headers.
        Ok(results.map(|result| result.bytes).collect())
    }
}

impl Socket {
    /// A socket of its own port that asks one server.
    pub(crate) fn new(
        server: SocketAddr,
        from: SocketAddr,
        questions: Questions,
        pace: Pace,
        padded: Option<usize>,
    ) -> io::Result<Self> {
        let socket = UdpSocket::bind(from)?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, questions, pace, padded, unsent: Vec::new() })
    }

    /// Makes the questions that are due and hands them to the system.
    fn ask(&mut self, desk: &mut Desk, now: Duration, tally: &mut Tally) -> io::Result<()> {
        while self.unsent.len() < BATCH
            && let Some(since) = self.pace.due(now)
        {
            let mut datagram = Vec::new();
            if !self.questions.write_next(since, &mut datagram) {
                if matches!(self.pace, Pace::Closed) {
                    break;
                }
                tally.skipped += 1;
                self.pace.advance();
                continue;
            }
            if let Some(room) = self.padded {
                datagram.resize(datagram.len() + padding_bytes(datagram.len(), room), 0);
            }
            self.pace.advance();
            self.unsent.push(datagram);
        }
        if self.unsent.is_empty() {
            return Ok(());
        }
        let slices: Vec<[IoSlice<'_>; 1]> = self.unsent.iter().map(|datagram| [IoSlice::new(datagram)]).collect();
        let addresses: [Option<SockaddrStorage>; BATCH] = [None; BATCH];
        let headers = &mut desk.send_headers;
        let flags = MsgFlags::MSG_DONTWAIT;
        let sent = match sendmmsg(self.socket.as_raw_fd(), headers, &slices, addresses, [], flags) {
            Ok(results) => results.count(),
            Err(Errno::EAGAIN | Errno::ENOBUFS) => 0,
            Err(error) => return Err(error.into()),
        };
        tally.asked += sent as u64;
        self.unsent.drain(..sent.min(self.unsent.len()));
        Ok(())
    }

    /// Takes what has arrived; `false` when there was nothing.
    fn take(&mut self, desk: &mut Desk, now: Duration, tally: &mut Tally) -> io::Result<bool> {
        let lengths = match desk.receive(&self.socket) {
            Ok(lengths) => lengths,
            Err(Errno::EAGAIN) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        for (length, buffer) in lengths.iter().zip(&desk.buffers) {
            let Some(datagram) = buffer.get(..*length) else { continue };
            let Ok(envelope) = Envelope::parse(datagram) else { continue };
            tally.packets += 1;
            let payload = length.saturating_sub(Envelope::LEN);
            let whole = usize::try_from(envelope.message_length).unwrap_or(usize::MAX);
            if let Some(closed) = self.questions.arrived(envelope.request_id, payload, whole) {
                let code = response_code(datagram, envelope.sequence);
                let took = now.saturating_sub(closed.since);
                tally.answered(code, closed.exists, whole.saturating_add(Envelope::LEN), took);
            }
        }
        Ok(true)
    }
}

/// The response code, which only the first datagram of an answer holds; answers of several are answers with values.
fn response_code(datagram: &[u8], sequence: u32) -> u32 {
    if sequence != 0 {
        return 1;
    }
    datagram.get(24..28).and_then(|code| code.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// Asks on all sockets of one thread until `length` is over, then waits a moment for the last answers.
#[expect(clippy::disallowed_methods, reason = "a load generator drives real sockets by the real clock")]
pub(crate) fn run(mut sockets: Vec<Socket>, length: Duration) -> io::Result<Tally> {
    let started = Instant::now();
    let mut tally = Tally::default();
    let mut desk = Desk::new();
    let mut last_look = Duration::ZERO;
    loop {
        let now = started.elapsed();
        let asking = now < length;
        if !asking && (now > length + PATIENCE || sockets.iter().all(|socket| socket.questions.is_idle())) {
            break;
        }
        let mut busy = false;
        for socket in &mut sockets {
            busy |= socket.take(&mut desk, started.elapsed(), &mut tally)?;
            if asking {
                socket.ask(&mut desk, started.elapsed(), &mut tally)?;
            }
        }
        if now > last_look + NAP {
            last_look = now;
            for socket in &mut sockets {
                tally.lost += socket.questions.give_up(now.saturating_sub(PATIENCE));
            }
        }
        if !busy {
            wait(&sockets, started.elapsed(), asking)?;
        }
    }
    for socket in &mut sockets {
        tally.lost += socket.questions.give_up(Duration::MAX);
    }
    Ok(tally)
}

/// Sleeps until something arrives, the next question is due, or a nap is over.
fn wait(sockets: &[Socket], now: Duration, asking: bool) -> io::Result<()> {
    let due = sockets.iter().filter(|_| asking).filter_map(|socket| socket.pace.next()).min();
    let sleep = due.map_or(NAP, |due| due.saturating_sub(now)).min(NAP);
    if sleep.is_zero() {
        return Ok(());
    }
    // Below a millisecond poll cannot sleep exactly; asking again at once keeps the schedule.
    let milliseconds = u16::try_from(sleep.as_millis()).unwrap_or(u16::MAX);
    let mut descriptors: Vec<PollFd<'_>> =
        sockets.iter().map(|socket| PollFd::new(socket.socket.as_fd(), PollFlags::POLLIN)).collect();
    match poll(&mut descriptors, PollTimeout::from(milliseconds)) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
