//! A job as it is kept: `job.json` in the folder of the job, form 2.
//!
//! ```text
//! { "version": 2,                              a larger number is not read by this program
//!   "id": UUID, "title": text, "owner": name,
//!   "token": 16 hexadecimal digits,            the token it was submitted with, or
//!   "certificate": 64 hexadecimal digits,      the SHA-256 of the client certificate
//!   "source": address,                         it was submitted from, if known
//!   "format": "json-lines" | "batch", "replace": bool,
//!   "request_id": UUID,                        absent when the caller gave none
//!   "sha256": 64 hexadecimal digits, "bytes": number,          of `input`
//!   "submitted_ms": time, "ended_ms": time,    milliseconds since 1970; the second when it has ended
//!   "state": "queued" | "running" | "done" | "cancelled" | "failed" | "stopped",
//!   "cancel": bool,                            somebody asked it to stop
//!   "mark": { "offset", "lines", "orders", "created", "changed", "unchanged", "refused", "result_bytes" },
//!   "failure": text }                          why it failed or was stopped, or what it waits for
//! ```
//! Form 1 knew no certificates, no state "stopped", and told a token only where that gives less than its principal has. It is read, and becomes form 2
//! when it is written.
//!
//! `mark` is where the import goes on: the first `result_bytes` of `result.jsonl` and the counts tell of exactly what lies before it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use waymark_api::registration::v1;
use waymark_catalog::import::{Format, Place, Summary};
use waymark_catalog::{Proof, Timestamp};

use crate::failure::proto_time;

/// A job, as it was when it was kept last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    version: u32,
    pub(super) id: String,
    pub(super) title: String,
    pub(super) owner: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) certificate: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<IpAddr>,
    pub(super) format: Form,
    pub(super) replace: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) request_id: Option<String>,
    pub(super) sha256: String,
    pub(super) bytes: u64,
    submitted_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_ms: Option<u64>,
    pub(super) state: State,
    pub(super) cancel: bool,
    pub(super) mark: Mark,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<String>,
}

/// The form of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Form {
    JsonLines,
    Batch,
}

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    Queued,
    Running,
    Done,
    Cancelled,
    Failed,
    Stopped,
}

/// How far a job is, and what it did until there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    pub(super) offset: u64,
    pub(super) lines: u64,
    pub(super) orders: u64,
    pub(super) created: u64,
    pub(super) changed: u64,
    pub(super) unchanged: u64,
    pub(super) refused: u64,
    pub(super) result_bytes: u64,
}

/// Why a kept job cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoredError {
    #[error("it cannot be read")]
    Read(#[from] io::Error),
    #[error("it is damaged")]
    Damaged(#[from] serde_json::Error),
    #[error("it has form {found}, and this program reads forms up to {FORM}: it was written by a newer version")]
    OtherForm { found: u64 },
}

/// Why something of a job was not kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeepError {
    /// All is as it was before.
    #[error(transparent)]
    NotKept(#[from] io::Error),
    /// It is there as long as the system runs, and nobody knows whether it is on the disk.
    #[error("a name of a folder could not be made durable")]
    Unsure(#[source] io::Error),
}

impl From<serde_json::Error> for KeepError {
    fn from(error: serde_json::Error) -> Self {
        Self::NotKept(error.into())
    }
}

impl From<KeepError> for io::Error {
    fn from(error: KeepError) -> Self {
        match error {
            KeepError::NotKept(error) | KeepError::Unsure(error) => error,
        }
    }
}

/// The form this program writes.
const FORM: u32 = 2;

/// The forms this program reads.
const FORMS: RangeInclusive<u64> = 1..=2;

/// Names of the files of a job.
pub(super) const INPUT: &str = "input";
pub(super) const RESULT: &str = "result.jsonl";
const JOB: &str = "job.json";
const NEXT_JOB: &str = "job.json.next";

/// What is known of a job when it is submitted.
pub(super) struct Submitted<'a> {
    pub(super) id: Uuid,
    pub(super) title: String,
    pub(super) owner: &'a str,
    pub(super) proof: &'a Proof,
    pub(super) source: Option<IpAddr>,
    pub(super) format: Form,
    pub(super) replace: bool,
    pub(super) request_id: Option<Uuid>,
    pub(super) sha256: [u8; 32],
    pub(super) bytes: u64,
    pub(super) at: Timestamp,
}

impl Stored {
    pub(super) fn new(submitted: Submitted<'_>) -> Self {
        let Submitted { id, title, owner, proof, source, format, replace, request_id, sha256, bytes, at } = submitted;
        let (token, certificate) = match proof {
            Proof::Token(id) => (Some(id.to_string()), None),
            Proof::Certificate(fingerprint) => (None, Some(hex::encode(fingerprint))),
            _ => (None, None),
        };
        Self {
            version: FORM,
            id: id.to_string(),
            title,
            owner: owner.to_owned(),
            token,
            certificate,
            source,
            format,
            replace,
            request_id: request_id.map(|id| id.to_string()),
            sha256: hex::encode(sha256),
            bytes,
            submitted_ms: at.0,
            ended_ms: None,
            state: State::Queued,
            cancel: false,
            mark: Mark::default(),
            failure: None,
        }
    }

    /// Reads the job of a folder.
    pub(super) fn read(folder: &Path) -> Result<Self, StoredError> {
        Self::parse(&fs::read(folder.join(JOB))?)
    }

    /// Reads the content of `job.json`.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, StoredError> {
        #[derive(Deserialize)]
        struct Version {
            version: u64,
        }
        let found = serde_json::from_slice::<Version>(bytes)?.version;
        if !FORMS.contains(&found) {
            return Err(StoredError::OtherForm { found });
        }
        Ok(Self { version: FORM, ..serde_json::from_slice(bytes)? })
    }

    /// The content of `job.json`.
    pub(super) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }

    /// Writes the job into its folder: wholly and durably, or, unless the error says otherwise, not at all.
    pub(super) fn write(&self, folder: &Path) -> Result<(), KeepError> {
        let next = folder.join(NEXT_JOB);
        let mut file = File::create(&next)?;
        file.write_all(&self.to_bytes()?)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&next, folder.join(JOB))?;
        sync_folder(folder).map_err(KeepError::Unsure)
    }

    /// The credential it was submitted with; [`Proof::Job`] where none is told. One that cannot be read gives nothing.
    pub(super) fn proof(&self) -> Proof {
        match (&self.token, &self.certificate) {
            (Some(id), _) => id.parse().map_or(Proof::Nothing, Proof::Token),
            (None, Some(text)) => {
                let mut fingerprint = [0; 32];
                let read = hex::decode_to_slice(text, &mut fingerprint);
                read.map_or(Proof::Nothing, |()| Proof::Certificate(fingerprint))
            }
            (None, None) => Proof::Job,
        }
    }

    /// Ends it.
    pub(super) fn end(&mut self, state: State, failure: Option<String>, at: Timestamp) {
        self.state = state;
        self.failure = failure;
        self.ended_ms = Some(at.0);
    }

    /// When it ended.
    pub(super) fn ended(&self) -> Option<Timestamp> {
        self.ended_ms.map(Timestamp)
    }

    /// As callers see it, as far as `mark`.
    pub(super) fn shown(&self, mark: &Mark) -> v1::Job {
        v1::Job {
            id: self.id.clone(),
            title: self.title.clone(),
            owner: self.owner.clone(),
            state: self.state.shown().into(),
            submitted: Some(proto_time(Timestamp(self.submitted_ms))),
            ended: self.ended().map(proto_time),
            bytes_done: mark.offset,
            bytes_total: self.bytes,
            lines: mark.lines,
            created: mark.created,
            changed: mark.changed,
            unchanged: mark.unchanged,
            refused: mark.refused,
            failure: self.failure.clone().unwrap_or_default(),
        }
    }
}

impl From<Form> for Format {
    fn from(form: Form) -> Self {
        match form {
            Form::JsonLines => Self::JsonLines,
            Form::Batch => Self::Batch,
        }
    }
}

impl State {
    pub(super) const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled | Self::Failed | Self::Stopped)
    }

    const fn shown(self) -> v1::JobState {
        match self {
            Self::Queued => v1::JobState::Queued,
            Self::Running => v1::JobState::Running,
            Self::Done => v1::JobState::Done,
            Self::Cancelled => v1::JobState::Cancelled,
            Self::Failed => v1::JobState::Failed,
            Self::Stopped => v1::JobState::Stopped,
        }
    }
}

impl Mark {
    pub(super) const fn place(&self) -> Place {
        Place { offset: self.offset, lines: self.lines, orders: self.orders }
    }

    pub(super) const fn at(self, place: &Place) -> Self {
        Self { offset: place.offset, lines: place.lines, orders: place.orders, ..self }
    }

    /// This, and what a run counted since.
    pub(super) const fn and(self, summary: &Summary) -> Self {
        let changed = summary.replaced + summary.changed + summary.deleted + summary.homed + summary.unhomed;
        Self {
            created: self.created + summary.created,
            changed: self.changed + changed,
            unchanged: self.unchanged + summary.same,
            refused: self.refused + summary.progress.failed,
            ..self
        }
    }
}

/// Makes names of a folder durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(test)]
    faults::meet()?;
    File::open(folder)?.sync_all()
}

/// A disk that fails to make names durable, for the tests of one thread.
#[cfg(test)]
pub(super) mod faults {
    use std::cell::RefCell;
    use std::io;

    thread_local! {
        /// Whether each of the next times fails, the next one last.
        static NEXT: RefCell<Vec<bool>> = const { RefCell::new(Vec::new()) };
    }

    /// Says which of the next times fail.
    pub(in super::super) fn plan(fails: &[bool]) {
        NEXT.set(fails.iter().rev().copied().collect());
    }

    pub(super) fn meet() -> io::Result<()> {
        let fails = NEXT.with_borrow_mut(Vec::pop).unwrap_or(false);
        if fails { Err(io::Error::other("the flush failed")) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 1 wrote it. Never changed.
    const GOLDEN_1: &str = r#"{"version":1,"id":"01976b9a-7c00-7000-8000-000000000001","title":"11 月","owner":"line-1","token":"0123456789abcdef","source":"192.0.2.7","format":"batch","replace":true,"request_id":"01976b9a-7c00-7000-8000-000000000000","sha256":"0707070707070707070707070707070707070707070707070707070707070707","bytes":10,"submitted_ms":1800000000000,"ended_ms":1800000000001,"state":"cancelled","cancel":true,"mark":{"offset":1,"lines":2,"orders":3,"created":4,"changed":5,"unchanged":6,"refused":7,"result_bytes":8},"failure":"why"}"#;

    /// As version 2 writes it. Never changed.
    const GOLDEN: &str = r#"{"version":2,"id":"01976b9a-7c00-7000-8000-000000000001","title":"11 月","owner":"line-1","token":"0123456789abcdef","source":"192.0.2.7","format":"batch","replace":true,"request_id":"01976b9a-7c00-7000-8000-000000000000","sha256":"0707070707070707070707070707070707070707070707070707070707070707","bytes":10,"submitted_ms":1800000000000,"ended_ms":1800000000001,"state":"cancelled","cancel":true,"mark":{"offset":1,"lines":2,"orders":3,"created":4,"changed":5,"unchanged":6,"refused":7,"result_bytes":8},"failure":"why"}"#;

    fn job() -> Stored {
        let mut job = Stored::new(Submitted {
            id: "01976b9a-7c00-7000-8000-000000000001".parse().unwrap(),
            title: "11 月".into(),
            owner: "line-1",
            proof: &Proof::Token("0123456789abcdef".parse().unwrap()),
            source: Some("192.0.2.7".parse().unwrap()),
            format: Form::Batch,
            replace: true,
            request_id: Some("01976b9a-7c00-7000-8000-000000000000".parse().unwrap()),
            sha256: [7; 32],
            bytes: 10,
            at: Timestamp(1_800_000_000_000),
        });
        job.cancel = true;
        job.mark =
            Mark { offset: 1, lines: 2, orders: 3, created: 4, changed: 5, unchanged: 6, refused: 7, result_bytes: 8 };
        job.end(State::Cancelled, Some("why".into()), Timestamp(1_800_000_000_001));
        job
    }

    #[test]
    fn a_job_is_kept_in_the_form_that_is_described() {
        let dir = tempfile::tempdir().unwrap();
        job().write(dir.path()).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join(JOB)).unwrap(), GOLDEN);
        assert_eq!(Stored::read(dir.path()).unwrap(), job());
        assert!(!dir.path().join(NEXT_JOB).exists());
        let by_certificate = Stored { token: None, certificate: Some("ab".repeat(32)), state: State::Stopped, ..job() };
        by_certificate.write(dir.path()).unwrap();
        assert_eq!(Stored::read(dir.path()).unwrap().proof(), Proof::Certificate([0xab; 32]));
    }

    #[test]
    fn a_job_of_the_first_form_is_read_and_written_in_the_second() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(JOB), GOLDEN_1).unwrap();
        let read = Stored::read(dir.path()).unwrap();
        assert_eq!(read, job());
        read.write(dir.path()).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join(JOB)).unwrap(), GOLDEN);
        // Submitted with a token that gave all its principal had, or with a certificate.
        let without = GOLDEN_1.replace("\"token\":\"0123456789abcdef\",", "");
        fs::write(dir.path().join(JOB), without).unwrap();
        assert_eq!(Stored::read(dir.path()).unwrap().proof(), Proof::Job);
    }

    #[test]
    fn a_job_that_is_there_and_perhaps_not_on_the_disk_is_told_from_one_that_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        faults::plan(&[true]);
        assert!(matches!(job().write(dir.path()), Err(KeepError::Unsure(_))));
        assert_eq!(Stored::read(dir.path()).unwrap(), job());
        let nowhere = dir.path().join("nowhere");
        assert!(matches!(job().write(&nowhere), Err(KeepError::NotKept(_))));
    }

    #[test]
    fn another_form_and_damage_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let read = |text: &str| {
            fs::write(dir.path().join(JOB), text).unwrap();
            Stored::read(dir.path()).unwrap_err()
        };
        let newer = GOLDEN.replacen("\"version\":2", "\"version\":3,\"new\":0", 1);
        assert!(matches!(read(&newer), StoredError::OtherForm { found: 3 }));
        assert!(matches!(read(&GOLDEN[..99]), StoredError::Damaged(_)));
        assert!(matches!(read(&GOLDEN.replacen("\"title\"", "\"tilte\"", 1)), StoredError::Damaged(_)));
    }
}
