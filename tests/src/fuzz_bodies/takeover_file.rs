//! Files of changes made during a takeover, as anybody may write them.

use sha2::{Digest as _, Sha256};
use waymark_top_sync::takeover::{Change, FileError, Reader, Writer, is_of};

/// The first byte says whether the last line is put right: then the rest are the lines before it.
///
/// Reading ends. A file that is read to its end names nothing that is not its node's, in ascending order, and is written and read again as the same.
/// What is not taken is said.
pub fn takeover_file(input: &[u8]) {
    let Some((shape, rest)) = input.split_first() else { return };
    if shape % 2 == 0 {
        return read_all(rest);
    }
    let mut file = rest.to_vec();
    if file.last().is_some_and(|last| *last != b'\n') {
        file.push(b'\n');
    }
    let changes = file.iter().filter(|byte| **byte == b'\n').count().saturating_sub(1);
    let digest = hex::encode(Sha256::digest(&file));
    file.extend_from_slice(format!("{{\"changes\":{changes},\"sha256\":\"{digest}\"}}\n").as_bytes());
    read_all(&file);
}

fn read_all(file: &[u8]) {
    match read(file) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok((head, changes)) => {
            let serials: Vec<u64> = changes.iter().map(|change| change.serial).collect();
            assert!(serials.is_sorted_by(|one, next| one < next));
            assert!(changes.iter().all(|change| is_of(&head.node, &change.handle)));
            let mut writer = Writer::begin(Vec::new(), &head).expect("memory takes everything");
            for change in &changes {
                writer.change(change).expect("what was read as text is text");
            }
            let (written, told) = writer.finish().expect("memory takes everything");
            assert_eq!(told.changes, changes.len() as u64);
            let again = read(&written).expect("what is written is read");
            assert_eq!(again, (head, changes));
        }
    }
}

fn read(file: &[u8]) -> Result<(waymark_top_sync::takeover::Head, Vec<Change>), FileError> {
    let mut reader = Reader::open(file)?;
    let mut changes = Vec::new();
    while let Some(change) = reader.next_change()? {
        changes.push(change);
    }
    assert!(reader.written().is_some_and(|told| told.changes == changes.len() as u64));
    Ok((reader.head().clone(), changes))
}
