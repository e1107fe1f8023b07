//! `waymark cache`: what a node knows of names that live elsewhere. `waymark trace`: how it finds out.

use clap::{Args, Subcommand};
use serde_json::json;
use waymark_api::{
    operator::v1::{self, flush_cache_request::What, hop::Step},
    registration::v1 as registration,
};

use super::{answer, connection::Connection};
use crate::{
    cli::{
        Shown, present,
        terminal::{self, Tone, toned},
    },
    problem::{Exit, Problem},
    texts::Texts,
};

/// `waymark cache …`.
#[derive(Debug, Subcommand)]
pub(crate) enum CacheVerb {
    /// What the cache holds, and what was counted.
    Stats(Look),
    /// Forget a name, a prefix, or everything.
    Flush(FlushCache),
    /// List everything it holds.
    Dump(Look),
}

/// Looking, and nothing else.
#[derive(Debug, Args)]
pub(crate) struct Look {
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// `waymark cache flush`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true)))]
pub(crate) struct FlushCache {
    #[arg(value_name = "HANDLE", group = "what")]
    handle: Option<String>,
    #[arg(long, value_name = "PREFIX", group = "what")]
    prefix: Option<String>,
    #[arg(long, group = "what")]
    all: bool,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// `waymark trace`.
#[derive(Debug, Args)]
pub(crate) struct TraceName {
    #[arg(value_name = "HANDLE")]
    handle: String,
    #[arg(long)]
    authority: bool,
    #[arg(long)]
    certified: bool,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// `waymark followers`.
#[derive(Debug, Args)]
pub(crate) struct Followers {
    #[arg(long, value_name = "SERIAL", default_value_t = 0)]
    behind: u64,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// Shows who follows the changes of a node.
pub(crate) async fn followers(arguments: &Followers, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let registrar = arguments.connection.open(texts)?;
    let request = registration::ListFollowersRequest { behind: arguments.behind };
    let listed = registrar.followers(&request).await.map_err(|error| answer::problem(&error, arguments.json))?;
    for follower in &listed.followers {
        let seen = follower.seen.map(|time| time.to_string()).unwrap_or_default();
        if arguments.json {
            terminal::line(json!({
                "principal": follower.principal,
                "name": follower.name,
                "prefixes": follower.prefixes,
                "confirmed": follower.confirmed,
                "behind": listed.serial.saturating_sub(follower.confirmed),
                "connected": follower.connected,
                "seen": seen,
            }));
            continue;
        }
        let tone = if follower.connected { Tone::Good } else { Tone::Bad };
        let state = if follower.connected { "follower-connected" } else { "follower-lost" };
        terminal::line(format_args!(
            "{}  {}/{}  {}  {}",
            toned(&texts.text(state, &[]), tone, shown.colours),
            present::safe(&follower.principal),
            present::safe(&follower.name),
            follower.prefixes.join(" "),
            texts.text(
                "follower-confirmed",
                &[
                    ("confirmed", follower.confirmed.to_string().into()),
                    ("serial", listed.serial.to_string().into()),
                    ("seen", seen.into()),
                ],
            ),
        ));
    }
    Ok(Exit::Done)
}

/// Runs a verb of the cache.
pub(crate) async fn run(verb: &CacheVerb, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    match verb {
        CacheVerb::Stats(look) => stats(look, texts).await,
        CacheVerb::Flush(arguments) => flush(arguments, texts).await,
        CacheVerb::Dump(look) => dump(look, texts, shown).await,
    }
}

async fn stats(look: &Look, texts: &Texts) -> Result<Exit, Problem> {
    let registrar = look.connection.open(texts)?;
    let stats = registrar.recursion_stats(&v1::RecursionStatsRequest {}).await;
    let stats = stats.map_err(|error| answer::problem(&error, look.json))?;
    let mut events: Vec<(&String, &u64)> = stats.events.iter().collect();
    events.sort();
    if look.json {
        terminal::line(json!({
            "entries": stats.entries,
            "bytes": stats.bytes,
            "budget_bytes": stats.budget_bytes,
            "flights": stats.flights,
            "servers": stats.servers,
            "dead_servers": stats.dead_servers,
            "events": stats.events,
        }));
        return Ok(Exit::Done);
    }
    let holds = [
        ("entries", stats.entries.to_string().into()),
        ("bytes", stats.bytes.to_string().into()),
        ("budget", stats.budget_bytes.to_string().into()),
    ];
    terminal::line(texts.text("cache-holds", &holds));
    let servers = [("servers", stats.servers.to_string().into()), ("dead", stats.dead_servers.to_string().into())];
    terminal::line(texts.text("cache-servers", &servers));
    for (name, count) in events {
        terminal::line(format_args!("  {count:>12}  {name}"));
    }
    Ok(Exit::Done)
}

async fn flush(arguments: &FlushCache, texts: &Texts) -> Result<Exit, Problem> {
    let what = match (&arguments.handle, &arguments.prefix) {
        (Some(handle), _) => What::Handle(handle.clone()),
        (None, Some(prefix)) => What::Prefix(prefix.clone()),
        (None, None) => What::All(true),
    };
    let registrar = arguments.connection.open(texts)?;
    let flushed = registrar.flush_cache(&v1::FlushCacheRequest { what: Some(what) }).await;
    let flushed = flushed.map_err(|error| answer::problem(&error, arguments.json))?;
    if arguments.json {
        terminal::line(json!({ "entries": flushed.entries }));
    } else {
        terminal::line(texts.text("cache-flushed", &[("entries", flushed.entries.to_string().into())]));
    }
    Ok(Exit::Done)
}

async fn dump(look: &Look, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let registrar = look.connection.open(texts)?;
    let opened = registrar.dump_cache(&v1::DumpCacheRequest {}).await;
    let mut entries = opened.map_err(|error| answer::problem(&error, look.json))?;
    loop {
        let next = entries.message().await;
        let next = next.map_err(|status| Problem::new("cache-cut", Exit::Failed).with("cause", status.message()))?;
        let Some(entry) = next else { return Ok(Exit::Done) };
        if look.json {
            terminal::line(json!({
                "name": String::from_utf8_lossy(&entry.name),
                "kind": kind(entry.kind()),
                "certified": entry.certified,
                "age_seconds": entry.age_seconds,
                "seconds_left": entry.seconds_left,
                "bytes": entry.bytes,
                "values": entry.values,
            }));
        } else {
            let tone = if entry.seconds_left == 0 { Tone::Faint } else { Tone::Good };
            let left = format!("{:>7} s", entry.seconds_left);
            terminal::line(format_args!(
                "{}  {:<15} {:>7} B  {}",
                toned(&left, tone, shown.colours),
                kind(entry.kind()),
                entry.bytes,
                present::safe(&String::from_utf8_lossy(&entry.name)),
            ));
        }
    }
}

/// Resolves a name on the node and shows each step.
pub(crate) async fn trace(arguments: &TraceName, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let registrar = arguments.connection.open(texts)?;
    let request = v1::TraceNameRequest {
        handle: arguments.handle.clone(),
        authority: arguments.authority,
        certified: arguments.certified,
    };
    let traced = registrar.trace_name(&request).await.map_err(|error| answer::problem(&error, arguments.json))?;
    if arguments.json {
        terminal::line(json!({
            "handle": arguments.handle,
            "outcome": traced.outcome,
            "detail": traced.detail,
            "values": traced.values,
            "took_us": traced.took_us,
            "hops": traced.hops.iter().map(hop_json).collect::<Vec<_>>(),
        }));
    } else {
        print_trace(&traced, texts, shown);
    }
    Ok(match traced.outcome.as_str() {
        "KNOWN" | "FOUND" => Exit::Done,
        "ABSENT" | "ABSENT_PREFIX" | "NO_VALUES" => Exit::Absent,
        _ => Exit::Refused,
    })
}

/// Prints each step, and what came of all.
pub(crate) fn print_trace(traced: &v1::TraceNameResponse, texts: &Texts, shown: Shown) {
    for (number, hop) in (1..).zip(&traced.hops) {
        terminal::line(format_args!("{number:>3}  {}", line(hop, texts)));
    }
    let is_found = matches!(traced.outcome.as_str(), "KNOWN" | "FOUND");
    let tone = if is_found { Tone::Good } else { Tone::Bad };
    let outcome = format!("{} {}", traced.outcome, traced.detail);
    let outcome = toned(outcome.trim_end(), tone, shown.colours);
    let values = [("values", traced.values.to_string().into()), ("took", milliseconds(traced.took_us).into())];
    terminal::line(format_args!("{outcome}  {}", texts.text("trace-ended", &values)));
}

/// The server that answered in a step.
pub(crate) fn server_of(hop: &v1::Hop) -> Option<String> {
    match &hop.step {
        Some(Step::Answered(answered)) => Some(answered.server.clone()),
        _ => None,
    }
}

/// One step in one line: what it was about, and what came of it.
fn line(hop: &v1::Hop, texts: &Texts) -> String {
    let about = present::safe(&String::from_utf8_lossy(&hop.about));
    let text = |code: &str, values: &[(&'static str, String)]| {
        let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str().into())).collect();
        texts.text(code, &values)
    };
    let said = match &hop.step {
        Some(Step::Known(known)) => {
            text("trace-known", &[("age", known.age_seconds.to_string()), ("left", known.seconds_left.to_string())])
        }
        Some(Step::KnownService(scope)) => text("trace-known-service", &[("scope", scope.clone())]),
        Some(Step::OwnDelegation(scope)) => text("trace-own-delegation", &[("scope", scope.clone())]),
        Some(Step::Answered(answered)) => text(
            "trace-answered",
            &[
                ("server", answered.server.clone()),
                ("code", answered.code.to_string()),
                ("took", milliseconds(answered.took_us)),
                ("bytes", answered.bytes.to_string()),
            ],
        ),
        Some(Step::Silent(silent)) => {
            text("trace-silent", &[("servers", silent.servers.join(" ")), ("took", milliseconds(silent.took_us))])
        }
        Some(Step::NotAllowed(silent)) => text("trace-not-allowed", &[("servers", silent.servers.join(" "))]),
        Some(Step::Learned(learned)) => {
            let lifetime = learned.lifetime_seconds.map_or_else(|| "-".to_owned(), |seconds| seconds.to_string());
            let code = if learned.forgotten { "trace-forgotten" } else { "trace-learned" };
            text(code, &[("kind", kind(learned.kind()).to_owned()), ("lifetime", lifetime)])
        }
        None => String::new(),
    };
    format!("{about}  {said}")
}

fn hop_json(hop: &v1::Hop) -> serde_json::Value {
    let about = String::from_utf8_lossy(&hop.about).into_owned();
    match &hop.step {
        Some(Step::Known(known)) => {
            json!({ "about": about, "step": "known", "age_seconds": known.age_seconds, "seconds_left": known.seconds_left })
        }
        Some(Step::KnownService(scope)) => json!({ "about": about, "step": "known-service", "scope": scope }),
        Some(Step::OwnDelegation(scope)) => json!({ "about": about, "step": "own-delegation", "scope": scope }),
        Some(Step::Answered(answered)) => json!({
            "about": about, "step": "answered", "server": answered.server, "code": answered.code,
            "took_us": answered.took_us, "bytes": answered.bytes,
        }),
        Some(Step::Silent(silent)) => {
            json!({ "about": about, "step": "silent", "servers": silent.servers, "took_us": silent.took_us })
        }
        Some(Step::NotAllowed(silent)) => json!({ "about": about, "step": "not-allowed", "servers": silent.servers }),
        Some(Step::Learned(learned)) => json!({
            "about": about, "step": if learned.forgotten { "forgotten" } else { "learned" },
            "kind": kind(learned.kind()), "lifetime_seconds": learned.lifetime_seconds,
        }),
        None => json!({ "about": about }),
    }
}

/// `values`, `no-values`, `absent`, …
fn kind(kind: v1::CacheKind) -> String {
    let name = kind.as_str_name().strip_prefix("CACHE_KIND_").unwrap_or_default();
    name.to_ascii_lowercase().replace('_', "-")
}

fn milliseconds(micros: u64) -> String {
    format!("{}.{}", micros / 1_000, micros % 1_000 / 100)
}
