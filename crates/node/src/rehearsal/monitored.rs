//! Item 8, while the node runs: a fault that an operator reports and its end arrive at the simulator, and the report of the month is told for programs
//! and for people, in both languages. The sets of the monitoring and of the report follow by the clock that moves, in `upward`.

use std::time::Duration;

use serde_json::Value;
use waymark_top_sync::{calendar::Month, check::Set, simulator::ledger::After};

use super::stage::{NODE, Ran, Stage, until};
use super::tried::Item;
use crate::texts::{Language, Texts};

/// How long a message may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(20);

/// How long it may take until the node has asked itself once.
const FIRST_ROUND: Duration = Duration::from_secs(60);

/// Messages looked through.
const ROWS: usize = 1_000;

/// Why, as the operator says, and what was done.
const CAUSE: &str = "演练：存储阵列故障";
const REMEDY: &str = "演练：更换阵列";

/// The number of a fault of the node itself in a message.
const SYSTEM: u64 = 2;

/// Tries it.
pub(super) fn try_out(stage: &Stage) -> Item {
    Item::of_steps(8, |item| {
        let event = incident(stage, item);
        month(stage, item, &event);
    })
}

/// Reports a fault and that it is over; gives its identifier.
fn incident(stage: &Stage, item: &mut Item) -> String {
    let words = ["incident", "report", "--type", "system", "--cause", CAUSE, "--json"];
    let reported = stage.by("operator", &words);
    let event = event(&reported);
    item.tell("incident-report", reported.words.clone(), reported.seen(), reported.code == 0 && !event.is_empty());
    arrives(stage, item, "incident-fault", |row| {
        text(row, "event") == event
            && text(row, "state") == "fault"
            && row.get("type").and_then(Value::as_u64) == Some(SYSTEM)
            && text(row, "prefix") == NODE
            && text(row, "cause") == CAUSE
    });
    let recovered = stage.by("operator", &["incident", "recovered", &event, "--remedy", REMEDY, "--json"]);
    let end = self::event(&recovered);
    let held = recovered.code == 0 && !end.is_empty() && recovered.at("/related").as_str() == Some(&event);
    item.tell("incident-recovered", recovered.words.clone(), recovered.seen(), held);
    arrives(stage, item, "incident-recovery", |row| {
        text(row, "event") == end && text(row, "state") == "recovered" && text(row, "related") == event
    });
    event
}

fn event(ran: &Ran) -> String {
    ran.at("/event").as_str().unwrap_or_default().to_owned()
}

fn text<'v>(row: &'v Value, name: &str) -> &'v str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Waits for a message at the simulator.
fn arrives(stage: &Stage, item: &mut Item, step: &'static str, is_wanted: impl Fn(&Value) -> bool) {
    let come = until(ARRIVAL, || {
        let held = stage.simulator().ledgers().held(NODE, Set::Incident, After::default(), ROWS);
        held.ok()?.0.into_iter().map(|row| row.content).find(|row| is_wanted(row))
    });
    let seen = come.as_ref().map_or_else(|| "no such row came".to_owned(), ToString::to_string);
    item.tell(step, "INCIDENT at the simulator", seen, come.is_some());
}

/// Asks for the report of the month that is under way.
fn month(stage: &Stage, item: &mut Item, event: &str) {
    let month = Month::of(waymark_catalog::machine_time()).to_string();
    let asked = || stage.by("operator", &["report", "month", &month, "--json"]);
    let has_asked_itself = |told: &Ran| told.at("/service_level/tried").as_u64().is_some_and(|tried| tried > 0);
    // It begins to ask itself with its start; on a machine with much to do the first round may still be under way.
    let told = until(FIRST_ROUND, || Some(asked()).filter(has_asked_itself)).unwrap_or_else(asked);
    let incidents = told.at("/incidents");
    let has_incident = incidents.as_array().into_iter().flatten().any(|incident| {
        incident.pointer("/fault/event").and_then(Value::as_str) == Some(event)
            && incident.pointer("/recovery/remedy").and_then(Value::as_str) == Some(REMEDY)
    });
    let is_of_month = told.at("/prefix") == NODE && told.at("/month").as_str() == Some(&month);
    let seen = format!(
        "exit {}; probes {}, incidents {}, over {}, owed by {}",
        told.code,
        told.at("/service_level"),
        incidents.as_array().map_or(0, Vec::len),
        told.at("/over"),
        told.at("/owed_by")
    );
    let held = told.code == 0 && is_of_month && told.at("/over") == false && has_asked_itself(&told) && has_incident;
    item.tell("month-report", told.words.clone(), seen, held);
    for (step, name, language) in
        [("month-report-en", "en", Language::English), ("month-report-zh", "zh", Language::Chinese)]
    {
        let read = stage.by("operator", &["--lang", name, "report", "month", &month]);
        let head = Texts::new(language).text("report-emergencies", &[]);
        let held = read.code == 0 && [head.as_str(), CAUSE, REMEDY].iter().all(|words| read.out.contains(words));
        item.tell(step, read.words.clone(), read.seen(), held);
    }
}
