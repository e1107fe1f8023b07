//! `waymark docking`: how enterprises and prefixes stand with the top-level node.

use clap::{Args, Subcommand};
use serde_json::json;
use waymark_api::operator::v1;

use super::{answer, connection::Connection};
use crate::{
    cli::{
        Shown, present,
        terminal::{self, Tone, toned},
    },
    problem::{Exit, Problem, Problems},
    rehearsal::{self, Rehearse},
    texts::Texts,
};

/// `waymark docking …`.
#[derive(Debug, Subcommand)]
pub(crate) enum DockingVerb {
    /// Each transaction and how it stands.
    Status(DockingStatus),
    /// Say for the top-level node what it decided.
    Mark(DockingMark),
    /// Have what failed sent at once.
    Hurry(DockingHurry),
    /// Go through the acceptance list against the simulator.
    Rehearse(Rehearse),
}

/// `waymark docking mark`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("verdict").required(true)))]
pub(crate) struct DockingMark {
    #[arg(value_name = "PREFIX")]
    prefix: String,
    #[arg(long, group = "verdict")]
    approved: bool,
    #[arg(long, group = "verdict")]
    refused: bool,
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// `waymark docking hurry`.
#[derive(Debug, Args)]
pub(crate) struct DockingHurry {
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// `waymark docking status`.
#[derive(Debug, Args)]
pub(crate) struct DockingStatus {
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// Runs a verb of docking.
pub(crate) async fn run(verb: &DockingVerb, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    match verb {
        DockingVerb::Status(arguments) => Ok(status(arguments, texts, shown).await?),
        DockingVerb::Mark(arguments) => Ok(mark(arguments, texts).await?),
        DockingVerb::Hurry(arguments) => Ok(hurry(arguments, texts).await?),
        DockingVerb::Rehearse(arguments) => rehearsal::run(arguments, texts, shown).await,
    }
}

async fn mark(arguments: &DockingMark, texts: &Texts) -> Result<Exit, Problem> {
    let DockingMark { prefix, approved, reason, connection, json: is_json, .. } = arguments;
    let request = v1::MarkDockingRequest { prefix: prefix.clone(), approved: *approved, reason: reason.clone() };
    let done = connection.open(texts)?.mark_docking(&request).await;
    done.map_err(|error| answer::problem(&error, *is_json))?;
    tell_done("docking-marked", *is_json, texts);
    Ok(Exit::Done)
}

async fn hurry(arguments: &DockingHurry, texts: &Texts) -> Result<Exit, Problem> {
    let done = arguments.connection.open(texts)?.hurry_docking(&v1::HurryDockingRequest {}).await;
    done.map_err(|error| answer::problem(&error, arguments.json))?;
    tell_done("docking-hurried", arguments.json, texts);
    Ok(Exit::Done)
}

fn tell_done(code: &str, is_json: bool, texts: &Texts) {
    if is_json {
        terminal::line(json!({ "outcome": code.trim_start_matches("docking-") }));
    } else {
        terminal::line(texts.text(code, &[]));
    }
}

async fn status(arguments: &DockingStatus, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let registrar = arguments.connection.open(texts)?;
    let status = registrar.docking_status(&v1::DockingStatusRequest {}).await;
    let status = status.map_err(|error| answer::problem(&error, arguments.json))?;
    tell_status(&status, arguments.json, texts, shown);
    let request = v1::ListDockingTransactionsRequest { ended: arguments.all };
    let opened = registrar.docking_transactions(&request).await;
    let mut transactions = opened.map_err(|error| answer::problem(&error, arguments.json))?;
    loop {
        let next = transactions.message().await;
        let next = next.map_err(|status| Problem::new("docking-cut", Exit::Failed).with("cause", status.message()))?;
        let Some(transaction) = next else { return Ok(Exit::Done) };
        tell(&transaction, arguments.json, texts, shown);
    }
}

fn tell_status(status: &v1::DockingStatus, is_json: bool, texts: &Texts, shown: Shown) {
    let oldest = answer::time(status.oldest_undecided.as_ref());
    if is_json {
        terminal::line(json!({
            "open": status.open,
            "known_enterprises": status.known_enterprises,
            "unacknowledged": status.unacknowledged,
            "oldest_undecided": oldest,
            "link": status.link.as_ref().map(|link| json!({ "kind": link.kind, "detail": link.detail })),
            "file_trouble": status.file_trouble,
            "commands": status.commands,
            "troubles": status.troubles,
        }));
        return;
    }
    let counts = [
        ("open", status.open.to_string().into()),
        ("enterprises", status.known_enterprises.to_string().into()),
        ("commands", status.commands.to_string().into()),
        ("troubles", status.troubles.to_string().into()),
    ];
    terminal::line(texts.text("docking-counts", &counts));
    if status.oldest_undecided.is_some() {
        terminal::line(texts.text("docking-oldest", &[("time", oldest.into())]));
    }
    if let Some(link) = &status.link {
        let text = texts.text("docking-link", &[("trouble", trouble(link, texts).into())]);
        terminal::line(toned(&text, Tone::Bad, shown.colours));
    }
    if !status.file_trouble.is_empty() {
        let text = texts.text("docking-file", &[("cause", present::safe(&status.file_trouble).into())]);
        terminal::line(toned(&text, Tone::Bad, shown.colours));
    }
}

fn tell(transaction: &v1::DockingTransaction, is_json: bool, texts: &Texts, shown: Shown) {
    let v1::DockingTransaction { id, kind, enterprise, prefix, state, attempts, last_error, since } = transaction;
    let since = answer::time(since.as_ref());
    if is_json {
        terminal::line(json!({
            "id": id,
            "kind": kind,
            "enterprise": enterprise,
            "prefix": prefix,
            "state": state,
            "attempts": attempts,
            "last_error": last_error.as_ref().map(|error| json!({ "kind": error.kind, "detail": error.detail })),
            "since": since,
        }));
        return;
    }
    let tone = match state.as_str() {
        "approved" => Tone::Good,
        "refused" | "failed" => Tone::Bad,
        "replaced" => Tone::Faint,
        _ => Tone::Doubtful,
    };
    let told = texts.text(
        "docking-transaction",
        &[
            ("kind", texts.text(&format!("docking-kind-{kind}"), &[]).into()),
            ("subject", present::safe(if prefix.is_empty() { enterprise } else { prefix }).into()),
            ("id", present::safe(if id.is_empty() { "-" } else { id }).into()),
            ("attempts", attempts.to_string().into()),
            ("since", since.into()),
        ],
    );
    let state = texts.text(&format!("docking-state-{state}"), &[]);
    terminal::line(format_args!("{}  {told}", toned(&state, tone, shown.colours)));
    if let Some(error) = last_error {
        terminal::line(format_args!(
            "    {}",
            texts.text("docking-last", &[("trouble", trouble(error, texts).into())])
        ));
    }
}

/// What went wrong, in words; a kind that is not known here as it came.
fn trouble(trouble: &v1::DockingTrouble, texts: &Texts) -> String {
    let words = texts.find(&format!("docking-trouble-{}", trouble.kind), &[]);
    let words = words.unwrap_or_else(|| present::safe(&trouble.kind));
    if trouble.detail.is_empty() { words } else { format!("{words} ({})", present::safe(&trouble.detail)) }
}

#[cfg(test)]
mod tests {
    use waymark_top_sync::epp::exchange::{Kind, Stage, TroubleKind};

    use crate::texts::{Language, Texts};

    #[test]
    fn every_kind_state_and_trouble_has_a_text_in_both_languages() {
        for language in [Language::English, Language::Chinese] {
            let texts = Texts::new(language);
            let kinds = Kind::ALL.iter().map(|kind| format!("docking-kind-{}", kind.as_str()));
            let states = Stage::ALL.iter().map(|stage| stage.as_str()).chain(["waiting"]);
            let troubles = TroubleKind::ALL.iter().map(|kind| format!("docking-trouble-{}", kind.as_str()));
            for code in kinds.chain(states.map(|state| format!("docking-state-{state}"))).chain(troubles) {
                assert!(texts.find(&code, &[]).is_some(), "{code} has no text in {language:?}");
            }
        }
    }
}
