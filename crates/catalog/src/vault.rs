//! What enterprises say of people, sealed before it becomes part of a command: AES-256-GCM under a key of the subject's own.
//!
//! The keys lie in a file apart from the log. A log, a backup of it, an export or a follower holds nothing that can be read without the file, and
//! dropping a key makes every copy ever made of what it sealed unreadable at once. The file must not lie in the same backups as the log.
//!
//! ```text
//! waymark personal keys 1
//! mark <64 hexadecimal digits>                                    key of the marks by which repeated requests are told
//! <32 hexadecimal digits> <64 hexadecimal digits>                 subject, its key
//! ```
//! The file is replaced whole: written beside, flushed, renamed, the folder flushed. A key is in it before anything sealed with it leaves here.
//!
//! Reading is a command of its own ([`BusinessCommand::Disclose`](crate::business::BusinessCommand::Disclose)), so that the audit has it before
//! the clear text exists.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use hmac::{Hmac, Mac as _};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::business::{Problem, needed_text, text_within};
use crate::config::{CONTACT_NAME_CHARS, DOCUMENT_NUMBER_CHARS, EMAIL_CHARS, PHONE_CHARS};

/// A person's document.
pub const PERSON_DOCUMENTS: [&str; 6] =
    ["identity-card", "passport", "hong-kong-macao-permit", "taiwan-permit", "residence-permit", "other"];

/// The people of an enterprise. Never printed, and wiped when it is dropped.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub struct Personal {
    /// Its legal representative.
    pub legal_person: Person,
    /// Whom to call.
    pub contact: Person,
    /// The contact's number.
    pub phone: String,
    /// The contact's address.
    pub email: String,
}

/// Somebody and a document of theirs.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The name.
    pub name: String,
    /// One of [`PERSON_DOCUMENTS`].
    pub document_kind: String,
    /// The number of that document.
    pub document_number: String,
}

impl Personal {
    /// Checks every field against its limits. What is wrong never holds what was given.
    ///
    /// # Errors
    /// The first field that is not what it may be.
    pub fn check(&self) -> Result<(), Problem> {
        for (person, name, kind, number) in [
            (&self.legal_person, "legal_person_name", "legal_person_document_kind", "legal_person_document_number"),
            (&self.contact, "contact_name", "contact_document_kind", "contact_document_number"),
        ] {
            needed_text(name, &person.name, CONTACT_NAME_CHARS)?;
            needed_text(number, &person.document_number, DOCUMENT_NUMBER_CHARS)?;
            if !PERSON_DOCUMENTS.contains(&person.document_kind.as_str()) {
                return Err(Problem::new(kind, "is no kind of document that is known"));
            }
        }
        check_phone("phone", &self.phone)?;
        check_email("email", &self.email)
    }
}

/// A telephone number.
pub(crate) fn check_phone(field: &'static str, number: &str) -> Result<(), Problem> {
    needed_text(field, number, PHONE_CHARS)?;
    let sound = number.bytes().all(|byte| byte.is_ascii_digit() || b"+-() ".contains(&byte));
    if sound { Ok(()) } else { Err(Problem::new(field, "is no telephone number")) }
}

/// An e-mail address, as far as it can be told without sending to it.
pub(crate) fn check_email(field: &'static str, address: &str) -> Result<(), Problem> {
    text_within(field, address, EMAIL_CHARS)?;
    let sound = address.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'));
    if sound { Ok(()) } else { Err(Problem::new(field, "is no e-mail address")) }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(..)")
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(..)")
    }
}

/// Names a key; drawn at random, and says nothing of whose it is.
pub type Subject = [u8; 16];

/// Whose keys a record knows of: what it holds of people was sealed with one, or with one before it was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// Whose key opens what the record holds.
    pub held: Option<Subject>,
    /// Whose key was dropped, or is to be dropped, since what the record held was forgotten.
    pub forgotten: Option<Subject>,
}

/// What was sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Whose key opens it.
    pub subject: Subject,
    /// Never used twice with a key.
    pub nonce: [u8; NONCE_LEN],
    /// Ciphertext and tag.
    pub bytes: Vec<u8>,
}

/// Counts only.
impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.bytes.len())
    }
}

/// Something just sealed, on its way into a command.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// What becomes part of the log.
    pub sealed: Sealed,
    /// The same for the same clear text on this node: what a repeated request is compared by. No part of the log.
    pub mark: [u8; 32],
    /// Whether the key was drawn for it: nothing else was ever sealed with it.
    pub is_first: bool,
    /// Whose key was dropped before, so that the record need not say any more that it is to be.
    pub dropped: Option<Subject>,
}

impl Fresh {
    /// The key that was drawn for it, which whoever submits it drops when it was not used.
    #[must_use]
    pub fn drawn(&self) -> Option<Subject> {
        self.is_first.then_some(self.sealed.subject)
    }
}

/// The keys, and their file.
pub struct Vault {
    path: PathBuf,
    keys: Mutex<Keys>,
}

struct Keys {
    mark: Key,
    subjects: BTreeMap<Subject, Key>,
}

#[derive(Clone, Zeroize, ZeroizeOnDrop)]
struct Key([u8; 32]);

/// Why something cannot be sealed or opened. Holds nothing of what it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The key file cannot be read or written.
    #[error("the key file {} cannot be {what}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// `read` or `written`.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The key file is not one.
    #[error("line {line} of the key file {} is not what it should be", .path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// Others than its owner may read the key file.
    #[error("the key file {} may be read by others; chmod 600 it", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// The system gives no random bytes.
    #[error("no random bytes")]
    Random,
    /// It was sealed with another key, or changed.
    #[error("sealed data does not open with its key")]
    Sealed,
}

const HEAD: &str = "waymark personal keys 1";

impl Vault {
    /// Opens a key file; one that is not there is made with the first key.
    ///
    /// # Errors
    /// See [`VaultError`]. A file that is not whole is refused rather than made anew: that would lose every key.
    pub fn open(path: &Path) -> Result<Self, VaultError> {
        let path = path.to_owned();
        match fs::read_to_string(&path) {
            Ok(text) => {
                check_mode(&path)?;
                let keys =
                    parse(&Zeroizing::new(text)).map_err(|line| VaultError::Form { path: path.clone(), line })?;
                Ok(Self { path, keys: Mutex::new(keys) })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let keys = Keys { mark: Key::draw()?, subjects: BTreeMap::new() };
                Ok(Self { path, keys: Mutex::new(keys) })
            }
            Err(source) => Err(VaultError::File { path, what: "read", source }),
        }
    }

    /// Seals what is said of people, [`Personal`] or what holds it, for the record that knows of `people`: under the key of those it holds if it was
    /// not dropped, under a new one otherwise, which is durable on return. With it goes the key of those it has forgotten.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub fn seal(&self, people: People, personal: &impl Serialize) -> Result<Fresh, VaultError> {
        let clear = Zeroizing::new(serde_json::to_vec(personal).map_err(|_| VaultError::Sealed)?);
        self.seal_bytes(people, &clear)
    }

    /// Seals bytes, as [`seal`](Self::seal) does.
    ///
    /// # Errors
    /// See [`VaultError`].
    pub fn seal_bytes(&self, people: People, clear: &[u8]) -> Result<Fresh, VaultError> {
        let People { held, forgotten } = people;
        let mut keys = self.lock();
        let known = held.and_then(|subject| Some((subject, keys.subjects.get(&subject)?.clone())));
        let is_first = known.is_none();
        let (subject, key) = match known {
            Some(known) => known,
            None => self.draw(&mut keys, forgotten)?,
        };
        let mark = keys.mark.mark(clear);
        drop(keys);
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| VaultError::Random)?;
        let mut bytes = Vec::with_capacity(clear.len() + AES_256_GCM.tag_len());
        bytes.extend_from_slice(clear);
        let nonce_value = Nonce::assume_unique_for_key(nonce);
        let sealing = key.aead()?.seal_in_place_append_tag(nonce_value, Aad::from(context(&subject)), &mut bytes);
        if sealing.is_err() {
            bytes.zeroize();
            return Err(VaultError::Sealed);
        }
        Ok(Fresh { sealed: Sealed { subject, nonce, bytes }, mark, is_first, dropped: forgotten.filter(|_| is_first) })
    }

    /// Opens what an enterprise said of its people; `None` when the key was dropped.
    ///
    /// # Errors
    /// [`VaultError::Sealed`].
    pub fn unseal(&self, sealed: &Sealed) -> Result<Option<Personal>, VaultError> {
        self.unseal_as(sealed)
    }

    /// Opens what was sealed as a `T`, as [`unseal`](Self::unseal) does.
    ///
    /// # Errors
    /// [`VaultError::Sealed`].
    pub fn unseal_as<T: DeserializeOwned>(&self, sealed: &Sealed) -> Result<Option<T>, VaultError> {
        let Some(clear) = self.unseal_bytes(sealed)? else { return Ok(None) };
        serde_json::from_slice(&clear).map(Some).map_err(|_| VaultError::Sealed)
    }

    /// Opens bytes, as [`unseal`](Self::unseal) does.
    ///
    /// # Errors
    /// [`VaultError::Sealed`].
    pub fn unseal_bytes(&self, sealed: &Sealed) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        let Some(key) = self.lock().subjects.get(&sealed.subject).cloned() else { return Ok(None) };
        let mut bytes = Zeroizing::new(sealed.bytes.clone());
        let nonce = Nonce::assume_unique_for_key(sealed.nonce);
        let clear = key.aead()?.open_in_place(nonce, Aad::from(context(&sealed.subject)), &mut bytes);
        let length = clear.map_err(|_| VaultError::Sealed)?.len();
        bytes.truncate(length);
        Ok(Some(bytes))
    }

    /// Drops the key of a subject; nothing it ever sealed can be opened again. Durable on return; `false` when there was none.
    ///
    /// # Errors
    /// [`VaultError::File`]; the key is still there.
    pub fn forget(&self, subject: &Subject) -> Result<bool, VaultError> {
        let mut keys = self.lock();
        let Some(key) = keys.subjects.remove(subject) else { return Ok(false) };
        if let Err(error) = write(&self.path, &keys) {
            keys.subjects.insert(*subject, key);
            return Err(error);
        }
        Ok(true)
    }

    /// Whether a subject has a key.
    #[must_use]
    pub fn has(&self, subject: &Subject) -> bool {
        self.lock().subjects.contains_key(subject)
    }

    /// Number of subjects that have a key.
    #[must_use]
    pub fn subjects(&self) -> usize {
        self.lock().subjects.len()
    }

    /// Draws a key, and drops the one of `forgotten`.
    fn draw(&self, keys: &mut Keys, forgotten: Option<Subject>) -> Result<(Subject, Key), VaultError> {
        let (mut subject, key) = (Subject::default(), Key::draw()?);
        getrandom::fill(&mut subject).map_err(|_| VaultError::Random)?;
        let dropped = forgotten.and_then(|gone| keys.subjects.remove_entry(&gone));
        keys.subjects.insert(subject, key.clone());
        if let Err(error) = write(&self.path, keys) {
            keys.subjects.remove(&subject);
            keys.subjects.extend(dropped);
            return Err(error);
        }
        Ok((subject, key))
    }

    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Key {
    fn draw() -> Result<Self, VaultError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| VaultError::Random)?;
        Ok(Self(bytes))
    }

    fn aead(&self) -> Result<LessSafeKey, VaultError> {
        UnboundKey::new(&AES_256_GCM, &self.0).map(LessSafeKey::new).map_err(|_| VaultError::Sealed)
    }

    fn mark(&self, clear: &[u8]) -> [u8; 32] {
        // HMAC takes keys of every length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return [0; 32] };
        mac.update(clear);
        mac.finalize().into_bytes().into()
    }
}

/// What the sealing is bound to beside the key: a ciphertext moved to another subject does not open.
fn context(subject: &Subject) -> Vec<u8> {
    [&b"waymark personal 1"[..], subject].concat()
}

/// Reads the file; the number of the line that is wrong.
fn parse(text: &str) -> Result<Keys, usize> {
    let mut lines = text.lines().zip(1..);
    if lines.next().map(|(line, _)| line) != Some(HEAD) || !text.ends_with('\n') {
        return Err(1);
    }
    let mark = lines.next().and_then(|(line, _)| key(line.strip_prefix("mark ")?)).ok_or(2_usize)?;
    let mut subjects = BTreeMap::new();
    for (line, number) in lines {
        let (subject, key) = line
            .split_once(' ')
            .and_then(|(name, text)| {
                let mut subject = Subject::default();
                hex::decode_to_slice(name, &mut subject).ok()?;
                Some((subject, key(text)?))
            })
            .ok_or(number)?;
        if subjects.insert(subject, key).is_some() {
            return Err(number);
        }
    }
    Ok(Keys { mark, subjects })
}

fn key(text: &str) -> Option<Key> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(Key(bytes))
}

/// Replaces the file: what is there afterwards is the old one or the new one, whole.
fn write(path: &Path, keys: &Keys) -> Result<(), VaultError> {
    let mut text = Zeroizing::new(String::with_capacity(200 + keys.subjects.len() * 100));
    text.push_str(HEAD);
    let mut line = |name: &str, key: &Key| {
        text.push('\n');
        text.push_str(name);
        text.push(' ');
        text.push_str(&Zeroizing::new(hex::encode(key.0)));
    };
    line("mark", &keys.mark);
    keys.subjects.iter().for_each(|(subject, key)| line(&hex::encode(subject), key));
    text.push('\n');
    replace(path, text.as_bytes()).map_err(|source| VaultError::File { path: path.to_owned(), what: "written", source })
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    // One that a crash left may have another mode.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Refuses a key file that others may read.
#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), VaultError> {
    use std::os::unix::fs::PermissionsExt as _;
    let file = |source| VaultError::File { path: path.to_owned(), what: "read", source };
    let mode = fs::metadata(path).map_err(file)?.permissions().mode();
    if mode & 0o077 == 0 { Ok(()) } else { Err(VaultError::Open { path: path.to_owned() }) }
}

#[cfg(not(unix))]
fn check_mode(_path: &Path) -> Result<(), VaultError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn personal() -> Personal {
        let person = |name: &str| Person {
            name: name.into(),
            document_kind: "identity-card".into(),
            document_number: "11010519491231002X".into(),
        };
        Personal {
            legal_person: person("赵一"),
            contact: person("钱二"),
            phone: "+86 571 0000".into(),
            email: "a@example.cn".into(),
        }
    }

    fn holding(fresh: &Fresh) -> People {
        People { held: Some(fresh.sealed.subject), forgotten: None }
    }

    #[test]
    fn a_new_key_takes_the_one_of_what_was_forgotten_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("personal.keys");
        let vault = Vault::open(&path).unwrap();
        let former = vault.seal(People::default(), &personal()).unwrap();
        let subject = former.sealed.subject;
        assert_eq!((former.drawn(), former.dropped), (Some(subject), None));
        assert_eq!(vault.seal(holding(&former), &personal()).unwrap().drawn(), None, "it is used already");
        let people = People { held: None, forgotten: Some(subject) };
        for _ in 0..2 {
            let next = vault.seal(people, &personal()).unwrap();
            assert_eq!((next.drawn(), next.dropped), (Some(next.sealed.subject), Some(subject)));
            assert_ne!(next.sealed.subject, subject);
        }
        let again = Vault::open(&path).unwrap();
        assert!(again.unseal(&former.sealed).unwrap().is_none());
        assert_eq!(again.subjects(), 2);
    }

    #[test]
    fn what_was_sealed_opens_after_a_restart_and_never_after_forgetting() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("personal.keys");
        let vault = Vault::open(&path).unwrap();
        let first = vault.seal(People::default(), &personal()).unwrap();
        let second = vault.seal(holding(&first), &personal()).unwrap();
        assert_eq!((first.sealed.subject, first.mark), (second.sealed.subject, second.mark));
        assert_ne!(first.sealed.bytes, second.sealed.bytes);
        let other = vault.seal(People::default(), &personal()).unwrap();
        let again = Vault::open(&path).unwrap();
        assert_eq!(again.subjects(), 2);
        assert!(again.unseal(&first.sealed).unwrap() == Some(personal()));
        assert!(again.forget(&first.sealed.subject).unwrap());
        assert!(!again.forget(&first.sealed.subject).unwrap());
        let last = Vault::open(&path).unwrap();
        for sealed in [&first.sealed, &second.sealed] {
            assert!(last.unseal(sealed).unwrap().is_none());
        }
        assert!(last.unseal(&other.sealed).unwrap() == Some(personal()), "others are not touched");
        let renewed = last.seal(holding(&first), &personal()).unwrap();
        assert_ne!(renewed.sealed.subject, first.sealed.subject, "a dropped key is never made again");
    }

    #[test]
    fn a_ciphertext_that_was_moved_or_changed_does_not_open() {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(&dir.path().join("k")).unwrap();
        let (one, other) = (
            vault.seal(People::default(), &personal()).unwrap().sealed,
            vault.seal(People::default(), &personal()).unwrap().sealed,
        );
        let moved = Sealed { subject: other.subject, ..one.clone() };
        let mut changed = one;
        changed.bytes[3] ^= 1;
        for sealed in [moved, changed] {
            assert!(matches!(vault.unseal(&sealed), Err(VaultError::Sealed)));
        }
    }

    #[test]
    fn a_key_file_that_is_torn_or_open_to_others_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        Vault::open(&path).unwrap().seal(People::default(), &personal()).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        for (text, line) in [
            (whole.trim_end().to_owned(), 1),
            (String::new(), 1),
            (whole.replace("keys 1", "keys 2"), 1),
            (whole.replace("\nmark ", "\nmark"), 2),
            (format!("{whole}torn\n"), 4),
        ] {
            fs::write(&path, &text).unwrap();
            let refused = Vault::open(&path).unwrap_err();
            assert!(matches!(refused, VaultError::Form { line: found, .. } if found == line), "{refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::write(&path, whole).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            assert!(matches!(Vault::open(&path), Err(VaultError::Open { .. })));
        }
    }

    #[test]
    fn no_text_of_this_module_holds_what_was_given() {
        let sealed = Sealed { subject: [0; 16], nonce: [0; 12], bytes: vec![1] };
        let texts = format!("{:?} {:?} {sealed:?}", personal(), personal().contact);
        assert!(!texts.contains("110105") && !texts.contains("赵一") && !texts.contains("example"), "{texts}");
        let mut wrong = personal();
        wrong.email = "secret".into();
        let problem = wrong.check().unwrap_err();
        assert_eq!(problem.field, "email");
        assert!(!format!("{problem:?}").contains("secret"));
    }
}
