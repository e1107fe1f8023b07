//! `waymark maintenance`: planned times without service.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use waymark_api::operator::v1;

use super::{answer, connection::Connection, look_up::parse_time};
use crate::{
    cli::{present, terminal},
    problem::{Exit, Problem},
    texts::Texts,
};

/// `waymark maintenance …`.
#[derive(Debug, Subcommand)]
pub(crate) enum MaintenanceVerb {
    /// Declare one.
    Begin(Begin),
    /// End the one under way or planned.
    End(Plain),
    /// What was declared, oldest first.
    List(Plain),
}

/// `waymark maintenance begin`.
#[derive(Debug, Args)]
pub(crate) struct Begin {
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Option<prost_types::Timestamp>,
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<prost_types::Timestamp>,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// `waymark maintenance end` and `list`.
#[derive(Debug, Args)]
pub(crate) struct Plain {
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// Runs a verb.
pub(crate) async fn run(verb: &MaintenanceVerb, texts: &Texts) -> Result<Exit, Problem> {
    match verb {
        MaintenanceVerb::Begin(arguments) => begin(arguments, texts).await,
        MaintenanceVerb::End(arguments) => end(arguments, texts).await,
        MaintenanceVerb::List(arguments) => list(arguments, texts).await,
    }
}

async fn begin(arguments: &Begin, texts: &Texts) -> Result<Exit, Problem> {
    let Begin { reason, from, until, connection, json } = arguments;
    let request = v1::BeginMaintenanceRequest { reason: reason.clone(), from: *from, until: *until };
    let begun = connection.open(texts)?.begin_maintenance(&request).await;
    tell(&begun.map_err(|error| answer::problem(&error, *json))?, *json, texts);
    Ok(Exit::Done)
}

async fn end(arguments: &Plain, texts: &Texts) -> Result<Exit, Problem> {
    let ended = arguments.connection.open(texts)?.end_maintenance(&v1::EndMaintenanceRequest {}).await;
    tell(&ended.map_err(|error| answer::problem(&error, arguments.json))?, arguments.json, texts);
    Ok(Exit::Done)
}

async fn list(arguments: &Plain, texts: &Texts) -> Result<Exit, Problem> {
    let listed = arguments.connection.open(texts)?.maintenances(&v1::ListMaintenanceRequest {}).await;
    let listed = listed.map_err(|error| answer::problem(&error, arguments.json))?;
    listed.maintenances.iter().for_each(|each| tell(each, arguments.json, texts));
    if listed.maintenances.is_empty() && !arguments.json {
        terminal::remark(texts.text("maintenance-none", &[]));
    }
    Ok(Exit::Done)
}

fn tell(maintenance: &v1::PlannedMaintenance, is_json: bool, texts: &Texts) {
    if is_json {
        terminal::line(maintenance_json(maintenance));
    } else {
        terminal::line(maintenance_line(maintenance, texts));
    }
}

/// A maintenance in a line.
pub(crate) fn maintenance_line(maintenance: &v1::PlannedMaintenance, texts: &Texts) -> String {
    let until = maintenance.until.as_ref().map_or_else(|| "-".to_owned(), |until| answer::time(Some(until)));
    let values = [
        ("from", answer::time(maintenance.from.as_ref()).into()),
        ("until", until.into()),
        ("reason", present::safe(&maintenance.reason).into()),
        ("by", present::safe(&maintenance.by).into()),
    ];
    texts.text(if maintenance.cancelled { "maintenance-cancelled" } else { "maintenance-line" }, &values)
}

/// A maintenance for programs; `until` is `null` while nobody said when it ends, and `from` where it was cancelled before it began.
pub(crate) fn maintenance_json(maintenance: &v1::PlannedMaintenance) -> Value {
    json!({
        "from": answer::time(maintenance.from.as_ref()),
        "until": maintenance.until.as_ref().map(|until| answer::time(Some(until))),
        "reason": maintenance.reason,
        "by": maintenance.by,
        "cancelled": maintenance.cancelled,
    })
}
