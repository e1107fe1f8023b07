//! Where nodes bring their deposits: an SFTP server, and what judges them as the platform would.
//!
//! Each user has a prefix, keys to show, and two folders: `upload`, where files come, and `report`, where it is said what became of them. A deposit is
//! judged when its report comes, which is the last of its files. It is opened with the platform's key and read to its end; one that is valid is moved
//! to the chain of its prefix: the last full deposit, and the differential ones that followed. From there a node can be restored.
//!
//! ```text
//! FOLDER/host_key                     what the server shows; made when there is none
//! FOLDER/USER/upload/                 files of deposits that were not judged
//! FOLDER/USER/report/                 judgements, and the reports of deposits they are about
//! FOLDER/USER/chain/ID/               the full deposit of this id, and what followed
//! ```
//! The form of a judgement is our own, see [`Judgement`](crate::deposit::Judgement).
//!
//! | file | holds |
//! |---|---|
//! | `config` | limits |
//! | `users` | who may come |
//! | `room` | the folders of a user, and what may be done in them |
//! | `session` | SFTP |
//! | `door` | SSH |
//! | `chain` | deposits that were accepted |
//! | `judge` | what judges |
//! | `page` | the pages |

use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, HashAlg, PrivateKey as HostKey};
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use waymark_catalog::Clock;
use waymark_wire::crypto::PrivateKey;

mod chain;
pub mod config;
mod door;
mod judge;
pub(super) mod page;
mod room;
mod session;
mod users;

pub use chain::Chain;
pub use room::Usage;
pub use users::{User, Users, UsersError};

use self::config::{CONNECTIONS, HOST_KEY_BYTES, REFUSALS};
use self::room::Room;

/// How the platform's side is started.
#[derive(Debug)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where everything lies.
    pub folder: PathBuf,
    /// Who may come.
    pub users: Users,
    /// The key deposits are encrypted to.
    pub platform: PrivateKey,
    /// What users may fill.
    pub usage: Usage,
    /// Its clock.
    pub clock: Clock,
}

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address that cannot be taken.
    #[error("{address} cannot be listened on")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The folder.
    #[error("the folder of deposits {path} cannot be used")]
    Folder {
        /// The folder, or a file in it.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The host key.
    #[error("{path} holds no host key in the form of OpenSSH")]
    HostKey {
        /// The file.
        path: PathBuf,
    },
}

/// The platform's side of deposits while it runs. Dropping it stops it at once.
#[derive(Debug)]
pub struct DepositDesk {
    address: SocketAddr,
    fingerprint: String,
    shared: Arc<Desk>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// What connections, judge and pages share.
#[derive(Debug)]
pub(crate) struct Desk {
    rooms: Vec<Arc<Room>>,
    platform: PrivateKey,
    clock: Clock,
    /// Room for connections.
    connections: Arc<Semaphore>,
    /// A deposit is complete.
    complete: Notify,
    /// Codes for deposits that are valid and shall be refused all the same.
    refuse: Mutex<VecDeque<u16>>,
}

impl DepositDesk {
    /// Opens the folder and the door, and judges what came before it was stopped. Port 0 is one that is free.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let Settings { listen, folder, users, platform, usage, clock } = settings;
        let of_folder = |path: &Path| {
            let path = path.to_owned();
            move |source| StartError::Folder { path, source }
        };
        fs::create_dir_all(&folder).map_err(of_folder(&folder))?;
        let key = host_key(&folder.join("host_key"))?;
        let fingerprint = key.public_key().fingerprint(HashAlg::Sha256).to_string();
        let open = |user: User| {
            let path = folder.join(&user.name);
            Room::open(path.clone(), user, usage).map(Arc::new).map_err(of_folder(&path))
        };
        let rooms = users.0.into_iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let failed = |source| StartError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Desk {
            rooms,
            platform,
            clock,
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
            complete: Notify::new(),
            refuse: Mutex::default(),
        });
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(door::serve(listener, key, Arc::clone(&shared), stopping.clone()));
        tasks.spawn(judge::run(Arc::clone(&shared), stopping));
        shared.complete.notify_one();
        Ok(Self { address, fingerprint, shared, stop, tasks })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The fingerprint of its host key.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The deposits of a prefix that were accepted last: a full one, and those that followed; a node can be restored from their files. Reads the disk.
    #[must_use]
    pub fn chain(&self, prefix: &str) -> Option<Chain> {
        let room = self.shared.rooms.iter().find(|room| room.user.prefix.eq_ignore_ascii_case(prefix))?;
        Chain::newest(&room.chains())
    }

    /// Has the next deposits that are valid refused with these codes, one after the other.
    pub fn refuse(&self, codes: &[u16]) {
        self.shared.refuse(codes);
    }

    /// Stops; what is being judged is judged to its end, connections are cut.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }

    pub(super) fn shared(&self) -> Arc<Desk> {
        Arc::clone(&self.shared)
    }
}

impl Desk {
    fn refuse(&self, codes: &[u16]) {
        let mut refuse = self.refuse.lock().unwrap_or_else(PoisonError::into_inner);
        refuse.clear();
        refuse.extend(codes.iter().take(REFUSALS));
    }

    fn next_refusal(&self) -> Option<u16> {
        self.refuse.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn refusals(&self) -> Vec<u16> {
        self.refuse.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

/// The host key of a file; makes one where there is none.
fn host_key(path: &Path) -> Result<HostKey, StartError> {
    let failed = |source| StartError::Folder { path: path.to_owned(), source };
    let unusable = || StartError::HostKey { path: path.to_owned() };
    match fs::metadata(path) {
        Ok(found) if found.len() > HOST_KEY_BYTES => return Err(unusable()),
        Ok(_) => {
            let bytes = zeroize::Zeroizing::new(fs::read(path).map_err(failed)?);
            return HostKey::from_openssh(&*bytes).map_err(|_| unusable());
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Err(_) => {}
    }
    let key = HostKey::random(&mut rand::rng(), Algorithm::Ed25519).map_err(|_| unusable())?;
    let text = key.to_openssh(LineEnding::LF).map_err(|_| unusable())?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all())).map_err(failed)?;
    Ok(key)
}
