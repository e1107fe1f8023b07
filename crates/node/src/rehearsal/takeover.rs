//! Item 10: the drill of a takeover, as an operator runs it: with nodes of its own, in the folder of the rehearsal.

use std::time::Duration;

use serde_json::Value;

use super::stage::{Ran, Stage, text};
use super::tried::Item;

/// The longest the drill may take. It takes some tens of seconds; what it waits for ends by itself before this.
const DRILL_TIME: Duration = Duration::from_secs(300);

/// What it says at its end when all went as it should.
const GOOD: &str = "drill-good";

/// Tries it: the steps of the drill are those of the item.
pub(super) fn try_out(stage: &Stage) -> Item {
    let folder = stage.path("drill");
    let drill = stage.within(DRILL_TIME, &["drill", "takeover", "--json"], &["--keep", text(&folder)]);
    Item::of_steps(10, |item| tell(item, &drill))
}

/// What the drill said, as steps.
fn tell(item: &mut Item, drill: &Ran) {
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
}

#[cfg(test)]
mod tests {
    use super::super::tried::State;
    use super::*;

    fn told(code: i32, out: &str) -> Item {
        let ran = Ran { words: "drill takeover --json".to_owned(), code, out: out.to_owned(), err: String::new() };
        Item::of_steps(10, |item| tell(item, &ran))
    }

    #[test]
    fn the_item_fails_with_a_bad_step_a_bad_end_and_a_drill_that_breaks_off() {
        let good = r#"{"step":"drill-before","good":true,"ms":3,"values":{"count":"200"}}"#;
        let bad = r#"{"step":"drill-due","good":false,"ms":3,"values":{}}"#;
        let end = r#"{"remark":"drill-good","values":{}}"#;
        let whole = told(0, &format!("{good}\n{end}\n"));
        assert_eq!((whole.state(), whole.steps.len()), (State::Pass, 2));
        assert!(whole.steps[0].step == "drill-before" && whole.steps[0].seen.contains("200"));
        assert_eq!(told(0, &format!("{good}\n{bad}\n{end}\n")).state(), State::Fail);
        for broken in [told(1, &format!("{good}\n{end}\n")), told(0, good), told(-1, ""), told(0, "no JSON")] {
            assert_eq!(broken.state(), State::Fail, "{broken:?}");
        }
    }
}
