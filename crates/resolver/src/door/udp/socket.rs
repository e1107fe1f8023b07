//! The sockets of one address.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

/// How long a receive waits when nothing comes, which is how soon a thread without traffic sees that it shall stop.
pub(super) const RECEIVE_TIME: Duration = Duration::from_millis(100);

/// Binds `count` sockets to one address; port 0 becomes a port the system chooses, the same for all.
///
/// The kernel spreads askers over the sockets by their address and port, so one asker always meets the same thread.
pub(super) fn bind(address: SocketAddr, count: usize, buffer_bytes: usize) -> io::Result<Vec<UdpSocket>> {
    // Sockets that share a port would also share it with those of another process. So the port is first taken alone, which fails if
    // anybody has it.
    let alone = new(address)?;
    alone.bind(&address.into())?;
    let address = alone.local_addr()?.as_socket().unwrap_or(address);
    drop(alone);
    std::iter::repeat_with(|| {
        let socket = new(address)?;
        socket.set_reuse_port(true)?;
        // The system may grant less; that is not worth refusing to start.
        let _ = socket.set_recv_buffer_size(buffer_bytes);
        let _ = socket.set_send_buffer_size(buffer_bytes);
        socket.set_read_timeout(Some(RECEIVE_TIME))?;
        socket.bind(&address.into())?;
        if address.ip().is_unspecified() {
            ask_for_packet_info(&socket, address)?;
        }
        Ok(UdpSocket::from(socket))
    })
    .take(count)
    .collect()
}

fn new(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // IPv4 has its own sockets; mapped addresses would only be a second spelling of the same asker.
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// Has the kernel say with every datagram which of our addresses was asked. Only a socket bound to all addresses needs that.
fn ask_for_packet_info(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv4() {
        setsockopt(socket, sockopt::Ipv4PacketInfo, &true)?;
    } else {
        setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    }
    Ok(())
}
