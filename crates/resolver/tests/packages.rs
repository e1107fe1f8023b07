//! Codes of a package: answered to the byte as records with the same values would be, and as absent when they were never made or are over.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

mod support;

use support::{
    Shelf, answerer, ask, old_value, origin, request, resolution, resolution_with, settings, site_at, value_for,
};
use waymark_catalog::Command;
use waymark_catalog::ValueSet;
use waymark_catalog::range::{CodeState, FormRequest, MacKey, RangeCommand, RangeName, Span};
use waymark_resolver::{Answerer, OpClass, Outcome, Transport};
use waymark_wire::{Message, OpFlags, ValueBuf};

fn package(shelf: &Shelf, stem: &str, form: FormRequest, values: &[ValueBuf]) {
    let command = RangeCommand::Allocate {
        prefix: b"88.1".to_vec(),
        stem: stem.into(),
        width: 6,
        form,
        key: MacKey::new([3; 32]),
        first: None,
        count: 100_000,
        values: ValueSet::from_bufs(values).unwrap(),
        note: String::new(),
    };
    shelf.write(vec![command.into()]);
}

fn name(number: u32) -> RangeName {
    RangeName::new(b"88.1", number).unwrap()
}

/// What the package gives its codes, told by hand: the values with the serial of `code` put in, and their timestamps.
fn filled(shelf: &Shelf, values: &[ValueBuf], serial: &str, code: &str) -> Vec<ValueBuf> {
    let stamp = shelf.catalog.ranges().get(&name(1)).unwrap().values.values().iter().next().unwrap().timestamp;
    let fill = |data: &[u8]| {
        let text = String::from_utf8(data.to_vec()).unwrap();
        let text = text.replace("{serial}", serial).replace("{code}", code);
        text.replace("{handle}", &format!("88.1/{code}")).into_bytes()
    };
    values.iter().map(|value| ValueBuf { timestamp: stamp, data: fill(&value.data), ..value.clone() }).collect()
}

/// Every way to ask for one handle.
fn questions(handle: &str) -> Vec<Vec<u8>> {
    vec![
        resolution(handle),
        resolution_with(OpFlags::RECU, handle),
        resolution_with(OpFlags::USUAL.with(OpFlags::RRDG), handle),
        resolution_with(OpFlags::USUAL.with(OpFlags::CERT), handle),
        request(OpFlags::USUAL).resolution(handle.as_bytes(), &[2, 9], &[], None),
        request(OpFlags::USUAL).resolution(handle.as_bytes(), &[], &[b"URL."], None),
        request(OpFlags::USUAL).resolution(handle.as_bytes(), &[7], &[], None),
        request(OpFlags::RECU).resolution(handle.as_bytes(), &[], &[b"OWNER"], None),
        request(OpFlags::USUAL).resolution(handle.as_bytes(), &[], &[], Some(b"")),
    ]
}

fn answers(node: &mut Answerer, handle: &str) -> Vec<Vec<u8>> {
    let mut answers: Vec<Vec<u8>> =
        questions(handle).iter().map(|question| ask(node, origin(Transport::Tcp), question).answer()).collect();
    for answer in &mut answers {
        if Message::parse(answer).unwrap().header.response_code.0 == 402 {
            // A session and a nonce are drawn anew each time; behind the nonce stands an empty credential field.
            let end = answer.len();
            answer[4..8].fill(0);
            answer[end - 20..].fill(0);
        }
    }
    answers
}

#[test]
fn a_code_is_answered_to_the_byte_as_a_record_with_its_values() {
    let values = [
        old_value(1, "URL", b"https://id.example.cn/{code}"),
        old_value(2, "URL.ALT", b"n={serial}&h={handle}"),
        value_for(0x0c, 3, "OWNER", b"C{serial}"),
    ];
    let public = &values[..2];
    for values in [&values[..], public] {
        let shelf = Shelf::empty();
        shelf.home("88.1");
        package(&shelf, "XE26.", FormRequest::Plain, values);
        let mut node = answerer(&shelf.catalog, settings(vec![site_at([192, 0, 2, 1].into(), 1, true)]));
        let handle = "88.1/xe26.004711";
        let inherited = answers(&mut node, handle);
        // The same again, from a record.
        shelf.put(handle, &filled(&shelf, values, "004711", "XE26.004711"));
        let own = answers(&mut node, handle);
        assert_eq!(inherited, own);
    }
}

#[test]
fn a_forged_code_and_a_withdrawn_one_are_answered_as_absent_and_counted_apart() {
    let shelf = Shelf::empty();
    shelf.home("88.1");
    package(&shelf, "S", FormRequest::Mac { chars: 6 }, &[old_value(1, "URL", b"x")]);
    let mut node = answerer(&shelf.catalog, settings(vec![site_at([192, 0, 2, 1].into(), 1, true)]));
    let mut code = Vec::new();
    shelf.catalog.ranges().get(&name(1)).unwrap().coder.write(42, &mut code);
    let code = String::from_utf8(code).unwrap();
    assert_eq!(answer_code(&mut node, &code), 1);
    let mut forged = code.clone();
    let last = if forged.pop() == Some('0') { '1' } else { '0' };
    forged.push(last);
    // As long as the code, and of no package.
    let absent = format!("T{}", &code["88.1/S".len()..]);
    let told = |node: &mut Answerer, handle: &str| ask(node, origin(Transport::Udp), &resolution(handle)).answer();
    let nothing = told(&mut node, &format!("88.1/{absent}"));
    assert_eq!(told(&mut node, &forged), nothing);
    let part = Span::new(40, 45).unwrap();
    let state = CodeState::Withdrawn;
    let withdraw = RangeCommand::Mark { range: name(1), span: part, state, reason: String::new() };
    shelf.write(vec![Command::from(withdraw)]);
    assert_eq!(told(&mut node, &code), nothing, "at once");
    let snapshot = node.counters().snapshot();
    let count = |outcome| snapshot.answered(Transport::Udp, OpClass::Resolution, outcome);
    assert_eq!((count(Outcome::NeverIssued), count(Outcome::Withdrawn), count(Outcome::NotFound)), (1, 1, 1));
}

fn answer_code(node: &mut Answerer, handle: &str) -> u32 {
    let answer = ask(node, origin(Transport::Tcp), &resolution(handle)).answer();
    Message::parse(&answer).unwrap().header.response_code.0
}

#[test]
fn a_record_of_its_own_goes_before_what_a_code_inherits_from_memory_and_from_disk() {
    let shelf = Shelf::empty();
    shelf.home("88.1");
    package(&shelf, "A", FormRequest::Plain, &[old_value(1, "URL", b"inherited")]);
    shelf.put("88.1/A000007", &[old_value(1, "URL", b"own")]);
    let data = |shelf: &Shelf, handle: &str| {
        let mut node = answerer(&shelf.catalog, settings(vec![site_at([192, 0, 2, 1].into(), 1, true)]));
        let answer = ask(&mut node, origin(Transport::Tcp), &resolution(handle)).answer();
        String::from_utf8_lossy(&answer).into_owned()
    };
    assert!(data(&shelf, "88.1/A000007").contains("own"));
    let shelf = shelf.reopened_cold();
    assert!(data(&shelf, "88.1/a000007").contains("own"));
    assert!(data(&shelf, "88.1/a000008").contains("inherited"));
}
