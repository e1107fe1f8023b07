//! Checking a deposit: by anybody who has the node's public key, and all of it by who can open it.

use std::collections::BTreeMap;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use waymark_catalog::Timestamp;
use waymark_ident::Date;
use waymark_wire::crypto::{PrivateKey, PublicKey};

use super::head::{Counts, Head, is_sunday, watermark};
use super::name::{Extension, Extent, FileName, FileNameError};
use super::parts::{Part, PartError, PartsReader, is_signed, measure, read_small, sm3_of};
use super::read::{DocumentReader, Entry};
use super::report::Report;
use super::seal::{Opener, SealError};
use super::tokens::DocumentError;
use super::zip::{Unzip, ZipError, drain};

/// The files of one deposit, told by their names.
#[derive(Clone, Debug)]
pub struct Files {
    parts: Vec<(PathBuf, FileName)>,
    report: Option<PathBuf>,
}

/// What a deposit is held to beside itself.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// The node's key.
    pub node: &'a PublicKey,
    /// The key it was encrypted to, where it is at hand.
    pub platform: Option<&'a PrivateKey>,
    /// The prefix it should be of, folded; `None` for the one its files are called by.
    pub prefix: Option<&'a str>,
    /// What time it is.
    pub now: Timestamp,
}

/// What was checked.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What the deposit says of itself.
    pub head: Head,
    /// How much it holds; counted where it was opened, and as the report says otherwise.
    pub counts: Counts,
    /// Its parts.
    pub parts: usize,
    /// Its bytes.
    pub bytes: u64,
    /// It was opened, and its contents were read to the end.
    pub opened: bool,
}

/// Why a deposit is not valid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// A file is called as none of a deposit is.
    #[error("{file}: {source}")]
    Name {
        /// The file.
        file: String,
        /// What is wrong.
        source: FileNameError,
    },
    /// The files are of several deposits.
    #[error("{file} is of another deposit than the files before it")]
    Mixed {
        /// The file.
        file: String,
    },
    /// The report is not among the files.
    #[error("the report is missing")]
    NoReport,
    /// A part is wrong, or is missing.
    #[error(transparent)]
    Part(#[from] PartError),
    /// The envelope is wrong.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The container is wrong.
    #[error(transparent)]
    Zip(#[from] ZipError),
    /// Document or report are not in their form.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Report, files and document tell of different deposits: result code 2004.
    #[error("report, files and document are not of one deposit")]
    Mismatch,
    /// It is of another prefix: result code 2201.
    #[error("the deposit is of prefix {found}, not of {wanted}")]
    Prefix {
        /// The prefix it says.
        found: String,
        /// The one it should say.
        wanted: String,
    },
    /// Its day has not begun: result code 2002.
    #[error("{date} has not begun in UTC")]
    Future {
        /// The day.
        date: Date,
    },
    /// Its day began before the node was made: result code 2006.
    #[error("{date} began before the node was made")]
    BeforeCreation {
        /// The day.
        date: Date,
    },
    /// It is of a Sunday and no full one: result code 2202.
    #[error("{date} is a Sunday, whose deposit is a full one")]
    DiffOnSunday {
        /// The day.
        date: Date,
    },
    /// A file cannot be read.
    #[error("a file of the deposit cannot be read")]
    Io(#[source] io::Error),
}

impl VerifyError {
    /// The result code of the platform's drafts; `None` for what they have no code for.
    #[must_use]
    pub const fn result_code(&self) -> Option<u16> {
        match self {
            Self::Document(DocumentError::Version { .. }) | Self::Part(PartError::Version { .. }) => Some(2003),
            Self::Document(DocumentError::NoPrefix) => Some(2203),
            Self::Document(DocumentError::DuplicateCount) => Some(2204),
            Self::Document(DocumentError::Io(_)) | Self::Io(_) | Self::Seal(_) | Self::NoReport | Self::Part(_) => None,
            Self::Document(_) | Self::Zip(_) | Self::Name { .. } => Some(2001),
            Self::Future { .. } => Some(2002),
            Self::Mismatch | Self::Mixed { .. } => Some(2004),
            Self::BeforeCreation { .. } => Some(2006),
            Self::Prefix { .. } => Some(2201),
            Self::DiffOnSunday { .. } => Some(2202),
        }
    }
}

impl From<io::Error> for VerifyError {
    fn from(error: io::Error) -> Self {
        let inner = error.get_ref();
        let part = inner.and_then(|inner| inner.downcast_ref::<PartError>()).cloned();
        let seal = inner.and_then(|inner| inner.downcast_ref::<SealError>()).copied();
        let zip = inner.and_then(|inner| inner.downcast_ref::<ZipError>()).copied();
        let part = part.map(Self::Part).or_else(|| seal.map(Self::Seal)).or_else(|| zip.map(Self::Zip));
        part.unwrap_or(Self::Io(error))
    }
}

/// What is wrong with a document, or with what it is read from.
pub(super) fn of_document(error: DocumentError) -> VerifyError {
    match error {
        DocumentError::Io(error) => error.into(),
        other => other.into(),
    }
}

impl Files {
    /// The files of a deposit among those given; signatures are found beside what they sign.
    ///
    /// # Errors
    /// [`VerifyError::Name`], [`VerifyError::Mixed`], [`PartError::Missing`] where there is no part.
    pub fn of(paths: &[PathBuf]) -> Result<Self, VerifyError> {
        let mut files = Self { parts: Vec::new(), report: None };
        let mut first: Option<FileName> = None;
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let file: FileName = name.parse().map_err(|source| VerifyError::Name { file: name.to_string(), source })?;
            if first.as_ref().is_some_and(|first| !first.is_beside(&file)) {
                return Err(VerifyError::Mixed { file: name.to_string() });
            }
            match file.extension {
                Extension::Data => files.parts.push((path.clone(), file.clone())),
                Extension::Report => files.report = Some(path.clone()),
                Extension::Signature | Extension::ReportSignature => {}
            }
            first.get_or_insert(file);
        }
        files.parts.sort_by_key(|(_, name)| name.part);
        files.parts.dedup_by_key(|(_, name)| name.part);
        let (path, name) = files.parts.first().ok_or(PartError::Missing { part: 1 })?;
        // Named as all of the deposit, where it was not named itself.
        let beside = path.with_file_name(name.of_part(1, Extension::Report).to_string());
        if files.report.is_none() && beside.is_file() {
            files.report = Some(beside);
        }
        Ok(files)
    }

    /// The files of several deposits, each by itself, in order of their days; of those of one day the last that was made.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn of_several(paths: &[PathBuf]) -> Result<Vec<Self>, VerifyError> {
        let mut deposits: BTreeMap<(String, i64), (u32, Vec<PathBuf>)> = BTreeMap::new();
        for path in paths {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let file: FileName = name.parse().map_err(|source| VerifyError::Name { file: name.to_string(), source })?;
            let (revision, files) = deposits.entry((file.node.clone(), file.date.days())).or_default();
            if file.revision > *revision {
                files.clear();
                *revision = file.revision;
            }
            if file.revision == *revision {
                files.push(path.clone());
            }
        }
        deposits.into_values().map(|(_, paths)| Self::of(&paths)).collect()
    }

    /// The name of the first part.
    pub(super) fn name(&self) -> Option<&FileName> {
        self.parts.first().map(|(_, name)| name)
    }

    /// Opens the document.
    pub(super) fn document<'k>(&self, platform: &'k PrivateKey) -> Result<Document<'k>, VerifyError> {
        let parts = PartsReader::new(self.parts.clone())?;
        let deposit = parts.deposit();
        let unzip = Unzip::new(Opener::new(parts, platform, deposit))?;
        let document = DocumentReader::new(BufReader::with_capacity(BUFFER_BYTES, unzip)).map_err(of_document)?;
        if document.head().id.0 != deposit {
            return Err(VerifyError::Mismatch);
        }
        Ok(document)
    }
}

/// A document out of its envelope.
pub(super) type Document<'k> = DocumentReader<BufReader<Unzip<Opener<'k, PartsReader>>>>;

/// Reads what stands behind a document to its end.
pub(super) fn finish(document: Document<'_>) -> Result<(), VerifyError> {
    Ok(drain(document.into_inner())?)
}

/// Checks a deposit: its signatures, its report, and all of its contents where it can be opened. Holds one entry of it.
///
/// # Errors
/// The first thing wrong with it, see [`VerifyError`].
pub fn verify(files: &Files, held: &Held<'_>) -> Result<Verified, VerifyError> {
    verify_with(files, held, &mut |_| Ok(()))
}

/// The same, giving each entry out. Entries of a deposit whose end is wrong were given out before that is known.
pub(super) fn verify_with(
    files: &Files,
    held: &Held<'_>,
    visit: &mut dyn FnMut(Entry) -> Result<(), VerifyError>,
) -> Result<Verified, VerifyError> {
    let report_path = files.report.as_deref().ok_or(VerifyError::NoReport)?;
    let bytes = read_small(report_path)?;
    check_signature(report_path, "rep.sig", sm3_of(&bytes), held.node)?;
    let mut parts = Vec::new();
    for (path, name) in &files.parts {
        let part = measure(path, name.clone())?;
        check_signature(path, "sig", part.sm3, held.node)?;
        parts.push(part);
    }
    let report = Report::read(&bytes).map_err(of_document)?;
    check_head(&report.head, files, held)?;
    check_parts(&report.parts, &parts)?;
    let mut verified = Verified {
        head: report.head,
        counts: report.counts,
        parts: parts.len(),
        bytes: parts.iter().map(|part| part.bytes).sum(),
        opened: false,
    };
    let Some(platform) = held.platform else { return Ok(verified) };
    let mut document = files.document(platform)?;
    if *document.head() != verified.head {
        return Err(VerifyError::Mismatch);
    }
    while let Some(entry) = document.next_entry().map_err(of_document)? {
        visit(entry)?;
    }
    if *document.counts() != verified.counts {
        return Err(VerifyError::Mismatch);
    }
    finish(document)?;
    verified.opened = true;
    Ok(verified)
}

/// Holds a head to the names of its files, to the calendar, and to what is expected.
fn check_head(head: &Head, files: &Files, held: &Held<'_>) -> Result<(), VerifyError> {
    let name = files.name().ok_or(PartError::Missing { part: 1 })?;
    let wanted = held.prefix.unwrap_or(&name.node);
    if head.prefix != wanted || head.prefix != name.node {
        let (found, wanted) = (head.prefix.clone(), wanted.to_owned());
        return Err(VerifyError::Prefix { found, wanted });
    }
    if (head.date, head.extent, head.resend) != (name.date, name.extent, name.revision) {
        return Err(VerifyError::Mismatch);
    }
    let date = head.date;
    if watermark(date) > held.now {
        return Err(VerifyError::Future { date });
    }
    if watermark(date).0 / 1_000 < head.created_seconds {
        return Err(VerifyError::BeforeCreation { date });
    }
    if head.extent == Extent::Diff && is_sunday(date) {
        return Err(VerifyError::DiffOnSunday { date });
    }
    Ok(())
}

/// Holds parts to what the report says of them.
fn check_parts(reported: &[Part], found: &[Part]) -> Result<(), VerifyError> {
    for (at, part) in reported.iter().enumerate() {
        let number = u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1);
        match found.get(at) {
            Some(known) if known == part => {}
            Some(known) if known.name == part.name => return Err(VerifyError::Mismatch),
            _ => return Err(PartError::Missing { part: number }.into()),
        }
    }
    match found.get(reported.len()) {
        Some(extra) => Err(PartError::Extra { file: extra.name.to_string() }.into()),
        None => Ok(()),
    }
}

fn check_signature(path: &Path, ending: &str, sm3: [u8; 32], node: &PublicKey) -> Result<(), VerifyError> {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let signature = match read_small(&path.with_extension(ending)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(PartError::Signature { file }.into()),
        other => other?,
    };
    if is_signed(node, &sm3, &signature) { Ok(()) } else { Err(PartError::Signature { file }.into()) }
}

/// Bytes of the document read at once.
const BUFFER_BYTES: usize = 64 << 10;
