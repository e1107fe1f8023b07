//! Handle values and the data of their types.

use waymark_catalog::link::Link;
use waymark_wire::crypto::{DigestAlgorithm, PublicKey};
use waymark_wire::types::{AdminPermissions, AdminRecord, Site, SiteBuf, ValueList};
use waymark_wire::{Reader, Reference, ValueBuf, ValueRef, Values, is_admin_type, type_matches};

/// The input is read as one value, as a list of values and as the data of every structured type; whatever can be read is written
/// back to the bytes it was read from.
pub fn value(input: &[u8]) {
    one_value(input);
    values(input);
    admin_record(input);
    value_list(input);
    site(input);
    permission_texts(input);
    public_key(input);
    link(input);
}

fn one_value(input: &[u8]) {
    let mut reader = Reader::new(input);
    let Ok(value) = ValueRef::parse(&mut reader) else { return };
    let (wire, rest) = input.split_at(input.len() - reader.remaining());
    assert_eq!(value.wire, wire, "a value remembers its own bytes");
    assert_eq!(reader.rest(), rest, "and leaves the others alone");
    let owned = ValueBuf::from(value);
    let mut written = Vec::new();
    owned.encode_into(&mut written);
    assert_eq!(written, wire);
    assert_eq!(owned.encoded_len(), wire.len());
    assert_eq!(value.is_admin(), is_admin_type(value.kind));
    let askable = !value.kind.is_empty() && value.kind != b".";
    assert_eq!(type_matches(value.kind, value.kind), askable, "a type asks for itself");
    for data in [value.data, value.kind] {
        admin_record(data);
        value_list(data);
        site(data);
        public_key(data);
        link(data);
    }
}

fn values(input: &[u8]) {
    let mut reader = Reader::new(input);
    let Ok(values) = Values::parse(&mut reader) else { return };
    assert_eq!(values.iter().count(), values.len(), "every value counted is there");
    let mut written = Vec::new();
    values.write(&mut written);
    assert_eq!(written, input[..input.len() - reader.remaining()]);
    let count = u32::try_from(values.len()).expect("read from a u32");
    assert_eq!(Values::from_wire(count, values.wire()), Ok(values));
    assert!(Values::from_wire(count + 1, values.wire()).is_err());
}

fn admin_record(data: &[u8]) {
    let Ok(record) = AdminRecord::parse(data) else { return };
    let mut written = Vec::new();
    record.encode(&mut written);
    assert_eq!(written, data);
}

fn value_list(data: &[u8]) {
    let Ok(list) = ValueList::parse(data) else { return };
    let references: Vec<Reference<'_>> = list.references.iter().collect();
    assert_eq!(references.len(), list.references.len());
    let mut written = Vec::new();
    ValueList::encode_list(&references, &mut written);
    assert_eq!(written, data);
}

fn site(data: &[u8]) {
    let Ok(site) = Site::parse(data) else { return };
    let mut written = Vec::new();
    site.encode(&mut written);
    assert_eq!(written, data);
    written.clear();
    SiteBuf::from(&site).encode(&mut written);
    assert_eq!(written, data);
    assert_eq!(site.servers.iter().count(), site.servers.len());
    let responsible = site.server_for(data);
    assert!(responsible.is_none_or(|server| site.servers.iter().any(|each| each == server)));
}

/// A key keeps the bytes it came in, and whatever its numbers are, it can be tried without harm.
fn public_key(data: &[u8]) {
    let Ok(key) = PublicKey::parse(data) else { return };
    assert_eq!(key.as_bytes(), data);
    assert!(key.verify(DigestAlgorithm::Sha256, &[b"text"], b"").is_err(), "no key accepts an empty signature");
    if let Some(pem) = key.to_pem() {
        let again = PublicKey::parse(pem.as_bytes()).expect("its own text");
        assert_eq!((again.algorithm(), again.bits()), (key.algorithm(), key.bits()));
        assert_eq!(again.to_pem(), Some(pem));
    }
}

fn link(data: &[u8]) {
    let Ok(link) = Link::parse(data) else { return };
    assert_eq!(link.to_string().as_bytes(), data, "there is one way to write a link");
    assert!(!link.target.contains('\0'), "what stands between the parts of a key of the index is in none of them");
}

fn permission_texts(text: &[u8]) {
    if let Ok(rights) = AdminPermissions::from_json_text(text) {
        assert_eq!(rights.to_json_text().as_ref().map(<[u8; 12]>::as_slice), Some(text));
    }
    if let Ok(rights) = AdminPermissions::from_batch_text(text) {
        assert_eq!(rights.to_batch_text().as_ref().map(<[u8; 12]>::as_slice), Some(text));
    }
}
