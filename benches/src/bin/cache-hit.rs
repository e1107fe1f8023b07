//! What an answer from the cache of foreign names costs beside the same record answered as a local one, in turns, in one run.
//!
//! `cargo run --release -p waymark-benches --bin cache-hit`; with `--udp` (after `cargo build --release`) over a socket of a real node. `--help` lists the
//! rest.
#![forbid(unsafe_code)]

use std::{
    error::Error,
    fs::{self, File},
    io::{BufWriter, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use clap::Parser;
use nix::time::{ClockId, clock_gettime};
use waymark_benches::{
    recursion::record,
    running,
    side_by_side::{processor, spread::Spread},
};
use waymark_catalog::{Actor, Catalog, Command as Write, HomeName, PutMode, Submission, Timestamps, ValueSet, Warm};
use waymark_node::{
    listen::Listening,
    load::{Plan, Target, names::Names},
};
use waymark_recursive_cache::{
    cache::{Cache, CacheLimits},
    clock,
    knowledge::{Fact, Learned, Now as Learnt, What},
    recursor::{Options, Recursor, RootAddress, roots_from_addresses},
};
use waymark_resolver::{
    Action, AdministrationDoors, Answerer, Now, Origin, Question, Settings, SiteSet, SiteSetOptions, ThreadCounters,
    Transport, policy::SourceLists, recursion::Recursion,
};
use waymark_wire::{
    Head, OpFlags, Ttl, ValueBuf,
    request::RequestWriter,
    types::{ServerBuf, SiteBuf},
};

/// Measures answers from the cache against local ones.
#[derive(Debug, Parser)]
struct Arguments {
    /// Names of each kind.
    #[arg(long, default_value_t = 100_000)]
    names: u64,
    /// Bytes of the values of each name.
    #[arg(long, value_delimiter = ',', default_value = "109,600")]
    value_bytes: Vec<usize>,
    /// Turns of each kind.
    #[arg(long, default_value_t = 15)]
    rounds: u32,
    /// Questions of one turn.
    #[arg(long, default_value_t = 200_000)]
    questions: usize,
    /// Questions answered together, as the UDP door does when it is busy.
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Ask a real node over UDP instead.
    #[arg(long)]
    udp: bool,
    /// Seconds of one turn over UDP.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Processor of the node.
    #[arg(long, default_value_t = 0)]
    server_processor: usize,
    /// Processor of the generator.
    #[arg(long, default_value_t = 1)]
    load_processor: usize,
    /// Folder of the built `waymark` and `waymarkd` (default: where this program is).
    #[arg(long)]
    binaries: Option<PathBuf>,
}

const LOCAL: &str = "88.111.1";
const FOREIGN: &str = "88.222.1";
/// Prefixes without a name and without a record.
const ABSENT_PREFIX: &str = "88.333.1";
/// Bytes of room of one answer.
const ROOM: usize = 4_096;

fn name(prefix: &str, number: u64) -> String {
    format!("{prefix}/item-{number:07}")
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    println!("server CPU, min / median / max of {}", arguments.rounds);
    println!("values  question         local ns               foreign ns             foreign / local");
    for bytes in &arguments.value_bytes {
        let turns = if arguments.udp { over_udp(&arguments, *bytes)? } else { in_process(&arguments, *bytes)? };
        for (kind, turns) in turns {
            let spread = |of: &dyn Fn(&Turn) -> f64, decimals| {
                Spread::of(&turns.iter().map(of).collect::<Vec<_>>()).text(decimals)
            };
            println!(
                "{bytes:<7} {kind:<16} {:<22} {:<22} {}",
                spread(&|turn| turn.local, 0),
                spread(&|turn| turn.foreign, 0),
                spread(&|turn| turn.foreign / turn.local, 2)
            );
        }
    }
    Ok(())
}

/// Nanoseconds of processor time an answer took.
struct Turn {
    local: f64,
    foreign: f64,
}

/// Turns by kind of question.
type Turns = Vec<(&'static str, Vec<Turn>)>;

/// Bytes all of it takes and a tenth more, so that the cache is as full as in a node that has run for long.
fn budget_bytes(names: u64, values: &[ValueBuf]) -> u64 {
    let bytes: usize = values.iter().map(|value| 26 + value.kind.len() + value.data.len()).sum();
    names * (bytes as u64 + 320) * 11 / 10
}

/// What is known of others: the records of all names, as many that do not exist, and a prefix that does not.
fn known(names: u64, values: &[ValueBuf], now: Learnt) -> Cache {
    let limits = CacheLimits { budget_bytes: budget_bytes(names, values), ..CacheLimits::default() };
    let cache = Cache::new(limits);
    let (fact, absent) = (record::fact(values), Arc::new(Fact::Absent));
    for number in 0..names {
        cache.learn(&record::learned(name(FOREIGN, number).as_bytes(), &fact), now);
        cache.learn(&record::learned(format!("{}.x", name(FOREIGN, number)).as_bytes(), &absent), now);
    }
    let what = What::AbsentPrefix { prefix: ABSENT_PREFIX.as_bytes().into() };
    cache.learn(&Learned { what, certified: false, lifetime_seconds: None }, now);
    cache
}

fn in_process(arguments: &Arguments, bytes: usize) -> Result<Turns, Box<dyn Error>> {
    let now = Now { unix_seconds: 1_800_000_000, uptime: Duration::from_secs(1_000) };
    let values = record::values(bytes);
    let folder = tempfile::tempdir()?;
    let catalog = catalog(folder.path(), arguments.names, &values)?;
    let settings = settings(known(arguments.names, &values, now.into()))?;
    let mut answerer = Answerer::new(&catalog, settings, Arc::new(ThreadCounters::new()));
    let kinds: [(&'static str, &str, &str, &[u32], &str); 4] = [
        ("values", LOCAL, FOREIGN, &[], ""),
        ("one index", LOCAL, FOREIGN, &[1], ""),
        ("absent", LOCAL, FOREIGN, &[], ".x"),
        ("absent prefix", LOCAL, ABSENT_PREFIX, &[], ".x"),
    ];
    let mut turns = Vec::new();
    for (kind, local, foreign, indexes, tail) in kinds {
        let [local, foreign] = [local, foreign].map(|prefix| questions(arguments, prefix, indexes, tail));
        let mut of_kind = Vec::new();
        for round in 0..=arguments.rounds {
            let turn = Turn {
                local: answer(&mut answerer, now, &local, arguments)?,
                foreign: answer(&mut answerer, now, &foreign, arguments)?,
            };
            // The first round warms both up.
            if round > 0 {
                of_kind.push(turn);
            }
        }
        turns.push((kind, of_kind));
    }
    drop(answerer);
    catalog.shutdown()?;
    Ok(turns)
}

fn catalog(folder: &Path, names: u64, values: &[ValueBuf]) -> Result<Catalog, Box<dyn Error>> {
    let mut options = waymark_catalog::Options::new(waymark_store::Options::new(folder));
    options.warm = Warm::BeforeOpen;
    options.expected_entries = names;
    let catalog = waymark_catalog::open(&options)?.catalog;
    let writer = catalog.writer();
    let home = Write::Home { name: HomeName::parse(LOCAL.as_bytes())? };
    writer.submit(Submission::new(&Actor::operator(), vec![home]))?.wait()?;
    let values = ValueSet::from_bufs(values)?;
    let mut number = 0;
    while number < names {
        let commands = (number..(number + 1_000).min(names)).map(|number| Write::Put {
            handle: name(LOCAL, number).into_bytes(),
            values: values.clone(),
            timestamps: Timestamps::Keep,
            mode: PutMode::Create,
        });
        let results = writer.submit_when_room(Submission::new(&Actor::import(), commands))?.wait()?;
        if !results.iter().all(Result::is_ok) {
            return Err("a record was refused".into());
        }
        number += 1_000;
    }
    Ok(catalog)
}

fn settings(cache: Cache) -> Result<Arc<Settings>, Box<dyn Error>> {
    let address: std::net::IpAddr = [127, 0, 0, 1].into();
    let server = ServerBuf { id: 1, address: address.into(), public_key: Vec::new(), interfaces: Vec::new() };
    let mut data = Vec::new();
    SiteBuf { servers: vec![server], ..SiteBuf::default() }.encode(&mut data);
    let sites = SiteSetOptions { sites: vec![data], own_position: 0, ttl: Ttl::Relative(86_400), timestamp: 0 };
    let roots = roots_from_addresses(&[RootAddress { address: SocketAddr::new(address, 9) }])?;
    let recursor = Recursor::new(Options::new(Arc::new(roots)), Arc::new(cache), None);
    let recursion = Recursion { recursor, sources: SourceLists::new(&["127.0.0.0/8".parse()?], &[]) };
    Ok(Arc::new(Settings {
        sites: SiteSet::new(sites)?,
        administration: AdministrationDoors::default(),
        node_key: None,
        recursion: Some(Arc::new(recursion)),
        answer_lifetime_seconds: 43_200,
    }))
}

/// Questions for names spread over all of them, so that look-ups miss the processor's caches as they do in a node.
fn questions(arguments: &Arguments, prefix: &str, indexes: &[u32], tail: &str) -> Vec<Vec<u8>> {
    let spread = (0..arguments.questions as u64).map(|at| at.wrapping_mul(2_654_435_761) % arguments.names);
    let ask = |number| {
        let handle = format!("{}{tail}", name(prefix, number));
        RequestWriter::new(Vec::new(), Head::request(1, OpFlags::USUAL, 0)).resolution(
            handle.as_bytes(),
            indexes,
            &[],
            None,
        )
    };
    spread.map(ask).collect()
}

/// Answers them; nanoseconds of processor time each.
fn answer(
    answerer: &mut Answerer,
    now: Now,
    requests: &[Vec<u8>],
    arguments: &Arguments,
) -> Result<f64, Box<dyn Error>> {
    let origin = Origin { transport: Transport::Udp, peer: "127.0.0.1:1".parse()?, local: None };
    let mut rooms = vec![0_u8; arguments.batch * ROOM];
    let mut used = Duration::ZERO;
    for batch in requests.chunks(arguments.batch) {
        let mut questions: Vec<Question<'_>> = batch
            .iter()
            .zip(rooms.chunks_mut(ROOM))
            .map(|(request, room)| Question::new(origin, request, room))
            .collect();
        let before = Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?);
        answerer.answer_batch(now, &mut questions);
        used += Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?).saturating_sub(before);
        if let Some(other) = questions.iter().find(|question| !matches!(question.action, Action::Reply { .. })) {
            return Err(format!("no answer: {:?}", other.action).into());
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    Ok(used.as_nanos() as f64 / requests.len() as f64)
}

/// A real node that serves one prefix and knows the names of the other from its last run.
fn over_udp(arguments: &Arguments, bytes: usize) -> Result<Turns, Box<dyn Error>> {
    let binaries = running::binaries(arguments.binaries.as_deref())?;
    let scratch = tempfile::tempdir()?;
    let (config, data, lines) =
        ["waymark.toml", "data", "identifiers.jsonl"].map(|name| scratch.path().join(name)).into();
    let values = record::values(bytes);
    write_lines(&lines, arguments.names, &values)?;
    let mut import = Command::new(binaries.join("waymark"));
    import.arg("import").arg(&lines).arg("--home").arg("--data").arg(&data).stdout(Stdio::null());
    let status = import.status()?;
    if !status.success() {
        return Err(format!("waymark import ended with {status}").into());
    }
    let mut saved = BufWriter::new(File::create(data.join("cache.bin"))?);
    known(arguments.names, &values, clock::now()).dump(&mut saved, clock::now())?;
    saved.into_inner()?;
    // Parts of a cache are not filled alike: with room for half as much again, all of it is there.
    let size_mib = ((budget_bytes(arguments.names, &values) * 3 / 2) >> 20) + 1;
    fs::write(
        &config,
        format!(
            "[listen]\nudp = [\"127.0.0.1:0\"]\ntcp = []\nquic = []\nhttp = []\ngrpc = []\n\
         [udp]\nthreads = 1\n[source]\nallow = [\"127.0.0.0/8\"]\n[store]\nresident_mib = 4096\n\
         [recursion]\nsources = [\"127.0.0.0/8\"]\nroots = [\"127.0.0.1:9\"]\n[cache]\nsize_mib = {size_mib}\n"
        ),
    )?;
    let mut command = Command::new(binaries.join("waymarkd"));
    command.arg("--config").arg(&config).arg("--data").arg(&data).stdout(Stdio::piped());
    let child = processor::on(arguments.server_processor, || command.spawn())?;
    let mut node = running::Server { child, url: String::new(), token: None };
    running::first_line(&mut node.child)?;
    let listening = Listening::read(&data)?.ok_or("the node did not say where it listens")?;
    let server = *listening.udp.first().ok_or("the node has no UDP door")?;
    let mut turns = Vec::new();
    for round in 0..=arguments.rounds {
        let ask = |prefix| load(arguments, server, node.child.id(), prefix, round.into());
        let turn = Turn { local: ask(LOCAL)?, foreign: ask(FOREIGN)? };
        if round > 0 {
            turns.push(turn);
        }
    }
    Ok(vec![("values, UDP", turns)])
}

fn write_lines(lines: &Path, names: u64, values: &[ValueBuf]) -> Result<(), Box<dyn Error>> {
    let value = |value: &ValueBuf| {
        let (kind, data) = (String::from_utf8_lossy(&value.kind), String::from_utf8_lossy(&value.data));
        serde_json::json!({
            "index": value.index, "type": kind, "ttl": 86_400, "permissions": "1110", "timestamp": 1_700_000_000, "data": data,
        })
    };
    let values: Vec<_> = values.iter().map(value).collect();
    let mut out = BufWriter::new(File::create(lines)?);
    for number in 0..names {
        writeln!(out, "{}", serde_json::json!({ "handle": name(LOCAL, number), "values": values }))?;
    }
    Ok(out.flush()?)
}

/// Asks for names of a prefix; nanoseconds of the node's processor time an answer.
fn load(arguments: &Arguments, server: SocketAddr, node: u32, prefix: &str, seed: u64) -> Result<f64, Box<dyn Error>> {
    let plan = Plan {
        target: Target::Udp { server, from: "127.0.0.1:0".parse()?, padded: true },
        names: Names::pattern(&format!("{prefix}/item-{{:07}}"), arguments.names)?,
        zipf: None,
        absent_percent: 0,
        sockets: 4,
        outstanding: 64,
        rate: None,
        length: Duration::from_secs(arguments.seconds),
        threads: 1,
        seed,
    };
    let before = processor::used_nanos(node)?;
    let (tally, _) = processor::on(arguments.load_processor, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(plan.run()).map_err(std::io::Error::other)
    })?;
    let used = processor::used_nanos(node)?.saturating_sub(before);
    // What was not kept would be asked of nobody there, and would not be a hit.
    if tally.found == 0 || tally.found != tally.answers() {
        return Err(format!("{} answers, {} of them with values", tally.answers(), tally.found).into());
    }
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    Ok(used as f64 / tally.answers() as f64)
}
