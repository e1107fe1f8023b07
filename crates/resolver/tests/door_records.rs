//! Records of answers, on real sockets: one for each request, of what went out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    missing_docs,
    reason = "a test may fail by panicking, and is documented by its name"
)]

mod doors;

use std::sync::Arc;

use doors::{Answer, Node, ask_udp, connect, everywhere, join, read_to_end, request, socket, until};
use waymark_resolver::door::DoorsConfig;
use waymark_resolver::policy::PolicyConfig;
use waymark_resolver::{AnswerRecord, AnswerTap, Transport, config};
use waymark_wire::ResponseCode;

fn node(policy: PolicyConfig) -> (Node, Arc<AnswerTap>) {
    let tap = Arc::new(AnswerTap::new(10_000));
    let node = Node::start(DoorsConfig { policy, answer_tap: Some(Arc::clone(&tap)), ..everywhere() });
    (node, tap)
}

/// So many records: they come behind the answers.
async fn records(tap: &AnswerTap, count: usize) -> Vec<AnswerRecord> {
    let mut records = Vec::new();
    until("every record", || {
        records.extend(std::iter::from_fn(|| tap.take()));
        records.len() >= count
    })
    .await;
    assert_eq!(records.len(), count);
    records
}

#[tokio::test]
async fn each_answer_has_a_record_of_its_size_its_time_and_who_asked() {
    let (node, tap) = node(PolicyConfig::default());
    let socket = socket(node.udp()).await;
    // In the room of a batch, in the large room, and for a name that is not there.
    let mut answers = Vec::new();
    for (id, handle) in [(1, "1/small"), (2, "1/large"), (3, "1/none")] {
        let mut question = request(id, handle);
        question.resize(1_232, 0);
        answers.push((handle, join(&ask_udp(&socket, &question).await), socket.local_addr().unwrap(), Transport::Udp));
    }
    // They come behind the answers, so that of two doors either may be first.
    let mut recorded = records(&tap, 3).await;
    let mut stream = connect(node.tcp(), &request(4, "1/huge")).await;
    let peer = stream.local_addr().unwrap();
    answers.push(("1/huge", read_to_end(&mut stream).await, peer, Transport::Tcp));
    recorded.extend(records(&tap, 1).await);
    for (record, (handle, answer, peer, transport)) in recorded.into_iter().zip(answers) {
        assert_eq!(record.handle(), handle.as_bytes());
        assert_eq!((record.peer, record.transport, record.op), (peer, transport, 1), "{handle}");
        assert_eq!(record.response_code, Answer::parse(&answer).code.0, "{handle}");
        assert_eq!(usize::try_from(record.answer_bytes).unwrap(), answer.len(), "{handle}");
        assert!((1..20_000_000).contains(&record.took_micros), "{handle}: {}", record.took_micros);
    }
}

#[tokio::test]
async fn an_answer_that_is_not_sent_has_the_record_of_the_refusal_in_its_place() {
    let (node, tap) = node(PolicyConfig {
        budget_bytes: config::SOURCE_BUDGET_BYTES.min,
        refill_bytes_per_second: config::SOURCE_REFILL_BYTES_PER_SECOND.min,
        ..PolicyConfig::default()
    });
    let socket = socket(node.udp()).await;
    let mut codes = Vec::new();
    while codes.iter().filter(|code| **code == ResponseCode::SERVER_TOO_BUSY.0).count() < 5 {
        let answer = ask_udp(&socket, &request(9, "1/middle")).await;
        codes.push(Answer::parse(&join(&answer)).code.0);
    }
    let recorded: Vec<u32> = records(&tap, codes.len()).await.iter().map(|record| record.response_code).collect();
    assert_eq!(recorded, codes);
}

#[tokio::test]
async fn a_source_that_asks_too_often_has_a_record_of_each_refusal() {
    let limit = config::SOURCE_QUERIES_PER_SECOND.min;
    let (node, tap) = node(PolicyConfig { queries_per_second: limit, ..PolicyConfig::default() });
    let socket = socket(node.udp()).await;
    let mut codes = Vec::new();
    while codes.last() != Some(&ResponseCode::SERVER_TOO_BUSY.0) {
        let answer = ask_udp(&socket, &request(9, "1/small")).await;
        codes.push(Answer::parse(&join(&answer)).code.0);
        assert!(codes.len() < 1_000_000, "never too often");
    }
    let recorded: Vec<u32> = records(&tap, codes.len()).await.iter().map(|record| record.response_code).collect();
    assert_eq!(recorded, codes);
}
