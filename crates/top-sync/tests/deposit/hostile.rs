//! Deposits that were damaged, forged or made to do harm: each is refused with a clear error, and nothing of it is put back.

use std::path::PathBuf;

use waymark_catalog::Timestamp;
use waymark_store::Engine;
use waymark_top_sync::deposit::{
    Extension, FileName, Files, Held, Made, PartError, RestoreError, SealError, Verified, VerifyError, verify,
    watermark,
};
use waymark_wire::crypto::{OsRng, PrivateKey, PublicKey};

use crate::node::{Node, day};
use crate::workshop::Workshop;

const FULL: &str = "2026-11-22";

/// A node and its deposit.
fn deposited<const N: usize>() -> (Workshop, Node, Made) {
    let shop = Workshop::new();
    let node = Node::open::<N>(&shop.path("data"), Engine::Log, watermark(day("2026-11-20")));
    node.fill();
    node.set(FULL, 1);
    let made = shop.make(&node, None, FULL).unwrap();
    (shop, node, made)
}

fn part(shop: &Workshop, made: &Made, number: usize) -> PathBuf {
    shop.path("out").join(made.parts[number].name.to_string())
}

fn public(shop: &Workshop, files: &Files, node: &PublicKey, now: Timestamp) -> Result<Verified, VerifyError> {
    let _ = shop;
    verify(files, &Held { node, platform: None, prefix: None, now })
}

#[test]
fn bytes_that_were_changed_anywhere_are_told_by_the_signature() {
    let (shop, node, made) = deposited::<11>();
    let (files, own) = (shop.files(&made), shop.own.public_key());
    assert!(!public(&shop, &files, &own, node.now()).unwrap().opened, "checked without the platform's key");
    for number in [0, made.parts.len() - 1] {
        let path = part(&shop, &made, number);
        let good = std::fs::read(&path).unwrap();
        for place in [0, 7, 23, good.len() / 2, good.len() - 1] {
            let mut changed = good.clone();
            changed[place] ^= 1;
            std::fs::write(&path, changed).unwrap();
            let refused = public(&shop, &files, &own, node.now()).unwrap_err();
            assert!(matches!(refused, VerifyError::Part(PartError::Signature { .. })), "{refused}");
        }
        std::fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(shop.verify(&files, node.now()).is_err());
        std::fs::write(&path, good).unwrap();
    }
    let report = shop.path("out").join(made.report.to_string());
    let good = std::fs::read_to_string(&report).unwrap();
    std::fs::write(&report, good.replacen("contents=\"2\"", "contents=\"3\"", 1)).unwrap();
    let refused = public(&shop, &files, &own, node.now()).unwrap_err();
    assert!(matches!(refused, VerifyError::Part(PartError::Signature { .. })), "{refused}");
    std::fs::remove_file(&report).unwrap();
    assert!(matches!(shop.verify(&shop.files(&made), node.now()), Err(VerifyError::NoReport)));
}

#[test]
fn parts_that_are_missing_or_swapped_are_told_without_any_private_key() {
    let (shop, node, made) = deposited::<12>();
    let own = shop.own.public_key();
    let paths: Vec<PathBuf> = (0..made.parts.len()).map(|number| part(&shop, &made, number)).collect();
    for missing in 0..paths.len() {
        let left: Vec<_> =
            paths.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, path)| path.clone()).collect();
        let refused = public(&shop, &Files::of(&left).unwrap(), &own, node.now()).unwrap_err();
        let wanted = PartError::Missing { part: missing as u32 + 1 };
        assert!(matches!(&refused, VerifyError::Part(found) if *found == wanted), "{refused}");
    }
    // Signatures go with them, so each is right over its bytes.
    for ending in ["inde", "sig"] {
        let (first, second) = (paths[0].with_extension(ending), paths[1].with_extension(ending));
        std::fs::rename(&first, shop.path("aside")).unwrap();
        std::fs::rename(&second, &first).unwrap();
        std::fs::rename(shop.path("aside"), &second).unwrap();
    }
    let refused = public(&shop, &Files::of(&paths).unwrap(), &own, node.now()).unwrap_err();
    assert!(matches!(refused, VerifyError::Mismatch), "{refused}");
    assert_eq!(refused.result_code(), Some(2004));
}

#[test]
fn other_keys_neither_sign_nor_open() {
    let (shop, node, made) = deposited::<13>();
    let (files, other) = (shop.files(&made), PrivateKey::generate_sm2(&mut OsRng));
    let refused = public(&shop, &files, &other.public_key(), node.now()).unwrap_err();
    assert!(matches!(refused, VerifyError::Part(PartError::Signature { .. })));
    let own = shop.own.public_key();
    let held = Held { node: &own, platform: Some(&other), prefix: None, now: node.now() };
    assert!(matches!(verify(&files, &held), Err(VerifyError::Seal(SealError::Key { group: 0 }))));
    let empty = Node::open::<14>(&shop.path("empty"), Engine::Log, node.now());
    let refused = waymark_top_sync::deposit::restore(&empty.catalog, &[files], &held);
    assert!(matches!(refused, Err(RestoreError::Verify { number: 1, .. })));
    assert!(empty.told().is_empty());
}

/// Calls all files of a deposit otherwise; what they hold and their signatures stay.
fn renamed(shop: &Workshop, made: &Made, to: &str) -> Files {
    let to: FileName = to.parse().unwrap();
    let folder = shop.path("renamed");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    let mut paths = Vec::new();
    let mut copy = |from: FileName| {
        let path = folder.join(to.of_part(from.part, from.extension).to_string());
        std::fs::copy(shop.path("out").join(from.to_string()), &path).unwrap();
        paths.push(path);
    };
    for part in &made.parts {
        copy(part.name.clone());
        copy(part.name.of_part(part.name.part, Extension::Signature));
    }
    copy(made.report.clone());
    copy(made.report.of_part(1, Extension::ReportSignature));
    Files::of(&paths).unwrap()
}

#[test]
fn result_codes_are_those_of_the_drafts() {
    let (shop, node, made) = deposited::<15>();
    let code = |files: &Files, now| shop.verify(files, now).unwrap_err().result_code();
    assert!(shop.verify(&renamed(&shop, &made, "88.990_2026-11-22_full_S1_R0.inde"), node.now()).is_ok());
    let before = Timestamp(watermark(day(FULL)).0 - 1);
    assert_eq!(code(&shop.files(&made), before), Some(2002), "date in the future");
    assert_eq!(
        code(&renamed(&shop, &made, "88.991_2026-11-22_full_S1_R0.inde"), node.now()),
        Some(2201),
        "another prefix"
    );
    assert_eq!(
        code(&renamed(&shop, &made, "88.990_2026-11-22_full_S1_R1.inde"), node.now()),
        Some(2004),
        "another revision"
    );
    assert_eq!(
        code(&renamed(&shop, &made, "88.990_2026-11-23_full_S1_R0.inde"), node.now()),
        Some(2004),
        "another day"
    );
    let own = shop.own.public_key();
    let held = Held { node: &own, platform: None, prefix: Some("88.1"), now: node.now() };
    assert_eq!(verify(&shop.files(&made), &held).unwrap_err().result_code(), Some(2201), "not the prefix wanted");
    let mixed = [part(&shop, &made, 0), PathBuf::from("88.990_2026-11-22_full_S2_R1.inde")];
    assert_eq!(Files::of(&mixed).unwrap_err().result_code(), Some(2004), "of two deposits");
    assert_eq!(Files::of(&[PathBuf::from("../x.xml")]).unwrap_err().result_code(), Some(2001));
}
