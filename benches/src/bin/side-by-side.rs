//! Our node and a bare UDP echo of the same sizes and packet counts, in turns, in one run.
//!
//! `cargo run --release -p waymark-benches --bin side-by-side` after `cargo build --release`; `--help` lists the rest.
#![forbid(unsafe_code)]

use std::{
    error::Error,
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    net::{SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use clap::Parser;
use waymark_benches::side_by_side::{echo, processor, record, spread::Spread};
use waymark_node::{
    listen::Listening,
    load::{Plan, Target, names::Names},
};
use waymark_wire::{Head, OpFlags, frame::padding::padding_bytes, request::RequestWriter};

/// Measures the node against an echo.
#[derive(Debug, Parser)]
struct Arguments {
    /// Identifiers served.
    #[arg(long, default_value_t = 1_000_000)]
    identifiers: u64,
    /// Bytes of the whole answer to each question.
    #[arg(long, default_value_t = 165)]
    answer_bytes: usize,
    /// Turns of each server.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Seconds of one turn.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Sockets of the generator.
    #[arg(long, default_value_t = 4)]
    sockets: u32,
    /// Questions under way on each.
    #[arg(long, default_value_t = 64)]
    outstanding: u32,
    /// Do not pad questions: answers over 512 bytes come in several datagrams.
    #[arg(long)]
    no_padding: bool,
    /// Processor of the servers.
    #[arg(long, default_value_t = 0)]
    server_processor: usize,
    /// Processor of the generator.
    #[arg(long, default_value_t = 1)]
    load_processor: usize,
    /// Folder of the node's data, kept and used again when it holds as many identifiers (default: a folder that is removed).
    #[arg(long)]
    data: Option<PathBuf>,
    /// Folder of the built `waymark` and `waymarkd` (default: where this program is).
    #[arg(long)]
    binaries: Option<PathBuf>,
    /// Be the echo: print the port, answer with datagrams of these sizes.
    #[arg(long, hide = true, value_delimiter = ',')]
    echo: Option<Vec<usize>>,
}

/// A process that ends with its owner.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// One turn of one server.
struct Turn {
    rate: f64,
    nanos_per_answer: f64,
    lost: u64,
    wrong: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if let Some(sizes) = &arguments.echo {
        return be_echo(sizes);
    }
    let binaries = match &arguments.binaries {
        Some(folder) => folder.clone(),
        None => std::env::current_exe()?.parent().map(Path::to_path_buf).unwrap_or_default(),
    };
    let scratch = tempfile::tempdir()?;
    let data = arguments.data.clone().unwrap_or_else(|| scratch.path().join("data"));
    prepare(&arguments, &binaries, &data, scratch.path())?;
    let node = start_node(&arguments, &binaries, &data, scratch.path())?;
    let sizes = answer_sizes(node.address, !arguments.no_padding)?;
    println!("answer datagrams: {sizes:?} bytes; padding: {}", !arguments.no_padding);
    let echo = start_echo(&arguments, &sizes)?;
    let (mut node_turns, mut echo_turns) = (Vec::new(), Vec::new());
    for round in 0..=arguments.rounds {
        for (server, turns) in [(&echo, &mut echo_turns), (&node, &mut node_turns)] {
            let turn = measure(&arguments, server, u64::from(round))?;
            // The first round warms both up.
            if round > 0 {
                turns.push(turn);
            }
        }
    }
    report(&echo_turns, &node_turns);
    Ok(())
}

fn be_echo(sizes: &[usize]) -> Result<(), Box<dyn Error>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    println!("{}", socket.local_addr()?);
    let whole: usize = sizes.iter().map(|size| size.saturating_sub(20)).sum();
    let datagrams: Vec<Vec<u8>> = (0_u32..).zip(sizes).map(|(sequence, size)| canned(*size, whole, sequence)).collect();
    echo::serve(&socket, &datagrams)?;
    Ok(())
}

/// A datagram of an answer "success" whose message has `whole` bytes; the id is put in by the echo.
fn canned(size: usize, whole: usize, sequence: u32) -> Vec<u8> {
    let mut datagram = vec![2, 11, 2, 11, 0, 0, 0, 0, 0, 0, 0, 0];
    datagram.extend(sequence.to_be_bytes());
    datagram.extend(u32::try_from(whole).unwrap_or(u32::MAX).to_be_bytes());
    datagram.extend([0, 0, 0, 1, 0, 0, 0, 1]);
    datagram.resize(size, 0);
    datagram
}

fn prepare(arguments: &Arguments, binaries: &Path, data: &Path, scratch: &Path) -> Result<(), Box<dyn Error>> {
    let marker = data.join("side-by-side.json");
    let wanted =
        serde_json::json!({ "identifiers": arguments.identifiers, "answer_bytes": arguments.answer_bytes }).to_string();
    if fs::read_to_string(&marker).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    if data.exists() {
        return Err(format!("{} holds something else; choose another folder", data.display()).into());
    }
    let lines = scratch.join("identifiers.jsonl");
    let mut file = BufWriter::new(File::create(&lines)?);
    record::write_lines(arguments.identifiers, arguments.answer_bytes, &mut file)?;
    file.flush()?;
    let mut import = Command::new(binaries.join("waymark"));
    let status = import.arg("import").arg(&lines).arg("--home").arg("--data").arg(data).status()?;
    fs::remove_file(&lines)?;
    if !status.success() {
        return Err(format!("waymark import ended with {status}").into());
    }
    fs::write(marker, wanted)?;
    Ok(())
}

fn start_node(arguments: &Arguments, binaries: &Path, data: &Path, scratch: &Path) -> Result<Server, Box<dyn Error>> {
    let config = scratch.join("waymark.toml");
    fs::write(
        &config,
        "[listen]\nudp = [\"127.0.0.1:0\"]\ntcp = []\nquic = []\nhttp = []\ngrpc = []\n\
         [udp]\nthreads = 1\n[source]\nallow = [\"127.0.0.0/8\"]\n[store]\nresident_mib = 4096\n",
    )?;
    let mut command = Command::new(binaries.join("waymarkd"));
    command.arg("--config").arg(&config).arg("--data").arg(data).stdout(Stdio::piped());
    let mut child = processor::on(arguments.server_processor, || command.spawn())?;
    first_line(&mut child)?;
    let listening = Listening::read(data)?.ok_or("the node did not say where it listens")?;
    let address = *listening.udp.first().ok_or("the node has no UDP door")?;
    Ok(Server { child, address })
}

fn start_echo(arguments: &Arguments, sizes: &[usize]) -> Result<Server, Box<dyn Error>> {
    let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--echo").arg(sizes.join(",")).stdout(Stdio::piped());
    let mut child = processor::on(arguments.server_processor, || command.spawn())?;
    let address = first_line(&mut child)?.trim().parse()?;
    Ok(Server { child, address })
}

fn first_line(child: &mut Child) -> io::Result<String> {
    let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let mut line = String::new();
    io::BufRead::read_line(&mut io::BufReader::new(stdout), &mut line)?;
    if line.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(line) }
}

/// Sizes of the datagrams of one answer, asked for as the generator asks.
fn answer_sizes(server: SocketAddr, padded: bool) -> Result<Vec<usize>, Box<dyn Error>> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    let head = Head::request(7, OpFlags::USUAL, u32::MAX >> 1);
    let name = record::PATTERN.replace("{:07}", "0000000");
    let mut question = RequestWriter::new(Vec::new(), head).resolution(name.as_bytes(), &[], &[], None);
    if padded {
        question
            .resize(question.len() + padding_bytes(question.len(), waymark_client::config::PADDED_DATAGRAM_BYTES), 0);
    }
    socket.send(&question)?;
    let mut buffer = [0_u8; 2_048];
    let (mut sizes, mut left) = (Vec::new(), usize::MAX);
    while left > 0 {
        let received = socket.recv(&mut buffer)?;
        let whole = buffer.get(16..20).and_then(|word| word.try_into().ok()).map_or(0, u32::from_be_bytes);
        let code = buffer.get(24..28).and_then(|word| word.try_into().ok()).map_or(0, u32::from_be_bytes);
        if sizes.is_empty() {
            if code != 1 {
                return Err(format!("the node answers {code}, not 1, to {name}").into());
            }
            left = usize::try_from(whole)?;
        }
        left = left.saturating_sub(received.saturating_sub(20));
        sizes.push(received);
    }
    Ok(sizes)
}

fn measure(arguments: &Arguments, server: &Server, seed: u64) -> Result<Turn, Box<dyn Error>> {
    let plan = Plan {
        target: Target::Udp { server: server.address, from: "127.0.0.1:0".parse()?, padded: !arguments.no_padding },
        names: Names::pattern(record::PATTERN, arguments.identifiers)?,
        zipf: None,
        absent_percent: 0,
        sockets: arguments.sockets,
        outstanding: arguments.outstanding,
        rate: None,
        length: Duration::from_secs(arguments.seconds),
        threads: 1,
        seed,
    };
    let before = processor::used_nanos(server.child.id())?;
    let (tally, elapsed) = processor::on(arguments.load_processor, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(plan.run()).map_err(io::Error::other)
    })?;
    let used = processor::used_nanos(server.child.id())?.saturating_sub(before);
    if tally.answers() == 0 {
        return Err("no answers".into());
    }
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    Ok(Turn {
        rate: tally.answers() as f64 / elapsed.as_secs_f64(),
        nanos_per_answer: used as f64 / tally.answers() as f64,
        lost: tally.lost,
        wrong: tally.wrong,
    })
}

fn report(echo: &[Turn], node: &[Turn]) {
    let pairs = || echo.iter().zip(node);
    let rate = |turns: &[Turn]| Spread::of(&turns.iter().map(|turn| turn.rate).collect::<Vec<_>>()).text(0);
    let cost = |turns: &[Turn]| {
        Spread::of(&turns.iter().map(|turn| turn.nanos_per_answer / 1_000.0).collect::<Vec<_>>()).text(2)
    };
    println!("server      answers/s min / median / max      CPU us/answer min / median / max");
    println!("echo        {}      {}", rate(echo), cost(echo));
    println!("node        {}      {}", rate(node), cost(node));
    let of_rate = Spread::of(&pairs().map(|(echo, node)| node.rate / echo.rate).collect::<Vec<_>>());
    let of_cost =
        Spread::of(&pairs().map(|(echo, node)| node.nanos_per_answer / echo.nanos_per_answer).collect::<Vec<_>>());
    println!("node / echo rate {}   CPU per answer {}", of_rate.text(2), of_cost.text(2));
    let lost: u64 = node.iter().map(|turn| turn.lost).sum();
    let wrong: u64 = node.iter().map(|turn| turn.wrong).sum();
    println!("node: {lost} questions without an answer, {wrong} wrong answers");
}
