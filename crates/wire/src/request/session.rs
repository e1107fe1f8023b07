//! Setup of a session: agreement on a key between client and server (RFC 3652 section 3.5.4).

use crate::error::DecodeError;
use crate::lists::Reference;
use crate::primitives::{Reader, Sink};

/// The body of a session setup. Two zero bytes end it; they are written, and not asked for when reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSetup<'a> {
    /// How the key is agreed on.
    pub exchange: KeyExchange<'a>,
    /// How long the session shall live unused, in seconds.
    pub timeout_seconds: u32,
    /// Who the client will be, not yet proven. Empty handle and index [`Self::ANONYMOUS_INDEX`] for nobody.
    pub identity: Reference<'a>,
}

impl<'a> SessionSetup<'a> {
    /// Index of the identity of an anonymous client.
    pub const ANONYMOUS_INDEX: u32 = u32::MAX;

    /// Reads the body.
    ///
    /// # Errors
    /// That of the first field that is not right.
    pub fn parse(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mode = reader.u16()?;
        let timeout_seconds = reader.u32()?;
        let identity = Reference::parse(reader)?;
        let exchange = match mode {
            1 => KeyExchange::ClientKey(reader.bytes()?),
            2 => KeyExchange::ServerKey,
            3 => KeyExchange::HandleValue(Reference::parse(reader)?),
            4 => KeyExchange::DiffieHellman(reader.bytes()?),
            mode => KeyExchange::Unknown { mode, rest: reader.rest() },
        };
        Ok(Self { exchange, timeout_seconds, identity })
    }

    /// Writes the body.
    pub fn write(&self, out: &mut (impl Sink + ?Sized)) {
        out.put_u16(self.exchange.mode());
        out.put_u32(self.timeout_seconds);
        self.identity.write(out);
        match self.exchange {
            KeyExchange::ClientKey(key) | KeyExchange::DiffieHellman(key) => out.put_bytes(key),
            KeyExchange::ServerKey => {}
            KeyExchange::HandleValue(key) => key.write(out),
            KeyExchange::Unknown { rest, .. } => return out.put(rest),
        }
        out.put_u16(0);
    }
}

/// How a session key is agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyExchange<'a> {
    /// Mode 1: the server encrypts the key to this public key of the client.
    ClientKey(&'a [u8]),
    /// Mode 2: the client will encrypt the key to the server's public key.
    ServerKey,
    /// Mode 3: the server encrypts the key to the public key in this handle value.
    HandleValue(Reference<'a>),
    /// Mode 4: Diffie-Hellman; this is the client's public key.
    DiffieHellman(&'a [u8]),
    /// A mode nobody knows.
    Unknown {
        /// The mode.
        mode: u16,
        /// The body behind the identity.
        rest: &'a [u8],
    },
}

impl KeyExchange<'_> {
    /// The number of the mode.
    #[must_use]
    pub const fn mode(&self) -> u16 {
        match self {
            Self::ClientKey(_) => 1,
            Self::ServerKey => 2,
            Self::HandleValue(_) => 3,
            Self::DiffieHellman(_) => 4,
            Self::Unknown { mode, .. } => *mode,
        }
    }
}
