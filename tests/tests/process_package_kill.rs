//! The daemon killed while codes are ordered, given out and leased: after the restart every request sent again is answered with the codes of its first
//! answer, no code is given out twice, and none that was told is unknown.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};
use uuid::Uuid;
use waymark_api::registration::v1::{
    AllocateRequest, CodeForm, CodeLines, ExportCodesRequest, GetPackageRequest, LeaseCodesRequest, code_lines::Part,
    packages_client::PackagesClient,
};
use waymark_tests::moment::{Moment, moment};
use waymark_tests::process::{Bench, Daemon, PATIENCE};

/// Kills with a commit under way that have to be survived.
const KILLS: usize = 12;
/// Kills at all after which the test gives up.
const MOST_KILLS: usize = 600;
/// The package codes are given out of.
const PACKAGE: &str = "88.111.1#1";

/// Codes by the id of the request that asked for them; `None` where no answer came.
type Told = BTreeMap<String, Option<Vec<String>>>;

#[derive(Clone)]
struct Client {
    inner: PackagesClient<Channel>,
    bearer: MetadataValue<Ascii>,
}

impl Client {
    fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.bearer.clone());
        request
    }

    /// Asks for codes, in one of three ways that the id says again after a restart.
    async fn codes(&self, id: &str) -> Result<Vec<String>, Status> {
        let mut inner = self.inner.clone();
        let number = Uuid::parse_str(id).unwrap().as_u128();
        match number % 3 {
            0 => {
                let request = AllocateRequest {
                    prefix: "88.111.1".into(),
                    stem: "B".into(),
                    width: 9,
                    form: CodeForm::Mac.into(),
                    count: 7,
                    request_id: id.into(),
                    ..AllocateRequest::default()
                };
                let answer = inner.allocate(self.request(request)).await?.into_inner();
                let package = answer.package.expect("a package");
                Ok(vec![package.name, package.first_code, package.last_code])
            }
            1 => {
                let request = ExportCodesRequest {
                    package: PACKAGE.into(),
                    count: 5 + u64::try_from(number % 40).unwrap(),
                    request_id: id.into(),
                    ..ExportCodesRequest::default()
                };
                list(inner.export(self.request(request)).await?.into_inner()).await
            }
            _ => {
                let request = LeaseCodesRequest {
                    package: PACKAGE.into(),
                    station: "line".into(),
                    count: 5 + u64::try_from(number % 30).unwrap(),
                    request_id: id.into(),
                    ..LeaseCodesRequest::default()
                };
                list(inner.lease(self.request(request)).await?.into_inner()).await
            }
        }
    }
}

async fn list(mut lines: Streaming<CodeLines>) -> Result<Vec<String>, Status> {
    let mut text = Vec::new();
    loop {
        match lines.message().await?.and_then(|lines| lines.part) {
            Some(Part::Header(_)) => {}
            Some(Part::Lines(part)) => text.extend(part),
            Some(Part::Trailer(_)) => break,
            None => return Err(Status::unavailable("cut short")),
        }
    }
    Ok(String::from_utf8(text).unwrap().lines().map(str::to_owned).collect())
}

fn client(runtime: &tokio::runtime::Runtime, bench: &Bench, daemon: &Daemon) -> Client {
    let token = std::fs::read_to_string(bench.data().join("operator-token")).expect("made at the first start");
    let url = format!("http://{}", daemon.address("grpc"));
    let channel = runtime.block_on(Channel::from_shared(url).unwrap().connect()).expect("the door is open");
    Client { inner: PackagesClient::new(channel), bearer: format!("Bearer {}", token.trim()).parse().unwrap() }
}

/// Asks until the daemon is gone.
async fn ask_on(client: Client, told: Arc<Mutex<Told>>) {
    loop {
        let id = Uuid::now_v7().to_string();
        told.lock().unwrap().insert(id.clone(), None);
        let Ok(codes) = client.codes(&id).await else { return };
        told.lock().unwrap().insert(id, Some(codes));
    }
}

#[test]
fn no_code_is_given_out_twice_and_none_is_lost_whenever_the_node_is_killed() {
    let bench =
        Bench::new("registration.plaintext = true\naccess.rate_per_second = 1000000\nwrite.group_commands = 8\n");
    bench.run(&["prefix", "home", "88.111.1"]).expect(0);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut random = StdRng::seed_from_u64(4);
    let told: Arc<Mutex<Told>> = Arc::default();
    let (mut kills, mut in_commit, mut open, mut done_unanswered) = (0, 0, 0, 0);
    let mut daemon = bench.serve();
    let first = client(&runtime, &bench, &daemon);
    let request = AllocateRequest {
        prefix: "88.111.1".into(),
        stem: "A".into(),
        width: 8,
        form: CodeForm::Mod37.into(),
        count: 10_000_000,
        ..AllocateRequest::default()
    };
    runtime.block_on(first.inner.clone().allocate(first.request(request))).unwrap();
    while in_commit < KILLS {
        assert!(kills < MOST_KILLS, "{in_commit} of {kills} kills met a commit");
        let client_now = client(&runtime, &bench, &daemon);
        let before = told.lock().unwrap().len();
        let askers: Vec<_> = (0..3).map(|_| runtime.spawn(ask_on(client_now.clone(), Arc::clone(&told)))).collect();
        let wanted = random.random_range(4..40);
        let began = tokio::time::Instant::now();
        while told.lock().unwrap().len() < before + wanted {
            assert!(began.elapsed() < PATIENCE, "nothing is answered any more");
            std::thread::sleep(Duration::from_millis(1));
        }
        loop {
            // Not to wait for anything: this is what makes the moment random.
            std::thread::sleep(Duration::from_micros(random.random_range(0..2_000)));
            assert!(daemon.process.stop(), "the daemon ended by itself");
            let met = moment(daemon.process.pid(), "/log/segment");
            if met != Some(Moment::Between) || random.random_ratio(1, 16) {
                kills += 1;
                in_commit += usize::from(met.is_none_or(|met| met != Moment::Between));
                daemon.process.kill();
                break;
            }
            daemon.process.go_on();
        }
        askers.into_iter().for_each(|asker| runtime.block_on(asker).unwrap());
        daemon = bench.serve();
        let client_now = client(&runtime, &bench, &daemon);
        // Asked again, each unanswered request is carried out once; the last answered ones say what they said.
        let snapshot = told.lock().unwrap().clone();
        for (id, codes) in &snapshot {
            if let Some(codes) = codes {
                if random.random_ratio(1, 8) {
                    assert_eq!(&runtime.block_on(client_now.codes(id)).unwrap(), codes, "request {id}");
                }
                continue;
            }
            open += 1;
            let serial = |client: &Client| {
                let ask = GetPackageRequest { name: PACKAGE.into(), with_parts: false };
                let package = runtime.block_on(client.inner.clone().get(client.request(ask))).unwrap().into_inner();
                let counts = package.counts.unwrap();
                counts.exported + counts.leased
            };
            let was = serial(&client_now);
            let codes = runtime.block_on(client_now.codes(id)).unwrap();
            let is_list = !Uuid::parse_str(id).unwrap().as_u128().is_multiple_of(3);
            done_unanswered += usize::from(is_list && serial(&client_now) == was);
            told.lock().unwrap().insert(id.clone(), Some(codes));
        }
    }
    let told = told.lock().unwrap();
    let mut seen = BTreeSet::new();
    let mut count = 0_u64;
    for (id, codes) in &*told {
        let codes = codes.as_ref().unwrap();
        let is_order = Uuid::parse_str(id).unwrap().as_u128().is_multiple_of(3);
        count += if is_order { 0 } else { codes.len() as u64 };
        for code in codes {
            assert!(seen.insert(code.clone()), "{code} was given out twice");
        }
    }
    let last = client(&runtime, &bench, &daemon);
    let ask = GetPackageRequest { name: PACKAGE.into(), with_parts: false };
    let package = runtime.block_on(last.inner.clone().get(last.request(ask))).unwrap().into_inner();
    let counts = package.counts.unwrap();
    assert_eq!(counts.exported + counts.leased, count, "as many as were told");
    println!(
        "{kills} kills, {in_commit} in a commit; {} requests, {open} without an answer, {done_unanswered} of those had been carried out",
        told.len()
    );
    daemon.stop().expect(0);
    bench.run(&["store", "check"]).expect(0);
}
