//! The envelope cut into parts, each a file that is signed.
//!
//! ```text
//! part  "WMDEP\r\n" 01(version)  deposit(16)  number(4, big-endian, from 1)  a piece of the envelope  00 others follow, or 01 the last
//! ```
//! Head and tail make a part that is called otherwise than it was made, is missing or stands in another's place, known without any key but the node's
//! public one. The signature of a file is SM2 over the SM3 of its bytes, DER in hexadecimal digits, by the user id GM/T 0009 gives to those without.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sm3::{Digest, Sm3};
use waymark_wire::crypto::{OsRng, PrivateKey, PublicKey};

use super::config::{PARTS, REPORT_BYTES};
use super::name::{Extension, FileName};

/// What is wrong with the parts of a deposit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartError {
    /// The file is no part of a deposit.
    #[error("{file} is no part of a deposit")]
    Form {
        /// The file.
        file: String,
    },
    /// Written by another version of this program.
    #[error("{file} is of version {found}, this program knows version 1")]
    Version {
        /// The file.
        file: String,
        /// The version found.
        found: u8,
    },
    /// It says to be another part, or of another deposit, than it is called.
    #[error("{file} is not the part, or not of the deposit, it is called")]
    Mismatch {
        /// The file.
        file: String,
    },
    /// A part is not there.
    #[error("part {part} is missing")]
    Missing {
        /// Its number.
        part: u32,
    },
    /// There is a part behind the last one.
    #[error("{file} stands behind the last part")]
    Extra {
        /// The file.
        file: String,
    },
    /// The signature is not that of the node over these bytes.
    #[error("the signature of {file} is wrong")]
    Signature {
        /// The file.
        file: String,
    },
    /// More parts than there may be.
    #[error("a deposit of more than 9,999 parts")]
    TooMany,
}

impl From<PartError> for io::Error {
    fn from(error: PartError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// One file as the report lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is called.
    pub name: FileName,
    /// Its bytes.
    pub bytes: u64,
    /// SM3 of them.
    pub sm3: [u8; 32],
}

/// Cuts what is written to it into files under names that end in `.new`.
pub(super) struct PartsWriter<'k> {
    folder: PathBuf,
    name: FileName,
    key: &'k PrivateKey,
    deposit: [u8; 16],
    part_bytes: u64,
    open: Option<Open>,
    parts: Vec<Part>,
}

struct Open {
    file: BufWriter<File>,
    name: FileName,
    hash: Sm3,
    bytes: u64,
}

impl Open {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(())
    }
}

impl<'k> PartsWriter<'k> {
    /// Parts in a folder, called as `name` but for the number.
    pub(super) fn new(folder: &Path, name: &FileName, key: &'k PrivateKey, deposit: [u8; 16], part_bytes: u64) -> Self {
        let (folder, name) = (folder.to_owned(), name.clone());
        Self { folder, name, key, deposit, part_bytes, open: None, parts: Vec::new() }
    }

    /// Ends the last part. The files have their names only after [`publish`].
    ///
    /// # Errors
    /// A refusing disk.
    pub(super) fn finish(mut self) -> io::Result<Vec<Part>> {
        if self.open.is_none() {
            self.begin()?;
        }
        self.end(LAST)?;
        Ok(self.parts)
    }

    fn begin(&mut self) -> io::Result<()> {
        let number = u32::try_from(self.parts.len()).unwrap_or(u32::MAX).saturating_add(1);
        if number > PARTS {
            return Err(PartError::TooMany.into());
        }
        let name = self.name.of_part(number, Extension::Data);
        let file = BufWriter::with_capacity(BUFFER_BYTES, File::create(fresh(&self.folder, &name))?);
        let mut open = Open { file, name, hash: Sm3::new(), bytes: 0 };
        open.put(&head(self.deposit, number))?;
        self.open = Some(open);
        Ok(())
    }

    fn end(&mut self, tail: u8) -> io::Result<()> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        open.put(&[tail])?;
        let Open { file, name, hash, bytes } = open;
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        let part = Part { name, bytes, sm3: hash.finalize().into() };
        let signature = sign(self.key, &part.sm3)?;
        write_fresh(&self.folder, &part.name.of_part(part.name.part, Extension::Signature), signature.as_bytes())?;
        self.parts.push(part);
        Ok(())
    }
}

impl Write for PartsWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        if self.open.as_ref().is_some_and(|open| open.bytes + 1 >= self.part_bytes) {
            self.end(MORE)?;
        }
        if self.open.is_none() {
            self.begin()?;
        }
        let Some(open) = &mut self.open else { return Ok(0) };
        let room = usize::try_from(self.part_bytes - 1 - open.bytes).unwrap_or(usize::MAX);
        let taken = bytes.get(..room.min(bytes.len())).unwrap_or(bytes);
        open.put(taken)?;
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where a file is until it is published.
fn fresh(folder: &Path, name: &FileName) -> PathBuf {
    folder.join(format!("{name}.new"))
}

/// Writes a small file that is not published yet, durably.
pub(super) fn write_fresh(folder: &Path, name: &FileName, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(fresh(folder, name))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives files their names, in order: the report last, so that whoever sees it sees all.
pub(super) fn publish(folder: &Path, names: &[FileName]) -> io::Result<()> {
    for name in names {
        fs::rename(fresh(folder, name), folder.join(name.to_string()))?;
    }
    File::open(folder)?.sync_all()
}

/// Takes away what was not published, as far as it goes.
pub(super) fn give_up(folder: &Path, name: &FileName) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let named = path.file_name().and_then(|file| file.to_str()).and_then(|file| file.strip_suffix(".new"));
        if named.and_then(|file| file.parse::<FileName>().ok()).is_some_and(|file| file.is_beside(name)) {
            // What cannot be taken away is in nobody's way but the disk's.
            let _ = fs::remove_file(path);
        }
    }
}

/// The signature of bytes by their hash, as it stands in a file.
pub(super) fn sign(key: &PrivateKey, sm3: &[u8; 32]) -> io::Result<String> {
    let signature = key.sign_sm2(USER_ID, sm3, &mut OsRng).map_err(|_| super::seal::SealError::Algorithm)?;
    Ok(format!("{}\n", hex::encode(signature)))
}

/// Whether a signature file is that of a key over bytes with this hash.
pub(super) fn is_signed(key: &PublicKey, sm3: &[u8; 32], file: &[u8]) -> bool {
    let text = str::from_utf8(file).unwrap_or_default().trim();
    hex::decode(text).is_ok_and(|signature| key.verify_sm2(USER_ID, sm3, &signature).is_ok())
}

/// The bytes of a small file, and no more of a large one than it may have.
pub(super) fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(REPORT_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > REPORT_BYTES {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    Ok(bytes)
}

/// SM3 of bytes.
pub(super) fn sm3_of(bytes: &[u8]) -> [u8; 32] {
    Sm3::digest(bytes).into()
}

/// Size and hash of a file. Holds a small buffer.
pub(super) fn measure(path: &Path, name: FileName) -> io::Result<Part> {
    let mut file = File::open(path)?;
    let (mut hash, mut bytes, mut buffer) = (Sm3::new(), 0, vec![0; BUFFER_BYTES]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(Part { name, bytes, sm3: hash.finalize().into() });
        }
        hash.update(buffer.get(..read).unwrap_or_default());
        bytes += u64::try_from(read).unwrap_or(u64::MAX);
    }
}

/// The envelope, from its parts in order.
#[derive(Debug)]
pub(super) struct PartsReader {
    files: std::vec::IntoIter<(PathBuf, FileName)>,
    deposit: [u8; 16],
    open: Option<OpenPart>,
    number: u32,
    ended: bool,
}

#[derive(Debug)]
struct OpenPart {
    file: BufReader<File>,
    name: String,
    /// Bytes of the envelope in it that were not read yet.
    left: u64,
}

impl PartsReader {
    /// Begins with the first of the files, which are of one deposit and in order.
    ///
    /// # Errors
    /// The first is no first part, or cannot be read.
    pub(super) fn new(files: Vec<(PathBuf, FileName)>) -> io::Result<Self> {
        let mut reader = Self { files: files.into_iter(), deposit: [0; 16], open: None, number: 0, ended: false };
        if !reader.next_part()? {
            return Err(PartError::Missing { part: 1 }.into());
        }
        Ok(reader)
    }

    /// The bytes the deposit has for a name.
    pub(super) const fn deposit(&self) -> [u8; 16] {
        self.deposit
    }

    /// Opens the next part; `false` behind the last one.
    fn next_part(&mut self) -> io::Result<bool> {
        if let Some(mut open) = self.open.take() {
            let mut tail = [0];
            open.file.read_exact(&mut tail)?;
            match tail {
                [MORE] => {}
                [LAST] => self.ended = true,
                _ => return Err(PartError::Form { file: open.name }.into()),
            }
        }
        let next = self.files.next();
        if self.ended {
            return match next {
                Some((_, name)) => Err(PartError::Extra { file: name.to_string() }.into()),
                None => Ok(false),
            };
        }
        let number = self.number.saturating_add(1);
        let Some((path, name)) = next else { return Err(PartError::Missing { part: number }.into()) };
        if name.part != number {
            return Err(PartError::Missing { part: number }.into());
        }
        let (file, name) = (File::open(&path)?, name.to_string());
        let length = file.metadata()?.len();
        let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
        let mut found = [0; HEAD_BYTES];
        let read = file.read_exact(&mut found);
        let left = length.checked_sub(u64::try_from(HEAD_BYTES).unwrap_or(u64::MAX) + 1);
        let (Ok(()), Some(left)) = (read, left) else { return Err(PartError::Form { file: name }.into()) };
        let (magic, rest) = found.split_at(MAGIC.len());
        let Some(([version], rest)) = rest.split_first_chunk::<1>() else {
            return Err(PartError::Form { file: name }.into());
        };
        if magic != MAGIC {
            return Err(PartError::Form { file: name }.into());
        }
        if *version != VERSION {
            return Err(PartError::Version { file: name, found: *version }.into());
        }
        let (deposit, said) = rest.split_at_checked(16).unwrap_or_default();
        if number == 1 {
            self.deposit = deposit.try_into().unwrap_or_default();
        }
        if deposit != self.deposit || said != number.to_be_bytes() {
            return Err(PartError::Mismatch { file: name }.into());
        }
        self.number = number;
        self.open = Some(OpenPart { file, name, left });
        Ok(true)
    }
}

impl Read for PartsReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            match &mut self.open {
                Some(open) if open.left > 0 => {
                    let most = usize::try_from(open.left).unwrap_or(usize::MAX).min(into.len());
                    let read = open.file.read(into.get_mut(..most).unwrap_or_default())?;
                    if read == 0 {
                        return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                    }
                    open.left -= u64::try_from(read).unwrap_or(0);
                    return Ok(read);
                }
                None if self.ended => return Ok(0),
                _ => {
                    if !self.next_part()? {
                        return Ok(0);
                    }
                }
            }
        }
    }
}

fn head(deposit: [u8; 16], number: u32) -> Vec<u8> {
    [MAGIC, &[VERSION], &deposit, &number.to_be_bytes()].concat()
}

const MAGIC: &[u8] = b"WMDEP\r\n";
const VERSION: u8 = 1;
const HEAD_BYTES: usize = MAGIC.len() + 1 + 16 + 4;
const MORE: u8 = 0;
const LAST: u8 = 1;

/// Bytes read or written at once.
const BUFFER_BYTES: usize = 256 << 10;

/// The user id of those who have none (GM/T 0009 section 10).
const USER_ID: &[u8] = b"1234567812345678";

#[cfg(test)]
mod tests {
    use super::*;

    const DEPOSIT: [u8; 16] = [5; 16];

    fn name() -> FileName {
        "88.990_2026-11-29_full_S1_R0.inde".parse().unwrap()
    }

    fn cut(folder: &Path, key: &PrivateKey, bytes: &[u8], part_bytes: u64) -> Vec<Part> {
        let mut writer = PartsWriter::new(folder, &name(), key, DEPOSIT, part_bytes);
        writer.write_all(bytes).unwrap();
        let parts = writer.finish().unwrap();
        let names =
            parts.iter().flat_map(|part| [part.name.clone(), part.name.of_part(part.name.part, Extension::Signature)]);
        publish(folder, &names.collect::<Vec<_>>()).unwrap();
        parts
    }

    fn read(folder: &Path, parts: &[Part]) -> io::Result<Vec<u8>> {
        let files = parts.iter().map(|part| (folder.join(part.name.to_string()), part.name.clone())).collect();
        let mut bytes = Vec::new();
        PartsReader::new(files)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn problem(outcome: io::Result<Vec<u8>>) -> PartError {
        outcome.unwrap_err().get_ref().unwrap().downcast_ref::<PartError>().unwrap().clone()
    }

    #[test]
    fn parts_are_of_their_size_signed_and_come_together_again() {
        let (folder, key) = (tempfile::tempdir().unwrap(), PrivateKey::generate_sm2(&mut OsRng));
        for length in [0_usize, 1, 226, 227, 228, 1_000] {
            let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
            let parts = cut(folder.path(), &key, &bytes, 256);
            assert_eq!(parts.len(), length.div_ceil(227).max(1), "{length}");
            assert!(parts.iter().all(|part| part.bytes <= 256));
            assert_eq!(read(folder.path(), &parts).unwrap(), bytes);
            for part in parts {
                let path = folder.path().join(part.name.to_string());
                assert_eq!(measure(&path, part.name.clone()).unwrap(), part);
                let signature = fs::read(path.with_extension("sig")).unwrap();
                assert!(is_signed(&key.public_key(), &part.sm3, &signature));
                assert!(!is_signed(&key.public_key(), &[0; 32], &signature));
            }
        }
    }

    #[test]
    fn parts_that_are_missing_swapped_or_of_others_are_told() {
        let (folder, key) = (tempfile::tempdir().unwrap(), PrivateKey::generate_sm2(&mut OsRng));
        let parts = cut(folder.path(), &key, &[1; 600], 256);
        let path = |part: &Part| folder.path().join(part.name.to_string());
        assert_eq!(problem(read(folder.path(), &parts[..2])), PartError::Missing { part: 3 });
        assert_eq!(problem(read(folder.path(), &parts[1..])), PartError::Missing { part: 1 });
        fs::copy(path(&parts[2]), folder.path().join("88.990_2026-11-29_full_S4_R0.inde")).unwrap();
        let fourth = Part { name: name().of_part(4, Extension::Data), ..parts[2].clone() };
        let extra = [&parts[..], &[fourth]].concat();
        assert!(matches!(problem(read(folder.path(), &extra)), PartError::Extra { .. }));
        fs::rename(path(&parts[0]), folder.path().join("aside")).unwrap();
        fs::rename(path(&parts[1]), path(&parts[0])).unwrap();
        fs::rename(folder.path().join("aside"), path(&parts[1])).unwrap();
        assert!(matches!(problem(read(folder.path(), &parts)), PartError::Mismatch { .. }));
        fs::write(path(&parts[0]), b"PK").unwrap();
        assert!(matches!(problem(read(folder.path(), &parts)), PartError::Form { .. }));
        fs::write(path(&parts[0]), [MAGIC, &[9], &[0; 21]].concat()).unwrap();
        assert!(matches!(problem(read(folder.path(), &parts)), PartError::Version { found: 9, .. }));
    }
}
