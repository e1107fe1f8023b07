//! Deposits as anybody may write them, from the container inwards.

use std::io::{BufReader, Read};

use waymark_catalog::moment::{Object, ObjectName};
use waymark_top_sync::deposit::{DocumentReader, Entry, FileName, Judgement, Report, Unzip, VerifyError};

/// The first byte says what the rest is: a document, a document in its container, a report, the name of a file or what the platform says.
///
/// Reading ends. What is read to the end is as much as was counted; what an entry names is named by the same text again, and an object is taken or
/// refused by its name. A name of a file that is read is written back, and what the platform says too.
pub fn deposit(input: &[u8]) {
    let Some((shape, rest)) = input.split_first() else { return };
    match shape % 4 {
        0 => document(rest),
        1 => match Unzip::new(rest) {
            Ok(unzip) => document(unzip),
            Err(error) => assert!(!VerifyError::from(error).to_string().is_empty()),
        },
        2 => match Report::read(rest) {
            Ok(report) => assert!(!report.head.prefix.is_empty() && report.parts.len() <= rest.len()),
            Err(error) => assert!(!error.to_string().is_empty()),
        },
        _ => {
            let Ok(text) = str::from_utf8(rest) else { return };
            if let Ok(name) = text.parse::<FileName>() {
                assert_eq!(name.to_string(), text);
            }
            if let Ok(judgement) = Judgement::read(rest) {
                let again = judgement.to_xml().map(|bytes| Judgement::read(&bytes));
                assert!(matches!(again, Ok(Ok(again)) if again == judgement));
            }
        }
    }
}

fn document(from: impl Read) {
    let mut reader = match DocumentReader::new(BufReader::new(from)) {
        Ok(reader) => reader,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let (mut identifiers, mut values, mut objects, mut gone) = (0, 0, 0, 0);
    loop {
        match reader.next_entry() {
            Ok(Some(Entry::Identifier(identifier))) => {
                identifiers += 1;
                values += u64::from(identifier.values.count());
            }
            Ok(Some(Entry::Object(name, text, sealed))) => {
                objects += 1;
                assert_named(&name);
                if sealed.is_none() {
                    let said = name.to_string();
                    match Object::new(name, text.clone(), None) {
                        Ok(object) => assert_eq!(object.text(), text),
                        Err(error) => assert_eq!(error.name, said),
                    }
                }
            }
            Ok(Some(Entry::ObjectGone(name))) => {
                gone += 1;
                assert_named(&name);
            }
            Ok(Some(Entry::IdentifierGone(_))) => gone += 1,
            Ok(None) => break,
            Err(error) => return assert!(!error.to_string().is_empty()),
        }
    }
    let counts = reader.counts();
    assert_eq!((counts.identifiers, counts.values), (identifiers, values));
    assert_eq!((counts.objects(), counts.deletions()), (objects, gone));
}

fn assert_named(name: &ObjectName) {
    let again = ObjectName::parse(name.kind(), &name.to_string());
    assert_eq!(again.as_ref().map(ToString::to_string), Ok(name.to_string()));
}
