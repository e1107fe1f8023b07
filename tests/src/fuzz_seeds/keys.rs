//! Key files of the protocol vectors, the keys among them as PEM texts, and the key of an audit.

use base64ct::{Base64, Encoding as _};
use serde_json::Value;

use super::Seed;

pub(super) fn seeds() -> Vec<Seed> {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../../data/vectors.json")).expect("the vectors are JSON");
    let mut seeds: Vec<Seed> = Vec::new();
    let mut add = |name: String, shape: u8, file: &[u8]| seeds.push(("key_files", name, [&[shape], file].concat()));
    let bytes = |hex: &Value| hex.as_str().map(|hex| hex::decode(hex).expect("hexadecimal"));
    for vector in &vectors {
        let name = vector["name"].as_str().expect("every vector has a name");
        if name.starts_with("keyfile_") {
            add(name.to_owned(), 1, &bytes(&vector["hex"]).expect("a file"));
        }
        let facts = &vector["decoded"];
        let der = bytes(&facts["pkcs8_hex"]).or_else(|| bytes(&facts["verify_with"]["private_key_pkcs8_hex"]));
        if let Some(der) = der {
            let text =
                format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", Base64::encode_string(&der));
            add(format!("{name}_private"), 0, text.as_bytes());
        }
    }
    // RFC 8410 section 10.3, without the public key.
    let audit = "302e020100300506032b657004220420d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842";
    add("audit".to_owned(), 0, &hex::decode(audit).expect("hexadecimal"));
    seeds
}
