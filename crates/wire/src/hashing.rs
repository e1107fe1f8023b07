//! Which server of a site is responsible for a handle.
//!
//! A site may spread its handles over several servers. Server and client find the responsible one alike: the MD5 digest of
//! the upper-cased prefix, suffix or whole handle, its last four bytes read as a signed number, the absolute value of that
//! modulo the number of servers. The result is the *position* in the site's server list; server ids play no part
//! (RFC 3651 section 3.2.2, "HashOption").

use md5::{Digest, Md5};

/// Which part of a handle chooses the server: the hash option of an HS_SITE value. Unknown options survive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct HashOption(pub u8);

impl HashOption {
    /// The text before the first slash; `0.NA` for a handle without a slash, which names a prefix record.
    pub const BY_PREFIX: Self = Self(0);
    /// The text after the first slash; the whole text when there is no slash.
    pub const BY_SUFFIX: Self = Self(1);
    /// The whole handle as it was asked for.
    pub const BY_HANDLE: Self = Self(2);
}

/// The hash of a handle: 0 ..= 2^31. `None` for an option this code does not know.
///
/// ASCII letters fold to upper case first, other bytes are taken as they are. Allocates nothing.
#[must_use]
pub fn handle_hash(handle: &[u8], option: HashOption) -> Option<u32> {
    let slash = handle.iter().position(|byte| *byte == b'/');
    let part = match (option, slash) {
        (HashOption::BY_PREFIX, Some(at)) => handle.get(..at)?,
        (HashOption::BY_PREFIX, None) => PREFIX_OF_PREFIX_RECORDS,
        (HashOption::BY_SUFFIX, Some(at)) => handle.get(at.checked_add(1)?..)?,
        (HashOption::BY_SUFFIX, None) | (HashOption::BY_HANDLE, _) => handle,
        _ => return None,
    };
    let mut digest = Md5::new();
    let mut folded = [0; 64];
    for chunk in part.chunks(folded.len()) {
        let (upper, _) = folded.split_at_mut(chunk.len());
        upper.copy_from_slice(chunk);
        upper.make_ascii_uppercase();
        digest.update(&*upper);
    }
    let digest: [u8; 16] = digest.finalize().into();
    let [.., a, b, c, d] = digest;
    Some(bucket_number([a, b, c, d]))
}

/// The position, in the site's server list, of the server that answers for `handle`.
///
/// `None` when the list is empty or the option unknown: nobody can be said to be responsible then.
#[must_use]
pub fn server_for(handle: &[u8], option: HashOption, servers: usize) -> Option<usize> {
    let hash = usize::try_from(handle_hash(handle, option)?).ok()?;
    hash.checked_rem(servers)
}

/// The last four digest bytes as a number that is never negative.
///
/// The absolute value of -2^31 does not fit a signed 32-bit number: in the reference implementation it stays negative, and so
/// does the position computed from it, which points at no server. Here it is 2^31, so that the handle has a server.
fn bucket_number(last: [u8; 4]) -> u32 {
    i32::from_be_bytes(last).unsigned_abs()
}

/// The prefix of every prefix record.
const PREFIX_OF_PREFIX_RECORDS: &[u8] = b"0.NA";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_numbers_lose_their_sign_and_the_smallest_stays_usable() {
        assert_eq!(bucket_number([0xff, 0xff, 0xff, 0xff]), 1);
        assert_eq!(bucket_number([0x7f, 0xff, 0xff, 0xff]), 0x7fff_ffff);
        assert_eq!(bucket_number([0x80, 0, 0, 0]), 0x8000_0000);
    }

    #[test]
    fn ascii_case_never_moves_a_handle_and_other_case_does() {
        for option in [HashOption::BY_PREFIX, HashOption::BY_SUFFIX, HashOption::BY_HANDLE] {
            let lower =
                handle_hash(b"abc.d/some-long-suffix-of-more-than-sixty-four-bytes-abcdefghijklmnopqrstuvwxyz", option);
            let upper =
                handle_hash(b"ABC.D/SOME-LONG-SUFFIX-OF-MORE-THAN-SIXTY-FOUR-BYTES-ABCDEFGHIJKLMNOPQRSTUVWXYZ", option);
            assert_eq!(lower, upper);
        }
        let by_handle = |text: &str| handle_hash(text.as_bytes(), HashOption::BY_HANDLE);
        assert_ne!(by_handle("a/é"), by_handle("a/É"));
    }

    #[test]
    fn an_empty_server_list_or_an_unknown_option_has_no_server() {
        assert_eq!(server_for(b"a/b", HashOption::BY_PREFIX, 0), None);
        assert_eq!(server_for(b"a/b", HashOption(3), 2), None);
        assert_eq!(server_for(b"a/b", HashOption::BY_PREFIX, 1), Some(0));
    }

    #[test]
    fn a_handle_without_slash_hashes_like_the_prefix_records() {
        assert_eq!(handle_hash(b"88.111.1", HashOption::BY_PREFIX), handle_hash(b"0.na/x", HashOption::BY_PREFIX));
        assert_eq!(handle_hash(b"88.111.1", HashOption::BY_SUFFIX), handle_hash(b"88.111.1", HashOption::BY_HANDLE));
    }
}
