//! Notes of the audit and checkpoints.

use waymark_catalog::audit::{Checkpoint, Note, Told};

/// The input is read as a note, as the items of one, and as the line of a checkpoint: what can be read can be shown, and a checkpoint is
/// written back to what it was read from.
pub fn audit(input: &[u8]) {
    note(input);
    note(&[&HEAD[..], input].concat());
    checkpoint(input);
}

/// The head of a note whose items follow: version 1, SHA-256, all numbers and hashes 0.
const HEAD: [u8; 160] = {
    let mut head = [0; 160];
    head[0] = 1;
    head[2] = 1;
    head
};

fn note(body: &[u8]) {
    let Ok(note) = Note::parse(body) else { return };
    let head = note.head;
    assert_eq!(note.items().is_err_and(|error| error == waymark_catalog::audit::NoteError::Pruned), head.pruned);
    assert!(head.first() <= head.serial);
    let same = note.right_items_hash() == note.right_items_hash();
    assert!(same && (!head.pruned || note.right_items_hash() == head.items_hash));
    for item in note.items().unwrap_or_default() {
        assert!(item.key.len() <= body.len(), "memory follows what is there");
        let told = Told { note: head.number, serial: head.serial, time: head.time, item: &item };
        let line: serde_json::Value = serde_json::from_str(&told.to_json()).expect("a line of JSON");
        assert_eq!(line["outcome"], *item.deed.outcome());
        assert_eq!(line["verb"], *item.verb.name());
    }
}

fn checkpoint(line: &[u8]) {
    let Ok(line) = std::str::from_utf8(line) else { return };
    let Ok(checkpoint) = Checkpoint::parse(line) else { return };
    let written = checkpoint.to_string();
    assert_eq!(Checkpoint::parse(&written).expect("its own line"), checkpoint);
}
