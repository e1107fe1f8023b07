//! Forged messages: whatever bit is flipped in what a signature or code covers, or in itself, is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test stops at the first thing that is not as expected"
)]

use std::sync::LazyLock;

use proptest::prelude::*;
use rand_core::OsRng;
use waymark_wire::crypto::challenge::Challenge;
use waymark_wire::crypto::credential::{Credential, LEGACY_DSA_TYPE};
use waymark_wire::crypto::session::{SessionCipher, SessionKey};
use waymark_wire::crypto::signed_message::{
    CertifiedError, authenticate, certify_response, verify_authenticated, verify_certified,
};
use waymark_wire::crypto::{PrivateKey, PublicKey, key_file};
use waymark_wire::{Envelope, Header, Message, Version};

/// A resolution response of version 2.`minor` without a credential. It suggests a version that no test has for its own:
/// suggesting the own version means the same as suggesting none.
fn response(minor: u8) -> Vec<u8> {
    let mut message = vec![2, minor, 2, 9, 0x10, 0x20, 0x30, 0x40, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0, 0, 52];
    message.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x90, 0, 0, 0, 0, 1, 0, 0, 0x70, 0xdb, 0xd8, 0x80, 0, 0, 0, 24]);
    message.extend(b"\x00\x00\x00\x1088.111.1/Abc-123\x00\x00\x00\x00");
    message.extend([0, 0, 0, 0]);
    message
}

static ENTRIES: LazyLock<Vec<serde_json::Value>> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/vectors.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
});

/// The recorded bytes of all entries of a direction.
fn recorded(direction: &str) -> Vec<Vec<u8>> {
    let ours = ENTRIES.iter().filter(|entry| entry["direction"] == direction);
    ours.map(|entry| hex::decode(entry["hex"].as_str().unwrap()).unwrap()).collect()
}

fn dsa_key() -> PrivateKey {
    let entry = ENTRIES.iter().find(|entry| entry["name"] == "key_dsa1024_public").unwrap();
    let plain = entry["decoded"]["handle_private_key_hex"].as_str().unwrap();
    PrivateKey::parse(&hex::decode(plain).unwrap()).unwrap()
}

/// Places whose bits a signature has to protect: header, body, digest name and signature.
fn protected(message: &[u8]) -> Vec<usize> {
    let parsed = Message::parse(message).unwrap();
    let section = Credential::parse(parsed.credential.unwrap()).unwrap().section;
    let signed = Envelope::LEN..Envelope::LEN + parsed.signed.len();
    let body_length = Envelope::LEN + Header::LEN - 4..Envelope::LEN + Header::LEN;
    let in_section = message.len() - section.len()..message.len();
    signed.filter(|at| !body_length.contains(at)).chain(in_section).collect()
}

/// Flips each bit of these places in turn and hands the parsed result on, when it still parses.
fn flip_each(message: &[u8], places: &[usize], mut refused: impl FnMut(&Message<'_>) -> bool) {
    for at in places {
        for bit in 0..8 {
            let mut forged = message.to_vec();
            forged[*at] ^= 1 << bit;
            if let Ok(forged) = Message::parse(&forged) {
                assert!(refused(&forged), "byte {at} bit {bit}");
            }
        }
    }
}

fn certified(minor: u8, key: &PrivateKey) {
    let mut message = response(minor);
    certify_response(&mut message, key, &mut OsRng).unwrap();
    let public = key.public_key();
    let original = Message::parse(&message).unwrap();
    assert_eq!(verify_certified(&original, &public), Ok(()));
    flip_each(&message, &protected(&message), |forged| verify_certified(forged, &public).is_err());
    if minor >= 8 {
        // Version, suggestion, session and request id; the three flags of the envelope are not signed.
        let refused = |forged: &Message<'_>| {
            let flags_only = Envelope { flags: original.envelope.flags, ..forged.envelope } == original.envelope;
            flags_only || verify_certified(forged, &public).is_err()
        };
        flip_each(&message, &(0..12).collect::<Vec<_>>(), refused);
    }
}

#[test]
fn no_flipped_bit_passes_a_certified_rsa_response() {
    let key = PrivateKey::generate_rsa(1024, &mut OsRng).unwrap();
    for minor in [0, 5, 6, 7, 8, 11] {
        certified(minor, &key);
    }
}

#[test]
fn no_flipped_bit_passes_a_certified_dsa_response() {
    let key = dsa_key();
    certified(10, &key);
    certified(11, &key);
}

#[test]
fn no_flipped_bit_passes_a_session_message() {
    for cipher in [SessionCipher::Des, SessionCipher::TripleDes, SessionCipher::Aes] {
        let key = SessionKey::generate(cipher, &mut OsRng);
        for minor in [3, 5, 6, 7, 8, 11] {
            let mut message = response(minor);
            authenticate(&mut message, &key, 7).unwrap();
            let original = Message::parse(&message).unwrap();
            assert_eq!(verify_authenticated(&original, &key), Ok(7));
            flip_each(&message, &protected(&message), |forged| verify_authenticated(forged, &key).is_err());
        }
    }
}

#[test]
fn the_counter_of_a_session_message_is_protected_since_2_7() {
    let key = SessionKey::generate(SessionCipher::Aes, &mut OsRng);
    let mut message = response(7);
    authenticate(&mut message, &key, 7).unwrap();
    let credential = message.len() - Message::parse(&message).unwrap().credential.unwrap().len();
    // Four bytes of version and flags, the empty signer's length, then the counter.
    let counter: Vec<_> = (credential + 8..credential + 12).collect();
    flip_each(&message, &counter, |forged| verify_authenticated(forged, &key) == Err(CertifiedError::Mismatch));
}

#[test]
fn a_weaker_digest_than_the_version_demands_is_refused() {
    let key = PrivateKey::generate_rsa(1024, &mut OsRng).unwrap();
    let public = key.public_key();
    let mut old = response(6);
    certify_response(&mut old, &key, &mut OsRng).unwrap();
    // A SHA-1 signature is right for 2.6 and refused where 2.7 is claimed, before the prefix even matters.
    old[1] = 7;
    assert_eq!(verify_certified(&Message::parse(&old).unwrap(), &public), Err(CertifiedError::OtherDigest));
}

#[test]
fn signatures_and_codes_are_not_taken_for_each_other() {
    let key = PrivateKey::generate_rsa(1024, &mut OsRng).unwrap();
    let session = SessionKey::generate(SessionCipher::Aes, &mut OsRng);
    let plain = response(11);
    let parsed = Message::parse(&plain).unwrap();
    assert_eq!(verify_certified(&parsed, &key.public_key()), Err(CertifiedError::Missing));
    assert_eq!(verify_authenticated(&parsed, &session), Err(CertifiedError::Missing));
    let (mut signed, mut coded) = (plain.clone(), plain);
    certify_response(&mut signed, &key, &mut OsRng).unwrap();
    authenticate(&mut coded, &session, 1).unwrap();
    assert_eq!(verify_authenticated(&Message::parse(&signed).unwrap(), &session), Err(CertifiedError::OtherType));
    assert_eq!(verify_certified(&Message::parse(&coded).unwrap(), &key.public_key()), Err(CertifiedError::OtherType));
}

#[test]
fn the_oldest_type_of_signature_is_accepted() {
    let key = dsa_key();
    let mut message = response(5);
    certify_response(&mut message, &key, &mut OsRng).unwrap();
    let parsed = Message::parse(&message).unwrap();
    let credential = Credential::parse(parsed.credential.unwrap()).unwrap();
    let mut legacy = Vec::new();
    Credential { kind: LEGACY_DSA_TYPE, ..credential }.encode_into(&mut legacy);
    let legacy = Message { credential: Some(&legacy), ..parsed };
    assert_eq!(verify_certified(&legacy, &key.public_key()), Ok(()));
}

#[test]
fn another_key_does_not_verify() {
    let (key, other) = (dsa_key(), PrivateKey::generate_rsa(1024, &mut OsRng).unwrap());
    let mut message = response(11);
    certify_response(&mut message, &key, &mut OsRng).unwrap();
    let parsed = Message::parse(&message).unwrap();
    assert_eq!(verify_certified(&parsed, &other.public_key()), Err(CertifiedError::Mismatch));
    assert_eq!(verify_certified(&parsed, &key.public_key()), Ok(()));
    // Certifying again replaces the credential instead of adding one.
    let length = message.len();
    certify_response(&mut message, &other, &mut OsRng).unwrap();
    certify_response(&mut message, &key, &mut OsRng).unwrap();
    assert!(message.len().abs_diff(length) <= 4, "DER lengths differ by a few bytes");
}

#[test]
fn no_truncated_or_random_credential_panics() {
    let key = PrivateKey::generate_rsa(1024, &mut OsRng).unwrap();
    let public = PublicKey::parse(key.public_key().as_bytes()).unwrap();
    let session = SessionKey::generate(SessionCipher::Aes, &mut OsRng);
    let mut message = response(11);
    certify_response(&mut message, &key, &mut OsRng).unwrap();
    let full = Message::parse(&message).unwrap();
    let credential = full.credential.unwrap();
    for length in 0..credential.len() {
        let cut = Message { credential: Some(&credential[..length]), ..full };
        assert!(verify_certified(&cut, &public).is_err());
        assert!(verify_authenticated(&cut, &session).is_err());
    }
}

/// Bytes with some of them replaced, and cut or not.
fn damaged(samples: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (prop::sample::select(samples), changes, any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(mut bytes, changes, end, cut)| {
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let end = if cut { end.index(bytes.len()) } else { bytes.len() };
            bytes.truncate(end);
            bytes
        },
    )
}

proptest! {
    #[test]
    fn damaged_public_keys_never_panic(key in damaged(recorded("public_key")), signature: Vec<u8>) {
        if let Ok(parsed) = PublicKey::parse(&key) {
            prop_assert_eq!(parsed.as_bytes(), &key[..]);
            let challenge = Challenge { version: Version::CURRENT, nonce: b"nonce", digest: b"digest" };
            let response = [b"\0\0\0\x07SHA-256\0\0\0\0".as_slice(), &signature].concat();
            prop_assert!(challenge.verify_key(&parsed, b"user", &response).is_err());
            if let Ok(sealed) = SessionKey::generate(SessionCipher::Aes, &mut OsRng).encrypt_to(&parsed, &mut OsRng) {
                prop_assert!(!sealed.is_empty());
            }
        }
    }

    #[test]
    fn damaged_key_files_never_panic(file in damaged(recorded("key_file"))) {
        if let Ok(key) = key_file::open(&file, Some(b"pass phrase")) {
            prop_assert!(key.to_bytes().is_some());
        }
    }

    #[test]
    fn damaged_encrypted_messages_never_panic(message in damaged(recorded("request")), key: [u8; 16]) {
        let key = SessionKey::new(SessionCipher::Aes, &key).unwrap();
        let mut plain = message.clone();
        if key.decrypt_message(&mut plain).is_ok() {
            prop_assert!(plain.len() < message.len());
        }
    }

    #[test]
    fn random_secret_answers_never_pass(response: Vec<u8>, minor in 0_u8..12) {
        let version = Version::new(2, minor);
        let challenge = Challenge { version, nonce: b"nonce", digest: b"digest" };
        prop_assert!(challenge.verify_secret(b"secret", &response, 1000).is_err());
    }
}
