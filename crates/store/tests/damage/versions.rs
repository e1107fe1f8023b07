//! Formats of versions this program does not know.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use waymark_store::fault::Survives;
use waymark_store::{Damage, OpenError, ReadError, open_on};

use crate::common::small_options;
use crate::{DIR, findings_of, sample};

/// Raises the version number at offset 8 of a header of `length` bytes that ends with its checksum.
fn with_version(mut bytes: Vec<u8>, length: usize, version: u32) -> Vec<u8> {
    bytes[8..12].copy_from_slice(&version.to_le_bytes());
    let checksum = crc32c::crc32c(&bytes[..length - 4]);
    bytes[length - 4..length].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

#[test]
fn refuses_unknown_format_versions_and_changes_nothing() {
    let (medium, _) = sample();
    for (extension, length) in [("", 64), ("log", 64), ("run", 64)] {
        let path = medium
            .paths()
            .into_iter()
            .find(|path| path.extension().and_then(|found| found.to_str()).unwrap_or_default() == extension)
            .unwrap();
        let image = medium.after_power_loss(Survives::Everything);
        image.set_content(&path, with_version(image.content(&path).unwrap(), length, 2));
        let before: Vec<_> = image.paths().iter().map(|path| image.content(path)).collect();
        let refused = open_on(Arc::new(image.clone()), &small_options(Path::new(DIR))).unwrap_err();
        let OpenError::Version { file, found, known } = &refused else { panic!("{refused}") };
        assert_eq!((file, *found, *known), (&path, 2, 1));
        assert!(refused.to_string().contains("format version 2"));
        assert_eq!(image.paths().iter().map(|path| image.content(path)).collect::<Vec<_>>(), before);
        assert!(matches!(findings_of(&image).1, Err(OpenError::Version { found: 2, .. })));
    }
    let blob = PathBuf::from("/store/blobs/index.blob");
    medium.set_content(&blob, with_version(medium.content(&blob).unwrap(), 48, 2));
    let (store, _) = open_on(Arc::new(medium), &small_options(Path::new(DIR))).unwrap();
    assert!(matches!(store.blobs().read_verified("index"), Err(ReadError::Damaged { what: Damage::Version, .. })));
}
