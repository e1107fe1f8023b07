//! `waymark deposit status` and `send`: deposits that a node brings to the platform itself.

use clap::Args;
use serde_json::{Value, json};
use waymark_api::operator::v1;
use waymark_catalog::Timestamp;

use super::asked;
use crate::{
    cli::{
        Shown,
        server::{answer, connection::Connection},
        terminal::{self, Tone, toned},
    },
    problem::{Exit, Problem},
    texts::Texts,
};

/// `waymark deposit status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// `waymark deposit send`.
#[derive(Debug, Args)]
pub(crate) struct Send {
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    #[arg(long, value_name = "DATE")]
    date: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// Ends with a failed check where a prefix is late.
pub(super) async fn status(arguments: &Status, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let told = arguments.connection.open(texts)?.deposit_status(&v1::DepositStatusRequest {}).await;
    let told = told.map_err(|error| answer::problem(&error, arguments.json))?;
    let is_late = told.standings.iter().any(|standing| standing.late);
    for standing in &told.standings {
        if arguments.json {
            terminal::line(as_json(standing));
        } else {
            tell(standing, texts, shown);
        }
    }
    Ok(if is_late { Exit::CheckFailed } else { Exit::Done })
}

fn tell(standing: &v1::DepositStanding, texts: &Texts, shown: Shown) {
    let state = texts.text(&format!("deposit-state-{}", standing.state), &[]);
    let tone = if standing.late { Tone::Bad } else { Tone::Good };
    let values = [
        ("prefix", standing.prefix.clone().into()),
        ("state", toned(&state, tone, shown.colours).into()),
        ("user", standing.user.clone().into()),
    ];
    terminal::line(texts.text("deposit-standing", &values));
    let rows = [("made", &standing.made), ("sent", &standing.sent), ("accepted", &standing.accepted)];
    for (what, row) in rows {
        let Some(row) = row else { continue };
        let at = match what {
            "made" => row.ended_ms,
            "sent" => row.sent_ms,
            _ => row.judged_ms,
        };
        let values = [
            ("extent", extent(row).into()),
            ("date", row.date.clone().into()),
            ("resend", row.resend.to_string().into()),
            ("time", time(at).unwrap_or_else(|| "-".to_owned()).into()),
        ];
        terminal::line(texts.text(&format!("deposit-standing-{what}"), &values));
    }
    let hours = (standing.accepted_age_seconds / 3_600).to_string();
    let age = if standing.accepted.is_some() { "deposit-standing-age" } else { "deposit-standing-never" };
    terminal::line(texts.text(age, &[("hours", hours.into())]));
    let refused = standing.made.as_ref().filter(|row| row.code >= 2_000);
    if let Some(row) = refused {
        let values = [("code", row.code.to_string().into()), ("reason", row.remark.clone().into())];
        terminal::line(texts.text("deposit-standing-refused", &values));
    }
    if !standing.problem.is_empty() {
        terminal::line(texts.text("deposit-standing-problem", &[("cause", standing.problem.clone().into())]));
    }
}

fn as_json(standing: &v1::DepositStanding) -> Value {
    json!({
        "prefix": standing.prefix, "user": standing.user, "state": standing.state,
        "made": standing.made.as_ref().map(of_row), "sent": standing.sent.as_ref().map(of_row),
        "accepted": standing.accepted.as_ref().map(of_row), "accepted_age_seconds": standing.accepted_age_seconds,
        "late": standing.late, "problem": standing.problem,
    })
}

fn of_row(row: &v1::DepositRow) -> Value {
    json!({
        "id": row.id, "date": row.date, "type": extent(row), "resend": row.resend, "made": time(row.ended_ms),
        "sent": time(row.sent_ms), "judged": time(row.judged_ms), "code": (row.code > 0).then_some(row.code),
        "remark": row.remark,
    })
}

fn extent(row: &v1::DepositRow) -> &'static str {
    if row.extent() == v1::DepositExtent::Diff { "DIFF" } else { "FULL" }
}

/// A moment in UTC; `None` where it did not happen.
fn time(ms: u64) -> Option<String> {
    (ms > 0).then(|| waymark_top_sync::calendar::moment(Timestamp(ms)))
}

pub(super) async fn send(arguments: &Send, texts: &Texts) -> Result<Exit, Problem> {
    let request = v1::SendDepositRequest {
        prefix: arguments.prefix.clone().unwrap_or_default(),
        date: arguments.date.clone().unwrap_or_default(),
    };
    let told = arguments.connection.open(texts)?.send_deposit(&request).await;
    let told = told.map_err(|error| answer::problem(&error, arguments.json))?;
    if let Some(failed) = &told.failed {
        return Err(asked::problem(failed));
    }
    if arguments.json {
        terminal::line(json!({ "prefixes": told.prefixes }));
    } else {
        terminal::line(texts.text("deposit-sending", &[("prefixes", told.prefixes.join(", ").into())]));
    }
    Ok(Exit::Done)
}
