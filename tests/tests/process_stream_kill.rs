//! The daemon killed at random moments while a program registers: every acknowledged item is there afterwards, every other one is answered
//! truthfully when it is asked again.
//!
//! One client streams items and keeps every outcome it gets; another makes single calls under request ids. The daemon is stopped at a random
//! moment, looked at (see `waymark_tests::moment`), and killed, mostly where a commit was under way. After the restart the mark, the outcomes
//! of items sent again, and the receipts of requests sent again are compared with what was acknowledged before.
//!
//! What becomes of an item is told by its number alone: most are new identifiers; some repeat one before with the same content, some
//! with other content.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use waymark_api::registration::v1::{
    ApplyRequest, Change, Create, GetStreamRequest, HistoryRequest, ItemOutcome, Items, OpenStream, Outcome, Replace,
    UploadRequest, Value, change::Action, exchange_response, item_outcome, registration_client::RegistrationClient,
    upload_request, value::Data,
};
use waymark_tests::moment::{Moment, moment};
use waymark_tests::process::{Bench, Daemon, PATIENCE};

/// Kills with a commit under way that each engine has to survive.
const LOG_KILLS: usize = 50;
const SLED_KILLS: usize = 8;
/// Kills at all after which a test gives up.
const MOST_KILLS: usize = 1_500;
/// Variable with another seed, for longer sieges than one.
const SEED: &str = "WAYMARK_TEST_SEED";
/// Name of the stream.
const STREAM: &str = "siege";
/// Items in one message: less than a group, so that groups hold parts of several.
const BATCH: u64 = 7;
/// Items sent again below the mark after each restart.
const AGAIN: u64 = 40;

/// What is known about an item from its number.
fn item(number: u64) -> (Change, Outcome) {
    let name = |number: u64| format!("88.111.1/S{number:08}");
    let create = |handle: String, data: String| Change {
        handle,
        action: Some(Action::Create(Create { values: vec![text(1, &data)], keep_timestamps: false })),
        expect: None,
    };
    match number % 11 {
        // The item before, once more.
        3 => (create(name(number - 1), content(number - 1)), Outcome::ExistsSame),
        // The one before that with other content.
        7 => (create(name(number - 1), content(number)), Outcome::Unspecified),
        _ => (create(name(number), content(number)), Outcome::Created),
    }
}

fn content(number: u64) -> String {
    format!("{number} {}", "x".repeat(usize::try_from(number % 300).unwrap()))
}

fn text(index: u32, data: &str) -> Value {
    Value { index, r#type: "TEXT".into(), data: Some(Data::Text(data.into())), ..Value::default() }
}

/// An outcome reduced to what must never change: what happened, and the serial where something is stored.
type Kept = (Outcome, u64, String);

fn kept(outcome: &ItemOutcome) -> Kept {
    match outcome.outcome.as_ref().expect("an outcome") {
        item_outcome::Outcome::Receipt(receipt) => (receipt.outcome(), receipt.serial, String::new()),
        item_outcome::Outcome::Refusal(refusal) => (Outcome::Unspecified, 0, refusal.reason.clone()),
    }
}

/// Everything the clients were told, over all lives.
#[derive(Debug, Default)]
struct Told {
    items: BTreeMap<u64, Kept>,
    /// Acknowledged single calls: request id and serial, in order.
    calls: Vec<(String, u64)>,
}

struct Siege {
    bench: Bench,
    random: StdRng,
    records: &'static str,
    told: Arc<Mutex<Told>>,
    kills: usize,
    in_commit: usize,
    unacknowledged_kept: usize,
    runtime: tokio::runtime::Runtime,
}

impl Siege {
    fn new(engine: &str, seed: u64, records: &'static str) -> Self {
        let bench = Bench::new(&format!(
            "store.engine = \"{engine}\"\nwrite.group_commands = 16\nregistration.plaintext = true\n\
             access.rate_per_second = 1000000\n"
        ));
        bench.run(&["prefix", "home", "88.111.1"]).expect(0);
        let seed = std::env::var(SEED).ok().and_then(|seed| seed.parse().ok()).unwrap_or(seed);
        println!("engine {engine}, seed {seed}");
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let told = Arc::default();
        Self {
            bench,
            random: StdRng::seed_from_u64(seed),
            records,
            told,
            kills: 0,
            in_commit: 0,
            unacknowledged_kept: 0,
            runtime,
        }
    }

    fn client(&self, daemon: &Daemon) -> Client {
        let token = std::fs::read_to_string(self.bench.data().join("operator-token")).expect("made at the first start");
        let url = format!("http://{}", daemon.address("grpc"));
        let channel = self.runtime.block_on(Channel::from_shared(url).unwrap().connect()).expect("the door is open");
        Client { inner: RegistrationClient::new(channel), bearer: format!("Bearer {}", token.trim()).parse().unwrap() }
    }

    /// One life: started, checked against what was told, streamed at, killed.
    fn life(&mut self) {
        let daemon = self.bench.serve();
        let client = self.client(&daemon);
        let from = self.check(&client);
        let streaming = self.runtime.spawn(stream(client.clone(), from, u64::MAX, Arc::clone(&self.told)));
        let calling = self.runtime.spawn(call(client, Arc::clone(&self.told)));
        // Some lives are short.
        let wanted = self.random.random_range(1..400);
        let before = self.told.lock().unwrap().items.len();
        let began = tokio::time::Instant::now();
        while self.told.lock().unwrap().items.len() < before + wanted {
            assert!(!streaming.is_finished(), "the stream ended: {:?}", self.runtime.block_on(streaming));
            assert!(began.elapsed() < PATIENCE, "nothing is acknowledged any more");
            std::thread::sleep(Duration::from_millis(1));
        }
        loop {
            // Not to wait for anything: this is what makes the moment random.
            std::thread::sleep(Duration::from_micros(self.random.random_range(0..3_000)));
            assert!(daemon.process.stop(), "the daemon ended by itself");
            let met = moment(daemon.process.pid(), self.records);
            if met != Some(Moment::Between) || self.random.random_ratio(1, 16) {
                daemon.process.kill();
                self.kills += 1;
                self.in_commit += usize::from(met.is_none_or(|met| met != Moment::Between));
                break;
            }
            daemon.process.go_on();
        }
        // Both notice by themselves that the daemon is gone.
        let ended = self.runtime.block_on(async { (streaming.await, calling.await) });
        ended.0.unwrap();
        ended.1.unwrap();
    }

    /// Compares what the node says after a restart with what was told before, and gives the number to go on from.
    fn check(&mut self, client: &Client) -> u64 {
        let mark = self.runtime.block_on(client.mark());
        let mut told = std::mem::take(&mut *self.told.lock().unwrap());
        let acknowledged = told.items.keys().next_back().copied().unwrap_or(0);
        assert!(mark >= acknowledged, "item {acknowledged} was acknowledged, the mark is {mark}");
        self.unacknowledged_kept += usize::from(mark > acknowledged);
        let from = acknowledged.saturating_sub(AGAIN).max(1);
        if mark >= from {
            let again: Arc<Mutex<Told>> = Arc::default();
            self.runtime.block_on(stream(client.clone(), from, mark, Arc::clone(&again)));
            let again = std::mem::take(&mut *again.lock().unwrap()).items;
            assert_eq!(again.keys().copied().collect::<Vec<_>>(), (from..=mark).collect::<Vec<_>>());
            for (&number, outcome) in &again {
                let expected = item(number).1;
                assert_eq!(outcome.0, expected, "item {number}: {outcome:?}");
                assert_eq!(outcome.2.is_empty(), expected != Outcome::Unspecified, "item {number}: {outcome:?}");
                if let Some(before) = told.items.get(&number) {
                    assert_eq!(outcome, before, "item {number} is answered as it was");
                }
            }
            told.items = again;
        }
        // An item behind the mark did not happen.
        let (beyond, _) = item((mark + 1..).find(|number| item(*number).1 == Outcome::Created).unwrap());
        assert!(
            self.runtime.block_on(client.versions(&beyond.handle)).is_empty(),
            "{} is there already",
            beyond.handle
        );
        self.check_calls(client, &told);
        *self.told.lock().unwrap() = told;
        mark + 1
    }

    /// Single calls: the acknowledged ones keep their receipts, and the counter moved once for each.
    fn check_calls(&self, client: &Client, told: &Told) {
        let versions = self.runtime.block_on(client.versions(COUNTER));
        let serials: Vec<u64> = versions.iter().rev().copied().collect();
        for (position, (_, serial)) in told.calls.iter().enumerate() {
            assert_eq!(serials.get(position), Some(serial), "call {position} is version {position} of the counter");
        }
        // At most the one that was under way.
        assert!(serials.len() <= told.calls.len() + 1, "{} calls, {} versions", told.calls.len(), serials.len());
        for (id, serial) in told.calls.iter().rev().take(3) {
            let position = told.calls.iter().position(|(known, _)| known == id).unwrap();
            let receipt = self.runtime.block_on(client.count(id, position)).expect("a repetition is answered");
            assert_eq!((receipt.0, receipt.1), (*serial, true), "the receipt of then");
        }
    }

    /// Kills until enough of them met a commit, then lets it run to an end.
    fn hold_out(mut self, enough: usize) {
        while self.in_commit < enough {
            self.life();
            assert!(self.kills < MOST_KILLS, "too few kills meet a commit: {} of {}", self.in_commit, self.kills);
        }
        let daemon = self.bench.serve();
        let client = self.client(&daemon);
        let from = self.check(&client);
        self.runtime.block_on(stream(client.clone(), from, from + 500, Arc::default()));
        assert_eq!(self.runtime.block_on(client.mark()), from + 500);
        for number in (1..from + 500).step_by(37) {
            let (change, outcome) = item(number);
            if outcome == Outcome::Created {
                assert_eq!(self.runtime.block_on(client.versions(&change.handle)).len(), 1, "{}", change.handle);
            }
        }
        drop(client);
        daemon.stop().expect(0);
        self.bench.run(&["store", "check"]).expect(0);
        println!(
            "{} kills, {} with a commit under way, {} with more kept than acknowledged; {} items",
            self.kills,
            self.in_commit,
            self.unacknowledged_kept,
            from + 500
        );
    }
}

/// The identifier the single calls count on.
const COUNTER: &str = "88.111.1/COUNTER";

#[derive(Clone)]
struct Client {
    inner: RegistrationClient<Channel>,
    bearer: MetadataValue<Ascii>,
}

impl Client {
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.bearer.clone());
        request
    }

    async fn mark(&self) -> u64 {
        let request = self.request(GetStreamRequest { stream: STREAM.into() });
        self.inner.clone().get_stream(request).await.expect("the mark is told").into_inner().mark
    }

    /// Serials of all versions, newest first.
    async fn versions(&self, handle: &str) -> Vec<u64> {
        let mut page_token = String::new();
        let mut serials = Vec::new();
        loop {
            let request = HistoryRequest { handle: handle.into(), page_size: 1_000, page_token, with_values: false };
            let page = match self.inner.clone().history(self.request(request)).await {
                Ok(page) => page.into_inner(),
                Err(status) if status.code() == tonic::Code::NotFound => return serials,
                Err(status) => panic!("{status}"),
            };
            serials.extend(page.versions.iter().map(|version| version.serial));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return serials;
            }
        }
    }

    /// One step of the counter under a request id: the serial, and whether it was carried out before.
    async fn count(&self, id: &str, position: usize) -> Option<(u64, bool)> {
        let values = vec![text(1, &position.to_string())];
        let change = Change {
            handle: COUNTER.into(),
            action: Some(Action::Replace(Replace { values, keep_timestamps: false })),
            expect: None,
        };
        let request = ApplyRequest { change: Some(change), request_id: id.to_owned(), validate_only: false };
        let response = self.inner.clone().apply(self.request(request)).await.ok()?;
        let receipt = response.into_inner().receipt.expect("a receipt");
        Some((receipt.serial, receipt.repeated_request))
    }
}

/// Streams the items `from..=to` and notes every outcome, until all are answered or the daemon is gone.
async fn stream(mut client: Client, from: u64, to: u64, told: Arc<Mutex<Told>>) {
    let (sender, receiver) = mpsc::channel::<UploadRequest>(4);
    let open = UploadRequest { message: Some(upload_request::Message::Open(OpenStream { stream: STREAM.into() })) };
    let sending = tokio::spawn(async move {
        if sender.send(open).await.is_err() {
            return;
        }
        let mut first_number = from;
        while first_number <= to {
            let last = to.min(first_number + BATCH - 1);
            let changes = (first_number..=last).map(|number| item(number).0).collect();
            let items = upload_request::Message::Items(Items { first_number, changes });
            if sender.send(UploadRequest { message: Some(items) }).await.is_err() {
                return;
            }
            first_number = last + 1;
        }
    });
    let request = client.request(ReceiverStream::new(receiver));
    let Ok(answers) = client.inner.exchange(request).await else { return };
    let mut answers = answers.into_inner();
    let mut next = from;
    while let Ok(Some(response)) = answers.message().await {
        let Some(exchange_response::Message::Outcomes(outcomes)) = response.message else { continue };
        for outcome in &outcomes.outcomes {
            assert_eq!(outcome.number, next, "outcomes come in order");
            next += 1;
            let kept = kept(outcome);
            assert_eq!(kept.0, item(outcome.number).1, "item {}: {kept:?}", outcome.number);
            told.lock().unwrap().items.insert(outcome.number, kept);
        }
    }
    sending.abort();
}

/// Counts, one call after the other, until the daemon is gone. A call whose answer did not come is made again by the next life.
async fn call(client: Client, told: Arc<Mutex<Told>>) {
    loop {
        let position = told.lock().unwrap().calls.len();
        // The same for the same step in every life: a repetition of it carries the same id.
        let id = request_id(position);
        let Some((serial, _)) = client.count(&id, position).await else { return };
        told.lock().unwrap().calls.push((id, serial));
    }
}

/// The request id of a step: made once for this run of the test.
fn request_id(position: usize) -> String {
    static IDS: Mutex<Vec<uuid::Uuid>> = Mutex::new(Vec::new());
    let mut ids = IDS.lock().unwrap();
    while ids.len() <= position {
        ids.push(uuid::Uuid::now_v7());
    }
    ids[position].to_string()
}

#[test]
fn a_stream_into_the_log_survives_kills_in_the_middle_of_commits() {
    Siege::new("log", 20_260_201, "/log/segment-").hold_out(LOG_KILLS);
}

#[test]
fn a_stream_into_sled_survives_kills_in_the_middle_of_commits() {
    Siege::new("sled", 20_260_202, "/records/").hold_out(SLED_KILLS);
}
