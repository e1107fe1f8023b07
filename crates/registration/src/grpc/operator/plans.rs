//! Plans of years, as `waymark.operator.v1.Reports` has them. What may be planned is the writer's to decide.

use waymark_api::operator::v1;
use waymark_catalog::access::Verb;
use waymark_catalog::business::{OperatorCommand, YearPlan};
use waymark_catalog::verdict::Zone;

use crate::convert::answer::{Same, receipt};
use crate::convert::request_id;
use crate::edge::Edge;
use crate::edge::caller::Caller;
use crate::failure::{Failure, proto_time};

/// Writes the plan of a year.
pub(super) async fn put(
    edge: &Edge,
    caller: &Caller,
    request: v1::PutPlanRequest,
) -> Result<v1::PutPlanResponse, Failure> {
    let v1::PutPlanRequest { year, plan, request_id } = request;
    let plan = plan.ok_or_else(|| Failure::invalid_field("plan", "is missing"))?;
    // A year no plan can be of stays one.
    let year = u16::try_from(year).unwrap_or(u16::MAX);
    let order = OperatorCommand::PutPlan { year, plan: Box::new(read(plan)) }.into();
    let request = request_id::request(&request_id, &order)?;
    let done = edge.apply(caller, order, request).await?;
    Ok(v1::PutPlanResponse { receipt: Some(receipt(&done, Same::Unchanged)) })
}

/// The plan of a year; of the one it is, in China Standard Time, where none is named.
pub(super) fn get(edge: &Edge, caller: &Caller, year: u32) -> Result<v1::GetPlanResponse, Failure> {
    if !caller.rights.has_everywhere(Verb::Home) {
        return Err(edge.deny(caller, Verb::Home, b"plan"));
    }
    let year = match year {
        0 => Zone::CHINA.day_of(edge.now()).year(),
        year => u16::try_from(year).map_err(|_| Failure::invalid_field("year", "must be one from 2000 to 2999"))?,
    };
    let (year_shown, business) = (u32::from(year), edge.catalog.business());
    let Some(kept) = business.plan(year) else {
        return Ok(v1::GetPlanResponse { year: year_shown, ..v1::GetPlanResponse::default() });
    };
    Ok(v1::GetPlanResponse {
        year: year_shown,
        plan: Some(show(&kept.plan)),
        changed: Some(proto_time(kept.time)),
        changed_by: kept.by.as_ref().to_owned(),
        serial: kept.serial.0,
    })
}

fn read(plan: v1::YearPlan) -> YearPlan {
    let v1::YearPlan { enterprises, identifiers, resolutions_per_day, resolution_rate_percent, industries } = plan;
    let industries = industries.into_iter().collect();
    YearPlan { enterprises, identifiers, resolutions_per_day, resolution_rate_percent, industries }
}

fn show(plan: &YearPlan) -> v1::YearPlan {
    v1::YearPlan {
        enterprises: plan.enterprises,
        identifiers: plan.identifiers,
        resolutions_per_day: plan.resolutions_per_day,
        resolution_rate_percent: plan.resolution_rate_percent,
        industries: plan.industries.iter().map(|(section, count)| (section.clone(), *count)).collect(),
    }
}
