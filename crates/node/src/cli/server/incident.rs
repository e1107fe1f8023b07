//! `waymark incident`: what failed, and saying so.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use waymark_api::operator::v1;
use waymark_top_sync::calendar::Month;

use super::{answer, connection::Connection, look_up::parse_time};
use crate::{
    cli::{
        Shown, present,
        terminal::{self, Tone, toned},
    },
    problem::{Exit, Problem},
    texts::Texts,
};

/// `waymark incident …`.
#[derive(Debug, Subcommand)]
pub(crate) enum IncidentVerb {
    /// What failed, oldest first.
    List(ListIncidents),
    /// Report a fault the node does not see itself.
    Report(ReportIncident),
    /// Say that a fault is over.
    Recovered(Recovered),
}

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Type {
    /// The network.
    Network,
    /// The node itself.
    System,
    /// Somebody wants it so.
    Attack,
    /// Anything else.
    Other,
}

impl Type {
    const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::System => "system",
            Self::Attack => "attack",
            Self::Other => "other",
        }
    }
}

/// `waymark incident list`.
#[derive(Debug, Args)]
pub(crate) struct ListIncidents {
    #[arg(long, value_name = "MONTH")]
    month: Option<Month>,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// `waymark incident report`.
#[derive(Debug, Args)]
pub(crate) struct ReportIncident {
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    kind: Type,
    #[arg(long, value_name = "TEXT")]
    cause: String,
    #[arg(long, value_name = "PREFIX")]
    prefix: Option<String>,
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<prost_types::Timestamp>,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// `waymark incident recovered`.
#[derive(Debug, Args)]
pub(crate) struct Recovered {
    #[arg(value_name = "EVENT")]
    event: String,
    #[arg(long, value_name = "TEXT")]
    remedy: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// Runs a verb.
pub(crate) async fn run(verb: &IncidentVerb, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    match verb {
        IncidentVerb::List(arguments) => list(arguments, texts, shown).await,
        IncidentVerb::Report(arguments) => report(arguments, texts).await,
        IncidentVerb::Recovered(arguments) => recovered(arguments, texts).await,
    }
}

async fn list(arguments: &ListIncidents, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let request =
        v1::ListIncidentsRequest { month: arguments.month.map(|month| month.to_string()).unwrap_or_default() };
    let listed = arguments.connection.open(texts)?.incidents(&request).await;
    let listed = listed.map_err(|error| answer::problem(&error, arguments.json))?;
    for incident in &listed.incidents {
        if arguments.json {
            terminal::line(incident_json(incident));
        } else {
            terminal::line(incident_line(incident, texts, Some(shown)));
        }
    }
    if listed.incidents.is_empty() && !arguments.json {
        terminal::remark(texts.text("incident-none", &[]));
    }
    Ok(Exit::Done)
}

async fn report(arguments: &ReportIncident, texts: &Texts) -> Result<Exit, Problem> {
    let request = v1::ReportIncidentRequest {
        r#type: arguments.kind.name().to_owned(),
        cause: arguments.cause.clone(),
        prefix: arguments.prefix.clone().unwrap_or_default(),
        at: arguments.at,
    };
    let event = arguments.connection.open(texts)?.report_incident(&request).await;
    let event = event.map_err(|error| answer::problem(&error, arguments.json))?;
    say("incident-reported", &event, arguments.json, texts);
    Ok(Exit::Done)
}

async fn recovered(arguments: &Recovered, texts: &Texts) -> Result<Exit, Problem> {
    let remedy = arguments.remedy.clone().unwrap_or_default();
    let request = v1::RecoverIncidentRequest { event: arguments.event.clone(), remedy };
    let event = arguments.connection.open(texts)?.recover_incident(&request).await;
    let event = event.map_err(|error| answer::problem(&error, arguments.json))?;
    say("incident-recovered", &event, arguments.json, texts);
    Ok(Exit::Done)
}

fn say(code: &str, event: &v1::IncidentEvent, is_json: bool, texts: &Texts) {
    if is_json {
        terminal::line(event_json(event));
        return;
    }
    let related = present::safe(&event.related);
    terminal::line(texts.text(code, &[("event", present::safe(&event.event).into()), ("related", related.into())]));
}

/// An incident in a line.
pub(crate) fn incident_line(incident: &v1::NodeIncident, texts: &Texts, shown: Option<Shown>) -> String {
    let fault = incident.fault.clone().unwrap_or_default();
    let (state, tone) = match incident.recovery {
        Some(_) => ("incident-over", Tone::Good),
        None => ("incident-open", Tone::Bad),
    };
    let until = incident.recovery.as_ref().map(|end| answer::time(end.time.as_ref()));
    let remedy = incident.recovery.as_ref().map_or("", |end| end.remedy.as_str());
    let values = [
        ("event", present::safe(&fault.event).into()),
        ("type", texts.find(&format!("incident-type-{}", fault.r#type), &[]).unwrap_or_default().into()),
        ("prefix", present::safe(&fault.prefix).into()),
        ("from", answer::time(fault.time.as_ref()).into()),
        ("until", until.unwrap_or_else(|| "-".to_owned()).into()),
        ("cause", cause(&fault, texts).into()),
    ];
    let state = texts.text(state, &[]);
    let state = shown.map_or_else(|| state.clone(), |shown| toned(&state, tone, shown.colours));
    let mut line = format!("{state}  {}", texts.text("incident-line", &values));
    if !remedy.is_empty() {
        line.push_str(&format!("  {}", texts.text("incident-remedy", &[("remedy", present::safe(remedy).into())])));
    }
    line
}

/// The cause in the language of whoever reads, where the node saw it itself.
fn cause(fault: &v1::IncidentEvent, texts: &Texts) -> String {
    let told = present::safe(&fault.cause);
    match texts.find(&format!("incident-watched-{}", fault.watched), &[]) {
        Some(what) if !fault.watched.is_empty() => format!("{what} ({told})"),
        _ => told,
    }
}

/// An incident for programs; `recovery` is `null` while it lasts.
pub(crate) fn incident_json(incident: &v1::NodeIncident) -> Value {
    json!({
        "fault": incident.fault.as_ref().map(event_json),
        "recovery": incident.recovery.as_ref().map(event_json),
    })
}

fn event_json(event: &v1::IncidentEvent) -> Value {
    json!({
        "event": event.event,
        "related": event.related,
        "time": answer::time(event.time.as_ref()),
        "type": event.r#type,
        "cause": event.cause,
        "prefix": event.prefix,
        "remedy": event.remedy,
        "by": event.by,
        "watched": event.watched,
    })
}

#[cfg(test)]
mod tests {
    use waymark_top_sync::watch::{incident::Kind, target::Target};

    use crate::texts::{Language, Texts};

    #[test]
    fn every_kind_and_everything_watched_has_a_text_in_both_languages() {
        for language in [Language::English, Language::Chinese] {
            let texts = Texts::new(language);
            for kind in Kind::ALL {
                assert!(texts.find(&format!("incident-type-{}", kind.as_str()), &[]).is_some(), "{kind:?}");
            }
            for watched in Target::ALL.map(Target::as_str).into_iter().chain(["stop", "flood"]) {
                assert!(texts.find(&format!("incident-watched-{watched}"), &[]).is_some(), "{watched}");
            }
        }
    }
}
