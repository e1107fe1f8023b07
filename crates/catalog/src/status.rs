//! Records out of resolution: suspended until they are resumed, or revoked for good.
//!
//! The stored form of such a record has a section before its values (see [`crate::record`]):
//! ```text
//!  0       1           5        7
//! +-------+-----------+--------+----------+
//! | state | since,    | bytes  | reason,  |   state 1: suspended, 2: revoked; other states are refused
//! |       | seconds of| of the | UTF-8    |   since: of the suspension or revocation, u32
//! |       | 1970      | reason |          |   bytes of the reason: u16
//! +-------+-----------+--------+----------+
//! ```

use waymark_store::Timestamp;

/// Why a record is out of resolution, borrowed from its stored form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal<'a> {
    /// For good; otherwise until it is resumed.
    pub revoked: bool,
    /// Since when, in seconds since 1970.
    pub since_seconds: u32,
    /// Why, as given by who did it.
    pub reason: &'a str,
}

/// The same on the heap, for commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithdrawalBuf {
    /// For good; otherwise until it is resumed.
    pub revoked: bool,
    /// Since when, in seconds since 1970; `None` is the time of the commit.
    pub since_seconds: Option<u32>,
    /// Why; at most [`REASON_BYTES`](crate::config::REASON_BYTES), without control characters.
    pub reason: String,
}

const SUSPENDED: u8 = 1;
const REVOKED: u8 = 2;

/// Bytes before the reason.
const HEAD_BYTES: usize = 7;

impl<'a> Withdrawal<'a> {
    /// Since when.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        Timestamp(self.since_seconds as u64 * 1000)
    }

    /// Bytes the section takes.
    pub(crate) const fn section_bytes(&self) -> usize {
        HEAD_BYTES + self.reason.len()
    }

    /// Writes the section.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let reason_bytes = u16::try_from(self.reason.len());
        debug_assert!(reason_bytes.is_ok());
        out.push(if self.revoked { REVOKED } else { SUSPENDED });
        out.extend_from_slice(&self.since_seconds.to_be_bytes());
        out.extend_from_slice(&reason_bytes.unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(self.reason.as_bytes());
    }

    /// Reads a section and what is behind it; `None` when it is no section of this version.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let ([state, since @ .., high, low], rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let revoked = match *state {
            SUSPENDED => false,
            REVOKED => true,
            _ => return None,
        };
        let (reason, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
        let reason = std::str::from_utf8(reason).ok()?;
        Some((Self { revoked, since_seconds: u32::from_be_bytes(*since), reason }, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_has_golden_bytes_and_reads_back() {
        let withdrawal = Withdrawal { revoked: false, since_seconds: 0x6553_f100, reason: "召回" };
        let mut bytes = Vec::new();
        withdrawal.write(&mut bytes);
        assert_eq!(hex::encode(&bytes), "016553f1000006e58face59b9e");
        assert_eq!(bytes.len(), withdrawal.section_bytes());
        assert_eq!(withdrawal.since(), Timestamp(1_700_000_000_000));
        bytes.extend_from_slice(b"values");
        assert_eq!(Withdrawal::read(&bytes), Some((withdrawal, &b"values"[..])));
    }

    #[test]
    fn refuses_other_states_truncations_and_reasons_that_are_no_text() {
        let good = hex::decode("026553f100000161").unwrap();
        assert_eq!(Withdrawal::read(&good).unwrap().0.reason, "a");
        for length in 0..good.len() {
            assert_eq!(Withdrawal::read(&good[..length]), None);
        }
        for (at, byte) in [(0, 0), (0, 3), (7, 0xff)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert_eq!(Withdrawal::read(&bad), None);
        }
    }
}
