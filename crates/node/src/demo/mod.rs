//! `waymark demo`: a node on this machine with sample identifiers, asked over every transport.
//!
//! The node is the one `waymarkd` runs, with its data on disk; the questions go through real sockets by the same client everybody uses.

use std::{fs, path::Path, time::Duration};

use tokio::time::Instant;
use waymark_client::{Client, Options, Server, Transport, quic, tcp};

use crate::{
    cli::{
        Demo, Shown,
        resolve::of_listening,
        terminal::{self, Tone, grouped, table, toned},
    },
    config::{Config, schema::Value},
    daemon::{Node, Signals, stop_asked},
    listen::Listening,
    problem::{Exit, Problem},
    texts::Texts,
};

mod asking;
mod business;
mod docked;
mod packages;
mod questions;
pub(crate) mod registering;
pub(crate) mod samples;
mod topology;

use questions::{Outcome, Question};

/// File of the writer's token within the data folder.
const WRITER_TOKEN: &str = "demo-token";
/// Marks a folder the demo made and may make anew.
const MARKER: &str = "demo";
/// Time one question may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// What one transport gave.
#[derive(Debug, Default)]
struct Row {
    found: u64,
    refused: u64,
    absent: u64,
    unexpected: Vec<String>,
    bytes: usize,
    packets: u32,
    elapsed: Vec<Duration>,
}

/// Runs the demo.
pub(crate) async fn run(arguments: &Demo, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    if arguments.topology {
        return topology::run(arguments, texts, shown).await;
    }
    make_folder(&arguments.data)?;
    let config = configuration(&arguments.data);
    let samples = samples::all().map_err(|cause| Problem::new("demo-samples", Exit::Failed).with("cause", cause))?;
    terminal::line(format_args!(
        "{}",
        texts.text(
            "demo-importing",
            &[("count", samples.len().to_string().into()), ("data", arguments.data.display().to_string().into())]
        )
    ));
    let mut signals = Signals::take().map_err(|cause| Problem::new("signals", Exit::Failed).with("cause", cause))?;
    let node = Node::start(&config, &arguments.data).await?;
    terminal::line(format_args!("{}\n", node.listening().line()));
    let token_file = arguments.data.join(WRITER_TOKEN);
    let registering::Registered { checks: mut registered, writer, operator } =
        registering::run(node.listening(), &arguments.data, &token_file, samples::LINES, texts).await?;
    let (server, _) = of_listening(node.listening())?;
    let prefix = samples.first().map_or("", |sample| registering::prefix_of(&sample.handle));
    terminal::line("");
    registered.extend(packages::run(&writer, &server, prefix, &arguments.data, texts).await?);
    terminal::line("");
    registered.extend(business::run(&operator, &server, texts).await?);
    terminal::line("");
    let questions = questions::all(&samples);
    let mut rows = Vec::new();
    for transport in [Transport::Udp, Transport::Tcp, Transport::Quic] {
        rows.push((transport, ask_all(&server, transport, &questions).await?));
    }
    print_table(&rows, questions.len(), texts);
    let good = print_checks(&rows, &registered, texts, shown);
    print_what_next(node.listening(), &samples, &arguments.data, texts)?;
    if !arguments.once {
        terminal::line(texts.text("demo-serving", &[]));
        stop_asked(&mut signals).await;
    }
    node.stop(stop_asked(&mut signals)).await?;
    Ok(if good { Exit::Done } else { Exit::CheckFailed })
}

/// Makes the folder anew, but never removes one the demo did not make.
fn make_folder(data: &Path) -> Result<(), Problem> {
    let failed = |cause: std::io::Error| {
        Problem::new("file-not-written", Exit::Failed).with("path", data.display()).with("cause", cause)
    };
    let is_empty = || fs::read_dir(data).map(|mut entries| entries.next().is_none()).unwrap_or(false);
    if data.exists() {
        if !data.join(MARKER).exists() && !is_empty() {
            return Err(Problem::new("demo-folder", Exit::Unavailable).with("path", data.display()));
        }
        // A demo that still runs on the folder holds its lock.
        waymark_store::FolderLock::take(data).map_err(|cause| {
            Problem::new("data-in-use", Exit::Unavailable).with("path", data.display()).with("cause", cause)
        })?;
        fs::remove_dir_all(data).map_err(failed)?;
    }
    fs::create_dir_all(data).map_err(failed)?;
    fs::write(data.join(MARKER), "made by waymark demo; removed by its next start\n").map_err(failed)
}

/// Loopback, free ports, everything else as shipped.
fn configuration(data: &Path) -> Config {
    let mut config = Config::defaults();
    let free = || Value::List(vec!["127.0.0.1:0".to_owned()]);
    for key in ["listen.udp", "listen.tcp", "listen.quic", "listen.http", "listen.grpc", "listen.api"] {
        config.set(key, free());
    }
    config.set("node.data", Value::Text(data.display().to_string()));
    config.set("site.description", Value::Text("Waymark demo".to_owned()));
    config.set("store.segment_mib", Value::Number(4));
    config.set("log.level", Value::Text("warn".to_owned()));
    config
}

/// A way to ask that stays open over all questions, as real clients keep it.
enum Way {
    Udp(Client, Server),
    Tcp(tcp::Connection),
    // The stream ends with its connection.
    Quic { stream: Box<quic::Stream>, _connection: Box<quic::Connection> },
}

impl Way {
    async fn open(server: &Server, transport: Transport) -> Result<Self, Problem> {
        let failed = |cause: &dyn std::fmt::Display| Problem::new("no-answer", Exit::NoAnswer).with("cause", cause);
        let missing = || failed(&"no such door");
        Ok(match transport {
            Transport::Udp => {
                Self::Udp(Client::new(Options { order: vec![Transport::Udp], ..Options::default() }), server.clone())
            }
            Transport::Tcp => {
                let address = server.tcp.ok_or_else(missing)?;
                Self::Tcp(tcp::Connection::open(address).await.map_err(|cause| failed(&cause))?)
            }
            Transport::Quic => {
                let (address, name, trust) = server.quic.as_ref().ok_or_else(missing)?;
                let connection = quic::Connection::open(*address, name, trust).await.map_err(|cause| failed(&cause))?;
                let stream = connection.stream().await.map_err(|cause| failed(&cause))?;
                Self::Quic { stream: Box::new(stream), _connection: Box::new(connection) }
            }
        })
    }

    /// The answer and the number of datagrams it came in.
    async fn ask(&mut self, request: &[u8]) -> Result<(Vec<u8>, u32), String> {
        let exchange = async {
            match self {
                Self::Udp(client, server) => {
                    let answer = client.ask(server, request, DEADLINE).await.map_err(|error| error.to_string())?;
                    Ok((answer.message, answer.packets_received))
                }
                Self::Tcp(connection) => {
                    connection.send(request).await.map_err(|error| error.to_string())?;
                    Ok((connection.receive().await.map_err(|error| error.to_string())?, 0))
                }
                Self::Quic { stream, .. } => {
                    stream.send(request).await.map_err(|error| error.to_string())?;
                    Ok((stream.receive().await.map_err(|error| error.to_string())?, 0))
                }
            }
        };
        tokio::time::timeout(DEADLINE, exchange).await.map_err(|error| error.to_string())?
    }
}

async fn ask_all(server: &Server, transport: Transport, questions: &[Question<'_>]) -> Result<Row, Problem> {
    let mut way = Way::open(server, transport).await?;
    let mut row = Row::default();
    for question in questions {
        let request = question.request(transport != Transport::Udp);
        let started = Instant::now();
        let answered = way.ask(&request).await;
        row.elapsed.push(started.elapsed());
        match answered {
            Ok((answer, packets)) => {
                row.bytes += answer.len();
                row.packets += packets;
                let (outcome, as_expected) = question.judge(&answer);
                match outcome {
                    Outcome::Found => row.found += 1,
                    Outcome::Refused => row.refused += 1,
                    Outcome::Absent => row.absent += 1,
                }
                if !as_expected {
                    row.unexpected.push(String::from_utf8_lossy(&question.handle).into_owned());
                }
            }
            Err(cause) => row.unexpected.push(format!("{}: {cause}", String::from_utf8_lossy(&question.handle))),
        }
    }
    row.elapsed.sort_unstable();
    Ok(row)
}

fn print_table(rows: &[(Transport, Row)], asked: usize, texts: &Texts) {
    let head: Vec<String> = [
        "demo-transport",
        "demo-asked",
        "demo-found",
        "demo-refused",
        "demo-absent",
        "demo-bytes",
        "demo-packets",
        "demo-p50",
        "demo-p99",
    ]
    .iter()
    .map(|code| texts.text(code, &[]))
    .collect();
    let quantile = |row: &Row, percent: usize| {
        let at = (row.elapsed.len().saturating_sub(1) * percent).div_ceil(100);
        row.elapsed.get(at).map_or_else(String::new, |elapsed| format!("{:.2} ms", elapsed.as_secs_f64() * 1_000.0))
    };
    let lines: Vec<Vec<String>> = rows
        .iter()
        .map(|(transport, row)| {
            let packets = if *transport == Transport::Udp { row.packets.to_string() } else { "–".to_owned() };
            vec![
                transport.to_string(),
                asked.to_string(),
                row.found.to_string(),
                row.refused.to_string(),
                row.absent.to_string(),
                grouped(row.bytes as u64),
                packets,
                quantile(row, 50),
                quantile(row, 99),
            ]
        })
        .collect();
    terminal::line(table(&head, &lines));
}

/// Prints each check; says whether all held.
fn print_checks(rows: &[(Transport, Row)], registered: &registering::Checks, texts: &Texts, shown: Shown) -> bool {
    let mark = |good: bool| {
        if good { toned("✓", Tone::Good, shown.colours) } else { toned("✗", Tone::Bad, shown.colours) }
    };
    let mut good = true;
    for (code, held) in registered {
        terminal::line(format_args!("{} {}", mark(*held), texts.text(code, &[])));
        good &= held;
    }
    for (transport, row) in rows {
        let held = row.unexpected.is_empty();
        terminal::line(format_args!(
            "{} {}",
            mark(held),
            texts.text("demo-check-answers", &[("transport", transport.to_string().into())])
        ));
        for unexpected in &row.unexpected {
            terminal::line(format_args!("    {}", crate::cli::present::safe(unexpected)));
        }
        good &= held;
    }
    good
}

fn print_what_next(
    listening: &Listening,
    samples: &[samples::Sample],
    data: &Path,
    texts: &Texts,
) -> Result<(), Problem> {
    let Some(sample) = samples.first() else { return Ok(()) };
    let names: Vec<&str> = samples.iter().map(|sample| sample.handle.as_str()).collect();
    let file = data.join("names.txt");
    fs::write(&file, names.join("\n")).map_err(|cause| {
        Problem::new("file-not-written", Exit::Failed).with("path", file.display()).with("cause", cause)
    })?;
    let tool = std::env::args().next().unwrap_or_else(|| "waymark".to_owned());
    let data = data.display();
    let (restricted, index) = questions::restricted(samples).unwrap_or_default();
    let udp = listening.udp.first().map(ToString::to_string).unwrap_or_default();
    let quic = listening.quic.first().map(ToString::to_string).unwrap_or_default();
    let http = listening.http.first().map(ToString::to_string).unwrap_or_default();
    terminal::line(format_args!("\n{}", texts.text("demo-next", &[])));
    let api = listening.api.first().map(ToString::to_string).unwrap_or_default();
    let grpc = listening.grpc.first().map(ToString::to_string).unwrap_or_default();
    let server = format!("--server grpcs://{grpc} --pin {}", listening.registration_fingerprint);
    let writer = format!("{server} --token-file {data}/{WRITER_TOKEN}");
    let operator = format!("{server} --token-file {data}/{}", crate::registration::OPERATOR_TOKEN);
    let prefix = sample.handle.split('/').next().unwrap_or_default();
    for command in [
        format!("{tool} resolve {} --server udp://{udp}", sample.handle),
        format!("{tool} resolve {} --server quic://{quic} --pin {}", sample.handle, listening.quic_fingerprint),
        format!("{tool} resolve {restricted} --index {index} --restricted --data {data}"),
        format!("{tool} resolve {} --data {data} --lang zh", questions::absent(sample)),
        format!("{tool} register {prefix}/DEMO.1 --value '1 URL https://example.invalid/1' {writer}"),
        format!("{tool} history {prefix}/DEMO.1 {writer}"),
        format!("{tool} range show {prefix}#1 --parts {writer}"),
        format!("{tool} range lease {prefix}#1 {data}/lease.csv --station line-3 --count 1000 {writer}"),
        format!("{tool} recall 88.990.20002 --batch B2026-11 --lift {operator}"),
        format!("{tool} verdict 88.990.20002/BOX.1 {operator}"),
        format!("{tool} watch --from 0 --until-now {operator}"),
        format!("{tool} audit search --limit 5 {operator}"),
        format!("{tool} load --data {data} --names {} --seconds 3", file.display()),
        format!("{tool} status --data {data}"),
        format!("curl http://{http}/metrics"),
        format!("curl -k -H \"authorization: Bearer $(cat {data}/{WRITER_TOKEN})\" https://{api}/v1/whoami"),
    ] {
        terminal::line(format_args!("  {command}"));
    }
    terminal::line(format_args!(""));
    Ok(())
}
