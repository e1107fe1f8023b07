//! Reading and watching over real TLS sockets: what is shown to whom, pages, histories, changes as they happen.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "tests"
)]

mod common;

use std::time::Duration;

use common::{Client, Node, apply, client, create, delete, reason, url};
use tonic::{Code, Streaming};
use waymark_api::registration::v1::{
    self, Identifier, Outcome, Status, WatchResponse, get_request::At, watch_response::Message,
};
use waymark_catalog::access::{Principal, Role, TokenText, Verb};
use waymark_catalog::{Command, HomeName};
use waymark_registration::{Drained, Event, Limits};

async fn write(client: &mut Client, change: v1::Change) -> v1::Receipt {
    client.apply(apply(change)).await.unwrap().into_inner().receipt.unwrap()
}

fn get(handle: &str) -> v1::GetRequest {
    v1::GetRequest { handle: handle.into(), ..v1::GetRequest::default() }
}

/// An identifier with a public value, one for administrators, and one for nobody.
fn secretive(handle: &str) -> v1::Change {
    let values = [None, Some(0x0c), Some(0x04)];
    let values = values.into_iter().zip(1..).map(|(permissions, index)| v1::Value { permissions, ..url(index, "v") });
    let action = v1::change::Action::Create(v1::Create { values: values.collect(), keep_timestamps: false });
    v1::Change { handle: handle.into(), action: Some(action), expect: None }
}

fn indexes(identifier: &Identifier) -> Vec<u32> {
    identifier.values.iter().map(|value| value.index).collect()
}

fn handles(identifiers: &[Identifier]) -> Vec<&str> {
    identifiers.iter().map(|identifier| identifier.handle.as_str()).collect()
}

async fn home(node: &Node, prefix: &str) {
    common::write(&node.catalog, Command::Home { name: HomeName::parse(prefix.as_bytes()).unwrap() });
}

#[tokio::test]
async fn values_are_shown_to_whom_the_rights_allow() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    let written = write(&mut writer, secretive("88.1/x")).await;
    let own = writer.get(get("88.1/X")).await.unwrap().into_inner();
    assert_eq!((indexes(&own), own.withheld), (vec![1, 2], 1));
    assert_eq!((own.handle.as_str(), own.serial, own.actor.as_str()), ("88.1/x", written.serial, "writer"));
    assert_eq!(own.content_hash, written.content_hash);
    let mut other = node.client(&node.token("other", Role::Reader, &["88.2"])).await;
    let foreign = other.get(get("88.1/x")).await.unwrap().into_inner();
    assert_eq!((indexes(&foreign), foreign.actor.as_str()), (vec![1], ""));
    let mut nobody = client(node.channel().await, None);
    assert_eq!(nobody.get(get("88.1/x")).await.unwrap_err().code(), Code::Unauthenticated);
    let missing = writer.get(get("88.1/none")).await.unwrap_err();
    assert_eq!((missing.code(), reason(&missing).as_str()), (Code::NotFound, "NOT_FOUND"));
}

/// What an identifier looks like, apart from its name and when it was written.
fn looks(identifier: Identifier) -> Identifier {
    let values = identifier.values.into_iter().map(|value| v1::Value { timestamp_seconds: 0, ..value }).collect();
    Identifier { handle: String::new(), serial: 0, time: None, values, ..identifier }
}

#[tokio::test]
async fn whoever_may_not_read_hidden_values_learns_no_more_of_them_than_resolution_tells() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    let written = write(&mut writer, secretive("88.1/two")).await;
    let mut one = secretive("88.1/one");
    let Some(v1::change::Action::Create(create_one)) = &mut one.action else { panic!("a creation") };
    create_one.values[1].data = Some(v1::value::Data::Text("another secret".into()));
    create_one.values.truncate(2);
    write(&mut writer, one).await;
    let open = write(&mut writer, create("88.1/open", "v")).await;
    // Neither a stranger nor a credential of the house that may list and not read.
    let lists = common::issue(&node.catalog, "writer", |token| {
        token.verbs = Some([Verb::List, Verb::Watch].into_iter().collect())
    });
    let stranger = node.token("other", Role::Reader, &["88.2"]);
    for token in [&stranger, &lists] {
        let mut client = node.client(token).await;
        let of = |handle: &str, indexes: Vec<u32>| v1::GetRequest { indexes, ..get(handle) };
        let mut seen = Vec::new();
        for handle in ["88.1/one", "88.1/two"] {
            let all = client.get(of(handle, vec![])).await.unwrap().into_inner();
            assert_eq!((indexes(&all), all.withheld, all.content_hash.len()), (vec![1], 1, 0));
            let public = client.get(of(handle, vec![1, 9])).await.unwrap().into_inner();
            assert_eq!((indexes(&public), public.withheld, public.content_hash.len()), (vec![1], 0, 0));
            let hidden = client.get(of(handle, vec![1, 2])).await.unwrap().into_inner();
            assert_eq!((indexes(&hidden), hidden.withheld), (vec![1], 1));
            seen.push(looks(all));
        }
        assert_eq!(seen[0], seen[1], "how many there are, and what they hold, is not told");
        let plain = client.get(get("88.1/open")).await.unwrap().into_inner();
        assert_eq!((plain.content_hash, plain.withheld), (open.content_hash.clone(), 0), "nothing is hidden here");
    }
    let mut client = node.client(&lists).await;
    let ask = v1::ListRequest { prefix: "88.1/".into(), with_values: true, ..v1::ListRequest::default() };
    let listed = client.list(ask).await.unwrap().into_inner().identifiers;
    let mut watched = client.watch(v1::WatchRequest { until_now: true, ..watch(0) }).await.unwrap().into_inner();
    for identifier in listed.into_iter().filter(|identifier| identifier.handle != "88.1/open") {
        assert_eq!((identifier.withheld, identifier.content_hash.len()), (1, 0));
        let change = next_change(&mut watched).await;
        assert_eq!((change.withheld, change.content_hash.len()), (1, 0));
    }
    // Who may read there is told exactly, and the hash where all can be read; who may change it has the hash anyway.
    let mut reader = node.client(&node.token("reader", Role::Reader, &["88.1"])).await;
    let read = reader.get(get("88.1/two")).await.unwrap().into_inner();
    assert_eq!((indexes(&read), read.withheld, read.content_hash.len()), (vec![1, 2], 1, 0));
    let whole = reader.get(get("88.1/one")).await.unwrap().into_inner();
    assert_eq!((indexes(&whole), whole.withheld, whole.content_hash.len()), (vec![1, 2], 0, 32));
    assert_eq!(writer.get(get("88.1/two")).await.unwrap().into_inner().content_hash, written.content_hash);
}

#[tokio::test]
async fn an_expectation_tells_content_only_to_those_who_may_change_values() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    let written = write(&mut writer, secretive("88.1/x")).await;
    let deletes =
        common::issue(&node.catalog, "writer", |token| token.verbs = Some([Verb::Delete].into_iter().collect()));
    let mut deletes = node.client(&deletes).await;
    let condition = v1::expectation::Condition::Serial(written.serial + 1);
    let expect = Some(v1::Expectation { condition: Some(condition) });
    let change = v1::Change { expect, ..delete("88.1/x") };
    let told = |status: &tonic::Status| {
        assert_eq!(reason(status), "UNEXPECTED");
        let details = tonic_types::StatusExt::get_error_details(status);
        let metadata = details.error_info().unwrap().metadata.clone();
        assert_eq!(metadata["current_serial"], written.serial.to_string());
        metadata.contains_key("current_content_hash")
    };
    for validate_only in [false, true] {
        let ask = || v1::ApplyRequest { validate_only, ..apply(change.clone()) };
        assert!(!told(&deletes.apply(ask()).await.unwrap_err()));
        assert!(told(&writer.apply(ask()).await.unwrap_err()));
    }
    for (client, length) in [(&mut deletes, 0), (&mut writer, 32)] {
        let open = v1::upload_request::Message::Open(v1::OpenStream { stream: String::new() });
        let items = v1::upload_request::Message::Items(v1::Items { first_number: 1, changes: vec![change.clone()] });
        let sent = [open, items].map(|message| v1::UploadRequest { message: Some(message) });
        let refusals = client.upload(tokio_stream::iter(sent)).await.unwrap().into_inner().refusals;
        let Some(v1::item_outcome::Outcome::Refusal(refusal)) = &refusals[0].outcome else { panic!("{refusals:?}") };
        assert_eq!((refusal.current_serial, refusal.current_content_hash.len()), (written.serial, length));
    }
}

#[tokio::test]
async fn values_can_be_asked_for_by_index_and_type() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    write(&mut writer, secretive("88.1/x")).await;
    let some = v1::GetRequest { indexes: vec![2], ..get("88.1/x") };
    assert_eq!(indexes(&writer.get(some).await.unwrap().into_inner()), [2]);
    let none = v1::GetRequest { types: vec!["EMAIL".into()], ..get("88.1/x") };
    assert_eq!(writer.get(none).await.unwrap().into_inner().values, []);
}

#[tokio::test]
async fn the_past_is_told_to_those_who_may_read_there() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    let first = write(&mut writer, create("88.1/x", "a")).await;
    let gone = write(&mut writer, delete("88.1/x")).await;
    let again = write(&mut writer, create("88.1/x", "b")).await;
    let at = |serial| v1::GetRequest { at: Some(At::Serial(serial)), ..get("88.1/x") };
    assert_eq!(writer.get(at(first.serial)).await.unwrap().into_inner().serial, first.serial);
    assert_eq!(writer.get(at(gone.serial)).await.unwrap().into_inner().status(), Status::Deleted);
    assert_eq!(writer.get(at(again.serial)).await.unwrap().into_inner().serial, again.serial);
    let time = v1::GetRequest { at: first.time.map(At::Time), ..get("88.1/x") };
    assert_eq!(writer.get(time).await.unwrap().into_inner().serial, first.serial);
    assert_eq!(writer.get(at(first.serial - 1)).await.unwrap_err().code(), Code::NotFound);
    let ask = |page_token| v1::HistoryRequest { handle: "88.1/x".into(), page_size: 2, page_token, with_values: true };
    let newest = writer.history(ask(String::new())).await.unwrap().into_inner();
    let serials: Vec<u64> = newest.versions.iter().map(|version| version.serial).collect();
    assert_eq!(serials, [again.serial, gone.serial]);
    let older = writer.history(ask(newest.next_page_token)).await.unwrap().into_inner();
    assert_eq!((older.versions[0].serial, older.next_page_token.as_str()), (first.serial, ""));
    let mut other = node.client(&node.token("other", Role::Reader, &["88.2"])).await;
    assert_eq!(reason(&other.get(at(first.serial)).await.unwrap_err()), "NOT_PERMITTED");
    assert_eq!(reason(&other.history(ask(String::new())).await.unwrap_err()), "NOT_PERMITTED");
}

#[tokio::test]
async fn lists_come_page_by_page_and_only_of_what_one_may_list() {
    let node = Node::start().await;
    home(&node, "88.2").await;
    let mut operator = node.client(&node.token("operator", Role::Operator, &["*"])).await;
    for handle in ["88.1/a", "88.1/b", "88.1/c", "88.2/a"] {
        write(&mut operator, create(handle, "v")).await;
    }
    let ask = |prefix: &str, token: &str| v1::ListRequest {
        prefix: prefix.into(),
        page_size: 2,
        page_token: token.into(),
        ..v1::ListRequest::default()
    };
    let mut reader = node.client(&node.token("reader", Role::Reader, &["88.1"])).await;
    let first = reader.list(ask("88.1/", "")).await.unwrap().into_inner();
    assert_eq!(handles(&first.identifiers), ["88.1/a", "88.1/b"]);
    assert!(first.identifiers[0].serial > 0 && first.identifiers[0].values.is_empty());
    let second = reader.list(ask("88.1/", &first.next_page_token)).await.unwrap().into_inner();
    assert_eq!((handles(&second.identifiers), second.next_page_token.as_str()), (vec!["88.1/c"], ""));
    let wrong = reader.list(ask("88.1/b", &first.next_page_token)).await.unwrap_err();
    assert_eq!(reason(&wrong), "PAGE_TOKEN_INVALID");
    for prefix in ["", "88.2/", "88"] {
        assert_eq!(reason(&reader.list(ask(prefix, "")).await.unwrap_err()), "NOT_PERMITTED", "{prefix}");
    }
    let all = v1::ListRequest { page_size: 0, with_values: true, ..ask("", "") };
    let all = operator.list(all).await.unwrap().into_inner();
    assert_eq!(handles(&all.identifiers), ["88.1/a", "88.1/b", "88.1/c", "88.2/a"]);
    assert_eq!(indexes(&all.identifiers[3]), [1]);
}

#[tokio::test]
async fn lists_by_time_hold_what_changed_last_within_it() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    let a = write(&mut writer, create("88.1/a", "v")).await;
    write(&mut writer, create("88.1/b", "v")).await;
    let c = write(&mut writer, create("88.1/c", "v")).await;
    let ask = v1::ListRequest { prefix: "88.1/".into(), page_size: 1, ..v1::ListRequest::default() };
    let from = v1::ListRequest { changed_from: a.time, changed_until: c.time, ..ask.clone() };
    let first = writer.list(from.clone()).await.unwrap().into_inner();
    assert_eq!(handles(&first.identifiers), ["88.1/a"]);
    let next = v1::ListRequest { page_token: first.next_page_token, ..from };
    let second = writer.list(next).await.unwrap().into_inner();
    assert_eq!(handles(&second.identifiers), ["88.1/b"]);
    let last = v1::ListRequest { page_size: 10, changed_from: c.time, ..ask };
    assert_eq!(handles(&writer.list(last).await.unwrap().into_inner().identifiers), ["88.1/c"]);
}

#[tokio::test]
async fn callers_are_told_who_they_are() {
    let node = Node::start().await;
    let token = node.token("writer", Role::Writer, &["88.1"]);
    common::put_principal(
        &node.catalog,
        Principal { daily_quota: Some(10), ..common::principal("writer", Role::Writer, &["88.1"]) },
    );
    let mut writer = node.client(&token).await;
    write(&mut writer, create("88.1/a", "v")).await;
    let me = writer.who_am_i(v1::WhoAmIRequest {}).await.unwrap().into_inner();
    assert_eq!((me.principal.as_str(), me.role.as_str()), ("writer", "writer"));
    assert_eq!((me.prefixes, me.daily_quota, me.daily_left), (vec!["88.1".to_owned()], Some(10), Some(9)));
    assert!(me.verbs.contains(&"create".to_owned()) && me.expires.is_some());
}

#[tokio::test]
async fn a_used_up_quota_is_told_with_its_end() {
    let node = Node::start().await;
    let token = node.token("writer", Role::Writer, &["88.1"]);
    common::put_principal(
        &node.catalog,
        Principal { daily_quota: Some(1), ..common::principal("writer", Role::Writer, &["88.1"]) },
    );
    let mut writer = node.client(&token).await;
    write(&mut writer, create("88.1/a", "v")).await;
    let over = writer.apply(apply(create("88.1/b", "v"))).await.unwrap_err();
    assert_eq!((over.code(), reason(&over).as_str()), (Code::ResourceExhausted, "QUOTA_EXCEEDED"));
    let details = tonic_types::StatusExt::get_error_details(&over);
    let delay = details.retry_info().unwrap().retry_delay.unwrap();
    assert!(delay > Duration::ZERO && delay <= Duration::from_secs(24 * 3600), "{delay:?}");
}

#[tokio::test]
async fn checking_alone_writes_nothing() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    let before = node.catalog.serial();
    let check = |change| v1::ApplyRequest { validate_only: true, ..apply(change) };
    let receipt = writer.apply(check(create("88.1/x", "a"))).await.unwrap().into_inner().receipt.unwrap();
    assert_eq!(receipt.outcome(), Outcome::Created);
    assert_eq!(reason(&writer.apply(check(delete("88.1/x"))).await.unwrap_err()), "NOT_FOUND");
    assert_eq!(reason(&writer.apply(check(create("88.2/x", "a"))).await.unwrap_err()), "NOT_PERMITTED");
    assert_eq!(node.catalog.serial(), before);
}

#[tokio::test]
async fn a_suspended_identifier_is_known_to_its_readers_alone() {
    let node = Node::start().await;
    let mut operator = node.client(&node.token("operator", Role::Operator, &["*"])).await;
    let mut other = node.client(&node.token("other", Role::Reader, &["88.2"])).await;
    write(&mut operator, create("88.1/x", "v")).await;
    let change = |action| v1::Change { handle: "88.1/x".into(), action: Some(action), expect: None };
    let suspend = v1::change::Action::Suspend(v1::Suspend { reason: "recall".into() });
    assert_eq!(write(&mut operator, change(suspend)).await.outcome(), Outcome::Suspended);
    let shown = operator.get(get("88.1/x")).await.unwrap().into_inner();
    assert_eq!((shown.status(), shown.status_reason.as_str()), (Status::Suspended, "recall"));
    assert_eq!(other.get(get("88.1/x")).await.unwrap_err().code(), Code::NotFound);
    let revoke = v1::change::Action::Revoke(v1::Revoke { reason: "fake".into() });
    write(&mut operator, change(revoke)).await;
    assert_eq!(operator.get(get("88.1/x")).await.unwrap().into_inner().status(), Status::Revoked);
    let again = operator.apply(apply(create("88.1/x", "v"))).await.unwrap_err();
    assert_eq!((again.code(), reason(&again).as_str()), (Code::FailedPrecondition, "WITHDRAWN"));
}

fn watch(after_serial: u64) -> v1::WatchRequest {
    v1::WatchRequest { after_serial, prefix: "88.1/".into(), ..v1::WatchRequest::default() }
}

/// The next change; how far the watch came is passed over.
async fn next_change(changes: &mut Streaming<WatchResponse>) -> Identifier {
    loop {
        match changes.message().await.unwrap().unwrap().message.unwrap() {
            Message::Change(change) => return change,
            Message::Damaged(damage) => panic!("{damage:?}"),
            Message::Progress(_) => {}
        }
    }
}

#[tokio::test]
async fn changes_are_watched_as_they_happen_and_resumed_after_an_interruption() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    let first = write(&mut writer, create("88.1/a", "v")).await;
    let mut changes = writer.watch(watch(0)).await.unwrap().into_inner();
    assert_eq!(next_change(&mut changes).await.serial, first.serial);
    let second = write(&mut writer, create("88.1/b", "v")).await;
    let seen = next_change(&mut changes).await;
    assert_eq!((seen.serial, seen.handle.as_str()), (second.serial, "88.1/b"));
    drop(changes);
    let gone = write(&mut writer, delete("88.1/b")).await;
    let mut changes = writer.watch(watch(second.serial)).await.unwrap().into_inner();
    let seen = next_change(&mut changes).await;
    assert_eq!((seen.serial, seen.status()), (gone.serial, Status::Deleted));
}

#[tokio::test]
async fn a_watch_until_now_ends_and_says_how_far_it_came() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    write(&mut writer, create("88.1/a", "v")).await;
    let request = v1::WatchRequest { until_now: true, with_values: true, ..watch(0) };
    let mut changes = writer.watch(request).await.unwrap().into_inner();
    assert_eq!(indexes(&next_change(&mut changes).await), [1]);
    let Some(Message::Progress(upto)) = changes.message().await.unwrap().unwrap().message else { panic!("progress") };
    assert!(upto >= node.catalog.serial().0 - 1);
    assert!(changes.message().await.unwrap().is_none());
}

#[tokio::test]
async fn a_damaged_record_ends_neither_watches_nor_lists_at_its_place() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    let a = write(&mut writer, create("88.1/a", "v")).await;
    let needle = write(&mut writer, create("88.1/needle", "text of needle")).await;
    let z = write(&mut writer, create("88.1/z", "v")).await;
    common::damage(&node, "text of needle");
    let damage =
        |handle: &str| v1::Damage { first_serial: needle.serial, last_serial: needle.serial, handle: handle.into() };
    for after in [0, needle.serial - 1] {
        let request = v1::WatchRequest { until_now: true, ..watch(after) };
        let mut changes = writer.watch(request).await.unwrap().into_inner();
        let (mut seen, mut damaged) = (Vec::new(), Vec::new());
        while let Some(response) = changes.message().await.unwrap() {
            match response.message.unwrap() {
                Message::Change(change) => seen.push(change.serial),
                Message::Damaged(damage) => damaged.push(damage),
                Message::Progress(_) => {}
            }
        }
        assert_eq!(seen, if after == 0 { vec![a.serial, z.serial] } else { vec![z.serial] });
        assert_eq!(damaged, [damage("")]);
    }
    // A watch that was there before goes on too.
    let mut changes = writer.watch(watch(needle.serial - 1)).await.unwrap().into_inner();
    let first = changes.message().await.unwrap().unwrap().message.unwrap();
    assert_eq!(first, Message::Damaged(damage("")));
    assert_eq!(next_change(&mut changes).await.serial, z.serial);
    let later = write(&mut writer, create("88.1/later", "v")).await;
    assert_eq!(next_change(&mut changes).await.serial, later.serial);

    let ask = v1::ListRequest { prefix: "88.1/".into(), page_size: 2, ..v1::ListRequest::default() };
    let first = writer.list(ask.clone()).await.unwrap().into_inner();
    let next = v1::ListRequest { page_token: first.next_page_token, ..ask.clone() };
    let second = writer.list(next).await.unwrap().into_inner();
    assert_eq!(handles(&[first.identifiers, second.identifiers].concat()), ["88.1/a", "88.1/later", "88.1/z"]);
    assert_eq!([first.damaged, second.damaged].concat(), [damage("88.1/NEEDLE")]);
    let by_time = v1::ListRequest { changed_from: a.time, page_size: 100, ..ask };
    let by_time = writer.list(by_time).await.unwrap().into_inner();
    assert_eq!(handles(&by_time.identifiers), ["88.1/a", "88.1/z", "88.1/later"]);
    assert_eq!(by_time.damaged, [damage("")]);
    // Whoever may not look there is not told of it by its name.
    let mut part = node.client(&node.token("part", Role::Reader, &["88.1.5"])).await;
    home(&node, "88.1.5").await;
    let theirs = v1::ListRequest { prefix: "88.1.5/".into(), ..v1::ListRequest::default() };
    assert!(part.list(theirs).await.unwrap().into_inner().damaged.is_empty());
    let unreadable = writer.get(get("88.1/needle")).await.unwrap_err();
    assert_eq!((unreadable.code(), reason(&unreadable).as_str()), (Code::DataLoss, "UNREADABLE"));
    assert!(unreadable.message().contains(" at byte "), "{}", unreadable.message());
    assert!(!unreadable.message().contains(node.dir.path().to_str().unwrap()), "{}", unreadable.message());
}

#[tokio::test]
async fn watchers_see_only_what_they_may() {
    let node = Node::start().await;
    home(&node, "88.2").await;
    let mut operator = node.client(&node.token("operator", Role::Operator, &["*"])).await;
    let mut reader = node.client(&node.token("reader", Role::Reader, &["88.1"])).await;
    let everything = v1::WatchRequest { prefix: String::new(), ..watch(0) };
    assert_eq!(reason(&reader.watch(everything.clone()).await.unwrap_err()), "NOT_PERMITTED");
    let begun = v1::WatchRequest { from_now: true, ..watch(0) };
    let mut changes = reader.watch(begun).await.unwrap().into_inner();
    write(&mut operator, create("88.2/a", "v")).await;
    write(&mut operator, create("88.1/a", "v")).await;
    assert_eq!(next_change(&mut changes).await.handle, "88.1/a");
    let mut all = operator.watch(everything).await.unwrap().into_inner();
    assert_eq!(next_change(&mut all).await.handle, "88.2/a");
}

#[tokio::test]
async fn a_revoked_token_ends_its_watch() {
    let node = Node::start().await;
    let token = node.token("reader", Role::Reader, &["88.1"]);
    let mut reader = node.client(&token).await;
    let mut changes = reader.watch(watch(0)).await.unwrap().into_inner();
    let id = TokenText::parse(&token).unwrap().id();
    common::write(&node.catalog, Command::RevokeToken { id, reason: String::new() });
    let end = loop {
        match changes.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("ended without saying why"),
            Err(status) => break status,
        }
    };
    assert_eq!(end.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_watch_shows_nothing_more_of_what_was_taken_from_its_watcher() {
    let node = Node::start().await;
    home(&node, "88.2").await;
    let mut operator = node.client(&node.token("operator", Role::Operator, &["*"])).await;
    let mut reader = node.client(&node.token("reader", Role::Reader, &["*"])).await;
    let everything = v1::WatchRequest { prefix: String::new(), from_now: true, ..watch(0) };
    let mut changes = reader.watch(everything).await.unwrap().into_inner();
    let of_one = v1::WatchRequest { prefix: "88.2/".into(), from_now: true, ..watch(0) };
    let mut of_one = reader.watch(of_one).await.unwrap().into_inner();
    write(&mut operator, create("88.2/a", "v")).await;
    assert_eq!(next_change(&mut changes).await.handle, "88.2/a");
    assert_eq!(next_change(&mut of_one).await.handle, "88.2/a");
    common::put_principal(&node.catalog, common::principal("reader", Role::Reader, &["88.1"]));
    write(&mut operator, create("88.2/b", "v")).await;
    write(&mut operator, create("88.1/a", "v")).await;
    assert_eq!(next_change(&mut changes).await.handle, "88.1/a");
    common::put_principal(&node.catalog, common::principal("reader", Role::Reader, &["88.1", "88.2"]));
    write(&mut operator, create("88.2/c", "v")).await;
    assert_eq!(next_change(&mut of_one).await.handle, "88.2/c");
}

#[tokio::test]
async fn a_stop_ends_watches_at_a_place_to_go_on_from() {
    let node = Node::start().await;
    let mut writer = node.writer().await;
    write(&mut writer, create("88.1/a", "v")).await;
    let mut changes = writer.watch(watch(0)).await.unwrap().into_inner();
    next_change(&mut changes).await;
    let drained = tokio::spawn(node.running.drain(Duration::from_secs(10)));
    let mut progress = 0;
    let end = loop {
        match changes.message().await {
            Ok(Some(WatchResponse { message: Some(Message::Progress(upto)) })) => progress = upto,
            Ok(other) => panic!("{other:?}"),
            Err(status) => break status,
        }
    };
    assert_eq!((reason(&end).as_str(), progress > 0), ("STOPPING", true));
    assert_eq!(drained.await.unwrap(), Drained::Finished);
}

#[tokio::test]
async fn watchers_are_bounded_in_number_and_patience() {
    let limits = Limits { watchers: 1, watch_batch: 1, reader_time: Duration::from_secs(1), ..Limits::default() };
    let node = Node::start_with(limits).await;
    let mut writer = node.writer().await;
    let mut changes = writer.watch(v1::WatchRequest { with_values: true, ..watch(0) }).await.unwrap().into_inner();
    assert_eq!(reason(&writer.watch(watch(0)).await.unwrap_err()), "BUSY");
    // More than fits between node and watcher, who does not read.
    for n in 0..40 {
        write(&mut writer, create(&format!("88.1/{n}"), &"x".repeat(60_000))).await;
    }
    while node.running.counters().get(Event::CutSlowReader) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let end = loop {
        if let Err(status) = changes.message().await {
            break status;
        }
    };
    assert_eq!(reason(&end), "SLOW_READER");
}
