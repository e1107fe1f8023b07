//! The header: 24 bytes at the start of every message.
//!
//! ```text
//!  0                 4                 8                12
//! +-----------------+-----------------+-----------------+
//! | op code         | response code   | op flags        |
//! +--------+--------+-----------------+-----------------+
//! | serial |rec| 0  | expiration      | body length     |
//! +--------+--------+-----------------+-----------------+
//!  12       14 15    16                20               24
//! ```
//! RFC 3652 section 2.2.2.

use crate::codes::{OpCode, OpFlags, ResponseCode};
use crate::error::DecodeError;
use crate::primitives::Reader;

/// The header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What is asked or answered.
    pub op: OpCode,
    /// How it ended; 0 in requests.
    pub response_code: ResponseCode,
    /// Flags of the operation.
    pub flags: OpFlags,
    /// Request: serial number of the HS_SITE value the client used, [`Self::UNKNOWN_SERIAL`] without one. Response:
    /// the server's own.
    pub site_serial: u16,
    /// Servers the request went through.
    pub recursion_count: u8,
    /// Reserved; 0 when we write, kept as read so that signed bytes stay the same.
    pub reserved: u8,
    /// Seconds since 1970 after which the message is no longer valid.
    pub expiration: u32,
    /// Bytes of the body.
    pub body_length: u32,
}

impl Header {
    /// Bytes of a header.
    pub const LEN: usize = 24;

    /// Site serial of clients that know no site information.
    pub const UNKNOWN_SERIAL: u16 = u16::MAX;

    /// The header of a request: no response code, no known serial, no recursion yet, no body length yet.
    #[must_use]
    pub const fn request(op: OpCode, flags: OpFlags, expiration: u32) -> Self {
        Self {
            op,
            response_code: ResponseCode::REQUEST,
            flags,
            site_serial: Self::UNKNOWN_SERIAL,
            recursion_count: 0,
            reserved: 0,
            expiration,
            body_length: 0,
        }
    }

    /// Reads the first 24 bytes. Nothing is checked but that they are there.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when there are fewer.
    pub fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let all = Reader::new(bytes).array::<{ Self::LEN }>()?;
        let mut reader = Reader::new(&all);
        Ok(Self {
            op: OpCode(reader.u32()?),
            response_code: ResponseCode(reader.u32()?),
            flags: OpFlags(reader.u32()?),
            site_serial: reader.u16()?,
            recursion_count: reader.u8()?,
            reserved: reader.u8()?,
            expiration: reader.u32()?,
            body_length: reader.u32()?,
        })
    }

    /// The 24 bytes.
    #[must_use]
    pub const fn to_bytes(&self) -> [u8; Self::LEN] {
        let [o0, o1, o2, o3] = self.op.0.to_be_bytes();
        let [c0, c1, c2, c3] = self.response_code.0.to_be_bytes();
        let [f0, f1, f2, f3] = self.flags.0.to_be_bytes();
        let [s0, s1] = self.site_serial.to_be_bytes();
        let [e0, e1, e2, e3] = self.expiration.to_be_bytes();
        let [b0, b1, b2, b3] = self.body_length.to_be_bytes();
        let (recursion, reserved) = (self.recursion_count, self.reserved);
        [o0, o1, o2, o3, c0, c1, c2, c3, f0, f1, f2, f3, s0, s1, recursion, reserved, e0, e1, e2, e3, b0, b1, b2, b3]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_each_truncation() {
        for length in 0..Header::LEN {
            let expected = DecodeError::Truncated { needed: Header::LEN, left: length };
            assert_eq!(Header::parse(&[9; Header::LEN][..length]), Err(expected));
        }
    }

    proptest! {
        #[test]
        fn any_twenty_four_bytes_come_back(bytes: [u8; Header::LEN]) {
            prop_assert_eq!(Header::parse(&bytes).unwrap().to_bytes(), bytes);
        }
    }
}
