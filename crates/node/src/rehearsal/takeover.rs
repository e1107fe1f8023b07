//! Item 10: the drill of a takeover, as an operator runs it: with nodes of its own, in the folder of the rehearsal.

use std::time::Duration;

use serde_json::Value;

use super::stage::{Stage, text};
use super::tried::Item;

/// The longest the drill may take. It takes some tens of seconds; what it waits for ends by itself before this.
const DRILL_TIME: Duration = Duration::from_secs(300);

/// What it says at its end when all went as it should.
const GOOD: &str = "drill-good";

/// Tries it: the steps of the drill are those of the item.
pub(super) fn try_out(stage: &Stage) -> Item {
    Item::of_steps(10, |item| {
        let folder = stage.path("drill");
        let drill = stage.within(DRILL_TIME, &["drill", "takeover", "--json"], &["--keep", text(&folder)]);
        let lines = drill.lines();
        let mut count = 0_usize;
        for line in &lines {
            let Some(step) = line.get("step").and_then(Value::as_str) else { continue };
            let took = line.get("ms").and_then(Value::as_u64).unwrap_or(0);
            let values = line.get("values").map(ToString::to_string).unwrap_or_default();
            let held = line.get("good").and_then(Value::as_bool) == Some(true);
            item.tell(step.to_owned(), drill.words.clone(), format!("after {took} ms: {values}"), held);
            count += 1;
        }
        // A drill that breaks off has no step that went wrong.
        let is_whole = lines.iter().any(|line| line.get("remark").and_then(Value::as_str) == Some(GOOD));
        let seen = format!("exit {}, {count} steps; {}", drill.code, drill.err.trim());
        item.tell("drill", drill.words.clone(), seen, drill.code == 0 && is_whole);
    })
}
