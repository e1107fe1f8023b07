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
    let (seen, shows_none) = people_in(std::fs::read(stage.path("node.log")));
    item.tell("no-people-in-log", "the log of the node", seen, shows_none);
}

/// Words of people of the rehearsal.
const PEOPLE: [&str; 4] = ["张三", "李四", "E00000001", "13800000000"];

/// What is seen in a log, and whether that shows that nobody is told of. A log that cannot be read, or tells nothing at all, shows nothing.
fn people_in(log: std::io::Result<Vec<u8>>) -> (String, bool) {
    let log = match log {
        Ok(log) => log,
        Err(cause) => return (format!("it cannot be read: {cause}"), false),
    };
    // Bytes that are no text hide nothing that is beside them.
    let log = String::from_utf8_lossy(&log);
    let lines = log.lines().filter(|line| !line.trim().is_empty()).count();
    let people = PEOPLE.into_iter().filter(|word| log.contains(word)).count();
    (format!("{lines} lines; words of people in it: {people}"), lines > 0 && people == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_log_that_was_read_and_has_lines_shows_that_nobody_is_in_it() {
        let shows = |log: &[u8]| people_in(Ok(log.to_vec())).1;
        assert!(shows(b"INFO listening\n"));
        assert!(!people_in(Err(std::io::ErrorKind::NotFound.into())).1);
        assert!(!shows(b"") && !shows(b" \n\n"));
        assert!(!shows("INFO 张三\n".as_bytes()));
        let cut = [b"INFO \xff\xfe\n", "WARN 13800000000\n".as_bytes()].concat();
        assert!(!shows(&cut), "behind what is no text");
        assert!(shows(b"INFO \xff\xfe\n"));
    }
}
