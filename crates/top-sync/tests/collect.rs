//! What enterprises with nodes of their own report: every part is judged by the reference, kept once, and reaches the top-level node under the name of
//! its owner.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, missing_docs, reason = "tests")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::business::{begun, put_application, step};
use common::{Node, clock, set_clock};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};
use waymark_api::toplevel::v1::sets_server::{Sets, SetsServer};
use waymark_api::toplevel::v1::{Acknowledgement, Outcome, Part, WatermarksRequest, WatermarksResponse};
use waymark_catalog::business::{CaseStep, EnterpriseId, OwnSite, Owner};
use waymark_client::registration::Endpoint;
use waymark_top_sync::calendar::Day;
use waymark_top_sync::collect::drop::DropFolders;
use waymark_top_sync::collect::{Collector, Settings, TakeError};
use waymark_top_sync::desk::Desk;
use waymark_top_sync::figures::Figures;
use waymark_top_sync::maker::{Maker, Role};
use waymark_top_sync::outbox::PartState;
use waymark_top_sync::sets::SetName;
use waymark_top_sync::sets::rows::Route;
use waymark_top_sync::simulator::faults::Plan;
use waymark_top_sync::simulator::ledger::{After, HeldRow};
use waymark_top_sync::simulator::{Options, Simulator};
use waymark_top_sync::traffic::{Accumulator, Answer, DayTally, KnownPrefixes, Limits, ReadError};
use waymark_top_sync::transport::Transport as _;
use waymark_top_sync::transport::directory::DirectoryTransport;
use waymark_top_sync::transport::grpc::GrpcTransport;

/// The prefix that is given to a node of its enterprise's own.
const OWNER: &str = "88.1.801";

const MEBI: u64 = 1 << 20;

fn site() -> OwnSite {
    OwnSite { ip: "192.0.2.7".parse().unwrap(), tcp: Some(2641), udp: None, http: None }
}

/// A secondary node that has given 88.1.801 away.
fn secondary() -> Node {
    let node = begun();
    step(&node, CaseStep::Delegate { sites: vec![site()] });
    node
}

fn collector(node: &Node, owner_bytes: u64) -> Collector {
    let settings = Settings { owner_bytes, late_hours: 24 };
    Collector::new(&node.catalog, Arc::clone(&node.outbox), "88.1", settings)
}

/// The golden rows of a set that are about one enterprise, as if that were 88.1.801.
fn golden(set: &str) -> String {
    let text = std::fs::read_to_string(format!("{}/tests/sets/{set}.jsonl", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let own = text.lines().filter(|line| line.contains("88.990.10001") && !line.contains("\"prefix\":\"88.990\""));
    own.map(|line| format!("{}\n", line.replace("88.990.10001", OWNER))).collect()
}

/// A part as an enterprise's node sends it.
fn part(set: &str, sequence: u64, period: &str, content: impl Into<Vec<u8>>) -> Part {
    let content = content.into();
    Part {
        node: OWNER.into(),
        set: set.into(),
        sequence,
        owner: String::new(),
        period: period.into(),
        part: 1,
        parts: 1,
        rows: content.iter().filter(|byte| **byte == b'\n').count() as u64,
        sha256: Sha256::digest(&content).to_vec(),
        content,
        withdrawn: false,
    }
}

/// The statistics of a day.
fn statistics(sequence: u64, day: &str) -> Part {
    part("T8", sequence, day, golden("T8").replace("2026-11-29", day))
}

#[track_caller]
fn outcome(collector: &Collector, sent: Part) -> Outcome {
    let told = collector.take(sent).unwrap();
    assert_eq!(told.complaints.is_empty(), told.outcome() != Outcome::Refused, "{told:?}");
    told.outcome()
}

#[track_caller]
fn assert_refused(collector: &Collector, sent: Part, field: &str, problem: &str) {
    let told = collector.take(sent).unwrap();
    assert_eq!(told.outcome(), Outcome::Refused);
    let is_told = told.complaints.iter().any(|told| told.field == field && told.problem.contains(problem));
    assert!(is_told, "{field} {problem:?} is not in {:?}", told.complaints);
}

/// What waits in the outbox of what owners reported: set, owner, period.
fn kept(node: &Node) -> Vec<(SetName, String, String)> {
    let all = SetName::ALL.into_iter().flat_map(|set| node.outbox.waiting(set, 0, 1_000));
    all.filter(|part| part.origin > 0).map(|part| (part.set, part.owner, part.period)).collect()
}

#[test]
fn a_part_of_each_set_an_owner_reports_is_kept_with_its_name() {
    let node = secondary();
    set_clock("2026-12-02T01:00");
    let collector = collector(&node, 64 * MEBI);
    for (set, period) in [
        ("T8", "2026-11-29"),
        ("T9", "2026-11-29"),
        ("T10", "2026-11"),
        ("T11", "2026-11-29T08:00:00.000Z"),
        ("MONITORING", "2026-11-29"),
    ] {
        assert!(!golden(set).is_empty(), "{set}");
        assert_eq!(outcome(&collector, part(set, 7, period, golden(set))), Outcome::Stored, "{set}");
    }
    let route = r#"{"prefix":"88.1.801","code_type":"Handle","routes":[]}"#.to_owned() + "\n";
    assert_eq!(outcome(&collector, part("T7", 1, "2026-11-29T08:00:00.000Z", route)), Outcome::Stored);
    let incident = r#"{"event":"88.1.801-1","related":"","state":"fault","time":"2026-11-29T01:00:00.000Z","cause":"","type":2,"prefix":"88.1.801"}"#;
    let incident = part("INCIDENT", 1, "2026-11-29T08:00:00.000Z", format!("{incident}\n"));
    assert_eq!(outcome(&collector, incident), Outcome::Stored);
    assert_eq!(kept(&node).len(), 7);
    assert!(kept(&node).iter().all(|(_, owner, _)| owner == OWNER));
    let marks: Vec<_> = collector.watermarks(OWNER).into_iter().map(|mark| (mark.set, mark.sequence)).collect();
    assert!(marks.contains(&("T8".to_owned(), 7)) && marks.contains(&("INCIDENT".to_owned(), 1)), "{marks:?}");
}

#[test]
fn what_is_not_as_the_reference_says_is_refused_with_the_field_and_why() {
    let node = secondary();
    set_clock("2026-12-02T01:00");
    let collector = collector(&node, 64 * MEBI);
    let good = statistics(1, "2026-11-28");
    assert_refused(&collector, Part { sha256: vec![0; 32], ..good.clone() }, "sha256", "not that of the content");
    assert_refused(&collector, Part { rows: 9, ..good.clone() }, "rows", "number of lines");
    assert_refused(&collector, Part { part: 2, parts: 1, ..good.clone() }, "part", "from 1 to how many");
    assert_refused(&collector, Part { part: 2, parts: 2, ..good.clone() }, "part", "does not follow");
    assert_refused(&collector, Part { period: "2026-11".into(), ..good.clone() }, "period", "no day");
    assert_refused(&collector, Part { sequence: 0, ..good.clone() }, "sequence", "from 1");
    assert_refused(&collector, Part { owner: "88.1.702".into(), ..good.clone() }, "owner", "itself alone");
    let unknown = golden("T8").replace("{\"prefix\"", "{\"more\":1,\"prefix\"").replace("2026-11-29", "2026-11-28");
    assert_refused(&collector, part("T8", 1, "2026-11-28", unknown), "", "does not belong here");
    let others = golden("T8").replace(OWNER, "88.1.8011").replace("2026-11-29", "2026-11-28");
    assert_refused(&collector, part("T8", 1, "2026-11-28", others), "prefix", "not of the owner's prefix");
    let others = golden("T9").replace("88.1.801/", "88.1.702/");
    assert_refused(&collector, part("T9", 1, "2026-11-29", others), "code", "not of the owner's prefix");
    let large = "{\"code\":\"x\"}\n".repeat(400_000);
    assert_refused(&collector, part("T9", 1, "2026-11-29", large), "content", "4194304 bytes");
    for set in ["T1", "T2", "T3", "T4", "T5", "T6"] {
        assert_refused(&collector, Part { set: set.into(), ..good.clone() }, "set", "none that an enterprise reports");
    }
    assert_refused(&collector, Part { set: "T12".into(), ..good.clone() }, "set", "none there is");
    assert_eq!(kept(&node), []);
    // Complaints are shown to the operator; the part that is right is taken behind them.
    let told = node.outbox.told(SetName::T9, OWNER);
    assert!(told.refused == 2 && told.problem.contains("content: has more than"), "{told:?}");
    assert_eq!(outcome(&collector, good), Outcome::Stored);
}

#[test]
fn only_prefixes_that_are_given_away_are_reported_for_and_periods_that_are_over() {
    let node = secondary();
    set_clock("2026-11-29T01:00");
    let collector = collector(&node, 64 * MEBI);
    for other in ["88.1", "88.1.701", "88.1.802", "88.1.801.1", ""] {
        let error = collector.take(Part { node: other.into(), ..statistics(1, "2026-11-28") }).unwrap_err();
        assert!(matches!(error, TakeError::NotDelegated), "{other}: {error}");
    }
    assert!(matches!(collector.take(statistics(1, "2026-11-29")), Err(TakeError::Early)));
    step(&node, CaseStep::Suspend { reason: "audit".into() });
    assert!(matches!(collector.take(statistics(1, "2026-11-28")), Err(TakeError::NotDelegated)));
    step(&node, CaseStep::Resume);
    step(&node, CaseStep::Host);
    assert!(matches!(collector.take(statistics(1, "2026-11-28")), Err(TakeError::NotDelegated)));
    step(&node, CaseStep::Delegate { sites: vec![site()] });
    assert_eq!(outcome(&collector, statistics(1, "2026-11-28")), Outcome::Stored);
}

/// At least once is what a sender does; once is what is kept.
#[test]
fn told_again_is_acknowledged_again_and_other_rows_of_the_same_day_replace() {
    let mut node = secondary();
    set_clock("2026-12-02T01:00");
    let taken = collector(&node, 64 * MEBI);
    assert_eq!(outcome(&taken, statistics(4, "2026-11-28")), Outcome::Stored);
    assert_eq!(outcome(&taken, statistics(4, "2026-11-28")), Outcome::StoredBefore);
    // A kill between what is durable and its acknowledgement.
    drop(taken);
    node.reopen_outbox();
    let taken = collector(&node, 64 * MEBI);
    assert_eq!(outcome(&taken, statistics(4, "2026-11-28")), Outcome::StoredBefore);
    // The same once more under a sequence of its own, as a node does that was set up anew.
    assert_eq!(outcome(&taken, statistics(5, "2026-11-28")), Outcome::StoredBefore);
    assert_eq!(outcome(&taken, statistics(1, "2026-11-28")), Outcome::StoredBefore);
    let gap = taken.take(statistics(9, "2026-11-29")).unwrap();
    assert_eq!((gap.outcome(), gap.expected), (Outcome::OutOfOrder, 6));
    let corrected =
        golden("T8").replace("2026-11-29", "2026-11-28").replacen("\"new_identifiers\":", "\"new_identifiers\":1", 1);
    assert_eq!(outcome(&taken, part("T8", 6, "2026-11-28", corrected.clone())), Outcome::Stored);
    assert_eq!(outcome(&taken, part("T8", 6, "2026-11-28", corrected)), Outcome::StoredBefore);
    let day = |day: &str| (SetName::T8, OWNER.to_owned(), day.to_owned());
    assert_eq!(kept(&node), [day("2026-11-28"), day("2026-11-28")]);
}

#[test]
fn parts_of_a_day_come_in_order_and_the_day_counts_when_all_are_there() {
    let node = secondary();
    set_clock("2026-12-02T01:00");
    let collector = collector(&node, 64 * MEBI);
    let row = golden("T9").lines().next().unwrap().to_owned();
    let of = |sequence: u64, number: u32| {
        let code = format!("\"code\":\"{OWNER}/{number}\"");
        let start = row.find("\"code\"").unwrap();
        let end = start + row[start..].find(',').unwrap();
        let content = format!("{}{code}{}\n", &row[..start], &row[end..]);
        Part { part: number, parts: 3, ..part("T9", sequence, "2026-11-29", content) }
    };
    assert_eq!(outcome(&collector, of(1, 1)), Outcome::Stored);
    assert_refused(&collector, of(2, 3), "part", "tell it again from part 1");
    assert_eq!(node.outbox.told(SetName::T9, OWNER).period, "");
    assert_eq!(outcome(&collector, of(3, 2)), Outcome::Stored);
    assert_eq!(outcome(&collector, of(4, 3)), Outcome::Stored);
    assert_eq!(node.outbox.told(SetName::T9, OWNER).period, "2026-11-29");
    assert_refused(&collector, of(5, 3), "part", "does not follow");
}

#[test]
fn one_owner_has_so_much_room_and_what_is_settled_makes_way() {
    let node = secondary();
    set_clock("2027-01-20T01:00");
    // Each part counts as 64 KiB: room for four.
    let collector = collector(&node, 4 * (64 << 10));
    let day = |number: u64| format!("2026-12-{number:02}");
    for number in 1..=4 {
        assert_eq!(outcome(&collector, statistics(number, &day(number))), Outcome::Stored);
    }
    assert!(matches!(collector.take(statistics(5, &day(5))), Err(TakeError::Full)));
    assert_eq!(outcome(&collector, statistics(4, &day(4))), Outcome::StoredBefore);
    node.outbox.note(SetName::T8, 2, PartState::Acknowledged, "", clock()).unwrap();
    assert_eq!(outcome(&collector, statistics(5, &day(5))), Outcome::Stored);
    assert!(node.outbox.part(SetName::T8, 2).is_none());
    assert!(matches!(collector.take(statistics(6, &day(6))), Err(TakeError::Full)));
}

#[test]
fn who_has_not_reported_is_named_with_the_last_period_there_is() {
    let node = secondary();
    let collector = collector(&node, 64 * MEBI);
    let late = |moment: &str| -> Vec<(SetName, String, String)> {
        set_clock(moment);
        let all = collector.expected(clock()).into_iter().filter(|each| each.is_late());
        all.map(|each| (each.set, each.told.period, each.due)).collect()
    };
    // Given away on the 27th: that day is over at midnight in China, and due a day later.
    assert_eq!(late("2026-11-28T15:00"), []);
    let never = |set, due: &str| (set, String::new(), due.to_owned());
    let due = "2026-11-27";
    let all = [never(SetName::T8, due), never(SetName::T9, due), never(SetName::Monitoring, due)];
    assert_eq!(late("2026-11-28T17:00"), all);
    assert_eq!(outcome(&collector, statistics(1, "2026-11-27")), Outcome::Stored);
    assert_eq!(late("2026-11-28T18:00"), all[1..]);
    let late = late("2026-12-02T01:00");
    assert_eq!(late[0], (SetName::T8, "2026-11-27".to_owned(), "2026-11-30".to_owned()));
    assert!(late.contains(&never(SetName::T10, "2026-11")), "{late:?}");
    step(&node, CaseStep::Host);
    assert_eq!(collector.expected(clock()), []);
}

/// Answers of each day, for the prefix that is given away and one that is hosted.
#[derive(Debug)]
struct Counted;

struct Known;

impl KnownPrefixes for Known {
    fn knows(&self, prefix: &[u8]) -> bool {
        [&b"88.1"[..], b"88.1.801", b"88.1.701"].contains(&prefix)
    }
}

impl Figures for Counted {
    fn day(&self, day: Day) -> Result<Option<DayTally>, ReadError> {
        let mut all = Accumulator::new(Limits::default());
        all.open(DayTally::new(day));
        for handle in [&b"88.1.801/a"[..], b"88.1.701/a"] {
            let answer = Answer {
                unix_seconds: u32::try_from(day.start().0 / 1_000).unwrap() + 7,
                source: "192.0.2.1".parse().unwrap(),
                op: 1,
                response_code: 1,
                took_micros: Some(100),
                handle,
            };
            all.answered(&answer, &Known).unwrap();
        }
        Ok(all.day(day).cloned())
    }
}

fn maker(node: &Node, prefix: &str, role: Role) -> Maker {
    let routes = vec![Route::new("192.0.2.1".parse().unwrap(), Some(2641), None, None)];
    Maker::new(&node.catalog, Arc::clone(&node.outbox), prefix, routes, Some(Arc::new(Counted))).with_role(role)
}

fn make_all(maker: &Maker) {
    for set in SetName::ALL {
        while maker.make_due(set, clock()).unwrap() {}
    }
}

/// The door of a secondary node, without the question who may.
struct Door(Arc<Collector>);

#[tonic::async_trait]
impl Sets for Door {
    type DeliverStream = ReceiverStream<Result<Acknowledgement, Status>>;

    async fn deliver(&self, request: Request<Streaming<Part>>) -> Result<Response<Self::DeliverStream>, Status> {
        let (answers, told) = tokio::sync::mpsc::channel(16);
        let (collector, mut parts) = (Arc::clone(&self.0), request.into_inner());
        tokio::spawn(async move {
            while let Some(Ok(part)) = parts.next().await {
                let told = collector.take(part).map_err(|error| Status::unavailable(error.to_string()));
                if answers.send(told).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(told)))
    }

    async fn watermarks(&self, _: Request<WatermarksRequest>) -> Result<Response<WatermarksResponse>, Status> {
        Err(Status::unimplemented("not asked"))
    }
}

async fn door(collector: &Arc<Collector>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("grpc://{}", listener.local_addr().unwrap());
    let service = SetsServer::new(Door(Arc::clone(collector))).max_decoding_message_size(8 << 20);
    let server = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    url
}

async fn above(folder: &Path) -> Simulator {
    let anywhere = "127.0.0.1:0".parse().unwrap();
    let folder = folder.to_owned();
    let (faults, probes, pages) = (Plan::default(), None, axum::Router::new());
    let options = Options { listen: anywhere, http: anywhere, folder, tls: None, faults, clock, probes, pages };
    Simulator::start(options).await.unwrap()
}

async fn carry(node: &Node, prefix: &str, url: &str) {
    let transport = GrpcTransport::new(&Endpoint::new(url.parse().unwrap())).unwrap();
    let desk = Desk::new(&node.catalog, Arc::clone(&node.outbox), prefix);
    transport.carry(&desk).await.unwrap();
}

fn held(above: &Simulator, set: &str) -> Vec<HeldRow> {
    above.ledgers().held("88.1", set.parse().unwrap(), After::default(), 1_000).unwrap().0
}

fn field(row: &HeldRow, name: &str) -> Value {
    row.content[name].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_enterprises_node_makes_reaches_the_top_level_node_once_under_its_name() {
    let node = secondary();
    let enterprise = Node::beside(&[OWNER, "10.5"]);
    enterprise.put("88.1.801/a", &[(1, "productName", "压力变送器")]);
    enterprise.put("10.5/private", &[(1, "productName", "of nobody above")]);
    put_application(&enterprise, Owner::Node);
    put_application(&node, Owner::Enterprise(EnterpriseId(1)));
    node.put("88.1.701/b", &[(1, "productName", "hosted")]);
    set_clock("2026-12-01T01:00");
    let own = maker(&enterprise, OWNER, Role::Enterprise);
    make_all(&own);
    for set in [SetName::T1, SetName::T2, SetName::T3, SetName::T4, SetName::T5, SetName::T6] {
        assert_eq!(
            enterprise.outbox.status().iter().find(|status| status.set == set).unwrap().last_sequence,
            0,
            "{set}"
        );
    }
    let collector = Arc::new(collector(&node, 64 * MEBI));
    let url = door(&collector).await;
    // What the case says of routes was told when it was decided; what the owner says later holds.
    assert!(maker(&node, "88.1", Role::Node).make_due(SetName::T7, clock()).unwrap());
    carry(&enterprise, OWNER, &url).await;
    let unsettled = enterprise.outbox.status().iter().map(|status| status.waiting + status.refused).sum::<u64>();
    assert_eq!(unsettled, 0, "{:?}", enterprise.outbox.status());
    make_all(&maker(&node, "88.1", Role::Node));

    let folder = tempfile::tempdir().unwrap();
    let above = above(folder.path()).await;
    carry(&node, "88.1", &format!("grpc://{}", above.grpc())).await;
    let complaints: Vec<_> = above.ledgers().status("88.1").into_iter().flat_map(|set| set.complaints).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    // Statistics and figures of each day: of the prefix that was given away by its owner alone, of the hosted one by the node.
    for set in ["T8", "MONITORING"] {
        let rows = held(&above, set);
        let of = |prefix: &str, day: &str| -> Vec<String> {
            let wanted = rows.iter().filter(|row| field(row, "prefix") == prefix && field(row, "day") == day);
            wanted.map(|row| row.owner.clone()).collect()
        };
        assert_eq!(of(OWNER, "2026-11-30"), [OWNER], "{set}");
        assert_eq!(of("10.5", "2026-11-30"), Vec::<String>::new(), "{set}");
    }
    let of_day = |row: &&HeldRow| field(row, "day") == "2026-11-27" && field(row, "prefix") == OWNER;
    let row = held(&above, "T8").iter().find(of_day).unwrap().content.clone();
    assert_eq!((&row["new_identifiers"], &row["requests"]), (&1.into(), &1.into()));
    let codes: Vec<(Value, String)> =
        held(&above, "T9").into_iter().map(|row| (field(&row, "code"), row.owner)).collect();
    assert_eq!(codes.len(), 2, "{codes:?}");
    assert!(
        codes.contains(&("88.1.801/a".into(), OWNER.to_owned()))
            && codes.contains(&("88.1.701/b".into(), String::new()))
    );
    let applications = held(&above, "T10");
    assert_eq!((applications.len(), applications[0].owner.as_str()), (1, OWNER));
    let routes = held(&above, "T7");
    assert_eq!((routes.len(), routes[0].owner.as_str()), (1, OWNER));
    above.stop().await;
}

/// The files of a set and period that an enterprise dropped.
fn dropped(folder: &Path, set: &str, period: &str) -> Vec<PathBuf> {
    let found = std::fs::read_dir(folder.join(OWNER).join(set).join(period)).unwrap();
    let mut found: Vec<PathBuf> = found.map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

/// Folders with what an enterprise's node wrote for three days.
async fn filled_folders() -> (Node, tempfile::TempDir) {
    let node = secondary();
    let enterprise = Node::beside(&[OWNER]);
    enterprise.put("88.1.801/a", &[(1, "productName", "x")]);
    set_clock("2026-11-30T01:00");
    make_all(&maker(&enterprise, OWNER, Role::Enterprise));
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::new(&enterprise.catalog, Arc::clone(&enterprise.outbox), OWNER);
    DirectoryTransport::new(folder.path().join(OWNER)).carry(&desk).await.unwrap();
    (node, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_parts_are_taken_in_order_and_moved_aside() {
    let (node, folder) = filled_folders().await;
    let folders = DropFolders::new(folder.path().to_owned(), Arc::new(collector(&node, 64 * MEBI)));
    std::fs::create_dir_all(folder.path().join("88.1.702/T8")).unwrap();
    // The first day of T8 is not there yet: those behind it wait for nothing, since an owner begins where it likes; a gap behind it is told.
    let second = dropped(folder.path(), "T8", "2026-11-28");
    let aside = tempfile::tempdir().unwrap();
    for file in &second {
        std::fs::rename(file, aside.path().join(file.file_name().unwrap())).unwrap();
    }
    let taken = folders.look();
    assert!(taken >= 7, "{taken}");
    let problems = folders.problems();
    assert!(problems["88.1.702"].contains("delegated"), "{problems:?}");
    assert!(problems[OWNER].contains("T8 2 comes before it"), "{problems:?}");
    assert_eq!(node.outbox.told(SetName::T8, OWNER).period, "2026-11-27");
    for file in &second {
        std::fs::rename(aside.path().join(file.file_name().unwrap()), file).unwrap();
    }
    assert_eq!(folders.look(), 2);
    assert_eq!(node.outbox.told(SetName::T8, OWNER).period, "2026-11-29");
    assert!(!folders.problems().contains_key(OWNER));
    assert_eq!(dropped(folder.path(), "T8", "2026-11-28"), Vec::<PathBuf>::new());
    assert!(folder.path().join(OWNER).join("taken/T8/T8-000000000002.manifest.json").exists());
    assert_eq!(folders.look(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_part_that_is_wrong_is_refused_with_the_reason_beside_it() {
    let (node, folder) = filled_folders().await;
    let files = dropped(folder.path(), "T9", "2026-11-27");
    let [_, rows, manifest] = &files[..] else { panic!("{files:?}") };
    let changed =
        std::fs::read_to_string(rows).unwrap().replace("\"brand\":\"\"", "\"brand\":\"!\"").replace("\"x\"", "\"\"");
    std::fs::write(rows, changed).unwrap();
    // Somebody else's manifest, and one that is none and was not touched for long.
    let [_, _, other] = &dropped(folder.path(), "T8", "2026-11-27")[..] else { panic!() };
    let text = std::fs::read_to_string(other).unwrap();
    std::fs::write(other, text.replace(OWNER, "88.1.702")).unwrap();
    let [_, _, none] = &dropped(folder.path(), "MONITORING", "2026-11-29")[..] else { panic!() };
    std::fs::write(none, "{\"node\":").unwrap();
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    std::fs::File::options().write(true).open(none).unwrap().set_modified(long_ago).unwrap();
    std::os::unix::fs::symlink("/etc", folder.path().join(OWNER).join("T11")).unwrap();

    let folders = DropFolders::new(folder.path().to_owned(), Arc::new(collector(&node, 64 * MEBI)));
    folders.look();
    let reason = |manifest: &Path| {
        let name = manifest.to_str().unwrap().replace(".manifest.json", ".refused.txt");
        assert!(!manifest.exists(), "{}", manifest.display());
        std::fs::read_to_string(name).unwrap()
    };
    assert_eq!(reason(manifest), "part sha256: is not that of the content\n");
    assert!(reason(other).contains("another node"));
    assert!(reason(none).contains("the manifest is none"));
    assert_eq!(node.outbox.told(SetName::T9, OWNER).refused, 1);
    assert!(kept(&node).iter().all(|(_, _, period)| period != "2026-11-27"), "{:?}", kept(&node));
}

/// Who drops files may put links among them: the node writes nowhere else for that, and reads nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn links_among_dropped_files_lead_nowhere() {
    let (node, folder) = filled_folders().await;
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join(OWNER).join("taken")).unwrap();
    let [_, rows, _] = &dropped(folder.path(), "T9", "2026-11-27")[..] else { panic!() };
    let moved = elsewhere.path().join("rows");
    std::fs::rename(rows, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, rows).unwrap();
    let folders = DropFolders::new(folder.path().to_owned(), Arc::new(collector(&node, 64 * MEBI)));
    folders.look();
    let found: Vec<_> = std::fs::read_dir(elsewhere.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(found, ["rows"], "the node wrote behind a link");
    assert!(!folders.problems()[OWNER].is_empty());
    assert_eq!(node.outbox.told(SetName::T9, OWNER).sequence, 0, "rows behind a link were taken");
}

#[test]
fn a_sequence_nobody_counts_to_is_refused_and_those_before_it_go_on() {
    let node = secondary();
    set_clock("2026-12-02T01:00");
    let collector = collector(&node, 64 * MEBI);
    assert_refused(&collector, statistics(u64::MAX, "2026-11-29"), "sequence", "is too large");
    assert_eq!(outcome(&collector, statistics(7, "2026-11-29")), Outcome::Stored);
    assert_refused(&collector, statistics(u64::MAX, "2026-11-30"), "sequence", "is too large");
    assert_eq!(outcome(&collector, statistics(8, "2026-11-30")), Outcome::Stored);
}

#[test]
fn a_part_that_its_owner_settled_otherwise_does_not_hold_up_those_behind_it() {
    let node = secondary();
    set_clock("2026-12-02T01:00");
    let collector = collector(&node, 64 * MEBI);
    assert_eq!(outcome(&collector, statistics(7, "2026-11-29")), Outcome::Stored);
    assert_eq!(outcome(&collector, statistics(9, "2026-12-01")), Outcome::OutOfOrder);
    let nothing = Part { withdrawn: true, ..part("T8", 8, "2026-11-30", "") };
    assert_refused(&collector, nothing, "withdrawn", "settled it otherwise");
    assert_eq!(outcome(&collector, statistics(9, "2026-12-01")), Outcome::Stored);
    assert_eq!(kept(&node).len(), 2);
}
