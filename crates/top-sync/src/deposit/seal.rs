//! The envelope of a deposit: groups of at most 256 MB, each encrypted with SM4 under a key of its own, which is encrypted with SM2 to the platform.
//!
//! ```text
//! group  'G'  number(4)  length(2)  data key, encrypted with SM2 (C1 C3 C2)  chunks
//! chunk  kind(1)  length(4)  ciphertext, its tag(16) behind it
//! kind   0 another chunk follows   1 the last of its group   2 the last of the deposit
//! ```
//! Numbers are big-endian; groups and, within each, chunks count from 0.
//!
//! The mode is **CCM** (SM4-CCM, NIST SP 800-38C over SM4 as in RFC 8998): it keeps secret and whole in one, is defined for SM4 by a published
//! standard, and needs nothing but the block cipher. A chunk's nonce is its number and kind, and the deposit and group are authenticated with it; so a
//! chunk that was changed, moved, left out or taken from elsewhere does not open, and a deposit that ends early is told from one that ends. No nonce
//! repeats under a key, since every group has a fresh one. What is opened is handed out only when its tag is right.

use std::io::{self, Read, Write};

use ccm::aead::{AeadInPlace, KeyInit};
use ccm::consts::{U12, U16};
use ccm::{Ccm, Nonce, Tag};
use sm4::Sm4;
use waymark_wire::crypto::session::{SessionCipher, SessionKey};
use waymark_wire::crypto::{CryptoRngCore, KeyAlgorithm, OsRng, PrivateKey, PublicKey};
use zeroize::Zeroizing;

use super::config::CHUNK_BYTES;

type Cipher = Ccm<Sm4, U16, U12>;

/// What is wrong with an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// It ends early.
    #[error("the envelope ends early")]
    CutShort,
    /// Something stands behind its end.
    #[error("something stands behind the end of the envelope")]
    TooLong,
    /// It is not in the form of an envelope.
    #[error("not in the form of an envelope")]
    Form,
    /// A data key does not open with this key: it was encrypted to another one, or changed.
    #[error("the data key of group {group} does not open with this private key")]
    Key {
        /// The group.
        group: u32,
    },
    /// A chunk was changed, moved or is of another deposit.
    #[error("chunk {chunk} of group {group} was changed")]
    Chunk {
        /// The group.
        group: u32,
        /// The chunk of it.
        chunk: u64,
    },
    /// The key is no SM2 key, or the system gives no random bytes.
    #[error("not a key of SM2")]
    Algorithm,
}

impl From<SealError> for io::Error {
    fn from(error: SealError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// Encrypts what is written to it. Holds one chunk.
pub(super) struct Sealer<W: Write> {
    out: W,
    to: PublicKey,
    deposit: [u8; 16],
    group_bytes: u64,
    group: Group,
    /// Clear bytes of the chunk being filled.
    chunk: Zeroizing<Vec<u8>>,
}

/// Where in the groups an envelope is.
struct Group {
    /// The number of the next group.
    next: u32,
    cipher: Option<Cipher>,
    chunks: u64,
    bytes: u64,
}

impl Group {
    const fn before_first() -> Self {
        Self { next: 0, cipher: None, chunks: 0, bytes: 0 }
    }

    const fn number(&self) -> u32 {
        self.next.saturating_sub(1)
    }

    fn nonce(&self, kind: u8) -> [u8; 12] {
        let mut nonce = [0; 12];
        let (number, rest) = nonce.split_at_mut(8);
        number.copy_from_slice(&self.chunks.to_be_bytes());
        rest.fill(kind);
        nonce
    }

    fn context(&self, deposit: &[u8; 16]) -> [u8; 20] {
        let mut context = [0; 20];
        let (of_deposit, of_group) = context.split_at_mut(16);
        of_deposit.copy_from_slice(deposit);
        of_group.copy_from_slice(&self.number().to_be_bytes());
        context
    }
}

impl<W: Write> Sealer<W> {
    /// An envelope to `to`, of the deposit with these bytes for a name.
    ///
    /// # Errors
    /// [`SealError::Algorithm`].
    pub(super) fn new(out: W, to: &PublicKey, deposit: [u8; 16], group_bytes: u64) -> Result<Self, SealError> {
        if to.algorithm() != KeyAlgorithm::Sm2 {
            return Err(SealError::Algorithm);
        }
        let chunk = Zeroizing::new(Vec::with_capacity(CHUNK_BYTES + TAG_BYTES));
        Ok(Self { out, to: to.clone(), deposit, group_bytes, group: Group::before_first(), chunk })
    }

    /// Writes the last chunk, and gives what it wrote to.
    ///
    /// # Errors
    /// What it writes to refuses.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.put_chunk(LAST)?;
        Ok(self.out)
    }

    fn put_chunk(&mut self, kind: u8) -> io::Result<()> {
        if self.group.cipher.is_none() {
            self.begin_group(&mut OsRng)?;
        }
        let Some(cipher) = &self.group.cipher else { return Err(SealError::Algorithm.into()) };
        let (nonce, context) = (self.group.nonce(kind), self.group.context(&self.deposit));
        let bytes = u64::try_from(self.chunk.len()).unwrap_or(u64::MAX);
        let tag = cipher.encrypt_in_place_detached(&Nonce::from(nonce), &context, &mut self.chunk);
        let tag = tag.map_err(|_| SealError::Form)?;
        let length = u32::try_from(self.chunk.len()).map_err(|_| SealError::Form)?;
        self.out.write_all(&[kind])?;
        self.out.write_all(&length.to_be_bytes())?;
        self.out.write_all(&self.chunk)?;
        self.out.write_all(&tag)?;
        self.chunk.clear();
        self.group.chunks += 1;
        self.group.bytes += bytes;
        if kind != MORE {
            (self.group.cipher, self.group.bytes) = (None, 0);
        }
        Ok(())
    }

    fn begin_group(&mut self, rng: &mut impl CryptoRngCore) -> io::Result<()> {
        let key = SessionKey::generate(SessionCipher::Sm4, rng);
        let wrapped = key.encrypt_to(&self.to, rng).map_err(|_| SealError::Algorithm)?;
        let length = u16::try_from(wrapped.len()).map_err(|_| SealError::Form)?;
        self.out.write_all(b"G")?;
        self.out.write_all(&self.group.next.to_be_bytes())?;
        self.out.write_all(&length.to_be_bytes())?;
        self.out.write_all(&wrapped)?;
        let next = self.group.next.checked_add(1).ok_or(SealError::TooLong)?;
        self.group = Group { next, cipher: Some(cipher(&key)?), chunks: 0, bytes: 0 };
        Ok(())
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.chunk.len() == CHUNK_BYTES {
            let in_group = self.group.bytes.saturating_add(u64::try_from(CHUNK_BYTES).unwrap_or(u64::MAX));
            self.put_chunk(if in_group >= self.group_bytes { LAST_OF_GROUP } else { MORE })?;
        }
        let taken = bytes.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Opens an envelope as it is read. Holds one chunk.
pub(super) struct Opener<'k, R: Read> {
    from: R,
    own: &'k PrivateKey,
    deposit: [u8; 16],
    group: Group,
    chunk: Zeroizing<Vec<u8>>,
    given: usize,
    ended: bool,
}

impl<'k, R: Read> Opener<'k, R> {
    /// Opens the envelope of the deposit with these bytes for a name.
    pub(super) fn new(from: R, own: &'k PrivateKey, deposit: [u8; 16]) -> Self {
        let (group, chunk) = (Group::before_first(), Zeroizing::new(Vec::new()));
        Self { from, own, deposit, group, chunk, given: 0, ended: false }
    }

    /// Opens the next chunk; `false` behind the last one.
    fn next_chunk(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        if self.group.cipher.is_none() {
            self.begin_group()?;
        }
        let Some(cipher) = &self.group.cipher else { return Err(SealError::Form.into()) };
        let [kind, length @ ..] = exactly::<5>(&mut self.from)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if kind > LAST || length > CHUNK_BYTES {
            return Err(SealError::Form.into());
        }
        self.chunk.clear();
        self.chunk.resize(length, 0);
        self.from.read_exact(&mut self.chunk).map_err(cut_short)?;
        let tag = exactly::<TAG_BYTES>(&mut self.from)?;
        let (nonce, context) = (self.group.nonce(kind), self.group.context(&self.deposit));
        let opened = cipher.decrypt_in_place_detached(&Nonce::from(nonce), &context, &mut self.chunk, &Tag::from(tag));
        if opened.is_err() {
            self.chunk.clear();
            self.ended = true;
            return Err(SealError::Chunk { group: self.group.number(), chunk: self.group.chunks }.into());
        }
        self.given = 0;
        self.group.chunks += 1;
        if kind != MORE {
            self.group.cipher = None;
        }
        if kind == LAST {
            self.ended = true;
            if self.from.read(&mut [0])? != 0 {
                return Err(SealError::TooLong.into());
            }
        }
        Ok(true)
    }

    fn begin_group(&mut self) -> io::Result<()> {
        let head = exactly::<7>(&mut self.from)?;
        let [b'G', n0, n1, n2, n3, l0, l1] = head else { return Err(SealError::Form.into()) };
        let (number, length) = (u32::from_be_bytes([n0, n1, n2, n3]), u16::from_be_bytes([l0, l1]));
        if number != self.group.next || usize::from(length) > MOST_WRAPPED_BYTES {
            return Err(SealError::Form.into());
        }
        let mut wrapped = vec![0; usize::from(length)];
        self.from.read_exact(&mut wrapped).map_err(cut_short)?;
        let key = SessionKey::decrypt_with(self.own, &wrapped, &mut OsRng);
        let key = key.ok().filter(|key| key.cipher() == SessionCipher::Sm4);
        let key = key.ok_or(SealError::Key { group: number })?;
        let next = number.checked_add(1).ok_or(SealError::Form)?;
        self.group = Group { next, cipher: Some(cipher(&key)?), chunks: 0, bytes: 0 };
        Ok(())
    }
}

impl<R: Read> Read for Opener<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given >= self.chunk.len() {
            if !self.next_chunk()? {
                return Ok(0);
            }
        }
        let left = self.chunk.get(self.given..).unwrap_or_default();
        let taken = left.len().min(into.len());
        for (to, from) in into.iter_mut().zip(left) {
            *to = *from;
        }
        self.given += taken;
        Ok(taken)
    }
}

fn cipher(key: &SessionKey) -> Result<Cipher, SealError> {
    Cipher::new_from_slice(key.bytes()).map_err(|_| SealError::Form)
}

/// The next bytes, or that there are none.
fn exactly<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes).map_err(cut_short)?;
    Ok(bytes)
}

fn cut_short(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { SealError::CutShort.into() } else { error }
}

const MORE: u8 = 0;
const LAST_OF_GROUP: u8 = 1;
const LAST: u8 = 2;

/// Bytes of a tag.
const TAG_BYTES: usize = 16;

/// Bytes of a data key encrypted with SM2 at most: a point, a digest, and the key with its number.
const MOST_WRAPPED_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    const DEPOSIT: [u8; 16] = [7; 16];

    fn sealed(key: &PrivateKey, clear: &[u8], group_bytes: u64) -> Vec<u8> {
        let mut sealer = Sealer::new(Vec::new(), &key.public_key(), DEPOSIT, group_bytes).unwrap();
        sealer.write_all(clear).unwrap();
        sealer.finish().unwrap()
    }

    fn opened(key: &PrivateKey, sealed: &[u8], deposit: [u8; 16]) -> io::Result<Vec<u8>> {
        let mut clear = Vec::new();
        Opener::new(sealed, key, deposit).read_to_end(&mut clear)?;
        Ok(clear)
    }

    fn problem(outcome: io::Result<Vec<u8>>) -> SealError {
        *outcome.unwrap_err().get_ref().unwrap().downcast_ref().unwrap()
    }

    #[test]
    fn what_was_sealed_opens_at_every_length() {
        let key = PrivateKey::generate_sm2(&mut OsRng);
        for length in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES + 9] {
            let clear: Vec<u8> = (0..251).cycle().take(length).collect();
            let sealed = sealed(&key, &clear, 2 * CHUNK_BYTES as u64);
            assert_eq!(opened(&key, &sealed, DEPOSIT).unwrap(), clear, "{length}");
        }
    }

    #[test]
    fn every_group_has_a_key_of_its_own() {
        let key = PrivateKey::generate_sm2(&mut OsRng);
        let sealed = sealed(&key, &vec![0; 4 * CHUNK_BYTES], 2 * CHUNK_BYTES as u64);
        let (first, second) = sealed.split_at(sealed.len() / 2);
        assert!(first.starts_with(b"G\0\0\0\0") && second.starts_with(b"G\0\0\0\x01"));
        assert_ne!(first[7..], second[7..], "equal contents under different keys");
    }

    #[test]
    fn nothing_that_was_changed_cut_or_moved_opens() {
        let key = PrivateKey::generate_sm2(&mut OsRng);
        let small = sealed(&key, b"a small deposit", 1 << 20);
        for place in 0..small.len() {
            let mut changed = small.clone();
            changed[place] ^= 1;
            assert!(opened(&key, &changed, DEPOSIT).is_err(), "byte {place}");
            assert!(opened(&key, &small[..place], DEPOSIT).is_err(), "cut at {place}");
        }
        assert_eq!(problem(opened(&key, &[&small[..], b"x"].concat(), DEPOSIT)), SealError::TooLong);
        assert_eq!(problem(opened(&key, &small, [8; 16])), SealError::Chunk { group: 0, chunk: 0 });
        let other = PrivateKey::generate_sm2(&mut OsRng);
        assert_eq!(problem(opened(&other, &small, DEPOSIT)), SealError::Key { group: 0 });

        let large = sealed(&key, &vec![3; 4 * CHUNK_BYTES], 2 * CHUNK_BYTES as u64);
        let (first, second) = large.split_at(large.len() / 2);
        assert!(opened(&key, &[second, first].concat(), DEPOSIT).is_err());
        assert!(opened(&key, second, DEPOSIT).is_err());
        assert_eq!(problem(opened(&key, first, DEPOSIT)), SealError::CutShort);
    }

    #[test]
    fn keys_of_other_kinds_seal_nothing() {
        let rsa = PrivateKey::generate_rsa(1024, &mut OsRng).unwrap();
        let refused = Sealer::new(Vec::new(), &rsa.public_key(), DEPOSIT, 1 << 20);
        assert_eq!(refused.err(), Some(SealError::Algorithm));
    }
}
