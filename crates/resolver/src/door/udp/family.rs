//! What differs between IPv4 and IPv6 sockets: the form of addresses, and of the note which of our own addresses was asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use nix::libc;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, SockaddrIn, SockaddrIn6, SockaddrLike};

/// An address family.
pub(super) trait Family: Copy + Send + 'static {
    /// A peer's address as the kernel writes it. Of constant length, so that buffers of received addresses can be used again.
    type Address: SockaddrLike + Copy + Send + 'static;
    /// Which of our addresses was asked.
    type Local: Copy + PartialEq + Send + 'static;
    /// The same in the kernel's form.
    type Info: Copy;

    /// Room for one packet info.
    fn control_space() -> Vec<u8>;
    fn peer(address: Self::Address) -> SocketAddr;
    fn asked(control: &ControlMessageOwned) -> Option<Self::Local>;
    fn ip(local: Self::Local) -> IpAddr;
    fn info(local: Self::Local) -> Self::Info;
    fn control(info: &Self::Info) -> ControlMessage<'_>;
}

/// IPv4.
#[derive(Clone, Copy)]
pub(super) enum Ipv4 {}

impl Family for Ipv4 {
    type Address = SockaddrIn;
    type Local = Ipv4Addr;
    type Info = libc::in_pktinfo;

    fn control_space() -> Vec<u8> {
        nix::cmsg_space!(libc::in_pktinfo)
    }

    fn peer(address: SockaddrIn) -> SocketAddr {
        SocketAddrV4::from(address).into()
    }

    fn asked(control: &ControlMessageOwned) -> Option<Ipv4Addr> {
        match control {
            // The local address, which for a broadcast is not the destination address.
            ControlMessageOwned::Ipv4PacketInfo(info) => Some(Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes())),
            _ => None,
        }
    }

    fn ip(local: Ipv4Addr) -> IpAddr {
        local.into()
    }

    fn info(local: Ipv4Addr) -> libc::in_pktinfo {
        let source = libc::in_addr { s_addr: u32::from_ne_bytes(local.octets()) };
        // Interface 0: routing decides.
        libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: source, ipi_addr: libc::in_addr { s_addr: 0 } }
    }

    fn control(info: &libc::in_pktinfo) -> ControlMessage<'_> {
        ControlMessage::Ipv4PacketInfo(info)
    }
}

/// IPv6.
#[derive(Clone, Copy)]
pub(super) enum Ipv6 {}

impl Family for Ipv6 {
    type Address = SockaddrIn6;
    /// With the interface, which a link-local address needs.
    type Local = (Ipv6Addr, u32);
    type Info = libc::in6_pktinfo;

    fn control_space() -> Vec<u8> {
        nix::cmsg_space!(libc::in6_pktinfo)
    }

    fn peer(address: SockaddrIn6) -> SocketAddr {
        SocketAddrV6::from(address).into()
    }

    fn asked(control: &ControlMessageOwned) -> Option<(Ipv6Addr, u32)> {
        match control {
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                Some((address, if address.is_unicast_link_local() { info.ipi6_ifindex } else { 0 }))
            }
            _ => None,
        }
    }

    fn ip(local: (Ipv6Addr, u32)) -> IpAddr {
        local.0.into()
    }

    fn info((address, interface): (Ipv6Addr, u32)) -> libc::in6_pktinfo {
        libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: address.octets() }, ipi6_ifindex: interface }
    }

    fn control(info: &libc::in6_pktinfo) -> ControlMessage<'_> {
        ControlMessage::Ipv6PacketInfo(info)
    }
}
