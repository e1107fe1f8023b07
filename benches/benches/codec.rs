//! Codec: what reading a question and writing its answer cost, beside a plain copy of the same bytes.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, reason = "a bench ends where something fails")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use waymark_wire::{
    Head, OpFlags, ResponseCode, ValueBuf, Values, Version,
    limits::ResponseLimits,
    request::{Request, RequestWriter},
    response::{OwnIdentity, Response, ResponseWriter, respond_to},
};

const HANDLE: &[u8] = b"88.111.1/item-0000042";

fn question() -> Vec<u8> {
    RequestWriter::new(Vec::new(), Head::request(7, OpFlags::USUAL, 0)).resolution(HANDLE, &[], &[], None)
}

/// The values of a record: `count` of 30 bytes of text each.
fn values(count: u32) -> Vec<u8> {
    let mut wire = Vec::new();
    for index in 1..=count {
        ValueBuf::new(index, b"URL", b"https://id.example.org/item/42").encode_into(&mut wire);
    }
    wire
}

fn answer(room: &mut [u8], question: &[u8], values: &Values<'_>) -> usize {
    let request = Request::parse(question).unwrap();
    let own = OwnIdentity { version: Version::CURRENT, site_serial: 1, primary: true };
    let head = Head { envelope: request.message.envelope, header: request.message.header };
    let head = respond_to(&head, &own, ResponseCode::SUCCESS, 0);
    ResponseWriter::answer(room, &head, request.message.signed).whole_record(HANDLE, values).unwrap()
}

fn codec(criterion: &mut Criterion) {
    let question = question();
    let wire = values(10);
    let values = Values::from_wire(10, &wire).unwrap();
    let mut room = vec![0; 4_096];
    let length = answer(&mut room, &question, &values);
    let whole = room.get(..length).unwrap().to_vec();

    let mut group = criterion.benchmark_group("question");
    group.throughput(Throughput::Bytes(question.len() as u64));
    group.bench_function("parse", |bencher| bencher.iter(|| Request::parse(black_box(&question)).unwrap()));
    group.bench_function("copy", |bencher| {
        let mut to = vec![0; question.len()];
        bencher.iter(|| black_box(&mut to).copy_from_slice(black_box(&question)));
    });
    group.finish();

    let mut group = criterion.benchmark_group("answer of 10 values");
    group.throughput(Throughput::Bytes(length as u64));
    group.bench_function("parse question, write answer", |bencher| {
        bencher.iter(|| answer(black_box(&mut room), black_box(&question), black_box(&values)));
    });
    group.bench_function("parse answer", |bencher| {
        bencher.iter(|| Response::parse(black_box(&whole), ResponseLimits::REFERENCE).unwrap());
    });
    group.bench_function("copy", |bencher| {
        let mut to = vec![0; whole.len()];
        bencher.iter(|| black_box(&mut to).copy_from_slice(black_box(&whole)));
    });
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);
