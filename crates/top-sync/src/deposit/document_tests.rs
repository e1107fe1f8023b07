//! Documents as somebody else may have written them. Each is made of text, not by the writer that is shipped.

use std::io::{self, BufReader, Read};

use super::config::{DEPTH, EVENT_BYTES};
use super::read::{DocumentReader, Entry};
use super::tokens::DocumentError;
use super::{Extent, parse_date};

const HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<deposit xmlns="urn:waymark:deposit:1" version="1" type="FULL" id="00112233445566778899aabbccddeeff" resend="0" prefix="88.990"
  created="2026-11-01T00:00:00Z" since="0" serial="9"><watermark>2026-11-29T00:00:00Z</watermark><menu/><deletes>"#;

const KINDS: [&str; 10] =
    ["home", "principal", "operator", "enterprise", "case", "file", "application", "template", "range", "piece"];

fn counts(identifiers: u64, values: u64, homes: u64) -> String {
    let mut text =
        format!(r#"<counts><count kind="identifier" contents="{identifiers}" deletes="0" values="{values}"/>"#);
    for kind in KINDS {
        let count = if kind == "home" { homes } else { 0 };
        text.push_str(&format!(r#"<count kind="{kind}" contents="{count}" deletes="0"/>"#));
    }
    text + "</counts></deposit>"
}

const IDENTIFIER: &str = concat!(
    r#"<identifier handle="88.990/A &amp; &#x4e2d;" status="suspended" since="5" reason="&lt;r&gt;">"#,
    r#"<value index="1" type="URL" ttl="60" permissions="14" timestamp="7"><data>a&lt;b&#10;]]&gt;</data>"#,
    r#"<reference index="300" handle="88.1/k"/></value>"#,
    r#"<value index="2" type-base64="QklO" expires="9" permissions="255" timestamp="8"><data form="base64">AP8=</data></value>"#,
    "</identifier>"
);

fn good() -> String {
    let home = r#"<object kind="home" name="0.NA/88.990"><text></text></object>"#;
    format!("{HEAD}</deletes><contents>\n{home}{IDENTIFIER}</contents>{}", counts(1, 2, 1))
}

fn read(text: impl Read) -> Result<Vec<Entry>, DocumentError> {
    let mut reader = DocumentReader::new(BufReader::with_capacity(1 << 10, text))?;
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        entries.push(entry);
    }
    Ok(entries)
}

fn refused(text: &str) -> DocumentError {
    read(text.as_bytes()).unwrap_err()
}

fn is_schema(error: &DocumentError) -> bool {
    matches!(error, DocumentError::Schema { .. } | DocumentError::Xml(_))
}

#[test]
fn a_document_written_by_hand_is_read() {
    let reader = DocumentReader::new(good().as_bytes()).map(|reader| reader.head().clone()).unwrap();
    assert_eq!(
        (reader.extent, reader.date, reader.prefix.as_str()),
        (Extent::Full, parse_date("2026-11-29").unwrap(), "88.990")
    );
    let entries = read(good().as_bytes()).unwrap();
    let [Entry::Object(name, text, None), Entry::Identifier(identifier)] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((name.to_string().as_str(), text.as_str()), ("0.NA/88.990", ""));
    assert_eq!(identifier.handle, "88.990/A & 中".as_bytes());
    let status = identifier.status.as_ref().unwrap();
    assert_eq!((status.revoked, status.since_seconds, status.reason.as_str()), (false, Some(5), "<r>"));
    let values: Vec<_> = identifier.values.values().iter().collect();
    assert_eq!((values[0].data, values[1].data, values[1].kind), (&b"a<b\n]]>"[..], &b"\0\xff"[..], &b"BIN"[..]));
    assert_eq!(values[0].references.iter().map(|reference| reference.handle.to_vec()).collect::<Vec<_>>(), [b"88.1/k"]);
}

#[test]
fn what_is_cut_off_anywhere_is_no_deposit() {
    let good = good();
    let end = good.trim_end().len();
    for cut in (0..end).filter(|cut| good.is_char_boundary(*cut)) {
        assert!(read(&good.as_bytes()[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn entities_document_types_and_instructions_are_refused() {
    let bomb = concat!(
        r#"<!DOCTYPE deposit [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>"#,
        "<deposit "
    );
    assert!(is_schema(&refused(&good().replacen("<deposit ", bomb, 1))));
    let outside = r#"<!DOCTYPE deposit SYSTEM "file:///etc/passwd"><deposit "#;
    assert!(is_schema(&refused(&good().replacen("<deposit ", outside, 1))));
    for (old, new) in [
        ("a&lt;b", "a&c;b"),
        ("a&lt;b", "a&#0;b"),
        ("a&lt;b", "<![CDATA[x]]>"),
        ("a&lt;b", "<?php ?>"),
        ("a&lt;b", "<!-- -->"),
        ("&#x4e2d;", "&file;"),
        ("<contents>", "<contents>text"),
    ] {
        assert!(is_schema(&refused(&good().replacen(old, new, 1))), "{new}");
    }
}

#[test]
fn each_thing_that_is_wrong_has_its_code() {
    let code = |old: &str, new: &str| {
        let text = good();
        assert!(text.contains(old), "{old}");
        let outcome = read(text.replacen(old, new, 1).as_bytes());
        super::VerifyError::from(outcome.expect_err(new)).result_code()
    };
    assert_eq!(code("version=\"1\" type", "version=\"2\" type"), Some(2003));
    assert_eq!(code("prefix=\"88.990\"", "prefix=\"\""), Some(2203));
    assert_eq!(code("prefix=\"88.990\"", ""), Some(2203));
    let twice = r#"<count kind="piece" contents="0" deletes="0"/><count kind="piece" contents="0" deletes="0"/>"#;
    assert_eq!(code(r#"<count kind="piece" contents="0" deletes="0"/>"#, twice), Some(2204));
    for (old, new) in [
        ("urn:waymark:deposit:1", "urn:ietf:params:xml:ns:rde-1.0"),
        ("type=\"FULL\"", "type=\"INCR\""),
        ("type=\"FULL\"", "type=\"DIFF\""),
        ("id=\"00112233445566778899aabbccddeeff\"", "id=\"1\""),
        ("resend=\"0\"", "resend=\"-1\""),
        ("resend=\"0\"", "resend=\"00\""),
        ("T00:00:00Z</w", "T08:00:00Z</w"),
        ("<menu/>", ""),
        ("<menu/>", "<menu><object/><x/></menu>"),
        ("<deletes></deletes>", ""),
        ("kind=\"home\" name", "kind=\"token\" name"),
        ("name=\"0.NA/88.990\"", "name=\"88.990/x\""),
        ("index=\"1\"", "index=\"x\""),
        ("index=\"1\"", "index=\"0\""),
        ("index=\"2\"", "index=\"1\""),
        ("ttl=\"60\"", "ttl=\"60\" expires=\"60\""),
        ("AP8=", "AP8"),
        ("form=\"base64\"", "form=\"hex\""),
        ("status=\"suspended\"", "status=\"asleep\""),
        ("contents=\"1\"", "contents=\"2\""),
        ("values=\"2\"", "values=\"3\""),
        (r#"<count kind="piece" contents="0" deletes="0"/>"#, ""),
        ("</deposit>", "</deposit><deposit/>"),
    ] {
        assert_eq!(code(old, new), Some(2001), "{new}");
    }
}

/// Gives a beginning, and then a byte without end.
struct Endless {
    head: io::Cursor<Vec<u8>>,
    then: &'static [u8],
    given: u64,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.head.read(into)?;
        if read > 0 {
            return Ok(read);
        }
        assert!(self.given < 16 * EVENT_BYTES, "somebody reads on for ever");
        for (at, to) in into.iter_mut().enumerate() {
            *to = self.then[at % self.then.len()];
        }
        self.given += into.len() as u64;
        Ok(into.len())
    }
}

#[test]
fn nothing_without_end_is_read_without_end() {
    let begun = |text: String| io::Cursor::new(text.into_bytes());
    let identifier = |rest: &str| format!("{HEAD}</deletes><contents><identifier handle=\"88.990/x\">{rest}");
    let value = r#"<value index="1" type="URL" ttl="60" permissions="14" timestamp="7"><data>"#;
    let cases: [(String, &'static [u8]); 5] = [
        ("<deposit version=\"".to_owned(), b"1"),
        (identifier(value), b"x"),
        (identifier(value), b"&lt;"),
        (identifier(""), b"<value index=\"1\" type=\"URL\" ttl=\"60\" permissions=\"14\" timestamp=\"7\"><data>xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx</data></value>"),
        (HEAD.to_owned(), b"<delete>"),
    ];
    for (head, then) in cases {
        let error = read(Endless { head: begun(head), then, given: 0 }).unwrap_err();
        assert!(is_schema(&error), "{error}");
    }
    let deep = format!("{HEAD}</deletes><contents>{}", "<object kind=\"home\" name=\"0.NA/1\">".repeat(DEPTH + 1));
    assert!(is_schema(&refused(&deep)));
}

#[test]
fn what_the_fuzzer_begins_with_is_whole() {
    let (document, container, report) = (
        include_bytes!("../../../../tests/fuzz/corpus/deposit/document"),
        include_bytes!("../../../../tests/fuzz/corpus/deposit/container"),
        include_bytes!("../../../../tests/fuzz/corpus/deposit/report"),
    );
    assert_eq!(read(&document[1..]).unwrap().len(), 7);
    assert_eq!(read(super::Unzip::new(&container[1..]).unwrap()).unwrap().len(), 7);
    assert_eq!(super::Report::read(&report[1..]).unwrap().parts.len(), 1);
}
