//! `waymark demo --topology`: five nodes as processes of their own, one above the other, what the node above them is told, and a scan that crosses all.
//!
//! ```text
//!                top-level node 88  ······  its exchange: `waymark top-node`
//!               /                 \
//!   secondary node 88.990    secondary node 88.991        recursive node
//!              |                                               |
//!   enterprise node 88.990.10001                            scanner
//! ```
//! The top-level node is two processes. The node named `top-level` resolves as one that delegates step by step, so that the scan crosses every node.
//! `waymark top-node` takes the sets of the secondary nodes docked with it; its own resolution knows from set T7 where the enterprise answers, and would
//! send the scan past the secondary node.

use std::{path::Path, time::Duration};

use waymark_api::{
    operator::v1 as operator,
    registration::v1::{self, change::Action, value::Data},
};
use waymark_client::{Client, Options, registration::Registrar};
use waymark_wire::{
    Head, OpFlags,
    limits::ResponseLimits,
    request::RequestWriter,
    response::{Response, ResponseBody},
};

use super::{
    docked::{self, OTHER, SECONDARY},
    make_folder, print_checks,
    registering::{Checks, done, failed, say},
};
use crate::{
    cli::{Demo, Shown, server::cache, terminal},
    daemon::{Signals, stop_asked},
    problem::{Exit, Problem},
    process::Process,
    registration::OPERATOR_TOKEN,
    texts::Texts,
    top_process::TopNode,
};

/// What the scanner reads off a box of the enterprise, and the part of another maker that stands in it.
const BOX: &str = "88.990.10001/BOX.1";
const PART: &str = "88.991.3/PUMP.7";

/// Starts a node as `waymarkd`, its data and its log in a folder.
async fn start(folder: &Path, name: &'static str, settings: String) -> Result<Process, Problem> {
    let settings = format!(
        "[listen]\nudp = [\"127.0.0.1:0\"]\ntcp = [\"127.0.0.1:0\"]\nquic = [\"127.0.0.1:0\"]\nhttp = []\n\
         grpc = [\"127.0.0.1:0\"]\napi = []\n\n[site]\ndescription = \"{name}\"\naddresses = [\"127.0.0.1\"]\n\n\
         [store]\nsegment_mib = 4\n\n[log]\nlevel = \"warn\"\n{settings}"
    );
    Process::start(folder, name, &folder.join(name), &settings).await
}

/// Runs the demo of several nodes.
pub(super) async fn run(arguments: &Demo, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    make_folder(&arguments.data)?;
    let mut signals = Signals::take().map_err(|cause| Problem::new("signals", Exit::Failed).with("cause", cause))?;
    let folder = &arguments.data;
    let enterprise = start(folder, "enterprise", String::new()).await?;
    let mut above = TopNode::start(folder, &[]).await?;
    let mut secondary = start(folder, "secondary-a", String::new()).await?;
    let other = start(folder, "secondary-b", docked::settings(OTHER, &above)).await?;
    let mut top = start(folder, "top-level", String::new()).await?;
    fill(&enterprise, &secondary, &other, texts).await?;
    // It is docked when it has something to tell: enterprises are told by the hour, and with the start of a node.
    secondary.stop().await;
    let secondary = start(folder, "secondary-a", docked::settings(SECONDARY, &above)).await?;
    delegate_from(&top, &secondary, &other, texts).await?;
    let root = top.listening().udp.first().map(ToString::to_string).unwrap_or_default();
    let settings =
        format!("\n[recursion]\nsources = [\"127.0.0.0/8\"]\nroots = [\"{root}\"]\nprivate_servers = true\n");
    let recursive = start(folder, "recursive", settings).await?;
    for node in [&enterprise, &secondary, &other, &top, &recursive] {
        terminal::line(format_args!("{:<12} {}", node.name(), node.listening().line()));
    }
    terminal::line(format_args!("{:<12} {}", "top-node", above.grpc));
    terminal::line("");
    let mut checks = docked::told(&above, &secondary, &other, &enterprise, texts).await?;
    above.stop().await;
    terminal::line("");
    let mut nodes = vec![enterprise, secondary, other];
    checks.extend(scan(&recursive, &mut top, &mut nodes, texts, shown).await?);
    let good = print_checks(&[], &checks, texts, shown);
    let server = recursive.listening().udp.first().map(ToString::to_string).unwrap_or_default();
    let grpc = recursive.listening().grpc.first().map(ToString::to_string).unwrap_or_default();
    let operator = format!(
        "--server grpcs://{grpc} --pin {} --token-file {}",
        recursive.listening().registration_fingerprint,
        recursive.data().join(OPERATOR_TOKEN).display()
    );
    let tool = std::env::args().next().unwrap_or_else(|| "waymark".to_owned());
    terminal::line(format_args!("\n{}", texts.text("demo-next", &[])));
    for command in [
        format!("{tool} resolve {BOX} --server udp://{server}"),
        format!("{tool} trace {BOX} {operator}"),
        format!("{tool} cache stats {operator}"),
        format!("{tool} cache dump {operator}"),
        format!("{tool} cache flush --prefix 88.990 {operator}"),
    ] {
        terminal::line(format_args!("  {command}"));
    }
    if !arguments.once {
        terminal::line(texts.text("demo-serving", &[]));
        stop_asked(&mut signals).await;
    }
    for node in nodes.iter_mut().chain([&mut { recursive }]) {
        node.stop().await;
    }
    Ok(if good { Exit::Done } else { Exit::CheckFailed })
}

/// Gives each node below the top-level one what it answers for.
async fn fill(enterprise: &Process, secondary: &Process, other: &Process, texts: &Texts) -> Result<(), Problem> {
    let at = enterprise.operator(texts)?;
    serve(&at, &[docked::ENTERPRISE]).await?;
    put(&at, BOX, vec![text(1, "DESC", "挖掘机备件箱"), text(2, "PART", PART)]).await?;
    let at = secondary.operator(texts)?;
    serve(&at, &[SECONDARY, "0.NA/0.NA/88.990"]).await?;
    docked::delegate(&at, enterprise).await?;
    let at = other.operator(texts)?;
    serve(&at, &[OTHER, "0.NA/0.NA/88.991", "88.991.3"]).await?;
    put(&at, PART, vec![text(1, "DESC", "液压泵")]).await
}

/// The top-level node says of the secondary ones where they are.
async fn delegate_from(top: &Process, secondary: &Process, other: &Process, texts: &Texts) -> Result<(), Problem> {
    let at = top.operator(texts)?;
    serve(&at, &["0.NA/0.NA/88"]).await?;
    for (prefix, node) in [(SECONDARY, secondary), (OTHER, other)] {
        put(&at, &format!("0.NA/{prefix}"), site_values(node.site().await?)).await?;
    }
    Ok(())
}

async fn serve(operator: &Registrar, prefixes: &[&str]) -> Result<(), Problem> {
    for prefix in prefixes {
        done(operator.home(&operator::HomeRequest { prefix: (*prefix).to_owned() }).await)?;
    }
    Ok(())
}

async fn put(operator: &Registrar, handle: &str, values: Vec<v1::Value>) -> Result<(), Problem> {
    let create = Action::Create(v1::Create { values, keep_timestamps: false });
    let change = v1::Change { handle: handle.to_owned(), action: Some(create), expect: None };
    done(operator.apply(change, None).await)?;
    Ok(())
}

fn text(index: u32, kind: &str, text: &str) -> v1::Value {
    value(index, kind, Data::Text(text.to_owned()))
}

/// Where the handles of a prefix live, and the records of prefixes derived from it.
fn site_values(site: Vec<u8>) -> Vec<v1::Value> {
    vec![value(1, "HS_SITE", Data::Raw(site.clone())), value(2, "HS_SITE.PREFIX", Data::Raw(site))]
}

fn value(index: u32, kind: &str, data: Data) -> v1::Value {
    v1::Value { index, r#type: kind.to_owned(), data: Some(data), ..v1::Value::default() }
}

/// The scan: the box, then the part in it; again from memory; and again when nobody is left to ask.
async fn scan(
    recursive: &Process,
    top: &mut Process,
    nodes: &mut [Process],
    texts: &Texts,
    shown: Shown,
) -> Result<Checks, Problem> {
    let operator = recursive.operator(texts)?;
    let mut servers = std::collections::BTreeSet::new();
    for handle in [BOX, PART] {
        let request = operator::TraceNameRequest { handle: handle.to_owned(), ..operator::TraceNameRequest::default() };
        let traced = done(operator.trace_name(&request).await)?;
        terminal::line(texts.text("demo-topology-trace", &[("handle", handle.into())]));
        cache::print_trace(&traced, texts, shown);
        terminal::line("");
        servers.extend(traced.hops.iter().filter_map(cache::server_of));
    }
    let crossed = servers.len() == 4;
    let client = Client::new(Options::default());
    let known = told(&client, recursive, BOX).await? == ["挖掘机备件箱", PART];
    top.stop().await;
    for node in nodes.iter_mut() {
        node.stop().await;
    }
    say(texts, "demo-topology-stopped", &[]);
    let survives = told(&client, recursive, PART).await? == ["液压泵"];
    let down = told(&client, recursive, "88.990.10001/BOX.2").await?;
    let tells_down = down.iter().any(|text| text.starts_with("UPSTREAM_DOWN"));
    Ok(vec![
        ("demo-check-crossed", crossed),
        ("demo-check-known", known),
        ("demo-check-survives", survives),
        ("demo-check-down", tells_down),
    ])
}

/// The texts of an identifier's values as the recursive node gives them, or what it says instead.
async fn told(client: &Client, recursive: &Process, handle: &str) -> Result<Vec<String>, Problem> {
    let head = Head::request(0, OpFlags::USUAL, u32::MAX >> 1);
    let request = RequestWriter::new(Vec::new(), head).resolution(handle.as_bytes(), &[], &[], None);
    let asked = client.ask(&recursive.server()?, &request, Duration::from_secs(30)).await;
    let answer = asked.map_err(|cause| failed(&cause))?;
    let response = Response::parse(&answer.message, ResponseLimits::WHOLE_MESSAGE).map_err(|cause| failed(&cause))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(match response.body {
        ResponseBody::Resolution { values, .. } => values.iter().map(|value| text(value.data)).collect(),
        ResponseBody::Error { message, .. } => vec![text(message)],
        _ => Vec::new(),
    })
}
