use waymark_wire::ValueBuf;

use super::*;

fn head() -> Head {
    Head {
        waymark_takeover: VERSION,
        side: Side::Emergency,
        node: "88.990".into(),
        case_sensitive: false,
        deposit: "0123456789abcdef0123456789abcdef".into(),
        date: "2026-11-30".into(),
        watermark: 12,
        after: 3,
        upto: 9,
        made_ms: 1_796_000_000_000,
    }
}

fn change(serial: u64, handle: &str, status: Status) -> Change {
    let values: &[ValueBuf] =
        if status == Status::Deleted { &[] } else { &[ValueBuf::new(1, b"URL", handle.as_bytes())] };
    Change {
        serial,
        time_ms: 1_795_999_999_000 + serial,
        status,
        reason: if status == Status::Suspended { "leaks".into() } else { String::new() },
        handle: handle.into(),
        values: ValueSet::from_bufs(values).unwrap(),
    }
}

fn changes() -> Vec<Change> {
    vec![
        change(4, "88.990/水泵", Status::Active),
        change(6, "88.990.1/B", Status::Suspended),
        change(9, "88.990/C", Status::Deleted),
    ]
}

fn file(changes: &[Change]) -> Vec<u8> {
    let mut writer = Writer::begin(Vec::new(), &head()).unwrap();
    changes.iter().for_each(|change| writer.change(change).unwrap());
    writer.finish().unwrap().0
}

fn read(bytes: &[u8]) -> Result<Vec<Change>, FileError> {
    let mut reader = Reader::open(bytes)?;
    let mut all = Vec::new();
    while let Some(change) = reader.next_change()? {
        all.push(change);
    }
    Ok(all)
}

#[test]
fn what_is_written_is_read() {
    let bytes = file(&changes());
    assert_eq!(read(&bytes).unwrap(), changes());
    let mut reader = Reader::open(bytes.as_slice()).unwrap();
    assert_eq!(*reader.head(), head());
    while reader.next_change().unwrap().is_some() {}
    assert_eq!(reader.written().unwrap().changes, 3);
    assert!(reader.next_change().unwrap().is_none(), "the end stays the end");
}

#[test]
fn a_file_cut_anywhere_is_not_taken() {
    let bytes = file(&changes());
    for length in 0..bytes.len() {
        assert!(read(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
    }
}

#[test]
fn a_file_with_any_byte_changed_is_not_taken() {
    let bytes = file(&changes());
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1;
        assert!(read(&other).is_err(), "byte {at}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let says = |bytes: &[u8], text: &str| {
        let said = read(bytes).unwrap_err().to_string();
        assert!(said.contains(text), "{said}");
    };
    let bytes = file(&changes());
    says(&bytes[..bytes.len() - 1], "cut");
    says(&[&bytes[..], b"\n"].concat(), "behind the last line");
    says(&file(&[change(4, "88.991/A", Status::Active)]), "88.991/A is not of prefix 88.990");
    says(&file(&[change(10, "88.990/A", Status::Active)]), "serial 10 does not follow");
    let late = Change { time_ms: head().made_ms + AHEAD_MS + 1, ..change(4, "88.990/A", Status::Active) };
    says(&file(&[late]), "line 2 tells of a time behind");
    says(&file(&[change(5, "88.990/A", Status::Active), change(5, "88.990/B", Status::Active)]), "serial 5");
    let text = String::from_utf8(bytes).unwrap();
    says(text.replace("\"changes\":3", "\"changes\":2").as_bytes(), "says 2 changes, and there are 3");
    says(text.replace("leaks", "leakt").as_bytes(), "digest");
    says(text.replace("takeover\":1", "takeover\":7").as_bytes(), "version 7");
    says(text.replace("{\"serial\":4", "{\"serial\":4,\"x\":1").as_bytes(), "line 2");
    says(b"\n", "no head");
    says(&[text.as_bytes(), &vec![b'x'; LINE_BYTES + 1]].concat()[..], "behind the last line");
    let long = [text.lines().next().unwrap().as_bytes(), b"\n", &vec![b'x'; LINE_BYTES + 1]].concat();
    says(&long, "line 2 is longer than");
}

#[test]
fn identifiers_of_a_node_are_those_of_its_prefix_and_below() {
    for own in ["88.990/A", "88.990.1/A/B", "88.990.1.2/x", "0.NA/88.990", "0.na/88.990.1", "88.990", "88.990.7"] {
        assert!(is_of("88.990", own), "{own}");
    }
    for other in ["88.9901/A", "88.99/A", "88/990", "0.NA/88", "0.NA/88.9901", "0.NA/x", "", "/", "88.991.88.990/A"] {
        assert!(!is_of("88.990", other), "{other}");
    }
}
