//! Asking a node over plain sockets, one message at a time, so that a test decides about every byte.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};

use waymark_wire::frame::{TcpFrame, tcp_message_length};
use waymark_wire::limits::ResponseLimits;
use waymark_wire::request::RequestWriter;
use waymark_wire::response::{Response, ResponseBody};
use waymark_wire::{Head, OpFlags};

use crate::process::PATIENCE;

/// A question for all public values of a name, on a connection that stays open.
pub fn question(request_id: u32, handle: &str) -> Vec<u8> {
    let head = Head::request(request_id, OpFlags::USUAL.with(OpFlags::KPAL), u32::MAX >> 1);
    RequestWriter::new(Vec::new(), head).resolution(handle.as_bytes(), &[], &[], None)
}

/// What an answer says: its code, and the values it has as index, type and data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The request it answers.
    pub request_id: u32,
    /// Its response code.
    pub code: u32,
    /// Its values.
    pub values: Vec<(u32, String, Vec<u8>)>,
}

/// Reads an answer, which must be well formed.
#[track_caller]
pub fn said(answer: &[u8]) -> Said {
    let response = Response::parse(answer, ResponseLimits::WHOLE_MESSAGE).expect("a well-formed answer");
    let values = match response.body {
        ResponseBody::Resolution { values, .. } => values
            .iter()
            .map(|value| (value.index, String::from_utf8_lossy(value.kind).into_owned(), value.data.to_vec()))
            .collect(),
        _ => Vec::new(),
    };
    Said { request_id: response.message.envelope.request_id, code: response.code.0, values }
}

/// A TCP connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    /// Connects.
    #[track_caller]
    pub fn open(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).expect("the door is open");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a time");
        stream.set_nodelay(true).expect("a socket takes this");
        Self { stream, received: Vec::new() }
    }

    /// Sends bytes.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the peer reads");
    }

    /// The next whole message; `None` when the peer closed or cut the connection.
    #[track_caller]
    pub fn receive(&mut self) -> Option<Vec<u8>> {
        loop {
            if let TcpFrame::Complete(length) = tcp_message_length(&self.received) {
                return Some(self.received.drain(..length).collect());
            }
            let mut part = [0; 65_536];
            match self.stream.read(&mut part) {
                Ok(0) => return None,
                Ok(bytes) => self.received.extend_from_slice(&part[..bytes]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no answer: {error}"),
            }
        }
    }

    /// Asks for a name and reads the answer.
    #[track_caller]
    pub fn ask(&mut self, request_id: u32, handle: &str) -> Said {
        self.send(&question(request_id, handle));
        let said = said(&self.receive().expect("an answer before the end"));
        assert_eq!(said.request_id, request_id);
        said
    }
}

/// Asks in one datagram, and expects the answer in one.
#[track_caller]
pub fn ask_udp(server: SocketAddr, request_id: u32, handle: &str) -> Said {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket takes a time");
    socket.send_to(&question(request_id, handle), server).expect("loopback takes a datagram");
    let mut datagram = [0; 65_536];
    let length = socket.recv(&mut datagram).expect("an answer");
    let said = said(&datagram[..length]);
    assert_eq!(said.request_id, request_id);
    said
}
