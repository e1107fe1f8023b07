//! `waymark report indicators`: nodes, enterprises, registrations, resolution rate; coverage and penetration by industry.
//!
//! Registrations and requests of a day are those the node told upward for it (T3, T8), with what enterprises with nodes of their own reported: the same
//! figures the top-level node has. Enterprises and their prefixes are as they are now. How many enterprises an industry has is what `--industry` says, else the
//! plan of the day's year.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use serde_json::{Value, json};
use waymark_api::operator::v1;
use waymark_client::registration::{CallError, Registrar};
use waymark_top_sync::calendar::Day;

use crate::{
    cli::{
        Shown, present,
        server::{answer, connection::Connection},
        terminal::{self, Tone, toned},
    },
    problem::{Exit, Problem},
    texts::Texts,
};

/// Items asked for at a time.
const PAGE: u32 = 1_000;

/// `waymark report indicators`.
#[derive(Debug, Args)]
pub(crate) struct Indicators {
    #[arg(long, value_name = "DAY")]
    day: Option<Day>,
    #[arg(long, value_name = "SECTION=N", value_parser = industry)]
    industry: Vec<(String, u64)>,
    #[command(flatten)]
    connection: Connection,
    #[arg(long)]
    json: bool,
}

/// A section of GB/T 4754 and how many enterprises it has: `C=12000`.
pub(in crate::cli) fn industry(text: &str) -> Result<(String, u64), &'static str> {
    let wrong = "a section of GB/T 4754 and the number of its enterprises: C=12000";
    let (section, count) = text.split_once('=').ok_or(wrong)?;
    let is_section = matches!(section.as_bytes(), [b'A'..=b'Z']);
    let count = count.parse().ok().filter(|count| *count > 0);
    count.filter(|_| is_section).map(|count| (section.to_owned(), count)).ok_or(wrong)
}

/// The figures.
#[derive(Debug, Default, PartialEq)]
pub(in crate::cli) struct Figures {
    /// What was told is of this day; empty where nothing was.
    pub(in crate::cli) day: String,
    /// Nodes of enterprises beside the node itself.
    pub(in crate::cli) enterprise_nodes: u64,
    /// Registered.
    pub(in crate::cli) enterprises: u64,
    /// Of these, with an active prefix.
    pub(in crate::cli) active: u64,
    /// Of enterprises.
    pub(in crate::cli) identifiers: u64,
    /// Of these, new on the day.
    pub(in crate::cli) new_identifiers: u64,
    /// Resolutions asked for on the day.
    pub(in crate::cli) requests: u64,
    /// Of these, answered with what was asked for.
    pub(in crate::cli) successes: u64,
    /// By section.
    pub(in crate::cli) industries: BTreeMap<String, Industry>,
}

/// The enterprises of an industry.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::cli) struct Industry {
    enterprises: u64,
    /// With an active prefix.
    pub(in crate::cli) active: u64,
    /// How many there are in all, as the operator says; 0 where nobody says.
    pub(in crate::cli) of: u64,
}

/// A share as a number from 0 to 1; `None` of nothing.
pub(in crate::cli) fn share(part: u64, whole: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a share is shown to four digits")]
    let share = (whole > 0).then(|| part as f64 / whole as f64);
    share
}

/// Shows them.
pub(super) async fn run(arguments: &Indicators, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    let registrar = arguments.connection.open(texts)?;
    let source = Source { registrar: &registrar, json: arguments.json };
    let day = arguments.day.map(|day| day.to_string());
    let told = source.statistics(day.as_deref()).await.map_err(|error| source.failed(&error))?;
    let told = told.ok_or_else(|| {
        let day = day.unwrap_or_else(|| "-".to_owned());
        Problem::new("indicators-not-told", Exit::Absent).with("day", day)
    })?;
    let industries = match &arguments.industry[..] {
        [] => source.planned(year_of(&told.day)).await?.plan.unwrap_or_default().industries.into_iter().collect(),
        named => named.to_vec(),
    };
    let figures = source.figures(Some(&told), &industries).await?;
    if arguments.json {
        terminal::line(to_json(&figures));
    } else {
        print(&figures, texts, shown);
    }
    Ok(Exit::Done)
}

/// The year of a day such as `2026-11-29`; 0, which is the year it is, of anything else.
fn year_of(day: &str) -> u32 {
    day.get(..4).and_then(|year| year.parse().ok()).unwrap_or(0)
}

/// What was told of a day.
#[derive(Debug, Default)]
pub(in crate::cli) struct Told {
    day: String,
    /// The row of T3.
    node: Value,
    /// Rows of T8, those told last first.
    prefixes: Vec<Value>,
}

/// Where the figures come from.
pub(in crate::cli) struct Source<'r> {
    /// The node.
    pub(in crate::cli) registrar: &'r Registrar,
    /// Whether what goes wrong is told as JSON.
    pub(in crate::cli) json: bool,
}

impl Source<'_> {
    pub(in crate::cli) fn failed(&self, error: &CallError) -> Problem {
        answer::problem(error, self.json)
    }

    /// The plan of a year; of the year it is for 0.
    pub(in crate::cli) async fn planned(&self, year: u32) -> Result<v1::GetPlanResponse, Problem> {
        self.registrar.plan(&v1::GetPlanRequest { year }).await.map_err(|error| self.failed(&error))
    }

    /// The figures: of what was told, and of enterprises as they are.
    pub(in crate::cli) async fn figures(
        &self,
        told: Option<&Told>,
        industries: &[(String, u64)],
    ) -> Result<Figures, Problem> {
        let (enterprises, cases) = (self.enterprises().await?, self.cases().await?);
        let mut figures = Figures::default();
        if let Some(told) = told {
            count_told(&mut figures, told);
        }
        count_enterprises(&mut figures, &enterprises, &cases, industries);
        Ok(figures)
    }

    /// What was told of a day, of the last one told where none is named; `None` where nothing was.
    pub(in crate::cli) async fn statistics(&self, day: Option<&str>) -> Result<Option<Told>, CallError> {
        let Some(own) = self.parts("T3", day).await?.into_iter().next() else { return Ok(None) };
        let Some(node) = self.rows(&own).await?.into_iter().next() else { return Ok(None) };
        let mut told = Told { day: own.period, node, prefixes: Vec::new() };
        for part in self.parts("T8", Some(&told.day)).await? {
            told.prefixes.extend(self.rows(&part).await?);
        }
        Ok(Some(told))
    }

    /// The parts of a day, newest first; without a day the newest part alone.
    async fn parts(&self, set: &str, day: Option<&str>) -> Result<Vec<v1::SetPart>, CallError> {
        let (mut found, mut before) = (Vec::new(), 0);
        loop {
            let request = v1::ListPartsRequest { set: set.to_owned(), before, most: PAGE };
            let page = self.registrar.sync_parts(&request).await?;
            let Some(last) = page.parts.last() else { return Ok(found) };
            before = last.sequence;
            for part in page.parts {
                match day {
                    None => return Ok(vec![part]),
                    // Nobody tells of a day before the node told of the one before it.
                    Some(day) if part.owner.is_empty() && *part.period < *day => return Ok(found),
                    Some(day) if part.period == day => found.push(part),
                    Some(_) => {}
                }
            }
        }
    }

    async fn rows(&self, part: &v1::SetPart) -> Result<Vec<Value>, CallError> {
        let request = v1::PartRowsRequest { set: part.set.clone(), sequence: part.sequence };
        let found = self.registrar.sync_rows(&request).await?;
        let lines = found.rows.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    async fn enterprises(&self) -> Result<Vec<v1::Enterprise>, Problem> {
        let mut request = v1::ListEnterprisesRequest { page_size: PAGE, page_token: String::new() };
        let mut all = Vec::new();
        loop {
            let page = self.registrar.enterprises_known(&request).await.map_err(|error| self.failed(&error))?;
            all.extend(page.enterprises);
            if page.next_page_token.is_empty() {
                return Ok(all);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// The cases of active prefixes.
    async fn cases(&self) -> Result<Vec<v1::PrefixCase>, Problem> {
        let state = "active".to_owned();
        let mut request = v1::ListPrefixCasesRequest { state, page_size: PAGE, page_token: String::new() };
        let mut all = Vec::new();
        loop {
            let page = self.registrar.prefix_cases(&request).await.map_err(|error| self.failed(&error))?;
            all.extend(page.cases);
            if page.next_page_token.is_empty() {
                return Ok(all);
            }
            request.page_token = page.next_page_token;
        }
    }
}

fn count_told(figures: &mut Figures, told: &Told) {
    let number = |row: &Value, name: &str| row.get(name).and_then(Value::as_u64).unwrap_or(0);
    figures.day.clone_from(&told.day);
    figures.requests = number(&told.node, "requests");
    figures.successes = number(&told.node, "successes");
    let mut seen = BTreeSet::new();
    for row in &told.prefixes {
        // Of two rows of a prefix the one told later holds.
        let prefix = row.get("prefix").and_then(Value::as_str).unwrap_or_default();
        if seen.insert(prefix) {
            figures.identifiers += number(row, "total_identifiers");
            figures.new_identifiers += number(row, "new_identifiers");
        }
    }
}

fn count_enterprises(
    figures: &mut Figures,
    enterprises: &[v1::Enterprise],
    cases: &[v1::PrefixCase],
    industries: &[(String, u64)],
) {
    let active: BTreeSet<&str> = cases.iter().map(|case| case.enterprise.as_str()).collect();
    let away = cases.iter().filter(|case| case.placement == "sites").map(|case| case.enterprise.as_str());
    figures.enterprise_nodes = away.collect::<BTreeSet<&str>>().len() as u64;
    figures.enterprises = enterprises.len() as u64;
    for (section, of) in industries {
        figures.industries.entry(section.clone()).or_default().of = *of;
    }
    for enterprise in enterprises {
        let is_active = u64::from(active.contains(enterprise.id.as_str()));
        let section = enterprise.profile.as_ref().map(|profile| profile.industry_section.clone()).unwrap_or_default();
        let industry = figures.industries.entry(section).or_default();
        industry.enterprises += 1;
        industry.active += is_active;
        figures.active += is_active;
    }
}

fn to_json(figures: &Figures) -> Value {
    let industries = figures.industries.iter().map(|(section, industry)| {
        json!({
            "section": section,
            "enterprises": industry.enterprises,
            "active": industry.active,
            "coverage": share(industry.active, industry.enterprises),
            "of": (industry.of > 0).then_some(industry.of),
            "penetration": share(industry.active, industry.of),
        })
    });
    json!({
        "day": figures.day,
        "nodes": { "secondary": 1, "enterprise": figures.enterprise_nodes },
        "enterprises": { "registered": figures.enterprises, "active": figures.active },
        "registrations": { "total": figures.identifiers, "new": figures.new_identifiers },
        "resolution": {
            "requests": figures.requests,
            "successes": figures.successes,
            "rate": share(figures.successes, figures.requests),
        },
        "industries": industries.collect::<Vec<_>>(),
    })
}

/// A share in percent, `-` of nothing.
pub(in crate::cli) fn percent(part: u64, whole: u64) -> String {
    share(part, whole).map_or_else(|| "-".to_owned(), |share| format!("{:.2} %", share * 100.0))
}

fn print(figures: &Figures, texts: &Texts, shown: Shown) {
    let head = texts.text("indicators-day", &[("day", present::safe(&figures.day).into())]);
    terminal::line(toned(&head, Tone::Good, shown.colours));
    let number = |number: u64| number.to_string().into();
    let lines: [(&str, Vec<crate::texts::Argument<'_>>); 4] = [
        ("indicators-nodes", vec![("enterprise", number(figures.enterprise_nodes))]),
        (
            "indicators-enterprises",
            vec![("registered", number(figures.enterprises)), ("active", number(figures.active))],
        ),
        (
            "indicators-registrations",
            vec![("total", number(figures.identifiers)), ("new", number(figures.new_identifiers))],
        ),
        (
            "indicators-resolution",
            vec![
                ("rate", percent(figures.successes, figures.requests).into()),
                ("requests", number(figures.requests)),
                ("successes", number(figures.successes)),
            ],
        ),
    ];
    for (code, facts) in lines {
        terminal::line(texts.text(code, &facts));
    }
    for (section, industry) in &figures.industries {
        let section = if section.is_empty() { "-".to_owned() } else { present::safe(section) };
        let facts = [
            ("section", section.into()),
            ("registered", number(industry.enterprises)),
            ("active", number(industry.active)),
            ("coverage", percent(industry.active, industry.enterprises).into()),
            ("penetration", percent(industry.active, industry.of).into()),
        ];
        terminal::line(texts.text("indicators-industry", &facts));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enterprise(id: &str, section: &str) -> v1::Enterprise {
        let profile = v1::EnterpriseProfile { industry_section: section.into(), ..v1::EnterpriseProfile::default() };
        v1::Enterprise { id: id.into(), profile: Some(profile), ..v1::Enterprise::default() }
    }

    fn case(prefix: &str, enterprise: &str, placement: &str) -> v1::PrefixCase {
        v1::PrefixCase {
            prefix: prefix.into(),
            enterprise: enterprise.into(),
            placement: placement.into(),
            ..v1::PrefixCase::default()
        }
    }

    #[test]
    fn rows_told_last_count_and_shares_are_of_what_is_known() {
        let mut figures = Figures::default();
        let told = Told {
            day: "2026-11-29".into(),
            node: json!({ "requests": 8, "successes": 6 }),
            prefixes: vec![
                json!({ "prefix": "88.990.1", "total_identifiers": 70, "new_identifiers": 3 }),
                json!({ "prefix": "88.990.2", "total_identifiers": 5, "new_identifiers": 5 }),
                json!({ "prefix": "88.990.1", "total_identifiers": 60, "new_identifiers": 1 }),
            ],
        };
        count_told(&mut figures, &told);
        let enterprises = [enterprise("E1", "C"), enterprise("E2", "C"), enterprise("E3", "A")];
        let cases = [case("88.990.1", "E1", "here"), case("88.990.2", "E3", "sites"), case("88.990.3", "E3", "sites")];
        count_enterprises(&mut figures, &enterprises, &cases, &[("C".into(), 200)]);
        let expected = json!({
            "day": "2026-11-29",
            "nodes": { "secondary": 1, "enterprise": 1 },
            "enterprises": { "registered": 3, "active": 2 },
            "registrations": { "total": 75, "new": 8 },
            "resolution": { "requests": 8, "successes": 6, "rate": 0.75 },
            "industries": [
                { "section": "A", "enterprises": 1, "active": 1, "coverage": 1.0, "of": null, "penetration": null },
                { "section": "C", "enterprises": 2, "active": 1, "coverage": 0.5, "of": 200, "penetration": 0.005 },
            ],
        });
        assert_eq!(to_json(&figures), expected);
        assert_eq!((percent(6, 8), percent(0, 0)), ("75.00 %".to_owned(), "-".to_owned()));
    }

    #[test]
    fn sections_and_numbers_of_industries_are_read_or_refused() {
        assert_eq!(industry("C=12000"), Ok(("C".to_owned(), 12_000)));
        for wrong in ["C", "c=1", "CC=1", "C=0", "C=x", "=1"] {
            assert!(industry(wrong).is_err(), "{wrong}");
        }
    }
}
