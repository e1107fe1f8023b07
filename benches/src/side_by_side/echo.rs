//! The limit: a server that receives a batch and answers each question with the same bytes, and does nothing else.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::UdpSocket,
    os::fd::AsRawFd as _,
};

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};

/// Datagrams in one system call: as many as the node takes by default.
const BATCH: usize = 64;
/// Where the request id stands in an envelope.
const REQUEST_ID: std::ops::Range<usize> = 8..12;

/// Answers every question on `socket` with the datagrams of `answer`, the question's id put in. Never returns but by an error.
///
/// # Errors
/// The socket fails.
pub fn serve(socket: &UdpSocket, answer: &[Vec<u8>]) -> io::Result<()> {
    let mut buffers = vec![[0_u8; 2_048]; BATCH];
    let mut receive_headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
    let mut send_headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
    let mut replies = vec![answer.to_vec(); BATCH];
    loop {
        let peers = receive(socket, &mut receive_headers, &mut buffers)?;
        for (buffer, reply) in buffers.iter().zip(&mut replies).take(peers.len()) {
            for datagram in reply {
                if let (Some(to), Some(id)) = (datagram.get_mut(REQUEST_ID), buffer.get(REQUEST_ID)) {
                    to.copy_from_slice(id);
                }
            }
        }
        for packet in 0..answer.len() {
            let slices: Vec<[IoSlice<'_>; 1]> = replies
                .iter()
                .take(peers.len())
                .filter_map(|reply| reply.get(packet))
                .map(|datagram| [IoSlice::new(datagram)])
                .collect();
            sendmmsg(socket.as_raw_fd(), &mut send_headers, &slices, &peers, [], MsgFlags::empty())?;
        }
    }
}

/// Waits for a batch; gives who sent each of its datagrams.
fn receive(
    socket: &UdpSocket,
    headers: &mut MultiHeaders<SockaddrStorage>,
    buffers: &mut [[u8; 2_048]],
) -> io::Result<Vec<Option<SockaddrStorage>>> {
    let mut slices: Vec<[IoSliceMut<'_>; 1]> = buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
    let flags = MsgFlags::MSG_WAITFORONE;
    let results = recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), flags, None)?;
    Ok(results.map(|result| result.address).collect())
}
