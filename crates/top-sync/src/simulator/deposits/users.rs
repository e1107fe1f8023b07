//! Who may bring deposits: a file of JSON.
//!
//! ```json
//! [{"user": "node990", "prefix": "88.990", "authorized_keys": "node990.keys", "node_key": "node990.pub"}]
//! ```
//! Paths are taken from the folder of the file. Keys to show stand one a line, as OpenSSH has them in `authorized_keys`, without options; the node's key is
//! the public one its deposits are signed with.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use russh::keys::PublicKey as ShownKey;
use serde::Deserialize;
use waymark_wire::crypto::PublicKey;

use super::config::{KEYS, KEYS_BYTES, USERS, USERS_BYTES};
use crate::deposit::keys::{self, KeyError};

/// Somebody who may bring deposits.
#[derive(Clone, Debug)]
pub struct User {
    /// Its name, which is one of a folder.
    pub name: String,
    /// The prefix its deposits are of, folded.
    pub prefix: String,
    /// The keys it may show.
    pub keys: Vec<ShownKey>,
    /// The key its deposits are signed with.
    pub node: PublicKey,
}

/// All who may.
#[derive(Clone, Debug)]
pub struct Users(pub Vec<User>);

/// Why a file of users cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UsersError {
    /// It, or a file it names, cannot be read.
    #[error("{path} cannot be read")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is none.
    #[error("{path} is no list of users")]
    Form {
        /// The file.
        path: PathBuf,
        /// Where.
        source: serde_json::Error,
    },
    /// Too many.
    #[error("{path} names more users than there may be")]
    Many {
        /// The file.
        path: PathBuf,
    },
    /// A name that cannot be one of a folder, or is there twice.
    #[error("{user} is no name for a user, or stands there twice")]
    Name {
        /// The name.
        user: String,
    },
    /// A key to show.
    #[error("{path} has something in line {line} that is no public key")]
    Key {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
    },
    /// A node's key.
    #[error("the key of a node")]
    Node(#[from] KeyError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserForm {
    user: String,
    prefix: String,
    authorized_keys: PathBuf,
    node_key: PathBuf,
}

impl Users {
    /// Reads a file.
    ///
    /// # Errors
    /// See [`UsersError`].
    pub fn read(path: &Path) -> Result<Self, UsersError> {
        let text = text(path, USERS_BYTES)?;
        let forms: Vec<UserForm> =
            serde_json::from_str(&text).map_err(|source| UsersError::Form { path: path.to_owned(), source })?;
        if forms.len() > USERS {
            return Err(UsersError::Many { path: path.to_owned() });
        }
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        let (mut users, mut names, mut prefixes) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for form in forms {
            let prefix = form.prefix.to_ascii_uppercase();
            if !is_name(&form.user) || !names.insert(form.user.clone()) || !prefixes.insert(prefix.clone()) {
                return Err(UsersError::Name { user: form.user });
            }
            let keys = authorized(&folder.join(form.authorized_keys))?;
            let node = keys::read_public(&folder.join(form.node_key))?;
            users.push(User { name: form.user, prefix, keys, node });
        }
        Ok(Self(users))
    }
}

/// Whether a text may be a user, and so the name of a folder. The host key lies beside.
fn is_name(text: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(sound) && !text.starts_with('.') && text != "host_key"
}

fn authorized(path: &Path) -> Result<Vec<ShownKey>, UsersError> {
    let text = text(path, KEYS_BYTES)?;
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).take(KEYS);
    let key = |(line, text)| ShownKey::from_openssh(text).map_err(|_| UsersError::Key { path: path.to_owned(), line });
    lines.map(key).collect()
}

fn text(path: &Path, most: u64) -> Result<String, UsersError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(most + 1).read_to_string(&mut text));
    let read = read.and_then(|read| {
        let is_larger = u64::try_from(read).unwrap_or(u64::MAX) > most;
        if is_larger { Err(io::Error::from(io::ErrorKind::FileTooLarge)) } else { Ok(()) }
    });
    read.map_err(|source| UsersError::File { path: path.to_owned(), source })?;
    Ok(text)
}
