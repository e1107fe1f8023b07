//! `waymark report security`: what happened on some days that somebody who supervises the node wants to know, from what is durable.
//!
//! Everything is from the audit, whose chain is verified on the way: refusals are counted there, by who, what and why. What is durable nowhere is not
//! made up: it stands under what was not counted, with the place that has it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use waymark_catalog::machine_time;
use waymark_top_sync::calendar::Day;

use crate::{
    cli::{
        Shown,
        access::place::Where,
        audit, present,
        run::folder_config,
        terminal::{self, Tone, grouped, toned},
    },
    problem::{Exit, Problem, Problems},
    texts::Texts,
};

/// Days a report is about when nobody says.
const USUAL_DAYS: usize = 30;

/// Sources of refused logins that are named; others are counted together.
const SOURCES: usize = 20;

/// Sources told apart while counting. More are counted together: whoever has many addresses shall not fill the memory.
const SOURCES_COUNTED: usize = 100_000;

/// `waymark report security`.
#[derive(Debug, Args)]
pub(crate) struct Security {
    #[arg(long, value_name = "DAY")]
    from: Option<Day>,
    #[arg(long, value_name = "DAY")]
    to: Option<Day>,
    #[command(flatten)]
    place: Where,
}

/// The figures. Keys of the machine form never change.
#[derive(Clone, Debug, Default, Serialize)]
struct Figures {
    /// Logins that were refused, by reason.
    refused_logins: BTreeMap<String, u64>,
    /// Sources of these with the most of them.
    refused_login_sources: Vec<Source>,
    /// Of sources that are not named.
    refused_login_other_sources: u64,
    /// Requests that were refused, by reason.
    refused_requests: BTreeMap<String, u64>,
    /// The same, by door.
    refused_by_door: BTreeMap<String, u64>,
    /// Of these, beyond what the caller may do.
    scope_violations: u64,
    /// Of these, what could not be taken as it was.
    invalid_inputs: u64,
    /// Of these, above a quota.
    quota_exceeded: u64,
    /// Changes of who may do what, by what was done.
    access_changes: BTreeMap<String, u64>,
    /// Who made them.
    access_changed_by: BTreeSet<String>,
    /// Readings of what is said of people.
    disclosures: u64,
    /// Times old details of the audit were taken away.
    prunings: u64,
    /// Entries looked at.
    entries: u64,
}

/// A source and its refused logins.
#[derive(Clone, Debug, Serialize)]
struct Source {
    address: String,
    count: u64,
}

/// What a figure is from, or why it is not there.
#[derive(Clone, Copy, Debug, Serialize)]
struct Origin {
    figures: &'static str,
    from: &'static str,
}

/// Where the figures are from.
const FROM: [Origin; 3] = [
    Origin {
        figures: "refused_logins, refused_requests, scope_violations, invalid_inputs, quota_exceeded",
        from: "audit-refusals",
    },
    Origin { figures: "access_changes, disclosures, prunings", from: "audit-entries" },
    Origin { figures: "audit", from: "audit-verification" },
];

/// What is not in them, and where it is.
const NOT_COUNTED: [Origin; 4] = [
    Origin { figures: "rate-limited and shed calls", from: "metrics-since-start" },
    Origin { figures: "failed TLS handshakes and certificates of other authorities", from: "metrics-since-start" },
    Origin { figures: "dropped and malformed packets of the resolver", from: "metrics-since-start" },
    Origin { figures: "refusals within audit.refusal_seconds of a crash", from: "lost-with-a-crash" },
];

/// The whole report.
#[derive(Serialize)]
struct Told<'a> {
    report: &'static str,
    from: String,
    to: String,
    figures: &'a Figures,
    audit: audit::Sound,
    retention: Retention,
    sources: [Origin; 3],
    not_counted: [Origin; 4],
}

/// For how long what is told is kept; `None` where no configuration was named.
#[derive(Clone, Copy, Debug, Serialize)]
struct Retention {
    audit_days: Option<u64>,
    statistics_days: Option<u64>,
}

/// Makes the report.
pub(crate) async fn run(arguments: &Security, texts: &Texts, shown: Shown) -> Result<Exit, Problems> {
    let Security { from, to, place } = arguments;
    let to = to.unwrap_or_else(|| Day::of(machine_time()));
    let from = from.unwrap_or_else(|| (1..USUAL_DAYS).fold(to, |day, _| day.previous()));
    if from > to {
        let problem = Problem::new("report-order", Exit::Usage).with("from", from).with("to", to);
        return Err(problem.into());
    }
    let counting = Arc::new(Mutex::new(Counting::default()));
    let mine = Arc::clone(&counting);
    let take = move |entry: &Value| {
        mine.lock().unwrap_or_else(PoisonError::into_inner).count(entry);
        Ok(())
    };
    let wanted = audit::Wanted::between(from.start(), to.end());
    audit::look(place, &wanted, u64::from(u32::MAX), Box::new(take), texts).await?;
    let figures = std::mem::take(&mut *counting.lock().unwrap_or_else(PoisonError::into_inner)).finish();
    let sound = audit::sound(place, texts).await?;
    let is_sound = sound.problems == 0;
    let told = Told {
        report: "security",
        from: from.to_string(),
        to: to.to_string(),
        figures: &figures,
        audit: sound,
        retention: retention(place)?,
        sources: FROM,
        not_counted: NOT_COUNTED,
    };
    if place.json {
        terminal::line(serde_json::to_string(&told).unwrap_or_default());
    } else {
        print(&told, texts, shown);
    }
    // Whoever hands it on has to know that its source was tampered with.
    Ok(if is_sound { Exit::Done } else { Exit::Damaged })
}

/// How long things are kept, as the configuration that was named says.
fn retention(place: &Where) -> Result<Retention, Problems> {
    if place.folder.config.is_none() {
        return Ok(Retention { audit_days: None, statistics_days: None });
    }
    let config = folder_config(&place.folder)?;
    let days = |key| Some(config.values().number(key));
    Ok(Retention { audit_days: days("audit.keep_days"), statistics_days: days("traffic.kept_days") })
}

/// Figures while entries come.
#[derive(Default)]
struct Counting {
    figures: Figures,
    sources: BTreeMap<String, u64>,
    other_sources: u64,
}

/// Reasons of requests that could not be taken as they were.
const INVALID: &str = "invalid-";

/// What found all as it was asked for, and is no refusal.
const SAME: &str = "same";

impl Counting {
    fn count(&mut self, entry: &Value) {
        let word = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let (verb, outcome) = (word("verb"), word("outcome"));
        self.figures.entries += 1;
        match entry.get("count").and_then(Value::as_u64) {
            Some(_) if outcome == SAME => {}
            Some(count) if verb == "authenticate" => self.refused_login(outcome, word("source"), count),
            Some(count) => self.refused(outcome, word("door"), count),
            None => self.done(verb, word("actor")),
        }
    }

    fn refused_login(&mut self, reason: &str, source: &str, count: u64) {
        *self.figures.refused_logins.entry(reason.to_owned()).or_default() += count;
        let is_known = self.sources.contains_key(source) || self.sources.len() < SOURCES_COUNTED;
        if is_known && !source.is_empty() {
            *self.sources.entry(source.to_owned()).or_default() += count;
        } else {
            self.other_sources += count;
        }
    }

    fn refused(&mut self, reason: &str, door: &str, count: u64) {
        let figures = &mut self.figures;
        *figures.refused_requests.entry(reason.to_owned()).or_default() += count;
        *figures.refused_by_door.entry(door.to_owned()).or_default() += count;
        match reason {
            "not-permitted" => figures.scope_violations += count,
            "quota-exceeded" => figures.quota_exceeded += count,
            reason if reason.starts_with(INVALID) || reason == "fields-wrong" => figures.invalid_inputs += count,
            _ => {}
        }
    }

    fn done(&mut self, verb: &str, actor: &str) {
        let figures = &mut self.figures;
        match verb {
            "principal-put" | "principal-remove" | "token-issue" | "token-revoke" => {
                *figures.access_changes.entry(verb.to_owned()).or_default() += 1;
                figures.access_changed_by.insert(actor.to_owned());
            }
            "enterprise-disclose" | "operator-disclose" => figures.disclosures += 1,
            "prune" => figures.prunings += 1,
            _ => {}
        }
    }

    fn finish(self) -> Figures {
        let Self { mut figures, sources, other_sources } = self;
        let mut sources: Vec<_> = sources.into_iter().map(|(address, count)| Source { address, count }).collect();
        sources.sort_by(|one, other| other.count.cmp(&one.count).then_with(|| one.address.cmp(&other.address)));
        let unnamed: u64 = sources.iter().skip(SOURCES).map(|source| source.count).sum();
        sources.truncate(SOURCES);
        figures.refused_login_sources = sources;
        figures.refused_login_other_sources = other_sources + unnamed;
        figures
    }
}

fn print(told: &Told<'_>, texts: &Texts, shown: Shown) {
    let line = |code: &str, count: u64| {
        terminal::line(format_args!(
            "  {:>12}  {}",
            grouped(count),
            texts.text(&format!("report-security-{code}"), &[])
        ));
    };
    let each = |all: &BTreeMap<String, u64>| {
        for (name, count) in all {
            terminal::line(format_args!("  {:>12}    {}", grouped(*count), present::safe(name)));
        }
    };
    let figures = told.figures;
    let days = [("from", told.from.as_str().into()), ("to", told.to.as_str().into())];
    terminal::line(texts.text("report-security-title", &days));
    line("refused-logins", figures.refused_logins.values().sum());
    each(&figures.refused_logins);
    for source in &figures.refused_login_sources {
        terminal::line(format_args!("  {:>12}    {}", grouped(source.count), present::safe(&source.address)));
    }
    line("refused-requests", figures.refused_requests.values().sum());
    each(&figures.refused_requests);
    line("scope-violations", figures.scope_violations);
    line("invalid-inputs", figures.invalid_inputs);
    line("quota-exceeded", figures.quota_exceeded);
    line("access-changes", figures.access_changes.values().sum());
    each(&figures.access_changes);
    line("disclosures", figures.disclosures);
    line("prunings", figures.prunings);
    let (code, tone) = if told.audit.problems == 0 { ("sound", Tone::Good) } else { ("broken", Tone::Bad) };
    let values = [("entries", grouped(told.audit.entries).into()), ("problems", grouped(told.audit.problems).into())];
    let chain = texts.text(&format!("report-security-audit-{code}"), &values);
    terminal::line(toned(&chain, tone, shown.colours));
    match told.retention.audit_days {
        Some(days) => terminal::line(texts.text("report-security-kept", &[("days", days.to_string().into())])),
        None => terminal::line(texts.text("report-security-kept-unknown", &[])),
    }
    terminal::line(texts.text("report-security-from", &[]));
    terminal::line(texts.text("report-security-not-counted", &[]));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refusals_are_counted_by_what_they_were_and_changes_by_what_was_done() {
        let mut counting = Counting::default();
        for entry in [
            json!({"verb": "authenticate", "outcome": "unauthenticated", "count": 7, "source": "192.0.2.1", "door": "grpc"}),
            json!({"verb": "authenticate", "outcome": "token-expired", "count": 2, "source": "192.0.2.2", "door": "http"}),
            json!({"verb": "create", "outcome": "not-permitted", "count": 3, "door": "grpc"}),
            json!({"verb": "create", "outcome": "invalid-handle", "count": 4, "door": "http"}),
            json!({"verb": "create", "outcome": "quota-exceeded", "count": 5, "door": "http"}),
            json!({"verb": "create", "outcome": "same", "count": 100, "door": "http"}),
            json!({"verb": "token-issue", "outcome": "stored", "actor": "operator"}),
            json!({"verb": "enterprise-disclose", "outcome": "disclosed", "actor": "operator"}),
            json!({"verb": "create", "outcome": "created", "actor": "writer"}),
        ] {
            counting.count(&entry);
        }
        let figures = counting.finish();
        assert_eq!(figures.refused_logins.values().sum::<u64>(), 9);
        assert_eq!(
            (figures.refused_login_sources[0].address.as_str(), figures.refused_login_sources[0].count),
            ("192.0.2.1", 7)
        );
        assert_eq!(figures.refused_requests.values().sum::<u64>(), 12, "what found all as it was is no refusal");
        assert_eq!((figures.scope_violations, figures.invalid_inputs, figures.quota_exceeded), (3, 4, 5));
        assert_eq!(figures.refused_by_door, BTreeMap::from([("grpc".to_owned(), 3), ("http".to_owned(), 9)]));
        assert_eq!((figures.access_changes["token-issue"], figures.disclosures, figures.entries), (1, 1, 9));
    }

    #[test]
    fn sources_beyond_those_that_are_named_are_counted_together() {
        let mut counting = Counting::default();
        for number in 0..SOURCES + 5 {
            let source = format!("192.0.2.{number}");
            counting
                .count(&json!({"verb": "authenticate", "outcome": "unauthenticated", "count": 1, "source": source}));
        }
        counting.count(&json!({"verb": "authenticate", "outcome": "unauthenticated", "count": 9}));
        let figures = counting.finish();
        assert_eq!((figures.refused_login_sources.len(), figures.refused_login_other_sources), (SOURCES, 14));
    }
}
