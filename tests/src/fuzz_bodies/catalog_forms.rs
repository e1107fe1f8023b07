//! What a catalog keeps in a store, form by form.

use waymark_catalog::access::{TokenId, TokenText};
use waymark_catalog::form::line;
use waymark_catalog::stored_forms::Form;
use waymark_catalog::{HomeName, Stored, ValueSet};

/// The first byte chooses a form, the rest is read as it. What can be read is written back to bytes that say the same: to the same bytes where
/// there is one way only to say it. A record can be told as a line of JSON that reads back as the record.
pub fn catalog_forms(input: &[u8]) {
    let Some((which, bytes)) = input.split_first() else { return };
    let form = Form::ALL[usize::from(*which) % Form::ALL.len()];
    if let Some(read) = form.reread(bytes) {
        if form.is_exact() {
            assert_eq!(read.bytes, bytes, "{form:?}");
        }
        let again = form.reread(&read.bytes).expect("what was written can be read");
        assert_eq!(again.said, read.said, "{form:?}");
        match form {
            Form::Record => record(bytes, &read.bytes),
            // They have no order of their own.
            Form::Snapshot | Form::Deletions => assert_eq!(read.bytes.len(), again.bytes.len()),
            _ => assert_eq!(again, read),
        }
    }
    names(bytes);
}

/// Only the flags of a record may be written otherwise than they were: they follow from the values.
fn record(bytes: &[u8], written: &[u8]) {
    assert_eq!((bytes[0], &bytes[2..]), (written[0], &written[2..]));
    let stored = Stored::parse(written).expect("it was read");
    let values = stored.values().expect("they were read");
    let Ok(handle) = std::str::from_utf8(stored.handle()) else { return };
    // What no door takes need not be sayable.
    let Ok(set) = ValueSet::new(values) else { return };
    assert_eq!(set.wire(), stored.wire_values());
    let Ok(text) = line::write(handle, values) else { return };
    assert!(!text.contains('\n'));
    let read = line::read(text.as_bytes()).expect("a line of its own");
    assert_eq!((read.handle.as_str(), read.values, read.status), (handle, set, None));
}

/// Names that stand in keys and requests: in any spelling they mean what their own spelling means.
fn names(bytes: &[u8]) {
    if let Ok(name) = HomeName::parse(bytes) {
        assert_eq!(HomeName::parse(&name.handle()).as_ref(), Ok(&name));
        assert!(!name.prefix().is_empty() && name.prefix().len() <= bytes.len());
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(id) = text.parse::<TokenId>() {
        assert_eq!(id.to_string(), text.to_ascii_lowercase());
    }
    if let Some(token) = TokenText::parse(text) {
        let again = TokenText::parse(&token.reveal()).expect("its own text");
        assert_eq!((again.id(), again.secret().hash()), (token.id(), token.secret().hash()));
    }
}
