//! A connection to an SFTP server, and files over it.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::{self, AuthResult, Handle};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{Disconnect, Preferred};
use russh_sftp::client::{self as sftp, SftpSession};
use russh_sftp::protocol::{OpenFlags, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::config::{KEEPALIVE, KEEPALIVES, OVERLAP_BYTES, SAID_CHARACTERS, WRITE_BYTES, WRITES};
use super::host_key::{HostKey, fingerprint};
use super::user_key::UserKey;

/// Where files are brought.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Name or address of the machine.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whom it is believed to be.
    pub host_key: HostKey,
    /// The key users show.
    pub key: UserKey,
    /// How long an answer may take.
    pub answer_time: Duration,
}

/// Why something did not go over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// Nobody listens there, or the name is unknown.
    #[error("{host}:{port} cannot be reached")]
    Unreachable {
        /// The machine.
        host: String,
        /// The port.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// No host key is pinned.
    #[error("no host key is pinned; the server shows {shown}: compare it with what its operator says, then pin it")]
    NotPinned {
        /// The fingerprint seen.
        shown: String,
    },
    /// The server is another than the one pinned.
    #[error("the server shows the host key {shown}, and {pinned} is pinned: it is another machine, or has a new key")]
    OtherHost {
        /// The fingerprint seen.
        shown: String,
        /// The one pinned.
        pinned: String,
    },
    /// The key of the user is not taken.
    #[error("the server does not take the key of user {user}")]
    User {
        /// The user.
        user: String,
    },
    /// No answer in time.
    #[error("no answer within {} seconds", .0.as_secs())]
    Time(Duration),
    /// The connection.
    #[error("the connection")]
    Ssh(#[from] russh::Error),
    /// The server refuses, or answers as no server does.
    #[error("the server says: {0}")]
    Sftp(String),
    /// What came over has another size.
    #[error("{name} has {found} bytes there, and {wanted} here")]
    Size {
        /// The file.
        name: String,
        /// Its size there.
        found: u64,
        /// Its size here.
        wanted: u64,
    },
    /// The file is larger than what is read.
    #[error("{name} has more than {most} bytes")]
    Large {
        /// The file.
        name: String,
        /// The most.
        most: u64,
    },
    /// A file here.
    #[error("a file here cannot be read")]
    Local(#[source] io::Error),
}

impl From<sftp::error::Error> for LinkError {
    fn from(error: sftp::error::Error) -> Self {
        // A server says what it likes: enough of it to understand, and nothing that moves a cursor.
        let said =
            error.to_string().chars().filter(|character| !character.is_control()).take(SAID_CHARACTERS).collect();
        Self::Sftp(said)
    }
}

/// An open connection of one user.
pub struct Link {
    session: SftpSession,
    handle: Handle<Guard>,
    answer_time: Duration,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

impl Link {
    /// Connects, makes sure who is there, and shows the key of a user.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn open(endpoint: &Endpoint, user: &str) -> Result<Self, LinkError> {
        let wait = endpoint.answer_time;
        timeout(wait, Self::begin(endpoint, user)).await.map_err(|_| LinkError::Time(wait))?
    }

    async fn begin(endpoint: &Endpoint, user: &str) -> Result<Self, LinkError> {
        let Endpoint { host, port, host_key, key, answer_time } = endpoint;
        let unreachable = |source| LinkError::Unreachable { host: host.clone(), port: *port, source };
        let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let shown = Arc::new(Mutex::new(None));
        let guard = Guard { pinned: host_key.clone(), shown: Arc::clone(&shown) };
        let connected = client::connect_stream(Arc::new(config(host_key)), stream, guard).await;
        let mut handle = connected.map_err(|error| {
            let shown = shown.lock().unwrap_or_else(PoisonError::into_inner).take();
            match (error, shown, host_key) {
                (russh::Error::UnknownKey, Some(shown), HostKey::Unknown) => LinkError::NotPinned { shown },
                (russh::Error::UnknownKey, Some(shown), pinned) => {
                    LinkError::OtherHost { shown, pinned: pinned.to_string() }
                }
                (error, _, _) => LinkError::Ssh(error),
            }
        })?;
        let hash = if key.0.algorithm().is_rsa() {
            // Servers that do not say what they take are asked with what all of them have taken for years.
            handle.best_supported_rsa_hash().await?.unwrap_or(Some(HashAlg::Sha256))
        } else {
            None
        };
        let shown_key = PrivateKeyWithHashAlg::new(Arc::clone(&key.0), hash);
        if !matches!(handle.authenticate_publickey(user, shown_key).await?, AuthResult::Success) {
            return Err(LinkError::User { user: user.to_owned() });
        }
        let channel = handle.channel_open_session().await?;
        channel.request_subsystem(true, "sftp").await?;
        let limits = sftp::Config {
            max_concurrent_writes: WRITES,
            request_timeout_secs: answer_time.as_secs().max(1),
            ..sftp::Config::default()
        };
        let session = SftpSession::new_with_config(channel.into_stream(), limits).await?;
        Ok(Self { session, handle, answer_time: *answer_time })
    }

    /// Brings a file into a folder; under its name it is whole. Goes on where an earlier attempt ended, which is told by the temporary name.
    ///
    /// # Errors
    /// See [`LinkError`]. What went over is there under the temporary name.
    pub async fn put(&self, local: &Path, folder: &str, name: &str, temporary: &str) -> Result<(), LinkError> {
        let (path, temporary) = (format!("{folder}/{name}"), format!("{folder}/{temporary}"));
        let mut file = tokio::fs::File::open(local).await.map_err(LinkError::Local)?;
        let wanted = file.metadata().await.map_err(LinkError::Local)?.len();
        let there = self.size(&path).await?;
        if there == Some(wanted) {
            return Ok(());
        }
        let begun = self.size(&temporary).await?.filter(|begun| *begun <= wanted);
        let from = begun.unwrap_or(0).saturating_sub(OVERLAP_BYTES);
        let anew = if from == 0 { OpenFlags::TRUNCATE } else { OpenFlags::empty() };
        let flags = OpenFlags::CREATE | OpenFlags::WRITE | anew;
        let mut remote = self.within(self.session.open_with_flags(temporary.as_str(), flags)).await?;
        file.seek(SeekFrom::Start(from)).await.map_err(LinkError::Local)?;
        self.within(remote.seek(SeekFrom::Start(from))).await?;
        let mut chunk = vec![0; WRITE_BYTES];
        loop {
            let read = file.read(&mut chunk).await.map_err(LinkError::Local)?;
            if read == 0 {
                break;
            }
            self.within(remote.write_all(chunk.get(..read).unwrap_or_default())).await?;
        }
        self.within(remote.flush()).await?;
        self.within(remote.sync_all()).await?;
        self.within(remote.close()).await?;
        let found = self.size(&temporary).await?.unwrap_or(0);
        measured(name, found, wanted)?;
        if there.is_some() {
            // Of another size: what some other program left half done.
            self.within(self.session.remove_file(path.as_str())).await?;
        }
        self.within(self.session.rename(temporary.as_str(), path.as_str())).await?;
        // The other side may have taken it away already: then it has it.
        self.size(&path).await?.map_or(Ok(()), |found| measured(name, found, wanted))
    }

    /// The bytes of a small file; `None` where there is none.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub async fn read(&self, path: &str, most: u64) -> Result<Option<Vec<u8>>, LinkError> {
        let file = match self.within(self.session.open(path)).await {
            Err(Refused::Sftp(sftp::error::Error::Status(status))) if status.status_code == StatusCode::NoSuchFile => {
                return Ok(None);
            }
            other => other?,
        };
        let mut bytes = Vec::new();
        self.within(file.take(most.saturating_add(1)).read_to_end(&mut bytes)).await?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
            return Err(LinkError::Large { name: path.to_owned(), most });
        }
        Ok(Some(bytes))
    }

    /// Ends the connection in order, as far as the server goes along.
    pub async fn close(self) {
        // It ends by itself where this does not arrive.
        let _told = timeout(self.answer_time, async {
            let _closed = self.session.close().await;
            let _ended = self.handle.disconnect(Disconnect::ByApplication, "", "en").await;
        })
        .await;
    }

    async fn size(&self, path: &str) -> Result<Option<u64>, LinkError> {
        match self.within(self.session.metadata(path)).await {
            Ok(found) => Ok(Some(found.size.unwrap_or(0))),
            Err(Refused::Sftp(sftp::error::Error::Status(status))) if status.status_code == StatusCode::NoSuchFile => {
                Ok(None)
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Waits for an answer, not for ever.
    async fn within<T, E>(&self, answer: impl Future<Output = Result<T, E>>) -> Result<T, Refused>
    where
        Refused: From<E>,
    {
        // The library counts as well; where a server takes bytes and never room for more, it is this one that ends the waiting.
        let wait = self.answer_time.saturating_add(Duration::from_secs(1));
        Ok(timeout(wait, answer).await.map_err(|_| Refused::Time(self.answer_time))??)
    }
}

/// Whether as much is there as here.
fn measured(name: &str, found: u64, wanted: u64) -> Result<(), LinkError> {
    if found == wanted { Ok(()) } else { Err(LinkError::Size { name: name.to_owned(), found, wanted }) }
}

/// What came of a request.
enum Refused {
    Time(Duration),
    Sftp(sftp::error::Error),
    Io(io::Error),
}

impl From<sftp::error::Error> for Refused {
    fn from(error: sftp::error::Error) -> Self {
        Self::Sftp(error)
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Refused> for LinkError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Time(wait) => Self::Time(wait),
            Refused::Sftp(error) => error.into(),
            Refused::Io(error) => sftp::error::Error::from(error).into(),
        }
    }
}

/// Looks at the host key.
struct Guard {
    pinned: HostKey,
    /// The fingerprint of what was shown and is not believed.
    shown: Arc<Mutex<Option<String>>>,
}

impl client::Handler for Guard {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let key = shown.public_key();
        let is_it = shown.certificate().is_none() && self.pinned.is(&key);
        if !is_it {
            *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(fingerprint(&key));
        }
        Ok(is_it)
    }
}

fn config(host_key: &HostKey) -> client::Config {
    let keys = host_key.algorithms().map_or(Preferred::DEFAULT.key, Cow::Owned);
    client::Config {
        preferred: Preferred { key: keys, ..Preferred::DEFAULT },
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: KEEPALIVES,
        nodelay: true,
        ..client::Config::default()
    }
}
