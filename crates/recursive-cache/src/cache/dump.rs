//! The cache on disk, from one run of a node to the next.
//!
//! ```text
//! "WMCACHE" | version u8 = 2 | made at, seconds since 1970 (u32) |
//! each: kind u8 | state u8 | flags u8 (1 certified) | seconds left (u32) | age in seconds (u32) | values (u32) | bytes of key (u16) |
//!       bytes of payload (u32) | key | payload | CRC-32C of all that (u32)
//! ```
//! Numbers are big-endian. What is loaded is as old as it is. What is good no more at the time of loading is dropped, and so is what is damaged, with everything behind it: a cache may
//! always know less.

use std::io::{self, Read, Write};
use std::sync::Arc;

use super::Cache;
use super::entry::{CacheSeconds, Entry, Kind, State, sites_of};
use crate::knowledge::{Fact, Learned, Now, Record, Scope, What};

const MAGIC: &[u8; 8] = b"WMCACHE\x02";

/// Bytes of an entry before its key.
const HEAD_BYTES: usize = 21;

/// Longest key and payload read. Handles have at most 2,048 bytes, messages 262,144.
const MOST_KEY_BYTES: usize = 4_096;
const MOST_PAYLOAD_BYTES: usize = 1 << 20;

const CERTIFIED: u8 = 1;

/// What came of loading.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Loaded {
    /// Entries taken.
    pub taken: u64,
    /// Entries whose time was over.
    pub expired: u64,
    /// Whether the rest was damaged or cut, and left out.
    pub cut: bool,
}

/// Why a dump could not be written or read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DumpError {
    /// The file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It begins with something else.
    #[error("not a dump of this version of the cache")]
    OtherForm,
}

impl Cache {
    /// Writes all that is still good; gives the number of entries.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn dump(&self, out: &mut impl Write, now: Now) -> Result<u64, DumpError> {
        // First all of them, so that nobody waits for the disk.
        let entries = self.entries();
        out.write_all(MAGIC)?;
        out.write_all(&now.unix_seconds.to_be_bytes())?;
        let mut written = 0;
        let mut bytes = Vec::new();
        for entry in entries {
            let left = entry.seconds_left(now.into());
            if left > 0 && entry.head().kind != Kind::Failure {
                put_entry(&mut bytes, &entry, left, entry.age_seconds(now.into()));
                out.write_all(&bytes)?;
                written += 1;
            }
        }
        out.flush()?;
        Ok(written)
    }

    /// Takes in a dump, as far as it is whole and good, in the place of what the cache knows.
    ///
    /// # Errors
    /// Those of `input`; [`DumpError::OtherForm`].
    pub fn load(&self, input: &mut impl Read, now: Now) -> Result<Loaded, DumpError> {
        let mut magic = [0; MAGIC.len()];
        let mut made_at = [0; 4];
        read_whole(input, &mut magic)?.then_some(()).ok_or(DumpError::OtherForm)?;
        if magic != *MAGIC || !read_whole(input, &mut made_at)? {
            return Err(DumpError::OtherForm);
        }
        // A clock that went back says that no time went by.
        let since = now.unix_seconds.saturating_sub(u32::from_be_bytes(made_at));
        let mut loaded = Loaded::default();
        loop {
            match read_entry(input)? {
                Next::End => return Ok(loaded),
                Next::Damaged => return Ok(Loaded { cut: true, ..loaded }),
                Next::Entry(entry) => match entry.left.checked_sub(since).filter(|left| *left > 0) {
                    None => loaded.expired += 1,
                    Some(left) => match entry.learned(left) {
                        Some((learned, age)) => {
                            self.learn_again(&learned, age.saturating_add(since), now);
                            loaded.taken += 1;
                        }
                        None => return Ok(Loaded { cut: true, ..loaded }),
                    },
                },
            }
        }
    }

    /// Seconds of the cache's own time, for those who show ages.
    #[must_use]
    pub fn seconds(now: Now) -> CacheSeconds {
        now.into()
    }
}

fn put_entry(bytes: &mut Vec<u8>, entry: &Entry, left: u32, age: u32) {
    let (head, key, payload) = (entry.head(), entry.key(), entry.payload());
    bytes.clear();
    bytes.extend_from_slice(&[head.kind.byte(), head.state.byte(), if head.certified { CERTIFIED } else { 0 }]);
    bytes.extend_from_slice(&left.to_be_bytes());
    bytes.extend_from_slice(&age.to_be_bytes());
    bytes.extend_from_slice(&head.count.to_be_bytes());
    bytes.extend_from_slice(&head.key_bytes.to_be_bytes());
    bytes.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&crc32c::crc32c(bytes).to_be_bytes());
}

enum Next {
    Entry(Stored),
    Damaged,
    End,
}

/// An entry as it was written.
struct Stored {
    kind: Kind,
    state: State,
    certified: bool,
    left: u32,
    age: u32,
    count: u32,
    key: Box<[u8]>,
    payload: Vec<u8>,
}

impl Stored {
    /// What it taught, and how old it was when it was written; `None` for what no entry can hold.
    fn learned(self, lifetime_seconds: u32) -> Option<(Learned, u32)> {
        let Self { kind, state, certified, age, count, key, payload, .. } = self;
        let what = match kind {
            Kind::Fact => {
                let fact = Arc::new(match state {
                    State::Values => Fact::Values(Record { count, wire: payload.into() }),
                    State::NoValues => Fact::NoValues,
                    State::Absent => Fact::Absent,
                });
                What::Fact { key, fact }
            }
            Kind::Service | Kind::DerivedService => {
                let scope = if kind == Kind::Service { Scope::Handles } else { Scope::DerivedPrefixes };
                What::Service { prefix: key, scope, service: Arc::new(sites_of(&payload)?) }
            }
            Kind::AbsentPrefix => What::AbsentPrefix { prefix: key },
            Kind::Failure => return None,
        };
        Some((Learned { what, certified, lifetime_seconds: Some(lifetime_seconds) }, age))
    }
}

fn read_entry(input: &mut impl Read) -> io::Result<Next> {
    let mut head = [0; HEAD_BYTES];
    let mut first = [0];
    if !read_whole(input, &mut first)? {
        return Ok(Next::End);
    }
    let [kind, rest @ ..] = &mut head;
    *kind = first[0];
    if !read_whole(input, rest)? {
        return Ok(Next::Damaged);
    }
    let [kind, state, flags, l0, l1, l2, l3, a0, a1, a2, a3, c0, c1, c2, c3, k0, k1, p0, p1, p2, p3] = head;
    let key_bytes = usize::from(u16::from_be_bytes([k0, k1]));
    let payload_bytes = usize::try_from(u32::from_be_bytes([p0, p1, p2, p3])).unwrap_or(usize::MAX);
    if key_bytes > MOST_KEY_BYTES || payload_bytes > MOST_PAYLOAD_BYTES {
        return Ok(Next::Damaged);
    }
    let mut body = vec![0; key_bytes + payload_bytes];
    let mut sum = [0; 4];
    if !read_whole(input, &mut body)? || !read_whole(input, &mut sum)? {
        return Ok(Next::Damaged);
    }
    let found = crc32c::crc32c_append(crc32c::crc32c(&head), &body);
    let (Some(kind), Some(state)) = (Kind::of_byte(kind), State::of_byte(state)) else { return Ok(Next::Damaged) };
    if found != u32::from_be_bytes(sum) || flags & !CERTIFIED != 0 {
        return Ok(Next::Damaged);
    }
    let payload = body.split_off(key_bytes);
    Ok(Next::Entry(Stored {
        kind,
        state,
        certified: flags & CERTIFIED != 0,
        left: u32::from_be_bytes([l0, l1, l2, l3]),
        age: u32::from_be_bytes([a0, a1, a2, a3]),
        count: u32::from_be_bytes([c0, c1, c2, c3]),
        key: body.into(),
        payload,
    }))
}

/// Fills a buffer; tells whether there was enough.
fn read_whole(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
