//! Vectors of keys, MACs, key derivation, and of the cryptography inside messages.

use std::collections::{BTreeMap, VecDeque};
use std::sync::LazyLock;

use rand_core::{CryptoRng, Error, OsRng, RngCore};
use serde_json::Value;
use waymark_wire::Message;
use waymark_wire::crypto::challenge::Challenge;
use waymark_wire::crypto::credential::Credential;
use waymark_wire::crypto::dh::{DhOffer, DhSecret};
use waymark_wire::crypto::key_file::{self, KeyFileError, KeyFileForm};
use waymark_wire::crypto::limits::ANSWER_ITERATIONS;
use waymark_wire::crypto::mac::{self, MacAlgorithm};
use waymark_wire::crypto::replay::ReplayWindow;
use waymark_wire::crypto::session::{SessionCipher, SessionKey};
use waymark_wire::crypto::signed_message::{authenticate, certify_response, verify_authenticated, verify_certified};
use waymark_wire::crypto::{DigestAlgorithm, KeyAlgorithm, PrivateKey, PublicKey, RequestDigest, request_digest};
use waymark_wire::request::{ChallengeAnswer, Request, RequestBody};
use waymark_wire::version::Version;

use crate::support::{Ran, bytes_of, number_of, text_of, u32_of};

const BOTH: Ran = Ran { decoded: true, encoded: true };
/// For signatures with a random part: the recorded one is checked, one of ours is checked too, but bytes differ.
const VERIFIED: Ran = Ran { decoded: true, encoded: false };

static ENTRIES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/vectors.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
});

/// A random source that gives recorded bytes and nothing else.
struct Recorded(VecDeque<u8>);

impl Recorded {
    fn new(parts: &[&[u8]]) -> Self {
        Self(parts.concat().into())
    }
}

impl RngCore for Recorded {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        for byte in dest {
            *byte = self.0.pop_front().expect("no more bytes recorded");
        }
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoRng for Recorded {}

/// Runs one entry of direction public_key, key_file, mac or key_derivation, or the cryptographic part of a request or
/// response (credential, MAC, answer, challenge digest, encrypted content); both false when it has none.
pub fn run(entry: &Value) -> Ran {
    let bytes = bytes_of(&entry["hex"]);
    let facts = &entry["decoded"];
    match text_of(&entry["direction"]) {
        "public_key" => public_key(&bytes, facts),
        "key_file" => private_key_file(&bytes, facts),
        "mac" => secret_key_mac(&bytes, facts),
        "key_derivation" => key_derivation(&bytes, facts),
        "request" | "response" => message(&bytes, facts),
        other => panic!("not one of ours: {other}"),
    }
}

fn entry(name: &str) -> &'static Value {
    ENTRIES.iter().find(|entry| entry["name"] == name).unwrap_or_else(|| panic!("no entry {name}"))
}

fn public_key(bytes: &[u8], facts: &Value) -> Ran {
    let key = PublicKey::parse(bytes).unwrap();
    assert_eq!(key.as_bytes(), bytes);
    if let Some(pem) = facts["pem"].as_str() {
        assert_eq!(key.to_pem().unwrap(), pem);
        if facts["type_text"] == "SM2_PUB_KEY" {
            assert_eq!(PublicKey::from_spki_der(&bytes_of(&facts["public_key_x509_hex"])).unwrap(), key);
        }
        return BOTH;
    }
    if facts["algorithm"] == "DH" {
        // Written by an exchange, see `key_derivation`.
        assert_eq!(key.algorithm(), KeyAlgorithm::DiffieHellman);
        return dh_secret(&facts["pkcs8_hex"], &key);
    }
    let from_pkcs8 = PrivateKey::from_pkcs8_der(&bytes_of(&facts["pkcs8_hex"])).unwrap();
    let plain = bytes_of(&facts["handle_private_key_hex"]);
    assert_eq!(from_pkcs8.public_key(), key);
    assert_eq!(from_pkcs8.to_bytes().unwrap().as_slice(), plain);
    assert_eq!(PrivateKey::parse(&plain).unwrap().public_key(), key);
    if key.algorithm() == KeyAlgorithm::Rsa {
        assert_eq!(PublicKey::from_spki_der(&bytes_of(&facts["spki_hex"])).unwrap(), key);
    }
    BOTH
}

fn dh_secret(pkcs8: &Value, public: &PublicKey) -> Ran {
    assert_eq!(&recorded_dh(pkcs8).public_key(), public);
    BOTH
}

/// The secret of a PKCS#8 Diffie-Hellman key: its last integer.
fn recorded_dh(pkcs8: &Value) -> DhSecret {
    let der = bytes_of(pkcs8);
    let at = (0..der.len()).rfind(|at| der[*at] == 2 && usize::from(der[at + 1]) == der.len() - at - 2).unwrap();
    let exponent = &der[at + 2..];
    let fixed = [vec![0; 128 - exponent.len()], exponent.to_vec()].concat();
    DhSecret::generate(&mut Recorded::new(&[&fixed]))
}

fn private_key_file(bytes: &[u8], facts: &Value) -> Ran {
    let scheme: u32 = number_of(&facts["encryption"]);
    let plain = bytes_of(&facts["plain_private_key_hex"]);
    let pass_phrase = facts["passphrase"].as_str().map(str::as_bytes);
    let key = key_file::open(bytes, pass_phrase).unwrap();
    assert_eq!(key.to_bytes().unwrap().as_slice(), plain);
    assert_eq!(key.public_key().as_bytes(), bytes_of(&entry(text_of(&facts["matches_key"]))["hex"]));
    if scheme == 1 {
        assert_eq!(key_file::inspect(bytes), Ok(KeyFileForm::Plain));
        assert_eq!(key_file::write_plain(&key).unwrap().as_slice(), bytes);
        return BOTH;
    }
    assert_eq!(key_file::inspect(bytes), Ok(KeyFileForm::Encrypted(scheme)));
    assert_eq!(key_file::open(bytes, None).err(), Some(KeyFileError::PassPhraseNeeded { scheme }));
    assert_eq!(key_file::open(bytes, Some(b"pass phrasf")).err(), Some(KeyFileError::WrongPassPhrase));
    if scheme != 4 {
        return VERIFIED;
    }
    let mut random = Recorded::new(&[&bytes[8..24], &bytes[36..52]]);
    assert_eq!(key_file::write_encrypted(&key, pass_phrase.unwrap(), &mut random).unwrap(), bytes);
    BOTH
}

fn secret_key_mac(bytes: &[u8], facts: &Value) -> Ran {
    let (secret, nonce) = (text_of(&facts["secret_key_text"]).as_bytes(), bytes_of(&facts["nonce_hex"]));
    let digest = bytes_of(&facts["request_digest_hex"]);
    let parts = [nonce.as_slice(), digest.as_slice()];
    let algorithm = MacAlgorithm::from_code(bytes[0]).unwrap();
    assert_eq!(mac::verify(Version::CURRENT, secret, &parts, bytes, ANSWER_ITERATIONS.default), Ok(()));
    assert_eq!(mac::sign(Version::CURRENT, algorithm, secret, &parts, &mut Recorded::new(&[])), bytes);
    BOTH
}

fn key_derivation(bytes: &[u8], facts: &Value) -> Ran {
    let cipher = SessionCipher::from_code(u32_of(&facts["cipher_code"])).unwrap();
    let public = |field: &str| PublicKey::parse(&bytes_of(&facts[field])).unwrap();
    let client = recorded_dh(&facts["client_dh_pkcs8_hex"]);
    let server = recorded_dh(&facts["server_dh_pkcs8_hex"]);
    assert_eq!(server.public_key(), public("server_dh_public_hex"));
    for secret in [client.agree(&public("server_dh_public_hex")), server.agree(&public("client_dh_public_hex"))] {
        let derived = SessionKey::derive(cipher, &secret.unwrap()).unwrap();
        // The key is not shown; encryption without a random part tells it.
        let expected = SessionKey::new(cipher, bytes).unwrap();
        let encrypt = |key: &SessionKey| key.encrypt(Version::new(2, 3), b"same", &mut OsRng).unwrap();
        assert_eq!(encrypt(&derived), encrypt(&expected));
        assert_eq!(authenticated_with(&derived), authenticated_with(&expected));
    }
    BOTH
}

/// A message that depends on every byte of the key.
fn authenticated_with(key: &SessionKey) -> Vec<u8> {
    let mut message = bytes_of(&entry("session_mac_request_v2_11")["hex"]);
    authenticate(&mut message, key, 1).unwrap();
    message
}

/// The cryptographic part of a request or response.
fn message(bytes: &[u8], facts: &Value) -> Ran {
    let has = |field: &str| !facts[field].is_null();
    if has("plaintext_hex") {
        return encrypted(bytes, facts);
    }
    if facts["credential"]["type"] == "HS_SIGNED" {
        return certified(bytes, facts);
    }
    if facts["credential"]["type"] == "HS_MAC" {
        return session_message(bytes, facts);
    }
    if has("decrypt_with") {
        return transported_key(&bytes_of(&facts["body"]["data_hex"]), &facts["decrypt_with"]);
    }
    if has("challenge") || has("verify_with") {
        return answer(bytes, facts);
    }
    if let Some(request) =
        [&facts["request_header_and_body_hex"], &facts["login_message_hex"]].iter().find(|f| !f.is_null())
    {
        let digest = request_digest(Message::parse(bytes).unwrap().envelope.version, &bytes_of(request));
        assert_eq!(digest.as_bytes(), bytes_of(&facts["body"]["request_digest_hex"]));
        let algorithm = facts["body"]["request_digest_alg"].as_u64().unwrap();
        // The old format has no number for its only algorithm.
        assert_eq!(u64::from(digest.algorithm().code()), algorithm.max(1));
        return BOTH;
    }
    let exchange = facts["body"]["key_exchange_mode"] == 4;
    match (&facts["body"]["public_key_hex"], &facts["body"]["data_hex"]) {
        (key @ Value::String(_), _) => {
            let key = bytes_of(key);
            assert_eq!(PublicKey::parse(&key).unwrap().as_bytes(), key);
            VERIFIED
        }
        (_, data @ Value::String(_)) if exchange => {
            let (version, data) = (Message::parse(bytes).unwrap().envelope.version, bytes_of(data));
            let offer = DhOffer::parse(version, &data).unwrap();
            assert_eq!(offer.cipher, SessionCipher::Aes);
            let mut again = Vec::new();
            offer.encode(version, &mut again);
            assert_eq!(again, data);
            BOTH
        }
        _ => Ran::default(),
    }
}

fn encrypted(bytes: &[u8], facts: &Value) -> Ran {
    let cipher = SessionCipher::from_code(u32_of(&facts["cipher_code"])).unwrap();
    let key = SessionKey::new(cipher, &bytes_of(&facts["session_key_hex"])).unwrap();
    let mut message = bytes.to_vec();
    key.decrypt_message(&mut message).unwrap();
    assert_eq!(message[20..], bytes_of(&facts["plaintext_hex"]));
    assert!(Message::parse(&message).is_ok());
    let vector = &bytes[20..36.min(bytes.len())];
    key.encrypt_message(&mut message, &mut Recorded::new(&[vector])).unwrap();
    assert_eq!(message, bytes);
    BOTH
}

fn certified(bytes: &[u8], facts: &Value) -> Ran {
    let message = Message::parse(bytes).unwrap();
    let signer = entry(text_of(&facts["signing_key"]));
    let public = PublicKey::parse(&bytes_of(&signer["hex"])).unwrap();
    assert_eq!(verify_certified(&message, &public), Ok(()));
    let credential = Credential::parse(message.credential.unwrap()).unwrap();
    let mut again = Vec::new();
    credential.encode_into(&mut again);
    assert_eq!(Some(again.as_slice()), message.credential);

    let private = PrivateKey::parse(&bytes_of(&signer["decoded"]["handle_private_key_hex"])).unwrap();
    let mut ours = bytes.to_vec();
    certify_response(&mut ours, &private, &mut OsRng).unwrap();
    assert_eq!(verify_certified(&Message::parse(&ours).unwrap(), &public), Ok(()));
    if private.algorithm() == KeyAlgorithm::Rsa {
        assert_eq!(ours, bytes);
        return BOTH;
    }
    VERIFIED
}

fn session_message(bytes: &[u8], facts: &Value) -> Ran {
    let key = SessionKey::new(SessionCipher::Aes, &bytes_of(&facts["session_key_hex"])).unwrap();
    let counter = verify_authenticated(&Message::parse(bytes).unwrap(), &key).unwrap();
    assert_eq!(counter, u32_of(&facts["credential"]["session_counter"]));
    let mut window = ReplayWindow::new();
    assert!(window.accept(counter).is_ok() && window.accept(counter).is_err());
    let mut ours = bytes.to_vec();
    authenticate(&mut ours, &key, counter).unwrap();
    assert_eq!(ours, bytes);
    BOTH
}

fn transported_key(sealed: &[u8], facts: &Value) -> Ran {
    let private = PrivateKey::from_pkcs8_der(&bytes_of(&facts["private_key_pkcs8_hex"])).unwrap();
    let cipher = SessionCipher::from_code(u32_of(&facts["cipher_code"])).unwrap();
    let expected = SessionKey::new(cipher, &bytes_of(&facts["session_key_hex"])).unwrap();
    let ours = expected.encrypt_to(&private.public_key(), &mut OsRng).unwrap();
    for sealed in [sealed, &ours] {
        let key = SessionKey::decrypt_with(&private, sealed, &mut OsRng).unwrap();
        assert_eq!(key.cipher(), cipher);
        assert_eq!(authenticated_with(&key), authenticated_with(&expected));
    }
    VERIFIED
}

fn answer(bytes: &[u8], facts: &Value) -> Ran {
    let request = Request::parse(bytes).unwrap();
    let RequestBody::ChallengeAnswer(answer) = request.body else { panic!("no answer: {:?}", request.body) };
    let asked = if facts["verify_with"].is_null() { facts } else { &facts["verify_with"] };
    let (nonce, digest) = (bytes_of(&asked["nonce_hex"]), bytes_of(&asked["request_digest_hex"]));
    let algorithm = match digest.len() {
        16 => DigestAlgorithm::Md5,
        20 => DigestAlgorithm::Sha1,
        _ => DigestAlgorithm::Sha256,
    };
    let digest = RequestDigest::new(algorithm, &digest).unwrap();
    let challenge = Challenge { version: request.message.envelope.version, nonce: &nonce, digest: digest.as_bytes() };
    if let Some(secret) = facts["secret_key_text"].as_str() {
        return answer_with_secret(&challenge, secret.as_bytes(), &answer, facts);
    }
    answer_with_key(&challenge, &answer, facts)
}

fn answer_with_secret(challenge: &Challenge<'_>, secret: &[u8], answer: &ChallengeAnswer<'_>, facts: &Value) -> Ran {
    assert_eq!(challenge.verify_secret(secret, answer.signed_response, ANSWER_ITERATIONS.default), Ok(()));
    let salt = facts["signed_response"].get("salt_hex").map(bytes_of).unwrap_or_default();
    let ours = challenge.answer_with_secret(secret, &mut Recorded::new(&[&salt]));
    assert_eq!(ours, answer.signed_response);
    BOTH
}

fn answer_with_key(challenge: &Challenge<'_>, answer: &ChallengeAnswer<'_>, facts: &Value) -> Ran {
    let private = if let Some(pkcs8) = facts["verify_with"].get("private_key_pkcs8_hex") {
        PrivateKey::from_pkcs8_der(&bytes_of(pkcs8)).unwrap()
    } else {
        let signer = entry(text_of(&facts["key"]));
        PrivateKey::parse(&bytes_of(&signer["decoded"]["handle_private_key_hex"])).unwrap()
    };
    let (public, user) = (private.public_key(), answer.user.handle);
    assert_eq!(challenge.verify_key(&public, user, answer.signed_response), Ok(()));
    let ours = challenge.answer_with_key(&private, user, &mut OsRng).unwrap();
    assert_eq!(challenge.verify_key(&public, user, &ours), Ok(()));
    if private.algorithm() == KeyAlgorithm::Rsa {
        assert_eq!(ours, answer.signed_response);
        return BOTH;
    }
    VERIFIED
}

#[test]
fn every_entry_with_cryptography_in_it_is_run() {
    let mut ran: BTreeMap<&str, u32> = BTreeMap::new();
    for entry in ENTRIES.iter() {
        let direction = text_of(&entry["direction"]);
        let ours = ["public_key", "key_file", "mac", "key_derivation", "request", "response"];
        if ours.contains(&direction) && run(entry).decoded {
            *ran.entry(direction).or_default() += 1;
        }
    }
    println!("cryptography: {ran:?}");
    let expected =
        [("key_derivation", 2), ("key_file", 8), ("mac", 4), ("public_key", 7), ("request", 29), ("response", 16)];
    assert_eq!(ran.into_iter().collect::<Vec<_>>(), expected);
}
