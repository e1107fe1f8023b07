//! Checkpoints: the end of the chain, signed and kept in a second place, since a chain alone cannot show that its tail was cut.
//!
//! A checkpoint is one line of JSON:
//! ```text
//! {"version":1,"store":"<32 hexadecimal digits>","note":7,"serial":123,"time_ms":1790000000000,"algorithm":"sha-256",
//!  "chain":"<64 hexadecimal digits>","key":"<64 hexadecimal digits>","signature":"<128 hexadecimal digits>"}
//! ```
//! `store` is the id of the store; note, serial, time (milliseconds since 1970 UTC), algorithm and chain are those of the last note; `key` is the
//! SHA-256 of the public key. The signature is Ed25519 (RFC 8032) over these bytes, numbers big-endian:
//! ```text
//! "waymark audit checkpoint" 00 | version(1) = 1 | store(16) | note(8) | serial(8) | time(8) | algorithm(1) | chain(32) | key(32)
//! ```

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use waymark_store::{Serial, Timestamp};

use super::hash::{Algorithm, Digest};
use super::head::AuditHead;
use super::key::{AuditKey, KeyError, PublicKey};

/// A signed statement about the end of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Id of the store.
    pub store: [u8; 16],
    /// The last note.
    pub head: AuditHead,
    /// SHA-256 of the public key that verifies the signature.
    pub key: Digest,
    /// Ed25519 signature.
    pub signature: [u8; 64],
}

impl Checkpoint {
    /// Signs the end of a chain.
    ///
    /// # Errors
    /// The key cannot be used.
    pub fn sign(store: [u8; 16], head: AuditHead, key: &AuditKey) -> Result<Self, KeyError> {
        let unsigned = Self { store, head, key: key.public_key().fingerprint(), signature: [0; 64] };
        let signature = key.sign(&unsigned.signed_bytes())?;
        Ok(Self { signature, ..unsigned })
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// Another key's, or not its signature.
    pub fn verify(&self, key: &PublicKey) -> Result<(), SignatureError> {
        if self.key != key.fingerprint() {
            return Err(SignatureError::OtherKey { signed_by: self.key });
        }
        if key.verifies(&self.signed_bytes(), &self.signature) { Ok(()) } else { Err(SignatureError::False) }
    }

    /// Reads a line.
    ///
    /// # Errors
    /// What has not the form, or is of another version.
    pub fn parse(line: &str) -> Result<Self, CheckpointError> {
        let line: Line = serde_json::from_str(line).map_err(CheckpointError::Json)?;
        if line.version != VERSION {
            return Err(CheckpointError::Version { found: line.version });
        }
        let mut store = [0; 16];
        hex::decode_to_slice(&line.store, &mut store).map_err(|_| CheckpointError::Field("store"))?;
        let mut signature = [0; 64];
        hex::decode_to_slice(&line.signature, &mut signature).map_err(|_| CheckpointError::Field("signature"))?;
        let head = AuditHead {
            note: line.note,
            serial: Serial(line.serial),
            time: Timestamp(line.time_ms),
            algorithm: Algorithm::from_name(&line.algorithm).ok_or(CheckpointError::Field("algorithm"))?,
            chain: line.chain.parse().map_err(|_| CheckpointError::Field("chain"))?,
        };
        let key = line.key.parse().map_err(|_| CheckpointError::Field("key"))?;
        Ok(Self { store, head, key, signature })
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let AuditHead { note, serial, time, algorithm, chain } = self.head;
        let mut bytes = TAG.to_vec();
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.store);
        for number in [note, serial.0, time.0] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.push(algorithm.number());
        bytes.extend_from_slice(&chain.0);
        bytes.extend_from_slice(&self.key.0);
        bytes
    }
}

impl fmt::Display for Checkpoint {
    /// The line, without its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = Line {
            version: VERSION,
            store: hex::encode(self.store),
            note: self.head.note,
            serial: self.head.serial.0,
            time_ms: self.head.time.0,
            algorithm: self.head.algorithm.to_string(),
            chain: self.head.chain.to_string(),
            key: self.key.to_string(),
            signature: hex::encode(self.signature),
        };
        f.write_str(&serde_json::to_string(&line).map_err(|_| fmt::Error)?)
    }
}

/// Appends a checkpoint to a file, durable on return; makes the file when there is none. False, with nothing written, when the last one in it
/// is about the same note.
///
/// # Errors
/// The file cannot be read or written.
pub fn append_checkpoint(path: &Path, checkpoint: &Checkpoint) -> io::Result<bool> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(LAST_BYTES)))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    let whole = end.is_empty() || end.ends_with(b"\n");
    let last = end.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let last = std::str::from_utf8(last).ok().and_then(|line| Checkpoint::parse(line).ok());
    if whole
        && last.is_some_and(|last| {
            (last.store, last.head, last.key) == (checkpoint.store, checkpoint.head, checkpoint.key)
        })
    {
        return Ok(false);
    }
    // A line the power failed in stays as it is and ends here.
    let lead = if whole { "" } else { "\n" };
    file.write_all(format!("{lead}{checkpoint}\n").as_bytes())?;
    file.sync_all()?;
    if length == 0
        && let Some(folder) = path.parent()
    {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(true)
}

/// A line as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    version: u8,
    store: String,
    note: u64,
    serial: u64,
    time_ms: u64,
    algorithm: String,
    chain: String,
    key: String,
    signature: String,
}

/// Why a checkpoint does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Another key signed it.
    #[error("signed by the key {signed_by}")]
    OtherKey {
        /// Fingerprint of that key, as it says.
        signed_by: Digest,
    },
    /// Something in it was changed, or it was made up.
    #[error("the signature is false")]
    False,
}

/// Why a line is no checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Not the JSON of a checkpoint.
    #[error("not a checkpoint")]
    Json(#[source] serde_json::Error),
    /// Of another version.
    #[error("checkpoint of version {found}, this program knows version 1")]
    Version {
        /// The version found.
        found: u8,
    },
    /// A field that cannot be read.
    #[error("the field {0} of the checkpoint cannot be read")]
    Field(&'static str),
}

const TAG: &[u8] = b"waymark audit checkpoint\0";

/// Version of the form.
const VERSION: u8 = 1;

/// Bytes of the end of a file the last checkpoint is looked for in; a line has some 500.
const LAST_BYTES: u64 = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    fn head(note: u64) -> AuditHead {
        let (time, chain) = (Timestamp(1_790_000_000_000), Digest([0xab; 32]));
        AuditHead { note, serial: Serial(note * 2), time, algorithm: Algorithm::Sm3, chain }
    }

    /// The key of RFC 8032 section 7.1, test 1.
    fn key() -> AuditKey {
        let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
        let der = format!("302e020100300506032b657004220420{seed}");
        AuditKey::from_pkcs8(&hex::decode(der).unwrap()).unwrap()
    }

    #[test]
    fn a_checkpoint_has_a_golden_line() {
        let checkpoint = Checkpoint::sign([5; 16], head(7), &key()).unwrap();
        let expected = "{\"version\":1,\"store\":\"05050505050505050505050505050505\",\"note\":7,\"serial\":14,\
                        \"time_ms\":1790000000000,\"algorithm\":\"sm3\",\
                        \"chain\":\"abababababababababababababababababababababababababababababababab\",\
                        \"key\":\"21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9\",\
                        \"signature\":\"6df3cbc866b97e1cbbc5412e238a20528e54b3da73b391c7a7be5d2a5d71c599\
                        b50ead506fd83462ec5b4ab488678befb4afc594cdbaf410721c520f10f4e509\"}";
        assert_eq!(checkpoint.to_string(), expected);
        assert_eq!(Checkpoint::parse(expected).unwrap(), checkpoint);
        assert_eq!(checkpoint.verify(&key().public_key()), Ok(()));
    }

    #[test]
    fn a_checkpoint_that_was_changed_is_false() {
        let good = Checkpoint::sign([5; 16], head(7), &key()).unwrap();
        let public = key().public_key();
        let changes: [fn(&mut Checkpoint); 7] = [
            |c| c.store[0] ^= 1,
            |c| c.head.note += 1,
            |c| c.head.serial.0 += 1,
            |c| c.head.time.0 += 1,
            |c| c.head.algorithm = Algorithm::Sha256,
            |c| c.head.chain.0[31] ^= 1,
            |c| c.signature[0] ^= 1,
        ];
        for change in changes {
            let mut bad = good.clone();
            change(&mut bad);
            assert_eq!(bad.verify(&public), Err(SignatureError::False));
        }
        let (other, _) = AuditKey::generate().unwrap();
        let signed_by = public.fingerprint();
        assert_eq!(good.verify(&other.public_key()), Err(SignatureError::OtherKey { signed_by }));
    }

    #[test]
    fn what_is_no_checkpoint_of_this_version_is_refused() {
        let good = Checkpoint::sign([5; 16], head(7), &key()).unwrap().to_string();
        for wrong in ["", "{}", &good[1..], &good.replace("note", "nota"), &good.replace("{", "{\"more\":1,")] {
            assert!(matches!(Checkpoint::parse(wrong), Err(CheckpointError::Json(_))), "{wrong}");
        }
        let later = good.replace("\"version\":1", "\"version\":2");
        assert!(matches!(Checkpoint::parse(&later), Err(CheckpointError::Version { found: 2 })));
        let unknown = good.replace("\"sm3\"", "\"md5\"");
        assert!(matches!(Checkpoint::parse(&unknown), Err(CheckpointError::Field("algorithm"))));
    }

    #[test]
    fn appending_skips_what_is_there_and_survives_a_line_cut_short() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("checkpoints.jsonl");
        let checkpoint = |note| Checkpoint::sign([5; 16], head(note), &key()).unwrap();
        assert!(append_checkpoint(&path, &checkpoint(1)).unwrap());
        assert!(!append_checkpoint(&path, &checkpoint(1)).unwrap());
        assert!(append_checkpoint(&path, &checkpoint(2)).unwrap());
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 10]).unwrap();
        assert!(append_checkpoint(&path, &checkpoint(2)).unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        let read: Vec<_> = text.lines().map(|line| Checkpoint::parse(line).ok()).collect();
        assert_eq!(read, [Some(checkpoint(1)), None, Some(checkpoint(2))]);
    }
}
