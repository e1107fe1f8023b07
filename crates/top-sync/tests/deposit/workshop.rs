//! Keys, folders and what is done with them.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use waymark_catalog::Timestamp;
use waymark_top_sync::deposit::{
    Delivery, Extent, Files, Held, Made, MakeError, RestoreError, Restored, Table, Verified, VerifyError, Wanted, make,
    restore, verify,
};
use waymark_wire::crypto::{OsRng, PrivateKey};

use crate::node::{Node, ROOT, day};

/// The keys of a node and of a platform, and a folder for everything.
pub(crate) struct Workshop {
    pub(crate) folder: TempDir,
    pub(crate) own: PrivateKey,
    pub(crate) platform: PrivateKey,
    pub(crate) part_bytes: u64,
    pub(crate) group_bytes: u64,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("out")).unwrap();
        let (own, platform) = (PrivateKey::generate_sm2(&mut OsRng), PrivateKey::generate_sm2(&mut OsRng));
        Self { folder, own, platform, part_bytes: 2_000, group_bytes: 1 << 10 }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn table(&self) -> Table {
        Table::open(self.folder.path()).unwrap()
    }

    pub(crate) fn make(&self, node: &Node, extent: Option<Extent>, date: &str) -> Result<Made, MakeError> {
        let wanted = Wanted {
            prefix: ROOT,
            extent,
            date: Some(day(date)),
            folder: &self.path("out"),
            platform: &self.platform.public_key(),
            own: &self.own,
            part_bytes: self.part_bytes,
            group_bytes: self.group_bytes,
            delivery: Delivery::Hand,
            halt: None,
        };
        make(&node.catalog, &mut self.table(), &wanted, node.now())
    }

    /// The files of a deposit that was made.
    pub(crate) fn files(&self, made: &Made) -> Files {
        let paths: Vec<_> = made.parts.iter().map(|part| self.path("out").join(part.name.to_string())).collect();
        Files::of(&paths).unwrap()
    }

    pub(crate) fn verify(&self, files: &Files, now: Timestamp) -> Result<Verified, VerifyError> {
        let own = self.own.public_key();
        verify(files, &Held { node: &own, platform: Some(&self.platform), prefix: None, now })
    }

    pub(crate) fn restore(&self, node: &Node, deposits: &[Files]) -> Result<Restored, RestoreError> {
        let own = self.own.public_key();
        let held = Held { node: &own, platform: Some(&self.platform), prefix: Some(ROOT), now: node.now() };
        restore(&node.catalog, deposits, &held)
    }
}

/// Names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
