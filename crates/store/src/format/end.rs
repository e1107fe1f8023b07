//! The end mark of a log that was closed in order.

use crate::bytes::put_u48;
use crate::error::Damage;
use crate::format::segment::{Versioned, head, open_head, seal};
use crate::types::{Place, Serial, Timestamp};

/// First bytes of an end mark.
pub(crate) const END_MAGIC: [u8; 8] = *b"WMLOGEND";
/// Version of end marks this program writes, and the newest it reads.
pub(crate) const END_VERSION: u32 = 1;
/// Length of an end mark.
pub(crate) const END_BYTES: usize = 64;

/// Where a log ended when it was closed: everything up to there was durable, and stays so whatever is written behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogEnd {
    /// Last serial.
    pub(crate) serial: Serial,
    /// Place after the last byte of the newest segment's file.
    pub(crate) place: u64,
    /// Time of the last entry.
    pub(crate) time: Timestamp,
}

impl LogEnd {
    /// The mark's bytes.
    pub(crate) fn encode(&self, store_id: &[u8; 16]) -> Vec<u8> {
        let mut out = head(END_MAGIC, END_VERSION, END_BYTES, store_id);
        out.extend_from_slice(&self.serial.0.to_le_bytes());
        out.extend_from_slice(&self.place.to_le_bytes());
        put_u48(&mut out, self.time.0);
        out.extend_from_slice(&[0; 6]);
        seal(&mut out);
        out
    }

    /// Reads a mark of the store with this id.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn decode(bytes: &[u8], store_id: &[u8; 16]) -> Result<Versioned<Self>, Damage> {
        let (version, found, mut cursor) = open_head(bytes, END_MAGIC)?;
        if version != END_VERSION {
            return Ok(Versioned::Unknown(version));
        }
        if found != *store_id {
            return Err(Damage::ForeignStore);
        }
        let mut read =
            || Some(Self { serial: Serial(cursor.u64()?), place: cursor.u64()?, time: Timestamp(cursor.u48()?) });
        let end = read().ok_or(Damage::CutShort)?;
        let plausible = end.serial <= Serial::MAX && end.place <= Place::END;
        if plausible { Ok(Versioned::Known(end)) } else { Err(Damage::Structure) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: LogEnd = LogEnd { serial: Serial(0x0102), place: 0x0400_0000, time: Timestamp(0x0a0b_0c0d) };

    #[test]
    fn writes_version_1_byte_for_byte() {
        let mut expected = b"WMLOGEND\x01\0\0\0\x40\0\0\0".to_vec();
        expected.extend_from_slice(&[7; 16]);
        expected.extend_from_slice(&[0x02, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
        expected.extend_from_slice(&[0x0d, 0x0c, 0x0b, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0]);
        let written = END.encode(&[7; 16]);
        assert_eq!(written[..60], expected);
        assert_eq!(written.len(), END_BYTES);
        assert_eq!(LogEnd::decode(&written, &[7; 16]), Ok(Versioned::Known(END)));
    }

    #[test]
    fn refuses_what_is_damaged_cut_or_foreign() {
        let sound = END.encode(&[7; 16]);
        for at in 0..sound.len() {
            assert!(LogEnd::decode(&sound[..at], &[7; 16]).is_err());
            let mut damaged = sound.clone();
            damaged[at] ^= 4;
            assert!(LogEnd::decode(&damaged, &[7; 16]).is_err(), "byte {at}");
        }
        assert_eq!(LogEnd::decode(&sound, &[8; 16]), Err(Damage::ForeignStore));
        for impossible in [LogEnd { serial: Serial::MAX.next(), ..END }, LogEnd { place: Place::END + 1, ..END }] {
            assert_eq!(LogEnd::decode(&impossible.encode(&[7; 16]), &[7; 16]), Err(Damage::Structure));
        }
        let mut newer = head(END_MAGIC, 2, 40, &[7; 16]);
        newer.extend_from_slice(&[0; 4]);
        seal(&mut newer);
        assert_eq!(LogEnd::decode(&newer, &[7; 16]), Ok(Versioned::Unknown(2)));
    }
}
