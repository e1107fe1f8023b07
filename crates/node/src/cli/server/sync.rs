//! `waymark sync`: what a node owes the top-level node, how it stands, and settling by hand.

use clap::{Args, Subcommand};
use serde_json::json;
use waymark_api::operator::v1;
use waymark_top_sync::{calendar::moment, sets::SetName};

use super::{answer, connection::Connection};
use crate::{
    cli::{
        Shown, present,
        terminal::{self, Tone, toned},
    },
    problem::{Exit, Problem},
    texts::Texts,
};

/// `waymark sync …`.
#[derive(Debug, Subcommand)]
pub(crate) enum SyncVerb {
    /// How each set stands.
    Status(Status),
    /// The parts of a set, or the rows of one part.
    Show(ShowSet),
    /// Send parts again.
    Resend(Resend),
    /// Say of parts that they are settled otherwise.
    Mark(Mark),
    /// Hold sets back.
    Pause(Hold),
    /// Let sets go on.
    Resume(Hold),
}

/// `waymark sync status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// `waymark sync show`.
#[derive(Debug, Args)]
pub(crate) struct ShowSet {
    #[arg(value_name = "SET")]
    set: SetName,
    #[arg(value_name = "SEQUENCE")]
    sequence: Option<u64>,
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    before: u64,
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: u32,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// Sequences of parts, both ends included: `12` or `12-15`.
#[derive(Clone, Copy, Debug)]
struct Sequences {
    from: u64,
    upto: u64,
}

fn sequences(text: &str) -> Result<Sequences, &'static str> {
    let (from, upto) = text.split_once('-').unwrap_or((text, text));
    match (from.parse(), upto.parse()) {
        (Ok(from), Ok(upto)) if from > 0 && from <= upto => Ok(Sequences { from, upto }),
        _ => Err("a sequence from 1, or two with a hyphen between them: 12, 12-15"),
    }
}

/// `waymark sync resend`.
#[derive(Debug, Args)]
pub(crate) struct Resend {
    #[arg(value_name = "SET")]
    set: SetName,
    #[arg(value_name = "SEQUENCES", value_parser = sequences)]
    sequences: Sequences,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// `waymark sync mark`.
#[derive(Debug, Args)]
pub(crate) struct Mark {
    #[arg(value_name = "SET")]
    set: SetName,
    #[arg(value_name = "SEQUENCES", value_parser = sequences)]
    sequences: Sequences,
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// `waymark sync pause` and `resume`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("which").required(true)))]
pub(crate) struct Hold {
    #[arg(value_name = "SET", group = "which")]
    set: Option<SetName>,
    #[arg(long, group = "which")]
    all: bool,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// Runs a verb.
pub(crate) async fn run(verb: &SyncVerb, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    match verb {
        SyncVerb::Status(arguments) => status(arguments, texts, shown).await,
        SyncVerb::Show(arguments) => match arguments.sequence {
            Some(sequence) => rows(arguments, sequence, texts, shown).await,
            None => parts(arguments, texts, shown).await,
        },
        SyncVerb::Resend(arguments) => resend(arguments, texts).await,
        SyncVerb::Mark(arguments) => mark(arguments, texts).await,
        SyncVerb::Pause(arguments) => hold(arguments, true, texts).await,
        SyncVerb::Resume(arguments) => hold(arguments, false, texts).await,
    }
}

async fn status(arguments: &Status, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let registrar = arguments.connection.open(texts)?;
    let status = registrar.sync_status(&v1::SyncStatusRequest {}).await;
    let status = status.map_err(|error| answer::problem(&error, arguments.json))?;
    let is_fine = status.problem.is_empty()
        && status.sets.iter().all(|set| set.problem.is_empty() && set.refused == 0)
        && !status.owners.iter().any(|owner| owner.late)
        && status.drops.is_empty();
    if arguments.json {
        terminal::line(json!({
            "destination": status.destination,
            "node": status.node,
            "problem": status.problem,
            "sets": status.sets.iter().map(set_json).collect::<Vec<_>>(),
            "owners": status.owners.iter().map(owner_json).collect::<Vec<_>>(),
            "drops": status.drops.iter().map(|drop| json!({ "folder": drop.folder, "problem": drop.problem })).collect::<Vec<_>>(),
        }));
        return Ok(if is_fine { Exit::Done } else { Exit::Refused });
    }
    let to = [("node", present::safe(&status.node).into()), ("to", present::safe(&status.destination).into())];
    terminal::line(texts.text("sync-to", &to));
    if !status.problem.is_empty() {
        let problem = texts.text("sync-problem", &[("cause", present::safe(&status.problem).into())]);
        terminal::line(toned(&problem, Tone::Bad, shown.colours));
    }
    for set in &status.sets {
        print_set(set, texts, shown);
    }
    print_owners(&status, texts, shown);
    Ok(if is_fine { Exit::Done } else { Exit::Refused })
}

fn print_set(set: &v1::SetStatus, texts: &Texts, shown: Shown) {
    let (state, tone) = match set {
        set if set.paused => ("sync-paused", Tone::Bad),
        set if !set.made => ("sync-not-made", Tone::Faint),
        set if !set.problem.is_empty() || set.refused > 0 => ("sync-stuck", Tone::Bad),
        set if set.waiting > 0 => ("sync-waiting", Tone::Bad),
        _ => ("sync-told", Tone::Good),
    };
    let facts = [
        ("period", if set.period.is_empty() { "-".into() } else { present::safe(&set.period).into() }),
        ("sequence", set.last_sequence.to_string().into()),
        ("waiting", set.waiting.to_string().into()),
        ("refused", set.refused.to_string().into()),
        ("oldest", set.oldest_seconds.to_string().into()),
        ("acknowledged", time(set.acknowledged_ms).into()),
    ];
    terminal::line(format_args!(
        "{:<10} {}  {}  {}",
        set.set,
        texts.text(&format!("sync-{}", set.schedule), &[]),
        toned(&texts.text(state, &[]), tone, shown.colours),
        texts.text("sync-set", &facts),
    ));
    if !set.owed_by.is_empty() {
        let owed = texts.text("sync-owed-by", &[("day", present::safe(&set.owed_by).into())]);
        terminal::line(format_args!("     {owed}"));
    }
    if !set.problem.is_empty() {
        terminal::line(format_args!("     {}", present::safe(&set.problem)));
    }
}

/// Who has not reported what, and what came and was refused. Those who keep up are counted.
fn print_owners(status: &v1::SyncStatus, texts: &Texts, shown: Shown) {
    for line in status.owners.iter().flat_map(|owner| owner_lines(owner, texts)) {
        terminal::line(toned(&line, Tone::Bad, shown.colours));
    }
    if !status.owners.is_empty() {
        let in_time = status.owners.iter().filter(|owner| !owner.late).count();
        terminal::line(texts.text("sync-owners-in-time", &[("count", in_time.to_string().into())]));
    }
    for drop in &status.drops {
        let facts = [("folder", present::safe(&drop.folder).into()), ("cause", present::safe(&drop.problem).into())];
        terminal::line(toned(&texts.text("sync-drop-waits", &facts), Tone::Bad, shown.colours));
    }
}

/// What is wrong with a set of an owner: `T8 88.990.17: not since 2026-11-20`.
fn owner_lines(owner: &v1::OwnerStatus, texts: &Texts) -> Vec<String> {
    let about = format!("{} {}", owner.set, present::safe(&owner.owner));
    let mut lines = Vec::new();
    if owner.late {
        let since = match owner.period.as_str() {
            "" => texts.text("sync-owner-never", &[]),
            period => texts.text("sync-owner-since", &[("period", present::safe(period).into())]),
        };
        lines.push(format!("{about}: {since}"));
    }
    if !owner.problem.is_empty() {
        let problem = texts.text("sync-owner-refused", &[("cause", present::safe(&owner.problem).into())]);
        lines.push(format!("{about}: {problem}"));
    }
    lines
}

fn owner_json(owner: &v1::OwnerStatus) -> serde_json::Value {
    json!({
        "owner": owner.owner,
        "set": owner.set,
        "period": owner.period,
        "due": owner.due,
        "late": owner.late,
        "taken": time(owner.taken_ms),
        "refused": owner.refused,
        "problem": owner.problem,
    })
}

fn set_json(set: &v1::SetStatus) -> serde_json::Value {
    json!({
        "set": set.set,
        "schedule": set.schedule,
        "paused": set.paused,
        "made": set.made,
        "period": set.period,
        "last_sequence": set.last_sequence,
        "waiting": set.waiting,
        "refused": set.refused,
        "oldest_seconds": set.oldest_seconds,
        "acknowledged": time(set.acknowledged_ms),
        "problem": set.problem,
        "owed_by": set.owed_by,
    })
}

/// A time, or `-` for what did not happen.
fn time(milliseconds: u64) -> String {
    if milliseconds == 0 { "-".to_owned() } else { moment(waymark_catalog::Timestamp(milliseconds)) }
}

async fn parts(arguments: &ShowSet, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let registrar = arguments.connection.open(texts)?;
    let request =
        v1::ListPartsRequest { set: arguments.set.to_string(), before: arguments.before, most: arguments.limit };
    let listed = registrar.sync_parts(&request).await.map_err(|error| answer::problem(&error, arguments.json))?;
    for part in &listed.parts {
        if arguments.json {
            terminal::line(part_json(part));
        } else {
            print_part(part, texts, shown);
        }
    }
    Ok(Exit::Done)
}

fn print_part(part: &v1::SetPart, texts: &Texts, shown: Shown) {
    let tone = match part.state.as_str() {
        "acknowledged" => Tone::Good,
        "marked" => Tone::Faint,
        _ => Tone::Bad,
    };
    let facts = [
        ("period", present::safe(&part.period).into()),
        ("part", part.part.to_string().into()),
        ("parts", part.parts.to_string().into()),
        ("rows", part.rows.to_string().into()),
        ("bytes", part.bytes.to_string().into()),
        ("attempts", part.attempts.to_string().into()),
        ("made", time(part.made_ms).into()),
        ("settled", time(part.settled_ms).into()),
    ];
    let state = texts.text(&format!("sync-part-{}", part.state), &[]);
    terminal::line(format_args!(
        "{} {:>6}  {}  {}",
        part.set,
        part.sequence,
        toned(&state, tone, shown.colours),
        texts.text("sync-part", &facts),
    ));
    if !part.problem.is_empty() {
        let by = if part.by.is_empty() { String::new() } else { format!("{}: ", present::safe(&part.by)) };
        terminal::line(format_args!("     {by}{}", present::safe(&part.problem)));
    }
}

fn part_json(part: &v1::SetPart) -> serde_json::Value {
    json!({
        "set": part.set,
        "sequence": part.sequence,
        "period": part.period,
        "part": part.part,
        "parts": part.parts,
        "rows": part.rows,
        "bytes": part.bytes,
        "sha256": part.sha256,
        "state": part.state,
        "attempts": part.attempts,
        "made": time(part.made_ms),
        "tried": time(part.tried_ms),
        "settled": time(part.settled_ms),
        "problem": part.problem,
        "by": part.by,
        "owner": part.owner,
        "origin": part.origin,
    })
}

/// The rows as they are kept: JSON lines either way.
async fn rows(arguments: &ShowSet, sequence: u64, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let registrar = arguments.connection.open(texts)?;
    let request = v1::PartRowsRequest { set: arguments.set.to_string(), sequence };
    let found = registrar.sync_rows(&request).await.map_err(|error| answer::problem(&error, arguments.json))?;
    if let Some(part) = found.part.as_ref().filter(|_| !arguments.json) {
        print_part(part, texts, shown);
    }
    for line in found.rows.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        terminal::line(String::from_utf8_lossy(line));
    }
    Ok(Exit::Done)
}

async fn resend(arguments: &Resend, texts: &Texts) -> Result<Exit, Problem> {
    let Sequences { from, upto } = arguments.sequences;
    let request = v1::ResendRequest { set: arguments.set.to_string(), from, upto };
    let changed = arguments.connection.open(texts)?.sync_resend(&request).await;
    let changed = changed.map_err(|error| answer::problem(&error, arguments.json))?;
    Ok(say("sync-resent", changed.count, arguments.json, texts))
}

async fn mark(arguments: &Mark, texts: &Texts) -> Result<Exit, Problem> {
    let Sequences { from, upto } = arguments.sequences;
    let request = v1::MarkRequest { set: arguments.set.to_string(), from, upto, reason: arguments.reason.clone() };
    let changed = arguments.connection.open(texts)?.sync_mark(&request).await;
    let changed = changed.map_err(|error| answer::problem(&error, arguments.json))?;
    Ok(say("sync-marked", changed.count, arguments.json, texts))
}

async fn hold(arguments: &Hold, paused: bool, texts: &Texts) -> Result<Exit, Problem> {
    let set = arguments.set.map(|set| set.to_string()).unwrap_or_default();
    let changed = arguments.connection.open(texts)?.sync_pause(&v1::PauseRequest { set, paused }).await;
    let changed = changed.map_err(|error| answer::problem(&error, arguments.json))?;
    let code = if paused { "sync-held" } else { "sync-let-go" };
    Ok(say(code, changed.count, arguments.json, texts))
}

fn say(code: &str, count: u64, json: bool, texts: &Texts) -> Exit {
    if json {
        terminal::line(json!({ "count": count }));
    } else {
        terminal::line(texts.text(code, &[("count", count.to_string().into())]));
    }
    if count == 0 { Exit::Absent } else { Exit::Done }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Language;

    #[test]
    fn who_is_late_is_named_with_the_set_and_since_when() {
        let told = |period: &str, language| {
            let owner = v1::OwnerStatus {
                owner: "88.990.17".into(),
                set: "T8".into(),
                period: period.into(),
                late: true,
                ..v1::OwnerStatus::default()
            };
            owner_lines(&owner, &Texts::new(language)).join("\n")
        };
        assert_eq!(told("2026-11-20", Language::English), "T8 88.990.17: not since 2026-11-20");
        assert_eq!(told("", Language::English), "T8 88.990.17: never");
        assert_eq!(told("2026-11-20", Language::Chinese), "T8 88.990.17: 自 2026-11-20 之后未上报");
        let refused = v1::OwnerStatus { problem: "row 1 day: is missing".into(), ..v1::OwnerStatus::default() };
        assert!(owner_lines(&refused, &Texts::new(Language::English)).concat().ends_with("row 1 day: is missing"));
    }
}
