//! `waymark plan`: what is planned for a year, and how much of it is reached.
//!
//! Actual figures are those of `waymark report indicators`: of the last day that was told upward, enterprises as they are now.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;
use waymark_api::operator::v1;

use super::{
    Shown,
    enterprise::Asked,
    present::safe,
    report::indicators::{Figures, Source, industry, percent, share},
    server::answer::{self, text_of, time},
    terminal::{self, Tone, table, toned},
};
use crate::{
    problem::{Exit, Problem},
    texts::Texts,
};

/// `waymark plan …`.
#[derive(Debug, Subcommand)]
pub(crate) enum PlanVerb {
    /// Write the plan of a year.
    Set(Set),
    /// Show it, with what is reached.
    Show(Show),
}

/// `waymark plan set`.
#[derive(Debug, Args)]
pub(crate) struct Set {
    #[arg(long, value_name = "YEAR")]
    year: u32,
    #[arg(long, value_name = "N")]
    enterprises: Option<u64>,
    #[arg(long, value_name = "N")]
    identifiers: Option<u64>,
    #[arg(long, value_name = "N")]
    resolutions_per_day: Option<u64>,
    #[arg(long, value_name = "N")]
    resolution_rate_percent: Option<u32>,
    #[arg(long, value_name = "SECTION=N", value_parser = industry)]
    industry: Vec<(String, u64)>,
    #[arg(long, value_name = "UUID")]
    request_id: Option<Uuid>,
    #[command(flatten)]
    asked: Asked,
}

/// `waymark plan show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(u32).range(1..))]
    year: Option<u32>,
    #[command(flatten)]
    asked: Asked,
}

/// Runs a command about plans.
pub(crate) async fn run(command: &PlanVerb, texts: &Texts, shown: Shown) -> Result<Exit, Problem> {
    match command {
        PlanVerb::Set(arguments) => set(arguments, texts, shown).await?,
        PlanVerb::Show(arguments) => show(arguments, texts, shown).await?,
    }
    Ok(Exit::Done)
}

async fn set(set: &Set, texts: &Texts, shown: Shown) -> Result<(), Problem> {
    let plan = v1::YearPlan {
        enterprises: set.enterprises,
        identifiers: set.identifiers,
        resolutions_per_day: set.resolutions_per_day,
        resolution_rate_percent: set.resolution_rate_percent,
        industries: set.industry.iter().cloned().collect(),
    };
    let request = v1::PutPlanRequest { year: set.year, plan: Some(plan), request_id: text_of(set.request_id) };
    let done = set.asked.connection.open(texts)?.put_plan(request).await;
    let done = done.map_err(|error| answer::problem(&error, set.asked.json))?;
    let subject = format!("plan {}", set.year);
    answer::show_receipt(&subject, &done.receipt.unwrap_or_default(), set.asked.json, texts, shown);
    Ok(())
}

async fn show(Show { year, asked }: &Show, texts: &Texts, shown: Shown) -> Result<(), Problem> {
    let registrar = asked.connection.open(texts)?;
    let source = Source { registrar: &registrar, json: asked.json };
    let planned = source.planned(year.unwrap_or(0)).await?;
    let told = match source.statistics(None).await {
        // A node that owes nothing upward counts nothing.
        Err(error) if error.server_error().is_some_and(|said| said.reason == "UNIMPLEMENTED") => None,
        told => told.map_err(|error| source.failed(&error))?,
    };
    let mut industries: Vec<(String, u64)> =
        planned.plan.iter().flat_map(|plan| &plan.industries).map(|(section, of)| (section.clone(), *of)).collect();
    industries.sort();
    let figures = source.figures(told.as_ref(), &industries).await?;
    if asked.json {
        terminal::line(to_json(&planned, &figures));
    } else {
        print(&planned, &figures, texts, shown);
    }
    Ok(())
}

/// What the resolution rate is called in the texts.
const RATE: &str = "plan-resolution-rate-percent";

/// One thing that is planned, and what there is of it.
#[derive(Debug, PartialEq)]
struct Goal {
    /// Its name in the texts.
    text: &'static str,
    planned: Option<u64>,
    actual: Actual,
}

/// What there is.
#[derive(Debug, PartialEq)]
enum Actual {
    /// Nobody knows.
    NotCounted,
    /// So many.
    Count(u64),
    /// Of how many, how many; of nothing there is no share.
    Share(u64, u64),
}

/// What is planned, with what there is.
fn goals(planned: &v1::GetPlanResponse, figures: &Figures) -> [Goal; 4] {
    let plan = planned.plan.clone().unwrap_or_default();
    let told = |actual| if figures.day.is_empty() { Actual::NotCounted } else { actual };
    let goal = |text, planned, actual| Goal { text, planned, actual };
    [
        goal("plan-enterprises", plan.enterprises, Actual::Count(figures.enterprises)),
        goal("plan-identifiers", plan.identifiers, told(Actual::Count(figures.identifiers))),
        goal("plan-resolutions-per-day", plan.resolutions_per_day, told(Actual::Count(figures.requests))),
        goal(
            RATE,
            plan.resolution_rate_percent.map(u64::from),
            told(Actual::Share(figures.successes, figures.requests)),
        ),
    ]
}

impl Goal {
    /// Of what part and of which whole the share reached is.
    fn reached(&self) -> (u64, u64) {
        match (self.planned, &self.actual) {
            (Some(planned), Actual::Count(actual)) => (*actual, planned),
            (Some(planned), Actual::Share(part, whole)) => (part.saturating_mul(100), whole.saturating_mul(planned)),
            _ => (0, 0),
        }
    }

    fn to_json(&self) -> Value {
        let actual = match self.actual {
            Actual::NotCounted => Value::Null,
            Actual::Count(count) => count.into(),
            Actual::Share(part, whole) => share(part.saturating_mul(100), whole).into(),
        };
        let (part, whole) = self.reached();
        json!({ "planned": self.planned, "actual": actual, "reached": share(part, whole) })
    }

    fn row(&self, texts: &Texts) -> Vec<String> {
        let planned = match self.planned {
            None => texts.text("plan-not-planned", &[]),
            Some(planned) if self.text == RATE => format!("{planned} %"),
            Some(planned) => planned.to_string(),
        };
        let actual = match self.actual {
            Actual::Count(count) => count.to_string(),
            Actual::Share(part, whole) if whole > 0 => percent(part, whole),
            Actual::NotCounted | Actual::Share(..) => texts.text("plan-not-counted", &[]),
        };
        let (part, whole) = self.reached();
        vec![texts.text(self.text, &[]), planned, actual, percent(part, whole)]
    }
}

fn to_json(planned: &v1::GetPlanResponse, figures: &Figures) -> Value {
    let [enterprises, identifiers, resolutions, rate] = goals(planned, figures).map(|goal| goal.to_json());
    let industries = figures.industries.iter().filter(|(_, industry)| industry.of > 0).map(|(section, industry)| {
        let penetration = share(industry.active, industry.of);
        json!({ "section": section, "of": industry.of, "active": industry.active, "penetration": penetration })
    });
    json!({
        "year": planned.year,
        "changed": planned.changed.as_ref().map(|changed| time(Some(changed))),
        "changed_by": planned.plan.as_ref().map(|_| &planned.changed_by),
        "serial": planned.plan.as_ref().map(|_| planned.serial),
        "day": (!figures.day.is_empty()).then_some(&figures.day),
        "enterprises": enterprises,
        "identifiers": identifiers,
        "resolutions_per_day": resolutions,
        "resolution_rate_percent": rate,
        "industries": industries.collect::<Vec<_>>(),
    })
}

fn print(planned: &v1::GetPlanResponse, figures: &Figures, texts: &Texts, shown: Shown) {
    let year = [("year", planned.year.to_string().into())];
    terminal::line(toned(&texts.text("plan-year", &year), Tone::Good, shown.colours));
    if planned.plan.is_some() {
        let by = [("by", safe(&planned.changed_by).into()), ("time", time(planned.changed.as_ref()).into())];
        terminal::line(texts.text("plan-changed", &by));
    } else {
        terminal::line(texts.text("plan-none", &[]));
    }
    let day = [("day", safe(&figures.day).into())];
    let of_day = if figures.day.is_empty() { "plan-not-told" } else { "plan-day" };
    terminal::line(texts.text(of_day, &day));
    let head = ["plan-what", "plan-planned", "plan-actual", "plan-reached"].map(|code| texts.text(code, &[]));
    let rows: Vec<Vec<String>> = goals(planned, figures).iter().map(|goal| goal.row(texts)).collect();
    terminal::line(table(&head, &rows));
    let mut is_planned = false;
    for (section, industry) in figures.industries.iter().filter(|(_, industry)| industry.of > 0) {
        is_planned = true;
        let facts = [
            ("section", safe(section).into()),
            ("of", industry.of.to_string().into()),
            ("active", industry.active.to_string().into()),
            ("penetration", percent(industry.active, industry.of).into()),
        ];
        terminal::line(texts.text("plan-industry", &facts));
    }
    if !is_planned {
        terminal::line(texts.text("plan-no-industries", &[]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reached_is_of_what_is_planned_and_counted_alone() {
        let plan = v1::YearPlan {
            enterprises: Some(120),
            resolutions_per_day: Some(400),
            resolution_rate_percent: Some(80),
            ..v1::YearPlan::default()
        };
        let planned = v1::GetPlanResponse { year: 2027, plan: Some(plan), ..v1::GetPlanResponse::default() };
        let mut figures =
            Figures { enterprises: 30, identifiers: 7, requests: 100, successes: 60, ..Figures::default() };
        let uncounted = json!({ "planned": 400, "actual": null, "reached": null });
        assert_eq!(to_json(&planned, &figures)["resolutions_per_day"], uncounted);
        figures.day = "2027-03-01".into();
        let told = to_json(&planned, &figures);
        assert_eq!(told["enterprises"], json!({ "planned": 120, "actual": 30, "reached": 0.25 }));
        assert_eq!(told["identifiers"], json!({ "planned": null, "actual": 7, "reached": null }));
        assert_eq!(told["resolutions_per_day"], json!({ "planned": 400, "actual": 100, "reached": 0.25 }));
        assert_eq!(told["resolution_rate_percent"], json!({ "planned": 80, "actual": 60.0, "reached": 0.75 }));
        let none = Figures { requests: 0, successes: 0, ..figures };
        assert_eq!(to_json(&planned, &none)["resolution_rate_percent"]["actual"], Value::Null);
    }
}
