//! Carries out what was decided, one ordinary change after the other, and finds out how far an earlier run came.
//!
//! Each change goes under a request id that follows from the one in the plan. A node answers a repetition with what came of it the first time, and refuses
//! what others have changed the ground of: so an import that goes on tells its own changes from everybody else's, and what was written since is decided
//! by the rule and not written over.

use uuid::Uuid;
use waymark_api::registration::v1::{self, change::Action, expectation::Condition};
use waymark_catalog::machine_time;
use waymark_client::registration::{CallError, Registrar, ServerError};
use waymark_top_sync::takeover::{Change, Status};

use super::{
    journal::Planned,
    looking::{Version, look_at},
    steps::steps,
};
use crate::{cli::server::answer, problem::Problem};

/// Reason of the refusal of a change because somebody changed the identifier meanwhile.
pub(super) const UNEXPECTED: &str = "UNEXPECTED";

/// Milliseconds for which a change that got no answer may still be on its way: the longest `--timeout`.
const UNDER_WAY_MS: u64 = 3_600_000;

/// What came of carrying it out.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is as the file says. `again`: all of it was done by an earlier run.
    Written { outcome: String, serial: u64, again: bool },
    /// `begun`: the serial of the last of its changes that were made before.
    Refused { reason: String, cause: String, begun: Option<u64> },
}

/// What an earlier run planned and did, or what was left of that.
#[derive(Debug)]
pub(super) struct Traced {
    /// What it began at.
    pub(super) version: Option<Version>,
    pub(super) outcome: Outcome,
}

/// Makes an identifier what its change says, one ordinary change after the other. With `is_dry` the first is checked and none made.
pub(super) async fn carry_out(
    registrar: &Registrar,
    version: Option<&Version>,
    change: &Change,
    request: Uuid,
    is_dry: bool,
) -> Result<Outcome, Problem> {
    let refused = |reason: &str, cause: String| Outcome::Refused { reason: reason.into(), cause, begun: None };
    let actions = match steps(version, change) {
        Ok(actions) => actions,
        Err(error) => return Ok(refused("NOT_SAYABLE", format!("{}: {}", error.field, error.cause))),
    };
    let is_there = version.filter(|version| version.here.status != Status::Deleted);
    let mut expect = is_there.map_or(Condition::Absent(true), |version| Condition::Serial(version.here.serial));
    let mut begun = None;
    let mut last = Outcome::Written { outcome: "unchanged".to_owned(), serial: 0, again: false };
    for (number, action) in actions.into_iter().enumerate() {
        let asked = asked(&change.handle, action, expect);
        let answered = match is_dry {
            true => registrar.validate(asked).await,
            false => registrar.apply(asked, Some(of_step(request, number))).await,
        };
        let receipt = match answered {
            Ok(receipt) => receipt,
            Err(CallError::Refused { error, .. }) => {
                let ServerError { reason, cause, .. } = *error;
                return Ok(Outcome::Refused { reason, cause, begun });
            }
            Err(error) => return Err(answer::problem(&error, false)),
        };
        begun = Some(receipt.serial);
        expect = Condition::Serial(receipt.serial);
        let outcome = answer::name_of(receipt.outcome().as_str_name(), "OUTCOME_");
        // The steps are made in their order: where the last was made before, all were.
        last = Outcome::Written { outcome, serial: receipt.serial, again: receipt.repeated_request };
        if is_dry {
            break;
        }
    }
    Ok(last)
}

/// Asks again for what an earlier run planned, and makes what it left. `None` where nothing was done of it, where others changed the identifier before it
/// was done, or where the node does not remember the requests any more: then it is decided as any other.
pub(super) async fn retrace(
    registrar: &Registrar,
    change: &Change,
    planned: Planned,
    now: Option<&Version>,
) -> Result<Option<Traced>, Problem> {
    // An import never leaves an identifier deleted that it shall write; and with nothing there its first change might be made for the first time.
    let moved = now.filter(|now| now.here.serial != planned.at && now.here.status != Status::Deleted);
    let Some(now) = moved else { return Ok(None) };
    let version = look_at(registrar, &change.handle, planned.at).await?;
    let outcome = carry_out(registrar, version.as_ref(), change, planned.request, false).await?;
    Ok(match outcome {
        Outcome::Refused { begun: None, .. } => None,
        Outcome::Refused { ref reason, .. } if reason == UNEXPECTED => None,
        // What is refused for another reason is so before the node looks whose the identifier is by now.
        Outcome::Refused { begun: Some(serial), .. } if now.here.serial > serial => None,
        outcome => Some(Traced { version, outcome }),
    })
}

/// The request id for carrying out a decision about an identifier that is at a serial: that of the plan before, where a change under it may still be on
/// its way.
pub(super) fn request_for(planned: Option<Planned>, at: u64) -> Uuid {
    let now = machine_time().0;
    let is_young = |planned: &Planned| now.saturating_sub(made_ms(planned.request)) < UNDER_WAY_MS;
    planned.filter(|planned| planned.at == at && is_young(planned)).map_or_else(Uuid::now_v7, |planned| planned.request)
}

/// When an id of version 7 was made, in milliseconds since 1970.
fn made_ms(id: Uuid) -> u64 {
    u64::try_from(id.as_u128() >> 80).unwrap_or(0)
}

/// The request id of a step.
fn of_step(request: Uuid, number: usize) -> Uuid {
    // Steps are few: the number is among the random bits.
    Uuid::from_u128(request.as_u128() ^ u128::try_from(number).unwrap_or(0))
}

fn asked(handle: &str, action: Action, expect: Condition) -> v1::Change {
    let expect = Some(v1::Expectation { condition: Some(expect) });
    v1::Change { handle: handle.to_owned(), action: Some(action), expect }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_has_an_id_of_its_own_that_follows_from_the_plan() {
        let request = Uuid::now_v7();
        let ids: std::collections::BTreeSet<Uuid> = (0..8).map(|number| of_step(request, number)).collect();
        assert_eq!(ids.len(), 8);
        assert_eq!(of_step(request, 0), request);
        assert!(ids.iter().all(|id| id.get_version_num() == 7 && made_ms(*id) == made_ms(request)));
    }

    #[test]
    fn the_id_of_a_plan_is_used_again_while_it_is_young_and_nothing_moved() {
        let young = Planned { at: 7, request: Uuid::now_v7() };
        assert_eq!(request_for(Some(young), 7), young.request);
        assert_ne!(request_for(Some(young), 8), young.request);
        let old = Planned { at: 7, request: "01976b9a-7c00-7000-8000-000000000000".parse().unwrap() };
        assert_ne!(request_for(Some(old), 7), old.request);
        assert_eq!(request_for(None, 7).get_version_num(), 7);
    }
}
