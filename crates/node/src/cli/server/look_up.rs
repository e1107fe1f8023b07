//! `waymark get`, `list` and `history`: identifiers as they are and as they were.

use clap::Args;
use waymark_api::registration::v1::{self, get_request::At};
use waymark_client::registration::Registrar;

use super::{answer, connection::Connection};
use crate::{
    cli::{
        Shown, present,
        terminal::{self, grouped},
    },
    problem::{Exit, Problem},
    texts::Texts,
};

/// Identifiers asked for at once.
const PAGE: u32 = 500;

/// `waymark get`.
#[derive(Debug, Args)]
pub(crate) struct Get {
    #[arg(value_name = "HANDLE")]
    handle: String,
    #[arg(long, value_name = "SERIAL|TIME", value_parser = parse_at)]
    at: Option<At>,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// `waymark list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[arg(value_name = "PREFIX")]
    prefix: Option<String>,
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    changed_from: Option<prost_types::Timestamp>,
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    changed_until: Option<prost_types::Timestamp>,
    #[arg(long)]
    values: bool,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// `waymark history`.
#[derive(Debug, Args)]
pub(crate) struct History {
    #[arg(value_name = "HANDLE")]
    handle: String,
    #[arg(long)]
    values: bool,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// Reads a serial, or a time as RFC 3339 writes it.
pub(crate) fn parse_at(text: &str) -> Result<At, String> {
    match text.parse() {
        Ok(serial) => Ok(At::Serial(serial)),
        Err(_) => parse_time(text).map(At::Time),
    }
}

/// Reads a time as RFC 3339 writes it; a day alone means its beginning in UTC.
pub(crate) fn parse_time(text: &str) -> Result<prost_types::Timestamp, String> {
    let read = |text: &str| text.parse::<prost_types::Timestamp>().ok();
    read(text)
        .or_else(|| read(&format!("{text}T00:00:00Z")))
        .ok_or_else(|| "a time is written 2026-11-22T08:00:00Z or 2026-11-22T16:00:00+08:00".to_owned())
}

/// Shows one identifier.
pub(crate) async fn get(arguments: &Get, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let registrar = arguments.connection.open(texts)?;
    let request = v1::GetRequest { handle: arguments.handle.clone(), at: arguments.at, ..v1::GetRequest::default() };
    show(&registrar, &request, arguments.json, texts, shown).await
}

/// Asks for one identifier and shows it.
pub(crate) async fn show(
    registrar: &Registrar,
    request: &v1::GetRequest,
    json: bool,
    texts: &Texts,
    shown: Shown,
) -> Result<Exit, Problem> {
    let identifier = registrar.get(request).await.map_err(|error| answer::problem(&error, json))?;
    answer::show_identifier(&identifier, json, texts, shown)?;
    Ok(match identifier.status() {
        v1::Status::Deleted => Exit::Absent,
        _ => Exit::Done,
    })
}

/// Shows identifiers, page after page.
pub(crate) async fn list(arguments: &List, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let registrar = arguments.connection.open(texts)?;
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    let mut request = v1::ListRequest {
        prefix: arguments.prefix.clone().unwrap_or_default(),
        page_size: page(left),
        page_token: String::new(),
        changed_from: arguments.changed_from,
        changed_until: arguments.changed_until,
        with_values: arguments.values,
    };
    let (mut count, mut exit) = (0, Exit::Done);
    while left > 0 {
        let page = registrar.list(&request).await.map_err(|error| answer::problem(&error, arguments.json))?;
        for identifier in page.identifiers.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            answer::show_identifier(identifier, arguments.json, texts, shown)?;
            (count, left) = (count + 1, left - 1);
        }
        for damage in &page.damaged {
            answer::show_damage(damage, arguments.json, texts);
            exit = Exit::Damaged;
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    if !arguments.json {
        terminal::remark(texts.text("listed", &[("count", grouped(count).into())]));
    }
    Ok(exit)
}

/// Shows the versions of an identifier, newest first; one that never existed is absent.
pub(crate) async fn history(arguments: &History, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let registrar = arguments.connection.open(texts)?;
    let mut count = 0_u64;
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    let mut request = v1::HistoryRequest {
        handle: arguments.handle.clone(),
        page_size: page(left),
        page_token: String::new(),
        with_values: arguments.values,
    };
    while left > 0 {
        let page = registrar.history(&request).await.map_err(|error| answer::problem(&error, arguments.json))?;
        for version in page.versions.iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            answer::show_identifier(version, arguments.json, texts, shown)?;
            (count, left) = (count + 1, left - 1);
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    if count == 0 {
        return Err(Problem::new("history-empty", Exit::Absent).with("handle", present::safe(&arguments.handle)));
    }
    Ok(Exit::Done)
}

fn page(left: u64) -> u32 {
    u32::try_from(left).unwrap_or(PAGE).min(PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_serial_or_a_time() {
        assert_eq!(parse_at("17"), Ok(At::Serial(17)));
        let time = |text: &str| parse_time(text).map(|time| time.seconds);
        assert_eq!(time("1970-01-02T00:00:00Z"), Ok(86_400));
        assert_eq!(time("1970-01-02"), Ok(86_400));
        assert_eq!(time("1970-01-02T08:00:00+08:00"), Ok(86_400));
        assert!(parse_at("yesterday").is_err() && time("-1").is_err());
    }
}
