//! `waymark load`: the load generator on the command line.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use super::{
    Load, Popularity,
    resolve::{find_server, listening, of_listening, parse_pin},
    server_url::Scheme,
    terminal::{self, grouped},
};
use crate::{
    load::{
        LoadError, Plan, Target,
        names::{Names, NamesError},
        tally::Report,
    },
    problem::{Exit, Problem},
    texts::Texts,
};

/// Runs the plan and shows what it counted.
pub(crate) async fn run(arguments: &Load, texts: &Texts) -> Result<Exit, Problem> {
    let plan = Plan {
        target: target(arguments)?,
        names: names(arguments)?,
        zipf: (arguments.popularity == Popularity::Zipf).then_some(arguments.exponent),
        absent_percent: arguments.absent,
        sockets: arguments.sockets,
        outstanding: arguments.outstanding,
        rate: arguments.rate,
        length: Duration::from_secs(arguments.seconds),
        threads: threads(arguments.sockets),
        seed: arguments.seed,
    };
    let (tally, elapsed) = plan.run().await.map_err(|error| failed(&error))?;
    let report = tally.report(plan.target.transport(), elapsed);
    if arguments.json {
        terminal::line(serde_json::to_string(&report).unwrap_or_default());
    } else {
        show(&report, texts);
    }
    let good = report.answered > 0 && report.wrong == 0;
    Ok(if good { Exit::Done } else { Exit::CheckFailed })
}

/// Half the cores ask, so that a node beside the generator has the other half.
fn threads(sockets: u32) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (cores / 2).clamp(1, usize::try_from(sockets).unwrap_or(1))
}

fn target(arguments: &Load) -> Result<Target, Problem> {
    let pin = arguments.pin.as_deref().map(parse_pin).transpose()?;
    let (server, scheme) = match &arguments.server {
        Some(url) => (find_server(std::slice::from_ref(url), None, pin)?.0, url.scheme),
        None => (of_listening(&listening(arguments.data.as_deref())?)?.0, Scheme::Udp),
    };
    let missing = || Problem::new("server-without-door", Exit::NoAnswer).with("scheme", scheme);
    Ok(match scheme {
        Scheme::Udp => {
            let server = server.udp.ok_or_else(missing)?;
            let from = arguments.from.unwrap_or_else(|| SocketAddr::new(any_address(server.ip()), 0));
            Target::Udp { server, from, padded: !arguments.no_padding }
        }
        Scheme::Tcp => Target::Tcp { server: server.tcp.ok_or_else(missing)? },
        Scheme::Quic => {
            let (server, name, trust) = server.quic.ok_or_else(missing)?;
            Target::Quic { server, name, trust }
        }
    })
}

fn any_address(server: IpAddr) -> IpAddr {
    if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

fn names(arguments: &Load) -> Result<Names, Problem> {
    let unusable = |cause: NamesError| Problem::new("names-unusable", Exit::Usage).with("cause", cause);
    match (&arguments.names, &arguments.pattern, arguments.count) {
        (Some(path), _, _) => {
            let text = std::fs::read_to_string(path).map_err(|cause| {
                Problem::new("file-unreadable", Exit::Usage).with("path", path.display()).with("cause", cause)
            })?;
            Names::list(&text).map_err(unusable)
        }
        (None, Some(pattern), Some(count)) => Names::pattern(pattern, count).map_err(unusable),
        _ => Err(Problem::new("names-missing", Exit::Usage)),
    }
}

fn failed(error: &LoadError) -> Problem {
    let exit = match error {
        LoadError::Exponent(_) => Exit::Usage,
        _ => Exit::NoAnswer,
    };
    Problem::new("load-failed", exit).with("cause", error)
}

fn show(report: &Report, texts: &Texts) {
    let line = |code: &str, value: String| terminal::line(format_args!("{:<24} {value}", texts.text(code, &[])));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for people, never negative")]
    let rate = report.answered_per_second as u64;
    line("load-answered", format!("{} ({} / s)", grouped(report.answered), grouped(rate)));
    line("load-found", grouped(report.found));
    line("load-absent", grouped(report.absent));
    line("load-busy", grouped(report.busy));
    line("load-refused", grouped(report.refused));
    line("load-lost", grouped(report.lost));
    line("load-wrong", grouped(report.wrong));
    if report.skipped > 0 {
        line("load-skipped", grouped(report.skipped));
    }
    let latency = &report.latency_us;
    line(
        "load-latency",
        format!(
            "{} / {} / {} / {} / {} / {}",
            grouped(latency.min),
            grouped(latency.p50),
            grouped(latency.p90),
            grouped(latency.p99),
            grouped(latency.p999),
            grouped(latency.max)
        ),
    );
}
