//! Durable streaming registration end to end (client process, gRPC, log, visible) and a null service that decodes the same messages, in turns.
//!
//! `cargo run --release -p waymark-benches --bin ingest` after `cargo build --release`; `--help` lists the rest.
#![forbid(unsafe_code)]

use std::{
    error::Error,
    io::{self, Write as _},
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use clap::Parser;
use waymark_benches::{
    ingest::{
        load::{self, Plan, Tally},
        null,
        record::{PREFIX, Shape},
    },
    running::{self, Server, first_line},
    side_by_side::{processor, spread::Spread},
};

/// Measures durable registration against a service that only decodes.
#[derive(Debug, Parser)]
struct Arguments {
    /// Bytes of each record's values in wire form.
    #[arg(long, default_value_t = 637)]
    record_bytes: usize,
    /// Turns of each server.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Seconds of one turn.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Changes in one message.
    #[arg(long, default_value_t = 256)]
    batch: u64,
    /// Messages under way.
    #[arg(long, default_value_t = 32)]
    window: usize,
    /// Processor of the servers.
    #[arg(long, default_value_t = 0)]
    server_processor: usize,
    /// Processor of the client.
    #[arg(long, default_value_t = 1)]
    load_processor: usize,
    /// Folder for the node's data, on the disk to measure (default: the system's folder for such).
    #[arg(long)]
    scratch: Option<PathBuf>,
    /// Folder of the built `waymark` and `waymarkd` (default: where this program is).
    #[arg(long)]
    binaries: Option<PathBuf>,
    /// One JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Be the null service: print the port and serve.
    #[arg(long, hide = true)]
    null: bool,
}

/// One turn of one server.
struct Turn {
    rate: f64,
    micros_per_record: f64,
    refused: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if arguments.null {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        return runtime.block_on(null::serve(|address| {
            let mut out = io::stdout();
            // The parent reads it or is gone.
            let _written = writeln!(out, "{address}").and_then(|()| out.flush());
        }));
    }
    let binaries = running::binaries(arguments.binaries.as_deref())?;
    let scratch = match &arguments.scratch {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let null = start_null(&arguments)?;
    let node = running::start_node(&binaries, scratch.path(), PREFIX, arguments.server_processor)?;
    let (mut null_turns, mut node_turns) = (Vec::new(), Vec::new());
    for round in 0..=arguments.rounds {
        for (server, turns) in [(&null, &mut null_turns), (&node, &mut node_turns)] {
            let turn = measure(&arguments, server, round)?;
            // The first round warms both up.
            if round > 0 {
                turns.push(turn);
            }
        }
    }
    report(&arguments, &null_turns, &node_turns);
    Ok(())
}

fn start_null(arguments: &Arguments) -> Result<Server, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--null").stdout(Stdio::piped());
    let mut child = processor::on(arguments.server_processor, || command.spawn())?;
    let url = format!("http://{}", first_line(&mut child)?.trim());
    Ok(Server { child, url, token: None })
}

fn measure(arguments: &Arguments, server: &Server, round: u32) -> Result<Turn, Box<dyn Error>> {
    let plan = Plan {
        server: server.url.clone(),
        token: server.token.clone(),
        shape: Shape::of(arguments.record_bytes),
        round,
        batch: arguments.batch.max(1),
        window: arguments.window.max(1),
        length: Duration::from_secs(arguments.seconds),
    };
    let before = processor::used_nanos(server.child.id())?;
    let Tally { items, refused, elapsed } = processor::on(arguments.load_processor, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(load::run(&plan)).map_err(|error| io::Error::other(error.to_string()))
    })?;
    let used = processor::used_nanos(server.child.id())?.saturating_sub(before);
    if items == 0 {
        return Err("nothing was acknowledged".into());
    }
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    Ok(Turn {
        rate: items as f64 / elapsed.as_secs_f64(),
        micros_per_record: used as f64 / 1_000.0 / items as f64,
        refused,
    })
}

fn report(arguments: &Arguments, null: &[Turn], node: &[Turn]) {
    let spread = |of: &dyn Fn(&Turn) -> f64, turns: &[Turn]| Spread::of(&turns.iter().map(of).collect::<Vec<_>>());
    let pairs = |of: &dyn Fn(&Turn) -> f64| {
        Spread::of(&null.iter().zip(node).map(|(null, node)| of(node) / of(null)).collect::<Vec<_>>())
    };
    let rate = |turn: &Turn| turn.rate;
    let cost = |turn: &Turn| turn.micros_per_record;
    let refused: u64 = node.iter().map(|turn| turn.refused).sum();
    if arguments.json {
        let three = |spread: Spread| serde_json::json!([spread.min, spread.median, spread.max]);
        let object = serde_json::json!({
            "record_bytes": arguments.record_bytes,
            "rounds": arguments.rounds,
            "null": { "records_per_second": three(spread(&rate, null)), "cpu_us_per_record": three(spread(&cost, null)) },
            "node": { "records_per_second": three(spread(&rate, node)), "cpu_us_per_record": three(spread(&cost, node)) },
            "node_to_null": { "rate": three(pairs(&rate)), "cpu": three(pairs(&cost)) },
            "refused": refused,
        });
        println!("{object}");
        return;
    }
    println!("{} bytes of values a record, {} changes a message, no TLS", arguments.record_bytes, arguments.batch);
    println!("service     records/s min / median / max      CPU us/record min / median / max");
    println!("null        {}      {}", spread(&rate, null).text(0), spread(&cost, null).text(2));
    println!("node        {}      {}", spread(&rate, node).text(0), spread(&cost, node).text(2));
    println!("node / null rate {}   CPU per record {}", pairs(&rate).text(2), pairs(&cost).text(2));
    println!("node: {refused} refused");
}
