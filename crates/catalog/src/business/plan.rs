//! What whoever runs the node plans to reach in a year.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use waymark_store::{Serial, Timestamp};

use super::Problem;
use super::change::{BusinessChange, BusinessDecision, BusinessFacts};
use crate::command::{Outcome, Refusal};
use crate::config::{PLAN_INDUSTRIES, PLAN_YEARS};

/// What is planned for a year; `None` is not planned, and no number is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct YearPlan {
    /// Enterprises registered.
    pub enterprises: Option<u64>,
    /// Identifiers of enterprises.
    pub identifiers: Option<u64>,
    /// Resolutions asked for in a day.
    pub resolutions_per_day: Option<u64>,
    /// Share of them that is answered with success: percent, 100 at most.
    pub resolution_rate_percent: Option<u32>,
    /// Enterprises of the region by industry, a section of GB/T 4754: what its penetration is measured by.
    pub industries: BTreeMap<String, u64>,
}

/// The plan of a year, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPlan {
    /// Of China Standard Time.
    pub year: u16,
    /// What is planned.
    pub plan: YearPlan,
    /// Who wrote it last.
    pub by: Arc<str>,
    /// When.
    pub time: Timestamp,
    /// Its entry of the log.
    pub serial: Serial,
}

/// Writes the plan of a year, over the one there was.
pub(super) fn put(year: u16, plan: &YearPlan, facts: &BusinessFacts<'_>) -> Result<BusinessDecision, Refusal> {
    check(year, plan, facts)?;
    let former = facts.business.plan(year);
    if let Some(former) = former.filter(|former| former.plan == *plan) {
        return Ok(BusinessDecision::Keep(former.serial, former.time));
    }
    let serial = former.map_or(Serial::NONE, |former| former.serial);
    let kept = KeptPlan { year, plan: plan.clone(), by: Arc::clone(facts.actor), time: facts.now, serial };
    Ok(BusinessDecision::Change { change: BusinessChange::Plan(kept), effect: None, outcome: Outcome::Stored })
}

fn check(year: u16, plan: &YearPlan, facts: &BusinessFacts<'_>) -> Result<(), Problem> {
    if !PLAN_YEARS.contains(&year) {
        return Err(Problem::new("year", "is not one from 2000 to 2999"));
    }
    if *plan == YearPlan::default() {
        return Err(Problem::new("plan", "says nothing"));
    }
    let numbers = [
        ("enterprises", plan.enterprises),
        ("identifiers", plan.identifiers),
        ("resolutions_per_day", plan.resolutions_per_day),
        ("resolution_rate_percent", plan.resolution_rate_percent.map(u64::from)),
    ];
    if let Some((field, _)) = numbers.into_iter().find(|(_, number)| *number == Some(0)) {
        return Err(Problem::new(field, "is 0; leave out what is not planned"));
    }
    if plan.resolution_rate_percent.is_some_and(|percent| percent > 100) {
        return Err(Problem::new("resolution_rate_percent", "is more than 100"));
    }
    if plan.industries.len() > PLAN_INDUSTRIES {
        return Err(Problem::new("industries", "are more than 20"));
    }
    for (section, count) in &plan.industries {
        if !matches!(section.as_bytes(), [b'A'..=b'Z']) {
            return Err(Problem::new("industries", "names one that is no section of GB/T 4754, a letter"));
        }
        facts.codes.check_any_industry("industries", section)?;
        if *count == 0 {
            return Err(Problem::new("industries", "has one with 0 enterprises"));
        }
    }
    Ok(())
}
