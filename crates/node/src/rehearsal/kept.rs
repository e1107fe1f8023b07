//! Item 11: what was done is in the audit, whose chain holds, and is kept long enough.

use serde_json::Value;

use super::stage::Stage;
use super::tried::Item;

/// Days logs have to be kept: six months.
const KEPT_DAYS: u64 = 183;

/// Tries it while the node runs.
pub(super) fn try_out(stage: &Stage) -> Item {
    Item::of_steps(11, |item| {
        let verified = stage.by("operator", &["audit", "verify", "--json"]);
        item.tell(
            "verified",
            verified.words.clone(),
            verified.seen(),
            verified.code == 0 && verified.at("/problems") == 0,
        );
        for (actor, what) in
            [("operator", "principals, tokens, verdicts"), ("reviewer", "reviews"), ("enterprise", "its record")]
        {
            let found = stage.by("operator", &["audit", "search", "--actor", actor, "--limit", "1000", "--json"]);
            let entries = found.lines();
            let whole = entries
                .iter()
                .all(|entry| ["time", "verb"].iter().all(|name| entry.get(name).is_some_and(Value::is_string)));
            let seen = format!("{} entries of {actor}: {what}", entries.len());
            item.tell("search", found.words.clone(), seen, !entries.is_empty() && whole);
        }
        let disclosed = stage.by("operator", &["enterprise", "disclose", "E1", "--purpose", "rehearsal", "--json"]);
        let noted = stage
            .by("operator", &["audit", "search", "--actor", "operator", "--verb", "enterprise-disclose", "--json"]);
        let seen = format!("exit {}; {} readings are noted", disclosed.code, noted.lines().len());
        item.tell(
            "disclosure",
            "a reading of what is said of people",
            seen,
            disclosed.code == 0 && noted.lines().len() == 1,
        );
        let days = stage.config().values().number("audit.keep_days");
        item.tell("audit-days", "audit.keep_days", format!("{days} days"), days >= KEPT_DAYS);
        item.not_built(
            "log-days",
            "log lines for six months",
            "the node writes them to standard error; keeping them is the journal's, and answers.log is kept by size",
        );
    })
}

/// Looks at what is left once the node has stopped.
pub(super) fn after_the_end(stage: &Stage, stopped: Option<i32>, item: &mut Item) {
    item.tell("stopped", "SIGTERM to the node", format!("exit {stopped:?}"), stopped == Some(0));
    let verified = stage.offline(&["audit", "verify", "--json"]);
    item.tell(
        "verified-offline",
        verified.words.clone(),
        verified.seen(),
        verified.code == 0 && verified.at("/problems") == 0,
    );
    let log = std::fs::read_to_string(stage.path("node.log")).unwrap_or_default();
    let people: Vec<_> =
        ["张三", "李四", "E00000001", "13800000000"].into_iter().filter(|word| log.contains(word)).collect();
    let seen = format!("{} lines; words of people in it: {}", log.lines().count(), people.len());
    item.tell("no-people-in-log", "the log of the node", seen, people.is_empty());
}
