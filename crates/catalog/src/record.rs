//! The form in which records are stored and kept resident: version 1.
//!
//! ```text
//!  0      1      2        4             8
//! +------+------+--------+-------------+------------------+---------+---------------------------------------+
//! | form | flags| handle | count of    | handle, in its   | status, | values in wire form, in ascending     |
//! | = 1  |      | bytes  | values (u32)| own case         | where   | order of index, one behind the other  |
//! |      |      | (u16)  |             |                  | flagged |                                       |
//! +------+------+--------+-------------+------------------+---------+---------------------------------------+
//! ```
//! The status is there in records that are suspended or revoked, and says so:
//! ```text
//! state (u8: 1 suspended, 2 revoked) | since, seconds since 1970 (u32) | bytes of the reason (u16) | reason, UTF-8
//! ```
//! Numbers are big-endian. The values are exactly what a response carries, so an answer copies them. Flags say what the
//! values hold, so that most answers need no look at them:
//!
//! | bit | meaning |
//! |---|---|
//! | 0x01 | every value is publicly readable (also when there is none) |
//! | 0x02 | some value is a site or service: HS_SITE, HS_SERV and their sub-types except those of the next bit |
//! | 0x04 | some value delegates derived prefixes: HS_SITE.PREFIX, HS_SERV.PREFIX, HS_NA_DELEGATE |
//! | 0x08 | the record is out of resolution, and a status stands before the values |
//!
//! Other bits are zero. A record of another version or with other bits is refused, not guessed at.
//!
//! Version 2 stands in the log alone: a record made from a template without what that says, see `template::narrow`. What is read is version 1 again.

use waymark_ident::{CaseRule, Handle, MAX_HANDLE_BYTES};
use waymark_wire::Values;
use waymark_wire::types::{is_prefix_delegation_type, is_service_type};

use crate::prefixes::key_of;
use crate::status::Withdrawal;
use crate::template::narrow::NARROW_VERSION;
use crate::values::ValueSet;

/// Version of the form.
pub const FORM_VERSION: u8 = 1;

/// Bytes before the handle.
const HEAD_BYTES: usize = 8;

const ALL_PUBLIC: u8 = 0x01;
const HAS_SERVICE: u8 = 0x02;
const HAS_PREFIX_DELEGATION: u8 = 0x04;
const WITHDRAWN: u8 = 0x08;
const KNOWN_FLAGS: u8 = ALL_PUBLIC | HAS_SERVICE | HAS_PREFIX_DELEGATION | WITHDRAWN;

/// One stored record, borrowed. Parsing looks at the head only; the values were checked when they were written and
/// are protected by the checksum of their entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored<'a> {
    flags: u8,
    /// Bytes of the status in front of the values. Beside the flags, so that what answering threads pass around stays small.
    status_bytes: u16,
    count: u32,
    handle: &'a [u8],
    /// Status, where there is one, and values.
    rest: &'a [u8],
}

impl<'a> Stored<'a> {
    /// Reads the head of a record. Allocates nothing.
    ///
    /// # Errors
    /// [`RecordError`] for what is not a record of version 1.
    pub fn parse(body: &'a [u8]) -> Result<Self, RecordError> {
        let Some((head, rest)) = body.split_first_chunk::<HEAD_BYTES>() else {
            return Err(RecordError::CutShort { bytes: body.len() });
        };
        let [form, flags, handle_high, handle_low, count @ ..] = *head;
        if form == NARROW_VERSION {
            return Err(RecordError::Template);
        }
        if form != FORM_VERSION {
            return Err(RecordError::Version { found: form });
        }
        if flags & !KNOWN_FLAGS != 0 {
            return Err(RecordError::Flags { found: flags });
        }
        let handle_bytes = usize::from(u16::from_be_bytes([handle_high, handle_low]));
        let Some((handle, rest)) = rest.split_at_checked(handle_bytes) else {
            return Err(RecordError::CutShort { bytes: body.len() });
        };
        let status_bytes = if flags & WITHDRAWN == 0 {
            0
        } else {
            let (status, _) = Withdrawal::read(rest).ok_or(RecordError::Status)?;
            u16::try_from(status.section_bytes()).map_err(|_| RecordError::Status)?
        };
        Ok(Self { flags, status_bytes, count: u32::from_be_bytes(count), handle, rest })
    }

    /// Since when and why the record is suspended or revoked; `None` when it is resolved.
    #[must_use]
    pub fn status(&self) -> Option<Withdrawal<'a>> {
        if self.is_withdrawn() { Withdrawal::read(self.rest).map(|(status, _)| status) } else { None }
    }

    /// Tells whether the record is suspended or revoked, so that the public must not be told of it.
    #[must_use]
    pub const fn is_withdrawn(&self) -> bool {
        self.flags & WITHDRAWN != 0
    }

    /// The handle in the case it was registered in.
    #[must_use]
    pub const fn handle(&self) -> &'a [u8] {
        self.handle
    }

    /// Number of values.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Tells whether everybody may read every value.
    #[must_use]
    pub const fn all_public(&self) -> bool {
        self.flags & ALL_PUBLIC != 0
    }

    /// Tells whether some value names a site or service (HS_SITE, HS_SERV or a sub-type that is no prefix delegation).
    #[must_use]
    pub const fn has_service(&self) -> bool {
        self.flags & HAS_SERVICE != 0
    }

    /// Tells whether some value delegates the prefixes derived from this one.
    #[must_use]
    pub const fn has_prefix_delegation(&self) -> bool {
        self.flags & HAS_PREFIX_DELEGATION != 0
    }

    /// The wire bytes of all values in ascending order of index: what an answer without filters carries behind the count.
    #[must_use]
    pub const fn wire_values(&self) -> &'a [u8] {
        match self.rest.split_at_checked(self.status_bytes as usize) {
            Some((_, values)) => values,
            None => &[], // cannot be: parsing found the status whole
        }
    }

    /// The same as [`values`](Self::values) for whoever walks over all of them anyway. Looks at nothing: the walk ends early where they contradict
    /// the count, which is seen by its having met fewer, or fewer bytes.
    #[must_use]
    pub const fn values_as_walked(&self) -> Values<'a> {
        Values::checked_before(self.count, self.wire_values())
    }

    /// The values in ascending order of index; walks over them once to check their bounds.
    ///
    /// # Errors
    /// [`RecordError::Values`] when they contradict the count. Records read through this crate never do.
    pub fn values(&self) -> Result<Values<'a>, RecordError> {
        Values::from_wire(self.count, self.wire_values()).map_err(|_| RecordError::Values)
    }
}

/// A record on the heap, read from the disk and checked, with what the log says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedRecord {
    pub(crate) body: Vec<u8>,
    /// Serial of the record's entry.
    pub serial: waymark_store::Serial,
    /// When it was committed.
    pub time: waymark_store::Timestamp,
}

impl OwnedRecord {
    /// The record.
    ///
    /// # Errors
    /// Never for a record this crate handed out; the type says so rather than panic.
    pub fn stored(&self) -> Result<Stored<'_>, RecordError> {
        Stored::parse(&self.body)
    }

    /// The stored form.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Writes the stored form of a record; one without a status is resolved.
pub(crate) fn encode(handle: &[u8], status: Option<Withdrawal<'_>>, values: &ValueSet) -> Vec<u8> {
    debug_assert!(handle.len() <= MAX_HANDLE_BYTES);
    let handle_bytes = u16::try_from(handle.len()).unwrap_or(u16::MAX);
    let status_bytes = status.as_ref().map_or(0, Withdrawal::section_bytes);
    let flags = flags_of(values) | if status.is_some() { WITHDRAWN } else { 0 };
    let mut body = Vec::with_capacity(HEAD_BYTES + handle.len() + status_bytes + values.wire().len());
    body.extend_from_slice(&[FORM_VERSION, flags]);
    body.extend_from_slice(&handle_bytes.to_be_bytes());
    body.extend_from_slice(&values.count().to_be_bytes());
    body.extend_from_slice(handle);
    if let Some(status) = status {
        status.write(&mut body);
    }
    body.extend_from_slice(values.wire());
    body
}

/// Checks a stored body whole: head, values, their order, and that the handle belongs to the key. For what comes from
/// the disk on slow paths and for checks; the checksum of the entry was verified before.
///
/// # Errors
/// The first contradiction.
pub fn verify<'a>(key: &[u8], body: &'a [u8], rule: CaseRule) -> Result<Stored<'a>, RecordError> {
    let stored = Stored::parse(body)?;
    let mut last = 0;
    for value in stored.values()? {
        if value.index <= last {
            return Err(RecordError::Values);
        }
        last = value.index;
    }
    let handle = Handle::new(stored.handle()).map_err(|_| RecordError::Key)?;
    if key_of(&handle, rule) != key {
        return Err(RecordError::Key);
    }
    Ok(stored)
}

/// The flags that describe `values`.
fn flags_of(values: &ValueSet) -> u8 {
    let mut flags = ALL_PUBLIC;
    for value in values.values() {
        if !value.permissions.is_public_read() {
            flags &= !ALL_PUBLIC;
        }
        if is_prefix_delegation_type(value.kind) {
            flags |= HAS_PREFIX_DELEGATION;
        } else if is_service_type(value.kind) {
            flags |= HAS_SERVICE;
        }
    }
    flags
}

/// Why bytes are no stored record of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Written by another version of this program.
    #[error("record of form {found}, this program knows form 1")]
    Version {
        /// The version found.
        found: u8,
    },
    /// Its template is not known, or not as it was: the record cannot be made whole.
    #[error("record made from a template that is not known or cannot be read")]
    Template,
    /// Flags this version does not know.
    #[error("record with unknown flags {found:#04x}")]
    Flags {
        /// All flags found.
        found: u8,
    },
    /// Shorter than its head says.
    #[error("record cut short at {bytes} bytes")]
    CutShort {
        /// Bytes there are.
        bytes: usize,
    },
    /// The status is not one this version knows.
    #[error("record with a status this program does not know")]
    Status,
    /// The values contradict their count or order.
    #[error("values of the record contradict their count or order")]
    Values,
    /// The record stands under a key that is not its handle's. Seen when a store is opened with another case rule.
    #[error("record is stored under another handle's key")]
    Key,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::value;
    use waymark_wire::{Permissions, ValueBuf};

    fn body(values: &[ValueBuf]) -> Vec<u8> {
        encode(b"88.1/x", None, &ValueSet::from_bufs(values).unwrap())
    }

    #[test]
    fn stored_form_one_has_golden_bytes() {
        let url = ValueBuf { timestamp: 0x6553_f100, ..value(3, "URL", b"u") };
        let expected = "0101000600000001\
                        38382e312f78\
                        000000036553f10000000151800e0000000355524c000000017500000000";
        assert_eq!(hex::encode(body(&[url])), expected);
    }

    #[test]
    fn a_suspended_record_has_golden_bytes_and_reads_back() {
        let values = ValueSet::from_bufs(&[ValueBuf { timestamp: 0x6553_f100, ..value(3, "URL", b"u") }]).unwrap();
        let status = Withdrawal { revoked: false, since_seconds: 0x6a5f_0001, reason: "recall" };
        let body = encode(b"88.1/x", Some(status), &values);
        let expected = "0109000600000001\
                        38382e312f78\
                        016a5f00010006726563616c6c\
                        000000036553f10000000151800e0000000355524c000000017500000000";
        assert_eq!(hex::encode(&body), expected);
        let stored = verify(b"88.1/X", &body, CaseRule::Insensitive).unwrap();
        assert_eq!((stored.status(), stored.is_withdrawn()), (Some(status), true));
        assert_eq!((stored.handle(), stored.wire_values()), (&b"88.1/x"[..], values.wire()));
        assert_eq!(stored.values().unwrap().iter().next().unwrap().index, 3);
        assert!(!Stored::parse(&encode(b"88.1/x", None, &values)).unwrap().is_withdrawn());
    }

    #[test]
    fn what_answering_threads_pass_around_stays_small() {
        assert!(size_of::<Stored<'_>>() <= 40, "{}", size_of::<Stored<'_>>());
    }

    #[test]
    fn refuses_an_unknown_status_and_every_truncation_of_it() {
        let status = Withdrawal { revoked: true, since_seconds: 1, reason: "r" };
        let good = encode(b"88.1/x", Some(status), &ValueSet::default());
        for length in HEAD_BYTES + 6..good.len() {
            assert_eq!(Stored::parse(&good[..length]), Err(RecordError::Status));
        }
        let mut other = good.clone();
        other[HEAD_BYTES + 6] = 3;
        assert_eq!(Stored::parse(&other), Err(RecordError::Status));
    }

    #[test]
    fn what_was_encoded_parses_and_verifies() {
        let values = [value(2, "DESC", "产品".as_bytes()), value(1, "URL", b"https://example.invalid/")];
        let body = body(&values);
        let stored = Stored::parse(&body).unwrap();
        assert_eq!((stored.handle(), stored.count()), (&b"88.1/x"[..], 2));
        assert_eq!(stored.wire_values(), ValueSet::from_bufs(&values).unwrap().wire());
        assert_eq!(verify(b"88.1/X", &body, CaseRule::Insensitive), Ok(stored));
        assert_eq!(verify(b"88.1/Y", &body, CaseRule::Insensitive), Err(RecordError::Key));
        assert_eq!(verify(b"88.1/X", &body, CaseRule::SuffixSensitive), Err(RecordError::Key));
    }

    #[test]
    fn flags_tell_what_the_values_hold() {
        let flags = |values: &[ValueBuf]| {
            let body = body(values);
            let stored = Stored::parse(&body).unwrap();
            (stored.all_public(), stored.has_service(), stored.has_prefix_delegation())
        };
        let secret = ValueBuf { permissions: Permissions(0x0c), ..value(2, "HS_SECKEY", b"s") };
        assert_eq!(flags(&[]), (true, false, false));
        assert_eq!(flags(&[value(1, "URL", b""), secret]), (false, false, false));
        assert_eq!(flags(&[value(1, "hs_site", b"")]), (true, true, false));
        assert_eq!(flags(&[value(1, "HS_SITE.PREFIX", b"")]), (true, false, true));
        assert_eq!(flags(&[value(1, "HS_SERV.PREFIX", b""), value(2, "HS_SERV", b"")]), (true, true, true));
    }

    #[test]
    fn refuses_other_versions_flags_and_every_truncation_of_the_head() {
        let good = body(&[value(1, "URL", b"u")]);
        let mut other = good.clone();
        other[0] = 3;
        assert_eq!(Stored::parse(&other), Err(RecordError::Version { found: 3 }));
        other[0] = 2;
        assert_eq!(Stored::parse(&other), Err(RecordError::Template));
        let mut other = good.clone();
        other[1] = 0x81;
        assert_eq!(Stored::parse(&other), Err(RecordError::Flags { found: 0x81 }));
        for length in 0..HEAD_BYTES + 6 {
            assert_eq!(Stored::parse(&good[..length]), Err(RecordError::CutShort { bytes: length }));
        }
        for length in HEAD_BYTES + 6..good.len() {
            assert_eq!(verify(b"88.1/X", &good[..length], CaseRule::Insensitive), Err(RecordError::Values));
        }
    }

    #[test]
    fn verify_refuses_values_out_of_order() {
        let (a, b) = (ValueSet::from_bufs(&[value(2, "A", b"")]), ValueSet::from_bufs(&[value(1, "B", b"")]));
        let mut wrong = a.unwrap();
        wrong.push(b.unwrap().wire());
        let body = encode(b"88.1/x", None, &wrong);
        assert_eq!(verify(b"88.1/X", &body, CaseRule::Insensitive), Err(RecordError::Values));
    }

    proptest::proptest! {
        #[test]
        fn any_status_comes_back_beside_its_values(revoked: bool, since_seconds: u32, reason in ".{0,200}") {
            let status = Withdrawal { revoked, since_seconds, reason: &reason };
            let values = ValueSet::from_bufs(&[value(1, "URL", b"u")]).unwrap();
            let body = encode(b"88.1/x", Some(status), &values);
            let stored = verify(b"88.1/X", &body, CaseRule::Insensitive).unwrap();
            proptest::prop_assert_eq!(stored.status(), Some(status));
            proptest::prop_assert_eq!(stored.wire_values(), values.wire());
        }

        #[test]
        fn whatever_bytes_are_read_what_they_give_is_whole(mut body in proptest::collection::vec(0_u8.., 8..100)) {
            body[0] = FORM_VERSION;
            body[1] &= KNOWN_FLAGS;
            body[2] = 0;
            body[3] &= 0x0f;
            if let Ok(stored) = Stored::parse(&body) {
                proptest::prop_assert_eq!(stored.status().is_some(), stored.is_withdrawn());
                let status_bytes = stored.status().map_or(0, |status| status.section_bytes());
                let parts = HEAD_BYTES + stored.handle().len() + status_bytes + stored.wire_values().len();
                proptest::prop_assert_eq!(parts, body.len());
            }
        }
    }
}
