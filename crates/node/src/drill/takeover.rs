//! The drill of a takeover: a node fails, the node above restores its last deposit and serves it, the node returns and takes in what was registered
//! meanwhile.
//!
//! A deposit is of the beginning of a day in UTC. So that there is one, the node of the drill begins a day before with identifiers that were registered
//! then, by a clock that is put back; everything else happens now.

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use serde_json::{Value, json};
use tokio::time::Instant;
use waymark_api::registration::v1::{self, change::Action, value::Data};
use waymark_catalog::{Actor, Command, HomeName, PutMode, Submission, Timestamp, Timestamps, ValueSet, machine_time};
use waymark_client::registration::Registrar;
use waymark_top_sync::deposit::{day_of, keys, watermark};
use waymark_wire::ValueBuf;

use super::{
    Report,
    stage::{Stage, tool},
};
use crate::{
    above::Phase,
    cli::deposit::key_problem,
    config::{Config, schema},
    daemon::{close, open_catalog},
    demo::registering::{done, failed},
    problem::Problem,
    process::Process,
    registration::OPERATOR_TOKEN,
    top_process::{TopNode, until},
};

/// Prefix of the node.
const NODE: &str = "88.990";

/// Identifiers it had the day before.
const BEFORE: u32 = 200;

/// Half a day, in milliseconds.
const HALF_A_DAY: u64 = 12 * 3_600 * 1_000;

/// The time of the day before.
static YESTERDAY: AtomicU64 = AtomicU64::new(0);

fn yesterday() -> Timestamp {
    Timestamp(YESTERDAY.fetch_add(1, Ordering::Relaxed))
}

/// Plays the drill. Steps that go wrong are told; what cannot be gone on from is a problem.
pub(super) async fn run(keep: Option<&Path>, report: &mut Report<'_>) -> Result<(), Problem> {
    let stage = Stage::new(keep)?;
    if let Some(folder) = keep {
        report.remark("drill-folder-kept", &[("path", folder.display().to_string())]);
    }
    prepare(&stage).await?;
    report.step("drill-before", true, &[("count", BEFORE.to_string()), ("node", NODE.to_owned())]);
    let mut top = start_top(&stage).await?;
    let mut node = start_node(&stage, &top).await?;
    let served = in_service(&top, &node).await? && says(&top, "BOX.1", "of yesterday").await;
    report.step("drill-started", served, &[]);
    let deposited = deposit(&stage, &node).await?;
    report.step("drill-deposit", deposited, &[]);
    let operator = node.operator(report.texts)?;
    // Acknowledged, and in no deposit: the next would be of tomorrow.
    put(&operator, "LATE.1", "registered at the node").await?;
    put(&operator, "BOX.3", "changed at the node, earlier").await?;
    put(&operator, "BOX.5", "changed at the node, earlier").await?;
    report.step("drill-behind", true, &[]);

    drop(node);
    let down = Instant::now();
    let is_down = top.scan(&of("BOX.1")).await.is_none();
    report.step("drill-killed", is_down, &[]);
    let due = until(async || state(&top).await.as_deref() == Some("takeover-due")).await;
    let share = share(&top).await;
    report.step("drill-due", due, &[("percent", share)]);
    let serving = until(async || phase(&top).await == Some(Phase::Serving)).await;
    report.step("drill-restored", serving, &[]);
    let answered = until(async || says(&top, "BOX.1", "of yesterday").await).await;
    let out = down.elapsed().as_millis();
    report.step("drill-answered", answered, &[("ms", out.to_string())]);
    let emergency = Emergency::of(&top).await?;
    let registered = emergency_registrations(&emergency, &top).await?;
    report.step("drill-emergency", registered, &[]);

    node = start_node(&stage, &top).await?;
    let operator = node.operator(report.texts)?;
    put(&operator, "BOX.4", "changed at the node, later").await?;
    report.step("drill-returned", true, &[]);
    bring_back(&stage, &emergency, &node, report).await?;
    top.tell("/takeover/end", &json!({})).await?;
    let ended = until(async || points_at(&top, &node).await).await;
    let scanned = says(&top, "EM.1", "registered during the takeover").await && says(&top, "LATE.1", LATE).await;
    let again = in_service(&top, &node).await?;
    report.step("drill-ended", ended && scanned && again, &[("ms", down.elapsed().as_millis().to_string())]);
    node.stop().await;
    top.stop().await;
    let code = if report.failed == 0 { "drill-good" } else { "drill-bad" };
    report.remark(code, &[("ms", out.to_string()), ("failed", report.failed.to_string())]);
    Ok(())
}

/// What `LATE.1` is in the end: both sides registered it, the emergency node later.
const LATE: &str = "registered during the takeover too";

fn of(suffix: &str) -> String {
    format!("{NODE}/{suffix}")
}

/// Keys, folders, and the node of the day before.
async fn prepare(stage: &Stage) -> Result<(), Problem> {
    for name in ["node", "platform"] {
        keys::make_pair(stage.folder(), name).map_err(|cause| key_problem(&cause))?;
    }
    std::fs::create_dir(stage.path("deposits")).map_err(|cause| failed(&cause))?;
    let noon = watermark(day_of(machine_time())).0.saturating_sub(HALF_A_DAY);
    YESTERDAY.store(noon, Ordering::Relaxed);
    let mut config = Config::defaults();
    let data = stage.path("node");
    config.set("node.data", schema::Value::Text(data.display().to_string()));
    config.set("store.segment_mib", schema::Value::Number(4));
    let mut options = config.catalog(&data);
    options.clock = yesterday;
    options.store.now = Timestamp(noon);
    let catalog = open_catalog(options).await?.catalog;
    let writer = catalog.clone();
    let written = tokio::task::spawn_blocking(move || {
        let home = HomeName::parse(NODE.as_bytes()).map_err(|cause| failed(&cause))?;
        let mut commands = vec![Command::Home { name: home }];
        for number in 1..=BEFORE {
            let values = ValueSet::from_bufs(&[ValueBuf::new(1, b"DESC", b"of yesterday")]);
            let values = values.map_err(|cause| failed(&cause))?;
            let (handle, timestamps) = (of(&format!("BOX.{number}")).into_bytes(), Timestamps::Keep);
            commands.push(Command::Put { handle, values, timestamps, mode: PutMode::Create });
        }
        let submitted = writer.writer().submit_when_room(Submission::new(&Actor::operator(), commands));
        let results = submitted.map_err(|cause| failed(&cause))?.wait().map_err(|cause| failed(&cause))?;
        results.into_iter().find_map(Result::err).map_or(Ok(()), |refusal| Err(failed(&refusal)))
    });
    let written = written.await.map_err(|cause| failed(&cause))?;
    close(catalog).await?;
    written
}

async fn start_top(stage: &Stage) -> Result<TopNode, Problem> {
    let path = |name: &str| stage.path(name).display().to_string();
    let (deposits, node_key, platform_key) = (path("deposits"), path("node.pub"), path("platform.key"));
    let probes = ["--probers", "4", "--probe-every", "200", "--probe-patience", "3000", "--probe-window", "3000"];
    let takeover = ["--takeover", NODE, "--deposits", &deposits, "--deposit-node-key", &node_key];
    let platform = ["--deposit-platform-key", platform_key.as_str()];
    TopNode::start(stage.folder(), &[&probes[..], &takeover, &platform].concat()).await
}

async fn start_node(stage: &Stage, top: &TopNode) -> Result<Process, Problem> {
    let key = |name: &str| stage.path(name).display().to_string();
    let settings = format!(
        "[listen]\nudp = [\"127.0.0.1:0\"]\ntcp = [\"127.0.0.1:0\"]\nquic = []\nhttp = []\ngrpc = [\"127.0.0.1:0\"]\n\
         api = []\n\n[site]\naddresses = [\"127.0.0.1\"]\n\n[store]\nsegment_mib = 4\n\n[log]\nlevel = \"warn\"\n\n\
         [sync]\nprefix = \"{NODE}\"\nserver = \"{}\"\n\n[deposit]\nnode_key = {:?}\nplatform_key = {:?}\n",
        top.grpc,
        key("node.key"),
        key("platform.pub"),
    );
    let node = Process::start(stage.folder(), "node", &stage.path("node"), &settings).await?;
    let listening = node.listening();
    let grpc = listening.grpc.first().ok_or_else(|| failed(&"the node has no gRPC door"))?;
    let door = json!({ "url": format!("grpcs://{grpc}"), "pin": listening.registration_fingerprint });
    // As an operator enters it where the node above keeps the addresses of registration.
    top.tell("/probes", &json!({ "registration": { NODE: [door] } })).await?;
    Ok(node)
}

/// Waits until the node above finds the node in service, at the addresses it has now.
async fn in_service(top: &TopNode, node: &Process) -> Result<bool, Problem> {
    let found = until(async || state(top).await.as_deref() == Some("in-service")).await;
    Ok(found && until(async || points_at(top, node).await).await)
}

async fn points_at(top: &TopNode, node: &Process) -> bool {
    let server = top.server_of(NODE).await;
    server.is_some_and(|server| server.udp == node.listening().udp.first().copied())
}

async fn probed(top: &TopNode) -> Option<Value> {
    let page = top.page("/probes").await.ok()?;
    page.get("nodes")?.as_array()?.iter().find(|node| node.get("node").and_then(Value::as_str) == Some(NODE)).cloned()
}

async fn state(top: &TopNode) -> Option<String> {
    Some(probed(top).await?.get("state")?.as_str()?.to_owned())
}

async fn share(top: &TopNode) -> String {
    let probed = probed(top).await.unwrap_or_default();
    probed.get("percent").and_then(Value::as_str).unwrap_or("-").to_owned()
}

async fn phase(top: &TopNode) -> Option<Phase> {
    let page = top.page("/takeover").await.ok()?;
    let phase = page.get("phase")?.as_str()?;
    [Phase::Watching, Phase::Restoring, Phase::Serving, Phase::Ending, Phase::Failed]
        .into_iter()
        .find(|known| json!(known).as_str() == Some(phase))
}

/// Whether a scan is answered with this description.
async fn says(top: &TopNode, suffix: &str, text: &str) -> bool {
    top.scan(&of(suffix)).await.is_some_and(|texts| texts.iter().any(|each| each == text))
}

/// The words that name a node and its operator to the program.
fn words(grpc: &str, pin: &str, token: &Path) -> Vec<String> {
    ["--server", grpc, "--pin", pin, "--token-file", &token.display().to_string()].map(str::to_owned).to_vec()
}

fn words_of(node: &Process) -> Vec<String> {
    let grpc = node.listening().grpc.first().map(|address| format!("grpcs://{address}")).unwrap_or_default();
    words(&grpc, &node.listening().registration_fingerprint, &node.data().join(OPERATOR_TOKEN))
}

async fn run_tool(words: &[&str], more: &[String]) -> Result<(i32, Vec<Value>), Problem> {
    tool(words.iter().map(|word| (*word).to_owned()).chain(more.iter().cloned()).collect()).await
}

async fn deposit(stage: &Stage, node: &Process) -> Result<bool, Problem> {
    let out = stage.path("deposits").display().to_string();
    let (code, lines) =
        run_tool(&["deposit", "make", "--prefix", NODE, "--full", "--out", &out, "--json"], &words_of(node)).await?;
    let identifiers = lines.first().and_then(|line| line.get("identifiers")).and_then(Value::as_u64);
    Ok(code == 0 && identifiers == Some(u64::from(BEFORE)))
}

async fn put(operator: &Registrar, suffix: &str, text: &str) -> Result<(), Problem> {
    let value = v1::Value {
        index: 1,
        r#type: "DESC".to_owned(),
        data: Some(Data::Text(text.to_owned())),
        ..v1::Value::default()
    };
    act(operator, suffix, Action::Replace(v1::Replace { values: vec![value], keep_timestamps: false })).await
}

async fn act(operator: &Registrar, suffix: &str, action: Action) -> Result<(), Problem> {
    let change = v1::Change { handle: of(suffix), action: Some(action), expect: None };
    done(operator.apply(change, None).await).map(drop)
}

/// The emergency node, as the page of the node above tells it.
struct Emergency {
    words: Vec<String>,
    data: String,
    registrar: Registrar,
}

impl Emergency {
    async fn of(top: &TopNode) -> Result<Self, Problem> {
        let page = top.page("/takeover").await?;
        let text = |name: &str| page.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(grpc), Some(pin), Some(data)) = (text("grpc"), text("pin"), text("data")) else {
            return Err(failed(&"nobody was taken over"));
        };
        let token = Path::new(&data).join(OPERATOR_TOKEN);
        let mut endpoint = waymark_client::registration::Endpoint::new(grpc.parse().map_err(|cause| failed(&cause))?);
        endpoint.trust = Some(waymark_client::registration::ServerTrust::Pin(crate::cli::resolve::parse_pin(&pin)?));
        endpoint.token = Some(crate::demo::registering::read(&token)?);
        let registrar = Registrar::connect(&endpoint).map_err(|cause| failed(&cause))?;
        Ok(Self { words: words(&grpc, &pin, &token), data, registrar })
    }
}

/// What enterprises do during the takeover, by the ordinary registration.
async fn emergency_registrations(emergency: &Emergency, top: &TopNode) -> Result<bool, Problem> {
    let at = &emergency.registrar;
    put(at, "EM.1", "registered during the takeover").await?;
    put(at, "BOX.1", "changed during the takeover").await?;
    act(at, "BOX.2", Action::Delete(v1::Delete {})).await?;
    put(at, "BOX.3", "changed during the takeover, later").await?;
    put(at, "BOX.4", "changed during the takeover, earlier").await?;
    act(at, "BOX.5", Action::Delete(v1::Delete {})).await?;
    act(at, "BOX.6", Action::Suspend(v1::Suspend { reason: "leaks".to_owned() })).await?;
    put(at, "LATE.1", LATE).await?;
    // Ordinary rules hold: a prefix that is not the node's is refused.
    let foreign =
        v1::Change { handle: "88.991/X".to_owned(), action: Some(Action::Create(v1::Create::default())), expect: None };
    let refused = at.apply(foreign, None).await.is_err();
    let gone = top.scan(&of("BOX.2")).await == Some(Vec::new());
    Ok(refused && gone && says(top, "EM.1", "registered during the takeover").await)
}

/// What was registered comes back, as an operator brings it back.
async fn bring_back(
    stage: &Stage,
    emergency: &Emergency,
    node: &Process,
    report: &mut Report<'_>,
) -> Result<(), Problem> {
    let path = |name: &str| stage.path(name).display().to_string();
    let (file, back) = (path("takeover.jsonl"), path("returned.jsonl"));
    let at_node = words_of(node);
    let (code, lines) =
        run_tool(&["takeover", "export", &file, "--data", &emergency.data, "--json"], &emergency.words).await?;
    let changes = figure(&lines, "changes");
    report.step("drill-exported", code == 0 && changes == 8, &[("count", changes.to_string())]);
    let (code, lines) = run_tool(&["takeover", "import", &file, "--dry-run", "--json"], &at_node).await?;
    let conflicts: Vec<&Value> =
        lines.iter().filter(|line| line.get("event").and_then(Value::as_str) == Some("conflict")).collect();
    report.step("drill-dry-run", code == 0 && conflicts.len() == 4, &[("count", conflicts.len().to_string())]);
    for conflict in &conflicts {
        let text = |name: &str| conflict.get(name).and_then(Value::as_str).unwrap_or_default();
        let kind = report.word("takeover-kind-", text("kind"));
        let holds = report.word("takeover-holds-", text("holds"));
        report.remark("drill-conflict", &[("handle", text("handle").to_owned()), ("kind", kind), ("holds", holds)]);
    }
    let (code, lines) = run_tool(&["takeover", "import", &file, "--json"], &at_node).await?;
    let taken = (figure(&lines, "created"), figure(&lines, "changed"), figure(&lines, "deleted"));
    let good = code == 0 && taken == (1, 4, 2) && figure(&lines, "kept") == 1;
    report.step("drill-imported", good, &[]);
    let (code, lines) = run_tool(&["takeover", "import", &file, "--json"], &at_node).await?;
    let repeated = code == 0 && figure(&lines, "done_before") == 8;
    report.step("drill-repeated", repeated, &[]);
    let (exported, _) = run_tool(&["takeover", "export", &back, "--returned", &file, "--json"], &at_node).await?;
    let words = ["takeover", "import", &back, "--data", &emergency.data, "--json"];
    let (imported, _) = run_tool(&words, &emergency.words).await?;
    let mut digests = Vec::new();
    for words in [&at_node, &emergency.words] {
        let (_, lines) = run_tool(&["takeover", "digest", "--prefix", NODE, "--json"], words).await?;
        let sum = lines.first().and_then(|line| line.get("sha256")).and_then(Value::as_str).unwrap_or_default();
        digests.push((figure(&lines, "identifiers"), sum.to_owned()));
    }
    let wanted = u64::from(BEFORE); // two are new, two are gone
    let equal = digests.first() == digests.last() && digests.first().is_some_and(|(count, _)| *count == wanted);
    let sum = digests.first().map(|(_, sum)| sum.clone()).unwrap_or_default();
    report.step("drill-equal", exported == 0 && imported == 0 && equal, &[("digest", sum)]);
    Ok(())
}

/// A figure of the last line a command printed.
fn figure(lines: &[Value], name: &str) -> u64 {
    lines.last().and_then(|line| line.get(name)).and_then(Value::as_u64).unwrap_or(0)
}
