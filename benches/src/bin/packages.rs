//! Code packages and verdicts of a real node, over its gRPC service: a package ordered and given out whole, beside writing the same bytes with their
//! SHA-256; verdicts in batches, beside calls that only say who is calling.
//!
//! `cargo run --release -p waymark-benches --bin packages` after `cargo build --release`; `--help` lists the rest.
#![forbid(unsafe_code)]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::{
    error::Error,
    fs::File,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::Parser;
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;
use waymark_api::registration::v1::{self, code_lines::Part};
use waymark_benches::{
    running::{self, Server},
    side_by_side::{processor, spread::Spread},
};
use waymark_client::registration::{Endpoint, Registrar};

/// The prefix packages are ordered under.
const PREFIX: &str = "88.1";
/// Codes judged in one call: what the interface takes.
const JUDGED: u64 = 200;

/// Measures packages and verdicts.
#[derive(Debug, Parser)]
struct Arguments {
    /// Codes of each package.
    #[arg(long, default_value_t = 10_000_000)]
    codes: u64,
    /// Turns of each measurement; one more warms up.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds of one turn of calls.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Calls under way.
    #[arg(long, default_value_t = 16)]
    under_way: usize,
    /// Processor of the node.
    #[arg(long, default_value_t = 0)]
    server_processor: usize,
    /// Processor of the client.
    #[arg(long, default_value_t = 1)]
    load_processor: usize,
    /// Folder for the node's data and the lists, on the disk to measure (default: the system's folder for such).
    #[arg(long)]
    scratch: Option<PathBuf>,
    /// Folder of the built `waymark` and `waymarkd` (default: where this program is).
    #[arg(long)]
    binaries: Option<PathBuf>,
}

/// A package, ordered and given out.
struct Given {
    ordered: Duration,
    exported: Duration,
    bytes: u64,
    /// The same bytes read, hashed and written once more.
    copied: Duration,
}

/// A turn of calls.
struct Calls {
    per_second: f64,
    cpu_micros: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let binaries = running::binaries(arguments.binaries.as_deref())?;
    let scratch = match &arguments.scratch {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let node = running::start_node(&binaries, scratch.path(), PREFIX, arguments.server_processor)?;
    let (given, verdicts, names) = processor::on(arguments.load_processor, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime
            .block_on(measure(&arguments, &node, scratch.path()))
            .map_err(|error| std::io::Error::other(error.to_string()))
    })?;
    report(&arguments, &given, &verdicts, &names);
    Ok(())
}

type Measured = (Vec<Given>, Vec<Calls>, Vec<Calls>);

async fn measure(arguments: &Arguments, node: &Server, scratch: &Path) -> Result<Measured, Box<dyn Error>> {
    let mut endpoint = Endpoint::new(node.url.replacen("http://", "grpc://", 1).parse()?);
    endpoint.token.clone_from(&node.token);
    let registrar = Registrar::connect(&endpoint)?;
    let (mut given, mut verdicts, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=arguments.rounds {
        let package = give(arguments, &registrar, scratch, round).await?;
        let first = package.1;
        let judge = calls(arguments, node, |at| {
            let registrar = registrar.clone();
            let codes = codes(&first, arguments.codes, at);
            async move {
                let judged = registrar.judge(&v1::JudgeRequest { codes }).await?.judgements;
                let good = judged.iter().filter(|told| told.verdict() == v1::Verdict::Valid).count();
                if good as u64 == JUDGED { Ok(()) } else { Err(format!("{good} of {JUDGED} codes are valid").into()) }
            }
        })
        .await?;
        let who = calls(arguments, node, |_| {
            let registrar = registrar.clone();
            async move { Ok(registrar.who_am_i().await.map(drop)?) }
        })
        .await?;
        // The first round warms up.
        if round > 0 {
            given.push(package.0);
            verdicts.push(judge);
            names.push(who);
        }
    }
    Ok((given, verdicts, names))
}

/// Orders a package, has it given out into a file, and copies that. Gives the front of its codes too.
async fn give(
    arguments: &Arguments,
    registrar: &Registrar,
    scratch: &Path,
    round: u32,
) -> Result<(Given, String), Box<dyn Error>> {
    let stem = format!("R{round}.");
    let request = v1::AllocateRequest {
        prefix: PREFIX.to_owned(),
        stem: stem.clone(),
        width: 12,
        form: v1::CodeForm::Plain.into(),
        count: arguments.codes,
        values: vec![v1::Value {
            index: 1,
            r#type: "URL".to_owned(),
            data: Some(v1::value::Data::Text("https://id.example.cn/{code}".to_owned())),
            ..v1::Value::default()
        }],
        ..v1::AllocateRequest::default()
    };
    let began = Instant::now();
    let package = registrar.allocate(request).await?.package.ok_or("no package")?;
    let ordered = began.elapsed();
    let request = v1::ExportCodesRequest {
        package: package.name,
        count: arguments.codes,
        payload: "https://id.example.cn/{code}".to_owned(),
        ..v1::ExportCodesRequest::default()
    };
    let list = scratch.join("list");
    let began = Instant::now();
    let mut lines = registrar.export_codes(request).await?;
    let (mut file, mut bytes) = (File::create(&list)?, 0_u64);
    while let Some(part) = lines.message().await? {
        if let Some(Part::Lines(part)) = part.part {
            file.write_all(&part)?;
            bytes += part.len() as u64;
        }
    }
    file.sync_all()?;
    let exported = began.elapsed();
    let began = Instant::now();
    let (mut from, mut to, mut hash) = (File::open(&list)?, File::create(scratch.join("copy"))?, Sha256::new());
    let mut part = vec![0; 64 << 10];
    loop {
        let got = from.read(&mut part)?;
        let Some(part) = part.get(..got).filter(|part| !part.is_empty()) else { break };
        hash.update(part);
        to.write_all(part)?;
    }
    to.sync_all()?;
    std::hint::black_box(hash.finalize());
    let copied = began.elapsed();
    Ok((Given { ordered, exported, bytes, copied }, format!("{PREFIX}/{stem}")))
}

/// Codes spread over a package, others in each call.
fn codes(front: &str, of: u64, call: u64) -> Vec<String> {
    /// Coprime to any number of codes people ask for: steps through all of them.
    const STRIDE: u64 = 999_999_937;
    let serial = |at: u64| call.wrapping_mul(JUDGED).wrapping_add(at).wrapping_mul(STRIDE) % of;
    (0..JUDGED).map(|at| format!("{front}{:012}", serial(at))).collect()
}

/// Makes the same call again and again, some at a time, and takes the time.
async fn calls<F>(arguments: &Arguments, node: &Server, call: impl Fn(u64) -> F) -> Result<Calls, Box<dyn Error>>
where
    F: Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let before = processor::used_nanos(node.child.id())?;
    let (began, length) = (Instant::now(), Duration::from_secs(arguments.seconds));
    let (mut under_way, mut begun, mut ended) = (JoinSet::new(), 0_u64, 0_u64);
    loop {
        while under_way.len() < arguments.under_way.max(1) && began.elapsed() < length {
            under_way.spawn(call(begun));
            begun += 1;
        }
        let Some(answered) = under_way.join_next().await else { break };
        answered?.map_err(|error| error.to_string())?;
        ended += 1;
    }
    let elapsed = began.elapsed();
    let used = processor::used_nanos(node.child.id())?.saturating_sub(before);
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    Ok(Calls { per_second: ended as f64 / elapsed.as_secs_f64(), cpu_micros: used as f64 / 1_000.0 / ended as f64 })
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn report(arguments: &Arguments, given: &[Given], verdicts: &[Calls], names: &[Calls]) {
    fn spread<T>(turns: &[T], of: impl Fn(&T) -> f64) -> Spread {
        Spread::of(&turns.iter().map(of).collect::<Vec<_>>())
    }
    let pairs = |of: fn(&Calls) -> f64| {
        Spread::of(&names.iter().zip(verdicts).map(|(name, verdict)| of(verdict) / of(name)).collect::<Vec<_>>())
    };
    let bytes = given.first().map_or(0, |given| given.bytes);
    println!(
        "{} codes a package, {bytes} bytes of lines; min / median / max of {} turns",
        arguments.codes,
        given.len()
    );
    println!("ordered              {} ms", spread(given, |turn| turn.ordered.as_secs_f64() * 1_000.0).text(2));
    println!("given out            {} s", spread(given, |turn| turn.exported.as_secs_f64()).text(2));
    println!("the same copied      {} s", spread(given, |turn| turn.copied.as_secs_f64()).text(2));
    let ratio = spread(given, |turn| turn.exported.as_secs_f64() / turn.copied.as_secs_f64());
    println!("given out / copied   {}", ratio.text(2));
    println!("verdicts             {} /s", spread(verdicts, |turn| turn.per_second * JUDGED as f64).text(0));
    println!("  node's CPU         {} us each", spread(verdicts, |turn| turn.cpu_micros / JUDGED as f64).text(2));
    println!("whoami               {} /s", spread(names, |turn| turn.per_second).text(0));
    println!("  node's CPU         {} us each", spread(names, |turn| turn.cpu_micros).text(2));
    println!(
        "CPU of a call that judges {JUDGED} / one that says who calls   {}",
        pairs(|turn| turn.cpu_micros).text(2)
    );
}
