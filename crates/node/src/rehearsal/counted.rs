//! Item 7: the statistics of requests are those of the record of every answer.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use serde_json::Value;

use super::stage::{NODE, Stage, until};
use super::tried::Item;

/// How long figures may take to catch up with the record.
const CATCH_UP: Duration = Duration::from_secs(20);

/// Requests, successes, and requests by source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Figures {
    requests: u64,
    successes: u64,
    sources: BTreeMap<String, u64>,
}

/// Tries it.
pub(super) fn try_out(stage: &Stage) -> Item {
    Item::of_steps(7, |item| {
        let mut last = (Figures::default(), Figures::default());
        let equal = until(CATCH_UP, || {
            last = (told(stage), recorded(stage));
            (last.0 == last.1 && last.0.requests > 0).then_some(())
        });
        let (told, recorded) = last;
        let seen = format!(
            "statistics: {} requests, {} successes, {} sources; record: {}, {}, {}",
            told.requests,
            told.successes,
            told.sources.len(),
            recorded.requests,
            recorded.successes,
            recorded.sources.len()
        );
        item.tell("equal", "waymark traffic against answers.log", seen, equal.is_some());
    })
}

/// The figures the node tells, all days together.
fn told(stage: &Stage) -> Figures {
    let mut all = Figures::default();
    for day in stage.by("operator", &["traffic", "--json"]).lines() {
        let Some(day) = text(&day, "day") else { continue };
        let parts = stage.by("operator", &["traffic", day, "--sources", "10000", "--json"]).lines();
        // The node stands before its prefixes.
        let Some(node) = parts.first() else { continue };
        all.requests += number(node, "requests");
        all.successes += number(node, "successes");
        for source in node.pointer("/sources/top").and_then(Value::as_array).into_iter().flatten() {
            let address = text(source, "address").unwrap_or_default().to_owned();
            *all.sources.entry(address).or_default() += number(source, "count");
        }
    }
    all
}

/// The same, counted from the record of every answer.
fn recorded(stage: &Stage) -> Figures {
    let mut all = Figures::default();
    let own = format!("0.NA/{NODE}");
    let record = std::fs::read_to_string(stage.data().join("answers.log")).unwrap_or_default();
    for line in record.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        // Resolutions alone are requests (RFC 3652 section 2.2.2.1).
        if number(&line, "op") != 1 {
            continue;
        }
        let from = text(&line, "from").and_then(|from| from.parse::<SocketAddr>().ok());
        // Nor is what the node asks itself: for the record of its prefix, from where it listens. The rehearsal asks for it from there too.
        let is_here = from.is_some_and(|from| from.ip().to_canonical().is_loopback());
        if is_here && text(&line, "handle").is_some_and(|name| name.eq_ignore_ascii_case(&own)) {
            continue;
        }
        all.requests += 1;
        all.successes += u64::from(number(&line, "code") == 1);
        if let Some(from) = from {
            *all.sources.entry(from.ip().to_canonical().to_string()).or_default() += 1;
        }
    }
    all
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}
