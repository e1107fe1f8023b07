//! The platform of the simulator, with one user.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey as UserPrivate};
use waymark_catalog::Clock;
use waymark_top_sync::sftp::{Endpoint, UserKey};
use waymark_top_sync::simulator::deposits::{DepositDesk, Settings, User, Users};
use waymark_wire::crypto::{OsRng, PrivateKey, PublicKey};

pub(crate) struct Platform {
    pub(crate) desk: DepositDesk,
    pub(crate) key: PrivateKey,
    pub(crate) folder: PathBuf,
    /// The file of the key its user shows.
    pub(crate) user_key: PathBuf,
}

/// Makes a key to show in a file.
pub(crate) fn user_key(path: &Path) -> UserPrivate {
    let key = UserPrivate::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
    fs::write(path, key.to_openssh(LineEnding::LF).unwrap()).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    key
}

impl Platform {
    /// Starts one in a folder, for a node.
    pub(crate) async fn start(folder: &Path, node: &PublicKey, clock: Clock) -> Self {
        Self::start_with(folder, node, clock, |_| {}).await
    }

    pub(crate) async fn start_with(
        folder: &Path,
        node: &PublicKey,
        clock: Clock,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let (path, key) = (folder.join("user_key"), PrivateKey::generate_sm2(&mut OsRng));
        let shown = user_key(&path);
        let user = |name: &str, prefix: &str| User {
            name: name.into(),
            prefix: prefix.into(),
            keys: vec![shown.public_key().clone()],
            node: node.clone(),
        };
        let mut settings = Settings {
            listen: "127.0.0.1:0".parse().unwrap(),
            folder: folder.join("top"),
            users: Users(vec![user("node990", "88.990"), user("other", "88.991")]),
            platform: key.clone(),
            usage: Default::default(),
            clock,
        };
        change(&mut settings);
        let desk = DepositDesk::start(settings).await.unwrap();
        Self { desk, key, folder: folder.join("top"), user_key: path }
    }

    /// Where it is, its host key pinned.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint {
            host: "127.0.0.1".into(),
            port: self.desk.address().port(),
            host_key: self.desk.fingerprint().parse().unwrap(),
            key: UserKey::read(&self.user_key).unwrap(),
            answer_time: Duration::from_secs(20),
        }
    }

    /// Waits until everything that came was judged and taken away.
    pub(crate) async fn until_empty(&self, user: &str) {
        let upload = self.folder.join(user).join("upload");
        for _ in 0..500 {
            if fs::read_dir(&upload).unwrap().count() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("something is left in {}", upload.display());
    }

    /// Names in a folder of the user.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.folder.join("node990").join(folder)).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}
